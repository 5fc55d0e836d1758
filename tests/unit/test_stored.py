"""A table on disk holds what was written, in its order, and goes with its last owner."""

from __future__ import annotations

import gc
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.stored import StoredTable, write_parts

ORDERS = pl.DataFrame({"account_id": ["b", "a", "b", "c", "a"], "amount_eur": [5.0, 1.0, 4.0, 2.0, 3.0]})


@pytest.fixture
def stored(tmp_path: Path) -> StoredTable:
    table = StoredTable(tmp_path)
    table.add(ORDERS[:2])
    table.add(ORDERS[2:])
    return table


def inputs(orders: pl.DataFrame | StoredTable | None) -> PlanInputs:
    accounts = pl.DataFrame({"account_id": ["a", "b", "c"]})
    return PlanInputs(accounts, AccountSchema(), datetime(2026, 1, 1), orders=orders)


def test_rows_come_back_in_the_order_in_which_they_were_added(stored: StoredTable) -> None:
    assert stored.height == 5
    assert_frame_equal(stored.collect(), ORDERS)
    assert_frame_equal(stored.scan().filter(pl.col("account_id") == "a").collect(), ORDERS[[1, 4]])
    assert [part.height for part in stored.parts()] == [2, 3]


def test_its_folder_is_removed_with_the_last_inputs_that_have_it(tmp_path: Path) -> None:
    table = StoredTable(tmp_path)
    table.add(ORDERS)
    other = inputs(table).having(as_of=datetime(2026, 2, 1))
    del table
    gc.collect()
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert other.orders is not None
    assert_frame_equal(other.orders, ORDERS)
    del other
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_inputs_read_a_stored_table_like_a_frame(stored: StoredTable) -> None:
    for table in (stored, ORDERS):
        found = inputs(table)
        assert found.orders is not None
        assert_frame_equal(found.orders, ORDERS)
        scanned = found.scan("orders")
        assert scanned is not None
        assert_frame_equal(scanned.collect(), ORDERS)
        assert_frame_equal(pl.concat(found.parts("orders")), ORDERS)
        assert found.heights() == {"accounts": 3, "orders": 5}
        assert found.logs() == {"orders": table, "touches": None, "history": None}


def test_a_log_without_rows_is_nothing_to_scan() -> None:
    assert inputs(None).scan("orders") is None
    assert inputs(ORDERS.clear()).scan("orders") is None
    assert list(inputs(None).parts("orders")) == []


def test_other_tables_leave_a_stored_one_on_disk(
    stored: StoredTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inputs(stored)
    monkeypatch.setattr(StoredTable, "collect", lambda _: pytest.fail("it was read"))
    after = before.having(reps=pl.DataFrame({"rep_id": ["r"]}))
    assert vars(after)["orders"] is stored
    assert after.heights() == {"accounts": 3, "orders": 5, "reps": 1}


def test_parts_become_one_file_in_their_order(tmp_path: Path) -> None:
    table = pl.DataFrame({"id": range(1_000), "words": [[f"{k}", "ü"] * (k % 3) for k in range(1_000)]})
    write_parts(table.iter_slices(130), tmp_path / "table.parquet", level=3, group_rows=200)
    assert_frame_equal(pl.read_parquet(tmp_path / "table.parquet"), table)
    # columns are read alone, and so are rows
    some = pl.scan_parquet(tmp_path / "table.parquet").select("words").slice(640, 2).collect()
    assert_frame_equal(some, table.select("words")[640:642])


def test_a_part_without_rows_is_a_table_without_rows(tmp_path: Path) -> None:
    empty = pl.DataFrame(schema={"id": pl.Int64, "name": pl.String})
    write_parts([empty], tmp_path / "table.parquet", level=3, group_rows=200)
    assert_frame_equal(pl.read_parquet(tmp_path / "table.parquet"), empty)
