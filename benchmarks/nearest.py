"""What people do without a plan: always drive to the nearest account that is left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from dealwright.plan.inputs import working_days
from dealwright.plan.routing import RouteParams
from dealwright.plan.routing.job import Job, build_problem
from dealwright.plan.routing.problem import Problem
from dealwright.plan.routing.requests import read_reps, read_requests
from dealwright.plan.routing.week import spread
from dealwright.plan.travel import EstimatedTravel
from dealwright.schemas import PlanInputs


def nearest_neighbour_eur(problem: Problem) -> float:
    """Return the value of a day of nearest neighbours; late visits take time but do not count."""
    shift, left = problem.shifts[0], set(np.flatnonzero(problem.allowed[:, 0]).tolist())
    place, now, made, value = shift.start_place, shift.start, 0, 0.0
    while left and made < shift.max_visits:
        stop = min(left, key=lambda visit: (int(problem.travel[place, visit]), visit))
        begin = max(now + int(problem.travel[place, stop]), int(problem.opens[stop]))
        leave = begin + int(problem.service[stop])
        if leave + int(problem.travel[stop, shift.end_place]) > shift.end:
            break
        value += float(problem.value_eur[stop]) if begin <= problem.latest_start[stop] else 0.0
        place, now, made = stop, leave, made + 1
        left.remove(stop)
    return value


def days_of(inputs: PlanInputs, worth: pl.DataFrame, params: RouteParams) -> Iterator[Problem]:
    """Build the day of each representative with all accounts of theirs, without a break."""
    days = working_days(inputs.as_of, params)
    requests = read_requests(inputs, worth, territories=None, promises=None, params=params).drop_nulls(
        ["lat_deg", "lon_deg"]
    )
    for rep in read_reps(inputs, params):
        visits, allowed, _ = spread(requests.filter(rep_id=rep.rep_id), None, days, params)
        travel = EstimatedTravel(params.travel)
        job = Job(visits, allowed, (rep,), (days[0].isoformat(),), params, travel, 0)
        table = travel.table(
            np.r_[visits["lat_deg"].to_numpy(), rep.lat_deg], np.r_[visits["lon_deg"].to_numpy(), rep.lon_deg]
        )
        yield build_problem(job, np.arange(visits.height), table)
