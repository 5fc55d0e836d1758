"""What a page is made of: a view of the desk with its address, as a page, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dealwright.desk.desk import Desk
from dealwright.desk.keys import Caller
from dealwright.errors import InputError, NotFoundError
from dealwright.report.format import Format

if TYPE_CHECKING:
    from starlette.requests import Request

    from dealwright.service.core import Service

READERS = ("manager", "planner")
EVERYBODY = ("manager", "planner", "agent")
_MOST_ROWS = 1000


@dataclass(frozen=True)
class Ask:
    """A request, and who asks.

    Attributes
    ----------
    who
        Whose request it is.
    desk
        The desk with the rights of who asks.
    form
        How figures are written for who asks.
    fields
        What a form sent.
    """

    request: Request
    service: Service
    who: Caller
    desk: Desk
    form: Format
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole_desk(self) -> Desk:
        """The desk with the service's own rights, to read what is shown of others beside one's own work."""
        return self.service.desk

    @property
    def own_agent(self) -> int | None:
        """The agent, by the desk's id, whose work alone is shown; None: everybody's."""
        return None if self.may(*READERS) else self.who.agent_id

    def may(self, *scopes: str) -> bool:
        """Whether who asks has one of the scopes; an admin has all."""
        return bool(self.who.scopes & {*scopes, "admin"})

    def asked(self, name: str, default: str = "") -> str:
        """Return a parameter of the address, without spaces around it."""
        return self.request.query_params.get(name, default).strip()

    def number(self, name: str) -> int | None:
        """Return a parameter of the address as a whole number; None where it is missing.

        Raises
        ------
        InputError
            It is none.
        """
        return whole_number(self.asked(name), name)

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def now(self) -> datetime:
        """Return the time on the server's clock."""
        return datetime.now().astimezone()

    def day_began(self) -> datetime:
        """Return when today began on the server's clock."""
        return self.now().replace(hour=0, minute=0, second=0, microsecond=0)

    def check_own(self, agent_id: int | None, what: str) -> None:
        """Refuse an agent somebody else's work, in the words for what does not exist.

        Raises
        ------
        NotFoundError
            It is somebody else's.
        """
        if self.own_agent is not None and agent_id != self.own_agent:
            raise NotFoundError(f"there is no {what} of yours: your own page shows those that are")


@dataclass(frozen=True)
class View:
    """What a page shows.

    Attributes
    ----------
    template
        Of this package.
    title
        The page's heading.
    data
        What the page, and its JSON, say.
    table
        Which of `data` is the page's CSV; where there is none, all of it is one row.
    lead
        One sentence under the heading.
    extra
        What the page alone needs.
    live
        What the page follows: an address of server-sent events, empty without.
    path
        The page's own address, where a form with another one answers with it.
    form
        How figures are written, where that is not as for everything else: the currency of a run.
    export
        All rows for CSV and JSON, where a page has some of them.
    """

    template: str
    title: str
    data: Mapping[str, Any]
    table: str = "rows"
    lead: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    live: str = ""
    path: str = ""
    form: Format | None = None
    export: Callable[[], Iterable[Mapping[str, Any]]] | None = None


@dataclass(frozen=True)
class Shown:
    """A view with its address and who may see it."""

    path: str
    scopes: tuple[str, ...]
    build: Callable[[Ask], View]


@dataclass(frozen=True)
class Done:
    """A form with its address and who may send it.

    It answers with the address to go to, or with a view of what is shown this once, such as a new key.
    """

    path: str
    scopes: tuple[str, ...]
    act: Callable[[Ask], str | View]


Part = Shown | Done


def whole_number(text: str, name: str) -> int | None:
    """Return a text as a whole number from 0 on; None where it is empty.

    Raises
    ------
    InputError
        It is none.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(f"{name} must be a whole number from 0 on, not {text!r}")
    return int(text)


def amount(text: str, name: str) -> float | None:
    """Return a text as an amount; None where it is empty.

    Raises
    ------
    InputError
        It is none.
    """
    if not text:
        return None
    try:
        return float(text.replace(",", "").replace(" ", ""))
    except ValueError:
        raise InputError(f"{name} must be a number such as 2400 or 2400.50, not {text!r}") from None


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; nested values as JSON. What a spreadsheet would run begins with an apostrophe."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows[:_MOST_ROWS]:
        writer.writerow([_cell(row.get(name)) for name in names])
    return stream.getvalue()


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield rows of one shape as CSV, many at a time."""
    for number, part in enumerate(_batched(rows)):
        text = as_csv(part)
        yield text if number == 0 else text.partition("\r\n")[2]


def json_lines(data: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a view as JSON, with all rows in the place of ``rows``, many at a time."""
    rest = json.dumps({name: value for name, value in data.items() if name != "rows"}, default=str)
    yield f'{rest[:-1]}{", " if len(rest) > 2 else ""}"rows": ['
    for number, part in enumerate(_batched(rows)):
        text = json.dumps(part, default=str, ensure_ascii=False)[1:-1]
        yield text if number == 0 else f", {text}"
    yield "]}"


def _batched(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    rest = iter(rows)
    while part := list(islice(rest, _MOST_ROWS)):
        yield part


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def page_of(
    ask: Ask, rows: Sequence[dict[str, Any]], path: str, size: int, **kept: str
) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of a page of a list, and the address of the next one; empty at the end."""
    start = ask.number("from") or 0
    more = len(rows) > start + size
    return list(rows[start : start + size]), address_with(
        path, **kept, **{"from": start + size}
    ) if more else ""


def address_with(path: str, **parameters: object) -> str:
    """Return an address with the parameters that say something."""
    said = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(said)}" if said else path
