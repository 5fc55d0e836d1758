"""How a drafted mapping is written: lines, comments and doubts, and the figures that a trial tells."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dealwright.schemas import History
from dealwright.tables.draft_page import Figures, Found, Page, write_page
from dealwright.tables.guesses import Table
from dealwright.tables.reader import read_table

BEGIN = datetime(2025, 1, 1)


# lines and comments


def test_a_table_begins_after_an_empty_line() -> None:
    page = Page()
    page.head("agents")
    page.put("id", "No")
    page.head("assignments")
    assert page.text == '[agents]\nid = "No"\n\n[assignments]'


def test_a_comment_stands_beside_its_line_or_above_it_where_it_is_too_long() -> None:
    page = Page()
    page.put("follow_up_days", 7, "as usual")
    page.put("a", 1, "w" * 102)
    page.put("b", 1, "w" * 103)
    page.put("c", 1, " ".join(["word"] * 30))
    lines = page.lines
    assert lines[0] == "follow_up_days = 7  # as usual"
    assert lines[1] == f"a = 1  # {'w' * 102}"
    assert lines[2:4] == [f"# {'w' * 103}", "b = 1"]
    assert lines[4:] == [f"# {' '.join(['word'] * 21)}", f"# {' '.join(['word'] * 9)}", "c = 1"]
    assert not page.doubts


def test_a_line_without_a_comment_may_be_as_long_as_it_is() -> None:
    page = Page()
    page.put("a", "x" * 200)
    assert page.lines == [f'a = "{"x" * 200}"']


def test_a_doubt_is_marked_in_its_comment_and_kept_with_its_place() -> None:
    page = Page()
    page.put("currency", "USD", "nothing says which", doubt=True)
    page.head("bookings")
    page.put("status", "Stage", "is it?", doubt=True)
    page.remark("why not", doubt=True)
    page.remark("so it is")
    assert page.doubts == ["currency: nothing says which", "bookings.status: is it?", "why not"]
    assert page.lines == [
        'currency = "USD"  # DOUBT: nothing says which',
        "", "[bookings]", 'status = "Stage"  # DOUBT: is it?', "# DOUBT: why not", "# so it is",
    ]  # fmt: skip


def test_a_line_that_is_commented_out_is_no_key_of_its_table() -> None:
    page = Page()
    page.head("bookings")
    page.put("status", "Stage")
    page.put("completed_at", "Modified", "is it?", off=True)
    assert page.lines[1:] == ['status = "Stage"', '# completed_at = "Modified"  # is it?']
    assert page.keys == {"bookings": ["status"]}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Owner", '"Owner"'), (True, "true"), (0.02, "0.02"), (["a", "b"], '["a", "b"]'), (("a",), '["a"]'),
        ({"column": "A", "default": 0}, '{ column = "A", default = 0 }'),
        ('The "Owner"', "'The \"Owner\"'"), ("it's", '"it\'s"'), ('"it\'s"', '"\\"it\'s\\""'),
        ("Größe", '"Größe"'), ("\x7f", '"\\u007f"'), ('"\n', '"\\"\\n"'),
        (["w" * 41, "w" * 40], f'["{"w" * 41}", "{"w" * 40}"]'),  # 89 characters
        (["w" * 41, "w" * 41], f'[\n    "{"w" * 41}",\n    "{"w" * 41}",\n]'),  # 90 in one line
    ],
)  # fmt: skip
def test_values_are_written_as_toml_that_says_the_same(value: Any, written: str) -> None:
    page = Page()
    page.put("odd key", value)
    assert page.text == f'"odd key" = {written}'
    assert tomllib.loads(page.text) == {"odd key": list(value) if isinstance(value, tuple) else value}


# what a trial tells


def history(
    leads: list[tuple[str, int, str | None, int | None]], *, unknown: bool = False, follow_up_days: float = 7
) -> History:
    """Return leads: the agent, the hour of assignment, the status, and the minutes until it was settled."""
    rows = [(str(number), *lead) for number, lead in enumerate(leads)]
    assignments = pl.DataFrame(
        [(key, agent, BEGIN + timedelta(hours=hour), unknown) for key, agent, hour, _, _ in rows],
        schema=["external_id", "agent_external_id", "assigned_at", "outcome_unknown"], orient="row",
    )  # fmt: skip
    ends = [
        (key, status, None if took is None else BEGIN + timedelta(hours=hour, minutes=took))
        for key, _, hour, status, took in rows
        if status
    ]
    bookings = pl.DataFrame(
        {
            "assignment_external_id": [key for key, _, _ in ends],
            "status": [status for _, status, _ in ends],
            "completed_at": [end if status == "confirmed" else None for _, status, end in ends],
            "cancelled_at": [end if status == "cancelled" else None for _, status, end in ends],
        },
        schema={
            "assignment_external_id": pl.String, "status": pl.String,
            "completed_at": pl.Datetime("us"), "cancelled_at": pl.Datetime("us"),
        },
    )  # fmt: skip
    return History((), pl.DataFrame(), assignments, bookings, follow_up_days)


def test_follow_up_lasts_until_95_of_100_leads_are_settled_and_a_week_at_least() -> None:
    def days(*took: int) -> int:
        return Figures.of(history([("a", 0, "confirmed", minutes) for minutes in took])).days

    assert days(60) == 7
    assert days(*[10 * 1440] * 19, 99 * 1440) == 10
    assert days(*[10 * 1440 + 1] * 20) == 11
    assert Figures.of(history([("a", 0, None, None)])).days == 7


@pytest.mark.parametrize(
    ("early", "late_min"),
    [
        (-60, 0),
        (0, 0),
        (1, 15),
        (15, 15),
        (16, 60),
        (60, 60),
        (61, 240),
        (240, 240),
        (241, 1440),
        (9000, 1440),
    ],
)
def test_leads_may_be_filed_as_late_as_some_were(early: int, late_min: int) -> None:
    leads = [("a", 0, "cancelled", -early), ("a", 0, "confirmed", 99), ("a", 0, "pending", None)]
    assert Figures.of(history(leads)).late_min == late_min


def test_an_agent_is_busy_with_the_leads_that_are_pending_or_wait_for_an_outcome() -> None:
    now = 24 * 30
    settled = [("a", 0, "confirmed", 60), ("a", now, "cancelled", 60)]
    assert Figures.of(history(settled)).busy == 0
    assert Figures.of(history([*settled, ("a", 0, "pending", None)])).busy == 1  # however old
    assert Figures.of(history([*settled, ("a", now - 24, None, None)])).busy == 1
    assert Figures.of(history([*settled, ("a", 24, None, None)])).busy == 0  # nobody follows it up any more
    assert Figures.of(history([*settled, ("a", now - 24, None, None)], unknown=True)).busy == 0
    # exactly a week before the last of all that happened, 60 minutes after `now`
    assert Figures.of(history([*settled, ("a", now + 1 - 24 * 7, None, None)])).busy == 0
    assert Figures.of(history([*settled, ("a", now + 2 - 24 * 7, None, None)])).busy == 1


def test_without_any_outcome_leads_wait_as_long_as_the_mapping_says() -> None:
    leads: list[tuple[str, int, str | None, int | None]] = [("a", 24 * 20, None, None), ("a", 0, None, None)]
    assert Figures.of(history(leads)).busy == 1
    assert Figures.of(history(leads, follow_up_days=3650)).busy == 2


def test_of_twenty_agents_the_busiest_counts() -> None:
    leads: list[tuple[str, int, str | None, int | None]]
    leads = [(f"a{agent}", 0, "pending", None) for agent in range(20) for _ in range(agent + 1)]
    assert Figures.of(history(leads)).busy == 20


# the mapping of tables that were found

ROWS = 100
OWNERS = ["Ana", "Bob", "Cleo", "Dan"] * 25
DAYS = [f"{BEGIN + timedelta(days=row):%Y-%m-%d}" for row in range(ROWS)]
WORDS = ["Won", "Lost", "Open", "Open"] * 25
CLOSED = [day if word != "Open" else None for day, word in zip(DAYS, WORDS, strict=True)]
LEADS: Mapping[str, Sequence[Any]] = {
    "Deal ID": [str(row) for row in range(ROWS)],
    "Company": [f"Company {row}" for row in range(ROWS)],
    "Owner": OWNERS,
    "Created": DAYS,
    "Stage": WORDS,
    "Closed": CLOSED,
    "Amount": [str(row) for row in range(ROWS)],
}


def table(columns: Mapping[str, Sequence[Any]], file: str = "deals.csv") -> Table:
    return Table(file, read_table(pl.DataFrame(columns), name=file), {})


def desk_page(columns: Mapping[str, Sequence[Any]], figures: Figures | None = None, **roles: Table) -> Page:
    """Return the page of leads with their owners and outcomes in one table, unless `roles` says otherwise."""
    leads = table(columns)
    found = {"assignments": leads, "bookings": leads, "agents": leads, **roles}
    owner = "Owner" if "Owner" in columns else None
    tables = list(dict.fromkeys(found.values()))
    return write_page(Found(tables, found, owner, [owner] if owner else []), figures or Figures())


def plan_page(columns: Mapping[str, Sequence[Any]], **roles: Table) -> Page:
    accounts = table(columns, "customers.csv")
    found = {"accounts": accounts, **roles}
    return write_page(Found(list(found.values()), found), Figures())


def said(page: Page) -> dict[str, Any]:
    return tomllib.loads(page.text)


def doubt_of(page: Page, key: str) -> str | None:
    """Return what is doubtful about a key."""
    return next((doubt.partition(": ")[2] for doubt in page.doubts if doubt.startswith(f"{key}: ")), None)


@pytest.mark.parametrize(("busy", "capacity"), [(0, 10), (9, 10), (10, 15), (14, 15), (15, 20)])
def test_an_agents_capacity_has_room_for_one_more_than_a_busy_one_has(busy: int, capacity: int) -> None:
    page = desk_page(LEADS, Figures(busy=busy))
    assert said(page)["default_capacity"] == capacity
    assert f"95 of 100 agents have at most {busy} now" in page.text


def test_what_a_trial_told_is_written_with_its_reason() -> None:
    plain = desk_page(LEADS)
    assert (said(plain)["follow_up_days"], "late_filing_min" in said(plain)) == (7, False)
    assert "settled sooner" not in plain.text
    late = desk_page(LEADS, Figures(days=8, late_min=60))
    assert (said(late)["follow_up_days"], said(late)["late_filing_min"]) == (8, 60)
    assert "95 of 100 were settled sooner" in late.text
    assert "closed up to 60 minutes before" in late.text
    assert "closed up to a day before" in desk_page(LEADS, Figures(late_min=1440)).text


@pytest.mark.parametrize(
    ("more", "currency", "unsaid"),
    [
        ({}, None, True),
        ({"Currency": ["SEK"] * ROWS}, "SEK", False),
        ({"Currency": ["kr"] * ROWS}, None, True),  # no code
        ({"Amount": ["12 kr"] * ROWS}, "SEK", False),
        ({"Amount": ["R$ 5"] * ROWS}, "BRL", False),
        ({"Amount": ["$5"] * ROWS, "Expected revenue": ["5 €"] * ROWS}, "USD", False),
        ({"Amount": ["5", *["5 €"] * 99]}, "EUR", False),
        ({"Amount": ["5"] * ROWS, "Expected revenue": ["5 €"] * ROWS}, "EUR", False),
    ],
)
def test_the_currency_is_what_a_column_or_an_amount_says(
    more: Mapping[str, Sequence[Any]], currency: str | None, unsaid: bool
) -> None:
    page = desk_page({**LEADS, **more})
    assert said(page).get("currency") == currency
    assert ("nothing in the files says which" in page.text) == unsaid


def test_leads_of_nobody_are_a_doubt_if_they_are_more_than_two_of_a_hundred() -> None:
    for many in (2, 3):
        page = desk_page({**LEADS, "Owner": [None] * many + OWNERS[many:]})
        assert said(page)["assignments"]["where"] == '"Owner" is not null'
        assert f"leaves {many} rows out: without Owner a lead is nobody's yet" in " ".join(page.text.split())
        assert (doubt_of(page, "assignments.where") is not None) == (many == 3)
    page = desk_page({**LEADS, "Owner": [None, *OWNERS[1:]], "Created": [*DAYS[:99], None]})
    assert said(page)["assignments"]["where"] == '"Owner" is not null and "Created" is not null'
    assert "leaves 2 rows out: without Owner or Created" in page.text


def test_an_id_that_hardly_ever_repeats_is_kept_and_another_is_replaced() -> None:
    nearly = [*LEADS["Deal ID"][:99], "0"]
    page = desk_page({**LEADS, "Deal ID": nearly})
    assert said(page)["assignments"]["id"] == "Deal ID"
    assert doubt_of(page, "assignments.id") == "Deal ID comes more than once; 1 row will be rejected for it"
    page = desk_page({**LEADS, "Deal ID": [*LEADS["Deal ID"][:99], None]})
    assert doubt_of(page, "assignments.id") == "Deal ID is empty in some rows; 1 row will be rejected for it"
    page = desk_page({**LEADS, "Deal ID": [*LEADS["Deal ID"][:98], "0", "1"]})
    assert said(page)["assignments"]["id"] == "Company"
    assert doubt_of(page, "assignments.id") == (
        "Deal ID comes more than once; this does not repeat, but an export with ids is safer"
    )
    bare = {name: cells for name, cells in LEADS.items() if name != "Deal ID"}
    same = desk_page({**bare, "Company": ["A"] * ROWS, "Created": DAYS[:50] * 2, "Owner": OWNERS})
    assert said(same)["assignments"]["id"] == ["Company", "Created", "Owner"]
    same = desk_page({**bare, "Company": ["A"] * ROWS, "Created": DAYS[:4] * 25, "Owner": OWNERS})
    assert doubt_of(same, "assignments.id") == "no column is an id; 96 rows will be rejected for it"


def test_settled_deals_without_their_date_are_a_doubt_if_they_are_more_than_two_of_a_hundred() -> None:
    words = ["Won"] * 50 + ["Open"] * 50
    for many in (0, 1, 2):
        page = desk_page({**LEADS, "Stage": words, "Closed": [None] * many + DAYS[: 50 - many] + [None] * 50})
        assert said(page)["bookings"]["completed_at"] == "Closed"
        why = f"empty in {many} of 50 confirmed rows: what became of those stays unknown"
        assert (why in " ".join(page.text.replace("\n#", "").split())) == (many > 0)
        assert doubt_of(page, "bookings.completed_at") == (why if many > 1 else None)


def test_a_word_for_won_is_known_again_whatever_its_letters() -> None:
    page = desk_page({**LEADS, "Stage": ["Groß GEWONNEN", "VERLOREN", "Offen", "Offen"] * 25})
    bookings = said(page)["bookings"]
    assert bookings["statuses"] == {
        "pending": ["Offen"], "confirmed": ["Groß GEWONNEN"], "cancelled": ["VERLOREN"],
    }  # fmt: skip
    assert (bookings["completed_at"], bookings["total_revenue"]) == ("Closed", "Amount")
    page = desk_page(
        {
            **LEADS,
            "Stage": ["Groß GEWONNEN", "VERLOREN", "Offen", "Offen"] * 25,
            "Closed": [None] * ROWS,
            "Amount": [None, *LEADS["Amount"][1:]],
        }
    )
    assert doubt_of(page, "bookings.total_revenue") == "1 of 25 won deals have no amount, and count as 0"
    assert str(doubt_of(page, "bookings.completed_at")).startswith(
        "no column says when the 25 confirmed deals"
    )


@pytest.mark.parametrize(
    ("settled", "waiting", "taken"), [(46, 4, True), (45, 4, False), (46, 5, False), (50, 0, True)]
)
def test_a_date_without_a_name_is_the_end_if_nearly_all_settled_deals_have_it_and_few_others(
    settled: int, waiting: int, taken: bool
) -> None:
    columns = {name: cells for name, cells in LEADS.items() if name != "Closed"}
    dates = DAYS[:settled] + [None] * (50 - settled) + DAYS[:waiting] + [None] * (50 - waiting)
    page = desk_page({**columns, "Stage": ["Won"] * 50 + ["Open"] * 50, "Foo": dates})
    assert said(page)["bookings"].get("completed_at") == ("Foo" if taken else None)
    assert "cancelled_at" not in page.text
    assert str(doubt_of(page, "bookings.completed_at")).startswith(
        "no header says so, but it is filled where deals are confirmed"
        if taken
        else "no column says when the 50"
    )


def test_wins_without_an_amount_are_counted() -> None:
    won = [word == "Won" for word in WORDS]
    page = desk_page({**LEADS, "Amount": [None if row < 8 else "5" for row in range(ROWS)]})
    assert said(page)["bookings"]["total_revenue"] == {"column": "Amount", "default": 0}
    assert doubt_of(page, "bookings.total_revenue") == "2 of 25 won deals have no amount, and count as 0"
    columns = {name: cells for name, cells in LEADS.items() if name != "Amount"}
    page = desk_page({**columns, "Expected revenue": LEADS["Amount"]})
    assert doubt_of(page, "bookings.total_revenue") == "expected, as no amount says what was paid"
    paid = ["5" if has else None for has in won]
    page = desk_page({**columns, "Amount": LEADS["Amount"], "Value": paid, "Price": ["much"] * ROWS})
    assert said(page)["bookings"]["total_revenue"] == "Value"  # every win has it, and nothing else
    assert "total_revenue" not in said(desk_page(columns))["bookings"]


def dimensions(more: Mapping[str, Sequence[Any]], **roles: Table) -> dict[str, Any]:
    found: dict[str, Any] = said(desk_page({**LEADS, **more}, **roles)).get("dimensions", {})
    return found


@pytest.mark.parametrize(
    ("cells", "taken"),
    [
        ([("a", "b")[row % 2] if row in (2, 3, 6, 7, 10) else None for row in range(ROWS)], True),
        ([("a", "b")[row % 2] if row in (2, 3, 6, 7) else None for row in range(ROWS)], False),
        (["a"] * ROWS, False),
        ([f"v{row % 20}" for row in range(ROWS)], True),  # a fifth as many values as rows
        ([f"v{row % 21}" for row in range(ROWS)], False),
        ([str(row % 50 + 100) for row in range(ROWS)], False),  # a number that nobody knows
        (DAYS, False),
    ],
)  # fmt: skip
def test_a_column_that_nobody_knows_is_a_dimension_if_it_is_filled_and_has_few_values(
    cells: list[str | None], taken: bool
) -> None:
    assert list(dimensions({"Foo": cells})) == (["foo"] if taken else [])


@pytest.mark.parametrize(("distinct", "taken"), [(60, True), (61, False)])
def test_a_dimension_has_at_most_60_values(distinct: int, taken: bool) -> None:
    columns = {name: list(cells) * 4 for name, cells in LEADS.items()}
    page = desk_page({**columns, "Foo": [f"v{row % distinct}" for row in range(4 * ROWS)]})
    assert ("dimensions" in said(page)) == taken


@pytest.mark.parametrize(("distinct", "taken"), [(4, False), (5, True)])
def test_a_number_of_a_lead_is_a_dimension_in_four_ranges_if_it_has_five_values(
    distinct: int, taken: bool
) -> None:
    found = dimensions({"Employees": [str(row // 3 % distinct * 10) for row in range(ROWS)]})
    assert found == ({"employees": {"column": "Employees", "bins": 4}} if taken else {})


def test_a_dimension_says_what_it_may_hold_and_whether_it_may_be_empty() -> None:
    cells = [("p", "q")[row // 2 % 2] for row in range(ROWS)]
    found = dimensions({"Source": cells, "Foo": [None, *cells[1:]]})
    assert found == {
        "source": {"column": "Source", "values": "any"},
        "foo": {"column": "Foo", "values": "any", "required": False},
    }


def test_dimensions_stand_in_the_order_of_their_use() -> None:
    cells = [("p", "q")[row // 2 % 2] for row in range(ROWS)]
    names = ("Foo", "Country", "Industry", "Lead source", "Product")
    assert list(dimensions(dict.fromkeys(names, cells))) == [
        "lead_source", "product", "industry", "country", "foo",
    ]  # fmt: skip


def test_a_dimensions_name_is_ours() -> None:
    cells = [("p", "q")[row // 2 % 2] for row in range(ROWS)]
    long = f"{'w' * 49} x{'y' * 9}"
    names = list(dimensions(dict.fromkeys(("Weight?", "2nd", "¿?", long, "Foo", "Foo!"), cells)))
    assert sorted(names) == sorted(["lead_weight", "lead_2nd", "lead", "w" * 49, "foo", "foo_2"])


def test_a_table_of_what_leads_name_is_looked_up() -> None:
    firms = {
        "Name": [f"Company {row}" for row in range(60)],
        "Sector": ["Food", "Steel", "Wood"] * 20,
        "Phone": [f"+{row}" for row in range(60)],
    }
    page = desk_page(LEADS, other=table(firms, "Our firms.csv"))
    assert "lookup" not in said(page)  # it has a role of its own
    leads, more = table(LEADS), table(firms, "Our firms.csv")
    roles = {"assignments": leads, "bookings": leads, "agents": leads}
    page = write_page(Found([leads, more], roles, "Owner", ["Owner"]), Figures())
    assert said(page)["lookup"] == {"our_firms": {"file": "Our firms.csv", "key": "Name", "on": "Company"}}
    assert said(page)["dimensions"] == {
        "sector": {"column": "our_firms.Sector", "values": "any", "required": False}
    }
    half = table({**firms, "Name": [f"Company {row + 10}" for row in range(50, 110)]}, "Our firms.csv")
    page = write_page(Found([leads, half], roles, "Owner", ["Owner"]), Figures())
    assert "lookup" not in said(page)


# the plan's tables

ACCOUNTS: Mapping[str, Sequence[Any]] = {
    "Customer ID": [f"C{row}" for row in range(ROWS)],
    "Size": [str(row % 9) for row in range(ROWS)],
}


def orders(**columns: Sequence[Any]) -> Table:
    days = [f"2025-01-{row % 28 + 1:02d}" for row in range(ROWS)]
    return table(
        {"Customer ID": [f"C{row % 30}" for row in range(ROWS)], "Order date": days,
         "Amount": [str(row + 1) for row in range(ROWS)], **columns}, "orders.csv",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("Foo", [f"v{row % 50}" for row in range(ROWS)], "categorical"),  # half as many values as rows
        ("Foo", [f"v{row % 51}" for row in range(ROWS)], None),
        ("Foo", [str(row % 2) for row in range(ROWS)], "numeric"),
        ("Foo", ["yes", "no"] * 50, "categorical"),
        ("Foo", DAYS, "dates"),
        ("Foo", [None] * ROWS, None),
        ("Foo id", [str(7 * row) for row in range(ROWS)], None),
        ("Foo id", [str(row % 40) for row in range(ROWS)], "numeric"),
        ("Turnover", [str(7 * row) for row in range(ROWS)], "numeric"),
        ("Email", ["a@x.org", "b@x.org"] * 50, None),
        ("Shift start", ["540", "600"] * 50, None),
    ],
)  # fmt: skip
def test_what_models_may_learn_from(header: str, cells: Sequence[Any], kind: str | None) -> None:
    page = plan_page({**ACCOUNTS, header: cells})
    accounts = said(page)["accounts"]
    found = [
        name
        for name in ("numeric", "categorical", "dates", "dates_ahead")
        if header in accounts.get(name, ())
    ]
    assert found == ([kind] if kind else [])
    assert (f"free text: {header}." in page.text) == (kind is None and cells[0] is not None)


@pytest.mark.parametrize(("later", "kind"), [(2, "dates"), (3, "dates_ahead")])
def test_dates_lie_ahead_if_more_than_two_of_a_hundred_are_past_the_day_after_the_latest_order(
    later: int, kind: str
) -> None:
    cells = ["2025-01-29"] * (ROWS - later) + ["2025-01-30"] * later
    page = plan_page({**ACCOUNTS, "Foo": cells}, orders=orders())
    accounts = said(page)["accounts"]
    assert accounts[kind] == ["Foo"]
    assert ("some lie after the latest order" in page.text) == (kind == "dates_ahead")
    assert not {"dates", "dates_ahead"} - {kind} & set(accounts)
    future = ["2999-01-01", *[f"2025-01-{row % 28 + 1:02d}" for row in range(1, ROWS)]]  # a mistake
    again = said(plan_page({**ACCOUNTS, "Foo": cells}, orders=orders(**{"Order date": future})))["accounts"]
    assert again == accounts


def test_a_label_is_written_with_its_word_and_what_gives_it_away_is_left_out() -> None:
    left = ["yes" if row % 4 == 0 else "no" for row in range(ROWS)]
    more = {
        "Churn": left,
        "Churn reason": ["price", "moved"] * 50,
        "Refund": [str(row) if row % 4 == 0 else None for row in range(ROWS)],
        "Bonus": [str(row) if row % 5 else None for row in range(ROWS)],  # empty for some of either
    }
    page = plan_page({**ACCOUNTS, **more})
    accounts = said(page)["accounts"]
    assert accounts["labels"] == {"churned": {"column": "Churn", "is": "yes"}}
    assert accounts["numeric"] == ["Size", "Bonus"]
    assert "give the label away: Churn reason, Refund." in page.text
    assert "there are 'no' (75), 'yes' (25)" in page.text


def test_a_status_is_a_label_if_a_word_of_it_says_that_a_customer_has_left() -> None:
    page = plan_page({**ACCOUNTS, "Status": ["customer", "churned"] * 50})
    assert said(page)["accounts"]["labels"] == {"churned": {"column": "Status", "is": "churned"}}
    assert "labels" not in said(plan_page({**ACCOUNTS, "Status": ["new", "old"] * 50}))["accounts"]


def test_accounts_go_by_the_column_that_their_orders_name() -> None:
    columns = {"Customer ID": [str(row) for row in range(ROWS)], "Code": ACCOUNTS["Customer ID"]}
    assert said(plan_page(columns))["accounts"]["id"] == "Customer ID"
    assert said(plan_page(columns, orders=orders()))["accounts"]["id"] == "Code"
    few = [f"C{row}" if row < 15 else f"D{row}" for row in range(ROWS)]  # half of those with orders
    assert said(plan_page({**columns, "Code": few}, orders=orders()))["accounts"]["id"] == "Customer ID"


def test_a_position_is_both_degrees_or_none() -> None:
    both = said(plan_page({**ACCOUNTS, "Lat": ["41.5"] * ROWS, "Lon": ["2.1"] * ROWS}))["accounts"]
    assert (both["latitude"], both["longitude"]) == ("Lat", "Lon")
    assert "latitude" not in said(plan_page({**ACCOUNTS, "Lat": ["41.5"] * ROWS}))["accounts"]


def test_returns_are_net_where_an_amount_is_negative() -> None:
    back = [str(row) for row in range(-1, ROWS - 1)]
    assert said(plan_page(ACCOUNTS, orders=orders(Amount=back)))["orders"]["returns"] == "net"
    assert "returns" not in said(plan_page(ACCOUNTS, orders=orders(Amount=[*back[1:], "0"])))["orders"]


def test_channels_of_touches_are_translated_and_those_nobody_knows_are_a_doubt() -> None:
    columns = {
        "Customer ID": ["C1", "C2", "C3"], "Contact date": DAYS[:3], "Channel": ["Visit", "Pigeon", "field"],
        "Action": ["upsell", "visit", "upsell"], "Response": ["yes", "no", "no"],
    }  # fmt: skip
    page = plan_page(ACCOUNTS, touches=table(columns, "touches.csv"))
    assert said(page)["touches"]["channels"] == {"Visit": "field", "Pigeon": "outbound_cc"}
    assert [doubt.partition(":")[0] for doubt in page.doubts] == ["touches.channels.Pigeon"]


def test_consent_and_roles_have_tables_of_their_own() -> None:
    more = {
        "May visit": ["yes", "no"] * 50,
        "Newsletter": ["yes", "no"] * 50,
        "Sector": ["Bar", "Hotel"] * 50,
    }
    accounts = said(plan_page({**ACCOUNTS, **more}))["accounts"]
    assert accounts["consent"] == {"field": "May visit", "ecom_self": "Newsletter"}
    assert accounts["roles"] == {"industry": "Sector"}
    assert not {"consent", "roles"} & set(said(plan_page(ACCOUNTS))["accounts"])


def test_agents_are_whoever_owns_a_lead_or_those_of_their_own_table() -> None:
    assert said(desk_page(LEADS))["agents"] == {"from": "assignments", "id": "Owner", "name": "Owner"}
    owners = [f"P{row % 20:02d}" for row in range(ROWS)]
    leads = table({**LEADS, "Owner": owners})
    people = table({"Name": [f"P{row:02d}" for row in range(7, 20)], "Capacity": ["9"] * 13}, "people.csv")
    roles = {"assignments": leads, "bookings": leads, "agents": people}
    page = write_page(Found([leads, people], roles, "Owner", ["Name"]), Figures())
    assert said(page)["agents"] == {
        "file": "people.csv", "id": "Name", "name": "Name", "capacity": "Capacity",
    }  # fmt: skip
    assert str(doubt_of(page, "agents.id")).startswith("P00, P01, P02, P03, P04 and 2 more: not in this file")
