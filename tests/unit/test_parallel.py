"""One map: the same answers in threads and one after the other, and never more threads of kernels."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from operator import call

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from dealwright.parallel import one_core_kernels, parallel_map


@pytest.mark.parametrize("worthwhile", [True, False])
def test_results_come_in_the_order_of_the_items(*, worthwhile: bool) -> None:
    draws = [np.random.default_rng(seed) for seed in range(6)]
    expected = [np.random.default_rng(seed).random() for seed in range(6)]
    with one_core_kernels():
        assert parallel_map(lambda draw: draw.random(), draws, worthwhile=worthwhile) == expected


def test_what_is_not_worthwhile_stays_in_the_thread_that_asked() -> None:
    jobs = [threading.get_ident] * 4
    assert set(parallel_map(call, jobs, worthwhile=False)) == {threading.get_ident()}
    assert parallel_map(call, jobs[:1]) == [threading.get_ident()]


def test_a_callers_executor_does_the_work_and_goes_on() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        names = parallel_map(lambda _: threading.current_thread().name, range(3), executor=pool)
        assert {name.partition("_")[0] for name in names} == {"mine"}
        assert pool.submit(int, "7").result() == 7


@pytest.mark.parametrize("worthwhile", [True, False])
def test_the_first_error_is_raised(*, worthwhile: bool) -> None:
    def fail(number: int) -> int:
        if number:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="1"):
        parallel_map(fail, range(3), worthwhile=worthwhile)


def test_linear_algebra_keeps_to_one_thread_inside_and_has_all_of_them_again_after() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_core_kernels():
        assert set(threads()) == {1}
    assert before
    assert threads() == before
