"""One page for each person and day: a time line to work from on a phone, and on one sheet of paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from dealwright.report.brief_files import file_name
from dealwright.report.calendars import to_five
from dealwright.report.format import Format
from dealwright.report.pages import Page, account_address, page_links, render
from dealwright.report.people import Person, person

_STEP_MIN: Final = 5
_SOON: Final = timedelta(minutes=90)  # a place that closes within it says so
_FACTS: Final = ("name", "address", "contact", "phone", "lat_deg", "lon_deg")
_LINES: Final = ("why", "what", "careful", "more")
# file of a day beside its page -> how its link is called is said where it is shown
_BESIDE: Final = {"map": ("maps", "html"), "calendar": ("calendars", "ics"), "briefs": ("briefs", "html")}


@dataclass(frozen=True)
class Contact:
    """One visit or call."""

    account_id: str
    name: str
    channel: str
    # to five minutes for a visit
    start_at: datetime
    end_at: datetime
    minutes: int  # how long it takes
    number: int | None
    address: str | None
    contact: str | None
    phone: str | None
    dial: str  # what a telephone dials; empty where no number is known
    # `geo:` address to navigate to, and where the page's script finds it for other telephones
    place: tuple[str, str] | None
    closes_at: datetime | None  # when the place closes, where that is soon after; `None` otherwise
    promised: bool
    why: str | None
    what: str | None
    careful: str | None
    more: Sequence[str]

    @property
    def card(self) -> str:
        """The address of the account's card."""
        return account_address(self.account_id, "../")

    @property
    def brief(self) -> str:
        """The anchor of its brief."""
        return f"#brief-{quote(self.account_id)}"


@dataclass(frozen=True)
class Line:
    """One line of a day: a contact, or what lies between."""

    kind: str  # `leave`, `drive`, `contact`, `lunch`, `back`, `begin`, `break` or `end`
    at: datetime | None = None  # when it begins; `None` for a drive
    # how long it takes, and how far it is
    minutes: int | None = None
    km: float | None = None
    contact: Contact | None = None


@dataclass(frozen=True)
class PersonDay:
    """One person's day, as its page shows it."""

    rep_id: str
    day: date
    lines: tuple[Line, ...]
    travel_min: int | None = None
    back_at: datetime | None = None
    shift: tuple[datetime, datetime] | None = None

    @property
    def contacts(self) -> list[Contact]:
        """The visits or calls, in order."""
        return [line.contact for line in self.lines if line.contact is not None]

    @property
    def drives(self) -> bool:
        """Whether it is a day on the road."""
        return any(line.kind == "drive" for line in self.lines)


@dataclass(frozen=True)
class DayTables:
    """What days are made of."""

    accounts: pl.DataFrame  # `account_id, name, address, contact, phone, lat_deg, lon_deg`
    # as the plan has them
    visits: pl.DataFrame
    rep_days: pl.DataFrame
    calls: pl.DataFrame
    shifts: pl.DataFrame
    briefs: pl.DataFrame
    lunch_min: int = 0  # how long lunch takes on the road


@dataclass(frozen=True)
class DayStyle:
    """How pages of days speak and what they lead to."""

    form: Format = field(default_factory=Format)
    company: str = ""
    people: Mapping[str, Person] = field(default_factory=dict)  # who sells, by id
    files: Collection[str] = ()  # the run's other pages, by their places in its folder


def write_day_pages(
    folder: Path,
    tables: DayTables,
    style: DayStyle | None = None,
    *,
    everybody: Collection[tuple[str, date]] = (),
) -> None:
    """Write ``REP-DAY.html`` into `folder`, which is made; what lies beside it in the run is linked.

    Parameters
    ----------
    everybody
        People and days that have a page even where nothing is left to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    style = style or DayStyle()
    form = style.form
    busy = tuple(person_days(tables))
    free = sorted(set(everybody) - {(day.rep_id, day.day) for day in busy})
    for day in (*busy, *(PersonDay(rep_id, on, ()) for rep_id, on in free)):
        who = person(dict(style.people), day.rep_id) or Person(day.rep_id, day.rep_id, "field", 0)
        name = file_name(day.rep_id, day.day)
        found = {key: f"{place}/{name}.{ending}" for key, (place, ending) in _BESIDE.items()}
        beside = {key: f"../{path}" if (folder.parent / path).exists() else "" for key, path in found.items()}
        page = Page(
            form.text("%(who)s's day", who=who.name), style.company, form.day(day.day),
            page_links(form, style.files, up="../"),
        )  # fmt: skip
        text = render("day.html", form, page=page, day=day, who=who, beside=beside)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")


def person_days(tables: DayTables) -> Iterator[PersonDay]:
    """Yield everybody's days: representatives with visits first, then the people of the contact centre."""
    contacts = _contacts(tables)
    ways = {(row["rep_id"], row["day"]): row for row in tables.rep_days.iter_rows(named=True)}
    visits = contacts.filter(pl.col("channel") == "field").partition_by(
        "rep_id", "day", maintain_order=True, as_dict=True
    )
    for (rep_id, day), part in sorted(visits.items()):
        yield _on_the_road(rep_id, day, part.to_dicts(), ways.get((rep_id, day), {}), tables.lunch_min)
    calls = contacts.filter(pl.col("channel") != "field").partition_by(
        "rep_id", "day", maintain_order=True, as_dict=True
    )
    shifts = {(row["rep_id"], row["day"]): row for row in tables.shifts.iter_rows(named=True)}
    # a call after midnight belongs to the shift that began before
    for rep_id, day in sorted({*shifts, *calls}):
        rows = calls[rep_id, day].to_dicts() if (rep_id, day) in calls else []
        yield _at_the_desk(rep_id, day, rows, shifts.get((rep_id, day)))


def _contacts(tables: DayTables) -> pl.DataFrame:
    """Return visits and calls, each with its person, day, times, facts and lines."""
    visits = tables.visits.select(
        "rep_id", "day", "account_id", "start_at", "travel_min", "distance_km", "must",
        brief_at="start_at", channel=pl.lit("field"), end_at="leave_at", number="stop",
        closes_at="window_end", length=pl.col("leave_at") - pl.col("start_at"),
    ).with_columns(to_five("start_at"), to_five("end_at"))  # fmt: skip
    calls = tables.calls.select(
        "rep_id", "account_id", "start_at", "end_at", "channel",
        brief_at="start_at", must="call_back", number=pl.lit(None, pl.Int64),
        length=pl.col("end_at") - pl.col("start_at"),
    )  # fmt: skip
    begun = tables.shifts.select("rep_id", "day", shift_at="start_at", over_at="end_at")
    on_shift = calls.join(begun, on="rep_id", how="left").filter(
        pl.col("start_at").is_between("shift_at", "over_at", closed="left")
    )
    elsewhere = calls.join(on_shift, on=["rep_id", "account_id", "start_at"], how="anti")
    calls = pl.concat(
        [
            on_shift.drop("shift_at", "over_at"),
            elsewhere.with_columns(day=pl.col("start_at").dt.date()).select(
                on_shift.drop("shift_at", "over_at").columns
            ),
        ]
    )
    told = tables.briefs.select("account_id", "rep_id", *_LINES, brief_at="start_at").unique(
        ["account_id", "rep_id", "brief_at"], keep="first", maintain_order=True
    )
    return (
        pl.concat([visits, calls], how="diagonal")
        .drop_nulls("rep_id")
        .join(told, on=["account_id", "rep_id", "brief_at"], how="left", maintain_order="left")
        .join(tables.accounts.select("account_id", *_FACTS), on="account_id", how="left")
        .sort("rep_id", "day", "brief_at", "account_id")
    )


def _minutes(length: timedelta, step: int) -> int:
    return round(length.total_seconds() / 60 / step) * step


def _contact(row: Mapping[str, Any]) -> Contact:
    closes, end_at = row["closes_at"], row["end_at"]
    return Contact(
        account_id=row["account_id"],
        name=row["name"] or row["account_id"],
        channel=row["channel"],
        start_at=row["start_at"],
        end_at=end_at,
        minutes=_minutes(row["length"], 1 if row["channel"] != "field" else _STEP_MIN),
        number=row["number"],
        address=row["address"],
        contact=row["contact"],
        phone=row["phone"],
        dial=dial(row["phone"]),
        place=navigation(row["lat_deg"], row["lon_deg"], row["address"], row["name"] or row["account_id"]),
        closes_at=closes if closes is not None and closes - end_at <= _SOON else None,
        promised=bool(row["must"]),
        why=row["why"],
        what=row["what"],
        careful=row["careful"],
        more=row["more"] or [],
    )


def _on_the_road(
    rep_id: str, day: date, rows: Sequence[Mapping[str, Any]], way: Mapping[str, Any], lunch_min: int
) -> PersonDay:
    """Return a representative's day: away from home, from place to place, lunch, and back."""
    lines: list[Line] = []
    lunch_at, back_at = way.get("lunch_at"), way.get("back_at")
    depart_at = way.get("depart_at")
    if depart_at is not None:
        lines.append(Line("leave", five(depart_at)))
    for row in rows:
        if lunch_at is not None and lunch_at < row["brief_at"]:
            lines.append(Line("lunch", five(lunch_at), lunch_min))
            lunch_at = None
        if row["travel_min"] is not None:
            lines.append(Line("drive", None, about(row["travel_min"]), row["distance_km"]))
        lines.append(Line("contact", row["start_at"], contact=_contact(row)))
    if lunch_at is not None and (back_at is None or lunch_at < back_at):
        lines.append(Line("lunch", five(lunch_at), lunch_min))
    if back_at is not None:
        lines += [
            Line("drive", None, about(way.get("home_min") or 0), way.get("home_km")),
            Line("back", five(back_at)),
        ]
    travel = way.get("travel_min")
    return PersonDay(
        rep_id, day, tuple(lines), None if travel is None else about(travel),
        None if back_at is None else five(back_at),
    )  # fmt: skip


def _at_the_desk(
    rep_id: str, day: date, rows: Sequence[Mapping[str, Any]], shift: Mapping[str, Any] | None
) -> PersonDay:
    """Return an agent's day: shift, calls, breaks and lunch in their order."""
    lines = [Line("contact", row["start_at"], contact=_contact(row)) for row in rows]
    if shift is None:
        return PersonDay(rep_id, day, tuple(lines))
    pauses = [Line("break", start, shift["break_min"]) for start in shift["breaks"] or ()]
    if shift["lunch_start_at"] is not None:
        length = shift["lunch_end_at"] - shift["lunch_start_at"]
        pauses.append(Line("lunch", shift["lunch_start_at"], round(length.total_seconds() / 60)))
    order = sorted([*lines, *pauses], key=lambda line: line.at or shift["start_at"])
    return PersonDay(
        rep_id, day,
        (Line("begin", shift["start_at"]), *order, Line("end", shift["end_at"])),
        shift=(shift["start_at"], shift["end_at"]),
    )  # fmt: skip


def five(moment: datetime) -> datetime:
    """Return a moment to five minutes, as `to_five` does for columns."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    step = timedelta(minutes=_STEP_MIN)
    return midnight + (moment - midnight + step / 2) // step * step


def about(minutes: float) -> int:
    """Return a way's minutes to five, and at least that: a way is never nothing."""
    return max(_STEP_MIN, int(minutes / _STEP_MIN + 0.5) * _STEP_MIN)


def dial(phone: str | None) -> str:
    """Return what a telephone dials: the figures, and the plus before them."""
    # an extension is for whoever answers: "93 123 45 67 ext. 12"
    before = re.sub(r"(?i)(?:\bext|\bint|x|#)\.?\s*\d+\s*$", "", phone or "")
    figures = re.sub(r"[^\d]", "", before)
    return "" if len(figures) < 3 else ("+" if before.strip().startswith(("+", "(+")) else "") + figures


def navigation(
    lat: float | None, lon: float | None, address: str | None, name: str
) -> tuple[str, str] | None:
    """Return where a telephone's own map goes to, and the same for those that know no ``geo:``.

    A position is exact; an address is looked for; without both there is nowhere to go.
    """
    if lat is not None and lon is not None:
        point = f"{lat:.6f},{lon:.6f}"
        return f"geo:{point}?q={point}({quote(name, safe='')})", point
    if address:
        return f"geo:0,0?q={quote(address, safe='')}", quote(address, safe="")
    return None
