"""Stage *brief*: the preparation script of each visit and call of the day."""

from dealwright.plan.briefs.params import BriefParams
from dealwright.plan.briefs.stage import Briefs, write_briefs

__all__ = [
    "BriefParams",
    "Briefs",
    "write_briefs",
]
