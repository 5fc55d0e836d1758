"""Bad input is set aside with a reason, noted, or refused with the column and the fix: never dropped."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.coercion import as_flag, as_moment, as_number, as_text
from dealwright.plan.quality import Quality, QualityGateError, QualityParams, check
from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.world.barcelona import BarcelonaParams, generate

NOW = datetime(2026, 6, 30)
SCHEMA = AccountSchema(
    numeric=("spend",), categorical={"tier": ("gold", "silver")}, dates=("since",), has_position=True,
    roles={"tier": "tier"},
)  # fmt: skip
LENIENT = QualityParams(max_rejected_share=1.0)


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


def inputs(
    frame: pl.DataFrame | None = None, schema: AccountSchema = SCHEMA, **tables: pl.DataFrame
) -> PlanInputs:
    return PlanInputs(accounts() if frame is None else frame, schema, NOW, **tables)


def put(frame: pl.DataFrame, row: int, column: str, value: object) -> pl.DataFrame:
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(
        pl.Series(column, values, dtype=None if isinstance(value, str) else frame[column].dtype, strict=False)
    )


def reasons(quality: Quality, table: str = "accounts") -> dict[int, tuple[str, str]]:
    rows = quality.rejected[table]
    assert (rows["fix"].str.len_chars() > 0).all()
    return {row["row"]: (row["column"], row["reason"]) for row in rows.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("account_id", None, "missing"),
        ("account_id", "a0", "id of an earlier row"),
        ("since", NOW + timedelta(days=3), "in the future"),
        ("spend", float("inf"), "infinite"),
        ("spend", -float("inf"), "infinite"),
        ("lat_deg", 413.0, "not within ±90 degrees"),
        ("lon_deg", -181.0, "not within ±180 degrees"),
        ("lat_deg", None, "only half a position"),
    ],
)
def test_a_bad_account_is_set_aside_with_its_row_column_reason_and_fix(
    column: str, value: object, reason: str
) -> None:
    quality = check(inputs(put(accounts(), 3, column, value)), LENIENT)
    assert reasons(quality) == {4: (column, reason)}
    assert quality.inputs.accounts.height == 9
    assert "a3" not in quality.inputs.accounts["account_id"]
    assert quality.rejected["accounts"][f"given_{column}"].len() == 1


def test_a_few_cells_of_the_wrong_type_are_rows_set_aside_but_a_wrong_column_is_an_error() -> None:
    text = accounts().with_columns(pl.col("spend").cast(pl.String))
    quality = check(inputs(put(text, 2, "spend", "12 euros")), LENIENT)
    assert reasons(quality) == {3: ("spend", "not a number")}
    assert quality.inputs.accounts["spend"].dtype == pl.Float64
    with pytest.raises(
        InputError, match=r"column 'tier' is declared as a number.*row 1 holds 'gold'.*write 1234.5"
    ):
        check(inputs(schema=replace(SCHEMA, numeric=("spend", "tier"), categorical={})), LENIENT)
    with pytest.raises(InputError, match="column 'spend' is declared as a date"):
        check(
            inputs(put(text, 0, "spend", "x"), replace(SCHEMA, numeric=(), dates=("since", "spend"))), LENIENT
        )


def test_blank_text_and_nan_are_missing_not_wrong() -> None:
    text = accounts().with_columns(pl.col("spend").cast(pl.String))
    quality = check(inputs(put(put(text, 2, "spend", " "), 5, "spend", "NaN")), LENIENT)
    assert not reasons(quality)
    assert quality.inputs.accounts["spend"].null_count() == 2


def test_an_unknown_category_is_noted_and_treated_as_missing() -> None:
    quality = check(inputs(put(accounts(), 1, "tier", "platinum")), LENIENT)
    assert quality.inputs.accounts["tier"][1] is None
    issue = quality.issues.row(0, named=True)
    assert (issue["column"], issue["level"], issue["rows"]) == ("tier", "warning", 1)
    assert "platinum" in issue["message"]


def test_empty_and_constant_columns_are_excluded_and_noted() -> None:
    frame = accounts().with_columns(
        empty=pl.lit(None, pl.Float64),
        same=pl.lit(7.0),
        mostly=pl.when(pl.int_range(pl.len()) < 2).then(1.0 * pl.int_range(pl.len())),
    )
    quality = check(inputs(frame, replace(SCHEMA, numeric=("spend", "empty", "same", "mostly"))), LENIENT)
    assert quality.inputs.schema.numeric == ("spend", "mostly")
    notes = {row["column"]: row["message"] for row in quality.issues.iter_rows(named=True)}
    assert "empty in every row" in notes["empty"]
    assert "same in every row" in notes["same"]
    assert "80%" in notes["mostly"]


def test_one_class_only_is_noted() -> None:
    frame = accounts().with_columns(churned=pl.lit("no"))
    quality = check(inputs(frame, replace(SCHEMA, has_churn_label=True)), LENIENT)
    assert quality.inputs.accounts["churned"].dtype == pl.Boolean
    assert "every label is False" in quality.issues.filter(pl.col("column") == "churned")["message"][0]


def test_no_rows_one_row_and_no_usable_row() -> None:
    with pytest.raises(InputError, match="accounts has no rows"):
        check(inputs(accounts(0)), LENIENT)
    assert check(inputs(accounts(1)), LENIENT).inputs.accounts.height == 1
    with pytest.raises(InputError, match=r"no usable row: 1 have 'spend' infinite"):
        check(inputs(put(accounts(1), 0, "spend", float("inf"))), LENIENT)


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"accounts: unknown column 'spend': did you mean 'spent'"):
        check(inputs(accounts().rename({"spend": "spent"})), LENIENT)


@pytest.mark.parametrize("known", [datetime(2026, 7, 1), "told_at"])
def test_a_column_known_after_the_cut_off_is_refused_by_name(known: datetime | str) -> None:
    frame = accounts().with_columns(told_at=pl.lit(NOW + timedelta(days=1)))
    schema = replace(SCHEMA, known_from={"spend": known})
    with pytest.raises(InputError, match=r"column 'spend' is known only .* after the cut-off 2026-06-30"):
        check(inputs(frame, schema), LENIENT)
    check(replace(inputs(frame, schema), as_of=NOW + timedelta(days=2)), LENIENT)
    check(inputs(frame, replace(SCHEMA, known_from={"spend": "always"})), LENIENT)


def test_a_date_that_may_lie_ahead_is_kept_and_one_that_always_does_is_questioned() -> None:
    ahead = accounts().with_columns(since=pl.lit(NOW + timedelta(days=100)))
    with pytest.raises(InputError, match="add it to dates_ahead"):
        check(inputs(ahead), LENIENT)
    quality = check(
        inputs(put(accounts(), 0, "since", NOW + timedelta(days=9)), replace(SCHEMA, dates_ahead=("since",))),
        LENIENT,
    )
    assert not reasons(quality)


def orders(**changes: object) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "account_id": ["a1", "a2", "a3"],
            "ordered_at": [NOW - timedelta(days=k) for k in (1, 2, 3)],
            "amount_eur": [10.0, 20.0, 30.0],
        }
    )
    for column, value in changes.items():
        frame = put(frame, 1, column, value)
    return frame


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"account_id": "zz"}, "no such account"),
        ({"account_id": None}, "missing"),
        ({"amount_eur": -1.0}, "negative"),
        ({"amount_eur": float("inf")}, "infinite"),
        ({"amount_eur": None}, "missing"),
        ({"ordered_at": NOW + timedelta(hours=1)}, "after the cut-off"),
        ({"ordered_at": None}, "missing"),
    ],
)
def test_a_bad_order_is_set_aside(change: dict[str, object], reason: str) -> None:
    quality = check(inputs(orders=orders(**change)), LENIENT)
    assert reasons(quality, "orders") == {2: (next(iter(change)), reason)}
    assert quality.inputs.orders is not None
    assert quality.inputs.orders.height == 2


def test_orders_of_an_account_set_aside_say_so() -> None:
    quality = check(inputs(put(accounts(), 2, "spend", float("inf")), orders=orders()), LENIENT)
    assert reasons(quality, "orders") == {2: ("account_id", "of an account set aside")}


def test_bad_touches_and_reps_are_set_aside() -> None:
    touches = pl.DataFrame(
        {
            "account_id": ["a1"] * 5,
            "touched_at": [NOW - timedelta(days=1)] * 5,
            "channel": ["field", "fax", None, None, "field"],
            "action": ["visit", "visit", "visit", "nothing", "visit"],
            "response": ["yes", "no", "no", "0", "no"],
            "propensity": [0.5, 0.5, 0.5, 0.5, 0.0],
        }
    )
    reps = pl.DataFrame(
        {
            "rep_id": ["r1", "r1", "r2"], "home_lat_deg": [41.0, 41.0, 400.0], "home_lon_deg": [2.0] * 3,
            "skills": ["core; premium", "", None], "visits_per_day": ["8", "8", "8"],
        }
    )  # fmt: skip
    quality = check(inputs(touches=touches, reps=reps), LENIENT)
    assert set(reasons(quality, "touches")) == {2, 3, 5}
    assert set(reasons(quality, "reps")) == {2, 3}
    assert quality.inputs.reps is not None
    assert quality.inputs.reps["skills"][0].to_list() == ["core", "premium"]
    assert quality.inputs.reps["visits_per_day"].dtype == pl.Int64
    assert quality.inputs.touches is not None
    assert quality.inputs.touches["response"].to_list() == [True, False]


def test_the_gate_stops_the_run_names_the_cause_and_yields_to_force() -> None:
    frame = put(put(accounts(), 1, "spend", float("inf")), 2, "spend", float("inf"))
    with pytest.raises(
        QualityGateError, match=r"20.0% of accounts \(spend infinite in 2 rows.*--force"
    ) as caught:
        check(inputs(frame), QualityParams())
    assert caught.value.exit_code == 1
    assert caught.value.quality.rejected["accounts"].height == 2
    assert check(inputs(frame), QualityParams(), force=True).inputs.accounts.height == 8


def test_stale_orders_draw_a_warning() -> None:
    old = orders().with_columns(pl.col("ordered_at") - pl.duration(days=90))
    quality = check(inputs(orders=old), LENIENT)
    assert quality.freshness["orders"] == pytest.approx(91)
    assert "91 days older" in quality.issues["message"][0]


def test_every_row_of_a_world_is_used_or_set_aside_and_the_planted_damage_is_found() -> None:
    world = generate(BarcelonaParams(n=3000), seed=2)
    quality = check(world.inputs, QualityParams())
    found = quality.rejected["accounts"]
    broken = world.truth.with_row_index("row", offset=1).filter(pl.col("broken").is_not_null())
    assert found["row"].to_list() == broken["row"].to_list()
    for table in ("accounts", "orders", "touches", "reps", "history"):
        before, after = getattr(world.inputs, table), getattr(quality.inputs, table)
        assert after.height + quality.rejected[table].height == before.height
    numbers = quality.inputs.accounts.select(quality.inputs.schema.numeric)
    assert not any(column.is_nan().any() or column.is_infinite().any() for column in numbers)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(), st.integers(-(10**9), 10**9).map(str), st.text(max_size=6)),
        max_size=20,
    )
)
def test_conversion_loses_nothing_silently(values: list[object]) -> None:
    """Whatever text comes: a cell is converted, missing (blank), or reported as failed."""
    text = pl.Series("x", [None if value is None else str(value) for value in values], dtype=pl.String)
    given_cells = as_text(text).is_not_null()
    for convert in (as_number, as_moment, as_flag):
        made, failed = convert(text)
        reached = made.is_not_null() | failed
        nan = text.str.strip_chars().str.to_lowercase().is_in(["nan", "+nan", "-nan"]).fill_null(value=False)
        assert (reached | ~given_cells | nan).all()
        assert not (made.is_not_null() & failed).any()


def test_dates_are_read_in_their_usual_spellings() -> None:
    spellings = [
        "2026-06-30",
        "2026-06-30 14:05",
        "2026-06-30T14:05:10",
        "2026-06-30T14:05:10.5Z",
        "20260630",
        " 2026/06/30 ",
    ]
    moments, failed = as_moment(pl.Series(spellings))
    assert not failed.any()
    assert {moment.date() for moment in moments} == {NOW.date()}
    assert as_moment(pl.Series([20260630]))[0][0] == NOW
    assert as_moment(pl.Series(["30.02.2026"]))[1].all()
