"""How an upgrade goes on beside a working desk, and leaves alone what is not its own.

Whoever calls a function of ``sql/api`` holds, until the transaction ends, a shared lock that an upgrade
takes exclusively: it waits for those who are at work, and those who come meanwhile wait for it, holding
nothing yet. Whoever writes a table directly is waited for by the table's lock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, sql

from dealwright.desk.edition import Edition, still_needed
from dealwright.desk.waiting import PATIENCE_S, Tell, name_holders, read_holders
from dealwright.errors import DatabaseError

# whoever places, settles or corrects locks one of these first
_WRITTEN = ("dealwright.lead", "dealwright.booking", "dealwright.assignment", "dealwright.agent")
_GATE = b"SELECT pg_advisory_xact_lock(hashtext('dealwright upgrade'), 0)"
_ATTEMPTS = 200
# the longest that others may be held up before the work itself begins; and where that was too short time and
# again, at a busy desk or on a slow machine
_SHORTEST_S, _LONGEST_S, _AFTER_TRYING_S, _TRIED = 0.2, 0.5, 0.8, 10
LEAVE_S = 5.0
# of a deadlock it is this side that gives way, and the whole attempt is made again
_GAVE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

# otherwise a name depends on who asks: vector, or public.vector
_NAMES_IN_FULL = b"SET LOCAL search_path = pg_catalog"
# a routine that is put in place gets another version of its row, even where its text is the same
_ROUTINES = b"""
SELECT p.oid::regprocedure::text, p.xmin::text || p.ctid::text
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname IN ('dealwright', 'dealwright_engine')
"""
_TRIGGERS = b"""
SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger AS t
JOIN pg_proc AS p ON p.oid = t.tgfoid JOIN pg_namespace AS f ON f.oid = p.pronamespace
JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal
  -- partitions are guarded as they are made (sql/engine/months.sql)
  AND NOT c.relispartition
  AND f.nspname IN ('dealwright', 'dealwright_engine') AND n.nspname IN ('dealwright', 'dealwright_engine')
"""
_GRANTS = b"""
SELECT o.kind, o.oid, o.name, o.own_name, o.acl IS NULL, array(
    SELECT ARRAY[r.rolname, g.privilege_type, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END]
    FROM aclexplode(o.acl) AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee
    WHERE g.grantee <> o.owner)
FROM (
    SELECT 'ROUTINE', p.oid, p.oid::regprocedure::text, n.nspname || '.' || p.proname, p.proowner, p.proacl
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('dealwright', 'dealwright_engine')
    UNION ALL
    SELECT 'TABLE', c.oid, c.oid::regclass::text, n.nspname || '.' || c.relname, c.relowner, c.relacl
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('dealwright', 'dealwright_engine') AND c.relkind IN ('r', 'v', 'm', 'p')
) AS o (kind, oid, name, own_name, owner, acl)
"""
_OTHERS = b"""
SELECT array_agg(l.virtualtransaction) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid()
  AND a.datid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
"""


_OWNER = b"""
SELECT quote_ident(r.rolname) FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
WHERE n.nspname = 'dealwright' AND r.rolname = 'dealwright_owner' AND pg_has_role(r.oid, 'MEMBER')
"""
# whom nobody has granted or revoked anything: everybody may run them
_OPEN_TO_ALL = b"""
SELECT p.oid::regprocedure::text FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname IN ('dealwright', 'dealwright_engine') AND p.proacl IS NULL
"""


def act_as_owner(connection: Connection[Any]) -> None:
    """Let what this transaction makes belong to the owner of the desk, whoever of its members connects."""
    for (owner,) in connection.execute(_OWNER).fetchall():
        connection.execute(f"SET LOCAL ROLE {owner}".encode())


def leave_to_owner(connection: Connection[Any], before: dict[str, str]) -> None:
    """Leave what was put in place to its owner, whose rights it has, where nobody said anything."""
    placed = routines_in_place(connection)
    open_to_all = [name for (name,) in connection.execute(_OPEN_TO_ALL).fetchall()]
    if names := [name for name in open_to_all if before.get(name) != placed[name]]:
        connection.execute(f"REVOKE EXECUTE ON ROUTINE {', '.join(names)} FROM PUBLIC".encode())


def beside_work(connection: Connection[Any], apply: Callable[[], object], tell: Tell) -> None:
    """Do the work of an upgrade at a moment when nobody is at work, in the transaction of the connection.

    In short attempts: who comes meanwhile goes on after each, and nobody's transaction is ended as the
    victim of a deadlock.

    Raises
    ------
    DatabaseError
        There was no such moment; the message says who was in the way.
    """
    row = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    # past the server's own time somebody else would be ended as the victim of a deadlock
    limit_s = 0.8 * _deadlock_timeout_s(connection)
    tables = _present(connection)
    _send_autovacuum_away(connection, tables)
    told = time.monotonic()
    for attempt in range(_ATTEMPTS):
        try:
            with connection.transaction():
                # placing and settling take the tables in different orders: mostly one, at times the other
                order = tables[::-1] if attempt % 4 == 3 else tables
                longest_s = _LONGEST_S if attempt < _TRIED else _AFTER_TRYING_S
                within_s = min(_SHORTEST_S * 1.25 ** min(attempt, _TRIED), longest_s, limit_s)
                _hold(connection, order, within_s=within_s)
                apply()
        except _GAVE_WAY:
            if time.monotonic() - told >= PATIENCE_S and (holders := _in_the_way(connection, tables)):
                tell(f"the upgrade is waiting for {holders}")
                told = time.monotonic() + 10
            time.sleep(0.05 * random.random())  # noqa: S311
        else:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", row)
            return
    who = _in_the_way(connection, tables) or "one client after the other"
    raise DatabaseError(
        f"the desk is too busy to be upgraded; in the way: {who}. End it (select pg_terminate_backend(PID)), "
        "or try again at a quieter time; nothing was changed"
    )


def _deadlock_timeout_s(connection: Connection[Any]) -> float:
    row = connection.execute("SELECT setting FROM pg_settings WHERE name = 'deadlock_timeout'").fetchone()
    return float(row[0]) / 1000 if row else 1.0


def _present(connection: Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS t (name, place) "
        "WHERE to_regclass(name) IS NOT NULL ORDER BY place",
        [list(_WRITTEN)],
    )
    return [name for (name,) in rows]


def _send_autovacuum_away(connection: Connection[Any], tables: Sequence[str]) -> None:
    """Take a lock that writers do not notice; an autovacuum gives way to it after a second and stays away."""
    timeout_s = _deadlock_timeout_s(connection) + 1
    for table in tables:
        try:
            with connection.transaction():
                _lock(connection, f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE", timeout_s)
        except _GAVE_WAY:
            continue  # whoever it is will be in the way, and be named


def _hold(connection: Connection[Any], tables: Sequence[str], *, within_s: float) -> None:
    """Let nobody begin to work, and wait until nobody is at it: all within a time."""
    deadline = time.monotonic() + within_s
    for table in (None, *tables):
        statement = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE" if table else _GATE.decode()
        _lock(connection, statement, max(deadline - time.monotonic(), 0.01))
    # for what a migration locks beyond these
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(1000 * within_s)}ms"])


def _lock(connection: Connection[Any], statement: str, timeout_s: float) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(1000 * timeout_s)}ms"])
    connection.execute(statement.encode())


def _in_the_way(connection: Connection[Any], tables: Sequence[str]) -> str:
    return name_holders(read_holders(connection, "holders_of_desk", tables=list(tables)))


# what is of this version, and what is no longer


def routines_in_place(connection: Connection[Any]) -> dict[str, str]:
    """Return the routines of the desk's schemas, each with a mark that changes when it is put in place."""
    connection.execute(_NAMES_IN_FULL)
    return dict(connection.execute(_ROUTINES).fetchall())


def retire(connection: Connection[Any], edition: Edition, before: dict[str, str]) -> None:
    """Find what the edition before had and this one has not, and note what this one has.

    Triggers that are gone are dropped at once. The rest may still be wanted by a call that began before the
    upgrade: it is noted, for `drop_retired`.

    Raises
    ------
    DatabaseError
        Something of the company's depends on what would be dropped.
    """
    connection.execute(_NAMES_IN_FULL)
    row = connection.execute("SELECT objects, retired FROM dealwright.schema_functions").fetchone()
    had, retired = (set(row[0]), set(row[1])) if row else (set(), set())
    placed = [name for name, mark in routines_in_place(connection).items() if before.get(name) != mark]
    present = [
        *(f"routine {name}" for name in sorted(placed)),
        *(f"view {name}" for name in edition.view_names),
    ]
    gone = sorted((had | retired) - set(present))
    wanted = set(edition.trigger_names)
    for name, table in connection.execute(_TRIGGERS).fetchall():
        if f"{name} on {table}" not in wanted:
            connection.execute(f'DROP TRIGGER "{name}" ON {table}'.encode())
    try:
        with connection.transaction(force_rollback=True):
            _drop(connection, gone)
    except psycopg.errors.DependentObjectsStillExist as error:
        raise still_needed(error) from error
    connection.execute(
        "INSERT INTO dealwright.schema_functions (checksum, triggers_checksum, objects, retired) "
        "VALUES (%s, %s, %s, %s) ON CONFLICT (only_row) DO UPDATE SET checksum = excluded.checksum, "
        "triggers_checksum = excluded.triggers_checksum, objects = excluded.objects, "
        "retired = excluded.retired, applied_at = now()",
        [edition.checksum, edition.triggers_checksum, present, gone],
    )


def drop_retired(connection: Connection[Any], *, within_s: float) -> None:
    """Drop what this version no longer has, once nobody can still be in the middle of it.

    In transactions of its own. Who does not end within that time is left alone: the next start tries again.
    """
    with connection.transaction():
        row = connection.execute(_OTHERS).fetchone()
    others = list(row[0] or ()) if row else []
    deadline = time.monotonic() + within_s
    while others and time.monotonic() < deadline:
        time.sleep(0.02)
        with connection.transaction():
            rows = connection.execute(
                "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'virtualxid' "
                "AND virtualtransaction = ANY (%s)",
                [others],
            )
            others = [name for (name,) in rows]
    if others:
        return
    try:
        with connection.transaction():
            act_as_owner(connection)
            connection.execute(_NAMES_IN_FULL)
            connection.execute(f"SET LOCAL lock_timeout = '{round(1000 * _LONGEST_S)}ms'".encode())
            row = connection.execute("SELECT retired FROM dealwright.schema_functions FOR UPDATE").fetchone()
            _drop(connection, row[0] if row else [])
            connection.execute("UPDATE dealwright.schema_functions SET retired = '{}' WHERE retired <> '{}'")
    except (*_GAVE_WAY, psycopg.errors.DependentObjectsStillExist):
        pass  # noted: the next start tries again


def _drop(connection: Connection[Any], objects: Sequence[str]) -> None:
    for kind in ("view", "routine", "type"):
        # in one statement: what of it hangs together goes together
        if names := [item.removeprefix(f"{kind} ") for item in objects if item.startswith(f"{kind} ")]:
            connection.execute(f"DROP {kind} IF EXISTS {', '.join(names)}".encode())


# grants


@dataclass(frozen=True)
class Granted:
    """Who may do what with a table, view or routine, beside its owner; `default` where nobody ever said."""

    kind: str
    oid: int
    own_name: str
    default: bool
    grants: Sequence[tuple[str | None, str, str]]  # role (None: everybody), privilege, grant option

    @property
    def to_everybody(self) -> bool:
        """Whether everybody may use it."""
        return any(role is None for role, *_ in self.grants) or (self.default and self.kind == "ROUTINE")


def read_grants(connection: Connection[Any]) -> dict[str, Granted]:
    """Return the grants on everything in the desk's schemas, by name."""
    connection.execute(_NAMES_IN_FULL)
    rows = connection.execute(_GRANTS).fetchall()
    return {
        name: Granted(kind, oid, own_name, default, [(role, what, how) for role, what, how in grants])
        for kind, oid, name, own_name, default, grants in rows
    }


def keep_grants(connection: Connection[Any], before: dict[str, Granted]) -> None:
    """Hand on the company's grants and revokes to what was made anew, or has other parameters now."""
    after = read_grants(connection)
    known = {granted.oid for granted in before.values()}
    for name, now in after.items():
        if now.oid in known:
            continue
        then = before.get(name) or next(
            (old for other, old in before.items() if old.own_name == now.own_name and old.kind == now.kind),
            None,
        )
        if then is None or then.default:
            continue
        if now.kind == "ROUTINE" and not then.to_everybody and now.to_everybody:
            connection.execute(f"REVOKE ALL ON ROUTINE {name} FROM PUBLIC".encode())
        for role, what, how in then.grants:
            if role is not None:
                connection.execute(
                    sql.SQL("GRANT {} ON {} {} TO {}{}").format(
                        sql.SQL(what), sql.SQL(now.kind), sql.SQL(name), sql.Identifier(role), sql.SQL(how)
                    )
                )
