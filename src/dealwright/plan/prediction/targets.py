"""How one run of the stage goes: labels, cases, learning, contest, predictions for all accounts, reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.parallel import one_core_kernels, parallel_map
from dealwright.plan.partitions import apply, partitions
from dealwright.plan.prediction.candidates import Probability, Scaled
from dealwright.plan.prediction.cases import (
    Cases,
    OrderCases,
    OrderTask,
    Trial,
    declared_cases,
    order_cases,
    time_trial,
)
from dealwright.plan.prediction.champion import NewerLabels, Verdict, choose_champion
from dealwright.plan.prediction.design import Design, FeatureSchema
from dealwright.plan.prediction.features import Snapshot, snapshot
from dealwright.plan.prediction.learning import (
    BASE_RATE_USED,
    MIN_ROWS,
    ForwardTest,
    Learned,
    Limits,
    Predictor,
    learn,
    scaled_to_level,
    without_model,
)
from dealwright.plan.prediction.ledger import Ledger
from dealwright.plan.prediction.level import learn_level
from dealwright.plan.prediction.model_store import ModelStore
from dealwright.plan.prediction.order_features import EXPECTED_SPEND, PROBABILITY_DEAD, PROBABILITY_SILENT
from dealwright.plan.prediction.params import PredictParams
from dealwright.plan.prediction.reasons import Explainer
from dealwright.plan.prediction.sources import (
    LABEL_COLUMNS,
    TARGETS,
    TargetName,
    candidates_for,
    kind_of,
    label_source,
    refuse_late_features,
    with_chosen_features,
)
from dealwright.plan.prediction.validation import Labelled
from dealwright.schemas import PlanInputs
from dealwright.stats.arrays import Bools, Floats
from dealwright.stats.metrics import Estimate, Target
from dealwright.wording import count_of, write_eur


@dataclass(frozen=True)
class Outcome:
    """One target, predicted for every account."""

    predicted: Floats
    reasons: pl.Series
    metrics: Mapping[str, float]
    card: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    """One target of this run: its labelled cases, or why there are none."""

    target: TargetName
    source: str
    cases: Cases
    trial: Trial | None
    obstacle: str | None
    notes: tuple[str, ...]

    @property
    def kind(self) -> Target:
        return kind_of(self.target, self.cases.target)


_NEW_ACCOUNTS: Final[Mapping[TargetName, str]] = {
    "churn": "{} never ordered: whether they will stop is not known",
    "value": "{} never ordered: expected to spend no more than the median buyer",
}


class Prediction:
    """One run; holds what both targets share: the ledger of orders, and all accounts as they are today."""

    def __init__(
        self,
        inputs: PlanInputs,
        params: PredictParams,
        rng: np.random.Generator,
        store: ModelStore | None,
        executor: Executor | None = None,
    ) -> None:
        self._inputs = with_chosen_features(inputs, params)
        self._params = params
        self._store = store
        self._executor = executor
        self._seeds = dict(
            zip(("today", "orders", "past", "churn", "value", "reasons", "level"), rng.spawn(7), strict=True)
        )
        self._sources = {target: label_source(target, inputs, params) for target in TARGETS}
        self._ledger: Ledger | None = None
        orders = inputs.scan("orders")
        if orders is not None:
            self._ledger = Ledger.of(orders, inputs.accounts["account_id"]).until(inputs.as_of)

    def run(self) -> dict[TargetName, Outcome]:
        """Predict both targets."""
        with one_core_kernels():
            today = snapshot(
                self._inputs,
                self._ledger,
                self._inputs.as_of,
                self._params.horizon_days,
                self._seeds["today"],
            )
            tasks = self._tasks(today)
            learned = parallel_map(self._learned, tasks, worthwhile=self._inputs.accounts.height >= 1_000)
            return {
                task.target: self._outcome(task, result, today)
                for task, result in zip(tasks, learned, strict=True)
            }

    def _tasks(self, today: Snapshot) -> list[_Task]:
        ordered: OrderCases | str | None = None
        if "orders" in self._sources.values() and self._ledger is not None:
            ordered = self._order_cases(self._ledger)
        tasks = []
        for target, source in self._sources.items():
            if source == "declared":
                tasks.append(self._declared_task(target, today))
            elif isinstance(ordered, OrderCases) and source == "orders":
                churn = target == "churn"
                tasks.append(
                    _Task(
                        target,
                        source,
                        ordered.churn if churn else ordered.value,
                        ordered.churn_trial if churn else ordered.value_trial,
                        None,
                        ordered.notes,
                    )
                )
            else:
                nobody = Cases(today.features[:0], np.empty(0), np.empty(0, dtype=np.intp))
                obstacle = (
                    ordered
                    if isinstance(ordered, str) and source == "orders"
                    else "there are no labels and no orders: not known"
                )
                tasks.append(_Task(target, source, nobody, None, obstacle, ()))
        return tasks

    def _order_cases(self, ledger: Ledger) -> OrderCases | str:
        params, as_of = self._params, self._inputs.as_of
        task = OrderTask(
            params.horizon_days,
            "rhythm" if params.churn_definition == "alive" else params.churn_definition,
            params.rhythm_factor,
            params.train_cut_off,
            params.most_fit_rows,
            2 * params.most_choice_rows,
        )
        cases = order_cases(self._inputs, ledger, task, self._seeds["orders"])
        if isinstance(cases, str) or not cases.refused:
            return cases
        refuse_late_features(params, cases.refused, cases.cut_off, as_of)
        note = (
            f"not used, because known only at {as_of:%Y-%m-%d} and not at the training cut-off "
            f"{cases.cut_off:%Y-%m-%d}: {', '.join(cases.refused)} (declare known_from, or give a history)"
        )
        return replace(cases, notes=(*cases.notes, note))

    def _declared_task(self, target: TargetName, today: Snapshot) -> _Task:
        params, as_of, column = self._params, self._inputs.as_of, LABEL_COLUMNS[target]
        features, notes = today.features, []
        cut_off = params.label_cut_off
        if cut_off is not None and cut_off < as_of:
            past = snapshot(self._inputs, self._ledger, cut_off, params.horizon_days, self._seeds["past"])
            features = past.features
            refuse_late_features(params, past.refused, cut_off, as_of)
            if past.refused:
                notes.append(
                    f"not used, because known only after label_cut_off = {cut_off:%Y-%m-%d}: "
                    f"{', '.join(past.refused)}"
                )
        elif self._ledger is not None:
            notes.append(
                f"{column!r} is taken to describe what happens after {as_of:%Y-%m-%d}; "
                "if it happened before, set label_cut_off, or the orders give it away"
            )
        cases, trial = declared_cases(features, self._inputs.accounts[column]), None
        if params.observed_at is not None:
            # the moment of observation orders the rows; as a feature it would be the drift itself
            cases = replace(cases, features=cases.features.drop(f"days_since_{params.observed_at}"))
            trial = time_trial(cases, self._inputs.accounts[params.observed_at])
        return _Task(target, "declared", cases, trial, None, tuple(notes))

    def _learned(self, task: _Task) -> Learned:
        cases, trial = task.cases, task.trial
        ahead = task.source == "orders" or trial is not None
        schema = FeatureSchema.learned_from(cases.features) if len(cases) else FeatureSchema((), {})
        if task.obstacle is not None or len(cases) == 0:
            reason = task.obstacle or "no account has a label: not known"
            return without_model(schema, task.kind, cases.target, reason)
        forward = None
        if trial is not None and min(len(trial.earlier), len(trial.later)) >= MIN_ROWS:
            past = FeatureSchema.learned_from(trial.earlier.features)
            forward = ForwardTest(
                candidates_for(task.target, task.kind, past, ahead=True),
                Labelled(past.encode(trial.earlier.features)[0], trial.earlier.target),
                Labelled(past.encode(trial.later.features)[0], trial.later.target),
                trial.description,
                trial.later.level_eur if task.target == "value" else None,
                trial.recent,
                trial.places,
            )
        return learn(
            candidates_for(task.target, task.kind, schema, ahead=ahead),
            schema,
            Labelled(schema.encode(cases.features)[0], cases.target),
            Limits(self._params.most_choice_rows, self._params.most_fit_rows, self._params.folds),
            self._seeds[task.target],
            forward=forward,
            every_row=task.source == "declared",
        )

    def _outcome(self, task: _Task, learned: Learned, today: Snapshot) -> Outcome:
        alive_only = task.target == "churn" and self._params.churn_definition == "alive"
        if task.source == "orders" and (alive_only or learned.choice is None):
            learned = _by_rhythm(learned, today, task.target, alive_only=alive_only)
        card = self._card(task, learned)
        verdict = choose_champion(self._store, task.target, learned, card, _newer_labels(learned, task.trial))
        predictor, levels = verdict.predictor, list[str]()
        design, met = predictor.schema.encode(today.features)
        designs = [design.take(part) for part in partitions(len(design))]
        predicted = np.concatenate(apply(partial(_scored, predictor), designs, self._executor))
        if task.target == "value" and task.source == "orders" and today.rhythm and self._ledger is not None:
            predicted, card["level"], card["total"] = self._levelled(predicted, today, self._ledger)
            total = card["total"]
            told = [write_eur(total[key]) for key in ("value", "low", "high")]
            levels.append("expected of who has ordered: {}, 95 % interval {} to {}".format(*told))
        if task.source == "declared" and learned.out_of_fold is not None:
            predicted[task.cases.rows[learned.rows]] = learned.out_of_fold
        fallback = learned.card["choice"].get("fallback")
        notes = [*today.notes, *task.notes, *met, *levels, *drift_notes(task.target, learned)]
        if fallback:
            notes.append(f"{task.target}: {fallback}")
        nothing = pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, len(predicted))
        reasons = nothing
        explainer = None
        if self._params.reasons:
            seed = self._seeds["reasons"]
            explainer = Explainer.fitted(predictor.schema, design, predicted, predictor.kind, seed)
        if explainer is not None:
            explain = partial(_explained, explainer, self._params.reasons)
            reasons = pl.concat(apply(explain, designs, self._executor))
            card["reasons_fidelity"] = explainer.fidelity
        if task.source == "orders" and self._ledger is not None:
            new = np.bincount(self._ledger.row, minlength=len(predicted)) == 0
            if new.any():
                predicted = _of_new_accounts(task.target, predicted, new)
                if task.target == "churn":
                    reasons = nothing.zip_with(pl.Series(new), reasons)
                notes.append(_NEW_ACCOUNTS[task.target].format(count_of(int(new.sum()), "account")))
        card["in_use"] = _in_use(verdict)
        return Outcome(predicted, reasons, metrics_of(learned), finite(card), tuple(notes))

    def _levelled(
        self, predicted: Floats, today: Snapshot, ledger: Ledger
    ) -> tuple[Floats, dict[str, Any], dict[str, float]]:
        """Scale predictions to the total to expect; return also what it rests on, and its interval."""
        expected = today.features[EXPECTED_SPEND].fill_null(np.nan).to_numpy()
        level = learn_level(ledger, self._inputs.as_of, self._params.horizon_days, self._seeds["level"])
        total, low, high = level.total(float(np.nansum(expected)))
        before = float(predicted[np.isfinite(expected)].sum())
        predicted = scaled_to_level(predicted, expected * (total / np.nansum(expected)))
        card = {"source": "buy_till_you_die", "scaled_by": total / before if before > 0 else 1.0}
        return predicted, {**card, **level.to_dict()}, {"value": total, "low": low, "high": high}

    def _card(self, task: _Task, learned: Learned) -> dict[str, Any]:
        until = self._inputs.as_of
        if task.source == "declared":
            until = self._params.label_cut_off or until
        definition = self._params.churn_definition if task.source == "orders" else "declared"
        return {
            "target": task.target,
            "labels": task.source,
            "definition": definition if task.target == "churn" else "spend in the horizon",
            "horizon_days": self._params.horizon_days,
            "labels_until": until.isoformat(),
            "columns": task.cases.features.columns,
            "schema": learned.predictor.schema.fingerprint,
            "skill": skill_of(learned),
            **learned.card,
            "measures": measures_table(learned.measures),
            "forward_measures": measures_table(learned.forward_measures),
        }


def _scored(predictor: Predictor, design: Design) -> Floats:
    with one_core_kernels():  # on a worker as here
        return predictor.scored(design)


def _explained(explainer: Explainer, how_many: int, design: Design) -> pl.Series:
    with one_core_kernels():
        return explainer.reasons(design, how_many)


def _of_new_accounts(target: TargetName, predicted: Floats, new: Bools) -> Floats:
    """Say of accounts that never ordered what can be said: they cannot leave, and are no better than buyers.

    The model learned from accounts that had ordered; where a feature of those is missing it extrapolates.
    """
    if target == "churn":
        return np.where(new, np.nan, predicted)
    if new.all():
        return predicted
    return np.where(new, np.minimum(predicted, np.median(predicted[~new])), predicted)


def _by_rhythm(learned: Learned, today: Snapshot, target: TargetName, *, alive_only: bool) -> Learned:
    """Return buy-till-you-die as the predictor: it was asked for, or there is nothing to learn from."""
    if today.rhythm is None:
        return learned
    column = EXPECTED_SPEND
    if target == "churn":
        column = PROBABILITY_DEAD if alive_only else PROBABILITY_SILENT
    present = today.features[column].drop_nulls().to_numpy()
    model = Scaled(0, 1.0, 0.0) if target == "value" else Probability(0, float(present.mean()))
    kind: Target = "spend" if target == "value" else "probability"
    choice = dict(learned.card["choice"])
    if not alive_only:
        why = str(choice.get("fallback")).removesuffix(BASE_RATE_USED)
        choice["fallback"] = f"{why}; buy-till-you-die used, which needs no labels"
    return replace(
        learned,
        predictor=Predictor("buy_till_you_die", kind, FeatureSchema((column,), {}), model),
        out_of_fold=None,
        card={**learned.card, "champion": "buy_till_you_die", "choice": choice},
    )


def _newer_labels(learned: Learned, trial: Trial | None) -> NewerLabels | None:
    if trial is None or trial.since is None or learned.comparison is None or learned.choice is None:
        return None
    return NewerLabels(
        trial.later.features,
        learned.comparison.target,
        learned.comparison.predictions[learned.choice.champion],
        trial.since.isoformat(),
    )


def _in_use(verdict: Verdict) -> dict[str, Any]:
    return {
        "candidate": verdict.predictor.candidate,
        "version": verdict.version,
        "promoted": verdict.promoted,
        "why": verdict.reason,
        "note": verdict.note,
    }


_DRIFT = 0.03  # lost between shuffled folds and forward in time: worth a warning


def measures_table(measures: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Return model -> measure -> value and interval."""
    return {
        model: {
            name: {"value": estimate.value, "low": estimate.low, "high": estimate.high}
            for name, estimate in row.items()
        }
        for model, row in measures.items()
    }


def metrics_of(learned: Learned) -> dict[str, float]:
    """Return the champion's measures by name, baselines' with their own name appended.

    Where there is a test on later rows, it is what a measure says, and what shuffled folds say has
    ``_in_folds`` appended: nobody is helped by how well yesterday can be predicted from yesterday.
    """
    champion = learned.card["champion"]
    flat: dict[str, float] = {}
    for suffix, rows in (("_in_folds", learned.measures), ("", learned.forward_measures or learned.measures)):
        for model, row in rows.items():
            whose = "" if model == champion else f"_{model}"
            flat |= {f"{name}{whose}{suffix}": estimate.value for name, estimate in row.items()}
    return (
        flat if learned.forward_measures else {n: v for n, v in flat.items() if not n.endswith("_in_folds")}
    )


def skill_of(learned: Learned) -> float:
    """Return the share of the base rate's loss the champion saved on unseen rows when it was chosen."""
    if learned.choice is None:
        return 0.0
    base = learned.choice.table["base_rate"]["loss"]
    return 1.0 - learned.choice.table[learned.choice.champion]["loss"] / base if base > 0 else 0.0


def finite(value: Any) -> Any:
    """Return `value` with NaN and infinities, which JSON does not know, as ``None``."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def drift_notes(target: str, learned: Learned) -> list[str]:
    """Warn where the champion is clearly worse forward in time than in shuffled folds."""
    key = "auc" if target == "churn" else "gini"
    champion = learned.card["champion"]
    inside = learned.measures.get(champion, {}).get(key)
    ahead = learned.forward_measures.get(champion, {}).get(key)
    if inside is None or ahead is None or inside.value - ahead.value < _DRIFT:
        return []
    warning = (
        f"{target}: forward in time the {key} is {ahead.value:.3f}, in shuffled folds {inside.value:.3f}: "
        "expect the former"
    )
    return [warning]
