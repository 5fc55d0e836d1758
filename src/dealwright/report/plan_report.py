"""``report.html``: one file that says what a plan decided, opens without a network, and prints.

It is made from the files of a run directory alone, so an earlier run can be rendered again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from dealwright.errors import InputError
from dealwright.plan.kpis import definition_of, write_target
from dealwright.plan.stages import TABLES
from dealwright.report import plan_figures as figures
from dealwright.report import plan_sections as sections
from dealwright.report.headlines import sentences, tiles
from dealwright.report.maps import in_words
from dealwright.report.route_rows import route_tables
from dealwright.toml import read_toml


def write_report(folder: Path) -> Path:
    """Render ``report.html`` of a run directory, replacing an earlier one in one step.

    Raises
    ------
    InputError
        The folder is not a run's; the message says which file is missing or broken.
    """
    page = render_report(folder)
    target, partial = folder / "report.html", folder / ".report.html.partial"
    try:
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, target)  # noqa: PTH105  atomic on every system
    except OSError as error:
        raise InputError(f"cannot write {target}: {error}") from None
    return target


def render_report(folder: Path) -> str:
    """Return the page for the files in `folder`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    try:
        accounts = pl.read_parquet(folder / "accounts.parquet")
        kpis = json.loads((folder / "kpis.json").read_text(encoding="utf-8"))["kpis"]
        run = read_toml(folder / "params.toml", "params.toml").get("run", {})
        tables = {
            name: pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=columns)
            for name, (_, _, columns) in TABLES.items()
            for path in [folder / f"{name}.parquet"]
        }
        lines = (folder / "trace.jsonl").read_text(encoding="utf-8").splitlines()
        stages = {record["stage"]: record for record in map(json.loads, filter(None, lines))}
        issues = _read_csv(folder / "issues.csv")
        drift = _read_csv(folder / "drift.csv")
        ways, land = (_read_json(folder / name) for name in ("maps/routes.geojson", "land.geojson"))
        noted = _read_json(folder / "remarks.json") or []
    except (InputError, OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{folder} is not the folder of a run, or is incomplete: {error}; name the --out of a plan"
        ) from None
    environment = Environment(
        loader=PackageLoader("dealwright.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(n=_number, share=_share, channel=sections.channel_words)
    routes = route_tables(folder, tables)
    values = {item["name"]: item["value"] for item in kpis}
    segments, actions = sections.segment_rows(accounts), sections.action_rows(accounts)
    gains = [row["gain_eur"] or 0.0 for row in segments]
    return environment.get_template("plan_report.html").render(
        as_of=_moment(run.get("as_of")),
        seed=run.get("seed", 0),
        source=next((run[key] for key in ("world", "directory", "accounts", "orders") if key in run), ""),
        accounts=accounts.height,
        sentences=list(sentences(values, tables["channels"].to_dicts(), routes["route_totals"])),
        tiles=tiles(values),
        remarks=noted,
        kpis=[_kpi(item) for item in kpis],
        missed=[_kpi(item)["label"] for item in kpis if item["status"] == "missed"],
        segments=segments,
        segment_bars=sections.bars([str(row["segment"]) for row in segments], gains)
        if min(gains, default=-1.0) >= 0
        else [],
        actions=actions,
        losses=any((row["gain_eur"] or 0.0) <= -0.5 for row in actions),
        drivers=sections.driver_bars(accounts),
        odd=sections.odd_rows(accounts),
        issues=issues.head(30).to_dicts(),
        rejected=[
            (path.name, pl.scan_csv(path, infer_schema=False).select(pl.len()).collect().item())
            for path in sorted((folder / "rejected").glob("*.csv"))
        ],
        drifted=drift.filter(pl.col("level") != "stable").head(20).to_dicts()
        if "level" in drift.columns
        else [],
        fallbacks=_fallbacks(stages),
        level_figure=figures.service_levels(tables["service_levels"]),
        map_figure=figures.territories_and_routes(
            tables["territories"], ways["features"] if ways else [], land
        ),
        map_links=[
            (f"maps/{name}.html", word)
            for name, word in (("territories", "territories"), ("routes", "everybody's routes"))
            if (folder / "maps" / f"{name}.html").exists()
        ],
        not_compared=stages.get("distance_only", {}).get("summary", {}).get("notes", ""),
        **routes,
        **sections.operations(tables),
    )


def _kpi(item: Mapping[str, Any]) -> dict[str, str]:
    name, known = item["name"], definition_of(item["name"])
    return {
        "label": known.label,
        "value": "no data" if item["value"] is None else known.write(item["value"]),
        "target": write_target(name, item["at_least"], item["at_most"]), "status": item["status"],
        "main": "1" if known.group else "",
    }  # fmt: skip


def _fallbacks(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which stage could not do what it is there for."""
    return [
        f"{name}: {key.replace('_', ' ')}: {value}"
        for name, record in stages.items()
        for key, value in record.get("summary", {}).items()
        if "fallback" in key and isinstance(value, str) and value
    ]


def _read_csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path) if path.exists() and path.stat().st_size else pl.DataFrame()


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _moment(value: datetime | None) -> str:
    """Return a moment for people, without its time where that is midnight."""
    if value is None:
        return "–"
    clock = f", {value:%H:%M}" if (value.hour, value.minute) != (0, 0) else ""
    return f"{in_words(value)}{clock}"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _share(value: float | Sequence[float] | None) -> str:
    return "–" if value is None else f"{value:.0%}"
