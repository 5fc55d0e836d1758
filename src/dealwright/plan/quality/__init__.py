"""Stage *quality*: gates, freshness, positions, and columns that cannot be used."""

from dealwright.plan.quality.params import QualityParams
from dealwright.plan.quality.stage import Quality, QualityGateError, check_quality

__all__ = [
    "Quality",
    "QualityGateError",
    "QualityParams",
    "check_quality",
]
