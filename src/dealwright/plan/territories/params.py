"""Parameters of the stage *territory*."""

from __future__ import annotations

from dataclasses import dataclass, field

from dealwright.errors import InputError
from dealwright.plan.territories.drawing import TOLERANCES
from dealwright.plan.travel import TravelParams


@dataclass(frozen=True)
class TerritoryParams:
    """How territories are drawn.

    Attributes
    ----------
    territories
        How many; by default one per representative.
    resolution
        H3 resolution of the cells (7: some 2.5 km wide); dense cells are cut finer by themselves.
    visits_column
        Column of the accounts with their visits a month; without it everybody gets one.
    visit_min
        Length of a visit, for accounts without their own.
    visits_per_round
        How many visits share a drive from home and back: each one's share of it counts as work. 0 for none.
    value_weight
        0: the workload is time; 1: it is value; between them a mix of both, each relative to its mean.
    tolerance
        By how much a territory's workload may differ from the mean, as a share. More tolerance, less driving.
    tolerances
        The curve in the report.
    rounds
        Rounds of assignment and recentring, at most.
    continuity_min, skill_min
        In minutes of driving a visit: what it is worth that a representative knows all of a territory's
        accounts, and has the skills for all of them.
    shift_min
        Length of a shift, for representatives without their own: who cannot be visited within it is out of
        reach.
    skill_column
        Column of the accounts with the skill they ask for; by default their product interest.
    km_eur, imbalance_eur_per_min
        What a kilometre of driving costs, and a minute of work a month with the wrong representative.
    move_eur
        What it costs to give an account to another territory.
    months
        Over how many months a change must pay.
    travel
        Distance to time.
    """

    territories: int | None = None
    resolution: int = 7
    visits_column: str | None = None
    visit_min: float = 30.0
    visits_per_round: float = 4.0
    value_weight: float = 0.0
    tolerance: float = 0.0
    tolerances: tuple[float, ...] = TOLERANCES
    rounds: int = 10
    continuity_min: float = 20.0
    skill_min: float = 5.0
    shift_min: float = 540.0
    skill_column: str | None = None
    km_eur: float = 0.30
    imbalance_eur_per_min: float = 0.20
    move_eur: float = 25.0
    months: float = 6.0
    travel: TravelParams = field(default_factory=TravelParams)

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming them."""
        if self.territories is not None and self.territories < 1:
            raise InputError(f"territories = {self.territories}: use 1 or more")
        if not 0 <= self.resolution <= 10:
            raise InputError(f"resolution = {self.resolution}: use an H3 resolution from 0 to 10, such as 7")
        if not 0 <= self.value_weight <= 1:
            raise InputError(f"value_weight = {self.value_weight}: use 0 (time) to 1 (value)")
        if not all(0 <= share < 1 for share in (self.tolerance, *self.tolerances)):
            raise InputError(f"tolerance = {self.tolerance}: use a share from 0 to below 1, such as 0.05")
        for name in (
            "rounds",
            "continuity_min",
            "skill_min",
            "km_eur",
            "imbalance_eur_per_min",
            "move_eur",
            "months",
            "visits_per_round",
            "shift_min",
        ):
            if getattr(self, name) < 0:
                raise InputError(f"{name} = {getattr(self, name)}: use 0 or more")
