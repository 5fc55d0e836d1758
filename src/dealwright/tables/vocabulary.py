"""What headers, file names and status words mean: `vocabulary.toml` looked up, whatever the spelling.

Names are compared without case, accents and punctuation, and with camelCase taken apart: ``AssignedDateTime``
and ``assigned date/time`` are one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dealwright.tables.fields import ACCOUNT_FIELDS, ROLE_FIELDS, TABLES
from dealwright.toml import read_toml

LANGUAGES: Final = ("English", "Spanish", "German", "French", "Portuguese")
_SECTION_OF: Final = {
    "minutes": "minutes",
    "number": "number",
    "flag": "flag",
    "local": "moment",
    "day": "moment",
}
_SECTIONS: Final = ("key", "text", "moment", "number", "minutes", "flag", "plain")


@dataclass(frozen=True)
class Meaning:
    """What a header may mean: how sure that is (1 or more: the very word), the meaning, and its section."""

    score: float
    name: str
    section: str


def plain(text: str) -> str:
    """Return a name in lower case, without accents and signs, camelCase taken apart."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", text.replace("#", " number "))
    text = re.sub(r"\b(n[°º]|num?\.|nr\.)", "numero ", text.casefold())
    text = unicodedata.normalize("NFKD", text)
    return " ".join(re.findall(r"[^\W_]+", "".join(c for c in text if not unicodedata.combining(c))))


def plain_headers(headers: Iterable[str]) -> dict[str, str]:
    """Return headers as `plain` does, without a first word that most of them share (``Deal - Owner``)."""
    names = list(headers)
    firsts = Counter(name.partition(" - ")[0] for name in names if " - " in name)
    shared = {first for first, count in firsts.items() if 2 * count >= len(names)}
    return {
        name: plain(name.partition(" - ")[2] if name.partition(" - ")[0] in shared else name)
        for name in names
    }


def meanings(header: str) -> list[Meaning]:
    """Return what a plain header may mean, the likeliest first."""
    found: dict[tuple[str, str], float] = {}
    for part, share in _parts(header):
        for name, section, position in _phrases().get(part, ()):
            # the whole header counts more than a part of it, and the earlier words of a list more
            score = (2.0 if share == 1 else share) - position / 1000
            found[name, section] = max(score, found.get((name, section), 0.0))
    order = {section: place for place, section in enumerate(_SECTIONS)}
    return sorted(
        (Meaning(score, *key) for key, score in found.items()),
        key=lambda meaning: (-round(meaning.score), order[meaning.section], -meaning.score),
    )


def _parts(header: str) -> Iterator[tuple[str, float]]:
    """Return the words of a header that may tell what it means, with their share of it.

    More than half of it does, less if it is its beginning or end, and the last part of a compound.
    """
    words = header.split()
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            part = " ".join(words[start:end])
            share = len(part) / len(header)
            if share > 0.5 or (share > 0.4 and (start == 0 or end == len(words))):
                yield part, share
    for word in words:
        for cut in range(3, len(word) - 4):
            yield word[cut:], 0.4


def language(headers: Iterable[str]) -> str:
    """Return the language in which most headers are words of their own; English where none are."""
    votes: Counter[str] = Counter()
    for header in headers:
        spoken = _speakers().get(header, set())
        votes.update(spoken if "English" not in spoken else ())
    return votes.most_common(1)[0][0] if votes else "English"


def product(headers: Iterable[str]) -> str | None:
    """Return whose export this is, by the headers that only its exports have."""
    names = set(headers)
    votes = {name: len(names & set(_split(texts))) for name, texts in _document()["products"].items()}
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] >= 3 else None


def serving(role: str, field: str) -> list[str]:
    """Return the meanings of a column that can be a field of a role, the best first."""
    fields: Any = _document()["fields"]
    return _split([fields.get(role, {}).get(field, field)])


def matching(section: str, text: str) -> str | None:
    """Return the first entry of a section (statuses, tables, …) of which a word stands in a text."""
    words = plain(text)
    return next((name for name, pattern in _patterns(section).items() if pattern.search(words)), None)


@cache
def _document() -> Mapping[str, Mapping[str, list[str]]]:
    content = files("dealwright.tables").joinpath("vocabulary.toml").read_bytes()
    document: dict[str, Any] = read_toml(content, "vocabulary.toml")
    return document


def _split(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in map(str.strip, text.split(",")) if word]


@cache
def _phrases() -> dict[str, list[tuple[str, str, int]]]:
    """Return phrase -> the meanings it has, with its section and its place in the list."""
    found: dict[str, list[tuple[str, str, int]]] = {}
    kinds = {name: field.kind for table in TABLES.values() for name, field in table.fields.items()}
    kinds |= {name: field.kind for name, field in {**ACCOUNT_FIELDS, **ROLE_FIELDS}.items()}
    for section in _SECTIONS:
        for name, texts in _document()[section].items():
            for text in texts:
                for place, phrase in enumerate(_split([text])):
                    found.setdefault(phrase, []).append((name, section, place))
            if kinds.pop(name, None):
                found.setdefault(plain(name), []).append((name, section, 0))
    for name, kind in kinds.items():  # fields that hardly anybody has, by their own names
        found.setdefault(plain(name), [(name, _SECTION_OF.get(kind, "text"), 0)])
    return found


@cache
def _speakers() -> dict[str, set[str]]:
    """Return phrase -> the languages that have it."""
    found: dict[str, set[str]] = {}
    for section in _SECTIONS:
        for texts in _document()[section].values():
            for spoken, text in zip(LANGUAGES, texts, strict=True):
                for word in _split([text]):
                    found.setdefault(word, set()).add(spoken)
    return found


@cache
def _patterns(section: str) -> dict[str, re.Pattern[str]]:
    return {
        name: re.compile(rf"\b(?:{'|'.join(_pattern(word) for word in _split(texts))})\b")
        for name, texts in _document()[section].items()
    }


def _pattern(word: str) -> str:
    return re.escape(word.removesuffix("*")) + r"\w*" * word.endswith("*")
