"""Fits side by side: the same answers in threads and one after the other, and never more kernels' threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

from dealwright.plan.prediction.threads import FEW_ROWS, one_core_kernels, side_by_side


@pytest.mark.parametrize("rows", [FEW_ROWS - 1, FEW_ROWS])
def test_results_come_in_the_order_of_the_jobs_whatever_the_rows(rows: int) -> None:
    draws = [np.random.default_rng(seed) for seed in range(6)]
    expected = [np.random.default_rng(seed).random() for seed in range(6)]
    with one_core_kernels():
        assert side_by_side([draw.random for draw in draws], rows=rows) == expected


def test_few_rows_stay_in_the_thread_that_asked() -> None:
    jobs = [threading.get_ident] * 4
    assert set(side_by_side(jobs, rows=FEW_ROWS - 1)) == {threading.get_ident()}


@pytest.mark.parametrize("rows", [FEW_ROWS - 1, FEW_ROWS])
def test_the_first_error_is_raised(rows: int) -> None:
    def fail(number: int) -> int:
        if number:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="1"):
        side_by_side([partial(fail, number) for number in range(3)], rows=rows)


def test_kernels_keep_to_one_thread_where_nothing_was_imported_before() -> None:
    code = (
        "from dealwright.plan.prediction.threads import one_core_kernels\n"
        "from threadpoolctl import threadpool_info\n"
        "with one_core_kernels():\n"
        "    import sklearn.ensemble\n"
        "    found = [(pool['user_api'], pool['num_threads']) for pool in threadpool_info()]\n"
        "assert any(name == 'openmp' for name, _ in found), found\n"
        "assert all(threads == 1 for _, threads in found), found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
