"""What training found and what to do about it, as a page for people and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dealwright.report.desk_figures import (
    MOST_NAMED_AGENTS,
    agents_by_record,
    draw_desk,
    pictures_of,
    tell_apart,
)
from dealwright.report.format import Format
from dealwright.report.pages import Page, render
from dealwright.wording import count_of

if TYPE_CHECKING:
    from dealwright.learn.train import TrainResult
    from dealwright.stats.metrics import ProbabilityMetrics

_ROW_LABELS = {
    "base_rate": "one rate for all leads",
    "lead_only": "the lead alone",
    "lead_agent": "the lead and the agent",
}
_MEANING = {
    "agents differ": (
        "The desk's `value` policy tells agents apart, by as much as the data support; every answer names "
        "its reasons."
    ),
    "no evidence that agents differ": (
        "The desk does not tell agents apart. The `value` policy orders them by free places, ties go to the "
        "fair share. A ranking by past results would reward luck and the leads an agent happened to get."
    ),
    "too little data": (
        "The desk does not tell agents apart yet: whatever their results look like, so few outcomes cannot "
        "show it. Ties go to the fair share until there are more."
    ),
}
_PICTURES = {
    "agents_with_intervals": "Where agents stand",
    "feature_importance": "What helps to tell who will book",
    "calibration": "Whether the win probabilities hold",
}
_HOW_TO_READ = "In brackets the 90 % interval. A lower log loss is better; AUC 0.5 is a coin."
_NAMED_AT_EACH_END = 8


def write_desk_report(result: TrainResult, names: dict[int, str], directory: Path) -> list[Path]:
    """Write a summary and three pictures into a directory; `names` by the desk's agent_id.

    Returns
    -------
    The pictures, ``summary.md`` and ``summary.html`` (which holds the pictures itself).
    """
    pictures = draw_desk(result, names, directory)
    markdown, page = directory / "summary.md", directory / "summary.html"
    markdown.write_text(markdown_summary(result), encoding="utf-8")
    page.write_text(html_summary(result, names), encoding="utf-8")
    return [*pictures, markdown, page]


def markdown_summary(result: TrainResult) -> str:
    """Return the summary in Markdown; pictures are referred to by file name."""
    lines = [f"# {_headline(result)}", "", "## What to do", ""]
    lines += [f"{place}. {line}" for place, line in enumerate(what_to_do(result), start=1)]
    lines += ["", "## What was found", "", result.evidence.text, "", _meaning(result), ""]
    for name, title in _PICTURES.items():
        lines += [f"## {title}", "", f"![{title}]({name}.svg)", ""]
    table = _metric_rows(result)
    if table:
        lines += ["## How good predictions are on later outcomes", ""]
        lines += ["| prediction from | log loss | AUC | calibration error |", "|---|---:|---:|---:|"]
        lines += [f"| {label} | {' | '.join(map(' '.join, cells))} |" for label, *cells in table]
        lines += ["", _HOW_TO_READ, "", result.reliability_text, ""]
    return "\n".join(lines)


def html_summary(result: TrainResult, names: dict[int, str]) -> str:
    """Return the summary as one self-contained page."""
    found = agents_by_record(result)
    ends = []
    if found.height > MOST_NAMED_AGENTS:
        told = tell_apart(names)
        ends = [
            (title, [{**row, "name": told.get(row["agent_id"], row["agent_id"])} for row in rows.to_dicts()])
            for title, rows in (
                ("First", found.head(_NAMED_AT_EACH_END)),
                ("Last", found.tail(_NAMED_AT_EACH_END)),
            )
        ]
    contents = (
        ("do", "What to do"), ("found", "What was found"), ("agents", "Agents"), ("features", "Features"),
        ("calibration", "Probabilities"),
    )  # fmt: skip
    return render(
        "desk_summary.html", Format(), page=Page(_headline(result), contents=contents),
        todo=what_to_do(result), text=result.evidence.text, meaning=_meaning(result).replace("`", ""),
        pictures=pictures_of(result, names), ends=ends, reliability=result.reliability_text,
        metrics=_metric_rows(result), how_to_read=_HOW_TO_READ,
    )  # fmt: skip


def what_to_do(result: TrainResult) -> list[str]:
    """Return what follows from the training, the most useful first."""
    found, lines = result.evidence, []
    if result.model.agents_differ:
        lines.append(
            "Place leads by the policy value with this model: dealwright train --promote puts it to work."
        )
    elif found.needed_outcomes is None:
        lines.append("Bring the outcomes that are missing (see below); until then place leads by fair.")
    else:
        lines.append(
            "Place leads by fair or workload; do not hand out leads, or money, by past results: they would "
            "reward luck."
        )
    missing = None if found.needed_outcomes is None else found.needed_outcomes - found.outcomes
    if not found.agents_differ and missing is not None and missing > 0:
        lines.append(f"Train again when there are about {missing:,} outcomes more.")
    if result.reliability is not None and not result.reliability.held:
        lines.append(
            "Do not promise anybody the probabilities as they stand: later outcomes did not bear them out. "
            "Look for what changed (prices, offers, how outcomes are recorded), and train again."
        )
    elif found.agents_differ:
        lines.append("Train again each month; a new model is put to work only if later outcomes favour it.")
    return lines


def _headline(result: TrainResult) -> str:
    found = result.evidence
    verdict = found.verdict[0].upper() + found.verdict[1:]
    return f"{verdict}: {count_of(found.outcomes, 'outcome')} of {count_of(found.agents, 'agent')}"


def _meaning(result: TrainResult) -> str:
    """Say what the verdict means for the desk."""
    if result.model.agents_differ and not result.evidence.agents_differ:
        return "The desk tells agents apart by what a win brings, as asked for; not by whom they win."
    return _MEANING[result.evidence.verdict]


def _metric_rows(result: TrainResult) -> list[tuple[str, *tuple[tuple[str, str], ...]]]:
    rows = [(_ROW_LABELS.get(name, name), metrics) for name, metrics in result.evidence.metrics.items()]
    if result.out_of_time is not None:
        calibrated = "" if result.model.calibration.is_identity else ", calibrated"
        rows.append((f"the model{calibrated}", result.out_of_time))
    return [(label, *_cells(metrics)) for label, metrics in rows]


def _cells(metrics: ProbabilityMetrics) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{item.value:.3f}", f"[{item.low:.3f}, {item.high:.3f}]")
        for item in (metrics.log_loss, metrics.auc, metrics.ece)
    )
