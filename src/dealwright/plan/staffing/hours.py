"""What paid hours go into: why so many people are needed for so much work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from dealwright.plan.staffing.demand import ChannelDemand
from dealwright.plan.staffing.params import ScheduleParams
from dealwright.plan.staffing.workforce import Workforce
from dealwright.schemas import STAFF_HOURS_COLUMNS

CONTACTS: Final = "contacts"
READY: Final = "ready for the next contact"
SHRINKAGE: Final = "training, meetings, absence"
BREAKS: Final = "paid breaks"


def use_of_hours(
    demands: Sequence[tuple[ChannelDemand, ...]], force: Workforce, paid_h: float, params: ScheduleParams
) -> pl.DataFrame:
    """Return `STAFF_HOURS_COLUMNS`: per channel contacts, readiness and shrinkage, and the paid breaks.

    Work done between the calls of a queue counts with the channel that it belongs to, and not as the queue's
    readiness.
    """
    rows: list[tuple[str | None, str, float]] = []
    at_work_h = 0.0
    for c, item in enumerate(demands[0]):
        work = item.work
        contacts = ready = lost = 0.0
        for day, demand in enumerate(demands):
            own = float(force.scheduled(day)[c].sum()) * params.interval_min / 60.0
            lent = [
                float(force.between[day][d].sum()) * params.interval_min / 60.0 * other.work.pace
                for d, other in enumerate(demand)
            ]
            available = own * (1.0 - work.shrinkage)
            most = min(available, own * work.pace) if work.kind == "drain" else available
            asked = float(demand[c].contacts.sum()) * work.handle_min / 60.0
            # between the contacts of a queue is the time of its people, worked for another channel
            made_between = min(lent[c], asked)
            made = min(asked - made_between, most)
            contacts += made + made_between
            ready += available - made - (sum(lent) if work.kind == "queue" else 0.0)
            lost += own - available
            at_work_h += own
        rows += [
            (item.channel, CONTACTS, contacts),
            (item.channel, READY, ready),
            (item.channel, SHRINKAGE, lost),
        ]
    rows.append((None, BREAKS, paid_h - at_work_h))
    return pl.DataFrame(rows, schema=STAFF_HOURS_COLUMNS, orient="row").filter(pl.col("hours").abs() > 1e-9)
