"""Parameters of the stage *quality*."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QualityParams:
    """When to stop and when to warn.

    Attributes
    ----------
    max_rejected_share
        The gate: a table of which more than this share is rejected stops the run.
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
