"""Champion and challenger: a model in use is only replaced by one that beats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dealwright.plan.prediction.choice import improvement
from dealwright.plan.prediction.learning import Learned, Predictor
from dealwright.plan.prediction.model_store import ModelStore, OutdatedModelError
from dealwright.stats.arrays import Floats
from dealwright.stats.metrics import row_losses


@dataclass(frozen=True)
class NewerLabels:
    """Labels newer than anything the champion was trained on."""

    features: pl.DataFrame  # one row per label
    target: Floats
    challenger: Floats  # the challenger's predictions of these rows by a model that had not seen them either
    since: str  # ISO moment after which the labels happened


@dataclass(frozen=True)
class Verdict:
    """Which model predicts, its version, why, and what a reader must be told of it."""

    predictor: Predictor
    version: str | None
    promoted: bool
    reason: str
    note: str = ""


def choose_champion(
    store: ModelStore | None, name: str, learned: Learned, card: Mapping[str, Any], newer: NewerLabels | None
) -> Verdict:
    """Save the challenger, and promote it if there is no champion, or none that it does not beat.

    Where labels are newer than the champion, both predict them; otherwise the champion has seen what there
    is to test on, and the skills both showed on unseen rows when they were chosen are compared.
    """
    challenger = learned.predictor
    if store is None:
        return Verdict(challenger, None, promoted=False, reason="no model store: nothing kept")
    note = ""
    try:
        champion = store.champion(name)
    except OutdatedModelError as error:  # an upgrade must not stop the night
        champion, note = None, f"the kept model could not be compared and was replaced: {error}"
    if champion is None and learned.choice is None and not card.get("rows"):
        return Verdict(challenger, None, promoted=False, reason="nothing to learn from: nothing kept")
    version = store.save(name, challenger, card)
    if champion is None:
        store.promote(name, version)
        return Verdict(challenger, version, promoted=True, reason=note or "first model", note=note)
    if champion.version == version:
        return Verdict(challenger, version, promoted=False, reason="the champion, learned again")
    wins, reason = _beats(champion.model, champion.card, learned, card, newer)
    if wins:
        store.promote(name, version)
        return Verdict(challenger, version, promoted=True, reason=reason)
    return Verdict(champion.model, champion.version, promoted=False, reason=reason)


def _beats(
    champion: Any, old: Mapping[str, Any], learned: Learned, new: Mapping[str, Any], newer: NewerLabels | None
) -> tuple[bool, str]:
    challenger = learned.predictor
    unfit = _unfit(champion, old, challenger, new)
    if unfit is not None:
        return True, unfit
    if learned.choice is None:
        return False, f"the challenger is only a base rate ({new['choice']['fallback']})"
    if newer is not None and str(old.get("labels_until", "9")) <= newer.since:
        predicted, _ = champion.predict(newer.features)
        edge = improvement(
            row_losses(newer.target, newer.challenger, challenger.kind),
            row_losses(newer.target, predicted, challenger.kind),
        )
        words = f"on {len(newer.target)} newer labels: {edge.mean:.4g} ± {edge.error:.2g} less loss per row"
        return edge.is_real, words
    before, now = float(old.get("skill") or 0.0), float(new["skill"])
    return now > before, f"skill over the base rate {now:.4f} against {before:.4f} on unseen rows"


def _unfit(
    champion: Any, old: Mapping[str, Any], challenger: Predictor, new: Mapping[str, Any]
) -> str | None:
    """Say why the champion cannot stay whatever its merits, or ``None``."""
    if not isinstance(champion, Predictor) or champion.kind != challenger.kind:
        return "the champion predicts another kind of target"
    if any(str(old.get(key)) != str(new.get(key)) for key in ("horizon_days", "labels", "definition")):
        return "the champion was trained for other labels or another horizon"
    missing = [column for column in champion.schema.names if column not in new["columns"]]
    if missing:
        return f"the champion needs column {missing[0]!r}, which is not there any more"
    return None
