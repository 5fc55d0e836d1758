"""What a run asks people and systems to do: visits, calls, and contacts that have no minute of their own."""

from __future__ import annotations

import json
from datetime import date
from typing import Final

import polars as pl

from dealwright.plan.inputs import working_days
from dealwright.plan.result import Plan
from dealwright.plan.trace import hash_frame, hash_text
from dealwright.schemas import DAY_TASK_COLUMNS, NOTHING, DayTasks, PlanInputs, conform

CALL_BACK: Final = "call_back"  # a promised call to an account for which nothing was chosen on that channel
_FIELD, _CALLING = "field", "outbound_cc"  # their contacts have a time, and so a table of their own
_FOUND: Final = {
    name: DAY_TASK_COLUMNS[name]
    for name in (
        "account_id", "channel", "day", "rep_id", "stop", "start_at", "end_at", "window_start", "window_end",
        "value_eur",
    )
}  # fmt: skip
_REASONS: Final = 3
_PLACE: Final = ("lat_deg", "lon_deg")
FACTS: Final = ("name", "address", "contact", "phone", *_PLACE)
_CARD: Final = ("address", "contact", "phone", *_PLACE, "why", "what", "careful", "more")


def day_tasks(plan: Plan) -> DayTasks:
    """Collect the tasks of a run.

    A visit or call that found no place in anybody's day is no task, nor is an account that waits for a
    channel: they are in ``left_out``, ``calls_unplaced`` and ``waitlist``. A decision to do nothing is no
    task either.
    """
    days = planned_days(plan)
    tables = plan.tables
    visits = tables["visits"].with_columns(channel=pl.lit(_FIELD), end_at=pl.col("leave_at"))
    calls = tables["calls"].with_columns(day=pl.col("start_at").dt.date())
    found = [visits, calls, _untimed(plan, days[0])]
    as_decided = (pl.col("channel") == pl.col("decided_channel")) & (pl.col("action") != NOTHING)
    contacts = (
        pl.concat(conform(part, _FOUND) for part in found)
        .sort("start_at", "account_id", nulls_last=True)
        .unique(["day", "account_id", "channel"], keep="first", maintain_order=True)
    )
    decisions = _decisions(plan, contacts.select("account_id"))
    tasks = (
        contacts.join(decisions, on="account_id", how="left", maintain_order="left")
        .join(_briefs(plan), on=["account_id", "start_at"], how="left", maintain_order="left")
        .with_columns(
            action=pl.when(as_decided).then("action").otherwise(pl.lit(CALL_BACK)),
            propensity=pl.when(as_decided).then("propensity"),
            cost_eur=pl.when(as_decided).then("cost_eur"),
        )
        .select(pl.col(name).cast(kind) for name, kind in DAY_TASK_COLUMNS.items())
        .sort("day", "rep_id", "start_at", "account_id", nulls_last=True)
    )
    as_of, time_zone = plan.inputs.as_of, plan.params.action.catalogue.time_zone
    content = (hash_frame(tasks), as_of.isoformat(), time_zone, *(day.isoformat() for day in days))
    return DayTasks(hash_text("|".join(content)), as_of, time_zone, days[0], days[-1], tasks)


def planned_days(plan: Plan) -> list[date]:
    """Return the working days the run plans, in order."""
    days = set(working_days(plan.inputs.as_of, plan.params.schedule))
    return sorted(days | set(plan.tables["rep_days"]["day"]))


def _untimed(plan: Plan, first_day: date) -> pl.DataFrame:
    """Return the contacts of the other channels: on the first day, or when they are first permitted.

    Visits are among them where nobody plans routes.
    """
    timed = [_CALLING] + [_FIELD] * (plan.routes is not None)
    due = plan.accounts.select(
        "account_id", "channel", "action", "rep_id", "contact_from", "expected_value_eur"
    ).filter(
        pl.col("channel").is_not_null() & (pl.col("action") != NOTHING) & ~pl.col("channel").is_in(timed)
    )
    return due.select(
        "account_id",
        "channel",
        rep_id=pl.when(pl.col("channel") == _FIELD).then("rep_id"),
        day=pl.max_horizontal(pl.lit(first_day), pl.col("contact_from").dt.date()),
        window_start="contact_from",
        value_eur="expected_value_eur",
    )


def _decisions(plan: Plan, accounts: pl.DataFrame) -> pl.DataFrame:
    """Return what was decided for some accounts, and with what probability that very option was drawn.

    Where the stage *channel* took another action or channel than the one drawn, nobody knows.
    """
    drawn = plan.actions.frame.select(
        "account_id", "cost_eur", "option_propensity", drawn_action="action", drawn_channel="channel"
    )
    here = pl.col("account_id").is_in(accounts["account_id"].unique().implode())
    told = pl.concat(part.select("account_id", "reasons").filter(here) for part in plan.account_parts())
    as_drawn = (pl.col("action") == pl.col("drawn_action")) & (pl.col("channel") == pl.col("drawn_channel"))
    return (
        plan.accounts.select("account_id", "account_name", "action", "channel")
        .join(accounts, on="account_id", how="semi", maintain_order="left")
        .join(drawn, on="account_id", how="left", maintain_order="left")
        .join(told, on="account_id", how="left", maintain_order="left")
        .select(
            "account_id", "account_name", "action",
            decided_channel="channel",
            cost_eur=pl.when(as_drawn).then("cost_eur"),
            propensity=pl.when(as_drawn).then("option_propensity"),
            reason=pl.col("reasons").list.head(_REASONS).list.join("; ").replace("", None),
        )
    )  # fmt: skip


def account_facts(data: PlanInputs) -> pl.DataFrame:
    """Return who the accounts are and where (`FACTS`); null where nobody says."""
    known = {role: data.schema.role(role) for role in FACTS if role not in _PLACE}
    place = [
        pl.col(column) if data.schema.has_position else pl.lit(None, pl.Float64).alias(column)
        for column in _PLACE
    ]
    return data.accounts.select(
        "account_id",
        *place,
        **{
            role: pl.col(column).cast(pl.String) if column else pl.lit(None, pl.String)
            for role, column in known.items()
        },
    )


def _briefs(plan: Plan) -> pl.DataFrame:
    """Return the briefs, and as JSON what the page of a day shows; nothing that is not known."""
    facts = account_facts(plan.inputs)
    parts = [_brief_cards(part, facts) for part in plan.briefs.parts()]
    return pl.concat(parts).unique(["account_id", "start_at"], keep="first", maintain_order=True)


def _brief_cards(briefs: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    shown = briefs.join(facts, on="account_id", how="left", maintain_order="left")
    write = json.JSONEncoder(ensure_ascii=False).encode
    cards = [
        write({name: value for name, value in zip(_CARD, row, strict=True) if value not in (None, "", [])})
        for row in shown.select(*_CARD).iter_rows()
    ]
    return briefs.select("account_id", "start_at", brief="markdown", card=pl.Series(cards, dtype=pl.String))
