"""The models' reasons in a seller's words: figures and names are carried over, nothing is added.

The stages say why in a few forms, in the words of their models: ``days since last order 22: odds of leaving
×0.65``. A language's ``phrases.toml`` holds each form as people say it: ``days since the last order 22
(leaving is less likely)``. A sentence in a form that is not there stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import polars as pl

from dealwright.toml import read_toml

_MARK: Final = re.compile(r"\\\{([a-z]+\d?)\\\}")
_NUMBER: Final = r"[+-]?[\d.,]+(?:e[+-]?\d+)?"
_FORMS: Final = {
    "feature": r"(?P<feature>.+?)",
    "value": r"(?P<value>.+?)",
    "sentence": r"(?P<sentence>.+)",
    "odds": rf"(?P<odds>{_NUMBER})",
}
_LONG: Final = re.compile(r"([+-]?)(\d{4,})((?:\.\d+)?)")
_SWAP: Final = str.maketrans(",.", ".,")
_WINDOW: Final = re.compile(r"(?P<name>.+?) (?P<days>\d+)d(?P<unit> eur)?")


@dataclass(frozen=True)
class Phrases:
    """The forms of one language."""

    # how a sentence of a stage looks, and how people say it, with marks in braces
    forms: tuple[tuple[re.Pattern[str], str], ...]
    # names, words and beginnings of names -> what people say
    features: Mapping[str, str]
    values: Mapping[str, str]
    prefixes: Mapping[str, str]
    # factor of the odds below which something is "less likely", "more likely" …, in ascending order
    odds: tuple[tuple[float, str], ...]
    decimal_comma: bool  # whether figures are written 1.234,5
    # names of the user's columns, which keep their words; they tell where a name ends and its value begins
    own: frozenset[str] = frozenset()

    def say(self, text: str) -> str:
        """Return a sentence as people say it; as it stands where its form is not known."""
        for pattern, form in self.forms:
            match = pattern.fullmatch(text)
            if match is None:
                continue
            found = match.groupdict()
            if "feature" in found and "value" in found:
                found["feature"], found["value"] = self._split(f"{found['feature']} {found['value']}")
            return form.format(**{name: self._carry(name, value) for name, value in found.items()})
        return text

    def translate(self, frame: pl.DataFrame, columns: Collection[str]) -> pl.DataFrame:
        """Translate columns of sentences, or of lists of them; each different sentence is looked at once."""
        for name in columns:
            if name not in frame.columns:
                continue
            listed = isinstance(frame.schema[name], pl.List)
            texts = frame[name].explode() if listed else frame[name]
            known = texts.drop_nulls().unique().to_list()
            translated = [self.say(text) for text in known]
            column = pl.col(name)
            made = (pl.element() if listed else column).replace(known, translated)
            made = column.list.eval(made) if listed else made
            frame = frame.with_columns(made)
        return frame

    def _split(self, both: str) -> tuple[str, str]:
        """Split a name from its value: names may hold blanks, and so may values."""
        words = both.split(" ")
        for count in range(len(words) - 1, 0, -1):
            name = " ".join(words[:count])
            if self._known(name):
                return name, " ".join(words[count:])
        return words[0], " ".join(words[1:])

    def _known(self, name: str) -> bool:
        base = next((name.removeprefix(p) for p in self.prefixes if name.startswith(p)), name)
        return bool({name, base} & (self.own | self.features.keys())) or _WINDOW.fullmatch(name) is not None

    def _carry(self, mark: str, text: str) -> str:
        if mark == "feature":
            return self._feature(text)
        if mark == "sentence":
            return self.say(text)
        if mark == "odds":
            factor = float(text.replace(",", ""))
            return next(words for bound, words in self.odds if factor < bound)
        if mark == "value" and text in self.values:
            return self.values[text]
        return self._figure(text) if re.fullmatch(_NUMBER, text) else text

    def _figure(self, text: str) -> str:
        """Write a figure as people do: thousands apart, no zeros behind the point."""
        whole = re.sub(r"(\.\d*?)0+$", r"\1", text).removesuffix(".") if "." in text else text
        parts = _LONG.fullmatch(whole)
        shown = f"{parts[1]}{int(parts[2]):,}{parts[3]}" if parts else whole
        return shown.translate(_SWAP) if self.decimal_comma else shown

    def _feature(self, name: str) -> str:
        if name in self.features and name not in self.own:
            return self.features[name]
        window = _WINDOW.fullmatch(name)
        if window is not None and name not in self.own:
            base = f"{window['name']}{window['unit'] or ''}"
            return f"{self.features.get(base, _plain(base))} ({window['days']} d)"
        for start, translated in self.prefixes.items():
            if name.startswith(start) and name not in self.own:
                return translated + _plain(name.removeprefix(start))
        return _plain(name)


def load_phrases(language: str, own: Collection[str]) -> Phrases:
    """Return the phrases of a language; `own` are names of the user's columns."""
    raw = _read(language)
    forms = tuple((_pattern(model), said) for model, said in raw["sentences"].items())
    odds = tuple(sorted((float(bound), words) for bound, words in raw["odds"].items()))
    return Phrases(
        forms, raw["features"], raw["values"], raw["prefixes"], odds, language == "es", frozenset(own)
    )


def _plain(name: str) -> str:
    """Return the words of a column's name."""
    return name.replace("_", " ")


@cache
def _read(language: str) -> dict[str, Any]:
    file = resources.files("dealwright.plan.briefs") / language / "phrases.toml"
    return read_toml(file.read_bytes(), f"{language}/phrases.toml")


def _pattern(form: str) -> re.Pattern[str]:
    """Turn a sentence with marks in braces into a pattern that finds what stands in their places."""

    def group(match: re.Match[str]) -> str:
        name = match[1]
        return _FORMS.get(name, f"(?P<{name}>{_NUMBER})")

    return re.compile(_MARK.sub(group, re.escape(form)))
