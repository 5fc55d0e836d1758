"""What pages of a run say of days that were changed by hand since: when, and where to see them as they are.

The report, the maps and the briefs stay what was planned; they say so, and lead to the pages of the day.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from markupsafe import Markup

from dealwright.report.brief_files import file_name
from dealwright.report.pages import address, render
from dealwright.report.run import ChangedDayNote, Run

_BEGIN: Final = "<!--changed-->"
_END: Final = "<!--/changed-->"
_PLACE: Final = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)
_MAIN: Final = '<main id="main" tabindex="-1">\n'  # where a page of an earlier version has it
_OF_ALL_DAYS: Final = ("report.html", "accounts.html", "contact-centre.html", "maps/routes.html")
_MOST_PEOPLE: Final = 20


@dataclass(frozen=True)
class _Line:
    """A day of the note."""

    day: date
    changed_at: datetime | None
    people: tuple[tuple[str, str], ...]  # address and name
    more: int


def changed_note(run: Run, notes: Sequence[ChangedDayNote] | None = None, up: str = "") -> Markup:
    """Return what a page says; nothing where no day was changed.

    Parameters
    ----------
    notes
        By default those of the run.
    up
        The way from the page to the run's folder, such as ``../``.
    """
    lines = []
    for note in run.changed if notes is None else notes:
        pages = [
            (f"{up}days/{address(name)}.html", run.people[rep_id].name)
            for rep_id in note.people
            if rep_id in run.people
            for name in [file_name(rep_id, note.day)]
            if (run.folder / "days" / f"{name}.html").is_file()
        ]
        lines.append(
            _Line(note.day, note.changed_at, tuple(pages[:_MOST_PEOPLE]), max(len(pages) - _MOST_PEOPLE, 0))
        )
    if not lines:
        return Markup("")
    return Markup(render("changed.html", run.form, days=lines).strip())  # noqa: S704  escaped by the template


def note_changed_day(run: Run, day: date, concerned: Collection[str]) -> None:
    """Let the pages that are not written anew say which days were changed, or say no more that this one was.

    Parameters
    ----------
    concerned
        Whose maps and briefs of the day differ from what counts now, or did.
    """
    here = [note for note in run.changed if note.day == day]
    for name in _OF_ALL_DAYS:
        _write(run, name, run.changed)
    for rep_id in concerned:
        for place in ("maps", "briefs"):
            _write(run, f"{place}/{file_name(rep_id, day)}.html", here)


def _write(run: Run, name: str, notes: Sequence[ChangedDayNote]) -> None:
    path = run.folder / name
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    place = f"{_BEGIN}{changed_note(run, notes, '../' if '/' in name else '')}{_END}"
    found: Any = _PLACE.search(text)
    if found is not None:
        text = text[: found.start()] + place + text[found.end() :]
    else:
        text = text.replace(_MAIN, f"{_MAIN}{place}\n", 1)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105  atomic on every system
