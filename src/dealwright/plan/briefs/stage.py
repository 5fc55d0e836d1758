"""The stage *brief*: the preparation script of each visit and call of the day, as Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import escape
from typing import Any, Final

import numpy as np
import polars as pl

from dealwright.errors import InputError
from dealwright.notebook import Summarised
from dealwright.plan.briefs.facts import REASONS, collect_tasks, gather_facts
from dealwright.plan.briefs.params import BriefParams
from dealwright.plan.briefs.phrases import load_phrases
from dealwright.plan.briefs.wording import END, LINES, NEXT, Wording, escape_text, load_wording, split_lines
from dealwright.plan.inputs import align, gather_inputs
from dealwright.plan.partitions import apply
from dealwright.schemas import BRIEF_COLUMNS, AccountSchema, PlanInputs
from dealwright.stored import StoredColumns

_BATCH: Final = 1_000
_PART: Final = 10_000  # of a worker: some seconds, of which compiling the sentences takes a tenth
_MANY: Final = 50_000  # briefs whose texts are on disk
_TEXTS: Final = ("markdown", "html")
_KEPT: Final = ("account_id", "rep_id", "start_at", "stop", "action", "channel")  # of a task, as it is


@dataclass(frozen=True)
class Briefs(Summarised):
    """The day's briefs.

    Attributes
    ----------
    frame
        ``account_id, has_brief``: one row per account, in the order of the accounts.
    briefs
        `BRIEF_COLUMNS`, by representative and time; ``html`` is a fragment, escaped.
        Of more than 50,000 the texts are on disk: `parts` has them.
    language
        The language they are in.
    texts
        The columns that are on disk.
    """

    frame: pl.DataFrame
    briefs: pl.DataFrame
    language: str
    texts: StoredColumns | None = None

    def parts(self) -> Iterator[pl.DataFrame]:
        """Yield the briefs with all their columns, those on disk too, some at a time."""
        if self.texts is None:
            yield self.briefs
            return
        for part in self.texts.beside(self.briefs):
            yield part.select(BRIEF_COLUMNS.keys())

    def summary(self) -> dict[str, Any]:
        """Return the count and the language."""
        return {"briefs": self.briefs.height, "brief_language": self.language}


def check_wording(params: BriefParams) -> None:
    """Refuse wording that cannot be used, naming file, line and fix, before anything else runs."""
    nobody = PlanInputs(pl.DataFrame(schema={"account_id": pl.String}), AccountSchema(), datetime.min)
    known = gather_facts(collect_tasks(None, None), nobody, nobody.accounts).columns
    load_wording(params.language, params.wording, known)


def write_briefs(
    accounts: pl.DataFrame,
    decisions: pl.DataFrame,
    params: BriefParams | None = None,
    *,
    visits: pl.DataFrame | None = None,
    calls: pl.DataFrame | None = None,
    orders: pl.DataFrame | None = None,
    touches: pl.DataFrame | None = None,
    reps: pl.DataFrame | None = None,
    schema: AccountSchema | None = None,
    as_of: datetime | None = None,
    rng: np.random.Generator | None = None,  # noqa: ARG001  nothing is drawn; every stage takes it
    executor: Executor | None = None,
) -> Briefs:
    """Write the briefs of the day's visits and calls.

    Parameters
    ----------
    accounts
        ``account_id``, roles such as ``name`` and ``tier``, consents.
    decisions
        What the earlier stages found, one row per account: ``action``, ``expected_value_eur``,
        ``churn_probability`` and its reasons …; what nobody knows is left out of the brief.
    visits, calls
        `VISIT_COLUMNS` and `CALL_COLUMNS`; either may be missing.
    orders, touches, reps
        `ORDER_COLUMNS`, `TOUCH_COLUMNS`, `REP_COLUMNS` (and ``rep_name``).
    schema, as_of
        Which column is what, and the cut-off; by default both follow from the frames.
    executor
        Where briefs are written, some thousand at a time; by default here.

    Raises
    ------
    InputError
        The wording cannot be used: the message names file, line and fix.
    """
    params = params or BriefParams()
    inputs = gather_inputs(accounts, schema=schema, as_of=as_of, orders=orders, touches=touches, reps=reps)
    decisions = align(decisions, inputs.accounts["account_id"])
    tasks = collect_tasks(visits, calls)
    told = _in_currency(_in_language(params.language, tasks, inputs, decisions), params.currency)
    facts = gather_facts(tasks, inputs, told)
    wording = load_wording(params.language, params.wording, facts.columns, currency=params.currency)
    many = facts.height > _MANY
    parts = [facts] if executor is None and not many else [*facts.iter_slices(_PART)] or [facts]
    write = partial(render, wording=wording)
    texts: StoredColumns | None = None
    if many:
        texts, shown = StoredColumns(pl.DataFrame(schema=dict.fromkeys(_TEXTS, pl.String))), []
        for part in map(write, parts) if executor is None else apply(write, parts, executor):
            texts.add(part.select(_TEXTS))
            shown.append(part.drop(_TEXTS))
        made = pl.concat(shown)
    else:
        made = pl.concat(apply(write, parts, executor))
    with_brief = pl.col("account_id").is_in(made["account_id"].unique().implode())
    return Briefs(decisions.select("account_id", has_brief=with_brief), made, params.language, texts)


def _in_language(
    language: str, tasks: pl.DataFrame, inputs: PlanInputs, accounts: pl.DataFrame
) -> pl.DataFrame:
    """Return the accounts to be met, the models' reasons in a seller's words."""
    phrases = load_phrases(language, inputs.schema.features)
    met = accounts.join(tasks.select("account_id").unique(), on="account_id", how="semi")
    return phrases.translate(met, REASONS)


def _in_currency(accounts: pl.DataFrame, currency: str) -> pl.DataFrame:
    """Return the accounts with the models' reasons in the currency of the run; they are given in euros."""
    for name in REASONS if currency != "EUR" else ():
        if name in accounts.columns:
            listed = isinstance(accounts.schema[name], pl.List)
            text = pl.element() if listed else pl.col(name)
            named = text.str.replace_all(r"\bEUR\b", currency)
            accounts = accounts.with_columns(pl.col(name).list.eval(named) if listed else named)
    return accounts


def render(facts: pl.DataFrame, wording: Wording) -> pl.DataFrame:
    """Render one brief per row of `facts`, in its order, as `BRIEF_COLUMNS`."""
    if facts.is_empty():
        return pl.DataFrame(schema=BRIEF_COLUMNS)
    text = pl.col(pl.String).str.replace_all(f"[{END}{NEXT}]", " ")
    rows = facts.with_columns(text).with_columns(pl.col("action").fill_null("action")).with_row_index("_row")
    label = wording.environment("html").filters["label"]
    written = []
    for (action, channel), group in rows.group_by("action", "channel", maintain_order=True):
        names = wording.fields(str(action), str(channel))
        markdown = wording.compile(str(action), str(channel), "markdown")
        page = wording.compile(str(action), str(channel), "html")
        short = wording.compile(str(action), str(channel), "text")
        action_label = label(action)
        for part in group.iter_slices(_BATCH):
            shown = part["name"].cast(pl.String).fill_null(part["account_id"])
            values = list(part.select(*names, pl.lit(None).alias("_")).iter_rows())
            try:
                marks, fragments, said = (
                    form.render(rows=values).split(END) for form in (markdown, page, short)
                )
            except (TypeError, ValueError, ArithmeticError) as error:
                files = ", ".join(sorted({s.file for s in wording.sentences(str(action), str(channel))}))
                raise InputError(
                    f"briefs of {action} by {channel}: a sentence in {files} cannot be written: {error}; "
                    "check the type of the column it names"
                ) from None
            named = [f"{name} · {action_label}" for name in shown]
            lines = zip(*map(split_lines, said[: part.height]), strict=True)
            written.append(part.select(
                "_row", *_KEPT, title=pl.Series(named),
                **{name: pl.Series(values, dtype=BRIEF_COLUMNS[name])
                   for name, values in zip(LINES, lines, strict=True)},
                markdown=pl.Series(map(_section, named, marks)),
                html=pl.Series(map(_article, part["account_id"], named, fragments)),
            ))  # fmt: skip
    return pl.concat(written).sort("_row").drop("_row")


def _section(title: str, text: str) -> str:
    return f"## {escape_text(title)}\n\n{text}"


def _article(account_id: str, title: str, fragment: str) -> str:
    return (
        f'<article class="brief" id="brief-{escape(account_id)}">\n<h2>{escape(title)}</h2>\n'
        f"{fragment}</article>\n"
    )
