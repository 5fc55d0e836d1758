"""``accounts.html``: search the accounts of a run, and see what was decided for each and why, offline.

The page itself is small. Beside it lie ``accounts/index.js``, with a row per account to search and to filter,
and one file for some hundred cards each; a page on a disk may load a script, but not fetch a file. What they
hold is written column by column and compressed, so a hundred thousand accounts stay below the size of a
photograph album.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from dealwright.parallel import parallel_map
from dealwright.report.brief_files import shown_fragment
from dealwright.report.cards import _STATES, card_frame, layout, link_words
from dealwright.report.changed_days import changed_note
from dealwright.report.format import Format
from dealwright.report.pages import Page, as_script, packed, page_links, render
from dealwright.report.reasons import Reasons
from dealwright.report.run import Run
from dealwright.stats.arrays import Ints
from dealwright.stored import PartitionedTable

FOLDER: Final = "accounts"
_CARDS_A_FILE: Final = 1_000
_FILES_AT_A_TIME: Final = 10
_WHOLE_ACCOUNTS: Final = 200_000  # whose events, briefs and reasons may all be in memory
_FILES_A_GROUP: Final = 100  # of more accounts, files whose are
_PART_ROWS: Final = 100_000
_LISTS: Final = ("reasons", "value_reasons", "churn_reasons", "excluded")
# table of the run -> the columns that are read for some files at a time; all without any
_LONG: Final = {
    "accounts": ("account_id", *_LISTS), "account_history": (), "briefs": ("account_id", "html"),
}  # fmt: skip
# accounts that a browser searches in an instant; the cards of all others open by their address
MOST_LISTED: Final = 300_000
# what the index holds of every account, so that a figure of the report can open its rows
FILTERS: Final = (
    "action", "channel", "state", "segment", "territory", "rep_id", "who", "limit", "waiting_for", "changed",
    "moved", "odd",
)  # fmt: skip
_SHOWN: Final = (
    "account_id", "account_name", "action_words", "channel_words", "state_words", "who", "planned_at",
    "wait_rank", "expected_wait_days", "expected_value_eur", "cost_eur", "response_probability",
    "untouched_probability", "response_value_eur", "price_eur", "runner_up_words", "runner_up_value_eur",
    "why", "obstacles", "segment_words", "territory", "rep_id", "predicted_value_eur", "potential_eur",
    "value_why", "churn_probability", "churn_low", "churn_high", "churn_why", "odd", "options", "events",
    "links", "state", "mentions", "brief",
)  # fmt: skip
# of a card, what the index needs
_LISTED: Final = (
    "account_id", "account_name", "expected_value_eur", "planned_at", "action", "channel", "state", "segment",
    "territory", "rep_id", "who", "limit", "waiting_for", "moved", "is_anomaly",
)  # fmt: skip
# money to cents, shares to a tenth of a per cent: what the card shows, and no more
_PLACES: Final = {
    "expected_value_eur": 2, "cost_eur": 2, "response_value_eur": 2, "price_eur": 2, "runner_up_value_eur": 2,
    "predicted_value_eur": 0, "potential_eur": 0, "expected_wait_days": 1, "response_probability": 4,
    "untouched_probability": 4, "churn_probability": 4, "churn_low": 4, "churn_high": 4,
}  # fmt: skip


def write_accounts(run: Run, folder: Path) -> None:
    """Write ``accounts.html`` and its files into a run's folder."""
    files = max(math.ceil(run.accounts.height / _CARDS_A_FILE), 1)
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    for old in target.glob("*.js"):
        old.unlink()
    shards = pl.Series("_file", shards_of(run.accounts["account_id"], files), dtype=pl.Int64)
    reasons = Reasons(run.form)
    listed: list[pl.DataFrame] = []
    for group in _groups(run, folder, shards, files):
        numbered = group.accounts.with_columns(group.shards)
        batches = tuple(_Batches.of(table, files) for table in (numbered, group.history, group.briefs))

        def write_some(first: int, batches: tuple[_Batches, ...] = batches) -> pl.DataFrame:
            accounts, history, briefs = (table.rows_of(first // _FILES_AT_A_TIME) for table in batches)
            cards = _cards_of(replace(run, accounts=accounts, history=history), briefs, reasons)
            shown = cards.select(_SHOWN).with_columns(
                pl.col(name).round(digits) for name, digits in _PLACES.items()
            )
            parts = shown.with_columns(accounts["_file"]).partition_by(
                "_file", as_dict=True, include_key=False
            )
            for (number,), part in parts.items():
                _write(target / f"{number}.js", f"card:{number}", by_column(part))
            return cards.select(_LISTED)

        # some files at a time: the cards of all accounts would be the largest table of a run; while some are
        # compressed, which holds no interpreter lock, those of others are gathered
        listed += parallel_map(write_some, group.places)
    # what brings most is listed first; sorted here, so that a page of many accounts need not
    by_gain = ("expected_value_eur", "account_id")
    index = pl.concat(listed).sort(*by_gain, descending=[True, False], nulls_last=True)
    _write(target / "index.js", "index", _index(index.head(MOST_LISTED), run))
    (folder / "accounts.html").write_text(_page(run, index, files), encoding="utf-8")


@dataclass(frozen=True)
class _Group:
    """Some files of cards, and what they are made of."""

    places: range  # the first files of its batches
    accounts: pl.DataFrame
    shards: pl.Series
    history: pl.DataFrame
    briefs: pl.DataFrame


def reads_files(folder: Path, accounts: int) -> bool:
    """Tell whether `write_accounts` reads what is long from the run's folder: it is too much for memory."""
    return accounts > _WHOLE_ACCOUNTS and all((folder / f"{name}.parquet").exists() for name in _LONG)


def _groups(run: Run, folder: Path, shards: pl.Series, files: int) -> Iterator[_Group]:
    """Yield the files of cards; all of them together, or of many accounts some hundred at a time."""
    if not reads_files(folder, run.accounts.height):
        whole = range(0, files, _FILES_AT_A_TIME)
        yield _Group(whole, run.accounts, shards, run.history, run.tables["briefs"])
        return
    tables = parallel_map(
        lambda name: _partitioned(folder / f"{name}.parquet", _LONG[name], files), tuple(_LONG)
    )
    long = dict(zip(_LONG, tables, strict=True))
    flat = run.accounts.drop(_LISTS, strict=False)
    for number in range(math.ceil(files / _FILES_A_GROUP)):
        first = number * _FILES_A_GROUP
        end = min(first + _FILES_A_GROUP, files)
        here = shards.is_between(first, end, closed="left")
        rows = {name: table.take(number) for name, table in long.items()}
        lists = rows["accounts"].drop("account_id")
        yield _Group(
            range(first, end, _FILES_AT_A_TIME), flat.filter(here).hstack(lists), shards.filter(here),
            rows["account_history"], rows["briefs"],
        )  # fmt: skip


def _partitioned(file: Path, columns: Collection[str], files: int) -> PartitionedTable:
    """Put the rows of a table of the run where those of a group of files can be read together."""
    table = pl.scan_parquet(file)
    table = table.select(columns) if columns else table
    groups = PartitionedTable(math.ceil(files / _FILES_A_GROUP), table.collect_schema())
    height = int(table.select(pl.len()).collect().item())
    for start in range(0, height, _PART_ROWS):
        rows = table.slice(start, _PART_ROWS).collect()
        groups.add(rows, pl.Series(shards_of(rows["account_id"], files) // _FILES_A_GROUP))
    return groups


@dataclass(frozen=True)
class _Batches:
    """A table with rows of accounts, to take those of the accounts of some files from it.

    Looking all rows through for every batch would take a time that grows as the square of the accounts.
    """

    table: pl.DataFrame
    rows: Ints
    ends: Ints

    @classmethod
    def of(cls, table: pl.DataFrame, files: int) -> _Batches:
        """Put the rows of a table in the order of the batches; within one they keep theirs."""
        batch = shards_of(table["account_id"], files) // _FILES_AT_A_TIME
        batches = math.ceil(files / _FILES_AT_A_TIME)
        ends = np.cumsum(np.bincount(batch, minlength=batches), dtype=np.int64)
        return cls(table, np.argsort(batch, kind="stable"), ends)

    def rows_of(self, batch: int) -> pl.DataFrame:
        """Return the rows of one batch."""
        first = int(self.ends[batch - 1]) if batch else 0
        return self.table[self.rows[first : int(self.ends[batch])]]


def _cards_of(run: Run, briefs: pl.DataFrame, reasons: Reasons) -> pl.DataFrame:
    """Return the cards of some accounts, with the briefs of their contacts.

    The briefs of numbered agents stand nowhere else.
    """
    of_account = (
        briefs.with_columns(shown_fragment())
        .group_by("account_id", maintain_order=True)
        .agg(brief=pl.col("html").str.join(""))
    )
    cards = card_frame(run, reasons)
    return cards.join(of_account, on="account_id", how="left", maintain_order="left")


def shards_of(account_ids: pl.Series, files: int) -> Ints:
    """Return the numbers of the files in which accounts' cards are: FNV-1a, as the page's script counts."""
    # rows of an account mostly stand together
    runs = account_ids.rle()
    ids, lengths = runs.struct.field("value"), runs.struct.field("len").to_numpy()
    sizes = ids.str.len_bytes().to_numpy()
    text = np.frombuffer(ids.str.join("").item().encode(), dtype=np.uint8)
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])[:-1]
    value = np.full(sizes.size, 0x811C9DC5, dtype=np.uint32)
    shared = int(sizes.min()) if sizes.size else 0
    for k in range(shared):
        value = (value ^ text[starts + k]) * np.uint32(0x01000193)
    for k in range(shared, int(sizes.max(initial=0))):
        longer = sizes > k
        value[longer] = (value[longer] ^ text[starts[longer] + k]) * np.uint32(0x01000193)
    return np.repeat(value.astype(np.int64) % files, lengths)


def by_column(cards: pl.DataFrame) -> str:
    """Write cards as a list with one object: a list per column, a third smaller than an object per card."""
    return cards.select(pl.all().implode()).write_json()


def _index(cards: pl.DataFrame, run: Run) -> str:
    """Return what is searched and filtered, column by column; words are numbered."""
    found: dict[str, Any] = {
        "id": cards["account_id"].to_list(),
        "name": cards["account_name"].to_list()
        if cards["account_name"].null_count() < cards.height
        else None,
        "value": cards["expected_value_eur"].round(2).to_list(),
        "at": cards["planned_at"].dt.strftime("%Y-%m-%dT%H:%M").to_list(),
    }
    # the first of an account's changes: who moved comes first
    changed = run.changes.select("account_id", changed="what").unique("account_id", keep="first")
    flags = cards.join(changed, on="account_id", how="left", maintain_order="left").with_columns(
        moved=pl.when("moved").then(pl.lit("yes")), odd=pl.when("is_anomaly").then(pl.lit("yes"))
    )
    for name in FILTERS:
        column = flags[name]
        words = sorted(column.drop_nulls().unique().to_list())
        numbers = pl.Series(range(len(words)), dtype=pl.Int64)
        of = column.replace_strict(words, numbers, default=-1, return_dtype=pl.Int64)
        found[name] = {"words": words, "of": of.to_list()}
    return msgspec.json.encode(found).decode()


def _write(path: Path, key: str, text: str) -> None:
    path.write_text(f'keep("{key}","{packed(text)}")\n', encoding="ascii")


def _page(run: Run, cards: pl.DataFrame, files: int) -> str:
    form = run.form
    words = sorted({text for name in ("action", "channel", "waiting_for", "segment", "limit", "state")
                    for text in cards[name].drop_nulls().unique().to_list()}
                   | set(run.changes["what"].unique().to_list()))  # fmt: skip
    data = {
        "files": files, "accounts": cards.height, "locale": form.tag, "currency": form.currency,
        "language": run.stages.get("brief", {}).get("summary", {}).get("brief_language", form.language),
        "layout": layout(form), "links": link_words(form),
        "words": {word: form.text(_STATES[word]) if word in _STATES else form.label(word) for word in words},
        "people": {who.rep_id: [who.name, who.number, who.colour] for who in run.people.values()},
        "text": _messages(form),
    }  # fmt: skip
    page = Page(
        title=form.text("Accounts"), company=run.company,
        lead=form.text(
            "%(count)s accounts: what was decided for each, why, and why not something else.",
            count=form.number(cards.height),
        ) + _listed(cards.height, form),
        links=page_links(form, run.files, "accounts.html"),
        note="" if run.first_day is None else form.day(run.first_day),
    )  # fmt: skip
    return render("accounts.html", form, page=page, changed=changed_note(run), data=as_script(data))


def _listed(accounts: int, form: Format) -> str:
    """Say which accounts the page lists where it does not list all."""
    if accounts <= MOST_LISTED:
        return ""
    return " " + form.text(
        "Listed and searched are the %(most)s that bring most; an id after # in the address opens any other.",
        most=form.number(MOST_LISTED),
    )  # fmt: skip


def _messages(form: Format) -> dict[str, str]:
    return {
        "not_known": form.not_known, "none": form.text("No account is found."),
        "more": form.text("Show more"),
        "found": form.text("%(count)s accounts", count="{count}"), "all": form.text("any"),
        "sum": form.text("expected gain %(sum)s", sum="{sum}"),
        "unknown": form.text("There is no account %(id)s in this run.", id="{id}"),
        "meant": form.text("Did you mean"), "back": form.text("Back to the list"),
        "interval": form.text(
            "%(share)s; of similar accounts %(low)s to %(high)s left",
            share="{share}", low="{low}", high="{high}",
        ),
        "action": form.text("Action"), "why": form.text("Why not"), "brings": form.text("Would bring"),
        "account": form.text("Account"), "name": form.text("Name"), "when": form.text("When"),
        "state": form.text("State"),
        "channel": form.text("Channel"), "gain": form.text("Expected gain"), "yes": form.text("yes"),
        "loading": form.text("Loading the accounts …"),
        "broken": form.text("A file beside this page is missing: keep the folder “accounts” with it."),
        "filter_action": form.text("Action"), "filter_channel": form.text("Channel"),
        "filter_state": form.text("State"), "filter_segment": form.text("Segment"),
        "filter_territory": form.text("Territory"), "filter_rep_id": form.text("Representative"),
        "filter_who": form.text("Who"),
        "filter_limit": form.text("Limit"), "filter_waiting_for": form.text("Waits for"),
        "filter_moved": form.text("Other representative than in the tables"),
        "filter_changed": form.text("Changed since the last run"), "filter_odd": form.text("Unusual"),
    }  # fmt: skip
