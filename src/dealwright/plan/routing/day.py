"""One planned day of the field: who could be visited by whom, and the routes that are driven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from dealwright.errors import NotFoundError
from dealwright.plan.routing.checker import require_feasible
from dealwright.plan.routing.job import MINUTE, Job, JobResult, build_problem
from dealwright.plan.routing.outcome import PlannedDays, read_result
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.problem import Problem, RoutePlan
from dealwright.plan.routing.requests import Rep
from dealwright.plan.routing.schedule import schedule_route
from dealwright.plan.travel import TravelTable, TravelTimes

_BY_HAND: Final = "by hand"


@dataclass(frozen=True)
class FieldDay:
    """A day as it was planned, and what is needed to change it.

    Attributes
    ----------
    requests
        `VISIT_REQUEST_COLUMNS` of the accounts that are, or could be, visited; what a visit is worth as the
        routes counted it.
    reps
        The representatives with the shifts of the plan.
    visits, days
        `VISIT_COLUMNS` and `WORKING_DAY_COLUMNS` of this day alone.
    candidates
        Accounts that were left out and may be visited when the rest is planned again.
    other_days
        Account -> another day of the plan on which it is visited.
    """

    day: date
    requests: pl.DataFrame
    reps: tuple[Rep, ...]
    visits: pl.DataFrame
    days: pl.DataFrame
    params: RouteParams
    travel: TravelTimes
    candidates: frozenset[str] = frozenset()
    other_days: Mapping[str, date] = field(default_factory=dict)

    def rep(self, rep_id: str) -> Rep:
        """Return a representative.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        for rep in self.reps:
            if rep.rep_id == rep_id:
                return rep
        raise NotFoundError(f"there is no representative {rep_id!r}: name one of the day's")

    def orders(self) -> dict[str, tuple[str, ...]]:
        """Return the accounts that each representative visits, in order, as planned."""
        found: dict[str, list[str]] = {rep.rep_id: [] for rep in self.reps}
        for rep_id, account_id in self.visits.sort("rep_id", "stop").select("rep_id", "account_id").rows():
            found.setdefault(rep_id, []).append(account_id)
        return {rep_id: tuple(order) for rep_id, order in found.items()}


@dataclass(frozen=True)
class Terms:
    """What differs from the plan for the visits and shifts of a day.

    Attributes
    ----------
    begin_s
        Account -> the moment at which its visit begins, in seconds after midnight.
    extra_min
        Account -> by how much its visit takes longer.
    added
        Accounts whose visit was put where it is by hand, or pinned: it has to be made.
    shift
        Representative -> start and end of the shift.
    """

    begin_s: Mapping[str, int] = field(default_factory=dict)
    extra_min: Mapping[str, float] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    shift: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def shift_of(self, rep: Rep) -> Rep:
        """Return a representative with the shift that counts now."""
        start, end = self.shift.get(rep.rep_id, (rep.shift_start_min, rep.shift_end_min))
        return Rep(rep.rep_id, rep.lat_deg, rep.lon_deg, start, end, rep.visits_per_day)


@dataclass(frozen=True)
class Question:
    """Visits and representatives of a day as a problem of routing.

    Attributes
    ----------
    accounts
        In the order of the problem's visits.
    """

    accounts: tuple[str, ...]
    job: Job
    table: TravelTable
    problem: Problem

    def rows(self, plan: RoutePlan) -> PlannedDays:
        """Return checked routes as rows of the frames that the plan writes.

        Raises
        ------
        InfeasiblePlanError
            The checker refuses them.
        """
        require_feasible(self.problem, plan)
        nothing = np.full(len(self.problem.shifts), np.nan)
        return read_result(
            self.job,
            JobResult(
                np.arange(len(self.accounts)), self.problem, plan, self.table.km, self.table.source, {}, (),
                nothing, nothing,
            ),
        )  # fmt: skip

    def time(self, r: int, order: Sequence[str]) -> RoutePlan | None:
        """Give a route its moments, all others none; ``None`` if it cannot be driven."""
        place = {account: k for k, account in enumerate(self.accounts)}
        route = schedule_route(self.problem, r, [place[account] for account in order])
        return None if route is None else RoutePlan((route,), _BY_HAND)


def ask(day: FieldDay, reps: Sequence[Rep], accounts: Sequence[str], terms: Terms) -> Question:
    """Put accounts and representatives of a day as a problem: any of these may visit any of those.

    Raises
    ------
    NotFoundError
        An account is none of the run's, or nobody knows where it is.
    """
    wanted = pl.DataFrame({"account_id": list(accounts)}, schema={"account_id": pl.String})
    visits = wanted.join(day.requests, on="account_id", how="left", maintain_order="left")
    for account, row, lat in visits.select("account_id", "row", "lat_deg").rows():
        if row is None:
            raise NotFoundError(f"the run has no account {account!r}: the list of its accounts shows the ids")
        if lat is None:
            raise NotFoundError(f"nobody knows where {account!r} is: give it a position, and plan again")
    extra = [terms.extra_min.get(account, 0.0) for account in accounts]
    longer = pl.Series(extra, dtype=pl.Float64)
    visits = visits.select(day.requests.columns).with_columns(
        pl.col("visit_min") + longer,
        # who stays longer than the doors are open is let out all the same
        pl.col("closes_min") + longer,
        must=pl.col("must") | pl.col("account_id").is_in(list(terms.added)),
        day=pl.lit(day.day),
    )
    people = tuple(terms.shift_of(rep) for rep in reps)
    lat, lon = visits["lat_deg"].to_numpy(), visits["lon_deg"].to_numpy()
    homes = np.array([(rep.lat_deg, rep.lon_deg) for rep in people]).reshape(-1, 2)
    table = day.travel.table(np.r_[lat, homes[:, 0]], np.r_[lon, homes[:, 1]])
    allowed = np.ones((visits.height, 1), dtype=np.bool_)
    job = Job(visits, allowed, people, (day.day.isoformat(),), day.params, day.travel, 0)
    problem = build_problem(job, np.arange(visits.height), table)
    fixed = np.array([terms.begin_s.get(account, -1) for account in accounts], dtype=np.int64)
    problem = replace(
        problem,
        opens=np.where(fixed >= 0, fixed, problem.opens),
        latest_start=np.where(fixed >= 0, fixed, problem.latest_start),
    )
    return Question(tuple(accounts), job, table, problem)


def clock(minutes: float) -> str:
    """Return a time of day, such as 14:30; after midnight 25:10 is 01:10."""
    whole = int(minutes) % (24 * 60)
    return f"{whole // 60:02d}:{whole % 60:02d}"


def ticks_clock(ticks: float) -> str:
    """Return a moment of a problem as a time of day, a begun minute as a whole one."""
    return clock(-(-int(ticks) // MINUTE))
