"""Runs as pages show them: what is asked for again and again stays in memory, of a few runs at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, NotFoundError
from dealwright.report.cards import CARD_COLUMNS, card_frame, find_account
from dealwright.report.format import Format
from dealwright.report.run import Run
from dealwright.runs.output import RUN_FILES
from dealwright.runs.reading import read_run
from dealwright.runs.results import RunFolder, plain_rows

_SHOWN: Final = (
    "account_id", "account_name", "segment", "action", "channel", "waiting_for", "territory", "rep_id",
    "expected_value_eur", "churn_probability", "predicted_value_eur", "nba_score", "limit", "is_anomaly",
    "moved", "control",
)  # fmt: skip
# for the figures of the first screen
_COUNTED: Final = (*_SHOWN, "cost_eur", "visit_at", "call_at")
FILTERS: Final = ("action", "channel", "segment", "territory", "rep_id", "limit", "waiting_for")
STATES: Final = ("acted", "scheduled", "timed", "waiting", "no_action", "nothing", "odd", "moved", "control")
"""``nothing``: served by nothing today, for whatever reason."""
SORTS: Final[Mapping[str, tuple[str, bool]]] = {  # word -> column, largest first
    "gain": ("expected_value_eur", True), "leaving": ("churn_probability", True),
    "spend": ("predicted_value_eur", True), "score": ("nba_score", True),
    "account": ("account_id", False), "territory": ("territory", False), "rep": ("rep_id", False),
}  # fmt: skip
_HELD: Final = ("place", "searched", "timed")  # for finding only
_NO_ACTION: Final = "nothing"
_KEPT: Final = 4
_ROWS: Final = 5_000  # of an export at a time


@dataclass(frozen=True)
class AccountPage:
    """Some accounts of a run, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int


class RunView:
    """A run that is looked at."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.run: Run = read_run(folder.folder, columns=_COUNTED)
        # pages of one comparison are asked for one after the other
        self._changed: tuple[RunView, pl.DataFrame] | None = None

    @cached_property
    def accounts(self) -> pl.DataFrame:
        """The accounts as the list shows them, highest expected gain first; null where a run lacks a column.

        ``place`` is the row in the file, and ``searched`` what a search looks into.
        """
        frame, names = self.run.accounts, self.run.accounts.columns
        texts = [pl.col(name) for name in ("account_id", "account_name") if name in names]
        numbers = {"expected_value_eur", "churn_probability", "predicted_value_eur", "nba_score"}
        flags = {"is_anomaly", "moved", "control"}
        return frame.select(
            *(
                (pl.col(name) if name in names else pl.lit(None))
                .cast(pl.Float64 if name in numbers else pl.Boolean if name in flags else pl.String)
                .alias(name)
                for name in _SHOWN
            ),
            timed=pl.any_horizontal(
                pl.col(name).is_not_null() for name in ("visit_at", "call_at") if name in names
            )
            if {"visit_at", "call_at"} & set(names)
            else pl.lit(value=False),
            place=pl.int_range(pl.len()),
            searched=pl.concat_str(texts, separator="\n", ignore_nulls=True).str.to_lowercase(),
        ).sort("expected_value_eur", "account_id", descending=[True, False], nulls_last=True)

    @cached_property
    def history(self) -> pl.DataFrame:
        """The recent events of all accounts: one account's are found faster here than in the file."""
        file = self.folder.folder / "account_history.parquet"
        return pl.read_parquet(file) if file.is_file() else self.run.history

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """The values that a filter can have."""
        return {name: self.accounts[name].drop_nulls().unique().sort().to_list() for name in FILTERS}

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many accounts are in each state."""
        return {state: self.accounts.filter(_in_state(state)).height for state in STATES}

    def find(
        self,
        wanted: Mapping[str, str],
        *,
        search: str = "",
        state: str = "",
        among: Collection[str] | None = None,
        sort: str = "",
    ) -> pl.DataFrame:
        """Return the accounts that have these properties, in an order.

        Parameters
        ----------
        wanted
            Values of `FILTERS`; empty ones do not count.
        search
            A part of the id or the name.
        state
            One of `STATES`.
        among
            Ids of which they are to be.
        sort
            One of `SORTS`, with ``-`` in front for the other way round; by default the highest gain first.

        Raises
        ------
        InputError
            A state or an order is unknown.
        """
        parts = [pl.col(name) == value for name, value in wanted.items() if value and name in FILTERS]
        if state:
            if state not in STATES:
                raise InputError(f"state = {state!r} is unknown: use {', '.join(STATES)}")
            parts.append(_in_state(state))
        if search:
            parts.append(pl.col("searched").str.contains(search.lower(), literal=True))
        if among is not None:
            parts.append(pl.col("account_id").is_in(list(among)))
        found = self.accounts.filter(*parts) if parts else self.accounts
        word = sort.removeprefix("-")
        if sort in ("", "gain"):  # they are in that order
            return found
        if word not in SORTS:
            raise InputError(f"sort = {sort!r} is unknown: use {', '.join(SORTS)}, or one with - in front")
        column, down = SORTS[word]
        return found.sort(
            column, descending=down != sort.startswith("-"), nulls_last=True, maintain_order=True
        )

    def page(self, found: pl.DataFrame, start: int, size: int) -> AccountPage:
        """Return some rows of what was found."""
        shown = found.slice(start, size).drop(_HELD, strict=False)
        return AccountPage(plain_rows(shown), found.height)

    def export(self, found: pl.DataFrame) -> Iterator[dict[str, Any]]:
        """Yield all rows of what was found, some thousands at a time."""
        for part in found.drop(_HELD, strict=False).iter_slices(_ROWS):
            yield from plain_rows(part)

    def changed_since(self, before: RunView) -> pl.DataFrame:
        """Return the accounts with another action, channel or agent than in another run, the dearest first.

        ``value_eur`` is what the account brings more today than before: what waits, or has no action, brings
        nothing.
        """
        if self._changed is not None and self._changed[0] is before:
            return self._changed[1]
        changed = self.folder.changed_accounts(before.folder)
        brought = [
            pl.when(pl.col(f"channel_{when}").is_not_null())
            .then(pl.col(f"expected_value_eur_{when}"))
            .fill_null(0.0)
            for when in ("after", "before")
        ]
        names = pl.concat([view.accounts.select("account_id", "account_name") for view in (self, before)])
        found = (
            changed.with_columns(value_eur=brought[0] - brought[1])
            .join(names.unique("account_id", keep="first"), on="account_id", how="left")
            .sort(pl.col("value_eur").abs(), "account_id", descending=[True, False], nulls_last=True)
        )
        self._changed = (before, found)
        return found

    def card(self, account: str, form: Format) -> tuple[dict[str, Any], Run]:
        """Return all that is known of an account, and the run with that account alone.

        Raises
        ------
        NotFoundError
            The run has no such account, or several of that name.
        """
        account_id = find_account(self.accounts, account)
        own = pl.col("account_id") == account_id
        place = self.accounts.row(by_predicate=own, named=True)["place"]
        folder = self.folder.folder
        table = pl.scan_parquet(folder / "accounts.parquet").slice(place, 1)
        names = [name for name in table.collect_schema().names() if name in CARD_COLUMNS]
        one = replace(
            self.run, accounts=table.select(names).collect(), history=self.history.filter(own), form=form
        )
        return card_frame(one).row(0, named=True), one

    def file(self, name: str) -> Path:
        """Return a file that the run wrote.

        Raises
        ------
        NotFoundError
            It wrote no such file.
        """
        path = self.folder.file(name)
        inside = path.relative_to(self.folder.folder.resolve())
        if inside.parts[0] not in RUN_FILES or any(part.startswith(".") for part in inside.parts):
            raise NotFoundError(f"the run has no file {name!r}: its first page links to those it has")
        return path


class RunShelf:
    """The runs that were looked at last, so that not every page reads them anew."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._views: OrderedDict[Path, tuple[int, RunView]] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, folder: RunFolder) -> RunView:
        """Return a run, read once as long as it is among the last ones and stays as it is.

        Raises
        ------
        NotFoundError
            It cannot be read.
        """
        where = folder.folder
        try:
            written = (where / "report.html").stat().st_mtime_ns
            with self._lock:
                known = self._views.get(where)
                if known is None or known[0] != written:
                    known = self._views[where] = (written, RunView(folder))
                self._views.move_to_end(where)
                while len(self._views) > self._kept:
                    self._views.popitem(last=False)
                return known[1]
        except (InputError, OSError) as error:
            raise NotFoundError(
                f"the run {where.name} cannot be read: {error}; ask for another night"
            ) from None


def _in_state(state: str) -> pl.Expr:
    acts = pl.col("action").is_not_null() & (pl.col("action") != _NO_ACTION)
    served = pl.col("channel").is_not_null()
    return {
        "acted": acts, "scheduled": served, "timed": served & pl.col("timed"), "waiting": acts & ~served,
        "no_action": ~acts & ~served, "nothing": ~served, "odd": pl.col("is_anomaly"),
        "moved": pl.col("moved"), "control": pl.col("control"),
    }[state].fill_null(value=False)  # fmt: skip
