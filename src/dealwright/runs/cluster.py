"""A cluster of dask.distributed as the place where a night's independent work is done.

Dealwright asks for no more than `concurrent.futures.Executor`; this is one that hands its work to a
scheduler. What is computed does not depend on the number of workers, nor on the order in which they end.
"""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from uuid import uuid4

from dealwright.errors import ClusterError
from dealwright.extras import require_extra

# what has to be the same everywhere, so that the same bytes come out
COMPARED: Final = ("dealwright", "numpy", "polars", "scipy", "numba", "pyvrp", "ortools")
_REACHED_S: Final = 10
_JOINED_S: Final = 30
_RETRIES: Final = 3  # of work whose worker died
_SMALL: Final = 100_000  # bytes that may go through the scheduler where there is another way


@contextmanager
def open_cluster(address: str, data: str | None = None) -> Iterator[ClusterExecutor]:
    """Connect to a scheduler, and see to it that every worker computes what this machine would.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://scheduler:8786``.
    data
        Folder or object store (any address that fsspec knows) that this machine and all workers see: what is
        large goes there, and only its place through the scheduler. Without one, everything does.

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
        yield ClusterExecutor(client, address, data)


class ClusterExecutor(Executor):
    """Does its work on the workers of a cluster.

    Attributes
    ----------
    tasks
        Worker -> tasks that it has finished.
    watch
        Called with the tasks finished, all tasks of this piece of work, and the workers there are.
    """

    def __init__(self, client: Any, address: str, data: str | None = None) -> None:
        self._client, self._address, self._data = client, address, data
        self.tasks: Counter[str] = Counter()
        self.watch: Callable[[int, int, int], None] | None = None

    def workers(self) -> list[str]:
        """Return the addresses of the workers there are."""
        return sorted(self._client.nthreads())

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do one piece of work, and wait for it."""
        future: Future[Any] = Future()
        try:
            future.set_result(self._results(partial(fn, *args, **kwargs), [()])[0])
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
            The scheduler is lost, the work kills whichever worker does it, or nothing can be shared.
        """
        del timeout, chunksize, buffersize
        return iter(self._results(fn, list(zip(*iterables, strict=False))))

    def _results(self, fn: Callable[..., Any], jobs: list[tuple[Any, ...]]) -> list[Any]:
        """Do the work for the arguments of every job."""
        shelf = None if self._data is None else Shelf.under(self._data)
        try:
            work = fn if shelf is None else shelf.put(fn)
            items = jobs if shelf is None else [shelf.put(job) for job in jobs]
            done = self._do(partial(_work, work, shelf), items)
            self.tasks.update(worker for worker, _ in done)
            return [result.get() if isinstance(result, Placed) else result for _, result in done]
        finally:
            if shelf is not None:
                shelf.clear()

    def _do(self, work: Callable[[Any], tuple[str, Any]], items: list[Any]) -> list[tuple[str, Any]]:
        """Start tasks, say how far they are, and return their results."""
        from distributed import KilledWorker, as_completed

        with _told_when_lost(self._address):
            try:
                futures = self._client.map(work, items, pure=False, retries=_RETRIES)
                ended = as_completed(futures, loop=self._client.loop)  # type: ignore[no-untyped-call]
                for number, _ in enumerate(ended, 1):
                    if self.watch is not None:
                        self.watch(number, len(futures), len(self.workers()))
                return list(self._client.gather(futures))
            except KilledWorker as error:
                raise ClusterError(
                    f"a piece of the work ended every worker that tried it ({_first_line(error)}): look at "
                    "the workers' logs, most often they have too little memory"
                ) from None


@dataclass(frozen=True)
class Placed:
    """Something large, by its place."""

    place: str

    def get(self) -> Any:
        """Read it."""
        import cloudpickle
        import fsspec

        with fsspec.open(self.place, "rb") as stream:
            return cloudpickle.load(stream)


@dataclass(frozen=True)
class Shelf:
    """A folder for one piece of work, which this machine and all workers see."""

    place: str

    @classmethod
    def under(cls, data: str) -> Shelf:
        """Make one in a shared folder.

        Raises
        ------
        ClusterError
            There is no such folder, or nothing can be written there.
        """
        from fsspec.core import url_to_fs

        place = f"{data.rstrip('/')}/dealwright-{uuid4().hex}"
        try:
            system, path = url_to_fs(place)
            system.makedirs(path)
        except (OSError, ValueError, ImportError) as error:
            raise ClusterError(
                f"--cluster-data {data}: nothing can be written there ({_first_line(error)}): name a folder "
                "or an object store that this machine and all workers can write to"
            ) from None
        return cls(place)

    def put(self, value: Any) -> Any:
        """Return something as it is, or, where it is large, by the place where it now is."""
        import cloudpickle
        import fsspec

        content = cloudpickle.dumps(value)
        if len(content) <= _SMALL:
            return value
        found = Placed(f"{self.place}/{uuid4().hex}")  # never the place of another attempt
        with fsspec.open(found.place, "wb") as stream:
            stream.write(content)
        return found

    def clear(self) -> None:
        """Remove the folder."""
        from fsspec.core import url_to_fs

        system, path = url_to_fs(self.place)
        if system.exists(path):
            system.rm(path, recursive=True)


def _work(fn: Any, shelf: Shelf | None, job: Any) -> tuple[str, Any]:
    """Do one task, on a worker: return which, and the result."""
    from distributed import get_worker

    work, arguments = (item.get() if isinstance(item, Placed) else item for item in (fn, job))
    result = work(*arguments)
    worker = str(get_worker().name)
    return worker, result if shelf is None else shelf.put(result)


@contextmanager
def _told_when_lost(address: str) -> Iterator[None]:
    """Say in one line that the scheduler went away."""
    from distributed.client import ClosedClientError
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, ClosedClientError, CommClosedError, RuntimeError) as error:
        # what distributed was about to send when the connection went is refused by its pool in words alone
        if isinstance(error, RuntimeError) and str(error) != "ConnectionPool is closed":
            raise
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
