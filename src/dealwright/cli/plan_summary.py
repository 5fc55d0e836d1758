"""What a manager reads after a plan, and the same for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.markup import escape
from rich.table import Table

from dealwright.plan.kpis import Kpi
from dealwright.plan.run import Plan

# figures worth a manager's time, in words, and how to write them
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "rejected_share": ("accounts set aside", "%"),
    "orders_age_days": ("age of the newest order", "days"),
    "churn_auc": ("churn ranking (AUC)", ".3f"),
    "churn_ece": ("churn calibration error", ".3f"),
    "value_spearman": ("value ranking (Spearman)", ".3f"),
    "value_gini": ("value ranking (Gini)", ".3f"),
    "value_total_bias": ("bias of the total value", "%"),
    "anomaly_share": ("accounts flagged as odd", "%"),
    "expected_value_eur": ("expected gain of the actions", "€"),
    "predicted_value_eur": ("expected spend in the horizon", "€"),
    "mean_churn_probability": ("mean churn probability", "%"),
    "columns_drifted": ("columns that drifted", "0f"),
    "territory_max_deviation_pct": ("largest deviation of a territory's workload", "pct"),
    "backlog": ("accounts waiting for a channel", "0f"),
    "visits": ("visits planned", "0f"),
    "visit_value_eur": ("expected gain of the visits", "€"),
    "distance_km": ("kilometres driven", "0f"),
    "calls": ("calls on the list", "0f"),
    "people": ("people in the contact centre", "0f"),
    "shortage_h": ("hours of missing staff", ".1f"),
    "inbound_cc_sla_probability": ("chance of keeping the service level", "%"),
}


def plan_tables(plan: Plan, out: Path) -> Iterator[Table | str]:
    """Yield what to print: actions, segments, key figures, stages, remarks."""
    accounts = plan.accounts
    yield f"[bold]Plan for {accounts.height:,} accounts as of {plan.inputs.as_of:%Y-%m-%d %H:%M}[/bold]\n"
    actions = _table("next best action", "accounts", "expected €", "cost €", "best channel")
    for row in _by_action(accounts).iter_rows(named=True):
        actions.add_row(
            escape(row["action"]), f"{row['accounts']:,}", f"{row['expected_value_eur']:,.0f}",
            f"{row['cost_eur']:,.0f}", row["channel"] or "–",
        )  # fmt: skip
    yield actions
    yield ""
    segments = _table("segment", "accounts", "churn", "value € each", "with an action")
    for row in _by_segment(accounts).iter_rows(named=True):
        segments.add_row(
            escape(row["segment"]), f"{row['accounts']:,}", f"{row['churn']:.0%}", f"{row['value_eur']:,.0f}",
            f"{row['acted']:.0%}",
        )  # fmt: skip
    yield segments
    yield ""
    if "channels" in plan.tables:
        yield _channels(plan.tables["channels"])
        yield ""
    figures = _table("key figure", "value", "target", "")
    for kpi in plan.kpis.items:
        if kpi.name in _WORDS and (kpi.value is not None or kpi.status == "unknown"):
            mark = {"met": "[green]met[/green]", "missed": "[red]missed[/red]", "unknown": "no data"}
            figures.add_row(
                _WORDS[kpi.name][0], _write(kpi.name, kpi.value), _target(kpi), mark.get(kpi.status, "")
            )
    yield figures
    yield ""
    stages = _table("stage", "rows", "seconds")
    for name, seconds in plan.seconds.items():
        stages.add_row(name, f"{plan.results[name].frame.height:,}", f"{seconds:.2f}")
    yield stages
    yield ""
    for remark in remarks(plan):
        yield f"• {escape(remark)}"
    yield f"\nWritten to [bold]{escape(str(out))}[/bold]"


def _channels(frame: pl.DataFrame) -> Table:
    """Show demand against capacity, and what one more contact would add."""
    table = _table("channel", "wanted", "capacity", "scheduled", "waiting", "one more is worth €")
    for row in frame.iter_rows(named=True):
        capacity = "–" if row["capacity"] is None else f"{row['capacity']:,}"
        table.add_row(
            row["channel"], f"{row['demand']:,}", capacity, f"{row['scheduled']:,}", f"{row['backlog']:,}",
            f"{row['price_eur']:,.2f}",
        )  # fmt: skip
    return table


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "as_of": plan.inputs.as_of,
        "accounts": plan.accounts.height,
        "kpis": plan.kpis.summary(),
        "missed": [kpi.name for kpi in plan.kpis.missed],
        "actions": _by_action(plan.accounts).to_dicts(),
        "segments": _by_segment(plan.accounts).to_dicts(),
        "stages": [
            {"stage": name, "rows": plan.results[name].frame.height, "seconds": seconds}
            for name, seconds in plan.seconds.items()
        ],
        "remarks": list(remarks(plan)),
    }


def remarks(plan: Plan) -> Iterator[str]:
    """Yield what a reader should know before trusting the figures."""
    for name, rows in plan.quality.rejected.items():
        if rows.height:
            why = rows["reason"].value_counts(sort=True).sort("count", "reason", descending=[True, False])
            causes = ", ".join(f"{count:,} {reason}" for reason, count in why.head(3).iter_rows())
            yield f"{rows.height:,} rows of {name} set aside ({causes}): see rejected/{name}.csv"
    for issue in plan.quality.issues.filter(pl.col("level") == "warning").iter_rows(named=True):
        yield f"{issue['table']}, column {issue['column']}: {issue['message']} ({issue['fix']})"
    for target in ("churn", "value"):
        fallback = plan.predictions.summary().get(f"{target}_fallback")
        if fallback:
            yield f"{target}: {fallback}"
    if plan.drift.frame.height:
        yield f"drift: {plan.drift.message}"


def _by_action(accounts: pl.DataFrame) -> pl.DataFrame:
    cost = pl.col("cost_eur").sum() if "cost_eur" in accounts.columns else pl.lit(0.0).alias("cost_eur")
    return (
        accounts.group_by("action")
        .agg(
            pl.len().alias("accounts"), pl.col("expected_value_eur").sum(), cost,
            pl.col("channel").drop_nulls().mode().sort().first().alias("channel"),
        )
        .sort("expected_value_eur", "action", descending=[True, False])
    )  # fmt: skip


def _by_segment(accounts: pl.DataFrame) -> pl.DataFrame:
    return (
        accounts.group_by("segment")
        .agg(
            pl.len().alias("accounts"), pl.col("churn_probability").mean().alias("churn"),
            pl.col("predicted_value_eur").mean().alias("value_eur"),
            (pl.col("action") != "nothing").mean().alias("acted"),
        )
        .sort("value_eur", "segment", descending=[True, False])
    )  # fmt: skip


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="left" if name in ("best channel", "target", "") else "right")
    return table


def _write(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    style = _WORDS[name][1]
    if style == "%":
        return f"{value:.1%}"
    if style == "€":
        return f"€{value:,.0f}"
    if style == "pct":
        return f"{value:.1f}%"
    return f"{value:.1f} days" if style == "days" else f"{value:{style if style[0] == '.' else '.' + style}}"


def _target(kpi: Kpi) -> str:
    if kpi.at_least is not None and kpi.at_most is not None:
        return f"{_write(kpi.name, kpi.at_least)} to {_write(kpi.name, kpi.at_most)}"
    if kpi.at_least is not None:
        return f"at least {_write(kpi.name, kpi.at_least)}"
    return f"at most {_write(kpi.name, kpi.at_most)}" if kpi.at_most is not None else ""
