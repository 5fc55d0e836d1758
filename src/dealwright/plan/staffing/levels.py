"""The service level of each interval, by Erlang's formulas and simulated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np
import polars as pl

from dealwright.plan.staffing.demand import ChannelDemand, Ints
from dealwright.plan.staffing.erlang import available_agents, service_level
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.simulation import simulate_queue
from dealwright.plan.staffing.workforce import Workforce
from dealwright.schemas import SERVICE_LEVEL_COLUMNS

_MOST_STEPS: Final = 2e9  # contacts × agents × days: a few seconds
_LEAST_RUNS: Final = 20


def judge_levels(
    demands: Sequence[tuple[ChannelDemand, ...]],
    force: Workforce,
    days: Sequence[date],
    params: ScheduleParams,
    seed: int,
) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return `SERVICE_LEVEL_COLUMNS`, and each queue's probability that a day keeps its service level."""
    frames: list[pl.DataFrame] = []
    kept: dict[str, list[float]] = {}
    for index, (day, demand) in enumerate(zip(days, demands, strict=True)):
        scheduled = force.scheduled(index)
        for c, item in enumerate(demand):
            if not item.contacts.any() and not scheduled[c].any():
                continue
            work = item.work
            available = available_agents(scheduled[c], work.shrinkage)
            levels = simulated = np.full(params.intervals, np.nan)
            load = item.contacts / params.interval_min * work.handle_min
            if work.kind == "queue":
                levels = np.array(
                    [
                        service_level(
                            int(n), float(a), work.handle_min, work.within_s / 60.0, work.patience_min
                        )
                        for n, a in zip(available, load, strict=True)
                    ]
                )
                played = simulate_queue(
                    item.contacts, available, interval_min=params.interval_min, handle_min=work.handle_min,
                    within_min=work.within_s / 60.0, patience_min=work.patience_min,
                    runs=_runs(item, available, params),
                    seed=(seed + 1009 * index + c) % 2**31,
                )  # fmt: skip
                simulated = played.by_interval
                kept.setdefault(item.channel, []).append(played.probability(work.target_share))
            with np.errstate(divide="ignore", invalid="ignore"):
                busy = np.where(available > 0, np.minimum(load / available, 1.0), np.nan)
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
                        "occupancy": busy if work.kind == "queue" else [None] * params.intervals,
                        "service_level": levels,
                        "simulated_service_level": simulated,
                    },
                    schema=SERVICE_LEVEL_COLUMNS,
                ).with_columns(pl.col(pl.Float64).fill_nan(None))
            )
    table = pl.concat(frames) if frames else pl.DataFrame(schema=SERVICE_LEVEL_COLUMNS)
    return table, {name: float(np.mean(shares)) for name, shares in kept.items()}


def _runs(item: ChannelDemand, available: Ints, params: ScheduleParams) -> int:
    """Return how many days to simulate: fewer for a large centre, where one day is much like another."""
    work = float(item.contacts.sum()) * float(available.max(initial=1))
    return min(params.runs, max(_LEAST_RUNS, int(_MOST_STEPS / max(work, 1.0))))
