"""Findings of training: which features matter, whether probabilities hold, and where agents stand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealwright.learn.backtest import calibrated
from dealwright.learn.fit import spread_counts
from dealwright.learn.lead_model import PRIOR_OUTCOMES, LeadModel
from dealwright.learn.profile import compute_affinities
from dealwright.learn.score import Z_90
from dealwright.learn.slots import weights_in_order
from dealwright.stats.arrays import Floats
from dealwright.stats.links import logit, sigmoid
from dealwright.stats.metrics import SHOWN, bin_equally, mean_with_interval, row_log_losses
from dealwright.wording import count_of, describe_p

if TYPE_CHECKING:
    from dealwright.learn.backtest import Backtest
    from dealwright.learn.model import Calibration, MatchModel
    from dealwright.learn.outcomes import OutcomeTable
    from dealwright.learn.params import LearnParams

_SHUFFLES = 5
_REDRAWS = 999
_ALPHA = 0.05
_MANY_OUTCOMES = 20_000


def rank_features(
    tested: Backtest, calibration: Calibration, params: LearnParams, rng: np.random.Generator
) -> pl.DataFrame:
    """Rank features by permutation importance: out-of-time log loss lost when a feature is shuffled.

    Source: Breiman (2001), "Random Forests", section 10; Fisher, Rudin & Dominici (2019), JMLR 20. The
    90 % interval is the bootstrap's over outcomes.

    Returns
    -------
    ``feature, kind, importance, low, high``, most important first.
    """
    full = tested.terms.full_logit
    usual = row_log_losses(tested.won, calibrated(calibration, full))
    found = []
    for k, name in enumerate(tested.terms.names):
        part = tested.terms.parts[:, k]
        lost = np.zeros(len(tested))
        for _ in range(_SHUFFLES):
            shuffled = calibrated(calibration, full - part + rng.permutation(part))
            lost += row_log_losses(tested.won, shuffled) - usual
        estimate = mean_with_interval(lost / _SHUFFLES, params.bootstrap, rng, SHOWN)
        kind = "lead" if k < tested.terms.n_lead else "agent" if name.startswith("agent") else "trait"
        found.append((name, kind, estimate.value, estimate.low, estimate.high))
    frame = pl.DataFrame(found, schema=["feature", "kind", "importance", "low", "high"], orient="row")
    return frame.sort("importance", descending=True)


def draw_calibration_curve(won: Floats, probability: Floats, bins: int = 10) -> pl.DataFrame:
    """Compare predicted with observed win rates in bins of equally many outcomes, with 90 % intervals."""
    schema = {"predicted": pl.Float64, "observed": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    order = np.argsort(probability, kind="stable")
    rows = []
    for part in np.array_split(order, min(bins, len(order))) if len(order) else ():
        low, high = wilson_interval(won[part].sum(), float(len(part)))
        rows.append(
            (float(probability[part].mean()), float(won[part].mean()), float(low), float(high), len(part))
        )
    return pl.DataFrame(rows, schema={**schema, "outcomes": pl.Int64}, orient="row")


@dataclass(frozen=True)
class Reliability:
    """Whether probabilities held on outcomes they were given before."""

    outcomes: int  # how many they were compared with
    # share of wins expected, and seen
    predicted: float
    observed: float
    ece: float  # expected calibration error, see `ProbabilityMetrics`
    # share of outcomes drawn with just these probabilities whose calibration error is at least as large
    p_value: float

    @property
    def held(self) -> bool:
        """Whether the calibration error is no larger than chance makes it (5 %)."""
        return self.p_value > _ALPHA

    def to_dict(self) -> dict[str, float | int | bool | str]:
        """Return it as JSON-serialisable values."""
        return {**asdict(self), "held": self.held, "text": self.text}

    @property
    def text(self) -> str:
        """Whether the probabilities held, in a sentence."""
        seen = (
            f"{self.observed:.1%} of {count_of(self.outcomes, 'later outcome')} "
            f"{'was' if self.outcomes == 1 else 'were'} won and {self.predicted:.1%} expected, with a "
            f"calibration error of {self.ece:.3f}"
        )
        p = describe_p(self.p_value, _REDRAWS)
        if self.held:
            return f"The probabilities held: {seen}, no more than chance makes it ({p})."
        return (
            f"The probabilities did not hold: {seen}, more than chance makes it ({p}). "
            "Read the scores as an order, not as chances."
        )


def check_reliability(won: Floats, probability: Floats, rng: np.random.Generator) -> Reliability:
    """Compare the calibration error with that of outcomes drawn with the probabilities themselves."""
    bins = bin_equally(probability)
    width = bins.max() + 1
    expected = np.bincount(bins, probability, minlength=width)
    error = np.abs(np.bincount(bins, won, minlength=width) - expected).sum()
    if len(won) > _MANY_OUTCOMES:  # sums of so many are normal
        sd = np.sqrt(np.bincount(bins, probability * (1.0 - probability), minlength=width))
        redrawn = np.abs(rng.normal(0.0, sd, (_REDRAWS, width))).sum(axis=1)
    else:
        draws = (rng.random(len(won)) < probability for _ in range(_REDRAWS))
        sums = np.array([np.bincount(bins, drawn, minlength=width) for drawn in draws])
        redrawn = np.abs(sums - expected).sum(axis=1)
    return Reliability(
        outcomes=len(won),
        predicted=float(probability.mean()),
        observed=float(won.mean()),
        ece=float(error / len(won)),
        p_value=float((1 + np.sum(redrawn >= error - 1e-9)) / (_REDRAWS + 1)),
    )


def describe_agents(table: OutcomeTable, model: MatchModel) -> pl.DataFrame:
    """Place every agent: rate as counted, rate its leads promised, and shrunken rate on average leads."""
    known = table.take(table.settled)
    lead = LeadModel(model.lead_bias, tuple(weights_in_order(table.dimensions, model.lead_weights)), 0.0)
    shares = tuple(np.array(model.value_share[group]) for group in model.groups[1:])
    n, won, expected = spread_counts(known, lead, shares)
    average = (known.won.sum() + PRIOR_OUTCOMES / 2.0) / (len(known) + PRIOR_OUTCOMES)
    affinity, variance = compute_affinities(
        known=n,
        won=won,
        expected=expected,
        prior_strength=np.array(model.prior_strength),
        prior_mean=float(sigmoid(model.lead_bias)),
    )
    centre = logit(average) + affinity[:, 0]
    half = Z_90 * np.sqrt(variance[:, 0] + model.calibration.logit_variance)
    raw_low, raw_high = wilson_interval(won[:, 0], n[:, 0])
    seen = n[:, 0] > 0
    divisor = np.where(seen, n[:, 0], 1.0)
    return pl.DataFrame(
        {
            "agent_id": table.agent_ids,
            "known": n[:, 0].astype(np.int64),
            "won": won[:, 0].astype(np.int64),
            "raw_rate": np.where(seen, won[:, 0] / divisor, np.nan),
            "raw_low": raw_low,
            "raw_high": raw_high,
            "expected_rate": np.where(seen, expected[:, 0] / divisor, np.nan),
            "rate": sigmoid(centre),
            "low": sigmoid(centre - half),
            "high": sigmoid(centre + half),
        }
    ).with_columns(pl.col("raw_rate", "expected_rate").fill_nan(None))


def wilson_interval(won: Floats | float, n: Floats | float) -> tuple[Floats, Floats]:
    """90 % interval of a rate (Wilson 1927, JASA 22); (0, 1) where n = 0."""
    wins, count = np.asarray(won, dtype=np.float64), np.asarray(n, dtype=np.float64)
    some = np.maximum(count, 1e-12)
    rate, z2 = wins / some, Z_90**2
    centre = (rate + z2 / (2 * some)) / (1 + z2 / some)
    half = Z_90 * np.sqrt(rate * (1 - rate) / some + z2 / (4 * some**2)) / (1 + z2 / some)
    low = np.where(count > 0, np.clip(centre - half, 0, 1), 0.0)
    high = np.where(count > 0, np.clip(centre + half, 0, 1), 1.0)
    return low, high
