"""The tasks of a run: everything somebody is to do, nothing that waits, with the probability it was drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dealwright.errors import InputError
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.plan.prediction import PredictParams
from dealwright.plan.result import Plan
from dealwright.plan.tasks import day_tasks
from dealwright.runs.task_file import read_tasks, write_tasks
from dealwright.schemas import DAY_TASK_COLUMNS
from dealwright.simulation.barcelona import BarcelonaParams, BarcelonaWorld, generate

QUICK = PlanParams(predict=PredictParams(folds=3, reasons=1), headcount=False, one_more=False)


@pytest.fixture(scope="module")
def world() -> BarcelonaWorld:
    return generate(BarcelonaParams(n=250), seed=0)


@pytest.fixture(scope="module")
def plan(world: BarcelonaWorld) -> Plan:
    return run_plan(world.inputs, QUICK, seed=0)


def test_the_contract_names_the_columns_and_their_types(plan: Plan) -> None:
    assert dict(day_tasks(plan).frame.schema) == DAY_TASK_COLUMNS


def test_every_contact_that_has_a_place_is_a_task_and_nothing_else(plan: Plan) -> None:
    run = day_tasks(plan)
    tasks = run.frame
    assert (run.first_day, run.last_day) == (date(2026, 7, 1), date(2026, 7, 1))
    assert run.time_zone == "Europe/Madrid"
    assert tasks.select("day", "account_id", "channel").is_duplicated().sum() == 0
    visits, calls = plan.tables["visits"], plan.tables["calls"]
    assert min(visits.height, calls.height) > 5
    for channel, table in (("field", visits), ("outbound_cc", calls)):
        mine = tasks.filter(channel=channel).select("account_id", "rep_id", "start_at", "value_eur")
        assert_frame_equal(
            mine, table.select(mine.columns), check_row_order=False, check_exact=False, abs_tol=1e-9
        )
    others = plan.accounts.filter(~pl.col("channel").is_in(["field", "outbound_cc"]))
    rest = tasks.filter(~pl.col("channel").is_in(["field", "outbound_cc"]))
    assert set(rest["account_id"]) == set(others["account_id"])
    assert rest["start_at"].is_null().all()
    # who waits, is in the control group or has nothing planned is not asked for
    idle = plan.accounts.filter(pl.col("channel").is_null())["account_id"]
    assert not set(idle) & set(tasks["account_id"])
    assert tasks.filter(channel="field")["brief"].str.starts_with("## ").all()


def test_the_probability_is_that_of_the_option_that_was_drawn(plan: Plan) -> None:
    tasks = day_tasks(plan).frame
    drawn = plan.actions.frame.select("account_id", "option_propensity", "action", was="channel")
    joined = tasks.join(drawn, on=["account_id", "action"], how="left")
    same = joined.filter(pl.col("channel") == pl.col("was"))
    assert same.height > 100
    assert (same["propensity"] == same["option_propensity"]).all()
    other = joined.filter(pl.col("channel").ne_missing(pl.col("was")))
    assert other["propensity"].null_count() == other.height


def test_the_same_plan_is_the_same_run_and_another_is_another(world: BarcelonaWorld, plan: Plan) -> None:
    again = run_plan(world.inputs, QUICK, seed=0)
    assert day_tasks(again).run_id == day_tasks(plan).run_id
    later = replace(plan, inputs=replace(plan.inputs, as_of=datetime(2026, 6, 30, 1)))
    assert day_tasks(later).run_id != day_tasks(plan).run_id


def test_without_representatives_visits_are_tasks_without_a_time(world: BarcelonaWorld) -> None:
    run = run_plan(replace(world.inputs, reps=None), QUICK, seed=0)
    tasks = day_tasks(run).frame
    assert tasks["channel"].null_count() == 0
    visits = tasks.filter(channel="field")
    assert visits.height > 0
    assert visits["start_at"].is_null().all()
    assert visits["day"].unique().to_list() == [date(2026, 7, 1)]


def test_a_promised_call_is_a_task_whose_probability_nobody_knows(world: BarcelonaWorld, plan: Plan) -> None:
    idle = plan.accounts.filter(action="nothing", control=False)["account_id"][0]
    promised = pl.DataFrame({"account_id": [idle], "at": [datetime(2026, 7, 1, 11)], "rep_id": [None]})
    run = run_plan(replace(world.inputs, call_backs=promised), QUICK, seed=0)
    task = day_tasks(run).frame.filter(account_id=idle, channel="outbound_cc")
    row = task.row(0, named=True)
    assert abs(row["start_at"] - datetime(2026, 7, 1, 11)) <= timedelta(minutes=15)
    assert (row["propensity"], row["cost_eur"]) == (None, None)
    assert row["action"] != "nothing"


def test_the_file_of_a_run_is_read_back_as_it_was(plan: Plan, tmp_path: Path) -> None:
    run = day_tasks(plan)
    write_tasks(run, tmp_path)
    again = read_tasks(tmp_path)
    assert again.summary() == run.summary()
    assert_frame_equal(again.frame, run.frame)
    first = (tmp_path / "tasks.parquet").read_bytes()
    write_tasks(run, tmp_path)
    assert (tmp_path / "tasks.parquet").read_bytes() == first


@pytest.mark.parametrize("wrong", ["nothing", "text", "another table", "no columns"])
def test_a_folder_without_usable_tasks_is_named(wrong: str, plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "tasks.parquet"
    if wrong == "text":
        file.write_text("half")
    elif wrong == "another table":
        pl.DataFrame({"a": [1]}).write_parquet(file)
    elif wrong == "no columns":
        write_tasks(replace(day_tasks(plan), frame=pl.DataFrame({"account_id": ["A1"]})), tmp_path)
    with pytest.raises(InputError, match=r"holds no tasks\.parquet|not as a run wrote it"):
        read_tasks(tmp_path)
