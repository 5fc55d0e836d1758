"""A small desk for tests of the engine, and a recount of everything it keeps that shares no code with it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dealwright.dimensions import EMPTY, Dimension
from dealwright.learn import AmountModel, Calibration, MatchModel, RevenueModel, Trait, build_profiles
from dealwright.learn.statistics import AgentStatistics

Row = dict[str, Any]
DIMENSIONS = (
    Dimension("destination", ("Mars", "Titan", "Venus")),
    Dimension("lead_source", ("Organic", "Bought")),
)
CLASSIC_WEIGHTS = {
    "rating_score": 0.3,
    "experience_score": -0.2,
    "revenue_score": 0.25,
    "dest_expertise_score": 0.4,
    "lead_conversion_score": 0.15,
    "communication_score": -0.1,
    "requirements_score": 0.2,
    "recency_score": 0.35,
    "availability_score": 0.5,
}


def rows(connection: Connection[Any], statement: str, *parameters: Any) -> list[Row]:
    """Run a statement and return its rows as dictionaries."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def value(connection: Connection[Any], statement: str, *parameters: Any) -> Any:
    """Run a statement and return its only value."""
    return next(iter(rows(connection, statement, *parameters)[0].values()))


def declare(connection: Connection[Any], dimensions: Sequence[Dimension] = DIMENSIONS) -> None:
    """Declare the dimensions in the given order."""
    for dimension in dimensions:
        rows(
            connection,
            "select dealwright.declare_dimension(%s, %s, %s, %s, %s, %s)",
            dimension.name,
            list(dimension.values),
            dimension.is_open,
            dimension.required,
            dimension.at_arrival,
            list(dimension.edges),
        )


def understood(attributes: Mapping[str, Any], dimensions: Sequence[Row]) -> dict[str, str]:
    """Return what a lead's attributes say about each dimension, written down a second time."""
    said = {}
    for dimension in dimensions:
        given = attributes.get(dimension["name"])
        text = "" if given is None else str(given).strip()
        if text in ("", EMPTY):
            if dimension["at_arrival"] and not dimension["required"]:
                said[dimension["name"]] = EMPTY
        elif not dimension["edges"] or text in dimension["bins"]:
            said[dimension["name"]] = text
        elif text[-1].isdigit():  # and not the name that a bin once had
            said[dimension["name"]] = dimension["bins"][bisect_left(dimension["edges"], float(text))]
    return said


def add_agent(connection: Connection[Any], name: str, **columns: Any) -> int:
    """Insert an agent by plain SQL; returns its id."""
    names = ["name", *columns]
    marks = ", ".join(["%s"] * len(names))
    return int(
        value(
            connection,
            f"insert into dealwright.agent ({', '.join(names)}) values ({marks}) returning agent_id",
            name,
            *columns.values(),
        )
    )


def lead_json(attributes: Mapping[str, Any], customer: str = "Kate", **more: Any) -> Jsonb:
    """Return a lead in the shape of the SQL interface."""
    return Jsonb({"customer_name": customer, "attributes": dict(attributes), **more})


def assign(
    connection: Connection[Any], attributes: Mapping[str, Any], policy: str | None = None, **more: Any
) -> Row:
    """Assign a lead by the function."""
    return rows(
        connection, "select * from dealwright.assign_lead(%s, %s)", lead_json(attributes, **more), policy
    )[0]


def random_model(
    rng: np.random.Generator,
    dimensions: Sequence[Dimension] = DIMENSIONS,
    *,
    agents_differ: bool = True,
    traits: Sequence[str] = ("rating", "years_of_service"),
) -> MatchModel:
    """Draw a match model with effects everywhere."""
    width = 1 + sum(len(dimension.values) for dimension in dimensions)
    shares = [1.0]
    strength = [float(rng.uniform(2, 40))]
    for dimension in dimensions:
        shares += rng.dirichlet(np.ones(len(dimension.values))).tolist()
        strength += [float(rng.uniform(2, 60))] * len(dimension.values)

    def weights(spread: float) -> dict[str, dict[str, float]]:
        return {
            dimension.name: {v: float(rng.normal(0, spread)) for v in dimension.values}
            for dimension in dimensions
        }

    return MatchModel(
        dimensions=tuple(dimensions),
        lead_bias=float(rng.normal(0.3, 0.5)),
        lead_weights=weights(0.5),
        traits=tuple(
            Trait(name, float(rng.normal(4, 1)), float(rng.uniform(0.3, 3)), float(rng.normal(0, 0.3)))
            for name in traits
        ),
        prior_strength=tuple(strength),
        value_share=tuple(shares),
        affinity_weight=tuple(float(x) for x in rng.uniform(0.3, 1.2, width)),
        calibration=Calibration(
            float(rng.uniform(0.7, 1.2)), float(rng.normal(0, 0.2)), float(rng.uniform(0, 0.05))
        ),
        revenue=RevenueModel(
            AmountModel(float(rng.normal(7, 0.5)), weights(0.3)),
            AmountModel(float(rng.normal(4, 0.5)), weights(0.3)),
            float(rng.uniform(500, 20_000)),
            float(rng.uniform(100, 4_000)),
        ),
        agents_differ=agents_differ,
    )


def load_model(connection: Connection[Any], model: MatchModel) -> int:
    """Register a model and put it to work."""
    return int(value(connection, "select dealwright.load_model('value', %s)", Jsonb(model.to_dict())))


def load_classic(connection: Connection[Any], weights: Mapping[str, float] | None = None) -> int:
    """Register nine weights and put them to work."""
    return int(
        value(
            connection,
            "select dealwright.load_model('classic', %s)",
            Jsonb({"weights": dict(weights or CLASSIC_WEIGHTS)}),
        )
    )


def seen_as(model: MatchModel, declared: Sequence[Dimension]) -> MatchModel:
    """Return the model over the dimensions as they are declared now.

    A value it never saw has no weight, no share, and a prior that nothing moves.
    """
    old = {name: place for place, name in enumerate(model.slots)}
    names = ["overall", *(f"{d.name}={v}" for d in declared for v in d.values)]

    def moved(numbers: Sequence[float], missing: float) -> tuple[float, ...]:
        return tuple(numbers[old[name]] if name in old else missing for name in names)

    return MatchModel(
        dimensions=tuple(declared),
        lead_bias=model.lead_bias,
        lead_weights=model.lead_weights,
        traits=model.traits,
        prior_strength=moved(model.prior_strength, 1e9),
        value_share=moved(model.value_share, 0.0),
        affinity_weight=moved(model.affinity_weight, 0.0),
        calibration=model.calibration,
        revenue=model.revenue,
        agents_differ=model.agents_differ,
    )


def seen_after(
    model: MatchModel,
    loaded: MatchModel,
    before: Mapping[int, tuple[str, str]],
    after: Mapping[int, tuple[str, str]],
) -> MatchModel:
    """Return what a model weighs after slots have changed: a slot keeps its weights whatever it is called.

    A new slot is looked up by name in the model as it was ``loaded``.
    """
    now, then = _numbers(model), _numbers(loaded)
    numbers = {name: found for name, found in then.items() if name not in (*before.values(), *after.values())}
    for slot, name in after.items():
        source, known_as = (now, before[slot]) if slot in before else (then, name)
        if known_as in source:
            numbers[name] = source[known_as]
    dimensions = tuple(
        replace(dimension, values=tuple(value for name, value in numbers if name == dimension.name))
        for dimension in loaded.dimensions
    )
    names = [(dimension.name, value) for dimension in dimensions for value in dimension.values]

    def by_name(k: int) -> dict[str, dict[str, float]]:
        return {d.name: {value: numbers[d.name, value][k] for value in d.values} for d in dimensions}

    def by_slot(first: float, k: int) -> tuple[float, ...]:
        return (first, *(numbers[name][k] for name in names))

    return replace(
        loaded,
        dimensions=dimensions,
        lead_weights=by_name(0),
        revenue=replace(
            loaded.revenue,
            base=replace(loaded.revenue.base, weights=by_name(1)),
            package=replace(loaded.revenue.package, weights=by_name(2)),
        ),
        prior_strength=by_slot(loaded.prior_strength[0], 3),
        value_share=by_slot(loaded.value_share[0], 4),
        affinity_weight=by_slot(loaded.affinity_weight[0], 5),
    )


def _numbers(model: MatchModel) -> dict[tuple[str, str], tuple[float, ...]]:
    """What a model has for each value: lead, base and package weight, strength, share, affinity weight."""
    names = [(dimension.name, value) for dimension in model.dimensions for value in dimension.values]
    return {
        (name, value): (
            model.lead_weights[name][value],
            model.revenue.base.weights[name][value],
            model.revenue.package.weights[name][value],
            model.prior_strength[k],
            model.value_share[k],
            model.affinity_weight[k],
        )
        for k, (name, value) in enumerate(names, start=1)
    }


@dataclass(frozen=True)
class Recount:
    """What the desk must have counted, by agent; arrays are by the desk's slots, starting with slot 1."""

    open: dict[int, int]
    fair_count: dict[int, int]
    assigned: dict[int, list[int]]
    known: dict[int, list[int]]
    confirmed: dict[int, list[int]]
    expected_ppm: dict[int, list[int]]
    cents: dict[int, dict[str, int]]
    days: dict[tuple[date, int], int]


def outcome_of(assignment: Row, booking: Row | None) -> tuple[str, str | None]:
    """Return status and outcome that an assignment must have with its booking."""
    if assignment["status"] in ("reassigned", "unknown"):
        return assignment["status"], None
    if booking is None:
        return ("open", None) if assignment["status"] == "open" else ("lapsed", "lost")
    return {"pending": ("open", None), "confirmed": ("settled", "won"), "cancelled": ("settled", "lost")}[
        booking["status"]
    ]


def _count_money(
    cents: dict[str, int], booking: Row, given: Mapping[str, str], model: MatchModel | None
) -> None:
    cents["revenue"] += int(100 * (booking["total_revenue"] or Decimal(0)))
    for name in ("base", "package"):
        amount = booking[f"{name}_revenue"]
        if amount is None:
            continue
        cents[name] += int(100 * amount)
        if model is not None:
            part: AmountModel = getattr(model.revenue, name)
            log = part.bias + sum(part.weights.get(n, {}).get(v, 0.0) for n, v in given.items())
            cents[f"{name}_expected"] += round(100 * math.exp(log))


def recount(
    agents: Sequence[int],
    assignments: Sequence[Row],
    bookings: Sequence[Row],
    slots: Mapping[tuple[str, str], int],
    model: MatchModel | None,
    window_start: Any = None,
) -> Recount:
    """Count everything from the book of record; ``assignments`` hold the lead's ``attributes``."""
    width = max(slots.values(), default=1)

    def zeros() -> dict[int, list[int]]:
        return {agent: [0] * width for agent in agents}

    money = ("revenue", "base", "package", "base_expected", "package_expected")
    result = Recount(
        dict.fromkeys(agents, 0),
        dict.fromkeys(agents, 0),
        zeros(),
        zeros(),
        zeros(),
        zeros(),
        {agent: dict.fromkeys(money, 0) for agent in agents},
        {},
    )
    booked = {booking["assignment_id"]: booking for booking in bookings}
    for row in assignments:
        booking = booked.get(row["assignment_id"])
        status, outcome = outcome_of(row, booking)
        if status == "reassigned":
            continue
        agent = row["agent_id"]
        given = {name: v for name, v in row["attributes"].items() if (name, v) in slots}
        places = [0, *(slots[name, v] - 1 for name, v in given.items())]
        result.open[agent] += status == "open"
        result.fair_count[agent] += window_start is None or row["assigned_at"] >= window_start
        chance = 0
        if model is not None:
            logit = model.lead_bias + sum(model.lead_weights.get(n, {}).get(v, 0.0) for n, v in given.items())
            chance = round(1e6 / (1 + math.exp(-logit)))
        for place in places:
            result.assigned[agent][place] += 1
            if outcome is not None:
                result.known[agent][place] += 1
                result.confirmed[agent][place] += outcome == "won"
                result.expected_ppm[agent][place] += chance
        if outcome != "won" or booking is None:
            continue
        day = (booking["completed_at"].date(), agent)
        result.days[day] = result.days.get(day, 0) + 1
        _count_money(result.cents[agent], booking, given, model)
    return result


def expected_profiles(
    counted: Recount,
    model: MatchModel,
    declared: Sequence[Dimension],
    slot_order: Sequence[int],
    traits: pl.DataFrame,
) -> dict[int, tuple[list[float], list[float], float, float]]:
    """Return vector, variance and the two ratios of every agent by `learn`, in the order of the desk's slots.

    ``slot_order`` gives, for each slot of the desk, its place in the declared dimensions one after the other.
    """
    agents = sorted(counted.open)
    inverse = np.argsort(slot_order)

    def by_declared(counts: Mapping[int, Sequence[int]]) -> Any:
        return np.array([[counts[agent][i] for i in inverse] for agent in agents], dtype=float)

    def money(name: str) -> Any:
        return np.array([counted.cents[agent][name] / 100 for agent in agents])

    profiles = build_profiles(
        seen_as(model, declared),
        AgentStatistics(
            np.array(agents),
            by_declared(counted.known),
            by_declared(counted.confirmed),
            by_declared(counted.expected_ppm) / 1e6,
            money("base"),
            money("base_expected"),
            money("package"),
            money("package_expected"),
        ),
        traits,
    )
    width = len(model.traits)
    order = np.array(slot_order)
    return {
        agent: (
            [*profiles.vector[i, :width], *profiles.vector[i, width:][order]],
            [*[0.0] * width, *profiles.variance[i][order]],
            float(profiles.base_ratio[i]),
            float(profiles.package_ratio[i]),
        )
        for i, agent in enumerate(agents)
    }
