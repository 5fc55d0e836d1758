"""Why this action: the sum behind it, the runner-up, and what stood against every other action.

All vectorised.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.actions.arbitration import NONE, Choice, OptionValues
from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.actions.eligibility import Eligibility
from dealwright.plan.actions.reasons import ReasonTexts
from dealwright.schemas import NOTHING
from dealwright.stats.arrays import Bools, Floats, Ints

# values are told to the EUR, or to the tenth below this: few distinct texts, however many accounts
_TENTHS_BELOW_EUR: Final = 20.0
_MOST_TOLD_EUR: Final = 20_000.0


def runner_ups(
    catalogue: Catalogue, values: OptionValues, choice: Choice, of_action: Ints
) -> tuple[pl.Series, Floats]:
    """Return the best *other* action of every account and its expected value; doing nothing (0) is one."""
    value = _best_by_action(catalogue, values, of_action)[0]
    rows = np.arange(value.shape[0])
    chosen = choice.option != NONE
    taken = of_action[np.maximum(choice.option, 0)]
    value[rows[chosen], taken[chosen]] = -np.inf
    best = value.argmax(axis=1)
    found = value[rows, best]
    # nothing is the runner-up of an action unless another action is worth more than nothing
    nothing = np.where(chosen, found <= 0.0, ~np.isfinite(found))
    names = pl.Series([*(action.name for action in catalogue.actions), NOTHING, None], dtype=pl.String)
    index = np.where(nothing, np.where(chosen, len(catalogue.actions), len(catalogue.actions) + 1), best)
    return names.gather(index), np.where(nothing, np.where(chosen, 0.0, np.nan), found).astype(np.float64)


def reasons_for() -> pl.Expr:
    """Write the sum behind each choice, where its numbers come from, and the runner-up."""
    percent = [
        (pl.col(name) * 100.0).round(1).cast(pl.String)
        for name in ("response_probability", "untouched_probability")
    ]
    euros = [
        pl.col(name).round(2).cast(pl.String)
        for name in ("response_value_eur", "cost_eur", "expected_value_eur")
    ]
    total = pl.format(
        "answers {} % with it, {} % without; an answer is worth {} EUR; cost {} EUR: {} EUR expected",
        *percent,
        *euros,
    )
    source = pl.format("effect: {}", "effect_source")
    next_best = pl.format(
        "runner-up: {} ({} EUR)", "runner_up", pl.col("runner_up_value_eur").round(2).cast(pl.String)
    )
    did = pl.col("action") != NOTHING
    drawn = pl.when(pl.col("explore")).then(pl.lit("drawn for exploration: a permitted choice at random"))
    held = pl.when(pl.col("control")).then(pl.lit("in the control group: never contacted"))
    idle = pl.when(~did & ~pl.col("control") & ~pl.col("explore")).then(
        pl.lit("no permitted action is worth more than its cost (within the budget)")
    )
    assumed = pl.when(did & ~pl.col("consent_known")).then(
        pl.lit("nobody was asked for consent: it is assumed")
    )
    return (
        pl.concat_list(
            held,
            drawn,
            idle,
            pl.when(did).then(total),
            pl.when(did).then(source),
            assumed,
            pl.when(pl.col("runner_up").is_not_null() & ~pl.col("control")).then(next_best),
        )
        .list.drop_nulls()
        .alias("reasons")
    )


def excluded_actions(
    *,
    catalogue: Catalogue,
    eligibility: Eligibility,
    values: OptionValues,
    choice: Choice,
    control: Bools,
    of_action: Ints,
    texts: ReasonTexts,
) -> pl.Series:
    """Say of every action that was not chosen what stood against it."""
    value, option = _best_by_action(catalogue, values, of_action)
    accounts = value.shape[0]
    codes = np.zeros((accounts, len(catalogue.actions)), dtype=np.int32)
    chosen_action = np.where(choice.option == NONE, NONE, of_action[np.maximum(choice.option, 0)])
    control_code = texts.code("in the control group")
    explore_code = texts.code("another choice was drawn for exploration")
    over_budget = texts.code("not worth its share of the budget")
    chosen_value = np.where(choice.option == NONE, 0.0, values.value_eur[np.arange(accounts), choice.option])
    for index in range(len(catalogue.actions)):
        first = int(np.flatnonzero(of_action == index)[0])
        permitted = np.isfinite(value[:, index])
        # of an action that is out on all channels its first channel's reason is told
        out = eligibility.codes[:, first]
        names = [catalogue.options[k][1].name for k in range(of_action.size)]
        worth = _worth_codes(value[:, index], option[:, index], permitted, names, texts)
        by_value = permitted & ~choice.explore & ~control
        better = by_value & (value[:, index] > np.maximum(chosen_value, 0.0))
        code = np.where(permitted, np.where(better, over_budget, worth), out)
        code = np.where(choice.explore & permitted, explore_code, code)
        code = np.where(control, control_code, code)
        codes[:, index] = np.where(chosen_action == index, 0, code)
    return _lists(catalogue, codes, texts)


def _lists(catalogue: Catalogue, codes: NDArray[np.int32], texts: ReasonTexts) -> pl.Series:
    """Turn codes into one list of ``action: reason`` per account; equal texts are stored once."""
    accounts, actions = codes.shape
    width = int(codes.max(initial=0)) + 1
    used = np.unique(codes + np.arange(actions, dtype=np.int32) * width)
    reason = texts.texts((used % width).astype(np.int32))
    name = pl.Series([action.name for action in catalogue.actions], dtype=pl.String).gather(used // width)
    full = pl.select(pl.format("{}: {}", name, reason)).to_series()
    full = full.set(pl.Series(used % width == 0), None)
    place = np.searchsorted(used, codes + np.arange(actions, dtype=np.int32) * width)
    flat = full.gather(place.ravel().astype(np.uint32))
    lists = (
        flat.reshape((accounts, actions)).arr.to_list()
        if accounts
        else pl.Series([], dtype=pl.List(pl.String))
    )
    return lists.list.drop_nulls().alias("excluded")


def _best_by_action(
    catalogue: Catalogue, values: OptionValues, of_action: Ints
) -> tuple[NDArray[np.float32], Ints]:
    """Return the value of every action's best permitted channel (−inf where none is), and that option."""
    accounts = values.value_eur.shape[0]
    value = np.full((accounts, len(catalogue.actions)), -np.inf, dtype=np.float32)
    option = np.zeros((accounts, len(catalogue.actions)), dtype=np.int64)
    for index in range(len(catalogue.actions)):
        columns = np.flatnonzero(of_action == index)
        best = values.value_eur[:, columns].argmax(axis=1)
        option[:, index] = columns[best]
        value[:, index] = values.value_eur[np.arange(accounts), columns[best]]
    return value, option


def _worth_codes(
    value: NDArray[np.float32], option: Ints, permitted: Bools, channel_names: list[str], texts: ReasonTexts
) -> NDArray[np.int32]:
    """Codes of "worth less: … EUR by channel".

    With the value rounded so that there are few different texts.
    """
    clipped = np.clip(np.where(permitted, value, 0.0).astype(np.float64), -_MOST_TOLD_EUR, _MOST_TOLD_EUR)
    tenths = np.where(
        np.abs(clipped) < _TENTHS_BELOW_EUR, np.round(clipped * 10), np.round(clipped) * 10
    ).astype(np.int64)
    combined = option * 1_000_000 + (tenths + 300_000)
    distinct, inverse = np.unique(combined, return_inverse=True)
    codes = np.array(
        [
            texts.code(_told(int(item % 1_000_000) - 300_000, channel_names[int(item // 1_000_000)]))
            for item in distinct
        ],
        dtype=np.int32,
    )
    return codes[inverse]


def _told(tenths: int, channel: str) -> str:
    euros = tenths / 10
    amount = f"{euros:,.1f}" if abs(euros) < _TENTHS_BELOW_EUR else f"{euros:,.0f}"
    return f"{amount} EUR by {channel}"
