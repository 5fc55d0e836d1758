"""A stranger's way in: draft, import, train, rank, with no edit in between."""

# ruff: noqa: E501 - a row of an export reads best unbroken

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from command_line import Command
from workbooks import workbook

LEADS = 240
OWNERS = ("Ana Ruiz", "Bob Stone", "Carla Díaz", "Dan Wu")
COMPANIES = ("Acme, Inc.", "Globex GmbH", "Initech", "Umbrella & Söhne", "Stark")
Deal = tuple[int, datetime, str, datetime, float, random.Random]


def deals() -> Iterator[Deal]:
    """Draw deals: number, created, outcome, closed, amount, and the dice for what else a product exports."""
    dice = random.Random(5)
    for number in range(LEADS):
        created = datetime(2025, 3, 3, 9) + timedelta(hours=11 * number, minutes=dice.randrange(60))
        outcome = dice.choices(("won", "lost", "open"), (4, 5, 1))[0]
        closed = created + timedelta(days=dice.randint(1, 60), minutes=dice.randrange(300))
        yield number, created, outcome, closed, dice.randint(20, 9000) + 0.5, dice


def us(when: datetime) -> str:
    return f"{when.month}/{when.day}/{when.year}"


def write(
    path: Path, header: Sequence[str], rows: Iterator[Sequence[object]], separator: str, encoding: str
) -> None:
    with path.open("w", newline="", encoding=encoding) as file:
        out = csv.writer(file, delimiter=separator)
        out.writerow(header)
        out.writerows(rows)


def salesforce(folder: Path) -> None:
    """Write an opportunities report in US English, with the footer that such reports have."""
    header = (
        "Opportunity ID", "Opportunity Name", "Account Name", "Opportunity Owner", "Stage", "Fiscal Period", "Amount",
        "Probability (%)", "Age", "Close Date", "Created Date", "Next Step", "Lead Source", "Type", "Employees",
    )  # fmt: skip
    stages = {"won": ["Closed Won"], "lost": ["Closed Lost"], "open": ["Prospecting", "Negotiation/Review"]}
    chances = {"won": 100, "lost": 0, "open": 40}
    rows = (
        (
            f"0065e{number:010d}", f"{dice.choice(COMPANIES)} - {number}", dice.choice(COMPANIES), dice.choice(OWNERS),
            dice.choice(stages[outcome]), f"Q{(closed.month + 2) // 3}-{closed.year}", f"${amount:,.2f}",
            chances[outcome], dice.randint(1, 99), us(closed), us(created), dice.choice(("Call", "")),
            dice.choice(("Web", "Trade Show", "")), dice.choice(("New Business", "Existing Business")),
            dice.randint(3, 4000),
        )
        for number, created, outcome, closed, amount, dice in deals()
    )  # fmt: skip
    write(folder / "report1712345678901.csv", header, rows, ",", "utf-8")
    with (folder / "report1712345678901.csv").open("a", encoding="utf-8") as file:
        file.write(
            '\n"Sales Pipeline"\n"Copyright (c) 2000-2025 salesforce.com, inc. All rights reserved."\n'
        )


def pipedrive(folder: Path) -> None:
    """Write a Spanish export: semicolons, decimal commas, day before month."""
    names = (
        "ID", "Título", "Propietario", "Valor", "Moneda", "Organización", "Etapa", "Estado", "Negocio creado",
        "Hora de ganado", "Hora de perdido", "Motivo de pérdida", "Origen", "Región",
    )  # fmt: skip
    words = {"won": "Ganado", "lost": "Perdido", "open": "Abierto"}
    rows = (
        (
            number + 1, f"Negocio {number}", dice.choice(OWNERS),
            f"{amount:,.2f}".translate(str.maketrans(",.", ".,")), "EUR", dice.choice(COMPANIES),
            dice.choice(("Cualificado", "Propuesta")), words[outcome], f"{created:%d/%m/%Y %H:%M}",
            f"{closed:%d/%m/%Y %H:%M}" if outcome == "won" else "",
            f"{closed:%d/%m/%Y %H:%M}" if outcome == "lost" else "", "Precio" if outcome == "lost" else "",
            dice.choice(("Feria", "Web")), dice.choice(("Norte", "Sur")),
        )
        for number, created, outcome, closed, amount, dice in deals()
    )  # fmt: skip
    write(folder / "deals-4711.csv", [f"Negocio - {name}" for name in names], rows, ";", "cp1252")


def hubspot(folder: Path) -> None:
    """Write a workbook with dates as Excel keeps them, some leads of nobody and some wins without an amount."""
    header = (
        "Record ID", "Deal Name", "Deal Stage", "Close Date", "Deal owner", "Amount in company currency", "Create Date",
        "Pipeline", "Original Traffic Source", "Associated Company",
    )  # fmt: skip
    stages = {"won": "Closed Won", "lost": "Closed Lost", "open": "Appointment Scheduled"}

    def serial(when: datetime) -> float:
        return (when - datetime(1899, 12, 30)) / timedelta(days=1)

    rows = [
        (
            9_000_000_000 + number, f"Deal {number}", stages[outcome], serial(closed),
            "" if number % 40 == 7 else dice.choice(OWNERS), "" if number % 9 == 0 else amount, serial(created),
            dice.choice(("Sales Pipeline", "Partners")), dice.choice(("Organic Search", "Paid Social")),
            dice.choice(COMPANIES),
        )
        for number, created, outcome, closed, amount, dice in deals()
    ]  # fmt: skip
    (folder / "hubspot-crm-exports-deals.xlsx").write_bytes(workbook({"Deals": [header, *rows]}))


@pytest.mark.parametrize(
    ("export", "lead", "agents", "leads"),
    [
        (salesforce, {"lead_source": "Web", "type": "New Business", "employees": "120"}, 4, LEADS),
        (pipedrive, {"origen": "Feria", "region": "Norte"}, 4, LEADS),
        (hubspot, {"original_traffic_source": "A new one", "pipeline": "Partners"}, 4, LEADS - 6),
    ],
)
def test_the_exports_of_three_products_are_at_work_without_an_edit(
    dealwright: Command, tmp_path: Path, export: Callable[[Path], None], lead: dict[str, str], agents: int, leads: int
) -> None:  # fmt: skip
    folder = tmp_path / "export"
    folder.mkdir()
    export(folder)
    drafted = dealwright("draft", folder, "--json").json
    assert drafted["runs"]
    assert drafted["next"] == [f"dealwright import {folder}"]
    dealwright("import", folder)
    assert len(dealwright("agents", "--json").json) == agents
    dealwright("train")
    choices = [part for name, value in lead.items() for part in ("--set", f"{name}={value}")]
    ranking = dealwright("rank", *choices, "--json").json
    assert len(ranking["ranking"]) == agents
    assert ranking["model"] is not None
    assert all(row["open"] < row["capacity"] for row in ranking["ranking"])
    again = dealwright("import", folder, "--json").json
    kept = {file["table"]: file["kept"] for file in again["files"]}
    assert kept == {"agents": agents, "assignments": leads, "bookings": leads}


def test_astra_is_at_work_without_an_edit(dealwright: Command, tmp_path: Path, shared: Path) -> None:
    folder = shared / "data" / "astra"
    mapping = tmp_path / "company.toml"
    drafted = dealwright("draft", folder, "--out", mapping, "--json").json
    assert drafted["next"] == [f"dealwright import {folder} --map {mapping}"]
    for source in (mapping, "astra"):
        files = dealwright("import", folder, "--map", source, "--json").json["files"]
        assert {file["table"]: file["kept"] for file in files} == {
            "agents": 30,
            "assignments": 450,
            "bookings": 412,
        }
    dealwright("train")
    choices = ("destination=Mars", "lead_source=Organic", "communication_method=Text")
    place = "launch_location=Dubai Interplanetary Hub"
    answer = dealwright(
        "rank", *(part for choice in (*choices, place) for part in ("--set", choice)), "--json"
    ).json
    assert len(answer["ranking"]) == 30


def test_what_the_command_says(dealwright: Command, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    hubspot(folder)
    (folder / "notes.csv").write_text("one column\n1\n")
    said = dealwright("draft", folder).out
    assert "…" not in said
    target = folder / "company.toml"
    text = target.read_text(encoding="utf-8")
    for part in (
        "hubspot-crm-exports-",
        "assignments",
        "240",
        "not read: notes.csv has a single column",
    ):
        assert part in said
    assert "DOUBT assignments.where: leaves 6 rows out" in said
    assert f"written to {target}" in said
    assert f"next: look through it; then dealwright import {folder}" in said
    assert text.count("# DOUBT: ") == said.count("DOUBT ")

    target.write_text("# mine", encoding="utf-8")
    assert "--force overwrites it" in dealwright("draft", folder, expect=2).err
    assert target.read_text(encoding="utf-8") == "# mine"
    dealwright("draft", folder, "--force")
    assert target.read_text(encoding="utf-8") == text
    missing = tmp_path / "no" / "such" / "place.toml"
    assert "cannot write" in dealwright("draft", folder, "--out", missing, expect=2).err


def test_a_folder_of_no_use_ends_with_2_and_writes_nothing(dealwright: Command, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    assert "there is no table in" in dealwright("draft", folder, expect=2).err
    (folder / "people.csv").write_text("Name,Email\nAna,a@x.org\n")
    assert "holds only people" in dealwright("draft", folder, expect=2).err
    assert not (folder / "company.toml").exists()


def test_a_draft_that_does_not_run_yet_says_so(dealwright: Command, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    rows = "".join(f"{n},Acme,Ana,2025-03-{n:02d},{'Won' if n % 2 else 'Lost'}\n" for n in range(1, 29))
    (folder / "deals.csv").write_text(f"Deal ID,Company,Owner,Created,Stage\n{rows}")
    said = dealwright("draft", folder).out
    assert "next: settle the doubts in it: it does not run yet" in said
    assert "14 bookings are confirmed" in dealwright("import", folder, expect=2).err
