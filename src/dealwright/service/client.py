"""The service from Python: the desk's methods over HTTP, tried again wherever that is safe."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dealwright.desk.lead import Lead, plain_values
from dealwright.desk.results import Explanation, Placement, Ranking, Replay, Row, Settlement
from dealwright.errors import ConflictError, DealwrightError, InputError, NotFoundError, ServiceError
from dealwright.extras import require_extra

if TYPE_CHECKING:
    import httpx

_ERRORS: Mapping[int, type[DealwrightError]] = {
    400: InputError,
    404: NotFoundError,
    409: ConflictError,
    413: InputError,
    422: InputError,
}
_LONGEST_PAUSE_S = 10.0


class Client:
    """A desk that is served somewhere else.

    A request is sent again when its connection broke, when the service was busy or its database away. Where
    an answer may have been lost on its way, only what does no harm twice is repeated: reading, settling, and
    leads, each of which gets an idempotency key here if it has none. As a context manager it closes its
    connections at the end.

    Parameters
    ----------
    url
        Of the service, for example ``http://127.0.0.1:8000``.
    key
        A key of the service (``dealwright key create``).
    timeout_s
        How long to wait for one answer.
    attempts
        How often a request is sent at most.

    Raises
    ------
    MissingExtraError
        The extra ``service`` is not installed.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 30.0, attempts: int = 6) -> None:
        require_extra("service", "the client")
        import httpx

        if attempts < 1:
            raise InputError(f"attempts must be at least 1, not {attempts}")
        self.url = url.rstrip("/").removesuffix("/api/v1")
        self._attempts = attempts
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=timeout_s
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # leads

    def assign(self, lead: Lead | Mapping[str, Any], policy: str | None = None) -> Placement:
        """Record a lead and give it to the best eligible agent with room; otherwise it waits."""
        answer = self._call("POST", "/leads", body=_document(lead), query={"policy": policy}, repeatable=True)
        return Placement(answer)

    def assign_many(
        self, leads: Iterable[Lead | Mapping[str, Any]], policy: str | None = None
    ) -> tuple[Placement, ...]:
        """Assign leads in one transaction, all or none, as if they came one after the other."""
        body = {"leads": [_document(lead) for lead in leads], "policy": policy}
        answer = self._call("POST", "/leads/batch", body=body, repeatable=True)
        return tuple(Placement(row) for row in answer["placements"])

    def rank(
        self, lead: Lead | Mapping[str, Any], policy: str | None = None, k: int | None = None
    ) -> Ranking:
        """Rank the agents for a lead, whose attributes may be left out; nothing is recorded."""
        document = plain_values(lead.to_dict() if isinstance(lead, Lead) else lead, "lead")
        body = {"lead": document, "policy": policy, "k": k}
        answer = self._call("POST", "/rankings", body=body, repeatable=True)
        return Ranking(
            answer["policy"], answer["model"], answer["evidence"], answer["lead"], tuple(answer["ranking"])
        )

    def lead(self, lead_id: int) -> Row:
        """Return a lead and who has it."""
        return self._row("GET", f"/leads/{lead_id}")

    def leads(self, *, status: str | None = None) -> Iterator[Row]:
        """Go through the leads, newest first."""
        return self._pages("/leads", {"status": status})

    def settle(self, booking: int | str, status: str, **revenue: float | None) -> Settlement:
        """Settle a booking or reopen it; `revenue` as in `Desk.settle`."""
        body = {"status": status, **revenue}
        return Settlement(self._call("PUT", f"/bookings/{_part(booking)}", body=body, repeatable=True))

    # assignments

    def assignments(self, *, agent: int | str | None = None, status: str | None = None) -> Iterator[Row]:
        """Go through the assignments, newest first."""
        return self._pages("/assignments", {"agent": agent, "status": status})

    def assignment(self, assignment: int | str) -> Row:
        """Return an assignment with its lead and booking."""
        return self._row("GET", f"/assignments/{_part(assignment)}")

    def explain(self, assignment: int | str, agent: int | str | None = None) -> Explanation:
        """Say why an assignment went to its agent, and what would have changed that."""
        path = f"/assignments/{_part(assignment)}/explanation"
        return Explanation(self._call("GET", path, query={"agent": agent}))

    def replay(self, assignment: int | str) -> Replay:
        """Recompute a decision from its record; it must come out the same."""
        return Replay(self._call("GET", f"/assignments/{_part(assignment)}/replay"))

    def contact(self, assignment: int | str) -> Row:
        """Record that the agent reached the customer; the first time counts."""
        return self._row("POST", f"/assignments/{_part(assignment)}/contact", repeatable=True)

    def accept(self, assignment: int | str) -> Row:
        """Take a lead that was offered; return since when."""
        return self._row("POST", f"/assignments/{_part(assignment)}/accept", repeatable=True)

    def decline(self, assignment: int | str, reason: str) -> Placement:
        """Give a lead that its agent declines to the next one, or back to the queue."""
        path = f"/assignments/{_part(assignment)}/decline"
        return Placement(self._call("POST", path, body={"reason": reason}))

    def reassign(
        self,
        assignment: int | str,
        reason: str,
        *,
        agent: int | str | None = None,
        override: bool = False,
    ) -> Placement:
        """Give an open assignment's lead to the best other agent with room, or to `agent`.

        Parameters
        ----------
        override
            The limits do not hold for `agent`; the record says which were in the way.
        """
        path = f"/assignments/{_part(assignment)}/reassign"
        body = {"reason": reason, "agent_id": agent, "override": override}
        return Placement(self._call("POST", path, body=body))

    def assign_to(self, lead_id: int, agent: int | str, reason: str, *, override: bool = False) -> Placement:
        """Give a recorded lead, waiting or with somebody else, to the agent you name."""
        body = {"agent_id": agent, "reason": reason, "override": override}
        return Placement(self._call("POST", f"/leads/{lead_id}/assign", body=body))

    # people

    def agents(self) -> Iterator[Row]:
        """Go through the agents with their workload."""
        return self._pages("/agents", {})

    def change_agent(self, agent: int | str, **change: Any) -> Row:
        """Change whether an agent gets leads (`active`, `hand_over`), `capacity`, `channels` or `shifts`."""
        return self._row("PATCH", f"/agents/{_part(agent)}", body=change, repeatable=True)

    def changes(self, **filters: str) -> Iterator[Row]:
        """Yield who did what, newest first; filters: ``actor``, ``action``, ``object``, ``object_id``."""
        return self._pages("/audit", filters)

    def contest(self, assignment: int | str, reason: str) -> Row:
        """Contest an outcome: training leaves it out until that is resolved."""
        path = f"/assignments/{_part(assignment)}/contest"
        return dict(self._call("POST", path, body={"reason": reason}))

    def queue(self) -> Iterator[Row]:
        """Go through the leads that wait, most urgent first."""
        return self._pages("/queue", {})

    # what is in force

    def me(self) -> Row:
        """Say whose key this is, and what it is for."""
        return self._row("GET", "/me")

    def why(self, lead_id: int) -> Row:
        """Say why a lead came to the agent whose key this is, or did not."""
        return self._row("GET", "/agents/me/why", query={"lead_id": lead_id})

    def own_rate(self) -> Row:
        """Return the won share of the agent whose key this is, with its 90 % interval."""
        return self._row("GET", "/agents/me/rate")

    def evidence(self) -> Row:
        """Say what the data can support about differences between agents, as the model at work found it."""
        return self._row("GET", "/evidence")

    def plan_runs(self, k: int = 30) -> tuple[Row, ...]:
        """Return the published nights, newest first, with what became of their tasks."""
        return tuple(self._call("GET", "/plan-runs", query={"limit": k})["runs"])

    def tasks(self, **wanted: str | int | None) -> tuple[Row, ...]:
        """Return tasks by `day`, `rep_id`, `account_id` or `status`; by default those of the newest run."""
        return tuple(self._call("GET", "/tasks", query=wanted)["tasks"])

    # runs of the plan

    def start_run(self, **options: Any) -> Row:
        """Ask for a run of the plan; `options` as ``POST /api/v1/runs`` takes them, such as `as_of`.

        With `what_if`, the id of a run, it is that one with `changes` of its people and `params`.
        """
        body = plain_values(options, "run")
        return self._row(
            "POST", "/runs", body=body, headers={"Idempotency-Key": str(uuid.uuid4())}, repeatable=True
        )

    def runs(self, *, status: str | None = None) -> Iterator[Row]:
        """Go through the runs that were asked for, newest first."""
        return self._pages("/runs", {"status": status})

    def run(self, night_id: int) -> Row:
        """Return one run: how far it has come, and how it ended."""
        return self._row("GET", f"/runs/{night_id}")

    def wait_for_run(self, night_id: int, *, timeout_s: float = 86_400.0, poll_s: float = 1.0) -> Row:
        """Wait until a run is over, and return it.

        Raises
        ------
        ServiceError
            It is not over in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.run(night_id)
            if run["ended_at"] is not None:
                return run
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"run {night_id} is still {run['status']} after {timeout_s:g} s: wait longer"
                )
            time.sleep(poll_s)

    def cancel_run(self, night_id: int) -> Row:
        """Call a run off."""
        return self._row("POST", f"/runs/{night_id}/cancel", repeatable=True)

    def run_kpis(self, night_id: int) -> tuple[Row, ...]:
        """Return the key figures of a run with their targets."""
        return tuple(self._call("GET", f"/runs/{night_id}/kpis")["kpis"])

    def run_accounts(self, night_id: int, **wanted: str | None) -> Iterator[Row]:
        """Go through the accounts of a run by `search`, `action`, `channel`, `segment`, `rep_id` …."""
        return self._pages(f"/runs/{night_id}/accounts", wanted)

    def run_account(self, night_id: int, account: str) -> Row:
        """Return the card of an account: what was decided, why, and why not something else."""
        return self._row("GET", f"/runs/{night_id}/accounts/{_part(account)}")

    def run_tasks(self, night_id: int) -> Iterator[Row]:
        """Go through the tasks that a run planned."""
        return self._pages(f"/runs/{night_id}/tasks", {})

    def run_limits(self, night_id: int) -> Iterator[Row]:
        """Go through what holds a run back."""
        return self._pages(f"/runs/{night_id}/limits", {})

    def run_files(self, night_id: int) -> tuple[Row, ...]:
        """Return the names and sizes of a run's files."""
        return tuple(self._call("GET", f"/runs/{night_id}/files")["files"])

    def run_file(self, night_id: int, name: str) -> bytes:
        """Return a file of a run."""
        content: bytes = self._call(
            "GET", f"/runs/{night_id}/files/{quote(name)}", read=lambda answer: answer.content
        )
        return content

    def compare_runs(self, night_id: int, before: int) -> tuple[tuple[Row, ...], Iterator[Row]]:
        """Say what differs from another run: the key figures, and the accounts that changed."""
        path, asked = f"/runs/{night_id}/comparison", {"before": before}
        figures = self._call("GET", path, query={**asked, "limit": 1})["kpis"]
        return tuple(figures), self._pages(path, asked)

    # a day of a run, changed

    def run_day(self, night_id: int, day: date | str) -> Row:
        """Return a day as people have changed it: visits, shifts, calls, what is not made, what it costs."""
        return self._row("GET", f"/runs/{night_id}/day/{day}")

    def try_day_change(self, night_id: int, day: date | str, **change: Any) -> Row:
        """Say what a change would bring, without making it, such as ``kind="move"`` with its fields.

        Raises
        ------
        ConflictError
            A limit forbids it; the message says which.
        """
        body = plain_values(change, "change")
        return self._row("POST", f"/runs/{night_id}/day/{day}/try", body=body, repeatable=True)

    def change_day(self, night_id: int, day: date | str, *, seen: int, **change: Any) -> Row:
        """Change a day that was looked at when `seen` was its newest change."""
        body = {**plain_values(change, "change"), "seen": seen}
        return self._row("POST", f"/runs/{night_id}/day/{day}/changes", body=body)

    def undo_day_change(self, night_id: int, day: date | str, *, seen: int) -> Row:
        """Take back the last change of a day."""
        return self._row("POST", f"/runs/{night_id}/day/{day}/undo", body={"seen": seen})

    def redo_day_change(self, night_id: int, day: date | str, *, seen: int) -> Row:
        """Make the change again that was taken back last."""
        return self._row("POST", f"/runs/{night_id}/day/{day}/redo", body={"seen": seen})

    def replan_day(
        self,
        night_id: int,
        day: date | str,
        *,
        seen: int,
        from_min: int | None = None,
        part: str = "field",
        shifts: bool = False,
    ) -> Row:
        """Plan the rest of a changed day again; what begins before `from_min` stands.

        Parameters
        ----------
        part
            ``"field"`` for the visits, ``"centre"`` for the work and the calls of the contact centre.
        shifts
            Whether people of the contact centre may be asked to work other shifts.
        """
        body = {"seen": seen, "from_min": from_min, "part": part, "shifts": shifts}
        return self._row("POST", f"/runs/{night_id}/day/{day}/replan", body=body)

    def publish_day(self, night_id: int, day: date | str, *, seen: int) -> Row:
        """Put a changed day on the desk, and into the run's folder as its next version."""
        return self._row("POST", f"/runs/{night_id}/day/{day}/publish", body={"seen": seen})

    # territories

    def territory_scenarios(self) -> tuple[Row, ...]:
        """Return the scenarios of territories, newest first."""
        return tuple(self._call("GET", "/territory-scenarios")["scenarios"])

    def territory_scenario(self, scenario_id: int) -> Row:
        """Return a scenario with its figures, those of the standing plan, its territories and its edits."""
        return self._row("GET", f"/territory-scenarios/{scenario_id}")

    def create_territory_scenario(self, name: str, night_id: int | None = None) -> Row:
        """Copy the territories that a run planned, by default the last one, to be edited."""
        body = {"name": name, "night_id": night_id}
        return self._row("POST", "/territory-scenarios", body=body)

    def edit_territory_scenario(self, scenario_id: int, **edit: Any) -> Row:
        """Move accounts, cells or an area, merge two territories, let a representative leave or join."""
        body = plain_values(edit, "edit")
        return self._row("POST", f"/territory-scenarios/{scenario_id}/edits", body=body)

    def undo_territory_edit(self, scenario_id: int) -> Row:
        """Take back the last edit that stands."""
        return self._row("POST", f"/territory-scenarios/{scenario_id}/undo")

    def approve_territory_scenario(self, scenario_id: int, effective_from: date | str) -> Row:
        """Put a scenario in force: runs that plan that day or a later one keep its territories."""
        body = {"effective_from": str(effective_from)}
        return self._row("POST", f"/territory-scenarios/{scenario_id}/approve", body=body)

    def retire_territory_scenario(self, scenario_id: int) -> Row:
        """Have no run keep a scenario any more."""
        return self._row("POST", f"/territory-scenarios/{scenario_id}/retire")

    def scenario_accounts(self, scenario_id: int, **wanted: str | bool | None) -> Iterator[Row]:
        """Go through the accounts of a scenario by `search`, `territory`, `cell` or `moved`."""
        return self._pages(f"/territory-scenarios/{scenario_id}/accounts", wanted)

    # events

    def events(self, after: str | None = None, *, kinds: Iterable[str] = ()) -> Iterator[Row]:
        """Follow the events, from now on or after the one with this id, without an end.

        A connection that breaks is opened again at the event that came last: none is missed or comes twice.
        """
        import httpx

        failures = 0
        while True:
            headers = {} if after is None else {"Last-Event-ID": after}
            try:
                with self._http.stream(
                    "GET", "/events", headers=headers, params={"kind": list(kinds)}
                ) as answer:
                    if answer.status_code != 200:
                        answer.read()
                        if answer.status_code not in (429, 503):
                            raise _error(answer)
                    for line in answer.iter_lines():
                        if line.startswith("data: {"):
                            event = json.loads(line.removeprefix("data: "))
                            after, failures = event["id"], 0
                            yield event
            except httpx.TransportError as error:
                if failures + 1 >= self._attempts:
                    raise self._unreachable(error) from error
            failures += 1
            if failures >= self._attempts:
                raise ServiceError(f"{self.url} ended the stream of events {failures} times: see its log")
            _pause(failures)

    # inside

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Row]:
        after = None
        while True:
            page = self._call("GET", path, query={**query, "after": after, "limit": 500})
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def _row(self, method: str, path: str, **how: Any) -> Row:
        row: Row = self._call(method, path, **how)
        return row

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
        read: Callable[[httpx.Response], Any] = lambda answer: answer.json(),
    ) -> Any:
        """Send a request until it is answered.

        Parameters
        ----------
        repeatable
            It does no harm when it arrives twice.
        read
            What to make of the answer.
        """
        import httpx

        repeatable = repeatable or method == "GET"
        given = {name: value for name, value in (query or {}).items() if value is not None}
        for attempt in range(1, self._attempts + 1):
            try:
                answer = self._http.request(method, path, json=body, params=given, headers=headers)
            except httpx.TransportError as error:
                # who could not connect has sent nothing
                safe = repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if attempt == self._attempts or not safe:
                    raise self._unreachable(error, lost=not safe) from error
                _pause(attempt)
                continue
            if answer.is_success:
                return read(answer)
            again = answer.status_code == 429 or (answer.status_code == 503 and repeatable)
            if attempt == self._attempts or not again:
                raise _error(answer)
            _pause(attempt, answer.headers.get("retry-after"))
        raise AssertionError("unreachable")

    def _unreachable(self, error: Exception, *, lost: bool = False) -> ServiceError:
        hint = (
            "look whether it was done before you send it again"
            if lost
            else "is it running (`dealwright serve`), and is the address right?"
        )
        return ServiceError(f"no answer from {self.url} ({error}): {hint}")


def _document(lead: Lead | Mapping[str, Any]) -> dict[str, Any]:
    document = plain_values(lead.to_dict() if isinstance(lead, Lead) else lead, "lead")
    if document.get("idempotency_key") is None:
        document["idempotency_key"] = str(uuid.uuid4())
    return document


def _part(name: int | str) -> str:
    return quote(str(name), safe="")


def _error(answer: httpx.Response) -> DealwrightError:
    """Return the error of the desk that an answer stands for."""
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = (
            f"{answer.url} answered {answer.status_code} and is no service of Dealwright: check the address"
        )
    return _ERRORS.get(answer.status_code, ServiceError)(detail)


def _pause(attempt: int, told: str | None = None) -> None:
    """Wait longer each time, and not all clients equally long."""
    longest = min(0.1 * 2.0**attempt, _LONGEST_PAUSE_S)
    wanted = float(told) if told and told.isdigit() else 0.0
    time.sleep(max(random.uniform(longest / 2, longest), min(wanted, _LONGEST_PAUSE_S)))  # noqa: S311
