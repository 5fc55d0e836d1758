"""What happened after a cut-off: the labels that orders give without anybody declaring them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from dealwright.plan.prediction.ledger import DAY_US, Ledger, microseconds
from dealwright.plan.prediction.params import ChurnDefinition
from dealwright.stats.arrays import Bools, Floats

_PRIOR_GAPS = 2.0  # gaps' worth of the population's mean in everybody's own


@dataclass(frozen=True, slots=True)
class OrderLabels:
    """Labels of accounts at a cut-off, by position in the accounts frame; NaN where an account has none."""

    # 1 for no order in the horizon although the account's own rhythm would have had one, else 0
    churned: Floats
    value_eur: Floats  # spend in the horizon


def labels_from_orders(
    ledger: Ledger,
    cut_off: datetime,
    horizon_days: int,
    known: Bools,
    *,
    definition: ChurnDefinition,
    rhythm_factor: float,
) -> OrderLabels:
    """Label the accounts known at the cut-off by their orders in the `horizon_days` after it.

    Churned is who does not order in the horizon and at its end has been silent for longer than
    `rhythm_factor` × its own mean gap between orders (shrunk towards everybody's mean, as one or two gaps
    say little). The latter is left out with the definition ``"silence"``. A known account that has not
    ordered yet counts as churned if it does not order in the horizon either.
    """
    end = cut_off + timedelta(days=horizon_days)
    after, value = ledger.spend_between(cut_off, end)
    count, first, last = ledger.until(cut_off).span()
    silent = after == 0
    if definition == "rhythm":
        gaps = np.maximum(count - 1.0, 0.0)
        own_gap = shrunk_gap_days(gaps, np.where(gaps > 0, (last - first) / DAY_US, 0.0))
        silence_days = np.where(count > 0, microseconds(end) - last, np.inf) / DAY_US
        silent &= silence_days > rhythm_factor * own_gap
    churned = np.where(known, silent.astype(np.float64), np.nan)
    return OrderLabels(churned, np.where(known, value, np.nan))


def shrunk_gap_days(gaps: Floats, span_days: Floats) -> Floats:
    """Return each account's mean days between orders, shrunk to the population's; 0 where nobody repeated."""
    repeated = gaps > 0
    if not repeated.any():
        return np.zeros(len(gaps))
    # the mean of accounts' means: busy accounts have most of the gaps, but are not the typical account
    population = float((span_days[repeated] / gaps[repeated]).mean())
    return np.asarray((span_days + _PRIOR_GAPS * population) / (gaps + _PRIOR_GAPS))
