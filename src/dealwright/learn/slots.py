"""Slots: the elements of an agent's profile, slot 0 for all leads and one per value of each dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from dealwright.dimensions import EMPTY
from dealwright.errors import InputError, UnknownNameError
from dealwright.stats.arrays import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealwright.dimensions import Dimension

UNKNOWN = "(unknown)"
"""Stands for a value that nobody knows, where null says that nothing was given."""


def slot_names(dimensions: Sequence[Dimension]) -> tuple[str, ...]:
    """Name every slot: ``overall``, then ``dimension=value`` in the declared order."""
    names = ["overall"]
    for dimension in dimensions:
        names.extend(f"{dimension.name}={value}" for value in dimension.values)
    return tuple(names)


def slot_groups(dimensions: Sequence[Dimension]) -> tuple[slice, ...]:
    """Return the slots of the overall group and of each dimension, as slices over the slot order."""
    groups = [slice(0, 1)]
    for dimension in dimensions:
        start = groups[-1].stop
        groups.append(slice(start, start + len(dimension.values)))
    return tuple(groups)


def encode_values(frame: pl.DataFrame, dimensions: Sequence[Dimension]) -> Ints:
    """Turn the dimension columns of a frame into codes.

    Returns
    -------
    Array of shape (rows, dimensions): the position of the value within its dimension, -1 where it is not
    known. Null is the dimension's ``EMPTY`` where that is a value, else not known; so is `UNKNOWN`, and a new
    value of an open dimension.

    Raises
    ------
    InputError
        A dimension has no column in the frame.
    UnknownNameError
        A value of a closed dimension is not one of those declared.
    """
    codes = np.empty((frame.height, len(dimensions)), dtype=np.int64)
    for j, dimension in enumerate(dimensions):
        if dimension.name not in frame.columns:
            raise InputError(
                f"the column {dimension.name!r} is missing: add it (null where unknown), "
                "or do not declare that dimension"
            )
        values = frame[dimension.name].cast(pl.String)
        if dimension.has_empty and EMPTY in dimension.values:
            values = values.fill_null(EMPTY)
        code = values.replace_strict(
            list(dimension.values), list(range(len(dimension.values))), default=None, return_dtype=pl.Int64
        )
        unknown = values.filter(code.is_null() & values.is_not_null() & (values != UNKNOWN))
        if unknown.len() and not dimension.is_open:
            raise UnknownNameError(dimension.name, unknown[0], dimension.values)
        codes[:, j] = code.fill_null(-1).to_numpy()
    return codes


def gather_weights(codes: Ints, weights: Sequence[Floats]) -> Floats:
    """Sum, for every row, the weights of its values; an unknown value (-1) contributes 0.

    Parameters
    ----------
    codes
        Shape (rows, dimensions), from `encode_values`.
    weights
        One array per dimension, one weight per value.
    """
    total = np.zeros(len(codes))
    for j, weight in enumerate(weights):
        padded = np.append(weight, 0.0)  # index -1, the unknown value, lands on the 0 at the end
        total += padded[codes[:, j]]
    return total


def weights_by_dimension(
    dimensions: Sequence[Dimension], weights: Sequence[npt.ArrayLike]
) -> dict[str, dict[str, float]]:
    """Give the weights their names: ``{dimension: {value: weight}}``."""
    return {
        dimension.name: dict(
            zip(dimension.values, np.asarray(weight, dtype=np.float64).tolist(), strict=True)
        )
        for dimension, weight in zip(dimensions, weights, strict=True)
    }


def weights_in_order(dimensions: Sequence[Dimension], weights: Any) -> list[Floats]:
    """Return the named weights as arrays in the declared order; a value that has none weighs 0."""
    return [
        np.array([float(weights.get(dimension.name, {}).get(value, 0.0)) for value in dimension.values])
        for dimension in dimensions
    ]
