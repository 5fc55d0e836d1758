"""The routing engines: exact on small problems, feasible on all, the checker refusing what is not."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealwright.errors import DealwrightError, InputError
from dealwright.plan.compiled import compiled
from dealwright.plan.routing.checker import InfeasiblePlanError, check, require_feasible
from dealwright.plan.routing.engine import alone_feasible, solve
from dealwright.plan.routing.insight import MOST_DISPLACED, explain_left_out, hour_worth_eur, worth_eur
from dealwright.plan.routing.problem import Lunch, Problem, Route, RoutePlan, Shift
from dealwright.plan.routing.schedule import schedule, schedule_route

BENCHMARKS = Path(__file__).resolve().parents[4] / "benchmarks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_problem(seed: int, visits: int, shifts: int = 1, *, lunch: bool = False, must: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 100, (visits + shifts, 2))
    travel = np.ceil(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))).astype(np.int64)
    opens = rng.integers(0, 300, visits)
    pause = Lunch(180, 260, 40) if lunch else None
    return Problem(
        travel=travel,
        cost_eur=travel * rng.choice([0.0, 0.1]),
        service=rng.integers(5, 40, visits),
        opens=opens,
        latest_start=opens + rng.integers(10, 200, visits),
        value_eur=rng.uniform(1, 50, visits),
        must=np.arange(visits) < must,
        allowed=rng.random((visits, shifts)) < 0.9,
        shifts=tuple(
            Shift(f"rep {r}", visits + r, visits + r, 0, int(rng.integers(300, 480)), 4, pause)
            for r in range(shifts)
        ),
    )


def best_by_enumeration(problem: Problem) -> float:
    """Try every order of every subset that one shift may visit."""
    stops = np.flatnonzero(problem.allowed[:, 0]).tolist()
    best = 0.0
    for size in range(1, min(len(stops), problem.shifts[0].max_visits) + 1):
        for order in itertools.permutations(stops, size):
            route = schedule_route(problem, 0, order)
            if route is not None:
                best = max(best, worth_eur(problem, RoutePlan((route,))))
    return best


@pytest.mark.parametrize("lunch", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_kernel_finds_the_best_of_all_orders(seed: int, lunch: bool) -> None:
    problem = random_problem(seed, 6, lunch=lunch)
    plan = solve(problem, iterations=600, seed=seed)
    assert worth_eur(problem, plan) == pytest.approx(best_by_enumeration(problem))


@pytest.mark.parametrize("seed", range(4))
def test_ways_and_costs_that_differ_by_direction_are_those_of_the_direction(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    problem = random_problem(seed, 6)
    travel = problem.travel + rng.integers(0, 30, problem.travel.shape)
    problem = replace(
        problem, travel=travel, cost_eur=rng.uniform(0, 25, travel.shape), latest_start=problem.opens + 300
    )
    plan = solve(problem, iterations=600, seed=seed)
    assert worth_eur(problem, plan) == pytest.approx(best_by_enumeration(problem))
    longest = replace(problem, shifts=(replace(problem.shifts[0], max_visits=1),))
    one = solve(longest, iterations=100, seed=seed)
    assert worth_eur(longest, one) == pytest.approx(best_by_enumeration(longest))
    for insight in explain_left_out(longest, one):
        if insight.shift is not None and not insight.displaced:
            alone = schedule(longest, [[insight.visit]], engine="test")
            assert alone is not None
            assert insight.cost_eur == pytest.approx(alone.cost_eur(longest))


def test_an_engine_may_be_given_time_instead_of_iterations() -> None:
    problem = random_problem(1, 8)
    plan = solve(problem, seconds=0.02)
    assert check(problem, plan) == []
    assert plan.iterations >= 20
    for wrong in ({"seconds": 0.0}, {"iterations": 0}):
        with pytest.raises(InputError, match="something to do"):
            solve(problem, **wrong)  # type: ignore[arg-type]
    assert solve(problem, iterations=1).iterations == 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), visits=st.integers(0, 25), shifts=st.integers(1, 4), lunch=st.booleans(),
    must=st.integers(0, 3),
)  # fmt: skip
def test_every_plan_passes_the_checker(seed: int, visits: int, shifts: int, lunch: bool, must: int) -> None:
    problem = random_problem(seed, visits, shifts, lunch=lunch, must=must)
    plan = solve(problem, iterations=60, seed=seed)
    assert check(problem, plan) == []
    insights = explain_left_out(problem, plan)
    assert {i.visit for i in insights} == set(range(visits)) - set(plan.served().tolist())
    assert (hour_worth_eur(problem, plan, 60, 20, seed) >= 0).all()


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = random_problem(3, 40, 3, lunch=True)
    assert solve(problem, iterations=300, seed=5) == solve(problem, iterations=300, seed=5)


def test_must_visits_come_before_value() -> None:
    problem = random_problem(1, 12)
    cheap = int(np.flatnonzero(alone_feasible(problem)[:, 0])[0])
    must = np.zeros(12, dtype=np.bool_)
    must[cheap] = True
    value = problem.value_eur.copy()
    value[cheap] = 0.0
    problem = replace(problem, value_eur=value, must=must)
    assert cheap in solve(problem, iterations=200).served()
    assert cheap not in solve(replace(problem, must=np.zeros(12, dtype=np.bool_)), iterations=200).served()


def test_pyvrp_plans_joint_days_with_breaks() -> None:
    problem = random_problem(4, 30, 3, lunch=True, must=1)
    plan = solve(problem, engine="pyvrp", iterations=300, seed=1)
    assert check(problem, plan) == []
    assert all(route.lunch_at is not None for route in plan.routes if route.stops)
    assert worth_eur(problem, plan) > 0


def test_the_kernel_reaches_the_best_known_of_a_small_instance(shared: Path) -> None:
    toptw = load("toptw")
    folder = shared / "data" / "toptw"
    problem = toptw.read_instance(folder / "instances" / "pr01.txt", 1)
    plan = solve(problem, iterations=4_000, seed=1)
    assert check(problem, plan) == []
    assert plan.value_eur(problem) == toptw.best_known(folder)["pr01", 1]


def test_functions_compile_where_no_cache_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    real = numba.njit

    def read_only(**options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available for file")
        return real(**options)

    monkeypatch.setattr(numba, "njit", read_only)

    def twice(number: int) -> int:
        return 2 * number

    assert compiled(twice)(21) == 42


def two_stops() -> tuple[Problem, RoutePlan]:
    travel = np.full((3, 3), 10)
    np.fill_diagonal(travel, 0)
    problem = Problem(
        travel=travel, cost_eur=np.zeros((3, 3)), service=np.array([5, 5]), opens=np.array([20, 0]),
        latest_start=np.array([40, 90]), value_eur=np.array([1.0, 1.0]), must=np.zeros(2, dtype=np.bool_),
        allowed=np.ones((2, 1), dtype=np.bool_), shifts=(Shift("Laia", 2, 2, 0, 100, 2, Lunch(30, 45, 20)),),
    )  # fmt: skip
    plan = schedule(problem, [[0, 1]], engine="test")
    assert plan is not None
    return problem, plan


def test_the_checker_accepts_a_sound_plan() -> None:
    problem, plan = two_stops()
    assert require_feasible(problem, plan) is plan
    route = plan.routes[0]
    assert (route.depart, route.arrive, route.begin, route.leave) == (10, (20, 55), (20, 55), (25, 60))
    assert (route.lunch_at, route.back) == (30, 70)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrive": (15, 55)}, "leg 1 takes 10"),
        ({"begin": (19, 55)}, "outside 20-40"),
        ({"begin": (20, 54)}, "before the arrival"),
        ({"leave": (24, 60)}, "cut short"),
        ({"lunch_at": None}, "no lunch"),
        ({"lunch_at": 29}, "not in 30-45"),
        ({"lunch_at": 56}, "does not lie between"),
        ({"depart": -1}, "leaves the shift"),
        ({"back": 101}, "leaves the shift"),
        ({"back": 65}, "leg 3 takes 10"),
        ({"stops": (0, 0)}, "made 2 times"),
        ({"stops": (0, 7)}, "no visit 7"),
    ],
)
def test_the_checker_refuses_each_broken_rule(change: dict[str, object], said: str) -> None:
    problem, plan = two_stops()
    broken = RoutePlan((replace(plan.routes[0], **change),), "test")  # type: ignore[arg-type]
    assert any(said in message for message in check(problem, broken))
    with pytest.raises(InfeasiblePlanError, match="cannot be driven"):
        require_feasible(problem, broken)


def test_the_checker_refuses_strangers_and_too_many() -> None:
    problem, plan = two_stops()
    denied = replace(problem, allowed=np.array([[True], [False]]))
    assert any("may not make visit 1" in message for message in check(denied, plan))
    one = replace(problem, shifts=(replace(problem.shifts[0], max_visits=1),))
    assert any("at most 1" in message for message in check(one, plan))
    assert check(problem, RoutePlan((), "test")) != []


def test_the_checker_names_the_first_three_broken_rules_and_counts_the_others() -> None:
    problem, plan = two_stops()
    route = replace(plan.routes[0], arrive=(15, 54), begin=(19, 53), leave=(20, 55), depart=-1)
    broken = check(problem, RoutePlan((route,), "test"))
    assert broken == [
        "Laia: visit 0 begins at 19, outside 20-40", "Laia: visit 0 is cut short",
        "Laia: visit 1 begins before the arrival", "Laia: visit 1 is cut short",
        "Laia: the day -1-70 leaves the shift 0-100",
    ]  # fmt: skip
    with pytest.raises(
        InfeasiblePlanError, match=r"0 begins at 19.*; [^;]*begins before the arrival \(and 2 more\)"
    ):
        require_feasible(problem, RoutePlan((route,), "test"))
    late = replace(plan.routes[0], arrive=(20, 54), back=69)
    assert check(problem, RoutePlan((late,), "test")) == [
        "Laia: leg 2 takes 30, the plan gives it 29", "Laia: leg 3 takes 10, the plan gives it 9",
    ]  # fmt: skip


def test_an_order_that_cannot_be_driven_has_no_moments() -> None:
    problem, _ = two_stops()
    late = replace(problem, latest_start=np.array([40, 10]))
    assert schedule(late, [[0, 1]], engine="test") is None
    assert schedule(problem, [[]], engine="test") == RoutePlan((Route(0, (), (), (), (), 0, 0),), "test", 0)


def test_a_left_out_visit_says_what_it_would_displace() -> None:
    problem = random_problem(7, 30)
    plan = solve(problem, iterations=400, seed=1)
    for insight in explain_left_out(problem, plan):
        if insight.shift is None:
            continue
        kept = [stop for stop in plan.routes[0].stops if stop not in insight.displaced]
        orders = [[*kept[:k], insight.visit, *kept[k:]] for k in range(len(kept) + 1)]
        assert any(schedule_route(problem, 0, order) is not None for order in orders)
        assert insight.displaced_eur == pytest.approx(problem.value_eur[list(insight.displaced)].sum())
        # otherwise the exchange would have been made
        assert insight.displaced_eur + insight.cost_eur >= problem.value_eur[insight.visit] - 1e-6


@pytest.mark.parametrize("seed", [2, 7, 11])
def test_what_a_left_out_visit_displaces_and_costs_is_the_cheapest_there_is(seed: int) -> None:
    """Held against every exchange with up to `MOST_DISPLACED` stops in a row, at every place."""
    problem = random_problem(seed, 9)
    problem = replace(problem, shifts=(replace(problem.shifts[0], max_visits=3),))
    plan = solve(problem, iterations=800, seed=1)
    now, stops = worth_eur(problem, plan), list(plan.routes[0].stops)
    gone = [
        (first, number) for number in range(MOST_DISPLACED + 1) for first in range(len(stops) - number + 1)
    ]
    insights = explain_left_out(problem, plan)
    assert insights
    for insight in insights:
        if not problem.allowed[insight.visit, 0]:
            assert insight.shift is None
            continue
        best = -np.inf
        for first, number in gone:
            kept = [*stops[:first], *stops[first + number :]]
            for place in range(len(kept) + 1):
                route = schedule_route(problem, 0, [*kept[:place], insight.visit, *kept[place:]])
                if route is not None:
                    best = max(best, worth_eur(problem, RoutePlan((route,))))
        if insight.shift is None:
            assert not np.isfinite(best)
            continue
        gained = problem.value_eur[insight.visit] - insight.displaced_eur - insight.cost_eur
        assert now + gained == pytest.approx(best)


def test_an_hour_more_is_worth_what_the_plan_with_it_is_worth_more() -> None:
    problem = random_problem(4, 8)
    ticks = 40
    plan = solve(problem, iterations=800, seed=1)
    longer = replace(problem, shifts=(replace(problem.shifts[0], end=problem.shifts[0].end + ticks),))
    gain = worth_eur(longer, solve(longer, iterations=800, seed=1)) - worth_eur(problem, plan)
    assert hour_worth_eur(problem, plan, ticks, 800, 1)[0] == pytest.approx(max(gain, 0.0), abs=1e-6)
    assert hour_worth_eur(replace(problem, must=problem.must), plan, 0, 200, 1)[0] == pytest.approx(0.0)


def test_wrong_problems_and_engines_are_refused() -> None:
    problem = random_problem(1, 4)
    with pytest.raises(InputError, match="service has the shape"):
        replace(problem, service=problem.service[:2])
    with pytest.raises(InputError, match="finite"):
        replace(problem, value_eur=problem.value_eur * np.nan)
    with pytest.raises(DealwrightError, match="did you mean 'pyvrp'"):
        solve(problem, engine="pyvpr")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="something to do"):
        solve(problem, iterations=0)


def one_stop(opens: int, latest_start: int, *, way: int = 10, end: int = 200) -> Problem:
    """Return one visit of 5 ticks and a shift from 0 whose break of 20 begins between 50 and 90."""
    travel = np.array([[0, way], [way, 0]])
    return Problem(
        travel=travel, cost_eur=np.zeros((2, 2)), service=np.array([5]), opens=np.array([opens]),
        latest_start=np.array([latest_start]), value_eur=np.array([1.0]), must=np.zeros(1, dtype=np.bool_),
        allowed=np.ones((1, 1), dtype=np.bool_), shifts=(Shift("Laia", 1, 1, 0, end, 9, Lunch(50, 90, 20)),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("opens", "latest_start", "depart", "arrive", "lunch_at", "back"),
    [
        (0, 0, None, None, None, None),  # nobody can be there in time
        (20, 20, 10, 20, None, 35),  # over before the break could begin: it waits for none
        (75, 75, 65, 75, None, 90),  # back at the last moment at which it may begin at home
        (76, 76, 46, 76, 50, 91),  # back a tick later: the break is on the way out
        (79, 79, 49, 79, 50, 94),
        (80, 80, 70, 80, None, 95),  # lunch at home from 50 to 70, then the round
        (150, 150, 140, 150, None, 165),
    ],
)
def test_the_break_is_taken_at_home_by_who_is_there(
    opens: int,
    latest_start: int,
    depart: int | None,
    arrive: int | None,
    lunch_at: int | None,
    back: int | None,
) -> None:
    problem = one_stop(opens, latest_start)
    plan = solve(problem, iterations=50)
    assert check(problem, plan) == []
    if back is None:
        assert not plan.routes[0].stops
        return
    route = plan.routes[0]
    assert (route.depart, route.arrive[0], route.lunch_at, route.back) == (depart, arrive, lunch_at, back)


def test_no_break_is_waited_for_where_the_shift_ends_with_it() -> None:
    """The break would fit only after the round, beyond the end of the shift."""
    problem = one_stop(60, 60, end=80)
    plan = solve(problem, iterations=50)
    assert (plan.routes[0].back, plan.routes[0].lunch_at) == (75, None)


def test_the_checker_refuses_a_round_without_the_break_it_needs() -> None:
    problem = one_stop(76, 76)
    late = Route(0, (0,), (76,), (76,), (81,), 66, 91)
    assert check(problem, RoutePlan((late,), "test")) == ["Laia: no lunch"]
    in_time = one_stop(75, 75)
    assert check(in_time, RoutePlan((Route(0, (0,), (75,), (75,), (80,), 65, 90),), "test")) == []


def clusters(seed: int, sizes: tuple[int, ...], away: tuple[float, ...], cost_per_tick: float) -> Problem:
    """Return groups of visits around points at given distances from one home; every visit is worth 55."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, len(sizes))
    middle = np.c_[np.cos(angle), np.sin(angle)] * np.array(away)[:, None]
    xy = np.r_[np.repeat(middle, sizes, axis=0) + rng.normal(0, 1.0, (sum(sizes), 2)), [[0.0, 0.0]]]
    travel = np.ceil(np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))).astype(np.int64)
    n = sum(sizes)
    return Problem(
        travel=travel, cost_eur=travel * cost_per_tick, service=np.full(n, 30), opens=np.zeros(n, np.int64),
        latest_start=np.full(n, 480), value_eur=np.full(n, 55.0), must=np.zeros(n, dtype=np.bool_),
        allowed=np.ones((n, 1), dtype=np.bool_), shifts=(Shift("Laia", n, n, 0, 510, 10),),
    )  # fmt: skip


def test_a_far_cluster_is_visited_when_its_visits_pay_the_way_together() -> None:
    problem = clusters(1, (12,), (110.0,), 0.5)
    plan = solve(problem, iterations=50)
    assert len(plan.served()) >= 7  # 510 ticks less 220 for the way, some 33 a visit
    assert worth_eur(problem, plan) > 250
    # dearer than all of them together
    assert not len(solve(clusters(1, (12,), (110.0,), 3.0), iterations=200).served())


@pytest.mark.parametrize("engine", ["kernel", "pyvrp"])
def test_a_far_cluster_is_preferred_to_a_poor_one_next_door(engine: Literal["kernel", "pyvrp"]) -> None:
    problem = clusters(3, (2, 12), (5.0, 100.0), 0.5)
    plan = solve(problem, iterations=400, seed=1, engine=engine)
    assert sum(stop >= 2 for stop in plan.served()) >= 6


@pytest.mark.parametrize("seed", range(8))
def test_the_kernel_is_not_below_the_other_engine_on_clusters(seed: int) -> None:
    problem = clusters(seed, (3, 6, 12, 5), (10.0, 60.0, 120.0, 150.0), 0.6)
    ours = worth_eur(problem, solve(problem, iterations=1_000, seed=seed))
    theirs = worth_eur(problem, solve(problem, iterations=500, seed=seed, engine="pyvrp"))
    assert ours >= 0.97 * theirs


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_rates_insertions_as_trying_each_of_them_does(seed: int) -> None:
    from dealwright.plan.routing.engine import begin_with, empty_insertions, empty_state, kernel_data
    from dealwright.plan.routing.kernel import ADDED, DELAY, LEG, LENGTH, RATIO, VERSION, rate_route

    problem = random_problem(seed, 30, 2)
    plan = solve(problem, iterations=3, seed=seed)
    data, _ = kernel_data(problem)
    for version in (1, 3):  # by time, and by cost
        state, known = empty_state(data), empty_insertions(data)
        begin_with(data, state, known, [route.stops for route in plan.routes])
        for r, route in enumerate(plan.routes):
            state.head[r, VERSION] = version
            known.version[r] = -1
            rate_route(data, state, known, r)
            assert state.head[r, LENGTH] == len(route.stops)
            for j in np.setdiff1d(np.arange(30), plan.served()):
                tried = {}
                for leg in range(len(route.stops) + 1):
                    order = (*route.stops[:leg], int(j), *route.stops[leg:])
                    longer = schedule_route(problem, r, order)
                    if longer is None or not problem.allowed[j, r]:
                        continue
                    if len(order) > problem.shifts[r].max_visits:
                        continue
                    # when the next stop, or home, is reached, against when it was
                    was = route.arrive[leg] if leg < len(route.stops) else route.back
                    now = longer.arrive[leg + 1] if leg < len(route.stops) else longer.back
                    cost = RoutePlan((longer,)).cost_eur(problem) - RoutePlan((route,)).cost_eur(problem)
                    tried[leg] = (now - was, cost)
                leg = int(known.leg[r, LEG, j])
                assert (leg >= 0) == bool(tried)
                if not tried:
                    continue
                delay, cost = tried[leg]
                assert known.effect[r, DELAY, j] == delay
                assert known.effect[r, ADDED, j] == pytest.approx(cost)
                if version == 1:
                    assert delay == min(found[0] for found in tried.values())
                else:
                    assert cost == pytest.approx(min(found[1] for found in tried.values()))
                gain = problem.value_eur[j] - cost
                ratio = gain / (delay + 1) if gain > 0 else 0.0
                assert known.effect[r, RATIO, j] == pytest.approx(ratio)


def single_insertion(problem: Problem) -> float:
    """Insert whoever gains most where it costs least, of equal places the one that leaves most time."""
    orders: list[tuple[int, ...]] = [() for _ in problem.shifts]
    worth = 0.0
    while True:
        best, least, chosen = 1e-9, 0, None
        free = set(range(problem.visits)) - {stop for order in orders for stop in order}
        for r, order in enumerate(orders):
            if len(order) >= problem.shifts[r].max_visits:
                continue
            before = schedule_route(problem, r, order)
            assert before is not None
            for j in sorted(free):
                for leg in range(len(order) + 1):
                    route = schedule_route(problem, r, (*order[:leg], j, *order[leg:]))
                    if route is None or not problem.allowed[j, r]:
                        continue
                    gain = worth_eur(problem, RoutePlan((route,))) - worth_eur(problem, RoutePlan((before,)))
                    delay = (route.arrive[leg + 1] if leg < len(order) else route.back) - (
                        before.arrive[leg] if leg < len(order) else before.back
                    )
                    if gain > best + 1e-9 or (gain > best - 1e-9 and chosen is not None and delay < least):
                        best, least, chosen = gain, delay, (r, route.stops)
        if chosen is None:
            return worth
        worth += best
        orders[chosen[0]] = chosen[1]


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_is_below_single_insertion(seed: int) -> None:
    problem = random_problem(seed, 14, 2)
    plan = solve(problem, iterations=400, seed=seed)
    assert worth_eur(problem, plan) >= single_insertion(problem) - 1e-9


@pytest.mark.parametrize("company", [1, 2, 5, 8])
def test_the_kernel_is_not_below_the_other_engine_on_drawn_companies(company: int) -> None:
    problem = load("companies").draw_company(company)
    ours = worth_eur(problem, solve(problem, iterations=3_000))
    theirs = worth_eur(problem, solve(problem, engine="pyvrp", iterations=300))
    assert ours >= theirs * 0.97
    assert ours >= 0


def test_the_best_of_several_runs_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from dealwright.plan.routing import engine

    problem = random_problem(7, 60, 3)
    monkeypatch.setattr(engine, "LEAST_RUN", 100)
    for iterations, runs in ((199, 1), (200, 2), (401, 4), (1_000, 4)):
        counts: list[int] = []
        from dealwright.plan.routing import kernel

        anneal = kernel.anneal

        def counted(*args: object, counts: list[int] = counts, anneal: object = anneal) -> None:
            if args[8]:  # not the greedy start
                counts.append(int(args[8]))  # type: ignore[call-overload]
            anneal(*args)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            patch.setattr(kernel, "anneal", counted)
            several = solve(problem, iterations=iterations, seed=3)
        assert len(counts) == runs
        assert sum(counts) == several.iterations == iterations
        # the first run is that of a shorter search with the same seed: the best can only be better
        alone = solve(problem, iterations=counts[0], seed=3) if counts[0] < 200 else several
        assert worth_eur(problem, several) >= worth_eur(problem, alone) - 1e-9
