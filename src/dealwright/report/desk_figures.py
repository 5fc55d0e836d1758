"""The desk's pictures: what matters, whether probabilities hold, and where agents stand.

Colours are Okabe and Ito's, which people with any kind of colour vision can tell apart; no meaning hangs on
colour alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dealwright.learn.train import TrainResult

BLUE, ORANGE, GREEN, INK, GREY, PALE = "#0072B2", "#D55E00", "#009E73", "#1f2933", "#7b8794", "#d9dee3"
SOFT = "#52606d"  # for words: grey would be too pale to read
_KIND_STYLE = {"lead": (BLUE, "o"), "agent": (ORANGE, "s"), "trait": (GREEN, "^")}
_KIND_LABEL = {"lead": "what the lead says", "agent": "the agent's own record", "trait": "the agent's traits"}
_MOST_FEATURES = 20
_MOST_NAMED_AGENTS = 45
_NAMED_AT_EACH_END = 8
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "white",
    "savefig.dpi": 150,
    "text.parse_math": False,  # a $ in somebody's name is a dollar
}


def draw_desk(result: TrainResult, names: dict[int, str], directory: Path) -> list[Path]:
    """Draw the three pictures of a training into a directory.

    Parameters
    ----------
    names
        Name of each agent, by the desk's agent_id.

    Returns
    -------
    ``feature_importance.png``, ``calibration.png`` and ``agents_with_intervals.png``.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]  # its keys are a closed list of literals
        for name, figure in (
            ("feature_importance", feature_importance_figure(result)),
            ("calibration", calibration_figure(result)),
            ("agents_with_intervals", agents_figure(result, names)),
        ):
            path = directory / f"{name}.png"
            FigureCanvasAgg(figure)
            # no program name, no version: the same numbers give the same file
            figure.savefig(path, metadata={"Software": None})
            paths.append(path)
    return paths


def feature_importance_figure(result: TrainResult) -> Figure:
    """Draw how much log loss each feature is worth, with its interval."""
    frame = result.feature_importance.head(_MOST_FEATURES)
    figure, axes = _figure(8, max(2.6, 1.7 + 0.33 * frame.height))
    _title(
        axes,
        "What helps to tell who will book",
        "log loss lost, out of time, when a feature is shuffled; bars are 95 % intervals",
    )
    if not frame.height:
        return _nothing(figure, axes, "too few outcomes to test the features on later ones")
    y = np.arange(frame.height)[::-1]
    for kind, (colour, marker) in _KIND_STYLE.items():
        mask = (frame["kind"] == kind).to_numpy()
        if mask.any():
            part = frame.filter(pl.Series(mask))
            axes.hlines(y[mask], part["low"], part["high"], color=colour, linewidth=2, alpha=0.6)
            axes.plot(
                part["importance"], y[mask], marker, color=colour, label=_KIND_LABEL[kind], markersize=7
            )
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(y, [_feature_label(name) for name in frame["feature"]])
    axes.set_ylim(-0.7, frame.height - 0.3)
    axes.set_xlabel("nats per outcome; left of zero: chance, shuffling did no harm")
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    if frame["kind"].n_unique() > 1:
        figure.legend(*axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def calibration_figure(result: TrainResult) -> Figure:
    """Draw observed against predicted win rates."""
    curve = result.calibration_curve
    figure, axes = _figure(6.4, 6.0)
    _title(
        axes,
        "Do the win probabilities hold?",
        "ten groups of later outcomes, by predicted probability; bars are 95 % intervals",
    )
    if not curve.height:
        return _nothing(figure, axes, "too few outcomes to compare predictions with later ones")
    values = curve.select("predicted", "low", "high").to_numpy()
    low, high = max(0.0, float(values.min()) - 0.03), min(1.0, float(values.max()) + 0.03)
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    # along the line, beside it
    axes.annotate(
        "perfect",
        (low + 0.93 * (high - low), low + 0.93 * (high - low)),
        xytext=(-7, 7),
        textcoords="offset points",
        color=SOFT,
        ha="center",
        va="center",
        rotation=45,
    )
    axes.vlines(curve["predicted"], curve["low"], curve["high"], color=BLUE, linewidth=2, alpha=0.45)
    axes.plot(curve["predicted"], curve["observed"], "o", color=BLUE, markersize=8)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(_percent)
    axes.set_xlabel("predicted")
    axes.set_ylabel("came true")
    axes.grid(color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    if result.out_of_time is not None:
        metrics = result.out_of_time
        text = (
            f"{metrics.outcomes:,} later outcomes\n"
            f"calibration error {metrics.ece.value:.3f}\nAUC {metrics.auc.value:.3f}"
        )
        axes.text(0.97, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", color=INK)
    return figure


def agents_figure(result: TrainResult, names: dict[int, str]) -> Figure:
    """Draw where agents stand: what was counted, and what can be believed of it."""
    frame = result.agents.filter(pl.col("known") > 0).sort(["rate", "known"], descending=[True, True])
    if result.evidence.verdict != "agents differ" or frame["rate"].n_unique() == 1:
        frame = frame.sort(["raw_rate", "known"], descending=[True, True])
    few = frame.height <= _MOST_NAMED_AGENTS
    figure, axes = _figure(8, max(3.4, 2.0 + 0.235 * frame.height) if few else 6.2)
    _title(
        axes,
        {
            "agents differ": "Agents differ beyond chance",
            "too little data": "Too little data to tell agents apart",
        }.get(result.evidence.verdict, "No evidence that agents differ"),
        "share of leads won: as counted (with its 95 % interval), and what can be believed (90 %)",
    )
    if not frame.height:
        return _nothing(figure, axes, "no outcome is known yet")
    (_draw_named_agents if few else _draw_many_agents)(axes, frame, names)
    return figure


def _draw_named_agents(axes: Axes, frame: pl.DataFrame, names: dict[int, str]) -> None:
    y = np.arange(frame.height)[::-1]
    axes.hlines(y, frame["raw_low"], frame["raw_high"], color=PALE, linewidth=5)
    axes.hlines(y, frame["low"], frame["high"], color=BLUE, linewidth=2)
    axes.plot(frame["raw_rate"], y, "o", mfc="white", mec=GREY, markersize=6, label="counted")
    axes.plot(frame["rate"], y, "o", color=BLUE, markersize=5, label="believed, on average leads")
    axes.plot(
        frame["expected_rate"], y, "|", color=ORANGE, markersize=11, mew=2, label="their leads promised"
    )
    axes.set_yticks(
        y, [f"{names.get(row, row)}  ({n})" for row, n in frame.select("agent_id", "known").iter_rows()]
    )
    axes.set_ylim(-0.8, frame.height - 0.2)
    axes.set_xlim(-0.015, 1.015)
    axes.xaxis.set_major_formatter(_percent)
    axes.set_xlabel("share of leads won; in brackets the outcomes behind it")
    axes.grid(axis="x", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    if axes.figure is not None:
        axes.figure.legend(
            *axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3
        )


def _draw_many_agents(axes: Axes, frame: pl.DataFrame, names: dict[int, str]) -> None:
    """Draw too many agents to name: a curve of all, with both ends named."""
    x = np.arange(1, frame.height + 1)
    axes.plot(x, frame["raw_rate"], ".", color=GREY, alpha=0.35, markersize=4, label="counted")
    axes.fill_between(
        x, frame["low"], frame["high"], color=BLUE, alpha=0.22, linewidth=0, label="90 % interval"
    )
    axes.plot(x, frame["rate"], color=BLUE, linewidth=2, label="believed, on average leads")
    axes.axhline(float(frame["won"].sum()) / float(frame["known"].sum()), color=GREY, linewidth=1)
    axes.set_xlim(1, frame.height)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(_percent)
    axes.set_xlabel(f"{frame.height:,} agents, best record first")
    axes.set_ylabel("share of leads won")
    axes.grid(axis="y", color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower left", ncol=3)
    # the curve falls from the upper left to the lower right: the other corners are free
    for rows, place, align, title in (
        (frame.head(_NAMED_AT_EACH_END), (0.03, 0.12), "bottom", "first"),
        (frame.tail(_NAMED_AT_EACH_END), (0.97, 0.97), "top", "last"),
    ):
        named = rows.select("agent_id", "rate").iter_rows()
        lines = [f"{names.get(agent, agent)}  {rate:.0%}" for agent, rate in named]
        axes.text(
            *place,
            "\n".join([f"{title}:", *lines]),
            transform=axes.transAxes,
            va=align,
            ha="left" if align == "bottom" else "right",
            fontsize=8,
            color=INK,
        )


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _title(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(f"{title}\n", pad=8)
    axes.annotate(
        subtitle, (0, 1), xytext=(0, 7), xycoords="axes fraction", textcoords="offset points",
        va="bottom", color=SOFT, fontsize=9,
    )  # fmt: skip


def _nothing(figure: Figure, axes: Axes, why: str) -> Figure:
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=12)
    return figure


def _feature_label(name: str) -> str:
    return name.replace("_", " ").replace(" x ", " × ")


def _percent(value: float, _position: float) -> str:
    return f"{100 * value:.0f} %"
