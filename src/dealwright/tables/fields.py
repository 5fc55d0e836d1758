"""What a usable cell of each table is: one line a field, for both loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Literal

import polars as pl

from dealwright.dimensions import BOOKING_STATUSES
from dealwright.schemas import ACCOUNT_ROLES, CENTRE_CHANNELS, CHANNELS, MOMENT, TIMESTAMP

Kind = Literal[
    "text", "number", "whole", "moment", "local", "day", "flag", "minutes", "texts", "days", "zone"
]

POLARS_TYPES: Final[Mapping[Kind, Any]] = {
    "text": pl.String, "number": pl.Float64, "whole": pl.Int64, "moment": MOMENT, "local": TIMESTAMP,
    "day": pl.Date, "flag": pl.Boolean, "minutes": pl.Int64, "texts": pl.List(pl.String),
    "days": pl.List(pl.Date), "zone": pl.String,
}  # fmt: skip
WHAT: Final[Mapping[Kind, tuple[str, str]]] = {  # kind -> what a cell is not, and how to write one
    "text": ("text", "write text"),
    "number": ("a number", "write it like 1234.50"),
    "whole": ("a whole number", "write a whole number, such as 12"),
    "moment": ("a date or time that exists", "write it like 2026-06-30 14:05"),
    "local": ("a date or time that exists", "write it like 2026-06-30 14:05"),
    "day": ("a date that exists", "write it like 2026-06-30"),
    "flag": ("yes or no", "write yes or no"),
    "minutes": ("a time of day", "write 09:00, or minutes after midnight such as 540"),
    "texts": ("a list", "separate the items with semicolons"),
    "days": ("a list of days", "write 2026-07-01; 2026-07-02"),
    "zone": ("a time zone", "write its name, such as Europe/Madrid"),
}
LARGEST_AMOUNT: Final = 999_999_999_999.0  # numeric(14,2)
_DAY_MIN: Final = 1440.0


@dataclass(frozen=True)
class Field:
    """One field of a table."""

    kind: Kind = "text"  # how a cell is read
    needed: bool = False  # whether a column must be there and every cell of it filled
    present: bool = False  # whether a column must be there; some of its cells may be empty
    # the range of numbers and minutes, both included
    low: float = -inf
    high: float = inf
    above: bool = False  # whether `low` itself is outside the range
    one_of: tuple[str, ...] = ()  # the only values there are
    default: Any = None  # the value of empty cells, and of all where no column is given
    refers: str | None = None  # table whose id the field names
    named: str | None = None  # the column's name in the frame, where it is another
    fix: str = ""  # what to write instead of a value that is out of range


@dataclass(frozen=True)
class Table:
    """One table."""

    fields: Mapping[str, Field] = field(default_factory=dict)  # name in the mapping -> field
    unique: str | None = None  # field of which no value may come twice; the first row stays
    # what to do about the rows that come again
    again: str = "keep one row per id, or give it an id of its own"
    whole: bool = False  # whether the frame has a column for every field, given or not


_TEXT, _FLAG, _ID = Field(), Field("flag"), Field(needed=True)
_AMOUNT = Field("number", low=0, high=LARGEST_AMOUNT, fix="write an amount of at least 0, or leave it empty")
_COUNT = Field("whole", low=0, fix="write a whole number of at least 0")
_CLOCK = Field("minutes", low=0, high=_DAY_MIN, fix="write 09:00, or minutes after midnight such as 540")
_LATITUDE = Field("number", low=-90, high=90, fix="write decimal degrees, such as 41.3874")
_LONGITUDE = Field("number", low=-180, high=180, fix="write decimal degrees, such as 2.1686")
_SHARE = Field("number", low=0, high=1, above=True, fix="write the probability with which it was chosen")
_ACCOUNT = Field(needed=True, refers="accounts")
_HOME = "give the position of the home"

TABLES: Final[Mapping[str, Table]] = {
    "agents": Table(
        {
            "id": Field(needed=True, named="external_id"),
            "name": _ID,
            "email": _TEXT,
            "job_title": _TEXT,
            "department": _TEXT,
            "manager": _TEXT,
            "years_of_service": Field("number", low=0, high=100, fix="write years, such as 2.5"),
            "rating": Field("number", low=-LARGEST_AMOUNT, high=LARGEST_AMOUNT, fix="write a number"),
            "capacity": Field("whole", low=0, high=2**31 - 1, fix="write how many open leads fit, 0 or more"),
            "active": Field("flag"),  # left empty: as the desk has it
            "skills": Field("texts"),
            "weight": Field("number", low=1e-9, default=1.0, high=1e6, fix="write 1 for a full share"),
        },
        unique="id",
        whole=True,
    ),
    "assignments": Table(
        {
            "id": Field(needed=True, named="external_id"),
            "agent": Field(needed=True, named="agent_external_id", refers="agents"),
            "customer_name": _ID,
            "assigned_at": Field("moment", needed=True),
            "requirements": _TEXT,
            "customer_id": _TEXT,
        },
        unique="id",
        whole=True,
    ),
    "bookings": Table(
        {
            "id": Field(needed=True, named="external_id"),
            "assignment": Field(needed=True, named="assignment_external_id", refers="assignments"),
            "status": Field(needed=True, one_of=BOOKING_STATUSES),
            "completed_at": Field("moment"),
            "cancelled_at": Field("moment"),
            "base_revenue": _AMOUNT,
            "package_revenue": _AMOUNT,
            "total_revenue": _AMOUNT,
            "package": _TEXT,
        },
        unique="id",
        whole=True,
    ),
    "orders": Table(
        {
            "account_id": _ACCOUNT,
            "ordered_at": Field("local", needed=True),
            "amount_eur": Field(
                "number", needed=True, low=-LARGEST_AMOUNT, high=LARGEST_AMOUNT, fix="write the amount paid"
            ),
        }
    ),
    "touches": Table(
        {
            "account_id": _ACCOUNT,
            "touched_at": Field("local", needed=True),
            "channel": Field(present=True, one_of=CHANNELS),
            "action": _ID,
            "response": Field("flag", needed=True),
            "rejected": _FLAG,
            "cost_eur": _AMOUNT,
            "propensity": _SHARE,
        }
    ),
    "reps": Table(
        {
            "rep_id": _ID,
            "home_lat_deg": Field("number", needed=True, low=-90, high=90, fix=_HOME),
            "home_lon_deg": Field("number", needed=True, low=-180, high=180, fix=_HOME),
            "rep_name": _TEXT,
            "skills": Field("texts"),
            "shift_start_min": _CLOCK,
            "shift_end_min": _CLOCK,
            "visits_per_day": _COUNT,
        },
        unique="rep_id",
    ),
    "history": Table({"account_id": _ACCOUNT, "snapshot_at": Field("local", needed=True)}),
    "staff": Table(
        {
            "rep_id": _ID,
            "rep_name": _TEXT,
            "skills": Field("texts", one_of=CENTRE_CHANNELS),
            "patterns": Field("texts"),
            "hours_per_week": Field("number", low=0, high=168, fix="write hours, 0 or more"),
            "from_min": _CLOCK,
            "to_min": _CLOCK,
            "days_off": Field("days"),
            "wish_start_min": _CLOCK,
        },
        unique="rep_id",
    ),
    "promises": Table(
        {
            "account_id": _ACCOUNT,
            "must": _FLAG,
            "rep_id": Field(refers="reps"),
            "day": Field("day"),
            "begin_min": _CLOCK,
        },
        unique="account_id",
        again="keep one row, and give the number of visits as a frequency",
    ),
    "frequencies": Table(
        {
            "account_id": _ACCOUNT,
            "every_days": Field(
                "number", low=0, above=True, high=36_525, fix="give the days between two visits, such as 7"
            ),
            "last_visit": Field("day"),
            "due": Field("day"),
        },
        unique="account_id",
        again="keep one row for each account",
    ),
    "call_backs": Table(
        {"account_id": _ACCOUNT, "at": Field("local", needed=True), "rep_id": _TEXT},
        unique="account_id",
        again="keep one row for each account",
    ),
    "arrivals": Table(
        {
            "channel": Field(needed=True, one_of=CENTRE_CHANNELS),
            "start_min": Field("minutes", needed=True, low=0, high=_DAY_MIN - 1, fix=_CLOCK.fix),
            "contacts": Field(
                "number", needed=True, low=0, high=1e9, fix="write the contacts expected, 0 or more"
            ),
        }
    ),
}

ACCOUNT_FIELDS: Final[Mapping[str, Field]] = {
    "id": _ID,
    "latitude": _LATITUDE,
    "longitude": _LONGITUDE,
    "preferred_channel": _TEXT,
}
NUMERIC: Final = Field("number", fix="write a finite number, or leave it empty")

_OPEN = Field("minutes", low=0, high=2 * _DAY_MIN, fix=_CLOCK.fix)
_ROLE_KINDS: Final[Mapping[str, Field]] = {
    "visit_min": Field(
        "number", low=0, above=True, high=_DAY_MIN, fix="write minutes above 0, or leave it empty"
    ),
    "opens_min": _OPEN,
    "closes_min": _OPEN,
    "time_zone": Field("zone"),
    "last_contact": Field("local"),
    **dict.fromkeys(
        ("name", "tier", "industry", "product_interest", "rep_id", "address", "contact", "phone"), _TEXT
    ),
}
# a role that is none of these is a number
ROLE_FIELDS: Final[Mapping[str, Field]] = {name: _ROLE_KINDS.get(name, NUMERIC) for name in ACCOUNT_ROLES}
