"""Commands about agents: who is there and how busy, activate, deactivate; limits per channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dealwright.cli.context import Json, Policy, console, note, open_desk, write_json
from dealwright.cli.help import App
from dealwright.cli.leads import Top
from dealwright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.desk.results import Presence, Row

agents_app = App(name="agents", invoke_without_command=True)
channels_app = App(name="channels", invoke_without_command=True)

Channel = Annotated[
    str,
    typer.Argument(metavar="CHANNEL", help="A value of the channel's dimension, such as Phone."),
]
Agent = Annotated[str, typer.Argument(metavar="ID", help="Id of the agent, as your own tables have it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(agents_app)
    app.add_typer(channels_app)


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


@channels_app.callback()
def channels(context: typer.Context, as_json: Json = False) -> None:
    """Show the channels with limits; set or remove one, for all agents or for one."""
    if context.invoked_subcommand is not None:
        return
    with open_desk(context) as desk:
        found = desk.book.channels()
    _show_channels(context, found, as_json=as_json)


@channels_app.command("set")
def set_channel(
    context: typer.Context,
    channel: Channel,
    *,
    capacity: Annotated[
        str | None,
        typer.Option(
            "--capacity", metavar="N", help="How many open leads of it an agent may have, or none: no limit."
        ),
    ] = None,
    places: Annotated[
        int, typer.Option("--places", help="How many places of an agent's capacity one lead takes.")
    ] = 1,
    dimension: Annotated[
        str | None,
        typer.Option(
            "--dimension", metavar="NAME",
            help="The dimension of a lead that is the channel; communication_method otherwise.",
        ),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="ID", help="For this agent alone; none: as the channel says again."),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Limit how many open leads of a channel an agent may have, and say what one weighs."""
    if capacity is None and agent is not None:
        raise InputError("give the capacity with --agent: a number, or none for what the channel says")
    number = _number(capacity)
    if agent is not None and (places != 1 or dimension is not None):
        raise InputError("--places and --dimension are the channel's: leave them out with --agent")
    with open_desk(context) as desk:
        if agent is not None:
            desk.book.set_agent_channel(agent, channel, number)
            found = desk.book.channels()
        else:
            found = desk.book.set_channel(channel, capacity=number, places=places, dimension=dimension)
    _show_channels(context, found, as_json=as_json)


@channels_app.command("remove")
def remove_channel(context: typer.Context, channel: Channel, as_json: Json = False) -> None:
    """Take the limits of a channel away, also those of single agents."""
    with open_desk(context) as desk:
        found = desk.book.remove_channel(channel)
    _show_channels(context, found, as_json=as_json)


def _number(text: str | None) -> int | None:
    if text is None or text.casefold() == "none":
        return None
    if not text.isdecimal():
        raise InputError(f"--capacity is a whole number or none, not {text!r}")
    return int(text)


def _show_channels(context: typer.Context, rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json or (context.parent is not None and context.parent.params.get("as_json")):
        write_json([dict(row) for row in rows])
        return
    out = console()
    for row in rows:
        limit = "no limit" if row["capacity"] is None else f"at most {row['capacity']:,} for an agent"
        taken = "" if row["places"] == 1 else f", {row['places']} places each"
        out.print(f"{row['channel']}: {row['open']:,} open, {limit}{taken}", markup=False, soft_wrap=True)
    if not rows:
        out.print("no channel has a limit: dealwright channels set CHANNEL --capacity N sets one")


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
