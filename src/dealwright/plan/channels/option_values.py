"""What each channel is worth to each account tonight: allowed options, preference, and who comes first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.plan.channels.kernels import Floats, Ints
from dealwright.plan.inputs import align
from dealwright.schemas import CHANNELS, PREFERRED_CHANNEL, PREVIOUS_WAITLIST_COLUMNS, PlanInputs, conform

DAY: Final = timedelta(days=1)
_CENTS: Final = 100.0


@dataclass(frozen=True)
class OptionValues:
    """Values by channel and account, in the order of `CHANNELS` and of the accounts."""

    option: Ints  # best permitted option of the account on the channel, -1 where there is none
    value_eur: Floats  # its expected value; −inf where there is none
    cents: Floats  # the same in cents, the preferred channel favoured; at least 1
    weight: Floats  # what is maximised: `cents` and the account's precedence


@dataclass(frozen=True)
class Urgency:
    """When each account's contact is due."""

    since: Ints  # since when it waits (microseconds since 1970); the cut-off for new ones
    due: Ints  # the latest moment
    urgent: NDArray[np.bool_]  # due before the planned day is over


@dataclass(frozen=True)
class ActionOptions:
    """What *action* chose for each account, and what else it permits."""

    # `account_id`, `action`, `channel`, `expected_value_eur`, in the order of the accounts
    frame: pl.DataFrame
    names: tuple[tuple[str, str], ...]  # action and channel of each option
    values: pl.DataFrame  # one column per option: its value, null where it is not permitted
    chosen: Ints  # the option of each account, -1 for none
    explore: NDArray[np.bool_]  # whether it was drawn for exploration

    def value_of(self, option: int) -> Floats:
        """Return what an option is worth to each account, −inf where it is not permitted."""
        column = self.values.to_series(option).cast(pl.Float64)
        return column.fill_null(-np.inf).to_numpy().astype(np.float64)


def read_options(account_id: pl.Series, actions: pl.DataFrame, options: pl.DataFrame | None) -> ActionOptions:
    """Bring actions and options into the order of the accounts.

    Raises
    ------
    InputError
        A column is missing, or an option is none of an action on a channel.
    """
    frame = align(actions, account_id, "action", "channel", "expected_value_eur")
    own = pl.concat_str("action", "channel", separator="/")
    option = frame.select(own.alias("option"))["option"]
    if options is None:
        names = option.drop_nulls().unique().sort().to_list()
        values = frame.select(pl.when(own == name).then("expected_value_eur").alias(name) for name in names)
    else:
        values = align(options, account_id).drop("account_id")
    parts = [tuple(name.rsplit("/", 1)) for name in values.columns]
    for name, part in zip(values.columns, parts, strict=True):
        if len(part) != 2 or part[1] not in CHANNELS:
            raise InputError(
                f"the option {name!r} is no action on a channel: name it ACTION/CHANNEL, the channel one of "
                f"{', '.join(CHANNELS)}"
            )
    chosen = option.replace_strict(
        values.columns, list(range(values.width)), default=-1, return_dtype=pl.Int64
    ).fill_null(-1)
    no = pl.repeat(value=False, n=frame.height, dtype=pl.Boolean, eager=True)
    explore = frame.get_column("explore", default=no).fill_null(value=False)
    return ActionOptions(
        frame, tuple((part[0], part[1]) for part in parts), values, chosen.to_numpy(), explore.to_numpy()
    )


def value_channels(options: ActionOptions, *, any_action: bool) -> tuple[Ints, Floats]:
    """Return the best permitted option of every account on every channel, and its value.

    Permitted are the channels of the chosen action (with `any_action`, of every action) on which it is worth
    something; of accounts drawn for exploration only what was drawn.
    """
    chosen, accounts = options.chosen, options.chosen.size
    names = list(dict.fromkeys(action for action, _ in options.names))
    of_action = np.array([names.index(action) for action, _ in options.names], dtype=np.int64)
    own_action = np.where(chosen >= 0, np.append(of_action, -1)[chosen], -1)
    option = np.full((len(CHANNELS), accounts), -1, dtype=np.int64)
    value = np.full((len(CHANNELS), accounts), -np.inf)
    for index, (_, channel) in enumerate(options.names):
        place = CHANNELS.index(channel)
        offered = options.value_of(index)
        open_to = (chosen >= 0) if any_action else (own_action == of_action[index])
        # what was drawn for exploration is done as drawn, at a loss too
        usable = np.where(options.explore, chosen == index, open_to & (offered > 0)) & np.isfinite(offered)
        better = usable & (offered > value[place])
        value[place][better] = offered[better]
        option[place][better] = index
    return option, value


def find_urgent(
    inputs: PlanInputs, sla_min: Floats, waiting: pl.DataFrame | None, wanted: NDArray[np.bool_]
) -> Urgency:
    """Return when the contacts are due, given how long each may take from the night it was decided.

    Raises
    ------
    InputError
        `waiting` lacks a column of `PREVIOUS_WAITLIST_COLUMNS`.
    """
    now = int(np.datetime64(inputs.as_of, "us").astype(np.int64))
    since = np.full(inputs.accounts.height, now, dtype=np.int64)
    if waiting is not None and waiting.height:
        waiting = conform(waiting, PREVIOUS_WAITLIST_COLUMNS, *PREVIOUS_WAITLIST_COLUMNS)
        earliest = waiting.group_by("account_id").agg(pl.col("waiting_since").min())
        known = inputs.accounts.select("account_id").join(
            earliest, on="account_id", how="left", maintain_order="left"
        )
        since = np.minimum(known["waiting_since"].to_physical().fill_null(now).to_numpy(), now)
    due = since + np.round(sla_min * 60e6).astype(np.int64)
    return Urgency(since, due, wanted & (due < now + DAY // timedelta(microseconds=1)))


def weigh(
    inputs: PlanInputs,
    option: Ints,
    value: Floats,
    urgency: Urgency,
    *,
    preference_factor: float,
    first: NDArray[np.bool_],
) -> OptionValues:
    """Turn values into whole numbers whose sum is to be maximised: urgent first, then those drawn or due.

    A place given to one account can make one other account per channel move, so that a precedence outweighs
    all else when it is worth more than as many of the largest values as there are channels, and one.
    """
    cents = value * _CENTS
    if inputs.schema.has_preferred_channel:
        preferred = inputs.accounts[PREFERRED_CHANNEL]
        for place, name in enumerate(CHANNELS):
            liked = preferred.eq(name).fill_null(value=False).to_numpy()
            cents[place][liked & (cents[place] > 0)] *= preference_factor
    allowed = option >= 0
    cents = np.where(allowed, np.maximum(np.round(cents), 1.0), -np.inf)
    largest = float(cents[allowed].max(initial=1.0))
    step = (len(CHANNELS) + 1) * largest
    precedence = np.where(first, step, 0.0)
    precedence = np.where(urgency.urgent, (len(CHANNELS) + 1) * (step + largest), precedence)
    return OptionValues(option, value, cents, cents + precedence)
