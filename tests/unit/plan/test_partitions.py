"""What is applied some accounts at a time, with logs on disk, is what all at once gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.plan import partitions as module
from dealwright.plan.params import PlanParams
from dealwright.plan.partitions import apply, by_account, partitions
from dealwright.plan.pipeline import run_plan
from dealwright.plan.quality import Quality
from dealwright.plan.trace import Tracer
from dealwright.schemas import ISSUE_COLUMNS, AccountSchema, PlanInputs
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


class Counting(Executor):
    """Does its work at once, and counts it as a cluster does."""

    def __init__(self) -> None:
        self.tasks: Counter[str] = Counter()
        self.watch: Callable[[int, int, int], None] | None = None

    def map(self, fn: Callable[..., Any], *iterables: Any, **_: Any) -> Iterator[Any]:
        jobs = list(zip(*iterables, strict=True))
        for number, _job in enumerate(jobs, 1):
            self.tasks[f"w{number % 2}"] += 1
            assert self.watch is not None
            self.watch(number, len(jobs), 2)
        return iter([fn(*job) for job in jobs])


def test_a_single_part_is_done_here_and_several_by_the_executor() -> None:
    executor, work = Counting(), (10).__add__
    executor.watch = lambda *_: None
    assert apply(work, [1], executor) == [11]
    assert not executor.tasks
    assert apply(work, [1, 2, 3]) == apply(work, [1, 2, 3], executor) == [11, 12, 13]
    assert executor.tasks == {"w0": 1, "w1": 2}


def test_the_trace_and_the_progress_say_which_worker_did_how_much() -> None:
    said: list[tuple[str, int, int]] = []
    executor = Counting()
    tracer = Tracer(1, "", 2, lambda *step: said.append(step), executor=executor)

    def stage(frame: pl.DataFrame, tasks: int, *, rng: object) -> Quality:
        apply(str, range(tasks), executor)
        return Quality(
            PlanInputs(frame, AccountSchema(), datetime(2026, 1, 1)), pl.DataFrame(schema=ISSUE_COLUMNS), {}
        )

    accounts = pl.DataFrame({"account_id": ["a"]})
    for name, tasks in (("one", 3), ("two", 1)):
        tracer.run(name, 1, partial(stage, accounts, tasks))
    assert [record.tasks for record in tracer.records] == [{"w0": 1, "w1": 2}, {}]
    assert said == [
        ("one", 0, 2), *((f"one: {k} of 3 tasks, 2 workers", 0, 2) for k in (1, 2, 3)), ("two", 1, 2)
    ]  # fmt: skip
    assert '"tasks": {"w0": 1, "w1": 2}' in tracer.records[0].to_json()
    assert "tasks" not in tracer.records[1].to_json()


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
