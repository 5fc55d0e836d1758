"""Parameters of the stage *action*."""

from __future__ import annotations

from dataclasses import dataclass, field

from dealwright.plan.actions.catalogue import Catalogue
from dealwright.plan.actions.catalogue_file import default_catalogue
from dealwright.plan.actions.effect_learning import EffectParams
from dealwright.plan.actions.score import ScoreParams


@dataclass(frozen=True)
class ActionParams:
    """How actions are chosen.

    Attributes
    ----------
    catalogue : the action catalogue.
    score : weights of the composite score.
    effects : when to learn effects from touches.
    horizon_days : the plan covers so many days; a channel that is quiet for longer is out.
    max_contacts, max_cost_eur : budget of the run; None takes the catalogue's.
    exploration_share, control_share : None takes the catalogue's.
    draw : names this run's exploration draw; another name draws other accounts. None draws one from the run's
        generator.
    """

    catalogue: Catalogue = field(default_factory=default_catalogue)
    score: ScoreParams = field(default_factory=ScoreParams)
    effects: EffectParams = field(default_factory=EffectParams)
    horizon_days: int = 5
    max_contacts: int | None = None
    max_cost_eur: float | None = None
    exploration_share: float | None = None
    control_share: float | None = None
    draw: str | None = None
