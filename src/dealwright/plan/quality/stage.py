"""Stage 1: gates, freshness, positions, and columns that cannot be used.

Rows are judged once, when tables are read (`dealwright.tables`); what was rejected there is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import GateError, InputError
from dealwright.notebook import Summarised
from dealwright.plan.quality.params import QualityParams
from dealwright.plan.quality.positions import POSITION_NOTE, judge_positions
from dealwright.schemas import ALWAYS, CHURNED, ISSUE_COLUMNS, AccountSchema, Intake, Issue, PlanInputs
from dealwright.stats.metrics import auc
from dealwright.wording import count_of

_GIVEN_AWAY_AUC: Final = 0.97  # alone: no honest feature knows so much of who leaves
_CHANCE: Final = 0.001  # of being filled for one class only, if that had nothing to do with the class


@dataclass(frozen=True)
class Quality(Summarised):
    """Clean inputs, and the problems that were found.

    Attributes
    ----------
    inputs
        Only usable rows, typed as `dealwright.schemas` says; the schema without unusable columns.
    issues
        `ISSUE_COLUMNS`: notes and warnings, those of reading grouped by kind.
    freshness
        Table -> days between its latest row and the cut-off.
    """

    inputs: PlanInputs
    issues: pl.DataFrame
    freshness: Mapping[str, float]

    @property
    def intake(self) -> Intake:
        """What became of the tables when they were read."""
        return self.inputs.intake

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
        """Share of each table that was rejected."""
        return {
            name: report.rejected.height / max(report.rows, 1) for name, report in self.intake.tables.items()
        }

    def summary(self) -> dict[str, Any]:
        """Count the rows that are used, those that were read and rejected, and issues."""
        result: dict[str, Any] = self.inputs.heights()
        for name, report in self.intake.tables.items():
            result[f"{name}_in"] = report.rows
            result[f"{name}_rejected"] = report.rejected.height
        result["notes"] = int((self.issues["level"] == "note").sum())
        result["warnings"] = int((self.issues["level"] == "warning").sum())
        result.update({f"{name}_age_days": round(days, 2) for name, days in self.freshness.items()})
        return result


class QualityGateError(GateError):
    """The gate stopped the run; `quality` holds the rejected rows."""

    def __init__(self, message: str, quality: Quality) -> None:
        super().__init__(message)
        self.quality = quality


def check_quality(
    inputs: PlanInputs,
    params: QualityParams,
    *,
    rng: np.random.Generator | None = None,  # noqa: ARG001  every stage has one
    force: bool = False,
    land: Any = None,
) -> Quality:
    """Look at clean tables as a whole, and stop at the gate.

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
        A feature is known too late, or latitude and longitude are swapped.
    QualityGateError
        More than ``max_rejected_share`` of a table was rejected when it was read, unless `force`.
    """
    _refuse_future_knowledge(inputs)
    issues = [
        Issue(*row)
        for row in inputs.intake.grouped()
        .filter(pl.col("level") != "rejected")
        .select("table", "column", "level", "rows", "reason", "fix")
        .iter_rows()
    ]
    schema = _drop_silent_columns(inputs.accounts, inputs.schema, issues, params.missing_note_share)
    _warn_of_answers(inputs.accounts, schema, issues)
    accounts = inputs.accounts
    if schema.has_position:
        accounts = judge_positions(accounts, inputs.reps, issues, isolated_km=params.isolated_km, land=land)
    freshness = _freshness(inputs, params.max_age_days, issues)
    frame = pl.DataFrame([vars(issue) for issue in issues], schema=ISSUE_COLUMNS)
    quality = Quality(inputs.having(accounts=accounts, schema=schema), frame, freshness)
    if not force:
        try:
            inputs.intake.check_share(params.max_rejected_share)
        except GateError as error:
            message = f"the quality gate stopped the run: {error}; mend the data, or go on with --force"
            raise QualityGateError(message, quality) from None
    return quality


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
            rows = int((inputs.accounts[known] > inputs.as_of).sum())
            late = rows > 0
            when = f"later for {count_of(rows, 'account')} (column {known!r})"
        if late:
            raise InputError(
                f"accounts: column {column!r} is known only {when}, after the cut-off "
                f"{inputs.as_of:%Y-%m-%d %H:%M}: it would leak the future into the predictions; take it "
                "out of the features, or move --as-of"
            )


def _drop_silent_columns(
    accounts: pl.DataFrame, schema: AccountSchema, issues: list[Issue], missing_note_share: float
) -> AccountSchema:
    """Exclude features that are empty or always the same; note those that are mostly empty."""
    silent = set()

    def note(column: str, level: str, rows: int, message: str, fix: str) -> None:
        issues.append(Issue("accounts", column, level, rows, message, fix))

    for name in schema.features:
        column = accounts[name]
        empty = column.null_count()
        if empty == len(column):
            silent.add(name)
            note(name, "warning", empty, "empty in every row: not used", "fill it in, or do not declare it")
        elif len(column) > 1 and column.drop_nulls().n_unique() == 1 and empty == 0:
            silent.add(name)
            note(name, "note", 0, "the same in every row: not used", "nothing to do, or do not declare it")
        elif empty > missing_note_share * len(column):
            share = f"empty in {empty / len(column):.0%} of the rows"
            note(name, "note", empty, share, "fill it in if you can")
    if schema.has_churn_label and accounts[CHURNED].drop_nulls().n_unique() == 1:
        only = accounts[CHURNED].drop_nulls()[0]
        note(CHURNED, "warning", 0, f"every label is {only}: nothing to learn from it", "label both outcomes")
    return replace(
        schema,
        numeric=tuple(name for name in schema.numeric if name not in silent),
        categorical={name: values for name, values in schema.categorical.items() if name not in silent},
        dates=tuple(name for name in schema.dates if name not in silent),
    )


def _warn_of_answers(accounts: pl.DataFrame, schema: AccountSchema, issues: list[Issue]) -> None:
    """Name the features that give the label away: filled for one class only, or telling all alone."""
    if not schema.has_churn_label:
        return
    known = accounts.filter(pl.col(CHURNED).is_not_null())
    label = known[CHURNED]
    if label.n_unique() < 2:
        return
    left = label.to_numpy()
    for name in schema.features:
        if name in schema.known_from:
            continue
        column = known[name]
        of_filled = label.filter(column.is_not_null())
        finding = None
        if of_filled.n_unique() == 1 and label.eq(of_filled[0]).mean() ** of_filled.len() < _CHANCE:
            finding = f"filled only for accounts that {'left' if of_filled[0] else 'stayed'}"
        elif (found := _auc_alone(column, label, left)) > _GIVEN_AWAY_AUC:
            finding = f"alone it tells who left (AUC {found:.3f})"
        if finding is not None:
            fix = f"say since when it is known (known_from.{name} = a date or a date column), or take it out"
            issues.append(Issue("accounts", name, "warning", 0, f"{finding}: it may hold the answer", fix))


def _auc_alone(column: pl.Series, label: pl.Series, left: np.ndarray[Any, Any]) -> float:
    """Return how well a column alone tells the classes apart, whichever way round; empty is a value."""
    if column.dtype == pl.String:
        # each row's category is judged by the others of it, so that rare categories tell nothing
        frame = pl.DataFrame({"value": column.fill_null(""), "left": label.cast(pl.Float64)})
        others = (pl.col("left").sum().over("value") - pl.col("left") + label.mean()) / pl.len().over("value")
        return auc(left, frame.select(others.alias("score"))["score"].to_numpy())
    number = column.to_physical().cast(pl.Float64)
    found = auc(left, number.rank().fill_null(0.0).to_numpy())
    return max(found, 1.0 - found)


def _freshness(inputs: PlanInputs, max_age_days: float, issues: list[Issue]) -> dict[str, float]:
    """Return the age of the latest order and touch, and warn of stale ones."""
    result = {}
    for name, column, table in (
        ("orders", "ordered_at", inputs.scan("orders")), ("touches", "touched_at", inputs.scan("touches")),
    ):  # fmt: skip
        if table is None:
            continue
        latest = table.select(pl.col(column).max()).collect().item()
        days = (inputs.as_of - latest).total_seconds() / 86_400
        result[name] = days
        if days > max_age_days:
            finding = f"the latest row is {days:.0f} days older than the cut-off: everybody looks silent"
            fix = "bring newer data, or set --as-of to the day the data end"
            issues.append(Issue(name, column, "warning", 0, finding, fix))
    return result
