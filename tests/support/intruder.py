"""Somebody with every right on the desk's tables, who writes whatever comes to mind."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from engine import rows
from psycopg import Connection

WORDS = (
    "new", "waiting", "assigned", "withdrawn", "open", "settled", "lapsed", "reassigned", "unknown",
    "pending",
    "confirmed", "cancelled", "won", "lost", "value", "classic", "workload", "fair", "Mars", "Titan",
    "Organic", "destination", "lead_source", "luxury", "planned", "done", "responded", "recounted", "x", "",
)  # fmt: skip
DOCUMENTS = (
    "{}",
    '{"destination": "Mars", "lead_source": "Organic"}',
    '{"destination": "Venus"}',
    '{"seed": 3}',
    '{"window_start": "2026-01-01"}',
    '{"fairness": 0.5}',
    "[]",
    "3",
)
VALUES: Mapping[str, Sequence[str]] = {
    "bigint": ("0", "1", "2", "3", "5", "8", "40", "-1", "999999", "null"),
    "integer": ("0", "1", "2", "3", "7", "-1", "2147483647", "null"),
    "double precision": ("0", "1", "2.5", "-3", "1e9", "'NaN'", "null"),
    "numeric": ("0", "10", "99.99", "1e13", "-1", "null"),
    "boolean": ("true", "false", "null"),
    "timestamp with time zone": ("now()", "'2026-01-01'", "'2081-05-01'", "'infinity'", "null"),
    "timestamp without time zone": ("now()", "'2026-01-01'"),
    "date": ("current_date", "'2026-01-01'"),
    "text": (*(f"'{word}'" for word in WORDS), "null"),
    "jsonb": (*(f"'{document}'" for document in DOCUMENTS), "null"),
    "text[]": ("'{}'", "'{luxury}'", "null"),
    "integer[]": ("'{1}'", "'{1,2}'", "'{1,3,5}'", "'{}'", "null"),
    "bigint[]": ("'{1}'", "'{}'", "null"),
    "double precision[]": ("'{1}'", "'{1,2}'", "'{}'"),
    "vector": ("'[1,2]'", "null"),
    "xid8": ("'1'", "pg_current_xact_id()"),
    "pg_snapshot": ("pg_current_snapshot()",),
    # never one that begins while the test runs: a place that opens without a write is swept up later
    "tstzmultirange": ("null", "'{}'", "'{[2020-01-01,)}'"),
}
VARIABLES = ("writer", "counted_by", "reassigning", "reopening", "settling", "reopening_reason", "lanes")
SAYS = '{"destination": "Mars", "lead_source": "Organic"}'
KATE = f'{{"customer_name": "Kate", "attributes": {SAYS}}}'
CALLS = (
    f"select dealwright.assign_lead('{KATE}')",
    f"insert into dealwright.lead (customer_name, attributes) values ('Ida', '{SAYS}')",
    "select * from dealwright.settle_booking({id}, '{status}', {amount})",
    "select * from dealwright.reassign({id}, 'ill')",
    "select * from dealwright.decline({id}, 'no')",
    "select dealwright.contact({id})",
    "select dealwright.deactivate_agent({id}, true)",
    "select dealwright.activate_agent({id})",
    "select dealwright.return_unanswered()",
    "insert into dealwright.agent (name, capacity) values ('Eve', {amount})",
    "delete from dealwright.lead where lead_id = {id}",
)  # fmt: skip


class Intruder:
    """Draws statements; the same seed draws the same ones from the same desk."""

    def __init__(self, connection: Connection[Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.tables: dict[str, list[tuple[str, str]]] = {}
        for row in rows(
            connection,
            "select c.relname, a.attname, format_type(a.atttypid, null) as type from pg_class as c "
            "join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where c.relnamespace = 'dealwright'::regnamespace and c.relkind in ('r', 'p') "
            "order by c.relname, a.attnum",
        ):
            self.tables.setdefault(row["relname"], []).append((row["attname"], row["type"]))
        self.ids = [1]

    def look(self, connection: Connection[Any]) -> None:
        """Look which numbers there are, so as to hit something."""
        found = rows(
            connection,
            "select lead_id as id from dealwright.lead union select assignment_id from dealwright.assignment "
            "union select booking_id from dealwright.booking union select agent_id from dealwright.agent "
            "order by 1",
        )
        self.ids = [row["id"] for row in found] or [1]

    def statement(self) -> str:
        """Return the next statement."""
        return self.random.choices(
            (self._update, self._insert, self._delete, self._truncate, self._set, self._call, self._together),
            (36, 14, 8, 4, 8, 30, 6),
        )[0]()

    def _table(self) -> str:
        # the book of record more often than the rest
        return self.random.choice([*self.tables, "agent", "lead", "assignment", "booking"] * 2)

    def _value(self, column: str, kind: str) -> str:
        choices = VALUES.get(kind, ("null",))
        if kind == "bigint" and self.random.random() < 0.3:
            return str(self.random.choice(self.ids))
        if kind in ("bigint", "integer") and self.random.random() < 0.2:
            return f"{column} + {self.random.choice((-1, 1))}"
        return self.random.choice(choices)

    def _where(self, table: str) -> str:
        if self.random.random() < 0.15:
            return ""
        column, kind = self.random.choice(self.tables[table][:8])
        if self.random.random() < 0.6:
            column, kind = self.tables[table][0]
        value = str(self.random.choice(self.ids)) if kind == "bigint" else self._value(column, kind)
        return f" where {column} = {value}" if value != "null" else f" where {column} is null"

    def _together(self) -> str:
        first, second, third = (
            self._update() if self.random.random() < 0.5 else self._call() for _ in range(3)
        )
        return (
            f"begin; {first}; savepoint a; {self._set()}; {second}; rollback to a; "
            f"{third}; {self.random.choice(('commit', 'rollback'))}"
        )

    def _update(self) -> str:
        table = self._table()
        chosen = self.random.sample(
            self.tables[table], min(self.random.choice((1, 1, 2, 3)), len(self.tables[table]))
        )
        settings = ", ".join(f"{column} = {self._value(column, kind)}" for column, kind in chosen)
        return f"update dealwright.{table} set {settings}{self._where(table)}"

    def _insert(self) -> str:
        table = self._table()
        chosen = [item for item in self.tables[table] if self.random.random() < 0.6] or self.tables[table][:1]
        values = ", ".join(
            "default" if self.random.random() < 0.3 else self._value("null", kind) for _, kind in chosen
        )
        return f"insert into dealwright.{table} ({', '.join(c for c, _ in chosen)}) values ({values})"

    def _delete(self) -> str:
        table = self._table()
        return f"delete from dealwright.{table}{self._where(table)}"

    def _truncate(self) -> str:
        return f"truncate dealwright.{self._table()}{self.random.choice(('', ' cascade'))}"

    def _set(self) -> str:
        value = self.random.choice(("x", "1", "", "3 17", "1 1", str(self.random.getrandbits(48))))
        return f"set dealwright.{self.random.choice(VARIABLES)} = '{value}'"

    def _call(self) -> str:
        return (
            self.random.choice(CALLS)
            .replace("{id}", str(self.random.choice(self.ids)))
            .replace("{status}", self.random.choice(("pending", "confirmed", "cancelled")))
            .replace("{amount}", str(self.random.randint(0, 9)))
        )
