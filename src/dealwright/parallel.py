"""Independent work on all cores, or on any `concurrent.futures.Executor`: one map for all of Dealwright.

Many small fits with one thread each are faster than one after the other with all cores, and much faster where
other processes keep the cores busy. NumPy's and numba's kernels release the interpreter lock, so threads are
enough.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
R = TypeVar("R")


def parallel_map(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    executor: Executor | None = None,
    worthwhile: bool = True,
) -> list[R]:
    """Do the same work for every item, and return the results in their order; the first error is raised.

    Parameters
    ----------
    executor
        Where the work is done: threads, processes or a cluster; it is not shut down. By default threads, one
        per core, for the time of the call.
    worthwhile
        Whether an item is enough work for a thread of its own: small fits are mostly steps of the
        interpreter, which runs one thread at a time.
    """
    jobs = list(items)
    if executor is not None:
        return list(executor.map(work, jobs))
    workers = min(len(jobs), os.cpu_count() or 1) if worthwhile else 1
    if workers <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, jobs))


@runtime_checkable
class Watched(Protocol):
    """An executor that says where its tasks run, and how far it is.

    Attributes
    ----------
    tasks
        Worker -> tasks that it has finished.
    watch
        Called with the tasks finished, all tasks, and the workers there are.
    """

    tasks: Counter[str]
    watch: Callable[[int, int, int], None] | None


@contextmanager
def one_core_kernels() -> Iterator[None]:
    """Keep linear algebra to one thread per call, so that `parallel_map` is the only parallelism.

    Only libraries that are loaded already can be limited.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
