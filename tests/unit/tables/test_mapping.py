"""The mapping file: what each key means, what follows where none is given, and what is said about mistakes."""

# ruff: noqa: E501 - a table of one mistake per line reads best unbroken
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import ACCOUNT_ROLES, CHANNELS
from dealwright.tables.fields import ACCOUNT_FIELDS, TABLES
from dealwright.tables.mapping import (
    DESK_TABLES,
    PLAN_TABLES,
    AccountMap,
    CompanyMap,
    DimensionMap,
    Label,
    Lookup,
    Source,
    TableMap,
    packaged_maps,
    parse_mapping,
    read_mapping,
)
from dealwright.tables.reader import Format

SMALL = """
[agents]
file = "people.csv"
id = "no"
name = ["first", "last"]

[assignments]
file = "leads.csv"
id = "id"
agent = "who"
customer_name = "customer"
assigned_at = "day"

[bookings]
file = "deals.csv"
format = { delimiter = ";", decimal = "," }
id = "id"
assignment = "lead"
status = "state"

[bookings.statuses]
confirmed = ["Won"]
none = [""]

[dimensions.source]
column = "source"
values = ["web", "shop"]
"""
ACCOUNTS = """
[accounts]
id = "number"
latitude = "y"
longitude = "x"
numeric = ["spend"]
categorical = ["tier", "trade"]
dates = ["since"]
dates_ahead = ["contract_end"]
preferred_channel = "likes"
categories = { tier = ["gold", "silver"], size = ["S", "L"] }
[accounts.labels]
churned = { column = "left", is = "Y" }
future_value_eur = "worth"
[accounts.consent]
outbound_cc = "may_call"
[accounts.roles]
tier = "tier"
name = ["first", "last"]
visit_min = { value = 30 }
[accounts.known_from]
trade = "always"
tier = 2025-01-01
size = 2025-01-01T08:30:00
spend = "since"
"""


def refusal(text: str | bytes) -> str:
    with pytest.raises(InputError) as error:
        parse_mapping(text, "small.toml")
    return str(error.value)


def columns(**fields: str) -> dict[str, Source]:
    return {name: Source((column,)) for name, column in fields.items()}


def sources(name: str) -> dict[str, Source]:
    """Return what `document` says of the fields of a table: each is the column of its name in capitals."""
    return {field: Source((field.upper(),)) for field in TABLES[name].fields}


def document(name: str) -> str:
    lines = [f'{field} = "{field.upper()}"' for field in TABLES[name].fields]
    return "\n".join([f"[{name}]", f'file = "{name}.csv"', *lines, ""])


# what is read


def test_a_small_mapping_is_read_whole() -> None:
    assert parse_mapping(SMALL.encode(), "small.toml") == CompanyMap(
        path="small.toml",
        tables={
            "agents": TableMap(
                "agents", "people.csv", None, {"id": Source(("no",)), "name": Source(("first", "last"))}
            ),
            "assignments": TableMap(
                "assignments", "leads.csv", None,
                columns(id="id", agent="who", customer_name="customer", assigned_at="day"),
            ),
            "bookings": TableMap(
                "bookings", "deals.csv", None, columns(id="id", assignment="lead", status="state"),
                Format(separator=";", decimal=","),
            ),
        },
        accounts=AccountMap(),
        dimensions=(DimensionMap(column="source", values=("web", "shop"), name="source"),),
        lookups={},
        statuses={"won": "confirmed", "": "none"},
        format=Format(),
        follow_up_days=7.0,
        default_capacity=10,
        currency=None,
        late_filing_min=0.0,
        max_rejected_share=0.5,
        as_of=None,
    )  # fmt: skip


def test_a_table_that_is_not_there_is_read_by_its_own_names_and_the_format_of_all() -> None:
    company = parse_mapping('format = { decimal = "," }')
    assert company.tables == {}
    assert company.path == "the mapping"
    assert company.table("orders") == TableMap("orders", format=Format(decimal=","))
    assert company.statuses == {"pending": "pending", "confirmed": "confirmed", "cancelled": "cancelled"}


@pytest.mark.parametrize("name", [*DESK_TABLES, *PLAN_TABLES])
def test_every_field_of_every_table_is_a_key(name: str) -> None:
    needed = {"bookings": ("agents", "assignments"), "assignments": ("agents",), "accounts": ()}.get(name, ())
    if name == "accounts":
        text, fields = "[accounts]\n" + "\n".join(f'{f} = "{f.upper()}"' for f in ACCOUNT_FIELDS), {
            field: Source((field.upper(),)) for field in ACCOUNT_FIELDS
        }  # fmt: skip
    else:
        text, fields = document(name), sources(name)
    company = parse_mapping("".join(map(document, needed)) + text)
    assert company.tables[name].fields == fields
    assert list(company.tables) == [*needed, name]


def test_the_tables_of_both_loops_stand_in_one_file() -> None:
    company = parse_mapping(SMALL + ACCOUNTS + '[orders]\nreturns = "reject"\n[staff]\nfile = "s.xlsx"\n')
    assert list(company.tables) == ["agents", "assignments", "bookings", "accounts", "orders", "staff"]
    assert company.table("orders") == TableMap("orders", returns="reject")
    assert company.table("staff").file == "s.xlsx"
    assert company.table("accounts").returns == "net"


def test_the_settings() -> None:
    company = parse_mapping(
        "as_of = 2026-06-30T18:00:00\nfollow_up_days = 10\ndefault_capacity = 0\n"
        'currency = "EUR"\nlate_filing_min = 60\nmax_rejected_share = 1\n'
    )
    assert company == CompanyMap(
        as_of=datetime(2026, 6, 30, 18), follow_up_days=10.0, default_capacity=0, currency="EUR",
        late_filing_min=60.0, max_rejected_share=1.0, format=Format(),
        statuses={"pending": "pending", "confirmed": "confirmed", "cancelled": "cancelled"},
    )  # fmt: skip
    assert parse_mapping("as_of = 2026-06-30").as_of == datetime(2026, 6, 30)
    assert parse_mapping("default_capacity = 2147483647").default_capacity == 2**31 - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"who"', Source(("who",))),
        ('["first", "last"]', Source(("first", "last"))),
        ('{ column = "who" }', Source(("who",))),
        ('{ columns = ["a", "b"], joined_by = ", " }', Source(("a", "b"), ", ")),
        ('{ column = "who", default = "Ann", separator = "|" }', Source(("who",), " ", None, "Ann", "|")),
        ('{ column = "who", default = 0 }', Source(("who",), default="0")),
        ("{ value = 3 }", Source(constant="3")),
        ("{ value = 1.5 }", Source(constant="1.5")),
        ("{ value = true }", Source(constant="true")),
        ("{ value = 2026-06-30 }", Source(constant="2026-06-30")),
        ('{ value = "" }', Source(constant="")),
    ],
)
def test_where_a_field_comes_from(value: str, expected: Source) -> None:
    company = parse_mapping(SMALL.replace('"who"', value, 1))
    assert company.tables["assignments"].fields["agent"] == expected


def test_a_source_is_called_what_the_user_calls_it() -> None:
    assert Source(("first", "last")).label == "first + last"
    assert Source(("who",), constant=None).label == "who"
    assert Source(constant="3").label == "constant '3'"


def test_a_column_is_called_in_one_line_and_a_query_keeps_its_lines() -> None:
    query = "select * -- all of it\nfrom people"
    text = SMALL.replace('id = "no"', 'id = "agent\\nno"').replace('["Won"]', '["Won\\nnow"]')
    text = text.replace('file = "people.csv"', f'file = "postgresql://h/d"\nquery = """{query}"""')
    company = parse_mapping(text)
    assert company.tables["agents"].fields["id"] == Source(("agent no",))
    assert company.tables["agents"].format.query == query
    assert company.statuses["won\nnow"] == "confirmed"


def test_bookings_without_a_file_are_in_the_assignments_and_others_say_from() -> None:
    flat = SMALL.replace('file = "deals.csv"\n', "")
    assert parse_mapping(flat).tables["bookings"].taken_from == "assignments"
    assert parse_mapping(flat).tables["bookings"].file is None
    assert parse_mapping(SMALL).tables["bookings"].taken_from is None
    owners = parse_mapping(SMALL.replace('file = "people.csv"', 'from = "bookings"')).tables["agents"]
    assert (owners.file, owners.taken_from) == (None, "bookings")
    accounts = parse_mapping('[accounts]\nfrom = "orders"\nid = "who"\n[orders]\nfile = "o.csv"').tables
    assert accounts["accounts"].taken_from == "orders"


# how files are written


def test_what_is_said_of_all_holds_for_each_and_what_is_nearer_wins() -> None:
    company = parse_mapping(
        """
        [format]
        separator = ";"
        decimal = ","
        time_zone = "Europe/Madrid"
        null_values = ["n/a"]
        [accounts]
        id = "a"
        [orders]
        decimal = "."
        thousands = ","
        [orders.format]
        decimal = ","
        time_zone = "UTC"
        date_formats = ["%d.%m.%Y"]
        [touches]
        format = { delimiter = "|" }
        delimiter = "\\t"
        date_order = "mdy"
        [reps]
        encoding = "cp1252"
        columns = ["a", "b"]
        sheet = "Reps"
        query = "reps"
        null_values = []
        [lookup.regions]
        file = "r.csv"
        key = "id"
        table = "orders"
        separator = ","
        [lookup.regions.format]
        encoding = "utf-16"
        """
    )
    shared = Format(separator=";", decimal=",", time_zone="Europe/Madrid", null_values=("n/a",))
    assert company.format == shared
    assert company.table("accounts").format == shared
    assert company.table("staff").format == shared
    assert company.table("orders").format == Format(
        separator=";", decimal=".", thousands=",", time_zone="UTC", date_formats=("%d.%m.%Y",),
        null_values=("n/a",),
    )  # fmt: skip
    assert company.table("touches").format == Format(
        separator="\t", decimal=",", date_order="mdy", time_zone="Europe/Madrid", null_values=("n/a",)
    )
    assert company.table("reps").format == Format(
        encoding="cp1252", separator=";", decimal=",", time_zone="Europe/Madrid", null_values=(),
        columns=("a", "b"), sheet="Reps", query="reps",
    )  # fmt: skip
    assert company.lookups["regions"].format == Format(
        encoding="utf-16", separator=",", decimal=",", time_zone="Europe/Madrid", null_values=("n/a",)
    )


@pytest.mark.parametrize(
    ("shared", "table", "own", "expected"),
    [
        ("delimiter", None, None, ";"),
        ("separator", "delimiter", None, "|"),
        ("delimiter", "separator", None, "|"),
        ("delimiter", "separator", "delimiter", ","),
        ("separator", "delimiter", "separator", ","),
        (None, "separator", "delimiter", ","),
    ],
)
def test_delimiter_is_another_name_of_separator(
    shared: str | None, table: str | None, own: str | None, expected: str
) -> None:
    text = f'[format]\n{shared} = ";"\n' if shared else ""
    text += "[orders]\n" + (f'{own} = ","\n' if own else "")
    text += f'[orders.format]\n{table} = "|"\n' if table else ""
    assert parse_mapping(text).table("orders").format == Format(separator=expected)


# the parts of a mapping


def test_lookups_find_their_key_under_its_own_name_by_default() -> None:
    company = parse_mapping(
        SMALL
        + '[lookup.regions]\nfile = "r.csv"\nkey = "region"\n'
        + '[lookup.people]\nfile = "p.csv"\nkey = "id"\non = "who"\ntable = "bookings"\n'
    )
    assert company.lookups == {
        "regions": Lookup(name="regions", file="r.csv", key="region", on="region", table="assignments"),
        "people": Lookup(name="people", file="p.csv", key="id", on="who", table="bookings"),
    }


@pytest.mark.parametrize(
    ("text", "source", "open_", "values", "required", "bins", "table"),
    [
        ('values = ["web", " shop "]', Source(("source",)), False, ("web", "shop"), True, 0, "assignments"),
        ('column = "Src"\nvalues = "any"', Source(("Src",)), True, "any", True, 0, "assignments"),
        ('columns = ["a", "b"]\njoined_by = "/"\nvalues = "any"', Source(("a", "b"), "/"), True, "any", True, 0, "assignments"),
        ('default = "web"\nvalues = "any"', Source(("source",), default="web"), True, "any", True, 0, "assignments"),
        ('value = "web"\nvalues = "any"', Source(constant="web"), True, "any", True, 0, "assignments"),
        ("bins = 2", Source(("source",)), False, None, True, 2, "assignments"),
        ('bins = 50\nvalues = "any"', Source(("source",)), True, "any", True, 50, "assignments"),
        ('values = ["a"]\nrequired = false\ntable = "bookings"', Source(("source",)), False, ("a",), False, 0, "bookings"),
    ],
)  # fmt: skip
def test_dimensions(
    text: str, source: Source, open_: bool, values: Any, required: bool, bins: int, table: str
) -> None:
    old = 'column = "source"\nvalues = ["web", "shop"]\n'
    (found,) = parse_mapping(SMALL.replace(old, text)).dimensions
    assert (found.name, found.source, found.is_open) == ("source", source, open_)
    assert (found.values, found.required, found.bins, found.table) == (values, required, bins, table)


def test_a_listed_dimension_needs_no_table_and_dimensions_keep_their_order() -> None:
    text = '[dimensions.b]\nvalues = ["x"]\n[dimensions.a1_]\nvalues = ["y"]\n'
    assert [dimension.name for dimension in parse_mapping(text).dimensions] == ["b", "a1_"]
    assert parse_mapping(f'[dimensions.{"a" * 63}]\nvalues = ["x"]').dimensions


def test_words_for_a_status_ignore_case_and_blanks_and_may_be_one_or_several() -> None:
    text = SMALL.replace('confirmed = ["Won"]', 'confirmed = [" Won ", "ABGESCHLOẞEN", "straße"]')
    text = text.replace('none = [""]', 'none = ["", "-"]\npending = "Open"\ncancelled = ["lost", "LOST"]')
    assert parse_mapping(text).statuses == {
        "won": "confirmed", "abgeschloßen": "confirmed", "straße": "confirmed", "": "none", "-": "none",
        "open": "pending", "lost": "cancelled",
    }  # fmt: skip


def test_words_for_channels_and_actions() -> None:
    table = parse_mapping(
        '[touches]\nchannels = { " Phone " = "outbound_cc", phone = "outbound_cc" }\nactions = { Call = "upsell" }'
    ).tables["touches"]
    assert table.words == {"channel": {"phone": "outbound_cc"}, "action": {"call": "upsell"}}
    assert parse_mapping('[touches]\nfile = "t.csv"').tables["touches"].words == {}


def test_the_accounts() -> None:
    company = parse_mapping(ACCOUNTS)
    said = company.accounts
    assert company.tables["accounts"].fields == columns(
        id="number", latitude="y", longitude="x", preferred_channel="likes"
    )
    assert said.numeric == ("spend",)
    assert said.allowed == {"tier": ("gold", "silver"), "trade": None, "size": ("S", "L")}
    assert said.moments == ("since", "contract_end")
    assert said.dates_ahead == ("contract_end",)
    assert said.features == ("spend", "tier", "trade", "size", "since", "contract_end")
    assert said.labels == {"churned": Label("left", "Y"), "future_value_eur": Label("worth")}
    assert said.consent == {"outbound_cc": Source(("may_call",))}
    assert said.roles == {
        "tier": Source(("tier",)), "name": Source(("first", "last")), "visit_min": Source(constant="30")
    }  # fmt: skip
    assert said.known_from == {
        "trade": "always",
        "tier": datetime(2025, 1, 1),
        "size": datetime(2025, 1, 1, 8, 30),
        "spend": "since",
    }


def test_every_channel_may_have_a_consent_and_every_role_a_column() -> None:
    consent = "\n".join(f'{name} = "c_{name}"' for name in CHANNELS)
    roles = "\n".join(f'{name} = "r_{name}"' for name in ACCOUNT_ROLES)
    text = f'[accounts]\nid = "a"\n[accounts.consent]\n{consent}\n[accounts.roles]\n{roles}\n'
    said = parse_mapping(text).accounts
    assert said.consent == {name: Source((f"c_{name}",)) for name in CHANNELS}
    assert said.roles == {name: Source((f"r_{name}",)) for name in ACCOUNT_ROLES}


def test_the_word_of_a_label_may_be_a_number_and_a_moment_loses_its_zone() -> None:
    text = ACCOUNTS.replace('is = "Y"', "is = 1").replace("08:30:00", "08:30:00+02:00")
    said = parse_mapping(text).accounts
    assert said.labels["churned"] == Label("left", "1")
    assert said.known_from["size"] == datetime(2025, 1, 1, 8, 30)


def test_a_where_says_which_columns_it_reads() -> None:
    where = parse_mapping("[orders]\nwhere = \"stage <> 'Lost' and amount > 3\"").tables["orders"].where
    assert where is not None
    assert where.text == "stage <> 'Lost' and amount > 3"
    assert where.columns == {"stage", "amount"}


# files


def test_the_shipped_mapping() -> None:
    assert packaged_maps() == ["astra"]
    astra = read_mapping("astra")
    assert astra.path == "astra.toml (shipped)"
    assert (astra.follow_up_days, astra.default_capacity, astra.currency) == (7.0, 10, "USD")
    assert (astra.late_filing_min, astra.max_rejected_share) == (60.0, 0.5)
    written = Format(
        encoding="utf-8", separator=",", decimal=".", date_formats=("%Y-%m-%d %H:%M:%S",), time_zone="UTC"
    )
    assert [(table.file, table.format) for table in astra.tables.values()] == [
        ("space_travel_agents.csv", written), ("assignment_history.csv", written), ("bookings.csv", written),
    ]  # fmt: skip
    assert astra.tables["agents"].fields["name"] == Source(("FirstName", "LastName"))
    assert [(d.name, d.table, len(d.values or ()), d.required) for d in astra.dimensions] == [
        ("communication_method", "assignments", 2, True),
        ("lead_source", "assignments", 2, True),
        ("destination", "bookings", 5, True),
        ("launch_location", "bookings", 6, True),
    ]


def test_a_mapping_file_is_read_by_its_path_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert read_mapping(path) == parse_mapping(SMALL, str(path))
    assert read_mapping(str(path)).path == str(path)


def test_a_mapping_that_does_not_exist_is_looked_for_nearby(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown mapping 'astro': did you mean 'astra'"):
        read_mapping("astro")
    (tmp_path / "mine.toml").write_text(SMALL)
    with pytest.raises(InputError, match=rf"mien\.toml does not exist: did you mean '{tmp_path}/mine\.toml'"):
        read_mapping(tmp_path / "mien.toml")
    with pytest.raises(
        InputError, match=r"nowhere/company\.toml does not exist: `dealwright draft DIR` writes"
    ):
        read_mapping(tmp_path / "nowhere" / "company.toml")
    with pytest.raises(InputError, match=r"company\.toml does not exist: `dealwright draft DIR` writes one"):
        read_mapping("company.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SMALL.replace('"who"', '"wér"').encode("latin-1"), "small.toml: line 10 is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfea\x00", "small.toml: line 1 is not UTF-8; save the file as UTF-8"),
        (SMALL.replace("[agents]", "[agents"), "small.toml: not valid TOML: Expected ']'"),
        ("id = column", "(at line 1, column 6); write key = value, texts in quotes"),
        ("id,name\n1,Ann", "small.toml: not valid TOML"),
    ],
)  # fmt: skip
def test_what_is_no_toml(content: str | bytes, message: str) -> None:
    assert message in refusal(content)


# what is refused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # keys
        ("[agents]", "[agent]", "agent: unknown key 'agent': did you mean 'agents'?"),
        ("[agents]", "folow_up_days = 1\n[agents]", "folow_up_days: unknown key 'folow_up_days': did you mean 'follow_up_days'?"),
        ('id = "no"', 'ident = "no"', "agents.ident: unknown key 'ident': did you mean 'id'?"),
        ('id = "no"', 'id = { column = "x", colum = "y" }', "agents.id.colum: unknown key 'colum': did you mean 'column'?"),
        ('none = [""]', 'lost = ["x"]', "bookings.statuses.lost: unknown key 'lost': use one of: cancelled, confirmed, none, pending"),
        ("[agents]", "[touches.channels]\nWeb = 'ecom'\n[agents]", "touches.channels.Web: unknown value 'ecom': did you mean 'ecom_self'?"),
        ("[assignments]", '[assignments]\nreturns = "net"', "assignments.returns: unknown key 'returns'"),
        ("[agents]", '[orders]\nreturns = "refuse"\n[agents]', "orders.returns: unknown value 'refuse': did you mean 'reject'?"),
        # sources
        ('id = "no"', "id = 7", "agents.id = 7: name a column in quotes"),
        ('id = "no"', 'id = ""', "agents.id = '': name a column in quotes"),
        ('id = "no"', "id = []", "agents.id = []: name a column in quotes"),
        ('id = "no"', 'id = ["a", ""]', "agents.id = ['a', '']: name a column in quotes"),
        ('id = "no"', 'id = ["a", 3]', "agents.id.columns[1] = 3: write a text in quotes"),
        ('id = "no"', "id = {}", "agents.id: give exactly one of column, columns or value"),
        ('"who"', '{ column = "who", value = 1 }', "assignments.agent: give exactly one of column, columns or value"),
        ('"who"', '{ column = "who", columns = ["a"] }', "assignments.agent: give exactly one of column, columns or value"),
        ('"who"', "{ value = [1] }", "assignments.agent.value = [1]: write a single value"),
        ('"who"', '{ column = "who", default = { a = 1 } }', "assignments.agent.default = {'a': 1}: write a single value"),
        # tables
        ('id = "no"', "", "agents.id: missing: say which column of 'people.csv' it is"),
        ('status = "state"', "", "bookings.status: missing: say which column of 'deals.csv' it is"),
        ('file = "people.csv"', "", 'agents.file: missing: name the file, such as file = "people.csv"'),
        ('file = "people.csv"', "file = 3", "agents.file = 3: write a text in quotes"),
        ('file = "people.csv"', 'from = "assignment"', "agents.from: unknown table 'assignment': did you mean 'assignments'?"),
        ('file = "people.csv"', 'from = "agents"', "agents.from: unknown table 'agents'"),
        ('file = "people.csv"', 'from = "orders"', "agents.from: unknown table 'orders': use one of: assignments, bookings"),
        ('file = "people.csv"', 'file = "people.csv"\nfrom = "assignments"', "agents.from: give either file or from"),
        ('file = "people.csv"\nid = "no"\nname = ["first", "last"]\n\n[assignments]\nfile = "leads.csv"', 'from = "assignments"\nid = "no"\nname = "no"\n[assignments]\nfrom = "agents"', "agents.from: agents from assignments from agents: one of them needs a file"),
        ('[agents]\nfile = "people.csv"\nid = "no"\nname = ["first", "last"]', "", "assignments: assignments refer to agents: add an [agents] table"),
        ('[assignments]\nfile = "leads.csv"\nid = "id"\nagent = "who"\ncustomer_name = "customer"\nassigned_at = "day"', "", "bookings: bookings refer to assignments: add an [assignments] table"),
        ("[assignments]", '[assignments]\nwhere = "a ="', "assignments.where: 'a =' is not a valid expression"),
        ("[assignments]", '[assignments]\nwhere = "sum(a) > 3"', "assignments.where: 'sum(a) > 3' is not a valid expression"),
        ("[assignments]", '[assignments]\nwhere = ""', "assignments.where: expected an expression as text"),
        # formats
        ('decimal = ","', 'decimal = "x"', "bookings.format.decimal: unknown value 'x': use one of: ,, ."),
        ('decimal = ","', 'date_order = "dym"', "bookings.format.date_order: unknown value 'dym': did you mean 'ymd'?"),
        ('decimal = ","', 'date_formats = "%d"', "bookings.format.date_formats = '%d': write a list"),
        ('decimal = ","', "null_values = [1]", "bookings.format.null_values[0] = 1: write a text in quotes"),
        ('delimiter = ";"', "delimiter = 3", "bookings.format.separator = 3: write a text in quotes"),
        ('delimiter = ";"', 'encodign = "utf-8"', "bookings.format.encodign: unknown key 'encodign': did you mean 'encoding'?"),
        ('format = { delimiter = ";", decimal = "," }', "format = 3", "bookings.format = 3: write a table"),
        ('format = { delimiter = ";", decimal = "," }', "time_zone = 1", "bookings.format.time_zone = 1: write a text in quotes"),
        ("[agents]", "format = 3\n[agents]", "format = 3: write a table"),
        ("[agents]", 'format = { decimal = 3 }\n[agents]', "format.decimal = 3: write"),
        # statuses
        ('confirmed = ["Won"]', 'pending = ["Open"]', "bookings.statuses.confirmed: missing: which words mean that the customer bought?"),
        ('none = [""]', 'cancelled = ["won "]', "bookings.statuses.cancelled: the word 'won ' already means confirmed"),
        ('none = [""]', "none = 3", "bookings.statuses.none = 3: write a text in quotes or a list"),
        ("[agents]", '[touches.channels]\nWeb = "field"\n" web" = "ecom_self"\n[agents]', "touches.channels. web: the word ' web' already means field"),
        ("[agents]", '[touches.actions]\nCall = "upsell"\ncall = "visit"\n[agents]', "touches.actions.call: the word 'call' already means upsell"),
        # dimensions
        ("[dimensions.source]", "[dimensions.Source]", "dimensions.Source: a dimension's name has lower-case letters, digits and _"),
        ("[dimensions.source]", "[dimensions.1a]", "dimensions.1a: a dimension's name"),
        ("[dimensions.source]", f"[dimensions.{'a' * 64}]", "a dimension's name"),
        ("[dimensions.source]", "[dimensions.customer_name]", "dimensions.customer_name: a dimension's name has lower-case letters, digits and _, and is no word of our own"),
        ("[dimensions.source]", "[dimensions.won]", "no word of our own"),
        ("[dimensions.source]", "[dimensions.status]", "no word of our own"),
        ('values = ["web", "shop"]', "", 'dimensions.source.values: missing: list the allowed values, or write values = "any", or bins = 4'),
        ('["web", "shop"]', '["web", "web "]', "dimensions.source.values: 'web' is listed twice"),
        ('["web", "shop"]', "[]", "dimensions.source.values: is empty"),
        ('["web", "shop"]', '["web", "(empty)"]', "dimensions.source.values: '(empty)' stands for nothing given: write required = false instead"),
        ('["web", "shop"]', '"all"', "dimensions.source.values: unknown value 'all'"),
        ('["web", "shop"]', "[1]", "dimensions.source.values[0] = 1: write a text in quotes"),
        ('["web", "shop"]', '"any"\ntable = "agents"', "dimensions.source.table: unknown value 'agents': did you mean 'assignments'?"),
        ('["web", "shop"]', '"any"\nbins = 51', "dimensions.source.bins = 51: write a whole number of at least 0 and of at most 50"),
        ('values = ["web", "shop"]', "bins = -1", "dimensions.source.bins = -1: write a whole number of at least 0"),
        ('values = ["web", "shop"]', "bins = 1", "dimensions.source.bins: a number has at least two bins"),
        ('["web", "shop"]', '["web"]\nbins = 2', "dimensions.source.bins: a number has at least two bins, and then no list of values"),
        ('["web", "shop"]', '"any"\nrequired = "no"', "dimensions.source.required = 'no': write true or false"),
        # settings
        ("[agents]", "follow_up_days = -1\n[agents]", "follow_up_days = -1: write a number of at least 0"),
        ("[agents]", "follow_up_days = inf\n[agents]", "follow_up_days = inf: write a finite number of at least 0"),
        ("[agents]", "default_capacity = 1.5\n[agents]", "default_capacity = 1.5: write a whole number of at least 0 and below 2147483648"),
        ("[agents]", "default_capacity = -1\n[agents]", "default_capacity = -1: write a whole number of at least 0"),
        ("[agents]", "default_capacity = 2147483648\n[agents]", "default_capacity = 2147483648: write a whole number"),
        ("[agents]", "max_rejected_share = 1.1\n[agents]", "max_rejected_share = 1.1: write a number between 0 and 1"),
        ("[agents]", "max_rejected_share = -0.1\n[agents]", "max_rejected_share = -0.1: write a number between 0 and 1"),
        ("[agents]", "late_filing_min = -1\n[agents]", "late_filing_min = -1: write a number of at least 0"),
        ("[agents]", "currency = 3\n[agents]", "currency = 3: write a text in quotes"),
        ("[agents]", "as_of = 'soon'\n[agents]", "as_of = 'soon': write a date and time such as 2026-01-31 08:00:00"),
        # lookups
        ("[agents]", "[lookup.x]\nfile = 'f'\nkey = 'k'\ntable = 'agent'\n[agents]", "lookup.x.table: unknown table 'agent': did you mean 'agents'?"),
        ("[agents]", "[lookup.x]\nfile = 'f'\nkey = 'k'\ntable = 'orders'\n[agents]", "lookup.x.table: unknown table 'orders': use one of: agents, assignments, bookings"),
        ("[agents]", "[lookup.x]\nfile = 'f'\n[agents]", "lookup.x.key: is missing; write a text in quotes"),
        ("[agents]", "[lookup.x]\nkey = 'f'\n[agents]", "lookup.x.file: is missing; write a text in quotes"),
        ("[agents]", "[lookup]\nx = 3\n[agents]", "lookup.x = 3: write a table with file, key"),
        ("[agents]", "lookup = 3\n[agents]", "lookup = 3: write a table"),
    ],
)  # fmt: skip
def test_every_mistake_names_the_file_the_key_and_the_fix(old: str, new: str, message: str) -> None:
    assert old in SMALL
    said = refusal(SMALL.replace(old, new, 1))
    assert said.startswith("small.toml: ")
    assert message in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[dimensions.x]\nvalues = "any"', "dimensions.x.table: there is no [assignments] table to take its values from"),
        ("[dimensions.x]\nbins = 3", "dimensions.x.table: there is no [assignments] table to take its values from"),
        ('[dimensions.x]\nvalues = ["a"]\ntable = "bookings"', "dimensions.x.table: there is no [bookings] table to take its values from"),
    ],
)  # fmt: skip
def test_a_dimension_needs_a_table_to_take_its_values_from(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "number"', "", 'accounts.id: say which column is the id, such as id = "customer_number"'),
        ('latitude = "y"', "", "accounts: give both latitude and longitude, or neither"),
        ('longitude = "x"', "", "accounts: give both latitude and longitude, or neither"),
        ('numeric = ["spend"]', 'numeric = "spend"', "accounts.numeric = 'spend': write a list"),
        ('numeric = ["spend"]', 'numeric = ["spend", "tier"]', "accounts: the column 'tier' is declared twice; keep it in one of numeric, categorical, dates"),
        ('numeric = ["spend"]', 'numeric = ["spend", "spend"]', "the column 'spend' is declared twice"),
        ('dates = ["since"]', 'dates = ["since", "size"]', "the column 'size' is declared twice"),
        ('numeric = ["spend"]', 'numeric = ["spend", "left"]', "accounts.labels.churned: the column 'left' is also a feature, so the model would read its own answer; take it out of the features"),
        ('"worth"', '"spend"', "accounts.labels.future_value_eur: the column 'spend' is also a feature"),
        ("[accounts.roles]", "[accounts.rolls]", "accounts.rolls: unknown key 'rolls': did you mean 'roles'?"),
        ("churned = {", "churn = {", "accounts.labels.churn: unknown key 'churn': did you mean 'churned'?"),
        ('{ column = "left", is = "Y" }', '{ is = "Y" }', "accounts.labels.churned.column: is missing; write a text in quotes"),
        ('is = "Y"', "is = []", "accounts.labels.churned.is = []: write a single value"),
        ('name = ["first", "last"]', 'nmae = "first"', "accounts.roles.nmae: unknown key 'nmae': did you mean 'name'?"),
        ('outbound_cc = "may_call"', 'outbound = "may_call"', "accounts.consent.outbound: unknown key 'outbound': did you mean 'outbound_cc'?"),
        ('trade = "always"', 'trad = "always"', "accounts.known_from: unknown feature 'trad': did you mean 'trade'?"),
        ('trade = "always"', 'left = "always"', "accounts.known_from: unknown feature 'left'"),
        ('trade = "always"', 'trade = ""', "accounts.known_from.trade = '': write a date (2026-06-30), the name of a date column, or \"always\""),
        ('trade = "always"', "trade = true", "accounts.known_from.trade = True: write a date (2026-06-30)"),
        ('id = "number"', 'id = "number"\nfrom = "orders"', "accounts.from: unknown table 'orders': use one of: (there are none)"),
    ],
)  # fmt: skip
def test_a_mistake_about_the_accounts(old: str, new: str, message: str) -> None:
    assert old in ACCOUNTS
    assert message in refusal(ACCOUNTS.replace(old, new, 1))
