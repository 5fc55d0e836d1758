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
from dealwright.errors import DealwrightError
from dealwright.service.client import Client

T = TypeVar("T")
_MOST = 50
_READS = ToolAnnotations(read_only_hint=True)
_INSTRUCTIONS = """\
Dealwright decides which agent should sell to which customer. Rankings come with reasons, probabilities and
the interval in which they lie: say the interval with the number, and say what the evidence cannot support.
"""
Id = str
Attributes = Annotated[
    dict[str, str], Field(description='What is known of the lead, for example {"destination": "Mars"}.')
]


class Confirmation(BaseModel):
    """What the person says to a change."""

    confirmed: bool = Field(description="Do it")


def _ask_assign(customer_name: str, attributes: dict[str, str]) -> Elicit[Confirmation]:
    known = ", ".join(f"{name} {value}" for name, value in attributes.items()) or "nothing known"
    return Elicit(f"Place a lead of {customer_name} ({known})?", Confirmation)


def _ask_reassign(assignment_id: str, reason: str) -> Elicit[Confirmation]:
    return Elicit(f"Give assignment {assignment_id} to another agent, because: {reason}?", Confirmation)


def _ask_settle(booking_id: str, status: str) -> Elicit[Confirmation]:
    return Elicit(f"Settle booking {booking_id} as {status}?", Confirmation)


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
    for needed, tool in _reading(client):
        if scopes & {*needed, "admin"}:
            server.add_tool(tool, annotations=_READS)
    for needed, tool in _changing(client):
        if scopes & {*needed, "admin"}:
            server.add_tool(tool, annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
    return server


def _reading(client: Client) -> list[tuple[tuple[str, ...], Callable[..., Any]]]:
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
        """List the published nights, newest first, with what became of their tasks."""
        return _told(lambda: {"runs": list(client.plan_runs(10))})

    def account(account_id: Id) -> dict[str, Any]:
        """List the tasks that were planned for an account: what, by whom, why, and what came of it."""
        return _told(lambda: {"tasks": list(client.tasks(account_id=account_id))})

    readers = ("manager", "planner")
    return [
        (("ingest", *readers), rank),
        (("agent", *readers), why),
        (("agent", *readers), assignment),
        (readers, queue),
        (readers, agents),
        (("ingest", "agent", *readers), evidence),
        (readers, runs),
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

    return [
        (("ingest", "manager"), assign),
        (("manager",), reassign),
        (("ingest", "agent", "manager"), settle),
    ]


def _check(answer: Confirmation) -> None:
    if not answer.confirmed:
        raise ToolError("the person did not confirm: nothing was done")


def _told(call: Callable[[], T]) -> T:
    """Call the service; what it refuses, the assistant is told in the same words."""
    try:
        return call()
    except DealwrightError as error:
        raise ToolError(str(error)) from error
