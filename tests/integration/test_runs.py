"""A night from Python: one request in, a run on disk out, and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from dealwright import NightRequest, PlanParams, PredictParams, read_run, run_night
from dealwright.errors import GateError, InputError
from dealwright.runs.reading import read_previous
from dealwright.schemas import Intake, TableReport
from dealwright.simulation.barcelona import BarcelonaParams, generate

QUICK = PlanParams(predict=PredictParams(folds=3, reasons=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nights")


@pytest.fixture(scope="module")
def night(folder: Path):
    inputs = generate(BarcelonaParams(n=300, reps=2), seed=4).inputs
    seen: list[str] = []
    request = NightRequest(folder / "first", QUICK, inputs=inputs, seed=5)
    done = run_night(request, progress=lambda stage, *_: seen.append(stage))
    return done, inputs, seen


def test_inputs_of_ones_own_are_planned_written_and_reported(night) -> None:
    done, inputs, seen = night
    assert done.request.as_of == inputs.as_of
    assert done.request.inputs is None  # not held any longer than needed
    assert done.published is None
    assert seen[0] == "quality"
    assert seen[-1] == ""
    assert (done.out / "report.html").stat().st_size > 10_000
    assert done.summary()["accounts"] == done.plan.accounts.height


def test_a_run_is_read_back_as_it_was_decided(night) -> None:
    done, *_ = night
    run = read_run(done.out)
    assert run.to_frame().equals(done.plan.accounts)
    assert run.summary() == done.plan.kpis.summary()
    assert run.kpis == done.plan.kpis
    assert run.tables.keys() == done.plan.tables.keys()
    assert run.tables["visits"].equals(done.plan.tables["visits"])
    assert run.settings == {"as_of": done.plan.inputs.as_of, "seed": 5}
    assert run.stages["route"]["summary"]["visits"] == done.plan.routes.summary()["visits"]
    assert "maps/routes.html" in run.files


def test_the_next_night_takes_over_what_the_run_left(night) -> None:
    done, *_ = night
    kept, left = done.plan.as_previous(), read_previous(done.out)
    assert left.profile == kept.profile
    assert left.waitlist.equals(kept.waitlist)
    assert left.territories.equals(kept.territories)
    assert left.carried == kept.carried


def test_the_gate_leaves_the_rejected_rows_to_look_at(night, folder: Path) -> None:
    _, inputs, _ = night
    rejected = pl.DataFrame({"id": ["", "x"], "reason": ["no id", "twice"]})
    report = TableReport("accounts", "a.csv", 4, 2, rejected=rejected)
    broken = replace(inputs, intake=Intake({"accounts": report}))
    with pytest.raises(GateError, match=r"the rows are in .*stopped/rejected"):
        run_night(NightRequest(folder / "stopped", QUICK, inputs=broken))
    assert [path.name for path in (folder / "stopped").iterdir()] == ["rejected"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the folder of a run"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="cannot read the run there"):
        read_previous(tmp_path)
