"""Read an action catalogue from TOML; every mistake is reported with its file and key."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from dealwright.plan.actions.catalogue import Catalogue
from dealwright.toml import convert, read_toml

DEFAULT_SOURCE: Final = "the default catalogue"


def default_catalogue() -> Catalogue:
    """Return the catalogue that ships with the package."""
    return parse_catalogue(default_catalogue_text(), DEFAULT_SOURCE)


def default_catalogue_text() -> str:
    """Return the TOML text of the catalogue that ships with the package, a start for an own one."""
    return files("dealwright.plan.actions").joinpath("default.toml").read_text(encoding="utf-8")


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file; raises `InputError` naming the file and the key of a mistake."""
    return parse_catalogue(path, str(path))


def parse_catalogue(document: Path | str, source: str) -> Catalogue:
    """Parse and check a catalogue.

    Parameters
    ----------
    document : a file or its text.
    source : what messages call it.

    Raises
    ------
    InputError
        For a syntax error, an unknown or missing key, an unknown channel, a value out of range or a bad
        condition.
    """
    return replace(convert(read_toml(document, source), Catalogue, source), source=source)
