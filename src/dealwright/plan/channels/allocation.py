"""Allocate accounts to channels: by prices, repaired to fit, closed by a flow, and certified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dealwright.plan.channels.certificate import certify
from dealwright.plan.channels.kernels import Floats, Ints, decide, measure
from dealwright.plan.channels.prices import ONE_EACH, settle_prices, upper_bound
from dealwright.plan.channels.repair import repair
from dealwright.plan.flow import NOBODY, allocate_by_flow

_SAMPLE: Final = 20_000  # first prices come from so many accounts
_LAST_SWEEPS: Final = 3  # over all of more accounts, from there on: any prices give a valid bound
_CONTESTED: Final = 1_500  # accounts the first flow decides; eight times as many each time that is not enough
_WIDENING: Final = 8


@dataclass(frozen=True)
class Allocation:
    """Who gets which channel, and the proof."""

    choice: Ints  # channel per account, -1 for none
    prices: Floats  # what one more unit of each capacity is worth
    # what the last unit of each capacity is worth; the same as `prices` where consumption differs by account
    last_prices: Floats
    # total value, and what no allocation can exceed
    value: float
    bound: float
    contested: int  # accounts decided by the flow, 0 where prices alone were enough

    @property
    def gap(self) -> float:
        """Return how much more any allocation could be worth at most."""
        return max(self.bound - self.value, 0.0)


def allocate(value: Floats, capacity: Floats, use: Floats | None = None) -> Allocation:
    """Allocate every account to at most one channel for the largest total value.

    Parameters
    ----------
    value
        Shape (channels, accounts); whole numbers (cents) where `use` is None; −inf where forbidden. What is
        not above 0 is not allocated.
    capacity
        Units per channel, inf for no limit.
    use
        Units an account takes of each channel; None for one each. Then the result is optimal and proven so;
        otherwise `Allocation.gap` bounds what is missing.
    """
    value = np.ascontiguousarray(value)
    if use is None:
        use, capacity = ONE_EACH, np.floor(capacity)
    else:
        # what could never fit is not on offer
        value = np.where(use <= capacity[:, None], value, -np.inf)
    prices = _find_prices(value, use, capacity)
    choice = repair(value, use, capacity, prices, decide(value, use, prices)[0])
    if not use.size:
        return _prove(value, capacity, prices, choice)
    return Allocation(
        choice, prices, prices, measure(value, use, choice)[1], upper_bound(value, use, capacity, prices), 0
    )


def _find_prices(value: Floats, use: Floats, capacity: Floats) -> Floats:
    """Settle prices on a sample, and from there on all accounts."""
    channels, accounts = value.shape
    prices = np.zeros(channels)
    if accounts <= 4 * _SAMPLE:
        return settle_prices(value, use, capacity, prices)
    # rows may come sorted by value: a fixed shuffle keeps the sample fair
    sample = np.random.default_rng(0).permutation(accounts)[:_SAMPLE]
    prices = settle_prices(
        value[:, sample], use[:, sample] if use.size else use, capacity * (_SAMPLE / accounts), prices
    )
    return settle_prices(value, use, capacity, prices, sweeps=_LAST_SWEEPS)


def _prove(value: Floats, capacity: Floats, prices: Floats, choice: Ints) -> Allocation:
    """Return an allocation with its proof, closing what is missing by flows over ever more accounts."""
    accounts = value.shape[1]
    certificate = certify(value, capacity, choice)
    contested = 0
    while certificate is None:
        contested = min(max(_CONTESTED, contested * _WIDENING), accounts)
        best, _, lead = decide(value, ONE_EACH, prices)
        rows = (
            np.argpartition(lead, contested - 1)[:contested] if contested < accounts else np.arange(accounts)
        )
        best[rows] = NOBODY
        left = capacity - measure(value, ONE_EACH, best)[0]
        if (left < 0).any():
            continue
        best[rows] = allocate_by_flow(value[:, rows], left)
        choice = best
        certificate = certify(value, capacity, choice)
    bound = upper_bound(value, ONE_EACH, capacity, certificate.one_more)
    total = measure(value, ONE_EACH, choice)[1]
    return Allocation(choice, certificate.one_more, certificate.last_one, total, bound, contested)
