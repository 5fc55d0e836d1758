"""What training found, as a page for people: Markdown, and HTML with the pictures inside."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from dealwright.extras import missing_modules
from dealwright.report.desk_figures import draw_desk
from dealwright.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    "agents_with_intervals": "Agents, as counted and as far as can be believed",
    "feature_importance": "What helps to tell who will book",
    "calibration": "Whether the win probabilities hold",
}
_HOW_TO_READ = "In brackets the 95 % interval. A lower log loss is better; AUC 0.5 is a coin."
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.55 system-ui, sans-serif; color: #1f2933 }}
body {{ max-width: 52rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.6rem; line-height: 1.25 }} h2 {{ font-size: 1.15rem; margin-top: 2.2rem }}
table {{ border-collapse: collapse }} th, td {{ padding: .25rem .9rem .25rem 0; text-align: right }}
th:first-child, td:first-child {{ text-align: left }} th {{ border-bottom: 1px solid #7b8794 }}
img {{ max-width: 100% }} .note {{ color: #52606d }} span {{ white-space: nowrap }}
@media (max-width: 40rem) {{
  body {{ margin: 1rem auto }} h1 {{ font-size: 1.35rem }}
  table {{ font-size: .8rem }} td span {{ display: block }}
  td, th {{ padding-right: .4rem; vertical-align: top }}
}}
@media print {{
  @page {{ size: A4; margin: 14mm }}
  body {{ font-size: 10.5pt; margin: 0; max-width: none; padding: 0 }} h2 {{ break-after: avoid }}
  img, tr {{ break-inside: avoid }} img {{ display: block; max-height: 112mm }}
  img:first-of-type {{ max-height: 185mm }}
}}
</style></head><body>
{body}
</body></html>
"""


def write_desk_report(result: TrainResult, names: dict[int, str], directory: Path) -> list[Path]:
    """Write a summary into a directory, with three pictures where matplotlib is installed.

    Parameters
    ----------
    names
        Name of each agent, by the desk's agent_id.

    Returns
    -------
    The pictures, ``summary.md`` and ``summary.html`` (which holds the pictures itself).
    """
    directory.mkdir(parents=True, exist_ok=True)
    pictures = [] if missing_modules("plan") else draw_desk(result, names, directory)
    markdown, page = directory / "summary.md", directory / "summary.html"
    markdown.write_text(markdown_summary(result, pictures), encoding="utf-8")
    page.write_text(html_summary(result, pictures), encoding="utf-8")
    return [*pictures, markdown, page]


def markdown_summary(result: TrainResult, pictures: Sequence[Path]) -> str:
    """Return the summary in Markdown; pictures are referred to by file name."""
    lines = [f"# {_headline(result)}", "", result.evidence.text, "", _meaning(result), ""]
    table = _metric_rows(result)
    if table:
        lines += ["## How good predictions are on later outcomes", ""]
        lines += ["| prediction from | log loss | AUC | calibration error |", "|---|---:|---:|---:|"]
        lines += [f"| {' | '.join(row)} |" for row in table]
        lines += ["", _HOW_TO_READ, "", result.reliability_text, ""]
    drawn = {path.stem for path in pictures}
    for name, title in _PICTURES.items() if drawn else ():
        lines += [f"## {title}", "", f"![{title}]({name}.png)", ""]
    return "\n".join(lines)


def html_summary(result: TrainResult, pictures: Sequence[Path]) -> str:
    """Return the summary as one self-contained page."""
    by_name = {path.stem: path for path in pictures}
    parts = [
        f"<h1>{escape(_headline(result))}</h1>",
        f"<p>{escape(result.evidence.text)}</p>",
        f"<p>{_code(_meaning(result))}</p>",
    ]
    table = _metric_rows(result)
    if table:
        cells = "".join(f"<tr>{''.join(f'<td>{_unbroken(cell)}</td>' for cell in row)}</tr>" for row in table)
        head = "<th>prediction from</th><th>log loss</th><th>AUC</th><th>calibration error</th>"
        parts += [
            "<h2>How good predictions are on later outcomes</h2>",
            f"<table><tr>{head}</tr>{cells}</table>",
            f'<p class="note">{_HOW_TO_READ}</p>',
            f"<p>{escape(result.reliability_text)}</p>",
        ]
    for name, title in _PICTURES.items() if by_name else ():
        content = base64.b64encode(by_name[name].read_bytes()).decode()
        parts.append(
            f'<h2>{escape(title)}</h2><img alt="{escape(title)}" src="data:image/png;base64,{content}">'
        )
    return _PAGE.format(title=escape(_headline(result)), body="\n".join(parts))


def _headline(result: TrainResult) -> str:
    found = result.evidence
    verdict = found.verdict[0].upper() + found.verdict[1:]
    return f"{verdict}: {count_of(found.outcomes, 'outcome')} of {count_of(found.agents, 'agent')}"


def _meaning(result: TrainResult) -> str:
    """Say what the verdict means for the desk."""
    if result.model.agents_differ and not result.evidence.agents_differ:
        return "The desk tells agents apart by what a win brings, as asked for; not by whom they win."
    return _MEANING[result.evidence.verdict]


def _metric_rows(result: TrainResult) -> list[tuple[str, ...]]:
    rows = [(_ROW_LABELS.get(name, name), metrics) for name, metrics in result.evidence.metrics.items()]
    if result.out_of_time is not None:
        calibrated = "" if result.model.calibration.is_identity else ", calibrated"
        rows.append((f"the model{calibrated}", result.out_of_time))
    return [(label, *_cells(metrics)) for label, metrics in rows]


def _cells(metrics: ProbabilityMetrics) -> tuple[str, ...]:
    return tuple(
        f"{item.value:.3f} [{item.low:.3f}, {item.high:.3f}]"
        for item in (metrics.log_loss, metrics.auc, metrics.ece)
    )


def _unbroken(cell: str) -> str:
    """Keep an interval on one line of its own where a line is short."""
    value, bracket, rest = escape(cell).partition(" [")
    return f"{value} <span>[{rest}</span>" if bracket else value


def _code(text: str) -> str:
    """Turn `words` in backticks into code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
