"""The nightly plan's tables: what is read, which rows are rejected and why, and what all others become."""

# ruff: noqa: E501 - a table of one broken cell per line reads best unbroken
from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealwright.errors import GateError, InputError
from dealwright.plan.quality import QualityParams, check_quality
from dealwright.runs.schema_text import schema_toml
from dealwright.schemas import (
    ARRIVAL_COLUMNS,
    CALL_BACK_COLUMNS,
    FREQUENCY_COLUMNS,
    ORDER_COLUMNS,
    PROMISE_COLUMNS,
    REP_COLUMNS,
    REP_OPTIONAL,
    STAFF_COLUMNS,
    TOUCH_COLUMNS,
    TOUCH_OPTIONAL,
    AccountSchema,
    PlanInputs,
)
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.tables.mapping import parse_mapping
from dealwright.tables.plan_inputs import add_touches, read_plan_inputs

NOW = datetime(2026, 6, 30)
Row = dict[str, str]
TABLES: dict[str, list[Row]] = {  # three sound rows of each, with every field
    "accounts": [{"account_id": f"a{k}", "spend": f"{k}.5"} for k in (1, 2, 3)],
    "orders": [
        {"account_id": f"a{k}", "ordered_at": f"2026-06-0{k} 10:00", "amount_eur": f"{k}0.5"} for k in (1, 2, 3)
    ],
    "touches": [
        {"account_id": f"a{k}", "touched_at": f"2026-06-0{k} 10:00", "channel": "field", "action": "visit",
         "response": "yes", "rejected": "no", "cost_eur": "4.5", "propensity": "0.5"}
        for k in (1, 2, 3)
    ],
    "reps": [
        {"rep_id": f"R{k}", "home_lat_deg": "41.4", "home_lon_deg": "2.1", "rep_name": f"Ann {k}",
         "skills": "core; premium", "shift_start_min": "08:30", "shift_end_min": "1020", "visits_per_day": "8"}
        for k in (1, 2, 3)
    ],
    "history": [{"account_id": f"a{k}", "snapshot_at": "2026-01-01", "spend": "1"} for k in (1, 2, 3)],
    "staff": [
        {"rep_id": f"P{k}", "rep_name": f"Bo {k}", "skills": "inbound_cc;outbound_cc", "patterns": "full",
         "hours_per_week": "38.5", "from_min": "9:00", "to_min": "18:00", "days_off": "2026-07-01; 2026-07-02",
         "wish_start_min": "600"}
        for k in (1, 2, 3)
    ],
    "promises": [
        {"account_id": f"a{k}", "must": "yes", "rep_id": "R1", "day": "2026-07-01", "begin_min": "10:00"}
        for k in (1, 2, 3)
    ],
    "frequencies": [
        {"account_id": f"a{k}", "every_days": "3.5", "last_visit": "2026-06-01", "due": "2026-07-03"}
        for k in (1, 2, 3)
    ],
    "call_backs": [{"account_id": f"a{k}", "at": "2026-07-01 10:00", "rep_id": "P1"} for k in (1, 2, 3)],
    "arrivals": [
        {"channel": "inbound_cc", "start_min": f"{570 + 30 * k}", "contacts": "12.5"} for k in (0, 1, 2)
    ],
}  # fmt: skip


def write(folder: Path, tables: Mapping[str, Sequence[Row]]) -> dict[str, Path]:
    """Write tables as CSV files."""
    paths = {name: folder / f"{name}.csv" for name in tables}
    for name, rows in tables.items():
        with paths[name].open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return paths


def read(folder: Path, mapping: str = "", **tables: Sequence[Row]) -> PlanInputs:
    """Read some tables from files, with the sound accounts and representatives beside them."""
    given = {"accounts": TABLES["accounts"], "reps": TABLES["reps"], **tables}
    schema = parse_mapping(mapping) if mapping else None
    return read_plan_inputs(**write(folder, given), schema=schema, as_of=NOW)


def broken(table: str, field: str, cell: str) -> list[Row]:
    """Return the rows of a table with another cell in the second, on line 3 of its file."""
    return [{**row, field: cell} if k == 1 else row for k, row in enumerate(TABLES[table])]


def problems(inputs: PlanInputs, level: str = "rejected") -> list[tuple[Any, ...]]:
    """Return table, line, column, reason and fix of what is wrong."""
    wrong = inputs.intake.problems.filter(pl.col("level") == level)
    return wrong.select("table", "line", "column", "reason", "fix").rows()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> PlanInputs:
    return read(tmp_path_factory.mktemp("sound"), **TABLES)


def test_every_field_of_every_table_is_read_and_typed(sound: PlanInputs) -> None:
    inputs = sound
    assert problems(inputs) == problems(inputs, "warning") == []
    assert {
        name: (report.rows, report.kept) for name, report in inputs.intake.tables.items()
    } == dict.fromkeys(TABLES, (3, 3))
    for frame, columns, row in (
        (inputs.orders, ORDER_COLUMNS, ("a1", datetime(2026, 6, 1, 10), 10.5)),
        (inputs.touches, {**TOUCH_COLUMNS, **TOUCH_OPTIONAL},
         ("a1", datetime(2026, 6, 1, 10), "field", "visit", True, False, 4.5, 0.5)),
        (inputs.reps, {**REP_COLUMNS, **REP_OPTIONAL}, ("R1", 41.4, 2.1, "Ann 1", ["core", "premium"], 510, 1020, 8)),
        (inputs.staff, STAFF_COLUMNS,
         ("P1", "Bo 1", ["inbound_cc", "outbound_cc"], ["full"], 38.5, 540, 1080, [date(2026, 7, 1), date(2026, 7, 2)], 600)),
        (inputs.promises, PROMISE_COLUMNS, ("a1", True, "R1", date(2026, 7, 1), 600)),
        (inputs.frequencies, FREQUENCY_COLUMNS, ("a1", 3.5, date(2026, 6, 1), date(2026, 7, 3))),
        (inputs.call_backs, CALL_BACK_COLUMNS, ("a1", datetime(2026, 7, 1, 10), "P1")),
        (inputs.arrivals, ARRIVAL_COLUMNS, ("inbound_cc", 570, 12.5)),
    ):  # fmt: skip
        assert frame is not None
        assert dict(frame.schema) == dict(columns)
        assert frame.row(0) == row
    assert inputs.history is not None
    assert inputs.history.row(0, named=True) == {
        "account_id": "a1",
        "snapshot_at": datetime(2026, 1, 1),
        "spend": 1.0,
    }


def test_optional_columns_may_be_missing_and_their_cells_empty(tmp_path: Path) -> None:
    needed = {
        "touches": list(TOUCH_COLUMNS), "reps": list(REP_COLUMNS), "staff": ["rep_id"], "promises": ["account_id"],
        "frequencies": ["account_id", "due"], "call_backs": ["account_id", "at"],
    }  # fmt: skip
    short = {name: [{key: row[key] for key in keys} for row in TABLES[name]] for name, keys in needed.items()}
    inputs = read(tmp_path, **short)
    assert {name: getattr(inputs, name).columns for name in needed} == needed
    empty = {
        name: [
            {key: cell if key in needed[name] else "" for key, cell in row.items()} for row in TABLES[name]
        ]
        for name in needed
    }
    inputs = read(tmp_path, **empty)
    assert problems(inputs) == []
    for name, keys in needed.items():
        for column in getattr(inputs, name).drop(keys):
            assert column.to_list() == [[] if column.dtype == pl.List else None] * 3


CLOCK = "write 09:00, or minutes after midnight such as 540"
ACCOUNT = "correct the id, or add the account to accounts.csv"
LATE = "mend the date, or set --as-of later than 2026-06-30 00:00:00"
MOMENT, DAY, YES = "write it like 2026-06-30 14:05", "write it like 2026-06-30", "write yes or no"
AMOUNT = "write an amount of at least 0, or leave it empty"
SHARE = "write the probability with which it was chosen"
HOME, OFTEN = "give the position of the home", "give the days between two visits, such as 7"
CHANNELS = "use one of: field, outbound_cc, inbound_cc, ecom_assisted, ecom_self"
AGAIN = "duplicate: line 2 has it already"


@pytest.mark.parametrize(
    ("table", "field", "cell", "reason", "fix"),
    [
        ("orders", "account_id", "zz", "no such account", ACCOUNT),
        ("orders", "ordered_at", "2026-02-31 10:00", "not a date or time that exists", MOMENT),
        ("orders", "ordered_at", "2026-06-30 00:00:01", "after the cut-off", LATE),
        ("orders", "amount_eur", "abc", "not a number", "write the amount paid"),
        ("orders", "amount_eur", "inf", "not a number", "write the amount paid"),
        ("orders", "amount_eur", "1e12", "too large", "write the amount paid"),
        ("orders", "amount_eur", "-1e12", "below -999,999,999,999", "write the amount paid"),
        ("touches", "account_id", "zz", "no such account", ACCOUNT),
        ("touches", "touched_at", "2026-06-30 10:00", "after the cut-off", LATE),
        ("touches", "channel", "fax", "not a channel", CHANNELS),
        ("touches", "channel", "feild", "not a channel", "did you mean 'field'?"),
        ("touches", "response", "maybe", "not yes or no", YES),
        ("touches", "rejected", "maybe", "not yes or no", YES),
        ("touches", "cost_eur", "-0.01", "negative", AMOUNT),
        ("touches", "cost_eur", "1e12", "too large", AMOUNT),
        ("touches", "propensity", "0", "not above 0", SHARE),
        ("touches", "propensity", "1.01", "above 1", SHARE),
        ("reps", "rep_id", "R1", AGAIN, "keep one row per id, or give it an id of its own"),
        ("reps", "home_lat_deg", "90.1", "not from -90 to 90", HOME),
        ("reps", "home_lat_deg", "-90.1", "not from -90 to 90", HOME),
        ("reps", "home_lon_deg", "180.1", "not from -180 to 180", HOME),
        ("reps", "home_lon_deg", "-180.1", "not from -180 to 180", HOME),
        ("reps", "shift_start_min", "soon", "not a time of day", CLOCK),
        ("reps", "shift_start_min", "24:01", "not from 0 to 1440", CLOCK),
        ("reps", "shift_end_min", "1441", "not from 0 to 1440", CLOCK),
        ("reps", "shift_end_min", "8:29", "the shift ends before it starts", "correct shift_start_min or shift_end_min"),
        ("reps", "visits_per_day", "-1", "negative", "write a whole number of at least 0"),
        ("reps", "visits_per_day", "2.5", "not a whole number", "write a whole number, such as 12"),
        ("history", "account_id", "zz", "no such account", ACCOUNT),
        ("history", "snapshot_at", "2026-07-01", "after the cut-off", LATE),
        ("history", "spend", "abc", "not a number", "write a finite number, or leave it empty"),
        ("staff", "rep_id", "P1", AGAIN, "keep one row per id, or give it an id of its own"),
        ("staff", "skills", "inbound_cc; fax", "not among inbound_cc, outbound_cc, ecom_assisted", "use one of these"),
        ("staff", "hours_per_week", "-1", "not from 0 to 168", "write hours, 0 or more"),
        ("staff", "hours_per_week", "168.1", "not from 0 to 168", "write hours, 0 or more"),
        ("staff", "from_min", "1441", "not from 0 to 1440", CLOCK),
        ("staff", "to_min", "9:00", "the same as from_min", "correct from_min or to_min"),
        ("staff", "days_off", "2026-02-31", "not a list of days", "write 2026-07-01; 2026-07-02"),
        ("staff", "wish_start_min", "1441", "not from 0 to 1440", CLOCK),
        ("promises", "account_id", "zz", "no such account", ACCOUNT),
        ("promises", "account_id", "a1", AGAIN, "keep one row, and give the number of visits as a frequency"),
        ("promises", "must", "maybe", "not yes or no", YES),
        ("promises", "rep_id", "R9", "no such representative", "correct the id, or add the representative to reps.csv"),
        ("promises", "day", "2026-02-31", "not a date that exists", DAY),
        ("promises", "begin_min", "1441", "not from 0 to 1440", CLOCK),
        ("frequencies", "account_id", "zz", "no such account", ACCOUNT),
        ("frequencies", "account_id", "a1", AGAIN, "keep one row for each account"),
        ("frequencies", "every_days", "0", "not above 0", OFTEN),
        ("frequencies", "every_days", "36525.5", "above 36525", OFTEN),
        ("frequencies", "every_days", "often", "not a number", OFTEN),
        ("frequencies", "last_visit", "2026-02-31", "not a date that exists", DAY),
        ("frequencies", "due", "someday", "not a date that exists", DAY),
        ("call_backs", "account_id", "zz", "no such account", ACCOUNT),
        ("call_backs", "account_id", "a1", AGAIN, "keep one row for each account"),
        ("call_backs", "at", "soon", "not a date or time that exists", MOMENT),
        ("arrivals", "channel", "field", "not a channel", "use one of: inbound_cc, outbound_cc, ecom_assisted"),
        ("arrivals", "start_min", "1440", "not from 0 to 1439", CLOCK),
        ("arrivals", "contacts", "-1", "not from 0 to 1,000,000,000", "write the contacts expected, 0 or more"),
        ("arrivals", "contacts", "1.1e9", "not from 0 to 1,000,000,000", "write the contacts expected, 0 or more"),
    ],
)  # fmt: skip
def test_a_bad_cell_costs_its_row_and_no_other(
    tmp_path: Path, sound: PlanInputs, table: str, field: str, cell: str, reason: str, fix: str
) -> None:
    inputs = read(tmp_path, **{table: broken(table, field, cell)})
    assert problems(inputs) == [(table, 3, field, reason, fix)]
    assert getattr(inputs, table).equals(getattr(sound, table)[[0, 2]])
    report = inputs.intake.tables[table]
    assert (report.rows, report.kept, report.follow_on) == (3, 2, 0)
    row = {**TABLES[table][1], field: cell}
    assert report.rejected.rows() == [(*row.values(), f"line 3, {field}: {reason} ({fix})")]


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("orders", "account_id"), ("orders", "ordered_at"), ("orders", "amount_eur"), ("touches", "account_id"),
        ("touches", "touched_at"), ("touches", "action"), ("touches", "response"), ("reps", "rep_id"),
        ("reps", "home_lat_deg"), ("reps", "home_lon_deg"), ("history", "account_id"), ("history", "snapshot_at"),
        ("staff", "rep_id"), ("promises", "account_id"), ("frequencies", "account_id"), ("call_backs", "account_id"),
        ("call_backs", "at"), ("arrivals", "channel"), ("arrivals", "start_min"), ("arrivals", "contacts"),
    ],
)  # fmt: skip
def test_a_needed_cell_that_is_empty_costs_its_row_and_a_needed_column_must_be_there(
    tmp_path: Path, table: str, field: str
) -> None:
    fix = f'fill it in, or give it a default: {table}.{field} = {{ column = "{field}", default = … }}'
    for cell in ("", "N/A"):
        inputs = read(tmp_path, **{table: broken(table, field, cell)})
        assert problems(inputs) == [(table, 3, field, "empty", fix)]
        assert getattr(inputs, table).height == 2
    without = [{key: cell for key, cell in row.items() if key != field} for row in TABLES[table]]
    with pytest.raises(
        InputError, match=rf"^{table}\.csv: no column '{field}' \({table}\.{field} in the mapping\)"
    ):
        read(tmp_path, **{table: without})


@pytest.mark.parametrize(
    ("table", "field", "cell", "value"),
    [
        ("orders", "ordered_at", "2026-06-30 00:00", NOW),
        ("orders", "amount_eur", "0", 0.0),
        ("touches", "touched_at", "2026-06-30 00:00", NOW),
        ("touches", "propensity", "1", 1.0),
        ("touches", "cost_eur", "0", 0.0),
        ("reps", "home_lat_deg", "-90", -90.0),
        ("reps", "home_lon_deg", "180", 180.0),
        ("reps", "home_lat_deg", "0", 0.0),
        ("reps", "shift_start_min", "0", 0),
        ("reps", "shift_end_min", "24:00", 1440),
        ("reps", "shift_end_min", "8:30", 510),  # a shift of no length: does not work
        ("reps", "visits_per_day", "0", 0),
        ("history", "snapshot_at", "2026-06-30 00:00", NOW),
        ("staff", "hours_per_week", "0", 0.0),
        ("staff", "hours_per_week", "168", 168.0),
        ("staff", "to_min", "9:01", 541),
        ("staff", "skills", "", []),
        ("promises", "rep_id", "", None),
        ("frequencies", "every_days", "0.5", 0.5),
        ("frequencies", "every_days", "36525", 36_525.0),
        ("arrivals", "start_min", "1439", 1439),
        ("arrivals", "contacts", "0", 0.0),
    ],
)
def test_what_is_at_the_edge_of_its_range_is_kept(
    tmp_path: Path, table: str, field: str, cell: str, value: object
) -> None:
    inputs = read(tmp_path, **{table: broken(table, field, cell)})
    assert problems(inputs) == []
    assert getattr(inputs, table)[field].to_list()[1] == value


def test_only_doing_nothing_has_no_channel(tmp_path: Path) -> None:
    silent = broken("touches", "channel", "")
    inputs = read(tmp_path, touches=silent)
    assert problems(inputs) == [
        ("touches", 3, "channel", "empty", "name the channel; only the action 'nothing' has none")
    ]
    inputs = read(
        tmp_path, touches=[{**row, "action": "nothing"} if not row["channel"] else row for row in silent]
    )
    assert problems(inputs) == []
    assert inputs.touches is not None
    assert inputs.touches["channel"].to_list() == ["field", None, "field"]
    without = [{key: cell for key, cell in row.items() if key != "channel"} for row in TABLES["touches"]]
    with pytest.raises(
        InputError, match=r"^touches\.csv: no column 'channel' \(touches\.channel in the mapping\)"
    ):
        read(tmp_path, touches=without)


def test_a_frequency_needs_an_interval_or_a_day(tmp_path: Path) -> None:
    for field, cell in (("every_days", ""), ("due", "")):
        assert problems(read(tmp_path, frequencies=broken("frequencies", field, cell))) == []
    neither = [{**row, "every_days": "", "due": ""} for row in TABLES["frequencies"]]
    reason, fix = "empty, as is due", "give every_days, or the day when it is due"
    inputs = read(tmp_path, frequencies=[*TABLES["frequencies"][:2], neither[2]])
    assert problems(inputs) == [("frequencies", 4, "every_days", reason, fix)]
    alone = read(tmp_path, frequencies=[{"account_id": "a1", "last_visit": "2026-06-01"}])
    assert problems(alone) == [("frequencies", 2, "every_days", reason, fix)]


def test_a_home_at_zero_is_no_home(tmp_path: Path) -> None:
    rows = [
        {**row, "home_lat_deg": "0", "home_lon_deg": "0"} if row["rep_id"] == "R2" else row
        for row in TABLES["reps"]
    ]
    inputs = read(tmp_path, reps=rows)
    assert problems(inputs) == [
        ("reps", 3, "home_lat_deg", "position 0, 0 is in the Atlantic", "give the position of the home")
    ]


def test_a_representative_can_only_be_promised_where_there_are_any(tmp_path: Path) -> None:
    tables = write(tmp_path, {name: TABLES[name] for name in ("accounts", "promises")})
    inputs = read_plan_inputs(**tables, as_of=NOW)
    assert {row[3:] for row in problems(inputs)} == {
        ("no such representative", "give the representatives, or leave it empty")
    }
    anybody = write(tmp_path, {"promises": [{"account_id": "a1", "rep_id": ""}]})
    assert problems(read_plan_inputs(**tables | anybody, as_of=NOW)) == []


def test_what_refers_to_a_rejected_row_says_so_and_is_no_fault_of_its_own(tmp_path: Path) -> None:
    tables = {**TABLES, "accounts": broken("accounts", "spend", "much"), "promises": broken("promises", "rep_id", "R2"),
              "reps": broken("reps", "home_lat_deg", "91")}  # fmt: skip
    inputs = read(tmp_path, '[accounts]\nid = "account_id"\nnumeric = ["spend"]', **tables)
    followers = dict.fromkeys(
        ("orders", "touches", "history", "promises", "frequencies", "call_backs"),
        (3, "account_id", "its account was rejected", "mend line 3 of accounts.csv first"),
    )
    wrong = {row[0]: row[1:] for row in problems(inputs) if row[2] == "account_id"}
    assert wrong == followers
    also = ("promises", 3, "rep_id", "its representative was rejected", "mend line 3 of reps.csv first")
    assert also in problems(inputs)
    for name in followers:
        report = inputs.intake.tables[name]
        assert (report.kept, report.follow_on) == (2, 1)
    inputs.intake.check_share(0.34)  # one row in three of the accounts and of the representatives
    strange = read(
        tmp_path, orders=[{**row, "account_id": "zz"} if k else row for k, row in enumerate(TABLES["orders"])]
    )
    said = r"66\.7% of orders \(account_id no such account in 2 rows, the first is line 3: correct the id.*\); at most 50%"
    with pytest.raises(GateError, match=said):
        strange.intake.check_share(0.5)
    strange.intake.check_share(0.67)


def test_rows_keep_their_order_and_one_with_two_faults_is_rejected_once(tmp_path: Path) -> None:
    rows = broken("orders", "amount_eur", "abc")
    rows[1] = {**rows[1], "ordered_at": "2026-07-01"}
    inputs = read(tmp_path, orders=[*rows, *TABLES["orders"][:1]])
    assert inputs.orders is not None
    assert inputs.orders["account_id"].to_list() == ["a1", "a3", "a1"]  # an order may come twice
    report = inputs.intake.tables["orders"]
    assert (report.rows, report.kept, report.rejected.height) == (4, 3, 1)
    assert report.rejected["reason"][0].count("line 3, ") == 2


def test_further_columns_of_a_table_are_named_and_unknown_tables_refused(tmp_path: Path) -> None:
    inputs = read(tmp_path, orders=[{**row, "shop": "x"} for row in TABLES["orders"]])
    assert inputs.intake.tables["orders"].undeclared == ("shop",)
    with pytest.raises(InputError, match="unknown table 'order': did you mean 'orders'"):
        read_plan_inputs(pl.DataFrame({"account_id": ["a"]}), order=pl.DataFrame())


def test_words_for_channels_and_actions_are_translated_and_others_judged(tmp_path: Path) -> None:
    words = """
[accounts]
id = "account_id"
[touches]
channels = { Phone = "outbound_cc", "At home" = "field" }
actions = { meeting = "visit" }
"""
    said = [
        ("phone", "Meeting"),
        ("AT HOME", "upsell"),
        ("ecom_self", "visit"),
        ("fox", "visit"),
        ("Phone", ""),
    ]
    rows = [{**TABLES["touches"][0], "channel": channel, "action": action} for channel, action in said]
    inputs = read(tmp_path, words, touches=rows)
    assert inputs.touches is not None
    assert inputs.touches.select("channel", "action").rows() == [
        ("outbound_cc", "visit"), ("field", "upsell"), ("ecom_self", "visit")
    ]  # fmt: skip
    assert [row[1:4] for row in problems(inputs)] == [(5, "channel", "not a channel"), (6, "action", "empty")]


def test_features_that_the_history_lacks_are_named(tmp_path: Path) -> None:
    rows = [{key: cell for key, cell in row.items() if key != "spend"} for row in TABLES["history"]]
    inputs = read(tmp_path, history=rows)
    assert problems(inputs, "warning") == [
        ("history", None, "spend", "not in the history: spend", "add the column to learn from it")
    ]
    assert inputs.intake.problems["rows"].to_list() == [0]


# what was returned


def orders(*rows: tuple[str, int, str]) -> list[Row]:
    return [
        {"account_id": who, "ordered_at": f"2026-06-{day:02d}", "amount_eur": amount}
        for who, day, amount in rows
    ]


def test_returns_are_netted_or_rejected(tmp_path: Path) -> None:
    table = orders(
        ("a1", 1, "10"), ("a1", 2, "30"), ("a1", 3, "-10"), ("a2", 4, "-5"), ("a2", 5, "7"), ("a3", 6, "0")
    )
    inputs = read(tmp_path, orders=table)
    assert inputs.orders is not None
    assert inputs.orders.filter(pl.col("amount_eur") != 0).select("account_id", "amount_eur").rows() == [
        ("a1", 30.0), ("a2", 7.0)
    ]  # fmt: skip
    said = {row[3]: row[1] for row in (*problems(inputs, "note"), *problems(inputs, "warning"))}
    assert any(reason.startswith("returns, taken off the orders") for reason in said)
    assert any(reason.startswith("returns of more than was ordered before") for reason in said)
    refused = read(tmp_path, '[accounts]\nid = "account_id"\n[orders]\nreturns = "reject"', orders=table)
    fix = 'net returns off the order they belong to, or write returns = "net" under [orders]'
    assert problems(refused) == [
        ("orders", 4, "amount_eur", "negative", fix), ("orders", 5, "amount_eur", "negative", fix)
    ]  # fmt: skip


# accounts

ACCOUNTS = """
as_of = 2026-06-30
[accounts]
id = "number"
latitude = "y"
longitude = "x"
numeric = ["spend"]
categorical = ["tier", "trade"]
dates = ["since"]
dates_ahead = ["contract_end"]
preferred_channel = "likes"
categories = { tier = ["gold", "silver"] }
[accounts.labels]
churned = { column = "left", is = "Y" }
future_value_eur = "later"
[accounts.consent]
outbound_cc = "may_call"
[accounts.roles]
tier = "tier"
name = "company"
visit_min = "minutes"
opens_min = "opens"
closes_min = "closes"
time_zone = "zone"
csat = "happy"
[accounts.known_from]
trade = "always"
tier = 2025-01-01
spend = "told"
"""
ACCOUNT_ROW = {
    "company": "Puig, SA", "y": "41.4", "x": "2.1", "spend": "12.5", "tier": "gold", "trade": "food", "since": "2020-01-01",
    "contract_end": "2027-01-01", "likes": "field", "left": "N", "later": "100", "may_call": "yes", "minutes": "30",
    "opens": "9:00", "closes": "18:00", "zone": "Europe/Madrid", "happy": "4", "told": "2026-01-01", "memo": "x",
}  # fmt: skip


def accounts(field: str = "memo", cell: str = "x") -> list[Row]:
    """Return three accounts; the second has another cell."""
    rows = [{"number": str(k), **ACCOUNT_ROW, "left": "Y" if k == 1 else "N"} for k in (1, 2, 3)]
    rows[1][field] = cell
    return rows


def read_accounts(folder: Path, rows: Sequence[Row], mapping: str = ACCOUNTS) -> PlanInputs:
    return read_plan_inputs(**write(folder, {"accounts": rows}), schema=parse_mapping(mapping))


def test_declared_accounts_become_typed_inputs(tmp_path: Path) -> None:
    inputs = read_accounts(tmp_path, accounts())
    assert problems(inputs) == []
    assert inputs.as_of == NOW
    assert inputs.accounts.row(0, named=True) == {
        "account_id": "1", "lat_deg": 41.4, "lon_deg": 2.1, "churned": True, "future_value_eur": 100.0,
        "consent_outbound_cc": True, "spend": 12.5, "tier": "gold", "trade": "food", "since": datetime(2020, 1, 1),
        "contract_end": datetime(2027, 1, 1), "told": datetime(2026, 1, 1), "preferred_channel": "field",
        "company": "Puig, SA", "minutes": 30.0, "opens": 540, "closes": 1080, "zone": "Europe/Madrid", "happy": 4.0,
        "memo": "x",
    }  # fmt: skip
    assert inputs.schema == AccountSchema(
        numeric=("spend",), categorical={"tier": ("gold", "silver"), "trade": None}, dates=("since", "contract_end"),
        dates_ahead=("contract_end",), consent=("outbound_cc",),
        roles={"tier": "tier", "name": "company", "visit_min": "minutes", "opens_min": "opens", "closes_min": "closes",
               "time_zone": "zone", "csat": "happy"},
        known_from={"trade": "always", "tier": datetime(2025, 1, 1), "spend": "told"},
        has_position=True, has_churn_label=True, has_value_label=True, has_preferred_channel=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "cell", "reason", "fix"),
    [
        ("number", "", "empty", 'fill it in, or give it a default: accounts.id = { column = "number", default = … }'),
        ("number", "1", AGAIN, "keep one row per id (the first one was kept)"),
        ("y", "90.1", "not from -90 to 90", "write decimal degrees, such as 41.3874"),
        ("x", "-180.1", "not from -180 to 180", "write decimal degrees, such as 2.1686"),
        ("y", "", "only half a position", "give both latitude and longitude, or neither"),
        ("x", "", "only half a position", "give both latitude and longitude, or neither"),
        ("spend", "much", "not a number", "write a finite number, or leave it empty"),
        ("spend", "inf", "not a number", "write a finite number, or leave it empty"),
        ("later", "much", "not a number", "write a finite number, or leave it empty"),
        ("since", "2026-02-31", "not a date or time that exists", MOMENT),
        ("since", "2026-07-01", "in the future", "mend the date; dates that may lie ahead belong to dates_ahead"),
        ("may_call", "perhaps", "not yes or no", YES),
        ("minutes", "0", "not above 0", "write minutes above 0, or leave it empty"),
        ("minutes", "1441", "above 1440", "write minutes above 0, or leave it empty"),
        ("opens", "late", "not a time of day", CLOCK),
        ("closes", "48:01", "not a time of day", CLOCK),
        ("zone", "Mars/Base", "not a time zone", "write its name, such as Europe/Madrid"),
        ("happy", "very", "not a number", "write a finite number, or leave it empty"),
        ("told", "2026-02-31", "not a date or time that exists", MOMENT),
    ],
)  # fmt: skip
def test_a_bad_account_is_rejected_with_the_reason(
    tmp_path: Path, field: str, cell: str, reason: str, fix: str
) -> None:
    inputs = read_accounts(tmp_path, accounts(field, cell))
    assert [row[1:] for row in problems(inputs)] == [
        (3, {"y": "y", "x": "y" if "half" in reason else "x"}.get(field, field), reason, fix)
    ]
    assert inputs.accounts["account_id"].to_list() == ["1", "3"]


@pytest.mark.parametrize(
    ("field", "cell", "column", "value"),
    [
        ("spend", "nan", "spend", None), ("spend", " ", "spend", None), ("likes", "", "preferred_channel", None),
        ("contract_end", "2030-01-01", "contract_end", datetime(2030, 1, 1)), ("left", "", "churned", None),
        ("left", " n ", "churned", False), ("minutes", "1440", "minutes", 1440.0), ("closes", "26:00", "closes", 1560),
        ("opens", "nan", "opens", None), ("zone", "europe/madrid", "zone", "Europe/Madrid"), ("zone", "", "zone", None),
    ],
)  # fmt: skip
def test_what_an_account_may_hold(tmp_path: Path, field: str, cell: str, column: str, value: object) -> None:
    inputs = read_accounts(tmp_path, accounts(field, cell))
    assert problems(inputs) == []
    assert inputs.accounts[column].to_list()[1] == value


def test_unknown_categories_and_channels_are_warned_of_and_missing(tmp_path: Path) -> None:
    inputs = read_accounts(tmp_path, accounts("tier", "platinum"))
    assert problems(inputs, "warning") == [
        ("accounts", None, "tier", "unknown category 'platinum': treated as missing",
         "add it to the declared categories, or mend the spelling")
    ]  # fmt: skip
    assert inputs.accounts["tier"].to_list() == ["gold", None, "gold"]  # though it also plays a role
    inputs = read_accounts(tmp_path, accounts("likes", "fax"))
    assert problems(inputs, "warning") == [
        ("accounts", None, "preferred_channel", "unknown category 'fax': treated as missing", CHANNELS)
    ]
    assert inputs.accounts["preferred_channel"].to_list() == ["field", None, "field"]


def test_who_closes_past_midnight_closes_on_the_next_day(tmp_path: Path) -> None:
    for opens, closes, expected in (
        ("16:00", "1:00", 1500),
        ("9:00", "9:00", 1980),
        ("9:00", "9:01", 541),
        ("", "1:00", 60),
    ):
        rows = accounts("opens", opens)
        rows[1]["closes"] = closes
        assert read_accounts(tmp_path, rows).accounts["closes"].to_list() == [1080, expected, 1080]
    as_features = ACCOUNTS.replace('["spend"]', '["spend", "opens", "closes"]')
    rows = [{**row, "opens": "960", "closes": "60"} for row in accounts()]
    inputs = read_accounts(tmp_path, rows, as_features)
    assert inputs.accounts["closes"].to_list() == [60.0] * 3
    assert inputs.accounts[inputs.schema.roles["closes_min"]].to_list() == [1500] * 3


def test_a_position_needs_both_and_may_be_missing(tmp_path: Path) -> None:
    rows = accounts()
    rows[1] |= {"y": "", "x": ""}
    inputs = read_accounts(tmp_path, rows)
    assert problems(inputs) == []
    assert inputs.accounts["lat_deg"].to_list() == [41.4, None, 41.4]


def test_a_label_has_two_words(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"accounts\.csv, column 'left': beside 'Y' there are 2 other words: .*'lapsed' \(1\)",
    ):
        read_accounts(tmp_path, accounts("left", "lapsed"))
    with pytest.raises(
        InputError,
        match=r"no row has left = 'gone' \(the mapping: accounts\.labels\.churned\.is\): there are 'N', 'Y'",
    ):
        read_accounts(tmp_path, accounts(), ACCOUNTS.replace('is = "Y"', 'is = "gone"'))
    plain = ACCOUNTS.replace('{ column = "left", is = "Y" }', '"left"')
    assert read_accounts(tmp_path, accounts(), plain).accounts["churned"].to_list() == [True, False, False]
    words = [{**row, "left": word} for row, word in zip(accounts(), ("Active", "inactive", ""), strict=True)]
    with pytest.raises(
        InputError, match=r"'active' and 'inactive' do not answer churned: .* is = \"inactive\""
    ):
        read_accounts(tmp_path, words, plain)
    told = ACCOUNTS.replace('is = "Y"', 'is = "inactive"')
    assert read_accounts(tmp_path, words, told).accounts["churned"].to_list() == [False, True, None]


def test_a_date_that_mostly_lies_ahead_is_questioned(tmp_path: Path) -> None:
    rows = [{**row, "since": "2026-07-01"} if k else row for k, row in enumerate(accounts())]
    with pytest.raises(
        InputError, match=r"'since' lies after the cut-off 2026-06-30 in 2 of 3 rows.*add it to dates_ahead"
    ):
        read_accounts(tmp_path, rows)


def test_a_feature_with_a_name_of_ours_is_refused(tmp_path: Path) -> None:
    rows = [{**row, "lat_deg": "1"} for row in accounts()]
    with pytest.raises(
        InputError, match="the feature 'lat_deg' has the name the plan gives to another column"
    ):
        read_accounts(tmp_path, rows, ACCOUNTS.replace('["spend"]', '["spend", "lat_deg"]'))


@pytest.mark.parametrize(
    ("feature", "cells", "role", "kept", "played", "column"),
    [
        ("categorical", ("yes", "no", ""), "recent_issue", ["yes", "no", None], [1.0, 0.0, None], "role_recent_issue"),
        ("categorical", ("1", "2", ""), "csat", ["1", "2", None], [1.0, 2.0, None], "role_csat"),
        ("numeric", ("7", "8", ""), "rep_id", [7.0, 8.0, None], ["7", "8", None], "role_rep_id"),
        ("numeric", ("540", "600", ""), "opens_min", [540.0, 600.0, None], [540, 600, None], "role_opens_min"),
        ("numeric", ("3", "4", ""), "csat", [3.0, 4.0, None], [3.0, 4.0, None], "thing"),
    ],
)  # fmt: skip
def test_a_role_is_typed_even_where_a_feature_of_another_type_plays_it(
    tmp_path: Path,
    feature: str,
    cells: tuple[str, ...],
    role: str,
    kept: list[Any],
    played: list[Any],
    column: str,
) -> None:
    rows = [{"number": str(k), "thing": cell} for k, cell in enumerate(cells)]
    mapping = f'[accounts]\nid = "number"\n{feature} = ["thing"]\nroles = {{ {role} = "thing" }}'
    inputs = read_accounts(tmp_path, rows, mapping)
    assert inputs.accounts["thing"].to_list() == kept
    assert inputs.schema.role(role) == column
    assert inputs.accounts[column].to_list() == played


def test_a_role_of_words_is_not_played_where_numbers_are_needed(tmp_path: Path) -> None:
    rows = [{"number": str(k), "mood": mood} for k, mood in enumerate(("good", "bad", "good"))]
    inputs = read_accounts(
        tmp_path, rows, '[accounts]\nid = "number"\ncategorical = ["mood"]\nroles = { csat = "mood" }'
    )
    assert inputs.schema.role("csat") is None
    assert inputs.accounts["mood"].to_list() == ["good", "bad", "good"]
    assert [row[2:4] for row in problems(inputs, "warning")] == [
        ("mood", "words, so it cannot play the role csat")
    ]


@pytest.mark.parametrize(
    ("feature", "cells", "role", "bad", "played"),
    [
        ("numeric", ("5", "inf", "7", "8"), "lifetime_value", "inf", [5.0, 7.0, 8.0]),
        ("categorical", ("1", "2", "so so", "5"), "csat", "so so", [1.0, 2.0, 5.0]),
        ("categorical", ("yes", "no", "perhaps", "yes"), "recent_issue", "perhaps", [1.0, 0.0, 1.0]),
        (None, ("yes", "no", "perhaps", "yes"), "recent_issue", "perhaps", [1.0, 0.0, 1.0]),
    ],
)
def test_one_bad_cell_of_a_role_costs_one_row_and_never_the_role(
    tmp_path: Path, feature: str | None, cells: tuple[str, ...], role: str, bad: str, played: list[float]
) -> None:
    rows = [{"number": str(k), "thing": cell} for k, cell in enumerate(cells)]
    mapping = '[accounts]\nid = "number"\n' + (f'{feature} = ["thing"]\n' if feature else "")
    inputs = read_accounts(tmp_path, rows, f'{mapping}roles = {{ {role} = "thing" }}')
    column = inputs.schema.role(role)
    assert column is not None
    assert inputs.accounts[column].to_list() == played
    assert inputs.intake.tables["accounts"].rejected["thing"].to_list() == [bad]
    assert problems(inputs, "warning") == []


def test_without_a_mapping_canonical_names_and_types_are_recognised(tmp_path: Path) -> None:
    lines = [
        {"account_id": str(k), "lat_deg": "41.4", "lon_deg": "2.1", "spend": f"{k}.5", "tier": "ab"[k % 2],
         "since": f"2020-01-1{k % 9}", "note": f"free text {k}", "churned": str(k % 2), "consent_field": "1",
         "preferred_channel": "field", "recent_issue": "yes" if k % 3 else "no"}
        for k in range(80)
    ]  # fmt: skip
    inputs = read_plan_inputs(**write(tmp_path, {"accounts": lines}), as_of=datetime(2026, 1, 1))
    schema = inputs.schema
    assert (schema.numeric, tuple(schema.categorical), schema.dates) == (
        ("spend",),
        ("tier", "recent_issue"),
        ("since",),
    )
    assert (schema.has_position, schema.has_churn_label, schema.has_preferred_channel) == (True, True, True)
    assert schema.consent == ("field",)
    assert schema.roles == {"tier": "tier", "recent_issue": "role_recent_issue"}
    assert inputs.accounts["churned"].sum() == 40
    with pytest.raises(InputError, match="accounts: unknown column 'account_id': did you mean 'account'"):
        read_plan_inputs(pl.DataFrame({"account": ["a"]}))


def test_no_rows_and_no_usable_row() -> None:
    with pytest.raises(InputError, match="accounts has no rows: give at least one account"):
        read_plan_inputs(pl.DataFrame({"account_id": []}, schema={"account_id": pl.String}))
    one = pl.DataFrame({"account_id": ["a"], "spend": [float("inf")]})
    with pytest.raises(
        InputError, match="no usable account: 1 have 'spend' not a number; write a finite number"
    ):
        read_plan_inputs(one)
    with pytest.raises(InputError, match="nothing to plan: give --accounts FILE or --orders FILE"):
        read_plan_inputs()


def test_accounts_follow_from_orders_where_none_are_given(tmp_path: Path) -> None:
    table = orders(("b", 1, "10"), ("a", 2, "30"), ("b", 3, "5"), ("", 3, "5"), ("c", 4, "x"))
    inputs = read_plan_inputs(**write(tmp_path, {"orders": table}))
    assert inputs.accounts["account_id"].to_list() == ["b", "a", "c"]
    assert inputs.orders is not None
    assert inputs.orders["account_id"].to_list() == ["b", "a", "b"]
    assert [row[:4] for row in problems(inputs)] == [
        ("orders", 5, "account_id", "empty"), ("orders", 6, "amount_eur", "not a number")
    ]  # fmt: skip


# the cut-off, and other people's data


def test_the_cut_off_is_the_midnight_after_the_latest_row_that_is_not_in_the_future(tmp_path: Path) -> None:
    tables = {"orders": orders(("a1", 5, "10")), "touches": TABLES["touches"][:1]}
    given = write(tmp_path, {"accounts": TABLES["accounts"], **tables})
    assert read_plan_inputs(**given).as_of == datetime(2026, 6, 6)
    late = write(
        tmp_path, {"orders": [*tables["orders"], {**tables["orders"][0], "ordered_at": "2999-01-01"}]}
    )
    slip = read_plan_inputs(**given | late)
    assert slip.as_of == datetime(2026, 6, 6)
    assert [row[3] for row in problems(slip)] == ["after the cut-off"]
    alone = read_plan_inputs(given["accounts"])
    assert alone.as_of == datetime.combine(date.today(), datetime.min.time())
    mapping = parse_mapping('as_of = 2026-06-10\n[accounts]\nid = "account_id"')
    assert read_plan_inputs(**given, schema=mapping).as_of == datetime(2026, 6, 10)
    assert read_plan_inputs(**given, schema=mapping, as_of=NOW).as_of == NOW


def test_data_frames_of_other_libraries_and_lazy_ones_are_taken() -> None:
    pandas = pytest.importorskip("pandas")
    table = {"account_id": ["1", "2"], "spend": [1.5, None]}
    for frame in (pandas.DataFrame(table), pl.LazyFrame(table)):
        inputs = read_plan_inputs(frame)
        assert inputs.accounts.to_dict(as_series=False) == table
    with pytest.raises(InputError, match="accounts: a list is no data frame"):
        read_plan_inputs([1, 2])


def test_the_declaration_of_a_world_reads_back_the_same(tmp_path: Path) -> None:
    world = generate(BarcelonaParams(n=150), seed=1)
    (tmp_path / "company.toml").write_text(schema_toml(world.inputs.schema))
    world.inputs.accounts.write_parquet(tmp_path / "accounts.parquet")
    again = read_plan_inputs(
        tmp_path / "accounts.parquet", schema=tmp_path / "company.toml", as_of=world.inputs.as_of
    )
    assert again.schema == world.inputs.schema
    assert again.accounts.select(world.inputs.accounts.columns).equals(world.inputs.accounts)


def test_somebody_elses_customers_by_a_mapping_only(shared: Path) -> None:
    schema = Path(__file__).parents[3] / "examples" / "telco.toml"
    quality = check_quality(
        read_plan_inputs(shared / "data" / "telco" / "telco_customer_churn.csv", schema=schema),
        QualityParams(),
    )
    assert quality.inputs.accounts.height == 7043
    assert quality.inputs.accounts["TotalCharges"].null_count() == 11  # blank for new customers
    assert quality.inputs.accounts["churned"].sum() == 1869
    assert quality.issues.filter(pl.col("message").str.contains("answer")).is_empty()


# the desk's finished tasks

NOON = datetime(2026, 6, 1, 12)
DESK = pl.DataFrame(
    {
        "account_id": ["1", "2", "2", "9"],
        "touched_at": [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(days=3), NOON],
        "channel": ["field", "outbound_cc", "field", "field"],
        "action": ["visit", "upsell", "visit", "visit"],
        "response": [True, False, False, False],
        "rejected": [False, True, False, False],
        "cost_eur": [45.0, None, 45.0, 45.0],
        "propensity": [0.9, None, None, None],
        "rep_id": ["R1", None, "R1", "R1"],
        "task_id": [1, 2, 3, 4],
    }
)
OWN = [
    {
        "account_id": "1",
        "touched_at": "2026-05-20 10:00",
        "channel": "field",
        "action": "visit",
        "response": "no",
    },
    {
        "account_id": "1",
        "touched_at": "2026-06-01 12:00",
        "channel": "field",
        "action": "visit",
        "response": "yes",
    },
]


def with_desk(folder: Path, **given: Any) -> PlanInputs:
    files = write(
        folder, {"accounts": [{"account_id": "1", "spend": "5"}, {"account_id": "2", "spend": "6"}]}
    )
    return read_plan_inputs(**files, further_touches=DESK, **given)


def test_finished_tasks_count_once_none_too_early_and_strangers_are_noted(tmp_path: Path) -> None:
    alone = with_desk(tmp_path, as_of=datetime(2026, 6, 2))
    assert alone.touches is not None
    assert alone.touches["account_id"].to_list() == ["1", "2"]  # the third is not known yet
    assert alone.touches["rejected"].to_list() == [False, True]
    assert problems(alone, "note") == [
        (
            "touches",
            None,
            "account_id",
            "finished tasks of accounts not in the table",
            "add the accounts, if their tasks are to count",
        )
    ]
    both = with_desk(tmp_path, as_of=datetime(2026, 6, 2), **write(tmp_path, {"touches": OWN}))
    assert both.touches is not None
    assert both.touches.select("account_id", "response", "rejected").rows() == [
        ("1", False, None), ("1", True, None), ("2", False, True)
    ]  # fmt: skip
    again = add_touches(both, DESK.head(3))
    assert again.touches is not None
    assert again.touches.height == 3
    assert again.intake.problems.height == both.intake.problems.height  # no strangers, so no further note


def test_the_cut_off_is_not_before_the_desks_last_outcome(tmp_path: Path) -> None:
    sold = write(tmp_path, {"orders": [{"account_id": "1", "ordered_at": "2026-05-30", "amount_eur": "5"}]})
    assert with_desk(tmp_path, **sold).as_of == NOON + timedelta(days=3)
    late = write(tmp_path, {"touches": [{**OWN[0], "touched_at": "2026-06-20 10:00"}]})
    assert with_desk(tmp_path, **sold, **late).as_of == datetime(2026, 6, 21)
    slip = DESK.with_columns(touched_at=pl.Series([NOON, NOON, NOON, datetime(2062, 6, 1)]))
    files = write(tmp_path, {"accounts": [{"account_id": "1"}]})
    assert read_plan_inputs(**files, **sold, further_touches=slip).as_of == NOON


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("UTC", datetime(2026, 6, 30, 22)),
        ("Europe/Madrid", datetime(2026, 7, 1)),
        ("Asia/Tokyo", datetime(2026, 7, 1, 7)),
    ],
)
def test_a_cut_off_with_an_offset_is_read_on_the_companys_clock(
    tmp_path: Path, zone: str, local: datetime
) -> None:
    moment = datetime.fromisoformat("2026-07-01T00:00:00+02:00")
    files = write(tmp_path, {"accounts": [{"account_id": "1"}]})
    schema = parse_mapping(f'[format]\ntime_zone = "{zone}"\n[accounts]\nid = "account_id"\n', "s")
    inputs = read_plan_inputs(**files, schema=schema, as_of=moment)
    assert inputs.as_of == local
    # UTC is what is taken where nobody says anything: it names no company's clock
    assert inputs.time_zone == (None if zone == "UTC" else zone)
    lower = parse_mapping(f'[format]\ntime_zone = "{zone.lower()}"\n[accounts]\nid = "account_id"\n', "s")
    assert read_plan_inputs(**files, schema=lower, as_of=moment).time_zone == inputs.time_zone
