"""Learn one action's effect from past touches: a contest of learners, weighed by doubly robust validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.parallel import one_core_kernels, parallel_map
from dealwright.plan.actions.catalogue import Action, Catalogue
from dealwright.plan.actions.design_matrix import DesignMatrix, fit_design_matrix
from dealwright.plan.actions.learners import (
    FOLDS,
    SETTINGS,
    Blend,
    LearningTask,
    Nuisance,
    Trial,
    doubly_robust_scores,
    fit_effects,
)
from dealwright.plan.actions.linear_models import Linear, fit_logistic, fit_shares
from dealwright.plan.actions.point_in_time import PointInTimeFeatures, PointInTimeReader
from dealwright.schemas import PlanInputs
from dealwright.stats.arrays import Bools, Floats, Ints

T = TypeVar("T")
# prior variance of how the untouched deviate from the pooled response model, per coefficient
_UNTOUCHED_C: Final = 0.03
_LEAST_JUDGED: Final = 3000
# what the blend is without evidence, and how sure that is
_PRIOR_WEIGHTS: Final = {"S": 0.5, "X": 0.25, "doubly robust": 0.25}
_PRIOR_WEIGHT_SD: Final = 0.2
_LEAST_WEIGHT: Final = 0.05  # a learner with less weight is left out


@dataclass(frozen=True)
class EffectParams:
    """When to learn, and on how much.

    Attributes
    ----------
    max_touches : touches learned from; more are sampled.
    min_treated, min_untouched, min_responses : touches of an action, of doing nothing, and responses in each
        of the two that learning needs; below, the stated prior is used.
    min_on_channel : touches of an action on a channel below which that option uses the stated prior.
    least_propensity : smaller propensities count as this one, which bounds the weights.
    """

    max_touches: int = 150_000
    min_treated: int = 300
    min_untouched: int = 300
    min_responses: int = 30
    min_on_channel: int = 100
    least_propensity: float = 0.02


@dataclass(frozen=True)
class ActionEvidence:
    """What is known of one action."""

    source: str  # `learned`, `rate learned, increment stated` or `stated`
    learners: Mapping[str, float]  # weights of the learners in the blend; empty where nothing was learned
    # its touches and their responses
    treated: int
    responses: int
    # doubly robust mean effect over all touches with its standard error
    mean_increment: float
    error: float
    # doubly robust validation loss of each learner less that of the average effect
    losses: Mapping[str, float]
    untried: tuple[str, ...]  # channels whose options use the stated prior

    @property
    def description(self) -> str:
        """The learners for people, the weightiest first."""
        total = sum(self.learners.values()) or 1.0
        ranked = sorted(self.learners.items(), key=lambda item: -item[1])
        return ", ".join(f"{name} {weight / total:.0%}" for name, weight in ranked)


@dataclass(frozen=True)
class LearningRows:
    """Past touches as matrices, one row per touch."""

    catalogue: Catalogue
    design: DesignMatrix
    phi: NDArray[np.float32]
    arm: Ints  # 0 for nothing, else 1 + the action's index in the catalogue
    channel: Ints
    hypothetical: Mapping[int, Ints]  # per action, the channel a row used or would have used
    preferred: Ints
    response: Floats
    propensity: Floats
    propensity_source: str
    fold: Ints
    judged: Bools  # rows the learners are compared on

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return len(self.catalogue.channels)

    @classmethod
    def read(
        cls,
        inputs: PlanInputs,
        catalogue: Catalogue,
        reader: PointInTimeReader,
        *,
        table: pl.DataFrame,
        arm: Ints,
        response: Floats,
        params: EffectParams,
        rng: np.random.Generator,
    ) -> LearningRows:
        """Describe each touch as it was known then, and draw what the learners need."""
        account = reader.account_rows(table["account_id"])
        features = reader.earlier(account, table["touched_at"])
        design = fit_design_matrix(features)
        phi = design.encode(features)
        names = [channel.name for channel in catalogue.channels]
        channel = channel_codes(table["channel"], names)
        preferred = channel_codes(features.preferred, names)
        # all touches of an account are in one fold: a model never meets an account it learned from
        fold = rng.integers(0, FOLDS, size=inputs.accounts.height)[account]
        hypothetical = {
            index: _would_be_channel(channel, preferred, arm == index, len(names), rng)
            for index in range(1, len(catalogue.actions) + 1)
        }
        propensity, source = _propensities(table["propensity"], phi, arm, params, rng)
        judged = _known_as_tonight(features, reader.tonight())
        return cls(
            catalogue, design, phi, arm, channel, hypothetical, preferred, response, propensity, source, fold,
            judged,
        )  # fmt: skip

    def trial(self, index: int) -> Trial:
        """Return the rows as a trial of one action."""
        channel = self.hypothetical[index]
        likes = self._likes(index, channel)
        return Trial(
            self.phi,
            channel,
            likes,
            self.arm == index,
            self.arm == 0,
            self.response,
            self.propensity,
            self.fold,
        )

    def _likes(self, index: int, channel: Ints) -> Floats:
        """Tell whether the channel is the preferred one; where that is unknown, how often it is.

        People are mostly approached through the channel they prefer: with 0 for the unknown ones, the
        channels themselves would seem to work as well as the preferred one does.
        """
        known = self.preferred >= 0
        match = (channel == self.preferred).astype(np.float64)
        tried = known & (self.arm == index)
        hits = np.bincount(channel[tried], match[tried], minlength=self.channels)
        rate = (hits + 1.0) / (np.bincount(channel[tried], minlength=self.channels) + self.channels)
        return np.where(known, match, rate[channel])

    def columns(self, index: int) -> NDArray[np.float32]:
        """Return the columns of an action's models, one row per touch."""
        return self.trial(index).columns(self.channels)


@dataclass(frozen=True)
class SharedModels:
    """Response models that all actions share, by left-out fold; the last one leaves none out."""

    pooled: tuple[Linear, ...]
    constants: tuple[Floats, ...]
    control: tuple[Linear, ...]
    alone_without: tuple[Linear, ...]
    alone_only: tuple[Linear, ...]

    @classmethod
    def fit(cls, touches: LearningRows) -> SharedModels:
        """Fit one response model over all that was done, and the deviation of doing nothing from it."""
        arms = len(touches.catalogue.actions) + 1
        indicators = np.zeros((touches.arm.size, arms), dtype=np.float32)
        indicators[np.arange(touches.arm.size), touches.arm] = 1.0
        everything = np.hstack([touches.phi, indicators])
        width = touches.phi.shape[1]
        untouched = touches.arm == 0

        def on_slot(slot: int) -> tuple[Linear, Floats, Linear]:
            rows = touches.fold != slot
            model = fit_logistic(everything[rows], touches.response[rows], channels=0)
            base = Linear(model.account[:width], np.zeros(0), 0.0, 0.0)
            alone = np.flatnonzero(rows & untouched)
            deviation = fit_logistic(
                touches.phi[alone], touches.response[alone], channels=0, penalty_c=_UNTOUCHED_C,
                offset=(base, float(model.account[width])),
            )  # fmt: skip
            return base, model.account[width:], deviation

        def on(rows: Bools) -> Linear:
            used = np.flatnonzero(rows & untouched)
            return fit_logistic(touches.phi[used], touches.response[used], channels=0)

        with one_core_kernels():  # single fits are too small for more
            found = parallel_map(on_slot, range(FOLDS + 1))
            alone = parallel_map(
                on,
                [touches.fold != fold for fold in range(FOLDS)]
                + [touches.fold == fold for fold in range(FOLDS)],
            )
        pooled, constants, control = zip(*found, strict=True)
        return cls(pooled, constants, control, tuple(alone[:FOLDS]), tuple(alone[FOLDS:]))


def learn_action(
    touches: LearningRows,
    action: Action,
    index: int,
    *,
    shared: SharedModels,
    params: EffectParams,
    untried: tuple[str, ...],
) -> tuple[Blend, ActionEvidence]:
    """Let the learners compete for one action."""
    trial = touches.trial(index)
    columns = trial.columns(touches.channels)

    def on(rows: Bools) -> Linear:
        used = np.flatnonzero(trial.treated & rows)
        return fit_logistic(columns[used], trial.response[used], channels=touches.channels)

    nuisance = Nuisance(
        tuple((on(trial.fold != fold), shared.alone_without[fold]) for fold in range(FOLDS)),
        tuple((on(trial.fold == fold), shared.alone_only[fold]) for fold in range(FOLDS)),
    )
    predicted = tuple(nuisance.predict(trial, left_out) for left_out in (*range(FOLDS), None))
    task = LearningTask(
        trial=trial,
        channels=touches.channels,
        columns=columns,
        scores=tuple(doubly_robust_scores(trial, *pair, params.least_propensity) for pair in predicted),
        predicted=predicted,
        nuisance=nuisance,
        pooled=tuple(
            (base, float(constants[index]))
            for base, constants in zip(shared.pooled, shared.constants, strict=True)
        ),
        control=shared.control,
        prior=action.prior_uplift,
        prior_sd=max(abs(action.prior_uplift), 0.02),
    )
    return _stack(task, touches.judged, untried)


def _stack(task: LearningTask, judged: Bools, untried: tuple[str, ...]) -> tuple[Blend, ActionEvidence]:
    """Weigh the learners, each in its best setting, so that the doubly robust validation loss is smallest."""
    from scipy.optimize import nnls

    trial, scores = task.trial, task.scores[FOLDS]
    best: dict[str, tuple[float, float, Floats]] = {}
    for learner, settings in SETTINGS.items():
        found = np.empty((len(settings), scores.size))
        for fold, part in enumerate(trial.parts):
            for position, effect in enumerate(fit_effects(learner, task, fold, settings)):
                found[position, part.rows] = effect.increment(part.phi, part.channel, part.preferred)
        losses = ((scores - found)[:, judged] ** 2).mean(axis=1)
        winner = int(losses.argmin())
        best[learner] = (float(losses[winner]), settings[winner], found[winner])
    predictions = np.column_stack([prediction[judged] for _, _, prediction in best.values()])
    # the learners are so alike that the scores say little of their weights: a prior decides what is left open
    noise = float((scores[judged] - predictions.mean(axis=1)).var()) or 1.0
    prior = np.array([_PRIOR_WEIGHTS.get(name, 0.0) for name in best])
    system = predictions.T @ predictions / noise + np.eye(prior.size) / _PRIOR_WEIGHT_SD**2
    aim = predictions.T @ scores[judged] / noise + prior / _PRIOR_WEIGHT_SD**2
    root = np.linalg.cholesky(system)
    weights = nnls(root.T, np.linalg.solve(root, aim))[0]
    average = best["average"][0]
    kept = {
        name: float(weight) for name, weight in zip(best, weights, strict=True) if weight >= _LEAST_WEIGHT
    }
    kept = kept or {"average": 1.0}
    blend = Blend(
        tuple((weight, fit_effects(name, task, None, (best[name][1],))[0]) for name, weight in kept.items())
    )
    evidence = ActionEvidence(
        source="learned",
        learners=kept,
        treated=int(trial.treated.sum()),
        responses=int(trial.response[trial.treated].sum()),
        mean_increment=float(scores.mean()),
        error=float(scores.std() / np.sqrt(scores.size)),
        losses={name: loss - average for name, (loss, _, _) in best.items()},
        untried=untried,
    )
    return blend, evidence


def channel_codes(values: pl.Series, names: list[str]) -> Ints:
    """Return the index of each channel name, −1 for a missing or unknown one."""
    codes = values.cast(pl.String).replace_strict(
        names, list(range(len(names))), default=None, return_dtype=pl.Int64
    )
    return codes.fill_null(-1).to_numpy()


def _known_as_tonight(features: PointInTimeFeatures, tonight: PointInTimeFeatures) -> Bools:
    """Tell which rows are known about as well as accounts are tonight; the learners are judged on these.

    Of touches from before the first snapshot little is known, and there a learner that ignores the account
    does best; tonight everything is known. Where too few rows qualify all are used.
    """
    if not features.numbers.shape[1] or not tonight.numbers.shape[0]:
        return np.ones(features.numbers.shape[0], dtype=bool)
    usual = np.quantile(np.isfinite(tonight.numbers).mean(axis=1), 0.1)
    known = np.isfinite(features.numbers).mean(axis=1) >= usual
    return known if known.sum() >= _LEAST_JUDGED else np.ones(known.size, dtype=bool)


def _would_be_channel(
    channel: Ints, preferred: Ints, treated: Bools, channels: int, rng: np.random.Generator
) -> Ints:
    """Draw the channel rows without the action would have used, as often as their like did."""
    counts = np.zeros((channels + 1, channels))
    np.add.at(counts, (preferred[treated], channel[treated]), 1.0)
    overall = counts.sum(axis=0) + 1e-9
    shares = (counts + 20.0 * overall / overall.sum()) / (counts.sum(axis=1, keepdims=True) + 20.0)
    edges = np.cumsum(shares, axis=1)[preferred]
    drawn = np.minimum((edges < rng.random((channel.size, 1))).sum(axis=1), channels - 1)
    return np.where(treated, channel, drawn)


def _propensities(
    logged: pl.Series, phi: NDArray[np.float32], arm: Ints, params: EffectParams, rng: np.random.Generator
) -> tuple[Floats, str]:
    """Use logged propensities where given, estimate the others by a multinomial logistic regression."""
    values = logged.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    missing = ~(np.isfinite(values) & (values > 0) & (values <= 1))
    if not missing.any():
        return values, "logged"
    sample = rng.permutation(arm.size)[:40_000]
    arms = np.unique(arm[sample])
    if arms.size == 1:
        values[missing] = 1.0
    else:
        shares = fit_shares(phi[sample], np.searchsorted(arms, arm[sample]), arms.size)(phi[missing])
        column = np.minimum(np.searchsorted(arms, arm[missing]), arms.size - 1)
        known = arms[column] == arm[missing]
        values[missing] = np.where(known, shares[np.arange(column.size), column], params.least_propensity)
    return values, "estimated" if missing.all() else f"logged, {missing.mean():.0%} estimated"
