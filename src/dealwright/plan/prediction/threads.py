"""Independent fits side by side, one core each.

Many small fits with one thread each are faster than one after the other with all cores, and much faster
where other processes keep the cores busy: OpenMP's threads wait for each other by spinning. scikit-learn's
and NumPy's kernels release the interpreter lock, so threads are enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def side_by_side(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run jobs on all cores and return their results in order; the first exception is raised."""
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers <= 1:
        return [job() for job in jobs]
    # imported before the threads start: two threads that both begin to import scikit-learn get half of it
    import sklearn.ensemble
    import sklearn.isotonic
    import sklearn.linear_model
    import sklearn.preprocessing  # noqa: F401

    with ThreadPoolExecutor(workers, initializer=_one_openmp_thread) as pool:
        return list(pool.map(lambda job: job(), jobs))


@contextmanager
def one_core_kernels() -> Iterator[None]:
    """Keep OpenMP and BLAS to one thread per call, so that `side_by_side` is the only parallelism."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _one_openmp_thread() -> None:
    """Set the limit of a new thread, which OpenMP keeps per thread."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")
