"""Stage *anomalies*: accounts that differ from all others, or from their own history."""

from dealwright.plan.anomalies.params import AnomalyParams
from dealwright.plan.anomalies.stage import Anomalies, detect_anomalies

__all__ = [
    "Anomalies",
    "AnomalyParams",
    "detect_anomalies",
]
