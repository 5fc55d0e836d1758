"""Who is waited for, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from dealwright.desk.waiting import Holder, name_holders

HOLDER = Holder(
    pid=17,
    application="month end",
    user="anna",
    since=datetime(2026, 3, 1, 1, 30, 5, tzinfo=timezone(timedelta(hours=2))),
    state="idle in transaction",
    statement="update",
)


def test_a_holder_says_who_it_is_and_since_when() -> None:
    assert str(HOLDER) == (
        "process 17 (month end, user anna, in a transaction since 2026-02-28 23:30:05 UTC, "
        "idle in transaction, last statement: UPDATE)"
    )


def test_what_the_server_does_not_say_is_left_out() -> None:
    unknown = Holder(pid=17, application="", user=None, since=None, state=None, statement=None)
    assert str(unknown) == "process 17 (no application name)"
    assert str(replace(unknown, pid=0)) == "a prepared transaction (pg_prepared_xacts shows it)"
    assert str(replace(unknown, state="active")) == "process 17 (no application name, active)"


@pytest.mark.parametrize(("many", "said"), [(1, 1), (3, 3), (4, 3), (9, 3)])
def test_of_many_holders_three_are_named(many: int, said: int) -> None:
    text = name_holders(replace(HOLDER, pid=i) for i in range(1, many + 1))
    assert text.count("process ") == said
    assert text.count("; ") == said - 1
    assert text.endswith(f" and {many - said} more" if many > said else ")")
