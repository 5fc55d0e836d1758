"""Work in processes: the same results and errors as here, whatever becomes of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dealwright.errors import InputError
from dealwright.report.land import read_land
from dealwright.worker_processes import WorkerProcesses


def test_work_is_done_by_other_processes_and_comes_back_in_order() -> None:
    with WorkerProcesses(2) as workers:
        assert list(workers.map(divmod, [7, 8, 9], [2, 2, 2])) == [(3, 1), (4, 0), (4, 1)]
        assert workers.submit(os.getpid).result() != os.getpid()


def test_an_error_is_the_one_that_was_raised_and_the_next_work_is_done() -> None:
    with WorkerProcesses(1) as workers:
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 1, 0).result()
        assert workers.submit(divmod, 7, 2).result() == (3, 1)


def test_an_error_of_ours_keeps_its_message() -> None:
    with WorkerProcesses(1) as workers, pytest.raises(InputError, match="cannot be read as GeoJSON"):
        workers.submit(read_land, Path("nowhere.geojson")).result()


def test_what_a_process_that_ended_should_have_done_is_done_here() -> None:
    with WorkerProcesses(1) as workers:
        its = workers.submit(os.getpid).result()
        os.kill(its, 9)
        assert workers.submit(os.getpid).result() == os.getpid()


def test_a_program_without_a_guard_of_its_main_part_may_use_them(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from dealwright.worker_processes import WorkerProcesses\n"
        "print('begins')\n"
        "with WorkerProcesses(2) as workers:\n"
        "    print(list(workers.map(abs, [-1, 2])))\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split("\n") == ["begins", "[1, 2]", ""]


def test_what_is_printed_there_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    with WorkerProcesses(1) as workers:
        assert workers.submit(print, "aside", flush=True).result() is None
    assert capfd.readouterr().err == "aside\n"
