"""Write the day's briefs: one page per person, in the order of the day, as HTML and Markdown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl
from markupsafe import Markup

from dealwright.report.format import Format
from dealwright.report.pages import SHARED, Page, page_links, render, write_assets
from dealwright.report.people import Person, person


def write_brief_files(
    briefs: pl.DataFrame,
    folder: Path,
    language: str,
    *,
    form: Format | None = None,
    company: str = "",
    people: Mapping[str, Person] | None = None,
    files: Collection[str] = (),
) -> None:
    """Write ``REP-DAY.html`` and ``REP-DAY.md`` for each person and day into `folder`, which is made.

    What the pages share is written beside it, into ``assets``.

    Parameters
    ----------
    briefs
        `BRIEF_COLUMNS`.
    language
        Of the briefs; what stands around them is in that of the format.
    people
        Who sells, by id.
    files
        The run's other pages, by their places in its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    form = form or Format()
    for (rep_id, day), part in briefs.with_columns(shown_fragment()).group_by(
        "rep_id", pl.col("start_at").dt.date(), maintain_order=True
    ):
        who = person(people or {}, None if rep_id is None else str(rep_id))
        called = "–" if who is None else who.name
        name = file_name(rep_id, day)
        page = Page(
            form.text("Briefs of %(who)s", who=called), company, form.day(day),
            page_links(form, files, up="../"),
        )  # fmt: skip
        text = render(
            "briefs.html", form, shared=SHARED, page=page, language=language,
            contents=part.select("account_id", "start_at", "title").to_dicts(),
            body=Markup("".join(part["html"])),  # noqa: S704  the stage has escaped what stands in the data
        )  # fmt: skip
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        markdown = f"# {called} · {day}\n\n" + "\n".join(part["markdown"])
        (folder / f"{name}.md").write_text(markdown, encoding="utf-8")
    if not briefs.is_empty():
        write_assets(folder.parent / "assets")


def shown_fragment() -> pl.Expr:
    """Return the column ``html`` of `BRIEF_COLUMNS` as pages show it: without the fields of each sentence."""
    return pl.col("html").str.replace_all(r' data-fields="[^"]*"', "")


def file_name(rep_id: object, day: object) -> str:
    """Return a name that every file system accepts, different for different ids."""
    text = "nobody" if rep_id is None else str(rep_id)
    clean = re.sub(r"[^A-Za-z0-9_-]+", "_", text)
    mark = "" if clean == text else f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return f"{clean}{mark}-{day}"


def read_wording(folder: Path) -> dict[str, str]:
    """Read the company's own wording: ``*.md`` in a folder, and in its folders ``en`` and ``es``.

    Raises
    ------
    InputError
        The folder cannot be read, or holds no wording file.
    """
    from dealwright.errors import InputError

    try:
        files = sorted([*folder.glob("*.md"), *folder.glob("*/*.md")])
        texts = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--wording {folder}: cannot be read: {error}") from None
    if not texts:
        raise InputError(f"--wording {folder}: no *.md file there; copy one of the package's and change it")
    return texts
