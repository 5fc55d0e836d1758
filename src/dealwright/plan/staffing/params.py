"""Parameters of the stage *schedule*. Times of day are minutes after midnight on the company's clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from dealwright.errors import InputError

DAY_MIN: Final = 1440
# calls by hour of the day: a morning peak, a dip at lunch, a smaller afternoon peak
TYPICAL_HOURS: Final = (
    0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.5, 5.0, 8.5, 10.0, 10.0,
    8.5, 7.0, 6.0, 7.5, 8.5, 8.5, 7.0, 5.0, 3.0, 1.5, 0.8, 0.3,
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One kind of contact-centre work.

    Attributes
    ----------
    kind
        ``"queue"``: customers wait on the line, staffed by Erlang. ``"drain"``: work that may wait
        (messages, and calls the company makes), to be done within `drain_h` opening hours.
    handle_min
        Minutes per contact, its after-work included.
    target_share, within_s
        Service level of a queue: this share of the contacts is answered within so many seconds.
    patience_min
        Mean time after which a waiting customer hangs up (Erlang A); None for endless patience (Erlang C).
    max_occupancy
        Share of an agent's available time that may be spent on contacts.
    shrinkage
        Share of the scheduled time, breaks and lunch apart, lost to training, meetings and absence.
    drain_h
        Opening hours within which work that may wait is done.
    between_contacts
        Whether work that may wait can also be laid aside at any moment: then who waits for calls does it
        until the next one comes, up to the occupancy of the queue.
    """

    kind: Literal["queue", "drain"] = "queue"
    handle_min: float = 6.0
    target_share: float = 0.8
    within_s: float = 20.0
    patience_min: float | None = None
    max_occupancy: float = 0.85
    shrinkage: float = 0.30
    drain_h: float = 8.0
    between_contacts: bool = False

    @property
    def pace(self) -> float:
        """Return which share of the scheduled time is spent on contacts at most."""
        return (1.0 - self.shrinkage) * self.max_occupancy

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        for name in ("target_share", "max_occupancy"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} = {getattr(self, name)}: use a share above 0 and at most 1")
        if self.kind == "queue" and self.target_share == 1 and self.patience_min is None:
            raise InputError("target_share = 1: no staff answers everybody in time; use for example 0.95")
        if self.kind == "queue" and self.between_contacts:
            raise InputError(
                'between_contacts is for work that may wait: use kind = "drain", or leave it out'
            )
        if not 0 <= self.shrinkage < 1:
            raise InputError(f"shrinkage = {self.shrinkage}: use a share from 0 to below 1")
        for name in ("handle_min", "drain_h"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} = {getattr(self, name)}: use a number above 0")
        if self.within_s < 0 or (self.patience_min is not None and self.patience_min <= 0):
            raise InputError("use 0 or more for within_s, and a patience_min above 0")


DEFAULT_WORK: Final[Mapping[str, Work]] = {
    "inbound_cc": Work(),
    "outbound_cc": Work(kind="drain", handle_min=8.0, drain_h=10.0),
    "ecom_assisted": Work(
        kind="drain", handle_min=10.0, max_occupancy=0.9, shrinkage=0.25, drain_h=4.0, between_contacts=True
    ),
}


@dataclass(frozen=True)
class ShiftPattern:
    """A kind of shift; every start and place of the breaks within their limits is a shift that may be used.

    Attributes
    ----------
    length_min
        From start to end, lunch included.
    starts
        First start, last start and step; a last start of 1440 is none, also where opening hours reach past
        midnight.
    lunch_min, lunch_window
        Length of the unpaid lunch (0 for none), and its earliest and latest start after the start of the
        shift.
    break_min, break_windows
        Length of a paid break, and for each break its earliest and latest start after the start of the shift.
    """

    name: str
    length_min: int
    starts: tuple[int, int, int] = (0, DAY_MIN, 30)
    lunch_min: int = 0
    lunch_window: tuple[int, int] = (0, 0)
    break_min: int = 15
    break_windows: tuple[tuple[int, int], ...] = ()

    @property
    def paid_min(self) -> int:
        """Return the paid minutes."""
        return self.length_min - self.lunch_min


DEFAULT_PATTERNS: Final = (
    ShiftPattern("full", 510, lunch_min=30, lunch_window=(180, 300), break_windows=((90, 120), (375, 405))),
    ShiftPattern("six", 360, break_windows=((105, 135), (225, 255))),
    ShiftPattern("four", 240, break_windows=((90, 150),)),
)


@dataclass(frozen=True)
class ScheduleParams:
    """How the contact centre is staffed.

    Attributes
    ----------
    first_day, days, weekdays
        By default one day, the first working day after the cut-off of the run; Monday is 0.
    opens_min, closes_min, interval_min
        Opening hours, cut into intervals of 15 or 30 (or 5, 10, 60) minutes. A centre that closes before it
        opens is open past midnight: 960 and 60 are 16:00 to 01:00 of the next day.
    work
        Channel -> its work, where it is other than `DEFAULT_WORK`.
    patterns
        The shifts that may be used.
    hours
        Relative weight of each hour of the day for incoming contacts.
    inbound_days
        Days covered by the accounts' count of incoming calls (the role ``inbound_calls``).
    cost_eur_per_h
        Of paid time, for the cost of the contact centre.
    min_rest_h
        Between two shifts of one person.
    call_back_tolerance_min
        How far from its promised moment a call-back may begin.
    max_seconds
        For the shifts of one day, and for the roster; what is found until then is used and said not to be
        proven.
    fewest_at_once
        Whether, of shifts that cost no more, those with fewer people at work at once are looked for: they
        need fewer workplaces.
    runs
        Simulated days; 0 for as many as the digits of the chance need, as far as a few seconds allow.
    forecast_days
        Working days for which the backlog is forecast.
    """

    first_day: datetime | None = None
    days: int = 1
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens_min: int = 540
    closes_min: int = 1140
    interval_min: int = 15
    work: Mapping[str, Work] = field(default_factory=dict)
    patterns: tuple[ShiftPattern, ...] = DEFAULT_PATTERNS
    hours: tuple[float, ...] = TYPICAL_HOURS
    inbound_days: float = 90.0
    cost_eur_per_h: float = 25.0
    min_rest_h: float = 11.0
    call_back_tolerance_min: int = 15
    max_seconds: float = 20.0
    fewest_at_once: bool = True
    runs: int = 0
    forecast_days: int = 5

    @property
    def intervals(self) -> int:
        """Return the number of intervals of a day."""
        return (self.ends_min - self.opens_min) // self.interval_min

    @property
    def ends_min(self) -> int:
        """Return when the centre closes, in minutes after the midnight before it opens."""
        return self.closes_min + (DAY_MIN if self.closes_min <= self.opens_min else 0)

    def work_of(self, channel: str) -> Work:
        """Return the work of a channel."""
        return self.work.get(channel, DEFAULT_WORK[channel])

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        for name in self.work:
            if name not in DEFAULT_WORK:
                raise InputError(f"work names {name!r}: use one of {', '.join(DEFAULT_WORK)}")
        if self.interval_min not in {5, 10, 15, 30, 60}:
            raise InputError(f"interval_min = {self.interval_min}: use 15 or 30 (or 5, 10, 60)")
        if not (0 <= self.opens_min < DAY_MIN and 0 <= self.closes_min <= DAY_MIN):
            raise InputError(
                f"opens_min = {self.opens_min}, closes_min = {self.closes_min}: give opening hours in "
                "minutes after midnight, from 0 to 1440"
            )
        if self.opens_min == self.closes_min:
            raise InputError(
                f"opens_min and closes_min are both {self.opens_min}: give 0 and 1440 for a centre that is "
                "always open"
            )
        if self.opens_min % self.interval_min or self.closes_min % self.interval_min:
            raise InputError(
                f"the opening hours must begin and end at multiples of {self.interval_min} minutes"
            )
        if not self.patterns:
            raise InputError("patterns is empty: give at least one kind of shift")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if len(self.hours) != 24 or min(self.hours) < 0 or sum(self.hours) <= 0:
            raise InputError("hours: give 24 weights of at least 0, not all 0")
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise InputError(f"weekdays = {self.weekdays}: name at least one of 0 (Monday) to 6 (Sunday)")
        for name in ("days", "inbound_days", "max_seconds"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} = {getattr(self, name)}: use a number above 0")
        for name in ("runs", "cost_eur_per_h"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} = {getattr(self, name)}: use 0 or more")
        if self.forecast_days < 0 or self.call_back_tolerance_min < 0 or self.min_rest_h < 0:
            raise InputError("forecast_days, call_back_tolerance_min and min_rest_h must be 0 or more")
