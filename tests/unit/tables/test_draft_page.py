"""How a drafted mapping is written: lines, comments and doubts, and the figures that a trial tells."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dealwright.schemas import History
from dealwright.tables.draft_page import Figures, Page

BEGIN = datetime(2025, 1, 1)


# lines and comments


def test_a_table_begins_after_an_empty_line() -> None:
    page = Page()
    page.head("agents")
    page.put("id", "No")
    page.head("assignments")
    assert page.text == '[agents]\nid = "No"\n\n[assignments]'


def test_a_comment_stands_beside_its_line_or_above_it_where_it_is_too_long() -> None:
    page = Page()
    page.put("follow_up_days", 7, "as usual")
    page.put("a", 1, "w" * 102)
    page.put("b", 1, "w" * 103)
    page.put("c", 1, " ".join(["word"] * 30))
    lines = page.lines
    assert lines[0] == "follow_up_days = 7  # as usual"
    assert lines[1] == f"a = 1  # {'w' * 102}"
    assert lines[2:4] == [f"# {'w' * 103}", "b = 1"]
    assert lines[4:] == [f"# {' '.join(['word'] * 21)}", f"# {' '.join(['word'] * 9)}", "c = 1"]
    assert not page.doubts


def test_a_line_without_a_comment_may_be_as_long_as_it_is() -> None:
    page = Page()
    page.put("a", "x" * 200)
    assert page.lines == [f'a = "{"x" * 200}"']


def test_a_doubt_is_marked_in_its_comment_and_kept_with_its_place() -> None:
    page = Page()
    page.put("currency", "USD", "nothing says which", doubt=True)
    page.head("bookings")
    page.put("status", "Stage", "is it?", doubt=True)
    page.remark("why not", doubt=True)
    page.remark("so it is")
    assert page.doubts == ["currency: nothing says which", "bookings.status: is it?", "why not"]
    assert page.lines == [
        'currency = "USD"  # DOUBT: nothing says which',
        "", "[bookings]", 'status = "Stage"  # DOUBT: is it?', "# DOUBT: why not", "# so it is",
    ]  # fmt: skip


def test_a_line_that_is_commented_out_is_no_key_of_its_table() -> None:
    page = Page()
    page.head("bookings")
    page.put("status", "Stage")
    page.put("completed_at", "Modified", "is it?", off=True)
    assert page.lines[1:] == ['status = "Stage"', '# completed_at = "Modified"  # is it?']
    assert page.keys == {"bookings": ["status"]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Owner", '"Owner"'), (True, "true"), (0.02, "0.02"), (["a", "b"], '["a", "b"]'), (("a",), '["a"]'),
        ({"column": "A", "default": 0}, '{ column = "A", default = 0 }'),
        ('The "Owner"', "'The \"Owner\"'"), ("it's", '"it\'s"'), ('"it\'s"', '"\\"it\'s\\""'),
        ("Größe", '"Größe"'), ("\x7f", '"\\u007f"'), ('"\n', '"\\"\\n"'),
        (["w" * 41, "w" * 40], f'["{"w" * 41}", "{"w" * 40}"]'),  # 89 characters
        (["w" * 41, "w" * 41], f'[\n    "{"w" * 41}",\n    "{"w" * 41}",\n]'),  # 90 in one line
    ],
)  # fmt: skip
def test_values_are_written_as_toml_that_says_the_same(value: Any, written: str) -> None:
    page = Page()
    page.put("odd key", value)
    assert page.text == f'"odd key" = {written}'
    assert tomllib.loads(page.text) == {"odd key": list(value) if isinstance(value, tuple) else value}


# what a trial tells


def history(
    leads: list[tuple[str, int, str | None, int | None]], *, unknown: bool = False, follow_up_days: float = 7
) -> History:
    """Return leads: the agent, the hour of assignment, the status, and the minutes until it was settled."""
    rows = [(str(number), *lead) for number, lead in enumerate(leads)]
    assignments = pl.DataFrame(
        [(key, agent, BEGIN + timedelta(hours=hour), unknown) for key, agent, hour, _, _ in rows],
        schema=["external_id", "agent_external_id", "assigned_at", "outcome_unknown"], orient="row",
    )  # fmt: skip
    ends = [
        (key, status, None if took is None else BEGIN + timedelta(hours=hour, minutes=took))
        for key, _, hour, status, took in rows
        if status
    ]
    bookings = pl.DataFrame(
        {
            "assignment_external_id": [key for key, _, _ in ends],
            "status": [status for _, status, _ in ends],
            "completed_at": [end if status == "confirmed" else None for _, status, end in ends],
            "cancelled_at": [end if status == "cancelled" else None for _, status, end in ends],
        },
        schema={
            "assignment_external_id": pl.String, "status": pl.String,
            "completed_at": pl.Datetime("us"), "cancelled_at": pl.Datetime("us"),
        },
    )  # fmt: skip
    return History((), pl.DataFrame(), assignments, bookings, follow_up_days)


def test_follow_up_lasts_until_95_of_100_leads_are_settled_and_a_week_at_least() -> None:
    def days(*took: int) -> int:
        return Figures.of(history([("a", 0, "confirmed", minutes) for minutes in took])).days

    assert days(60) == 7
    assert days(*[10 * 1440] * 19, 99 * 1440) == 10
    assert days(*[10 * 1440 + 1] * 20) == 11
    assert Figures.of(history([("a", 0, None, None)])).days == 7


@pytest.mark.parametrize(
    ("early", "late_min"),
    [
        (-60, 0),
        (0, 0),
        (1, 15),
        (15, 15),
        (16, 60),
        (60, 60),
        (61, 240),
        (240, 240),
        (241, 1440),
        (9000, 1440),
    ],
)
def test_leads_may_be_filed_as_late_as_some_were(early: int, late_min: int) -> None:
    leads = [("a", 0, "cancelled", -early), ("a", 0, "confirmed", 99), ("a", 0, "pending", None)]
    assert Figures.of(history(leads)).late_min == late_min


def test_an_agent_is_busy_with_the_leads_that_are_pending_or_wait_for_an_outcome() -> None:
    now = 24 * 30
    settled = [("a", 0, "confirmed", 60), ("a", now, "cancelled", 60)]
    assert Figures.of(history(settled)).busy == 0
    assert Figures.of(history([*settled, ("a", 0, "pending", None)])).busy == 1  # however old
    assert Figures.of(history([*settled, ("a", now - 24, None, None)])).busy == 1
    assert Figures.of(history([*settled, ("a", 24, None, None)])).busy == 0  # nobody follows it up any more
    assert Figures.of(history([*settled, ("a", now - 24, None, None)], unknown=True)).busy == 0
    # exactly a week before the last of all that happened, 60 minutes after `now`
    assert Figures.of(history([*settled, ("a", now + 1 - 24 * 7, None, None)])).busy == 0
    assert Figures.of(history([*settled, ("a", now + 2 - 24 * 7, None, None)])).busy == 1


def test_without_any_outcome_leads_wait_as_long_as_the_mapping_says() -> None:
    leads: list[tuple[str, int, str | None, int | None]] = [("a", 24 * 20, None, None), ("a", 0, None, None)]
    assert Figures.of(history(leads)).busy == 1
    assert Figures.of(history(leads, follow_up_days=3650)).busy == 2


def test_of_twenty_agents_the_busiest_counts() -> None:
    leads: list[tuple[str, int, str | None, int | None]]
    leads = [(f"a{agent}", 0, "pending", None) for agent in range(20) for _ in range(agent + 1)]
    assert Figures.of(history(leads)).busy == 20
