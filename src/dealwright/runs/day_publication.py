"""A changed day that was published, as the people concerned see it: calendars and pages, written anew."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from dealwright.report.brief_files import file_name
from dealwright.report.calendars import CANCELLED, Words, calendar_entries, shift_events, write_calendars
from dealwright.report.changed_days import note_changed_day
from dealwright.report.day_files import contact_events
from dealwright.report.day_pages import DayStyle, DayTables, write_day_pages
from dealwright.report.people import names_of
from dealwright.report.run import Run
from dealwright.runs.day_changes import DayAsChanged
from dealwright.runs.reading import read_run
from dealwright.schemas import CALL_COLUMNS, SHIFT_COLUMNS, DayTasks

_CALENDAR: Final = "calendar.parquet"
_FACTS: Final = {
    "address": pl.String, "contact": pl.String, "phone": pl.String, "lat_deg": pl.Float64,
    "lon_deg": pl.Float64,
}  # fmt: skip


def rewrite_days(folder: Path, day: DayAsChanged, tasks: DayTasks, concerned: Collection[str]) -> None:
    """Write the calendars and the pages of a changed day anew, for the people concerned.

    The report, the maps and the briefs stay what was planned, and say that the day was changed.

    What a calendar was told before is counted up, or cancelled, as by the next night.

    Parameters
    ----------
    tasks
        Of the run with the day as changed: they say who the accounts are.
    concerned
        Whose day differs from what was published before; who has no page of their own is left out.
    """
    run = read_run(folder, columns=["account_id"])
    on = day.of_run.field_day.day
    named = [rep_id for rep_id in sorted(concerned) if rep_id in run.people]
    if named:
        _write_days(folder, day, tasks, run, named)
    # what stays as it was planned says so, once the pages it leads to are there
    note_changed_day(run, on, named)


def _write_days(folder: Path, day: DayAsChanged, tasks: DayTasks, run: Run, named: Sequence[str]) -> None:
    on = day.of_run.field_day.day
    ours = pl.col("rep_id").is_in(named)
    visits, ways = day.changed.visits.filter(ours), day.changed.days.filter(ours)
    calls, shifts = pl.DataFrame(schema=CALL_COLUMNS), pl.DataFrame(schema=SHIFT_COLUMNS)
    if day.centre is not None:
        calls, shifts = day.centre.calls.filter(ours), day.centre.shifts.filter(ours)
    accounts = _facts(day, tasks)
    briefs = _briefs(run.tables["briefs"], visits, calls)
    words = Words(run.form.text, run.form.label, names_of(run.people.values()))
    tables = {"visits": visits, "calls": calls, "briefs": briefs}
    events = pl.concat([contact_events(tables, accounts, words), shift_events(shifts, words)])
    told = pl.read_parquet(folder / _CALENDAR)
    here = ours & (pl.col("day") == on)
    entries = calendar_entries(events, [told.filter(here)], (on, on), tasks.as_of)
    partial = folder / f".{_CALENDAR}.partial"
    pl.concat([told.filter(~here), entries]).sort("rep_id", "day", "start_at", "uid").write_parquet(partial)
    os.replace(partial, folder / _CALENDAR)  # noqa: PTH105  atomic on every system
    write_calendars(
        entries, folder / "calendars", tasks.as_of, zone=tasks.time_zone, days=(on, on), words=words
    )
    # of who has nothing cancelled any more, the file that said so goes
    gone = set(entries.filter(pl.col("status") == CANCELLED)["rep_id"])
    for rep_id in set(named) - gone:
        (folder / "calendars" / f"{file_name(rep_id, on)}-cancelled.ics").unlink(missing_ok=True)
    pages = DayTables(accounts, visits, ways, calls, shifts, briefs, day.of_run.field_day.params.lunch_min)
    style = DayStyle(run.form, run.company, run.people, run.files)
    write_day_pages(folder / "days", pages, style, everybody=[(rep_id, on) for rep_id in named])


def _facts(day: DayAsChanged, tasks: DayTasks) -> pl.DataFrame:
    """Return who the accounts of the day are and where, as their tasks say; of others what the run knows."""
    known = tasks.frame.unique("account_id", keep="first").select("account_id", "account_name", "card")
    rows = []
    for account, name, card in known.rows():
        facts = json.loads(card) if card else {}
        rows.append((account, name, *(facts.get(key) for key in _FACTS)))
    schema = {"account_id": pl.String, "name": pl.String, **_FACTS}
    found = pl.DataFrame(rows, schema=schema, orient="row")
    places = day.of_run.field_day.requests.select("account_id", "lat_deg", "lon_deg")
    return found.join(places, on="account_id", how="left", suffix="_run", maintain_order="left").select(
        *(name for name in schema if name not in ("lat_deg", "lon_deg")),
        *(pl.coalesce(name, f"{name}_run") for name in ("lat_deg", "lon_deg")),
    )


def _briefs(briefs: pl.DataFrame, visits: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return the briefs of a day's contacts, each with who makes the contact now and when."""
    contacts = pl.concat([frame.select("account_id", "rep_id", "start_at") for frame in (visits, calls)])
    texts = briefs.drop("rep_id", "start_at").unique("account_id", keep="first", maintain_order=True)
    return texts.join(contacts, on="account_id", how="inner", maintain_order="left").select(briefs.columns)
