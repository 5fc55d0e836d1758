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
from typing import Final, TypeVar

T = TypeVar("T")
# small fits are mostly steps of the interpreter, which runs one thread at a time: threads wait for its lock
FEW_ROWS: Final = 5_000


def side_by_side(jobs: Sequence[Callable[[], T]], *, rows: int) -> list[T]:
    """Run jobs on all cores and return their results in order; the first exception is raised.

    Parameters
    ----------
    rows
        What a job works on; with fewer than `FEW_ROWS` they run one after the other, on one core.
    """
    workers = min(len(jobs), os.cpu_count() or 1) if rows >= FEW_ROWS else 1
    if workers <= 1:
        return [job() for job in jobs]
    _load_models()  # two threads that both begin to import scikit-learn get half of it
    with ThreadPoolExecutor(workers, initializer=_one_openmp_thread) as pool:
        return list(pool.map(lambda job: job(), jobs))


@contextmanager
def one_core_kernels() -> Iterator[None]:
    """Keep OpenMP and BLAS to one thread per call, so that `side_by_side` is the only parallelism."""
    from threadpoolctl import threadpool_limits

    _load_models()  # only libraries that are loaded are limited
    with threadpool_limits(1):
        yield


def _load_models() -> None:
    import sklearn.ensemble
    import sklearn.isotonic
    import sklearn.linear_model
    import sklearn.preprocessing  # noqa: F401


def _one_openmp_thread() -> None:
    """Set the limit of a new thread, which OpenMP keeps per thread."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")
