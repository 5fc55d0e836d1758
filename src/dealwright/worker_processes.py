"""Processes that do work for this one: for what holds the interpreter lock, where threads gain nothing.

Unlike `multiprocessing`, they do not import the program that started them: a script without
``if __name__ == "__main__"`` and a notebook may use them.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, Final, TypeVar

R = TypeVar("R")
_SIZE: Final = 8  # bytes that say how long a message is
_CODE: Final = "from dealwright.worker_processes import serve; serve()"


class WorkerProcesses(Executor):
    """An executor of processes on this machine.

    What is given to it must be known by name where `dealwright` can be imported, and its arguments and
    results must be picklable. Work of a process that ends, or that cannot be started, is done in this one.

    Parameters
    ----------
    count
        How many processes; by default one per core. Each is started when there is work for it.
    """

    def __init__(self, count: int | None = None) -> None:
        self._own = threading.local()
        self._started: list[_Worker] = []
        self._threads = ThreadPoolExecutor(count or os.cpu_count() or 1)

    def submit(self, work: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Have work done by the next process that is free."""
        return self._threads.submit(self._ask, work, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, when their work is done."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for worker in self._started:
            worker.end()

    def _ask(self, work: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """Do work in the process of this thread."""
        try:
            succeeded, result = self._worker().ask((work, args, kwargs))
        except (OSError, EOFError):
            return work(*args, **kwargs)
        if not succeeded:
            raise result
        done: R = result
        return done

    def _worker(self) -> _Worker:
        if not hasattr(self._own, "worker"):
            self._own.worker = _Worker()
            self._started.append(self._own.worker)
        worker: _Worker = self._own.worker
        return worker


class _Worker:
    """A process, and the pipes to it."""

    def __init__(self) -> None:
        # one process for each core: none of them needs more than one thread
        alone = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        paths = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(  # noqa: S603  our own interpreter and code
            [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **alone, "PYTHONPATH": paths},
        )  # fmt: skip
        if process.stdin is None or process.stdout is None:
            raise OSError("a process without pipes")
        self.process, self._questions, self._answers = process, process.stdin, process.stdout

    def ask(self, message: Any) -> Any:
        _send(self._questions, message)
        return _receive(self._answers)

    def end(self) -> None:
        with suppress(OSError):  # it may be gone already
            self._questions.close()  # it ends with what it reads from
        self._answers.close()
        self.process.wait()


def serve() -> None:
    """Do what stdin says, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asks ends first, and this process with it
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    while True:
        try:
            work, args, kwargs = _receive(asked)
        except EOFError:
            return
        try:
            answer = True, work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  raised again where the work was asked for
            answer = False, error
        _send(answers, answer)


def _send(stream: IO[bytes], message: Any) -> None:
    content = pickle.dumps(message, protocol=5)
    stream.write(len(content).to_bytes(_SIZE, "big"))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    """Read a message.

    Raises
    ------
    EOFError
        There is none, or not the whole of one.
    """
    size = stream.read(_SIZE)
    if len(size) < _SIZE:
        raise EOFError
    length = int.from_bytes(size, "big")
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)  # noqa: S301  of our own process
