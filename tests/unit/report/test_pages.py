"""The parts of every page: escaped, linked, with the figure behind what is written."""

from __future__ import annotations

from typing import Any

import pytest

from dealwright.report.format import Format
from dealwright.report.pages import Page, account_address, environment, render, with_accounts
from dealwright.report.people import Person

NASTY = "<script>alert(1)</script>"
IMPORT = '{% import "parts.html" as parts with context %}'


def part(source: str, form: Format | None = None, **values: Any) -> str:
    """Render a piece of a template as a page would."""
    return " ".join(environment(form or Format()).from_string(IMPORT + source).render(**values).split())


def test_a_page_names_its_day_its_company_and_its_language() -> None:
    page = render("base.html", Format("es_ES"), page=Page("Hoy", NASTY, contents=(("a", "Uno"),)))
    assert '<html lang="es">' in page
    assert "<title>Hoy · &lt;script&gt;alert(1)&lt;/script&gt;</title>" in page
    assert "<h1>Hoy</h1>" in page
    assert '<a href="#a">Uno</a>' in page
    assert NASTY not in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_fact_opens_its_rows() -> None:
    shown = part('{{ parts.fact("Waiting", 5|money, "2 accounts", "#limits", "warn", 5.0, "limits:1") }}')
    assert shown.startswith('<a class="fact" href="#limits" data-v="5.0" data-of="limits:1">')
    assert '<b class="warn">€5</b>' in shown


def test_figures_keep_their_value_and_unknown_ones_have_none() -> None:
    assert part("{{ parts.money(1234.5) }}") == '<td class="num" data-v="1234.5">€1,234</td>'
    assert part("{{ parts.money(none) }}") == '<td class="num" data-v="">–</td>'
    assert part("{{ parts.num(2.25, 1) }}", Format("es_ES")) == '<td class="num" data-v="2.25">2,2</td>'


@pytest.mark.parametrize("source", [
    "{{ parts.account(x, x ~ x) }}", "{{ parts.state(x) }}", "{{ parts.cell(x) }}",
    '{% call parts.card(x) %}{{ x }}{% endcall %}', "{{ parts.person(who) }}",
    '{% call parts.table("t", [column(x)], x) %}{% endcall %}', "{{ parts.interval(0, 1, 2, 3, x) }}",
])  # fmt: skip
def test_nothing_of_the_data_becomes_markup(source: str) -> None:
    shown = part(source, x=NASTY, who=Person(NASTY, NASTY, "field", 1))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_an_id_is_an_address_whatever_is_in_it() -> None:
    assert account_address("A 1/ü#") == "accounts.html#A%201%2F%C3%BC%23"
    assert account_address("A", "../") == "../accounts.html#A"


def test_a_trend_needs_two_runs_and_ends_at_the_latest() -> None:
    assert part("{{ parts.trend([none, 3.0], 'x') }}") == ""
    shown = part("{{ parts.trend([1.0, 3.0, 2.0], 'x') }}")
    assert 'points="3.0,17.0 40.0,3.0 77.0,10.0 "' in shown
    assert 'cy="10.0"' in shown


def test_accounts_that_a_text_names_are_links_and_nothing_else_is() -> None:
    linked = with_accounts("instead of A1 and A12 (<b>) but not XA1", ["A1", "A12"])
    assert linked == (
        'instead of <a href="accounts.html#A1">A1</a> and <a href="accounts.html#A12">A12</a> '
        "(&lt;b&gt;) but not XA1"
    )
    assert with_accounts("nobody", None) == "nobody"
    assert with_accounts("for <i>", ["<i>"]) == 'for <a href="accounts.html#%3Ci%3E">&lt;i&gt;</a>'
