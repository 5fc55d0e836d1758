"""What the nightly plan is fed: the declaration of the columns and the frames.

Role columns get canonical names when they are read (`ACCOUNT_ROLES`, `ORDER_COLUMNS`, …); every other
column keeps the user's own name. No file is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

CHANNELS: Final = ("field", "outbound_cc", "inbound_cc", "ecom_assisted", "ecom_self")
NOTHING: Final = "nothing"
ACTIONS: Final = (
    NOTHING, "visit", "retention_call", "upsell", "cross_sell", "win_back", "service_recovery",
    "reorder_reminder",
)  # fmt: skip

TIMESTAMP: Final = pl.Datetime("us")

# canonical columns after reading; times are naive, in the company's own zone
ACCOUNT_ID: Final = "account_id"
CHURNED: Final = "churned"
FUTURE_VALUE: Final = "future_value_eur"
PREFERRED_CHANNEL: Final = "preferred_channel"
ORDER_COLUMNS: Final = {"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64}
TOUCH_COLUMNS: Final = {
    "account_id": pl.String,
    "touched_at": TIMESTAMP,
    "channel": pl.String,  # null where the action was to do nothing
    "action": pl.String,
    "response": pl.Boolean,  # for `nothing`: responded (ordered) without being touched
}
TOUCH_OPTIONAL: Final = {"rejected": pl.Boolean, "cost_eur": pl.Float64, "propensity": pl.Float64}
REP_COLUMNS: Final = {"rep_id": pl.String, "home_lat_deg": pl.Float64, "home_lon_deg": pl.Float64}
REP_OPTIONAL: Final = {
    "rep_name": pl.String,
    "skills": pl.List(pl.String),  # in a CSV file: separated by semicolons
    "shift_start_min": pl.Int64,  # minutes after midnight
    "shift_end_min": pl.Int64,
    "visits_per_day": pl.Int64,
}

# what was agreed beforehand; columns that are not said to be needed may be left out, their cells empty
PROMISE_COLUMNS: Final[dict[str, Any]] = {
    "account_id": pl.String,  # needed
    "must": pl.Boolean,  # the visit has to be made
    "rep_id": pl.String,  # by nobody else (pin)
    "day": pl.Date,  # on no other day (pin)
    "begin_min": pl.Int64,  # at this moment, in minutes after midnight (lock)
}
FREQUENCY_COLUMNS: Final[dict[str, Any]] = {
    "account_id": pl.String,  # needed
    "every_days": pl.Float64,  # calendar days between visits: 7 weekly, 3.5 twice a week, 30 monthly
    "last_visit": pl.Date,
    "due": pl.Date,  # no later than; by default the last visit plus the interval
}
CALL_BACK_COLUMNS: Final[dict[str, Any]] = {
    "account_id": pl.String,  # needed
    "at": TIMESTAMP,  # needed; on the company's clock
    "rep_id": pl.String,  # who promised it
}
# of the contact centre
CENTRE_CHANNELS: Final = ("inbound_cc", "outbound_cc", "ecom_assisted")
ARRIVAL_COLUMNS: Final[dict[str, Any]] = {
    "channel": pl.String,  # needed, as are the others; one of `CENTRE_CHANNELS`
    "start_min": pl.Int64,  # of the interval, in minutes after midnight; any length of interval
    "contacts": pl.Float64,  # expected on one day
}
STAFF_COLUMNS: Final[dict[str, Any]] = {
    "rep_id": pl.String,  # needed
    "rep_name": pl.String,
    "skills": pl.List(pl.String),  # channels the person works on; empty: all
    "patterns": pl.List(pl.String),  # shift patterns of the contract; empty: all
    "hours_per_week": pl.Float64,
    "from_min": pl.Int64,  # works no earlier and no later than, minutes after midnight
    "to_min": pl.Int64,
    "days_off": pl.List(pl.Date),
    "wish_start_min": pl.Int64,  # would like to start at
}

# meaning -> what an account column may be named as in [accounts.roles]; read by rules, briefs and the NBA
# score
ACCOUNT_ROLES: Final = (
    "name", "tier", "industry", "digital_engagement", "support_tickets", "csat", "recent_issue",
    "last_contact", "product_interest", "lifetime_value", "abandoned_carts", "inbound_calls", "visit_min",
    "rep_id", "time_zone", "opens_min", "closes_min",
)  # fmt: skip

ALWAYS: Final = "always"


def consent_column(channel: str) -> str:
    """Name the Boolean column that says whether an account consents to `channel` (null: not known)."""
    return f"consent_{channel}"


@dataclass(frozen=True)
class AccountSchema:
    """Which column of the accounts frame is what, in the names of the frame *after* reading.

    Attributes
    ----------
    numeric, dates
        Feature columns, kept under the user's own names.
    dates_ahead
        Those of `dates` that may lie after the cut-off, such as the end of a contract.
    categorical
        Feature column -> its allowed values, or ``None`` where any value is a category. A value outside the
        allowed ones is reported by *quality* and treated as missing.
    consent
        Channels for which a consent column (`consent_column`) was given. No column for a channel means that
        nobody was asked: consent is then an assumption, and the output says so.
    roles
        One of `ACCOUNT_ROLES` -> the column that plays it (often also a feature).
    known_from
        Column -> the moment from which its present content was known, the name of a date column that holds
        that moment per row, or ``"always"``. A column that is not named holds the state at the run's
        cut-off: it may describe accounts at `PlanInputs.as_of`, and must not describe them at an earlier
        (training) cut-off.
    has_position, has_churn_label, has_value_label, has_preferred_channel
        Whether ``lat_deg``/``lon_deg``, `CHURNED`, `FUTURE_VALUE` and `PREFERRED_CHANNEL` are in the frame.
    """

    numeric: tuple[str, ...] = ()
    categorical: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    dates_ahead: tuple[str, ...] = ()
    consent: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    known_from: Mapping[str, datetime | str] = field(default_factory=dict)
    has_position: bool = False
    has_churn_label: bool = False
    has_value_label: bool = False
    has_preferred_channel: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """Return the numeric, categorical and date columns, in that order."""
        return (*self.numeric, *self.categorical, *self.dates)

    def role(self, name: str) -> str | None:
        """Return the column that plays a role, or ``None`` where the user has none."""
        return self.roles.get(name)


@dataclass(frozen=True)
class PlanInputs:
    """Frames of one run, columns named and typed as the constants of this module say.

    Attributes
    ----------
    accounts
        One row per account: ``account_id`` (String), ``lat_deg``/``lon_deg``, labels, consents, preferred
        channel and the columns the schema names (numeric Float64, categorical String, dates `TIMESTAMP`).
        After *quality*: ids unique and not null; NaN and infinities are null; positions that cannot be right
        are null, and ``position_note`` (String) says why.
    orders, touches, reps
        `ORDER_COLUMNS`, `TOUCH_COLUMNS` (+ `TOUCH_OPTIONAL`), `REP_COLUMNS` (+ `REP_OPTIONAL`); further
        columns of the user's may follow. After *quality*: only known accounts, nothing later than `as_of`.
    history
        Accounts as they were at earlier moments: feature columns of `accounts` plus ``account_id`` and
        ``snapshot_at``. To describe an account at an earlier cut-off take its latest row not after it.
    staff
        People of the contact centre, `STAFF_COLUMNS`; without them the plan says how many are needed.
    promises, frequencies
        `PROMISE_COLUMNS`: visits that were promised; `FREQUENCY_COLUMNS`: how often accounts are visited.
    call_backs, arrivals
        `CALL_BACK_COLUMNS`: calls that were promised; `ARRIVAL_COLUMNS`: a forecast of contacts.
    as_of
        The cut-off of the run: everything known until then (naive, the company's zone).
    """

    accounts: pl.DataFrame
    schema: AccountSchema
    as_of: datetime
    orders: pl.DataFrame | None = None
    touches: pl.DataFrame | None = None
    reps: pl.DataFrame | None = None
    history: pl.DataFrame | None = None
    staff: pl.DataFrame | None = None
    promises: pl.DataFrame | None = None
    frequencies: pl.DataFrame | None = None
    call_backs: pl.DataFrame | None = None
    arrivals: pl.DataFrame | None = None
