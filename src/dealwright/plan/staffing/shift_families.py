"""Shifts that differ only in their breaks, as one: breaks are placed per family and not per shift.

Implicit breaks after Aykin (1996, "Optimal shift scheduling with multiple break windows", Management
Science 42): one column for the family, and for each of its breaks one column per place, as many in all as
people. The shifts chosen cost the same as with one column each; the model is several times smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.patterns import Shift

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ShiftFamily:
    """Shifts of one start and end."""

    paid_min: int
    span: Bools  # the intervals at work if there were no breaks
    # for each break: the intervals it takes at each of its places, shape (places, intervals)
    breaks: tuple[Bools, ...]
    shift_of: Mapping[tuple[int, ...], int]  # place of each break -> index of the shift

    @property
    def columns(self) -> int:
        """Return how many columns a model needs for it."""
        return 1 + sum(len(places) for places in self.breaks)

    def effect(self) -> NDArray[np.float64]:
        """Return what each column adds to the people at work, shape (columns, intervals)."""
        return np.concatenate([self.span[None], *(-places.astype(np.float64) for places in self.breaks)])

    def shifts_of(self, counts: Sequence[int]) -> list[int]:
        """Return the shift of each person, given the columns of a solution."""
        people, first = counts[0], 1
        chosen = []
        for places in self.breaks:
            chosen.append(np.repeat(np.arange(len(places)), counts[first : first + len(places)]))
            first += len(places)
        return [self.shift_of[tuple(int(place[k]) for place in chosen)] for k in range(people)]


def find_families(
    shifts: Sequence[Shift], allowed: Sequence[int], params: ScheduleParams
) -> list[ShiftFamily]:
    """Return the allowed shifts as families; a shift that fits into none is a family of its own."""
    by_frame: dict[tuple[str, int, int, int], list[int]] = {}
    for index in allowed:
        shift = shifts[index]
        by_frame.setdefault((shift.pattern, shift.start_min, shift.end_min, shift.paid_min), []).append(index)
    found = []
    for members in by_frame.values():
        family = _as_family(shifts, members, params)
        found += [family] if family else [_alone(shifts[index], index, params) for index in members]
    return found


def _as_family(shifts: Sequence[Shift], members: list[int], params: ScheduleParams) -> ShiftFamily | None:
    """Return the family, if every combination of breaks is a shift and no two breaks share an interval."""
    pauses = [
        (*((shifts[index].lunch,) if shifts[index].lunch else ()), *shifts[index].breaks) for index in members
    ]
    kinds = len(pauses[0])
    if any(len(pause) != kinds for pause in pauses):
        return None
    places = [sorted({pause[k] for pause in pauses if pause[k]}) for k in range(kinds)]
    if prod(map(len, places)) != len(members):
        return None
    start = params.opens_min + np.arange(params.intervals) * params.interval_min
    end = start + params.interval_min
    first = shifts[members[0]]
    span = (start >= first.start_min) & (end <= first.end_min)
    if first.gap:
        span &= (end <= first.gap[0]) | (start >= first.gap[1])
    breaks = tuple(
        np.array([(end > pause[0]) & (start < pause[1]) for pause in options if pause], dtype=np.bool_)
        for options in places
    )
    shift_of = {}
    for index, pause in zip(members, pauses, strict=True):
        place = tuple(options.index(item) for options, item in zip(places, pause, strict=True))
        away = np.sum([taken[k] for taken, k in zip(breaks, place, strict=True)], axis=0, initial=0)
        if ((span.astype(np.int64) - away) != shifts[index].works(params)).any():
            return None
        shift_of[place] = index
    return ShiftFamily(first.paid_min, span, breaks, shift_of)


def _alone(shift: Shift, index: int, params: ScheduleParams) -> ShiftFamily:
    return ShiftFamily(shift.paid_min, shift.works(params), (), {(): index})
