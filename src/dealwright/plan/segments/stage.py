"""Value by potential: a quantile grid with names people use.

Edges are fitted once; a bucket depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.notebook import Summarised
from dealwright.plan.inputs import align, gather_inputs
from dealwright.plan.segments.params import SegmentParams
from dealwright.schemas import AccountSchema, PlanInputs
from dealwright.wording import NOT_KNOWN, count_of

_MAX_LEVELS: Final = 50
_MAX_PEER_COLUMNS: Final = 3


@dataclass(frozen=True)
class SegmentModel:
    """The fitted numbers: bucket edges, and the wallet per peer group, widest group first."""

    # an account is in bucket 1 + (number of edges below its value)
    value_edges: tuple[float, ...]
    potential_edges: tuple[float, ...]
    peer_columns: tuple[str, ...]  # the columns of the narrowest groups; the wider ones use the first of them
    wallets: tuple[pl.DataFrame, ...]  # for 0, 1, … peer columns, a frame of these columns and `wallet_eur`


@dataclass(frozen=True)
class Segments(Summarised):
    """Result of *segment*: `frame` adds ``wallet_eur``, ``potential_eur`` to `SEGMENT_COLUMNS`.

    An account whose value is not known has no segment: all of its columns are null.
    """

    frame: pl.DataFrame
    model: SegmentModel
    notes: tuple[str, ...] = ()

    def summary(self) -> Mapping[str, Any]:
        """Return the edges and how many accounts each segment holds."""
        sizes = self.frame["segment"].value_counts(sort=True)
        return {
            "accounts": self.frame.height,
            "peer_columns": ", ".join(self.model.peer_columns),
            **{f"value_edge_{i}": edge for i, edge in enumerate(self.model.value_edges, 1)},
            **{f"potential_edge_{i}": edge for i, edge in enumerate(self.model.potential_edges, 1)},
            **{
                f"segment_{(name or NOT_KNOWN).lower().replace(' ', '_')}": count
                for name, count in sizes.iter_rows()
            },
            "notes": "; ".join(self.notes),
        }


def segment(
    accounts: pl.DataFrame,
    predictions: pl.DataFrame | None = None,
    params: SegmentParams | None = None,
    *,
    schema: AccountSchema | None = None,
    rng: np.random.Generator | None = None,
) -> Segments:
    """Place every account in the value by potential grid.

    Value is the predicted spend. Potential is a *realistic wallet*: a high quantile of the spend of the
    account's peers (Rosset et al. 2007, "Wallet estimation models"). Buckets use the wallet, which does not
    shrink as an account spends more; ``potential_eur`` is the part of it that is not spent with us.

    Parameters
    ----------
    accounts : ``account_id`` and the categorical columns that make peers.
    predictions : ``account_id``, ``predicted_value_eur``, as *predict* finds them; by default columns of the
        accounts.
    schema : which column is what; by default it follows from names and types.
    rng : not used; the stage draws nothing.

    Raises
    ------
    InputError
        When the grid of names is not a rectangle of at least 1 by 1, or a peer column is not a categorical
        one.
    """
    del rng
    params = params or SegmentParams()
    inputs = gather_inputs(accounts, schema=schema)
    _check(params, inputs)
    known = inputs.accounts if predictions is None else predictions
    table = _with_value(align(known, inputs.accounts["account_id"], "predicted_value_eur"), inputs)
    model, notes = fit_segments(table, inputs, params)
    return Segments(apply_segments(model, table, params), model, notes)


def fit_segments(
    table: pl.DataFrame, inputs: PlanInputs, params: SegmentParams
) -> tuple[SegmentModel, tuple[str, ...]]:
    """Fit wallets and edges on the accounts with ``value_eur``."""
    notes: list[str] = []
    peers = params.peer_columns if params.peer_columns is not None else _explaining_columns(table, inputs)
    if not peers:
        notes.append("no categorical column makes peers: potential is measured against all accounts")
    wallets = tuple(_wallets(table, peers[:depth], params) for depth in range(len(peers) + 1))
    known = table["value_eur"].is_not_null()
    wallet = _potential(table, peers, wallets)["wallet_eur"].filter(known).to_numpy()
    value_edges = _edges(table["value_eur"].drop_nulls().to_numpy(), len(params.names))
    potential_edges = _edges(wallet, len(params.names[0]))
    if known.sum() < table.height:
        notes.append(
            f"the value of {count_of(int(table.height - known.sum()), 'account')} is not known: no segment"
        )
    for kind, edges in (("value", value_edges), ("potential", potential_edges)):
        if len(set(edges)) < len(edges):
            notes.append(f"so many accounts share one {kind} that some {kind} buckets are empty")
    return SegmentModel(value_edges, potential_edges, peers, wallets), tuple(notes)


def apply_segments(model: SegmentModel, table: pl.DataFrame, params: SegmentParams) -> pl.DataFrame:
    """Bucket and name every account; needs no other account."""
    potential = _potential(table, model.peer_columns, model.wallets)
    value, wallet = (
        column.fill_null(0.0).to_numpy() for column in (table["value_eur"], potential["wallet_eur"])
    )
    value_bucket = 1 + np.searchsorted(np.array(model.value_edges), value, side="left")
    potential_bucket = 1 + np.searchsorted(np.array(model.potential_edges), wallet, side="left")
    names = pl.Series([name for row in params.names for name in row], dtype=pl.String)
    cell = (value_bucket - 1) * len(params.names[0]) + (potential_bucket - 1)
    return pl.DataFrame(
        {
            "account_id": table["account_id"],
            "value_bucket": value_bucket.astype(np.int64),
            "potential_bucket": potential_bucket.astype(np.int64),
            "segment": names[cell],
            "wallet_eur": potential["wallet_eur"],
            "potential_eur": potential["potential_eur"],
        }
    ).with_columns(pl.when(table["value_eur"].is_not_null()).then(pl.exclude("account_id")))


def _check(params: SegmentParams, inputs: PlanInputs) -> None:
    for name in params.peer_columns or ():
        if name not in inputs.schema.categorical:
            known = ", ".join(inputs.schema.categorical) or "(there are none)"
            raise InputError(f"segment peer_columns: {name!r} is not a categorical column; use: {known}")


def _with_value(predictions: pl.DataFrame, inputs: PlanInputs) -> pl.DataFrame:
    """Put the predicted spend beside the accounts; a negative one counts as nothing spent."""
    value = predictions["predicted_value_eur"].cast(pl.Float64).fill_nan(None).clip(0.0)
    categorical = [pl.col(name).cast(pl.String) for name in inputs.schema.categorical]
    return inputs.accounts.select("account_id", *categorical).with_columns(value.alias("value_eur"))


def _explaining_columns(table: pl.DataFrame, inputs: PlanInputs) -> tuple[str, ...]:
    """Categorical columns that explain half a percent of the variance of log value, strongest first."""
    total = table.select(pl.col("value_eur").log1p().var(ddof=0)).item()
    if not total:
        return ()
    explained: list[tuple[float, str]] = []
    for name in inputs.schema.categorical:
        groups = table.group_by(name).agg(
            size=pl.len(),
            mean=pl.col("value_eur").log1p().mean(),
            spread=pl.col("value_eur").log1p().var(ddof=0),
        )
        if not 2 <= groups.height <= _MAX_LEVELS:
            continue
        within = groups.select((pl.col("size") * pl.col("spread")).sum() / pl.col("size").sum()).item()
        # adjusted for the number of levels, so that a column of noise with many levels does not get in
        share = 1.0 - within / total - groups.height / table.height
        if share >= 0.005:
            explained.append((-share, name))
    return tuple(name for _, name in sorted(explained)[:_MAX_PEER_COLUMNS])


def _wallets(table: pl.DataFrame, peers: tuple[str, ...], params: SegmentParams) -> pl.DataFrame:
    quantile = pl.col("value_eur").quantile(params.wallet_quantile, interpolation="linear")
    if not peers:
        return table.select(wallet_eur=quantile)
    groups = table.group_by(list(peers), maintain_order=True).agg(
        wallet_eur=quantile, size=pl.col("value_eur").count()
    )
    return groups.filter(pl.col("size") >= params.min_peers, pl.col("wallet_eur").is_not_null()).drop("size")


def _potential(
    table: pl.DataFrame, peers: tuple[str, ...], wallets: tuple[pl.DataFrame, ...]
) -> pl.DataFrame:
    """Wallet of the narrowest peer group that is large enough, and how much of it is not spent with us."""
    result = table.with_columns(wallet_0=pl.lit(wallets[0].item()))
    for depth in range(1, len(wallets)):
        renamed = wallets[depth].rename({"wallet_eur": f"wallet_{depth}"})
        result = result.join(
            renamed, on=list(peers[:depth]), how="left", nulls_equal=True, maintain_order="left"
        )
    wallet = pl.coalesce([f"wallet_{depth}" for depth in reversed(range(len(wallets)))])
    return result.select(wallet_eur=wallet, potential_eur=(wallet - pl.col("value_eur")).clip(0.0))


def _edges(values: NDArray[np.float64], buckets: int) -> tuple[float, ...]:
    """Inner quantiles; where ties make edges equal, the buckets between them are empty."""
    if not values.size:
        return (0.0,) * (buckets - 1)
    # an observed value, never one between two: equal values cannot fall on both sides by rounding
    quantiles = np.quantile(values, np.arange(1, buckets) / buckets, method="inverted_cdf")
    return tuple(float(edge) for edge in quantiles)
