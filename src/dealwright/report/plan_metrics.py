"""The key figures of a plan as Prometheus metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dealwright.plan.result import Plan

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def metrics_registry(plan: Plan, *, wall_clock: bool = True) -> CollectorRegistry:
    """Return a registry with a run's figures; `wall_clock` adds the seconds, which differ from run to run."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    value = Gauge("dealwright_plan_kpi", "Key figure of the latest plan", ["kpi"], registry=registry)
    met = Gauge("dealwright_plan_kpi_met", "Whether a key figure met its target", ["kpi"], registry=registry)
    for kpi in plan.kpis.items:
        if kpi.value is not None:
            value.labels(kpi.name).set(kpi.value)
        if kpi.status in ("met", "missed"):
            met.labels(kpi.name).set(kpi.status == "met")
    rows = Gauge("dealwright_plan_stage_rows", "Rows out of a stage", ["stage"], registry=registry)
    for record in plan.trace:
        rows.labels(record.stage).set(record.rows_out)
    rejected = Gauge("dealwright_plan_rejected_rows", "Rows rejected", ["table"], registry=registry)
    for name, report in plan.quality.intake.tables.items():
        rejected.labels(name).set(report.rejected.height)
    chosen = Gauge("dealwright_plan_actions", "Accounts by chosen action", ["action"], registry=registry)
    for action, count in plan.accounts["action"].value_counts().sort("action").iter_rows():
        chosen.labels(action).set(count)
    if wall_clock:
        seconds = Gauge("dealwright_plan_stage_seconds", "Duration of a stage", ["stage"], registry=registry)
        for name, duration in plan.seconds.items():
            seconds.labels(name).set(duration)
    return registry


def metrics_text(plan: Plan, *, wall_clock: bool = True) -> str:
    """Return the metrics in Prometheus' text format, for node-exporter's textfile collector."""
    from prometheus_client import generate_latest

    return generate_latest(metrics_registry(plan, wall_clock=wall_clock)).decode()
