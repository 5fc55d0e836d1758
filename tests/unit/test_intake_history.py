"""From tables to a history: every broken row is named, all good ones are kept."""

# ruff: noqa: E501 - a table of one broken row per line reads best unbroken
from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.intake.history import Intake, read_history
from dealwright.intake.mapping_file import load_mapping, parse_mapping
from dealwright.intake.set_aside import write_rejected

AGENTS = "AgentID,FirstName,LastName,Email,JobTitle,DepartmentName,ManagerName,YearsOfService,AverageCustomerServiceRating"
ASSIGNMENTS = "AssignmentID,AgentID,CustomerName,CommunicationMethod,LeadSource,AssignedDateTime"
BOOKINGS = (
    "BookingID,AssignmentID,BookingCompleteDate,CancelledDate,Destination,Package,LaunchLocation,"
    "DestinationRevenue,PackageRevenue,TotalRevenue,BookingStatus"
)
ANN = "1,Ann,Lee,ann@x.org,Agent,Sales,Bo,3,4.5"
BOB = "2,Bob,Ray,bob@x.org,Agent,Sales,Bo,5,4.0"
LEAD = "10,1,Kim,Text,Organic,2081-02-01 09:00:00"
LEAD_2 = "11,2,Sam,Phone Call,Bought,2081-02-02 09:00:00"
SALE = "100,10,2081-02-01 10:00:00,,Mars,Dome,Sydney Stellar Port,150,25,175,Confirmed"
LOSS = "101,11,,2081-02-03 10:00:00,Titan,Dome,Sydney Stellar Port,150,25,175,Cancelled"


def write(folder: Path, agents: list[str], assignments: list[str], bookings: list[str]) -> Path:
    for name, header, rows in (
        ("space_travel_agents.csv", AGENTS, agents),
        ("assignment_history.csv", ASSIGNMENTS, assignments),
        ("bookings.csv", BOOKINGS, bookings),
    ):
        (folder / name).write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return folder


def problems(intake: Intake) -> list[tuple[str, int, str, str]]:
    return [tuple(row) for row in intake.rejects.select("file", "line", "column", "reason").iter_rows()]


def test_astra_is_read_whole(shared: Path) -> None:
    intake = read_history(load_mapping("astra"), shared / "data" / "astra")
    history = intake.history
    assert intake.rejects.height == 0
    assert (history.agents.height, history.assignments.height, history.bookings.height) == (30, 450, 412)
    counts = dict(history.bookings.group_by("status").len().iter_rows())
    assert counts == {"confirmed": 297, "cancelled": 95, "pending": 20}
    assert history.assignments["destination"].null_count() == 38
    assert history.agents["name"][18] == "Calypso White"
    assert history.agents["external_id"].to_list() == [str(number) for number in range(1, 31)]
    assert history.bookings["total_revenue"][0] == 175_000
    assert history.assignments["assigned_at"][0] == datetime(2081, 2, 1, 9, tzinfo=UTC)
    assert intake.warnings.height == 18  # booked up to 40 minutes before the lead was filed
    assert "450 assignments" in intake.summary()


@pytest.mark.parametrize(
    ("agents", "assignments", "bookings", "expected"),
    [
        ([ANN, ANN.replace("Ann", "Eve")], [], [], ("space_travel_agents.csv", 3, "AgentID", "duplicate: line 2 has it already")),
        ([ANN.replace("3,4.5", "x,4.5")], [], [], ("space_travel_agents.csv", 2, "YearsOfService", "not a number")),
        ([ANN.replace("3,4.5", "-3,4.5")], [], [], ("space_travel_agents.csv", 2, "YearsOfService", "negative")),
        ([ANN.replace("3,4.5", "3,inf")], [], [], ("space_travel_agents.csv", 2, "AverageCustomerServiceRating", "not a number")),
        ([ANN.replace("Ann,Lee", " , ")], [], [], ("space_travel_agents.csv", 2, "FirstName + LastName", "empty")),
        ([ANN, BOB[:-4]], [], [], ("space_travel_agents.csv", 3, "(row)", "8 fields instead of 9")),
        ([ANN], [LEAD, LEAD_2], [], ("assignment_history.csv", 3, "AgentID", "unknown agent")),
        ([ANN], [LEAD.replace("Text", "text")], [], ("assignment_history.csv", 2, "CommunicationMethod", "not a value of communication_method")),
        ([ANN], [LEAD.replace("Organic", "")], [], ("assignment_history.csv", 2, "LeadSource", "empty lead_source")),
        ([ANN], [LEAD.replace("2081-02-01", "2081-02-31")], [], ("assignment_history.csv", 2, "AssignedDateTime", "not a date that exists")),
        ([ANN], [LEAD.replace("Kim", "")], [], ("assignment_history.csv", 2, "CustomerName", "empty")),
        ([ANN], [LEAD, LEAD], [], ("assignment_history.csv", 3, "AssignmentID", "duplicate: line 2 has it already")),
        ([ANN], [LEAD], [SALE, LOSS], ("bookings.csv", 3, "AssignmentID", "unknown assignment")),
        ([ANN], [LEAD], [SALE, SALE.replace("100,", "102,")], ("bookings.csv", 3, "AssignmentID", "the assignment has a booking already, on line 2")),
        ([ANN], [LEAD], [SALE.replace("2081-02-01 10:00:00", "")], ("bookings.csv", 2, "BookingCompleteDate", "confirmed without a date")),
        ([ANN], [LEAD], [SALE.replace("150,", "-150,")], ("bookings.csv", 2, "DestinationRevenue", "negative")),
        ([ANN], [LEAD], [SALE.replace("150,", "1.5.0,")], ("bookings.csv", 2, "DestinationRevenue", "not a number")),
        ([ANN], [LEAD], [SALE.replace("150,", "1e15,")], ("bookings.csv", 2, "DestinationRevenue", "too large")),
        ([ANN], [LEAD], [SALE.replace("150,25,175", ",,")], ("bookings.csv", 2, "TotalRevenue", "confirmed without an amount")),
        ([ANN], [LEAD], [SALE.replace("Mars", "Marz")], ("bookings.csv", 2, "Destination", "not a value of destination")),
        ([ANN], [LEAD], [SALE.replace("Confirmed", "Won")], ("bookings.csv", 2, "BookingStatus", "unknown status")),
        ([ANN], [LEAD], [SALE.replace("2081-02-01 10", "2081-01-31 10")], ("bookings.csv", 2, "BookingCompleteDate", "completed before it was assigned")),
        ([ANN, BOB], [LEAD_2], [LOSS.replace("2081-02-03", "2081-01-03")], ("bookings.csv", 2, "CancelledDate", "cancelled before it was assigned")),
    ],
)  # fmt: skip
def test_a_broken_row_is_named_and_the_others_are_kept(
    tmp_path: Path,
    agents: list[str],
    assignments: list[str],
    bookings: list[str],
    expected: tuple[str, int, str, str],
) -> None:
    intake = read_history(load_mapping("astra"), write(tmp_path, agents, assignments, bookings))
    assert problems(intake) == [expected]
    history = intake.history
    kept = history.agents.height + history.assignments.height + history.bookings.height
    assert kept == len(agents) + len(assignments) + len(bookings) - 1
    assert intake.set_aside == 1
    assert all(intake.rejects["fix"].str.len_chars() > 0)


def test_consequences_are_followed_to_the_end(tmp_path: Path) -> None:
    folder = write(tmp_path, [ANN.replace("3,4.5", "x,4.5"), BOB], [LEAD, LEAD_2], [SALE, LOSS])
    intake = read_history(load_mapping("astra"), folder)
    assert problems(intake) == [
        ("space_travel_agents.csv", 2, "YearsOfService", "not a number"),
        ("assignment_history.csv", 2, "AgentID", "its agent was set aside"),
        ("bookings.csv", 2, "AssignmentID", "its assignment was set aside"),
    ]
    assert intake.history.bookings["external_id"].to_list() == ["101"]


def test_rejected_rows_are_written_as_they_were(tmp_path: Path) -> None:
    source, aside = tmp_path / "in", tmp_path / "rejected"
    source.mkdir()
    write(
        source,
        [ANN, BOB],
        [LEAD, LEAD_2 + ",surplus"],
        [SALE.replace("Dome", '"Dome, ""big"""').replace("Mars", "Marz")],
    )
    mapping = load_mapping("astra")
    paths = write_rejected(read_history(mapping, source), aside, source)
    assert [path.name for path in paths] == ["assignment_history.csv", "bookings.csv"]
    frame = pl.read_csv(aside / "bookings.csv", infer_schema=False)
    assert frame.columns == [*BOOKINGS.split(","), "line", "column", "reason"]
    assert frame.row(0)[:6] == ("100", "10", "2081-02-01 10:00:00", "", "Marz", 'Dome, "big"')
    assert frame["line"][0] == "2"
    assert "did you mean 'Mars'?" in frame["reason"][0]
    ragged = pl.read_csv(aside / "assignment_history.csv", infer_schema=False).row(0)
    assert ragged[0] == "11"
    assert "7 fields instead of 6" in ragged[-1]
    write(source, [ANN, BOB], [LEAD, LEAD_2], [SALE])
    assert write_rejected(read_history(mapping, source), aside, source) == []
    assert list(aside.iterdir()) == []
    with pytest.raises(InputError, match="choose another directory"):
        write_rejected(read_history(mapping, source), source, source)


def test_a_booking_set_aside_is_not_silently_a_failed_contact(tmp_path: Path) -> None:
    intake = read_history(
        load_mapping("astra"), write(tmp_path, [ANN], [LEAD], [SALE.replace("Mars", "Marz")])
    )
    assert intake.history.assignments.height == 1
    assert "counts as one without a booking" in intake.warnings["reason"][0]


def test_directories_and_files_that_are_not_there(tmp_path: Path) -> None:
    mapping = load_mapping("astra")
    with pytest.raises(InputError, match="does not exist"):
        read_history(mapping, tmp_path / "nowhere")
    write(tmp_path, [ANN], [], [])
    (tmp_path / "bookings.csv").rename(tmp_path / "booking.csv")
    with pytest.raises(InputError, match=r"no file 'bookings.csv' .*did you mean 'booking.csv'"):
        read_history(mapping, tmp_path)
    write(tmp_path, [], [], [])
    with pytest.raises(InputError, match="at least one agent"):
        read_history(mapping, tmp_path)


def test_a_flat_european_export(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text(
        "nr;wer;kunde;am;status;betrag;erledigt;quelle\n"
        "A-1;u1;Kim;31.03.2025 14:05;gewonnen;1.234,50 €;01.04.2025 09:00;web\n"
        "A-2;u1;Sam;30.03.2025 02:30;;;;web\n"
        "A-3;u1;Ida;02.04.2025 10:00;verloren;;03.04.2025 10:00;shop\n"
        "A-4;u1;Jo;02.04.2025 10:00;offen;;;n/a\n",
        encoding="cp1252",
    )
    (tmp_path / "leute.csv").write_text("id;name;kann\nu1;Ann;Luxus | Kind\n", encoding="cp1252")
    mapping = parse_mapping(
        b"""
        [format]
        delimiter = ";"
        decimal = ","
        thousands = "."
        encoding = "cp1252"
        time_zone = "Europe/Berlin"
        date_formats = ["%d.%m.%Y %H:%M"]
        null_values = ["n/a"]
        [agents]
        file = "leute.csv"
        id = "id"
        name = "name"
        skills = { column = "kann", separator = "|" }
        [assignments]
        file = "all.csv"
        id = "nr"
        agent = "wer"
        customer_name = "kunde"
        assigned_at = "am"
        [bookings]
        file = "all.csv"
        id = "nr"
        assignment = "nr"
        status = "status"
        completed_at = "erledigt"
        cancelled_at = "erledigt"
        total_revenue = "betrag"
        statuses = { confirmed = "gewonnen", cancelled = "verloren", pending = "offen", none = "" }
        [dimensions.source]
        column = "quelle"
        values = "any"
        required = false
        """,
        "flat.toml",
    )
    intake = read_history(mapping, tmp_path)
    # 02:30 did not exist that night: the clock went from 02:00 to 03:00
    assert problems(intake) == [("all.csv", 3, "am", "not a date that exists in Europe/Berlin")]
    history = intake.history
    assert history.assignments["assigned_at"][0] == datetime(2025, 3, 31, 12, 5, tzinfo=UTC)
    assert history.bookings.select("external_id", "status", "total_revenue", "base_revenue").rows() == [
        ("A-1", "confirmed", 1234.5, 1234.5),
        ("A-3", "cancelled", None, None),
        ("A-4", "pending", None, None),
    ]
    assert history.bookings["cancelled_at"].null_count() == 2
    assert history.agents["skills"].to_list() == [["Luxus", "Kind"]]
    assert history.dimensions[0].values == ("shop", "web")
    assert history.assignments["source"].to_list() == ["web", "shop", None]
    assert intake.set_aside == 1
    assert [path.name for path in write_rejected(intake, tmp_path / "aside", tmp_path)] == ["all.csv"]
    assert pl.read_csv(tmp_path / "aside" / "all.csv").rows()[0][:3] == ("A-2", "u1", "Sam")


def test_a_flat_table_with_a_broken_row_of_each_kind(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,name\n1,Ann\n")
    (tmp_path / "all.csv").write_text(
        "id,who,customer,day,state,amount\n"
        "1,1,Kim,2025-01-01,won,5\n"
        "2,9,Sam,2025-01-01,won,5\n"
        "3,1,Ida,2025-01-01,won,much\n"
        "4,1,Jo\n"
    )
    mapping = parse_mapping(
        b"""
        agents = { file = "people.csv", id = "id", name = "name" }
        assignments = { file = "all.csv", id = "id", agent = "who", customer_name = "customer", assigned_at = "day" }
        [bookings]
        file = "all.csv"
        id = "id"
        assignment = "id"
        status = "state"
        completed_at = "day"
        total_revenue = "amount"
        statuses = { confirmed = "won" }
        """,
        "flat.toml",
    )
    intake = read_history(mapping, tmp_path)
    assert sorted(problems(intake)) == [
        ("all.csv", 3, "who", "unknown agent"),
        ("all.csv", 4, "amount", "not a number"),
        ("all.csv", 5, "(row)", "3 fields instead of 6"),
    ]
    assert [(report.kept, report.set_aside) for report in intake.files] == [(1, 0), (2, 2), (1, 1)]
    write_rejected(intake, tmp_path / "aside", tmp_path)
    aside = pl.read_csv(tmp_path / "aside" / "all.csv", infer_schema=False)
    assert aside["line"].to_list() == ["3", "4", "5"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60))
def test_kept_and_set_aside_add_up(tmp_path: Path, seed: int, count: int) -> None:
    """Whatever is broken, no row vanishes, and what is kept refers only to what is kept."""
    rng = random.Random(seed)

    def mix(good: str, *bad: str) -> str:
        return rng.choice([good] * 4 + list(bad))

    agents = [f"{mix(str(n), '1', '')},A,B,,,,,{mix('1', 'x')},4" for n in range(1, 6)]
    leads = [
        f"{mix(str(n), '3')},{mix(str(rng.randint(1, 5)), '77')},C,{mix('Text', 'Fax')},Organic,{mix('2081-02-01 09:00:00', 'soon')}"
        for n in range(count)
    ]
    sales = [
        f"{n},{mix(str(n), '999')},{mix('2081-02-01 10:00:00', '')},,{mix('Mars', '')},,Sydney Stellar Port,{mix('1', '-1')},1,2,{mix('Confirmed', 'Maybe')}"
        + mix("", ",surplus")
        for n in range(count)
    ]
    intake = read_history(load_mapping("astra"), write(tmp_path, agents, leads, sales))
    for report, rows in zip(intake.files, (agents, leads, sales), strict=True):
        assert report.rows == len(rows) == report.kept + report.set_aside
        assert report.rejected.height == report.set_aside
    history = intake.history
    assert history.assignments["agent_external_id"].is_in(history.agents["external_id"].implode()).all()
    assert (
        history.bookings["assignment_external_id"].is_in(history.assignments["external_id"].implode()).all()
    )
    assert history.bookings["assignment_external_id"].is_unique().all()
