"""What templates see of a row: a key of a dict, and what every dict has as well."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from jinja2 import StrictUndefined, UndefinedError

from dealwright.report.page_environment import PageEnvironment


@dataclass
class Row:
    name: str


def render(text: str, **values: object) -> str:
    return PageEnvironment(autoescape=True, undefined=StrictUndefined).from_string(text).render(**values)


def test_a_name_of_a_dict_is_its_key() -> None:
    assert render("{{ row.name }} {{ row.a.b }}", row={"name": "<A>", "a": {"b": None}}) == "&lt;A&gt; None"
    assert render("{{ row.name }}", row=Row("B")) == "B"


def test_what_every_dict_has_hides_a_key_of_that_name() -> None:
    row = {"items": 1, "get": 2}
    assert (
        render("{% for name, value in row.items() %}{{ name }}={{ value }};{% endfor %}", row=row)
        == "items=1;get=2;"
    )
    assert render("{{ row.get('no', 'none') }}{{ row['items'] }}", row=row) == "none1"


def test_a_key_that_is_not_there_is_an_error_with_its_name() -> None:
    with pytest.raises(UndefinedError, match="no attribute 'nmae'"):
        render("{{ row.nmae }}", row={"name": "A"})
    assert render("{{ row.nmae is defined }}", row={"name": "A"}) == "False"
