"""The ground of every page: one Jinja environment, one style, one script.

A page is a template that extends ``base.html`` and is made of the parts in ``parts.html``. It depends on what
it is given, not on where that came from, so that a run's files and a server can show the same parts.

A page that may be sent alone (the report, a person's day) holds its style and script. Pages that need their
neighbours anyway, and of which a run has one per person, share the files in ``assets``.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from dealwright.report.format import Format
from dealwright.template_cache import template_cache

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Page:
    """What stands around the content of a page."""

    title: str  # the window's title and the page's heading
    company: str = ""  # whose page it is
    lead: str = ""  # one sentence under the heading
    # address and word of the other pages; the empty address is this page
    links: tuple[tuple[str, str], ...] = ()
    contents: tuple[tuple[str, str], ...] = ()  # anchor and word of each section
    note: str = ""  # what stands at the right of the top: when it was made, of how many accounts
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column of a table of `parts.html`."""

    label: str  # its heading, with the unit where there is one
    number: bool = False  # whether figures stand in it: at the right, sorted by value
    wide: bool = False  # whether a phone may leave it out


_LEVEL: Final = 6  # of compression: the highest is 8 % smaller and takes three times as long
SHARED: Final = "../assets/"
"""Where a page in a folder of the run finds the style and the script that pages share."""


def render(template: str, form: Format, *, shared: str = "", changed: str = "", **values: Any) -> str:
    """Return a page: a template of this package, filled in.

    Parameters
    ----------
    shared
        Address of the folder with the style and the script of all pages (`write_assets`); by default the page
        holds them itself.
    changed
        Which days were changed since (`changed_days.changed_note`).
    """
    return environment(form).get_template(template).render(shared=shared, changed=changed, **values)


def write_assets(folder: Path, *names: str) -> None:
    """Write styles and scripts of this package into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("page.css", "page.js"):
        (folder / name).write_text(asset(name), encoding="utf-8")


@lru_cache(maxsize=8)
def environment(form: Format) -> Environment:
    """Return the environment of all pages in a format; everything is escaped."""
    from jinja2 import PackageLoader, StrictUndefined

    from dealwright.report.page_environment import PageEnvironment

    made = PageEnvironment(
        loader=PackageLoader("dealwright.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
        bytecode_cache=template_cache(Path(__file__).with_name("templates")),
    )  # fmt: skip
    made.filters.update(
        money=form.money, n=form.number, share=form.share, percent=form.percent, day=form.day,
        short_day=form.short_day, clock=form.clock, moment=form.moment, duration=form.duration,
        label=form.label, address=address, with_accounts=with_accounts,
    )  # fmt: skip
    made.globals.update(
        form=form, _=form.text, several=form.texts, column=Column, asset=asset,
        account_address=account_address,
    )  # fmt: skip
    return made


@lru_cache
def asset(name: str) -> Markup:
    """Return a style or a script of this package, to be written into a page."""
    text = (resources.files("dealwright.report") / "assets" / name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704  our own file


def address(text: object) -> str:
    """Return a text as part of an address."""
    return quote(str(text), safe="")


def with_accounts(text: str, ids: Iterable[str] | None, up: str = "") -> Markup:
    """Return a text in which the accounts that it names lead to their cards."""
    written = str(escape(text))
    # the longest first: an id may be the beginning of another
    for account_id in sorted(ids or (), key=len, reverse=True):
        name = str(escape(account_id))
        link = f'<a href="{account_address(account_id, up)}">{name}</a>'
        written = link.join(re.split(rf"(?<![\w#%>]){re.escape(name)}(?![\w<])", written))
    return Markup(written)  # noqa: S704  text and ids are escaped above


def account_address(account_id: object, up: str = "") -> str:
    """Return the address of an account's card, from a page `up` (``../``) from the run's folder."""
    return f"{up}accounts.html#{address(account_id)}"


def filtered(**chosen: str | None) -> str:
    """Return the address of the accounts that have these properties."""
    return f"accounts.html#?{urlencode({key: value for key, value in chosen.items() if value})}"


def page_links(
    form: Format, files: Collection[str], here: str = "", up: str = ""
) -> tuple[tuple[str, str], ...]:
    """Return address and word of a run's pages; that of `here` is empty.

    Parameters
    ----------
    files
        What the run has, by its places in the folder.
    up
        The way from the page to the run's folder, such as ``../``.
    """
    pages = [
        ("report.html", form.text("Report")), ("accounts.html", form.text("Accounts")),
        *((file, word) for file, word in (
            ("contact-centre.html", form.text("Contact centre")),
            ("maps/routes.html", form.text("Routes on a map")),
            ("maps/territories.html", form.text("Territories on a map")),
        ) if file in files),
    ]  # fmt: skip
    return tuple(("" if address == here else f"{up}{address}", word) for address, word in pages)


def packed(text: str) -> str:
    """Compress a text so that it may stand in a script; `DecompressionStream` of a browser reads it."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=_LEVEL, mtime=0)).decode()


def as_script(data: Any) -> Markup:
    """Return data as JSON that may stand in a script: nothing in it can end the script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    for sign, written in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, written)
    return Markup(text)  # noqa: S704  every sign that could leave the script is written as an escape
