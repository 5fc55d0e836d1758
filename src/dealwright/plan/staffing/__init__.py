"""Stage *schedule*: from contact-centre demand to staff, shifts, a named roster, and the call list."""

from dealwright.plan.staffing.params import ScheduleParams, ShiftPattern, Work
from dealwright.plan.staffing.stage import Schedule, schedule

__all__ = [
    "Schedule",
    "ScheduleParams",
    "ShiftPattern",
    "Work",
    "schedule",
]
