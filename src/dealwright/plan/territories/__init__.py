"""Stage *territory*: balanced, compact territories, and who gets which."""

from dealwright.plan.territories.approved import ApprovedTerritories
from dealwright.plan.territories.params import TerritoryParams
from dealwright.plan.territories.result import Territories
from dealwright.plan.territories.stage import draw_territories

__all__ = [
    "ApprovedTerritories",
    "Territories",
    "TerritoryParams",
    "draw_territories",
]
