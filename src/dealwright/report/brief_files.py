"""Write the day's briefs: one page per representative, in the order of the day, as HTML and Markdown."""

from __future__ import annotations

import hashlib
import re
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

import polars as pl

_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body{{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:46rem;padding:1rem;color:#1d2733}}
h1{{font-size:1.4rem}} h2{{font-size:1.2rem;margin-bottom:.3rem}}
h3{{font-size:.95rem;margin:.8rem 0 .2rem;color:#2b5c8a}} h1,h2{{overflow-wrap:anywhere}}
.day{{list-style:none;margin:0 0 1rem;padding:0;line-height:1.9}} .day a{{color:#2b6cb0}}
time{{font-variant-numeric:tabular-nums;display:inline-block;width:3.4rem;color:#52606d}}
ul{{margin:0;padding-left:1.2rem}} .brief{{border-top:2px solid #d5dde5;padding:1rem 0}}
@media print{{@page{{size:A4;margin:14mm}} body{{font-size:10.5pt;max-width:none;padding:0}}
.day a{{color:inherit;text-decoration:none}} .brief,.day{{break-inside:avoid}}}}
</style></head>
<body><h1>{title}</h1>
{body}</body></html>
"""


def write_brief_files(briefs: pl.DataFrame, folder: Path, language: str) -> None:
    """Write ``REP.html`` and ``REP.md`` for each representative into `folder`, which is made.

    Parameters
    ----------
    briefs
        `BRIEF_COLUMNS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for (rep_id, day), part in briefs.group_by("rep_id", pl.col("start_at").dt.date(), maintain_order=True):
        title = f"{rep_id if rep_id is not None else '–'} · {day}"
        name = file_name(rep_id, day)
        body = _glance(part) + "".join(part["html"])
        page = _PAGE.format(language=language, title=escape(title), body=body)
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        text = f"# {title}\n\n" + "\n".join(part["markdown"])
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _glance(part: pl.DataFrame) -> str:
    """Return the day at a glance: when, who, and a way to the brief."""
    if part.height < 2:
        return ""
    rows = "".join(
        f'<li><a href="#brief-{quote(account)}"><time>{start:%H:%M}</time>{escape(title)}</a></li>\n'
        for account, start, title in part.select("account_id", "start_at", "title").iter_rows()
    )
    return f'<ol class="day">\n{rows}</ol>\n'


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
