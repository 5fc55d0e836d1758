"""Write everybody's day of a plan: briefs, calendars, maps and pages, from the plan's tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import polars as pl

from dealwright.plan.result import Plan
from dealwright.plan.tasks import account_facts, planned_days
from dealwright.report.brief_files import write_brief_files
from dealwright.report.calendars import (
    CALL,
    EVENT_COLUMNS,
    VISIT,
    Words,
    calendar_entries,
    shift_events,
    to_five,
    write_calendars,
)
from dealwright.report.centre_page import CENTRE_PAGE
from dealwright.report.day_pages import DayStyle, DayTables, write_day_pages
from dealwright.report.format import format_of
from dealwright.report.land import Land, around
from dealwright.report.map_page import write_geojson
from dealwright.report.maps import MapStyle, MapTables, write_maps
from dealwright.report.people import names_of, people_of, people_table
from dealwright.schemas import conform

_CALL_BACK_ALARM_MIN = 5
_LEAST_ALARM_MIN = 10
_MOST_PLACES = 60
# facts of an account that are shown beside its visit or call
_DECIDED = ("territory", "action", "expected_value_eur")


def write_days(
    plan: Plan,
    folder: Path,
    land: Land | None = None,
    *,
    company: str = "",
    tiles: str | None = None,
    told: Iterable[pl.DataFrame] = (),
) -> None:
    """Write ``briefs/``, ``calendars/``, ``maps/`` and ``days/`` into a run's folder.

    Parameters
    ----------
    land
        The ground of the maps, kept as ``land.geojson``; without it, the hull of the accounts is drawn.
    company
        Whose pages they are.
    tiles
        See `map_page.ground_data`.
    told
        What calendars were told by earlier runs (`calendars.calendar_entries`).
    """
    data = plan.inputs
    people = people_of(people_of_plan(plan))
    places = set(plan.tables["shifts"]["rep_id"]) - people.keys()
    tables = {name: _of_people(table, places) for name, table in plan.tables.items()}
    tables["briefs"] = pl.concat(_of_people(part, places) for part in plan.briefs.parts())
    accounts = account_facts(plan.inputs)
    said = plan.params.report
    form = format_of(said.locale, said.currency)
    words = Words(form.text, form.label, names_of(people.values()))
    events = pl.concat([contact_events(tables, accounts, words), shift_events(tables["shifts"], words)])
    _write_calendars(plan, events, folder, told, words)
    drawn = MapTables(
        accounts.join(plan.accounts.select("account_id", *_DECIDED), on="account_id", how="left"),
        tables["territories"], tables["visits"], tables["rep_days"], tables["distance_only_visits"],
        tables["distance_only_days"], data.reps,
    )  # fmt: skip
    placed = accounts.drop_nulls(["lat_deg", "lon_deg"])
    if land is not None and not placed.is_empty():
        write_geojson(folder / "land.geojson", around(land, placed).features())
    files = _pages(plan.tables)
    write_brief_files(
        tables["briefs"], folder / "briefs", plan.params.brief.language,
        form=form, company=company, people=people, files=files,
    )  # fmt: skip
    style = MapStyle(form, company, tiles, files)
    write_maps(folder / "maps", drawn, land, style)
    days = DayTables(
        accounts, tables["visits"], tables["rep_days"], tables["calls"], tables["shifts"], tables["briefs"],
        plan.params.route.lunch_min,
    )  # fmt: skip
    write_day_pages(folder / "days", days, DayStyle(form, company, people, files))


def _pages(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return the pages that not every run has, by their places in its folder."""
    found = {
        CENTRE_PAGE: not tables["shifts"].is_empty(),
        "maps/routes.html": not tables["visits"].is_empty(),
        "maps/territories.html": not tables["territories"]["outline"].drop_nulls().is_empty(),
    }
    return [page for page, there in found.items() if there]


def people_of_plan(plan: Plan) -> pl.DataFrame:
    """Return `PEOPLE_COLUMNS`: who has a page and a calendar of their own.

    A plan without a table of staff numbers the places of the contact centre. A few of them are handed out by
    hand, and count as people; nobody opens the page of "agent 417", whose shift has another number tomorrow.
    The page of the contact centre has the shifts of many places, and the accounts have their calls.
    """
    staff = plan.inputs.staff
    if staff is None:
        shifts = plan.tables["shifts"]
        staff = shifts if shifts["rep_id"].n_unique() <= _MOST_PLACES else None
    return people_table(plan.inputs.reps, staff)


def _of_people(table: pl.DataFrame, places: Collection[str]) -> pl.DataFrame:
    """Leave out the rows of places that are nobody's."""
    if "rep_id" not in table.columns:
        return table
    return table.filter(~pl.col("rep_id").is_in(sorted(places)) | pl.col("rep_id").is_null())


def _write_calendars(
    plan: Plan, events: pl.DataFrame, folder: Path, told: Iterable[pl.DataFrame], words: Words
) -> None:
    """Write ``calendars/`` and what it says as ``calendar.parquet``, which a later run goes on from."""
    days, as_of = planned_days(plan), plan.inputs.as_of
    span = days[0], days[-1]
    ours = plan.inputs.accounts.select("account_id")
    # a folder that held the run of another company has nothing to cancel
    kept = [frame for frame in told if not frame.join(ours, on="account_id", how="semi").is_empty()]
    entries = calendar_entries(events, kept, span, as_of)
    entries.write_parquet(folder / "calendar.parquet")
    zone = plan.params.action.catalogue.time_zone
    write_calendars(entries, folder / "calendars", as_of, zone=zone, days=span, words=words)


def contact_events(tables: Mapping[str, pl.DataFrame], accounts: pl.DataFrame, words: Words) -> pl.DataFrame:
    """Return the visits, to five minutes, and the calls as `EVENT_COLUMNS`, with all that helps on the way.

    Parameters
    ----------
    tables
        ``visits``, ``calls`` and ``briefs``, as the plan has them.
    accounts
        ``account_id, name, address, contact, phone, lat_deg, lon_deg``.
    """
    visits = tables["visits"].select(
        "rep_id", "account_id", "start_at",
        kind=pl.lit(VISIT), day="day", end_at="leave_at",
        # when it is time to leave
        alarm_min=((pl.col("travel_min").fill_null(0) / 5).ceil() * 5).cast(pl.Int64).clip(_LEAST_ALARM_MIN),
    )  # fmt: skip
    calls = tables["calls"].select(
        "rep_id", "account_id", "start_at",
        kind=pl.lit(CALL), day=pl.lit(None, pl.Date), end_at="end_at",
        alarm_min=pl.when("call_back").then(pl.lit(_CALL_BACK_ALARM_MIN, pl.Int64)),
    )  # fmt: skip
    briefs = tables["briefs"].select("account_id", "rep_id", "start_at", "title", "why", "what", "careful")
    events = (
        pl.concat([visits, calls])
        .join(briefs, on=["account_id", "rep_id", "start_at"], how="left", maintain_order="left")
        .join(accounts, on="account_id", how="left", maintain_order="left")
    )
    place = pl.format("{}, {}", pl.col("lat_deg").round(5), pl.col("lon_deg").round(5))
    said = [
        pl.col("why"),
        pl.col("what"),
        pl.format(f"{words.text('Careful')}: {{}}", "careful"),
        pl.format(f"{words.text('Contact')}: {{}}", "contact"),
        pl.format(f"{words.text('Telephone')}: {{}}", "phone"),
    ]
    events = events.with_columns(
        title=pl.coalesce("title", "name", "account_id"),
        text=pl.concat_list(said).list.drop_nulls().list.join("\n").replace("", None),
        # an address can be looked for by any map; a position at least by those that know figures
        location=pl.coalesce("address", place),
        url=pl.format(
            "../accounts.html#{}", pl.col("account_id").map_elements(_quoted, return_dtype=pl.String)
        ),
        **{
            name: pl.when(pl.col("kind") == VISIT).then(to_five(name)).otherwise(name)
            for name in ("start_at", "end_at")
        },
    )
    return conform(events, EVENT_COLUMNS)


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
