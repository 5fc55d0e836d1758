"""Parameters of the stage *anomalies*."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnomalyParams:
    """How unusual an account must be to be flagged.

    Attributes
    ----------
    share : largest share of accounts flagged; fewer when fewer are odd.
    min_z : an account is never flagged below this robust z-score.
    sample : accounts the forest and the scales are fitted on.
    trees : trees of the forest.
    window_days, min_orders, news_days : see `own_history.history_departures`.
    reasons : most reasons per flagged account.
    min_accounts : with fewer accounts there is no crowd to stand out from, and only the own history counts.
    """

    share: float = 0.02
    min_z: float = 3.0
    sample: int = 50_000
    trees: int = 100
    window_days: float = 30.0
    min_orders: int = 5
    news_days: float = 120.0
    reasons: int = 3
    min_accounts: int = 50
