"""The labelled cases a target is learned from: which accounts, described as of when, with what label.

Two ways to labels: columns somebody declared, or what the orders after an earlier cut-off say. In both the
features are those of `features.snapshot`, which sees nothing later than its cut-off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.plan.prediction.features import Snapshot, snapshot
from dealwright.plan.prediction.labels import OrderLabels, labels_from_orders
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.order_features import EXPECTED_SPEND
from dealwright.plan.prediction.params import ChurnDefinition
from dealwright.plan.prediction.validation import split_by_time
from dealwright.schemas import PlanInputs
from dealwright.stats.arrays import Bools, Floats

MIN_HISTORY_DAYS = 28


@dataclass(frozen=True)
class Cases:
    """Rows with features and a label."""

    features: pl.DataFrame
    target: Floats
    rows: NDArray[np.intp]  # position of each case in the accounts frame
    # spend buy-till-you-die expects of each case in the horizon; NaN without orders
    level_eur: Floats | None = None

    def __len__(self) -> int:
        return len(self.target)

    def take(self, places: NDArray[Any]) -> Cases:
        """Return some of the cases, by index."""
        level = None if self.level_eur is None else self.level_eur[places]
        return Cases(self.features[places], self.target[places], self.rows[places], level)


@dataclass(frozen=True)
class Trial:
    """Earlier and later cases: candidates are fitted on the former and prove themselves on the latter."""

    earlier: Cases
    later: Cases
    description: str
    since: datetime | None  # the later labels happened after this moment, where it is known
    # which of the earlier cases are the most recent ones, where they are ordered in time
    recent: Bools | None = None
    # where the later cases stand among all, where they are some of them
    places: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class OrderCases:
    """Cases of both targets from orders."""

    churn: Cases
    value: Cases
    churn_trial: Trial | None
    value_trial: Trial | None
    cut_off: datetime
    # columns that describe accounts at the run's cut-off only, so that nothing can be learned from them
    refused: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class OrderTask:
    """How orders become labels; see `labels.labels_from_orders`."""

    horizon_days: int
    definition: ChurnDefinition
    rhythm_factor: float
    cut_off: datetime | None
    most_rows: int
    trial_rows: int


def order_cases(
    inputs: PlanInputs, ledger: Ledger, task: OrderTask, rng: np.random.Generator
) -> OrderCases | str:
    """Return cases described at an earlier cut-off and labelled by the orders of the horizon after it.

    Returns the reason instead where the orders do not reach back far enough.

    Raises
    ------
    InputError
        The training cut-off asked for leaves less than a horizon before the run's.
    """
    horizon = timedelta(days=task.horizon_days)
    cut_off = task.cut_off or inputs.as_of - horizon
    if cut_off + horizon > inputs.as_of:
        raise InputError(
            f"train_cut_off = {cut_off:%Y-%m-%d} and a horizon of {task.horizon_days} days end after "
            f"as_of = {inputs.as_of:%Y-%m-%d}: take an earlier cut-off or a shorter horizon"
        )
    first = ledger.first
    if first is None:
        return "there are no orders before the cut-off"
    if first > cut_off - timedelta(days=MIN_HISTORY_DAYS):
        return (
            f"orders begin on {first:%Y-%m-%d}: a horizon of {task.horizon_days} days needs them from "
            f"{cut_off - timedelta(days=MIN_HISTORY_DAYS):%Y-%m-%d} on; "
            "give older orders or a shorter horizon"
        )
    rows = _sampled(inputs.accounts.height, task.most_rows, rng)
    described, labels = _described(*_subset(inputs, ledger, rows), cut_off, task, rng)
    churn, value = _both(described, labels, rows)
    trials = _trials((inputs, ledger), replace(task, cut_off=cut_off), (churn, value), rng)
    notes = list(described.notes)
    refunds = int(np.count_nonzero(labels.value_eur < 0))
    if refunds:
        were = "account was" if refunds == 1 else "accounts were"
        notes.append(f"{refunds:,} {were} refunded more than was spent: that value counts as 0")
    return OrderCases(churn, value, *trials, cut_off, described.refused, tuple(notes))


def _trials(
    company: tuple[PlanInputs, Ledger],
    task: OrderTask,
    latest: tuple[Cases, Cases],
    rng: np.random.Generator,
) -> tuple[Trial | None, Trial | None]:
    """Return how candidates prove themselves forward in time, for both targets; ``None`` without the time.

    Over the full horizon where orders reach back far enough, else over a third of the time there is; in the
    former case the later cases are `latest`.
    """
    inputs, ledger = company
    first = ledger.first or inputs.as_of
    rows = _sampled(inputs.accounts.height, task.trial_rows, rng)
    sub = _subset(inputs, ledger, rows)
    later_cut = task.cut_off or inputs.as_of - timedelta(days=task.horizon_days)
    enough_days = max(MIN_HISTORY_DAYS, task.horizon_days // 3)
    if first <= later_cut - timedelta(days=task.horizon_days + enough_days):
        places = [np.flatnonzero(np.isin(cases.rows, rows)) for cases in latest]
        later = (latest[0].take(places[0]), latest[1].take(places[1]))
    else:
        task = replace(task, horizon_days=(inputs.as_of - first).days // 3)
        if task.horizon_days < MIN_HISTORY_DAYS:
            return None, None
        later_cut = inputs.as_of - timedelta(days=task.horizon_days)
        later = _both(*_described(*sub, later_cut, task, rng), rows)
    earlier_cut = later_cut - timedelta(days=task.horizon_days)
    earlier = _both(*_described(*sub, earlier_cut, task, rng), rows)
    words = (
        f"fitted at {earlier_cut:%Y-%m-%d}, tested on the {task.horizon_days} days after {later_cut:%Y-%m-%d}"
    )
    churn, value = (
        Trial(a, b, words, later_cut) if len(a) and len(b) else None
        for a, b in zip(earlier, later, strict=True)
    )
    return churn, value


def declared_cases(features: pl.DataFrame, label: pl.Series) -> Cases:
    """Return the rows with a declared label."""
    target = label.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    rows = np.flatnonzero(np.isfinite(target))
    return Cases(features[rows], target[rows], rows)


def time_trial(cases: Cases, observed_at: pl.Series) -> Trial | None:
    """Split cases by when they were observed: the last three tenths prove what the others taught."""
    at = observed_at.cast(pl.Datetime("us")).to_physical()[cases.rows]
    dated = np.flatnonzero(at.is_not_null().to_numpy())
    if len(dated) == 0:
        return None
    moments = at.drop_nulls().to_numpy()
    earlier, later = split_by_time(moments)
    if len(earlier) == 0 or len(later) == 0:
        return None
    _, newest = split_by_time(moments[earlier])
    return Trial(
        cases.take(dated[earlier]),
        cases.take(dated[later]),
        f"fitted on the first {len(earlier)} rows by {observed_at.name}, tested on the last {len(later)}",
        None,
        np.isin(np.arange(len(earlier)), newest),
        dated[later],
    )


def _described(
    inputs: PlanInputs, ledger: Ledger, cut_off: datetime, task: OrderTask, rng: np.random.Generator
) -> tuple[Snapshot, OrderLabels]:
    described = snapshot(inputs, ledger, cut_off, task.horizon_days, rng)
    labels = labels_from_orders(
        ledger,
        cut_off,
        task.horizon_days,
        described.known,
        definition=task.definition,
        rhythm_factor=task.rhythm_factor,
    )
    return described, labels


def _both(described: Snapshot, labels: OrderLabels, rows: NDArray[np.intp]) -> tuple[Cases, Cases]:
    """Return the cases of churn and of value; net refunds count as no spend."""
    return (
        _cases(described, labels.churned, rows),
        _cases(described, np.maximum(labels.value_eur, 0.0), rows),
    )


def _cases(described: Snapshot, target: Floats, rows: NDArray[np.intp]) -> Cases:
    places = np.flatnonzero(np.isfinite(target))
    features = described.features[places]
    level = features[EXPECTED_SPEND].fill_null(float("nan")).to_numpy() if described.rhythm else None
    return Cases(features, target[places], rows[places], level)


def _sampled(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def _subset(inputs: PlanInputs, ledger: Ledger, rows: NDArray[np.intp]) -> tuple[PlanInputs, Ledger]:
    """Return the inputs of some accounts: to describe a million and fit on a part of them would be waste."""
    if len(rows) == inputs.accounts.height:
        return inputs, ledger
    accounts = inputs.accounts[rows]
    ids = accounts.select("account_id")

    def theirs(frame: pl.DataFrame | None) -> pl.DataFrame | None:
        return None if frame is None else frame.join(ids, on="account_id", how="semi", maintain_order="left")

    touches, history = theirs(inputs.touches), theirs(inputs.history)
    # orders are in the ledger by now
    return replace(
        inputs, accounts=accounts, orders=None, touches=touches, history=history
    ), ledger.restricted(rows)
