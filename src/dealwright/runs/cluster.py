"""A cluster of dask.distributed as the place where a night's independent work is done.

Dealwright asks for no more than `concurrent.futures.Executor`; this is one that hands its work to a
scheduler. What is computed does not depend on the number of workers, nor on the order in which they end.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from dealwright.errors import ClusterError
from dealwright.extras import require_extra

# what has to be the same everywhere, so that the same bytes come out
COMPARED: Final = ("dealwright", "numpy", "polars", "scipy", "numba", "pyvrp", "ortools")
_REACHED_S: Final = 10
_JOINED_S: Final = 30
_RETRIES: Final = 3  # of work whose worker died


@contextmanager
def open_cluster(address: str) -> Iterator[Executor]:
    """Connect to a scheduler, and see to it that every worker computes what this machine would.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://scheduler:8786``.

    Raises
    ------
    MissingExtraError
        The extra ``cluster`` is not installed here.
    ClusterError
        The scheduler cannot be reached, has no workers, or has some with other versions; or it is lost before
        the work is done.
    """
    require_extra("cluster", "--cluster")
    from distributed import Client

    _silence_loggers()
    try:
        client: Any = Client(address, timeout=_REACHED_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"the scheduler at {address} cannot be reached ({_first_line(error)}): start it with "
            "`dask scheduler`, and give the address that it says"
        ) from None
    with client:
        with _told_when_lost(address):
            _check_workers(client, address)
        yield ClusterExecutor(client, address)


class ClusterExecutor(Executor):
    """Does its work on the workers of a cluster."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do one piece of work, and wait for it."""
        future: Future[Any] = Future()
        try:
            start = partial(self._client.submit, fn, *args, pure=False, retries=_RETRIES, **kwargs)
            future.set_result(self._do(lambda: [start()])[0])
        except Exception as error:  # noqa: BLE001  it is the future's to raise
            future.set_exception(error)
        return future

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Do the same work for every item; the results come in the order of the items.

        Raises
        ------
        ClusterError
            The scheduler is lost, or the work kills whichever worker does it.
        """
        del timeout, chunksize, buffersize
        columns = [list(items) for items in iterables]
        return iter(self._do(lambda: self._client.map(fn, *columns, pure=False, retries=_RETRIES)))

    def _do(self, start: Callable[[], list[Any]]) -> list[Any]:
        """Start tasks and return their results."""
        from distributed import KilledWorker

        with _told_when_lost(self._address):
            try:
                return list(self._client.gather(start()))
            except KilledWorker as error:
                raise ClusterError(
                    f"a piece of the work ended every worker that tried it ({_first_line(error)}): look at "
                    "the workers' logs, most often they have too little memory"
                ) from None


@contextmanager
def _told_when_lost(address: str) -> Iterator[None]:
    """Say in one line that the scheduler went away."""
    from distributed.client import ClosedClientError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, ClosedClientError, CommClosedError) as error:
        raise ClusterError(
            f"the scheduler at {address} is lost ({_first_line(error)}); nothing was written: start it again "
            "and plan again"
        ) from None


def _silence_loggers() -> None:
    """Leave what is said of lost connections to the error, which says it once.

    The library gives some of its loggers levels of their own when it is imported: its parent's is not enough.
    """
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def versions() -> dict[str, str]:
    """Return the versions that a plan depends on, here."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in COMPARED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def describe_differences(here: Mapping[str, str], workers: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a line for each worker that has other versions."""
    lines = []
    for worker, there in sorted(workers.items()):
        others = [
            f"{name} {there.get(name, 'not installed')} instead of {wanted}"
            for name, wanted in here.items()
            if there.get(name) != wanted
        ]
        if others:
            lines.append(f"{worker} has {', '.join(others)}")
    return lines


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_JOINED_S)
    except TimeoutError:
        raise ClusterError(
            f"no worker is connected to {address}: start some with `dask worker {address}`"
        ) from None
    try:
        # the scheduler reads the work before it hands it on
        found = {"the scheduler": client.run_on_scheduler(versions), **client.run(versions)}
    except (ImportError, AttributeError, RuntimeError) as error:
        raise ClusterError(
            f"the scheduler or a worker of {address} does not have this Dealwright ({_first_line(error)}): "
            "install 'dealwright[plan,cluster]' in the same version for all of them"
        ) from None
    if others := describe_differences(versions(), found):
        raise ClusterError(
            f"the cluster would compute something else: {'; '.join(others)}. Install the same versions "
            "everywhere"
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
