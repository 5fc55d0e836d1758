"""What may be asked of a night that a worker carries out, and the request that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from dealwright.errors import InputError
from dealwright.plan.params import PlanParams
from dealwright.runs.request import NightRequest, read_request
from dealwright.runs.what_if import InputChanges
from dealwright.settings import NightSettings
from dealwright.toml import convert, read_toml

_TABLES: Final = (
    "accounts", "orders", "touches", "reps", "history", "staff", "promises", "frequencies", "call_backs",
    "arrivals",
)  # fmt: skip
# a synthetic company for whoever tries it out: not so large that it takes the machine
_MOST_DRAWN: Final = 100_000


@dataclass(frozen=True)
class NightOptions:
    """What may be asked of a night: fields of `NightRequest`, with paths below the folder of the tables."""

    # a folder below that of the tables, and a mapping in there
    directory: str | None = None
    map: str | None = None
    accounts: str | None = None
    orders: str | None = None
    touches: str | None = None
    reps: str | None = None
    history: str | None = None
    staff: str | None = None
    promises: str | None = None
    frequencies: str | None = None
    call_backs: str | None = None
    arrivals: str | None = None
    world: str | None = None
    n: Annotated[int, Meta(ge=1, le=_MOST_DRAWN)] | None = None
    as_of: datetime | None = None
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 0
    force: bool = False
    touches_from_desk: bool | None = None
    publish: bool | None = None  # by default as the settings say
    # the night to compare with and to take over from: its id; by default the last one, 0: none
    previous: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    locale: str | None = None
    language: str | None = None
    currency: str | None = None
    company: str | None = None
    # of the stages, as in `params.toml`: they take the place of those of the settings' parameter file
    params: dict[str, Any] | None = None
    # the night of which this one is a variant: no later night takes over from it
    what_if: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    changes: InputChanges | None = None  # of the people in the tables

    def __post_init__(self) -> None:
        """Refuse what nobody would expect of a what-if."""
        if self.what_if is not None and self.publish is not False:
            raise InputError("a what-if is never published: ask with publish = false")
        if self.changes is not None and self.what_if is None:
            raise InputError("changes of the people are for a what-if: name the night with what_if")


def read_options(raw: Mapping[str, Any]) -> NightOptions:
    """Check the types of what is asked for.

    Raises
    ------
    InputError
        A name is unknown, or a value cannot be used.
    """
    given = dict(raw)
    if isinstance(given.get("as_of"), str):  # JSON has no times
        try:
            given["as_of"] = datetime.fromisoformat(given["as_of"])
        except ValueError:
            raise InputError(f"as_of = {given['as_of']!r} is no time: write 2026-01-31T08:00:00") from None
    return convert({key: value for key, value in given.items() if value is not None}, NightOptions, "options")


def build_request(
    night: NightSettings, options: NightOptions, out: Path, previous: Path | None = None
) -> NightRequest:
    """Make the request of a night from the settings and from what was asked for.

    Raises
    ------
    InputError
        There are no tables, a path leads out of their folder, or a value cannot be used.
    """
    given: dict[str, Any] = {
        name: getattr(options, name) for name in ("world", "n", "as_of", "force", "touches_from_desk")
    }
    given |= {"seed": options.seed, "models": night.models, "publish": night.publish}
    given["territories_from_desk"] = True  # who plans by the desk keeps what was approved there
    if options.publish is not None:
        given["publish"] = options.publish
    given |= {name: getattr(night, name) for name in ("osrm", "valhalla", "land", "tiles", "cluster")}
    given["changes"] = options.changes
    given["previous"] = None if previous is None else str(previous)
    if options.world is None:
        root = _root(night)
        given["directory"] = str(_below(root, options.directory or ".", "directory"))
        if options.map is not None:
            given["map"] = str(_below(root, options.map, "map"))
        elif night.map is not None and options.directory is None:
            given["map"] = night.map
        given |= {
            name: str(_below(root, value, name))
            for name in _TABLES
            if (value := getattr(options, name)) is not None
        }
    return read_request(
        out, given, params=_params(night, options), locale=options.locale, language=options.language,
        currency=options.currency, company=options.company,
    )  # fmt: skip


def _root(night: NightSettings) -> Path:
    if night.tables is None:
        raise InputError(
            'no tables are configured: write [night] tables = "exports" into dealwright.toml, '
            "and start the service and its worker again"
        )
    return Path(night.tables).resolve()


def _below(root: Path, name: str, what: str) -> Path:
    """Return a path below the folder of the tables; links are followed before it is judged."""
    try:
        found = (root / name).resolve()
        there = found.is_relative_to(root) and found.exists()
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputError(f"{what} = {name!r} is not below the folder of the tables: name a path in there")
    return found


def _params(night: NightSettings, options: NightOptions) -> dict[str, Any]:
    """Return the parameters of the settings' file, with what was asked for in its place."""
    asked = options.params or {}
    if "run" in asked:
        raise InputError("params.run is not for a request: its fields are options of their own")
    convert(asked, PlanParams, "params")  # named by what was asked, not by the file
    raw = {} if night.params is None else read_toml(Path(night.params), night.params)
    raw.pop("run", None)
    return _merge(raw, asked)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(inner, value) if both else value  # type: ignore[arg-type]
    return merged
