"""The next best action of every account.

Score it, value every option, choose within the rules, and say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.notebook import Summarised
from dealwright.parallel import one_core_kernels
from dealwright.plan.actions.arbitration import NONE, Budget, Choice, OptionValues, choose
from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.actions.effects import EffectModel, Responses, apply_effects, learn_effects
from dealwright.plan.actions.eligibility import (
    Eligibility,
    check_catalogue,
    check_touch_names,
    contact_moments,
    find_eligible,
)
from dealwright.plan.actions.explanation import excluded_actions, reasons_for, runner_ups
from dealwright.plan.actions.facts import ANOMALY_FACTS, SEGMENT_FACTS, account_facts
from dealwright.plan.actions.fatigue import read_touches
from dealwright.plan.actions.params import ActionParams
from dealwright.plan.actions.point_in_time import PointInTimeReader
from dealwright.plan.actions.randomisation import Randomisation, draw_randomisation
from dealwright.plan.actions.reasons import ReasonTexts
from dealwright.plan.actions.score import ScoreScale, apply_score, fit_score, missing_components
from dealwright.plan.inputs import align, gather_inputs
from dealwright.plan.partitions import apply, partitions
from dealwright.schemas import NOTHING, AccountSchema, option_name
from dealwright.stats.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Actions(Summarised):
    """Result of *action*.

    Attributes
    ----------
    frame : the columns of `ACTION_COLUMNS`; the score's contributions (``nba_<component>``); of the
        choice ``response_probability``, ``untouched_probability``, ``increment``, ``cost_eur``,
        ``effect_source``, ``contact_from``, ``consent_known``, ``runner_up_value_eur``,
        ``option_propensity`` (of action and channel), ``propensity_nothing``, ``exploration_cost_eur`` (what
        exploration gives up), ``best_action`` (without
        exploration and control group), ``withheld_by`` and ``withheld_eur`` (of accounts without action: the
        budget or the rule of contact that keeps one from them, and what that would be worth).
    options : ``account_id``, and one column per option, named ``ACTION/CHANNEL``: its expected value, null
        where it is not permitted.
    scale, effects : what was fitted.
    choice : indices, propensities and prices.
    notes : what users should know.
    """

    frame: pl.DataFrame
    options: pl.DataFrame
    scale: ScoreScale
    effects: EffectModel
    choice: Choice
    notes: tuple[str, ...] = ()

    def summary(self) -> Mapping[str, Any]:
        """Return counts, expected earnings, prices, the effects' sources and the scales."""
        frame = self.frame
        by_action = dict(frame["action"].value_counts().iter_rows())
        by_channel = dict(frame["channel"].drop_nulls().value_counts().iter_rows())
        names = [NOTHING, *(action.name for action in self.effects.catalogue.actions)]
        exploring = frame.filter("explore")
        return {
            "accounts": frame.height,
            **{f"action_{name}": int(by_action.get(name, 0)) for name in names},
            **{f"channel_{name}": int(count) for name, count in sorted(by_channel.items())},
            "expected_value_eur": round(float(frame["expected_value_eur"].sum()), 2),
            "cost_eur": round(float(frame["cost_eur"].sum()), 2),
            "explored": exploring.height,
            "exploration_cost_eur": round(float(frame["exploration_cost_eur"].sum()), 2),
            "control_group": int(frame["control"].sum()),
            "exploration_share": self.choice.exploration_share,
            "price_per_contact_eur": round(self.choice.price_contact_eur, 4),
            "price_per_eur": round(self.choice.price_cost, 6),
            **self.effects.summary(),
            **{f"scale_{name}_mean": mean for name, (mean, _) in self._scales().items()},
            **{f"scale_{name}_sd": deviation for name, (_, deviation) in self._scales().items()},
            "notes": "; ".join(self.notes),
        }

    def _scales(self) -> dict[str, tuple[float, float]]:
        """Means and standard deviations of the score's facts and components."""
        components = {f"nba_{name}": moments for name, moments in self.scale.components.items()}
        return {**self.scale.facts, **components}


def choose_actions(
    accounts: pl.DataFrame,
    predictions: pl.DataFrame,
    segments: pl.DataFrame | None = None,
    params: ActionParams | None = None,
    *,
    anomalies: pl.DataFrame | None = None,
    orders: pl.DataFrame | None = None,
    touches: pl.DataFrame | None = None,
    history: pl.DataFrame | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
) -> Actions:
    """Choose action, channel and moment for every account.

    The expected value of an option is ``(P(response | option) − P(response | nothing)) × value × lever −
    cost``; the best permitted option with a positive one is chosen, else nothing.

    Parameters
    ----------
    accounts : ``account_id``, features, consents, roles.
    predictions : ``account_id``, ``churn_probability``, ``predicted_value_eur``, as *predict* finds them.
    segments : ``account_id`` and whichever of ``segment``, ``value_bucket``, ``potential_bucket``,
        ``wallet_eur``, ``potential_eur`` the catalogue reads.
    anomalies : ``account_id``, ``anomaly_score``, ``is_anomaly``.
    orders, touches : `ORDER_COLUMNS`, `TOUCH_COLUMNS`.
    history : accounts as they were at earlier moments.
    schema, as_of : which column is what, and the cut-off; by default both follow from the frames.
    rng : samples touches, draws folds, and names the exploration draw where `params` do not.
    executor : where choices are explained, a hundred thousand accounts at a time; by default here.

    Raises
    ------
    InputError
        When the catalogue reads a column that the data lack, or an expression does not fit the columns'
        types.
    """
    params, rng = params or ActionParams(), rng or np.random.default_rng(0)
    inputs = gather_inputs(
        accounts, schema=schema, as_of=as_of, orders=orders, touches=touches, history=history
    )
    found = _findings(inputs.accounts["account_id"], predictions, segments, anomalies)
    catalogue = params.catalogue
    notes: list[str] = []
    # with the cut-off in it, every night explores other accounts although the seed stays the same
    own_draw = f"{inputs.as_of.isoformat()}:{int(rng.integers(2**62))}"
    draw = own_draw if params.draw is None else params.draw
    log = read_touches(inputs, catalogue)
    check_touch_names(inputs, catalogue, notes)
    facts = account_facts(inputs, found, log.contacts)
    unavailable = check_catalogue(catalogue, facts, notes)
    scale = fit_score(facts, params.score)
    notes += [
        f"nba_score: the data say nothing of {name}; it counts as average"
        for name in missing_components(scale)
    ]
    assumed = [
        channel.name
        for channel in catalogue.channels
        if channel.consent and channel.name not in inputs.schema.consent
    ]
    if assumed:
        notes.append(f"no consent column for {', '.join(assumed)}: consent is assumed")

    reader = PointInTimeReader(inputs, log.contacts)
    with one_core_kernels():  # BLAS rounds by how many cores it has: the same bytes on every machine
        effects = learn_effects(inputs, catalogue, reader, params.effects, rng=rng)
        responses = apply_effects(effects, reader, inputs.accounts.height)
    del reader  # it holds all orders, by account
    if effects.left_out and effects.effects:
        notes.append(
            f"effects: {', '.join(effects.left_out)} not used: nothing says what they were when accounts "
            f"were touched"
        )
    texts = ReasonTexts()
    eligibility = find_eligible(
        inputs, catalogue, facts, log, unavailable=unavailable, texts=texts, horizon_days=params.horizon_days
    )
    worth = _worth(catalogue, facts, unavailable)
    values, if_permitted = _value_options(catalogue, responses, worth, eligibility)
    randomisation = _randomise(inputs.accounts["account_id"], params, draw)
    budget = Budget(
        catalogue.budget.max_contacts if params.max_contacts is None else params.max_contacts,
        catalogue.budget.max_cost_eur if params.max_cost_eur is None else params.max_cost_eur,
    )
    choice = choose(values, randomisation, budget)
    parts = [
        _Decided(
            account_id=inputs.accounts["account_id"][part], facts=facts[part], worth=worth[part],
            responses=responses.of(part), eligibility=eligibility.of(part), values=values.of(part),
            if_permitted=if_permitted[part], choice=choice.of(part), control=randomisation.control[part],
        )
        for part in partitions(facts.height)
    ]  # fmt: skip
    explain = partial(
        _frame, schema=inputs.schema, catalogue=catalogue, scale=scale, params=params, effects=effects,
        texts=texts,
    )  # fmt: skip
    frame = pl.concat(apply(explain, parts, executor))
    return Actions(frame, _option_frame(frame, catalogue, values), scale, effects, choice, tuple(notes))


def _findings(
    account_id: pl.Series,
    predictions: pl.DataFrame,
    segments: pl.DataFrame | None,
    anomalies: pl.DataFrame | None,
) -> pl.DataFrame:
    """Return what the earlier stages found of each account, in the order of the accounts."""
    found = align(predictions, account_id, "churn_probability", "predicted_value_eur")
    columns = found.select("churn_probability", "predicted_value_eur").get_columns()
    for frame, names in ((segments, SEGMENT_FACTS), (anomalies, ANOMALY_FACTS)):
        if frame is not None:
            aligned = align(frame, account_id)
            columns += [aligned[name] for name in names if name in aligned.columns]
    return pl.DataFrame(columns)


def _option_frame(frame: pl.DataFrame, catalogue: Catalogue, values: OptionValues) -> pl.DataFrame:
    """Return `Actions.options`."""
    names = [option_name(action.name, channel.name) for action, channel in catalogue.options]
    table = pl.DataFrame(values.value_eur, schema=names) if names else pl.DataFrame()
    return frame.select("account_id").hstack(
        table.select(pl.when(pl.all().is_finite()).then(pl.all())).get_columns()
    )


def _worth(catalogue: Catalogue, facts: pl.DataFrame, unavailable: Mapping[str, str]) -> NDArray[np.float32]:
    """What a response to each action is worth per account: value times lever.

    Unknown values count as nothing.
    """
    columns = []
    for action in catalogue.actions:
        if action.name in unavailable:
            columns.append(np.zeros(facts.height, dtype=np.float32))
            continue
        value = (
            facts.select(value=action.value.expr)["value"]
            .cast(pl.Float64)
            .fill_nan(None)
            .fill_null(0.0)
            .to_numpy()
        )
        finite = np.where(np.isfinite(value), value, 0.0)
        columns.append((np.broadcast_to(finite, facts.height) * action.lever).astype(np.float32))
    return np.column_stack(columns)


def _action_of_option(catalogue: Catalogue) -> Ints:
    names = [action.name for action in catalogue.actions]
    return np.array([names.index(action.name) for action, _ in catalogue.options])


def _value_options(
    catalogue: Catalogue, responses: Responses, worth: NDArray[np.float32], eligibility: Eligibility
) -> tuple[OptionValues, NDArray[np.float32]]:
    """Return what the permitted options are worth, and what each would be worth if it were permitted."""
    cost = np.array([action.cost_eur + channel.cost_eur for action, channel in catalogue.options])
    contact = np.array([float(channel.contact) for _, channel in catalogue.options])
    value = responses.increment * worth[:, _action_of_option(catalogue)]
    value -= cost.astype(np.float32)
    permitted = np.where(eligibility.permitted, value, np.float32(-np.inf))
    return OptionValues(permitted, cost, contact, _action_of_option(catalogue)), value


def _withheld(decided: _Decided, texts: ReasonTexts) -> list[pl.Series]:
    """Say of accounts without action which limit keeps one from them, and what the best would be worth.

    That is the budget, or a rule that stands against an option: of several options, that worth most counts.
    """
    choice, values = decided.choice, decided.values
    idle = ~decided.control & ~choice.explore & (choice.option == NONE)
    limit = pl.Series("withheld_by", [None], dtype=pl.String).new_from_index(0, idle.size)
    worth = np.full(idle.size, np.nan)
    priced_out = np.flatnonzero(idle & choice.priced_out)
    limit = limit.scatter(priced_out, "budget")
    worth[priced_out] = values.value_eur[priced_out].max(axis=1, initial=0.0)
    rows = np.flatnonzero(idle & ~choice.priced_out)
    named = texts.limits(decided.eligibility.codes[rows])
    ruled_out = named.is_not_null().to_numpy().reshape(rows.size, decided.if_permitted.shape[1])
    value = np.where(ruled_out, decided.if_permitted[rows], np.float32(0.0))
    if value.size:
        best = value.argmax(axis=1)
        most = value[np.arange(rows.size), best]
        pays = np.flatnonzero(most > 0)
        limit = limit.scatter(rows[pays], named.gather(pays * value.shape[1] + best[pays]))
        worth[rows[pays]] = most[pays]
    return [limit, pl.Series("withheld_eur", worth).fill_nan(None)]


def _randomise(account_id: pl.Series, params: ActionParams, draw: str) -> Randomisation:
    catalogue = params.catalogue
    exploration = catalogue.exploration
    shares = params.exploration_share, params.control_share
    return draw_randomisation(
        account_id,
        draw=draw,
        campaign=catalogue.control.campaign,
        exploration_share=exploration.share if shares[0] is None else shares[0],
        control_share=catalogue.control.share if shares[1] is None else shares[1],
        explorable=np.array([exploration.admits(*option) for option in catalogue.options], dtype=np.bool_),
        exploration_of_gain=exploration.of_gain,
    )


@dataclass(frozen=True)
class _Decided:
    """Some accounts: what is known of them, and what was chosen."""

    account_id: pl.Series
    facts: pl.DataFrame
    worth: NDArray[np.float32]
    responses: Responses
    eligibility: Eligibility
    values: OptionValues
    if_permitted: NDArray[np.float32]
    choice: Choice
    control: Bools


def _frame(
    decided: _Decided,
    *,
    schema: AccountSchema,
    catalogue: Catalogue,
    scale: ScoreScale,
    params: ActionParams,
    effects: EffectModel,
    texts: ReasonTexts,
) -> pl.DataFrame:
    """Put the choice and its explanation together, one row per account."""
    choice, values, responses = decided.choice, decided.values, decided.responses
    rows = np.arange(choice.option.size)
    chosen = choice.option != NONE
    option = np.maximum(choice.option, 0)
    of_action = _action_of_option(catalogue)

    def of_chosen(matrix: NDArray[np.float32], column: Ints, otherwise: float) -> Floats:
        picked = matrix[rows, column] if matrix.shape[1] else np.zeros(rows.size)
        return np.where(chosen, picked, otherwise).astype(np.float64)

    channel = _names([channel.name for _, channel in catalogue.options], choice.option, None)
    increment = of_chosen(responses.increment, option, 0.0)
    untouched = responses.untouched.astype(np.float64)
    sources = [effects.source(action, channel) for action, channel in catalogue.options]
    assumed = [
        not (channel.consent and channel.name not in schema.consent) for _, channel in catalogue.options
    ]
    runner_up, runner_up_value = runner_ups(catalogue, values, choice, of_action)
    frame = pl.DataFrame(
        {
            "account_id": decided.account_id,
            **apply_score(decided.facts, scale, params.score).to_dict(),
            "action": _names([action.name for action, _ in catalogue.options], choice.option, NOTHING),
            "channel": channel,
            "expected_value_eur": of_chosen(values.value_eur, option, 0.0),
            "response_probability": np.clip(untouched + increment, 0.0, 1.0),
            "untouched_probability": untouched,
            "increment": increment,
            "response_value_eur": of_chosen(decided.worth, of_action[option], 0.0),
            "cost_eur": np.append(values.cost_eur, 0.0)[choice.option],
            "effect_source": _names(sources, choice.option, None),
            "consent_known": pl.Series(np.append(assumed, True)[choice.option]),
            "contact_from": contact_moments(decided.eligibility, channel),
            "runner_up": runner_up,
            "runner_up_value_eur": pl.Series(runner_up_value).fill_nan(None),
            "best_action": _names([action.name for action, _ in catalogue.options], choice.best, NOTHING),
            "explore": choice.explore,
            "exploration_cost_eur": choice.exploration_cost_eur,
            "control": decided.control,
            "propensity": choice.propensity,
            "option_propensity": choice.option_propensity,
            "propensity_nothing": choice.propensity_nothing,
        }
    )
    return frame.with_columns(
        reasons_for(),
        excluded_actions(
            catalogue=catalogue,
            eligibility=decided.eligibility,
            values=values,
            choice=choice,
            control=decided.control,
            of_action=of_action,
            texts=texts,
        ),
    ).with_columns(_withheld(decided, texts))


def _names(names: list[str], index: Ints, nothing: str | None) -> pl.Series:
    table = pl.Series([*names, nothing], dtype=pl.String)
    return table.gather(np.where(index == NONE, len(names), index))
