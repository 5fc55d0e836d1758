"""What the columns of a table are taken for, and what the words of a status mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl
import pytest

from dealwright.tables.guesses import Table, count, gives_away, outcomes, sort_words, status_columns, yes_word
from dealwright.tables.reader import read_table


def table(columns: Mapping[str, Sequence[object]], file: str = "a.csv") -> Table:
    return Table(file, read_table(pl.DataFrame(columns), name=file), {})


def some(many: int, few: int, one: str, other: str | None) -> list[str | None]:
    return [one.format(row) for row in range(many)] + [other] * few


# columns


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([None, None], "empty"),
        (["yes", "no", "yes"], "flag"),
        (["yes", "yes", None], "flag"),
        (["yes", "no", "maybe"], "text"),
        (["0", "1", "2"], "number"),
        (["1.5", "3"], "number"),
        (["2025-03-04", "2025-03-05"], "moment"),
        (["Mar 4, 2025", "Mar 15, 2025"], "moment"),
        ([datetime(2025, 1, 1), None], "moment"),
        (["20250304", "20250305"], "number"),  # no header says that these are dates
        (some(19, 1, "{}1", "x"), "number"),
        (some(9, 1, "{}1", "x"), "text"),
        (some(19, 1, "2025-03-04 10:{:02d}", "x"), "moment"),
        (some(9, 1, "2025-03-04 10:{:02d}", "x"), "text"),
    ],
)  # fmt: skip
def test_a_column_is_of_the_kind_that_more_than_nine_of_ten_cells_are(cells: list[object], kind: str) -> None:
    assert table({"Foo": cells, "Bar": cells}).columns["Foo"].kind == kind


def test_a_header_of_dates_makes_dates_of_numbers() -> None:
    assert table({"Created": ["20250304", "20250306"], "A": ["1", "2"]}).columns["Created"].kind == "moment"


def test_of_a_long_column_the_whole_tells_what_its_beginning_leaves_open() -> None:
    open_days = [
        f"{d:02d}/{m:02d}/{y}" for y in range(2000, 2020) for d in range(1, 13) for m in range(1, 13)
    ]
    rows = [str(row) for row in range(len(open_days) + 1)]
    told = table({"Foo": [*open_days, "31/01/2020"], "No": rows})
    assert (told.columns["Foo"].kind, told.unclear) == ("moment", [])
    asked = table({"Foo": [*open_days, "11/01/2020"], "No": rows})
    assert (asked.columns["Foo"].kind, asked.unclear) == ("moment", ["Foo"])


@pytest.mark.parametrize(
    ("header", "sign", "spoken"), [("Betrag", ",", "German"), ("Amount", ".", "English")]
)
def test_a_point_that_may_be_a_comma_is_what_is_usual_where_headers_are_of_that_language(
    header: str, sign: str, spoken: str
) -> None:
    amounts = [f"{row}.000" for row in range(1, 6)]
    known = table({header: amounts, "Foo": list("abcde")})
    why = f"{header}: 1.000 (line 1) may have thousands or decimals; this is usual where headers are {spoken}"
    assert known.settings == {"decimal": (sign, why)}
    assert known.read("number", header)[0] == (1000 if sign == "," else 1)


def test_a_column_knows_its_values_and_what_is_filled() -> None:
    column = table({"Foo": ["a", "b", "a", None], "Bar": ["1", "2", "3", "4"]}).columns["Foo"]
    assert (column.values.to_list(), column.filled, column.is_key, column.means) == (
        ["a", "b"],
        0.75,
        False,
        "",
    )
    assert column.holds(pl.Series(["a", "c", "d", "e"])) == 0.25
    assert column.holds(pl.Series(["a"])) == 1.0
    assert column.holds(pl.Series([], dtype=pl.String)) == 0.0


@pytest.mark.parametrize(("distinct", "rows", "is_key"), [(49, 50, True), (48, 50, False), (1, 1, True)])
def test_hardly_any_two_rows_share_a_key(distinct: int, rows: int, is_key: bool) -> None:
    cells = [f"k{row % distinct}" for row in range(rows)]
    assert table({"Foo": cells, "Bar": cells}).columns["Foo"].is_key == is_key


def test_an_empty_column_is_no_key() -> None:
    assert not table({"Foo": [None, None], "Bar": ["1", "2"]}).columns["Foo"].is_key


@pytest.mark.parametrize(
    ("header", "cells", "means"),
    [
        ("Owner", ["7", "8", "9"], "owner"),  # owners may be numbers
        ("Our dear owner", ["7", "8", "9"], ""),  # where the header is sure
        ("Churn", ["a", "b", "c", "d"], "churned"),  # a label may have a word too many
        ("Churn", ["a", "b", "c", "d", "e"], ""),
        ("Stage", ["2025-01-01", "2025-01-02"], "after"),
        ("Amount", ["much", "little", "some"], ""),
        ("Opens", ["9-17", "08:00", "x"], "opens_min"),
    ],
)  # fmt: skip
def test_contents_must_allow_what_a_header_means(header: str, cells: list[str], means: str) -> None:
    assert table({header: cells, "Foo": cells}).columns[header].means == means


def test_of_several_columns_with_a_meaning_the_surest_is_taken_then_the_fullest() -> None:
    known = table(
        {
            "Sales": ["1", None, "3"],
            "Total": ["1", "2", None],
            "Amount": ["1", None, None],
            "Name": list("abc"),
        }
    )
    assert known.first("amount") == "Total"
    assert known.first("owner", "amount", "name") == "Total"
    assert known.first("owner") is None
    assert known.every("amount", "name") == ["Sales", "Total", "Amount", "Name"]
    twins = table({"Deal Amount": ["1", None, "3"], "deal_amount": ["1", "2", "3"]})
    assert twins.first("amount") == "deal_amount"


def test_a_lead_starts_when_it_was_assigned_else_at_the_fullest_date() -> None:
    day, date = [f"2025-01-{n:02d}" for n in range(1, 21)], [f"2025-02-{n:02d}" for n in range(1, 21)]
    half, less = [*day[:10], *[None] * 10], [*day[:9], *[None] * 11]
    assert table({"Assigned": half, "Created": date}).start == "Assigned"
    assert table({"Assigned": less, "Created": date}).start == "Created"
    assert table({"Assigned": less, "Foo": date}).start == "Assigned"  # seldom filled, but known
    assert table({"Foo": [*day[:19], None], "Bar": date}).start == "Bar"
    assert table({"Foo": [*day[:18], None, None], "Bar": list("abcde" * 4)}).start is None
    assert table({"Closed": date, "Bar": list("abcde" * 4)}).start is None  # known to be another


def test_a_table_is_called_by_its_sheet_or_file() -> None:
    raw = read_table(pl.DataFrame({"a": ["1"], "b": ["2"]}))
    assert Table("Leads.xlsx", raw, {"sheet": "Orders"}).called == "orders"
    assert Table("Leads.xlsx", raw, {}).called == "assignments"
    assert Table("Leads.xlsx", raw, {"sheet": "Orders"}).label == "Leads.xlsx, sheet 'Orders'"


def test_columns_are_unique_together_where_every_row_has_a_text_of_its_own() -> None:
    known = table({"A": ["x", "x", "y"], "B": ["1", "2", "2"], "C": ["p", None, "q"]})
    assert known.is_unique("A", "B")
    assert not known.is_unique("A")
    assert not known.is_unique("C")
    assert known.text("A", "B").to_list() == ["x 1", "x 2", "y 2"]


def test_a_key_is_the_unique_column_that_holds_most_of_the_values() -> None:
    known = table(
        {
            "No": ["1", "2", "3"],
            "Foo": ["1", "2", "9"],
            "Tag": ["1", "1", "1"],
            "When": ["2025-01-01", "2025-01-02", "2025-01-03"],
        }
    )
    assert known.key_for(pl.Series(["2", "3", "4", "3"]).unique()) == (0.667, ["No"])
    assert known.key_for(pl.Series(["9"])) == (1.0, ["Foo"])
    assert known.key_for(pl.Series(["2025-01-01"])) == (0.0, ["No"])  # a date is no key
    assert known.key_for(pl.Series(["1", "2"]), "foo") == (1.0, ["Foo"])  # of two the one of the same name
    assert known.key_for(pl.Series(["1", "2"]), "no") == (1.0, ["No"])


def test_a_first_and_a_last_name_are_a_key_together() -> None:
    people = table({"First name": ["Ana", "Ana", "Bob"], "Last name": ["Ruiz", "Gil", "Ruiz"]})
    assert people.key_for(pl.Series(["Ana Gil", "Bob Ruiz"])) == (1.0, ["First name", "Last name"])
    assert people.key_for(pl.Series([], dtype=pl.String))[0] == 0.0
    firsts = table({"First name": ["Ana", "Bob"], "Foo": ["1", "1"]})
    assert firsts.key_for(pl.Series(["Ana"])) == (1.0, ["First name"])


# statuses


def test_a_number_of_things_is_written_out() -> None:
    assert [count(number, "row") for number in (0, 1, 2, 1234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Won", "Lost", "Open"], 2),
        (["Won", "Sold", "New"], 1),
        (["New", "Open", "Zork"], 0),
        (["yes", "no", "no"], 1),
    ],
)
def test_a_status_may_tell_won_lost_both_or_neither(words: list[str], told: int) -> None:
    assert outcomes(table({"Stage": words, "Foo": words}), "Stage") == told
    assert outcomes(table({"Stage": words, "Foo": words}), None) == 0


def test_the_first_hundred_words_of_a_status_are_looked_at() -> None:
    others = [f"word {row}" for row in range(98)]
    for words, told in ((["Won", "Lost", *others, "x", "y"], 2), (["x", "y", *others, "Won", "Lost"], 0)):
        assert outcomes(table({"Stage": words, "Foo": words}), "Stage") == told


@pytest.mark.parametrize(
    ("columns", "most", "chosen"),
    [
        ({"Status": ["a", "b", "c"], "Stage": ["Won", "Lost", "x"]}, 60, ["Stage"]),
        ({"Stage": ["Won", "Lost", "x"], "Status": ["Won", "Lost", "y"]}, 60, ["Status"]),
        ({"Status": ["Won", "x", "y"], "Active": ["yes", "no", "yes"]}, 60, ["Status", "Active"]),
        ({"Status": ["Won", "Lost", "y"], "Active": ["yes", "no", "yes"]}, 60, ["Status"]),
        ({"Status": ["Won", "x", "y"], "Active": ["p", "q", "r"]}, 60, ["Status"]),
        ({"Is won": ["yes", "no", "no"], "Is closed": ["yes", "no", "yes"]}, 60, ["Is won", "Is closed"]),
        ({"Is won": ["yes", "no", "no"], "Active": ["yes", "no", "yes"]}, 60, ["Is won"]),
        ({"Status": ["v", "w", "x"], "Is won": ["yes", "no", "no"]}, 2, ["Is won"]),
        ({"Status": ["v", "w", "x"], "Is won": ["yes", "no", "no"]}, 3, ["Status"]),
    ],
)  # fmt: skip
def test_the_status_is_the_column_that_tells_most_with_another_where_only_both_tell(
    columns: dict[str, list[str]], most: int, chosen: list[str]
) -> None:
    assert status_columns(table(columns), most) == chosen


def test_words_that_nobody_knows_go_where_their_rows_point() -> None:
    rows = {
        "Stage": ["Zork"] * 3 + ["Blip"] * 2 + ["ZORK", "Won", "Lost", "Limbo", "Hop", None],
        "Is won": ["yes", "yes", "yes", "no", "no", "no", "yes", "no", "no", "no", "no"],
        "Is closed": ["yes", "yes", "yes", "yes", "yes", "no", "yes", "yes", "no", "no", "no"],
        "Lost reason": [None] * 9 + ["price", None],
    }
    words, guessed = sort_words(table(rows), ["Stage"])
    assert words == {
        "confirmed": ["Zork", "Won"], "cancelled": ["Blip", "Lost", "Hop"], "pending": ["Limbo"],
    }  # fmt: skip
    assert guessed == {
        "confirmed": ["'Zork' (4 rows) is taken for won: most of its rows are marked or dated as won"],
        "cancelled": [
            f"'{word}' ({rows}) is taken for lost: most of its rows are marked, dated or explained as lost"
            for word, rows in (("Blip", "2 rows"), ("Hop", "1 row"))
        ],
        "pending": ["'Limbo' (1 row) is not known, and taken for still open"],
    }


def test_a_word_is_written_as_most_rows_write_it_and_of_equals_the_first_in_order() -> None:
    words, _ = sort_words(table({"Stage": ["won", "Won", "WON", "LOST", "Lost", "Lost"]}), ["Stage"])
    assert words == {"confirmed": ["WON"], "cancelled": ["Lost"]}


def test_dates_of_winning_and_losing_tell_what_a_word_means() -> None:
    rows = {
        "Stage": ["Zork", "Zork", "Blip", "Hop"],
        "Won time": ["2025-01-01", "2025-01-02", None, None],
        "Lost time": [None, None, "2025-01-03", None],
    }
    words, _ = sort_words(table(rows), ["Stage"])
    assert words == {"confirmed": ["Zork"], "cancelled": ["Blip"], "pending": ["Hop"]}


def test_closed_alone_does_not_tell_won_from_lost() -> None:
    words, _ = sort_words(
        table({"Stage": ["Zork", "Hop", "Hop"], "Is closed": ["yes", "no", "no"]}), ["Stage"]
    )
    assert words == {"pending": ["Hop", "Zork"]}


def test_two_columns_tell_what_one_does_not() -> None:
    stage, active = ["Won", "New", "New", "Old"], ["yes", "yes", "no", "no"]
    words, guessed = sort_words(table({"Status": stage, "Active": active}), ["Status", "Active"])
    assert words == {"confirmed": ["Won yes"], "pending": ["New yes"], "cancelled": ["New no", "Old no"]}
    assert not guessed
    stage, active = ["Won", "New", "New", "Old"], ["yes", "yes", "no", None]
    words, _ = sort_words(table({"Status": stage, "Active": active}), ["Status", "Active"])
    assert words == {"confirmed": ["Won yes"], "pending": ["New yes", "Old"], "cancelled": ["New no"]}
    won, closed = ["yes", "no", "no"], ["yes", "yes", "no"]
    words, _ = sort_words(table({"Is won": won, "Is closed": closed}), ["Is won", "Is closed"])
    assert words == {"confirmed": ["yes yes"], "cancelled": ["no yes"], "pending": ["no no"]}


def test_a_no_alone_is_lost_with_a_doubt() -> None:
    words, guessed = sort_words(table({"Is won": ["yes", "no", "no"], "Foo": ["1", "2", "3"]}), ["Is won"])
    assert words == {"cancelled": ["no"], "confirmed": ["yes"]}
    assert guessed == {"cancelled": ["'no' (2 rows) is taken for lost, but such leads may be open still"]}


@pytest.mark.parametrize(
    ("yes", "no"), [("Vrai", "Faux"), ("verdadero", "falso"), ("1.0", "0.0"), ("on", "off")]
)
def test_yes_is_won_in_whatever_words_a_yes_can_be_read(yes: str, no: str) -> None:
    words, _ = sort_words(table({"Is won": [yes, no, no], "Foo": ["1", "2", "3"]}), ["Is won"])
    assert words == {"cancelled": [no], "confirmed": [yes]}


def outcome_of(won: int, lost: int, waiting: int) -> list[str]:
    return ["confirmed"] * won + ["cancelled"] * lost + ["pending"] * waiting


@pytest.mark.parametrize(
    ("values", "outcome", "given_away"),
    [
        # filled once settled: hardly any of twenty open leads has it, and some of the settled have
        (["x"] * 2 + [None] * 58, outcome_of(20, 20, 20), False),
        (["x"] * 3 + [None] * 57, outcome_of(20, 20, 20), True),
        (["x"] * 3 + [None] * 56, outcome_of(20, 20, 19), False),
        (["x"] * 3 + [None] * 37 + ["x"] + [None] * 19, outcome_of(20, 20, 20), False),
        # one outcome for each value, of fifty settled leads at least
        (["a"] * 25 + ["b"] * 25, outcome_of(25, 25, 0), True),
        (["a"] * 24 + ["b"] * 25, outcome_of(24, 25, 0), False),
        (["a"] * 24 + ["b"] * 26, outcome_of(25, 25, 0), True),
        (["a"] * 23 + ["b"] * 27, outcome_of(25, 25, 0), False),
        # but not where nearly all leads end the same
        (["a"] * 44 + ["b"] * 6, outcome_of(44, 6, 0), True),
        (["a"] * 45 + ["b"] * 5, outcome_of(45, 5, 0), False),
        # and the values tell 98 of 100 rightly
        (["a"] * 48 + ["b"] * 52, outcome_of(50, 50, 0), True),
        (["a"] * 47 + ["b"] * 53, outcome_of(50, 50, 0), False),
        # nor where values are rare
        ([f"a{n % 3}" for n in range(30)] + [f"b{n % 3}" for n in range(30)], outcome_of(30, 30, 0), True),
        ([f"a{n % 3}" for n in range(30)] + [f"b{n % 4}" for n in range(30)], outcome_of(30, 30, 0), False),
        # rows whose outcome nobody knows are no matter
        (["a"] * 25 + ["b"] * 25 + ["a", "b"] * 9, [*outcome_of(25, 25, 0), *[None] * 18], True),
    ],
)  # fmt: skip
def test_a_result_gives_the_outcome_away(
    values: list[str | None], outcome: list[str | None], given_away: bool
) -> None:
    said = pl.Series(values, dtype=pl.String)
    assert gives_away(said, pl.Series(outcome, dtype=pl.String)) is given_away


@pytest.mark.parametrize(
    ("words", "yes"),
    [
        (["no", "yes"], "yes"), (["0", "1"], "1"), (["Aktiv", "Gekündigt"], "Gekündigt"),
        (["stayed", "left"], "left"), (["foo", "bar"], None), (["no", "nein"], None), ([], None),
        (["faux", "vrai"], "vrai"), (["active", "inactive"], None), (["aktiv", "inaktiv"], "inaktiv"),
    ],
)  # fmt: skip
def test_the_word_for_a_customer_who_has_left(words: list[str], yes: str | None) -> None:
    assert yes_word(words) == yes
