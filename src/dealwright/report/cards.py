"""One card per account: what was decided, why, and why not something else; for pages and for the terminal.

`card_frame` gathers what is known of every account, one row each. `layout` says in which order, under which
words and in which form it is shown. The script of ``accounts.html`` and `write_card` both follow it, so that
a page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

import polars as pl

from dealwright.errors import NotFoundError
from dealwright.report.brief_files import file_name
from dealwright.report.format import Format, mark
from dealwright.report.people import person
from dealwright.report.reasons import Reasons
from dealwright.report.run import Run
from dealwright.report.tables import names_of
from dealwright.schemas import Columns, conform

NOTHING: Final = "nothing"
SCHEDULED, WAITS, NONE = "scheduled", "waits", "none"
_STATES: Final = {
    SCHEDULED: mark("scheduled"), WAITS: mark("waits"), NONE: mark("no action"),
}  # fmt: skip

# section, and under it: words, form, field; a form that ends in ! is shown even where nothing is known
_LAYOUT: Final = (
    (mark("What is planned"), (
        (mark("Action"), "text!", "action_words"), (mark("Channel"), "text", "channel_words"),
        (mark("State"), "text!", "state_words"), (mark("Who"), "person", "who"),
        (mark("When"), "moment", "planned_at"),
        (mark("Place in the queue"), "number", "wait_rank"),
        (mark("Expected wait, days"), "tenths", "expected_wait_days"),
        (mark("Expected gain"), "cents!", "expected_value_eur"),
        (mark("Cost of the contact"), "cents", "cost_eur"),
        (mark("Answer with the contact"), "share", "response_probability"),
        (mark("Would buy without it"), "share", "untouched_probability"),
        (mark("An answer is worth"), "cents", "response_value_eur"),
        (mark("One more place on this channel is worth"), "cents", "price_eur"),
        (mark("Runner-up"), "text", "runner_up_words"),
        (mark("The runner-up would bring"), "cents", "runner_up_value_eur"),
        (mark("Why"), "list", "why"), (mark("What stands in the way"), "list", "obstacles"),
    )),
    (mark("Who it is"), (
        (mark("Account"), "text!", "account_id"), (mark("Segment"), "text!", "segment_words"),
        (mark("Territory"), "text", "territory"), (mark("Representative"), "person", "rep_id"),
        (mark("Expected spend in the horizon"), "money!", "predicted_value_eur"),
        (mark("Estimated to spend elsewhere"), "money", "potential_eur"),
        (mark("What moves the expected spend"), "list", "value_why"),
        (mark("Probability of leaving"), "interval!", "churn_probability"),
        (mark("What moves the probability of leaving"), "list", "churn_why"),
        (mark("What is unusual"), "list", "odd"),
    )),
    (mark("Other actions, and why not"), ((mark("Other actions"), "options", "options"),)),
    (mark("What happened lately"), ((mark("Orders and contacts"), "events", "events"),)),
)  # fmt: skip

_LISTS: Final = (
    ("why", "reasons"), ("value_why", "value_reasons"), ("churn_why", "churn_reasons"),
    ("odd", "anomaly_reasons"),
)  # fmt: skip
_OF_THE_CONTACT: Final = ("response_probability", "untouched_probability", "response_value_eur")
_TEXTS: Final = ("wait_reason", "visit_note", "call_note", "channel_note", "position_note", "limit")
_KEPT: Final[Columns] = {
    "account_id": pl.String, "account_name": pl.String, "segment": pl.String, "action": pl.String,
    "channel": pl.String, "waiting_for": pl.String, "territory": pl.String, "rep_id": pl.String,
    "churn_probability": pl.Float64, "predicted_value_eur": pl.Float64, "potential_eur": pl.Float64,
    "expected_value_eur": pl.Float64, "cost_eur": pl.Float64, "response_probability": pl.Float64,
    "untouched_probability": pl.Float64, "response_value_eur": pl.Float64, "runner_up": pl.String,
    "runner_up_value_eur": pl.Float64, "wait_rank": pl.Int64, "expected_wait_days": pl.Float64,
    "visit_rep_id": pl.String, "call_rep_id": pl.String, "visit_at": pl.Datetime("us"),
    "call_at": pl.Datetime("us"), "has_brief": pl.Boolean, "is_anomaly": pl.Boolean, "moved": pl.Boolean,
    "reasons": pl.List(pl.String), "value_reasons": pl.List(pl.String), "churn_reasons": pl.List(pl.String),
    "anomaly_reasons": pl.List(pl.String), "excluded": pl.List(pl.String),
    **dict.fromkeys(_TEXTS, pl.String),
}  # fmt: skip
CARD_COLUMNS: Final = tuple(_KEPT)
"""Of the accounts, what a card is made of."""
_PROPOSED: Final = 5
_COMPARED: Final = 50_000
_LINKS: Final = (
    ("days", "html", mark("Day")), ("briefs", "html", mark("Brief")),
    ("maps", "html", mark("Map of the day")), ("calendars", "ics", mark("Calendar")),
)  # fmt: skip


def layout(form: Format) -> list[dict[str, Any]]:
    """Return the sections of a card, in the words of the format."""
    return [
        {
            "title": form.text(title),
            "rows": [
                {
                    "label": form.text(label),
                    "form": kind.rstrip("!"),
                    "field": name,
                    "always": kind.endswith("!"),
                }
                for label, kind, name in rows
            ],
        }
        for title, rows in _LAYOUT
    ]


def card_frame(run: Run, reasons: Reasons | None = None) -> pl.DataFrame:
    """Gather what is known of every account, one row each, in the order of the run.

    Parameters
    ----------
    reasons
        Of the run, where they are asked for more than once.
    """
    form, reasons = run.form, reasons or Reasons(run.form)
    frame = conform(run.accounts, _KEPT)
    words = {
        name: form.label(name) for name in _different(frame, "action", "channel", "runner_up", "segment")
    }
    prices: dict[str, float] = {}
    if "price_eur" in run.tables["channels"].columns:
        prices = dict(run.tables["channels"].select("channel", "price_eur").drop_nulls().iter_rows())
    place = pl.coalesce("channel", "waiting_for")
    acts = pl.col("action").is_not_null() & (pl.col("action") != NOTHING)
    scheduled = pl.when(pl.col("channel").is_not_null()).then(pl.lit(SCHEDULED))
    state = scheduled.when(acts).then(pl.lit(WAITS)).otherwise(pl.lit(NONE))
    frame = frame.with_columns(
        state=state,
        who=pl.coalesce("visit_rep_id", "call_rep_id"),
        planned_at=pl.coalesce("visit_at", "call_at"),
        action_words=_words(pl.coalesce("action", pl.lit(NOTHING)), words | {NOTHING: form.label(NOTHING)}),
        channel_words=_words(
            place, words | {name: form.label(name) for name in _different(frame, "waiting_for")}
        ),
        runner_up_words=_words(pl.col("runner_up"), words),
        segment_words=_words(pl.col("segment"), words).fill_null(form.not_known),
        price_eur=place.replace_strict(prices, default=None, return_dtype=pl.Float64),
    ).with_columns(
        state_words=_words(pl.col("state"), {key: form.text(word) for key, word in _STATES.items()}),
        # what nothing is planned for costs nothing, and nobody has to be told
        cost_eur=pl.when(pl.col("state") == SCHEDULED).then("cost_eur"),
        price_eur=pl.when(pl.col("price_eur") > 0).then("price_eur"),
        # there is no contact to say it of
        **{name: pl.when(acts).then(name) for name in _OF_THE_CONTACT},
    )
    for target, source in _LISTS:
        frame = frame.with_columns(_translated(frame, source, reasons).alias(target))
    frame = frame.with_columns(_obstacles(frame, reasons))
    frame = frame.with_columns(_options(frame, reasons))
    frame = _with_interval(frame, run.card)
    frame = _with_events(frame, run.history, form)
    frame = _with_mentions(frame, run.tables["left_out"])
    return _with_links(frame, run)


def find_account(accounts: pl.DataFrame, wanted: str) -> str:
    """Return the id of an account that is asked for by id, or by its name where only one has it.

    Raises
    ------
    NotFoundError
        There is none, or several have the name; the message proposes ids.
    """
    if wanted in accounts["account_id"]:
        return wanted
    names = accounts.select("account_id", names_of(accounts)).drop_nulls("account_name")
    folded = pl.col("account_name").str.to_lowercase()
    same = names.filter(folded == wanted.lower())["account_id"].to_list()
    if len(same) == 1:
        return str(same[0])
    if same:
        shown = ", ".join(same[:_PROPOSED])
        raise NotFoundError(f"{len(same)} accounts are called {wanted!r}: name one by its id: {shown}")
    alike = names.filter(folded.str.contains(wanted.lower(), literal=True)).head(_PROPOSED)
    near = [f"{account_id} ({name})" for account_id, name in alike.iter_rows()]
    if not near:
        # ids of about the same length: enough to find a slip, and quick among many
        size = pl.col("account_id").str.len_chars().cast(pl.Int64)  # unsigned: 8 - 9 would be huge
        ids = accounts.filter((size - len(wanted)).abs() <= 2)["account_id"].to_list()
        near = get_close_matches(wanted, ids[:_COMPARED], n=_PROPOSED, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "name an id or a name as the run's tables have it"
    raise NotFoundError(f"no account {wanted!r} in this run: {hint}")


def card_of(run: Run, account_id: str) -> dict[str, Any]:
    """Return the card of one account."""
    of_account = pl.col("account_id") == account_id
    one = replace(run, accounts=run.accounts.filter(of_account), history=run.history.filter(of_account))
    return card_frame(one).row(0, named=True)


def write_card(card: Mapping[str, Any], run: Run) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the sections of a card as people read them: title, then words and what stands beside them."""
    form = run.form
    for section in layout(form):
        lines = [(row["label"], text) for row in section["rows"] for text in _written(card, row, run)]
        if lines:
            yield section["title"], lines


def _written(card: Mapping[str, Any], row: Mapping[str, Any], run: Run) -> Iterator[str]:
    form, value, kind = run.form, card.get(row["field"]), row["form"]
    if kind in ("list", "options", "events"):
        for item in value or ():
            yield item if isinstance(item, str) else _line(item, form)
        return
    if value is None:
        if row["always"]:
            yield form.not_known
        return
    if kind == "person":
        known = person(run.people, value)
        yield value if known is None else known.name
    elif kind == "interval":
        yield interval_words(card, form)
    else:
        write: dict[str, Callable[[Any], str]] = {
            "cents": partial(form.money, cents=True), "money": form.money,
            "share": partial(form.share, digits=1),
            "number": form.number, "tenths": partial(form.number, digits=1), "moment": form.moment,
        }  # fmt: skip
        yield write.get(kind, str)(value)


def interval_words(card: Mapping[str, Any], form: Format) -> str:
    """Write the probability of leaving with what became of similar accounts."""
    text = form.share(card["churn_probability"])
    if card.get("churn_low") is None:
        return text
    return form.text(
        "%(share)s; of similar accounts %(low)s to %(high)s left",
        share=text, low=form.share(card["churn_low"]), high=form.share(card["churn_high"]),
    )  # fmt: skip


def _line(item: Mapping[str, Any], form: Format) -> str:
    if "why" in item:
        amount = "" if item["value"] is None else f": {form.money(item['value'])}"
        return f"{item['action']}{amount}; {item['why']}" if item["action"] else str(item["why"])
    amount = "" if item["amount"] is None else f", {form.money(item['amount'], cents=True)}"
    return f"{form.short_day(item['at'])}: {item['what']}{amount}"


def _different(frame: pl.DataFrame, *columns: str) -> list[str]:
    return sorted({text for name in columns for text in frame[name].drop_nulls().unique().to_list()})


def _words(column: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    return column.replace_strict(words, default=column, return_dtype=pl.String)


def _translated(frame: pl.DataFrame, column: str, reasons: Reasons) -> pl.Series:
    """Return lists of reasons in words; what the card says by itself is left out."""
    known = frame[column].explode().drop_nulls().unique()
    known = known.filter(~reasons.said_on_card(known))
    said = pl.Series([reasons.say(text) for text in known.to_list()], dtype=pl.String)
    return frame.select(
        pl.col(column)
        .list.eval(pl.element().replace_strict(known, said, default=None, return_dtype=pl.String))
        .list.drop_nulls()
    ).to_series()


def _obstacles(frame: pl.DataFrame, reasons: Reasons) -> pl.Expr:
    """Return what keeps an account from its contact."""
    said = []
    for name in _TEXTS:
        known = frame[name].drop_nulls().unique()
        if known.len():
            words = pl.Series([reasons.say(text) for text in known.to_list()], dtype=pl.String)
            said.append(pl.col(name).replace_strict(known, words, default=None, return_dtype=pl.String))
    nothing = pl.lit(None, pl.String)  # a list of texts, also where there is none
    return (
        pl.concat_list(*said, nothing).list.drop_nulls().list.unique(maintain_order=True).alias("obstacles")
    )


def _options(frame: pl.DataFrame, reasons: Reasons) -> pl.Series:
    """Return the actions that were not chosen: action, why, value."""
    kind = pl.Struct({"action": pl.String, "why": pl.String, "value": pl.Float64})
    known = frame["excluded"].explode().drop_nulls().unique()
    table = pl.DataFrame(
        {"text": known, "option": pl.Series([reasons.option(text) for text in known], dtype=kind)}
    )
    listed = (
        frame.select(pl.int_range(pl.len()).alias("row"), text="excluded")
        .explode("text")
        .join(table, on="text", how="left", maintain_order="left")
        .drop_nulls("option")
        .group_by("row", maintain_order=True)
        .agg("option")
    )
    rows = pl.DataFrame({"row": range(frame.height)}, schema={"row": pl.Int64})
    return rows.join(listed, on="row", how="left", maintain_order="left")["option"].alias("options")


def _with_interval(frame: pl.DataFrame, card: Mapping[str, Any]) -> pl.DataFrame:
    """Put beside the probability of leaving what became of accounts with about the same one."""
    bins = (card.get("churn") or {}).get("reliability") or []
    low = high = pl.lit(None, pl.Float64)
    if bins:
        known = pl.col("churn_probability")
        # how many bins end below it; without one, everything is one bin
        place = pl.sum_horizontal(pl.lit(0), *(known > item["until"] for item in bins[:-1]))
        low, high = (
            pl.when(known.is_not_null()).then(
                place.replace_strict({k: item[name] for k, item in enumerate(bins)}, return_dtype=pl.Float64)
            )
            for name in ("low", "high")
        )
    return frame.with_columns(churn_low=low, churn_high=high)


def _with_events(frame: pl.DataFrame, history: pl.DataFrame, form: Format) -> pl.DataFrame:
    """Put the latest orders and contacts of each account into one column."""
    labels = {name: form.label(name) for name in _different(history, "channel", "action")}
    contact = pl.concat_str(
        _words(pl.col("channel"), labels),
        pl.when(pl.col("action").is_not_null())
        .then(pl.format(" ({})", _words(pl.col("action"), labels)))
        .otherwise(pl.lit("")),
        pl.when("answered").then(pl.lit(f", {form.text('answered')}")).otherwise(pl.lit("")),
    )
    listed = history.select(
        "account_id",
        events=pl.struct(
            at=pl.col("at").dt.date(),
            what=pl.when(pl.col("what") == "order").then(pl.lit(form.text("order"))).otherwise(contact),
            amount=pl.col("amount_eur"),
        ),
    ).group_by("account_id", maintain_order=True).agg("events")  # fmt: skip
    return frame.join(listed, on="account_id", how="left", maintain_order="left")


def _with_mentions(frame: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
    """Say which other accounts the obstacles name."""
    named = pl.DataFrame(schema={"account_id": pl.String, "mentions": pl.List(pl.String)})
    if {"account_id", "displaces"} <= set(left_out.columns):
        named = left_out.select("account_id", mentions="displaces").unique("account_id", keep="first")
    return frame.join(named, on="account_id", how="left", maintain_order="left")


def _with_links(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Say which files of a person's day an account is in."""
    days = frame.select("who", day=pl.col("planned_at").dt.date()).unique().drop_nulls()
    rows = []
    for who, day in days.iter_rows():
        name = file_name(who, day)
        found = [
            f"{place}/{name}.{ending}"
            for place, ending, _ in _LINKS
            if f"{place}/{name}.{ending}" in run.files
        ]
        rows.append((who, day, found))
    links = pl.DataFrame(
        rows, schema={"who": pl.String, "day": pl.Date, "links": pl.List(pl.String)}, orient="row"
    )
    return frame.with_columns(day=pl.col("planned_at").dt.date()).join(
        links, on=["who", "day"], how="left", maintain_order="left"
    )


def link_words(form: Format) -> dict[str, str]:
    """Return the words of the links by the folder they lead to."""
    return {place: form.text(word) for place, _, word in _LINKS}
