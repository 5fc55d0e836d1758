"""Who is owed the next lead: the policy fair against the shares added up lead by lead (support/shares.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from engine import add_agent, assign, rows, value
from psycopg import Connection
from shares import Shares

from dealwright.desk.database import Database

LEAD: dict[str, str] = {}
# a day takes about 0.1 s; 10,000 days were seen to hold
DAYS = int(os.environ.get("DEALWRIGHT_FAIR_DAYS", "40"))
WEIGHTS = ("0.5", "1", "1", "1", "2", "3", "1.7")


@pytest.fixture
def desk(database: Database) -> Iterator[Connection[Any]]:
    """Return a connection to a desk that declares no dimension."""
    with database.connect(autocommit=True) as connection:
        yield connection


def place(desk: Connection[Any], **lead: Any) -> int | None:
    """Return who gets a lead."""
    found: int | None = assign(desk, LEAD, "fair", **lead)["agent_id"]
    return found


def given(desk: Connection[Any], leads: int) -> list[int | None]:
    """Return who gets the next leads."""
    return [place(desk) for _ in range(leads)]


@pytest.mark.parametrize("seed", range(6))
def test_received_and_due_differ_by_less_than_one_lead(desk: Connection[Any], seed: int) -> None:
    """Tijdeman (1980): by at most 1 - 1 / (2 n - 2) of n agents, after every lead."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    weights = {
        add_agent(desk, f"A{i}", capacity=1000, weight=w): w
        for i, w in enumerate(float(rng.choice([0.1, 1, 1, 2.5, 8])) for _ in range(n))
    }
    received: dict[int | None, int] = dict.fromkeys(weights, 0)
    for leads in range(1, 121):
        received[place(desk)] += 1
        for agent, weight in weights.items():
            due = leads * weight / sum(weights.values())
            assert abs(received[agent] - due) <= 1 - 1 / (2 * n - 2) + 1e-5


def test_many_of_small_weight_beside_one_of_great(desk: Connection[Any]) -> None:
    """Each of the many gets one lead in each round of a hundred."""
    great = add_agent(desk, "great", capacity=1000, weight=50)
    small = [add_agent(desk, f"small {i}", capacity=1000) for i in range(50)]
    got = given(desk, 200)
    assert got.count(great) == 100
    assert [got.count(agent) for agent in small] == [2] * 50
    assert len(set(got[:100])) == 51


def test_ties_are_drawn_evenly(desk: Connection[Any]) -> None:
    agents = [add_agent(desk, f"A{i}", capacity=400) for i in range(4)]
    first = []
    for _ in range(200):
        placed = assign(desk, LEAD, "fair")
        chance = value(
            desk,
            "select propensity from dealwright.assignment where assignment_id = %s",
            placed["assignment_id"],
        )
        assert chance == 0.25
        first.append(placed["agent_id"])
        given(desk, 3)
    counts = [first.count(agent) for agent in agents]
    assert sum((n - 50) ** 2 / 50 for n in counts) < 16.3  # chi-square, 3 degrees of freedom, p = 0.001


class Day:
    """A desk under the policy fair, and the same shares kept in Python."""

    def __init__(self, desk: Connection[Any], seed: int) -> None:
        self.desk = desk
        self.rng = np.random.default_rng(seed)
        self.shares = Shares()
        rows(desk, "delete from dealwright.lead")
        rows(desk, "delete from dealwright.agent")
        self.agents = {
            add_agent(
                desk,
                f"A{i}",
                capacity=int(self.rng.integers(1, 8)),
                weight=float(self.rng.choice(WEIGHTS)),
                skills=["french"] if i % 2 else [],
            ): bool(i % 2)
            for i in range(int(self.rng.integers(2, 6)))
        }
        self.exceptions = 0
        self.follow()

    def follow(self) -> None:
        """Let those join and leave who can take work now, or no longer can."""
        able = {
            row["agent_id"]: Fraction(str(row["weight"]))
            for row in rows(
                self.desk,
                "select agent_id, weight from dealwright.agent where active and open < capacity "
                "order by agent_id",
            )
        }
        for agent in set(self.shares.weights) - set(able):
            self.shares.leave(agent)
        for agent in set(able) - set(self.shares.weights):
            self.shares.join(agent, able[agent])
        for agent, weight in able.items():
            if weight != self.shares.weights[agent]:
                self.shares.join(agent, weight)

    def lead(self) -> None:
        """Place a lead and compare."""
        french = self.rng.random() < 0.2
        self.exceptions += french
        able = {agent for agent, speaks in self.agents.items() if speaks} if french else None
        turn = self.shares.due(able)
        agent = place(self.desk, skills=["french"]) if french else place(self.desk)
        if agent is None:
            assert not turn
            rows(self.desk, "update dealwright.lead set status = 'withdrawn' where status = 'waiting'")
            return
        assert agent in turn
        self.shares.give(agent)
        # what holds with skills too: no more than one lead, and one for each that not everybody could take,
        # or did not take
        assert all(abs(owed) < 1 + self.exceptions for owed in self.shares.owed.values())
        self.follow()

    def change(self) -> None:
        """Somebody joins, leaves, gets another weight or capacity, or work is settled or declined."""
        agent = int(self.rng.choice(list(self.agents)))
        what = self.rng.integers(6)
        if what == 5:
            self.decline(agent)
            return
        if what == 0:
            rows(self.desk, "update dealwright.agent set active = not active where agent_id = %s", agent)
        elif what == 1:
            weight = float(self.rng.choice(WEIGHTS))
            rows(self.desk, "update dealwright.agent set weight = %s where agent_id = %s", weight, agent)
        elif what == 2:
            capacity = int(self.rng.integers(0, 8))
            rows(self.desk, "update dealwright.agent set capacity = %s where agent_id = %s", capacity, agent)
        else:
            rows(
                self.desk,
                "select dealwright.settle_booking(b.booking_id, %s) from dealwright.booking as b "
                "join dealwright.assignment as s using (assignment_id) "
                "where s.agent_id = %s and s.status = 'open' order by b.booking_id limit %s",
                ("confirmed", "cancelled")[what - 3],
                agent,
                int(self.rng.integers(1, 4)),
            )
        self.follow()

    def decline(self, agent: int) -> None:
        """An agent does not take a lead: the next one has received it, and who declined has not."""
        open_now = rows(
            self.desk,
            "select a.assignment_id, l.required_skills from dealwright.assignment as a "
            "join dealwright.lead as l using (lead_id) "
            "where a.agent_id = %s and a.status = 'open' and a.held_by is null order by 1 limit 1",
            agent,
        )
        if not open_now:
            return
        able = {
            other for other, speaks in self.agents.items() if speaks or not open_now[0]["required_skills"]
        }
        turn = self.shares.due(able - {agent})
        answer = rows(
            self.desk, "select * from dealwright.decline(%s, 'no time')", open_now[0]["assignment_id"]
        )[0]
        if answer["agent_id"] is None:
            assert not turn
            rows(self.desk, "update dealwright.lead set status = 'withdrawn' where status = 'waiting'")
            self.exceptions += agent in self.shares.owed
            if agent in self.shares.owed:
                self.shares.take_back(agent)
        else:
            assert answer["agent_id"] in turn
            if agent in self.shares.owed:
                self.shares.owed[agent] += 1
                self.shares.owed[answer["agent_id"]] -= 1
                self.exceptions += 1
            else:  # of somebody whose share did not count: as if the lead had come now
                (who,) = rows(self.desk, "select * from dealwright.agent where agent_id = %s", agent)
                if who["active"] and who["open"] < who["capacity"]:  # the place is free before
                    self.shares.join(agent, Fraction(str(who["weight"])))
                self.shares.give(answer["agent_id"])
        self.follow()


def test_random_days_go_as_the_shares_say(desk: Connection[Any]) -> None:
    """Joins, absences, weights, full agents and skills: every lead goes to one whose turn it is."""
    for seed in range(DAYS):
        day = Day(desk, seed)
        for _ in range(12):
            day.change() if day.rng.random() < 0.4 else day.lead()


def test_who_comes_back_from_a_shift_starts_level(desk: Connection[Any]) -> None:
    add_agent(desk, "Ada", capacity=1000)
    add_agent(desk, "Ben", capacity=1000)
    begin = datetime.now(UTC) + timedelta(seconds=1.5)
    cleo = add_agent(desk, "Cleo", capacity=1000, shifts=f"{{[{begin.isoformat()},)}}")
    assert cleo not in given(desk, 20)
    rows(desk, "select pg_sleep_until(%s)", begin + timedelta(seconds=0.05))
    assert given(desk, 30).count(cleo) == 10
    assert value(desk, "select fair_until from dealwright.agent where agent_id = %s", cleo).year == 2200


def test_a_ranking_that_places_nobody_sees_who_begins_a_shift_level(desk: Connection[Any]) -> None:
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1000)
    begin = datetime.now(UTC) + timedelta(seconds=0.7)
    cleo = add_agent(desk, "Cleo", capacity=1000, shifts=f"{{[{begin.isoformat()},)}}")
    had = given(desk, 3)
    due = min(set(had) - {None}, key=had.count)
    rows(desk, "select pg_sleep_until(%s)", begin + timedelta(seconds=0.05))
    ranked = rows(desk, "select agent_id from dealwright.rank_agents('{}', 'fair') where eligible")
    assert [row["agent_id"] for row in ranked[:2]] == [due, cleo]


def test_a_longer_shift_is_the_same_shift(desk: Connection[Any]) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    shift = f"{{[{(now - hour).isoformat()},{(now + hour).isoformat()})}}"
    ada = add_agent(desk, "Ada", capacity=1000, shifts=shift)
    add_agent(desk, "Ben", capacity=1000)
    first = place(desk)
    longer = f"{{[{(now - hour).isoformat()},{(now + 3 * hour).isoformat()})}}"
    rows(desk, "update dealwright.agent set shifts = %s where agent_id = %s", longer, ada)
    assert place(desk) != first  # who had none yet is still owed one
    kept = value(desk, "select fair_until from dealwright.agent where agent_id = %s", ada)
    assert kept == now + 3 * hour


@pytest.mark.parametrize("capacity", [0, 2])
def test_who_gets_room_starts_level(desk: Connection[Any], capacity: int) -> None:
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1000)
    cleo = add_agent(desk, "Cleo", capacity=capacity)
    assert given(desk, 60).count(cleo) == capacity
    rows(desk, "update dealwright.agent set capacity = 1000 where agent_id = %s", cleo)
    assert given(desk, 30).count(cleo) == 10


def test_who_settles_its_last_place_starts_level(desk: Connection[Any]) -> None:
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1000)
    cleo = add_agent(desk, "Cleo", capacity=1)
    given(desk, 40)
    booking = value(
        desk,
        "select b.booking_id from dealwright.booking as b "
        "join dealwright.assignment as s using (assignment_id) where s.agent_id = %s",
        cleo,
    )
    rows(desk, "update dealwright.agent set capacity = 1 where agent_id = %s", cleo)
    rows(desk, "select dealwright.settle_booking(%s::bigint, 'confirmed')", booking)
    assert given(desk, 3).count(cleo) == 1


def test_another_weight_after_210_leads(desk: Connection[Any]) -> None:
    ada = add_agent(desk, "Ada", capacity=1000)
    for name in ("Ben", "Cleo"):
        add_agent(desk, name, capacity=1000)
    assert given(desk, 210).count(ada) == 70
    rows(desk, "update dealwright.agent set weight = 2 where agent_id = %s", ada)
    assert given(desk, 40).count(ada) == 20


def test_a_window_restarts_for_all(desk: Connection[Any]) -> None:
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1000)
    given(desk, 31)
    zoe = add_agent(desk, "Zoe", capacity=1000)
    given(desk, 10)
    rows(
        desk,
        "select dealwright.set_default_policy('fair', jsonb_build_object('window_start', clock_timestamp()))",
    )
    agents = rows(desk, "select fair_count, fair_compensation from dealwright.agent")
    assert agents == [{"fair_count": 0, "fair_compensation": 0}] * 3
    assert given(desk, 60).count(zoe) == 20


def test_a_senior_member_gets_as_much_as_the_others(desk: Connection[Any]) -> None:
    """Also after an import of many leads that it had before: they are no debt."""
    senior = add_agent(desk, "senior", capacity=1000, years_of_service=30.0)
    given(desk, 25)
    for name in ("Ada", "Ben"):
        add_agent(desk, name, capacity=1000, years_of_service=1.0)
    assert given(desk, 30).count(senior) == 10
    rows(desk, "insert into dealwright.lead (customer_name, status) values ('old', 'withdrawn')")
    rows(desk, "select dealwright.rebuild_statistics()")
    assert given(desk, 30).count(senior) == 10


def test_the_shares_are_not_written_by_hand(desk: Connection[Any]) -> None:
    ada = add_agent(desk, "Ada", capacity=10)
    place(desk)
    for change in ("fair_until = null", "last_assigned_at = null", "active = false, fair_until = null"):
        with pytest.raises(Exception, match="kept by the desk itself"):
            rows(desk, f"update dealwright.agent set {change} where agent_id = %s", ada)


def test_ties_go_to_the_longest_idle_where_that_is_asked_for(desk: Connection[Any]) -> None:
    """By default years of service decide, and the lowest id."""
    old = add_agent(desk, "old", capacity=9, years_of_service=20.0)
    young = add_agent(desk, "young", capacity=9, years_of_service=1.0)
    first = assign(desk, LEAD, "workload")
    assert first["agent_id"] == old
    rows(desk, "select dealwright.settle_booking(%s::bigint, 'cancelled')", first["booking_id"])
    assert assign(desk, LEAD, "workload")["agent_id"] == old
    rows(desk, "select dealwright.set_default_policy('workload', '{\"ties\": \"longest_idle\"}')")
    second = assign(desk, LEAD)
    assert second["agent_id"] == young
    rows(desk, "select dealwright.settle_booking(%s::bigint, 'cancelled')", second["booking_id"])
    third = assign(desk, LEAD, "workload")
    assert third["agent_id"] == young  # nothing open against one
    rows(desk, "update dealwright.agent set capacity = 0 where agent_id = %s", young)
    for answer in (second, third):
        assert value(desk, "select dealwright.replay(%s)", answer["assignment_id"])["agrees"]
    with pytest.raises(Exception, match="ties must be seniority or longest_idle"):
        rows(desk, "select dealwright.set_default_policy('workload', '{\"ties\": \"rating\"}')")
