"""What is settled about an account's channel before it is allocated, and in which order."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from dealwright.plan.commitments import find_commitments
from dealwright.plan.routing import RouteParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.schemas import (
    CALL_BACK_COLUMNS,
    FREQUENCY_COLUMNS,
    PROMISE_COLUMNS,
    AccountSchema,
    PlanInputs,
    conform,
)

AS_OF = datetime(2026, 6, 30)  # a Tuesday; the first planned day is 1 July
TOMORROW, NEXT_WEEK = date(2026, 7, 1), date(2026, 7, 8)


def found(**tables: pl.DataFrame) -> dict[str, tuple[str, str, str | None]]:
    """Return channel, kind and reason of each account that has a commitment."""
    accounts = pl.DataFrame({"account_id": list("ABCDEF")})
    inputs = PlanInputs(accounts, AccountSchema(), AS_OF, **tables)
    frame = find_commitments(inputs, RouteParams(), ScheduleParams())
    rows = frame.select("account_id", "channel", "kind", "why").rows()
    assert len({row[0] for row in rows}) == len(rows)  # each account once
    return {row[0]: row[1:] for row in rows}


def rhythm(*rows: dict[str, object]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), FREQUENCY_COLUMNS, "account_id")


def promise(*rows: dict[str, object]) -> pl.DataFrame:
    return conform(pl.DataFrame(list(rows), infer_schema_length=None), PROMISE_COLUMNS, "account_id")


def test_nothing_is_settled_where_nobody_said_anything() -> None:
    assert found() == {}
    assert (
        found(promises=promise({"account_id": "A"}).clear(), frequencies=rhythm({"account_id": "A"}).clear())
        == {}
    )


def test_a_visit_is_promised_for_a_planned_day_or_for_any() -> None:
    answer = found(
        promises=promise(
            {"account_id": "A", "day": TOMORROW}, {"account_id": "B"}, {"account_id": "C", "day": NEXT_WEEK}
        )
    )
    assert answer == {"A": ("field", "promised", None), "B": ("field", "promised", None)}


def test_a_call_is_promised_for_a_day_that_is_planned() -> None:
    calls = conform(
        pl.DataFrame({
            "account_id": ["A", "B"], "at": [datetime(2026, 7, 1, 11), datetime(2026, 7, 8, 11)],
        }),
        CALL_BACK_COLUMNS, "account_id",
    )  # fmt: skip
    assert found(call_backs=calls) == {"A": ("outbound_cc", "promised", None)}


def test_a_visit_that_comes_round_is_due_or_closed_until_it_is() -> None:
    answer = found(
        frequencies=rhythm(
            {"account_id": "A", "every_days": 14.0, "last_visit": date(2026, 6, 10)},
            {"account_id": "B", "every_days": 30.0, "last_visit": date(2026, 6, 20)},
        )
    )
    assert answer == {
        "A": ("field", "due", None),
        "B": ("field", "closed", "its visit is not due before 2026-07-20"),
    }


def test_a_last_day_without_a_rhythm_is_due_only_when_it_comes() -> None:
    answer = found(
        frequencies=rhythm(
            {"account_id": "A", "due": TOMORROW},
            {"account_id": "B", "due": NEXT_WEEK},  # no reason to come tonight, and nothing against it
            {"account_id": "C", "every_days": 7.0, "last_visit": date(2026, 6, 24), "due": NEXT_WEEK},
        )
    )
    assert answer["A"] == ("field", "due", None)
    assert "B" not in answer
    assert answer["C"][:2] in {("field", "due"), ("field", "closed")}  # its rhythm decides, not the last day
    only_days = rhythm({"account_id": "A", "due": TOMORROW}, {"account_id": "B", "due": NEXT_WEEK})
    assert found(frequencies=only_days.drop("every_days")) == {"A": ("field", "due", None)}


def test_a_promise_comes_before_what_is_due_and_a_visit_before_a_call() -> None:
    calls = conform(
        pl.DataFrame({"account_id": ["A", "B"], "at": [datetime(2026, 7, 1, 11)] * 2}),
        CALL_BACK_COLUMNS, "account_id",
    )  # fmt: skip
    due = rhythm(
        *({"account_id": name, "every_days": 14.0, "last_visit": date(2026, 6, 10)} for name in "ABC")
    )
    answer = found(promises=promise({"account_id": "A"}), call_backs=calls, frequencies=due)
    assert answer == {
        "A": ("field", "promised", None),
        "B": ("outbound_cc", "promised", None),
        "C": ("field", "due", None),
    }
