"""Figures of a plan as inline SVG, the same bytes for the same data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import polars as pl
from markupsafe import Markup

_INK, _BLUE, _PALE, _RED = "#1d2733", "#2b6cb0", "#cbd8e6", "#c2562e"
_DRIVERS: Final = ("segment", "churn", "recency", "potential", "digital_engagement", "support_friction")


@contextmanager
def _canvas(height: float) -> Iterator[tuple[Any, Any]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "dealwright", "font.family": "sans-serif", "font.size": 9,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8a97a5",
        "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        yield figure, figure.subplots()


def _svg(figure: Any, label: str) -> Markup:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    body = text[text.index("<svg") :].replace("<svg ", '<svg role="img" aria-label="%s" ', 1)
    return Markup(body.replace("%s", label, 1))  # noqa: S704  matplotlib escapes what it draws; labels are ours


def bars(names: Sequence[str], values: Sequence[float], label: str, *, signed: bool = False) -> Markup:
    """Draw horizontal bars, the first on top; below zero in another colour where `signed`."""
    with _canvas(0.6 + 0.28 * max(len(names), 2)) as (figure, axes):
        colours = [_RED if signed and value < 0 else _BLUE for value in values]
        axes.barh(range(len(names)), values, color=colours)
        axes.set_yticks(range(len(names)), [_literal(name) for name in names])
        axes.invert_yaxis()
        axes.axvline(0, color="#8a97a5", linewidth=0.8)
        axes.set_xlabel(label)
        return _svg(figure, label)


def demand_and_capacity(channels: pl.DataFrame) -> Markup:
    """Draw how many accounts want each channel, how many are served, and the capacity as a line."""
    with _canvas(0.8 + 0.34 * max(channels.height, 2)) as (figure, axes):
        place = list(range(channels.height))
        axes.barh(place, channels["demand"], color=_PALE, label="wanted")
        axes.barh(place, channels["scheduled"], color=_BLUE, height=0.45, label="scheduled")
        for row, capacity in enumerate(channels["capacity"]):
            if capacity is not None:
                axes.plot([capacity] * 2, [row - 0.45, row + 0.45], color=_RED, linewidth=2)
        axes.plot([], [], color=_RED, linewidth=2, label="capacity")
        axes.set_yticks(place, [_literal(name) for name in channels["channel"]])
        axes.invert_yaxis()
        axes.set_xlabel("accounts")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        return _svg(figure, "accounts wanting, served and capacity by channel")


def nba_drivers(accounts: pl.DataFrame) -> Markup | None:
    """Draw how much each part of the score moves the accounts' order: its mean absolute contribution."""
    names = [name for name in _DRIVERS if f"nba_{name}" in accounts.columns]
    if not names or accounts.is_empty():
        return None
    sizes = accounts.select(pl.col(f"nba_{name}").abs().mean() for name in names).row(0)
    order = sorted(range(len(names)), key=lambda k: -(sizes[k] or 0.0))
    words = [names[k].replace("_", " ") for k in order]
    return bars(words, [sizes[k] or 0.0 for k in order], "mean absolute contribution to the NBA score")


def service_levels(levels: pl.DataFrame) -> Markup | None:
    """Draw the service level and the staff of each interval of the first day, a line per channel."""
    known = levels.drop_nulls(["start_at", "service_level"])
    if known.is_empty():
        return None
    first = known.filter(pl.col("day") == known["day"].min())
    with _canvas(2.6) as (figure, axes):
        for (channel,), part in first.group_by("channel", maintain_order=True):
            part = part.sort("start_at")  # noqa: PLW2901  drawn in the order of time
            hours = part["start_at"].dt.hour() + part["start_at"].dt.minute() / 60
            axes.step(hours, part["service_level"] * 100, where="post", label=_literal(str(channel)))
        axes.set_ylim(0, 102)
        axes.set_xlabel("hour of the day")
        axes.set_ylabel("served in time, %")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        return _svg(figure, "service level by interval")


def _literal(text: str) -> str:
    """Keep a name from being read as mathematics."""
    return text.replace("$", r"\$")
