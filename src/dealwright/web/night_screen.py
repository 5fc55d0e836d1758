"""The first screen of a night that is done: what it decided, what needs a decision, who is not served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from dealwright.desk.desk import Desk
from dealwright.plan.kpis import GROUPS
from dealwright.report import tables
from dealwright.report.comparison import CHANGES
from dealwright.report.format import Format, mark
from dealwright.report.headlines import day_sentence, whose_words
from dealwright.report.key_figures import group_words, write_figure
from dealwright.report.pages import page_links
from dealwright.report.reasons import Reasons
from dealwright.runs.day_file import REQUEST_FILE
from dealwright.web.night_runs import OpenNight
from dealwright.web.night_words import WHAT
from dealwright.web.view import address_with

_MOST_LIMITS: Final = 6
_RUNS: Final = 200


def first_screen(night: OpenNight, desk: Desk) -> dict[str, Any]:
    """Return what the first screen of a run says, each figure with the address of its rows."""
    view, form = night.view, night.form
    run, counts = view.run, view.counts
    values = run.kpis.summary()
    reasons = Reasons(form)
    outcomes = run.outcomes.to_dicts()
    channels = run.tables["channels"].to_dicts()
    return {
        "headline": day_sentence(channels, counts["waiting"], form),
        "day": run.first_day,
        "as_of": run.settings.get("as_of"),
        "accounts": run.accounts.height,
        "counts": dict(counts),
        "figures": values,
        "missed": [kpi.name for kpi in run.kpis.missed],
        "limits": _limits(night),
        "one_more": [
            {**row, "whose": whose_words(row["whose"], run.people, form)}
            for row in run.tables["one_more"].sort("gain_eur", descending=True).to_dicts()
        ],
        "changes": _changes(night),
        "notices": [reasons.notice(text) for text in run.notices if not text.startswith("drift: no ")],
        "funnel": funnel(night, desk),
        "channels": channels,
        "outcomes": outcomes,
    }


def report_links(night: OpenNight) -> list[tuple[str, str]]:
    """Return address and word of the run's own pages."""
    run = night.view.run
    return [
        (f"{night.path}/files/{address}", word)
        for address, word in page_links(night.form, run.files)
        if (run.folder / address).is_file()
    ]


def day_links(night: OpenNight) -> list[tuple[str, str]]:
    """Return address and date of the days in the field: each can be looked at and changed."""
    if not (night.view.run.folder / REQUEST_FILE).is_file():  # a run of an earlier version
        return []
    days = night.view.run.tables["rep_days"]["day"].unique().sort()
    return [(f"{night.path}/day/{day.isoformat()}", night.form.day(day)) for day in days]


def figure_groups(night: OpenNight) -> list[dict[str, Any]]:
    """Return the key figures under their headings."""
    kpis, form = night.view.run.kpis, night.form
    return [
        {"title": form.text(group_words(group)), "rows": rows}
        for group in GROUPS
        if (rows := [write_figure(kpi, form) for kpi in kpis.in_group(group)])
    ]


def funnel(night: OpenNight, desk: Desk) -> list[dict[str, Any]]:
    """Return the way from everybody to done: each step with its accounts, and those that it loses."""
    counts, path = night.view.counts, f"{night.path}/accounts"
    rejected = night.view.run.rejected.get("accounts.csv", 0)
    known = night.view.run.accounts.height
    steps = [
        _step(mark("Accounts in the tables"), known + rejected, ""),
        _step(mark("Planned"), known, path, lost=rejected, why=mark("rejected"),
              lost_path=f"{night.path}/files/rejected/accounts.csv" if rejected else ""),
        _step(mark("With an action that pays"), counts["acted"], address_with(path, state="acted"),
              lost=known - counts["acted"], why=mark("without an action"),
              lost_path=address_with(path, state="no_action")),
        _step(mark("Scheduled on a channel"), counts["scheduled"], address_with(path, state="scheduled"),
              lost=counts["waiting"], why=mark("waiting"), lost_path=address_with(path, state="waiting")),
    ]  # fmt: skip
    published = published_run(night, desk)
    if published is not None:
        steps += [
            _step(mark("Tasks on the desk"), published["tasks"] - published["replaced"], "",
                  lost=published["replaced"], why=mark("replaced by a newer plan")),
            _step(mark("Tasks done"), published["done"], address_with(path, state="done"),
                  lost=published["open"], why=mark("still open")),
            _step(mark("Answered"), published["responded"], ""),
        ]  # fmt: skip
    return steps


def published_run(night: OpenNight, desk: Desk) -> Mapping[str, Any] | None:
    """Return what became of the tasks of a night on the desk; None where it was not published."""
    published = (night.record.result or {}).get("published") or {}
    run_id = published.get("run_id")
    if run_id is None:
        return None
    return next((row for row in desk.tasks.runs(_RUNS).rows if row["run_id"] == run_id), None)


def _step(
    word: str, accounts: int, path: str, *, lost: int = 0, why: str = "", lost_path: str = ""
) -> dict[str, Any]:
    return {"step": word, "count": accounts, "path": path, "lost": lost, "why": why,
            "lost_path": lost_path if lost else ""}  # fmt: skip


def _limits(night: OpenNight) -> list[dict[str, Any]]:
    """Return which limits keep accounts from a contact, the dearest first, as many as the list then shows."""
    run = night.view.run
    worth = run.tables["limits"].group_by("limit").agg(pl.col("value_eur").sum())
    found = night.view.accounts.group_by("limit").agg(accounts=pl.len()).drop_nulls("limit")
    rows = found.join(worth, on="limit", how="left").sort("value_eur", descending=True, nulls_last=True)
    return [
        {**row, "path": address_with(f"{night.path}/accounts", limit=row["limit"])}
        for row in rows.head(_MOST_LIMITS).to_dicts()
    ]


def _changes(night: OpenNight) -> list[dict[str, Any]]:
    """Return how many accounts changed since the run before, in which way, and what these are worth."""
    changes = night.view.run.changes
    counts = tables.count_changes(changes)
    return [
        {
            "what": what,
            "words": night.form.text(WHAT[what]),
            "accounts": counts[what],
            "value_eur": changes.filter(pl.col("what") == what)["value_eur"].sum(),
        }
        for what in CHANGES
        if what in counts
    ]


def side_by_side(
    before: OpenNight, after: OpenNight, names: Mapping[str, str], form: Format
) -> list[dict[str, Any]]:
    """Return key figures of two runs beside one another, with their difference.

    Parameters
    ----------
    names
        Which, and what each is called; none: all that stand under a heading.
    """
    was, now = ({kpi.name: kpi for kpi in night.view.run.kpis.items} for night in (before, after))
    rows = []
    for name in list(names or now):
        first, then = was.get(name), now.get(name)
        known = then or first
        if known is None or (not names and not known.definition.group):
            continue
        values = [None if kpi is None else kpi.value for kpi in (first, then)]
        numbers = [value for value in values if isinstance(value, int | float)]
        change = numbers[1] - numbers[0] if len(numbers) == 2 else None
        better = {"higher": 1, "lower": -1}.get(known.definition.direction, 0)
        rows.append(
            {
                "name": name, "label": form.text(names.get(name, known.definition.label)),
                "before": values[0], "after": values[1], "change": change,
                "unit": known.definition.unit, "digits": known.definition.digits,
                "state": "" if not change or not better else "good" if change * better > 0 else "bad",
            }
        )  # fmt: skip
    return rows
