"""The page on importing shows the whole way in, and it works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text(encoding="utf-8")


def test_the_whole_way_in_takes_fewer_than_forty_lines() -> None:
    assert PAGE.count("\n", 0, PAGE.index("and you are done")) + 1 < 40


@pytest.mark.parametrize("drafted", [False, True], ids=["as written", "as drafted"])
def test_the_example_of_the_page_goes_from_the_export_to_a_ranking(
    dealwright: Command, tmp_path: Path, *, drafted: bool
) -> None:
    table, mapping = re.findall(r"(?s)```(?:toml)?\n(.*?)```", PAGE)[:2]
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "deals.csv").write_text(table, encoding="utf-8")
    if drafted:
        dealwright("draft", shop)
    else:
        (shop / "company.toml").write_text(mapping, encoding="utf-8")
    loaded = dealwright("import", shop, "--json").json
    assert [loaded[name]["new"] for name in ("agents", "assignments", "bookings")] == [2, 3, 3]
    assert loaded["rejects"] == []
    dealwright("train", "--no-pictures", "--promote")
    ranking = dealwright("rank", "--set", "source=web", "--json").json["ranking"]
    assert {row["agent_name"] for row in ranking} == {"Ada Moss", "Ben Ruiz"}
