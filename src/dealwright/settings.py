"""Where things are: a TOML file and the environment, frozen; the command line has the last word.

Read in this order, the later one wins: built-in defaults, ``dealwright.toml`` in the working directory (or
the file named by ``DEALWRIGHT_CONFIG``), the environment (``DATABASE_URL``, ``DATABASE_URL_READ``,
``DEALWRIGHT_HOME``, ``DEALWRIGHT_ARCHIVE``), options.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from dealwright.errors import InputError

CONFIG_FILE = "dealwright.toml"
Name: TypeAlias = Literal["database_url", "database_url_read", "home", "archive", "pictures", "rejected"]


@dataclass(frozen=True)
class Settings:
    """Where things are.

    Attributes
    ----------
    database_url
        The PostgreSQL to use; None starts the embedded one.
    home
        Directory of the embedded database and the logs.
    pictures
        Where `train` and `evidence` draw.
    rejected
        Where `import` writes the rows it sets aside.
    database_url_read
        A standby of the database, for what only reads.
    archive
        Where months of the record are that are no longer in the database; in `home` by default.
    """

    database_url: str | None = None
    home: Path = Path.home() / ".dealwright"
    pictures: Path = Path("pictures")
    rejected: Path = Path("rejected")
    database_url_read: str | None = None
    archive: Path | None = None

    @property
    def log(self) -> Path:
        """Where unexpected errors are written down."""
        return self.home / "log" / "dealwright.log"

    @property
    def archive_folder(self) -> Path:
        """Where the archive is."""
        return self.archive or self.home / "archive"

    def summary(self) -> str:
        """Say which database is meant."""
        return "a database of your own" if self.database_url else f"the embedded database under {self.home}"


def load_settings(
    *,
    database_url: str | None = None,
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Read the settings.

    Parameters
    ----------
    database_url, home
        What the command line says.
    environment, directory
        Where to look instead of ``os.environ`` and the working directory.

    Raises
    ------
    InputError
        The configuration file does not exist, is not TOML, or says something unknown.
    """
    variables = os.environ if environment is None else environment
    settings = _from_file(variables, directory or Path.cwd())
    url = database_url or variables.get("DATABASE_URL", "").strip()
    read_url = variables.get("DATABASE_URL_READ", "").strip()
    place = home or variables.get("DEALWRIGHT_HOME")
    if url or read_url:
        # a standby follows the database that is named beside it
        settings = replace(
            settings, database_url=url or settings.database_url, database_url_read=read_url or None
        )
    if place:
        settings = replace(settings, home=Path(place).expanduser())
    if archive := variables.get("DEALWRIGHT_ARCHIVE"):
        settings = replace(settings, archive=Path(archive).expanduser())
    if home is not None and not database_url:
        # who names a home means the embedded database in it
        settings = replace(settings, database_url=None)
    if home is not None or database_url:
        settings = replace(settings, database_url_read=None)
    return settings


def _from_file(environment: Mapping[str, str], directory: Path) -> Settings:
    named = environment.get("DEALWRIGHT_CONFIG")
    path = Path(named).expanduser() if named else directory / CONFIG_FILE
    if not path.is_file():
        if named:
            raise InputError(f"DEALWRIGHT_CONFIG names {path}, which does not exist")
        return Settings()
    from dealwright.toml import Text, convert, read_toml

    written = convert(read_toml(path, str(path)), dict[Name, Text], str(path))
    # a path in the file is meant from where the file is
    changes: dict[str, Any] = {
        name: value if name.startswith("database_url") else path.parent / Path(value).expanduser()
        for name, value in written.items()
    }
    return Settings(**changes)
