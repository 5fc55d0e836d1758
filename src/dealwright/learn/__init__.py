"""History in, match model and evidence out; no database and no files inside."""

from dealwright.learn.model import AmountModel, Calibration, MatchModel, RevenueModel, Trait
from dealwright.learn.profile import Profiles, build_profiles
from dealwright.learn.score import Scores, score
from dealwright.learn.statistics import AgentStatistics, count_statistics

__all__ = [
    "AgentStatistics",
    "AmountModel",
    "Calibration",
    "MatchModel",
    "Profiles",
    "RevenueModel",
    "Scores",
    "Trait",
    "build_profiles",
    "count_statistics",
    "score",
]
