"""When nights are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dealwright.settings import DAYS, NightSettings

# nobody needs a list of the nights of a summer in which no worker ran
_MOST_DAYS: Final = 31


@dataclass(frozen=True)
class DueNight:
    """A moment at which a night is due."""

    # its name, the same for every worker: the day and time on the schedule's own clock, whatever the clock
    # does in between
    key: str
    at: datetime  # the moment, in UTC


def describe_schedule(night: NightSettings) -> str:
    """Say when nights are due; another text is another schedule."""
    return f"{night.at} {night.time_zone} {','.join(day for day in DAYS if day in night.days)}"


def due_nights(night: NightSettings, after: datetime, until: datetime) -> tuple[DueNight, ...]:
    """Return the nights that are due after one moment and at another at the latest, oldest first.

    Where the clock is put forward over the time, the night begins when that hour is over; where it is put
    back, it begins at the first of the two.
    """
    if night.at is None:
        return ()
    zone, at = ZoneInfo(night.time_zone), time.fromisoformat(night.at)
    last = until.astimezone(zone).date()
    # the day before as well: 23:30 of a day whose last hour the clock leaves out is 0:30 of the next one
    day_before = after.astimezone(zone).date() - timedelta(days=1)
    first = max(day_before, last - timedelta(days=_MOST_DAYS))
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        moment = datetime.combine(day, at, zone).astimezone(UTC)
        if DAYS[day.weekday()] in night.days and after < moment <= until:
            found.append(DueNight(_key(night, day), moment))
    return tuple(found)


def next_night(night: NightSettings, after: datetime) -> datetime | None:
    """Return when the next night is due; None where nothing is scheduled."""
    found = due_nights(night, after, after + timedelta(days=8))
    return found[0].at if found else None


def _key(night: NightSettings, day: date) -> str:
    return f"schedule {day.isoformat()}T{night.at} {night.time_zone}"
