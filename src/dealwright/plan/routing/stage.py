"""Who visits whom when: the stage *route*."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from dealwright.notebook import Summarised
from dealwright.parallel import parallel_map
from dealwright.plan.inputs import gather_inputs, working_days
from dealwright.plan.routing import outcome
from dealwright.plan.routing.engine import compile_kernel
from dealwright.plan.routing.job import Job, run_job
from dealwright.plan.routing.limits import NO_AGENT, POSITION, PROMISE, TERRITORY, Obstacle
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.requests import Rep, open_during_shifts, read_reps, read_requests
from dealwright.plan.routing.week import spread
from dealwright.plan.travel import EstimatedTravel, TravelTimes
from dealwright.schemas import AccountSchema

# what a representative's days depend on, as a digest -> these days
SolvedDays: TypeAlias = MutableMapping[str, outcome.PlannedDays]


@dataclass(frozen=True)
class Routes(Summarised):
    """Result of *route*.

    Attributes
    ----------
    frame
        One row per account, in the order of the accounts: ``account_id``, ``visit_rep_id``, ``visit_day``,
        ``visit_stop``, ``visit_at`` (first visit) and ``visit_note``, which says why an account that was to
        be visited is not; all empty for accounts that were not to be visited.
    visits
        `VISIT_COLUMNS`, by representative, day and stop.
    days
        `WORKING_DAY_COLUMNS`: one row per representative and day.
    left_out
        `LEFT_OUT_COLUMNS`: one row per visit that is not made, the most valuable first.
    travel_source
        Where the travel times come from.
    notes
        What a reader must know, such as that there is no representative.
    """

    frame: pl.DataFrame
    visits: pl.DataFrame
    days: pl.DataFrame
    left_out: pl.DataFrame
    travel_source: str
    notes: tuple[str, ...] = ()

    def summary(self) -> Mapping[str, Any]:
        """Return the key figures."""
        missed = self.left_out.filter("must").height
        return {
            "visits": self.visits.height,
            "left_out": self.left_out.height,
            "must_visits_missed": missed,
            "rep_days": self.days.height,
            "visit_value_eur": float(self.visits["value_eur"].sum()),
            "distance_km": float(self.days["distance_km"].sum()),
            "travel_min": float(self.days["travel_min"].sum()),
            "wait_min": float(self.days["wait_min"].sum()),
            "visits_per_rep_day": self.visits.height / self.days.height if self.days.height else None,
            "extra_hour_eur": self.days["extra_hour_eur"].fill_nan(None).mean(),
            "travel_source": self.travel_source,
            "notes": "; ".join(self.notes),
        }

    def to_frame(self) -> pl.DataFrame:
        """Return `visits`."""
        return self.visits


def route(
    accounts: pl.DataFrame,
    reps: pl.DataFrame | None = None,
    params: RouteParams | None = None,
    *,
    decisions: pl.DataFrame | None = None,
    territories: pl.DataFrame | None = None,
    promises: pl.DataFrame | None = None,
    frequencies: pl.DataFrame | None = None,
    travel: TravelTimes | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,
    executor: Executor | None = None,
    solved: SolvedDays | None = None,
) -> Routes:
    """Choose and order the visits of every representative.

    Parameters
    ----------
    accounts
        ``account_id``, ``lat_deg``, ``lon_deg``; of the roles, ``rep_id``, ``visit_min``, ``opens_min`` and
        ``closes_min`` are read.
    reps
        `REP_COLUMNS` and, of `REP_OPTIONAL`, shifts and visits per day.
    decisions
        ``account_id``, ``expected_value_eur`` (what a visit is worth), and ``channel``: accounts of the
        channel ``field`` are visited, without that column all; ``urgent`` or ``due`` ones come first. By
        default columns of the accounts.
    territories
        ``account_id``, ``rep_id``; without it an account's own representative counts.
    promises
        `PROMISE_COLUMNS`: must-visits, pins to a representative or a day, locked
        appointments.
    frequencies
        `FREQUENCY_COLUMNS`: accounts that are visited regularly, and due dates.
    travel
        A road service (`routing.travel_service.RoadService`); by default times are estimated.
    schema
        Which column is what; by default it follows from names and types.
    as_of
        The cut-off: the first day is the one after it. By default today.
    executor
        Where representatives are planned side by side; by default threads, one per processor: the kernel is
        compiled and holds no lock.
    solved
        Days that were planned before with the same travel times: those of which nothing has changed are taken
        over, the others are added.

    Raises
    ------
    InputError
        Impossible parameters, promises or shifts, or accounts without position columns.
    """
    params = params or RouteParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, reps=reps)
    rng = rng or np.random.default_rng(0)
    days = working_days(inputs.as_of, params)
    people = read_reps(inputs, params)
    requests = read_requests(inputs, decisions, territories=territories, promises=promises, params=params)
    notes = []
    if not people:
        notes.append("there is no representative: nobody is visited")
    provider = travel or EstimatedTravel(params.travel)
    placed, unplaced = _split_unplaceable(open_during_shifts(requests, people), people, days)
    visits, allowed, early = spread(placed, frequencies, days, params)
    jobs = _jobs(visits, allowed, people, days, params=params, travel=provider, seed=int(rng.integers(2**31)))
    planned = _plan_jobs(jobs, {} if solved is None else solved, executor)
    made, per_day = outcome.collect(planned)
    left_out = outcome.collect_left_out(planned, requests=requests, unplaced=unplaced, early=early)
    frame = outcome.by_account(inputs.accounts["account_id"], made, left_out)
    sources = sorted({one.source for one in planned})
    return Routes(frame, made, per_day, left_out, "; ".join(sources) or "none", tuple(notes))


def _plan_jobs(
    jobs: Sequence[Job], solved: SolvedDays, executor: Executor | None
) -> list[outcome.PlannedDays]:
    """Plan the jobs that were not planned before."""
    keys = [job.fingerprint() for job in jobs]
    new = [(key, job) for key, job in zip(keys, jobs, strict=True) if key not in solved]
    if new and executor is None:
        compile_kernel()  # before threads wait for one of them to do so
    found = parallel_map(_plan_days, [job for _, job in new], executor=executor)
    solved.update((key, planned) for (key, _), planned in zip(new, found, strict=True))
    return [solved[key] for key in keys]


def _plan_days(job: Job) -> outcome.PlannedDays:
    return outcome.read_result(job, run_job(job))


def _split_unplaceable(
    requests: pl.DataFrame, reps: tuple[Rep, ...], days: tuple[date, ...]
) -> tuple[pl.DataFrame, dict[int, Obstacle]]:
    """Separate the accounts that nobody can be sent to, with the obstacle by row of the accounts."""
    names = [rep.rep_id for rep in reps]
    unknown = pl.coalesce("position_note", pl.lit("its position is not known"))
    elsewhere = pl.format("its representative {} is not among the representatives", "rep_id")
    obstacles = (
        (pl.col("lat_deg").is_null() | pl.col("lon_deg").is_null(), POSITION, unknown),
        (
            pl.col("day").is_not_null() & ~pl.col("day").is_in(list(days)),
            PROMISE,
            pl.format("promised for {}, a day that is not planned", "day"),
        ),
        (pl.lit(not names), NO_AGENT, pl.lit("there is no representative")),
        (pl.col("rep_id").is_null(), TERRITORY, pl.lit("it has no representative")),
        (~pl.col("rep_id").is_in(names), TERRITORY, elsewhere),
    )
    judged = requests.with_columns(
        limit=pl.coalesce(pl.when(holds).then(pl.lit(limit)) for holds, limit, _ in obstacles),
        reason=pl.coalesce(pl.when(holds).then(reason) for holds, _, reason in obstacles),
    )
    aside = judged.filter(pl.col("limit").is_not_null()).select("row", "limit", "reason")
    return (
        judged.filter(pl.col("limit").is_null()).drop("limit", "reason"),
        {row: Obstacle(limit, reason) for row, limit, reason in aside.iter_rows()},
    )


def _jobs(
    visits: pl.DataFrame,
    allowed: np.ndarray,
    reps: tuple[Rep, ...],
    days: tuple[date, ...],
    *,
    params: RouteParams,
    travel: TravelTimes,
    seed: int,
) -> list[Job]:
    names = visits["rep_id"].to_numpy()
    jobs: list[Job] = []
    for group in _neighbours(reps, params.joint):
        rows = np.flatnonzero(np.isin(names, [rep.rep_id for rep in group]))
        texts = tuple(day.isoformat() for day in days)
        jobs.append(Job(visits[rows.tolist()], allowed[rows], group, texts, params, travel, seed + len(jobs)))
    return jobs


def _neighbours(reps: tuple[Rep, ...], size: int) -> list[tuple[Rep, ...]]:
    """Group representatives by home: each group is the first one left and the nearest to it."""
    from dealwright.plan.travel import great_circle_km

    left, groups = list(reps), []
    while left:
        first = left[0]
        km = great_circle_km(
            np.array([first.lat_deg]), np.array([first.lon_deg]),
            np.array([rep.lat_deg for rep in left]), np.array([rep.lon_deg for rep in left]),
        )[0]  # fmt: skip
        chosen = np.sort(np.lexsort((np.arange(len(left)), km))[:size])
        groups.append(tuple(left[k] for k in chosen))
        left = [rep for k, rep in enumerate(left) if k not in chosen]
    return groups
