"""``report.html``: one file that says what a plan decided, opens without a network, and prints.

It is made of what a run wrote, so an earlier run can be rendered again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from dealwright.plan.kpis import GROUPS, Kpi
from dealwright.report import figures, tables
from dealwright.report.brief_files import file_name
from dealwright.report.centre_page import chance_of
from dealwright.report.changed_days import changed_note
from dealwright.report.comparison import CHANGES, REPRESENTATIVE
from dealwright.report.format import Format, mark
from dealwright.report.headlines import day_sentence, whose_words
from dealwright.report.key_figures import group_words, write_figure, write_value
from dealwright.report.pages import Page, filtered, page_links, render
from dealwright.report.people import person
from dealwright.report.reasons import Reasons
from dealwright.report.run import Run

# a report stays readable: what is longer is in the accounts page, and the table says so
_MOST_ROWS: Final = 200
_MOST_WAITING: Final = 12
_MOST_MOVED: Final = 12
_MOST_LEFT_OUT: Final = 12
_MOST_ISSUES: Final = 40
_FILES: Final = {
    "days": ("html", mark("Day")), "briefs": ("html", mark("Briefs")), "maps": ("html", mark("Map")),
    "calendars": ("ics", mark("Calendar")),
}  # fmt: skip
_CHANGES: Final = {
    "representative": mark("another representative"), "action": mark("another action"),
    "channel": mark("another channel"), "new": mark("new accounts"), "gone": mark("accounts that are gone"),
}  # fmt: skip


def render_report(run: Run) -> str:
    """Return the page of a run."""
    form = run.form
    reasons = Reasons(form)
    content = {
        **_actions(run), **_changes(run), **_limits(run), **_territories(run), **_routes(run, reasons),
        **_centre(run, reasons), **_quality(run, reasons), **_figures(run), **_baseline(run),
        "reasons": reasons,
        # that nothing moved is no news
        "notices": [reasons.notice(text) for text in run.notices if not text.startswith("drift: no ")],
        "fallbacks": [reasons.notice(text) for text in _fallbacks(run.stages, run.notices)],
        "filtered": filtered,
    }  # fmt: skip
    day = form.text("The plan") if run.first_day is None else form.day(run.first_day)
    day = day[:1].upper() + day[1:]
    page = Page(
        title=day, company=run.company,
        lead=day_sentence(content["channels"], content["waiting"], form),
        links=page_links(run.form, run.files, "report.html"), contents=tuple(_contents(content, form)),
        note=form.texts("%(count)s account", "%(count)s accounts", run.accounts.height)
        + form.text(", known until %(moment)s", moment=form.moment(run.settings.get("as_of"))),
    )  # fmt: skip
    return render("report.html", form, page=page, run=run, changed=changed_note(run), **content)


def _contents(content: Mapping[str, Any], form: Format) -> Iterator[tuple[str, str]]:
    """Yield anchor and word of the sections that the page has."""
    yield "today", form.text("Today")
    yield "limits", form.text("Bottlenecks")
    yield "changes", form.text("Changes")
    yield "actions", form.text("Actions")
    yield "segments", form.text("Segments")
    yield "channels", form.text("Channels")
    if content["territories"]:
        yield "territories", form.text("Territories")
    if content["days"]:
        yield "routes", form.text("Routes")
    yield "centre", form.text("Contact centre")
    yield "unusual", form.text("Unusual accounts")
    yield "quality", form.text("Data quality")
    yield "figures", form.text("Key figures")


def _actions(run: Run) -> dict[str, Any]:
    """Actions, segments and channels, with their totals."""
    accounts = run.accounts
    actions = tables.by_action(accounts).to_dicts()
    of_actions = tables.add_up(actions, ("gain_eur", "scheduled_eur", "waiting_eur", "cost_eur"))
    counts = ("accounts", "scheduled", "waiting")
    of_actions |= {name: sum(row[name] for row in actions) for name in counts}
    segments = tables.by_segment(accounts).to_dicts()
    of_segments = tables.add_up(segments, ("spend_eur", "gain_eur", "scheduled_eur"))
    of_segments |= {name: sum(row[name] for row in segments) for name in ("accounts", "acted")}
    channels = tables.by_channel(accounts, run.tables["channels"]).to_dicts()
    of_channels = tables.add_up(channels, ("scheduled_eur", "waiting_eur")) if channels else {}
    of_channels |= {name: sum(row[name] for row in channels) for name in ("demand", "scheduled", "backlog")}
    longest = max((max(row["demand"], row["capacity"] or 0) for row in channels), default=0) or 1
    waitlist = run.tables["waitlist"]
    if not waitlist.is_empty():
        waitlist = _named(waitlist, run)
    return {
        "actions": actions, "of_actions": of_actions, "segments": segments, "of_segments": of_segments,
        "channels": channels, "of_channels": of_channels, "longest": longest,
        "waiting": int(of_actions["waiting"] or 0),
        "waitlist": waitlist.head(_MOST_WAITING).to_dicts(), "waitlist_rows": waitlist.height,
        "drivers": tables.drivers(accounts),
        "unusual": tables.unusual(accounts, 30).to_dicts(),
        "unusual_rows": int(accounts["is_anomaly"].sum() or 0),
    }  # fmt: skip


def _changes(run: Run) -> dict[str, Any]:
    """What changed since the run before, and the outcomes of its tasks."""
    form = run.form
    counts = tables.count_changes(run.changes)
    rows = [
        {"what": what, "words": form.text(_CHANGES[what]), "accounts": counts[what],
         "value_eur": run.changes.filter(pl.col("what") == what)["value_eur"].sum()}
        for what in CHANGES if what in counts
    ]  # fmt: skip
    # without an earlier run, what the company's own tables say is what accounts had before
    of_tables = int(run.accounts["moved"].sum() or 0) if "moved" in run.accounts.columns else 0
    compared = len(run.trend) > 1 or "previous" in run.settings
    moved = _named(run.changes.filter(pl.col("what") == REPRESENTATIVE), run)
    outcomes = run.outcomes.to_dicts()
    of_outcomes = tables.add_up(outcomes, ("expected_eur", "expected_of_done_eur", "ordered_eur"))
    of_outcomes |= {name: sum(row[name] for row in outcomes) for name in ("tasks", "done", "answered")}
    return {
        "compared": compared, "changes": rows,
        "moved": counts.get(REPRESENTATIVE, 0) if compared else of_tables,
        "moved_rows": [
            {**row, "before": person(run.people, row["before"]), "after": person(run.people, row["after"])}
            for row in moved.head(_MOST_MOVED).to_dicts()
        ],
        "outcomes": outcomes, "of_outcomes": of_outcomes,
    }  # fmt: skip


def _limits(run: Run) -> dict[str, Any]:
    """What binds: what one more of each resource brings, and which limits keep accounts from a contact."""
    one_more = [
        {**row, "whose": whose_words(row["whose"], run.people, run.form)}
        for row in run.tables["one_more"].sort("gain_eur", descending=True).to_dicts()
    ]
    limits = run.tables["limits"].sort("value_eur", descending=True).to_dicts()
    of_limits = tables.add_up(limits, ("value_eur",))
    of_limits["accounts"] = sum(row["accounts"] for row in limits)
    return {"one_more": one_more, "limits": limits, "of_limits": of_limits}


def _territories(run: Run) -> dict[str, Any]:
    rows = run.tables["territories"].drop("outline").to_dicts()
    for row in rows:
        row["who"] = person(run.people, row["rep_id"])
        row["hours"] = None if row["workload_min"] is None else row["workload_min"] / 60
    totals = tables.add_up(rows, ("hours",)) if rows else {}
    totals |= {name: sum(row[name] or 0 for row in rows) for name in ("accounts", "moved")}
    return {
        "territories": rows[:_MOST_ROWS], "of_territories": totals,
        "curve": run.tables["territory_curve"].to_dicts(),
        "map_figure": figures.territories_and_routes(
            run.tables["territories"], run.ways["features"] if run.ways else [], run.land,
            run.people, run.form,
        ),
    }  # fmt: skip


def _routes(run: Run, reasons: Reasons) -> dict[str, Any]:
    """Everybody's days, and who is left out."""
    days, visits = run.tables["rep_days"], run.tables["visits"]
    rows = days.sort("day", "rep_id").to_dicts()
    totals = tables.add_up(rows, ("value_eur", "distance_km", "travel_min"))
    totals["stops"] = sum(row["stops"] for row in rows)
    span = figures.day_span(visits, days)
    for row in rows[:_MOST_ROWS]:
        row["who"] = person(run.people, row["rep_id"])
        own = visits.filter((pl.col("rep_id") == row["rep_id"]) & (pl.col("day") == row["day"]))
        row["line"] = figures.day_line(own, row, row["who"].colour, span)
        row["links"] = list(_links(run, row["rep_id"], row["day"]))
        for name in ("extra_visit_eur", "extra_hour_eur"):
            value = row.get(name)
            row[name] = None if value is None or value != value else value  # noqa: PLR0124  NaN: not found
    left_out = run.tables["left_out"]
    named = (
        left_out.filter((pl.col("value_eur") > 0) | pl.col("must")) if not left_out.is_empty() else left_out
    )
    return {
        "days": rows[:_MOST_ROWS], "days_cut": max(len(rows) - _MOST_ROWS, 0), "of_days": totals,
        "several_days": days["day"].n_unique() > 1,
        "left_out": [
            {**row, "why": reasons.say(row["reason"]), "displaces": row.get("displaces")}
            for row in _named(named, run).head(_MOST_LEFT_OUT).to_dicts()
        ],
        "left_out_rows": left_out.height,
    }  # fmt: skip


def _links(run: Run, rep_id: str, day: Any) -> Iterator[tuple[str, str]]:
    """Yield address and word of each file of a person's day."""
    name = file_name(rep_id, day)
    for place, (ending, word) in _FILES.items():
        if f"{place}/{name}.{ending}" in run.files:
            yield f"{place}/{name}.{ending}", run.form.text(word)


def _centre(run: Run, reasons: Reasons) -> dict[str, Any]:
    """The contact centre: people, calls, hours, and calls without a place."""
    shifts, calls = run.tables["shifts"], run.tables["calls"]
    hours = run.tables["staff_hours"].to_dicts()
    of_hours = tables.add_up(hours, ("hours",))
    roster = [
        {
            **row,
            "who": person(run.people, row["rep_id"]),
            "links": list(_links(run, row["rep_id"], row["day"])),
        }
        for row in tables.rostered(shifts, calls, run.people)[:_MOST_ROWS]
    ]
    unplaced = run.tables["calls_unplaced"]
    backlog = run.tables["backlog"]
    late = backlog.filter(pl.col("backlog") > 0)
    return {
        "roster": roster, "agents": shifts["rep_id"].n_unique(), "calls": calls.height,
        "hours": hours, "of_hours": of_hours, "headcount": run.tables["headcount"].to_dicts(),
        "unplaced": [
            {**row, "why": reasons.say(row["reason"])} for row in _named(unplaced, run).head(30).to_dicts()
        ],
        "unplaced_rows": unplaced.height,
        "backlog": late.head(60).to_dicts(), "backlog_days": backlog["day"].n_unique(),
        "levels_figure": figures.staffing(run.tables["service_levels"], run.form),
    }  # fmt: skip


def _quality(run: Run, reasons: Reasons) -> dict[str, Any]:
    drift = run.drift
    drifted = drift.filter(pl.col("level") != "stable") if "level" in drift.columns else drift
    return {
        "rejected": [
            {"table": name.removesuffix(".csv"), "file": f"rejected/{name}", "rows": count}
            for name, count in run.rejected.items()
        ],
        "issues": [
            {**row, "message": reasons.notice(str(row["message"])),
             "column": None if row["column"] is None else reasons.name(str(row["column"]))}
            for row in run.issues.head(_MOST_ISSUES).to_dicts()
        ],
        "drifted": [{**row, "name": reasons.name(str(row["column"]))} for row in drifted.head(40).to_dicts()],
    }  # fmt: skip


def _figures(run: Run) -> dict[str, Any]:
    """The key figures under their headings, each with its trend over the last runs."""
    form = run.form
    groups = []
    for group in GROUPS:
        rows = [_figure(run, kpi) for kpi in run.kpis.in_group(group)]
        if rows:
            groups.append({"title": form.text(group_words(group)), "rows": rows})
    missed = [form.text(kpi.definition.label) for kpi in run.kpis.missed]
    simulated = run.stages.get("schedule", {}).get("summary", {})
    chance = chance_of(run.kpis.summary().get("sla_probability"), simulated.get("sla_probability_error"))
    return {"groups": groups, "missed": missed, "chance": chance}


def _figure(run: Run, kpi: Kpi) -> dict[str, Any]:
    form, trend = run.form, tables.trend_of(run.trend, kpi.name)
    figure = write_figure(kpi, form)
    values = ", ".join(write_value(kpi, value, form) for value in trend)
    words = form.text("%(label)s over the last runs: %(values)s", label=figure["label"], values=values)
    return {**figure, "trend": trend, "trend_words": words}


def _baseline(run: Run) -> dict[str, Any]:
    """The same days planned by distance only."""
    days, other = run.tables["rep_days"], run.tables["distance_only_days"]
    if days.is_empty() or other.is_empty():
        note = run.stages.get("distance_only", {}).get("summary", {}).get("notes", "")
        return {
            "baseline": [],
            "of_baseline": {},
            "pay": None,
            "not_compared": Reasons(run.form).notice(note),
        }
    columns = ("stops", "value_eur", "distance_km")
    rows = days.join(
        other.select("rep_id", "day", *(pl.col(name).alias(f"other_{name}") for name in columns)),
        on=["rep_id", "day"], how="left", maintain_order="left",
    ).to_dicts()  # fmt: skip
    totals = tables.add_up(rows, ("value_eur", "distance_km", "other_value_eur", "other_distance_km"))
    totals |= {name: sum(row[name] or 0 for row in rows) for name in ("stops", "other_stops")}
    for row in rows:
        row["who"] = person(run.people, row["rep_id"])
    pay = run.tables["distance_only_visits"].filter(pl.col("value_eur") > 0).height
    return {"baseline": rows[:_MOST_ROWS], "of_baseline": totals, "pay": pay, "not_compared": ""}


def _named(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Put the accounts' names beside their ids."""
    if "account_name" in frame.columns:
        return frame
    names = run.accounts.select("account_id", tables.names_of(run.accounts))
    return frame.join(names, on="account_id", how="left", maintain_order="left")


def _fallbacks(stages: Mapping[str, Mapping[str, Any]], told: Sequence[str]) -> list[str]:
    """Say which stage could not do what it is there for, where no notice says so."""
    return [
        value
        for record in stages.values()
        for key, value in record.get("summary", {}).items()
        if "fallback" in key and isinstance(value, str) and value and not any(value in text for text in told)
    ]
