"""The roles of a desk: who may place, plan, read, and see only their own work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import dict_row

from dealwright.desk.upgrade import act_as_owner, beside_work
from dealwright.desk.waiting import log_wait
from dealwright.errors import DatabaseError

ROLES: Mapping[str, str] = {
    "dealwright_app": "places, settles and ranks; sees no revenue, writes no counter",
    "dealwright_agent": "sees and settles their own work only",
    "dealwright_manager": "runs the floor: what an application and a reader may, and reports on tasks",
    "dealwright_planner": "takes in histories, trains, publishes the plan; sees everything",
    "dealwright_reader": "sees everything, writes nothing",
    "dealwright_owner": "owns the desk: may do everything, upgrades included",
}
_GRANTS = ("nobody", "everybody", "app", "agent", "reader", "planner", "manager", "rows")


@dataclass(frozen=True)
class Grant:
    """What a role may do to one thing.

    Attributes
    ----------
    privilege
        As PostgreSQL names it: ``execute``, ``select``, ``insert``, ``update``.
    object
        A function, table or view of the schema ``dealwright``.
    columns
        The columns it is for; none: the whole.
    """

    role: str
    privilege: str
    object: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """The roles of a desk as they are.

    Attributes
    ----------
    created
        Those that were not there before.
    grants
        What each may do; ``dealwright_owner``, who owns it all, is not listed.
    members
        Who is in which role.
    dangers
        What would let somebody past all this, with the statement that ends it.
    """

    created: tuple[str, ...]
    grants: tuple[Grant, ...]
    members: Mapping[str, tuple[str, ...]]
    dangers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON shape of ``dealwright roles``."""
        return {
            "created": list(self.created),
            "roles": [
                {
                    "name": name,
                    "purpose": purpose,
                    "members": list(self.members.get(name, ())),
                    "grants": [
                        {"privilege": g.privilege, "object": g.object, "columns": list(g.columns) or None}
                        for g in self.grants
                        if g.role == name
                    ],
                }
                for name, purpose in ROLES.items()
            ],
            "dangers": list(self.dangers),
        }


def make_roles(connection: Connection[Any]) -> Roles:
    """Make the roles that are missing, and give each what it is for; what it had beyond that stays.

    The desk goes over to ``dealwright_owner``. Safe to repeat, and beside a working desk.

    Parameters
    ----------
    connection
        Outside a transaction; its user owns the desk, or is a superuser.

    Raises
    ------
    DatabaseError
        The user may not create roles or does not own the desk; the message has the statements for who may.
    """
    with connection.transaction():
        created = _create_missing(connection)
        _let_owner_in(connection)
        beside_work(connection, lambda: _hand_over(connection), log_wait)
        return _read(connection, created)


def edition_of_roles() -> str:
    """Return what tells this version of the grants from others."""
    return hashlib.sha256(b"".join(_block(name) for name in _GRANTS)).hexdigest()


def _hand_over(connection: Connection[Any]) -> None:
    """Give the desk to its owner role, and the others their grants."""
    connection.execute(_block("owner"))
    act_as_owner(connection)
    for name in _GRANTS:
        connection.execute(_block(name))
    connection.execute(
        "UPDATE dealwright.schema_functions SET roles = %s || ' ' || checksum", [edition_of_roles()]
    )


@cache
def _blocks() -> dict[str, bytes]:
    text = files("dealwright.desk").joinpath("sql", "roles.sql").read_text(encoding="utf-8")
    _, *blocks = re.split(r"(?m)^-- name: (\w+)\n", text)
    return {name: block.encode() for name, block in zip(blocks[::2], blocks[1::2], strict=True)}


def _block(name: str) -> bytes:
    return _blocks()[name]


def _create_missing(connection: Connection[Any]) -> tuple[str, ...]:
    there = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    missing = [name for name in ROLES if name not in there]
    for name in missing:
        try:
            with connection.transaction():
                connection.execute(f"CREATE ROLE {name} NOLOGIN".encode())
        except errors.DuplicateObject:
            continue  # another desk of this server made it in the same moment
        except errors.InsufficientPrivilege:
            raise DatabaseError(
                f"the user {connection.info.user!r} may not create roles: let an administrator run "
                f"{' '.join(f'CREATE ROLE {role} NOLOGIN;' for role in missing)} "
                f"GRANT dealwright_owner TO {connection.info.user}; then repeat `dealwright roles`"
            ) from None
    return tuple(missing)


def _may_use(connection: Connection[Any], schema: str) -> bool:
    row = connection.execute(
        "SELECT has_schema_privilege('dealwright_owner', %s, 'USAGE')", [schema.strip('"')]
    )
    return row.fetchone() == (True,)


def _grant_use(connection: Connection[Any], schema: str) -> None:
    connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO dealwright_owner".encode())
    if not _may_use(connection, schema):  # a user without the right to pass it on is only warned
        raise errors.InsufficientPrivilege


def _let_owner_in(connection: Connection[Any]) -> None:
    """Let the role own a desk here, and who owns it now go on doing so as a member."""
    row = connection.execute(
        "SELECT r.rolsuper, pg_has_role('dealwright_owner', 'USAGE'), quote_ident(current_database()), "
        "quote_ident(current_user), pg_has_role(n.nspowner, 'USAGE'), quote_ident(v.nspname) "
        "FROM pg_roles AS r CROSS JOIN pg_namespace AS n LEFT JOIN pg_extension AS e ON e.extname = 'vector' "
        "LEFT JOIN pg_namespace AS v ON v.oid = e.extnamespace "
        "WHERE r.rolname = current_user AND n.nspname = 'dealwright'"
    ).fetchone()
    if row is None:
        raise DatabaseError("there is no desk in this database: run `dealwright init` first")
    is_superuser, is_member, database, user, owns, vector_schema = row
    if not owns:
        raise DatabaseError(f"the user {user} does not own this desk: let its owner run `dealwright roles`")
    try:
        if not is_member:
            connection.execute(f"GRANT dealwright_owner TO {user}".encode())
        if not _may_create(connection):
            connection.execute(f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO dealwright_owner".encode())
        if is_superuser:
            connection.execute(f"GRANT USAGE ON SCHEMA {vector_schema} TO dealwright_owner".encode())
            # an import leaves out triggers that find nothing to do
            connection.execute("GRANT SET ON PARAMETER session_replication_role TO dealwright_owner")
        elif not _may_use(connection, vector_schema):
            _grant_use(connection, vector_schema)
    except errors.InsufficientPrivilege:
        raise DatabaseError(
            f"the user {user} may not hand over the desk: let an administrator run "
            f"GRANT dealwright_owner TO {user}; "
            f"GRANT CREATE, TEMPORARY ON DATABASE {database} TO dealwright_owner; "
            f"GRANT USAGE ON SCHEMA {vector_schema} TO dealwright_owner; "
            "then repeat `dealwright roles`"
        ) from None


def _may_create(connection: Connection[Any]) -> bool:
    row = connection.execute(
        "SELECT has_database_privilege('dealwright_owner', current_database(), 'CREATE') "
        "AND has_database_privilege('dealwright_owner', current_database(), 'TEMPORARY')"
    ).fetchone()
    return bool(row and row[0])


def _read(connection: Connection[Any], created: Sequence[str]) -> Roles:
    names = {"roles": list(ROLES)}
    with connection.cursor(row_factory=dict_row) as cursor:
        grants = cursor.execute(_block("granted"), names).fetchall()
        memberships = cursor.execute(_block("members"), names).fetchall()
        dangers = cursor.execute(_block("dangers")).fetchall()
    members: dict[str, tuple[str, ...]] = {}
    for row in memberships:
        members[row["role"]] = (*members.get(row["role"], ()), row["member"])
    return Roles(
        tuple(created),
        tuple(
            Grant(row["role"], row["privilege"], row["object"], tuple(row["columns"] or ())) for row in grants
        ),
        members,
        tuple(f"{row['cause']}: {row['fix']}" for row in dangers),
    )
