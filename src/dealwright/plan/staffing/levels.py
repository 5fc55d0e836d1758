"""The service level of each interval, by Erlang's formulas and simulated, and the chance of keeping it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from dealwright.parallel import parallel_map
from dealwright.plan.staffing.demand import ChannelDemand, Floats, Ints, drain_intervals
from dealwright.plan.staffing.erlang import available_agents, service_level
from dealwright.plan.staffing.params import ScheduleParams, Work
from dealwright.plan.staffing.simulation import (
    Bools,
    Simulated,
    chance,
    chance_error,
    simulate_backlog,
    simulate_queue,
)
from dealwright.plan.staffing.workforce import Workforce
from dealwright.schemas import SERVICE_LEVEL_COLUMNS

_MOST_STEPS: Final = 1e9  # contacts × agents × days: a few seconds
_LEAST_RUNS: Final = 20
_MOST_RUNS: Final = 40_000  # the standard error of any share is then at most a quarter of a per cent
_BATCH: Final = 2_000  # days played at once, as they are held in memory


@dataclass(frozen=True)
class Levels:
    """What the day is likely to bring.

    Attributes
    ----------
    table
        `SERVICE_LEVEL_COLUMNS`.
    probability
        Channel -> chance that a day keeps its service level, mean over the days.
    all_kept
        Chance that every channel keeps its own on one day; NaN where there is no work.
    error
        Standard error of `all_kept`.
    """

    table: pl.DataFrame
    probability: Mapping[str, float]
    all_kept: float
    error: float


def judge_levels(
    demands: Sequence[tuple[ChannelDemand, ...]],
    force: Workforce,
    days: Sequence[date],
    params: ScheduleParams,
    seed: int,
) -> Levels:
    """Judge every channel on every day.

    All channels are played on the same days, so that the chance that all keep their level is that of one day.
    """
    frames: list[pl.DataFrame] = []
    kept: dict[str, list[float]] = {}
    together: list[Bools] = []
    for index, (day, demand) in enumerate(zip(days, demands, strict=True)):
        scheduled = force.scheduled(index)
        runs = min(_runs(item, scheduled[c], params) for c, item in enumerate(demand))
        whole_day = np.ones(runs, dtype=np.bool_)
        for c, item in enumerate(demand):
            if not item.contacts.any() and not scheduled[c].any():
                continue
            work = item.work
            available, busy, levels = steady_levels(item.contacts, scheduled[c], work, params)
            simulated = np.full(params.intervals, np.nan)
            if work.kind == "queue":
                good, simulated = _play_queue(
                    item, available, runs, (seed + 1009 * index + c) % 2**31, params
                )
            else:
                there = scheduled[c] + force.between[index][c]
                good = _play_backlog(item, there, runs, (seed + 1009 * index + c) % 2**31, params)
            if item.contacts.any():
                kept.setdefault(item.channel, []).append(chance(good))
                whole_day &= good
            frames.append(
                pl.DataFrame(
                    {
                        "day": [day] * params.intervals,
                        "channel": [item.channel] * params.intervals,
                        "start_at": [
                            datetime.combine(day, time())
                            + timedelta(minutes=params.opens_min + t * params.interval_min)
                            for t in range(params.intervals)
                        ],
                        "contacts": item.contacts,
                        "required": item.required if work.kind == "queue" else [None] * params.intervals,
                        "scheduled": scheduled[c],
                        "available": available,
                        "occupancy": busy,
                        "service_level": levels,
                        "simulated_service_level": simulated,
                    },
                    schema=SERVICE_LEVEL_COLUMNS,
                ).with_columns(pl.col(pl.Float64).fill_nan(None))
            )
        if any(item.contacts.any() for item in demand):
            together.append(whole_day)
    table = pl.concat(frames) if frames else pl.DataFrame(schema=SERVICE_LEVEL_COLUMNS)
    everything = float(np.mean([chance(good) for good in together])) if together else math.nan
    error = math.sqrt(sum(chance_error(good) ** 2 for good in together)) / max(len(together), 1)
    probability = {name: float(np.mean(shares)) for name, shares in kept.items()}
    return Levels(table, probability, everything, error)


def steady_levels(
    contacts: Floats, scheduled: Ints, work: Work, params: ScheduleParams
) -> tuple[Ints, Floats, Floats]:
    """Return per interval who is available, their occupancy, and the service level by Erlang's formulas.

    The latter two are not known (NaN) of work that may wait.
    """
    available = available_agents(scheduled, work.shrinkage)
    if work.kind != "queue":
        nothing = np.full(params.intervals, np.nan)
        return available, nothing, nothing
    load = contacts / params.interval_min * work.handle_min
    levels = np.array(
        [
            service_level(int(n), float(a), work.handle_min, work.within_s / 60.0, work.patience_min)
            for n, a in zip(available, load, strict=True)
        ]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        busy = np.where(available > 0, np.minimum(load / available, 1.0), np.nan)
    return available, busy, levels


def _play_queue(
    item: ChannelDemand, available: Ints, runs: int, seed: int, params: ScheduleParams
) -> tuple[Bools, Floats]:
    """Return on which of the simulated days a queue keeps its level, and its level by interval."""
    work = item.work

    def play(first: int) -> Simulated:
        return simulate_queue(
            item.contacts, available, interval_min=params.interval_min, handle_min=work.handle_min,
            within_min=work.within_s / 60.0, patience_min=work.patience_min, runs=min(_BATCH, runs - first),
            seed=(seed + first) % 2**31,
        )  # fmt: skip

    # each batch seeds its own draws, so that it does not matter which core plays it
    batches = parallel_map(play, range(0, runs, _BATCH))
    total = np.sum([played.came for played in batches], axis=0)
    in_time = np.sum([played.in_time for played in batches], axis=0)
    by_interval = np.divide(in_time, total, out=np.full(total.size, np.nan), where=total > 0)
    return np.concatenate([played.kept(work.target_share) for played in batches]), by_interval


def _play_backlog(
    item: ChannelDemand, scheduled: Floats, runs: int, seed: int, params: ScheduleParams
) -> Bools:
    """Return on which of the simulated days enough of the work that may wait is done in time."""
    work = item.work
    arriving = item.contacts.copy()
    arriving[0] = max(arriving[0] - item.own, 0.0)
    share = simulate_backlog(
        arriving, item.own, scheduled * params.interval_min * (1.0 - work.shrinkage),
        handle_min=work.handle_min, drain_intervals=drain_intervals(work, params), runs=runs, seed=seed,
    )  # fmt: skip
    return np.asarray(share >= work.target_share - 1e-12)


def _runs(item: ChannelDemand, scheduled: Ints, params: ScheduleParams) -> int:
    """Return how many days to simulate: fewer for a large centre, where one day is much like another."""
    if item.work.kind == "drain":
        return params.runs or _MOST_RUNS
    work = float(item.contacts.sum()) * float(scheduled.max(initial=1))
    return min(params.runs or _MOST_RUNS, max(_LEAST_RUNS, int(_MOST_STEPS / max(work, 1.0))))
