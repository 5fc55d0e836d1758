"""The Python desk: results, histories taken in, models trained and promoted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from ledger import check_desk
from polars.testing import assert_frame_equal

from dealwright import Desk, Lead
from dealwright.desk.database import Database
from dealwright.desk.outcomes import outcomes_known_at
from dealwright.desk.promotion import judge_promotion
from dealwright.dimensions import EMPTY, Dimension
from dealwright.errors import ConflictError, EvidenceError, InputError, NotFoundError, UnknownNameError
from dealwright.learn import LearnParams, build_outcomes, train
from dealwright.schemas import History
from dealwright.simulation.astra import AstraParams, generate_astra

QUICK = LearnParams(permutations=199, bootstrap=10)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture(scope="module")
def history() -> History:
    return generate_astra(AstraParams(8, 400, effects="strong", seed=3)).history()


def a_lead(history: History, **changes: str) -> Lead:
    return Lead("Kim", {item.name: item.values[0] for item in history.dimensions} | changes)


def test_outcomes_are_those_of_the_history(desk: Desk, history: History) -> None:
    desk.load(history)
    assert desk.dimensions() == history.dimensions
    expected = build_outcomes(history)
    found = desk.outcomes()
    assert_frame_equal(found, expected.frame.sort("assignment_id").select(found.columns), check_exact=False)
    assert_frame_equal(desk.agent_traits(), expected.traits.sort("agent_id"))


def test_outcomes_as_they_were_known(desk: Desk, history: History) -> None:
    desk.load(history)
    moment = history.assignments["assigned_at"].sort()[200] + timedelta(minutes=1)
    found = outcomes_known_at(desk.outcomes(), moment)
    expected = build_outcomes(history, as_of=moment).frame.sort("assignment_id")
    columns = [
        "assignment_id",
        "agent_id",
        "assigned_at",
        "known_at",
        "won",
        "base_revenue",
        "package_revenue",
    ]
    assert_frame_equal(found.select(columns), expected.select(columns), check_exact=False)
    assert found["won"].null_count() > 0


def test_changed_rows_are_corrected(desk: Desk, history: History) -> None:
    desk.load(history)
    last = history.bookings.filter(pl.col("status") == "confirmed")["external_id"][0]
    changed = history.bookings.with_columns(
        base_revenue=pl.when(pl.col("external_id") == last).then(1.0).otherwise("base_revenue")
    )
    loaded = desk.load(History(history.dimensions, history.agents, history.assignments, changed))
    assert (loaded.new, loaded.changed) == (0, 1)
    assert loaded.counts["bookings"] == {"new": 0, "changed": 1, "unchanged": changed.height - 1}
    assert 1.0 in desk.outcomes()["base_revenue"].to_list()


def test_awkward_text_survives(desk: Desk, history: History) -> None:
    name, skill = 'Ann "the \\ Ace", O\'Hara, ñ\u2028', 'a "b" \\ {c}, d'
    agents = history.agents.with_columns(
        name=pl.lit(name),
        skills=pl.Series([[skill, "NULL"]] * history.agents.height, dtype=pl.List(pl.String)),
    )
    desk.load(History(history.dimensions, agents, history.assignments, history.bookings))
    row = desk.agents("workload").rows[0]
    assert row["agent_name"] == name
    assert row["skills"] == [skill, "null"]


def test_without_bookings_or_dimensions(desk: Desk, history: History) -> None:
    names = [item.name for item in history.dimensions]
    desk.load(History((), history.agents, history.assignments.drop(names), history.bookings.head(0)))
    placement = desk.assign(Lead("Kim"), "workload")
    assert placement.assigned


@pytest.mark.parametrize("dimensions", [(), (Dimension("source", (), is_open=True, at_arrival=False),)])
def test_base_rate_and_agents_alone(desk: Desk, history: History, dimensions: tuple[Dimension, ...]) -> None:
    """Without a dimension, or with one that nobody ever filled in, there is still something to learn."""
    empty = {item.name: pl.lit(None, pl.String) for item in dimensions}
    assignments = history.assignments.drop(item.name for item in history.dimensions).with_columns(**empty)
    desk.load(History(dimensions, history.agents, assignments, history.bookings))
    evidence = desk.evidence().result.evidence
    assert evidence.outcomes == desk.outcomes()["won"].count()
    training = desk.train(QUICK)
    assert training.promotion.promote
    assert training.result.model.dimensions == ()
    if dimensions:
        desk.assign(Lead("Kim", {"source": "web"}))  # and then somebody does
        assert desk.dimensions()[0].values == ("web",)
    lead = Lead("Kim", dict.fromkeys((item.name for item in dimensions), "web"))
    first = desk.rank(lead).ranking[0]
    placement = desk.assign(lead)
    assert placement.row["agent_id"] == first["agent_id"]
    assert placement.row["win_probability"] == pytest.approx(first["win_probability"])
    assert 0 < first["win_low"] < first["win_probability"] < first["win_high"] < 1
    assert placement.assignment_id is not None
    assert desk.explain(placement.assignment_id).to_dict()["agent_id"] == placement.row["agent_id"]
    assert desk.replay(placement.assignment_id).agrees
    booking = placement.row["booking_id"]
    assert desk.settle(booking, "confirmed", total_revenue=0.0).row["total_revenue"] == 0
    with desk.database.connect(autocommit=True) as connection:
        check_desk(connection, training.result.model)


def test_what_a_lead_may_say(desk: Desk, history: History) -> None:
    """Checked before the database is asked, in the same way, and with what was meant."""
    channel = Dimension("channel", ("web", EMPTY), is_open=True, required=False)
    size = Dimension("size", ("up to 10", "above 10"), edges=(10.0,))
    landing = replace(history.dimensions[3], required=False, at_arrival=False)
    dimensions = (*history.dimensions[:3], landing, channel, size)
    assignments = history.assignments.with_columns(channel=pl.lit("web"), size=pl.lit("above 10"))
    desk.load(History(dimensions, history.agents, assignments, history.bookings))
    said = {item.name: item.values[0] for item in history.dimensions[:3]}
    for attributes in (
        {"size": 35},
        {"size": "35", "channel": ""},
        {"size": 9.5, "channel": None, landing.name: landing.values[1]},
        {"size": "up to 10", "channel": "podcast", landing.name: " "},
    ):
        lead = Lead("Kim", {**said, **attributes})
        assert desk.rank(lead, "workload").ranking
        assert desk.assign(lead).assigned
    before = desk.counts()
    assert desk.rank(Lead("Kim", {**said, "size": 3, "channel": "radio"}), "workload").ranking
    assert desk.dimensions()[4].values == ("web", "podcast", EMPTY)  # a ranking records nothing
    for attributes, message in (
        ({"size": "plenty"}, "size must be a number, not 'plenty'"),
        ({"size": float("inf")}, "size must be a number, not inf"),
        ({"size": "nan"}, "size must be a number"),
        ({"size": ""}, "says nothing about size: give a value, for example --set size="),
        ({"size": 3, "channel": ["web"]}, "channel"),
        ({"size": 3, "destination": "Marz"}, "did you mean 'Mars'"),
        ({"size": 3, "destination": None}, "says nothing about destination"),
        ({"size": 3, "destination": EMPTY}, "says nothing about destination"),
        ({"size": 3, "chanel": "web"}, "did you mean 'channel'"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            desk.assign(Lead("Kim", {**said, **attributes}))
    assert desk.counts() == before


def test_results_are_readable(desk: Desk, history: History) -> None:
    desk.load(history)
    lead = a_lead(history)
    ranking = desk.rank(lead, "workload", k=3)
    assert len(ranking.ranking) == 3
    assert ranking.to_frame().height == 3
    assert "workload" in ranking.summary()
    assert "<table" in ranking._repr_html_()
    placement = desk.assign(lead)
    assert placement.summary().startswith("assignment 401")
    for result in (
        placement,
        desk.agents(),
        desk.models(),
        desk.explain(401),
        desk.replay(401),
    ):
        assert result.summary()
        rows = getattr(result, "rows", True)  # nothing is no table
        assert ("<table" in result._repr_html_()) == bool(rows)
    assert "nobody waits" in desk.queue()._repr_html_()
    assert desk.settle(placement.row["booking_id"], "confirmed", base_revenue=100, package_revenue=20).row[
        "total_revenue"
    ] == pytest.approx(120)
    with pytest.raises(AttributeError):
        ranking.policy = "value"  # type: ignore[misc]


def test_refusals(desk: Desk, history: History) -> None:
    desk.load(history)
    lead = a_lead(history)
    with pytest.raises(UnknownNameError, match="did you mean 'Mars'"):
        desk.rank(a_lead(history, destination="Marz"))
    with pytest.raises(UnknownNameError, match="did you mean 'workload'"):
        desk.rank(lead, "worklaod")
    with pytest.raises(InputError, match="customer"):
        desk.assign(Lead(" ", lead.attributes))
    with pytest.raises(InputError, match="says nothing about"):
        desk.assign(Lead("Kim"))
    with pytest.raises(NotFoundError):
        desk.settle("nothing", "confirmed")
    with pytest.raises(ConflictError):
        desk.reassign(1, "ill")
    with pytest.raises(EvidenceError, match="nothing to learn"):
        Desk(desk.database).evidence(as_of=history.assignments["assigned_at"].min() - timedelta(days=1))
    with pytest.raises(UnknownNameError):
        desk.load_model("clasic", {})
    with pytest.raises(InputError, match="lacks a number for"):
        desk.load_classic({"rating_score": 1.0})


def test_a_model_is_promoted_only_if_it_beats_the_one_at_work() -> None:
    """On strong effects the one that has seen more must win; against itself a model may not."""
    world = generate_astra(AstraParams(12, 6_000, effects="strong", seed=11))
    outcomes = build_outcomes(world.history())
    frame, traits, dimensions = outcomes.frame, outcomes.traits, world.truth.dimensions
    early = frame["assigned_at"].sort()[300]
    champion = train(outcomes_known_at(frame, early), traits, dimensions, QUICK).model
    verdict = judge_promotion(frame, traits, dimensions, champion)
    assert verdict.promote
    assert verdict.champion_log_loss is not None
    assert verdict.challenger_log_loss is not None
    assert verdict.challenger_log_loss < verdict.champion_log_loss
    assert verdict.outcomes > 2_000
    latest = train(frame, traits, dimensions, QUICK).model
    assert not judge_promotion(frame, traits, dimensions, latest).promote
    assert judge_promotion(frame, traits, dimensions, None).promote
    assert judge_promotion(frame, traits, dimensions[:2], champion).promote


def test_training_registers_and_ranks(desk: Desk, history: History) -> None:
    desk.load(history)
    training = desk.train()
    assert training.model_id == 1
    assert training.promotion.promote
    assert desk.models().rows[0]["promoted"]
    ranking = desk.rank(a_lead(history))
    assert ranking.model == 1
    assert all(0 < row["win_low"] < row["win_probability"] < row["win_high"] < 1 for row in ranking.ranking)
    assert ranking.evidence == training.result.evidence.text


def test_desk_opens_where_it_is_told(server_home: Path) -> None:
    with Desk.open(home=server_home) as desk:
        assert desk.counts()["agents"] == 0
        assert str(server_home).replace("/", "%2F") in desk.database.url


@pytest.fixture
def server_home(tmp_path: Path) -> Path:
    from dealwright.desk.server import stop_server

    home = tmp_path / "home"
    yield home  # type: ignore[misc]
    stop_server(home)


def test_usual_values_of_python_are_taken(desk: Desk) -> None:
    with desk.database.connection() as connection:
        connection.execute("insert into dealwright.agent (name, capacity) values ('Ada', 10)")
    given = {
        "customer_name": np.str_("Ann"),
        "received_at": datetime(2026, 7, 1, 12, tzinfo=UTC),
        "priority": np.int64(3),
    }
    placed = desk.assign(given)
    desk.assign({"customer_name": "Bob", "received_at": date(2026, 7, 2)})
    desk.assign(Lead("Cid", received_at=datetime(2026, 7, 3, tzinfo=UTC)))
    desk.assign({"customer_name": "Dan", "received_at": np.datetime64("2026-07-04T00:00:00", "ns")})
    with desk.database.connection() as connection:
        found = connection.execute(
            "select customer_name, received_at, priority from dealwright.lead order by 2"
        )
        assert found.fetchall() == [
            ("Ann", datetime(2026, 7, 1, 12, tzinfo=UTC), 3), ("Bob", datetime(2026, 7, 2, tzinfo=UTC), 0),
            ("Cid", datetime(2026, 7, 3, tzinfo=UTC), 0), ("Dan", datetime(2026, 7, 4, tzinfo=UTC), 0),
        ]  # fmt: skip
    assert len(desk.rank({"customer_name": "E"}, k=np.int64(1)).ranking) == 1
    settled = desk.settle(np.int64(placed.row["booking_id"]), "confirmed", total_revenue=Decimal("12.34"))
    assert settled.row["total_revenue"] == 12.34


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda desk: desk.assign({"customer_name": "A", "received_at": timedelta(1)}),
            "received_at is of type timedelta",
        ),
        (lambda desk: desk.assign({"customer_name": "A", "idempotency_key": ""}), "idempotency_key is empty"),
        (lambda desk: desk.assign({"customer_name": "A", "idempotency_key": "k" * 9000}), "9000 characters"),
        (lambda desk: desk.assign({"customer_name": "A", "attributes": [1]}), "attributes must be"),
        (lambda desk: desk.assign("A"), "not of type str"),
        (lambda desk: desk.rank({"customer_name": "A"}, k=1.5), "k must be a whole number"),
        (lambda desk: desk.rank({"customer_name": "A"}, k=2**31), "k must be at least 1"),
        (lambda desk: desk.settle(1, "confirmed", base_revenue=1e13), "base revenue"),
        (lambda desk: desk.settle(1.5, "confirmed"), "id of the booking"),
    ],
)
def test_other_values_are_refused_by_name(desk: Desk, call: Callable[[Desk], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(desk)
