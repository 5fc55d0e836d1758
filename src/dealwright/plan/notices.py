"""What a reader has to know before acting on a plan: broken promises, who is not served, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl

from dealwright.plan.result import Plan
from dealwright.schemas import CENTRE_CHANNELS, NOTHING
from dealwright.wording import count_of, write_eur

_FIGURE: Final = re.compile(r"[+-]?\d[\d.,:]*")
_IN_QUEUE: Final = re.compile(r"^(\w+ is full): place \d+ in its queue$")
_SHOWN: Final = 3
_PROMISES: Final = ("promises", "call_backs")
_MOST_IDLE_SHARE: Final = 0.5


def notices(plan: Plan) -> Iterator[str]:
    """Yield one sentence or two for each thing to know, the most urgent first."""
    yield from _moved(plan)
    yield from _promises(plan)
    yield from _service(plan)
    yield from _idle(plan)
    yield from _learning(plan)
    yield from _data(plan)
    yield from _models(plan)


def _moved(plan: Plan) -> Iterator[str]:
    """Yield how many accounts get another representative, and what it would cost to leave them."""
    if plan.territories is None:
        return
    moved = int(plan.territories.frame["moved"].fill_null(value=False).sum())
    price = plan.territories.keeping_eur_per_month
    if not moved:
        return
    costs = (
        ""
        if price is None or price <= 0
        else f"; to keep every account where it was would cost {write_eur(price)} a month more"
    )
    yield (
        f"{_accounts(moved, 'gets', 'get')} another representative{costs} "
        "(accounts.parquet, rep_id; territories.parquet, moved)"
    )


def _promises(plan: Plan) -> Iterator[str]:
    """Yield the promised visits and calls that are not made, or that could not even be read."""
    tables = plan.tables
    yield from _rejected(plan, _PROMISES)
    missed = tables["left_out"].filter("must")
    yield from _one_by_one(missed, "the promised visit to {} cannot be made: {}", "left_out.parquet")
    missed = tables["calls_unplaced"].filter("call_back")
    yield from _one_by_one(missed, "the call promised to {} has no place: {}", "calls_unplaced.parquet")


def _one_by_one(rows: pl.DataFrame, form: str, file: str) -> Iterator[str]:
    for account_id, reason in rows.select("account_id", "reason").head(_SHOWN).iter_rows():
        yield form.format(account_id, reason)
    if rows.height > _SHOWN:
        yield f"and {rows.height - _SHOWN:,} more promises: see {file}"


def _service(plan: Plan) -> Iterator[str]:
    """Yield who is not reached for other reasons than a full channel, and what the stages noted."""
    yield from _field(plan)
    tables, accounts = plan.tables, plan.accounts.select("account_id", "channel", "channel_note")
    waiting = tables["waitlist"].filter(~pl.col("reason").str.contains(_IN_QUEUE.pattern))
    yield from _grouped(waiting, "accounts wait", "waitlist.parquet")
    elsewhere = accounts.filter(pl.col("channel_note").is_not_null() & pl.col("channel").is_not_null())
    told = elsewhere.select("account_id", reason="channel_note")
    yield from _grouped(told, "accounts got another channel", "accounts.parquet, channel_note")
    calls = tables["calls_unplaced"].filter(~pl.col("call_back"))
    yield from _grouped(calls, "calls have no place", "calls_unplaced.parquet")
    for result in (plan.territories, plan.routes, plan.schedule):
        for note in () if result is None else result.notes:
            if not note.startswith(tuple(f"{name}: " for name in CENTRE_CHANNELS)):
                yield note
    travel = "" if plan.routes is None else plan.routes.travel_source
    if travel and not travel.startswith(("estimated", "none")):
        yield f"travel times: {travel}"
    yield from _limits(plan)


def _field(plan: Plan) -> Iterator[str]:
    """Say where accounts are to be visited and no visit is planned at all."""
    if plan.routes is not None:
        return
    visits = plan.accounts.select("channel").filter(pl.col("channel") == "field").height
    if not plan.inputs.schema.has_position:
        why = "the accounts have no positions (latitude and longitude in the schema file)"
    elif plan.inputs.reps is None:
        why = "no representatives were given (--reps)"
    else:
        yield "there is no representative: nobody is visited"
        return
    if visits:
        yield f"{_accounts(visits, 'is', 'are')} to be visited, but no day is planned: {why}"


def _limits(plan: Plan) -> Iterator[str]:
    free = plan.tables["channels"].filter(pl.col("capacity").is_null() & (pl.col("scheduled") > 0))["channel"]
    if free.len():
        names = ", ".join(free)
        yield f"no limit is known for {names}: give --staff, or [channel.limits] in the parameters"


def _idle(plan: Plan) -> Iterator[str]:
    """Say why most accounts get no action, where that is so."""
    accounts, does_nothing = plan.accounts.select("action"), pl.col("action") == NOTHING
    idle = accounts.filter(does_nothing)
    if idle.height <= _MOST_IDLE_SHARE * accounts.height:
        return
    reason = pl.col("excluded").list.explode().str.replace(r"^[^:]*: ", "")
    counts = []
    for part in plan.account_parts():
        against = part.filter(does_nothing).select(reason.alias("reason")).drop_nulls()["reason"]
        kinds = against.str.replace_all(_FIGURE.pattern, "…")
        counts.append(kinds.value_counts(sort=True, name="count"))
    common = counts[0]
    if len(counts) > 1:
        common = pl.concat(counts).group_by("reason").agg(pl.col("count").sum())
        common = common.sort("count", "reason", descending=[True, False])
    told = ", ".join(str(text) for text in common.head(_SHOWN)["reason"])
    yield (
        f"{idle.height:,} of {count_of(accounts.height, 'account')} "
        + ("gets no action" if idle.height == 1 else "get no action")
        + (f"; most often: {told}" if told else "")
    )


def _learning(plan: Plan) -> Iterator[str]:
    """Say which accounts are treated to learn from them: their action need not be expected to pay."""
    drawn = pl.col("explore") & (pl.col("action") != NOTHING)
    explored = plan.accounts.select("explore", "action").filter(drawn).height
    control = plan.accounts.select("control").filter("control").height
    if explored:
        yield (
            f"{_accounts(explored, 'gets', 'get')} an action drawn at random, to learn what works: "
            f"{'it may not be' if explored == 1 else 'some of them are not'} expected to pay"
        )
    if control:
        yield f"{_accounts(control, 'is', 'are')} left alone as a control group, drawn at random as well"


def _rejected(plan: Plan, names: Iterable[str]) -> Iterator[str]:
    """Say how many rows of some tables were rejected, and why."""
    intake = plan.quality.intake
    for name in names:
        count = intake.tables[name].rejected.height if name in intake.tables else 0
        if count:
            were = f"1 row of {name} was" if count == 1 else f"{count:,} rows of {name} were"
            yield f"{were} rejected: {intake.common_reasons(name)}"


def _data(plan: Plan) -> Iterator[str]:
    yield from _rejected(plan, [name for name in plan.quality.intake.tables if name not in _PROMISES])
    for issue in plan.quality.issues.filter(pl.col("level") == "warning").iter_rows(named=True):
        some = f"{count_of(issue['rows'], 'row')}: " if issue["rows"] else ""
        yield f"{issue['table']}, column {issue['column']}: {some}{issue['message']} ({issue['fix']})"
    for note in plan.actions.notes:
        if not note.startswith("nba_score"):
            yield note


def _models(plan: Plan) -> Iterator[str]:
    said = plan.predictions.summary()
    for target in ("churn", "value"):
        for key in (f"{target}_fallback", f"{target}_model_note"):
            if said.get(key):
                yield f"{target}: {said[key]}"
    if plan.drift.frame.height:
        yield f"drift: {plan.drift.message}"


def _grouped(rows: pl.DataFrame, what: str, file: str) -> Iterator[str]:
    """Yield the most frequent reasons; those that differ by figures only count as one, told by an example."""
    if rows.is_empty():
        return
    ranked = (
        rows.group_by(pl.col("reason").str.replace_all(_FIGURE.pattern, "#").alias("kind"))
        .agg(pl.len().alias("count"), pl.col("account_id").first(), pl.col("reason").first())
        .sort("count", "kind", descending=[True, False])
    )
    for count, account_id, reason in ranked.select("count", "account_id", "reason").head(_SHOWN).iter_rows():
        yield f"{count:,} {what} ({reason})" if count > 1 else f"{_one(what, account_id)}: {reason}"
    left = int(ranked["count"].slice(_SHOWN).sum())
    if left:
        yield f"and {left:,} more {what} for other reasons: see {file}"


def _accounts(count: int, one: str, several: str) -> str:
    """Return a subject with its verb: ``1 account gets``, ``1,200 accounts get``."""
    return f"{count_of(count, 'account')} {one if count == 1 else several}"


def _one(what: str, account_id: str) -> str:
    """Say of one account what `what` says of several."""
    noun, _, verb = what.partition(" ")
    verb = {"have no place": "has no place", "wait": "waits"}.get(verb, verb)
    return f"{noun.removesuffix('s')} {account_id} {verb}"
