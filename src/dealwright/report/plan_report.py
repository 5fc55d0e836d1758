"""``report.html``: one file that says what a plan decided, opens without a network, and prints.

It is made of what a run wrote, so an earlier run can be rendered again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from dealwright.plan.kpis import Kpi
from dealwright.report import plan_figures as figures
from dealwright.report import plan_sections as sections
from dealwright.report.headlines import sentences, tiles
from dealwright.report.maps import in_words
from dealwright.report.route_rows import route_tables
from dealwright.report.run import Run
from dealwright.wording import NOT_KNOWN, write_number, write_share

# what a reader is told the accounts came from: the first of these that was given
_SOURCES: Final = ("world", "directory", "accounts", "orders")


def render_report(run: Run) -> str:
    """Return the page of a run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    accounts, tables = run.accounts, run.tables
    environment = Environment(
        loader=PackageLoader("dealwright.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        n=_number, share=write_share, known=_known, eur=write_number, channel=sections.channel_words
    )
    routes = route_tables(run.files, tables)
    values = run.kpis.summary()
    segments, actions = sections.segment_rows(accounts), sections.action_rows(accounts)
    gains = [row["gain_eur"] or 0.0 for row in segments]
    return environment.get_template("plan_report.html").render(
        as_of=_moment(run.settings.get("as_of")),
        seed=run.settings.get("seed", 0),
        source=next(
            (run.settings[key] for key in _SOURCES if key in run.settings),
            "",
        ),
        accounts=accounts.height,
        sentences=list(
            sentences(
                values, tables["channels"].to_dicts(), routes["route_totals"], tables["one_more"].to_dicts()
            )
        ),
        tiles=tiles(values),
        notices=run.notices,
        kpis=[_kpi(item) for item in run.kpis.items],
        missed=[item.definition.label for item in run.kpis.missed],
        segments=segments,
        segment_bars=sections.bars([_known(row["segment"]) for row in segments], gains)
        if min(gains, default=-1.0) >= 0
        else [],
        actions=actions,
        losses=any((row["gain_eur"] or 0.0) <= -0.5 for row in actions),
        drivers=sections.driver_bars(accounts),
        odd=sections.odd_rows(accounts),
        issues=run.issues.head(30).to_dicts(),
        rejected=list(run.rejected.items()),
        drifted=run.drift.filter(pl.col("level") != "stable").head(20).to_dicts()
        if "level" in run.drift.columns
        else [],
        fallbacks=_fallbacks(run.stages),
        level_figure=figures.service_levels(tables["service_levels"]),
        map_figure=figures.territories_and_routes(
            tables["territories"], run.ways["features"] if run.ways else [], run.land
        ),
        map_links=[
            (f"maps/{name}.html", word)
            for name, word in (("territories", "territories"), ("routes", "everybody's routes"))
            if f"maps/{name}.html" in run.files
        ],
        not_compared=run.stages.get("distance_only", {}).get("summary", {}).get("notes", ""),
        **routes,
        **sections.operations(tables),
    )


def _kpi(item: Kpi) -> dict[str, str]:
    known = item.definition
    return {
        "label": known.label,
        "value": known.write(item.value),
        "target": item.write_target(), "status": item.status, "main": "1" if known.group else "",
    }  # fmt: skip


def _fallbacks(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which stage could not do what it is there for."""
    return [
        f"{name}: {key.replace('_', ' ')}: {value}"
        for name, record in stages.items()
        for key, value in record.get("summary", {}).items()
        if "fallback" in key and isinstance(value, str) and value
    ]


def _moment(value: datetime | None) -> str:
    """Return a moment for people, without its time where that is midnight."""
    if value is None:
        return "–"
    clock = f", {value:%H:%M}" if (value.hour, value.minute) != (0, 0) else ""
    return f"{in_words(value)}{clock}"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else write_number(value, digits)


def _known(value: str | None) -> str:
    return NOT_KNOWN if value is None else value
