"""Write a drafted mapping: every line with its reason, and every doubt next to the line it is about."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.dimensions import BOOKING_STATUSES
from dealwright.schemas import ACCOUNT_ROLES, CHANNELS, History
from dealwright.tables.fields import TABLES
from dealwright.tables.guesses import Column, Table, count, gives_away, sort_words, status_columns, yes_word
from dealwright.tables.mapping import ANY, NO_BOOKING, RESERVED
from dealwright.tables.vocabulary import matching, meanings, plain

DAY_MIN: Final = 1440
MANY: Final = 0.02  # share of rows from which a loss is a doubt
_WIDTH: Final = 108
_FEW_DAYS, _FEW_OPEN = 7, 10  # of follow-up, and leads open at once: what any company has at least
_MOST_DIMENSIONS, _MOST_BINNED, _MOST_VALUES = 6, 2, 60
_FACTS: Final = {"arrival", "channel", "tier", "industry", "package", "product_interest"}
_LATER: Final = {"after", "status", "is_won", "is_closed"}
_NO_FEATURES: Final = {"name", "first_name", "last_name", "customer", "person", "title", "email", "free",
                       "address", "contact", "phone",
                       "owner", "time_zone", "currency", *CHANNELS}  # fmt: skip
_CURRENCIES: Final = {"BRL": r"R\$", "MXN": r"MX\$", "USD": r"\$", "EUR": "€", "GBP": "£", "JPY": "¥",
                      "INR": "₹", "CHF": r"\bFr\.", "SEK": r"\bkr\b", "PLN": "zł"}  # fmt: skip


@dataclass
class Found:
    """Which table is what."""

    tables: list[Table]
    roles: dict[str, Table]
    owner: str | None = None  # the column of the leads that says whose they are
    agent_id: list[str] = field(default_factory=list)  # the columns of the agents that it refers to


@dataclass(frozen=True)
class Figures:
    """What a trial tells: days until 95 % are settled, how late leads are filed, what a busy agent has."""

    days: int = _FEW_DAYS
    late_min: int = 0
    busy: int = 0

    @classmethod
    def of(cls, history: History) -> Figures:
        """Take the figures from a history that was read with late filing allowed for a day."""
        settled = pl.coalesce("completed_at", "cancelled_at").alias("settled")
        bookings = history.bookings.select("status", settled, external_id="assignment_external_id")
        took = (pl.col("settled") - pl.col("assigned_at")).dt.total_minutes()
        leads = history.assignments.join(bookings, on="external_id", how="left").with_columns(took=took)
        days = max(_FEW_DAYS, ceil((leads["took"].quantile(0.95) or 0) / DAY_MIN))
        early = -int(leads["took"].min() or 0)  # type: ignore[arg-type]
        late = next((step for step in (0, 15, 60, 240) if early <= step), DAY_MIN)
        end = pl.max_horizontal(pl.col("assigned_at").max(), pl.col("settled").max())
        fresh = (
            pl.col("assigned_at") + pl.duration(days=days if bookings.height else history.follow_up_days)
            > end
        )
        waits = pl.col("status").is_null() & fresh & ~pl.col("outcome_unknown")
        is_open = (pl.col("status") == "pending").fill_null(value=False) | waits
        loads = leads.group_by("agent_external_id").agg(is_open.sum().alias("open"))["open"]
        return cls(days, late, int(loads.quantile(0.95, "higher") or 0))


class Page:
    """The lines of a mapping, each with its comment; doubts are kept apart as well."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.doubts: list[str] = []
        self.keys: dict[str, list[str]] = {}
        self._at = ""

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def head(self, name: str) -> None:
        """Begin a table."""
        self._at = name
        self.lines += ["", f"[{name}]"] if self.lines else [f"[{name}]"]

    def remark(self, text: str, *, doubt: bool = False) -> None:
        """Write a comment on lines of its own."""
        self.doubts += [text] * doubt
        self._wrap(f"{'DOUBT: ' * doubt}{text}")

    def put(self, key: str, value: Any, why: str = "", *, doubt: bool = False, off: bool = False) -> None:
        """Write a line and its comment, above it where it is too long; `off` comments the line out."""
        bare = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)
        line = f"{'# ' * off}{bare} = {_toml(value)}"
        self.keys.setdefault(self._at, []).extend([key] * (not off))
        self.doubts += [f"{self._at}{'.' * bool(self._at)}{key}: {why}"] * doubt
        comment = f"{'DOUBT: ' * doubt}{why}"
        if len(line) + len(comment) < _WIDTH:
            self.lines.append(f"{line}  # {comment}" if why else line)
            return
        self._wrap(comment)
        self.lines.append(line)

    def _wrap(self, text: str) -> None:
        text = " ".join(text.split())
        self.lines += [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False)]


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        items = [_toml(item) for item in value]
        line = f"[{', '.join(items)}]"
        return line if len(line) < 90 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"
    if isinstance(value, str) and '"' in value and not re.search(r"['\x00-\x1f\x7f]", value):
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_page(found: Found, figures: Figures) -> Page:
    """Write the mapping of the tables that were found."""
    for table in found.tables:
        table.used.clear()
    page = Page()
    if "assignments" in found.roles:
        _Desk(page, found).write(figures)
    _Plan(page, found).write()
    return page


@dataclass
class _Writer:
    page: Page
    found: Found

    def file(self, role: str) -> Table:
        """Write where a table is, and how it is written."""
        table = self.found.roles[role]
        self.page.put("file", table.file)
        self.format(table)
        return table

    def format(self, table: Table) -> None:
        """Write what must be said of how a file is written."""
        for key, (value, why) in table.settings.items():
            self.page.put(key, value, why, doubt=bool(why))

    def column(
        self, table: Table, key: str, names: str | Sequence[str] | None, why: str = "", *, doubt: bool = False
    ) -> None:
        """Write which column, or columns, a field is, if any."""
        columns = [names] if isinstance(names, str) else list(names or ())
        if columns:
            table.used.update(columns)
            self.page.put(key, columns[0] if len(columns) == 1 else columns, why, doubt=doubt)


@dataclass
class _Desk(_Writer):
    """Writes the tables of the desk."""

    def write(self, figures: Figures) -> None:
        self.leads = self.found.roles["assignments"]
        self.bookings = self.found.roles.get("bookings")
        self._settings(figures)
        self.page.head("format")
        self.page.put("time_zone", "UTC", "of times that carry none; write your own, such as Europe/Madrid")
        self._agents()
        ids = self._assignments()
        outcome = None if self.bookings is None else self._bookings(self.bookings, ids)
        self._dimensions(outcome)

    def _settings(self, figures: Figures) -> None:
        put, busy = self.page.put, figures.busy
        if self.bookings is not None:
            some = "; 95 of 100 were settled sooner" if figures.days > _FEW_DAYS else ""
            put("follow_up_days", figures.days, f"a lead without a booking by then counts as not won{some}")
        else:
            why = (
                "nothing says what became of the leads, so none may count as lost; add bookings, then write 7"
            )
            put("follow_up_days", 3650, why, doubt=True)
        own = self.found.roles["agents"].first("capacity") is not None
        why = "of agents without one of their own" if own else f"95 of 100 agents have at most {busy} now"
        capacity = max(_FEW_OPEN, 5 * ceil((busy + 1) / 5))  # room for one more at least
        put("default_capacity", capacity, f"open leads an agent may have at once; {why}")
        currency = self._currency()
        put(
            "currency",
            currency or "EUR",
            "" if currency else "nothing in the files says which",
            off=not currency,
        )
        if figures.late_min:
            less = "a day" if figures.late_min == DAY_MIN else f"{figures.late_min} minutes"
            why = f"some deals were closed up to {less} before their lead was filed: they are kept"
            put("late_filing_min", figures.late_min, why)

    def _currency(self) -> str | None:
        """Return the currency that the amounts are written in, if anything says so."""
        for table in dict.fromkeys(self.found.roles.values()):
            column = table.first("currency")
            code = table.columns[column].values[0] if column else ""
            if re.fullmatch("[A-Z]{3}", code):
                return str(code)
            for name in table.every("amount", "expected_amount"):
                written = " ".join([name, *table.columns[name].values.head(200)])
                for code, sign in _CURRENCIES.items():
                    if re.search(rf"\b{code}\b|{sign}", written):
                        return code
        return None

    def _agents(self) -> None:
        page, leads, owner = self.page, self.leads, self.found.owner
        table, key = self.found.roles["agents"], self.found.agent_id
        page.head("agents")
        if owner is None:
            page.put(
                "from", "assignments", "no column says who got a lead, so all are one team's", doubt=True
            )
            page.put("id", {"value": "team"})
            page.put("name", {"value": "The team"})
            return
        if table is leads:
            page.put("from", "assignments", "whoever owns a lead")
            self.column(leads, "id", owner)
            self.column(leads, "name", leads.first("owner") or owner)
            return
        self.file("agents")
        values = leads.columns[owner].values
        strange = values.filter(~values.is_in(table.text(*key).implode())).to_list()
        names = ", ".join(strange[:5]) + f" and {len(strange) - 5} more" * (len(strange) > 5)
        why = f"{names}: not in this file, so that their leads are rejected; add them" if strange else ""
        self.column(table, "id", key, why, doubt=bool(strange))
        both = [name for name in (table.first("first_name"), table.first("last_name")) if name]
        self.column(table, "name", both if len(both) == 2 else table.of("agents", "name") or key)
        for name in TABLES["agents"].fields:
            column = table.first(name)
            if name not in ("id", "name") and column not in table.used:
                self.column(table, name, column)

    def _assignments(self) -> list[str]:
        """Write the leads; return the columns that tell them apart."""
        page, leads, owner = self.page, self.leads, self.found.owner
        page.head("assignments")
        self.file("assignments")
        frame = leads.rows.raw.frame.filter(leads.rows.good)
        gaps = [name for name in (owner, leads.start) if name and frame[name].null_count()]
        if gaps:
            gone = int(frame.select(pl.any_horizontal(pl.col(gaps).is_null()).sum()).item())
            test = " and ".join('"' + name.replace('"', '""') + '" is not null' for name in gaps)
            why = f"leaves {count(gone, 'row')} out: without {' or '.join(gaps)} a lead is nobody's yet"
            page.put("where", test, why, doubt=gone > MANY * leads.height)
        ids, why = self._lead_id()
        self.column(leads, "id", ids, why, doubt=bool(why))
        if owner is None:
            page.put("agent", {"value": "team"})
        self.column(leads, "agent", owner)
        customer = leads.of("assignments", "customer_name") or ids[0]
        empty = leads.text(customer).null_count()
        leads.used.add(customer)
        said = {"column": customer, "default": "(unknown)"} if empty else customer
        page.put("customer_name", said, f"empty in {count(empty, 'row')}" if empty else "")
        known = leads.start is None or leads.columns[leads.start].meaning
        why = "" if known else "no header says when a lead was given to its owner, and this is a date"
        self.column(leads, "assigned_at", leads.start, why, doubt=not known)
        self.column(leads, "requirements", leads.first("requirements"))
        return ids

    def _lead_id(self) -> tuple[list[str], str]:
        """Return the columns that tell leads apart, and what is doubtful about them."""
        leads = self.leads
        column = leads.of("assignments", "id")
        if column and leads.is_unique(column):
            return [column], ""
        names = (
            leads.first("title"),
            leads.of("assignments", "customer_name"),
            leads.start,
            self.found.owner,
        )
        known = list(dict.fromkeys(name for name in names if name))
        said = "no column is an id"
        if column:
            repeats = leads.text(column).drop_nulls().is_duplicated().any()
            said = f"{column} {'comes more than once' if repeats else 'is empty in some rows'}"
        some = column is not None and leads.columns[column].values.len() > (1 - MANY) * leads.height
        for number in range(1, len(known) + 1):
            if not some and leads.is_unique(*known[:number]):
                return known[:number], f"{said}; this does not repeat, but an export with ids is safer"
        known = [column] if column else known
        text = leads.text(*known)
        lost = count(text.len() - text.drop_nulls().n_unique(), "row")
        return known, f"{said}; {lost} will be rejected for it"

    # what became of the leads

    def _bookings(self, table: Table, lead_id: list[str]) -> pl.Series:
        """Write what became of the leads; return it for every row."""
        page = self.page
        page.head("bookings")
        if table is self.leads:
            page.put("from", "assignments", "a row is a lead and what became of it")
            self.column(table, "id", lead_id)
            self.column(table, "assignment", lead_id)
        else:
            self.file("bookings")
            key, own = table.of("bookings", "assignment"), table.of("bookings", "id")
            self.column(table, "id", own if own and table.columns[own].is_key else key)
            self.column(table, "assignment", key)
        status = status_columns(table, _MOST_VALUES)
        why = f"{status[0]} alone does not tell which deals are lost" if len(status) > 1 else ""
        self.column(table, "status", status, why)
        words, guessed = sort_words(table, status)
        meant = {word.lower(): kind for kind, items in words.items() for word in items}
        said = table.text(*status).str.to_lowercase()
        outcome = said.replace_strict(meant, default=None, return_dtype=pl.String)
        self._closing(table, outcome)
        self._amounts(table, outcome == "confirmed")
        page.head("bookings.statuses")
        for kind in (*BOOKING_STATUSES, NO_BOOKING):
            if kind in words:
                page.put(kind, words[kind], "; ".join(guessed.get(kind, ())), doubt=kind in guessed)
        if "confirmed" not in words:
            page.put("confirmed", ["(your word for won)"], "no word above is known to mean it", doubt=True)
        return outcome

    def _closing(self, table: Table, outcome: pl.Series) -> None:
        """Write when deals were settled: never a date that only might be it."""
        for kind, key in (("confirmed", "completed_at"), ("cancelled", "cancelled_at")):
            column, rows = table.of("bookings", key), int((outcome == kind).sum())
            if column:
                empty = int((table.text(column).is_null() & (outcome == kind)).sum())
                why = f"empty in {empty:,} of {rows:,} {kind} rows: what became of those stays unknown"
                self.column(table, key, column, why if empty else "", doubt=empty > MANY * rows)
            elif rows and (likely := self._closing_date(table, outcome, kind)):
                why = (
                    f"no header says so, but it is filled where deals are {kind}, and not where they are open"
                )
                self.column(table, key, likely, why, doubt=True)
            elif rows:
                nearest = table.first("modified", "expected")
                why = f"no column says when the {rows:,} {kind} deals were settled: name it, take the # away"
                why += f"; {nearest} is the nearest there is" if nearest else ""
                self.page.put(key, nearest or "…", why, doubt=True, off=True)

    def _closing_date(self, table: Table, outcome: pl.Series, kind: str) -> str | None:
        """Find a date that nobody knows by name, and that rows have if they are settled and lack if not."""
        for column in table.columns.values():
            if column.kind == "moment" and not column.meaning and column.name != self.leads.start:
                filled = table.text(column.name).is_not_null()
                settled, waiting = filled.filter(outcome == kind), filled.filter(outcome == "pending")
                if settled.sum() > 0.9 * settled.len() and waiting.sum() < 0.1 * waiting.len():
                    return column.name
        return None

    def _amounts(self, table: Table, won: pl.Series) -> None:
        paid = [name for name in table.every("amount") if table.columns[name].kind == "number"]
        # of several amounts the one that wins have, and few others
        paid.sort(key=lambda name: (-table.text(name).filter(won).count(), table.columns[name].filled))
        total = paid[0] if paid else table.of("bookings", "total_revenue")
        if total:
            empty, wins = int((table.text(total).is_null() & won).sum()), int(won.sum())
            doubts = ["expected, as no amount says what was paid"] * (not paid)
            doubts += [f"{empty:,} of {wins:,} won deals have no amount, and count as 0"] * bool(empty)
            table.used.add(total)
            said = {"column": total, "default": 0} if empty else total
            self.page.put("total_revenue", said, "; ".join(doubts), doubt=bool(doubts))
        for name in ("base_revenue", "package_revenue", "package"):
            self.column(table, name, table.first(name))

    # what is known of a lead

    def _dimensions(self, outcome: pl.Series | None) -> None:
        """Write what is known of a lead when it arrives, the most useful first."""
        found, later = self._facts(outcome)
        lookups = self._lookups(outcome if self.bookings is self.leads else None)
        for name, (table, key, _) in lookups.items():
            known = [
                c for c in table.columns.values() if c.means in ("arrival", "industry", "tier", "numbers")
            ]
            found += [
                (w - 1, table, c, f"{name}.") for c in known if (w := _worth(table, c)) and c.name != key
            ]
        names: list[str] = []
        binned, asked = 0, set()
        for _, table, column, prefix in sorted(found, key=lambda item: -item[0]):
            numeric = column.kind == "number"
            if len(names) < _MOST_DIMENSIONS and not (numeric and binned == _MOST_BINNED):
                binned += numeric
                asked.add(prefix)
                names.append(_dimension_name(table.headers[column.name], names))
                self._dimension(names[-1], table, column, prefix)
        for name, (table, key, on) in lookups.items():
            if f"{name}." in asked:
                self._lookup(name, table, key, on)
        if later:
            self.page.lines.append("")
            self.page.remark(
                f"Not among the dimensions, as they are known only afterwards: {', '.join(later)}."
            )

    def _facts(self, outcome: pl.Series | None) -> tuple[list[tuple[float, Table, Column, str]], list[str]]:
        """Return the columns that may be dimensions, with their worth, and those known only afterwards."""
        found: list[tuple[float, Table, Column, str]] = []
        later: list[str] = []
        for table in dict.fromkeys(t for t in (self.leads, self.bookings) if t is not None):
            told = outcome if table is self.bookings else None
            for column in table.columns.values():
                worth = _worth(table, column)
                result = column.means in _LATER and column.kind != "empty" and column.name not in table.used
                if result or (worth and told is not None and gives_away(table.text(column.name), told)):
                    later.append(column.name)
                elif worth:
                    found.append((worth, table, column, ""))
        return found, later

    def _dimension(self, name: str, table: Table, column: Column, prefix: str) -> None:
        put = self.page.put
        table.used.add(column.name)
        self.page.head(f"dimensions.{name}")
        if table is self.bookings and table is not self.leads:
            why = "only bookings say it: keep it if customers say it when they arrive"
            put("table", "bookings", why, doubt=True)
        put("column", prefix + column.name)
        if column.kind == "number":
            put("bins", 4, "four ranges with a quarter of the leads each")
        else:
            put("values", ANY, f"{column.values.len()} so far, and new ones as they come")
        if prefix or column.filled < 1:
            put("required", value=False)

    def _lookup(self, name: str, table: Table, key: str, on: str) -> None:
        table.used.add(key)
        self.page.head(f"lookup.{name}")
        for item, value in (("file", table.file), ("key", key), ("on", on)):
            self.page.put(item, value)
        if table.settings:
            self.page.head(f"lookup.{name}.format")
            self.format(table)

    def _lookups(self, outcome: pl.Series | None) -> dict[str, tuple[Table, str, str]]:
        """Find the tables of what a column of the leads names, products or customers: table, key, column."""
        leads = self.leads
        busy = [
            table for role, table in self.found.roles.items() if role not in ("accounts", "reps", "staff")
        ]
        columns = [c for c in leads.columns.values() if c.kind in ("text", "number") and c.values.len() > 2]
        columns = [c for c in columns if outcome is None or not gives_away(leads.text(c.name), outcome)]
        found = {}
        for table in self.found.tables if columns else ():
            pairs = [
                (*table.key_for(c.values, c.name), c.name) for c in columns if c.name != self.found.owner
            ]
            share, key, on = max(pairs, default=(0.0, [], ""))
            if share > 0.5 and len(key) == 1 and table not in busy:
                name = re.sub(r"\W+", "_", plain(table.sheet or Path(table.file).stem))
                found[name or "other"] = (table, key[0], on)
        return found


@dataclass
class _Plan(_Writer):
    """Writes the tables of the nightly plan."""

    def write(self) -> None:
        if "accounts" in self.found.roles:
            self._accounts()
        for role in ("orders", "touches", "history", "reps", "staff"):
            if role in self.found.roles:
                self._table(role)

    def _table(self, role: str) -> None:
        """Write a table field by field; a column is one field only."""
        page = self.page
        page.head(role)
        table = self.file(role)
        fields: dict[str, str] = {}
        for name in TABLES[role].fields:
            column = table.of(role, name)
            if column and column not in fields.values():
                fields[name] = column
                self.column(table, name, column)
        if role == "orders" and (table.read("number", fields["amount_eur"]) < 0).any():
            page.put("returns", "net", "negative amounts are taken off the orders they return")
        words = table.columns[fields["channel"]].values if role == "touches" and "channel" in fields else ()
        strange = sorted(set(words) - set(CHANNELS))
        if strange:
            page.head("touches.channels")
        for word in strange:
            ours = matching("touch_channels", word)
            why = "" if ours else f"which channel is it? One of {', '.join(CHANNELS)}"
            page.put(word, ours or CHANNELS[1], why, doubt=not ours)

    def _account_id(self, table: Table) -> str | None:
        """Return the column that the orders or touches name the accounts by, else the likeliest."""
        for role in {"orders", "touches"} & set(self.found.roles):
            other = self.found.roles[role]
            account = other.of(role, "account_id")
            share, key = table.key_for(other.columns[account].values, account) if account else (0.0, [])
            if share > 0.5 and len(key) == 1:
                return key[0]
        return table.of("accounts", "id")

    def _accounts(self) -> None:
        page = self.page
        page.head("accounts")
        table = self.file("accounts")
        fields = {"id": self._account_id(table), "preferred_channel": table.first("preferred_channel")}
        if table.first("latitude") and table.first("longitude"):
            fields |= {name: table.first(name) for name in ("latitude", "longitude")}
        for name, column in fields.items():
            self.column(table, name, column)
        label, yes = _label(table)
        consent = {channel: column for channel in CHANNELS if (column := table.first(channel))}
        roles = {role: column for role in ACCOUNT_ROLES if (column := table.of("roles", role))}
        roles = {role: column for role, column in roles.items() if column != fields["id"]}
        self._features(table, [*fields.values(), *consent.values(), label], list(roles.values()), label)
        if label:
            self._labels(table, label, yes)
        for part, columns in (("consent", consent), ("roles", roles)):
            if columns:
                page.head(f"accounts.{part}")
            for name, column in columns.items():
                self.column(table, name, column)

    def _features(self, table: Table, no: list[str | None], named: list[str], label: str | None) -> None:
        """Write what the models may learn from, and what is left out (unless it is `named` further down)."""
        end = self._cut_off()
        lists: dict[str, list[str]] = {"numeric": [], "categorical": [], "dates": [], "dates_ahead": []}
        left: list[str] = []
        telling: list[str] = []
        for column in table.columns.values():
            if column.kind == "empty" or column.name in no:
                continue
            kind = _feature(table, column, end)
            if label and _tells(table, column, label):
                telling.append(column.name)
            elif kind:
                lists[kind].append(column.name)
            elif column.name not in named:
                left.append(column.name)
        for kind, names in lists.items():
            if names:
                table.used.update(names)
                self.page.put(kind, names, "some lie after the latest order" * (kind == "dates_ahead"))
        if left:
            self.page.remark(f"Left out as ids, names or free text: {', '.join(left)}.")
        if telling:
            self.page.remark(f"Left out because they give the label away: {', '.join(telling)}.")

    def _labels(self, table: Table, label: str, yes: str | None) -> None:
        words = table.text(label).drop_nulls().str.to_lowercase().value_counts(sort=True)
        shown = ", ".join(f"{word!r} ({rows:,})" for word, rows in words.iter_rows())
        table.used.add(label)
        self.page.head("accounts.labels")
        value = {"column": label, "is": yes or words[0, 0]}
        if yes and words.height == 2:
            self.page.put("churned", value, f"there are {shown}")
            return
        why = f"a label has two words, and there are {shown}: empty the cells that tell nothing"
        why = why if yes else f"which word means that a customer has left? There are {shown}: write it"
        self.page.put("churned", value, f"{why}, then take the # away", doubt=True, off=True)

    def _cut_off(self) -> datetime:
        """Return the day after the latest order that is not in the future; now where there are no orders."""
        now = datetime.now(tz=UTC)
        table = self.found.roles.get("orders")
        column = table.of("orders", "ordered_at") if table else None
        times = (
            table.read("moment", column) if table and column else pl.Series(dtype=pl.Datetime("us", "UTC"))
        )
        latest = times.filter(times <= now).max()
        return latest + timedelta(days=1) if isinstance(latest, datetime) else now


def _worth(table: Table, column: Column) -> float:
    """Say how useful a column is as a fact about a lead, 0 if it is none."""
    if column.name in table.used or column.kind in ("empty", "moment") or column.filled < 0.05:
        return 0.0
    if column.kind == "number":
        return 1.5 if column.means == "numbers" and column.values.len() >= 5 else 0.0
    few = 2 <= column.values.len() <= min(_MOST_VALUES, max(3, table.height / 5))
    if not few or (column.meaning and column.means not in _FACTS):
        return 0.0
    known = [guess.score for guess in meanings(table.headers[column.name]) if guess.name == "arrival"]
    return max(known, default=0.1) + column.filled / 1000


def _dimension_name(header: str, taken: Sequence[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", header)[:50].strip("_")
    name = name if name[:1].isalpha() and name not in RESERVED else f"lead_{name}".rstrip("_")
    while name in taken:
        name += "_2"
    return name


def _label(table: Table) -> tuple[str | None, str | None]:
    """Return the column that says which customers have left, and the word for it."""
    column, status = table.first("churned"), table.first("status")
    if column is None and status and yes_word(table.columns[status].values):
        column = status
    return column, yes_word(table.columns[column].values) if column else None


def _tells(table: Table, column: Column, label: str) -> bool:
    """Tell whether a column is named after a label, or filled for one of its words only."""
    words = [
        word for word in table.headers[label].split() if any(m.name == "churned" for m in meanings(word))
    ]
    if set(words) & set(table.headers[column.name].split()):
        return True
    pairs = pl.DataFrame({"label": table.text(label), "it": table.text(column.name)}).drop_nulls("label")
    filled = pairs.drop_nulls("it")
    return filled.height < pairs.height and filled["label"].n_unique() < pairs["label"].n_unique()


def _feature(table: Table, column: Column, end: datetime) -> str | None:
    """Return the list of features that a column belongs to; None for ids, names and free text."""
    sure = column.meaning if column.meaning and column.meaning.score >= 1 else None
    if sure and (sure.section in ("key", "minutes") or sure.name in _NO_FEATURES):
        return None
    if column.kind == "moment":
        ahead = (table.read("moment", column.name) > end).sum()  # a few are mistakes
        return "dates_ahead" if ahead > MANY * table.height else "dates"
    if column.kind == "number" or set(column.values) <= {"0", "1"}:
        return None if column.is_key and "id" in table.headers[column.name].split() else "numeric"
    few = column.values.len() <= min(_MOST_VALUES, 0.5 * table.height)
    return "categorical" if few or column.kind == "flag" else None
