"""What backup, restore and migration say, and whose roles a restore makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealwright.desk.backup import Backup, failure
from dealwright.desk.migrations import MigrationResult
from dealwright.desk.restore import Restored, _Script


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("pg_dump: error: aborting because of server version mismatch", "use its own pg_dump"),
        ("ERROR: canceling statement due to lock timeout", "let them end, and try again"),
        ("ERROR: cannot execute CREATE TABLE in a read-only transaction", "restore into the server that it"),
        ("could not write: No space left on device", "Make room, and try again"),
    ],
)
def test_a_failure_says_what_to_do(words: str, hint: str) -> None:
    message = str(failure("it was not written", f"{words}\n", "postgresql://anna@host/desk"))
    said, ours = message.rsplit("\n", 1)
    assert said == f"it was not written; PostgreSQL says:\n  {words}"
    assert hint in ours


def test_a_failure_has_the_last_four_lines_and_no_password() -> None:
    words = "".join(f"line {i} of anna:hush4711\n" for i in range(6))
    message = str(failure("no", words, "postgresql://anna:hush4711@host/desk"))
    assert message.count("\n") == 4
    assert "line 2 " in message
    assert "line 5 " in message
    assert "hush4711" not in message


def test_one_is_not_called_many() -> None:
    file = Path("desk.backup")
    written = Backup(file, 3 * 2**19, schema=4, agents=1, assignments=2, bookings=1, waiting=0)
    assert written.summary() == "desk.backup: 1 agent, 2 assignments, 1 booking in 1.5 MiB"
    back = Restored(file, 4, 0, agents=1_200, assignments=1, bookings=0, waiting=0)
    assert back.summary() == "restored 1,200 agents, 1 assignment, 0 bookings from desk.backup"
    missing = Restored(file, 4, 0, 1, 1, 1, 0, roles_missing=("anna", "ben"))
    assert missing.summary().splitlines()[1] == (
        "this server has no anna, ben: create them, and give them their rights again"
    )
    assert missing.to_dict()["roles_missing"] == ["anna", "ben"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (MigrationResult(3, 3, (), functions_replaced=False), "schema 3: nothing to do"),
        (MigrationResult(0, 3, (), functions_replaced=True), "schema 3 created"),
        (MigrationResult(3, 3, (), functions_replaced=True), "schema 3: functions replaced"),
        (
            MigrationResult(2, 3, ("0003_x",), functions_replaced=True),
            "migrated from schema 2 to 3 (0003_x)",
        ),
        (
            MigrationResult(3, 3, (), functions_replaced=False, ids_rebased=True),
            "came from another server: its events and decisions are carried on",
        ),
        (
            MigrationResult(2, 3, ("0003_x", "0004_y"), functions_replaced=True, ids_rebased=True),
            (
                "migrated from schema 2 to 3 (0003_x, 0004_y); "
                "came from another server: its events and decisions are carried on"
            ),
        ),
    ],
)
def test_a_migration_says_what_was_done(result: MigrationResult, words: str) -> None:
    assert result.summary() == words
    assert result.changed is (words != "schema 3: nothing to do")


ACL = b"-- Name: TABLE agent; Type: ACL; Schema: dealwright; Owner: -\n"
POLICY = b"-- Name: agent own; Type: POLICY; Schema: dealwright; Owner: -\n"


def test_roles_of_dealwright_are_made_once_and_nobody_elses() -> None:
    script = _Script(roles={"public"}, may_create_roles=True, version=18)
    script.passed(ACL)
    grant = b"GRANT SELECT ON TABLE dealwright.agent TO %s;\n"
    assert script.passed(grant % b"dealwright_app") == (
        b"CREATE ROLE dealwright_app NOLOGIN;\n" + grant % b"dealwright_app"
    )
    assert script.passed(grant % b"dealwright_app") == grant % b"dealwright_app"
    assert script.passed(grant % b"PUBLIC") == grant % b"PUBLIC"
    assert script.passed(grant % b'"An ""A"""') == b""
    assert script.missing == {'An "A"'}
    script.passed(POLICY)
    policy = b"CREATE POLICY own ON dealwright.agent TO dealwright_app, dealwright_agent USING (true);\n"
    assert script.passed(policy) == b"CREATE ROLE dealwright_agent NOLOGIN;\n" + policy


def test_who_may_not_make_roles_goes_without_their_rights() -> None:
    script = _Script(roles={"public"}, may_create_roles=False, version=18)
    script.passed(ACL)
    assert script.passed(b"GRANT SELECT ON TABLE dealwright.agent TO dealwright_app;\n") == b""
    assert script.missing == {"dealwright_app"}
