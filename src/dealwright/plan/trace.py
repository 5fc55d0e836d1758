"""Time, count and hash every stage; log it; and give each stage its own random numbers."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import polars as pl

from dealwright.parallel import Watched
from dealwright.toml import to_toml

# silent until somebody configures the standard library's logger of this name
_log = logging.getLogger("dealwright.plan")
STAGES: Final = (
    "quality", "predict", "anomalies", "segment", "action", "territory", "channel", "route", "schedule",
    "distance_only", "limits", "brief",
)  # fmt: skip
# only where there are positions and representatives
FIELD_STAGES: Final = ("territory", "route", "distance_only")
_MANY_ROWS: Final = 100_000


class StageResult(Protocol):
    """What every stage returns: a frame by account and a flat summary of counts, metrics, fallbacks."""

    @property
    def frame(self) -> pl.DataFrame:
        """One row per account, in the order of the accounts."""
        ...

    def summary(self) -> Mapping[str, Any]:
        """Flat mapping of plain values (str, int, float, bool, None) for the trace, the KPIs and people."""
        ...


R = TypeVar("R", bound=StageResult)


class Progress(Protocol):
    """Told when a stage begins (`done` of `total` are over) and, with an empty name, when all are over."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show it."""
        ...


@dataclass(frozen=True)
class StageRecord:
    """One line of ``trace.jsonl``. Only `seconds` and `tasks` differ when a run is repeated."""

    stage: str
    # rows of the stage's first frame, and of its result
    rows_in: int
    rows_out: int
    seconds: float
    # the first 16 hexadecimal digits of SHA-256 over the parameters, over everything the stage could read
    # (the tables, the seed and the results before it) and over the flat columns of its result
    params_hash: str
    input_hash: str
    output_hash: str
    summary: dict[str, Any]
    # worker of a cluster -> tasks of the stage that it did; empty on one machine
    tasks: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write the record as one line of JSON."""
        known = {name: value for name, value in vars(self).items() if name != "tasks" or value}
        return json.dumps(known, sort_keys=True, default=str)


@dataclass
class Tracer:
    """Runs the stages of one plan and keeps their records."""

    # every stage draws from its own stream, which depends on the seed and the stage's name only, so that
    # adding a stage changes no other. A stage that runs twice draws the same numbers.
    seed: int
    input_hash: str  # hash of what the run was given
    total: int = len(STAGES)
    progress: Progress | None = None
    quiet: bool = False  # stages are run with their random numbers, and nothing is recorded
    records: list[StageRecord] = field(default_factory=list)
    # where stages have their work done; records and progress show the tasks of one that is `Watched`
    executor: Executor | None = None

    def run(
        self,
        name: str,
        rows_in: int,
        stage: Callable[..., R],
        *args: Any,
        **kwargs: Any,
    ) -> R:
        """Run ``stage(*args, rng=…, **kwargs)``; the parameters are the last positional argument."""
        if self.quiet:
            result = stage(*args, rng=generator(self.seed, name), **kwargs)
            if (
                rows_in > _MANY_ROWS
            ):  # what is left of a dozen plans made again would be the peak of the night
                return_memory()
            return result
        if self.progress is not None:
            self.progress(name, min(len(self.records), self.total - 1), self.total)
        before = hash_text("|".join([self.input_hash, *(record.output_hash for record in self.records)]))
        watched = self._watched(name)
        done = Counter[str]() if watched is None else Counter(watched.tasks)
        begin = time.perf_counter()
        result = stage(*args, rng=generator(self.seed, name), **kwargs)
        return_memory()
        seconds = time.perf_counter() - begin
        frame = result.frame
        params = args[-1] if args else None
        record = StageRecord(
            name, rows_in, frame.height, round(seconds, 4), hash_params(params), before, hash_frame(frame),
            dict(result.summary()), {} if watched is None else dict(watched.tasks - done),
        )  # fmt: skip
        self.records.append(record)
        if _log.isEnabledFor(logging.INFO):
            flat = {key: value for key, value in vars(record).items() if key != "summary"}
            _log.info(json.dumps({"event": "stage finished", "level": "info", **flat}, sort_keys=True))
        return result

    def _watched(self, name: str) -> Watched | None:
        """Return the executor if it says what it does, and let it say so while a stage runs."""
        if not isinstance(self.executor, Watched):
            return None
        place = min(len(self.records), self.total - 1)

        def show(done: int, tasks: int, workers: int) -> None:
            if self.progress is not None:
                where = f"{workers} worker{'s' * (workers != 1)}"
                self.progress(f"{name}: {done} of {tasks} tasks, {where}", place, self.total)

        self.executor.watch = show
        return self.executor

    def finish(self) -> None:
        """Tell the progress that all stages are over."""
        if self.progress is not None:
            self.progress("", self.total, self.total)


def return_memory() -> None:
    """Give memory that is free back to the system, where the C library would keep it for later (glibc).

    What a stage needs for a moment would otherwise add to what the next one needs.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of a stage: one stream per seed and name."""
    return np.random.default_rng([seed, int(hash_text(name), 16)])


def hash_text(text: str) -> str:
    """Return 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_params(params: Any) -> str:
    """Hash a dataclass of parameters by content."""
    return hash_text(to_toml(params)) if params is not None else ""


def hash_frame(frame: pl.DataFrame | None) -> str:
    """Hash the flat columns of a frame, row by row in order; stable within one version of Polars."""
    if frame is None or frame.is_empty():
        return "" if frame is None else hash_text(",".join(frame.columns))
    flat = frame.select(name for name, kind in frame.schema.items() if not kind.is_nested())
    digest = hashlib.sha256(",".join(flat.columns).encode())
    digest.update(flat.hash_rows(seed=0).to_numpy().tobytes())
    return digest.hexdigest()[:16]
