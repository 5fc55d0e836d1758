"""Look into the folder of a run, a page at a time: figures, accounts, tables, files, and what changed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, NotFoundError

# what a list shows of an account
_LISTED: Final = (
    "account_id", "account_name", "segment", "action", "channel", "territory", "rep_id", "expected_value_eur",
    "churn_probability", "predicted_value_eur", "nba_score", "waiting_for", "is_anomaly",
)  # fmt: skip
_FILTERS: Final = ("action", "channel", "segment", "territory", "rep_id")
_SEARCHED: Final = ("account_id", "account_name")
_COMPARED: Final = ("action", "channel", "rep_id")


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run that is complete."""

    folder: Path

    def kpis(self) -> list[dict[str, Any]]:
        """Return the key figures with their targets."""
        try:
            found: list[dict[str, Any]] = json.loads((self.folder / "kpis.json").read_text("utf-8"))["kpis"]
        except (OSError, ValueError, KeyError) as error:
            raise _broken(self.folder, error) from None
        return found

    def accounts(
        self, *, search: str | None = None, after: str | None = None, k: int = 100, **wanted: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of the accounts, highest expected gain first, and where the next page begins.

        Parameters
        ----------
        search
            A part of the id or the name.
        after
            The account that was the last of the page before.
        wanted
            ``action``, ``channel``, ``segment``, ``territory``, ``rep_id``.
        """
        frame = self._scan("accounts")
        names = frame.collect_schema().names()
        frame = frame.select(name for name in _LISTED if name in names)
        for name, value in wanted.items():
            if name not in _FILTERS:
                raise InputError(f"accounts are not filtered by {name}: use {', '.join(_FILTERS)}")
            if value is not None:
                has = name in names
                frame = frame.filter(pl.col(name).cast(pl.String) == value if has else pl.lit(value=False))
        if search:
            texts = [
                pl.col(name).str.to_lowercase() for name in ("account_id", "account_name") if name in names
            ]
            frame = frame.filter(
                pl.any_horizontal(text.str.contains(search.lower(), literal=True) for text in texts)
            )
        frame = frame.sort("expected_value_eur", "account_id", descending=[True, False], nulls_last=True)
        if after is not None:
            frame = frame.filter((pl.col("account_id") == after).cum_sum().shift(1, fill_value=0) > 0)
        return _page(self._collect(frame.head(k + 1)), k)

    def card(self, account: str) -> dict[str, Any]:
        """Return all that is known of an account: what was decided, why, and why not something else.

        Raises
        ------
        NotFoundError
            The run has no such account.
        """
        from dealwright.report.cards import card_of, find_account
        from dealwright.runs.reading import read_run

        run = read_run(self.folder)
        card = card_of(run, find_account(run.accounts, account))
        return {name: plain(value) for name, value in card.items() if value is not None}

    def table(self, name: str, *, after: int = 0, k: int = 100) -> tuple[list[dict[str, Any]], int | None]:
        """Return a page of another table of the run, in its order, and the number of the row that follows."""
        if not (self.folder / f"{name}.parquet").is_file():
            return [], None
        rows = self._collect(self._scan(name).slice(after, k + 1))
        return rows[:k], (after + k if len(rows) > k else None)

    def files(self) -> list[dict[str, Any]]:
        """Return the files of the run by name."""
        return [
            {"name": path.relative_to(self.folder).as_posix(), "bytes": path.stat().st_size}
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        ]

    def file(self, name: str) -> Path:
        """Return where a file of the run is.

        Raises
        ------
        NotFoundError
            The run has no such file.
        """
        root = self.folder.resolve()
        try:
            path = (root / name).resolve()
            there = path.is_relative_to(root) and path.is_file()
        except (OSError, ValueError):
            there = False
        if not there:
            raise NotFoundError(f"the run has no file {name!r}: the list of its files shows the names")
        return path

    def compare(self, before: RunFolder, *, after: str | None = None, k: int = 100) -> dict[str, Any]:
        """Say what differs from another run: figures, and accounts with another action, channel or agent.

        Parameters
        ----------
        after
            The account that was the last of the page before.
        """
        values = {item["name"]: item["value"] for item in before.kpis()}
        figures = [
            {
                "name": item["name"], "before": values.get(item["name"]), "after": item["value"],
                "change": _difference(values.get(item["name"]), item["value"]),
            }
            for item in self.kpis()
        ]  # fmt: skip
        changed = self.changed_accounts(before)
        page = changed if after is None else changed.filter(pl.col("account_id") > after)
        rows, following = _page(plain_rows(page.head(k + 1)), k)
        return {"kpis": figures, "changed": changed.height, "items": rows, "next": following}

    def changed_accounts(self, before: RunFolder) -> pl.DataFrame:
        """Return the accounts with another action, channel or agent than in another run, by their ids."""
        now, was = (run._compared() for run in (self, before))
        joined = was.join(now, on="account_id", how="full", coalesce=True, suffix="_now")
        differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_now")) for name in _COMPARED)
        gone, new = pl.col("there_now").is_null(), pl.col("there").is_null()
        what = pl.when(new).then(pl.lit("new")).when(gone).then(pl.lit("gone")).otherwise(pl.lit("changed"))
        columns = [
            column
            for name in (*_COMPARED, "expected_value_eur")
            for column in (pl.col(name).alias(f"{name}_before"), pl.col(f"{name}_now").alias(f"{name}_after"))
        ]
        return (
            joined.filter(gone | new | differs)
            .select("account_id", what.alias("what"), *columns)
            .sort("account_id")
        )

    def _compared(self) -> pl.DataFrame:
        frame = self._scan("accounts")
        names = frame.collect_schema().names()
        texts = [
            (pl.col(name) if name in names else pl.lit(None)).cast(pl.String).alias(name)
            for name in _COMPARED
        ]
        value = pl.col("expected_value_eur") if "expected_value_eur" in names else pl.lit(None)
        return frame.select(
            "account_id", *texts, value.cast(pl.Float64).alias("expected_value_eur"), there=pl.lit(value=True)
        ).collect()

    def _scan(self, name: str) -> pl.LazyFrame:
        try:
            return pl.scan_parquet(self.folder / f"{name}.parquet")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _broken(self.folder, error) from None

    def _collect(self, frame: pl.LazyFrame) -> list[dict[str, Any]]:
        try:
            return plain_rows(frame.collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _broken(self.folder, error) from None


def plain_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can say them."""
    return [{name: plain(value) for name, value in row.items()} for row in frame.to_dicts()]


def _page(rows: list[dict[str, Any]], k: int) -> tuple[list[dict[str, Any]], str | None]:
    """Keep `k` of the `k + 1` rows that were asked for: the last one says whether more follow."""
    kept = rows[:k]
    return kept, (str(kept[-1]["account_id"]) if len(rows) > k else None)


def plain(value: Any) -> Any:
    """Return a value as JSON can say it: no number that is none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime | date) else value


def _difference(before: Any, after: Any) -> float | None:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (before, after))
    return float(after) - float(before) if numbers else None


def _broken(folder: Path, error: Exception) -> NotFoundError:
    return NotFoundError(
        f"the run {folder.name} cannot be read: {error}; its folder is incomplete or was removed: "
        "ask for another night"
    )
