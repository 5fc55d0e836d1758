"""A plan on a cluster of dask.distributed, started as a user would: one scheduler and two workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from dealwright.errors import ClusterError
from dealwright.plan import partitions
from dealwright.plan.briefs import stage as briefs
from dealwright.plan.params import PlanParams
from dealwright.plan.pipeline import run_plan
from dealwright.runs.cluster import describe_differences, open_cluster, versions
from dealwright.simulation.barcelona import BarcelonaParams, generate

pytest.importorskip("distributed", reason="the extra cluster is not installed")
BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"Scheduler at:\s+(tcp://\S+)")


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.log = folder / "scheduler.log"
        self.start(self.log, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = wait_for(lambda: ADDRESS.search(self.log.read_text()))[1]

    def start(self, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [BIN / "dask", *arguments], stdout=stream, stderr=stream, cwd=self.folder,
                env={
                    **os.environ,
                    "DASK_TEMPORARY_DIRECTORY": str(self.folder),
                    # the functions below, and the package that they test
                    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
                },
            )  # fmt: skip
        self.processes.append(process)
        return process

    def add_worker(self) -> subprocess.Popen[bytes]:
        number = len(self.processes)
        # without a nanny: killed, it stays dead
        return self.start(
            self.folder / f"worker-{number}.log", "worker", self.address, "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--name", f"w{number}",
        )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


def wait_for(look: Callable[[], re.Match[str] | None]) -> re.Match[str]:
    """Return what is found, within a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come within a minute")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


def plan(out: Path, *options: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    arguments = ["plan", "--world", "barcelona", "--n", "300", "--seed", "3", "--out", str(out), *options]
    done = subprocess.run(
        [sys.executable, "-m", "dealwright", *arguments], capture_output=True, text=True, check=False,
        cwd=out.parent,
    )  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def squared_after(number: int) -> int:
    time.sleep(0.3)
    return number * number


def size_of(content: bytes) -> str:
    """Return how long the content is, and what the worker was given for it."""
    frame = sys._getframe(1)
    return f"{type(frame.f_locals['job']).__name__} {len(content)}"


def ends_its_process(_: int) -> None:
    os._exit(1)


def test_the_same_bytes_come_out_and_a_dead_worker_is_made_good(cluster: Cluster, tmp_path: Path) -> None:
    victim = cluster.add_worker()
    cluster.add_worker()
    alone, beside = tmp_path / "alone", tmp_path / "cluster"
    plan(alone)
    plan(beside, "--cluster", cluster.address)
    assert tables(alone) == tables(beside)
    assert (alone / "params.toml").read_bytes() == (beside / "params.toml").read_bytes()

    with open_cluster(cluster.address) as executor:
        results = executor.map(squared_after, range(3))
        assert list(results) == [0, 1, 4]
        killer = subprocess.Popen(["sh", "-c", f"sleep 1; kill -9 {victim.pid}"])
        assert list(executor.map(squared_after, range(12))) == [number**2 for number in range(12)]
        assert killer.wait() == 0
        assert victim.wait() == -signal.SIGKILL
        assert executor.submit(squared_after, 5).result() == 25
        with pytest.raises(ZeroDivisionError):  # an error of the work is the work's
            list(executor.map(lambda value: 1 // value, [1, 0]))


def test_a_night_in_parts_survives_a_worker_and_is_the_same(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = cluster.add_worker()
    cluster.add_worker()
    data = generate(BarcelonaParams(n=4_000), seed=3).inputs
    params = PlanParams(headcount=False, one_more=False)
    alone = run_plan(data, params, seed=3)
    monkeypatch.setattr(partitions, "APPLY_ROWS", 1_000)
    monkeypatch.setattr(briefs, "_PART", 200)
    shared, said = tmp_path / "shared", list[str]()

    def follow(stage: str, done: int, total: int) -> None:
        said.append(stage)
        if stage.startswith("predict: 1 of 4 tasks"):
            victim.kill()

    with open_cluster(cluster.address, str(shared)) as executor:
        wait_for(lambda: re.search("2", str(len(executor.workers()))))
        beside = run_plan(data, params, seed=3, progress=follow, executor=executor)
    assert victim.wait() == -signal.SIGKILL
    assert_frame_equal(beside.accounts, alone.accounts)
    for name, table in alone.tables.items():
        assert_frame_equal(beside.tables[name], table)
    assert [item.output_hash for item in beside.trace] == [item.output_hash for item in alone.trace]
    # four parts of predictions and of reasons, for two targets; then the other worker does everything
    tasks = {item.stage: item.tasks for item in beside.trace if item.tasks}
    assert sum(tasks["predict"].values()) == 16
    assert tasks["anomalies"] == tasks["action"] == {"w2": 4}
    assert {"predict", "anomalies", "action", "route", "schedule", "brief"} <= set(tasks)
    assert all(not item.tasks for item in alone.trace)
    assert "predict: 1 of 4 tasks, 2 workers" in said
    assert "action: 4 of 4 tasks, 1 worker" in said
    assert list(shared.iterdir()) == []


def test_what_is_large_goes_by_its_place(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_worker()
    with open_cluster(cluster.address, f"file://{tmp_path / 'shared'}") as executor:
        assert list(executor.map(size_of, [b"x" * 10, b"x" * 1_000_000])) == ["tuple 10", "Placed 1000000"]
        assert executor.submit(bytes, 500_000).result() == bytes(500_000)
    assert list((tmp_path / "shared").iterdir()) == []
    (tmp_path / "file").write_text("")
    with (
        open_cluster(cluster.address, str(tmp_path / "file")) as executor,
        pytest.raises(ClusterError, match=r"--cluster-data .*/file: nothing can be written there"),
    ):
        list(executor.map(squared_after, [1]))


def test_work_that_kills_every_worker_is_named(cluster: Cluster) -> None:
    for _ in range(4):
        cluster.add_worker()
    with open_cluster(cluster.address) as executor:
        executor.map(squared_after, range(8))  # all workers have come
        with pytest.raises(ClusterError, match="ended every worker that tried it"):
            list(executor.map(ends_its_process, [1]))


def test_a_lost_scheduler_ends_the_run_in_one_line_and_nothing_is_written(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    run = subprocess.Popen(
        [sys.executable, "-m", "dealwright", "plan", "--world", "barcelona", "--n", "300", "--out", str(out),
         "--cluster", cluster.address],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    wait_for(lambda: re.search("Receive client connection", cluster.log.read_text()))
    cluster.processes[0].kill()
    _, said = run.communicate(timeout=300)
    assert run.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("dealwright:")]
    assert len(lines) == 1
    assert "is lost" in lines[0]
    assert cluster.address in lines[0]
    assert "Traceback" not in said
    assert not out.exists()


def test_without_a_scheduler_or_a_worker_the_error_says_what_to_start(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = plan(tmp_path / "out", "--cluster", "tcp://127.0.0.1:1", expect=1)
    assert "cannot be reached" in said.stderr
    assert "dask scheduler" in said.stderr
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr("dealwright.runs.cluster._JOINED_S", 1)
    with pytest.raises(ClusterError, match=f"dask worker {cluster.address}"), open_cluster(cluster.address):
        pass


def test_workers_with_other_versions_are_refused_by_name(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add_worker()
    monkeypatch.setattr(
        "dealwright.runs.cluster.describe_differences",
        lambda here, workers: describe_differences({**here, "numpy": "1.0"}, workers),
    )
    wrong = rf"tcp://127.0.0.1:\d+ has numpy {re.escape(np.__version__)} instead of 1.0; the scheduler has"
    with pytest.raises(ClusterError, match=wrong), open_cluster(cluster.address):
        pass


def test_differences_name_worker_and_version() -> None:
    here = {"python": "3.11", "numpy": "2.4.6"}
    assert describe_differences(here, {"tcp://a:1": here}) == []
    assert describe_differences(here, {"tcp://b:1": {"python": "3.12"}, "tcp://a:1": here}) == [
        "tcp://b:1 has python 3.12 instead of 3.11, numpy not installed instead of 2.4.6"
    ]
    assert versions()["numpy"] == np.__version__
