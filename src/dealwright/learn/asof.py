"""As-of counts: for every assignment, what was known of its agent at the very moment it was assigned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dealwright.learn.profile import MIX_PRIOR
from dealwright.stats.arrays import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.learn.outcomes import OutcomeTable


@dataclass(frozen=True)
class Lookup:
    """Where each query's events lie in the order of one grouping: ``order[start:stop]``."""

    order: Ints
    start: Ints
    stop: Ints

    def sum(self, value: Floats) -> Floats:
        """Sum a value of the outcomes over each query's events."""
        cumulated = np.concatenate([[0.0], np.cumsum(value[self.order])])
        result: Floats = cumulated[self.stop] - cumulated[self.start]
        return result


class AsOfCounter:
    """Sums over the outcomes an assignment's agent had *known* before the assignment, overall and by value.

    Outcomes are sorted once by group and by the time they became known; each query finds its range by
    bisection, and then any value is summed as a difference of cumulated sums. An outcome known at the same
    instant does not count.

    Parameters
    ----------
    table
        The outcomes, pending ones included: they are queries, never events.
    codes
        Values to query, shape (rows, dimensions), none unknown; events use the table's own.
    """

    def __init__(self, table: OutcomeTable, codes: Ints) -> None:
        self._table = table
        events = np.flatnonzero(table.settled)
        by_time = events[np.argsort(table.known_us[events], kind="stable")]
        known_before = np.searchsorted(table.known_us[by_time], table.assigned_us, side="left")
        agent = table.agent
        self.overall = _find(agent[by_time], by_time, agent, known_before)
        self.by_value: list[Lookup] = []
        self.unknown: list[Lookup | None] = []
        for j, dimension in enumerate(table.dimensions):
            width = len(dimension.values)
            own = table.codes[by_time, j]
            seen = own >= 0
            cell = np.where(seen, agent[by_time] * width + own, -1)
            self.by_value.append(_find(cell, by_time, agent * width + codes[:, j], known_before))
            self.unknown.append(
                None
                if seen.all()
                else _find(np.where(seen, -1, agent[by_time]), by_time, agent, known_before)
            )

    def count(self, values: Sequence[Floats], shares: tuple[Floats, ...], codes: Ints) -> list[Floats]:
        """Sum values of the outcomes for every row, each of shape (rows, 1 + dimensions).

        Outcomes with an unknown value count in a dimension by the agent's own mix of values, as in
        `profile.spread_unknown`.
        """
        ones = np.ones(len(codes))
        results = [np.empty((len(codes), 1 + len(self.by_value))) for _ in values]
        for result, value in zip(results, values, strict=True):
            result[:, 0] = self.overall.sum(value)
        known = self.overall.sum(ones)
        for j, (own, unknown) in enumerate(zip(self.by_value, self.unknown, strict=True)):
            mix = None
            if unknown is not None:
                with_value = known - unknown.sum(ones)
                mix = (own.sum(ones) + MIX_PRIOR * shares[j][codes[:, j]]) / (with_value + MIX_PRIOR)
            for result, value in zip(results, values, strict=True):
                result[:, 1 + j] = own.sum(value)
                if unknown is not None and mix is not None:
                    result[:, 1 + j] += mix * unknown.sum(value)
        return results


def _find(event_cell: Ints, by_time: Ints, query_cell: Ints, known_before: Ints) -> Lookup:
    """Find each query's events: those of its cell among the first ``known_before`` in time order.

    Both sides are sorted by cell first (both are in time order already): the bisections run along memory.
    """
    span = len(by_time) + 1
    position = _sort_stably(event_cell)
    keys = event_cell[position] * span + position
    queries = _sort_stably(query_cell)
    cell = query_cell[queries]
    start, stop = np.empty(len(queries), dtype=np.int64), np.empty(len(queries), dtype=np.int64)
    start[queries] = np.searchsorted(keys, cell * span)
    stop[queries] = np.searchsorted(keys, cell * span + known_before[queries])
    return Lookup(by_time[position], start, stop)


def _sort_stably(cell: Ints) -> Ints:
    """Order by cell, equal ones as they come; -1 is the least. Small numbers take NumPy's radix sort."""
    shifted = cell + 1
    small = len(shifted) > 0 and int(shifted.max()) < 2**16
    return np.argsort(shifted.astype(np.uint16) if small else shifted, kind="stable")
