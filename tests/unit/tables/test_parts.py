"""A large Parquet table is read part by part: what comes out is what reading it whole gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.schemas import PlanInputs
from dealwright.tables import plan_inputs
from dealwright.tables.plan_inputs import Parts, read_plan_inputs
from dealwright.tables.reader import RawTable

SIZE, PART = 400, 37
SCHEMA = """
[accounts]
id = "account_id"
numeric = ["employees"]
categorical = ["tier"]
"""


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(5)
    names = np.array([f"A{k}" for k in range(20)] + ["nobody", "NA", ""])
    start = datetime(2026, 1, 1)

    def times() -> list[datetime | None]:
        days = rng.integers(0, 200, SIZE)
        return [None if day % 29 == 0 else start + timedelta(days=int(day)) for day in days]

    def drawn(values: list[Any]) -> list[Any]:
        return [values[k] for k in rng.integers(0, len(values), SIZE)]

    accounts = pl.DataFrame({"account_id": names[:20], "employees": np.arange(20.0), "tier": ["a", "b"] * 10})
    orders = pl.DataFrame(
        {"account_id": rng.choice(names, SIZE), "ordered_at": times(),
         "amount_eur": rng.choice([20.0, 35.5, 90.0, -20.0, np.nan, np.inf], SIZE), "note": ["x"] * SIZE}
    )  # fmt: skip
    touches = pl.DataFrame(
        {"account_id": rng.choice(names, SIZE), "touched_at": times(),
         "channel": drawn(["field", "outbound_cc", "phone", None]),
         "action": rng.choice(["visit", "nothing"], SIZE), "response": drawn([True, False, None])}
    )  # fmt: skip
    history = pl.DataFrame(
        {"account_id": rng.choice(names, SIZE), "snapshot_at": times(), "employees": rng.normal(size=SIZE)}
    )
    return {"accounts": accounts, "orders": orders, "touches": touches, "history": history}


@pytest.fixture(scope="module")
def files(tables: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    for name, frame in tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "schema.toml").write_text(SCHEMA)
    return {name: folder / f"{name}.parquet" for name in tables} | {"schema": folder / "schema.toml"}


def read(files: dict[str, Any], rows: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> PlanInputs:
    """Read with parts of so many rows."""
    for bound in ("_WHOLE_ROWS", "_PART_ROWS"):
        monkeypatch.setattr(plan_inputs, bound, rows)
    return read_plan_inputs(**files, **options)


def assert_same(one: PlanInputs, other: PlanInputs) -> None:
    for name in ("accounts", "orders", "touches", "history"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(one.intake.problems, other.intake.problems)
    assert list(one.intake.tables) == list(other.intake.tables)
    for name, report in one.intake.tables.items():
        again = other.intake.tables[name]
        assert_frame_equal(report.rejected, again.rejected)
        empty = pl.DataFrame()
        assert replace(report, rejected=empty) == replace(again, rejected=empty)
    assert one.as_of == other.as_of
    assert one.schema == other.schema


@pytest.mark.parametrize("options", [{}, {"as_of": datetime(2026, 5, 1)}])
def test_part_by_part_gives_what_reading_whole_gives(
    files: dict[str, Path], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, whole = (read(files, rows, monkeypatch, **options) for rows in (PART, 10**6))
    assert_same(parts, whole)
    said = " ".join(whole.intake.problems["reason"].unique())
    for reason in ("NA (", "empty", "not a number", "returns", "not in the history: tier"):
        assert reason in said
    assert whole.intake.rejected > 100


def test_no_part_is_larger_than_it_may_be(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    heights, as_it_is = [], Parts.read

    def watched(parts: Parts, start: int, stop: int) -> RawTable:
        part = as_it_is(parts, start, stop)
        heights.append(part.frame.height)
        return part

    monkeypatch.setattr(Parts, "read", watched)
    read(files, PART, monkeypatch, as_of=datetime(2026, 9, 1))
    assert max(heights) <= PART
    assert sum(heights) == 3 * SIZE


def test_a_folder_is_read_part_by_part_across_its_files(
    files: dict[str, Path], tables: dict[str, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = tables["orders"].with_columns(year=pl.int_range(SIZE) // 150 + 2024)
    for (year,), part in orders.group_by("year", maintain_order=True):
        place = tmp_path / "orders" / f"year={year}"
        place.mkdir(parents=True)
        part.drop("year").write_parquet(place / "part-0.parquet")
    spread = read({**files, "orders": tmp_path / "orders"}, PART, monkeypatch)
    one = read(files, 10**6, monkeypatch)
    assert spread.orders is not None
    assert one.orders is not None
    assert_frame_equal(spread.orders, one.orders)


def test_times_written_as_text_are_read_whole_for_their_format_follows_from_all_of_them(
    files: dict[str, Path], tables: dict[str, pl.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # only the last row shows that the day comes first
    days = ["03/04/2026"] * 99 + ["25/04/2026"]
    pl.DataFrame({"account_id": ["A1"] * 100, "ordered_at": days, "amount_eur": [5.0] * 100}).write_parquet(
        tmp_path / "orders.parquet"
    )
    found = read(
        {**files, "orders": tmp_path / "orders.parquet"}, PART, monkeypatch, as_of=datetime(2026, 9, 1)
    )
    assert found.orders is not None
    assert found.orders["ordered_at"].unique().sort().to_list() == [
        datetime(2026, 4, 3),
        datetime(2026, 4, 25),
    ]
