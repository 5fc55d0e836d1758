"""Every frame that crosses a boundary between the parts: columns, types, units, ranges.

Columns are ``{name: Polars type}``. Role columns have canonical names once they are read; every other column
keeps the user's own name. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal

import polars as pl

from dealwright.dimensions import Dimension
from dealwright.errors import GateError, InputError
from dealwright.stored import StoredTable

Columns = Mapping[str, Any]


def conform(frame: pl.DataFrame | None, columns: Columns, *needed: str) -> pl.DataFrame:
    """Return these columns of a frame, null where it lacks one; without a frame, no rows.

    Raises
    ------
    InputError
        It lacks one of the `needed` columns.
    """
    if frame is None:
        return pl.DataFrame(schema=columns)
    for name in needed:
        if name not in frame.columns:
            raise InputError(
                f"no column {name!r}: it needs {', '.join(needed)}, and has {', '.join(frame.columns)}"
            )
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in columns.items()
    )


def to_polars(frame: Any, what: str = "") -> pl.DataFrame:
    """Return any data frame that narwhals knows as one of Polars.

    Parameters
    ----------
    what
        What messages call it.

    Raises
    ------
    InputError
        It is no data frame.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    import narwhals as nw

    try:
        known = nw.from_native(frame)
    except TypeError:
        raise InputError(
            f"{what}{': ' if what else ''}a {type(frame).__name__} is no data frame; "
            "give a path, or a Polars or pandas one"
        ) from None
    eager: Any = known.collect() if isinstance(known, nw.LazyFrame) else known
    try:
        return pl.DataFrame(eager.to_polars())
    except ImportError:  # pandas text columns need PyArrow; without it they go value by value
        return pl.DataFrame([_by_value(column) for column in eager.iter_columns()])


def _by_value(column: Any) -> pl.Series:
    missing = column.is_null().to_list()
    values = [None if gone else value for value, gone in zip(column.to_list(), missing, strict=True)]
    return pl.Series(str(column.name), values, strict=False)


MOMENT: Final = pl.Datetime("us", "UTC")
TIMESTAMP: Final = pl.Datetime("us")  # naive: what the company's own clocks show

# the desk: who sells, who got which lead, what became of it


AGENT_COLUMNS: Final[Columns] = {
    "external_id": pl.String,  # the user's own id, unique
    "name": pl.String,
    "email": pl.String,
    "job_title": pl.String,
    "department": pl.String,
    "manager": pl.String,
    "years_of_service": pl.Float64,  # >= 0 or null
    "rating": pl.Float64,  # null when unknown
    "capacity": pl.Int64,  # open assignments an agent may have at once, >= 0
    "active": pl.Boolean,
    "skills": pl.List(pl.String),
    "weight": pl.Float64,  # share of leads under the fair policy, >= 0
}

AGENT_CHANNEL_COLUMNS: Final[Columns] = {  # how many open leads of a channel an agent may have
    "agent_external_id": pl.String,
    "channel": pl.String,  # a value of the dimension that is the channel
    "capacity": pl.Int64,  # >= 0
}

ASSIGNMENT_COLUMNS: Final[Columns] = {  # followed by one String column per dimension, null where unknown
    "external_id": pl.String,
    "agent_external_id": pl.String,
    "customer_name": pl.String,
    "assigned_at": MOMENT,
    "requirements": pl.String,
    "customer_id": pl.String,  # what the company calls the customer: enquiries of one share it
    "outcome_unknown": pl.Boolean,  # its booking could not be read: censored, neither won nor lost
}

BOOKING_COLUMNS: Final[Columns] = {
    "external_id": pl.String,
    "assignment_external_id": pl.String,
    "status": pl.String,  # one of BOOKING_STATUSES
    "completed_at": MOMENT,
    "cancelled_at": MOMENT,
    "base_revenue": pl.Float64,  # money, in the currency of the data
    "package_revenue": pl.Float64,
    "total_revenue": pl.Float64,
    "package": pl.String,
}

OUTCOME_COLUMNS: Final[Columns] = {  # followed by one String column per dimension, null where unknown
    "assignment_id": pl.Int64,
    "agent_id": pl.Int64,
    "assigned_at": MOMENT,
    "known_at": MOMENT,  # when the outcome became known; null while pending
    "won": pl.Boolean,  # null while pending (censored)
    "contacted": pl.Boolean,  # there is a booking
    "base_revenue": pl.Float64,  # null unless won
    "package_revenue": pl.Float64,  # null unless won
}

DAY_TASK_COLUMNS: Final[Columns] = {  # times on the company's clock; unique by day, account and channel
    "account_id": pl.String,
    "day": pl.Date,
    "action": pl.String,
    "channel": pl.String,
    "rep_id": pl.String,  # the user's own id, null where nobody in particular is to do it
    "account_name": pl.String,
    "stop": pl.Int64,  # of the representative's day, 1 is the first
    "start_at": TIMESTAMP,  # null where only the day is planned
    "end_at": TIMESTAMP,
    "window_start": TIMESTAMP,  # not before, not after
    "window_end": TIMESTAMP,
    "value_eur": pl.Float64,  # expected gain
    "cost_eur": pl.Float64,
    "propensity": pl.Float64,  # probability with which action and channel were chosen, null where not known
    "reason": pl.String,
    "brief": pl.String,  # Markdown
    # JSON: address, contact, phone, lat_deg, lon_deg; why, what, careful, more; those that are known
    "card": pl.String,
}

DESK_TOUCH_COLUMNS: Final[Columns] = {  # finished tasks as the plan reads past contacts
    "account_id": pl.String,
    "touched_at": TIMESTAMP,  # on the company's clock
    "channel": pl.String,
    "action": pl.String,
    "response": pl.Boolean,
    "rejected": pl.Boolean,
    "cost_eur": pl.Float64,
    "propensity": pl.Float64,
    "rep_id": pl.String,
    "task_id": pl.Int64,
}

# the nightly plan: what it is given, under canonical names

CHANNELS: Final = ("field", "outbound_cc", "inbound_cc", "ecom_assisted", "ecom_self")
NOTHING: Final = "nothing"
ACTIONS: Final = (
    NOTHING, "visit", "retention_call", "upsell", "cross_sell", "win_back", "service_recovery",
    "reorder_reminder",
)  # fmt: skip

# canonical columns after reading; times are naive, in the company's own zone
ACCOUNT_ID: Final = "account_id"
CHURNED: Final = "churned"
FUTURE_VALUE: Final = "future_value_eur"
PREFERRED_CHANNEL: Final = "preferred_channel"
ORDER_COLUMNS: Final[Columns] = {"account_id": pl.String, "ordered_at": TIMESTAMP, "amount_eur": pl.Float64}
TOUCH_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "touched_at": TIMESTAMP,
    "channel": pl.String,  # null where the action was to do nothing
    "action": pl.String,
    "response": pl.Boolean,  # for `nothing`: responded (ordered) without being touched
}
TOUCH_OPTIONAL: Final[Columns] = {"rejected": pl.Boolean, "cost_eur": pl.Float64, "propensity": pl.Float64}
REP_COLUMNS: Final[Columns] = {"rep_id": pl.String, "home_lat_deg": pl.Float64, "home_lon_deg": pl.Float64}
REP_OPTIONAL: Final[Columns] = {
    "rep_name": pl.String,
    "skills": pl.List(pl.String),  # in a CSV file: separated by semicolons
    "shift_start_min": pl.Int64,  # minutes after midnight
    "shift_end_min": pl.Int64,  # before the start: on the next day
    "visits_per_day": pl.Int64,
}

# what was agreed beforehand; columns that are not said to be needed may be left out, their cells empty
PROMISE_COLUMNS: Final[Columns] = {
    "account_id": pl.String,  # needed
    "must": pl.Boolean,  # the visit has to be made
    "rep_id": pl.String,  # by nobody else (pin)
    "day": pl.Date,  # on no other day (pin)
    "begin_min": pl.Int64,  # at this moment, in minutes after midnight (lock)
}
FREQUENCY_COLUMNS: Final[Columns] = {
    "account_id": pl.String,  # needed
    "every_days": pl.Float64,  # calendar days between visits: 7 weekly, 3.5 twice a week, 30 monthly
    "last_visit": pl.Date,
    "due": pl.Date,  # no later than; by default the last visit plus the interval
}
CALL_BACK_COLUMNS: Final[Columns] = {
    "account_id": pl.String,  # needed
    "at": TIMESTAMP,  # needed; on the company's clock
    "rep_id": pl.String,  # who promised it
}
# of the contact centre
CENTRE_CHANNELS: Final = ("inbound_cc", "outbound_cc", "ecom_assisted")
ARRIVAL_COLUMNS: Final[Columns] = {
    "channel": pl.String,  # needed, as are the others; one of `CENTRE_CHANNELS`
    "start_min": pl.Int64,  # of the interval, in minutes after midnight; any length of interval
    "contacts": pl.Float64,  # expected on one day
}
STAFF_COLUMNS: Final[Columns] = {
    "rep_id": pl.String,  # needed
    "rep_name": pl.String,
    "skills": pl.List(pl.String),  # channels the person works on; empty: all
    "patterns": pl.List(pl.String),  # shift patterns of the contract; empty: all
    "hours_per_week": pl.Float64,
    "from_min": pl.Int64,  # works no earlier and no later than, minutes after midnight
    "to_min": pl.Int64,  # before from_min: past midnight
    "days_off": pl.List(pl.Date),
    "wish_start_min": pl.Int64,  # would like to start at
}

# meaning -> what an account column may be named as in [accounts.roles]; read by rules, briefs and the NBA
# score
ACCOUNT_ROLES: Final = (
    "name", "tier", "industry", "digital_engagement", "support_tickets", "csat", "recent_issue",
    "last_contact", "product_interest", "lifetime_value", "abandoned_carts", "inbound_calls", "visit_min",
    "rep_id", "time_zone", "opens_min", "closes_min", "address", "contact", "phone",
)  # fmt: skip

ALWAYS: Final = "always"


def consent_column(channel: str) -> str:
    """Name the Boolean column that says whether an account consents to `channel` (null: not known)."""
    return f"consent_{channel}"


def option_name(action: str, channel: str) -> str:
    """Name the column of an option: an action on a channel."""
    return f"{action}/{channel}"


# what its stages hand on, one row per account in the order of the accounts

PREDICTION_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "churn_probability": pl.Float64,
    "predicted_value_eur": pl.Float64,  # expected spend in the horizon
    "churn_reasons": pl.List(pl.String),  # strongest first, ready to be read
    "value_reasons": pl.List(pl.String),
}
ANOMALY_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "anomaly_score": pl.Float64,  # in [0, 1], higher is odder
    "is_anomaly": pl.Boolean,
    "anomaly_reasons": pl.List(pl.String),
}
SEGMENT_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "value_bucket": pl.Int64,  # 1 lowest
    "potential_bucket": pl.Int64,
    "segment": pl.String,
}
ACTION_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "nba_score": pl.Float64,
    "action": pl.String,  # one of the catalogue's; "nothing" is one
    "channel": pl.String,  # best allowed channel for the action; null for "nothing"
    "expected_value_eur": pl.Float64,
    "runner_up": pl.String,
    "reasons": pl.List(pl.String),
    "excluded": pl.List(pl.String),  # "upsell: contacted 3 days ago (cool-down 14 days)"
    "explore": pl.Boolean,  # drawn for exploration: the action is a random eligible one
    "control": pl.Boolean,  # in the global control group: always "nothing"
    "propensity": pl.Float64,  # probability with which the logged action was drawn
}

# `accounts.parquet` of a run: these come first, null where nothing is known; what else stages find follows
ACCOUNT_RESULT_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "churn_probability": pl.Float64,
    "predicted_value_eur": pl.Float64,
    "anomaly_score": pl.Float64,
    "is_anomaly": pl.Boolean,
    "segment": pl.String,
    "nba_score": pl.Float64,
    "action": pl.String,
    "expected_value_eur": pl.Float64,
    "channel": pl.String,
    "channel_confidence": pl.Float64,
    "territory": pl.String,
    "rep_id": pl.String,
}

# of the stage *territory*
TERRITORY_COLUMNS: Final[Columns] = {  # one row per account; null for one without a position
    "account_id": pl.String,
    "territory": pl.String,
    "rep_id": pl.String,
    "workload_min": pl.Float64,  # a month
    "moved": pl.Boolean,  # to another representative than before; null for an account that had none
}
TERRITORY_TABLE_COLUMNS: Final[Columns] = {  # one row per territory
    "territory": pl.String,
    "rep_id": pl.String,
    "accounts": pl.Int64,
    "workload_min": pl.Float64,
    "deviation_pct": pl.Float64,  # from the mean workload
    "mean_distance_km": pl.Float64,  # from the middle, by workload
    "drive_min": pl.Float64,  # one way from the representative's home, by workload
    "polsby_popper": pl.Float64,
    "contiguity": pl.Float64,
    "moved": pl.Int64,
    "lat_deg": pl.Float64,
    "lon_deg": pl.Float64,
    "outline": pl.String,  # WKT
}
TERRITORY_CURVE_COLUMNS: Final[Columns] = {  # what each tolerance would give
    "tolerance": pl.Float64,
    "max_deviation_pct": pl.Float64,
    "cv_pct": pl.Float64,
    "mean_distance_km": pl.Float64,
}
TERRITORY_PLACE_COLUMNS: Final[
    Columns
] = {  # what measuring other territories takes; accounts with a position
    "account_id": pl.String,
    "lat_deg": pl.Float64,
    "lon_deg": pl.Float64,
    "workload_min": pl.Float64,  # a month
    "visits": pl.Float64,  # a month
    "own_rep_id": pl.String,  # the representative before this run
}
TERRITORY_HOME_COLUMNS: Final[Columns] = {  # one row per representative
    "rep_id": pl.String,
    "home_lat_deg": pl.Float64,
    "home_lon_deg": pl.Float64,
    "shift_min": pl.Float64,
}
APPROVED_TERRITORY_COLUMNS: Final[Columns] = {  # territories that somebody has approved
    "account_id": pl.String,
    "territory": pl.String,
    "rep_id": pl.String,  # null: nobody has it
}
SCENARIO_TABLE_COLUMNS: Final[Columns] = {  # one row per territory of a scenario
    **TERRITORY_TABLE_COLUMNS,
    "km": pl.Float64,  # of road a month, each drive from home and back shared as the workload shares it
    "value_eur": pl.Float64,  # predicted, of the accounts
    "unreachable": pl.Int64,  # accounts that the representative cannot visit within a shift
    "moved_in": pl.Int64,  # accounts whose representative is another one in the standing plan
    "moved_in_eur": pl.Float64,
}
PREVIOUS_TERRITORY_COLUMNS: Final[Columns] = {"account_id": pl.String, "territory": pl.String}

# of the stage *channel*
COMMITMENT_COLUMNS: Final[Columns] = {  # what is settled before channels are allocated
    "account_id": pl.String,
    "channel": pl.String,
    "kind": pl.String,  # `PROMISED`, `PLANNED`, `DUE` or `CLOSED`
    "why": pl.String,  # of a closed channel; of a planned visit, that it was due
}
PROMISED: Final = "promised"  # done whatever else is
PLANNED: Final = "planned"  # the routes of this run hold the visit
DUE: Final = "due"  # comes round: done before others, if there is room
CLOSED: Final = "closed"  # not on this channel tonight
CHANNEL_COLUMNS: Final[Columns] = {
    "channel": pl.String,
    "demand": pl.Int64,  # accounts that would take it if nothing were full
    "capacity": pl.Int64,  # contacts a day; null: no limit is known
    "scheduled": pl.Int64,
    "backlog": pl.Int64,  # accounts that wait for it
    "sla_min": pl.Float64,
    "sla_met": pl.Boolean,  # everybody who waits for it is expected to be reached in time
    "price_eur": pl.Float64,  # what one more contact today would add
    "last_place_eur": pl.Float64,  # what the last contact of today adds; null where the channel serves nobody
    "capacity_source": pl.String,
}
WAITLIST_COLUMNS: Final[Columns] = {
    "rank": pl.Int64,  # over all channels; urgent ones first
    "account_id": pl.String,
    "channel": pl.String,  # the one it waits for; null where none is allowed
    "value_eur": pl.Float64,
    "urgent": pl.Boolean,
    "waiting_since": TIMESTAMP,
    "due_at": TIMESTAMP,
    "place": pl.Int64,  # in the channel's own queue
    "expected_wait_days": pl.Float64,  # null: never, at today's capacity
    "in_time": pl.Boolean,
    "reason": pl.String,
}
PREVIOUS_WAITLIST_COLUMNS: Final[Columns] = {"account_id": pl.String, "waiting_since": TIMESTAMP}

# of the stage *route*
VISIT_REQUEST_COLUMNS: Final[Columns] = {
    "row": pl.Int64,  # of the accounts
    "account_id": pl.String,
    "rep_id": pl.String,
    "lat_deg": pl.Float64,
    "lon_deg": pl.Float64,
    "value_eur": pl.Float64,
    "visit_min": pl.Float64,
    "opens_min": pl.Float64,
    "closes_min": pl.Float64,
    "must": pl.Boolean,
    "urgent": pl.Boolean,  # before any other that is not
    "pinned": pl.Boolean,
    "day": pl.Date,
    "begin_min": pl.Int64,
    "position_note": pl.String,  # what is wrong with the position
}
VISIT_COLUMNS: Final[Columns] = {
    "rep_id": pl.String,
    "day": pl.Date,
    "stop": pl.Int64,  # 1 is the first
    "account_id": pl.String,
    "arrive_at": TIMESTAMP,
    "start_at": TIMESTAMP,
    "leave_at": TIMESTAMP,
    "travel_min": pl.Float64,  # from the stop before, access included
    "distance_km": pl.Float64,
    "window_start": TIMESTAMP,  # when the account opens
    "window_end": TIMESTAMP,  # when it closes: the visit is over by then
    "value_eur": pl.Float64,
    "must": pl.Boolean,
}
WORKING_DAY_COLUMNS: Final[Columns] = {  # one row per representative and day
    "rep_id": pl.String,
    "day": pl.Date,
    "stops": pl.Int64,
    "candidates": pl.Int64,
    "value_eur": pl.Float64,
    "travel_min": pl.Float64,  # the way home included
    "distance_km": pl.Float64,
    "wait_min": pl.Float64,
    "depart_at": TIMESTAMP,
    "lunch_at": TIMESTAMP,
    "back_at": TIMESTAMP,
    "home_min": pl.Float64,  # the last way
    "home_km": pl.Float64,
    "extra_hour_eur": pl.Float64,  # what the day alone would gain if the shift were an hour longer
    "extra_visit_eur": pl.Float64,  # the same of one visit more
}
DISTANCE_ONLY_DAY_COLUMNS: Final[Columns] = {
    name: kind for name, kind in WORKING_DAY_COLUMNS.items() if not name.startswith("extra_")
}
LEFT_OUT_COLUMNS: Final[Columns] = {  # visits that are not made
    "account_id": pl.String,
    "rep_id": pl.String,
    "value_eur": pl.Float64,
    "must": pl.Boolean,
    "limit": pl.String,  # which limit binds, in two or three words; one of `LIMITS` of `plan.routing.limits`
    "reason": pl.String,
    "no_room": pl.Boolean,  # a day with more time, or one visit more, could hold it
    "would_fit_rep_id": pl.String,  # the cheapest insertion: where, and what it takes
    "would_fit_day": pl.Date,
    "after_account_id": pl.String,
    "extra_min": pl.Float64,
    "extra_cost_eur": pl.Float64,
    "displaces": pl.List(pl.String),
    "displaced_eur": pl.Float64,
}

# of the stage *schedule*
SHIFT_COLUMNS: Final[Columns] = {
    "rep_id": pl.String,
    "rep_name": pl.String,
    "day": pl.Date,
    "pattern": pl.String,
    "start_at": TIMESTAMP,
    "end_at": TIMESTAMP,
    "lunch_start_at": TIMESTAMP,
    "lunch_end_at": TIMESTAMP,
    "breaks": pl.List(TIMESTAMP),  # their starts
    "break_min": pl.Int64,  # length of each
    "paid_min": pl.Int64,
    "channels": pl.List(pl.String),  # worked on that day
}
CALL_COLUMNS: Final[Columns] = {
    "rep_id": pl.String,
    "account_id": pl.String,
    "channel": pl.String,
    "start_at": TIMESTAMP,  # on the company's clock
    "end_at": TIMESTAMP,
    "local_start_at": TIMESTAMP,  # on the account's clock
    "priority": pl.Int64,  # 1 is the first
    "value_eur": pl.Float64,
    "call_back": pl.Boolean,  # promised
}
UNPLACED_CALL_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "channel": pl.String,
    "value_eur": pl.Float64,
    "call_back": pl.Boolean,
    "limit": pl.String,  # which limit binds, in two or three words
    "reason": pl.String,
}
SERVICE_LEVEL_COLUMNS: Final[Columns] = {
    "day": pl.Date,
    "channel": pl.String,
    "start_at": TIMESTAMP,  # of the interval
    "contacts": pl.Float64,
    "required": pl.Int64,  # to be scheduled; null for work that may wait
    "scheduled": pl.Int64,
    "available": pl.Int64,  # after shrinkage
    "occupancy": pl.Float64,
    "service_level": pl.Float64,  # by formula, in the steady state; null for work that may wait
    "simulated_service_level": pl.Float64,  # null where nobody came
}
CENTRE_WORK_COLUMNS: Final[Columns] = {  # who works on what
    "rep_id": pl.String,  # null: work that is done between the contacts of queues, by whoever waits for them
    "day": pl.Date,
    "start_at": TIMESTAMP,  # of the interval
    "channel": pl.String,
    "people": pl.Float64,
}
CALL_WINDOW_COLUMNS: Final[Columns] = {  # when the accounts of the call list may be called
    "account_id": pl.String,
    "day": pl.Date,
    "zone": pl.String,  # the account's clock
    "from_min": pl.List(pl.Int64),  # minutes after midnight on the company's clock
    "to_min": pl.List(pl.Int64),  # before which a call begins
}
STAFF_HOURS_COLUMNS: Final[Columns] = {
    "channel": pl.String,  # null for what belongs to none
    "used_for": pl.String,
    "hours": pl.Float64,  # they add up to the paid hours
}
HEADCOUNT_COLUMNS: Final[Columns] = {  # why so many people: each line found by planning the shifts again
    "rule": pl.String,  # "as planned", "one person fewer", and which rule does not hold
    "channel": pl.String,  # whose work the rule is about; null for all
    "people": pl.Int64,
    "paid_h": pl.Float64,
    "people_saved": pl.Int64,  # against the plan
    "paid_h_saved": pl.Float64,
    "calls_unplaced": pl.Int64,
    "shortage_h": pl.Float64,  # hours of missing staff
    "answered_in_time": pl.Float64,  # share of the contacts of queues, by formula; null without queues
}
BACKLOG_COLUMNS: Final[Columns] = {
    "channel": pl.String,
    "day": pl.Date,
    "planned": pl.Boolean,  # a day of the plan; otherwise a forecast with the last planned day's staff
    "arriving": pl.Float64,
    "capacity": pl.Float64,
    "backlog": pl.Float64,  # at the end of the day
    "of_plan": pl.Float64,  # of the backlog, contacts of the plan itself: the next night plans these again
    "wait_days": pl.Float64,  # the backlog over the capacity; null without capacity
}

# who is left out, over all stages
LIMIT_COLUMNS: Final[Columns] = {  # one row per state, channel and limit; each account is in one
    "state": pl.String,  # waits; has no time for its call; is reached on another channel; has no action
    "channel": pl.String,  # the one it is to be reached on; null for none
    "limit": pl.String,  # which has to give way, in two or three words
    "accounts": pl.Int64,
    "value_eur": pl.Float64,  # what the contacts would bring
}
ONE_MORE_COLUMNS: Final[Columns] = {  # what one more would bring, each line found by planning again
    "resource": pl.String,  # visit a day, hour of shift, representative, agent, contact a day
    "whose": pl.String,  # where it brings most: a representative, an agent, a channel
    "contacts": pl.Int64,  # more on all channels
    "contacts_value_eur": pl.Float64,  # what these bring more
    "way_cost_eur": pl.Float64,  # what the way costs more
    "gain_eur": pl.Float64,  # the difference
}

# of the stage *brief*
BRIEF_TASK_COLUMNS: Final[Columns] = {  # visits and calls in one table
    "account_id": pl.String,
    "rep_id": pl.String,
    "channel": pl.String,
    "start_at": TIMESTAMP,
    "end_at": TIMESTAMP,
    "stop": pl.Int64,
    "travel_min": pl.Float64,
    "distance_km": pl.Float64,
    "window_end": TIMESTAMP,
    "call_back": pl.Boolean,
}
BRIEF_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "rep_id": pl.String,
    "start_at": TIMESTAMP,
    "stop": pl.Int64,
    "action": pl.String,
    "channel": pl.String,
    "title": pl.String,
    "why": pl.String,  # in one sentence each: why this contact, what to do, what to be careful about
    "what": pl.String,
    "careful": pl.String,
    "more": pl.List(pl.String),  # what else there is to know, in a sentence each
    "markdown": pl.String,
    "html": pl.String,
}

PROBLEM_COLUMNS: Final[Columns] = {  # one row per cell (or column) that something is wrong with
    "table": pl.String,
    "file": pl.String,
    "line": pl.Int64,  # physical line or row of the file; null where a whole column is meant
    "column": pl.String,  # as the user calls it
    "value": pl.String,
    "level": pl.String,  # rejected: the row is left out; warning, note: it is kept
    "rows": pl.Int64,  # rows concerned: 1, or those of a column
    "reason": pl.String,
    "fix": pl.String,
}


ISSUE_COLUMNS: Final[Columns] = {
    "table": pl.String, "column": pl.String, "level": pl.String, "rows": pl.Int64, "message": pl.String,
    "fix": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Issue:
    """Something a person should know about a column; no row was lost by it unless it says so."""

    table: str
    column: str
    level: str
    rows: int
    message: str
    fix: str


@dataclass(frozen=True)
class TableReport:
    """What became of one table when it was read.

    Attributes
    ----------
    table
        Its role, such as ``orders``.
    file
        Its name, for messages.
    rows, kept
        Rows read, and rows kept; rows that a ``where`` left out, or that are no record of this table, count
        in neither.
    left_out
        Rows that the table's ``where`` left out.
    follow_on
        Rejected rows that are fine but for a rejected row of another table, which they refer to.
    rejected
        The rows left out for a problem as they came, in the order of the file, with a column ``reason``.
    found
        What was detected of the file and its columns, for people: ``separator ;``, ``day: dd.mm.yyyy``.
    undeclared
        Columns of the file that nobody declared.
    """

    table: str
    file: str
    rows: int
    kept: int
    left_out: int = 0
    follow_on: int = 0
    rejected: pl.DataFrame = field(default_factory=pl.DataFrame)
    found: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()


def joined_reports(parts: Sequence[TableReport]) -> TableReport:
    """Return the report of a table that was read part by part."""
    return replace(
        parts[0],
        rows=sum(part.rows for part in parts),
        kept=sum(part.kept for part in parts),
        left_out=sum(part.left_out for part in parts),
        follow_on=sum(part.follow_on for part in parts),
        rejected=pl.concat(part.rejected for part in parts),
        found=tuple(dict.fromkeys(words for part in parts for words in part.found)),
        undeclared=tuple(name for name in parts[0].undeclared if all(name in p.undeclared for p in parts)),
    )


@dataclass(frozen=True)
class Intake:
    """What became of the user's tables when they were read.

    Attributes
    ----------
    tables
        Role -> its report, in the order in which they were read.
    problems
        `PROBLEM_COLUMNS`.
    """

    tables: Mapping[str, TableReport] = field(default_factory=dict)
    problems: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PROBLEM_COLUMNS))

    @property
    def rejected(self) -> int:
        """Rows left out because of a problem; one that served two tables counts once in each."""
        return sum(report.rejected.height for report in self.tables.values())

    def grouped(self) -> pl.DataFrame:
        """Group the problems by kind: count, one example each, and its fix; rejections first.

        Reasons that differ by a number only, such as the line of another row, are of one kind.
        """
        order = pl.col("level").replace_strict({"rejected": 0, "warning": 1, "note": 2}, return_dtype=pl.Int8)
        kind = pl.col("reason").str.replace_all(r"\d+", "0").alias("kind")
        return (
            self.problems.group_by("table", "file", "column", "level", kind, maintain_order=True)
            .agg(pl.col("reason", "fix").first(), pl.col("rows").sum(), pl.col("line", "value").first())
            .drop("kind")
            .sort(order, pl.col("rows"), descending=[False, True], maintain_order=True)
        )

    def noted(  # noqa: PLR0917
        self, table: str, file: str, column: str, rows: int, reason: str, fix: str
    ) -> Intake:
        """Return it with one more note."""
        said = {"table": table, "file": file, "column": column, "level": "note", "rows": rows}
        note = pl.DataFrame([{**said, "reason": reason, "fix": fix}]).cast({"rows": pl.Int64})
        return Intake(self.tables, pl.concat([self.problems, note], how="diagonal"))

    def messages(self, most: int, level: str = "rejected") -> list[str]:
        """Write the first problems of a level as sentences."""
        said = []
        for row in self.problems.filter(pl.col("level") == level).head(most).iter_rows(named=True):
            line = "" if row["line"] is None else f", line {row['line']}"
            value = "" if row["value"] is None else f" {row['value']!r}"
            said.append(f"{row['file']}{line}, {row['column']}{value}: {row['reason']}; {row['fix']}")
        return said

    def common_reasons(self, table: str, most: int = 3) -> str:
        """Say why rows of a table were rejected, the commonest reasons first."""
        wrong = self.grouped().filter(pl.col("table") == table, pl.col("level") == "rejected").head(most)
        said = []
        for column, reason, fix, rows, line in wrong.select(
            "column", "reason", "fix", "rows", "line"
        ).iter_rows():
            where = f"line {line}" if rows == 1 else f"{rows:,} rows, the first is line {line}"
            said.append(f"{column} {reason} in {where}: {fix}")
        return "; ".join(said)

    def check_share(self, limit: float) -> None:
        """Stop where more than a share of a table was rejected.

        Rows that are fine but for a rejected row of another table do not count; a single row stops nothing.

        Raises
        ------
        GateError
            Says which tables, and the commonest reasons.
        """
        over = []
        for name, report in self.tables.items():
            own = report.rejected.height - report.follow_on
            if own > max(1, limit * report.rows):
                over.append(f"{own / report.rows:.1%} of {name} ({self.common_reasons(name)})")
        if over:
            raise GateError(
                f"too many rows were rejected: {', and '.join(over)}; at most {limit:.0%} of a table may be"
            )


@dataclass(frozen=True)
class History:
    """A company's agents, assignments and bookings, clean and complete.

    Attributes
    ----------
    dimensions
        The declared attributes of a lead.
    agents, assignments, bookings
        Frames with the columns of `AGENT_COLUMNS`, `ASSIGNMENT_COLUMNS` (and one per dimension) and
        `BOOKING_COLUMNS`.
    follow_up_days
        Days after which an assignment without a booking counts as not won.
    currency
        What amounts are in; None where nobody said.
    intake
        What became of the user's tables, where the history was read from them.
    agent_channels, channel_dimension
        `AGENT_CHANNEL_COLUMNS`: the limits that agents have of channels, and the dimension whose values
        those are; None where no agent has any.
    """

    dimensions: tuple[Dimension, ...]
    agents: pl.DataFrame
    assignments: pl.DataFrame
    bookings: pl.DataFrame
    follow_up_days: float = 7.0
    currency: str | None = None
    intake: Intake = field(default_factory=Intake)
    agent_channels: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=AGENT_CHANNEL_COLUMNS))
    channel_dimension: str | None = None


@dataclass(frozen=True)
class DayTasks:
    """What a run of the nightly plan asks people and systems to do.

    Attributes
    ----------
    run_id
        Follows from the content: the same tasks are the same run.
    as_of
        The run's cut-off, on the company's clock.
    time_zone
        The company's, such as ``Europe/Madrid``.
    first_day, last_day
        The working days it plans.
    frame
        `DAY_TASK_COLUMNS`, by day, representative and time.
    """

    run_id: str
    as_of: datetime
    time_zone: str
    first_day: date
    last_day: date
    frame: pl.DataFrame

    def summary(self) -> dict[str, Any]:
        """Count the tasks, and tell the run and its days."""
        return {
            "run_id": self.run_id,
            "as_of": self.as_of,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "tasks": self.frame.height,
        }


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


_PART_ROWS: Final = 1_000_000  # of a log that are looked at together where it need not be whole


class _Table:
    """A table of `PlanInputs`: given as a frame or stored, read as a frame."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, inputs: object, owner: type | None = None) -> pl.DataFrame | None:
        given = None if inputs is None else inputs.__dict__[self._name]
        return given.collect() if isinstance(given, StoredTable) else given

    def __set__(self, inputs: object, table: pl.DataFrame | StoredTable | None) -> None:
        inputs.__dict__[self._name] = table


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
    intake
        What became of the user's tables, where the inputs were read from them.
    time_zone
        The company's own clock, where the mapping names one.
    """

    accounts: pl.DataFrame
    schema: AccountSchema
    as_of: datetime
    orders: _Table = _Table()
    touches: _Table = _Table()
    reps: pl.DataFrame | None = None
    history: _Table = _Table()
    staff: pl.DataFrame | None = None
    promises: pl.DataFrame | None = None
    frequencies: pl.DataFrame | None = None
    call_backs: pl.DataFrame | None = None
    arrivals: pl.DataFrame | None = None
    intake: Intake = field(default_factory=Intake)
    time_zone: str | None = None

    def having(self, **others: Any) -> PlanInputs:
        """Return these inputs with other tables in the place of some; what is stored is not read for that."""
        return PlanInputs(**{**vars(self), **others})

    def scan(self, name: Literal["orders", "touches", "history"]) -> pl.LazyFrame | None:
        """Return a log to take from it what is needed, where there is any row of it."""
        given = vars(self)[name]
        if given is None or given.height == 0:
            return None
        return given.scan() if isinstance(given, StoredTable) else given.lazy()

    def parts(self, name: Literal["orders", "touches", "history"]) -> Iterator[pl.DataFrame]:
        """Yield the rows of a log some at a time."""
        given = vars(self)[name]
        if given is not None:
            yield from given.parts() if isinstance(given, StoredTable) else given.iter_slices(_PART_ROWS)

    def logs(self) -> dict[str, Any]:
        """Return the logs as they were given, for a stage to read them when it needs them."""
        return {name: vars(self)[name] for name in ("orders", "touches", "history")}

    def heights(self) -> dict[str, int]:
        """Return the rows of each table that is there."""
        return {
            name: given.height
            for name, given in vars(self).items()
            if isinstance(given, pl.DataFrame | StoredTable)
        }
