"""Parameters of the stage *segment*."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dealwright.errors import InputError

# one row per value bucket, lowest first; in it one name per potential bucket, lowest first
GRID_3X3: Final = (
    ("Automate", "Develop", "Develop"),
    ("Maintain", "Grow", "Grow"),
    ("Protect", "Protect", "Grow"),
)


@dataclass(frozen=True)
class SegmentParams:
    """How value and potential are cut into buckets.

    Attributes
    ----------
    names : one row per value bucket, lowest first; in it one name per potential bucket, lowest first.
    peer_columns : categorical columns that make accounts peers, most important first; None: those that
        explain most of the differences in value.
    wallet_quantile : the spend that this share of the peers stays below is taken as what such an account
        could spend.
    min_peers : a peer group smaller than this takes the next wider one.
    """

    names: tuple[tuple[str, ...], ...] = GRID_3X3
    peer_columns: tuple[str, ...] | None = None
    wallet_quantile: float = 0.9
    min_peers: int = 50

    def __post_init__(self) -> None:
        """Refuse a grid that is no rectangle."""
        widths = {len(row) for row in self.names}
        if len(widths) != 1 or 0 in widths:
            raise InputError(
                "names: give one row per value bucket, every row with one name per potential bucket"
            )
