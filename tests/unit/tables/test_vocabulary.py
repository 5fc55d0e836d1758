"""What names mean, whatever their spelling: headers, languages, products, file names."""

from __future__ import annotations

import pytest

from dealwright.tables.vocabulary import (
    Meaning,
    language,
    matching,
    meanings,
    plain,
    plain_headers,
    product,
    serving,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CRMOwner", "crm owner"), ("customerIDs", "customer ids"), ("q1Revenue", "q1 revenue"),
        ("Lead #", "lead number"),
        ("Größe (m²)", "grosse m2"), ("snake_case-Name", "snake case name"),
        ("N° de cliente", "numero de cliente"), ("Nº", "numero"), ("Nr. 5", "numero 5"),
        ("Num. client", "numero client"),
        ("¿?", ""),
    ],
)  # fmt: skip
def test_names_are_compared_without_case_accents_signs_and_camel_case(name: str, expected: str) -> None:
    assert plain(name) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Deal - Owner", "Deal - Won - at", "Id"], ["owner", "won at", "id"]),
        (["Deal - Owner", "Deal - Id", "Org - Name"], ["owner", "id", "org name"]),
        (["Deal - Owner", "Id"], ["owner", "id"]),
        (["Deal - Owner", "Id", "Stage"], ["deal owner", "id", "stage"]),
    ],
    ids=["by most", "one of them has another", "by half", "not shared by half"],
)  # fmt: skip
def test_the_first_word_that_half_of_the_headers_share_is_left_out(
    headers: list[str], expected: list[str]
) -> None:
    assert list(plain_headers(headers).values()) == expected


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("AssignedDateTime", "assigned"), ("customerID", "customer_id"), ("DEAL_OWNER", "owner"),
        ("Owner Role", "person"), ("Fecha de creación", "created"), ("Zuständig", "owner"),
        ("Est. Close Date", "expected"), ("IsWon", "is_won"), ("Lost Reason", "after"), ("Lead #", "deal_id"),
        ("Sale $", "amount"), ("Zuständiger Mitarbeiter", "owner"), ("Straße", "address"), ("PLZ", "free"),
        ("Bezeichnung", "title"), ("Montant total (€)", "amount"), ("home_lat_deg", "home_lat_deg"),
        ("amount_eur", "amount"), ("wish_start_min", "wish_start_min"),
    ],
)  # fmt: skip
def test_headers(header: str, meaning: str) -> None:
    assert meanings(plain(header))[0].name == meaning


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("owner aa", "owner"), ("aa owner", "owner"), ("owner aaaaaaaa", None), ("aa owner a", None),
        ("a owner a", "owner"), ("owner aaaaa", "owner"), ("aaaaa owner", "owner"), ("abschluss", "closed"),
        ("tagesabschluss", "closed"), ("aaastage", "status"), ("xxxowner", "owner"), ("xxowner", None),
    ],
)  # fmt: skip
def test_a_part_of_a_header_counts_by_its_length_and_place(header: str, meaning: str | None) -> None:
    found = meanings(header)
    assert (found[0].name if found else None) == meaning
    assert all(guess.score < 1 for guess in found) or header == "abschluss"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("closed", ["closed", "is_closed", "after"]),  # sections in order, though the last are more certain
        ("stage", ["status", "after"]),
        ("opportunity owner", ["owner", "title"]),  # the whole header comes before a part of it
        ("wish start min", ["wish_start_min", "start_min"]),
        ("deal id", ["deal_id", "title"]),
        ("xxxdate", []),  # the last part of a compound has five letters or more
        ("", []),
    ],
)  # fmt: skip
def test_the_likeliest_meaning_comes_first(header: str, expected: list[str]) -> None:
    assert [meaning.name for meaning in meanings(header)] == expected


def test_a_meaning_is_surer_by_the_whole_header_and_by_the_place_in_its_list() -> None:
    assert meanings("opportunity owner")[0] == Meaning(2.0, "owner", "text")
    assert meanings("deal owner") == [Meaning(1.999, "owner", "text")]  # its part "owner" takes nothing away
    assert meanings("lead owner") == [Meaning(1.998, "owner", "text")]
    assert meanings("our deal owner") == [Meaning(pytest.approx(10 / 14 - 0.001), "owner", "text")]
    assert meanings("xxxstage")[0].score == pytest.approx(0.4 - 0.008)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("snapshot at", Meaning(2.0, "snapshot_at", "moment")),
        ("last visit", Meaning(2.0, "last_visit", "moment")),
        ("every days", Meaning(2.0, "every_days", "number")),
        ("must", Meaning(2.0, "must", "flag")),
        ("begin min", Meaning(2.0, "begin_min", "minutes")),
        ("days off", Meaning(2.0, "days_off", "text")),
        ("customer name", Meaning(1.999, "customer", "text")),  # its own list, not the field of that name
        ("completed at", Meaning(1.994, "won_at", "moment")),
        ("status", Meaning(2.0, "status", "text")),  # surer than its place in its list
        ("weight", Meaning(2.0, "weight", "number")),
        ("total revenue", Meaning(2.0, "amount", "number")),
    ],
)  # fmt: skip
def test_a_field_goes_by_its_own_name_as_well(header: str, expected: Meaning) -> None:
    assert meanings(header)[0] == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["betreuer", "phase", "etape"], "German"),
        (["etape", "proprietaire", "betreuer"], "French"),
        (["importe", "owner", "stage", "source"], "Spanish"),  # what is English as well says nothing
        (["owner", "stage"], "English"),
        (["xyzzy"], "English"),
        ([], "English"),
    ],
)  # fmt: skip
def test_the_language_is_that_of_most_headers(headers: list[str], expected: str) -> None:
    assert language(headers) == expected


def test_three_headers_tell_whose_export_a_table_is() -> None:
    assert product(["topic", "est revenue", "status reason", "owner"]) == "Dynamics"
    assert product(["topic", "est revenue", "owner"]) is None
    # of two products the one with more
    assert product(["record id", "deal owner", "deal stage", "create date"]) == "HubSpot"
    assert product(["record id", "deal owner", "closing date", "created time"]) == "Zoho"


def test_a_field_is_served_by_the_meanings_listed_for_it_else_by_itself() -> None:
    assert serving("assignments", "assigned_at") == ["assigned", "created", "date"]
    assert serving("assignments", "requirements") == ["requirements"]
    assert serving("promises", "must") == ["must"]


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        ("tables", "Leads_2025", "assignments"), ("tables", "leadsheet", None),
        ("tables", "Kundenstamm", "accounts"),
        ("touch_channels", "Visiting", "field"), ("touch_channels", "E-mail", "ecom_self"),
        ("touch_channels", "Visio call", "outbound_cc"), ("touch_channels", "onlineshop", None),
    ],
)  # fmt: skip
def test_a_word_matches_as_a_whole_or_by_its_beginning(section: str, text: str, expected: str | None) -> None:
    assert matching(section, text) == expected
