"""What is known of a lead beside its customer: the dimensions a company declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

EMPTY: Final = "(empty)"  # the value that stands for "nothing given"
BOOKING_STATUSES: Final = ("pending", "confirmed", "cancelled")


@dataclass(frozen=True)
class Dimension:
    """A declared attribute of a lead.

    Attributes
    ----------
    name
        What leads call it, for example ``destination``.
    values
        The allowed values, in the order of the profile's elements; of an open dimension those known so far.
    is_open
        Whether other values may come: they are placed, counted, and learned at the next training.
    required
        Whether a lead must say something about it; otherwise it may be empty.
    at_arrival
        Whether it is known when the lead arrives; else from the booking only. Where it is known at arrival
        and not required, *empty* is a value of its own: `EMPTY` stands among `values`.
    edges
        Of a numeric column: the ascending inner edges of its bins; ``values`` then names the bins, and a
        number is of bin ``i`` where ``edges[i - 1] < number <= edges[i]``.
    """

    name: str
    values: tuple[str, ...]
    is_open: bool = False
    required: bool = True
    at_arrival: bool = True
    edges: tuple[float, ...] = ()

    @property
    def has_empty(self) -> bool:
        """Whether *empty* is a value of its own."""
        return self.at_arrival and not self.required
