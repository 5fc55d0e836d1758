"""Tools for an assistant that speaks the Model Context Protocol: it asks the service with a key of its own.

What it may do is what its key may do, since every tool is a call of the service. A tool that changes
something is offered only to a key that may, and asks the person in front of the assistant each time: an
assistant whose program cannot ask anybody changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from dealwright import __version__
from dealwright.errors import DealwrightError, NotFoundError
from dealwright.service.client import Client

T = TypeVar("T")
_MOST = 50
_RUNS = 10
_READS = ToolAnnotations(read_only_hint=True)
_INSTRUCTIONS = """\
Dealwright decides which agent should sell to which customer. Rankings come with reasons, probabilities and
the interval in which they lie: say the interval with the number, and say what the evidence cannot support.
"""
Id = int | str  # answers hold either, and an assistant sends back what it was told
Attributes = Annotated[
    dict[str, str], Field(description='What is known of the lead, for example {"destination": "Mars"}.')
]


class Confirmation(BaseModel):
    """What the person says to a change."""

    confirmed: bool = Field(description="Do it")


def _ask_assign(customer_name: str, attributes: dict[str, str]) -> Elicit[Confirmation]:
    known = ", ".join(f"{name} {value}" for name, value in attributes.items()) or "nothing known"
    return Elicit(f"Place a lead of {customer_name} ({known})?", Confirmation)


def _ask_reassign(assignment_id: Id, reason: str) -> Elicit[Confirmation]:
    return Elicit(f"Give assignment {assignment_id} to another agent, because: {reason}?", Confirmation)


def _ask_settle(booking_id: Id, status: str) -> Elicit[Confirmation]:
    return Elicit(f"Settle booking {booking_id} as {status}?", Confirmation)


def _ask_start_run(publish: bool = False) -> Elicit[Confirmation]:
    then = " and put its tasks on the desk" if publish else ""
    return Elicit(f"Run the plan{then}?", Confirmation)


def _ask_cancel_run(night_id: int) -> Elicit[Confirmation]:
    return Elicit(f"Call off run {night_id} of the plan?", Confirmation)


def build_assistant(client: Client) -> MCPServer:
    """Build the server of tools that a key may use.

    Raises
    ------
    ServiceError
        The service cannot be reached, or does not know the key.
    """
    scopes = set(client.me()["scopes"])
    server = MCPServer(
        "dealwright", title="Dealwright", instructions=_INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    may_see_runs = bool(scopes & {"manager", "planner", "admin"})
    for needed, tool in _reading(client, may_see_runs=may_see_runs):
        if scopes & {*needed, "admin"}:
            server.add_tool(tool, annotations=_READS)
    for needed, tool in _changing(client):
        if scopes & {*needed, "admin"}:
            server.add_tool(tool, annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
    return server


def _reading(client: Client, *, may_see_runs: bool) -> list[tuple[tuple[str, ...], Callable[..., Any]]]:
    def rank(attributes: Attributes, policy: str | None = None, top: int = 5) -> dict[str, Any]:
        """Rank the agents for a lead, with reasons; nothing is recorded.

        Policies: value, classic, workload, fair; without one the desk's own is used.
        """
        return _told(lambda: client.rank({"attributes": attributes}, policy, top).to_dict())

    def why(assignment_id: Id, why_not_agent: Id | None = None) -> dict[str, Any]:
        """Say why an assignment went to its agent, why not to another one, and what would have changed it."""
        return _told(lambda: client.explain(assignment_id, why_not_agent).to_dict())

    def assignment(assignment_id: Id) -> dict[str, Any]:
        """Return an assignment with its lead, its booking and its state."""
        return _told(lambda: dict(client.assignment(assignment_id)))

    def queue() -> dict[str, Any]:
        """List the leads that wait for an agent, most urgent first."""
        return _told(lambda: {"waiting": list(islice(client.queue(), _MOST))})

    def agents() -> dict[str, Any]:
        """List the agents with their open leads and capacity."""
        return _told(lambda: {"agents": list(islice(client.agents(), 10 * _MOST))})

    def evidence() -> dict[str, Any]:
        """Say what the outcomes can support: whether agents differ beyond chance, and in what."""
        return _told(lambda: dict(client.evidence()))

    def runs() -> dict[str, Any]:
        """List the runs of the plan, newest first: how each stands, and what became of published tasks."""
        return _told(
            lambda: {"runs": list(islice(client.runs(), _RUNS)), "published": list(client.plan_runs(_RUNS))}
        )

    def run_summary(night_id: int | None = None) -> dict[str, Any]:
        """Summarise a run of the plan, by default the last that is done: figures, targets, limits."""
        return _told(lambda: _summary_of(client, night_id))

    def account(account_id: Id, night_id: int | None = None) -> dict[str, Any]:
        """Say what a run decided for an account and why, and what came of its tasks."""
        return _told(lambda: _account_of(client, account_id, night_id, may_see_runs=may_see_runs))

    readers = ("manager", "planner")
    return [
        (("ingest", *readers), rank),
        (("agent", *readers), why),
        (("agent", *readers), assignment),
        (readers, queue),
        (readers, agents),
        (("ingest", "agent", *readers), evidence),
        (readers, runs),
        (readers, run_summary),
        (("agent", *readers), account),
    ]


def _changing(client: Client) -> list[tuple[tuple[str, ...], Callable[..., Any]]]:
    def assign(
        customer_name: str,
        attributes: Attributes,
        answer: Annotated[Confirmation, Resolve(_ask_assign)],
        requirements: str | None = None,
    ) -> dict[str, Any]:
        """Place a lead with the best eligible agent who has room; the person is asked first."""
        _check(answer)
        lead = {"customer_name": customer_name, "attributes": attributes, "requirements": requirements}
        return _told(lambda: client.assign(lead).to_dict())

    def reassign(
        assignment_id: Id, reason: str, answer: Annotated[Confirmation, Resolve(_ask_reassign)]
    ) -> dict[str, Any]:
        """Give an open assignment to the best other agent with room; the person is asked first."""
        _check(answer)
        return _told(lambda: client.reassign(assignment_id, reason).to_dict())

    def settle(
        booking_id: Id,
        status: str,
        answer: Annotated[Confirmation, Resolve(_ask_settle)],
        total_revenue: float | None = None,
    ) -> dict[str, Any]:
        """Settle a booking (confirmed, cancelled) or reopen it (pending); the person is asked first."""
        _check(answer)
        return _told(lambda: client.settle(booking_id, status, total_revenue=total_revenue).to_dict())

    def start_run(
        answer: Annotated[Confirmation, Resolve(_ask_start_run)], publish: bool = False
    ) -> dict[str, Any]:
        """Ask for a run of the plan with the service's own tables; the person is asked first."""
        _check(answer)
        return _told(lambda: dict(client.start_run(publish=publish)))

    def cancel_run(
        night_id: int, answer: Annotated[Confirmation, Resolve(_ask_cancel_run)]
    ) -> dict[str, Any]:
        """Call off a run that waits or is under way; the person is asked first."""
        _check(answer)
        return _told(lambda: dict(client.cancel_run(night_id)))

    return [
        (("manager", "planner"), start_run),
        (("manager", "planner"), cancel_run),
        (("ingest", "manager"), assign),
        (("manager",), reassign),
        (("ingest", "agent", "manager"), settle),
    ]


def _summary_of(client: Client, night_id: int | None) -> dict[str, Any]:
    """Return how a run stands, and its figures and limits once it is done."""
    run = client.run(_last_done(client) if night_id is None else night_id)
    if run["status"] != "done":
        return {"run": run}
    return {
        "run": run,
        "kpis": list(client.run_kpis(run["night_id"])),
        "limits": list(islice(client.run_limits(run["night_id"]), _MOST)),
    }


def _account_of(
    client: Client, account_id: Id, night_id: int | None, *, may_see_runs: bool
) -> dict[str, Any]:
    """Return an account's tasks, and its card of a run for whoever may see one."""
    found: dict[str, Any] = {"tasks": list(client.tasks(account_id=str(account_id)))}
    if may_see_runs:
        last = next(client.runs(status="done"), None) if night_id is None else {"night_id": night_id}
        if last is not None:
            found["card"] = client.run_account(last["night_id"], str(account_id))
    return found


def _last_done(client: Client) -> int:
    found = next(client.runs(status="done"), None)
    if found is None:
        raise NotFoundError("no run of the plan is done yet: ask for one with start_run")
    return int(found["night_id"])


def _check(answer: Confirmation) -> None:
    if not answer.confirmed:
        raise ToolError("the person did not confirm: nothing was done")


def _told(call: Callable[[], T]) -> T:
    """Call the service; what it refuses, the assistant is told in the same words."""
    try:
        return call()
    except DealwrightError as error:
        raise ToolError(str(error)) from error
