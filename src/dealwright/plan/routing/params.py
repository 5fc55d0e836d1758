"""Parameters of the stage *route*."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from dealwright.errors import InputError
from dealwright.plan.travel import TravelParams


@dataclass(frozen=True)
class RoadParams:
    """How a road service is asked; which one, and where, is said with the run.

    Attributes
    ----------
    profile
        OSRM's profile or Valhalla's costing; ``driving`` is Valhalla's ``auto``.
    block
        Places per side of one request.
    timeout_s
        After which a request counts as failed.
    max_snap_km
        A place further than this from the next road cannot be reached.
    """

    profile: str = "driving"
    block: int = 50
    timeout_s: float = 10.0
    max_snap_km: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if self.block < 1 or not self.timeout_s > 0 or not self.max_snap_km > 0:
            raise InputError("block must be 1 or more, timeout_s and max_snap_km above 0")


@dataclass(frozen=True)
class RouteParams:
    """How days are planned. Times of day are minutes after midnight.

    Attributes
    ----------
    first_day
        By default the first working day after the cut-off of the run.
    days
        Working days to plan at once; 5 for a week.
    weekdays
        Working days, Monday is 0.
    shift_start_min, shift_end_min, visits_per_day
        For representatives without their own.
    visit_min, opens_min, closes_min
        For accounts without their own; a visit ends before the account closes.
    lunch_min, lunch_from_min, lunch_to_min
        Length of the break and between which moments it begins; 0 minutes for none. Shifts that do not span
        these moments have none, and a round that ends before them, or begins after a break at home, waits for
        none.
    cost_eur_per_km, cost_eur_per_h
        What travel costs, against the value of the visits.
    joint
        How many representatives with neighbouring homes are planned together and may take each other's
        accounts.
    max_candidates
        Accounts considered per representative and day, the most valuable for their time; the others are
        named.
    overdue_factor
        Value of a visit that is a whole interval overdue, as a multiple of one that has just become due.
    due_slack_days
        How many days before and after it is due a regular visit may be made.
    engine
        ``"kernel"`` or ``"pyvrp"``.
    iterations
        Work of the engine per representative and day.
    extra_hour
        Whether to estimate what an hour and a visit more would be worth to each day (costs half as much time
        again at most).
    travel
        The estimate of travel times, where no road service is given.
    road
        How a road service is asked, where one is given.
    """

    first_day: datetime | None = None
    days: int = 1
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    shift_start_min: int = 510
    shift_end_min: int = 1050
    visits_per_day: int = 10
    visit_min: float = 30.0
    opens_min: float = 540.0
    closes_min: float = 1080.0
    lunch_min: int = 45
    lunch_from_min: int = 750
    lunch_to_min: int = 870
    cost_eur_per_km: float = 0.30
    cost_eur_per_h: float = 0.0
    joint: int = 1
    max_candidates: int = 200
    overdue_factor: float = 2.0
    due_slack_days: int = 2
    engine: Literal["kernel", "pyvrp"] = "kernel"
    iterations: int = 4_000
    extra_hour: bool = True
    travel: TravelParams = field(default_factory=TravelParams)
    road: RoadParams = field(default_factory=RoadParams)

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        for name in ("days", "joint", "max_candidates", "iterations", "overdue_factor"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: use 1 or more")
        for name in ("lunch_min", "cost_eur_per_km", "cost_eur_per_h", "visits_per_day", "due_slack_days"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} = {getattr(self, name)}: use 0 or more")
        if not set(self.weekdays) <= set(range(7)) or not self.weekdays:
            raise InputError(f"weekdays = {self.weekdays}: name at least one of 0 (Monday) to 6 (Sunday)")
        if self.lunch_min and self.lunch_from_min > self.lunch_to_min:
            raise InputError(
                f"lunch_from_min = {self.lunch_from_min} lies after lunch_to_min = "
                f"{self.lunch_to_min}: swap them"
            )
        if self.shift_start_min >= self.shift_end_min:
            raise InputError(
                f"shift_start_min = {self.shift_start_min} is not before shift_end_min = {self.shift_end_min}"
            )
