"""What the EU AI Act asks of a system that allocates work, answered from the live desk.

Regulation (EU) 2024/1689 lists systems that allocate tasks by individual behaviour or traits as high-risk
(Annex III, 4 (b)). Each line has the query or command behind it and its figure at this moment; what the
software does not know, or what is not its job, is said as plainly.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

from psycopg.rows import dict_row

from dealwright.desk.desk import Desk

Row = Mapping[str, Any]
NOT_KNOWN: Final = "not known to the software"
_LOG_DAYS: Final = 183  # six months, Article 26 (6)
_FOUR_FIFTHS: Final = 0.8


@dataclass(frozen=True)
class Line:
    """A statement of the dossier."""

    text: str  # what is stated
    rows: tuple[Row, ...] = ()  # the figures behind it
    source: str = ""  # the query or command that gives them; empty where the software has none
    test: str = ""  # the test that holds it


@dataclass(frozen=True)
class Section:
    """What one article asks for."""

    article: str
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Dossier:
    """All of it, as it was at one moment."""

    version: str
    made_at: datetime
    sections: tuple[Section, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "made_at": self.made_at,
            "sections": [
                {
                    "article": part.article,
                    "title": part.title,
                    "lines": [
                        {"text": line.text, "rows": list(line.rows), "source": line.source, "test": line.test}
                        for line in part.lines
                    ],
                }
                for part in self.sections
            ],
        }

    def to_markdown(self) -> str:
        """Write it as Markdown."""
        parts = [f"# {_TITLE}", _about(self)]
        for section in self.sections:
            parts.append(f"## {section.article}: {section.title}")
            for line in section.lines:
                parts.append(f"* {html.escape(line.text, quote=False)}")
                if line.rows:
                    parts.append(_markdown_table(line.rows))
                if line.test:
                    parts.append(f"Held by the test `{line.test}`.")
                if line.source:
                    parts.append(f"```sql\n{line.source}\n```")
        return "\n\n".join(parts) + "\n"

    def to_html(self) -> str:
        """Write it as one page that needs nothing else."""
        body = [f"<h1>{_TITLE}</h1>", f"<p>{html.escape(_about(self))}</p>"]
        for section in self.sections:
            body.append(f"<section><h2>{html.escape(f'{section.article}: {section.title}')}</h2>")
            for line in section.lines:
                body.append(f"<p>{html.escape(line.text)}</p>")
                if line.rows:
                    body.append(_html_table(line.rows))
                if line.test:
                    body.append(f"<p class=quiet>Held by the test <code>{html.escape(line.test)}</code>.</p>")
                if line.source:
                    body.append(
                        "<details><summary>The query behind it</summary>"
                        f"<pre>{html.escape(line.source)}</pre></details>"
                    )
            body.append("</section>")
        return _PAGE % {"title": _TITLE, "body": "\n".join(body)}


def build_dossier(desk: Desk, version: str) -> Dossier:
    """Ask the desk for everything the dossier of this version of Dealwright states.

    Raises
    ------
    DatabaseError
        The desk cannot be reached, or the user may not read all of it: its owner may.
    """
    with desk.database.connect(autocommit=True) as connection:

        def ask(name: str) -> tuple[Row, ...]:
            """Return the rows of a query."""
            cursor = connection.cursor(row_factory=dict_row)
            return tuple(cursor.execute(_queries()[name].encode()).fetchall())

        def line(text: str, name: str, test: str = "", *, change: Callable[[Row], Row] | None = None) -> Line:
            """State something with the answer of a query."""
            rows = ask(name)
            return Line(text, tuple(map(change, rows)) if change else rows, _queries()[name], test)

        sections = (
            Section("Article 6, Annex III 4 (b)", "Purpose", _purpose(line)),
            Section("Article 9", "Risks and what holds them", _risks(line)),
            Section("Article 10", "Data", _data(line)),
            Section("Article 11", "What runs", _what_runs(line, version)),
            Section("Article 12", "Records", _records(desk, line, ask)),
            Section("Article 13", "Information for the people concerned", _transparency(line)),
            Section("Article 14", "Human oversight", _oversight(line)),
            Section("Article 15", "Accuracy and robustness", _accuracy(line, ask)),
            Section("Article 26", "What is the employer's job", _employer()),
        )
    return Dossier(version, datetime.now(UTC), sections)


def _purpose(line: Callable[..., Line]) -> tuple[Line, ...]:
    return (
        Line(
            "Dealwright decides which agent gets which enquiry, and which contacts are planned for whom. It "
            "allocates work by what agents did before, so it is to be treated as a high-risk system."
        ),
        line("Whose work it allocates.", "agents"),
        line("What it allocates.", "leads"),
        Line(
            "It does not hire, promote, pay or dismiss anybody. Using its figures for that is "
            "another purpose, "
            "which nothing here was tested for."
        ),
    )


def _risks(line: Callable[..., Line]) -> tuple[Line, ...]:
    return (
        line(
            "Nobody gets more open work than their capacity.", "over_capacity",
            "tests/acceptance/test_concurrency.py",
        ),
        line(
            "What the desk counts is what there is.", "recount", "tests/integration/test_desk_stateful.py"
        ),
        line("Nobody's enquiry is forgotten: who waits, and for how long.", "waiting"),
        line("Nightly plans that failed or were missed.", "nights", "tests/integration/test_nights.py"),
        Line(
            "With chance differences taken for skill, some agents would get less work for no reason. "
            "Agents are "
            "told apart only where the outcomes show that they differ; otherwise work is shared evenly.",
            test="tests/unit/test_learn_caution.py",
        ),
        Line(f"Risks of your own sector, and whether the remaining risk is acceptable: {NOT_KNOWN}."),
    )  # fmt: skip


def _data(line: Callable[..., Line]) -> tuple[Line, ...]:
    return (
        line("What is known of an enquiry.", "attributes"),
        line("How often it is missing; a missing value is a value of its own, never a guess.", "missing"),
        line("Outcomes to learn from; what is not known counts for nobody and against nobody.", "outcomes"),
        line("What is kept of an agent.", "agent_data"),
        line("Further traits that were imported.", "traits"),
        Line(
            "Sex, age, origin, religion, disability and other protected characteristics have no field, so "
            "differences between such groups cannot be computed here. Whether an attribute stands for one "
            f"of them: {NOT_KNOWN}."
        ),
        line("Work by department, with the share of enquiries won.", "by_department", change=_with_rate),
        line("Work by years of service.", "by_service", change=_with_rate),
    )  # fmt: skip


def _what_runs(line: Callable[..., Line], version: str) -> tuple[Line, ...]:
    return (
        Line(f"Dealwright {version}; its documentation describes every formula with its source."),
        line("The database.", "version"),
        line("The rule in force where none is named.", "policy"),
        line("The models in force, how they did on later data, and what was found.", "models"),
    )  # fmt: skip


def _records(
    desk: Desk, line: Callable[..., Line], ask: Callable[[str], tuple[Row, ...]]
) -> tuple[Line, ...]:
    checked = desk.verify().to_dict()
    sealed = {name: checked[name] for name in ("intact", "blocks", "decisions", "unsealed", "archived")}
    newest = [row["assignment_id"] for row in ask("newest")]
    agreed = sum(desk.replay(number).agrees for number in newest)
    return (
        line("Every decision is recorded with all it was taken from.", "decisions"),
        Line(
            "Nobody has altered, added or removed one since it was sealed.", (sealed,), "dealwright verify",
            "tests/contract/test_sql_record.py",
        ),
        Line(
            f"Of the newest decisions, recomputed from the record, {agreed} of {len(newest)} come out "
            "the same.",
            ({"recomputed": len(newest), "agree": agreed},),
            _queries()["newest"] + "\n-- each: dealwright replay ID",
        ),
        line("Since when records are kept, in the database or in the archive.", "months"),
        _log_line(ask("months")),
    )  # fmt: skip


def _log_line(rows: Sequence[Row]) -> Line:
    """Compare how far back the records go with the six months that are asked for."""
    since = rows[0]["kept_since"] if rows else None
    if since is None:
        return Line("There is no decision yet, so nothing has had to be kept (Article 26 (6): six months).")
    days = (datetime.now(UTC) - since).days
    enough = "the six months of Article 26 (6) are there" if days >= _LOG_DAYS else (
        "less than the six months of Article 26 (6), which is right only if the desk is younger than that"
    )  # fmt: skip
    return Line(f"The records go back {days} days: {enough}.", ({"days": days, "asked_for": _LOG_DAYS},))


def _transparency(line: Callable[..., Line]) -> tuple[Line, ...]:
    return (
        Line(
            "For every assignment the desk says why this agent, why not another, and what would have changed "
            "it, with the interval of each probability.",
            source="dealwright explain ID --agent NAME", test="tests/contract/test_sql_value.py",
        ),
        line("Who may ask the service, by scope; an agent's key shows that agent's own work.", "keys"),
        Line(
            "A notice for those whose work is allocated (Article 26 (7)), to be completed and given "
            "to them and "
            "their representatives before the system is used: “Enquiries are assigned by software. "
            "It considers "
            "your skills, shifts, free capacity and, where the data support it, the outcomes of your earlier "
            "enquiries. You can see why you got an enquiry or did not, decline one with a reason, "
            "and turn to "
            "[name] if you think that an outcome is recorded wrongly.”"
        ),
        Line(f"Whether that notice was given, when and to whom: {NOT_KNOWN}."),
    )  # fmt: skip


def _oversight(line: Callable[..., Line]) -> tuple[Line, ...]:
    return (
        line("What people changed or refused, as the log of events has it.", "oversight"),
        line("Why work was handed over.", "handed_over", "tests/contract/test_sql_people.py"),
        Line(
            "A person can deactivate an agent, hand work over, decline, choose another rule, take a "
            "model out of "
            "use and call off a night, at any moment and without the vendor.",
            source="dealwright agents deactivate ID; dealwright reassign ID; dealwright model promote ID",
        ),
        Line(
            "Who oversees the system, and whether they have the competence, training and authority that "
            f"Article 26 (2) asks for: {NOT_KNOWN}."
        ),
    )


def _accuracy(line: Callable[..., Line], ask: Callable[[str], tuple[Row, ...]]) -> tuple[Line, ...]:
    lines = [
        line(
            "What was expected when it was decided, and what happened, by fifths of the probability.",
            "calibration", "tests/unit/test_learn_values.py",
        ),
    ]  # fmt: skip
    if not any(row["decisions"] for row in ask("calibration")):
        lines.append(Line("No decision with a probability has a known outcome yet: accuracy is not known."))
    lines += [_spread(ask, name) for name in ("by_department", "by_service")]
    return (
        *lines,
        Line(
            "Processes and the database are killed in the middle of the work in tests: nothing is lost or "
            "assigned twice.",
            test="tests/acceptance/test_concurrency.py",
        ),
        Line(
            "Keys are kept as Argon2 hashes, and the database separates who may place, plan, read "
            "and see only "
            "their own work.",
            test="tests/contract/test_sql_roles.py",
        ),
    )


def _spread(ask: Callable[[str], tuple[Row, ...]], name: str) -> Line:
    """Compare the groups' work per agent: a ratio below four fifths deserves a look, and proves nothing."""
    of = {str(next(iter(row.values()))): row["leads_per_agent"] for row in ask(name)}
    known = {group: number for group, number in of.items() if group != "not known" and number is not None}
    what = name.removeprefix("by_").replace("service", "years of service")
    if len(known) < 2 or not max(known.values()):
        return Line(f"Groups by {what}: fewer than two with work, nothing to compare.", (), _queries()[name])
    least, most = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    ratio = known[least] / known[most]
    judged = "below four fifths: look whether capacity, shifts and skills explain it"
    return Line(
        f"Enquiries per agent by {what}: {least!r} has {ratio:.2f} times what {most!r} has; "
        f"{judged if ratio < _FOUR_FIFTHS else 'above four fifths'}.",
        ({"group": least, "times": ratio, "of": most},), _queries()[name],
    )  # fmt: skip


def _employer() -> tuple[Line, ...]:
    asked = (
        "Informing workers and their representatives (7)", "Competent human oversight (2)",
        "Input data that are relevant and representative (4)",
        "Watching the system and reporting incidents (5)",
        "A data protection impact assessment (9)",
        "A fundamental rights impact assessment, where Article 27 asks for it",
        "Conformity assessment, CE marking and registration, which are the provider's (Articles 43, 48, 49)",
    )  # fmt: skip
    return tuple(Line(f"{text}: not the software's job, and {NOT_KNOWN}.") for text in asked)


def _with_rate(row: Row) -> Row:
    """Add the share won and the interval in which it lies."""
    known, won = row["known"], row["won"]
    if not known:
        return {**row, "share_won": None, "low": None, "high": None}
    from dealwright.learn.findings import wilson_interval

    low, high = wilson_interval(float(won), float(known))
    return {**row, "share_won": won / known, "low": float(low), "high": float(high)}


_TITLE: Final = "Dossier of an AI system that allocates work"


def _about(dossier: Dossier) -> str:
    return (
        f"Regulation (EU) 2024/1689, Articles 9 to 15 and 26. Written {dossier.made_at:%Y-%m-%d %H:%M} UTC "
        f"by Dealwright {dossier.version} from the live desk. It supports an assessment and is none; it is "
        "no legal advice."
    )


@cache
def _queries() -> dict[str, str]:
    text = files("dealwright.desk").joinpath("sql", "dossier.sql").read_text(encoding="utf-8")
    _, *blocks = re.split(r"(?m)^-- name: (\w+)\n", text)
    return {name: block.strip() for name, block in zip(blocks[::2], blocks[1::2], strict=True)}


def _shown(value: Any) -> str:  # noqa: PLR0911 - one for each kind of value
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        return f"{float(value):.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 3600:.1f} h"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _markdown_table(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    # a value is the company's: nothing in it is to be read as a mark of Markdown's tables, or as HTML
    cells = [
        [html.escape(_shown(row[name]), quote=False).replace("|", "\\|").replace("\n", " ") for name in names]
        for row in rows
    ]
    head = [f"| {' | '.join(map(_words, names))} |", f"|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in cells)])


def _html_table(rows: Sequence[Row]) -> str:
    head = "".join(f"<th scope=col>{html.escape(_words(name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_shown(value))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de; }
table { border-collapse: collapse; margin: .5rem 0; display: block; overflow-x: auto; }
th, td { border: 1px solid #d0d7de; padding: .25rem .6rem; text-align: left; vertical-align: top; }
.quiet, summary { color: #57606a; font-size: .9rem; }
pre { white-space: pre-wrap; background: #f6f8fa; padding: .6rem; }
</style>
</head>
<body>
%(body)s
</body>
</html>
"""
