"""The service level of each interval, by Erlang's formulas and simulated, and the chance of keeping it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
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
    """What the day is likely to bring."""

    table: pl.DataFrame  # `SERVICE_LEVEL_COLUMNS`
    # channel -> chance that a day keeps its service level, mean over the days
    probability: Mapping[str, float]
    all_kept: float  # chance that every channel keeps its own on one day; NaN where there is no work
    error: float  # standard error of `all_kept`


@dataclass(frozen=True)
class _Game:
    """Some simulated days of one channel: a task of its own, seeded by itself, wherever it is played.

    Attributes
    ----------
    agents
        Available per interval, for a queue.
    minutes
        That can be spent on contacts, for work that may wait.
    """

    demand: ChannelDemand
    agents: Ints
    minutes: Floats
    runs: int
    seed: int
    params: ScheduleParams


@dataclass(frozen=True)
class _Played:
    """On which of the days the level was kept; contacts in time and all, by interval, for a queue."""

    kept: Bools
    in_time: Floats
    came: Floats


def judge_levels(
    demands: Sequence[tuple[ChannelDemand, ...]],
    force: Workforce,
    days: Sequence[date],
    params: ScheduleParams,
    seed: int,
    *,
    executor: Executor | None = None,
) -> Levels:
    """Judge every channel on every day.

    All channels are played on the same days, so that the chance that all keep their level is that of one day.

    Parameters
    ----------
    executor
        Where the days are played; by default threads.
    """
    frames: list[pl.DataFrame] = []
    kept: dict[str, list[float]] = {}
    together: list[Bools] = []
    played = _play_all(demands, force, params, seed, executor)
    for index, (day, demand) in enumerate(zip(days, demands, strict=True)):
        scheduled = force.scheduled(index)
        whole_day: Bools | None = None
        for c, item in enumerate(demand):
            if (index, c) not in played:
                continue
            work = item.work
            its = played[index, c]
            available, busy, levels = steady_levels(item.contacts, scheduled[c], work, params)
            simulated = np.full(params.intervals, np.nan)
            if work.kind == "queue":
                simulated = np.divide(its.in_time, its.came, out=simulated, where=its.came > 0)
            if item.contacts.any():
                kept.setdefault(item.channel, []).append(chance(its.kept))
                whole_day = its.kept if whole_day is None else whole_day & its.kept
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
        if whole_day is not None:
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


def _play_all(
    demands: Sequence[tuple[ChannelDemand, ...]],
    force: Workforce,
    params: ScheduleParams,
    seed: int,
    executor: Executor | None,
) -> dict[tuple[int, int], _Played]:
    """Play every channel with work or staff, by day and channel: all of it at once, for it is independent."""
    games: dict[tuple[int, int], list[_Game]] = {}
    for index, demand in enumerate(demands):
        scheduled = force.scheduled(index)
        runs = min(_runs(item, scheduled[c], params) for c, item in enumerate(demand))
        for c, item in enumerate(demand):
            if item.contacts.any() or scheduled[c].any():
                games[index, c] = _games(
                    item, scheduled[c], force.between[index][c],
                    runs=runs, seed=(seed + 1009 * index + c) % 2**31, params=params,
                )  # fmt: skip
    found = iter(parallel_map(_play, [game for its in games.values() for game in its], executor=executor))
    return {place: _join([next(found) for _ in its]) for place, its in games.items()}


def _games(
    item: ChannelDemand,
    scheduled: Ints,
    between: Floats,
    *,
    runs: int,
    seed: int,
    params: ScheduleParams,
) -> list[_Game]:
    """Divide the days of a queue into batches, each with draws of its own; work that may wait is quick."""
    agents = available_agents(scheduled, item.work.shrinkage)
    minutes = np.asarray((scheduled + between) * params.interval_min * (1.0 - item.work.shrinkage))
    step = _BATCH if item.work.kind == "queue" else max(runs, 1)
    return [
        _Game(item, agents, minutes, min(step, runs - first), (seed + first) % 2**31, params)
        for first in range(0, max(runs, 1), step)
    ]


def _play(game: _Game) -> _Played:
    """Play the days of one task."""
    item, params = game.demand, game.params
    work = item.work
    if work.kind == "queue":
        queue = simulate_queue(
            item.contacts, game.agents, interval_min=params.interval_min, handle_min=work.handle_min,
            within_min=work.within_s / 60.0, patience_min=work.patience_min, runs=game.runs, seed=game.seed,
        )  # fmt: skip
        return _Played(queue.kept(work.target_share), queue.in_time, queue.came)
    arriving = item.contacts.copy()
    arriving[0] = max(arriving[0] - item.own, 0.0)
    share = simulate_backlog(
        arriving, item.own, game.minutes, handle_min=work.handle_min,
        drain_intervals=drain_intervals(work, params), runs=game.runs, seed=game.seed,
    )  # fmt: skip
    nothing = np.zeros(0)
    return _Played(np.asarray(share >= work.target_share - 1e-12), nothing, nothing)


def _join(parts: Sequence[_Played]) -> _Played:
    """Put the batches of a channel's days together."""
    return _Played(
        np.concatenate([part.kept for part in parts]),
        np.sum([part.in_time for part in parts], axis=0),
        np.sum([part.came for part in parts], axis=0),
    )


def _runs(item: ChannelDemand, scheduled: Ints, params: ScheduleParams) -> int:
    """Return how many days to simulate: fewer for a large centre, where one day is much like another."""
    if item.work.kind == "drain":
        return params.runs or _MOST_RUNS
    work = float(item.contacts.sum()) * float(scheduled.max(initial=1))
    return min(params.runs or _MOST_RUNS, max(_LEAST_RUNS, int(_MOST_STEPS / max(work, 1.0))))
