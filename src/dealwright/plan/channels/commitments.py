"""Commitments: what is settled beforehand takes its channel first, and nobody is contacted twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.channels.capacity import Capacity
from dealwright.plan.channels.kernels import Floats, Ints
from dealwright.plan.channels.option_values import ActionOptions, OptionValues
from dealwright.schemas import CHANNELS, CLOSED, COMMITMENT_COLUMNS, DUE, PLANNED, PROMISED

Bools = NDArray[np.bool_]
_NONE = -1


@dataclass(frozen=True)
class Commitments:
    """The commitment to each account."""

    channel: Ints  # index of the channel that is settled, -1 without a commitment
    # which kind of commitment it is (`schemas.PROMISED` and its kin)
    promised: Bools
    planned: Bools
    due: Bools
    closed: Bools
    why: pl.Series  # why the channel is closed
    # the option of the chosen action on that channel, else the best permitted one of any action, and what it
    # is worth; -1 and 0 where none is permitted
    option: Ints
    value_eur: Floats

    @property
    def settled(self) -> Bools:
        """Whether the account's channel is not to be allocated any more."""
        return self.promised | self.planned

    def per_channel(self, rows: Bools) -> Floats:
        """Return how many of the accounts have each channel."""
        return np.bincount(self.channel[rows], minlength=len(CHANNELS)).astype(np.float64)


def read_commitments(
    account_id: pl.Series,
    commitments: pl.DataFrame | None,
    options: ActionOptions,
    option: Ints,
    value: Floats,
) -> Commitments:
    """Bring `COMMITMENT_COLUMNS` into the order of the accounts.

    Parameters
    ----------
    option, value
        What each channel is to each account, as of `option_values.value_channels`.
    """
    known = pl.DataFrame(schema=COMMITMENT_COLUMNS) if commitments is None else commitments
    found = pl.DataFrame({"account_id": account_id}).join(
        known, on="account_id", how="left", maintain_order="left"
    )
    place = found["channel"].replace_strict(
        list(CHANNELS), list(range(len(CHANNELS))), default=_NONE, return_dtype=pl.Int64
    )
    channel = place.fill_null(_NONE).to_numpy()
    promised, planned, due, closed = (
        found["kind"].eq(kind).fill_null(value=False).to_numpy() for kind in (PROMISED, PLANNED, DUE, CLOSED)
    )
    own_option, worth = _options_of(channel, options, option, value)
    return Commitments(channel, promised, planned, due, closed, found["why"], own_option, worth)


def _options_of(channel: Ints, options: ActionOptions, option: Ints, value: Floats) -> tuple[Ints, Floats]:
    """Return each account's option on the channel of its commitment, and its value."""
    found, best = np.full(channel.size, _NONE), np.full(channel.size, -np.inf)
    for index, (_, offered) in enumerate(options.names):
        rows = np.flatnonzero(channel == CHANNELS.index(offered))
        worth = options.value_of(index)[rows]
        better = np.isfinite(worth) & (worth > best[rows])
        best[rows[better]], found[rows[better]] = worth[better], index
    rows = np.flatnonzero(channel >= 0)
    own = rows[option[channel[rows], rows] >= 0]
    found[own], best[own] = option[channel[own], own], value[channel[own], own]
    return found, np.where(np.isfinite(best), best, 0.0)


def restrict(
    option: Ints, value: Floats, commitments: Commitments, wanted: Bools, explored: Bools
) -> tuple[Ints, Floats, Bools]:
    """Return what is left to allocate, and which accounts go first because their visit is due.

    A settled account leaves the allocation. One whose visit is due is offered that channel only, where it is
    worth something; one to which a channel is closed the others only.
    """
    option, value = option.copy(), value.copy()
    option[:, commitments.settled], value[:, commitments.settled] = _NONE, -np.inf
    shut = np.flatnonzero(commitments.closed)
    option[commitments.channel[shut], shut], value[commitments.channel[shut], shut] = _NONE, -np.inf
    first = commitments.due & wanted & ~explored & (commitments.value_eur > 0)
    rows = np.flatnonzero(first)
    option[:, rows], value[:, rows] = _NONE, -np.inf
    option[commitments.channel[rows], rows] = commitments.option[rows]
    value[commitments.channel[rows], rows] = commitments.value_eur[rows]
    return option, value, first


def put_back(values: OptionValues, choice: Ints, commitments: Commitments) -> tuple[OptionValues, Ints]:
    """Return values and choice with the settled contacts in their places, at what they are worth."""
    rows = np.flatnonzero(commitments.settled)
    if not rows.size:
        return values, choice
    place = commitments.channel[rows]
    option = values.option.copy()
    value, cents, weight = (array.copy() for array in (values.value_eur, values.cents, values.weight))
    option[place, rows], value[place, rows] = commitments.option[rows], commitments.value_eur[rows]
    cents[place, rows] = np.maximum(np.round(commitments.value_eur[rows] * 100.0), 1.0)
    weight[place, rows] = cents[place, rows]
    choice = choice.copy()
    choice[rows] = place
    return replace(values, option=option, value_eur=value, cents=cents, weight=weight), choice


def without_settled(
    limits: tuple[Capacity, ...], capacity: Floats, use: Floats | None, contacts: Commitments
) -> Floats:
    """Return what settled contacts leave of each capacity."""
    taken = contacts.per_channel(contacts.settled)
    full = taken >= np.array([item.contacts for item in limits])
    if use is not None:
        taken = np.zeros(len(capacity))
        rows = np.flatnonzero(contacts.settled)
        np.add.at(taken, contacts.channel[rows], use[contacts.channel[rows], rows])
    return np.where(full, 0.0, np.maximum(capacity - taken, 0.0))


def promised_beyond(limits: tuple[Capacity, ...], contacts: Commitments) -> list[str]:
    """Say where more was promised than can be done."""
    return [
        f"{item.channel}: {int(promised)} contacts are promised, its capacity is {int(item.contacts)}"
        for item, promised in zip(limits, contacts.per_channel(contacts.promised), strict=True)
        if promised > item.contacts
    ]


def say_why_closed(waitlist: pl.DataFrame, why: pl.Series) -> pl.DataFrame:
    """Give accounts that wait because their only channel is closed that reason.

    Parameters
    ----------
    why
        In the order of the waitlist; null where no channel is closed.
    """
    shut = why.is_not_null() & waitlist["channel"].is_null()
    return waitlist.with_columns(reason=pl.when(shut).then(why).otherwise("reason"))
