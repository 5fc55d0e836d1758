"""The small expression language of action catalogues: text in TOML to Polars expressions, without ``eval``.

Python's own parser reads the text; only the node types listed here are translated, everything else is refused
with its column. Unknown (missing) values never make a condition true.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError

_MAX_CHARS: Final = 500
_LITERALS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None, "none": None}
_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: Final[Mapping[str, Callable[[list[pl.Expr]], pl.Expr]]] = {
    "coalesce": pl.coalesce,
    "min": pl.min_horizontal,
    "max": pl.max_horizontal,
    "abs": lambda arguments: arguments[0].abs(),
    "log1p": lambda arguments: arguments[0].log1p(),
}


@dataclass(frozen=True)
class Expression:
    """One parsed expression: its text, the account columns it names and the Polars expression it stands for.

    Attributes
    ----------
    text : as written in the catalogue.
    columns : names of the account columns it reads.
    texts : those of them that are compared with text.
    expr : the translation, without any treatment of missing values.
    where : file and key, for error messages.
    """

    text: str
    columns: frozenset[str]
    texts: frozenset[str]
    expr: pl.Expr = field(compare=False, repr=False)
    where: str = field(compare=False, default="expression")

    def missing_from(self, available: Iterable[str]) -> list[str]:
        """Names the expression reads that are not among ``available``, sorted."""
        return sorted(self.columns - set(available))

    def check(self, schema: pl.Schema, *, boolean: bool) -> None:
        """Raise `InputError` unless frames of this schema give the expression the right kind of result."""
        for name in self.missing_from(schema.names()):
            raise InputError(
                f"{self.where}: {self.text!r}: {UnknownNameError('column', name, schema.names())}"
            )
        for name in sorted(self.texts):
            if schema[name] not in (pl.String, pl.Categorical, pl.Enum):
                raise InputError(
                    f"{self.where}: {self.text!r} compares {name} with text, but it is {schema[name]}: "
                    f"write the value without quotes"
                )
        try:
            dtype = pl.DataFrame(schema=schema).select(result=self.expr).schema["result"]
        except pl.exceptions.PolarsError as error:
            types = ", ".join(f"{name} is {schema[name]}" for name in sorted(self.columns))
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{self.where}: {self.text!r} does not fit the columns' types ({types}): {reason}"
            ) from error
        if boolean and dtype != pl.Boolean:
            raise InputError(
                f"{self.where}: {self.text!r} is not true or false (it is {dtype}): compare it with "
                f"something, for example '> 0'"
            )
        if not boolean and not (dtype.is_numeric() or dtype == pl.Boolean):
            raise InputError(f"{self.where}: {self.text!r} is not a number (it is {dtype})")


def parse_expression(text: object, where: str) -> Expression:
    """Parse a condition or a quantity.

    Parameters
    ----------
    text : Python-like text: ``and or not``, comparisons (chained too), ``in [...]``, ``is None``, ``+ - *
        /``, the functions ``coalesce min max abs log1p`` and ``col("a name with spaces")``.
    where : file and key, put before every message.

    Raises
    ------
    InputError
        When the text is not such an expression; says what is wrong and at which character.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        text = repr(text)
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"{where}: expected an expression as text, for example 'churn_probability >= 0.3', got {text!r}"
        )
    if len(text) > _MAX_CHARS:
        raise InputError(
            f"{where}: an expression may have at most {_MAX_CHARS} characters, this one has {len(text)}"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = getattr(error, "offset", None)
        place = f" at character {at}" if at else ""
        raise InputError(
            f"{where}: {text!r} is not a valid expression{place}; write for example 'churn_probability >= "
            f'0.3 and tier in ["gold"]\''
        ) from error
    translator = _Translator(text, where)
    expr = translator.translate(tree.body)
    return Expression(text.strip(), frozenset(translator.columns), frozenset(translator.texts), expr, where)


class _Translator:
    """Walks the syntax tree once, collecting the columns on the way."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.columns: set[str] = set()
        self.texts: set[str] = set()

    def translate(self, node: ast.expr) -> pl.Expr:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._refusal(node, f"{type(node).__name__} is not allowed")
        result: pl.Expr = method(node)
        return result

    def _refusal(self, node: ast.expr, why: str) -> InputError:
        return InputError(
            f"{self.where}: {self.text!r}: {why} (character {node.col_offset + 1}); allowed are and, or, "
            f"not, comparisons, "
            f"in [...], is None, + - * / and {', '.join([*_FUNCTIONS, 'col'])}"
        )

    def _column(self, name: str) -> pl.Expr:
        self.columns.add(name)
        return pl.col(name)

    def _name(self, node: ast.Name) -> pl.Expr:
        if node.id.lower() in _LITERALS:
            return pl.lit(_LITERALS[node.id.lower()])
        return self._column(node.id)

    def _constant(self, node: ast.Constant) -> pl.Expr:
        if not isinstance(node.value, (bool, int, float, str, type(None))):
            raise self._refusal(node, f"the constant {node.value!r} is not allowed")
        return pl.lit(node.value)

    def _boolop(self, node: ast.BoolOp) -> pl.Expr:
        join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
        return reduce(join, [self.translate(value) for value in node.values])

    def _unaryop(self, node: ast.UnaryOp) -> pl.Expr:
        inner = self.translate(node.operand)
        if isinstance(node.op, ast.Not):
            return ~inner
        if isinstance(node.op, ast.USub):
            return -inner
        raise self._refusal(node, f"the operator {type(node.op).__name__} is not allowed")

    def _binop(self, node: ast.BinOp) -> pl.Expr:
        combine = _ARITHMETIC.get(type(node.op))
        if combine is None:
            raise self._refusal(node, f"the operator {type(node.op).__name__} is not allowed")
        result: pl.Expr = combine(self.translate(node.left), self.translate(node.right))
        return result

    def _call(self, node: ast.Call) -> pl.Expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or not node.args:
            raise self._refusal(node, "functions take one or more plain arguments")
        if name == "col":
            argument = node.args[0]
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise self._refusal(node, "col takes one column name in quotes")
            return self._column(argument.value)
        if name not in _FUNCTIONS:
            raise self._refusal(node, str(UnknownNameError("function", name, [*_FUNCTIONS, "col"])))
        return _FUNCTIONS[name]([self.translate(argument) for argument in node.args])

    def _compare(self, node: ast.Compare) -> pl.Expr:
        parts: list[pl.Expr] = []
        left = node.left
        for comparison, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._one_comparison(left, comparison, right))
            left = right
        return reduce(operator.and_, parts)

    def _one_comparison(self, left: ast.expr, comparison: ast.cmpop, right: ast.expr) -> pl.Expr:
        if isinstance(comparison, (ast.Is, ast.IsNot)):
            if not _is_null(right):
                raise self._refusal(right, "'is' may only be followed by None or not None")
            subject = self.translate(left)
            return subject.is_null() if isinstance(comparison, ast.Is) else subject.is_not_null()
        if isinstance(comparison, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                raise self._refusal(
                    right, "'in' must be followed by a list, for example in ['gold', 'silver']"
                )
            values = [item.value for item in right.elts if isinstance(item, ast.Constant)]
            if len(values) != len(right.elts) or len({isinstance(value, str) for value in values}) > 1:
                raise self._refusal(right, "a list must hold plain texts or plain numbers")
            if not values:
                raise self._refusal(right, "the list is empty")
            subject = self._as_text(left) if isinstance(values[0], str) else self.translate(left)
            found: pl.Expr = reduce(operator.or_, [subject.eq(value) for value in values])
            return ~found if isinstance(comparison, ast.NotIn) else found
        result: pl.Expr = _COMPARE[type(comparison)](
            self._comparable(left, right), self._comparable(right, left)
        )
        return result

    def _comparable(self, node: ast.expr, other: ast.expr) -> pl.Expr:
        is_text = isinstance(other, ast.Constant) and isinstance(other.value, str)
        return self._as_text(node) if is_text else self.translate(node)

    def _as_text(self, node: ast.expr) -> pl.Expr:
        """Read a column as text: an Enum level nobody has is then false rather than an error."""
        if isinstance(node, ast.Name):
            self.texts.add(node.id)
        return self.translate(node).cast(pl.String)


def _is_null(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    return isinstance(node, ast.Name) and node.id.lower() in {"null", "none"}
