"""Where things are: a TOML file and the environment, frozen; the command line has the last word.

Read in this order, the later one wins: built-in defaults, ``dealwright.toml`` in the working directory (or
the file named by ``DEALWRIGHT_CONFIG``), the environment (``DATABASE_URL``, ``DATABASE_URL_READ``,
``DEALWRIGHT_HOME``, ``DEALWRIGHT_ARCHIVE``, ``DEALWRIGHT_PUBLIC_URL``), options. A secret stands in the
environment alone: ``DEALWRIGHT_OIDC_SECRET``, ``DEALWRIGHT_WEBHOOK_KEY``.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from dealwright.errors import InputError

CONFIG_FILE = "dealwright.toml"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NIGHT_PATHS = ("tables", "map", "runs", "models", "params", "desk_tables", "land")
Name: TypeAlias = Literal[
    "database_url", "database_url_read", "home", "archive", "pictures", "rejected", "public_url"
]
Scope: TypeAlias = Literal["ingest", "agent", "planner", "manager", "admin"]
_PATHS = ("pictures", "rejected", "home", "archive")  # a path in the file is meant from where the file is


@dataclass(frozen=True)
class OpenId:
    """The table ``[oidc]``: where people sign in, and what they may do.

    Attributes
    ----------
    issuer, client_id
        The provider's address, and what it calls this service.
    scopes
        From a value of the claim `scope_claim` to the scopes it gives: ``{"Sales" = ["agent"]}``.
    scope_claim
        The claim, a text or a list, that says what somebody may do.
    agent_claim
        The claim that says which agent somebody is: by the agent's id, or with ``email`` by their address.
    asks
        What the provider is asked for.
    """

    issuer: str
    client_id: str
    scopes: Mapping[str, tuple[Scope, ...]]
    scope_claim: str = "groups"
    agent_claim: str = "email"
    asks: tuple[str, ...] = ("openid", "profile", "email")

    def __post_init__(self) -> None:
        _check_address("issuer", self.issuer)
        if not self.client_id:
            raise InputError("[oidc] client_id is empty: write what the provider calls this service")
        if not self.scopes or not all(self.scopes.values()):
            raise InputError('[oidc.scopes] gives nobody a scope: write, for example, "Sales" = ["agent"]')
        if "openid" not in self.asks:
            raise InputError('[oidc] asks must hold "openid": write asks = ["openid", "profile", "email"]')


def _check_address(name: str, address: str) -> None:
    """Refuse an address that is none, or that sends secrets in the clear to another machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(f"{name} = {address!r} is not an address: write it like https://login.example.com")
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        raise InputError(f"{name} = {address!r} is not encrypted: write https://")


@dataclass(frozen=True)
class NightSettings:
    """What a worker needs for a night: the ``[night]`` table of ``dealwright.toml``.

    Attributes
    ----------
    tables
        Folder of the tables; no request reaches anything outside it.
    map
        Which column is what; by default ``company.toml`` in the folder.
    runs
        Where each run gets a folder of its own.
    models
        Where models are kept; a better champion stays.
    params
        A parameter file.
    desk_tables, desk_map
        Folder of agents, assignments and bookings, which are imported first, and their mapping: a file, or
        the name of a shipped one.
    publish
        Whether the day's tasks go to the desk.
    osrm, valhalla, land, tiles, cluster
        As the options of ``dealwright plan``.
    at
        When it begins, as ``02:00``; without it a night runs only when somebody asks for it.
    time_zone
        Whose clock `at` is on.
    days
        On which days: ``mon``, ``tue``, ``wed``, ``thu``, ``fri``, ``sat``, ``sun``.
    retries, retry_after_min
        How often a night that failed is tried again, and after how many minutes.
    catch_up_h
        A night that no worker carried out is caught up when one comes within so many hours; later it is
        recorded as missed.
    keep
        Runs that are kept; older folders are removed.

    Raises
    ------
    InputError
        A value cannot be used.
    """

    tables: str | None = None
    map: str | None = None
    runs: str = "runs"
    models: str | None = None
    params: str | None = None
    desk_tables: str | None = None
    desk_map: str | None = None
    publish: bool = True
    osrm: str | None = None
    valhalla: str | None = None
    land: str | None = None
    tiles: str | None = None
    cluster: str | None = None
    at: str | None = None
    time_zone: str = "UTC"
    days: tuple[str, ...] = DAYS
    retries: int = 2
    retry_after_min: float = 10.0
    catch_up_h: float = 12.0
    keep: int = 30

    def __post_init__(self) -> None:
        """Check what a type cannot say."""
        if self.at is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.at):
            raise InputError(f'[night] at = "{self.at}" is no time of day: write one like "02:00"')
        unknown = next((day for day in self.days if day not in DAYS), None)
        if unknown is not None or not self.days:
            raise InputError(
                f"[night] days = {list(self.days)}: name one or more of {', '.join(DAYS)}, or leave it out"
            )
        if not _is_zone(self.time_zone):
            raise InputError(
                f'[night] time_zone = "{self.time_zone}" is unknown: write one like "Europe/Madrid"'
            )
        for name, least in (("retries", 0), ("retry_after_min", 0), ("catch_up_h", 0), ("keep", 1)):
            if not least <= getattr(self, name) <= 100_000:
                raise InputError(f"[night] {name} = {getattr(self, name)}: write a number from {least} on")


@dataclass(frozen=True)
class WebhookSettings:
    """The table ``[webhooks]``: how long the desk tries to tell an address of an event.

    Attributes
    ----------
    give_up_days
        An event that an address does not take for so long is put aside, as a dead letter; an address that has
        taken nothing for so long receives nothing more until somebody resumes it.

    Raises
    ------
    InputError
        It is not above 0 and at most 365.
    """

    give_up_days: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.give_up_days <= 365:
            raise InputError(
                f"[webhooks] give_up_days = {self.give_up_days}: write a number above 0, and at most 365"
            )


@dataclass(frozen=True)
class RetentionSettings:
    """The table ``[retention]``: for how long the desk keeps what it need not keep for ever.

    Attributes
    ----------
    texts_days
        Who a customer was and what they wrote is erased so many days after their lead was settled and their
        task was due; None: it stays.
    archive_days
        Months of decisions and events go to the archive so many days after they ended; None: they stay.

    Raises
    ------
    InputError
        One of them is not from 1 to 36,500.
    """

    texts_days: float | None = None
    archive_days: float | None = None

    def __post_init__(self) -> None:
        for name, days in vars(self).items():
            if days is not None and not 1 <= days <= 36_500:
                raise InputError(f"[retention] {name} = {days}: write a number of days from 1 to 36500")


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
    night
        What a worker needs to run the plan, and when it does; None: it does not.
    public_url
        Where people reach the service with a browser, if a proxy stands in front of it.
    oidc
        The OpenID provider where people sign in.
    oidc_secret
        The secret of this service at that provider.
    webhooks
        How long the desk tries to tell an address of an event.
    retention
        For how long the desk keeps customers' names and texts, and its record.
    webhook_key
        From which the secrets of webhooks are derived; empty: a file of the home has it (`find_webhook_key`).
    """

    database_url: str | None = None
    home: Path = Path.home() / ".dealwright"
    pictures: Path = Path("pictures")
    rejected: Path = Path("rejected")
    database_url_read: str | None = None
    archive: Path | None = None
    night: NightSettings | None = None
    public_url: str | None = None
    oidc: OpenId | None = None
    oidc_secret: str = field(default="", repr=False)
    webhooks: WebhookSettings = WebhookSettings()
    retention: RetentionSettings = RetentionSettings()
    webhook_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.public_url is not None:
            _check_address("public_url", self.public_url)

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
    if public_url := variables.get("DEALWRIGHT_PUBLIC_URL", "").strip():
        settings = replace(settings, public_url=public_url)
    settings = replace(
        settings,
        oidc_secret=variables.get("DEALWRIGHT_OIDC_SECRET", "").strip(),
        webhook_key=variables.get("DEALWRIGHT_WEBHOOK_KEY", "").strip(),
    )
    if home is not None and not database_url:
        # who names a home means the embedded database in it
        settings = replace(settings, database_url=None)
    if home is not None or database_url:
        settings = replace(settings, database_url_read=None)
    return settings


def find_webhook_key(settings: Settings) -> str:
    """Return the key of the secrets of webhooks: the environment's, or that of a file in the home.

    The file is made when it is missing, readable by its owner alone. Where the home cannot be written there
    is no key, which is an error only when a webhook is made or called.
    """
    if settings.webhook_key:
        return settings.webhook_key
    file = settings.home / "webhook.key"
    try:
        if not file.exists():
            _make_key(file)
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _make_key(file: Path) -> None:
    """Write a new key, whole or not at all: several processes may begin at once, and one key counts."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(f"{base64.b64encode(secrets.token_bytes(32)).decode()}\n")
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


def _from_file(environment: Mapping[str, str], directory: Path) -> Settings:
    named = environment.get("DEALWRIGHT_CONFIG")
    path = Path(named).expanduser() if named else directory / CONFIG_FILE
    if not path.is_file():
        if named:
            raise InputError(f"DEALWRIGHT_CONFIG names {path}, which does not exist")
        return Settings()
    from dealwright.toml import Text, convert, read_toml

    raw = read_toml(path, str(path))
    night, table, hooks, kept = (raw.pop(name, None) for name in ("night", "oidc", "webhooks", "retention"))
    written = convert(raw, dict[Name, Text], str(path))
    changes: dict[str, Any] = {
        name: path.parent / Path(value).expanduser() if name in _PATHS else value
        for name, value in written.items()
    }
    if night is not None:
        changes["night"] = _from_where_the_file_is(
            convert(night, NightSettings, str(path), "night"), path.resolve().parent
        )
    if table is not None:
        changes["oidc"] = convert(table, OpenId, str(path), "oidc")
    if hooks is not None:
        changes["webhooks"] = convert(hooks, WebhookSettings, str(path), "webhooks")
    if kept is not None:
        changes["retention"] = convert(kept, RetentionSettings, str(path), "retention")
    return Settings(**changes)


def _from_where_the_file_is(night: NightSettings, folder: Path) -> NightSettings:
    """Let paths of the file be meant from where it is; a name of a shipped mapping is none."""
    places = {name: getattr(night, name) for name in _NIGHT_PATHS}
    if night.desk_map is not None and night.desk_map.endswith(".toml"):
        places["desk_map"] = night.desk_map
    found: dict[str, Any] = {
        name: str(folder / Path(value).expanduser()) for name, value in places.items() if value
    }
    return replace(night, **found)


def _is_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True
