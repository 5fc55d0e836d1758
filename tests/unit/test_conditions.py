"""Conditions and quantities in SQL: what they compute, and what they refuse."""

from __future__ import annotations

import contextlib
from datetime import date

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealwright.conditions import parse_expression
from dealwright.errors import InputError

FRAME = pl.DataFrame(
    {
        "a": [1.0, None, 3.0],
        "n": [2, None, 0],
        "tier": ["gold", "silver", None],
        "flag": [True, False, None],
        "two words": [1, 2, 3],
        "since": [date(2026, 1, 1), date(2025, 1, 1), None],
    }
).with_columns(
    level=pl.col("tier").cast(pl.Enum(["gold", "silver"])), kind=pl.col("tier").cast(pl.Categorical)
)


def computed(text: str, *, boolean: bool) -> list[object]:
    expression = parse_expression(text, "here")
    expression.check(FRAME.schema, boolean=boolean)
    return FRAME.select(result=expression.expr)["result"].to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a >= 2", [False, None, True]),
        ("1 < a and a < 4", [False, None, True]),
        ("a >= 1 and tier in ('gold', 'silver')", [True, None, None]),
        ("tier = 'platinum'", [False, False, None]),
        ("tier == 'gold'", [True, False, None]),
        ("'gold' = tier", [True, False, None]),
        ("tier <> 'gold'", [False, True, None]),
        ("tier != 'gold'", [False, True, None]),
        ("a is null or a > 2", [False, True, True]),
        ("tier is not null", [True, True, False]),
        ("not flag", [False, True, None]),
        ("not (a > 2)", [True, None, False]),
        ("not tier = 'gold'", [False, True, None]),
        ("flag or a > 2", [True, None, True]),
        ("a in (1, 3)", [True, None, True]),
        ("a in (1, n)", [True, None, False]),
        ("a not in (1)", [False, None, True]),
        ("tier not in ('gold')", [False, True, None]),
        ("a between 2 and 3", [False, None, True]),
        ("a not between 2 and 3", [True, None, False]),
        ("tier like 'g%'", [True, False, None]),
        ("tier like '%l_'", [True, False, None]),
        ("tier not like '%er'", [True, False, None]),
        ("tier ilike 'GOLD'", [True, False, None]),
        ('"two words" > 1', [False, True, True]),
        ("coalesce(a, 0) < 2", [True, True, False]),
        ("cast(tier as int) = 1", [None, None, None]),
        ("cast(n as text) = '2'", [True, None, False]),
        ("since >= date '2025-06-01'", [True, False, None]),
        ("since > timestamp '2025-06-01 12:00:00'", [True, False, None]),
        ("case when a > 2 then flag else true end", [True, True, None]),
        ("upper(level) = 'GOLD'", [True, False, None]),
        ("true", [True]),
    ],
)
def test_conditions_compute_what_they_say(text: str, expected: list[object]) -> None:
    assert computed(text, boolean=True) == expected


@pytest.mark.parametrize("column", ["tier", "level", "kind"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{} = 'nobody'", [False, False, None]),
        ("{} <> 'nobody'", [True, True, None]),
        ("{} in ('gold', 'nobody')", [True, False, None]),
        ("{} not in ('nobody')", [True, True, None]),
        ("{} like 'g%'", [True, False, None]),
        ("{} between 'a' and 'h'", [True, False, None]),
        ("coalesce({}, 'nobody') = 'nobody'", [False, False, True]),
    ],
)
def test_a_category_is_compared_as_text(column: str, text: str, expected: list[object]) -> None:
    assert computed(text.format(column), boolean=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5 * coalesce(a, 0) + 1", [1.5, 1.0, 2.5]),
        ("-a / 2", [-0.5, None, -1.5]),
        ("n / 3.0", [2 / 3, None, 0.0]),
        ("n / 3", [2 / 3, None, 0.0]),
        ("a - 0.1", [0.9, None, 2.9]),
        ("greatest(a, 2)", [2.0, 2.0, 3.0]),
        ("least(a, n)", [1.0, None, 0.0]),
        ("abs(0 - a)", [1.0, None, 3.0]),
        ("ln(a)", [0.0, None, pytest.approx(1.0986122886681098)]),
        ("log1p(n)", [pytest.approx(1.0986122886681098), None, 0.0]),
        ("nullif(n, 0)", [2, None, None]),
        ("100", [100]),
        ("1000.5", [1000.5]),
        ("flag", [True, False, None]),
    ],
)
def test_quantities_compute_what_they_say(text: str, expected: list[object]) -> None:
    assert computed(text, boolean=False) == expected


def test_a_number_is_as_exact_as_one_written_in_python() -> None:
    frame = pl.DataFrame({"x": [0.2, 0.1 + 0.2, 0.3]})
    assert frame.select(parse_expression("x >= 0.3", "here").expr).to_series().to_list() == [
        False, True, True,
    ]  # fmt: skip
    assert frame.select(parse_expression("x > 0.3", "here").expr).to_series().to_list() == [
        False, True, False,
    ]  # fmt: skip


def test_an_expression_knows_what_it_reads() -> None:
    expression = parse_expression(" a > 1 and tier in ('gold') and kind like 'g%' ", "here")
    assert expression.text == "a > 1 and tier in ('gold') and kind like 'g%'"
    assert (expression.columns, expression.texts) == ({"a", "tier", "kind"}, {"tier", "kind"})
    assert parse_expression(3, "here").text == "3"
    assert parse_expression("a", "here") == parse_expression("a", "there")


@pytest.mark.parametrize(
    "text",
    [
        "count(*) > 1", "sum(a) > 1", "avg(a) > a", "max(a) > 1", "min(a) = a", "coalesce(a, max(a)) > 1",
        "a in (1, sum(a))", "case when count(*) > 1 then a end = 1", "first(a) = a", "median(a) > 1",
        "count(a) filter (where a > 1) > 1", "string_agg(tier) = 'x'", "array_agg(a) is null",
        "row_number() over () = 1", "sum(a) over (partition by tier) > 1", "rank() over (order by a) = 1",
        "lag(a) over (order by a) > 1", "percent_rank() over () > 0.5", "corr(a, n) > 0",
        "exists (select 1)", "exists (select 1) or a > 1", "a > (select 1)", "a in (select 1)",
        "(select 1) = 1", "a in (select a from self)", "a = any (select 1)", "select 1",
        "select * from read_csv('/etc/passwd')",
        "read_csv('/etc/passwd') is null", "random() > 0.5", "uuid() = 'x'",
        "a; drop table x", "a, n", "a > 1 as b", "*", '"*" > 1', '"^a.*$" > 1', "columns('a') > 1",
        "columns(*) > 1", "unnest(a) > 1", "generate_series(1, 3) is null", "array[1, 2] is null", "a[1] > 1",
        "a.b > 1", "strptime('x', 'y') is null", "a is distinct from 1", "a <=> 1", "a ^ 2 > 1",
        "x'41' = tier", "a > 1e400", "now() > since", "since < current_date", "CURRENT_TIMESTAMP > since",
        "$$'$$ = tier and since < now() and tier = 'x'", "localtime is null",
        "since in (current_date)",
        "__import__('os').system('true')", "a ** 9", "a in tier", "a > $1", "a > ?",
        "a >", "'", "\x00", "(" * 250 + "a" + ")" * 249, "not " * 120 + "flag",
    ],
)  # fmt: skip
def test_whatever_is_not_of_one_row_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^catalogue\.toml: key: "):
        parse_expression(text, "catalogue.toml: key").check(FRAME.schema, boolean=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sum(a) > 1", "use columns, values, and, or, not"),
        ("coalesc(a, 1) > 0", "unknown function 'coalesc': did you mean 'coalesce'"),
        ("1 < a < 4", "compare two values at a time: 1 < a and a < 4"),
        ("1.5 < a < 4.5", "compare two values at a time"),
        ("since > current_date", "today changes from run to run; write a date, such as date '2026-01-31'"),
        ("since > date '2026-01-31' and since < now()", "today changes from run to run"),
        ("group = 'a'", 'a name that is a word of SQL, such as "group", stands in double quotes'),
        ("user = 'a'", 'such as "group", stands in double quotes'),
        ("a >", "is not a valid expression"),
        ("", "expected an expression"),
        (None, "expected an expression"),
        (True, "expected an expression"),
        ("a + " * 125 + "a", "at most 500 characters, this one 501"),
        ('tier in ["gold"]', "write it in SQL: tier in ('gold')"),
        ("a in [1, 2]", "write it in SQL: a in (1, 2)"),
        ("a is None", "write it in SQL: a is null"),
        ("a is not none or a > 1", "write it in SQL: a is not null or a > 1"),
        ('col("two words") > 1', 'write it in SQL: "two words" > 1'),
        ("max(a, 2) > 1", "write it in SQL: greatest(a, 2) > 1"),
        ("min(a, 2) > 1", "write it in SQL: least(a, 2) > 1"),
        ('tier == "gold" and a is none', "write it in SQL: tier == 'gold' and a is null"),
    ],
)
def test_a_refusal_says_how_to_write_it(text: object, says: str) -> None:
    with pytest.raises(InputError, match=r"^catalogue\.toml: key: ") as caught:
        parse_expression(text, "catalogue.toml: key")
    assert says in str(caught.value)


def test_a_name_in_double_quotes_may_be_any() -> None:
    expression = parse_expression('"group" = 1 and "Jahr 2026" > 2 and Größe > 3', "here")
    assert expression.columns == {"group", "Jahr 2026", "Größe"}


def test_an_expression_may_have_500_characters() -> None:
    assert parse_expression("a" + " " * 495 + "+  1", "here").columns == {"a"}


@pytest.mark.parametrize(
    ("text", "boolean", "says"),
    [
        ("aa > 1", True, "unknown column 'aa'"),
        ("tierr = 'gold'", True, "did you mean 'tier'"),
        ('tier == "gold"', True, "unknown column 'gold'"),
        ('tier == "gold"', True, "a text stands in single quotes: 'gold'"),
        ("a", True, "is not true or false (it is Float64): compare it with something"),
        ("a = '3'", True, "it is Float64: write the value without quotes"),
        ("a in ('3')", True, "a is compared with a text, but it is Float64"),
        (
            "since > '2026-01-01'",
            True,
            "it is Date: write date '2026-01-31'",
        ),
        ("tier > 3", True, "does not fit the columns' types (tier is String)"),
        ("not tier", True, "not"),
        ("not a", True, "not"),
        ("not n", True, "is not true or false (it is Int64)"),
        ("tier", False, "is not a number (it is String)"),
        ("since", False, "is not a number (it is Date)"),
    ],
)
def test_a_condition_that_does_not_fit_the_data_names_the_column(text: str, boolean: bool, says: str) -> None:
    with pytest.raises(InputError, match=r"^here: ") as caught:
        parse_expression(text, "here").check(FRAME.schema, boolean=boolean)
    assert says in str(caught.value)


words = st.sampled_from(
    ["a", "tier", "'x'", '"y"', "1", "2.5", "and", "or", "not", "(", ")", "=", "<", "in", "is", "null",
     "like", "date", "between", "case", "when", "then", "end", "coalesce", ",", "sum", "over", "select",
     "exists", "-", "/", "::int", "interval", "[", "]", "*", ".", "~", "count", "cast", "as", "array"]
)  # fmt: skip


@given(st.text(max_size=60) | st.lists(words, max_size=12).map(" ".join))
@example("count(*)")
def test_any_text_is_of_one_row_or_refused(text: str) -> None:
    """A row's value does not depend on the other rows."""
    with contextlib.suppress(InputError):
        expression = parse_expression(text, "here")
        expression.check(FRAME.schema, boolean=True)
        whole = FRAME.with_columns(result=expression.expr)["result"].to_list()
        assert whole == [FRAME[row].with_columns(result=expression.expr)["result"][0] for row in range(3)]
