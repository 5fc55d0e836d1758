"""Stage *route*: who visits whom when, and the same days planned for distance alone to compare with."""

from dealwright.plan.routing.distance_baseline import (
    DistanceBaseline,
    DistanceBaselineParams,
    find_visitable,
    plan_distance_baseline,
)
from dealwright.plan.routing.params import RouteParams
from dealwright.plan.routing.stage import Routes, route

__all__ = [
    "DistanceBaseline",
    "DistanceBaselineParams",
    "RouteParams",
    "Routes",
    "find_visitable",
    "plan_distance_baseline",
    "route",
]
