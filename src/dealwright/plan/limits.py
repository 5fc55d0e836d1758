"""Who is left out today, and which limit has to give way; what one more of each resource would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.notebook import Summarised
from dealwright.plan.channels.capacity import FROM_STAFF
from dealwright.schemas import (
    HEADCOUNT_COLUMNS,
    LEFT_OUT_COLUMNS,
    LIMIT_COLUMNS,
    ONE_MORE_COLUMNS,
    STAFF_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    conform,
)

WAITS: Final = "waits"
NO_TIME: Final = "no time for its call"
ELSEWHERE: Final = "reached on another channel"
NO_ACTION: Final = "no action"
_FIELD: Final = "field"


@dataclass(frozen=True)
class Limits(Summarised):
    """Result of *limits*.

    Attributes
    ----------
    frame
        One row per account: ``account_id``, ``left_out`` (how: it waits, has no time for its call, is reached
        on another channel than the one it was to be, has no action) and ``limit``, which would have to give
        way; null where nothing stood in the way of the best contact.
    table
        `LIMIT_COLUMNS`: the same, counted. The rows of those who wait add up to the accounts that wait, and
        to what they would bring.
    one_more
        `ONE_MORE_COLUMNS`, where it was asked for.
    headcount
        `HEADCOUNT_COLUMNS`, where it was asked for: what holds the number of people of the contact centre up.
    """

    frame: pl.DataFrame
    table: pl.DataFrame
    one_more: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ONE_MORE_COLUMNS))
    headcount: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HEADCOUNT_COLUMNS))

    def summary(self) -> Mapping[str, Any]:
        """Return how many accounts are left out."""
        counts = dict(self.table.group_by("state").agg(pl.col("accounts").sum()).iter_rows())
        return {f"{state.replace(' ', '_')}": counts.get(state, 0) for state in (WAITS, NO_TIME, ELSEWHERE)}

    def to_frame(self) -> pl.DataFrame:
        """Return `table`."""
        return self.table


def find_limits(
    *,
    accounts: pl.DataFrame,
    channels: pl.DataFrame,
    left_out: pl.DataFrame | None = None,
    unplaced: pl.DataFrame | None = None,
    staff: pl.DataFrame | None = None,
    rng: np.random.Generator | None = None,
) -> Limits:
    """Name the limit that binds for each account left out, and count them.

    Parameters
    ----------
    accounts
        ``account_id``, ``action``, ``channel``, ``expected_value_eur``, ``waiting_for``, ``withheld_by`` and
        ``withheld_eur``.
    channels
        `CHANNEL_COLUMNS`.
    left_out, unplaced
        `LEFT_OUT_COLUMNS` and `UNPLACED_CALL_COLUMNS`: the visits and calls that are not made.
    staff
        `STAFF_COLUMNS`: where nobody has the skills a channel needs, these are its limit.
    """
    del rng  # nothing is drawn
    names = accounts.select(
        "account_id", "action", "channel", "expected_value_eur", "waiting_for", "withheld_by", "withheld_eur"
    )
    for table, columns, what in (
        (left_out, LEFT_OUT_COLUMNS, "visit"),
        (unplaced, UNPLACED_CALL_COLUMNS, "call"),
    ):
        missing = pl.DataFrame(schema=columns) if table is None else table
        first = missing.unique("account_id", keep="first", maintain_order=True).select(
            "account_id", pl.col("limit").alias(f"of_{what}"), pl.col("value_eur").alias(f"{what}_eur")
        )
        names = names.join(first, on="account_id", how="left", maintain_order="left")
    waits = (pl.col("action") != "nothing") & pl.col("channel").is_null()
    visited = pl.col("channel") == _FIELD
    judged = names.with_columns(
        left_out=pl.when(waits)
        .then(pl.lit(WAITS))
        .when(pl.col("of_call").is_not_null() & (pl.col("channel") != _FIELD))
        .then(pl.lit(NO_TIME))
        .when(pl.col("of_visit").is_not_null() & ~visited & pl.col("channel").is_not_null())
        .then(pl.lit(ELSEWHERE))
        .when(pl.col("withheld_by").is_not_null())
        .then(pl.lit(NO_ACTION))
    )
    sources = dict(channels.select("channel", "capacity_source").iter_rows())
    full = {name: _limit_of(name, source, staff) for name, source in sources.items()}
    of_queue = pl.col("waiting_for").replace_strict(full, default="no channel", return_dtype=pl.String)
    # whoever waits for a visit, or for nothing, is held by what kept the visit from being made
    by_visit = pl.col("of_visit").is_not_null() & (
        pl.col("waiting_for").is_null() | (pl.col("waiting_for") == _FIELD)
    )
    judged = judged.with_columns(
        limit=pl.when(pl.col("left_out") == WAITS)
        .then(pl.when(by_visit).then("of_visit").otherwise(of_queue))
        .when(pl.col("left_out") == NO_TIME)
        .then("of_call")
        .when(pl.col("left_out") == ELSEWHERE)
        .then("of_visit")
        .when(pl.col("left_out") == NO_ACTION)
        .then("withheld_by"),
        wanted=pl.when(pl.col("left_out") == ELSEWHERE)
        .then(pl.lit(_FIELD))
        .otherwise(pl.coalesce("channel", "waiting_for")),
        worth=pl.when(pl.col("left_out") == NO_ACTION)
        .then("withheld_eur")
        .when(pl.col("left_out") == ELSEWHERE)
        .then("visit_eur")
        .otherwise("expected_value_eur"),
    )
    table = (
        judged.filter(pl.col("left_out").is_not_null())
        .group_by(state="left_out", channel="wanted", limit="limit")
        .agg(accounts=pl.len(), value_eur=pl.col("worth").sum())
        .sort("state", "accounts", "channel", "limit", descending=[True, True, False, False])
        .select(pl.col(name).cast(kind) for name, kind in LIMIT_COLUMNS.items())
    )
    frame = judged.select("account_id", "left_out", "limit")
    return Limits(frame, table)


def able_to(channel: str, staff: pl.DataFrame) -> pl.DataFrame:
    """Return who of the staff works on a channel, in the order of their ids."""
    people = conform(staff, STAFF_COLUMNS, "rep_id").sort("rep_id")
    skills = pl.col("skills")
    return people.filter(skills.is_null() | (skills.list.len() == 0) | skills.list.contains(channel))


def _limit_of(channel: str, source: str, staff: pl.DataFrame | None) -> str:
    """Name what has to give way so that a full channel holds more."""
    if source != FROM_STAFF or staff is None:
        return "contacts a day"
    return "skills" if able_to(channel, staff).is_empty() else "hours of agents"
