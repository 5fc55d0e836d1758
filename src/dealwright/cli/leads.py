"""Commands of the day: rank, assign, settle, contact, accept, decline, reassign, queue."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealwright.cli.context import (
    Assignment,
    Json,
    Policy,
    Reason,
    answer,
    console,
    lead_document,
    note,
    notes,
    open_desk,
    read_time,
    say,
    settings_of,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dealwright.desk.desk import Desk
    from dealwright.desk.results import Placement
    from dealwright.errors import DealwrightError

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="DIM=VALUE", help="What is known of the lead, for example --set destination=Mars."
    ),
]
Requirements = Annotated[
    str | None, typer.Option("--requirements", metavar="TEXT", help="What the customer wants, in words.")
]
Customer = Annotated[str | None, typer.Option("--customer", metavar="NAME", help="Who asks.")]
CustomerId = Annotated[
    str | None,
    typer.Option(
        "--customer-id",
        metavar="ID",
        help="What your tables call the customer: who comes back goes to the former agent.",
    ),
]
ToAgent = Annotated[
    str | None,
    typer.Option(
        "--agent", metavar="AGENT", help="Give it to this agent, by id or name, within the limits for all."
    ),
]
Override = Annotated[
    bool,
    typer.Option(
        "--override", help="With --agent: past capacity, shift, skills and department; it is recorded."
    ),
]
Top = Annotated[int | None, typer.Option("--top", "--k", min=1, metavar="K", help="Only the first K agents.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("rank")(rank)
    app.command("assign")(assign)
    app.command("settle")(settle)
    app.command("contact")(contact)
    app.command("accept")(accept)
    app.command("decline")(decline)
    app.command("reassign")(reassign)
    app.command("queue")(queue)


def rank(
    context: typer.Context,
    *,
    pairs: Set = None,
    policy: Policy = None,
    requirements: Requirements = None,
    customer: Customer = None,
    customer_id: CustomerId = None,
    top: Top = None,
    as_json: Json = False,
) -> None:
    """Rank the agents for a lead, with reasons; nothing is recorded."""
    document = lead_document(customer or "anybody", pairs, requirements, customer_id=customer_id)
    with open_desk(context) as desk:
        ranking = desk.rank(document, policy, top)
    if as_json:
        write_json(ranking.to_dict())
        return
    from dealwright.cli.tables import common_notices, ranking_table

    out = console()
    out.print(ranking_table(ranking))
    for notice in common_notices(ranking.ranking):
        out.print(notice, markup=False)
    model = f", model {ranking.model}" if ranking.model is not None else ""
    out.print(f"policy {ranking.policy}{model}")
    if ranking.policy == "value":
        out.print(f"match model: {ranking.evidence}", markup=False)


def assign(
    context: typer.Context,
    *,
    pairs: Set = None,
    policy: Policy = None,
    requirements: Requirements = None,
    customer: Customer = None,
    customer_id: CustomerId = None,
    priority: Annotated[
        int, typer.Option("--priority", metavar="NUMBER", help="Higher comes first in the waiting queue.")
    ] = 0,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key", metavar="KEY", help="The same key sent twice gives the same assignment."
        ),
    ] = None,
    agent: ToAgent = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="With --agent: why, for the record.")
    ] = None,
    override: Override = False,
    lead: Annotated[
        int | None,
        typer.Option("--lead", metavar="ID", help="With --agent: a recorded lead instead of a new one."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Many leads: .csv, .xlsx, .jsonl …")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --file: assign nothing when a single row is rejected.")
    ] = False,
    rejected: Annotated[
        Path | None,
        typer.Option("--rejected", metavar="DIR", help="Where rejected rows go; default ./rejected."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a lead to the best eligible agent with room; otherwise it waits."""
    from dealwright.errors import InputError

    of_the_lead = {
        "--set": pairs, "--requirements": requirements, "--customer": customer, "--customer-id": customer_id,
        "--priority": priority or None, "--idempotency-key": idempotency_key,
    }  # fmt: skip
    of_the_file = {"--strict": strict or None, "--rejected": rejected}
    of_the_agent = {"--reason": reason, "--override": override or None}
    if file is not None:
        if agent is not None or lead is not None:
            raise InputError("--file gives many leads to the best agents: leave out --agent and --lead")
        _refuse(
            {**of_the_lead, **of_the_agent},
            "does not go with --file, whose columns say such things of each lead",
        )
        _assign_file(context, file, policy, strict=strict, rejected=rejected, as_json=as_json)
        return
    if lead is not None:
        if agent is None:
            raise InputError("--lead gives a recorded lead to an agent: name one with --agent")
        others = {**of_the_lead, **of_the_file, "--policy": policy}
        _refuse(others, "does not go with --lead, and a recorded lead stays as it is")
        with open_desk(context) as desk:
            placement = desk.assign_to(lead, agent, reason or "", override=override)
        answer(placement.to_dict(), placement.summary(), as_json=as_json)
        return
    _refuse(of_the_file, "goes with --file")
    if agent is None:
        _refuse(of_the_agent, "goes with --agent")
    document = lead_document(
        customer, pairs, requirements, priority, idempotency_key=idempotency_key, customer_id=customer_id
    )
    with open_desk(context) as desk:
        placement = desk.assign(document, policy, agent=agent, reason=reason, override=override)
        # without a customer_id the answer itself does not look: a program places thousands a second
        duplicates = () if customer_id or as_json else desk.duplicates(placement.row["lead_id"])
    if as_json:
        write_json(placement.to_dict())
        return
    say(placement.summary())
    for row in duplicates:
        holder = f"with {row['agent_name']} ({row['agent_id']})" if row["agent_name"] else "waiting"
        note(f"may be the same enquiry as lead {row['lead_id']} ({holder}): {row['why']}")


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse the first option that was given, rather than do as if it had not been."""
    from dealwright.errors import InputError

    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise InputError(f"{given} {why}: leave it out")


def _assign_file(
    context: typer.Context,
    file: Path,
    policy: str | None,
    *,
    strict: bool,
    rejected: Path | None,
    as_json: bool,
) -> None:
    """Place the good leads of a file in their order and name the others; with `strict`, all or none."""
    from dealwright.cli.intake_tables import intake_document, print_intake
    from dealwright.cli.progress import counted
    from dealwright.errors import DealwrightError, InputError
    from dealwright.tables.leads import read_leads
    from dealwright.tables.rejected import check_place, write_rejected

    folder = rejected or settings_of(context).rejected
    check_place(folder, file.parent, [f"{file.stem}.csv"])  # before anything is placed
    placed: list[tuple[Mapping[str, Any], Placement]] = []
    stopped: DealwrightError | None = None
    with open_desk(context) as desk:
        leads = read_leads(file, desk.dimensions())
        if strict and (problems := leads.intake().messages(1)):
            raise InputError(f"{problems[0]} (--strict: nothing was assigned)")
        try:
            outcomes = _place_in_batches(desk, leads.leads, policy)
            for row, document, outcome in counted(outcomes, len(leads.leads), "assigning"):
                if isinstance(outcome, DealwrightError):
                    leads.reject(row, outcome)
                else:
                    placed.append((document, outcome))
        except DealwrightError as error:
            stopped = error
    intake = leads.intake()
    paths = write_rejected(intake, folder, file.parent)
    if as_json:
        refused = [{"status": "rejected", **problem} for problem in intake_document(intake, paths)["rejects"]]
        write_json([*(placement.to_dict() for _, placement in placed), *refused])
    else:
        _show_placed(placed)
        print_intake(notes(), intake, paths)
    if stopped is not None:
        raise type(stopped)(
            f"{stopped} ({len(placed):,} of {len(leads.leads):,} leads were placed before that)"
        )
    if not placed:
        raise typer.Exit(1)


def _place_in_batches(
    desk: Desk, leads: Mapping[int, Mapping[str, Any]], policy: str | None
) -> Iterator[tuple[int, Mapping[str, Any], Placement | DealwrightError]]:
    """Place the leads; one that is refused, such as one whose key was used before, comes with its error."""
    from dealwright.errors import ConflictError, InputError

    rows = iter(leads)
    for batch, placements in desk.assign_in_batches(list(leads.values()), policy):
        for place, document in enumerate(batch):
            outcome: Placement | DealwrightError
            try:
                outcome = placements[place] if placements else desk.assign(document, policy)
            except (InputError, ConflictError) as error:
                outcome = error
            yield next(rows), document, outcome


def _show_placed(placed: Sequence[tuple[Mapping[str, Any], Placement]]) -> None:
    from dealwright.cli.tables import placements_table

    out = console()
    out.print(placements_table([document for document, _ in placed], [placement for _, placement in placed]))
    assigned = sum(placement.assigned for _, placement in placed)
    waiting = len(placed) - assigned
    out.print(f"{assigned:,} of {len(placed):,} leads assigned" + (f", {waiting:,} wait" if waiting else ""))


def settle(
    context: typer.Context,
    *,
    booking: Annotated[str, typer.Argument(metavar="BOOKING", help="Id of the booking.")],
    status: Annotated[
        str, typer.Argument(metavar="STATUS", help="confirmed, cancelled, or pending to reopen.")
    ],
    revenue: Annotated[
        float | None,
        typer.Option("--revenue", metavar="AMOUNT", help="Total revenue; base plus package if left out."),
    ] = None,
    base: Annotated[float | None, typer.Option("--base", metavar="AMOUNT", help="Base revenue.")] = None,
    package: Annotated[
        float | None, typer.Option("--package", metavar="AMOUNT", help="Package revenue.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Settle a booking, or reopen it; workload, counters and rankings follow at once."""
    with open_desk(context) as desk:
        settlement = desk.settle(
            booking, status.lower(), base_revenue=base, package_revenue=package, total_revenue=revenue
        )
    answer(settlement.to_dict(), settlement.summary(), as_json=as_json)


def contact(
    context: typer.Context,
    assignment: Assignment,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            parser=read_time,
            help="When, for example 2026-03-31T12:00+02:00; default now.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say that the agent reached the customer; a lead without a contact in time goes to the next agent."""
    with open_desk(context) as desk:
        first = desk.contact(assignment, at)
    answer(
        {"assignment_id": assignment, "first_contact_at": first},
        f"assignment {assignment}: first contact at {first:%Y-%m-%d %H:%M:%S %Z}",
        as_json=as_json,
    )


def accept(
    context: typer.Context,
    assignment: Assignment,
    as_json: Json = False,
) -> None:
    """Take a lead that was offered; an offer that is not accepted in time goes to the next agent."""
    with open_desk(context) as desk:
        accepted = desk.accept(assignment)
    answer(
        {"assignment_id": assignment, "accepted_at": accepted},
        f"assignment {assignment}: accepted at {accepted:%Y-%m-%d %H:%M:%S %Z}",
        as_json=as_json,
    )


def decline(
    context: typer.Context,
    assignment: Assignment,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Give a lead that its agent declines to the next one, or back to the queue."""
    with open_desk(context) as desk:
        placement = desk.decline(assignment, reason)
    answer(placement.to_dict(), placement.summary(), as_json=as_json)


def reassign(
    context: typer.Context,
    *,
    assignment: Assignment,
    reason: Reason = "asked for",
    agent: ToAgent = None,
    override: Override = False,
    as_json: Json = False,
) -> None:
    """Give an open assignment's lead to the best other agent with room, or to one you name."""
    with open_desk(context) as desk:
        placement = desk.reassign(assignment, reason, agent=agent, override=override)
    answer(placement.to_dict(), placement.summary(), as_json=as_json)


def queue(context: typer.Context, top: Top = None, as_json: Json = False) -> None:
    """Show the leads that wait for a free place, most urgent first."""
    with open_desk(context) as desk:
        found = desk.queue(top)
    if as_json:
        write_json([dict(row) for row in found.rows])
        return
    from dealwright.cli.tables import queue_table

    out = console()
    if found.rows:
        out.print(queue_table(found))
    out.print(found.summary())
