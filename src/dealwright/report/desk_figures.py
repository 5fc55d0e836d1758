"""The desk's pictures as SVG: what matters, whether probabilities hold, and where agents stand.

Every picture is as wide as a phone, so that its words are legible there, and takes the colours of the page it
stands in. Every bar is a 90 % interval. No meaning hangs on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    import polars as pl

    from dealwright.learn.train import TrainResult

# a file that stands alone has no page to take colours from
INK, MUTED, LINE = "var(--ink,#141a21)", "var(--muted,#59636e)", "var(--line,#e1e5ea)"
BLUE, ORANGE, GREEN = "var(--c1,#0072b2)", "var(--c2,#d55e00)", "var(--c3,#009e73)"
_KINDS: Final = {
    "lead": (BLUE, "circle", "what the lead says"),
    "agent": (ORANGE, "square", "the agent's own record"),
    "trait": (GREEN, "triangle", "the agent's traits"),
}
_WIDTH: Final = 420.0
_FONT: Final = "system-ui,Segoe UI,Roboto,Helvetica Neue,Arial,sans-serif"
_ROW, _FOOT = 24.0, 46.0
_NAME_CHARACTERS: Final = 26
_MOST_FEATURES: Final = 20
MOST_NAMED_AGENTS: Final = 45


@dataclass(frozen=True)
class _Row:
    """A line of a dot plot: an estimate with its interval, and what else is marked on it."""

    name: str
    value: float
    low: float
    high: float
    colour: str = BLUE
    shape: str = "circle"
    counted: float | None = None
    promised: float | None = None


def draw_desk(result: TrainResult, names: dict[int, str], directory: Path) -> list[Path]:
    """Draw the three pictures of a training into a directory; `names` by the desk's agent_id.

    Returns
    -------
    ``agents_with_intervals.svg``, ``feature_importance.svg`` and ``calibration.svg``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures_of(result, names).items():
        path = directory / f"{name}.svg"
        path.write_text(f"{picture}\n", encoding="utf-8")
        paths.append(path)
    return paths


def pictures_of(result: TrainResult, names: dict[int, str]) -> dict[str, Markup]:
    """Return the pictures of a training by name."""
    return {
        "agents_with_intervals": agents_picture(result, names),
        "feature_importance": feature_picture(result),
        "calibration": calibration_picture(result),
    }


def feature_picture(result: TrainResult) -> Markup:
    """Draw how much log loss each feature is worth, with its interval."""
    frame = result.feature_importance.head(_MOST_FEATURES)
    if not frame.height:
        return _nothing("too few outcomes to test the features on later ones")
    rows = [
        _Row(_feature_name(name), value, low, high, *_KINDS[kind][:2])
        for name, kind, value, low, high in frame.iter_rows()
    ]
    shown = [_KINDS[kind] for kind in _KINDS if kind in set(frame["kind"])]
    ends = [0.0, *frame["low"].to_list(), *frame["high"].to_list()]
    label = "log loss lost when shuffled (nats)"
    return _dot_plot(rows, (min(ends), max(ends)), label, [(c, s, w) for c, s, w in shown], "{:.3f}")


def agents_picture(result: TrainResult, names: dict[int, str]) -> Markup:
    """Draw where agents stand: what was counted, and what can be believed of it."""
    frame = agents_by_record(result)
    if not frame.height:
        return _nothing("no outcome is known yet")
    if frame.height > MOST_NAMED_AGENTS:
        return _many_agents(frame)
    names = tell_apart(names)
    rows = [
        _Row(
            names.get(row["agent_id"], str(row["agent_id"])), row["rate"], row["low"], row["high"],
            counted=row["raw_rate"], promised=row["expected_rate"],
        )
        for row in frame.iter_rows(named=True)
    ]  # fmt: skip
    legend = [
        (BLUE, "circle", "believed, on average leads"),
        (MUTED, "ring", "counted"),
        (ORANGE, "stroke", "their leads promised"),
    ]
    ends = [*frame["low"].to_list(), *frame["high"].to_list(), *frame["raw_rate"].to_list()]
    return _dot_plot(rows, (min(ends), max(ends)), "share of leads won", legend, "{:.0%}")


def agents_by_record(result: TrainResult) -> pl.DataFrame:
    """Return the agents with outcomes, best record first: as believed, or as counted where all are alike."""
    import polars as pl

    frame = result.agents.filter(pl.col("known") > 0)
    alike = not result.evidence.agents_differ or frame["rate"].n_unique() == 1
    return frame.sort(["raw_rate" if alike else "rate", "known"], descending=[True, True])


def tell_apart(names: dict[int, str]) -> dict[int, str]:
    """Return the names, with the number of an agent whose name somebody else has, too."""
    seen: dict[str, int] = {}
    for name in names.values():
        seen[name] = seen.get(name, 0) + 1
    return {agent: name if seen[name] == 1 else f"{name} ({agent})" for agent, name in names.items()}


def calibration_picture(result: TrainResult) -> Markup:
    """Draw observed against predicted win rates."""
    curve = result.calibration_curve
    if not curve.height:
        return _nothing("too few outcomes to compare predictions with later ones")
    values: list[float] = [value for name in ("predicted", "low", "high") for value in curve[name].to_list()]
    low, high = max(0.0, float(min(values)) - 0.03), min(1.0, float(max(values)) + 0.03)
    left, top, size = 52.0, 10.0, 356.0

    def x(value: float) -> float:
        return left + size * (value - low) / (high - low)

    def y(value: float) -> float:
        return top + size * (1 - (value - low) / (high - low))

    parts = []
    for tick in _ticks(low, high, 5):
        parts += [
            _line(x(tick), top, x(tick), top + size, LINE),
            _line(left, y(tick), left + size, y(tick), LINE),
            _text(x(tick), top + size + 16, f"{tick:.0%}", "middle"),
            _text(left - 6, y(tick) + 4, f"{tick:.0%}", "end"),
        ]
    turned = f"translate(12 {top + size / 2:.1f}) rotate(-90)"
    parts += [
        _line(x(low), y(low), x(high), y(high), MUTED, dashed=True),
        _text(left + size / 2, top + size + 36, "predicted", "middle"),
        f'<g transform="{turned}">{_text(0, 0, "came true", "middle")}</g>',
    ]
    for row in curve.iter_rows(named=True):
        at = x(row["predicted"])
        said = f"{row['outcomes']:,} outcomes: {row['predicted']:.1%} predicted, {row['observed']:.1%} true"
        parts += [
            f"<g><title>{said}</title>",
            _bar(at, y(row["low"]), at, y(row["high"]), BLUE),
            _shape("circle", at, y(row["observed"]), BLUE),
            "</g>",
        ]
    return _svg(parts, top + size + 44, "Observed against predicted win rates, with 90 % intervals")


def _dot_plot(
    rows: Sequence[_Row],
    span: tuple[float, float],
    label: str,
    legend: Iterable[tuple[str, str, str]],
    number: str,
) -> Markup:
    """Draw a line for each row: its name, its interval, its estimate, and the figure at the right."""
    low, high = span
    margin = 0.02 * (high - low) or 0.01
    low, high = low - margin, high + margin
    longest = min(max(len(row.name) for row in rows), _NAME_CHARACTERS)
    left, right = 16.0 + 6.9 * longest, _WIDTH - 48.0
    bottom = _ROW * len(rows) + 6

    def x(value: float) -> float:
        return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

    parts = []
    for tick in _ticks(low, high, 4):
        parts += [
            _line(x(tick), 0, x(tick), bottom, LINE),
            _text(x(tick), bottom + 14, _tick(tick, number), "middle"),
        ]
    if low < 0 < high:
        parts.append(_line(x(0), 0, x(0), bottom, MUTED))
    for place, row in enumerate(rows):
        at = _ROW * place + 16
        name = row.name if len(row.name) <= _NAME_CHARACTERS else f"{row.name[: _NAME_CHARACTERS - 1]}…"
        said = (
            f"{row.name}: {number.format(row.value)}, {number.format(row.low)} to {number.format(row.high)}"
        )
        parts += [
            f"<g><title>{escape(said)}</title>",
            _text(left - 8, at + 4, name, "end"),
            _bar(x(row.low), at, x(row.high), at, row.colour),
        ]
        if row.counted is not None:
            parts.append(_shape("ring", x(row.counted), at, MUTED))
        if row.promised is not None:
            parts.append(_shape("stroke", x(row.promised), at, ORANGE))
        parts += [
            _shape(row.shape, x(row.value), at, row.colour),
            _text(_WIDTH, at + 4, number.format(row.value), "end"),
            "</g>",
        ]
    parts.append(_text(right, bottom + 32, label, "end", MUTED))
    below = bottom + 52
    for colour, shape, word in legend:
        parts += [_shape(shape, left + 4, below - 4, colour), _text(left + 16, below, word)]
        below += 19
    return _svg(parts, below - 8, f"{label}, with 90 % intervals")


def _many_agents(frame: pl.DataFrame) -> Markup:
    """Draw too many agents to name as one curve, best record first."""
    n = frame.height
    left, top, wide, high = 44.0, 8.0, _WIDTH - 50.0, 240.0

    def x(place: int) -> float:
        return left + wide * place / (n - 1)

    def y(rate: float) -> float:
        return top + high * (1 - rate)

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            _line(left, y(tick), left + wide, y(tick), LINE),
            _text(left - 6, y(tick) + 4, f"{tick:.0%}", "end"),
        ]
    dots = "".join(f"M{x(k):.1f} {y(rate):.1f}h0" for k, rate in enumerate(frame["raw_rate"].to_list()))
    upper = [f"{x(k):.1f} {y(rate):.1f}" for k, rate in enumerate(frame["high"].to_list())]
    lower = [f"{x(k):.1f} {y(rate):.1f}" for k, rate in enumerate(frame["low"].to_list())]
    line = [f"{x(k):.1f} {y(rate):.1f}" for k, rate in enumerate(frame["rate"].to_list())]
    mean = float(frame["won"].sum()) / float(frame["known"].sum())
    below = top + high
    parts += [
        f'<path d="{dots}" stroke="{MUTED}" stroke-width="3" stroke-linecap="round" opacity=".4"/>',
        f'<path d="M{"L".join([*upper, *reversed(lower)])}Z" fill="{BLUE}" opacity=".22"/>',
        f'<path d="M{"L".join(line)}" fill="none" stroke="{BLUE}" stroke-width="2"/>',
        _line(left, y(mean), left + wide, y(mean), MUTED),
        _text(left, below + 20, f"{n:,} agents, best record first; share of leads won", "start", MUTED),
        _shape("circle", left + 4, below + 36, BLUE),
        _text(left + 16, below + 40, "believed, on average leads, with its 90 % interval"),
        _shape("ring", left + 4, below + 55, MUTED),
        _text(left + 16, below + 59, "counted; the line is everybody's rate"),
    ]
    return _svg(parts, below + 66, "Share of leads won by each agent, with 90 % intervals")


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Return round values between two ends, at most so many steps."""
    width = high - low
    step = next(
        (base * 10.0**power for power in range(-6, 4) for base in (1, 2, 2.5, 5)
         if width / (base * 10.0**power) <= most),
        width,
    )  # fmt: skip
    first = int(-(-low // step))
    return [k * step for k in range(first, first + most + 2) if k * step <= high + 1e-12]


def _tick(value: float, number: str) -> str:
    return number.format(value) if "%" in number else f"{value:g}"


def _shape(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "square":
        return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{colour}"/>'
    if kind == "triangle":
        return (
            f'<path d="M{x:.1f} {y - 5.5:.1f}L{x + 5.5:.1f} {y + 4.5:.1f}H{x - 5.5:.1f}Z" fill="{colour}"/>'
        )
    if kind == "stroke":
        return _line(x, y - 7, x, y + 7, colour)
    if kind == "ring":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"{dashes}/>'


def _bar(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """Return an interval."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="3" opacity=".5"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _nothing(why: str) -> Markup:
    return _svg([_text(_WIDTH / 2, 44, why, "middle", MUTED)], 80, why)


def _feature_name(name: str) -> str:
    return name.replace("_", " ").replace(" x ", " × ")


def _svg(parts: Iterable[str], height: float, label: str) -> Markup:
    return Markup(  # noqa: S704  names are escaped where they are written
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {_WIDTH:g} {height:.0f}" '
        f'role="img" aria-label="{escape(label)}" font-family="{_FONT}" font-size="12.5">'
        f"{''.join(parts)}</svg>"
    )
