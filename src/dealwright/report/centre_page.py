"""The planner's page of the contact centre: who is needed, who is there, and what has no place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import polars as pl
from markupsafe import Markup, escape

from dealwright.report.brief_files import file_name
from dealwright.report.changed_days import changed_note
from dealwright.report.format import Format
from dealwright.report.pages import Page, filtered, page_links, render
from dealwright.report.people import Person, person
from dealwright.report.reasons import Reasons
from dealwright.report.run import Run
from dealwright.report.tables import rostered
from dealwright.schemas import SERVICE_LEVEL_COLUMNS, SHIFT_COLUMNS, conform

CENTRE_PAGE: Final = "contact-centre.html"
_WIDE, _LEFT, _HIGH = 720.0, 34.0, 76.0
_MOST_UNPLACED: Final = 200
_CONFIDENCE_Z: Final = 1.645  # 90 %, as every interval of the pages
_HOUR_MIN: Final = 60


@dataclass(frozen=True)
class Chance:
    """How likely the service level of a day is kept, and how well that is known from so many days played."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Channel:
    """One channel on one day."""

    name: str
    picture: Markup
    waits: bool  # whether its work may wait, so that nobody is needed at a certain hour
    contacts: float
    occupancy: float | None
    level: float | None
    chance: Chance | None
    rows: Sequence[Mapping[str, Any]]  # intervals as the plan has them


@dataclass(frozen=True)
class Block:
    """A part of a line of the roster, in per cent of the day's span."""

    kind: str
    left: float
    width: float
    words: str


@dataclass(frozen=True)
class RosterLine:
    """One person's shift, or one that several places have which nobody is named for."""

    who: Person
    begin: datetime
    end: datetime
    paid_min: int
    channels: Sequence[str]
    calls: int
    blocks: Sequence[Block]
    page: str
    calendar: str
    # id of each place, how many calls it has, and where they are listed
    places: Sequence[tuple[str, int, str]]


@dataclass(frozen=True)
class CentreDay:
    """One day of the contact centre."""

    day: date
    span: tuple[float, float]
    ticks: Sequence[tuple[float, int]]
    channels: Sequence[Channel]
    roster: Sequence[RosterLine]


def render_centre(run: Run) -> str:
    """Return the page of a run."""
    form, tables, summary = run.form, run.tables, run.stages.get("schedule", {}).get("summary", {})
    days = list(centre_days(run))
    values = run.kpis.summary()
    people = tables["shifts"]["rep_id"].n_unique()
    lead = form.texts(
        "%(count)s person works %(hours)s paid hours for %(cost)s.",
        "%(count)s people work %(hours)s paid hours for %(cost)s.",
        people,
        hours=form.number(values.get("paid_h"), 1),
        cost=form.money(values.get("staff_cost_eur")),
    )
    page = Page(
        form.text("Contact centre"), run.company, lead,
        page_links(run.form, run.files, CENTRE_PAGE),
        note=form.day(days[0].day) if days else "",
    )  # fmt: skip
    unplaced, reasons = tables["calls_unplaced"], Reasons(form)
    known = "account_name" if "account_name" in run.accounts.columns else "account_id"
    named = run.accounts.select("account_id", account_name=known)
    return render(
        "centre.html", form, page=page, changed=changed_note(run), days=days, values=values,
        chance=chance_of(summary.get("sla_probability"), summary.get("sla_probability_error")),
        people=people,
        hours=staff_hours(tables["staff_hours"]), headcount=tables["headcount"].to_dicts(),
        limits=unplaced.group_by("limit").agg(calls=pl.len(), value_eur=pl.col("value_eur").sum())
        .sort("value_eur", "limit", descending=[True, False]).to_dicts(),
        unplaced=[
            {**row, "why": reasons.say(row["reason"])}
            for row in unplaced.join(named, on="account_id", how="left", maintain_order="left")
            .sort("value_eur", "account_id", descending=[True, False], nulls_last=True)
            .head(_MOST_UNPLACED).to_dicts()
        ],
        unplaced_all=unplaced.height,
        backlog=tables["backlog"].filter(pl.col("backlog") > 0).to_dicts(),
        notes=summary.get("notes", ""),
        shortage_h=values.get("shortage_h") or 0.0,
    )  # fmt: skip


def centre_days(run: Run) -> Iterator[CentreDay]:
    """Yield the days that are planned, in order."""
    # a run of an earlier version lacks what is newer
    shifts = conform(run.tables["shifts"], SHIFT_COLUMNS)
    levels = conform(run.tables["service_levels"], SERVICE_LEVEL_COLUMNS)
    calls = run.tables["calls"]
    for day in sorted({*shifts["day"], *levels["day"]}):
        mine, here = shifts.filter(day=day), levels.filter(day=day)
        span = day_span(mine, here, day)
        yield CentreDay(
            day, span, _ticks(span),
            [
                _channel(str(name), part, day, span, run)
                for (name,), part in here.sort("channel", "start_at").group_by("channel", maintain_order=True)
            ],
            [_line(row, day, span, run) for row in rostered(mine, calls, run.people)],
        )  # fmt: skip


def chance_of(value: float | None, error: float | None) -> Chance | None:
    """Return a chance with its interval, never beyond what a chance can be."""
    if value is None:
        return None
    reach = _CONFIDENCE_Z * (error or 0.0)
    return Chance(value, max(value - reach, 0.0), min(value + reach, 1.0))


def staff_hours(hours: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what the paid hours go into, by channel, and their sum in the last row."""
    rows = hours.sort("channel", "hours", descending=[False, True], nulls_last=True).to_dicts()
    total = float(hours["hours"].sum())
    return [{**row, "share": row["hours"] / total if total else 0.0} for row in rows]


def day_span(shifts: pl.DataFrame, levels: pl.DataFrame, day: date) -> tuple[float, float]:
    """Return the first and the last minute of the day anybody works or anything comes in, in whole hours."""
    moments = [
        _minute(moment, day)
        for frame, names in ((shifts, ("start_at", "end_at")), (levels, ("start_at",)))
        for name in names
        for moment in frame[name].drop_nulls().to_list()
    ]
    if not moments:
        return 0.0, 24.0 * _HOUR_MIN
    first = math.floor(min(moments) / _HOUR_MIN) * _HOUR_MIN
    return float(first), float(max(math.ceil(max(moments) / _HOUR_MIN) * _HOUR_MIN, first + _HOUR_MIN))


def _minute(moment: datetime, day: date) -> float:
    """Return minutes after the midnight a day begins with: more than a day's for the night after it."""
    return (moment - datetime(day.year, day.month, day.day)).total_seconds() / 60.0


def _ticks(span: tuple[float, float]) -> list[tuple[float, int]]:
    """Return where whole hours lie, in per cent, and what their clock shows."""
    first, last = span
    step = 1 if last - first <= 14 * _HOUR_MIN else 2
    return [
        (_share(hour * _HOUR_MIN, span), hour % 24)
        for hour in range(int(first // _HOUR_MIN), int(last // _HOUR_MIN) + 1, step)
    ]


def _share(minute: float, span: tuple[float, float]) -> float:
    return round(100.0 * (minute - span[0]) / (span[1] - span[0]), 3)


def _channel(name: str, part: pl.DataFrame, day: date, span: tuple[float, float], run: Run) -> Channel:
    summary = run.stages.get("schedule", {}).get("summary", {})
    total, error = summary.get("sla_probability"), summary.get("sla_probability_error")
    value = summary.get(f"{name}_sla_probability")
    own = None
    if value is not None:
        # every channel is played on the same days: how many there are follows from the chance of all
        played = total * (1 - total) / error**2 if total is not None and error else 0.0
        own = chance_of(value, math.sqrt(value * (1 - value) / played) if played else error)
    waits = bool(part["required"].is_null().all())
    people = pl.col("available")
    weighted = part.drop_nulls("occupancy").filter(people > 0)
    contacts = float(part["contacts"].sum())
    served = part.drop_nulls("service_level").filter(pl.col("contacts") > 0)
    return Channel(
        name, staffing_picture(part, day, span, run.form), waits, contacts,
        _mean(weighted, "occupancy", "available"),
        None if waits else _mean(served, "service_level", "contacts"),
        own, part.to_dicts(),
    )  # fmt: skip


def _mean(frame: pl.DataFrame, value: str, weight: str) -> float | None:
    """Return a mean by weight, ``None`` where there is nothing to weigh."""
    total = float(frame[weight].sum()) if not frame.is_empty() else 0.0
    return float((frame[value] * frame[weight]).sum()) / total if total > 0 else None


def staffing_picture(part: pl.DataFrame, day: date, span: tuple[float, float], form: Format) -> Markup:
    """Draw the people there, and those needed, through one day of one channel."""
    starts = [_minute(moment, day) for moment in part["start_at"].to_list()]
    step = min((b - a for a, b in pairwise(starts) if b > a), default=15.0)
    columns = {name: part[name].to_list() for name in ("scheduled", "required")}
    most = max([value for values in columns.values() for value in values if value is not None] or [1]) or 1
    foot = 8.0 + _HIGH

    def x(minute: float) -> float:
        return round(_LEFT + (_WIDE - _LEFT) * (minute - span[0]) / (span[1] - span[0]), 1)

    def y(value: float) -> float:
        return round(foot - _HIGH * value / most, 1)

    parts = [
        f'<line x1="{_LEFT}" x2="{_WIDE}" y1="{y(value)}" y2="{y(value)}" stroke="var(--line)"/>'
        f'<text x="{_LEFT - 6}" y="{y(value) + 4}" text-anchor="end">{form.number(value)}</text>'
        for value in (0, most)
    ]
    parts += [
        f'<rect x="{x(start)}" y="{y(value)}" width="{max(x(start + step) - x(start) - 0.4, 0.5):.1f}" '
        f'height="{foot - y(value):.1f}" fill="var(--soft)"/>'
        for start, value in zip(starts, columns["scheduled"], strict=True) if value
    ]  # fmt: skip
    # what is missing is red from what is there up to what is needed, with its figure in the table
    parts += [
        f'<rect x="{x(start)}" y="{y(need)}" width="{max(x(start + step) - x(start) - 0.4, 0.5):.1f}" '
        f'height="{y(have or 0) - y(need):.1f}" fill="var(--bad)" opacity=".35"/>'
        for start, have, need in zip(starts, columns["scheduled"], columns["required"], strict=True)
        if need is not None and need > (have or 0)
    ]
    for name, style in (
        ("scheduled", 'stroke="var(--accent)"'),
        ("required", 'stroke="var(--ink)" stroke-dasharray="4 3"'),
    ):
        line, before = "", None
        for start, value in zip(starts, columns[name], strict=True):
            if value is not None:
                joined = before is not None and start - before <= 1.5 * step
                line += f"{'L' if joined else 'M'}{x(start)} {y(value)}H{x(start + step)}"
                before = start
        if line:
            parts.append(f'<path d="{line}" fill="none" stroke-width="1.5" {style}/>')
    parts += [
        f'<text x="{x(hour * _HOUR_MIN)}" y="{foot + 14}" text-anchor="middle">{hour % 24}</text>'
        for hour in range(int(span[0] // _HOUR_MIN), int(span[1] // _HOUR_MIN) + 1)
        if x(hour * _HOUR_MIN) < _WIDE - 4
    ]
    label = form.text("People there and people needed, by interval")
    return Markup(  # noqa: S704  only numbers and our own words
        f'<svg class="chart" viewBox="0 0 {_WIDE:g} {foot + 18:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _line(row: Mapping[str, Any], day: date, span: tuple[float, float], run: Run) -> RosterLine:
    form = run.form
    who = person(dict(run.people), row["rep_id"]) or Person(row["rep_id"], row["rep_id"], "contact centre", 0)
    if row["rep_name"] and who.name == row["rep_id"]:
        who = Person(who.rep_id, row["rep_name"], who.role, who.number)

    def block(kind: str, start: datetime, end: datetime, word: str) -> Block:
        left = _share(_minute(start, day), span)
        words = f"{word} {form.clock(start)}–{form.clock(end)}"
        return Block(kind, left, round(_share(_minute(end, day), span) - left, 3), words)

    blocks = [block("shift", row["start_at"], row["end_at"], form.text("Shift"))]
    if row["lunch_start_at"] is not None:
        blocks.append(block("lunch", row["lunch_start_at"], row["lunch_end_at"], form.text("Lunch")))
    length = timedelta(minutes=row["break_min"] or 0)
    blocks += [block("break", start, start + length, form.text("Break")) for start in row["breaks"] or ()]
    name = file_name(row["rep_id"], day)
    links = (f"days/{name}.html", f"calendars/{name}.ics")
    page, calendar = (link if link in run.files else "" for link in links)
    return RosterLine(
        who, row["start_at"], row["end_at"], row["paid_min"] or 0, row["channels"] or [], row["calls"],
        blocks, page, calendar,
        [(place["rep_id"], place["calls"], filtered(who=place["rep_id"])) for place in row["places"]],
    )  # fmt: skip
