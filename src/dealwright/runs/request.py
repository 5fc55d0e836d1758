"""What a night is asked for: where its tables are, how to plan, and where the run goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from dealwright.errors import InputError, UnknownNameError
from dealwright.plan.params import PlanParams
from dealwright.report.brief_files import read_wording
from dealwright.report.format import format_of
from dealwright.runs.what_if import InputChanges, read_changes
from dealwright.schemas import PlanInputs
from dealwright.toml import convert, read_toml

DRAWN_ACCOUNTS: Final = 3200
# what goes on to hold when a parameter file is used with other data
_KEPT: Final = ("seed", "force", "models", "osrm", "valhalla", "tiles")
# what dask.distributed connects to
_SCHEDULER: Final = re.compile(
    r"(tcp|tls|ws|wss|ucx)://(\[[0-9A-Fa-f:.%]+\]|[^\s/:@]+):[0-9]{1,5}/?|inproc://\S+"
)
_OTHER_DATA: Final = ("accounts", "orders", "directory", "world")
_SERVICES: Final = ("osrm", "valhalla")


@dataclass(frozen=True)
class NightRequest:
    """One night: made by the command line, by a service, or by hand.

    Attributes
    ----------
    out
        Folder for the run; an earlier run there is replaced.
    params
        Of the stages.
    directory, map
        The folder of the tables, and the mapping that says which column is what; by default
        ``company.toml`` in the folder.
    accounts, orders, touches, reps, history, staff, promises, frequencies, call_backs, arrivals
        Files in the place of the tables that the mapping names.
    world, n
        A synthetic company instead (``barcelona``), and its number of accounts.
    inputs
        What to plan, already read, instead of all of these.
    as_of
        The cut-off; by default the day after the latest row.
    seed
        The same tables, parameters and seed give the same run.
    force
        Go on in spite of the quality gate.
    previous
        Folder of the last run: drift, territories, waitlist, backlog.
    models
        Folder in which models are kept; a better champion stays.
    touches_from_desk
        Whether the desk's finished tasks count among the touches; by default where the run is published.
    territories_from_desk
        Whether territories that were approved on the desk are kept; by default where the run is published.
    osrm, valhalla
        Address of a road service for travel times.
    land, tiles
        Land as GeoJSON polygons, and street tiles for the maps: an address, a ``.pmtiles`` file, or ``none``.
    changes
        Of the people in the tables, to see what it would bring.
    publish
        Put the day's tasks on the desk when the run is complete.
    home
        Where answers of the road service are kept; by default as the settings say.
    """

    out: Path
    params: PlanParams = field(default_factory=PlanParams)
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
    n: int | None = None
    as_of: datetime | None = None
    seed: int = 0
    force: bool = False
    previous: str | None = None
    models: str | None = None
    touches_from_desk: bool | None = None
    territories_from_desk: bool | None = None
    osrm: str | None = None
    valhalla: str | None = None
    land: str | None = None
    tiles: str | None = None
    changes: InputChanges | None = None
    inputs: PlanInputs | None = field(default=None, repr=False, compare=False)
    publish: bool = False
    cluster: str | None = None
    cluster_data: str | None = None
    home: Path | None = None

    def __post_init__(self) -> None:
        """Fill in what follows from the rest."""
        object.__setattr__(self, "changes", read_changes(self.changes))
        if self.touches_from_desk is None and self.publish:
            object.__setattr__(self, "touches_from_desk", True)
        if self.territories_from_desk is None and self.publish:
            object.__setattr__(self, "territories_from_desk", True)
        if self.cluster_data is not None and self.cluster is None:
            raise InputError("--cluster-data is where a cluster finds its data: give --cluster as well")
        if self.cluster is not None and not _SCHEDULER.fullmatch(self.cluster):
            raise InputError(
                f"--cluster {self.cluster!r} is no address of a scheduler: write it as `dask scheduler` says "
                "it, such as tcp://scheduler:8786"
            )
        if self.world is None and self.n is not None:
            raise InputError("--n is how many accounts a synthetic company has: give --world as well")
        if self.world is not None and self.n is None:
            object.__setattr__(self, "n", DRAWN_ACCOUNTS)

    def table(self) -> dict[str, Any]:
        """Return how the night is started as the ``[run]`` table of ``params.toml``."""
        values = {key: getattr(self, key) for key in RUN_KEYS}
        values["changes"] = None if self.changes is None else self.changes.table()
        return {
            key: value for key, value in values.items() if value is not None and (key != "force" or value)
        }


RUN_KEYS: Final = tuple(
    item.name
    for item in fields(NightRequest)
    if item.name not in ("out", "params", "inputs", "publish", "cluster", "cluster_data", "home")
)
"""The keys of the ``[run]`` table."""


def read_request(
    out: Path,
    given: Mapping[str, Any],
    *,
    params: Path | Mapping[str, Any] | None = None,
    catalogue: Path | None = None,
    language: str | None = None,
    wording: Path | None = None,
    locale: str | None = None,
    currency: str | None = None,
    company: str | None = None,
) -> NightRequest:
    """Make a request of a parameter file and of what is given beside it, which counts more.

    Parameters
    ----------
    given
        Fields of `NightRequest`; ``None`` where nothing was given.
    params
        As a run writes it (``params.toml``), or what stands in such a file; that of an earlier run repeats
        it. With other data, its own are not used.
    catalogue
        An action catalogue in the place of the parameters'.
    language, wording
        Of the briefs; the language is that of the report too, where no locale is given.
    locale, currency, company
        Of everything that people read (`ReportParams`).

    Raises
    ------
    InputError
        A file cannot be read, or says something that no night understands.
    """
    settings, stages = {}, PlanParams()
    if params is not None:
        label = str(params) if isinstance(params, Path) else "params"
        raw = read_toml(params, label) if isinstance(params, Path) else dict(params)
        settings = _read_settings(raw.pop("run", {}), label)
        stages = convert(raw, PlanParams, label)
    chosen = {key: value for key, value in given.items() if value is not None}
    if any(chosen.get(key) for key in _OTHER_DATA):
        settings = {key: value for key, value in settings.items() if key in _KEPT}
    if any(chosen.get(key) for key in _SERVICES):  # replaces whichever service the parameters name
        settings = {key: value for key, value in settings.items() if key not in _SERVICES}
    if chosen.get("publish") and "touches_from_desk" not in chosen:
        settings.pop("touches_from_desk", None)
    if catalogue is not None:
        from dealwright.plan.actions.catalogue_file import read_catalogue

        stages = replace(stages, action=replace(stages.action, catalogue=read_catalogue(catalogue)))
    form = format_of(locale or language or stages.report.locale, currency or stages.report.currency)
    told = replace(
        stages.report, locale=form.locale, currency=form.currency, company=company or stages.report.company
    )
    spoken = language or (None if locale is None else form.language)
    brief = replace(stages.brief, currency=form.currency, language=spoken or stages.brief.language)
    if wording is not None:
        brief = replace(brief, wording=read_wording(wording))
    return NightRequest(out=out, params=replace(stages, brief=brief, report=told), **{**settings, **chosen})


def _read_settings(raw: Any, label: str) -> dict[str, Any]:
    run = convert(raw, dict[str, Any], label, "run")
    if "schema" in run:  # as a mapping was called before
        run["map"] = run.pop("schema")
    for key in run:
        if key not in RUN_KEYS:
            raise UnknownNameError(f"key in {label} [run]", key, RUN_KEYS)
    return run
