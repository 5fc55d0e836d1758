"""What the desk answers about tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dealwright.desk.results import OneRow, Row, Tabular


@dataclass(frozen=True)
class Published(Tabular):
    """What publishing a run did.

    Attributes
    ----------
    run
        `DayTasks.summary()` of the run.
    counts
        ``published`` (false: it was there already), ``tasks`` of the run, ``new``, ``kept`` (an older run had
        asked for the same), ``replaced`` (of older runs), and ``settled``: the desk had one for that account
        and day that was begun, finished or cancelled, and it stands.
    """

    run: Row
    counts: Row

    def table_rows(self) -> Sequence[Row]:
        """Return the one row."""
        return (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """Return run and counts."""
        return {**self.run, **self.counts}

    def summary(self) -> str:
        """Say what is on the desk now."""
        first, last = self.run["first_day"], self.run["last_day"]
        days = str(first) if first == last else f"{first} to {last}"
        told = f"run {self.run['run_id']} for {days}"
        if not self.counts["published"]:
            return f"{told} is on the desk already: nothing changed"
        parts = [f"{self.counts['new']:,} new"]
        for name, words in (
            ("kept", "kept from the run before"),
            ("replaced", "of older runs replaced"),
            ("settled", "not asked for again: begun, finished or cancelled"),
        ):
            if self.counts[name]:
                parts.append(f"{self.counts[name]:,} {words}")
        return f"{told}: {self.counts['tasks']:,} tasks ({', '.join(parts)})"


@dataclass(frozen=True)
class Task(OneRow):
    """One task as it stands."""

    def summary(self) -> str:
        """Say what it is about, and how it stands."""
        row = self.row
        whom = f"{row['account_name']} ({row['account_id']})" if row["account_name"] else row["account_id"]
        came = f": {row['outcome'].replace('_', ' ')}" if row["outcome"] else ""
        when = f" on {row['done_at']:%Y-%m-%d %H:%M}" if row["done_at"] is not None else ""
        return (
            f"task {row['task_id']}, {row['action']} of {whom} through {row['channel']}, is "
            f"{row['status']}{came}{when}"
        )


@dataclass(frozen=True)
class Tasks(Tabular):
    """Tasks by day, representative and time."""

    rows: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return one row per task."""
        return self.rows

    def summary(self) -> str:
        """Count them by status."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row["status"]] = counts.get(row["status"], 0) + 1
        if not counts:
            return "no tasks"
        parts = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
        return f"{len(self.rows):,} tasks: {parts}"


@dataclass(frozen=True)
class PlanRuns(Tabular):
    """Published runs, newest first, with what became of their tasks."""

    rows: tuple[Row, ...]

    def table_rows(self) -> Sequence[Row]:
        """Return one row per run."""
        return self.rows

    def summary(self) -> str:
        """Count them."""
        if not self.rows:
            return "no run has been published yet"
        return "1 published run" if len(self.rows) == 1 else f"{len(self.rows):,} published runs"
