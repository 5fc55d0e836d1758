"""What changed since the run before, the outcomes of its tasks, and how the key figures moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.schemas import Columns, conform
from dealwright.stored import PartitionedTable

CHANGE_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "what": pl.String,  # one of `CHANGES`
    "before": pl.String,
    "after": pl.String,
    "value_eur": pl.Float64,  # expected gain of what is now planned; of what was, where the account is gone
}
REPRESENTATIVE, ACTION, CHANNEL, NEW, GONE = "representative", "action", "channel", "new", "gone"
CHANGES: Final = (REPRESENTATIVE, ACTION, CHANNEL, NEW, GONE)
"""In the order in which they are read: who moved comes first."""

OUTCOME_COLUMNS: Final[Columns] = {
    "channel": pl.String,
    "tasks": pl.Int64,  # that were due before this run
    "done": pl.Int64,
    "answered": pl.Int64,
    "expected_eur": pl.Float64,  # of all of them
    "expected_of_done_eur": pl.Float64,
    "ordered_eur": pl.Float64,  # what their accounts ordered since
}
HISTORY_COLUMNS: Final[Columns] = {
    "account_id": pl.String,
    "at": pl.Datetime("us"),  # the day
    "what": pl.String,  # order or contact
    "channel": pl.String,
    "action": pl.String,
    "answered": pl.Boolean,
    "amount_eur": pl.Float64,
}
ORDER, CONTACT = "order", "contact"
_EVENTS: Final = 6
_ACCOUNTS: Final = 100_000  # whose events are put in order together
_PENDING: Final = 1_000_000  # events that wait before they are put in order with those before
_NOBODY: Final = pl.Series("account_id", [], dtype=pl.String)
_RUNS: Final = 12
_COMPARED: Final = ("account_id", "rep_id", "action", "channel", "expected_value_eur")


def changes_since(before: pl.DataFrame | None, now: pl.DataFrame) -> pl.DataFrame:
    """Return `CHANGE_COLUMNS`: one row for each change of an account since the run before.

    Parameters
    ----------
    before, now
        ``account_id, rep_id, action, channel, expected_value_eur`` of both runs.
    """
    if before is None:
        return pl.DataFrame(schema=CHANGE_COLUMNS)
    joined = now.select(*_COMPARED, is_now=pl.lit(value=True)).join(
        before.select(*_COMPARED, was=pl.lit(value=True)),
        on="account_id", how="full", suffix="_before", coalesce=True,
    )  # fmt: skip
    is_new, is_gone = pl.col("was").is_null(), pl.col("is_now").is_null()
    stays = ~is_new & ~is_gone
    same_action = pl.col("action").eq_missing(pl.col("action_before"))
    parts = []
    for what, column, condition in (
        (REPRESENTATIVE, "rep_id", stays),
        (ACTION, "action", stays),
        # another action mostly comes with another channel, and one change is enough to say
        (CHANNEL, "channel", stays & same_action),
    ):
        moved = condition & pl.col(column).ne_missing(pl.col(f"{column}_before"))
        parts.append(_changes(joined.filter(moved), what, f"{column}_before", column))
    parts.append(_changes(joined.filter(is_new), NEW, None, "action"))
    parts.append(_changes(joined.filter(is_gone), GONE, "action_before", None))
    order = pl.col("what").replace_strict({name: place for place, name in enumerate(CHANGES)})
    return pl.concat(parts).sort(
        order, "value_eur", "account_id", descending=[False, True, False], nulls_last=True
    )


def outcomes_of(
    tasks: pl.DataFrame | None,
    touches: pl.DataFrame | pl.LazyFrame | None,
    orders: pl.DataFrame | pl.LazyFrame | None,
    since: datetime | None,
    until: datetime,
) -> pl.DataFrame:
    """Return `OUTCOME_COLUMNS`: the outcomes of the tasks of the run before, by channel.

    Parameters
    ----------
    tasks
        ``account_id, day, channel, value_eur`` of the run before.
    touches, orders
        As the plan reads them.
    since, until
        The cut-offs of both runs.
    """
    if tasks is None or since is None:
        return pl.DataFrame(schema=OUTCOME_COLUMNS)
    due = tasks.filter(pl.col("day") < pl.lit(until).dt.date()).select("account_id", "channel", "value_eur")
    fresh = (pl.col("at") >= since) & (pl.col("at") < until)
    made = pl.DataFrame(schema={"account_id": pl.String, "channel": pl.String, "answered": pl.Boolean})
    if touches is not None:
        made = (
            touches.lazy()
            .rename({"touched_at": "at"})
            .filter(fresh & pl.col("channel").is_not_null())
            .group_by("account_id", "channel")
            .agg(answered=pl.col("response").any())
            .collect()
        )
    bought = pl.DataFrame(schema={"account_id": pl.String, "ordered_eur": pl.Float64})
    if orders is not None:
        bought = (
            orders.lazy()
            .rename({"ordered_at": "at"})
            .filter(fresh)
            .group_by("account_id")
            .agg(ordered_eur=pl.col("amount_eur").sum())
            .collect()
        )
    done = pl.col("answered").is_not_null()
    return (
        due.join(made, on=["account_id", "channel"], how="left")
        .join(bought, on="account_id", how="left")
        .group_by("channel")
        .agg(
            tasks=pl.len().cast(pl.Int64), done=done.sum().cast(pl.Int64),
            answered=pl.col("answered").sum().cast(pl.Int64),
            expected_eur=pl.col("value_eur").sum(),
            expected_of_done_eur=pl.col("value_eur").filter(done).sum(),
            # an account with two tasks on one channel ordered once
            ordered_eur=pl.struct("account_id", "ordered_eur").unique().struct.field("ordered_eur").sum(),
        )
        .select(*OUTCOME_COLUMNS)
        .sort("expected_eur", "channel", descending=[True, False])
    )  # fmt: skip


def recent_events(
    orders: Iterable[pl.DataFrame], touches: Iterable[pl.DataFrame], *, each: int = _EVENTS
) -> pl.DataFrame:
    """Return `HISTORY_COLUMNS`: the latest orders and contacts (given some at a time) of every account."""
    found: dict[str, list[pl.DataFrame]] = {ORDER: [], CONTACT: []}
    for what, events in _events(orders, touches):
        parts = found[what]
        parts.append(_latest(events, each))
        # what is not among the latest of all of them is let go
        if sum(part.height for part in parts[1:]) > max(parts[0].height, _PENDING):
            parts[:] = [_latest(pl.concat(parts), each)]
    # some accounts at a time, in the order of their ids
    ids = pl.concat([part["account_id"].unique() for parts in found.values() for part in parts] or [_NOBODY])
    ids = ids.unique().sort()
    shown = [pl.DataFrame(schema=HISTORY_COLUMNS)]
    for some in ids.to_frame().iter_slices(_ACCOUNTS):
        first, last = (pl.lit(some["account_id"][place]) for place in (0, -1))
        here = pl.col("account_id").is_between(first, last)
        latest = [
            _conformed(part.filter(here), what)
            for what, parts in found.items()
            for part in parts
        ]  # fmt: skip
        shown.append(_days_of(_latest(pl.concat(latest), each)))
    return pl.concat(shown)


def stored_events(
    orders: Iterable[pl.DataFrame],
    touches: Iterable[pl.DataFrame],
    account_ids: pl.Series,
    *,
    each: int = _EVENTS,
) -> Iterator[pl.DataFrame]:
    """Yield the same as `recent_events`, some accounts at a time: of logs on disk nothing stays in memory.

    Parameters
    ----------
    account_ids
        Of all accounts: which events are put in order together follows from them.
    """
    first = account_ids.sort().gather_every(_ACCOUNTS)
    kept = PartitionedTable(max(first.len(), 1), HISTORY_COLUMNS)
    for what, events in _events(orders, touches):
        place = first.search_sorted(events["account_id"], side="right").cast(pl.Int64) - 1
        numbered = _conformed(events, what).with_columns(_place=place.clip(0))
        # sorted by account, and so by place
        latest = _latest(numbered, each)
        kept.add(latest.drop("_place"), latest["_place"])
    yield pl.DataFrame(schema=HISTORY_COLUMNS)
    for number in range(len(kept)):
        part = kept.take(number)
        if part.height:
            yield _days_of(_latest(part, each))


def _events(
    orders: Iterable[pl.DataFrame], touches: Iterable[pl.DataFrame]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield what logs say, in the columns of `HISTORY_COLUMNS` that they have, and which of them it is."""
    for rows in orders:
        yield ORDER, rows.select(
            "account_id", at=pl.col("ordered_at").cast(pl.Datetime("us")),
            amount_eur=pl.col("amount_eur").cast(pl.Float64),
        )  # fmt: skip
    for rows in touches:
        yield CONTACT, rows.filter(pl.col("channel").is_not_null()).select(
            "account_id", "channel", "action", at=pl.col("touched_at").cast(pl.Datetime("us")),
            answered="response",
        )  # fmt: skip


def _conformed(events: pl.DataFrame, what: str) -> pl.DataFrame:
    return conform(events, HISTORY_COLUMNS).with_columns(what=pl.lit(what))


def _days_of(events: pl.DataFrame) -> pl.DataFrame:
    """Leave the hours out: nobody looks at them, and they would be most of the file."""
    return events.with_columns(pl.col("at").dt.truncate("1d"))


def trend_with(
    earlier: Sequence[Mapping[str, Any]], as_of: datetime, values: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return the key figures of the last runs, this one last.

    A run that is repeated takes the place of what it was before.
    """
    moment = as_of.isoformat()
    kept = [dict(item) for item in earlier if str(item["as_of"]) < moment]
    return [*kept, {"as_of": moment, "kpis": dict(values)}][-_RUNS:]


def _latest(events: pl.DataFrame, each: int) -> pl.DataFrame:
    """Return the latest events of each account, by account, the last one first."""
    # the events of an account mostly stand together: few ids are compared, and the rest is numbers
    runs = events.select(pl.col("account_id").rle()).unnest("account_id")
    ids = runs["value"].unique().sort()
    account = np.repeat(ids.search_sorted(runs["value"]).to_numpy(), runs["len"].to_numpy())
    by_account = (
        events.select("at", _account=pl.Series(account, dtype=pl.UInt32))
        .with_row_index("_row")
        .sort("_account", "at", descending=[False, True], maintain_order=True)
        .group_by("_account", maintain_order=True)
        .head(each)
    )
    return events[by_account["_row"]]


def _changes(rows: pl.DataFrame, what: str, before: str | None, after: str | None) -> pl.DataFrame:
    nothing = pl.lit(None, pl.String)
    return rows.select(
        "account_id",
        what=pl.lit(what),
        before=nothing if before is None else pl.col(before),
        after=nothing if after is None else pl.col(after),
        value_eur=pl.coalesce("expected_value_eur", "expected_value_eur_before"),
    )
