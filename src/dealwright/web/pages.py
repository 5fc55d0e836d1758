"""The console's pages, written with the templates, the style and the script that the pages of a run use."""

from __future__ import annotations

import gzip
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from dealwright.errors import InputError
from dealwright.report.format import DEFAULT_CURRENCY, LANGUAGES, Format, format_of
from dealwright.report.pages import address, asset, environment
from dealwright.web import night_words, words

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import HTTPConnection

LANGUAGE_COOKIE: Final = "dealwright_language"
# what they are called and made of: a style or script that pages of a run have too, and what is added
ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "console.css": ("page.css", "console.css"),
    "console.js": ("page.js", "console.js"),
    "my_day.css": ("day.css", "my_day.css"),
    "my_day.js": ("", "my_day.js"),
    "board.css": ("", "board.css"),
    "board.js": ("", "board.js"),
    "territories.css": ("leaflet.css", "territories.css"),
    "territories.js": ("leaflet.js", "territories.js"),
}


@lru_cache(maxsize=16)
def console_environment(form: Format) -> Environment:
    """Return the environment of the console's pages: that of a run's pages, with the console's templates."""
    from jinja2 import ChoiceLoader, PackageLoader

    shared = environment(form)
    made = shared.overlay(loader=ChoiceLoader([PackageLoader("dealwright.web"), shared.loader]))  # type: ignore[list-item]
    made.filters.update(
        reason=partial(words.reason_text, form),
        waited=partial(words.waited, form),
        moment_text=lambda text: form.moment(datetime.fromisoformat(text).astimezone()),
    )
    made.globals.update(
        asset_address=asset_address,
        today=lambda: datetime.now().astimezone().date(),
        once=lambda: secrets.token_hex(8),
        status_chip=partial(words.status_chip, form),
        brief=lambda reasons: words.brief_reasons(form, tuple(reasons)),
        done_words=words.DONE,
        verdict_text=partial(words.known_text, form, words.VERDICTS),
        kind_text=partial(words.known_text, form, words.KINDS),
        outcome_text=partial(words.known_text, form, words.OUTCOMES),
        policy_text=partial(words.known_text, form, words.POLICIES),
        change_text=partial(words.change_text, form),
        p_text=partial(words.chance_text, form),
        figure=partial(words.figure, form),
        night_chip=partial(night_words.night_chip, form),
        stage_text=partial(night_words.stage_text, form),
        asked_by=partial(night_words.asked_by, form),
        options_of=partial(night_words.options_of, form),
        changes_of=lambda options: list(night_words.describe(form, options)),
        state_text=partial(words.known_text, form, night_words.STATES),
        what_text=partial(words.known_text, form, night_words.WHAT),
        field_text=partial(words.known_text, form, night_words.FIELDS),
    )
    return made


def write_page(form: Format, template: str, values: Mapping[str, Any]) -> str:
    """Return a page, or a part of one, filled in."""
    return console_environment(form).get_template(template).render(**values)


@lru_cache
def asset_bytes(name: str) -> tuple[bytes, bytes]:
    """Return a style or script of the console, plain and compressed."""
    shared, own = ASSETS[name]
    text = (str(asset(shared)) if shared else "") + (
        resources.files("dealwright.web") / "assets" / own
    ).read_text("utf-8")
    plain = text.encode()
    return plain, gzip.compress(plain, 9, mtime=0)


@lru_cache
def asset_address(name: str) -> str:
    """Return the address of a style or script: with another content it has another one, so it may be kept."""
    return f"/assets/{hashlib.sha256(asset_bytes(name)[0]).hexdigest()[:12]}/{name}"


def find_format(connection: HTTPConnection, currency: str | None) -> Format:
    """Return how figures are written for who asks: by the language they chose, else by their browser's."""
    wanted = connection.cookies.get(LANGUAGE_COOKIE) or ""
    if wanted not in LANGUAGES:
        wanted = _preferred(connection.headers.get("accept-language", ""))
    try:
        return format_of(wanted, currency or DEFAULT_CURRENCY)
    except InputError:  # amounts in what the company writes in its own way
        return Format(format_of(wanted).locale, currency or DEFAULT_CURRENCY)


def _preferred(header: str) -> str:
    """Return the first language of a browser's list that there is."""
    for part in header.split(","):
        name = part.partition(";")[0].strip().partition("-")[0].lower()
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]


def link_to(*parts: object) -> str:
    """Return a path of the console."""
    return "/" + "/".join(address(part) for part in parts)
