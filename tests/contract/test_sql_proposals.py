"""A second person: a change of a model or a policy waits until another one agrees, however it is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from command_line import Command
from engine import declare, load_model, random_model, rows, value
from psycopg import Connection

from dealwright.desk.database import Database, Identified
from dealwright.desk.desk import Desk
from dealwright.errors import ConflictError, InputError, NotFoundError, UnknownNameError

MODELS = [random_model(np.random.default_rng(seed)) for seed in (5, 6)]
IN_USE = "select name from dealwright.policy where is_default"
AT_WORK = "select model_id from dealwright.model where promoted and kind = 'value'"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection[Any]]:
    with database.connect(autocommit=True) as found:
        declare(found)
        load_model(found, MODELS[0])
        rows(found, "select dealwright.load_model('value', parameters, false) from dealwright.model")
        yield found


def person(database: Database, name: str) -> Desk:
    """Return the desk as the service opens it for somebody."""
    said = json.dumps({"id": f"key {name}", "name": name, "request_id": "r"})
    return Desk(Identified(database, {"dealwright.actor": said}))


def changes(desk: Desk) -> list[tuple[str, str, Any]]:
    return [(row["actor_name"], row["action"], row["object_id"]) for row in desk.book.changes(k=4).rows]


def test_without_the_rule_a_change_takes_effect_at_once(
    database: Database, connection: Connection[Any]
) -> None:
    anna = person(database, "anna")
    assert anna.proposals.required is False
    assert anna.promote(2) is None
    assert anna.proposals.change_policy("fair", {"seed": 3}, make_default=True) is None
    assert anna.proposals.change_policy("value", {"fairness": 0.25}) is None
    assert (value(connection, AT_WORK), value(connection, IN_USE)) == (2, "fair")
    assert value(connection, "select params from dealwright.policy where name = 'fair'") == {"seed": 3}
    assert value(connection, "select params from dealwright.policy where name = 'value'") == {
        "fairness": 0.25
    }
    assert anna.proposals.list(status=None) == ()


def test_a_model_is_put_to_work_when_another_person_agrees(
    database: Database, connection: Connection[Any]
) -> None:
    anna, ben = person(database, "anna"), person(database, "ben")
    start = anna.outbox.last()
    assert anna.proposals.require("agreed with the works council") is None
    assert anna.proposals.require("again") is None
    with pytest.raises(InputError, match="reason"):
        anna.promote(2)
    waits = anna.promote(2, "better on later outcomes")
    assert waits is not None
    assert value(connection, AT_WORK) == 1
    (row,) = ben.proposals.list()
    assert (row["asked_by"], row["kind"], row["object_id"], row["reason"]) == (
        "key anna", "model", "2", "better on later outcomes",
    )  # fmt: skip
    with pytest.raises(ConflictError, match="another person has to agree"):
        anna.proposals.agree(waits)
    assert value(connection, AT_WORK) == 1
    ben.proposals.agree(waits, "looked at the evidence")
    assert value(connection, AT_WORK) == 2
    with pytest.raises(ConflictError, match="it was agreed"):
        ben.proposals.agree(waits)
    (row,) = ben.proposals.list(status=None)
    assert (row["status"], row["decided_by_name"], row["decided_reason"]) == (
        "agreed", "ben", "looked at the evidence",
    )  # fmt: skip
    assert changes(ben)[:3] == [
        ("ben", "agree", 2),
        ("ben", "promote_model", 2),
        ("anna", "propose", 2),
    ]
    kinds = [event.kind for event in anna.outbox.read(start)]
    assert kinds == ["change_proposed", "model_promoted", "change_decided"]
    with pytest.raises(NotFoundError):
        anna.promote(99, "x")


def test_no_way_around_the_second_person(database: Database, connection: Connection[Any]) -> None:
    anna, ben = person(database, "anna"), person(database, "ben")
    anna.proposals.require("as agreed")
    for statement in (
        "select dealwright.promote_model(2)",
        "select dealwright.set_default_policy('fair')",
        "update dealwright.policy set params = '{\"seed\": 9}' where name = 'fair'",
        "update dealwright.policy set is_default = (name = 'fair')",
    ):
        with pytest.raises(psycopg.Error, match="when a second person agrees"):
            rows(connection, statement)
    with pytest.raises(psycopg.Error, match="kept by the desk itself"):
        rows(connection, "update dealwright.proposal set status = 'agreed'")
    # a model that is registered to be put to work waits as well
    parameters = anna.model(1)["parameters"]
    model = ben.load_model("value", parameters)
    assert value(connection, AT_WORK) == 1
    assert ben.waiting_proposal(model) is not None
    # and so does the end of the rule
    waits = anna.proposals.require("in a hurry", required=False)
    assert waits is not None
    assert anna.proposals.required
    with pytest.raises(ConflictError, match="another person"):
        anna.proposals.agree(waits)
    ben.proposals.agree(waits)
    assert not anna.proposals.required
    assert anna.promote(2) is None


def test_a_policy_waits_with_what_it_is_to_be_and_is_checked_when_it_is_asked_for(
    database: Database, connection: Connection[Any]
) -> None:
    anna, ben = person(database, "anna"), person(database, "ben")
    anna.proposals.require("as agreed")
    before = rows(connection, "select * from dealwright.policy order by name")
    with pytest.raises(InputError, match="sharpness"):
        anna.proposals.change_policy("value", {"sharpness": -1}, reason="x")
    with pytest.raises(InputError, match="nothing to change"):
        anna.proposals.change_policy("value", reason="x")
    with pytest.raises(InputError, match="unknown policy"):
        anna.proposals.change_policy("valu", {}, reason="x")
    first = anna.proposals.change_policy("value", {"fairness": 0.3}, reason="more equal")
    second = anna.proposals.change_policy("value", {"fairness": 0.6}, reason="much more equal")
    fair = anna.proposals.change_policy("fair", make_default=True, reason="August")
    assert first is not None
    assert second is not None
    assert fair is not None
    assert rows(connection, "select * from dealwright.policy order by name") == before
    ben.proposals.agree(second)
    assert value(connection, "select params from dealwright.policy where name = 'value'") == {"fairness": 0.6}
    with pytest.raises(ConflictError, match="has changed since"):
        ben.proposals.agree(first)
    ben.proposals.refuse(first, "overtaken")
    ben.proposals.agree(fair)
    assert value(connection, IN_USE) == "fair"
    mine = anna.proposals.change_policy("workload", make_default=True, reason="a typing error")
    assert mine is not None
    with pytest.raises(InputError, match="reason"):
        anna.proposals.refuse(mine, " ")
    anna.proposals.refuse(mine, "not what I meant")
    assert [row["status"] for row in anna.proposals.list(status=None)] == [
        "withdrawn", "agreed", "agreed", "refused",
    ]  # fmt: skip
    assert changes(anna)[0] == ("anna", "refuse", "workload")
    with pytest.raises(NotFoundError):
        ben.proposals.agree(10**9)
    with pytest.raises(UnknownNameError):
        ben.proposals.list(status="waitin")


def test_a_user_of_the_database_is_a_person_too(database: Database, connection: Connection[Any]) -> None:
    rows(connection, "select dealwright.require_second_person(true, 'as agreed')")
    waits = value(connection, "select dealwright.propose_model(2, 'better')")
    with pytest.raises(psycopg.Error, match="another person has to agree"):
        rows(connection, "select dealwright.agree_to_proposal(%s)", waits)
    person(database, "ben").proposals.agree(waits)
    assert value(connection, AT_WORK) == 2


def test_the_commands_change_ask_agree_and_refuse(
    database: Database, connection: Connection[Any], dealwright: Command
) -> None:
    def run(*arguments: str, code: int = 0) -> Any:
        answer = dealwright(*arguments, "--json", expect=code)
        return json.loads(answer.out or answer.err)

    assert run("policy", "set", "fair", "--use") == {"name": "fair", "proposal_id": None}
    assert [row["name"] for row in run("policy", "list") if row["is_default"]] == ["fair"]
    assert "not JSON" in run("policy", "set", "fair", "--params", "{", code=2)["error"]["message"]
    assert "an object" in run("policy", "set", "fair", "--params", "3", code=2)["error"]["message"]
    assert run("proposal", "list") == {"required": False, "proposals": []}
    assert run("proposal", "require", "--reason", "as agreed") == {"required": True, "proposal_id": None}
    asked = run("model", "promote", "2", "--reason", "better")
    assert asked == {"model_id": 2, "promoted": False, "proposal_id": 1}
    assert [row["proposal_id"] for row in run("proposal", "list")["proposals"]] == [1]
    assert "another person" in run("proposal", "agree", "1", code=1)["error"]["message"]
    person(database, "ben").proposals.agree(1)
    assert value(connection, AT_WORK) == 2
    assert run("policy", "set", "value", "--params", "{}", "--reason", "x")["proposal_id"] == 2
    assert run("proposal", "refuse", "2", "--reason", "not yet")["status"] == "refused"
    assert run("proposal", "require", "--off", "--reason", "x") == {"required": True, "proposal_id": 3}
    assert len(run("proposal", "list", "--all")["proposals"]) == 3
