"""Why an account's prediction is what it is: the strongest influences, in words, for every account at once.

Whatever the model is, an additive model is fitted to its predictions (a global surrogate [1]_), on features
grouped into what a person would call one influence. Its contributions are exact and take look-ups only; how
much of the model's variation they explain (`Explainer.fidelity`) is measured and belongs beside every
reason.

References
----------
.. [1] C. Molnar, Interpretable Machine Learning, chapter *Global surrogate*; additive student models: S. Tan,
   R. Caruana, G. Hooker & A. Gordo (2018), Transparent model distillation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.plan.prediction.additive import AdditiveModel
from dealwright.plan.prediction.design import Design, FeatureSchema
from dealwright.stats.arrays import Floats
from dealwright.stats.links import logit
from dealwright.stats.metrics import Target

_SURROGATE_ROWS = 10_000
_CHUNK = 131_072
_WEAK = 0.05  # influences below this (5 % of odds or spend) are not worth a sentence
_WEAK_SHARE = 0.1  # of the mean absolute amount, for targets on a linear scale

# derived column -> the influence it belongs to, and the column that stands for the influence in a sentence
_INFLUENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "days since last order": (
        "orders.days_since_last_order",
        ("orders.silence_in_own_gaps", "orders.probability_dead", "orders.probability_silent"),
    ),
    "days with an order": (
        "orders.order_days",
        (
            "orders.own_gap_days", "orders.gap_irregularity", "orders.longest_gap_days",
            "orders.orders_by_own_gap", "orders.expected_orders", "orders.order_days_30d",
            "orders.order_days_90d", "orders.order_days_180d", "orders.order_days_365d",
        ),
    ),
    "spend per order day in EUR": (
        "orders.spend_per_order_day_eur",
        (
            "orders.largest_order_day_eur", "orders.last_order_day_eur", "orders.expected_spend_eur",
            "orders.spend_by_own_gap_eur", "orders.spend_eur",
        ),
    ),
    "spend in the last period in EUR": (
        "orders.spend_last_period_eur",
        (
            "orders.spend_trend", "orders.spend_30d_eur", "orders.spend_90d_eur", "orders.spend_180d_eur",
            "orders.spend_365d_eur",
        ),
    ),
    "days since first order": ("orders.days_since_first_order", ()),
    "touches": (
        "touches.count",
        ("touches.count_30d", "touches.count_90d", "touches.count_180d", "touches.days_since_last"),
    ),
    "share of touches answered": ("touches.response_share", ()),
}  # fmt: skip


@dataclass(frozen=True)
class Explainer:
    """An additive stand-in for a model."""

    schema: FeatureSchema
    kind: Target
    surrogate: AdditiveModel
    # share of the variance of the model's score (log odds, log EUR, or the amount) that the stand-in explains
    fidelity: float

    @classmethod
    def fitted(
        cls, schema: FeatureSchema, design: Design, predicted: Floats, kind: Target, rng: np.random.Generator
    ) -> Self | None:
        """Fit the stand-in to a sample of predictions; ``None`` where there is nothing to tell apart."""
        score = _score(predicted, kind)
        if not schema.names or np.ptp(score) < 1e-9 or len(design) < 20:
            return None
        rows = np.arange(len(design))
        if len(rows) > 2 * _SURROGATE_ROWS:
            rows = rng.choice(len(design), 2 * _SURROGATE_ROWS, replace=False)
        # half to fit, half to measure; a handful of rows has to do for both
        fit, check = (rows[::2], rows[1::2]) if len(rows) >= 400 else (rows, rows)
        surrogate = AdditiveModel.fitted(design.take(fit), score[fit], loss="squared", penalty=1.0)
        spread = float(score[check].var())
        error = float(((score[check] - surrogate.score(design.take(check))) ** 2).mean())
        return cls(schema, kind, surrogate, max(0.0, 1.0 - error / spread) if spread > 0 else 0.0)

    def reasons(self, design: Design, how_many: int) -> pl.Series:
        """Return a list of sentences per row, strongest influence first; weak influences are left out."""
        groups, shown = self._groups()
        scale = _WEAK
        if self.kind == "amount":
            scale = _WEAK_SHARE * max(abs(self.surrogate.intercept), 1e-9)
        parts = []
        for start in range(0, len(design), _CHUNK):
            part = design.take(slice(start, start + _CHUNK))
            influence = self.surrogate.contributions(part) @ groups
            parts.append(self._sentences(part, influence, shown, min(how_many, influence.shape[1]), scale))
        return pl.concat(parts) if parts else pl.Series([], dtype=pl.List(pl.String))

    def _groups(self) -> tuple[Floats, list[tuple[str, int]]]:
        """Return features × influences indicators; and of each influence its name and feature to show."""
        names = self.schema.names
        owner: dict[str, tuple[str, int]] = {}
        for label, (stand_in, others) in _INFLUENCES.items():
            members = [name for name in (stand_in, *others) if name in names]
            for name in members:
                own_label = label if stand_in in names else _plain(members[0])
                owner[name] = (own_label, names.index(members[0]))
        shown: list[tuple[str, int]] = []
        groups = np.zeros((len(names), len(names)))
        for j, name in enumerate(names):
            influence = owner.get(name, (_plain(name), j))
            if influence not in shown:
                shown.append(influence)
            groups[j, shown.index(influence)] = 1.0
        return groups[:, : len(shown)], shown

    def _sentences(
        self, design: Design, influence: Floats, shown: list[tuple[str, int]], how_many: int, weak: float
    ) -> pl.Series:
        n = len(design)
        order = np.argsort(-np.abs(influence), axis=1, kind="stable")[:, :how_many]
        size = np.take_along_axis(influence, order, axis=1).ravel()
        chosen = order.ravel()
        row = np.repeat(np.arange(n), how_many)
        feature = np.array([j for _, j in shown])[chosen]
        label = pl.Series([name for name, _ in shown]).gather(chosen)
        text = label + " " + self._values(design, row, feature) + self._effect(size)
        listed = pl.DataFrame({"row": row, "text": text}).filter(pl.Series(np.abs(size) >= weak))
        lists = listed.group_by("row", maintain_order=True).agg("text")
        return (
            pl.DataFrame({"row": np.arange(n)})
            .join(lists, on="row", how="left", maintain_order="left")["text"]
            .fill_null([])
            .cast(pl.List(pl.String))
        )

    def _values(self, design: Design, row: NDArray[np.intp], feature: NDArray[np.intp]) -> pl.Series:
        """Return the value of a feature in a row, as text."""
        split = design.numeric.shape[1]
        is_number = feature < split
        text = pl.Series([None], dtype=pl.String).new_from_index(0, len(row))
        if split:
            values = pl.Series(
                design.numeric[row, np.minimum(feature, split - 1)].astype(np.float64)
            ).fill_nan(None)
            whole = (values == values.round(0)).fill_null(value=False)
            shown = pl.select(
                pl.when(whole & (values.abs() < 1e15))
                .then(values.cast(pl.Int64, strict=False).cast(pl.String))
                .otherwise(values.round_sig_figs(3).cast(pl.String))
            ).to_series()
            text = shown.zip_with(pl.Series(is_number), text)
        for j, (name, kept) in enumerate(self.schema.levels.items()):
            here = feature == split + j
            if here.any():
                words = pl.Series([*kept, "other", None], dtype=pl.String)
                codes = design.codes[row, j]
                found = words.gather(np.where(codes < 0, len(kept) + 1, codes).astype(np.uint32))
                text = found.rename(name).zip_with(pl.Series(here), text)
        return text.fill_null("unknown")

    def _effect(self, size: Floats) -> pl.Series:
        """Return what an influence does to the prediction, as text."""
        if self.kind == "amount":
            amount = pl.Series(size).round_sig_figs(3).cast(pl.String)
            return pl.Series(np.where(size >= 0, ": +", ": ")) + amount + " EUR"
        factor = pl.Series(np.exp(np.clip(size, -10, 10))).round_sig_figs(2).cast(pl.String)
        return (": odds of leaving ×" if self.kind == "probability" else ": spend ×") + factor


def _score(predicted: Floats, kind: Target) -> Floats:
    if kind == "probability":
        return logit(predicted)
    if kind == "amount":
        return predicted
    return np.asarray(np.log(np.maximum(predicted, 1e-3 * max(float(predicted.mean()), 1e-9))))


def _plain(name: str) -> str:
    """Return a derived column's name as words; the user's own names stay as they are."""
    group, dot, rest = name.partition(".")
    return rest.replace("_", " ") if dot and group in ("orders", "touches") else name
