"""Stage *segment*: value by potential, a quantile grid with names people use."""

from dealwright.plan.segments.params import SegmentParams
from dealwright.plan.segments.stage import Segments, segment

__all__ = [
    "SegmentParams",
    "Segments",
    "segment",
]
