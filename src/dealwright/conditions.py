"""Conditions and quantities that users write, in SQL: read by Polars, limited to what one row says of itself.

Polars turns the text into an expression tree. Only the kinds of node listed here are taken over into a new
tree; an aggregate, a window, a subquery or a function of a table has no place in it. A missing value never
makes a condition true.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError

_MAX_CHARS: Final = 500
_COMPARISONS: Final = frozenset({"Eq", "NotEq", "Lt", "LtEq", "Gt", "GtEq"})
# what may stand in the tree that Polars serialises, beside columns, texts, dates and casts
_NAMES: Final = _COMPARISONS | {
    "And", "Or", "Plus", "Minus", "Ternary", "predicate", "truthy", "falsy", "Coalesce", "MinHorizontal",
    "MaxHorizontal", "Abs", "Log", "Log1p", "Boolean", "Not", "IsNull", "IsNotNull", "Sql", "Binary", "Mul",
    "Div", "IntDiv", "Rem", "IsIn", "nulls_equal", "StringExpr", "Contains", "literal", "strict",
    "StartsWith", "EndsWith", "Uppercase", "Lowercase", "Literal", "Dyn", "Int", "Float", "Scalar", "Null",
}  # fmt: skip
_FUNCTIONS: Final = (
    "coalesce", "least", "greatest", "abs", "ln", "log1p", "cast", "nullif", "upper", "lower",
)  # fmt: skip
_ALLOWED: Final = (
    "use columns, values, and, or, not, = <> < <= > >=, in ('a', 'b'), between, like, is null, + - * /, "
    f"case, {', '.join(_FUNCTIONS)}"
)
_TODAY: Final = "today changes from run to run; write a date, such as date '2026-01-31'"
_EXAMPLE: Final = (
    "write for example churn_probability >= 0.3 and tier in ('gold'); a name that is a word of SQL, such as "
    '"group", stands in double quotes'
)
_TEXT: Final = frozenset({pl.String, pl.Categorical, pl.Enum, pl.Null})
# how Python, which older catalogues follow, is written in SQL
_PYTHON: Final = (
    (r"""\bcol\(\s*["']([^"']*)["']\s*\)""", r'"\1"'),
    (r"\bis\s+(not\s+)?none\b", r"is \1null"),
    (r"\bmax\(", "greatest("),
    (r"\bmin\(", "least("),
    (r'([=<>]\s*)"([^"]*)"', r"\1'\2'"),
    (r"\[([^\]]*)\]", lambda match: f"({match[1].replace(chr(34), chr(39))})"),
)


@dataclass(frozen=True)
class Expression:
    """A condition or a quantity: as it is written, what it reads, and the Polars expression it stands for.

    Attributes
    ----------
    columns
        Names of the columns it reads.
    texts
        Those of them that it reads as text.
    where
        Document and key, for messages.
    """

    text: str
    columns: frozenset[str]
    texts: frozenset[str]
    expr: pl.Expr = field(compare=False, repr=False)
    where: str = field(compare=False, default="expression")

    @classmethod
    def from_toml(cls, value: object, where: str) -> Expression:
        """Parse what stands in a TOML document."""
        return parse_expression(value, where)

    def to_toml(self) -> str:
        """Return the text, as it is written."""
        return self.text

    def check(self, schema: pl.Schema, *, boolean: bool) -> None:
        """Raise `InputError` unless a frame of this schema gives a condition or, otherwise, a number."""
        for name in sorted(self.columns.difference(schema)):
            hint = f"; a text stands in single quotes: '{name}'" if f'"{name}"' in self.text else ""
            raise self._misfit(f"{UnknownNameError('column', name, schema)}{hint}")
        for name in sorted(self.texts):
            if schema[name].base_type() not in _TEXT:
                written = "date '2026-01-31'" if schema[name].is_temporal() else "the value without quotes"
                raise self._misfit(
                    f"{name} is compared with a text, but it is {schema[name]}: write {written}"
                )
        try:
            dtype = schema.to_frame().select(result=self.expr).schema["result"]
        except pl.exceptions.PolarsError as error:
            types = ", ".join(f"{name} is {schema[name]}" for name in sorted(self.columns))
            reason = str(error).splitlines()[0]
            raise self._misfit(f"does not fit the columns' types ({types}): {reason}") from error
        if boolean and dtype != pl.Boolean:
            raise self._misfit(
                f"is not true or false (it is {dtype}): compare it with something, such as > 0"
            )
        if not boolean and not (dtype.is_numeric() or dtype == pl.Boolean):
            raise self._misfit(f"is not a number (it is {dtype})")

    def _misfit(self, why: str) -> InputError:
        return InputError(f"{self.where}: {self.text!r}: {why}")


def parse_expression(text: object, where: str) -> Expression:
    """Parse a condition or a quantity.

    Parameters
    ----------
    text
        SQL: ``churn_probability >= 0.3 and tier in ('gold')``; names with blanks in double quotes.
    where
        Document and key, put before every message.

    Raises
    ------
    InputError
        The text is no such expression; the message says how to write it.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = repr(text)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: expected an expression as text, not {text!r}; {_EXAMPLE}")
    text = text.strip()
    if len(text) > _MAX_CHARS:
        raise InputError(f"{where}: an expression has at most {_MAX_CHARS} characters, this one {len(text)}")
    tree = _Tree(text)
    try:
        built = tree.build(json.loads(pl.sql_expr(text).meta.serialize(format="json")))
        expr = pl.Expr.deserialize(StringIO(json.dumps(built)), format="json")
    except (pl.exceptions.PolarsError, _NotAllowedError) as error:
        raise InputError(f"{where}: {text!r} is not a valid expression: {_explain(text, error)}") from None
    return Expression(text, frozenset(tree.columns), frozenset(tree.texts), expr, where)


class _NotAllowedError(Exception):
    """The tree holds something that is not taken over."""


class _Tree:
    """Builds a tree out of permitted names only, and notes the columns on the way."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.columns: set[str] = set()
        self.texts: set[str] = set()

    def build(self, node: Any) -> Any:  # noqa: C901, PLR0911  one case per kind of node
        match node:
            case {"Column": str(name)}:
                self.columns.add(name)
                return node
            case {"Scalar": {"Decimal": [int(digits), _, int(scale)]}}:
                # left a decimal, it would cut the quotient of two numbers to six digits
                return {"Dyn": {"Float": float(f"{digits}e-{scale}")}}
            case {"Cast": {"expr": inner, "dtype": dtype}}:
                # what cannot be cast is not known, and no reason to stop a run
                return {"Cast": {"expr": self.build(inner), "dtype": dtype, "options": "NonStrict"}}
            case {"BinaryExpr": {"left": left, "op": op, "right": right}}:
                left, right = self.operands([left, right], node)
                return {"BinaryExpr": {"left": left, "op": self.build(op), "right": right}}
            case {"Function": {"input": inputs, "function": function}}:
                return {"Function": {"input": self.operands(inputs, node), "function": self.build(function)}}
            case {"Date": int(days)} if self.has(timedelta(days)):
                return node
            case {"Datetime": [int(moment), "Microseconds", None]} if self.has(timedelta(0, 0, moment)):
                return node
            case {"Series": _} if not _kind_of_list(node).is_temporal():
                return node
            case {"Date": _} | {"Datetime": _} | {"Time": _} | {"Series": _}:
                raise _NotAllowedError(_TODAY)
            case {"String": _} | bool() | int() | float():
                return node
            case dict() if _NAMES.issuperset(node):
                return {name: self.build(inner) for name, inner in node.items()}
            case str() if node in _NAMES:
                return node
        raise _NotAllowedError(_ALLOWED)

    def has(self, since_1970: timedelta) -> bool:
        """Whether a date stands in the text, rather than ``current_date``."""
        return (datetime(1970, 1, 1) + since_1970).date().isoformat() in self.text

    def operands(self, nodes: list[Any], parent: Any) -> list[Any]:
        if _compares(parent) and any(map(_compares, nodes)):
            raise _NotAllowedError("compare two values at a time: 1 < a and a < 4")
        function = parent.get("Function", {}).get("function", {})
        if function == {"Boolean": "Not"}:
            # Polars casts to true or false here, which no number and no text is
            nodes = [node["Cast"]["expr"] if "Cast" in node else node for node in nodes]
        as_text = "StringExpr" in function or any(map(_is_text, nodes))
        return [self.as_text(node) if as_text and "Column" in node else self.build(node) for node in nodes]

    def as_text(self, node: Any) -> Any:
        """Read a column as text: a category that nobody has is then false rather than an error."""
        self.texts.add(node["Column"])
        return self.build({"Cast": {"expr": node, "dtype": {"Literal": "String"}}})


def _compares(node: Any) -> bool:
    match node:
        case {"BinaryExpr": {"op": op}} | {"Function": {"function": {"Sql": {"Binary": op}}}}:
            return op in _COMPARISONS
    return False


def _is_text(node: Any) -> bool:
    match node:
        case {"Literal": {"Series": _} as series}:
            return bool(_kind_of_list(series) == pl.String)
        case {"Literal": {"Scalar": {"String": _}}}:
            return True
    return False


def _kind_of_list(series: Any) -> Any:
    """Return the type of the values in a list: ``in ('a', 'b')``."""
    values = pl.Expr.deserialize(StringIO(json.dumps({"Literal": series})), format="json")
    kind = pl.select(values).dtypes[0]
    return kind.inner if isinstance(kind, pl.List) else kind


def _explain(text: str, error: Exception) -> str:
    in_sql = text
    for pattern, replacement in _PYTHON:
        in_sql = re.sub(pattern, replacement, in_sql, flags=re.IGNORECASE)
    if in_sql != text:
        return f"write it in SQL: {in_sql}"
    unknown = re.search(r"unsupported function '(\w+)'", str(error))
    if unknown and f"{unknown[1]}(" in text:
        return f"{UnknownNameError('function', unknown[1], _FUNCTIONS)}; {_ALLOWED}"
    return f"{str(error).splitlines()[0]}" + ("" if isinstance(error, _NotAllowedError) else f"; {_EXAMPLE}")
