"""What if there were more or fewer people, visits or hours."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.routing.params import RouteParams
from dealwright.runs.night_options import read_options
from dealwright.runs.what_if import InputChanges, read_changes, with_changes

ROUTE = RouteParams(visits_per_day=10, shift_start_min=510, shift_end_min=1050)
REPS = pl.DataFrame({"rep_id": ["A", "B"], "rep_name": ["Ada", "Bob"], "visits_per_day": [8, None]})


def changed(**changes: Any) -> pl.DataFrame:
    inputs = SimpleNamespace(reps=REPS, staff=None)
    inputs.having = SimpleNamespace
    found: pl.DataFrame = with_changes(inputs, InputChanges(**changes), ROUTE).reps  # type: ignore[arg-type]
    return found


def test_visits_and_hours_change_for_everybody_from_what_is_theirs() -> None:
    assert changed(visits_per_day=2)["visits_per_day"].to_list() == [10, 12]
    assert changed(visits_per_day=-9)["visits_per_day"].to_list() == [0, 1]
    later = changed(shift_end_min=60)
    assert later["shift_end_min"].to_list() == [1110, 1110]
    assert later["visits_per_day"].to_list() == [8, None]
    # past midnight
    assert changed(shift_end_min=420)["shift_end_min"].to_list() == [30, 30]


def test_people_come_like_others_and_go_by_name() -> None:
    more = changed(more_representatives=("B", "B", "A"))
    assert more["rep_id"].to_list() == ["A", "B", "B (+1)", "B (+2)", "A (+3)"]
    assert more["rep_name"].to_list()[2:] == ["Bob (+1)", "Bob (+2)", "Ada (+3)"]
    assert changed(without_representatives=("A",))["rep_id"].to_list() == ["B"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"more_representatives": ("C",)}, "no representative 'C'"),
     ({"without_representatives": ("A", "B")}, "keep one"), ({"more_staff": ("S",)}, "no staff to change"),
     ({"shift_end_min": -540}, "no hours"), ({"shift_end_min": 900}, "more than a day")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        changed(**changes)


def test_changes_are_written_and_read_back() -> None:
    changes = InputChanges(visits_per_day=1, more_representatives=("A",))
    assert read_changes(changes.table()) == changes
    assert read_changes({}) is None
    assert read_changes(InputChanges()) is None


def test_a_what_if_is_asked_for_unpublished_and_changes_are_a_what_if_s_alone() -> None:
    options = read_options({"what_if": 3, "publish": False, "changes": {"visits_per_day": 1}})
    assert (options.what_if, options.changes) == (3, InputChanges(visits_per_day=1))
    for raw in ({"what_if": 3}, {"what_if": 3, "publish": True}):
        with pytest.raises(InputError, match="never published"):
            read_options(raw)
    with pytest.raises(InputError, match="for a what-if"):
        read_options({"changes": {"visits_per_day": 1}, "as_of": datetime(2026, 7, 1)})
