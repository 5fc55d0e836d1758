"""Contacts that were agreed beforehand: they take their channel first, and nobody is contacted twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.inputs import CHANNELS
from dealwright.plan.channels.capacity import Capacity
from dealwright.plan.channels.kernels import Floats, Ints
from dealwright.plan.channels.offers import Offers

if TYPE_CHECKING:
    from dealwright.plan.action import Actions

Bools = NDArray[np.bool_]
_NONE = -1


@dataclass(frozen=True)
class AgreedContacts:
    """What was agreed, by account.

    Attributes
    ----------
    channel
        Index of the agreed channel, -1 where nothing was agreed.
    firm
        Promised: it is done whatever else is.
    early
        Comes round, but not yet: the channel is closed to the account until `not_before`.
    option, value_eur
        The best permitted option on the agreed channel, of any action, and what it is worth; -1 and 0 where
        none is permitted.
    """

    channel: Ints
    firm: Bools
    early: Bools
    not_before: pl.Series
    option: Ints
    value_eur: Floats

    @property
    def promised(self) -> Ints:
        """Rows of the accounts with a promise."""
        return np.flatnonzero(self.firm)

    def per_channel(self) -> Floats:
        """Return how many promised contacts there are on each channel."""
        return np.bincount(self.channel[self.promised], minlength=len(CHANNELS)).astype(np.float64)


def read_agreed(account_id: pl.Series, agreed: pl.DataFrame | None, actions: Actions) -> AgreedContacts:
    """Bring `plan.agreed.AGREED_COLUMNS` into the order of the accounts."""
    size = account_id.len()
    if agreed is None or agreed.is_empty():
        nobody = np.zeros(size, dtype=np.bool_)
        never = pl.Series([None], dtype=pl.Date).new_from_index(0, size)
        return AgreedContacts(
            np.full(size, _NONE), nobody, nobody, never, np.full(size, _NONE), np.zeros(size)
        )
    found = pl.DataFrame({"account_id": account_id}).join(
        agreed, on="account_id", how="left", maintain_order="left"
    )
    place = found["channel"].replace_strict(
        list(CHANNELS), list(range(len(CHANNELS))), default=_NONE, return_dtype=pl.Int64
    )
    channel = place.fill_null(_NONE).to_numpy()
    option, value = _best_options(channel, actions)
    return AgreedContacts(
        channel,
        found["firm"].fill_null(value=False).to_numpy(),
        found["not_before"].is_not_null().to_numpy(),
        found["not_before"],
        option,
        value,
    )


def _best_options(channel: Ints, actions: Actions) -> tuple[Ints, Floats]:
    option, best = np.full(channel.size, _NONE), np.full(channel.size, -np.inf)
    for index, (_, offered) in enumerate(actions.effects.catalogue.options):
        rows = np.flatnonzero(channel == CHANNELS.index(offered.name))
        value = actions.option_value_eur[rows, index].astype(np.float64)
        better = np.isfinite(value) & (value > best[rows])
        best[rows[better]], option[rows[better]] = value[better], index
    return option, np.where(np.isfinite(best), best, 0.0)


def restrict(
    option: Ints, value: Floats, agreed: AgreedContacts, wanted: Bools, explored: Bools
) -> tuple[Ints, Floats, Bools]:
    """Return what is left to allocate, and which accounts go first because their visit is due.

    A promised account leaves the allocation. One whose visit is due is offered that channel only, where it is
    worth something; one whose visit is not due yet is offered the others only.
    """
    option, value = option.copy(), value.copy()
    option[:, agreed.firm], value[:, agreed.firm] = _NONE, -np.inf
    early = np.flatnonzero(agreed.early)
    option[agreed.channel[early], early], value[agreed.channel[early], early] = _NONE, -np.inf
    due = (agreed.channel >= 0) & ~agreed.firm & ~agreed.early & wanted & ~explored & (agreed.value_eur > 0)
    rows = np.flatnonzero(due)
    option[:, rows], value[:, rows] = _NONE, -np.inf
    option[agreed.channel[rows], rows] = agreed.option[rows]
    value[agreed.channel[rows], rows] = agreed.value_eur[rows]
    return option, value, due


def put_back(offers: Offers, choice: Ints, agreed: AgreedContacts) -> tuple[Offers, Ints]:
    """Return the offers and the choice with the promised contacts in their places, at what they are worth."""
    rows = agreed.promised
    if not rows.size:
        return offers, choice
    place = agreed.channel[rows]
    option, value, cents, weight = (
        array.copy() for array in (offers.option, offers.value_eur, offers.cents, offers.weight)
    )
    option[place, rows], value[place, rows] = agreed.option[rows], agreed.value_eur[rows]
    cents[place, rows] = np.maximum(np.round(agreed.value_eur[rows] * 100.0), 1.0)
    weight[place, rows] = cents[place, rows]
    choice = choice.copy()
    choice[rows] = place
    return replace(offers, option=option, value_eur=value, cents=cents, weight=weight), choice


def without_promised(capacity: Floats, use: Floats | None, contacts: AgreedContacts) -> Floats:
    """Return what promised contacts leave of each capacity."""
    taken = contacts.per_channel()
    if use is not None:
        taken = np.zeros(len(capacity))
        rows = contacts.promised
        np.add.at(taken, contacts.channel[rows], use[contacts.channel[rows], rows])
    return np.maximum(capacity - taken, 0.0)


def promised_beyond(limits: tuple[Capacity, ...], contacts: AgreedContacts) -> list[str]:
    """Say where more was promised than can be done."""
    return [
        f"{item.channel}: {int(promised)} contacts are promised, its capacity is {int(item.contacts)}"
        for item, promised in zip(limits, contacts.per_channel(), strict=True)
        if promised > item.contacts
    ]
