"""The estimators people would take instead, as they come; and the tables the benchmark of predict prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from dealwright.plan.prediction import Predictions, PredictParams, predict
from dealwright.schemas import PlanInputs
from dealwright.stats.metrics import CHURN_MEASURES, VALUE_MEASURES

CONSOLE = Console(width=150)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    return work(), time.perf_counter() - begin


def predict_inputs(
    inputs: PlanInputs, params: PredictParams | None = None, *, rng: np.random.Generator
) -> Predictions:
    """Run the stage on everything the inputs hold."""
    return predict(
        inputs.accounts, params, orders=inputs.orders, touches=inputs.touches, history=inputs.history,
        schema=inputs.schema, as_of=inputs.as_of, rng=rng,
    )  # fmt: skip


def out_of_fold(make: Callable[[], Any], x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Predict with an estimator as it comes, five shuffled folds."""
    from sklearn.model_selection import KFold

    predicted = np.empty(len(y))
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        model = make().fit(x[train], y[train])
        probability = hasattr(model, "predict_proba")
        predicted[test] = model.predict_proba(x[test])[:, 1] if probability else model.predict(x[test])
    return predicted


def boosted_classifier() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


def boosted_regressor() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=0)


def plain_logistic() -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1_000))


def probability_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray]) -> Table:
    return measured_table(title, actual, rows, CHURN_MEASURES)


def value_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray]) -> Table:
    return measured_table(title, actual, rows, VALUE_MEASURES)


def measured_table(title: str, actual: np.ndarray, rows: dict[str, np.ndarray], measures: Any) -> Table:
    table = Table(title=title)
    table.add_column("")
    for name in measures:
        table.add_column(name, justify="right")
    for name, predicted in rows.items():
        table.add_row(name, *(shown(measure(actual, predicted), key) for key, measure in measures.items()))
    return table


def shown(value: float, measure: str) -> str:
    if measure == "total_bias":
        return f"{value:+.1%}"
    return f"{value:.2f}" if measure in ("rmse", "mae", "lift") else f"{value:.4f}"


def intervals(ours: Predictions, target: str) -> None:
    section = ours.card[target]
    measured: Iterable[tuple[str, dict[str, float]]] = section["measures"][section["champion"]].items()
    CONSOLE.print(
        f"  {section['champion']}, chosen by {section['chosen_by']}: "
        + ", ".join(f"{name} {e['value']:.4f} [{e['low']:.4f}, {e['high']:.4f}]" for name, e in measured)
    )


def chosen(ours: Predictions) -> None:
    for target in ("churn", "value"):
        section = ours.card[target]
        CONSOLE.print(
            f"  {target}: {section['champion']}, {section['chosen_by']}; level {section.get('level')}"
        )
