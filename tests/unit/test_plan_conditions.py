"""The expression language of action catalogues: what it computes, and what it refuses."""

from __future__ import annotations

import contextlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.plan.actions.conditions import parse_expression

FRAME = pl.DataFrame(
    {
        "a": [1.0, None, 3.0],
        "tier": ["gold", "silver", None],
        "flag": [True, False, None],
        "two words": [1, 2, 3],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a >= 2", [False, None, True]),
        ("1 < a < 4", [False, None, True]),
        ("a >= 1 and tier in ['gold', 'silver']", [True, None, None]),
        ("tier == 'platinum'", [False, False, None]),
        ("'gold' == tier", [True, False, None]),
        ("a is None or a > 2", [False, True, True]),
        ("tier is not none", [True, True, False]),
        ("not flag", [False, True, None]),
        ("a in [1, 3]", [True, None, True]),
        ("a not in [1]", [False, None, True]),
        ('col("two words") > 1', [False, True, True]),
        ("coalesce(a, 0) < 2", [True, True, False]),
    ],
)
def test_conditions_compute_what_they_say(text, expected):
    expression = parse_expression(text, "here")
    expression.check(FRAME.schema, boolean=True)
    assert FRAME.select(result=expression.expr)["result"].to_list() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5 * coalesce(a, 0) + 1", [1.5, 1.0, 2.5]),
        ("-a / 2", [-0.5, None, -1.5]),
        ("max(a, 2)", [2.0, 2.0, 3.0]),
    ],
)
def test_quantities_compute_what_they_say(text, expected):
    expression = parse_expression(text, "here")
    expression.check(FRAME.schema, boolean=False)
    assert FRAME.select(result=expression.expr)["result"].to_list() == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__import__('os').system('true')", "unknown function"),
        ("a.real > 1", "Attribute is not allowed"),
        ("a[0] > 1", "Subscript is not allowed"),
        ("lambda: 1", "Lambda is not allowed"),
        ("[x for x in a]", "ListComp is not allowed"),
        ("a ** 9", "Pow is not allowed"),
        ("a >", "not a valid expression"),
        ("", "expected an expression"),
        ("a in tier", "must be followed by a list"),
        ("tier in ['gold', 1]", "plain texts or plain numbers"),
        ("a + " * 300 + "a", "at most"),
        ("coalesc(a, 1) > 0", "did you mean 'coalesce'"),
    ],
)
def test_everything_else_is_refused_with_the_place(text, says):
    with pytest.raises(InputError, match=r"^catalogue\.toml: key: ") as caught:
        parse_expression(text, "catalogue.toml: key")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "boolean", "says"),
    [
        ("aa > 1", True, "unknown column 'aa'"),
        ("tierr == 'gold'", True, "did you mean 'tier'"),
        ("a", True, "compare it with something"),
        ("a == '3'", True, "without quotes"),
        ("tier > 3", True, "does not fit the columns' types"),
        ("tier", False, "is not a number"),
    ],
)
def test_a_condition_that_does_not_fit_the_data_names_the_column(text, boolean, says):
    with pytest.raises(InputError) as caught:
        parse_expression(text, "here").check(FRAME.schema, boolean=boolean)
    assert says in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_never_anything_else(text):
    with contextlib.suppress(InputError):
        parse_expression(text, "here")
