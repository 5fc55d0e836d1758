"""Stage *action*: what may be done, what it would bring, and the choice between all of it."""

from dealwright.plan.actions.params import ActionParams
from dealwright.plan.actions.stage import Actions, choose_actions

__all__ = [
    "ActionParams",
    "Actions",
    "choose_actions",
]
