"""Log odds and back, once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dealwright.stats.arrays import Floats


def sigmoid(logit: npt.ArrayLike) -> Floats:
    """Return 1 / (1 + e^-x), without overflow."""
    x = np.clip(np.asarray(logit, dtype=np.float64), -500.0, 500.0)
    result: Floats = 1.0 / (1.0 + np.exp(-x))
    return result


def logit(probability: npt.ArrayLike, clip: float = 1e-6) -> Floats:
    """Return log(p / (1 - p)), with p kept within [clip, 1 - clip]."""
    p = np.clip(np.asarray(probability, dtype=np.float64), clip, 1.0 - clip)
    result: Floats = np.log(p) - np.log1p(-p)
    return result
