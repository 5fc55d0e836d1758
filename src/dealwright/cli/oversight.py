"""Commands of people over the machine: pause, resume, contest, erase."""

from __future__ import annotations

from typing import Annotated

import typer

from dealwright.cli.context import Assignment, Json, Reason, answer, note, open_desk, say, write_json
from dealwright.wording import count_of

Agent = Annotated[str | None, typer.Option("--agent", metavar="ID", help="Only this agent.")]
Team = Annotated[
    str | None, typer.Option("--team", metavar="NAME", help="Only this team: the agents' department.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("contest")(contest)
    app.command("erase")(erase)


def pause(
    context: typer.Context,
    *,
    reason: Reason,
    agent: Agent = None,
    team: Team = None,
    as_json: Json = False,
) -> None:
    """Give no leads to an agent, a team or, with neither, to anybody: what comes goes to others or waits."""
    with open_desk(context) as desk:
        paused = desk.oversight.pause(reason, agent=agent, team=team)
    answer(
        {"agents": paused},
        f"{count_of(paused, 'agent')} paused: dealwright resume ends that",
        as_json=as_json,
    )


def resume(
    context: typer.Context,
    *,
    reason: Reason,
    agent: Agent = None,
    team: Team = None,
    as_json: Json = False,
) -> None:
    """Give leads again to those who were paused, at once those that wait."""
    with open_desk(context) as desk:
        resumed = desk.oversight.resume(reason, agent=agent, team=team)
    answer({"agents": resumed}, f"{count_of(resumed, 'agent')} no longer paused", as_json=as_json)


def contest(
    context: typer.Context,
    assignment: Assignment,
    *,
    reason: Reason,
    resolve: Annotated[
        bool, typer.Option("--resolve", help="The outcome stands, perhaps corrected: it counts again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Contest an outcome: training leaves it out until that is resolved; decisions stay as they are."""
    with open_desk(context) as desk:
        act = desk.oversight.resolve if resolve else desk.oversight.contest
        at = act(assignment, reason)
    if as_json:
        write_json({"assignment_id": assignment, "resolved_at" if resolve else "contested_at": at})
    elif resolve:
        say(f"the outcome of assignment {assignment} counts again")
    else:
        say(f"training leaves assignment {assignment} out from now on")


def erase(
    context: typer.Context,
    customer: Annotated[
        str,
        typer.Argument(metavar="CUSTOMER", help="Their customer_id, which is the account_id of their tasks."),
    ],
    *,
    reason: Reason,
    lead: Annotated[
        list[int] | None,
        typer.Option("--lead", metavar="LEAD", help="A lead of theirs without one; may be given again."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take out of the desk who a customer was and what they wrote; amounts stay, and so does the chain."""
    with open_desk(context) as desk:
        done = desk.oversight.erase(customer, reason, leads=lead or ())
    if as_json:
        write_json(dict(done))
        return
    say(
        f"erased: {count_of(done['leads'], 'lead')}, {count_of(done['decisions'], 'decision')}, "
        f"{count_of(done['tasks'], 'task')}, {count_of(done['changes'], 'change')} of plans"
    )
    if done["archived_files"] or done["kept_decisions"]:
        files = ", ".join(done["archived_files"])
        note(
            "months of the record are in the archive, and the desk changes nothing there"
            + (f"; what the customer wrote may be in {files}" if files else "")
            + ": keep these files from whoever may not see it, and delete them when their time is over"
        )
