"""History in, match model and evidence out; no database and no files inside."""

from dealwright.learn.classic import ClassicResult, fit_classic_weights
from dealwright.learn.evidence import evidence
from dealwright.learn.model import AmountModel, Calibration, MatchModel, RevenueModel, Trait
from dealwright.learn.off_policy import PolicyValue, estimate_policy_value
from dealwright.learn.outcomes import Outcomes, build_outcomes
from dealwright.learn.params import LearnParams
from dealwright.learn.profile import Profiles, build_profiles
from dealwright.learn.promotion import Comparison, beats
from dealwright.learn.score import Scores, score
from dealwright.learn.statistics import AgentStatistics, count_statistics
from dealwright.learn.train import TrainResult, train
from dealwright.learn.verdict import Evidence

__all__ = [
    "AgentStatistics",
    "AmountModel",
    "Calibration",
    "ClassicResult",
    "Comparison",
    "Evidence",
    "LearnParams",
    "MatchModel",
    "Outcomes",
    "PolicyValue",
    "Profiles",
    "RevenueModel",
    "Scores",
    "TrainResult",
    "Trait",
    "beats",
    "build_outcomes",
    "build_profiles",
    "count_statistics",
    "estimate_policy_value",
    "evidence",
    "fit_classic_weights",
    "score",
    "train",
]
