"""Propensity and incremental effect of every option (action by channel).

Learned from touches where they suffice, else the catalogue's stated priors; every number says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import call
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.parallel import parallel_map
from dealwright.plan.actions.catalogue import Action, Catalogue, Channel
from dealwright.plan.actions.design_matrix import DesignMatrix
from dealwright.plan.actions.effect_learning import (
    ActionEvidence,
    EffectParams,
    LearningRows,
    SharedModels,
    channel_codes,
    learn_action,
)
from dealwright.plan.actions.facts import preferred_channel
from dealwright.plan.actions.learners import FOLDS, Blend
from dealwright.plan.actions.linear_models import Linear, fit_logistic
from dealwright.plan.actions.point_in_time import PointInTimeFeatures, PointInTimeReader, past_touches
from dealwright.plan.partitions import partitions
from dealwright.schemas import NOTHING, PlanInputs
from dealwright.stats.arrays import Floats, Ints
from dealwright.stats.links import sigmoid
from dealwright.wording import count_of

_STATED: Final = "stated"
_RATE_ONLY: Final = "rate learned, increment stated"


@dataclass(frozen=True)
class EffectModel:
    """Fitted effects, ready to be applied to any account."""

    catalogue: Catalogue
    design: DesignMatrix | None
    baseline: Linear | None  # response model without any action (None: unknown)
    # by channel, share of the accounts that prefer it; stands in for an unknown preference
    preferred_share: tuple[float, ...]
    effects: Mapping[str, Blend]  # learned effect per action name
    # learned response rate per action name, where there is no comparison with doing nothing
    rates: Mapping[str, Linear]
    evidence: Mapping[str, ActionEvidence]  # by action name
    untouched: int
    left_out: tuple[str, ...]
    propensity_source: str

    def source(self, action: Action, channel: Channel) -> str:
        """Say where the numbers of an option come from, for people."""
        found = self.evidence[action.name]
        told = {
            _STATED: "stated prior",
            _RATE_ONLY: f"response rate learned from {count_of(found.treated, 'touch', 'touches')}, "
            "increment from the stated prior",
        }.get(
            found.source, f"learned from {count_of(found.treated, 'touch', 'touches')} ({found.description})"
        )
        untried = found.source != _STATED and channel.name in found.untried
        return f"{told}; {channel.name} not tried enough" if untried else told

    def summary(self) -> dict[str, Any]:
        """Return one line of evidence per action."""
        result: dict[str, Any] = {"untouched_touches": self.untouched, "propensities": self.propensity_source}
        for name, found in self.evidence.items():
            result[f"effect_{name}"] = found.source if not found.learners else f"learned: {found.description}"
            result[f"touches_{name}"] = found.treated
            if found.source == "learned":
                result[f"increment_{name}"] = round(found.mean_increment, 5)
                result[f"increment_error_{name}"] = round(found.error, 5)
        return result


@dataclass(frozen=True)
class Responses:
    """Response probabilities without any action, and the increment of every option, (rows, options)."""

    untouched: NDArray[np.float32]
    increment: NDArray[np.float32]

    def of(self, part: slice) -> Responses:
        """Return those of some accounts."""
        return Responses(self.untouched[part], self.increment[part])


def learn_effects(
    inputs: PlanInputs,
    catalogue: Catalogue,
    reader: PointInTimeReader,
    params: EffectParams,
    *,
    rng: np.random.Generator,
) -> EffectModel:
    r"""Learn what every action brings from past touches.

    For every action with enough touches, and enough touches where nothing was done, the S-, T-, X- and doubly
    robust learners and the average effect are weighed so that the doubly robust validation loss
    :math:`\frac1n\sum(\psi_i-\hat\tau(x_i))^2` over three folds of accounts is smallest; but for a
    constant it is an unbiased estimate of the squared error of the effect (Schuler et al. 2018; Saito & Yasui
    2020).
    """
    table = _touch_table(inputs, catalogue, params, rng)
    arms = [NOTHING, *(action.name for action in catalogue.actions)]
    arm = table["action"].replace_strict(arms, list(range(len(arms))), return_dtype=pl.Int64).to_numpy()
    response = table["response"].cast(pl.Float64).to_numpy()
    compared = _enough(response[arm == 0], params.min_untouched, params.min_responses)
    enough = [
        _enough(response[arm == index], params.min_treated, params.min_responses)
        for index in range(1, len(arms))
    ]
    touches = (
        LearningRows.read(
            inputs, catalogue, reader, table=table, arm=arm, response=response, params=params, rng=rng
        )
        if any(enough)
        else None
    )
    shared = SharedModels.fit(touches) if touches is not None and compared else None
    evidence, effects, rates = {}, {}, {}
    fits = {}
    for index, action in enumerate(catalogue.actions, start=1):
        rows = arm == index
        if not enough[index - 1] or touches is None:
            evidence[action.name] = _stated(action, response[rows], _STATED, action.channels)
            continue
        untried = _untried(action, catalogue, touches.channel[rows], params)
        if shared is not None:
            fits[action.name] = partial(
                learn_action, touches, action, index, shared=shared, params=params, untried=untried
            )
        else:
            rates[action.name] = fit_logistic(
                touches.columns(index)[rows], response[rows], channels=touches.channels
            )
            evidence[action.name] = _stated(action, response[rows], _RATE_ONLY, untried)
    learned = parallel_map(call, fits.values())
    for name, (effect, found) in zip(fits, learned, strict=True):
        effects[name], evidence[name] = effect, found
    return EffectModel(
        catalogue=catalogue,
        design=touches.design if touches is not None else None,
        baseline=shared.control[FOLDS] if shared is not None else None,
        preferred_share=_preferred_share(inputs, catalogue),
        effects=effects,
        rates=rates,
        evidence=evidence,
        untouched=int((arm == 0).sum()),
        left_out=reader.left_out,
        propensity_source=touches.propensity_source if touches is not None else "not used",
    )


def apply_effects(model: EffectModel, reader: PointInTimeReader, accounts: int) -> Responses:
    """Predict tonight's responses of accounts, each from its own features only."""
    increment = np.empty((accounts, len(model.catalogue.options)), dtype=np.float32)
    untouched = np.empty(accounts, dtype=np.float32)
    for part in partitions(accounts):
        _apply_rows(model, reader.tonight(part), untouched[part], increment[part])
    return Responses(untouched, increment)


def _apply_rows(
    model: EffectModel,
    features: PointInTimeFeatures,
    untouched: NDArray[np.float32],
    increment: NDArray[np.float32],
) -> None:
    """Fill one slice of the result."""
    catalogue = model.catalogue
    rows = untouched.size
    phi = model.design.encode(features) if model.design is not None else np.zeros((rows, 0), np.float32)
    names = [channel.name for channel in catalogue.channels]
    preferred = channel_codes(features.preferred, names)
    if model.baseline is not None:
        untouched[:] = sigmoid(model.baseline.on_accounts(phi))
    else:
        # nobody was left alone: what happens without an action is what the priors say
        untouched[:] = np.mean([action.prior_response - action.prior_uplift for action in catalogue.actions])
    scores = {name: effect.account_scores(phi) for name, effect in model.effects.items()}
    rates = {name: rate.on_accounts(phi) for name, rate in model.rates.items()}
    for position, (action, channel) in enumerate(catalogue.options):
        factor, code = 1.0, names.index(channel.name)
        codes = np.full(rows, code)
        likes = np.where(preferred >= 0, preferred == code, model.preferred_share[code])
        if channel.name in model.evidence[action.name].untried:
            # what was learned on the other channels, in the proportion the priors state
            factor = channel.prior_factor / _tried_factor(model, action)
            codes = np.full(rows, -1)
        if action.name in scores:
            increment[:, position] = factor * model.effects[action.name].combine(
                scores[action.name], codes, likes
            )
        elif action.name in rates:
            rate = model.rates[action.name]
            share = action.prior_uplift / max(action.prior_response, 1e-9)
            increment[:, position] = (
                factor * share * sigmoid(rates[action.name] + rate.on_channel(codes, likes))
            )
        else:
            increment[:, position] = action.prior_uplift * channel.prior_factor
    np.clip(increment, -untouched[:, None], 1.0 - untouched[:, None], out=increment)


def _tried_factor(model: EffectModel, action: Action) -> float:
    """Mean prior factor of the channels on which the action was tried."""
    untried = model.evidence[action.name].untried
    factors = [model.catalogue.channel(name).prior_factor for name in action.channels if name not in untried]
    return max(float(np.mean(factors)), 1e-9) if factors else 1.0


def _touch_table(
    inputs: PlanInputs, catalogue: Catalogue, params: EffectParams, rng: np.random.Generator
) -> pl.DataFrame:
    """Touches to learn from, sampled by account when there are too many."""
    known = [NOTHING, *(action.name for action in catalogue.actions)]
    channels = [channel.name for channel in catalogue.channels]
    table = past_touches(inputs).filter(
        pl.col("action").is_in(known) & ((pl.col("action") == NOTHING) | pl.col("channel").is_in(channels))
    )
    if table.height <= params.max_touches:
        return table
    share = params.max_touches / table.height
    drawn = inputs.accounts.select("account_id").filter(pl.Series(rng.random(inputs.accounts.height) < share))
    return table.join(drawn, on="account_id", how="semi", maintain_order="left")


def _enough(response: Floats, touches: int, responses: int) -> bool:
    return response.size >= touches and min(response.sum(), (1 - response).sum()) >= responses


def _untried(action: Action, catalogue: Catalogue, channel: Ints, params: EffectParams) -> tuple[str, ...]:
    names = [item.name for item in catalogue.channels]
    return tuple(
        name for name in action.channels if (channel == names.index(name)).sum() < params.min_on_channel
    )


def _preferred_share(inputs: PlanInputs, catalogue: Catalogue) -> tuple[float, ...]:
    known = preferred_channel(inputs).drop_nulls()
    return tuple(float((known == channel.name).sum()) / max(known.len(), 1) for channel in catalogue.channels)


def _stated(action: Action, response: Floats, source: str, untried: tuple[str, ...]) -> ActionEvidence:
    """Evidence of an action whose increment is the stated one."""
    return ActionEvidence(
        source, {}, response.size, int(response.sum()), action.prior_uplift, float("nan"), {}, untried
    )
