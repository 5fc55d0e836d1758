"""Small changes of an SQL file, each of which could be a mistake: what ``tests/mutation.py`` tries.

A tokenizer is enough for it: what is no valid SQL after the change is sorted out by the server. Only what
runs is changed: bodies of functions, queries of views, conditions of triggers. Comments, texts, casts and the
declarations around them are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<text>'(?:[^']|'')*')
    | (?P<quote>\$\w*\$)
    | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    | (?P<word>[a-z_"@][\w"@$]*(?:\.[a-z_"][\w"$]*)*)
    | (?P<mark>::|:=|=>|\.\.|[-+*/<>=~!@\#%^&|?]+|.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SWAPPED = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "=": "<>", "<>": "=", "+": "-", "-": "+", "*": "/", "/": "*",
    "and": "or", "or": "and", "true": "false", "false": "true", "asc": "desc", "desc": "asc", "any": "all",
    "all": "any", "least": "greatest", "greatest": "least", "min": "max", "max": "min",
}  # fmt: skip
_CALLED = {"any", "all", "least", "greatest", "min", "max"}
# where what runs begins in a statement; other statements are declarations
_BODY_OF = {"view": {"as"}, "trigger": {"when"}, "function": {"return"}, "procedure": {"return"}}
_STATEMENT_BEGINS = {";", "begin", "then", "else", "loop"}
_DROPPED = {"perform", "update", "insert", "delete", "lock", "raise", "exit", "continue"}
_OPERAND_ENDS = re.compile(r"[\w\"')\]]$")
_NO_OPERAND = {
    "and",
    "or",
    "not",
    "then",
    "else",
    "when",
    "return",
    "select",
    "by",
    "in",
    "case",
    "if",
    "between",
}


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of a file become `new`."""

    start: int
    end: int
    new: str
    line: int


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    runs: bool
    """Whether it is of what runs, and not of a declaration."""


def sql_mutants(source: str) -> Iterator[Mutant]:
    """Yield the small changes of an SQL file."""
    # a character a byte: positions are those of the bytes
    text = source.encode().decode("latin-1")
    for first, last, new in _changes(_tokens(text)):
        yield Mutant(first.start, last.end, new, text.count("\n", 0, first.start) + 1)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    body, starts, in_quotes, runs = set[str](), True, False, False
    for match in _TOKEN.finditer(text):
        kind, word = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        lower = word.lower()
        if kind == "quote":
            in_quotes = runs = not in_quotes
        found.append(_Token(kind, lower if kind == "word" else word, *match.span(), runs and kind != "quote"))
        if in_quotes:
            continue
        if starts:
            body = set()
        if not body and not runs:
            body = _BODY_OF.get(lower, set())
        runs = runs or (kind == "word" and lower in body)
        starts = word == ";"
        if starts:
            runs = False
    return found


def _changes(tokens: Sequence[_Token]) -> Iterator[tuple[_Token, _Token, str]]:
    """Yield the first and the last token to be replaced, and by what."""
    for k, token in enumerate(tokens):
        if not token.runs:
            continue
        before, after = _at(tokens, k - 1), _at(tokens, k + 1)
        if token.kind == "number":
            # the digits of a type, and one row more of which the first is taken, are no values
            if before != "limit" and "numeric" not in (_at(tokens, k - 2), _at(tokens, k - 4)):
                yield token, token, _next_number(token.text)
        elif token.kind == "mark" and token.text in _SWAPPED:
            if _is_binary(tokens, k):
                yield token, token, _SWAPPED[token.text]
            elif token.text == "-":
                yield token, token, ""
        elif token.kind == "word":
            yield from _changes_at_word(tokens, k, before, after)


def _changes_at_word(
    tokens: Sequence[_Token], k: int, before: str, after: str
) -> Iterator[tuple[_Token, _Token, str]]:
    token = tokens[k]
    word = token.text
    if word in _SWAPPED:
        is_call = word in _CALLED
        if (after == "(" or not is_call) and not (word == "and" and _closes_between(tokens, k)):
            yield token, token, _SWAPPED[word]
    elif word == "not":
        yield token, token, ""
    elif word == "is" and after in ("null", "distinct"):
        yield token, token, "is not"
    elif word == "coalesce" and after == "(":
        yield from _without_default(tokens, k)
    elif word == "by" and before == "order":
        yield from _reversed_keys(tokens, k + 1)
    else:
        yield from _shortened(tokens, k, before, after)


def _shortened(
    tokens: Sequence[_Token], k: int, before: str, after: str
) -> Iterator[tuple[_Token, _Token, str]]:
    """Leave out a lock, a condition or a whole statement."""
    token = tokens[k]
    if token.text == "for" and after in ("update", "share", "no", "key"):
        yield token, tokens[_until(tokens, k, {";", ")"}) - 1], ""
    elif token.text == "skip" and after == "locked":
        yield token, tokens[k + 1], ""
    elif token.text in ("if", "elsif") and before != "end":
        then = _until(tokens, k + 1, {"then"})
        if then < len(tokens):
            yield tokens[k + 1], tokens[then - 1], "true"
            yield tokens[k + 1], tokens[then - 1], "false"
    elif before in _STATEMENT_BEGINS and (token.text in _DROPPED or after == ":="):
        end = _until(tokens, k, {";"})
        if end < len(tokens):
            yield token, tokens[end - 1], "null"


def _at(tokens: Sequence[_Token], k: int) -> str:
    return tokens[k].text if 0 <= k < len(tokens) else ""


def _next_number(text: str) -> str:
    return str(int(text) + 1) if text.isdigit() else repr(float(text) + 1)


def _is_binary(tokens: Sequence[_Token], k: int) -> bool:
    """Tell whether an operator stands between two operands: not a sign, nor the star of ``select *``."""
    before, after = tokens[k - 1], _at(tokens, k + 1)
    if before.text in _NO_OPERAND or not _OPERAND_ENDS.search(before.text):
        return False
    return after not in (")", ",", "from", "into", ";", "")


def _closes_between(tokens: Sequence[_Token], k: int) -> bool:
    for token in reversed(tokens[max(0, k - 12) : k]):
        if token.text == "between":
            return True
        if token.text in ("and", "or", ";", "where"):
            return False
    return False


def _until(tokens: Sequence[_Token], k: int, ends: set[str]) -> int:
    """Return where, from `k` on and outside brackets opened since, one of `ends` comes."""
    depth = cases = 0
    while k < len(tokens):
        text = tokens[k].text
        if depth == 0 and cases == 0 and text in ends:
            return k
        depth += (text in "([") - (text in ")]") if tokens[k].kind == "mark" else 0
        cases += (text == "case") - (text == "end" and cases > 0) if tokens[k].kind == "word" else 0
        if depth < 0 or not tokens[k].runs:
            return k if depth < 0 and ")" in ends else len(tokens)
        k += 1
    return k


def _without_default(tokens: Sequence[_Token], k: int) -> Iterator[tuple[_Token, _Token, str]]:
    """Leave only the first argument of a ``coalesce``."""
    comma = _until(tokens, k + 2, {","})
    end = _until(tokens, k + 2, {")"})
    if comma < end < len(tokens):
        yield tokens[comma], tokens[end - 1], ""


def _reversed_keys(tokens: Sequence[_Token], k: int) -> Iterator[tuple[_Token, _Token, str]]:
    """Turn round each key of an ``order by`` that says no direction."""
    ends = {",", ";", ")", "limit", "for", "offset", "loop", "rows", "range"}
    while k < len(tokens):
        end = _until(tokens, k, ends)
        if end >= len(tokens):
            return
        last = tokens[end - 1]
        if last.text not in ("asc", "desc"):
            yield last, last, f"{last.text} desc"
        if tokens[end].text != ",":
            return
        k = end + 1
