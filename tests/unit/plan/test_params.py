"""Parameters of the stages: the last value that makes sense is taken, the next one refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from dealwright.errors import InputError
from dealwright.plan.channels import ChannelParams
from dealwright.plan.prediction import PredictParams
from dealwright.plan.routing import RouteParams
from dealwright.plan.routing.params import RoadParams
from dealwright.plan.segments import SegmentParams
from dealwright.plan.staffing import ScheduleParams
from dealwright.plan.staffing.params import Work
from dealwright.plan.territories import TerritoryParams

HOURS, NEVER = (1.0,) * 24, (0.0,) * 24


@pytest.mark.parametrize(
    ("params", "name", "fine", "wrong"),
    [
        (PredictParams, "horizon_days", [1], [0]),
        (PredictParams, "folds", [3, 20], [2, 21]),
        (PredictParams, "rhythm_factor", [0.0, 0.5], [-0.1]),
        (PredictParams, "most_choice_rows", [100], [99]),
        (PredictParams, "most_fit_rows", [100], [99]),
        (PredictParams, "reasons", [0], [-1]),
        (PredictParams, "churn_labels", ["orders"], ["order"]),
        (TerritoryParams, "territories", [1, None], [0]),
        (TerritoryParams, "resolution", [0, 10], [-1, 11]),
        (TerritoryParams, "value_weight", [0.0, 1.0], [-0.01, 1.01]),
        (TerritoryParams, "tolerance", [0.0, 0.99], [-0.01, 1.0]),
        (TerritoryParams, "tolerances", [(0.0, 0.99)], [(0.1, 1.0), (-0.1,)]),
        *(
            (TerritoryParams, name, [0], [-1])
            for name in (
                "rounds", "continuity_min", "skill_min", "km_eur", "imbalance_eur_per_min", "move_eur",
                "months", "visits_per_round", "shift_min",
            )
        ),
        (ChannelParams, "preference_factor", [1.0], [0.99]),
        (ChannelParams, "exploration_share", [0.0, 1.0], [-0.01, 1.01]),
        (ChannelParams, "exploration_of_gain", [0.0, 1.0, None], [-0.01, 1.01]),
        (ChannelParams, "visits_per_day", [0], [-1]),
        (ChannelParams, "way_min", [0.0], [-1.0]),
        (ChannelParams, "sla_by_action_min", [{"visit": 0.5}], [{"visit": 0.0}]),
        *((RouteParams, name, [1], [0]) for name in ("days", "joint", "max_candidates", "iterations")),
        (RouteParams, "overdue_factor", [1.0], [0.9]),
        *(
            (RouteParams, name, [0], [-1])
            for name in ("lunch_min", "cost_eur_per_km", "cost_eur_per_h", "visits_per_day", "due_slack_days")
        ),
        (RouteParams, "weekdays", [(0, 6)], [(), (7,), (-1,)]),
        (RouteParams, "lunch_from_min", [870], [871]),
        (RouteParams, "shift_start_min", [1049], [1050]),
        (RoadParams, "block", [1], [0]),
        (RoadParams, "timeout_s", [0.1], [0.0]),
        (RoadParams, "max_snap_km", [0.1], [0.0]),
        (SegmentParams, "names", [(("a", "b"), ("c", "d")), (("a",),)], [(("a", "b"), ("c",)), ((),), ()]),
        (Work, "target_share", [0.01, 0.99], [0.0, 1.01, 1.0]),
        (Work, "max_occupancy", [0.01, 1.0], [0.0, 1.01]),
        (Work, "between_contacts", [False], [True]),
        (Work, "shrinkage", [0.0, 0.99], [-0.01, 1.0]),
        (Work, "handle_min", [0.1], [0.0, float("inf")]),
        (Work, "drain_h", [0.1], [0.0, float("inf")]),
        (Work, "within_s", [0.0], [-1.0]),
        (Work, "patience_min", [0.1, None], [0.0]),
        (ScheduleParams, "work", [{"inbound_cc": Work()}], [{"field": Work()}]),
        (ScheduleParams, "interval_min", [5, 10, 15, 30, 60], [20, 0]),
        (ScheduleParams, "opens_min", [0, 1425], [-15, 1440]),
        (ScheduleParams, "closes_min", [0, 1440], [-15, 1455, 540, 1141]),
        (ScheduleParams, "patterns", [], [()]),
        (ScheduleParams, "hours", [HOURS, (*NEVER[1:], 1.0)], [HOURS[1:], NEVER, (-1.0, *HOURS[1:])]),
        (ScheduleParams, "weekdays", [(0, 6)], [(), (7,)]),
        (ScheduleParams, "days", [1], [0]),
        (ScheduleParams, "inbound_days", [0.5], [0.0]),
        (ScheduleParams, "max_seconds", [0.5], [0.0]),
        *(
            (ScheduleParams, name, [0], [-1])
            for name in ("runs", "cost_eur_per_h", "forecast_days", "call_back_tolerance_min", "min_rest_h")
        ),
    ],
)  # fmt: skip
def test_a_parameter_is_refused_beyond_its_bounds(
    params: type[Any], name: str, fine: list[Any], wrong: list[Any]
) -> None:
    for value in fine:
        assert getattr(params(**{name: value}), name) == value
    for value in wrong:
        with pytest.raises(InputError):
            params(**{name: value})


def test_work_that_may_wait_needs_no_queue() -> None:
    assert Work(target_share=1.0, patience_min=2.0).target_share == 1.0
    assert Work(kind="drain", target_share=1.0, between_contacts=True).between_contacts
    assert RouteParams(lunch_min=0, lunch_from_min=900).lunch_min == 0


@pytest.mark.parametrize(
    ("opens", "closes", "ends", "intervals"),
    [(540, 1140, 1140, 20), (960, 60, 1500, 18), (0, 1440, 1440, 48)],
)
def test_a_centre_that_closes_before_it_opens_is_open_past_midnight(
    opens: int, closes: int, ends: int, intervals: int
) -> None:
    params = ScheduleParams(opens_min=opens, closes_min=closes, interval_min=30)
    assert (params.ends_min, params.intervals) == (ends, intervals)
    assert [pattern.paid_min for pattern in params.patterns] == [480, 360, 240]
