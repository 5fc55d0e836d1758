"""The desk's finished tasks beside the user's own touches: of any types, once each, none too early."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dealwright.plan.quality import QualityParams, check_quality
from dealwright.schemas import TOUCH_COLUMNS, TOUCH_OPTIONAL, AccountSchema, PlanInputs
from dealwright.tables.plan_inputs import add_touches, read_plan_inputs

NOON = datetime(2024, 6, 1, 12)
AS_OF = datetime(2024, 6, 2)
DESK = pl.DataFrame(
    {
        "account_id": ["1", "2", "2"],
        "touched_at": [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(days=3)],
        "channel": ["field", "outbound_cc", "field"],
        "action": ["visit", "upsell", "visit"],
        "response": [True, False, False],
        "rejected": [False, True, False],
        "cost_eur": [45.0, None, 45.0],
        "propensity": [0.9, None, None],
        "rep_id": ["R1", None, "R1"],
        "task_id": [1, 2, 3],
    }
)
SAME = {"account_id": "1", "touched_at": NOON, "channel": "field", "action": "visit", "response": True}
OTHER = {**SAME, "touched_at": NOON - timedelta(days=9), "response": False}
ACCOUNTS = pl.DataFrame({"account_id": ["1", "2"], "spend": [1.0, 2.0]})


def inputs(touches: pl.DataFrame | None, as_of: datetime = AS_OF) -> PlanInputs:
    return PlanInputs(ACCOUNTS, AccountSchema(numeric=("spend",)), as_of, touches=touches)


def touched(given: PlanInputs) -> pl.DataFrame:
    assert given.touches is not None
    return given.touches


def test_without_a_table_of_ones_own_they_are_the_touches() -> None:
    seen = add_touches(inputs(None), DESK)
    assert touched(seen).equals(DESK.head(2).drop("rep_id", "task_id"))
    assert touched(seen).schema == pl.Schema({**TOUCH_COLUMNS, **TOUCH_OPTIONAL})
    assert seen.intake.problems.is_empty()
    usable = check_quality(seen, QualityParams()).inputs.touches
    assert usable is not None
    assert usable["account_id"].to_list() == ["1", "2"]


def test_what_is_optional_may_be_missing() -> None:
    bare = DESK.select(list(TOUCH_COLUMNS))
    assert touched(add_touches(inputs(None), bare)).columns == list(TOUCH_COLUMNS)
    own = pl.DataFrame([OTHER]).with_columns(mood=pl.lit("good"))
    seen = touched(add_touches(inputs(own), DESK))
    assert seen.select("mood", "cost_eur").rows() == [("good", None), (None, 45.0), (None, None)]


@pytest.mark.parametrize(
    ("as_of", "count"), [(NOON - timedelta(microseconds=1), 0), (NOON, 1), (NOON + timedelta(days=3), 3)]
)
def test_a_task_counts_from_the_moment_it_was_finished(as_of: datetime, count: int) -> None:
    assert touched(add_touches(inputs(None, as_of), DESK)).height == count


@pytest.mark.parametrize(
    "own",
    [
        pl.DataFrame([SAME, OTHER]),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("account_id").cast(pl.Int32)),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("touched_at").cast(pl.Datetime("ms"))),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("touched_at").dt.replace_time_zone("UTC")),
        pl.DataFrame([SAME, OTHER]).with_columns(
            pl.col("touched_at").dt.to_string("%Y-%m-%d %H:%M:%S%.6f"), pl.col("response").cast(pl.String)
        ),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("response").cast(pl.Int8)),
        pl.DataFrame([SAME, OTHER]).with_columns(pl.col("channel", "action").cast(pl.Categorical)),
    ],
    ids=["canonical", "whole-number ids", "milliseconds", "with a zone", "text", "0 and 1", "categories"],
)
def test_rows_the_users_table_has_already_count_once(own: pl.DataFrame) -> None:
    seen = touched(read_plan_inputs(ACCOUNTS, touches=own, as_of=AS_OF, further_touches=DESK))
    assert seen["account_id"].to_list() == ["1", "1", "2"]
    assert seen["response"].to_list() == [True, False, False]
    assert seen["channel"].to_list() == ["field", "field", "outbound_cc"]


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({}, 2), ({"account_id": "2"}, 3), ({"touched_at": NOON - timedelta(microseconds=1)}, 3),
        ({"channel": "outbound_cc"}, 3), ({"action": "upsell"}, 3), ({"response": False}, 2),
    ],
)  # fmt: skip
def test_a_touch_is_the_same_by_account_moment_channel_and_action(
    change: dict[str, object], rows: int
) -> None:
    assert touched(add_touches(inputs(pl.DataFrame([{**SAME, **change}])), DESK)).height == rows


def test_touches_without_a_channel_are_the_same_too() -> None:
    nothing = {**SAME, "channel": None, "action": "nothing"}
    own = pl.DataFrame([nothing, nothing], schema=dict(TOUCH_COLUMNS))
    desk = pl.DataFrame([nothing, SAME], schema=dict(TOUCH_COLUMNS))
    # the user's own rows stay as they are, even if they come twice
    assert touched(add_touches(inputs(own), desk))["action"].to_list() == ["nothing", "nothing", "visit"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_of_the_desk_and_the_desk_itself_count_once(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"touches.{ending}"
    if ending == "csv":
        DESK.write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S%.6f")  # as `task export` does
    else:
        DESK.write_parquet(path)
    late = AS_OF + timedelta(days=9)
    seen = touched(read_plan_inputs(ACCOUNTS, touches=path, as_of=late, further_touches=DESK))
    assert seen.select("touched_at", "cost_eur").rows() == DESK.select("touched_at", "cost_eur").rows()


def test_a_table_of_days_keeps_the_desks_hours() -> None:
    own = pl.DataFrame([{**OTHER, "touched_at": date(2024, 5, 1)}])
    seen = touched(read_plan_inputs(ACCOUNTS, touches=own, as_of=AS_OF, further_touches=DESK))
    assert seen["touched_at"].to_list()[:2] == [datetime(2024, 5, 1), NOON]


def test_tasks_of_accounts_that_are_not_planned_are_left_out_and_said() -> None:
    strange = pl.DataFrame([{**SAME, "account_id": name} for name in ("8", "9", "1")])
    seen = add_touches(inputs(None), strange)
    assert touched(seen)["account_id"].to_list() == ["1"]
    said = seen.intake.problems.select("table", "file", "column", "level", "rows", "reason", "fix")
    assert said.rows() == [
        (
            "touches", "the desk", "account_id", "note", 2, "finished tasks of accounts not in the table",
            "add the accounts, if their tasks are to count",
        )
    ]  # fmt: skip
    assert seen.intake.rejected == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, NOON + timedelta(days=3)),  # the orders end before the desk's last outcome
        ({"as_of": AS_OF}, AS_OF),
        ({"touches": pl.DataFrame([{**SAME, "touched_at": datetime(2024, 7, 1, 10)}])}, datetime(2024, 7, 2)),
    ],
)
def test_the_cut_off_is_not_before_the_desks_last_outcome(
    given: dict[str, object], expected: datetime
) -> None:
    orders = pl.DataFrame({"account_id": ["1"], "ordered_at": [date(2024, 5, 30)], "amount_eur": [5.0]})
    read = read_plan_inputs(ACCOUNTS, orders=orders, further_touches=DESK, **given)  # type: ignore[arg-type]
    assert read.as_of == expected
    assert touched(read).height == (2 if "as_of" in given else 3 + ("touches" in given))


def test_a_slip_of_the_year_does_not_move_the_cut_off() -> None:
    slip = DESK.with_columns(touched_at=pl.Series([NOON, NOON, datetime(2062, 6, 1)]))
    orders = pl.DataFrame({"account_id": ["1"], "ordered_at": [date(2024, 5, 30)], "amount_eur": [5.0]})
    assert read_plan_inputs(ACCOUNTS, orders=orders, further_touches=slip).as_of == NOON
    none = read_plan_inputs(ACCOUNTS, orders=orders, further_touches=slip.clear())
    assert none.as_of == datetime(2024, 5, 31)
    assert touched(none).is_empty()
