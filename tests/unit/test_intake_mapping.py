"""Mapping files: what they may say, and what is said about their mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealwright.errors import InputError
from dealwright.intake.mapping_file import load_mapping, parse_mapping

SMALL = """
[agents]
file = "people.csv"
id = "no"
name = ["first", "last"]
skills = { column = "skills", separator = "|" }
capacity = { value = 3 }

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


def test_a_small_mapping() -> None:
    mapping = parse_mapping(SMALL.encode(), "small.toml")
    assert mapping.agents.fields["name"].columns == ("first", "last")
    assert mapping.agents.fields["capacity"].constant == "3"
    assert mapping.agents.format.delimiter == ","
    assert mapping.bookings is not None
    assert mapping.bookings.format.delimiter == ";"
    assert mapping.statuses == {"won": "confirmed", "": "none"}
    assert mapping.dimensions[0].values == ("web", "shop")


def test_the_shipped_mapping_and_paths(tmp_path: Path) -> None:
    assert [dimension.name for dimension in load_mapping("astra").dimensions] == [
        "communication_method",
        "lead_source",
        "destination",
        "launch_location",
    ]
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    assert load_mapping(path).path == str(path)
    with pytest.raises(InputError, match="did you mean 'astra'"):
        load_mapping("astro")
    with pytest.raises(InputError, match=r"did you mean .*mine\.toml"):
        load_mapping(tmp_path / "mien.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[agents]", "[agent]", "small.toml: agent: unknown key: did you mean 'agents'?"),
        ('id = "no"', 'ident = "no"', "agents.ident: unknown key"),
        ('id = "no"', "", "agents.id: missing: say which column of 'people.csv' it is"),
        ('file = "people.csv"', "", "agents.file: missing"),
        ('id = "no"', "id = 7", "agents.id: must be a table"),
        ('"who"', '{ column = "who", value = 1 }', "assignments.agent: give exactly one of"),
        ('delimiter = ";"', 'delimiter = ";;"', "bookings.format.delimiter: must be one character"),
        ('decimal = ","', 'decimal = "x"', "bookings.format.decimal"),
        ('decimal = ","', 'encoding = "utf-88"', "unknown encoding 'utf-88'"),
        ('decimal = ","', 'time_zone = "Europe/Madird"', "did you mean 'Europe/Madrid'"),
        ('confirmed = ["Won"]', 'pending = ["Open"]', "bookings.statuses.confirmed: missing"),
        ('none = [""]', 'cancelled = ["won"]', "the word 'won' already means confirmed"),
        ('none = [""]', 'lost = ["x"]', "bookings.statuses.lost: unknown key"),
        ("[dimensions.source]", "[dimensions.Source]", "dimensions.Source: a dimension's name"),
        ("[dimensions.source]", "[dimensions.customer_name]", "no word of our own"),
        ('values = ["web", "shop"]', "", "dimensions.source.values: missing"),
        ('["web", "shop"]', '["web", "web"]', "'web' is listed twice"),
        ('values = ["web", "shop"]', 'values = "any"\ntable = "agents"', "dimensions.source.table"),
        ("[agents]", "follow_up_days = -1\n[agents]", "follow_up_days: must be a number of at least 0"),
        ("[agents]", "default_capacity = 1.5\n[agents]", "default_capacity: must be a whole number"),
        ("[agents]", "[agents", "not valid TOML"),
    ],
)
def test_every_mistake_names_the_file_and_the_key(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(InputError) as error:
        parse_mapping(SMALL.replace(old, new, 1).encode(), "small.toml")
    assert message in str(error.value)
    assert str(error.value).startswith("small.toml")


def test_the_example_in_the_documentation_is_a_mapping() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    mapping = parse_mapping(example.encode(), "docs/import.md")
    assert mapping.late_filing_min == 60
    assert [dimension.name for dimension in mapping.dimensions] == ["source", "region"]
    assert mapping.agents.fields["capacity"].default == "5"
