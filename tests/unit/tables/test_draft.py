"""What a draft makes of a folder: which table and column is what, which words mean what, and what it doubts."""

# ruff: noqa: E501 - a column a line reads best unbroken
from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from workbooks import workbook

from dealwright.errors import InputError
from dealwright.schemas import History
from dealwright.tables.draft import Draft, draft
from dealwright.tables.history import read_history
from dealwright.tables.mapping import CompanyMap, parse_mapping, read_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.tables.vocabulary import matching

ROWS = 90
STATES = ("won", "lost", "open")
ENGLISH = dict(zip(STATES, ("Won", "Lost", "Open"), strict=True))
Cell = Callable[[int], object]


def start(row: int) -> datetime:
    return datetime(2025, 1, 6, 9, 30) + timedelta(hours=31 * row)


def end(row: int) -> datetime:
    return start(row) + timedelta(days=1 + row % 19, hours=2)


def state(row: int) -> str:
    return STATES[row % 3]


def settled(row: int, pattern: str = "%Y-%m-%d") -> str:
    return "" if state(row) == "open" else end(row).strftime(pattern)


def cycle(*values: object, every: int = 2) -> Cell:
    return lambda row: values[row // every % len(values)]


OWNERS = cycle("Ana Ruiz", "Bob Stone", "Carla Díaz", every=5)
# a plain export of deals, column by column; tests change what they are about
DEALS: Mapping[str, Cell] = {
    "Deal ID": lambda row: 500 + row,
    "Company": lambda row: f"Company {row}",
    "Owner": OWNERS,
    "Created": lambda row: f"{start(row):%Y-%m-%d}",
    "Stage": lambda row: ENGLISH[state(row)],
    "Closed": settled,
    "Amount": lambda row: 100 + row,
    "Source": cycle("Web", "Fair"),
}


def write(
    folder: Path, columns: Mapping[str, Cell], name: str = "deals.csv", *, rows: int = ROWS, separator: str = ",",
    encoding: str = "utf-8",
) -> None:  # fmt: skip
    with (folder / name).open("w", newline="", encoding=encoding) as file:
        out = csv.writer(file, delimiter=separator)
        out.writerow(columns)
        out.writerows([cell(row) for cell in columns.values()] for row in range(rows))


def company_of(drafted: Draft) -> CompanyMap:
    return parse_mapping(drafted.text, "company.toml")


def columns_of(company: CompanyMap, table: str) -> dict[str, str]:
    return {name: source.label for name, source in company.tables[table].fields.items()}


def imported(folder: Path, drafted: Draft) -> History:
    return read_history(company_of(drafted), folder)


def outcomes(history: History) -> dict[str, int]:
    return dict(history.bookings["status"].value_counts().sort("status").iter_rows())


def line_of(drafted: Draft, key: str) -> str:
    """Return the line of a key, with the comments above it."""
    lines = drafted.text.splitlines()
    at = next(n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{key} = "))
    first = at
    while lines[first - 1].startswith("# "):
        first -= 1
    return " ".join(line.removeprefix("# ") for line in lines[first : at + 1])


THIRDS = {"cancelled": 30, "confirmed": 30, "pending": 30}

# languages and products


@pytest.mark.parametrize(
    ("headers", "words", "dates", "file"),
    [
        (
            "Vorgangsnummer Kunde Betreuer Erstellt_am Phase Abschlussdatum Auftragswert Quelle",
            ("Gewonnen", "Verloren", "In Bearbeitung"), "%d.%m.%Y", "Verkaufschancen.csv",
        ),
        (
            "Numéro Nom_du_client Propriétaire Date_de_création Étape Date_de_clôture Montant Source",
            ("Gagnée", "Perdue", "En cours"), "%d/%m/%Y", "affaires.csv",
        ),
        (
            "ID Cliente Vendedor Data_de_criação Situação Data_de_fechamento Valor Origem",
            ("Ganho", "Perdido", "Em andamento"), "%d/%m/%Y", "oportunidades.csv",
        ),
        (
            "Número Cliente Comercial Fecha_de_creación Estado Fecha_de_cierre Importe Fuente",
            ("Ganado", "Perdido", "Abierto"), "%d/%m/%Y", "oportunidades.csv",
        ),
        (
            "id customer salesRep createdDate outcome closedDate value leadSource",
            ("Closed Won", "Closed Lost", "Qualification"), "%Y-%m-%d", "pipeline.csv",
        ),
    ],
    ids=["German", "French", "Portuguese", "Spanish", "English"],
)  # fmt: skip
def test_headers_and_status_words_of_five_languages(
    tmp_path: Path, headers: str, words: tuple[str, ...], dates: str, file: str
) -> None:
    number, customer, owner, created, stage, closed, amount, source = (
        header.replace("_", " ") for header in headers.split()
    )
    said = dict(zip(STATES, words, strict=True))
    write(
        tmp_path,
        {
            number: lambda row: row + 1,
            customer: DEALS["Company"],
            owner: OWNERS,
            created: lambda row: start(row).strftime(dates),
            stage: lambda row: said[state(row)],
            closed: lambda row: settled(row, dates),
            amount: lambda row: f"{1000 + row},50 €",
            source: DEALS["Source"],
        },
        file, separator=";",
    )  # fmt: skip
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert columns_of(company, "agents") == {"id": owner, "name": owner}
    assert columns_of(company, "assignments") == {
        "id": number, "agent": owner, "customer_name": customer, "assigned_at": created,
    }  # fmt: skip
    assert columns_of(company, "bookings") == {
        "id": number, "assignment": number, "status": stage, "completed_at": closed, "cancelled_at": closed,
        "total_revenue": amount,
    }  # fmt: skip
    assert [item.source.label for item in company.dimensions] == [source]
    assert company.currency == "EUR"
    assert not drafted.doubts
    history = imported(tmp_path, drafted)
    assert outcomes(history) == THIRDS
    assert history.bookings["total_revenue"].drop_nulls().min() == 1000.5
    assert not history.intake.rejected


PRODUCTS: Mapping[str, tuple[dict[str, Cell], dict[str, str]]] = {
    "Salesforce": (
        {
            "Opportunity ID": lambda row: f"006{row:012d}",
            "Opportunity Name": lambda row: f"Opportunity {row}",
            "Account Name": DEALS["Company"],
            "Opportunity Owner": OWNERS,
            "Stage": lambda row: {"won": "Closed Won", "lost": "Closed Lost", "open": "Value Proposition"}[state(row)],
            "Close Date": lambda row: f"{end(row).month}/{end(row).day}/{end(row).year}",
            "Created Date": lambda row: f"{start(row).month}/{start(row).day}/{start(row).year}",
            "Amount": lambda row: f"${1000 + row:,}.00",
            "Lead Source": DEALS["Source"],
            "Probability (%)": cycle(10, 90),
            "Fiscal Period": cycle("Q1-2025", "Q2-2025"),
        },
        {"id": "Opportunity ID", "customer_name": "Account Name", "status": "Stage", "completed_at": "Close Date"},
    ),
    "HubSpot": (
        {
            "Record ID": lambda row: 90_000_000 + row,
            "Deal Name": lambda row: f"Deal {row}",
            "Deal Stage": lambda row: {"won": "closedwon", "lost": "closedlost", "open": "contractsent"}[state(row)],
            "Close Date": lambda row: f"{end(row):%Y-%m-%d %H:%M}",
            "Create Date": lambda row: f"{start(row):%Y-%m-%d %H:%M}",
            "Deal owner": OWNERS,
            "Amount in company currency": DEALS["Amount"],
            "Associated Company": DEALS["Company"],
        },
        {"id": "Record ID", "customer_name": "Associated Company", "total_revenue": "Amount in company currency"},
    ),
    "Pipedrive": (
        {
            "Deal - ID": lambda row: row + 1,
            "Deal - Title": lambda row: f"Deal {row}",
            "Deal - Owner": OWNERS,
            "Deal - Value": DEALS["Amount"],
            "Deal - Currency of Value": lambda row: "EUR",
            "Deal - Organization": DEALS["Company"],
            "Deal - Stage": cycle("Qualified", "Proposal Made"),
            "Deal - Status": DEALS["Stage"],
            "Deal - Deal created": lambda row: f"{start(row):%Y-%m-%d %H:%M:%S}",
            "Deal - Won time": lambda row: f"{end(row):%Y-%m-%d %H:%M:%S}" if state(row) == "won" else "",
            "Deal - Lost time": lambda row: f"{end(row):%Y-%m-%d %H:%M:%S}" if state(row) == "lost" else "",
            "Deal - Lost reason": lambda row: "Price" if state(row) == "lost" else "",
        },
        {"status": "Deal - Status", "completed_at": "Deal - Won time", "cancelled_at": "Deal - Lost time"},
    ),
    "Zoho": (
        {
            "Record Id": lambda row: f"zcrm_{row}",
            "Deal Owner": OWNERS,
            "Deal Name": lambda row: f"Deal {row}",
            "Account Name": DEALS["Company"],
            "Stage": lambda row: {"won": "Closed Won", "lost": "Closed-Lost to Competition", "open": "Needs Analysis"}[state(row)],
            "Closing Date": lambda row: f"{start(row) if row == 4 else end(row):%Y-%m-%d}",
            "Created Time": lambda row: f"{start(row):%Y-%m-%d %H:%M:%S}",
            "Modified Time": lambda row: f"{end(row):%Y-%m-%d %H:%M:%S}",
            "Amount": DEALS["Amount"],
        },
        {"id": "Record Id", "assigned_at": "Created Time", "completed_at": "Closing Date"},
    ),
    "Odoo": (
        {
            "External ID": lambda row: f"__export__.crm_lead_{row}",
            "Opportunity": lambda row: f"Opportunity {row}",
            "Customer": DEALS["Company"],
            "Salesperson": OWNERS,
            "Sales Team": lambda row: "Europe",
            "Stage": lambda row: "Won" if state(row) == "won" else ("New", "Proposition")[row % 2],
            "Created on": lambda row: f"{start(row):%Y-%m-%d %H:%M:%S}",
            "Closed Date": lambda row: settled(row, "%Y-%m-%d %H:%M:%S"),
            "Expected Revenue": DEALS["Amount"],
            "Active": lambda row: str(state(row) != "lost"),
        },
        {"id": "External ID", "status": "Stage + Active", "total_revenue": "Expected Revenue"},
    ),
    "Dynamics": (
        {
            "(Do Not Modify) Opportunity": lambda row: f"6f1d{row:04d}-0000",
            "(Do Not Modify) Row Checksum": lambda row: f"x{row}",
            "Topic": lambda row: f"Topic {row}",
            "Potential Customer": DEALS["Company"],
            "Owner": OWNERS,
            "Status": DEALS["Stage"],
            "Status Reason": lambda row: {"won": "Won", "lost": "Out-Sold", "open": "In Progress"}[state(row)],
            "Created On": lambda row: f"{start(row):%m/%d/%Y %I:%M %p}",
            "Actual Close Date": lambda row: settled(row, "%m/%d/%Y %I:%M %p"),
            "Actual Revenue": lambda row: 100 + row if state(row) == "won" else "",
            "Est. Revenue": DEALS["Amount"],
        },
        {"status": "Status", "completed_at": "Actual Close Date", "total_revenue": "Actual Revenue"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_exports_of_six_products_need_no_edit(tmp_path: Path, product: str) -> None:
    columns, expected = PRODUCTS[product]
    write(tmp_path, columns)
    drafted = draft(tmp_path)
    company = company_of(drafted)
    found = columns_of(company, "assignments") | columns_of(company, "bookings")
    assert {name: found[name] for name in expected} == expected
    assert f"exported from {product}" in " ".join(drafted.text.split())
    history = imported(tmp_path, drafted)
    assert outcomes(history) == THIRDS
    assert sorted(history.agents["name"]) == ["Ana Ruiz", "Bob Stone", "Carla Díaz"]
    assert drafted.runs
    assert not history.intake.rejected


def test_what_a_product_knows_only_afterwards_is_no_dimension(tmp_path: Path) -> None:
    write(tmp_path, PRODUCTS["Salesforce"][0])
    drafted = draft(tmp_path)
    assert [item.name for item in company_of(drafted).dimensions] == ["lead_source"]
    assert "known only afterwards: Probability (%), Fiscal Period." in " ".join(drafted.text.split())


def test_deals_without_a_time_of_day_may_close_before_their_lead_on_the_same_day(tmp_path: Path) -> None:
    write(tmp_path, PRODUCTS["Zoho"][0])
    assert company_of(draft(tmp_path)).late_filing_min == 1440
    write(tmp_path, DEALS)
    assert company_of(draft(tmp_path)).late_filing_min == 0


def test_a_lead_filed_a_few_minutes_late_is_allowed_for(tmp_path: Path) -> None:
    closed = {
        "Closed": lambda row: f"{start(row) - timedelta(minutes=40) if row == 3 else end(row):%Y-%m-%d %H:%M}"
    }
    write(tmp_path, {**DEALS, "Created": lambda row: f"{start(row):%Y-%m-%d %H:%M}", **closed})
    drafted = draft(tmp_path)
    assert company_of(drafted).late_filing_min == 60
    assert not imported(tmp_path, drafted).intake.rejected


# statuses and outcomes


def test_a_status_word_that_nobody_knows_is_a_doubt_and_still_open(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Stage": lambda row: "Limbo" if row == 2 else ENGLISH[state(row)]})
    drafted = draft(tmp_path)
    assert company_of(drafted).statuses["limbo"] == "pending"
    assert any("'Limbo' (1 row) is not known" in doubt for doubt in drafted.doubts)
    assert "DOUBT: 'Limbo' (1 row)" in line_of(drafted, "pending")


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"IsWon": lambda row: "true" if state(row) == "won" else "false"}, "confirmed"),
        ({"Won time": lambda row: settled(row) if state(row) == "won" else "", "Closed": settled}, "confirmed"),
        ({"Lost reason": lambda row: "Price" if state(row) == "won" else ""}, "cancelled"),
    ],
    ids=["marked as won", "dated as won", "explained as lost"],
)  # fmt: skip
def test_an_unknown_word_goes_where_most_of_its_rows_point(
    tmp_path: Path, extra: dict[str, Cell], status: str
) -> None:
    write(tmp_path, {**DEALS, **extra, "Stage": lambda row: "Zork" if state(row) == "won" else "Open"})
    drafted = draft(tmp_path)
    assert company_of(drafted).statuses["zork"] == status
    assert any("'Zork' (30 rows) is taken for" in doubt for doubt in drafted.doubts)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Closed Won", "confirmed"), ("7 - Closed/Won!", "confirmed"), ("Not won", "cancelled"),
        ("closedlost", "cancelled"), ("Geschlossen (gewonnen)", "confirmed"), ("Nicht gewonnen", "cancelled"),
        ("Angebot erstellt", "pending"), ("Gagnée", "confirmed"), ("Non gagné", "cancelled"), ("Ganho", "confirmed"),
        ("No ganado", "cancelled"), ("Não ganho", "cancelled"), ("Em negociação", "pending"), ("Disqualified", "cancelled"),
        ("Storniert", "cancelled"), ("Proposal/Price Quote", "pending"), ("no booking", "none"), ("Renewal", None),
    ],
)  # fmt: skip
def test_status_words(word: str, status: str | None) -> None:
    assert matching("statuses", word) == status


def test_no_outcome_is_invented_where_no_column_says_when_deals_closed(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Closed"}
    write(tmp_path, {**columns, "Last Modified Date": lambda row: f"{end(row):%Y-%m-%d}"})
    drafted = draft(tmp_path)
    assert not drafted.runs
    assert columns_of(company_of(drafted), "bookings").keys().isdisjoint({"completed_at", "cancelled_at"})
    assert '# completed_at = "Last Modified Date"' in drafted.text
    assert "no column says when the 30 confirmed deals were settled" in line_of(drafted, "completed_at")
    assert any(doubt.startswith("import stops: ") for doubt in drafted.doubts)
    with pytest.raises(InputError, match="30 bookings are confirmed"):
        imported(tmp_path, drafted)
    mended = drafted.text.replace('# completed_at = "', 'completed_at = "').replace(
        "# cancelled_at", "cancelled_at"
    )
    assert outcomes(read_history(parse_mapping(mended), tmp_path)) == THIRDS


def test_deals_without_their_date_stay_unknown_and_are_counted(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Closed": lambda row: "" if row < 15 else settled(row)})
    drafted = draft(tmp_path)
    assert "DOUBT: empty in 5 of 30 confirmed rows" in line_of(drafted, "completed_at")
    assert imported(tmp_path, drafted).assignments["outcome_unknown"].sum() == 10


def test_leads_without_any_outcome_do_not_count_as_lost(tmp_path: Path) -> None:
    write(tmp_path, {name: DEALS[name] for name in ("Deal ID", "Company", "Owner", "Created", "Source")})
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert "bookings" not in company.tables
    assert company.follow_up_days == 3650
    assert company.default_capacity == 35  # every lead is still open: 30 each, and room for more
    assert "DOUBT: nothing says what became of the leads" in line_of(drafted, "follow_up_days")


def test_a_yes_or_no_alone_is_a_status_with_a_doubt(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Stage"}
    write(tmp_path, {**columns, "Converted": lambda row: "yes" if state(row) == "won" else "no"})
    drafted = draft(tmp_path)
    assert company_of(drafted).statuses == {"yes": "confirmed", "no": "cancelled"}
    assert "such leads may be open still" in line_of(drafted, "cancelled")


def test_words_of_a_language_that_nobody_knows_make_no_wins(tmp_path: Path) -> None:
    said = {"won": "voitettu", "lost": "hävitty", "open": "kesken"}
    write(tmp_path, {**DEALS, "Stage": lambda row: said[state(row)]})
    drafted = draft(tmp_path)
    assert {company_of(drafted).statuses[word] for word in said.values()} == {"pending"}
    assert outcomes(imported(tmp_path, drafted)) == {"pending": ROWS}
    assert any("no word above is known to mean it" in doubt for doubt in drafted.doubts)


# amounts, capacities, times


def test_wins_without_an_amount_count_as_0_with_a_doubt_only(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Amount": lambda row: "" if row in (0, 1, 3) else 100})
    drafted = draft(tmp_path)
    assert "DOUBT: 2 of 30 won deals have no amount, and count as 0" in line_of(drafted, "total_revenue")
    assert imported(tmp_path, drafted).bookings.filter(status="confirmed")["total_revenue"].sum() == 2800
    write(tmp_path, {**DEALS, "Amount": lambda row: "" if row == 1 else 100})
    assert not draft(tmp_path).doubts


@pytest.mark.parametrize(
    ("header", "cell", "extra", "currency"),
    [
        ("Amount", "R$ 10", {}, "BRL"), ("Amount", "$10", {}, "USD"), ("Amount", "10 €", {}, "EUR"),
        ("Amount (GBP)", "10", {}, "GBP"), ("Amount", "10", {"Currency": lambda row: "CHF"}, "CHF"),
    ],
)  # fmt: skip
def test_the_currency_follows_from_signs_headers_or_a_column(
    tmp_path: Path, header: str, cell: str, extra: dict[str, Cell], currency: str
) -> None:
    columns = {name: its for name, its in DEALS.items() if name != "Amount"}
    write(tmp_path, {**columns, header: lambda row: cell, **extra})
    assert company_of(draft(tmp_path)).currency == currency


def test_no_agent_is_over_the_capacity(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Owner": lambda row: "Ana" if row < 60 else "Bob"})
    drafted = draft(tmp_path)
    assert company_of(drafted).default_capacity == 25
    assert "95 of 100 agents have at most 20 now" in line_of(drafted, "default_capacity")
    write(tmp_path, DEALS, rows=9)
    assert company_of(draft(tmp_path)).default_capacity == 10


def test_follow_up_lasts_as_long_as_deals_take(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    assert company_of(draft(tmp_path)).follow_up_days == 18
    write(tmp_path, {**DEALS, "Closed": lambda row: f"{start(row):%Y-%m-%d}"})
    assert company_of(draft(tmp_path)).follow_up_days == 7


@pytest.mark.parametrize(
    ("created", "closed", "order", "why"),
    [
        (lambda r: (3, 1 + r % 12), lambda r: (4, 1 + r * 5 % 12), "dmy", "otherwise deals would close before they begin"),
        (lambda r: (4, 1 + r % 12), lambda r: (4, 1 + r % 12), "dmy", "then they lie within 12 days"),
        (lambda r: (1 + r % 12, 1 + r // 9), lambda r: (1 + r % 12, 2 + r // 9), "mdy", "as is usual with English headers"),
    ],
    ids=["deals end after they begin", "an export spans days rather than months", "dollars"],
)  # fmt: skip
def test_day_or_month_first_is_guessed_declared_and_doubted(
    tmp_path: Path, created: Callable[[int], tuple[int, int]], closed: Callable[[int], tuple[int, int]], order: str, why: str
) -> None:  # fmt: skip
    def written(when: tuple[int, int]) -> str:
        month, day = when
        first, second = (day, month) if order == "dmy" else (month, day)
        return f"{first:02d}/{second:02d}/2025"

    changed = {
        "Created": lambda row: written(created(row)),
        "Closed": lambda row: written(closed(row)),
        "Amount": lambda row: f"${row}",
    }
    write(tmp_path, {**DEALS, **changed})
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert company.tables["assignments"].format.date_order == order
    said = line_of(drafted, "date_order")
    assert said.startswith("DOUBT: no day in Created, Closed is above 12")
    assert why in said
    history = imported(tmp_path, drafted)
    assert history.assignments.height == ROWS
    assert history.assignments["assigned_at"][2].day == created(2)[1]


def test_some_amounts_in_dollars_are_enough_for_the_month_to_come_first(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name not in ("Created", "Closed", "Stage")}
    day: Cell = lambda row: f"{1 + row % 12:02d}/{1 + row // 9:02d}/2025"  # noqa: E731
    write(tmp_path, {**columns, "Created": day, "Amount": lambda row: f"${row}" if row < 9 else row})
    assert company_of(draft(tmp_path)).tables["assignments"].format.date_order == "mdy"


@pytest.mark.parametrize(
    ("header", "sign", "order"),
    [("Created", "€", "dmy"), ("Created", "$", "mdy"), ("Erstellt am", "$", "dmy")],
)
def test_the_order_of_a_date_follows_from_the_language_at_last(
    tmp_path: Path, header: str, sign: str, order: str
) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name not in ("Created", "Closed", "Stage")}
    day: Cell = lambda row: f"{1 + row % 12:02d}/{1 + row // 9:02d}/2025"  # noqa: E731
    write(tmp_path, {**columns, header: day, "Amount": lambda row: f"{sign}{row}"})
    assert company_of(draft(tmp_path)).tables["assignments"].format.date_order == order


@pytest.mark.parametrize(
    ("days", "order", "why"),
    [
        (("03/01/2025", "06/11/2025"), "dmy", "as is usual with English headers"),  # 308 days, or 103
        (("01/12/2025", "05/01/2025"), "mdy", "then they lie within 110 days, otherwise within 331"),
    ],
)  # fmt: skip
def test_an_order_is_told_by_a_span_more_than_three_times_as_short(
    tmp_path: Path, days: tuple[str, ...], order: str, why: str
) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name not in ("Created", "Closed", "Stage")}
    write(tmp_path, {**columns, "Created": cycle(*days)})
    drafted = draft(tmp_path)
    assert company_of(drafted).tables["assignments"].format.date_order == order
    assert why in line_of(drafted, "date_order")


def test_a_point_that_may_be_a_comma_is_declared_and_doubted(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {
        "Kundennummer": lambda row: row % 9,
        "Bestelldatum": lambda row: f"{start(row):%d.%m.%Y}",
    }
    write(tmp_path, {**columns, "Betrag": lambda row: f"{1 + row}.000"}, "bestellungen.csv", separator=";")
    drafted = draft(tmp_path)
    assert company_of(drafted).tables["orders"].format.decimal == ","
    said = line_of(drafted, "decimal")
    assert said.startswith("DOUBT: Betrag: 1.000 (line 2) may ")
    assert said.endswith('; this is usual where headers are German decimal = ","')
    assert "write" not in said
    inputs = read_plan_inputs(schema=company_of(drafted), directory=tmp_path)
    assert inputs.orders is not None
    assert inputs.orders["amount_eur"].max() == 90_000


# leads


def test_the_assigned_date_comes_before_the_created_one_where_it_is_filled(tmp_path: Path) -> None:
    assigned: Cell = lambda row: f"{start(row) + timedelta(hours=1):%Y-%m-%d %H:%M}"  # noqa: E731
    write(tmp_path, {**DEALS, "Assigned at": assigned})
    assert columns_of(company_of(draft(tmp_path)), "assignments")["assigned_at"] == "Assigned at"
    write(tmp_path, {**DEALS, "Assigned at": lambda row: assigned(row) if row < 20 else ""})
    assert columns_of(company_of(draft(tmp_path)), "assignments")["assigned_at"] == "Created"


def test_leads_of_nobody_are_left_out_by_a_condition(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Owner"}
    write(tmp_path, {**columns, 'The "Owner"': lambda row: "" if row in (4, 5) else OWNERS(row)})
    drafted = draft(tmp_path)
    assert "DOUBT: leaves 2 rows out" in line_of(drafted, "where")
    history = imported(tmp_path, drafted)
    assert history.assignments.height == history.bookings.height == ROWS - 2
    assert not history.intake.rejected


def test_leads_without_an_owner_column_are_one_teams(tmp_path: Path) -> None:
    write(tmp_path, {name: cell for name, cell in DEALS.items() if name != "Owner"})
    drafted = draft(tmp_path)
    history = imported(tmp_path, drafted)
    assert history.agents["name"].to_list() == ["The team"]
    assert history.assignments.height == ROWS
    assert any("all are one team's" in doubt for doubt in drafted.doubts)


def test_leads_without_an_id_are_told_apart_by_what_does_not_repeat(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Deal ID"}
    write(tmp_path, {**columns, "Company": cycle("A", "B"), "Deal Name": lambda row: "Renewal"})
    drafted = draft(tmp_path)
    assert columns_of(company_of(drafted), "assignments")["id"] == "Deal Name + Company + Created"
    assert imported(tmp_path, drafted).bookings.height == ROWS


def test_owners_with_an_id_and_a_name(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Owner Id": lambda row: f"U{row // 5 % 3}"})
    company = company_of(draft(tmp_path))
    assert columns_of(company, "agents") == {"id": "Owner Id", "name": "Owner"}
    assert columns_of(company, "assignments")["agent"] == "Owner Id"


def test_owners_who_are_not_among_the_agents_are_named(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Owner": lambda row: f"P{row % 20:02d}"})
    write(tmp_path, {"Name": lambda row: f"P{row + 7:02d}", "Capacity": lambda row: 9}, "agents.csv", rows=13)
    drafted = draft(tmp_path)
    assert line_of(drafted, "id").startswith("DOUBT: P00, P01, P02, P03, P04 and 2 more: not in this file")
    assert "of agents without one of their own" in line_of(drafted, "default_capacity")
    write(tmp_path, {"Name": lambda row: f"P{row + 5:02d}", "Capacity": lambda row: 9}, "agents.csv", rows=15)
    assert "P00, P01, P02, P03, P04: not in this file" in draft(tmp_path).text


def test_a_key_that_few_leads_have_is_no_lookup(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Company": cycle(*(f"C{n}" for n in range(10)))})
    sectors: dict[str, Cell] = {"Name": lambda row: f"C{row + 5}", "Sector": cycle("Food", "Steel")}
    write(tmp_path, sectors, "list.csv", rows=9)
    assert not company_of(draft(tmp_path)).lookups
    write(tmp_path, sectors | {"Name": lambda row: f"C{row + 4}"}, "list.csv", rows=9)
    assert company_of(draft(tmp_path)).lookups["list"].key == "Name"


def test_an_id_that_repeats_is_a_doubt(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            **DEALS,
            "Deal ID": lambda row: max(row, 1),
            "Company": lambda row: "A",
            "Created": lambda row: "2025-01-06",
        },
    )
    drafted = draft(tmp_path)
    assert "assignments.id: Deal ID comes more than once; 1 row will be rejected for it" in drafted.doubts
    assert imported(tmp_path, drafted).assignments.height == ROWS - 1


def test_empty_customers_get_a_name(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Company": lambda row: "" if row == 7 else f"Company {row}"})
    history = imported(tmp_path, draft(tmp_path))
    assert history.assignments["customer_name"][7] == "(unknown)"
    assert history.assignments.height == ROWS


def test_dates_that_no_header_names_are_told_by_their_rows_with_a_doubt(tmp_path: Path) -> None:
    names = {"Created": "Foo", "Closed": "Bar"}
    write(tmp_path, {names.get(name, name): cell for name, cell in DEALS.items()})
    drafted = draft(tmp_path)
    found = columns_of(company_of(drafted), "assignments") | columns_of(company_of(drafted), "bookings")
    assert (found["assigned_at"], found["completed_at"], found["cancelled_at"]) == ("Foo", "Bar", "Bar")
    assert "DOUBT: no header says when a lead was given" in line_of(drafted, "assigned_at")
    assert "DOUBT: no header says so, but it is filled where deals are confirmed" in line_of(
        drafted, "completed_at"
    )
    assert outcomes(imported(tmp_path, drafted)) == THIRDS


@pytest.mark.parametrize(
    "cell", [lambda row: f"{end(row):%Y-%m-%d}", lambda row: settled(row) if row % 2 else ""]
)
def test_a_date_that_open_deals_have_too_or_settled_ones_lack_is_no_closing_date(
    tmp_path: Path, cell: Cell
) -> None:
    columns = {name: its for name, its in DEALS.items() if name != "Closed"}
    write(tmp_path, {**columns, "Bar": cell})
    drafted = draft(tmp_path)
    assert "completed_at" not in columns_of(company_of(drafted), "bookings")
    assert not drafted.runs


def test_of_two_amounts_the_one_that_wins_have_and_few_others(tmp_path: Path) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Amount"}
    offered: Cell = lambda row: 100  # noqa: E731
    paid: Cell = lambda row: 90 if state(row) == "won" else ""  # noqa: E731
    write(tmp_path, {**columns, "Angebotssumme netto": offered, "Auftragssumme netto": paid})
    assert columns_of(company_of(draft(tmp_path)), "bookings")["total_revenue"] == "Auftragssumme netto"


# dimensions


def test_dimensions_are_few_known_at_arrival_and_never_ids_names_dates_or_results(tmp_path: Path) -> None:
    good = {
        "Region": cycle("North", "South", every=3), "Industry": cycle("Food", "Steel", every=4),
        "Weather": cycle("sun", "rain"), "Product": lambda row: "" if row < 3 else ("X", "Y")[row // 7 % 2],
    }  # fmt: skip
    numbers: dict[str, Cell] = {name: lambda row: row % 41 for name in ("Employees", "Budget", "Seats")}
    bad: dict[str, Cell] = {
        "Contact Name": cycle("Kim", "Lee"), "Next Step": cycle("call", "mail"), "Notes": lambda row: f"text {row}",
        "Paid": lambda row: ("cash", "card")[row // 2 % 2] if state(row) != "open" else "", "Verdict": lambda row: ("ok", "bad", "ok")[row % 3],
        "Started": lambda row: "2025-01-01", "Nothing": lambda row: "", "Same": lambda row: "x",
    }  # fmt: skip
    write(tmp_path, {**DEALS, **good, **numbers, **bad})
    drafted = draft(tmp_path)
    found = {item.name: item for item in company_of(drafted).dimensions}
    assert len(found) == 6
    assert {"source", "product", "region", "industry", "employees", "budget"} == set(found)
    assert found["employees"].bins == 4
    assert not found["product"].required
    assert found["region"].required
    assert {"Next Step", "Paid", "Verdict"} <= set(
        drafted.text.split("known only afterwards: ")[1].split(".")[0].replace("\n#", "").split(", ")
    )
    names = {item.name: item.values for item in imported(tmp_path, drafted).dimensions}
    assert len(names["employees"]) == 4
    assert "Web" in names["source"]


def test_what_no_open_deal_has_is_a_result_and_what_some_have_is_none(tmp_path: Path) -> None:
    rare: Cell = lambda row: ("x", "y")[row // 40] if row in (0, 3, 6, 42, 45) else ""  # noqa: E731
    often: Cell = lambda row: ("x", "y")[row // 2 % 2] if state(row) != "open" or row < 6 else ""  # noqa: E731
    write(tmp_path, {**DEALS, "Rare": rare, "Often": often})
    assert {item.name for item in company_of(draft(tmp_path)).dimensions} == {"source", "often"}


def test_at_most_two_dimensions_are_numbers(tmp_path: Path) -> None:
    numbers: dict[str, Cell] = {name: lambda row: row % 41 for name in ("Employees", "Budget", "Seats")}
    write(tmp_path, {**DEALS, **numbers, "Score": lambda row: row % 41, "Age": lambda row: row % 3})
    assert [item.bins for item in company_of(draft(tmp_path)).dimensions] == [0, 4, 4]


@pytest.mark.parametrize(("distinct", "kept"), [(1, False), (2, True), (18, True), (19, False)])
def test_a_dimension_has_few_values(tmp_path: Path, distinct: int, kept: bool) -> None:
    write(tmp_path, {**DEALS, "Region": lambda row: f"R{row // 2 % distinct}"})
    names = [item.name for item in company_of(draft(tmp_path)).dimensions]
    assert ("region" in names) == kept


def test_dimensions_get_names_of_their_own(tmp_path: Path) -> None:
    odd: dict[str, Cell] = {
        name: cycle("a", "b", every=n) for n, name in enumerate(("Região", "Regiao", "2nd", "Weight!"), 2)
    }
    columns = {name: cell for name, cell in DEALS.items() if name != "Source"}
    write(tmp_path, {**columns, **odd})
    names = {item.name for item in company_of(draft(tmp_path)).dimensions}
    assert names == {"regiao", "regiao_2", "lead_2nd", "lead_weight"}


def test_columns_of_customers_and_products_come_by_key(tmp_path: Path) -> None:
    write(tmp_path, {**DEALS, "Company": cycle(*(f"C{n}" for n in range(9)))})
    write(
        tmp_path,
        {"Name": lambda row: f"C{row}", "Sector": cycle("Food", "Steel"), "Employees": lambda row: row * 10, "Phone": lambda row: row},
        "customers.csv", rows=9, separator=";",
    )  # fmt: skip
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert [item.source.label for item in company.dimensions] == [
        "Source",
        "customers.Sector",
        "customers.Employees",
    ]
    assert company.lookups["customers"].on == "Company"
    assert columns_of(company, "accounts") == {"id": "Name"}
    assert imported(tmp_path, drafted).assignments["sector"].null_count() == 0


# several tables


def test_astra_comes_out_as_its_shipped_mapping_does(shared: Path) -> None:
    folder = shared / "data" / "astra"
    drafted = draft(folder)
    shipped, own = read_history(read_mapping("astra"), folder), imported(folder, drafted)
    for name in ("agents", "assignments", "bookings"):
        expected = getattr(shipped, name)
        assert_frame_equal(getattr(own, name).select(expected.columns), expected)
    values = {item.name: set(item.values) for item in own.dimensions}
    assert values == {item.name: set(item.values) for item in shipped.dimensions}
    assert drafted.loops == ("import",)


def three_tables() -> dict[str, dict[str, Cell]]:
    return {
        "Sellers": {"Seller ID": lambda row: row + 1, "First name": cycle("Ana", "Bob", every=1), "Last name": lambda row: f"S{row}"},
        "Leads": {
            "Lead ID": lambda row: row + 1, "Seller ID": lambda row: row % 5 + 1, "Customer": DEALS["Company"],
            "Created": DEALS["Created"], "Source": DEALS["Source"],
        },
        "Bookings": {
            "Booking ID": lambda row: 1000 + row, "Lead ID": lambda row: ROWS - row, "Status": lambda row: ENGLISH[state(ROWS - row - 1)],
            "Closed": lambda row: settled(ROWS - row - 1), "Amount": DEALS["Amount"],
        },
    }  # fmt: skip


def test_three_tables_find_each_other(tmp_path: Path) -> None:
    sizes = {"Sellers": 5, "Leads": ROWS, "Bookings": 60}
    for name, columns in three_tables().items():
        write(tmp_path, columns, f"{name}.csv", rows=sizes[name])
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert {name: company.tables[name].file for name in company.tables} == {
        "agents": "Sellers.csv", "assignments": "Leads.csv", "bookings": "Bookings.csv",
    }  # fmt: skip
    assert columns_of(company, "agents") == {"id": "Seller ID", "name": "First name + Last name"}
    assert columns_of(company, "bookings")["assignment"] == "Lead ID"
    history = imported(tmp_path, drafted)
    assert (history.agents.height, history.assignments.height, history.bookings.height) == (5, ROWS, 60)


def test_the_sheets_of_a_workbook_are_tables(tmp_path: Path) -> None:
    sizes = {"Sellers": 5, "Leads": ROWS, "Bookings": 60}
    sheets = {
        name: [list(columns), *([cell(row) for cell in columns.values()] for row in range(sizes[name]))]
        for name, columns in three_tables().items()
    }
    (tmp_path / "crm.xlsx").write_bytes(workbook({**sheets, "Read me": [["hello"], ["you"]]}))
    drafted = draft(tmp_path)
    assert {file.sheet: file.roles for file in drafted.files} == {
        "Sellers": ("agents",), "Leads": ("assignments",), "Bookings": ("bookings",),
    }  # fmt: skip
    assert imported(tmp_path, drafted).bookings.height == 60
    assert drafted.unread == ("crm.xlsx, sheet 'Read me' has a single column: it is no table",)


def test_a_sheet_may_be_looked_up(tmp_path: Path) -> None:
    deals = {**DEALS, "Company": cycle(*(f"C{n}" for n in range(9)))}
    sheets = {
        "Deals": [list(deals), *([cell(row) for cell in deals.values()] for row in range(ROWS))],
        "Firms": [["Name", "Sector"], *([f"C{row}", ("Food", "Steel")[row % 2]] for row in range(9))],
    }
    (tmp_path / "crm.xlsx").write_bytes(workbook(sheets))
    drafted = draft(tmp_path)
    assert company_of(drafted).lookups["firms"].format.sheet == "Firms"
    assert drafted.files[1].roles == ("lookup",)
    assert set(imported(tmp_path, drafted).assignments["sector"]) == {"Food", "Steel"}


def test_owners_by_name_find_agents_whose_name_is_in_two_columns(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    people = [("Ana", "Ruiz"), ("Bob", "Stone"), ("Dora", "New")]
    write(
        tmp_path,
        {"No": lambda row: row, "First Name": lambda row: people[row][0], "Last Name": lambda row: people[row][1], "Rating": lambda row: 4 + row / 2},
        "team.csv", rows=3,
    )  # fmt: skip
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert columns_of(company, "agents") == {
        "id": "First Name + Last Name",
        "name": "First Name + Last Name",
        "rating": "Rating",
    }
    assert any("Carla Díaz: not in this file" in doubt for doubt in drafted.doubts)


def few(count: int) -> Cell:
    return lambda row: f"C{row % count:03d}"


DATE: Cell = lambda row: f"{start(row):%Y-%m-%d}"  # noqa: E731
WORDS: Cell = lambda row: ENGLISH[state(row)]  # noqa: E731
NUMBER: Cell = lambda row: row + 1  # noqa: E731


@pytest.mark.parametrize(
    ("name", "columns", "roles"),
    [
        ("a.csv", {"Account ID": few(90), "Account Name": few(90), "Account Owner": OWNERS, "Created Date": DATE}, "accounts"),
        ("a.csv", {"ID": few(90), "Kunde": few(90), "Betreuer": OWNERS, "Latitude": NUMBER, "Foo": DATE}, ""),
        ("kunden.csv", {"Nr": few(90), "Kunde": few(90), "Betreuer": OWNERS, "Erstellt am": DATE}, "accounts"),
        ("a.csv", {"Customer ID": few(30), "Date": DATE, "Amount": NUMBER}, "orders"),
        ("a.csv", {"Customer": few(71), "Date": DATE, "Amount": NUMBER}, "orders"),
        ("a.csv", {"Customer": few(72), "Date": DATE, "Amount": NUMBER}, ""),
        ("sales.csv", {"Customer": few(72), "Date": DATE, "Amount": NUMBER}, "orders"),
        ("a.csv", {"Customer": few(30), "Date": DATE}, ""),
        ("orders.csv", {"Order ID": NUMBER, "Customer": few(30), "Sales rep": OWNERS, "Date": DATE, "Amount": NUMBER}, "orders"),
        ("a.csv", {"Name": few(90), "Owner": OWNERS, "Created": DATE}, ""),
        ("a.csv", {"ID": NUMBER, "Owner": OWNERS, "Created": DATE}, "assignments agents"),
        ("leads.csv", {"Name": few(90), "Owner": OWNERS, "Created": DATE}, "assignments agents"),
        ("a.csv", {"Customer": few(30), "Created": DATE, "Status": WORDS, "Closed": DATE, "No": NUMBER}, "assignments bookings agents"),
        ("a.csv", {"Owner": OWNERS, "Stage": WORDS, "Created": DATE}, "assignments bookings agents"),
        ("a.csv", {"ID": NUMBER, "Stage": WORDS, "Created": DATE}, ""),
        ("a.csv", {"Stage": WORDS, "Created": DATE, "Closed": DATE}, ""),
        ("a.csv", {"Deal ID": NUMBER, "Stage": WORDS, "Created": DATE}, "assignments bookings agents"),
        ("a.csv", {"Owner": OWNERS, "Closed": DATE, "Created": DATE}, "assignments agents"),
        ("leads.csv", {"Foo": few(90), "Created": DATE}, ""),
        ("leads.csv", {"ID": few(90), "Created": DATE}, "assignments agents"),
        *((f"{name}.csv", {"Owner": OWNERS, "Deal ID": NUMBER, "Stage": WORDS, "Created": DATE, "Closed": DATE}, "assignments bookings agents") for name in ("accounts", "orders", "agents")),
        ("accounts.csv", {"Owner": OWNERS, "Deal ID": NUMBER, "Stage": WORDS, "Created": DATE}, ""),
        ("a.csv", {"Owner": OWNERS, "Stage": cycle("p", "q"), "Foo": DATE, "No": NUMBER}, ""),
        ("a.csv", {"Rep ID": few(90), "Hours per week": NUMBER, "Customer ID": few(30), "Date": DATE, "Amount": NUMBER}, "staff"),
        ("agents.csv", {"ID": few(90), "Name": few(90), "Lat": NUMBER, "Lon": NUMBER}, "reps"),
        ("a.csv", {"Customer ID": few(90), "Lat": NUMBER, "Lon": NUMBER}, "accounts"),
        ("a.csv", {"Name": few(90), "Churn": cycle("yes", "no")}, "accounts"),
        ("a.csv", {"Name": few(90), "Lat": NUMBER, "Lon": NUMBER}, ""),
        ("a.csv", {"Customer ID": few(80), "Lat": NUMBER, "Lon": NUMBER}, ""),
        ("accounts.csv", {"Name": few(90), "Foo": NUMBER}, "accounts"),
        ("orders.csv", {"Customer ID": few(90), "Lat": NUMBER, "Lon": NUMBER}, ""),
        ("agents.csv", {"Customer ID": few(90), "Foo": NUMBER}, ""),
        ("agents.csv", {"Customer ID": few(90), "Churn": cycle("yes", "no")}, "accounts"),
        ("a.csv", {"Name": lambda row: f"Z{row}", "Foo": NUMBER}, "accounts"),  # those of the orders
        ("a.csv", {"Name": lambda row: f"Z{row + 5}", "Foo": NUMBER}, ""),
        ("a.csv", {"Account ID": few(90), "Snapshot at": DATE, "Foo": NUMBER}, "history"),
        ("a.csv", {"Customer ID": few(30), "Contact date": DATE, "Action": few(3), "Response": cycle("yes", "no")}, "touches"),
        ("a.csv", {"Customer ID": few(30), "Contact date": DATE, "Action": few(3)}, ""),
        ("a.csv", {"Employee ID": few(90), "Home lat": NUMBER, "Home lon": NUMBER}, "reps"),
        ("a.csv", {"Employee ID": few(90), "Lat": NUMBER, "Lon": NUMBER}, ""),
    ],
)  # fmt: skip
def test_what_a_table_is_taken_for(tmp_path: Path, name: str, columns: dict[str, Cell], roles: str) -> None:
    write(tmp_path, columns, name)
    write(
        tmp_path,
        {"Client": lambda row: f"Z{row % 9}", "Purchase date": DATE, "Price": NUMBER},
        "zz.csv",
        rows=60,
    )
    assert {file.file: " ".join(file.roles) for file in draft(tmp_path).files}[name] == roles


@pytest.mark.parametrize(
    ("own", "other", "chosen"),
    [
        (WORDS, WORDS, "deals.csv"),
        (cycle("assigned", "done"), WORDS, "more.csv"),
        (None, WORDS, "more.csv"),
        (cycle("Won", "assigned"), cycle("Lost", "x"), "deals.csv"),
    ],
)
def test_the_outcome_is_taken_from_where_it_is_told(
    tmp_path: Path, own: Cell | None, other: Cell, chosen: str
) -> None:
    columns = {name: cell for name, cell in DEALS.items() if name != "Stage"}
    write(tmp_path, columns | ({"Stage": own} if own else {}))
    write(tmp_path, {"Deal ID": DEALS["Deal ID"], "Status": other, "Closed at": DATE}, "more.csv")
    roles = {file.file: file.roles for file in draft(tmp_path).files}
    assert "bookings" in roles[chosen]


def test_a_table_that_refers_to_few_leads_holds_no_outcomes(tmp_path: Path) -> None:
    write(tmp_path, {name: cell for name, cell in DEALS.items() if name != "Stage"})
    for first, found in ((545, False), (544, True)):
        write(
            tmp_path,
            {"Deal ID": lambda row, first=first: first + row, "Status": WORDS, "Closed": DATE},
            "more.csv",
        )
        roles = {file.file: file.roles for file in draft(tmp_path).files}
        assert ("bookings" in roles["more.csv"]) == found


# the plan's tables


def test_telco_is_a_table_of_accounts_with_a_label(shared: Path) -> None:
    folder = shared / "data" / "telco"
    drafted = draft(folder)
    inputs = read_plan_inputs(schema=company_of(drafted), directory=folder)
    assert inputs.accounts.height == 7043
    assert inputs.accounts["churned"].sum() == 1869
    assert set(inputs.schema.numeric) == {"SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"}
    assert len(inputs.schema.categorical) == 15
    assert drafted.loops == ("plan",)


def test_orders_alone_are_enough_and_may_be_separated_by_blanks(tmp_path: Path) -> None:
    rows = "\n".join(f" {row % 7:05d} {start(row):%Y%m%d}  1  {row % 50 - 1:6.2f}" for row in range(ROWS))
    (tmp_path / "master.txt").write_text(f" customer_id  date number dollar_value\n{rows}\n")
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert company.tables["orders"].format.separator == "whitespace"
    assert columns_of(company, "orders") == {
        "account_id": "customer_id",
        "ordered_at": "date",
        "amount_eur": "dollar_value",
    }
    assert 'returns = "net"' in drafted.text
    assert read_plan_inputs(schema=company, directory=tmp_path).accounts.height == 7


def customers() -> dict[str, Cell]:
    return {
        "Id cliente": lambda row: f"C{row}", "Nombre": lambda row: f"Tienda {row}",
        "Latitud": lambda row: 41 + row / 1000, "Longitud": lambda row: 2 + row / 1000,
        "Sector": cycle("Bar", "Hotel"), "Fecha de alta": lambda row: f"{start(row) - timedelta(days=900):%d/%m/%Y}",
        "Fin de contrato": lambda row: f"{start(row) + timedelta(days=900):%d/%m/%Y}",
        "Acepta llamadas": cycle("sí", "no"), "Baja": cycle("sí", "no", "No", every=1),
        "Motivo de baja": lambda row: "precio" if row % 3 == 0 else "", "Reembolso": lambda row: 10 if row % 3 == 0 else "",
        "Empleados": lambda row: row % 13, "Teléfono": lambda row: f"+34 600 {row:06d}", "Vacía": lambda row: "",
    }  # fmt: skip


def write_plan(folder: Path) -> None:
    def account(row: int) -> str:
        return f"C{row % ROWS}"

    def when(row: int) -> str:
        return f"{start(row % ROWS):%d/%m/%Y}"

    write(folder, customers(), "clientes.csv", separator=";")
    write(
        folder,
        {"Pedido": lambda r: r, "Id cliente": account, "Fecha": when, "Importe": lambda r: f"{r},50"},
        "pedidos.csv",
        rows=3 * ROWS,
        separator=";",
    )
    write(
        folder,
        {"Id cliente": account, "Fecha de contacto": when, "Canal": cycle("Teléfono", "Visita", "Paloma"), "Acción": cycle("upsell"), "Respuesta": cycle("sí", "no")},
        "contactos.csv", rows=2 * ROWS, separator=";",
    )  # fmt: skip
    write(
        folder,
        {"Id vendedor": lambda r: f"V{r}", "Nombre": lambda r: f"Vendedor {r}", "Latitud domicilio": lambda r: 41.5, "Longitud domicilio": lambda r: 2.1, "Visitas por día": lambda r: 8},
        "representantes.csv", rows=4, separator=";",
    )  # fmt: skip


def test_the_tables_of_the_plan(tmp_path: Path) -> None:
    write_plan(tmp_path)
    drafted = draft(tmp_path)
    company = company_of(drafted)
    said = company.accounts
    assert columns_of(company, "accounts") == {
        "id": "Id cliente",
        "latitude": "Latitud",
        "longitude": "Longitud",
    }
    assert list(said.numeric) == ["Empleados"]
    assert "Fin de contrato" in said.dates_ahead
    assert said.labels["churned"].positive == "sí"
    assert said.consent["outbound_cc"].label == "Acepta llamadas"
    assert {role: source.label for role, source in said.roles.items()} == {
        "name": "Nombre",
        "industry": "Sector",
        "phone": "Teléfono",
    }
    assert "give the label away: Motivo de baja, Reembolso." in drafted.text
    assert "which channel is it?" in line_of(drafted, "Paloma")
    inputs = read_plan_inputs(schema=company, directory=tmp_path)
    assert inputs.orders is not None
    assert inputs.touches is not None
    assert inputs.reps is not None
    assert (inputs.accounts.height, inputs.orders.height, inputs.reps.height) == (ROWS, 3 * ROWS, 4)
    assert set(inputs.touches["channel"]) == {"outbound_cc", "field"}
    assert inputs.accounts["churned"].sum() == 30
    assert drafted.loops == ("plan",)


def test_numbers_are_features_unless_they_are_ids(tmp_path: Path) -> None:
    numbers: dict[str, Cell] = {
        "Legacy ID": lambda row: 7 * row,
        "Turnover": lambda row: 7 * row,
        "Paid ID": cycle(1, 2, 3),
    }
    texts: dict[str, Cell] = {"Motto": lambda row: f"m{row % 46}", "Tag": lambda row: f"t{row % 45}"}
    write(tmp_path, {"Customer ID": lambda row: f"C{row}", **numbers, **texts}, "customers.csv")
    drafted = draft(tmp_path)
    assert list(company_of(drafted).accounts.numeric) == ["Turnover", "Paid ID"]
    assert "free text: Legacy ID, Motto." in drafted.text


def test_snapshots_of_accounts_are_their_history_and_a_few_bad_rows_change_nothing(tmp_path: Path) -> None:
    accounts: dict[str, Cell] = {
        "account_id": lambda row: f"C{max(row, 1)}", "employees": lambda row: row % 9,
        "customer_since": lambda row: "2099-01-01" if row == 5 else "2020-01-01", "contract_end": lambda row: "2099-01-01",
    }  # fmt: skip
    write(tmp_path, accounts, "accounts.csv")
    write(tmp_path, {**accounts, "snapshot_at": lambda row: "2024-01-01"}, "earlier.csv")
    write(
        tmp_path,
        {
            "account_id": lambda row: f"C{row % 40 + 1}",
            "ordered_at": DEALS["Created"],
            "amount_eur": DEALS["Amount"],
        },
        "orders.csv",
    )
    drafted = draft(tmp_path)
    company = company_of(drafted)
    assert {name: table.file for name, table in company.tables.items()} == {
        "accounts": "accounts.csv", "orders": "orders.csv", "history": "earlier.csv",
    }  # fmt: skip
    assert list(company.accounts.dates_ahead) == ["contract_end"]
    assert "customer_since" in company.accounts.dates
    inputs = read_plan_inputs(schema=company, directory=tmp_path)
    assert inputs.accounts.height == ROWS - 2
    assert inputs.history is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("yes", "no", "moved?"), "a label has two words, and there are "),
        (("foo", "bar"), "which word means that a customer has left? There are "),
    ],
)
def test_a_label_that_is_not_plain_is_left_to_a_person(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    write(
        tmp_path,
        {"Customer ID": lambda row: f"C{row}", "Size": lambda row: row % 9, "Churn": cycle(*words, every=1)},
        "customers.csv",
    )
    drafted = draft(tmp_path)
    assert not company_of(drafted).accounts.labels
    assert said in line_of(drafted, "churned")
    assert drafted.runs


# what cannot be drafted


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there is no table in"),
        ({"readme.md": "hello"}, "there is no table in"),
        ({"a.csv": "", "b.csv": "one\n1\n"}, "no file in .* can be read as a table: a.csv is empty.*; b.csv has a single column"),
        ({"a.csv": "a,b\n"}, "has a header and no rows"),
        ({"people.csv": "Name,Email\nAna,a@x.org\nBob,b@x.org\n"}, "holds only people: people.csv"),
        ({"products.csv": "product,price\na,1\nb,2\n"}, "holds no leads, accounts or orders: products.csv"),
        (
            {"deals.csv": "Deal ID,Owner,Stage\n1,Ana,Won\n2,Bob,Lost\n"},
            "deals.csv looks like leads, but no column says when each was given to its owner",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_is_of_no_use(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        draft(tmp_path)


def test_eight_columns_of_a_table_that_is_of_no_use_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",".join(f"c{n}" for n in range(10)) + "\n" + "x," * 9 + "x\n")
    with pytest.raises(InputError, match=r"a\.csv \(c0, c1, c2, c3, c4, c5, c6, c7\)\. The desk needs"):
        draft(tmp_path)


def test_tables_of_which_most_rows_are_rejected_do_not_run(tmp_path: Path) -> None:
    early = {
        "Closed": lambda row: "" if state(row) == "open" else f"{start(row) - timedelta(days=10):%Y-%m-%d}"
    }
    write(tmp_path, {**DEALS, **early})
    drafted = draft(tmp_path)
    assert not drafted.runs
    assert drafted.doubts[0].startswith("import stops: too many rows were rejected: 66.7% of bookings")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: give the folder"):
        draft(tmp_path / "nowhere")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="is a file: give the folder"):
        draft(tmp_path / "a.csv")


def test_files_that_are_no_table_are_named_and_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    write(tmp_path, {"Field": lambda row: "a", "Meaning": lambda row: f"text {row}"}, "dictionary.csv")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    (tmp_path / "company.toml").write_text("nonsense")
    drafted = draft(tmp_path)
    assert "# dictionary.csv: not used" in drafted.text
    assert len(drafted.unread) == 1
    assert "broken.xlsx" in drafted.unread[0]
    assert drafted.summary() == "assignments, bookings, agents in deals.csv; 0 doubts"


def test_hidden_files_and_those_of_a_program_that_has_one_open_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, DEALS, "DEALS.CSV")
    for name in (".deals.csv", "~$deals.csv"):
        write(tmp_path, DEALS, name, rows=ROWS + 1)
    drafted = draft(tmp_path)
    assert [(file.file, file.rows) for file in drafted.files] == [("DEALS.CSV", ROWS)]
    assert drafted.unread == ()


def test_a_single_column_of_words_is_read_by_its_blanks_only_if_its_header_has_several(
    tmp_path: Path,
) -> None:
    write(tmp_path, DEALS)
    (tmp_path / "one.txt").write_text("words\nred green\nblue pink\n")
    (tmp_path / "two.txt").write_text("word  other\nred  green\nblue  pink\n")
    drafted = draft(tmp_path)
    assert drafted.unread == ("one.txt has a single column: it is no table",)
    assert [file.file for file in drafted.files] == ["deals.csv", "two.txt"]


def test_many_rejected_rows_are_a_doubt_from_two_of_a_hundred(tmp_path: Path) -> None:
    for bad, doubted in ((12, False), (13, True)):
        write(
            tmp_path,
            {**DEALS, "Created": lambda row, bad=bad: "soon" if row < bad else f"{start(row):%Y-%m-%d}"},
            rows=600,
        )
        drafted = draft(tmp_path)
        assert f"{bad} rows rejected when these files were tried" in drafted.text
        assert any("rejected when" in doubt for doubt in drafted.doubts) == doubted
        assert drafted.runs


def test_six_kinds_of_rejected_rows_are_shown(tmp_path: Path) -> None:
    odd = {
        "Deal ID": (40, ""),
        "Created": (41, "soon"),
        "Amount": (42, -5),
        "Closed": (43, "soon"),
        "Owner": (44, "\a"),
    }
    columns = {
        name: (lambda row, name=name, at=at, its=its: its if row == at else DEALS[name](row))
        for name, (at, its) in odd.items()
    }
    write(tmp_path, {**DEALS, **columns})
    with (tmp_path / "deals.csv").open("a") as file:
        file.write("footer\n" * 2)
    shown = [line for line in draft(tmp_path).text.splitlines() if line.startswith("# - ")]
    assert len(shown) == 6
    assert "# - deals.csv, 2 rows from line 92: 1 fields instead of 8" in shown
    assert "# - deals.csv, line 42: Deal ID empty" in shown
    assert "# - deals.csv, line 43: Created not a date or time that exists" in shown


def test_touches_without_a_channel_stop_the_plan_with_a_doubt(tmp_path: Path) -> None:
    columns: dict[str, Cell] = {"Customer ID": few(30), "Contact date": DATE, "Action": few(3)}
    write(tmp_path, {**columns, "Response": cycle("yes", "no")}, "touches.csv")
    write(tmp_path, {"Customer ID": few(30), "Order date": DATE, "Amount": NUMBER}, "orders.csv")
    drafted = draft(tmp_path)
    assert not drafted.runs
    assert drafted.doubts[0].startswith("plan stops: touches.csv: no column 'channel'")


def test_leads_and_orders_are_drafted_for_both_commands(tmp_path: Path) -> None:
    write(tmp_path, {**PRODUCTS["Dynamics"][0]}, "leads.csv")
    write(tmp_path, {"Customer": few(30), "Order date": DATE, "Amount": NUMBER}, "big.csv", rows=99)
    write(tmp_path, {"Customer": few(30), "Order date": DATE, "Amount": NUMBER}, "orders.csv", rows=60)
    drafted = draft(tmp_path)
    assert drafted.loops == ("import", "plan")
    assert {file.file: " ".join(file.roles) for file in drafted.files} == {
        "big.csv": "", "leads.csv": "assignments bookings agents", "orders.csv": "orders",
    }  # fmt: skip
    assert "in this folder (exported from Dynamics), drafted by" in drafted.text.splitlines()[0]
    assert "# big.csv: not used" in drafted.text


def test_the_head_says_whether_there_are_doubts_and_whether_it_runs(tmp_path: Path) -> None:
    def head() -> str:
        return draft(tmp_path).text.partition("\n\n")[0].replace("\n#", "")

    write(tmp_path, DEALS)
    assert head() == "# How to read the tables in this folder, drafted by `dealwright draft`."
    write(tmp_path, {**DEALS, "Stage": lambda row: "Limbo" if row == 2 else ENGLISH[state(row)]})
    assert head() == (
        "# How to read the tables in this folder, drafted by `dealwright draft`. Lines marked DOUBT are guesses: "
        "confirm or correct them."
    )
    write(tmp_path, {name: cell for name, cell in DEALS.items() if name != "Closed"})
    assert " It does not run yet: the first doubts say why." in head()


def test_the_footer_of_a_report_is_told_and_no_doubt(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    with (tmp_path / "deals.csv").open("a") as file:
        file.write('\n"Grand Totals (90 records)"\n"Confidential - Do Not Distribute"\n')
    drafted = draft(tmp_path)
    assert not drafted.doubts
    assert "# 2 rows rejected when these files were tried; the command says how to mend them:" in drafted.text
    assert "# - deals.csv, 2 rows from line 93: 1 fields instead of 8" in drafted.text
    with (tmp_path / "deals.csv").open("a") as file:
        file.write("more\n" * 7)
    assert draft(tmp_path).doubts[0].startswith("9 rows rejected")


def test_what_is_said_of_a_file(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    (file,) = draft(tmp_path).files
    assert (file.file, file.sheet, file.rows) == ("deals.csv", None, ROWS)
    assert file.roles == ("assignments", "bookings", "agents")
    assert file.fields == (
        "id", "agent", "customer_name", "assigned_at", "assignment", "status", "completed_at", "cancelled_at",
        "total_revenue", "name",
    )  # fmt: skip


def test_a_long_table_of_people_is_no_table_of_agents(tmp_path: Path) -> None:
    write(tmp_path, DEALS)
    for rows, found in ((59, "team.csv"), (60, None)):
        write(
            tmp_path,
            {"Name": lambda row: OWNERS(5 * row) if row < 3 else f"N{row}"} | {"Foo": NUMBER},
            "team.csv",
            rows=rows,
        )
        assert company_of(draft(tmp_path)).tables["agents"].file == found


# words


@settings(max_examples=60, deadline=None)
@example(
    headers=["^)$", "^a.*$", "ab", "^.*$"], cells=["a", "2,5", "2025-03-04", "1", "", "yes"]
)  # patterns to Polars
@given(
    headers=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r", exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip), min_size=2, max_size=6, unique_by=str.strip),
    cells=st.lists(st.sampled_from(["a", "b", "1", "2,5", "2025-03-04", "", '"', "yes", "it's # = [x]"]), min_size=6, max_size=6),
)  # fmt: skip
def test_whatever_the_headers_the_draft_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, headers: list[str], cells: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    odd = {
        header: cycle(*cells, every=n) for n, header in enumerate(headers, 1) if header.strip() not in DEALS
    }
    write(folder, {**DEALS, **odd}, rows=30)
    company = company_of(draft(folder))
    assert company.tables["assignments"].file == "deals.csv"


def test_nothing_is_drafted_from_words_alone(tmp_path: Path) -> None:
    """A column called as a date or an amount that holds neither is none."""
    write(tmp_path, {**DEALS, "Won time": lambda row: "soon", "Total revenue": lambda row: "much"})
    found = columns_of(company_of(draft(tmp_path)), "bookings")
    assert (found["completed_at"], found["total_revenue"]) == ("Closed", "Amount")
