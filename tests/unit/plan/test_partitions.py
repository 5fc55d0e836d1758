"""What is applied some accounts at a time, with logs on disk, is what all at once gives."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.plan import partitions as module
from dealwright.plan.params import PlanParams
from dealwright.plan.partitions import by_account, partitions
from dealwright.plan.pipeline import run_plan
from dealwright.schemas import PlanInputs
from dealwright.simulation.barcelona import BarcelonaParams, generate
from dealwright.stored import StoredTable


def test_slices_cover_all_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "APPLY_ROWS", 4)
    assert partitions(10) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert partitions(8) == [slice(0, 4), slice(4, 8)]
    assert partitions(0) == [slice(0, 0)]


def test_all_rows_of_an_account_stand_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_ROWS", 100)
    log = pl.DataFrame({"account_id": [f"a{k % 37}" for k in range(1_000)], "number": range(1_000)})
    parts = list(by_account(log))
    assert len(parts) == 10
    of_part = [set(part["account_id"]) for part in parts]
    assert sum(map(len, of_part)) == 37
    assert_frame_equal(pl.concat(parts).sort("number"), log)
    assert all(part["number"].is_sorted() for part in parts)


def test_a_plan_in_small_parts_is_the_plan_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = generate(BarcelonaParams(n=400), seed=3).inputs
    params = PlanParams(headcount=False, one_more=False)
    whole = run_plan(data, params, seed=3)
    monkeypatch.setattr(module, "APPLY_ROWS", 130)
    monkeypatch.setattr(module, "LOG_ROWS", 1_000)
    parts = run_plan(_on_disk(data), params, seed=3)
    assert_frame_equal(parts.accounts, whole.accounts)
    for name, table in whole.tables.items():
        assert_frame_equal(parts.tables[name], table)
    assert [record.output_hash for record in parts.trace] == [record.output_hash for record in whole.trace]
    assert [record.input_hash for record in parts.trace] == [record.input_hash for record in whole.trace]


def _on_disk(data: PlanInputs) -> PlanInputs:
    logs: dict[str, Any] = {}
    for name in ("orders", "touches", "history"):
        logs[name] = StoredTable()
        for part in getattr(data, name).iter_slices(700):
            logs[name].add(part)
    return data.having(**logs)
