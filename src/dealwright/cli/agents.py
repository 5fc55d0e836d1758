"""Commands about agents: who is there and how busy, activate, deactivate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, Policy, console, note, open_desk, write_json
from dealwright.cli.help import App
from dealwright.cli.leads import Top

if TYPE_CHECKING:
    from dealwright.desk.results import Presence

agents_app = App(name="agents", invoke_without_command=True)

Agent = Annotated[str, typer.Argument(metavar="ID", help="Id of the agent, as your own tables have it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(agents_app)


@agents_app.callback()
def agents(context: typer.Context, policy: Policy = None, top: Top = None, as_json: Json = False) -> None:
    """Show the agents with their workload and rank under the current policy; activate or deactivate one."""
    if context.invoked_subcommand is not None:
        return
    with open_desk(context) as desk:
        found = desk.agents(policy)
    rows = found.rows[:top] if top else found.rows
    if as_json:
        write_json([dict(row) for row in rows])
        return
    from dealwright.cli.tables import agents_table

    out = console()
    out.print(agents_table(rows))
    out.print(found.summary())
    if not found.rows:
        note("there are no agents yet: dealwright import --map astra DIR brings some")


@agents_app.command("activate")
def activate(context: typer.Context, agent: Agent, as_json: Json = False) -> None:
    """Let an agent get leads again, and at once those of the queue that there is room for."""
    with open_desk(context) as desk:
        presence = desk.activate(agent)
    _show(context, presence, as_json=as_json)


@agents_app.command("deactivate")
def deactivate(
    context: typer.Context,
    agent: Agent,
    *,
    hand_over: Annotated[
        bool,
        typer.Option(
            "--hand-over",
            help="Give the open leads to others by the same ranking, or back to the queue.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Let an agent get no more leads; the open ones stay unless they are handed over."""
    with open_desk(context) as desk:
        presence = desk.deactivate(agent, hand_over=hand_over)
    _show(context, presence, as_json=as_json)


def _show(context: typer.Context, presence: Presence, *, as_json: bool) -> None:
    # also where it was written before the command
    if as_json or (context.parent is not None and context.parent.params.get("as_json")):
        write_json(presence.to_dict())
        return
    out = console()
    for row in presence.table_rows():
        place = f"{row['agent_name']} ({row['agent_id']})" if row["agent_name"] else "the queue"
        out.print(
            f"lead {row['lead_id']} of {row['customer_name']}: to {place}", markup=False, soft_wrap=True
        )
    out.print(presence.summary(), markup=False, soft_wrap=True)
