"""The stage *route*: promises, rhythms, edge cases, and the frames others read."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from dealwright.errors import InputError
from dealwright.plan.routing import RouteParams, Routes, route
from dealwright.plan.routing.week import spread
from dealwright.plan.travel import EstimatedTravel, TravelTable
from dealwright.schemas import LEFT_OUT_COLUMNS, VISIT_COLUMNS
from dealwright.simulation.barcelona import BarcelonaParams, generate

BENCHMARKS = Path(__file__).resolve().parents[4] / "benchmarks"
TUESDAY = date(2026, 6, 30)
FAST = RouteParams(iterations=200, extra_hour=False)


@dataclass(frozen=True)
class Company:
    """Accounts along a road eastwards from the home of each representative."""

    km: Sequence[float]
    value: Sequence[float]
    reps: Sequence[str] = ("R1",)
    own: Sequence[str | None] | None = None
    shift: tuple[int, int] = (540, 1020)
    extra: dict[str, Any] = field(default_factory=dict)

    def plan(self, params: RouteParams = FAST, **kwargs: Any) -> Routes:
        n = len(self.km)
        accounts = pl.DataFrame(
            {
                "account_id": pl.Series([f"A{k}" for k in range(n)], dtype=pl.String),
                "lat_deg": pl.Series([41.0] * n, dtype=pl.Float64),
                "lon_deg": pl.Series([2.0 + km / 83.9 for km in self.km], dtype=pl.Float64),
                "rep_id": pl.Series(self.own or [self.reps[0] if self.reps else "R1"] * n, dtype=pl.String),
                **self.extra,
            }
        )
        reps = pl.DataFrame(
            {
                "rep_id": pl.Series(self.reps, dtype=pl.String),
                "home_lat_deg": pl.Series([41.0] * len(self.reps), dtype=pl.Float64),
                "home_lon_deg": pl.Series([2.0] * len(self.reps), dtype=pl.Float64),
                "shift_start_min": pl.Series([self.shift[0]] * len(self.reps), dtype=pl.Int64),
                "shift_end_min": pl.Series([self.shift[1]] * len(self.reps), dtype=pl.Int64),
            }
        )
        worth = pl.Series("expected_value_eur", self.value, dtype=pl.Float64)
        return route(
            accounts.with_columns(worth), reps, params,
            as_of=datetime(2026, 6, 29), rng=np.random.default_rng(1), **kwargs,
        )  # fmt: skip


def load_benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def note(result: Routes, account: str) -> str:
    return str(result.left_out.filter(account_id=account)["reason"][0])


def test_visits_are_timed_and_paid_for() -> None:
    result = Company([5, 10, 15], [100, 100, 100]).plan()
    assert dict(result.visits.schema) == VISIT_COLUMNS
    assert dict(result.left_out.schema) == LEFT_OUT_COLUMNS
    assert result.visits["account_id"].sort().to_list() == ["A0", "A1", "A2"]
    assert result.visits["day"].unique().to_list() == [TUESDAY]
    assert (result.visits["start_at"] >= result.visits["window_start"]).all()
    assert (result.visits["leave_at"] <= result.visits["window_end"]).all()
    assert (result.visits["arrive_at"] <= result.visits["start_at"]).all()
    day = result.days.row(0, named=True)
    # out and back over 15 km by road, 1.3 times the straight line
    assert day["distance_km"] == pytest.approx(2 * 15 * 1.3, rel=0.01)
    assert day["travel_min"] == pytest.approx(result.visits["travel_min"].sum() + day["home_min"])
    assert result.frame["visit_stop"].to_list() in ([1, 2, 3], [3, 2, 1])
    assert result.travel_source.startswith("estimated")


def test_nobody_is_dropped() -> None:
    result = Company(list(range(1, 40)), [50.0] * 39).plan()
    seen = set(result.visits["account_id"]) | set(result.left_out["account_id"])
    assert seen == {f"A{k}" for k in range(39)}
    assert result.frame.filter(pl.col("visit_stop").is_null())["visit_note"].null_count() == 0
    assert result.summary()["left_out"] == result.left_out.height > 0


def test_a_way_that_costs_more_than_the_visit_is_worth_is_not_driven() -> None:
    result = Company([30], [5]).plan()
    assert result.visits.height == 0
    assert "more than it is worth" in note(result, "A0")


def test_the_channels_say_who_is_visited_and_for_what() -> None:
    decisions = pl.DataFrame(
        {
            "account_id": ["A2", "A1", "A0"],  # in any order
            "channel": ["field", "outbound_cc", "field"],
            "expected_value_eur": [0.0, 500.0, 80.0],
        }
    )
    result = Company([5, 6, 7], [1, 1, 1]).plan(decisions=decisions)
    assert result.visits.select("account_id", "value_eur").rows() == [("A0", 80.0)]
    assert note(result, "A2") == "its visit is expected to bring nothing"
    assert result.frame["visit_note"].to_list()[1] is None


def test_a_shift_shorter_than_the_way_to_the_only_must_visit_is_said() -> None:
    promises = pl.DataFrame({"account_id": ["A0"], "must": [True]})
    result = Company([150], [10], shift=(540, 630)).plan(promises=promises)
    assert result.summary()["must_visits_missed"] == 1
    assert "the shift has 1 h 30 min" in note(result, "A0")


def test_no_representative_no_account_one_account() -> None:
    nobody = Company([5, 6], [10, 10], reps=()).plan()
    assert nobody.visits.height == 0
    assert nobody.notes != ()
    assert set(nobody.left_out["reason"]) == {"there is no representative"}
    assert Company([], []).plan().visits.height == 0
    assert Company([5], [100]).plan().visits.height == 1


def test_identical_positions() -> None:
    result = Company([7] * 12, [100] * 12).plan()
    assert result.visits.height == 10  # visits_per_day
    assert result.visits["travel_min"][1:].to_list() == [0.0] * 9


def test_positions_reps_and_hours_that_are_missing_or_impossible() -> None:
    company = Company(
        [5, 5, 5, 5], [50] * 4, own=["R1", None, "R9", "R1"],
        extra={"opens_min": [None, 540.0, 540.0, 540.0], "closes_min": [1080.0, 1080.0, 1080.0, 550.0]},
    )  # fmt: skip
    result = company.plan()
    assert result.visits["account_id"].to_list() == ["A0"]
    assert note(result, "A1") == "it has no representative"
    assert "R9" in note(result, "A2")
    assert "less time than the visit takes" in note(result, "A3")


class Sea:
    """A road service that finds no road near the last place but one (the home is last)."""

    def table(self, lat_deg: np.ndarray, lon_deg: np.ndarray) -> TravelTable:
        n = len(lat_deg)
        far = np.arange(n) == n - 2
        return TravelTable(np.full((n, n), 10.0), np.full((n, n), 5.0), far, "a test")


def test_an_account_in_the_sea_is_named() -> None:
    result = Company([5, 6, 7], [50] * 3).plan(travel=Sea())
    assert set(result.visits["account_id"]) == {"A0", "A1"}
    assert "sea" in note(result, "A2")
    assert result.travel_source == "a test"


def test_nobody_is_sent_where_the_road_service_knows_no_way() -> None:
    class Strait:
        """No way between the mainland and what lies more than 8 km east."""

        def table(self, lat_deg: np.ndarray, lon_deg: np.ndarray) -> TravelTable:
            table = EstimatedTravel().table(lat_deg, lon_deg)
            there = lon_deg > 2.0 + 8 / 83.9
            apart = there[:, None] != there[None, :]
            return replace(table, minutes=np.where(apart, np.inf, table.minutes))

    company = Company([3, 9, 10, 5], [50, 500, 500, 50])
    for params in (FAST, replace(FAST, engine="pyvrp"), replace(FAST, cost_eur_per_h=20.0)):
        result = company.plan(params, travel=Strait())
        assert set(result.visits["account_id"]) == {"A0", "A3"}
        assert note(result, "A1").startswith("no road leads there from where its representative lives")


def test_pins_locks_and_must_visits_hold() -> None:
    promises = pl.DataFrame(
        {
            "account_id": ["A0", "A1", "A2"],
            "must": [True, None, None],
            "rep_id": [None, "R2", None],
            "begin_min": [None, None, 660],
        },
        schema_overrides={"rep_id": pl.String, "must": pl.Boolean},
    )
    result = Company([30, 5, 8], [0, 60, 60], reps=("R1", "R2")).plan(promises=promises)
    rows = {row["account_id"]: row for row in result.visits.iter_rows(named=True)}
    assert rows["A0"]["must"]
    assert rows["A1"]["rep_id"] == "R2"
    assert rows["A2"]["start_at"] == datetime(2026, 6, 30, 11, 0)


def test_a_promised_visit_is_made_by_whom_it_names_in_a_joint_plan_too() -> None:
    promises = pl.DataFrame(
        {
            "account_id": [f"A{k}" for k in range(5)],
            "rep_id": ["R2"] * 4 + ["R1"],
            "begin_min": [None] * 4 + [600],
        }
    )
    company = Company([5] * 16, [100] * 16, reps=("R1", "R2"), own=["R1"] * 16)
    together = RouteParams(iterations=200, joint=2, extra_hour=False)
    visits = company.plan(together, promises=promises).visits.sort("account_id")
    assert visits.filter(pl.col("account_id").is_in(promises["account_id"].implode())).select(
        "account_id", "rep_id", "must"
    ).rows() == [
        *((f"A{k}", "R2", False) for k in range(4)),
        ("A4", "R1", True),
    ]  # an appointment must be kept
    assert visits.filter(account_id="A4")["start_at"][0] == datetime(2026, 6, 30, 10)


def test_promises_and_frequencies_need_an_account() -> None:
    nameless = pl.DataFrame({"account": ["A0"]})
    for table in ("promises", "frequencies"):
        with pytest.raises(InputError, match=r"no column 'account_id'.*has account"):
            Company([5], [50]).plan(**{table: nameless})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 0}, "days = 0: use 1 or more"),
        ({"lunch_from_min": 900}, "lunch_from_min = 900 lies after lunch_to_min = 870"),
        ({"weekdays": ()}, "weekdays"),
        ({"shift_end_min": 1}, "shift_start_min = 510 is not before shift_end_min = 1"),
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RouteParams(**wrong)


def test_a_shift_whose_default_end_is_before_its_start_holds_no_visit() -> None:
    result = Company([5], [50], shift=(600, 500)).plan()
    assert result.visits.is_empty()
    assert "does not work that day" in note(result, "A0")


@pytest.mark.parametrize(
    ("opens", "closes", "earliest", "latest"),
    [
        (180.0, 360.0, "07-01 03:00", "07-01 06:00"),  # opens at 03:00: after midnight of the shift's day
        (1380.0, 120.0, "06-30 23:00", "07-01 02:00"),  # a bar: 23:00 to 02:00
        (0.0, 1440.0, "06-30 00:00", "07-01 06:00"),  # day and night
        (1320.0, 1440.0, "06-30 22:00", "07-01 00:00"),
    ],
)
def test_a_night_shift_visits_who_is_open_at_night(
    opens: float, closes: float, earliest: str, latest: str
) -> None:
    company = Company(
        [5],
        [50],
        shift=(1320, 360),
        extra={"opens_min": [opens], "closes_min": [closes], "visit_min": [60.0]},
    )
    result = company.plan()
    visit = result.visits.row(0, named=True)
    day = result.days.row(0, named=True)
    moments = [datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M") for text in (earliest, latest)]
    assert visit["day"] == TUESDAY
    assert moments[0] <= visit["start_at"] < visit["leave_at"] <= moments[1]
    assert (visit["window_start"], visit["window_end"]) == tuple(moments)
    assert datetime(2026, 6, 30, 22) <= day["depart_at"] < day["back_at"] <= datetime(2026, 7, 1, 6)


def test_who_closes_before_the_night_shift_begins_is_not_visited_at_night() -> None:
    hours = {"opens_min": [540.0], "closes_min": [1080.0]}
    result = Company([5], [50], shift=(1320, 360), extra=hours).plan()
    assert result.visits.is_empty()
    assert note(result, "A0") == "the account is not open while the representative can be there"


def test_a_shift_that_begins_at_midnight_finds_the_bar_of_the_evening_before_open() -> None:
    hours = {"opens_min": [960.0], "closes_min": [60.0]}
    visit = Company([2], [50], shift=(0, 300), extra=hours).plan().visits.row(0, named=True)
    assert datetime(2026, 6, 30) <= visit["start_at"] < visit["leave_at"] <= datetime(2026, 6, 30, 1)
    assert visit["window_start"] == datetime(2026, 6, 29, 16)


def test_an_appointment_after_midnight_is_kept_by_the_night_shift() -> None:
    hours = {"opens_min": [0.0], "closes_min": [1440.0]}
    promises = pl.DataFrame({"account_id": ["A0"], "begin_min": [150]})
    visit = Company([5], [50], shift=(1320, 360), extra=hours).plan(promises=promises).visits
    assert visit["start_at"].to_list() == [datetime(2026, 7, 1, 2, 30)]


def test_lunch_is_between_two_stops() -> None:
    result = Company([3] * 10, [100] * 10, extra={"visit_min": [45.0] * 10}).plan()
    lunch = result.days["lunch_at"][0]
    assert datetime(2026, 6, 30, 12, 30) <= lunch <= datetime(2026, 6, 30, 14, 30)
    during = result.visits.filter((pl.col("start_at") < lunch) & (pl.col("leave_at") > lunch))
    assert during.height == 0


def test_a_round_that_ends_before_lunch_waits_for_none() -> None:
    day = Company([3, 3], [100, 100]).plan().days.row(0, named=True)
    ways = day["travel_min"] + 2 * 30.0
    assert day["lunch_at"] is None
    assert (day["back_at"] - day["depart_at"]).total_seconds() / 60 == pytest.approx(ways, abs=0.1)
    assert day["wait_min"] == pytest.approx(0.0, abs=0.1)


def test_joint_days_share_accounts() -> None:
    company = Company([5] * 16, [100] * 16, reps=("R1", "R2"), own=["R1"] * 16)
    alone = company.plan()
    together = company.plan(RouteParams(iterations=200, joint=2, extra_hour=False))
    assert alone.visits.height == 10
    assert together.visits.height == 16
    assert set(together.visits["rep_id"]) == {"R1", "R2"}


def test_a_week_keeps_rhythms_and_due_dates() -> None:
    frequencies = pl.DataFrame(
        {
            "account_id": ["A0", "A1", "A2", "A3"],
            "every_days": [3.0, 30.0, None, 30.0],
            "last_visit": [date(2026, 6, 27), date(2026, 6, 29), None, date(2026, 5, 1)],
            "due": [None, None, date(2026, 7, 1), None],
        },
        schema_overrides={"due": pl.Date},
    )
    result = Company([5, 6, 7, 8], [50] * 4).plan(
        RouteParams(iterations=200, days=5, extra_hour=False), frequencies=frequencies
    )
    days = result.visits.group_by("account_id").agg("day").sort("account_id")
    assert len(set(days["day"][0])) == 3  # due on Tuesday, Friday and Monday
    assert note(result, "A1") == "not due before 2026-07-29"
    due = result.visits.filter(account_id="A2")["day"][0]
    assert due <= date(2026, 7, 1)
    # overdue by more than an interval: worth twice as much
    overdue = result.visits.filter(account_id="A3")["value_eur"][0]
    assert overdue == pytest.approx(100)


def test_an_account_never_has_two_visits_on_one_day() -> None:
    requests = pl.DataFrame(
        {"row": [0], "account_id": ["A0"], "value_eur": [1.0], "must": [False], "day": [None]},
        schema_overrides={"day": pl.Date},
    )
    days = tuple(date(2026, 6, day) for day in range(22, 27))
    for every in (0.5, 1.0, 1.7, 2.0, 2.5, 3.5, 7.0):
        frequency = pl.DataFrame({"account_id": ["A0"], "every_days": [every]})
        visits, allowed, _ = spread(requests, frequency, days, FAST)
        assert visits.height == len(allowed) >= 1
        assert (allowed.sum(axis=0) <= 1).all()


def test_a_process_pool_gives_the_same_plan() -> None:
    company = Company([3, 5, 8, 13, 21], [40] * 5, reps=("R1", "R2"), own=["R1", "R2", "R1", "R2", "R1"])
    here = company.plan()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        there = company.plan(executor=executor)
    assert there.visits.equals(here.visits)


def test_the_barcelona_day_is_worth_twice_that_of_nearest_neighbours() -> None:
    nearest_day = load_benchmark("nearest")
    world = generate(BarcelonaParams(n=400, reps=3), seed=5)
    worth = world.truth.select(
        "account_id", expected_value_eur=pl.col("response_visit") * pl.col("mean_order_eur")
    )
    params = RouteParams(iterations=500, extra_hour=False)
    data = world.inputs
    planned = route(
        data.accounts, data.reps, params, decisions=worth, schema=data.schema, as_of=data.as_of,
        rng=np.random.default_rng(1),
    ).summary()  # fmt: skip
    nearest = sum(
        nearest_day.nearest_neighbour_eur(problem)
        for problem in nearest_day.days_of(world.inputs, worth, params)
    )
    assert planned["visit_value_eur"] >= 2 * nearest > 0


def limits(result: Routes) -> dict[str, str]:
    return dict(result.left_out.select("account_id", "limit").iter_rows())


def test_the_limit_that_binds_is_named() -> None:
    eight = list(range(1, 9)), [100.0] * 7 + [50.0]
    # a visit takes half an hour: all eight fit into the shift
    few = {"visits_per_day": 3}
    assert set(limits(Company(*eight).plan(replace(FAST, **few))).values()) == {"visits a day"}
    assert limits(Company(*eight).plan()) == {}
    short = Company(*eight, shift=(540, 660))
    assert set(limits(short.plan()).values()) == {"shift"}
    assert set(limits(short.plan(replace(FAST, visits_per_day=2))).values()) == {"visits a day and shift"}
    # everybody is open at the same half hour only
    same = {"opens_min": [600] * 8, "closes_min": [640] * 8}
    assert set(limits(Company(*eight, extra=same).plan()).values()) == {"opening hours"}
    assert limits(Company([30], [5]).plan()) == {"A0": "worth less than its way"}
    assert limits(Company([30], [50], own=[None]).plan()) == {"A0": "territory"}
    assert limits(Company([300], [5000]).plan()) == {"A0": "shift"}
    assert limits(Company([30], [50], reps=()).plan()) == {"A0": "no representative"}
