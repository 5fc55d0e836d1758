"""Commands of a second person: policy list, set; proposal list, agree, refuse, require."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from dealwright.cli.context import Json, Reason, answer, note, open_desk, say, write_json
from dealwright.cli.help import App

policy_app = App(name="policy", help="Show and change the rules that order agents.", no_args_is_help=True)
proposal_app = App(
    name="proposal",
    help="Changes of a model or a policy that wait until a second person agrees.",
    no_args_is_help=True,
)
ProposalId = Annotated[int, typer.Argument(metavar="PROPOSAL", min=1, help="Id of the proposal.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(policy_app)
    app.add_typer(proposal_app)


@policy_app.command("list")
def list_policies(context: typer.Context, as_json: Json = False) -> None:
    """Show the policies with their parameters; the first is used where none is named."""
    with open_desk(context) as desk:
        policies = desk.book.policies()
    if as_json:
        write_json([dict(row) for row in policies])
        return
    for row in policies:
        state = "  in use" if row["is_default"] else ""
        say(f"{row['name']}  {json.dumps(row['params'], sort_keys=True)}{state}")


@policy_app.command("set")
def set_policy(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="value, classic, workload or fair.")],
    *,
    params: Annotated[
        str | None,
        typer.Option("--params", metavar="JSON", help="All its parameters; without it they stay."),
    ] = None,
    use: Annotated[bool, typer.Option("--use", help="Use it where none is named.")] = False,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; needed where a second person has to agree."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a policy, or ask for it where a second person has to agree."""
    document = None if params is None else _read_params(params)
    with open_desk(context) as desk:
        waits = desk.proposals.change_policy(name, document, make_default=use, reason=reason)
    _tell(waits, {"name": name}, f"policy {name} is changed", as_json=as_json)


@proposal_app.command("list")
def list_proposals(
    context: typer.Context,
    *,
    decided: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
    as_json: Json = False,
) -> None:
    """Show the changes that wait for a second person, newest first."""
    with open_desk(context) as desk:
        found = desk.proposals.list(status=None if decided else "waiting")
        required = desk.proposals.required
    if as_json:
        write_json({"required": required, "proposals": [dict(row) for row in found]})
        return
    if not found:
        note(
            "nothing waits"
            if required
            else "nothing waits: this desk does not require a second person (dealwright proposal require)"
        )
    for row in found:
        decision = "" if row["status"] == "waiting" else f"  {row['status']} by {row['decided_by_name']}"
        say(
            f"{row['proposal_id']}  {row['asked_at']:%Y-%m-%d %H:%M}  {row['kind']} {row['object_id']}  "
            f"{json.dumps(row['after'], sort_keys=True)}  {row['asked_by_name']}: {row['reason']}{decision}"
        )


@proposal_app.command("agree")
def agree(
    context: typer.Context,
    proposal: ProposalId,
    *,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")] = None,
    as_json: Json = False,
) -> None:
    """Let a change take effect that another person asked for: another user of the database, or a key."""
    with open_desk(context) as desk:
        desk.proposals.agree(proposal, reason)
    answer({"proposal_id": proposal, "status": "agreed"}, f"proposal {proposal} is in force", as_json=as_json)


@proposal_app.command("refuse")
def refuse(context: typer.Context, proposal: ProposalId, *, reason: Reason, as_json: Json = False) -> None:
    """Turn a change down, or take back what you have asked for."""
    with open_desk(context) as desk:
        desk.proposals.refuse(proposal, reason)
    answer(
        {"proposal_id": proposal, "status": "refused"}, f"proposal {proposal} is turned down", as_json=as_json
    )


@proposal_app.command("require")
def require(
    context: typer.Context,
    *,
    reason: Reason,
    off: Annotated[bool, typer.Option("--off", help="No longer: when another person agrees.")] = False,
    as_json: Json = False,
) -> None:
    """Have changes of a model or a policy wait until a second person agrees."""
    with open_desk(context) as desk:
        waits = desk.proposals.require(reason, required=not off)
    said = "changes take effect at once" if off else "changes wait until a second person agrees"
    _tell(waits, {"required": not off if waits is None else off}, said, as_json=as_json)


def _tell(waits: int | None, answer: dict[str, Any], said: str, *, as_json: bool) -> None:
    if as_json:
        write_json({**answer, "proposal_id": waits})
    elif waits is None:
        say(said)
    else:
        say(f"proposal {waits} waits until another person agrees")


def _read_params(text: str) -> dict[str, Any]:
    from dealwright.errors import InputError

    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--params is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError('--params must be an object such as {"fairness": 0.2}')
    return document
