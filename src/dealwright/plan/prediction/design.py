"""From a frame of features to the arrays models read: one schema, learned once, checked at every use.

Missing values stay missing. Categories become codes; those too rare to learn from share the code *other*,
and so does a category that appears only at prediction time, which is reported, never guessed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError

MISSING = -1  # code of a missing category
_MAX_LEVELS = 60
_MIN_LEVEL_ROWS = 10
_MAX_DISTINCT = 5_000
_ID_LIKE_SHARE = 0.5  # a text column with more distinct values than this share of its rows names rows
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Design:
    """Encoded features: `numeric` (rows × columns, NaN is missing) and category `codes` (rows × columns).

    Codes of column ``j`` run from 0 to ``level_counts[j]`` (*other*); −1 is missing.
    """

    numeric: NDArray[np.float32]
    codes: NDArray[np.int16]
    level_counts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numeric)

    def take(self, rows: NDArray[Any] | slice) -> Design:
        """Return the rows given as indices, a mask or a slice."""
        return Design(self.numeric[rows], self.codes[rows], self.level_counts)


def concatenated(parts: Sequence[Design]) -> Design:
    """Return the rows of several designs of one schema below each other."""
    return Design(
        np.concatenate([part.numeric for part in parts]),
        np.concatenate([part.codes for part in parts]),
        parts[0].level_counts,
    )


@dataclass(frozen=True)
class FeatureSchema:
    """What a model was trained on: names, order, category levels, and columns left out with the reason."""

    numeric: tuple[str, ...]  # names of the numeric columns, in order
    # categorical column -> its kept levels; level `i` has code `i`, any other has code `len(levels)`
    levels: Mapping[str, tuple[str, ...]]
    # categorical column -> levels seen in training in too few rows to learn from
    rare: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)  # column -> why no model sees it

    @property
    def names(self) -> tuple[str, ...]:
        """All features, numbers first."""
        return (*self.numeric, *self.levels)

    @property
    def fingerprint(self) -> str:
        """Hash of names, order and levels: equal schemas, equal fingerprints."""
        payload = json.dumps([list(self.numeric), {k: list(v) for k, v in self.levels.items()}])
        return hashlib.sha256(payload.encode()).hexdigest()[:16]

    @classmethod
    def learned_from(cls, features: pl.DataFrame) -> Self:
        """Learn the schema from training features; `features` holds numbers, booleans and text only."""
        numeric: list[str] = []
        levels: dict[str, tuple[str, ...]] = {}
        rare: dict[str, tuple[str, ...]] = {}
        left_out: dict[str, str] = {}
        for column in features.iter_columns():
            reason = _useless(column)
            if reason is not None:
                left_out[column.name] = reason
            elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
                numeric.append(column.name)
            else:
                frequent, few = _levels_by_count(column)
                if frequent:
                    levels[column.name], rare[column.name] = frequent, few
                else:
                    left_out[column.name] = "too few rows per category: an identifier, or free text"
        return cls(tuple(numeric), levels, rare, left_out)

    def encode(self, features: pl.DataFrame) -> tuple[Design, list[str]]:
        """Return the design of `features` and notes on what was met that training had not.

        Raises
        ------
        InputError
            A column the model was trained on is absent or has another kind of value.
        """
        notes: list[str] = []
        for name in self.names:
            if name not in features.columns:
                raise InputError(
                    f"column {name!r} is missing, but the model was trained with it: "
                    "add it, or train a new model"
                )
        numeric = np.empty((features.height, len(self.numeric)), dtype=np.float32)
        for j, name in enumerate(self.numeric):
            numeric[:, j] = _numbers(features[name], notes)
        codes = np.empty((features.height, len(self.levels)), dtype=np.int16)
        for j, (name, kept) in enumerate(self.levels.items()):
            codes[:, j] = _codes(features[name], kept, self.rare.get(name, ()), notes)
        return Design(numeric, codes, tuple(len(kept) for kept in self.levels.values())), notes


def _useless(column: pl.Series) -> str | None:
    if column.null_count() == len(column):
        return "every value is missing"
    if column.dtype.is_float():  # the models' numbers are Float32, which 1e39 is beyond
        column = column.cast(pl.Float32)
        column = column.filter(column.is_finite().fill_null(value=True))
        if column.null_count() == len(column):
            return "no finite value"
    # a column that is constant where present still tells something by being present or not
    if column.drop_nulls().n_unique() == 1 and column.null_count() == 0:
        return "constant"
    return None


def _levels_by_count(column: pl.Series) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the levels frequent enough to learn from and the others; nothing where the column names rows."""
    text = column.cast(pl.String).drop_nulls().alias("level")
    counts = text.value_counts(name="rows").sort("rows", "level", descending=[True, False])
    if counts.height > min(_MAX_DISTINCT, max(_MAX_LEVELS, _ID_LIKE_SHARE * len(column))):
        return (), ()
    frequent = counts.filter(pl.col("rows") >= _MIN_LEVEL_ROWS).head(_MAX_LEVELS)["level"]
    few = counts["level"].filter(~counts["level"].is_in(frequent.implode()))
    return tuple(frequent.sort()), tuple(few.sort())


def _numbers(column: pl.Series, notes: list[str]) -> NDArray[np.float32]:
    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
        raise InputError(
            f"column {column.name!r} holds {column.dtype}, but the model was trained on numbers: "
            "convert it, or declare it categorical and train a new model"
        )
    values = column.cast(pl.Float32).fill_null(float("nan")).to_numpy()
    infinite = np.isinf(values)  # beyond what Float32 holds
    if infinite.any():
        notes.append(f"column {column.name!r}: {int(infinite.sum())} infinite values treated as missing")
        values = np.where(infinite, np.float32("nan"), values)
    return np.asarray(values, dtype=np.float32)


def _codes(
    column: pl.Series, kept: tuple[str, ...], rare: tuple[str, ...], notes: list[str]
) -> NDArray[np.int16]:
    text = column.cast(pl.String)
    codes = text.replace_strict(
        pl.Series(kept),
        pl.Series(np.arange(len(kept)), dtype=pl.Int16),
        default=len(kept),
        return_dtype=pl.Int16,
    )
    unknown = text.filter(((codes == len(kept)) & ~text.is_in(rare)).fill_null(value=False))
    if unknown.len():
        names = unknown.unique().sort()
        shown = ", ".join(map(repr, names.head(_NAMES_SHOWN)))
        notes.append(
            f"column {column.name!r}: {unknown.len()} rows hold a category the model has never seen "
            f"({shown}{', …' if names.len() > _NAMES_SHOWN else ''}); treated as 'other'"
        )
    return np.where(text.is_null().to_numpy(), MISSING, codes.fill_null(MISSING).to_numpy()).astype(np.int16)
