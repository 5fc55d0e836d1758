"""The days of one representative, or of a few planned jointly: one problem, solved on any processor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from dealwright.plan.routing.engine import alone_feasible, solve
from dealwright.plan.routing.insight import Insight, explain_left_out, hour_worth_eur, visit_worth_eur
from dealwright.plan.routing.limits import (
    CANDIDATES,
    NO_ROAD,
    POSITION,
    PROMISE,
    SHIFT,
    VISITS_A_DAY,
    WINDOW,
    Obstacle,
)
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.problem import NO_LIMIT, Bools, Floats, Ints, Lunch, Problem, RoutePlan, Shift
from dealwright.plan.routing.requests import Rep
from dealwright.plan.trace import hash_frame, hash_text
from dealwright.plan.travel import TravelTable, TravelTimes

MINUTE: Final = 60  # ticks are seconds
NO_WAY: Final = (
    1_000_000  # ticks between places no road connects: longer than any shift, small enough for sums
)


@dataclass(frozen=True)
class Job:
    """What a worker is handed."""

    visits: pl.DataFrame  # `VISIT_REQUEST_COLUMNS` of the visits to choose from
    allowed: Bools  # (visits, days)
    # the shifts are representatives × days, day by day within each representative
    reps: tuple[Rep, ...]
    days: tuple[str, ...]
    params: RouteParams
    travel: TravelTimes
    seed: int

    def fingerprint(self) -> str:
        """Return a digest of everything the days depend on but the travel times."""
        # estimates of what more would be worth change no day
        params = replace(self.params, extra_hour=True)
        others = self.allowed.tobytes().hex(), self.reps, self.days, params, self.seed
        return hash_text(f"{hash_frame(self.visits)}|{others!r}")


@dataclass(frozen=True)
class JobResult:
    """What a worker hands back."""

    considered: Ints  # visits of the job that were candidates, in the order of the problem
    problem: Problem
    plan: RoutePlan
    km: Floats
    source: str
    reasons: dict[int, Obstacle]  # visit of the job -> why it could not be made, whatever else is planned
    insights: tuple[Insight, ...]  # what kept each candidate that was left out from being visited
    # per shift, NaN where they were not asked for
    hour_worth_eur: Floats
    visit_worth_eur: Floats
    # of the visits in `reasons`, those that others only kept from being considered
    outnumbered: frozenset[int] = frozenset()


def run_job(job: Job) -> JobResult:
    """Plan the days of a job."""
    params = job.params
    reasons: dict[int, Obstacle] = {}
    lat, lon = job.visits["lat_deg"].to_numpy(), job.visits["lon_deg"].to_numpy()
    homes = np.array([(rep.lat_deg, rep.lon_deg) for rep in job.reps])
    table = job.travel.table(np.r_[lat, homes[:, 0]], np.r_[lon, homes[:, 1]])
    everything = build_problem(job, np.arange(job.visits.height), table)
    alone = alone_feasible(everything)
    for visit in np.flatnonzero(~alone.any(axis=1)):
        reasons[int(visit)] = _why_never(everything, int(visit))
    for visit in np.flatnonzero(table.unreachable[: job.visits.height]):
        reasons[int(visit)] = Obstacle(
            POSITION, "no road leads there: check its position (is it in the sea?)"
        )
        alone[visit] = False
    considered = _candidates(job, everything, alone)
    outnumbered = frozenset(np.setdiff1d(np.flatnonzero(alone.any(axis=1)), considered).tolist())
    most = params.max_candidates * len(everything.shifts)
    reasons |= dict.fromkeys(
        outnumbered,
        Obstacle(CANDIDATES, f"not among the {most} candidates worth most for the time they take"),
    )
    places = np.r_[considered, job.visits.height + np.arange(len(job.reps))]
    km = table.km[np.ix_(places, places)]
    problem = build_problem(job, considered, table)
    plan = solve(
        problem, engine=params.engine, iterations=params.iterations * len(problem.shifts), seed=job.seed
    )
    insights = explain_left_out(problem, plan)
    hour: Floats = np.full(len(problem.shifts), np.nan)
    one = hour
    if params.extra_hour:
        again = params.iterations // 4 + 1
        hour = hour_worth_eur(problem, plan, 60 * MINUTE, again, job.seed)
        one = visit_worth_eur(problem, plan, again, job.seed)
    return JobResult(considered, problem, plan, km, table.source, reasons, insights, hour, one, outnumbered)


def build_problem(job: Job, chosen: Ints, table: TravelTable) -> Problem:
    """Translate the chosen visits into ticks and matrices; homes come after them, one per representative."""
    visits, params = job.visits[chosen.tolist()], job.params
    n = visits.height
    places = np.r_[chosen, job.visits.height + np.arange(len(job.reps))]
    minutes, km = table.minutes[np.ix_(places, places)], table.km[np.ix_(places, places)]
    # rounded up, so that no detour over a third place is shorter by rounding alone
    minutes = np.minimum(minutes, NO_WAY / MINUTE)
    travel = np.ceil(minutes * MINUTE - 1e-6).astype(np.int64)
    service = np.ceil(visits["visit_min"].to_numpy() * MINUTE).astype(np.int64)
    opens = np.ceil(visits["opens_min"].to_numpy() * MINUTE).astype(np.int64)
    latest = np.floor(visits["closes_min"].to_numpy() * MINUTE).astype(np.int64) - service
    fixed = visits["begin_min"].fill_null(-1).to_numpy()
    opens = np.where(fixed >= 0, fixed * MINUTE, opens)
    latest = np.where(fixed >= 0, fixed * MINUTE, latest)
    shifts, allowed = [], []
    pinned_to = visits.select(pl.when("pinned").then("rep_id"))["rep_id"].fill_null("").to_numpy()
    for k, rep in enumerate(job.reps):
        for day, name in enumerate(job.days):
            shifts.append(_shift(rep, f"{rep.rep_id} on {name}", n + k, params))
            may = (pinned_to == "") | (pinned_to == rep.rep_id)
            allowed.append(job.allowed[chosen, day] & may)
    return Problem(
        travel, km * params.cost_eur_per_km + minutes / 60 * params.cost_eur_per_h, service, opens, latest,
        visits["value_eur"].to_numpy(), visits["must"].to_numpy(),
        np.array(allowed).T.reshape(n, len(shifts)),
        tuple(shifts), _precedence(visits),
    )  # fmt: skip


def _precedence(visits: pl.DataFrame) -> Floats:
    """Let an urgent visit count for more than any that is not."""
    others = visits.filter(~pl.col("urgent"))["value_eur"].max()
    return np.where(visits["urgent"].to_numpy(), float(others or 0.0), 0.0)  # type: ignore[arg-type]


def _shift(rep: Rep, name: str, home: int, params: RouteParams) -> Shift:
    lunch = None
    end_of_lunch = params.lunch_to_min + params.lunch_min
    if (
        params.lunch_min
        and rep.shift_start_min <= params.lunch_from_min
        and end_of_lunch <= rep.shift_end_min
    ):
        times = params.lunch_from_min, params.lunch_to_min, params.lunch_min
        lunch = Lunch(*(time * MINUTE for time in times))
    most = min(rep.visits_per_day, NO_LIMIT)
    return Shift(name, home, home, rep.shift_start_min * MINUTE, rep.shift_end_min * MINUTE, most, lunch)


def _candidates(job: Job, problem: Problem, alone: Bools) -> Ints:
    """Keep the visits that have to be made, the urgent, and those worth most for the time they take."""
    possible = np.flatnonzero(alone.any(axis=1))
    most = job.params.max_candidates * len(problem.shifts)
    if possible.size <= most:
        return possible
    homes = np.unique([shift.start_place for shift in problem.shifts])
    away = problem.travel[np.ix_(homes, possible)].min(axis=0)
    # the drive from home is shared by about four stops of a day
    rate = problem.value_eur[possible] / (problem.service[possible] + away / 4 + 1)
    urgent = job.visits["urgent"].to_numpy()[possible]
    order = np.lexsort((possible, -rate, ~urgent, ~problem.must[possible]))
    return np.sort(possible[order[:most]])


def _why_never(problem: Problem, visit: int) -> Obstacle:  # noqa: PLR0911  one reason a line
    """Say why a visit cannot be made even if no other is."""
    if problem.opens[visit] > problem.latest_start[visit]:
        return Obstacle(WINDOW, "the account is open for less time than the visit takes")
    shifts = [shift for r, shift in enumerate(problem.shifts) if problem.allowed[visit, r]]
    if not shifts:
        return Obstacle(PROMISE, "no planned day or representative is allowed for it")
    if max(shift.max_visits for shift in shifts) < 1:
        return Obstacle(VISITS_A_DAY, "the representative makes no visits (visits_per_day is 0)")
    if all(shift.start >= shift.end for shift in shifts):
        return Obstacle(SHIFT, "its representative does not work that day (a shift of no length)")
    homes = {(shift.start_place, shift.end_place) for shift in shifts}
    if all(max(problem.travel[a, visit], problem.travel[visit, b]) >= NO_WAY for a, b in homes):
        return Obstacle(NO_ROAD, "no road leads there from where its representative lives, or none back")
    alone = [(_alone_ticks(problem, shift, visit), shift) for shift in shifts]
    needed, shift = min(alone, key=lambda found: found[0] - (found[1].end - found[1].start))
    if needed > shift.end - shift.start:
        lunch = ", and lunch," if shift.lunch else ""
        return Obstacle(
            SHIFT,
            f"travel there and back with the visit{lunch} takes {_clock_length(needed)}, "
            f"the shift has {_clock_length(shift.end - shift.start)}",
        )
    return Obstacle(WINDOW, "the account is not open while the representative can be there")


def _alone_ticks(problem: Problem, shift: Shift, visit: int) -> int:
    out, home = problem.travel[shift.start_place, visit], problem.travel[visit, shift.end_place]
    return int(out + problem.service[visit] + home) + (shift.lunch.length if shift.lunch else 0)


def _clock_length(ticks: int) -> str:
    minutes = -(-ticks // MINUTE)
    return f"{minutes // 60} h {minutes % 60:02d} min"
