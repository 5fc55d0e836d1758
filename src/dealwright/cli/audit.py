"""Commands that look back: explain, replay, verify."""

from __future__ import annotations

from typing import Annotated

import typer

from dealwright.cli.context import Json, console, open_desk, write_json

Assignment = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="Id of the assignment.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain")(explain)
    app.command("replay")(replay)
    app.command("verify")(verify)


def explain(
    context: typer.Context,
    *,
    assignment: Assignment,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="NAME", help="Show this agent too, wherever ranked: name or id."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why an assignment went to this agent and not to another, and what would change it."""
    with open_desk(context) as desk:
        explanation = desk.explain(assignment, agent)
    if as_json:
        write_json(explanation.to_dict())
        return
    from dealwright.cli.tables import common_notices, explanation_table

    out = console()
    out.print(explanation.summary(), soft_wrap=True, markup=False)
    out.print(explanation_table(explanation))
    for notice in common_notices(explanation.table_rows()):
        out.print(notice, markup=False)
    evidence = explanation.answer.get("evidence")
    if evidence:
        out.print(f"evidence behind the model: {evidence}", markup=False)


def replay(context: typer.Context, assignment: Assignment, as_json: Json = False) -> None:
    """Recompute a decision from its record; exit code 1 if it comes out differently."""
    from dealwright.desk.results import write_score

    with open_desk(context) as desk:
        found = desk.replay(assignment)
    if as_json:
        write_json(found.to_dict())
    else:
        out = console()
        out.print(found.summary(), soft_wrap=True, markup=False)
        for row in found.table_rows():
            score = write_score(row, found.answer["policy"])
            out.print(f"  {row['what']}: agent {row['agent_id']}, match score {score}", markup=False)
    if not found.agrees:
        raise typer.Exit(1)


def verify(context: typer.Context, as_json: Json = False) -> None:
    """Check the sealed record of decisions; exit code 1 if one was altered, added or removed."""
    from dealwright.cli.progress import working

    with open_desk(context) as desk, working("checking the record"):
        found = desk.verify()
    if as_json:
        write_json(found.to_dict())
    else:
        console().print(found.summary(), soft_wrap=True, markup=False)
    if not found.intact:
        raise typer.Exit(1)
