"""Stage *predict*: churn probability and future spend of every account, calibrated, with reasons."""

from dealwright.plan.prediction.params import PredictParams
from dealwright.plan.prediction.stage import Predictions, predict

__all__ = [
    "PredictParams",
    "Predictions",
    "predict",
]
