"""Draft the mapping of the files in a folder: guesses in TOML, doubts as comments next to their lines.

Headers say what a column may be, contents whether it can be, and what tables hold of each other which table
is what. The draft is tried before it is handed out, and what goes wrong then is a doubt as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from dealwright.errors import DealwrightError, InputError
from dealwright.schemas import History, Intake
from dealwright.tables.draft_page import DAY_MIN, MANY, Figures, Found, Page, write_page
from dealwright.tables.guesses import Table, count, outcomes
from dealwright.tables.history import read_history
from dealwright.tables.mapping import parse_mapping
from dealwright.tables.plan_inputs import read_plan_inputs
from dealwright.tables.reader import Format, read_table
from dealwright.tables.vocabulary import product

_WORKBOOKS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
_ENDINGS: Final = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".parquet", *_WORKBOOKS)
_SHOWN: Final = 6
_FOOTER: Final = 8  # lines that a report may have below its table
_LIKE: Final = 0.5  # share of the values of a column that must be keys of the table it refers to
_LOOPS: Final = {"import": {"assignments"}, "plan": {"accounts", "orders"}}  # command -> what it needs one of


@dataclass(frozen=True)
class FileRole:
    """What a file, or a sheet of a workbook, was taken for; no roles: nothing uses it."""

    file: str
    sheet: str | None
    roles: tuple[str, ...]
    rows: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """A drafted mapping."""

    text: str  # the TOML to write
    doubts: tuple[str, ...]  # what a person should confirm, each with its place
    files: tuple[FileRole, ...]  # what the files were taken for
    unread: tuple[str, ...]  # files that are no table, with the reason
    runs: bool  # whether the tables can be read by it

    @property
    def loops(self) -> tuple[str, ...]:
        """The commands that there are tables for: import, plan."""
        roles = {role for file in self.files for role in file.roles}
        return tuple(loop for loop, needs in _LOOPS.items() if needs & roles)

    def summary(self) -> str:
        """Say in a line what was found."""
        found = [f"{', '.join(file.roles)} in {file.file}" for file in self.files if file.roles]
        return f"{'; '.join(found)}; {count(len(self.doubts), 'doubt')}"


def draft(directory: Path | str) -> Draft:
    """Draft the mapping of the tables in a folder.

    Raises
    ------
    InputError
        Nothing in the folder is of use to the desk or the plan.
    """
    folder = Path(directory)
    tables, unread = _read_folder(folder)
    found = _find_roles(tables)
    if not any(needs & set(found.roles) for needs in _LOOPS.values()):
        raise InputError(_nothing_found(folder, tables))
    history, stops, rejected, many = _try(write_page(found, Figures(late_min=DAY_MIN)).text, folder, found)
    page = write_page(found, Figures.of(history) if history else Figures())
    notes = Page()
    for said in stops:
        notes.remark(said, doubt=True)
    if rejected:
        rows = count(sum(rejected.values()), "row")
        notes.remark(
            f"{rows} rejected when these files were tried; the command says how to mend them:", doubt=many
        )
        for said in list(rejected)[:_SHOWN]:
            notes.remark(f"- {said}")
    for said in (*unread, *(f"{table.label}: not used" for table in tables if not table.used)):
        notes.remark(said)
    doubts = (*notes.doubts, *page.doubts)
    head = Page()
    head.remark(_title(found, bool(doubts), bool(stops)))
    text = "\n".join([*head.lines, *notes.lines, "", *page.lines, ""])
    files = tuple(_role_of(table, found, page) for table in tables)
    return Draft(text, doubts, files, tuple(unread), runs=not stops)


def _title(found: Found, doubts: bool, stops: bool) -> str:
    names = (product(table.headers.values()) for table in found.tables if table.used)
    products = sorted({name for name in names if name})
    export = f" (exported from {' and '.join(products)})" if products else ""
    said = f"How to read the tables in this folder{export}, drafted by `dealwright draft`."
    said += " Lines marked DOUBT are guesses: confirm or correct them." if doubts else ""
    return said + (" It does not run yet: the first doubts say why." if stops else "")


def _role_of(table: Table, found: Found, page: Page) -> FileRole:
    roles = [role for role, its in found.roles.items() if its is table] or ["lookup"] * bool(table.used)
    about = {"file", "from", "where", *table.settings}
    keys = dict.fromkeys(key for role in roles for key in page.keys.get(role, ()) if key not in about)
    return FileRole(table.file, table.sheet, tuple(roles), table.height, tuple(keys))


# files


def _read_folder(folder: Path) -> tuple[list[Table], list[str]]:
    """Read every file that may be a table; return what cannot be read with the reason."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}: give the folder that holds your tables")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in ".~")
    paths = [path for path in paths if path.suffix.lower() in _ENDINGS]
    if not paths:
        kinds = ", ".join(_ENDINGS)
        raise InputError(f"there is no table in {folder}: put your exports there, one file a table ({kinds})")
    tables, unread = [], []
    for path in paths:
        for sheet in _sheets(path):
            try:
                tables.append(_read_one(path, {} if sheet is None else {"sheet": sheet}))
            except DealwrightError as error:
                unread.append(str(error))
    if not tables:
        raise InputError(f"no file in {folder} can be read as a table: {'; '.join(unread)}")
    return tables, unread


def _sheets(path: Path) -> list[str | None]:
    """Name the sheets of a workbook that has several."""
    if path.suffix.lower() not in _WORKBOOKS:
        return [None]
    import fastexcel

    try:
        names = fastexcel.read_excel(path.read_bytes()).sheet_names
    except (fastexcel.FastExcelError, OSError):  # the reader says what is wrong with it
        return [None]
    return list(names) if len(names) > 1 else [None]


def _read_one(path: Path, given: dict[str, Any]) -> Table:
    raw = read_table(path, Format(**given))
    if raw.frame.width == 1 and len(raw.frame.columns[0].split()) > 1:
        blanks = {**given, "separator": "whitespace"}
        by_blanks = read_table(path, Format(**blanks))
        raw, given = (by_blanks, blanks) if by_blanks.frame.height else (raw, given)
    table = Table(path.name, raw, given)
    if raw.frame.width < 2 or not table.height:
        what = "has a header and no rows" if raw.frame.width > 1 else "has a single column"
        raise InputError(f"{table.label} {what}: it is no table")
    if table.unclear:
        _settle_order(table)
    return table


def _settle_order(table: Table) -> None:
    """Guess whether day or month comes first: from what the dates would be then, else from the language."""
    start, end = table.start, table.first("won_at", "closed")
    wrong, span = {}, {}
    for order in ("dmy", "mdy"):
        rows = table.written("date_order", order)
        frame = pl.DataFrame([rows.coercion.moment(name, utc=True).values for name in table.unclear])
        days = pl.concat(list(frame), rechunk=True).dt.epoch("d").drop_nulls().to_list()
        both = start in frame.columns and end in frame.columns
        early = int((frame[str(end)] < frame[str(start)]).sum()) if both else 0
        wrong[order] = early - len(days)
        span[order] = max(days) - min(days) + 1
    if wrong["dmy"] != wrong["mdy"]:
        order, why = min(wrong, key=lambda o: wrong[o]), "otherwise deals would close before they begin"
    elif max(span.values()) > 3 * min(span.values()):
        order = min(span, key=lambda o: span[o])
        why = f"then they lie within {span[order]} days, otherwise within {max(span.values())}"
    else:
        dollars = any(c.values.head(50).str.contains("$", literal=True).any() for c in table.columns.values())
        order = "mdy" if table.language == "English" and dollars else "dmy"
        why = f"usual with {table.language} headers{' and amounts in $' if order == 'mdy' else ''}"
    first = "month" if order == "mdy" else "day"
    why = f"no day in {', '.join(table.unclear)} is above 12; taken as {first} first, because {why}"
    table.declare("date_order", order, why.replace("because usual", "as is usual"))


# which table is what


def _find_roles(tables: list[Table]) -> Found:
    """Give every role to the table that suits it best."""
    found = Found(tables, {})
    free = list(tables)

    def take(role: str, candidates: list[Table]) -> None:
        if candidates:
            found.roles[role] = max(candidates, key=lambda table: table.height)
            free.remove(found.roles[role])

    for role in ("history", "touches", "staff", "reps"):
        take(role, [table for table in free if _serves(table, role) and _likeness_to_leads(table) < 4])
    leads = max(free, key=_likeness_to_leads, default=None)
    if leads is not None and _likeness_to_leads(leads) >= 4:
        take("assignments", [leads])
        outcome = _find_bookings(leads, free)
        found.roles |= {"bookings": leads} if outcome is leads else {}
        take("bookings", [outcome] if outcome in free else [])
        owners = _find_agents(found, leads, free)
        found.roles |= {"agents": leads}
        take("agents", [owners] if owners else [])
    orders = [table for table in free if _is_orders(table)]
    take("orders", [table for table in orders if table.called == "orders"] or orders)
    likeness = {id(table): _likeness_to_accounts(table, found) for table in free}
    most = max(likeness.values(), default=0)
    take("accounts", [table for table in free if likeness[id(table)] == most >= 3])
    return found


def _serves(table: Table, role: str) -> bool:
    """Tell whether a table can be nothing but earlier snapshots of accounts, touches, staff or reps."""
    if role == "history":
        return bool(table.first("snapshot_at") and table.of(role, "account_id"))
    if role == "touches":
        return all(table.of(role, field) for field in ("account_id", "touched_at", "action", "response"))
    if role == "staff":
        return bool(table.first("patterns", "hours_per_week", "from_min") and table.of(role, "rep_id"))
    people = table.called in ("reps", "agents") or table.first("home_lat_deg") is not None
    return people and all(table.of(role, field) for field in ("rep_id", "home_lat_deg", "home_lon_deg"))


def _likeness_to_leads(table: Table) -> int:
    """Say how much a table looks like leads: who got which, when, and what became of them."""
    known = table.start is not None and table.columns[table.start].meaning is not None
    if table.start is None or not (known or outcomes(table, table.first("status"))):
        return 0
    signs = {
        ("agent_id", "owner"): 3,
        ("deal_id",): 2,
        ("status", "is_won"): 2,
        ("row_id",): 1,
        ("closed", "won_at"): 1,
    }
    score = sum(weight for names, weight in signs.items() if table.first(*names))
    return score + {"assignments": 3, "accounts": -4, "orders": -4, "agents": -4}.get(table.called or "", 0)


def _find_bookings(leads: Table, free: list[Table]) -> Table | None:
    """Find the table of outcomes: one that refers to the leads, or the leads themselves."""
    ids, own = leads.of("assignments", "id"), leads.first("status", "is_won")
    shares: list[tuple[float, int]] = []
    for place, table in enumerate(free):
        key, status = table.of("bookings", "assignment"), table.first("status")
        if ids and key and table.first("status", "won_at", "closed"):
            share = leads.columns[ids].holds(table.columns[key].values)
            if share > _LIKE and (own is None or outcomes(table, status) > outcomes(leads, own)):
                shares.append((share, -place))
    return free[-max(shares)[1]] if shares else leads if own else None


def _find_agents(found: Found, leads: Table, free: list[Table]) -> Table | None:
    """Find the table whose ids or names own the leads; note in `found` which columns join the two."""
    found.owner = leads.of("assignments", "agent")
    found.agent_id = [found.owner] if found.owner else []
    best, chosen = 0.0, None
    for owner in leads.every("agent_id", "owner"):
        values = leads.columns[owner].values
        for table in free:
            share, key = table.key_for(values, owner)
            if share > max(best, _LIKE) and table.height <= 3 * values.len() + 50:
                best, chosen, found.owner, found.agent_id = share, table, owner, key
    return chosen


def _is_orders(table: Table) -> bool:
    """Tell whether a table holds dated amounts of customers, with several of one customer."""
    account = table.of("orders", "account_id")
    if account is None or not (table.of("orders", "ordered_at") and table.of("orders", "amount_eur")):
        return False
    column = table.columns[account]
    return table.called == "orders" or column.values.len() < 0.8 * column.filled * table.height


def _likeness_to_accounts(table: Table, found: Found) -> int:
    key = table.of("accounts", "id")
    if key is None or not table.columns[key].is_key:
        return 0
    signs = {("customer_id",): 3, ("churned",): 3, ("latitude", "outbound_cc", "ecom_self"): 1}
    score = sum(weight for names, weight in signs.items() if table.first(*names))
    for role in {"orders", "touches"} & set(found.roles):
        other = found.roles[role]
        account = other.of(role, "account_id")
        score += 3 if account and table.key_for(other.columns[account].values)[0] > _LIKE else 0
    return score + {"accounts": 3, "agents": -3, "orders": -3}.get(table.called or "", 0)


def _nothing_found(folder: Path, tables: list[Table]) -> str:
    for table in tables:
        if (
            table.start is None
            and table.first("owner", "agent_id", "deal_id")
            and table.first("status", "is_won")
        ):
            return (
                f"{table.label} looks like leads, but no column says when each was given to its owner "
                f"(created, assigned): export that date as well; its columns are {', '.join(table.columns)}"
            )
    people = all(table.first("name", "last_name", "email", "owner", "agent_id") for table in tables)
    what = "only people" if people else "no leads, accounts or orders"
    seen = "; ".join(f"{table.label} ({', '.join(list(table.columns)[:8])})" for table in tables)
    return (
        f"{folder} holds {what}: {seen}. The desk needs a table of leads (whose, since when, what became of "
        "them), the plan one of accounts or orders (customer, date, amount): put it there"
    )


# the trial


def _try(text: str, folder: Path, found: Found) -> tuple[History | None, list[str], dict[str, int], bool]:
    """Read the tables by the draft: the history, what stops it, what it rejects, and whether that is much."""
    history: History | None = None
    stops: list[str] = []
    rejected: dict[str, int] = {}
    much = False
    for loop in [loop for loop, needs in _LOOPS.items() if needs & set(found.roles)]:
        try:
            company = parse_mapping(text, "company.toml")
            if loop == "import":
                history = read_history(company, folder)
                intake = history.intake
            else:
                intake = read_plan_inputs(schema=company, directory=folder).intake
            said, many = _rejections(intake)
            rejected |= said
            much |= many
            if loop == "import":
                intake.check_share(company.max_rejected_share)
        except DealwrightError as error:
            stops.append(f"{loop} stops: {error}")
    return history, stops, rejected, much


def _rejections(intake: Intake) -> tuple[dict[str, int], bool]:
    """Count the rows that are rejected, by kind, and tell whether they are more than a report's footer."""
    most: dict[str, float] = {}
    for report in intake.tables.values():  # several tables may be taken out of one file
        most[report.file] = max(most.get(report.file, _FOOTER), MANY * report.rows)
    bad = intake.grouped().filter(pl.col("level") == "rejected")
    said: dict[str, int] = {}
    many = False
    for row in bad.iter_rows(named=True):
        many |= row["rows"] > most[row["file"]]
        column = "" if row["column"] == "(row)" else f"{row['column']} "
        first = f"line {row['line']}" if row["rows"] == 1 else f"{row['rows']:,} rows from line {row['line']}"
        said[f"{row['file']}, {first}: {column}{row['reason']}"] = row["rows"]
    return said, many
