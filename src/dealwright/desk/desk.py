"""The live desk as a Python object: thin, since the functions and triggers in the database do the work."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dealwright.desk.database import Database
from dealwright.desk.lead import Lead, plain_scalar, plain_values
from dealwright.desk.migrations import MigrationResult, migrate
from dealwright.desk.queries import answered_errors, own_id, run_command
from dealwright.desk.results import (
    Agents,
    Explanation,
    Loaded,
    Models,
    Placement,
    Queue,
    Ranking,
    Replay,
    Row,
    Settlement,
)
from dealwright.desk.statements import query
from dealwright.desk.waiting import Tell, log_wait
from dealwright.errors import InputError, NotFoundError, UnknownNameError
from dealwright.schemas import BOOKING_STATUSES, EMPTY, Dimension, History

if TYPE_CHECKING:
    import polars as pl

    from dealwright.desk.task_book import TaskBook
    from dealwright.desk.training import Training
    from dealwright.learn.classic import ClassicResult
    from dealwright.learn.params import LearnParams

POLICIES = ("value", "classic", "workload", "fair")
NO_MODEL = "no model has been trained yet: agents are not told apart"


class Desk:
    """The live desk of one company.

    Open it with :meth:`open`; as a context manager it closes its connections at the end. The embedded
    database goes on running for other clients.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.migration: MigrationResult | None = None

    @classmethod
    def open(cls, url: str | None = None, home: str | Path | None = None, *, tell: Tell = log_wait) -> Desk:
        """Open the desk in the database at `url`, or in the embedded one under `home`; build it if need be.

        Without arguments the environment decides: ``DATABASE_URL``, else ``DEALWRIGHT_HOME``, else
        ``~/.dealwright``.

        Parameters
        ----------
        tell
            Is told in one line, from another thread, whom this program's work waits for, whenever that takes
            longer than two seconds; by default it goes to the log ``dealwright``.

        Raises
        ------
        DatabaseError
            The database cannot be reached, started or brought up to date.
        """
        if url is None and home is None:
            url = os.environ.get("DATABASE_URL") or None
        place = home or os.environ.get("DEALWRIGHT_HOME") or Path.home() / ".dealwright"
        desk = cls(Database.open(url, Path(place).expanduser(), tell=tell))
        with (
            desk.database.connect() as connection,
            desk.database.watching(connection),
            answered_errors(desk.database.url),
        ):
            desk.migration = migrate(connection, tell=tell)
        return desk

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Desk({self.database!r})"

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    # history and models

    def load(self, history: History, *, deactivate_missing: bool = False) -> Loaded:
        """Take in a history, all of it or nothing; rows that were taken in before change nothing.

        Parameters
        ----------
        deactivate_missing
            Deactivate the agents that are not in it; who is in a later one comes back.
        """
        from dealwright.desk.load import load_history

        with self._connection() as connection:
            return Loaded(load_history(connection, history, deactivate_missing=deactivate_missing))

    def dimensions(self) -> tuple[Dimension, ...]:
        """Return the declared attributes of a lead with the values that are known."""
        return tuple(_dimension(row) for row in self._rows("dimensions"))

    def catch_up(self, as_of: datetime | None = None) -> int:
        """End the assignments without a booking whose follow-up time is over; returns how many.

        New values of open dimensions that could not be counted when their lead came are counted now.

        Parameters
        ----------
        as_of
            Over at this moment, if that is before now.
        """
        return int(self._rows("catch_up", as_of=as_of)[0]["lapsed"])

    def outcomes(self, *, with_requirements: bool = False) -> pl.DataFrame:
        """Return one row per assignment for learning, with one column per dimension (`OUTCOME_COLUMNS`)."""
        from dealwright.desk.outcomes import read_outcomes

        dimensions = self.dimensions()
        with self._connection() as connection:
            return read_outcomes(connection, dimensions, with_requirements=with_requirements)

    def agent_traits(self) -> pl.DataFrame:
        """Return the numeric traits of every agent, by the desk's own agent_id."""
        import polars as pl

        schema = {"agent_id": pl.Int64, "rating": pl.Float64, "years_of_service": pl.Float64}
        return pl.DataFrame(self._rows("traits"), schema=schema)

    def agent_workloads(self) -> pl.DataFrame:
        """Return rating, years of service, department, open assignments and capacity of every agent."""
        import polars as pl

        return pl.DataFrame(self._rows("agent_workloads"), infer_schema_length=None)

    def agent_names(self) -> dict[int, str]:
        """Return the name of every agent, by the desk's own agent_id."""
        return {row["agent_id"]: row["name"] for row in self._rows("agent_names")}

    def train(
        self,
        params: LearnParams | None = None,
        *,
        as_of: datetime | None = None,
        promote: bool | None = None,
        seed: int = 0,
    ) -> Training:
        """Learn the match model from what is known, register it, and put it to work if it is better.

        Parameters
        ----------
        as_of
            Only what was known at this moment counts.
        promote
            Put it to work, or not; None lets the outcomes decide.

        Raises
        ------
        EvidenceError
            No outcome is known yet.
        """
        from dealwright.desk.training import train_desk

        return train_desk(self, params=params, as_of=as_of, promote=promote, seed=seed)

    def train_classic(
        self, *, as_of: datetime | None = None, promote: bool = True
    ) -> tuple[int, ClassicResult]:
        """Learn the weights of the classic Match Score; returns the model's id and the weights."""
        from dealwright.desk.training import train_classic

        return train_classic(self, as_of=as_of, promote=promote)

    def evidence(self, *, as_of: datetime | None = None, seed: int = 0) -> Training:
        """Find out what the outcomes can support, without registering a model."""
        from dealwright.desk.training import examine_desk

        return examine_desk(self, as_of=as_of, seed=seed)

    def models(self) -> Models:
        """Return the registered models, newest first."""
        return Models(tuple(self._rows("models")))

    def model(self, model_id: int) -> Row:
        """Return one model whole.

        Raises
        ------
        NotFoundError
            There is no such model.
        """
        rows = self._rows("model", model_id=model_id)
        if not rows:
            raise NotFoundError(f"there is no model {model_id}: `dealwright model list` shows them")
        return rows[0]

    def promoted_model(self, kind: str) -> tuple[int, dict[str, Any]] | None:
        """Return the id and the parameters of the model of a kind that is at work."""
        rows = self._rows("promoted_model", kind=kind)
        return (rows[0]["model_id"], rows[0]["parameters"]) if rows else None

    def load_model(self, kind: str, parameters: Mapping[str, Any], *, promote: bool = True) -> int:
        """Register a model (``value`` or ``classic``) and, unless told otherwise, put it to work."""
        if kind not in ("value", "classic"):
            raise UnknownNameError("kind of model", kind, ("value", "classic"))
        row = self._rows("load_model", kind=kind, parameters=Jsonb(dict(parameters)), promote=promote)[0]
        return int(row["model_id"])

    def load_classic(self, weights: Mapping[str, float], *, promote: bool = True) -> int:
        """Register the nine weights of the classic Match Score as a model."""
        return self.load_model("classic", {"weights": dict(weights)}, promote=promote)

    def promote(self, model_id: int) -> None:
        """Put a registered model to work."""
        self._rows("promote_model", model_id=model_id)

    # tasks of the nightly plan

    @property
    def tasks(self) -> TaskBook:
        """The tasks of the nightly plan."""
        from dealwright.desk.task_book import TaskBook

        return TaskBook(self.database)

    # leads

    def rank(
        self, lead: Lead | Mapping[str, Any], policy: str | None = None, k: int | None = None
    ) -> Ranking:
        """Rank the agents for a lead, whose attributes may be left out; only the first `k` when given."""
        document = self._lead(lead, complete=False)
        self._check_policy(policy)
        if k is not None and (isinstance(k, bool) or not hasattr(k, "__index__")):
            raise InputError(f"k must be a whole number, not {k!r} of type {type(k).__name__}")
        k = None if k is None else operator.index(k)
        if k is not None and not 1 <= k < 2**31:
            raise InputError(f"k must be at least 1 and below 2,147,483,648, not {k}")
        rows = self._rows("rank", lead=Jsonb(document), policy=policy, k=k)
        used = self._rows("policy", policy=policy)[0]
        return Ranking(
            policy=used["policy"],
            model=used["model_id"],
            evidence=_evidence_text(used["evidence"]),
            lead=document,
            ranking=tuple(_own(row, "agent_id") for row in rows),
        )

    def assign(self, lead: Lead | Mapping[str, Any], policy: str | None = None) -> Placement:
        """Record a lead and give it to the best eligible agent with room; otherwise it waits."""
        return next(self.assign_all([lead], policy))

    def assign_all(
        self, leads: Iterable[Lead | Mapping[str, Any]], policy: str | None = None
    ) -> Iterator[Placement]:
        """Assign leads one after the other, each in a transaction of its own; all are checked first."""
        documents = [self._lead(lead, complete=True) for lead in leads]
        self._check_policy(policy)
        with self._connection(autocommit=True) as connection:
            for document in documents:
                placed = run_command(connection, "assign", {"lead": Jsonb(document), "policy": policy})
                yield self._placement(connection, placed)

    def settle(
        self,
        booking: int | str,
        status: str,
        *,
        base_revenue: float | Decimal | None = None,
        package_revenue: float | Decimal | None = None,
        total_revenue: float | Decimal | None = None,
    ) -> Settlement:
        """Settle a booking (``confirmed``, ``cancelled``), or reopen it (``pending``)."""
        if status not in BOOKING_STATUSES:
            raise UnknownNameError("booking status", status, BOOKING_STATUSES)
        change: dict[str, Any] = {
            "status": status,
            "base_revenue": _amount(base_revenue, "base revenue"),
            "package_revenue": _amount(package_revenue, "package revenue"),
            "total_revenue": _amount(total_revenue, "total revenue"),
        }
        change["booking_id"] = self._find("booking", booking)
        with self._connection(autocommit=True) as connection:
            row = self._fetch(connection, "settlement", run_command(connection, "settle", change))[0]
        return Settlement(_own(row, "assignment_id", "booking_id", "agent_id"))

    def reassign(self, assignment: int | str, reason: str) -> Placement:
        """Give an open assignment's lead to the best other agent with room."""
        assignment_id = self._find("assignment", assignment)
        with self._connection() as connection:
            change = {"assignment_id": assignment_id, "reason": reason}
            return self._placement(connection, self._fetch(connection, "reassign", change)[0])

    # views

    def agents(self, policy: str | None = None) -> Agents:
        """Return the agents with their workload, ranked under a policy for a lead nothing is known of."""
        self._check_policy(policy)
        rows = self._rows("agents", policy=policy)
        used = self._rows("policy", policy=policy)[0]["policy"]
        return Agents(used, tuple(_own(row, "agent_id") for row in rows))

    def queue(self, k: int | None = None) -> Queue:
        """Return the leads that wait for a place, most urgent first."""
        return Queue(tuple(self._rows("queue", k=k)))

    def counts(self) -> Row:
        """Return how many agents, assignments, bookings and waiting leads there are."""
        return self._rows("counts")[0]

    def explain(self, assignment: int | str) -> Explanation:
        """Say why an assignment went where it went, and what would have changed it."""
        answer = self._rows("explain", assignment_id=self._find("assignment", assignment))[0]["answer"]
        return Explanation(self._renamed({**answer, "assignment_id": own_id(str(assignment))}))

    def replay(self, assignment: int | str) -> Replay:
        """Recompute a decision from its record; it must come out the same."""
        answer = self._rows("replay", assignment_id=self._find("assignment", assignment))[0]["answer"]
        return Replay(self._renamed({**answer, "assignment_id": own_id(str(assignment))}))

    # inside

    @contextmanager
    def _connection(self, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
        with (
            self.database.connection(autocommit=autocommit) as connection,
            answered_errors(self.database.url),
        ):
            yield connection

    def _rows(self, query_name: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._connection() as connection:
            return self._fetch(connection, query_name, parameters)

    def _fetch(self, connection: Connection[Any], name: str, parameters: Row) -> list[dict[str, Any]]:
        with answered_errors(self.database.url):
            return connection.cursor(row_factory=dict_row).execute(query(name), parameters).fetchall()

    def _placement(self, connection: Connection[Any], placed: Row) -> Placement:
        row = self._fetch(connection, "placement", placed)[0]
        return Placement(_own(row, "assignment_id", "booking_id", "agent_id"))

    def _find(self, kind: str, name: int | str) -> int:
        _check_id(kind, name)
        rows = self._rows(f"find_{kind}", name=str(name))
        if not rows:
            raise NotFoundError(f"there is no {kind} {name}: the answer of `dealwright assign` shows the ids")
        return int(rows[0]["id"])

    def _check_policy(self, policy: str | None) -> None:
        if policy is not None and policy not in POLICIES:
            raise UnknownNameError("policy", policy, POLICIES)

    def _lead(self, lead: Lead | Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
        """Check a lead against the declared dimensions, before the database does, to say what was meant."""
        if not isinstance(lead, Lead | Mapping):
            raise InputError(f"a lead is a Lead or a mapping, not of type {type(lead).__name__}")
        document = plain_values(lead.to_dict() if isinstance(lead, Lead) else lead, "lead")
        attributes = document.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise InputError('attributes must be a mapping such as {"destination": "Mars"}')
        if document.get("idempotency_key") == "":
            raise InputError(
                "idempotency_key is empty: leave it out, or send a key of its own with every enquiry"
            )
        dimensions = {item.name: item for item in self.dimensions()}
        for name, value in attributes.items():
            if name not in dimensions:
                raise UnknownNameError("dimension", name, dimensions)
            if not _is_empty(value):
                _check_value(dimensions[name], value)
        if complete:
            if not str(document.get("customer_name") or "").strip():
                raise InputError("a lead needs the customer's name (--customer NAME)")
            missing = [
                item for item in dimensions.values() if item.required and _is_empty(attributes.get(item.name))
            ]
            if missing:
                raise InputError(
                    f"the lead says nothing about {', '.join(item.name for item in missing)}: give a value, "
                    f"for example --set {missing[0].name}={_quoted(missing[0].values)}"
                )
        return document

    def _renamed(self, answer: Any) -> Any:
        """Replace the desk's agent ids in an answer by what the user calls the agents."""
        found: set[int] = set()
        _walk(answer, found.add)
        rows = self._rows("own_names", ids=sorted(found))
        names = {row["agent_id"]: own_id(row["own_id"]) for row in rows}
        return _walk(answer, lambda agent_id: names.get(agent_id, agent_id))


def _check_id(kind: str, name: Any) -> None:
    if isinstance(name, bool) or not (isinstance(name, str) or hasattr(name, "__index__")):
        raise InputError(
            f"the id of the {kind} must be a whole number or a text, not of type {type(name).__name__}"
        )
    plain_scalar(str(name), f"the id of the {kind}")


def _amount(amount: Any, name: str) -> Decimal | None:
    """Check an amount: any number of Python's or NumPy's, to the cent."""
    exact = (
        amount if isinstance(amount, Decimal) and amount.is_finite() else plain_scalar(amount, f"the {name}")
    )
    if exact is None:
        return None
    if isinstance(exact, bool | str):
        raise InputError(f"the {name} must be a number, not {amount!r} of type {type(amount).__name__}")
    if not 0 <= exact < 1e12:
        raise InputError(f"the {name} must be an amount of at least 0 and below 1e12, not {amount}")
    return Decimal(str(exact))


def _walk(value: Any, rename: Any) -> Any:
    """Apply `rename` to every agent_id in a nested answer."""
    if isinstance(value, dict):
        return {
            name: rename(item) if name == "agent_id" and item is not None else _walk(item, rename)
            for name, item in value.items()
        }
    return [_walk(item, rename) for item in value] if isinstance(value, list) else value


def _own(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: own_id(value) if name in names else value for name, value in row.items()}


def _dimension(row: Row) -> Dimension:
    found = Dimension(
        row["name"],
        tuple(row["allowed"] or ()),
        is_open=row["is_open"],
        required=row["required"],
        at_arrival=row["at_arrival"],
        edges=tuple(row["edges"]),
    )
    return replace(found, values=(*found.values, EMPTY)) if found.has_empty else found


def _is_empty(value: Any) -> bool:
    """Whether an attribute says nothing."""
    return value is None or str(value).strip() in ("", EMPTY)


def _check_value(dimension: Dimension, value: Any) -> None:
    """Refuse what a dimension cannot be, in the words of who gave it."""
    if str(value).strip() in dimension.values or (dimension.is_open and not isinstance(value, dict | list)):
        return
    if not dimension.edges:
        raise UnknownNameError(f"value of {dimension.name}", value, dimension.values)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{dimension.name} must be a number, not {value!r}")


def _quoted(values: tuple[str, ...]) -> str:
    value = values[0] if values else "VALUE"
    return f'"{value}"' if " " in value else value


def _evidence_text(evidence: Mapping[str, Any] | None) -> str:
    if not evidence:
        return NO_MODEL
    return str(evidence.get("text") or evidence.get("verdict") or NO_MODEL)
