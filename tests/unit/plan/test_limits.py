"""Each account left out names the limit that binds, and the counts add up to the accounts."""

from __future__ import annotations

from typing import Any

import polars as pl

from dealwright.plan.channels.capacity import FROM_STAFF
from dealwright.plan.limits import able_to, find_limits
from dealwright.schemas import (
    CHANNEL_COLUMNS,
    LEFT_OUT_COLUMNS,
    STAFF_COLUMNS,
    UNPLACED_CALL_COLUMNS,
    conform,
)

ACCOUNT = {
    "account_id": pl.String, "action": pl.String, "channel": pl.String, "expected_value_eur": pl.Float64,
    "waiting_for": pl.String, "withheld_by": pl.String, "withheld_eur": pl.Float64,
}  # fmt: skip
CHANNELS = conform(
    pl.DataFrame({"channel": ["field", "outbound_cc", "ecom_self"],
                  "capacity_source": ["representatives", FROM_STAFF, "declared"]}),
    CHANNEL_COLUMNS, "channel",
)  # fmt: skip


def accounts(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"action": "visit", "channel": None, "expected_value_eur": 10.0, "waiting_for": None,
             "withheld_by": None, "withheld_eur": None}  # fmt: skip
    return pl.DataFrame([usual | row for row in rows], schema=ACCOUNT)


def left_out(*rows: dict[str, Any]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows)), LEFT_OUT_COLUMNS, "account_id")


def unplaced(*rows: dict[str, Any]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows)), UNPLACED_CALL_COLUMNS, "account_id")


def found(*rows: dict[str, Any], **tables: Any) -> dict[str, tuple[str | None, str | None]]:
    """Return how each account is left out, and by which limit."""
    frame = find_limits(accounts=accounts(*rows), channels=CHANNELS, **tables).frame
    return {row[0]: (row[1], row[2]) for row in frame.select("account_id", "left_out", "limit").iter_rows()}


def test_who_waits_for_a_visit_is_held_by_what_kept_it_from_being_made() -> None:
    visits = left_out(
        {"account_id": "A", "limit": "shift", "value_eur": 5.0},
        {"account_id": "A", "limit": "opening hours", "value_eur": 4.0},
        {"account_id": "B", "limit": "visits a day", "value_eur": 3.0},
        {"account_id": "C", "limit": "skills", "value_eur": 3.0},
    )
    answer = found(
        {"account_id": "A", "waiting_for": "field"},
        {"account_id": "B"},
        {"account_id": "C", "waiting_for": "ecom_self"},
        left_out=visits,
    )
    assert answer == {
        "A": ("waits", "shift"),  # the first that was said of it
        "B": ("waits", "visits a day"),
        "C": ("waits", "contacts a day"),  # it waits for another channel, whose limit that is
    }


def test_a_full_channel_is_held_by_its_hours_its_skills_or_its_contacts() -> None:
    able = conform(pl.DataFrame({"rep_id": ["P"], "skills": [["outbound_cc"]]}), STAFF_COLUMNS, "rep_id")
    other = conform(pl.DataFrame({"rep_id": ["P"], "skills": [["inbound_cc"]]}), STAFF_COLUMNS, "rep_id")
    call = {"account_id": "A", "action": "upsell", "waiting_for": "outbound_cc"}
    online = {"account_id": "A", "action": "upsell", "waiting_for": "ecom_self"}
    nowhere = {"account_id": "A", "action": "upsell"}
    assert found(call, staff=able)["A"] == ("waits", "hours of agents")
    assert found(call, staff=other)["A"] == ("waits", "skills")
    assert found(call)["A"] == ("waits", "contacts a day")
    assert found(online, staff=able)["A"] == ("waits", "contacts a day")
    assert found(nowhere)["A"] == ("waits", "no channel")


def test_a_call_without_time_and_a_visit_made_otherwise() -> None:
    answer = found(
        {"account_id": "call", "channel": "outbound_cc"},
        {"account_id": "visited", "channel": "field"},
        {"account_id": "instead", "channel": "outbound_cc"},
        {"account_id": "fine", "channel": "outbound_cc"},
        {"account_id": "nothing", "action": "nothing"},
        {"account_id": "asked", "action": "nothing", "withheld_by": "consent", "withheld_eur": 7.0},
        left_out=left_out(
            {"account_id": "instead", "limit": "shift", "value_eur": 40.0},
            {"account_id": "visited", "limit": "shift", "value_eur": 40.0},
        ),
        unplaced=unplaced(
            {"account_id": "call", "limit": "closed", "value_eur": 10.0},
            {"account_id": "visited", "limit": "closed", "value_eur": 10.0},
        ),
    )
    assert answer == {
        "call": ("no time for its call", "closed"),
        "visited": (None, None),  # somebody goes there: what its call lacked does not matter
        "instead": ("reached on another channel", "shift"),
        "fine": (None, None),
        "nothing": (None, None),
        "asked": ("no action", "consent"),
    }


def test_the_table_counts_and_adds_up_what_each_limit_holds() -> None:
    limits = find_limits(
        accounts=accounts(
            {"account_id": "1", "waiting_for": "ecom_self", "expected_value_eur": 1.0},
            {"account_id": "2", "waiting_for": "ecom_self", "expected_value_eur": 2.0},
            {"account_id": "3", "waiting_for": "outbound_cc", "expected_value_eur": 4.0},
            {"account_id": "4", "waiting_for": "field", "expected_value_eur": 8.0},
            {"account_id": "5", "channel": "outbound_cc", "expected_value_eur": 16.0},
            {"account_id": "6", "channel": "outbound_cc", "expected_value_eur": 32.0},
            {"account_id": "7", "action": "nothing", "expected_value_eur": 0.0, "withheld_by": "consent",
             "withheld_eur": 64.0},
        ),
        channels=CHANNELS,
        left_out=left_out(
            {"account_id": "4", "limit": "shift", "value_eur": 9.0},
            {"account_id": "6", "limit": "shift", "value_eur": 50.0},
        ),
        unplaced=unplaced({"account_id": "5", "limit": "closed", "value_eur": 16.0}),
    )  # fmt: skip
    assert limits.table.select("state", "channel", "limit", "accounts", "value_eur").rows() == [
        ("waits", "ecom_self", "contacts a day", 2, 3.0),
        ("waits", "field", "shift", 1, 8.0),
        ("waits", "outbound_cc", "contacts a day", 1, 4.0),
        ("reached on another channel", "field", "shift", 1, 50.0),
        ("no time for its call", "outbound_cc", "closed", 1, 16.0),
        ("no action", None, "consent", 1, 64.0),
    ]
    assert limits.summary() == {"waits": 4, "no_time_for_its_call": 1, "reached_on_another_channel": 1}
    assert limits.to_frame().equals(limits.table)
    nobody = find_limits(accounts=accounts({"account_id": "1", "channel": "field"}), channels=CHANNELS)
    assert nobody.summary() == {"waits": 0, "no_time_for_its_call": 0, "reached_on_another_channel": 0}


def test_who_is_able_to() -> None:
    """Without skills somebody does everything."""
    staff = conform(
        pl.DataFrame({"rep_id": ["d", "c", "b", "a"],
                      "skills": [["outbound_cc"], [], None, ["inbound_cc", "outbound_cc"]]}),
        STAFF_COLUMNS, "rep_id",
    )  # fmt: skip
    assert able_to("outbound_cc", staff)["rep_id"].to_list() == ["a", "b", "c", "d"]
    assert able_to("inbound_cc", staff)["rep_id"].to_list() == ["a", "b", "c"]
