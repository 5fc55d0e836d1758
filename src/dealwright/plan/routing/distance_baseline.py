"""What every day would look like if value did not count: the stage *distance_only*.

The same engine plans the same shifts under the same rules and the same checker, but every visit has the same
prize and travel costs its kilometres: as many visits as fit, on the shortest route. What the plan gains over
it comes from knowing what a visit is worth, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.notebook import Summarised
from dealwright.parallel import parallel_map
from dealwright.plan.inputs import gather_inputs, working_days
from dealwright.plan.routing import outcome
from dealwright.plan.routing.engine import solve
from dealwright.plan.routing.job import Job, JobResult, build_problem
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.requests import Rep, open_during_shifts, read_reps, read_requests
from dealwright.plan.routing.week import spread
from dealwright.plan.travel import EstimatedTravel, TravelTimes, great_circle_km
from dealwright.schemas import DISTANCE_ONLY_DAY_COLUMNS, AccountSchema

FIELD: Final = "field"


@dataclass(frozen=True)
class DistanceBaselineParams:
    """How the days without value are planned.

    Attributes
    ----------
    most_reps
        With more representatives the comparison is left out; 0 for never.
    iterations
        Work of the engine per representative and day.
    max_candidates
        Accounts considered per representative and day, the nearest to home.
    """

    most_reps: int = 40
    iterations: int = 1_000
    max_candidates: int = 200

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        if self.most_reps < 0:
            raise InputError(f"most_reps = {self.most_reps}: use 0 (never) or more")
        for name in ("iterations", "max_candidates"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: use 1 or more")


@dataclass(frozen=True)
class DistanceBaseline(Summarised):
    """Result of *distance_only*.

    Attributes
    ----------
    frame
        One row per account: ``account_id`` and ``distance_only_stop``, its place in that day, null where it
        would not be visited.
    visits
        `VISIT_COLUMNS`.
    days
        `DISTANCE_ONLY_DAY_COLUMNS`.
    notes
        Why there is nothing to compare with.
    """

    frame: pl.DataFrame
    visits: pl.DataFrame
    days: pl.DataFrame
    notes: tuple[str, ...] = ()

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures."""
        return {
            "visits": self.visits.height,
            "visits_that_pay": self.visits.filter(pl.col("value_eur") > 0).height,
            "rep_days": self.days.height,
            "visit_value_eur": float(self.visits["value_eur"].sum()),
            "distance_km": float(self.days["distance_km"].sum()),
            "notes": "; ".join(self.notes),
        }

    def to_frame(self) -> pl.DataFrame:
        """Return `visits`."""
        return self.visits


def plan_distance_baseline(
    accounts: pl.DataFrame,
    reps: pl.DataFrame | None = None,
    params: DistanceBaselineParams | None = None,
    *,
    decisions: pl.DataFrame | None = None,
    route: RouteParams | None = None,
    territories: pl.DataFrame | None = None,
    promises: pl.DataFrame | None = None,
    frequencies: pl.DataFrame | None = None,
    travel: TravelTimes | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
) -> DistanceBaseline:
    """Plan the days of *route* again as if all visits were worth the same.

    A visit counts with what the plan expects of it; one that would cost more than it brings counts as 0, as
    in *route*.

    Parameters
    ----------
    decisions
        Who may be visited, and what for: from `find_visitable`.
    accounts, reps, route, territories, promises, frequencies, travel, schema, as_of, executor
        As *route* was given them; promised visits are made here too.

    Raises
    ------
    InputError
        Impossible parameters or shifts.
    """
    params, route = params or DistanceBaselineParams(), route or RouteParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, reps=reps)
    days, people = working_days(inputs.as_of, route), read_reps(inputs, route)
    seed = int((rng or np.random.default_rng(0)).integers(2**31))
    if not people or len(people) > params.most_reps:
        most = params.most_reps
        why = (
            f"compared for at most {most} representatives (distance_only.most_reps), there are {len(people)}"
        )
        return _result(inputs.accounts["account_id"], *outcome.collect([]), notes=(why,))
    requests = read_requests(
        inputs, decisions, territories=territories, promises=promises, params=route
    ).drop_nulls(["lat_deg", "lon_deg"])  # fmt: skip
    requests = open_during_shifts(requests, people)
    jobs = []
    for number, rep in enumerate(people):
        near = _nearest(requests.filter(rep_id=rep.rep_id), rep, params.max_candidates * len(days))
        visits, allowed, _ = spread(near, frequencies, days, route)
        names = tuple(day.isoformat() for day in days)
        ways = travel or EstimatedTravel(route.travel)
        jobs.append(Job(visits, allowed, (rep,), names, route, ways, seed + number))
    planned = parallel_map(partial(_shortest, iterations=params.iterations), jobs, executor=executor)
    return _result(inputs.accounts["account_id"], *outcome.collect(planned))


def find_visitable(actions: pl.DataFrame, options: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Return who may be visited and what for: as *channel* decided, else the best visit that is permitted.

    Everybody may be visited whom the rules of *action* permit to be (consent, rest after a contact, control
    group), whatever channel they were given.

    Parameters
    ----------
    actions
        ``account_id``, ``control``.
    options
        `Actions.options`, in the order of the actions.
    channels
        ``channel``, ``expected_value_eur``, in the order of the actions.
    """
    visits = [name for name in options.columns if name.endswith(f"/{FIELD}")]
    worth = (pl.col(name).cast(pl.Float64) for name in visits)
    most = options.with_columns(most=pl.max_horizontal(pl.lit(None, pl.Float64), *worth))["most"]
    best = most.fill_null(-np.inf).to_numpy()
    planned = channels["channel"].eq(FIELD).fill_null(value=False).to_numpy()
    permitted = planned | (np.isfinite(best) & ~actions["control"].to_numpy())
    value = channels["expected_value_eur"].to_numpy()
    return pl.DataFrame(
        {
            "account_id": actions["account_id"],
            "channel": pl.Series([None, FIELD], dtype=pl.String).gather(permitted.astype(np.int64)),
            "expected_value_eur": np.where(planned, value, np.where(permitted, best, 0.0)),
        }
    )


def _nearest(requests: pl.DataFrame, rep: Rep, most: int) -> pl.DataFrame:
    """Keep the accounts nearest to home, promised ones first, in the order they came."""
    if requests.height <= most:
        return requests
    home = np.array([rep.lat_deg]), np.array([rep.lon_deg])
    away = great_circle_km(*home, requests["lat_deg"].to_numpy(), requests["lon_deg"].to_numpy())[0]
    order = np.lexsort((np.arange(away.size), away, ~requests["must"].to_numpy()))
    kept: list[int] = np.sort(order[:most]).tolist()
    return requests[kept]


def _shortest(job: Job, iterations: int) -> outcome.PlannedDays:
    """Plan a representative's days with equal prizes; moments and values are those of the real problem."""
    lat, lon = job.visits["lat_deg"].to_numpy(), job.visits["lon_deg"].to_numpy()
    homes = np.array([(rep.lat_deg, rep.lon_deg) for rep in job.reps])
    table = job.travel.table(np.r_[lat, homes[:, 0]], np.r_[lon, homes[:, 1]])
    everybody = np.arange(job.visits.height)
    problem = build_problem(job, everybody, table)
    # worth more than any detour: another visit always comes before a shorter route
    prize = 2.0 * float(table.km.max(initial=0.0)) + 1.0
    reachable = problem.allowed & ~table.unreachable[: problem.visits, None]
    equal = replace(problem, value_eur=np.full(problem.visits, prize), cost_eur=table.km, allowed=reachable)
    plan = solve(equal, iterations=iterations * len(problem.shifts), seed=job.seed)
    unknown = np.full(len(problem.shifts), np.nan)
    result = JobResult(everybody, problem, plan, table.km, table.source, {}, (), unknown, unknown)
    return outcome.read_result(job, result)


def _result(
    account_id: pl.Series, visits: pl.DataFrame, days: pl.DataFrame, notes: tuple[str, ...] = ()
) -> DistanceBaseline:
    first = visits.unique("account_id", keep="first", maintain_order=True)
    frame = account_id.to_frame().join(
        first.select("account_id", distance_only_stop="stop"),
        on="account_id", how="left", maintain_order="left",
    )  # fmt: skip
    return DistanceBaseline(frame, visits, days.select(*DISTANCE_ONLY_DAY_COLUMNS), notes)
