"""Clean tables as a whole: the gate, columns that cannot be used or know too much, freshness, positions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.quality import Quality, QualityGateError, QualityParams, check_quality
from dealwright.schemas import (
    ISSUE_COLUMNS,
    PROBLEM_COLUMNS,
    AccountSchema,
    Intake,
    PlanInputs,
    TableReport,
)

NOW = datetime(2026, 6, 30)
SCHEMA = AccountSchema(
    numeric=("spend",), categorical={"tier": ("gold", "silver")}, dates=("since",), has_position=True,
    roles={"tier": "tier"},
)  # fmt: skip


def accounts(n: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "account_id": [f"a{k}" for k in range(n)],
            "lat_deg": np.linspace(41.3, 41.5, n),
            "lon_deg": np.linspace(2.0, 2.2, n),
            "spend": np.arange(n, dtype=float),
            "tier": ["gold", "silver"] * (n // 2) + ["gold"] * (n % 2),
            "since": [NOW - timedelta(days=30 + k) for k in range(n)],
        }
    )


def inputs(frame: pl.DataFrame | None = None, schema: AccountSchema = SCHEMA, **more: Any) -> PlanInputs:
    return PlanInputs(accounts() if frame is None else frame, schema, NOW, **more)


def intake(rejected: int, rows: int = 10, follow_on: int = 0, table: str = "accounts") -> Intake:
    """Return what reading would say of a table whose first rows had an infinite spend."""
    problems = [
        {"table": table, "file": f"{table}.csv", "line": k + 2, "column": "spend", "value": "inf",
         "level": "rejected", "rows": 1, "reason": "not a number", "fix": "write a finite number"}
        for k in range(rejected)
    ]  # fmt: skip
    aside = pl.DataFrame({"spend": ["inf"] * rejected, "reason": ["not a number"] * rejected})
    report = TableReport(table, f"{table}.csv", rows, rows - rejected, follow_on=follow_on, rejected=aside)
    return Intake({table: report}, pl.DataFrame(problems, schema=PROBLEM_COLUMNS))


def said(quality: Quality) -> dict[str, str]:
    """Return column -> level and message."""
    return {
        row["column"]: f"{row['level']}: {row['message']}" for row in quality.issues.iter_rows(named=True)
    }


# the gate


def test_the_gate_stops_the_run_names_the_cause_and_yields_to_force() -> None:
    given = inputs(intake=intake(2))
    with pytest.raises(QualityGateError) as caught:
        check_quality(given, QualityParams())
    assert str(caught.value) == (
        "the quality gate stopped the run: too many rows were rejected: 20.0% of accounts (spend not a "
        "number in 2 rows, the first is line 2: write a finite number); at most 5% of a table may be; "
        "mend the data, or go on with --force"
    )
    assert caught.value.exit_code == 1
    assert caught.value.quality.intake.rejected == 2
    forced = check_quality(given, QualityParams(), force=True)
    assert forced.inputs.accounts.height == 10
    assert forced.rejected_share == {"accounts": 0.2}
    assert forced.summary() == {
        "accounts": 10, "accounts_in": 10, "accounts_rejected": 2, "notes": 0, "warnings": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rejected", "rows", "follow_on", "share", "stops"),
    [
        (1, 2, 0, 0.05, False),  # a single row stops nothing
        (5, 100, 0, 0.05, False),
        (6, 100, 0, 0.05, True),
        (6, 100, 1, 0.05, False),  # one of them only refers to a rejected row
        (6, 100, 0, 0.06, False),
        (2, 100, 0, 0.0, True),
    ],
)
def test_the_gate_counts_the_rows_own_faults(
    rejected: int, rows: int, follow_on: int, share: float, stops: bool
) -> None:
    given = inputs(intake=intake(rejected, rows, follow_on, table="orders"))
    if stops:
        with pytest.raises(QualityGateError, match=f"of orders .*at most {share:.0%}"):
            check_quality(given, QualityParams(max_rejected_share=share))
    else:
        assert check_quality(given, QualityParams(max_rejected_share=share)).rejected_share == {
            "orders": rejected / rows
        }


@pytest.mark.parametrize(("rejected", "rows", "share"), [(0, 0, 0.0), (1, 1, 1.0), (1, 2, 0.5)])
def test_the_share_of_a_table_is_that_of_the_rows_that_were_read(
    rejected: int, rows: int, share: float
) -> None:
    quality = check_quality(inputs(intake=intake(rejected, rows)), QualityParams(), force=True)
    assert quality.rejected_share == {"accounts": share}


def test_inputs_built_by_hand_need_no_intake() -> None:
    quality = check_quality(inputs(), QualityParams())
    assert quality.issues.is_empty()
    assert dict(quality.issues.schema) == ISSUE_COLUMNS
    assert quality.inputs.accounts.drop("position_note").equals(accounts())
    assert quality.frame.to_dict(as_series=False) == {
        "account_id": accounts()["account_id"].to_list(), "position_note": [None] * 10,
        "missing_cells": [0] * 10,
    }  # fmt: skip


def test_warnings_and_notes_of_reading_are_issues_grouped_by_kind() -> None:
    row = {"table": "accounts", "file": "a.csv", "column": "tier", "level": "warning", "rows": 2,
           "reason": "unknown category", "fix": "add it"}  # fmt: skip
    found = [
        row,
        {**row, "rows": 3},
        {**row, "level": "note", "column": "spend"},
        {**row, "level": "rejected"},
    ]
    given = inputs(intake=Intake({}, pl.DataFrame(found, schema=PROBLEM_COLUMNS)))
    assert check_quality(given, QualityParams()).issues.rows() == [
        ("accounts", "tier", "warning", 5, "unknown category", "add it"),
        ("accounts", "spend", "note", 2, "unknown category", "add it"),
    ]


# columns


def test_empty_and_constant_columns_are_excluded_and_noted() -> None:
    rows = pl.int_range(pl.len())
    frame = accounts().with_columns(
        empty=pl.lit(None, pl.Float64),
        same=pl.lit(7.0),
        mostly=pl.when(rows < 4).then(1.0 * rows),
        half=pl.when(rows < 5).then(1.0 * rows),
        once=pl.when(rows < 9).then(3.0),  # empty, or 3: tells something
        word=pl.lit("x"),
        never=pl.lit(None, pl.Datetime("us")),
    )
    schema = replace(
        SCHEMA, numeric=("spend", "empty", "same", "mostly", "half", "once"), dates=("since", "never"),
        categorical={"tier": None, "word": None},
    )  # fmt: skip
    quality = check_quality(inputs(frame, schema), QualityParams())
    left = quality.inputs.schema
    assert left.numeric == ("spend", "mostly", "half", "once")
    assert (tuple(left.categorical), left.dates) == (("tier",), ("since",))
    assert said(quality) == {
        "empty": "warning: empty in every row: not used",
        "same": "note: the same in every row: not used",
        "mostly": "note: empty in 60% of the rows",
        "word": "note: the same in every row: not used",
        "never": "warning: empty in every row: not used",
    }
    assert dict(quality.issues.select("column", "rows").iter_rows()) == {
        "empty": 10, "same": 0, "mostly": 6, "word": 0, "never": 10,
    }  # fmt: skip
    assert {name: count for name, count in quality.summary().items() if count} == {
        "accounts": 10, "notes": 3, "warnings": 2,
    }  # fmt: skip
    assert quality.frame["missing_cells"].to_list() == [0, 0, 0, 0, 1, 2, 2, 2, 2, 3]


def test_of_one_row_nothing_is_constant_and_of_two_it_may_be() -> None:
    assert check_quality(inputs(accounts(1)), QualityParams()).inputs.schema == SCHEMA
    two = accounts(2).with_columns(spend=pl.lit(1.0))
    assert check_quality(inputs(two), QualityParams()).inputs.schema.numeric == ()


def test_accounts_without_features_have_no_gaps() -> None:
    frame = check_quality(inputs(accounts(3), AccountSchema()), QualityParams()).frame
    assert frame.to_dict(as_series=False) == {"account_id": ["a0", "a1", "a2"], "missing_cells": [0, 0, 0]}


def test_one_class_only_is_noted() -> None:
    frame = accounts().with_columns(churned=pl.lit(value=False))
    quality = check_quality(inputs(frame, replace(SCHEMA, has_churn_label=True)), QualityParams())
    assert quality.issues["rows"].to_list() == [0]
    assert said(quality) == {"churned": "warning: every label is False: nothing to learn from it"}
    one = frame.with_columns(churned=pl.Series([None] * 9 + [True]))
    assert said(check_quality(inputs(one, replace(SCHEMA, has_churn_label=True)), QualityParams())) == {
        "churned": "warning: every label is True: nothing to learn from it"
    }


@pytest.mark.parametrize("known", [datetime(2026, 6, 30, 0, 0, 1), "told_at"])
def test_a_column_known_after_the_cut_off_is_refused_by_name(known: datetime | str) -> None:
    told = [NOW, NOW + timedelta(seconds=1), *[None] * 8]
    frame = accounts().with_columns(told_at=pl.Series(told, dtype=pl.Datetime("us")))
    schema = replace(SCHEMA, known_from={"spend": known})
    when = (
        "from 2026-06-30 00:00"
        if isinstance(known, datetime)
        else r"later for 1 account \(column 'told_at'\)"
    )
    with pytest.raises(
        InputError, match=f"column 'spend' is known only {when}, after the cut-off 2026-06-30 00:00"
    ):
        check_quality(inputs(frame, schema), QualityParams())
    check_quality(replace(inputs(frame, schema), as_of=NOW + timedelta(seconds=1)), QualityParams())
    check_quality(inputs(frame, replace(SCHEMA, known_from={"spend": "always"})), QualityParams())
    with pytest.raises(
        InputError, match=r"\[accounts.known_from\] spend = 'tolled': accounts have no such column"
    ):
        check_quality(inputs(frame, replace(SCHEMA, known_from={"spend": "tolled"})), QualityParams())


# columns that give the label away

N = 400
RNG = np.random.default_rng(7)
LEFT = RNG.random(N) < 0.25
NOISE = RNG.normal(size=N)


def answers(column: pl.Series | list[Any] | np.ndarray, label: Any = LEFT, **schema: Any) -> str | None:
    """Return what is said of a feature beside a label."""
    values = pl.Series("thing", column)
    frame = pl.DataFrame(
        {"account_id": [str(k) for k in range(values.len())], "thing": values, "churned": label}
    )
    kind: dict[str, Any] = {"numeric": ("thing",)}
    if values.dtype == pl.String:
        kind = {"categorical": {"thing": None}}
    elif values.dtype.is_temporal():
        kind = {"dates": ("thing",)}
    quality = check_quality(
        inputs(frame, AccountSchema(has_churn_label=True, **kind, **schema)), QualityParams()
    )
    found = quality.issues.filter(pl.col("message").str.contains("it may hold the answer"))
    assert quality.inputs.schema.features == ("thing",)  # named, not taken out
    assert set(found.select("table", "column", "level", "rows").rows()) <= {
        ("accounts", "thing", "warning", 0)
    }
    return None if found.is_empty() else f"{found['message'][0]}; {found['fix'][0]}"


FIX = "say since when it is known (known_from.thing = a date or a date column), or take it out"


def test_a_column_that_is_filled_for_one_class_only_is_named() -> None:
    reason = [("price" if k % 2 else "service") if left and k % 5 else None for k, left in enumerate(LEFT)]
    assert answers(reason) == f"filled only for accounts that left: it may hold the answer; {FIX}"
    ended = [NOW - timedelta(days=k) if left and k % 5 else None for k, left in enumerate(LEFT)]
    assert answers(ended) == f"filled only for accounts that left: it may hold the answer; {FIX}"
    renewed = [None if left or k % 2 else float(k) for k, left in enumerate(LEFT)]
    assert answers(renewed) == f"filled only for accounts that stayed: it may hold the answer; {FIX}"


def test_a_few_filled_cells_that_happen_to_be_of_one_class_are_not_named() -> None:
    for kept, most in ((False, 20), (True, 4)):  # as likely as .75 ** 20 = .003 and .25 ** 4 = .004
        rows = np.flatnonzero(kept == LEFT)[:most]
        assert answers([float(k) if k in rows else None for k in range(N)]) is None
        rows = np.flatnonzero(kept == LEFT)[: most + 5]
        assert answers([float(k) if k in rows else None for k in range(N)]) is not None
    assert answers([1.0, *[None] * (N - 1)]) is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_number_that_tells_all_alone_is_named_whichever_way_round(sign: float) -> None:
    assert (
        answers(sign * (LEFT + 0.2 * NOISE))
        == f"alone it tells who left (AUC 1.000): it may hold the answer; {FIX}"
    )
    assert answers(sign * (LEFT + 0.5 * NOISE)) is None  # AUC .92


@pytest.mark.parametrize(("least", "named"), [(6.5, False), (7.5, True)])  # AUC .97 and .98
def test_a_number_is_named_if_it_orders_more_than_97_of_100_pairs_rightly(least: float, named: bool) -> None:
    stayed, left = [float(k) for k in range(10)], [least, *(k + 20.0 for k in range(9))]
    assert (answers(stayed + left, [False] * 10 + [True] * 10) is not None) == named


def test_a_date_a_category_and_emptiness_can_tell_all_as_well() -> None:
    moved = [NOW - timedelta(days=400 - 300 * bool(left), hours=k) for k, left in enumerate(LEFT)]
    assert answers(moved) is not None
    status = ["closed" if left else ("open", "active")[k % 2] for k, left in enumerate(LEFT)]
    assert answers(status) == f"alone it tells who left (AUC 1.000): it may hold the answer; {FIX}"
    why = [f"reason {k % 25}" if left else "none" for k, left in enumerate(LEFT)]  # of few rows each
    assert answers(why) == f"alone it tells who left (AUC 1.000): it may hold the answer; {FIX}"
    next_visit = [None if left else float(k % 7) for k, left in enumerate(LEFT)]
    next_visit[int(np.flatnonzero(LEFT)[0])] = 3.0  # one of those who left has one, too
    assert "AUC 0.99" in str(answers(next_visit))


def test_honest_and_rare_categories_are_not_named() -> None:
    assert answers([f"street {k}" for k in range(N)]) is None  # a value for each
    assert answers([f"street {k // 2}" for k in range(N)]) is None
    assert answers([("gold", "silver")[int(value > 0)] for value in NOISE]) is None
    assert answers(["common" if k else "rare" for k in range(N)]) is None  # all but one alike
    assert (
        answers(["A" if left ^ (k % 10 == 0) else "B" for k, left in enumerate(LEFT)]) is None
    )  # right in 9 of 10


def test_a_column_whose_time_is_known_and_rows_without_a_label_are_no_matter() -> None:
    assert answers(LEFT.astype(float), known_from={"thing": "always"}) is None
    assert answers(LEFT.astype(float), known_from={"thing": datetime(2026, 1, 1)}) is None
    half = pl.Series(LEFT).set(pl.Series(np.arange(N) % 2 == 0), None)
    assert (
        answers(np.where(np.arange(N) % 2 == 0, NOISE, LEFT), half) is not None
    )  # of the labelled ones it tells all
    assert answers(np.where(np.arange(N) % 2 == 0, LEFT, NOISE), half) is None
    assert answers(NOISE, np.ones(N, dtype=bool)) is None  # one class only


# freshness and positions


def test_stale_orders_and_touches_draw_a_warning() -> None:
    old = pl.DataFrame(
        {
            "account_id": ["a1", "a2"],
            "ordered_at": [NOW - timedelta(days=k) for k in (91, 300)],
            "amount_eur": [1.0, 2.0],
        }
    )
    touches = pl.DataFrame({"account_id": ["a1"], "touched_at": [NOW - timedelta(days=45)]})
    quality = check_quality(inputs(orders=old, touches=touches), QualityParams())
    assert quality.freshness == {"orders": 91.0, "touches": 45.0}
    stale = check_quality(replace(inputs(touches=touches), as_of=NOW + timedelta(hours=1)), QualityParams())
    assert stale.issues.select("table", "level").rows() == [("touches", "warning")]
    later = replace(inputs(orders=old), as_of=NOW + timedelta(hours=8))
    assert check_quality(later, QualityParams()).summary()["orders_age_days"] == 91.33
    assert quality.issues.rows() == [
        ("orders", "ordered_at", "warning", 0,
         "the latest row is 91 days older than the cut-off: everybody looks silent",
         "bring newer data, or set --as-of to the day the data end")
    ]  # fmt: skip
    assert check_quality(inputs(orders=old.clear()), QualityParams()).freshness == {}


def test_positions_are_judged_where_there_are_any() -> None:
    known = pl.col("account_id") != "a3"
    frame = accounts().with_columns(pl.when(known).then(pl.col("lat_deg", "lon_deg")).otherwise(0.0))
    quality = check_quality(inputs(frame), QualityParams())
    assert quality.inputs.accounts["lat_deg"].is_null().arg_true().to_list() == [3]
    assert quality.frame["position_note"][3] == "its position 0, 0 is in the Atlantic"
    assert "position 0, 0 is in the Atlantic" in said(quality)["lat_deg"]
    assert (
        "position_note"
        not in check_quality(
            inputs(frame, replace(SCHEMA, has_position=False)), QualityParams()
        ).frame.columns
    )
