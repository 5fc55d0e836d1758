"""What comes of a changed day of the contact centre: its figures, and the frames that the plan writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from dealwright.plan.staffing.call_list import CALLING
from dealwright.plan.staffing.centre_day import CentreDay
from dealwright.plan.staffing.centre_draft import CentreDraft
from dealwright.plan.staffing.clock import on_clock_of
from dealwright.plan.staffing.levels import steady_levels
from dealwright.plan.staffing.missing import missing_min
from dealwright.plan.staffing.workforce import CHANNELS
from dealwright.schemas import CALL_COLUMNS, SERVICE_LEVEL_COLUMNS, SHIFT_COLUMNS, UNPLACED_CALL_COLUMNS


@dataclass(frozen=True)
class CentreFigures:
    """What a day of the contact centre costs and keeps.

    Attributes
    ----------
    cost_eur
        Of paid time.
    short_min
        Minutes of staff missing: of a queue in every interval, of work that may wait what is left over.
    service_level
        Share of a queue's contacts answered in time, by Erlang's formulas; None where nobody waits on a line.
    """

    paid_h: float
    cost_eur: float
    short_min: float
    service_level: float | None
    calls: int
    value_eur: float

    def minus(self, other: CentreFigures) -> CentreFigures:
        """Return the difference."""
        level = None
        if self.service_level is not None and other.service_level is not None:
            level = self.service_level - other.service_level
        return CentreFigures(
            self.paid_h - other.paid_h, self.cost_eur - other.cost_eur, self.short_min - other.short_min,
            level, self.calls - other.calls, self.value_eur - other.value_eur,
        )  # fmt: skip


def figures_of_centre(day: CentreDay, draft: CentreDraft) -> CentreFigures:
    """Count what a day costs and keeps. Who is absent is paid for the shift all the same."""
    params, scheduled = day.params, draft.scheduled(day.params)
    in_time = came = 0.0
    for c, channel in enumerate(CHANNELS):
        work, contacts = params.work_of(channel), day.contacts[c]
        if work.kind == "queue":
            levels = steady_levels(contacts, scheduled[c], work, params)[2]
            in_time += float((contacts * levels).sum())
            came += float(contacts.sum())
    # nobody is missing for a customer who is not to be called
    asked = [name for name in day.may_call if name not in day.earlier and name not in draft.left_out]
    demand = day.demand_of(asked) if draft.left_out else day.planned_demand
    short = missing_min(demand, scheduled + draft.work_between(params), params)
    paid_h = sum(shift.paid_min for shift in draft.shifts.values()) / 60.0
    return CentreFigures(
        paid_h, paid_h * params.cost_eur_per_h, short, in_time / came if came > 0 else None, len(draft.calls),
        sum(day.value_eur.get(account, 0.0) for account in draft.calls),
    )  # fmt: skip


def _at(day: CentreDay, minute: float) -> datetime:
    return datetime.combine(day.day, time()) + timedelta(minutes=minute)


def shift_frame(day: CentreDay, draft: CentreDraft, touched: frozenset[str]) -> pl.DataFrame:
    """Return `SHIFT_COLUMNS`; the shift of who goes home ends then, and who never comes has none."""
    rows = []
    for row in day.shifts.filter(pl.col("rep_id").is_in(list(touched))).iter_rows(named=True):
        shift, activity = draft.shifts[row["rep_id"]], draft.activity[row["rep_id"]]
        gone = draft.absent.get(row["rep_id"], shift.end_min)
        if gone <= shift.start_min:
            continue
        meal = None if shift.lunch is None or shift.lunch[1] > gone else shift.lunch
        lunch = [None, None] if meal is None else [_at(day, minute) for minute in meal]
        length = shift.breaks[0][1] - shift.breaks[0][0] if shift.breaks else 0
        rows.append((
            row["rep_id"], row["rep_name"], day.day, shift.pattern, _at(day, shift.start_min),
            _at(day, min(shift.end_min, gone)), *lunch,
            [_at(day, begin) for begin, end in shift.breaks if end <= gone], length,
            shift.paid_min, [name for c, name in enumerate(CHANNELS) if (activity == c).any()],
        ))  # fmt: skip
    changed = pl.DataFrame(rows, schema=SHIFT_COLUMNS, orient="row")
    return pl.concat([day.shifts.filter(~pl.col("rep_id").is_in(list(touched))), changed]).sort(
        "start_at", "rep_id"
    )


def call_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    """Return `CALL_COLUMNS`; a call that was not moved is as it was planned."""
    same = [
        name
        for name, call in draft.calls.items()
        if day.planned_calls.get(name) == call and name not in draft.extra_min
    ]
    rows, unmoved = [], set(same)
    for name, call in draft.calls.items():
        if name in unmoved:
            continue
        start = _at(day, call.begin_min)
        local = on_clock_of(start, day.time_zone, day.zone_of.get(name, day.time_zone))
        rows.append((
            call.rep_id, name, CALLING, start,
            _at(day, draft.ends_min(name, day.params)), local, day.priority.get(name, 0),
            day.value_eur.get(name), name in day.promised,
        ))  # fmt: skip
    moved = pl.DataFrame(rows, schema=CALL_COLUMNS, orient="row")
    return pl.concat([day.calls.filter(pl.col("account_id").is_in(same)), moved]).sort("start_at", "rep_id")


def unplaced_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    """Return `UNPLACED_CALL_COLUMNS`."""
    rows = [
        (name, CALLING, day.value_eur.get(name), name in day.promised, *why)
        for name, why in draft.unplaced.items()
    ]
    return pl.DataFrame(rows, schema=UNPLACED_CALL_COLUMNS, orient="row")


def level_frame(day: CentreDay, draft: CentreDraft) -> pl.DataFrame:
    """Return `SERVICE_LEVEL_COLUMNS`, not simulated."""
    params, scheduled = day.params, draft.scheduled(day.params)
    moments = [_at(day, params.opens_min + t * params.interval_min) for t in range(params.intervals)]
    frames = []
    for c, channel in enumerate(CHANNELS):
        work, contacts = params.work_of(channel), day.contacts[c]
        if not contacts.any() and not scheduled[c].any():
            continue
        available, busy, levels = steady_levels(contacts, scheduled[c], work, params)
        nobody = [None] * params.intervals
        frames.append(
            pl.DataFrame(
                {
                    "day": [day.day] * params.intervals, "channel": [channel] * params.intervals,
                    "start_at": moments, "contacts": contacts,
                    "required": day.required[c].astype(np.int64) if work.kind == "queue" else nobody,
                    "scheduled": scheduled[c], "available": available, "occupancy": busy,
                    "service_level": levels, "simulated_service_level": nobody,
                },
                schema=SERVICE_LEVEL_COLUMNS,
            ).with_columns(pl.col(pl.Float64).fill_nan(None))
        )  # fmt: skip
    return pl.concat(frames) if frames else pl.DataFrame(schema=SERVICE_LEVEL_COLUMNS)
