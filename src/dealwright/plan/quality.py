"""Stage 1: contracts with readable failures; bad rows are set aside with the reason, never dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import GateError, InputError
from dealwright.plan.agreed_tables import (
    sift_arrivals,
    sift_call_backs,
    sift_frequencies,
    sift_promises,
    sift_staff,
)
from dealwright.plan.positions import POSITION_NOTE, judge_positions
from dealwright.plan.row_checks import Accounts
from dealwright.plan.sieve import Issue, Sieve
from dealwright.plan.tables import sift_accounts, sift_history, sift_orders, sift_reps, sift_touches
from dealwright.schemas import ALWAYS, PlanInputs

_TABLES: Final = (
    "orders", "touches", "history", "reps", "promises", "frequencies", "call_backs", "arrivals", "staff",
)  # fmt: skip


@dataclass(frozen=True)
class QualityParams:
    """When to stop and when to warn.

    Attributes
    ----------
    max_rejected_share
        The gate: a table of which more than this share is set aside stops the run.
    max_age_days
        Orders or touches whose latest row is older than this before the cut-off draw a warning.
    missing_note_share
        A feature with more than this share of empty cells is noted.
    metric_worse_by
        Large drift becomes an alarm when AUC or rank correlation fell by more than this since the last run.
    isolated_km
        An account further than this from every other account and home is pointed out.
    """

    max_rejected_share: float = 0.05
    max_age_days: float = 45.0
    missing_note_share: float = 0.5
    metric_worse_by: float = 0.02
    isolated_km: float = 50.0


@dataclass(frozen=True)
class Quality:
    """Clean inputs, and what was wrong.

    Attributes
    ----------
    inputs
        Only usable rows, typed as `dealwright.schemas` says; the schema without unusable columns.
    rejected
        Table -> rows set aside: ``row``, ``column``, ``reason``, ``fix`` and the row as it came
        (``given_…``).
    issues
        Notes and warnings about columns that lost no row: ``table, column, level, rows, message, fix``.
    freshness
        Table -> days between its latest row and the cut-off.
    rows_in
        Table -> number of rows that came.
    """

    inputs: PlanInputs
    rejected: Mapping[str, pl.DataFrame]
    issues: pl.DataFrame
    freshness: Mapping[str, float]
    rows_in: Mapping[str, int]

    @property
    def frame(self) -> pl.DataFrame:
        """The accounts that passed: number of empty feature cells, and what is wrong with a position."""
        accounts = self.inputs.accounts
        features = self.inputs.schema.features
        gaps = [pl.col(name).is_null().cast(pl.Int64) for name in features]
        return accounts.select(
            "account_id",
            *([POSITION_NOTE] if POSITION_NOTE in accounts.columns else []),
            missing_cells=pl.sum_horizontal(gaps) if gaps else pl.lit(0, pl.Int64),
        )

    @property
    def rejected_share(self) -> dict[str, float]:
        """Share of each table that was set aside."""
        return {name: self.rejected[name].height / max(rows, 1) for name, rows in self.rows_in.items()}

    def summary(self) -> dict[str, Any]:
        """Count rows, rejections and issues."""
        result: dict[str, Any] = {}
        for name, rows in self.rows_in.items():
            result[f"{name}_in"] = rows
            result[f"{name}_rejected"] = self.rejected[name].height
        result["notes"] = int((self.issues["level"] == "note").sum())
        result["warnings"] = int((self.issues["level"] == "warning").sum())
        result.update({f"{name}_age_days": round(days, 2) for name, days in self.freshness.items()})
        return result


class QualityGateError(GateError):
    """The gate stopped the run; `quality` holds the rows that were set aside, to be looked at."""

    def __init__(self, message: str, quality: Quality) -> None:
        super().__init__(message)
        self.quality = quality


def check(
    inputs: PlanInputs,
    params: QualityParams,
    *,
    rng: np.random.Generator | None = None,  # noqa: ARG001  every stage has one
    force: bool = False,
    land: Any = None,
) -> Quality:
    """Check and type every table, set unusable rows aside, and stop at the gate.

    Parameters
    ----------
    force
        Go on in spite of the gate.
    land
        Where there is land (a Shapely polygon in degrees, longitude first): accounts elsewhere lose their
        position, with a reason.

    Raises
    ------
    InputError
        A table cannot be used at all: no rows, a missing column, a wrong declaration, a column known too
        late.
    QualityGateError
        More than ``max_rejected_share`` of a table was set aside, unless `force`.
    """
    _refuse_future_knowledge(inputs)
    issues: list[Issue] = []
    sieve, schema = sift_accounts(inputs, issues, params.missing_note_share)
    sieves = {"accounts": sieve}
    accounts = sieve.clean()
    if accounts.is_empty():
        column, reason, rows, fix = max(sieve.reasons(), key=lambda item: item[2])
        raise InputError(f"accounts: no usable row: {rows:,} have {column!r} {reason}; {fix}")
    ids = Accounts(accounts["account_id"], sieve.frame["account_id"])
    usable = replace(inputs, accounts=accounts, schema=schema)
    if inputs.orders is not None:
        sieves["orders"] = sift_orders(inputs.orders, usable, issues, ids)
    if inputs.touches is not None:
        sieves["touches"] = sift_touches(inputs.touches, usable, issues, ids)
    if inputs.history is not None:
        sieves["history"] = sift_history(inputs.history, usable, issues, ids)
    if inputs.reps is not None:
        sieves["reps"] = sift_reps(inputs.reps, issues)
    clean = {name: each.clean() for name, each in sieves.items()}
    agreed = _sift_agreed(inputs, issues, ids, clean.get("reps"))
    sieves |= agreed
    clean |= {name: each.clean() for name, each in agreed.items()}
    if schema.has_position:
        usable = replace(
            usable,
            accounts=judge_positions(
                usable.accounts, clean.get("reps"), issues, isolated_km=params.isolated_km, land=land
            ),
        )
    freshness = _freshness(clean, inputs.as_of, params.max_age_days, issues)
    quality = Quality(
        replace(usable, **dict[str, Any]({name: clean.get(name) for name in _TABLES})),
        {name: each.rejected() for name, each in sieves.items()},
        pl.DataFrame(
            [vars(issue) for issue in issues],
            schema={
                "table": pl.String,
                "column": pl.String,
                "level": pl.String,
                "rows": pl.Int64,
                "message": pl.String,
                "fix": pl.String,
            },
        ),
        freshness,
        {name: each.original.height for name, each in sieves.items()},
    )
    if not force:
        _gate(quality, sieves, params.max_rejected_share)
    return quality


def _sift_agreed(
    inputs: PlanInputs, issues: list[Issue], ids: Accounts, reps: pl.DataFrame | None
) -> dict[str, Sieve]:
    """Check what was agreed, who answers, and what will come in; each table may be missing."""
    sieves = {}
    if inputs.promises is not None:
        sieves["promises"] = sift_promises(inputs.promises, issues, ids, reps)
    if inputs.frequencies is not None:
        sieves["frequencies"] = sift_frequencies(inputs.frequencies, issues, ids)
    if inputs.call_backs is not None:
        sieves["call_backs"] = sift_call_backs(inputs.call_backs, issues, ids)
    if inputs.arrivals is not None:
        sieves["arrivals"] = sift_arrivals(inputs.arrivals, issues)
    if inputs.staff is not None:
        sieves["staff"] = sift_staff(inputs.staff, issues)
    return sieves


def _refuse_future_knowledge(inputs: PlanInputs) -> None:
    """Refuse features whose content was known only after the cut-off: they would leak the future."""
    for column in inputs.schema.features:
        known = inputs.schema.known_from.get(column)
        if known is None or known == ALWAYS:
            continue
        if isinstance(known, datetime):
            late = known > inputs.as_of
            when = f"from {known:%Y-%m-%d %H:%M}"
        else:
            if known not in inputs.accounts.columns:
                raise InputError(
                    f"[accounts.known_from] {column} = {known!r}: accounts have no such column; name a date "
                    f'column, a date, or "{ALWAYS}"'
                )
            sieve = Sieve("accounts", inputs.accounts.select(known), [])
            sieve.convert(known, "moment")
            moments = sieve.frame[known]
            rows = int((moments > inputs.as_of).sum())
            late = rows > 0
            when = f"later for {rows:,} accounts (column {known!r})"
        if late:
            raise InputError(
                f"accounts: column {column!r} is known only {when}, after the cut-off "
                f"{inputs.as_of:%Y-%m-%d %H:%M}: it would leak the future into the predictions; take it "
                "out of the features, or move --as-of"
            )


def _freshness(
    frames: Mapping[str, pl.DataFrame], as_of: datetime, max_age_days: float, issues: list[Issue]
) -> dict[str, float]:
    """Return the age of the latest order and touch, and warn of stale ones."""
    result = {}
    for name, column in (("orders", "ordered_at"), ("touches", "touched_at")):
        if name not in frames or frames[name].is_empty():
            continue
        latest = frames[name].select(pl.col(column).max()).item()
        days = (as_of - latest).total_seconds() / 86_400
        result[name] = days
        if days > max_age_days:
            issues.append(
                Issue(
                    name,
                    column,
                    "warning",
                    0,
                    f"the latest row is {days:.0f} days older than the cut-off: everybody looks silent",
                    "bring newer data, or set --as-of to the day the data end",
                )
            )
    return result


def _gate(quality: Quality, sieves: Mapping[str, Sieve], limit: float) -> None:
    """Stop the run when too much of a table was set aside."""
    over = {name: share for name, share in quality.rejected_share.items() if share > limit}
    if not over:
        return
    parts = []
    for name, share in over.items():
        parts.append(f"{share:.1%} of {name} ({sieves[name].told(most=3)})")
    raise QualityGateError(
        f"the quality gate stopped the run: set aside {', and '.join(parts)}, more than the {limit:.0%} "
        "allowed; mend the data, or go on with --force",
        quality,
    )
