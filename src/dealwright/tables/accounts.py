"""The accounts: ids, positions, labels, consents, features and roles out of a company's own columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from dealwright.errors import InputError, UnknownNameError
from dealwright.schemas import (
    ACCOUNT_ROLES,
    ALWAYS,
    CHANNELS,
    CHURNED,
    FUTURE_VALUE,
    PREFERRED_CHANNEL,
    AccountSchema,
    consent_column,
)
from dealwright.tables.fields import ACCOUNT_FIELDS, NUMERIC, POLARS_TYPES, ROLE_FIELDS, Field, Kind
from dealwright.tables.mapping import AccountMap, CompanyMap, Label, Source, TableMap
from dealwright.tables.sources import Sources
from dealwright.tables.validation import Rows

_FEW_VALUES: Final = 50  # undeclared text with at most so many values is a category
_OWN: Final = "role_"  # begins the name of a role's column where a feature of another type has that name
_CANONICAL: Final = {"id": "account_id", "latitude": "lat_deg", "longitude": "lon_deg"}


def feature_kinds(company: CompanyMap) -> dict[str, Field]:
    """Return how each feature is read."""
    said = company.accounts
    return {
        **dict.fromkeys(said.numeric, NUMERIC),
        **dict.fromkeys(said.allowed, Field()),
        **dict.fromkeys(said.moments, Field("local")),
    }


def read_accounts(company: CompanyMap, sources: Sources) -> Rows:
    """Read the accounts' fields, labels, consents, features and roles; other columns stay as they are."""
    said, table = company.accounts, company.table("accounts")
    rows = sources.rows("accounts", _asked(company))
    derived = sources.shares("accounts") is not None
    if derived:
        rows.keep_first("id")
    for name, source in table.fields.items():
        if name != "preferred_channel":
            rows.read(name, ACCOUNT_FIELDS[name], source, into=_CANONICAL[name])
    if not derived:
        rows.once("id", rows.frame["account_id"], "keep one row per id (the first one was kept)")
    if "latitude" in table.fields:
        half = (rows.frame["lat_deg"].is_null() != rows.frame["lon_deg"].is_null()) & rows.good
        fix = "give both latitude and longitude, or neither"
        rows.reject(half, rows.label("latitude"), "only half a position", fix)
    for name, label in said.labels.items():
        _read_label(company, rows, name, label)
    _read_channels(company, rows)
    _read_features(company, rows)
    for role, source in said.roles.items():
        _read_role(rows, role, source)
    _close_past_midnight(company, rows)
    if not derived:
        taken = {*rows.frame.columns, *rows.used}
        rows.frame = rows.frame.with_columns(
            rows.raw.frame.select(name for name in rows.raw.frame.columns if name not in taken)
        )
    return rows


def _asked(company: CompanyMap) -> dict[str, str]:
    """Return the columns of the accounts that the mapping names, and where it does."""
    said = company.accounts
    asked = dict.fromkeys(feature_kinds(company), "accounts")
    asked |= {label.column: f"accounts.labels.{name}" for name, label in said.labels.items()}
    asked |= {
        known: f"accounts.known_from.{name}"
        for name, known in said.known_from.items()
        if isinstance(known, str) and known != ALWAYS
    }
    for part in ("consent", "roles"):
        sources = getattr(said, part)
        asked |= {c: f"accounts.{part}.{name}" for name, s in sources.items() for c in s.columns}
    return asked


def _read_channels(company: CompanyMap, rows: Rows) -> None:
    """Read who may be reached on which channel, and who prefers which."""
    for channel, source in company.accounts.consent.items():
        rows.read(channel, Field("flag"), source, into=consent_column(channel))
    preferred = company.table("accounts").fields.get("preferred_channel")
    if preferred is not None:
        rows.read(PREFERRED_CHANNEL, Field(), preferred)
        _blank_unknown(rows, PREFERRED_CHANNEL, CHANNELS, f"use one of: {', '.join(CHANNELS)}")


def _read_features(company: CompanyMap, rows: Rows) -> None:
    """Read the columns that models learn from, and the days since when they are known."""
    kinds, said = feature_kinds(company), company.accounts
    _refuse_clashes(rows, kinds)
    for name, field in kinds.items():
        rows.read(name, field, Source((name,)))
    for name, allowed in said.allowed.items():
        if allowed is not None:
            fix = "add it to the declared categories, or mend the spelling"
            _blank_unknown(rows, name, allowed, fix)
    for known in said.known_from.values():
        if isinstance(known, str) and known != ALWAYS and known not in rows.frame.columns:
            rows.read(known, Field("local"), Source((known,)))


def _refuse_clashes(rows: Rows, features: Iterable[str]) -> None:
    for name in features:
        if name in rows.frame.columns:
            raise InputError(
                f"accounts: the feature {name!r} has the name the plan gives to another column; rename it"
            )


def _read_label(company: CompanyMap, rows: Rows, name: str, label: Label) -> None:
    """Read a label; a word that means neither yes nor no is refused by name."""
    source = Source((label.column,))
    if name == FUTURE_VALUE:
        rows.read(name, NUMERIC, source)
        return
    words = rows.parsed("text", source)[0].values
    folded = words.str.to_lowercase()
    if label.positive is None:
        if folded.is_in(["active", "inactive"]).any():  # yes and no elsewhere, but who is active has not left
            raise InputError(
                f"{rows.original.file}, column {label.column!r}: 'active' and 'inactive' do not answer "
                f'{name}: write accounts.labels.{name} = {{ column = "{label.column}", is = "inactive" }} '
                f"in {company.path}"
            )
        rows.read(name, Field("flag"), source)
        return
    yes = label.positive.strip().lower()
    distinct = folded.drop_nulls().unique(maintain_order=True)
    if distinct.len() and not distinct.is_in([yes]).any():
        shown = ", ".join(map(repr, words.drop_nulls().unique(maintain_order=True).sort().head(5)))
        raise InputError(
            f"{rows.original.file}: no row has {label.column} = {label.positive!r} "
            f"({company.path}: accounts.labels.{name}.is): there are {shown}"
        )
    others = folded.filter(folded != yes).value_counts(sort=True)
    if others.height > 1:
        counts = ", ".join(f"{word!r} ({count:,})" for word, count in others.head(8).iter_rows())
        raise InputError(
            f"{rows.original.file}, column {label.column!r}: beside {label.positive!r} there are "
            f"{others.height} other words: {counts}; a label has two words. Empty the cells of which nothing "
            "is known, or leave those rows out with where under [accounts]"
        )
    rows.frame = rows.frame.with_columns((folded == yes).alias(name))


def _blank_unknown(rows: Rows, name: str, allowed: Iterable[str], fix: str) -> None:
    """Treat values outside the declared ones as missing, and say which they were."""
    column = rows.frame[name]
    unknown = ~column.is_in(list(allowed)) & column.is_not_null()
    if unknown.any():
        values = ", ".join(map(repr, column.filter(unknown).unique().sort().head(3)))
        rows.frame = rows.frame.with_columns(column.set(unknown, None))
        rows.note(
            name,
            int(unknown.sum()),
            f"unknown category {values}: treated as missing",
            fix,
            level="warning",
        )


def _read_role(rows: Rows, role: str, source: Source) -> None:
    """Read a column that plays a role; a feature that is read otherwise stays beside it as it is."""
    field, own, column = ROLE_FIELDS[role], _OWN + role, _role_column(role, source)
    feature = rows.frame.get_column(column, default=None)
    judged = field is NUMERIC or field.kind == "text"
    if judged and feature is not None and feature.dtype == POLARS_TYPES[field.kind]:
        return
    flags = False
    if field is NUMERIC:
        bad = {kind: int(rows.parsed(kind, source)[0].failed.sum()) for kind in ("number", "flag")}
        flags = bad["flag"] < bad["number"]  # such as "has an open issue: yes"
        if feature is not None and min(bad.values()) > 0.5 * feature.count():
            fix = "map a column of numbers or of yes and no, or leave the role out"
            rows.note(column, 0, f"words, so it cannot play the role {role}", fix, level="warning")
            return
    values = rows.read(role, Field("flag") if flags else field, source, into=own)
    if flags:
        rows.frame = rows.frame.with_columns(values.cast(pl.Float64).alias(own))
    if feature is None or feature.dtype == rows.frame[own].dtype:
        rows.frame = rows.frame.with_columns(rows.frame[own].alias(column)).drop(own)


def _close_past_midnight(company: CompanyMap, rows: Rows) -> None:
    """Let who opens at 16:00 and closes at 01:00 close at 25:00."""
    opens, closes = (_played_by(company, rows, role) for role in ("opens_min", "closes_min"))
    if opens is not None and closes is not None:
        later = pl.when(pl.col(closes) <= pl.col(opens)).then(pl.col(closes) + 24 * 60).otherwise(closes)
        rows.frame = rows.frame.with_columns(later.alias(closes))


def account_schema(company: CompanyMap, rows: Rows, as_of: datetime) -> AccountSchema:
    """Return what the columns of the accounts that were read are; dates may not lie after the cut-off."""
    said, table = company.accounts, company.table("accounts")
    _check_dates(company, rows, as_of)
    return AccountSchema(
        numeric=said.numeric,
        categorical=said.allowed,
        dates=said.moments,
        dates_ahead=said.dates_ahead,
        consent=tuple(said.consent),
        roles={
            role: column for role in said.roles if (column := _played_by(company, rows, role)) is not None
        },
        known_from=dict[str, Any](said.known_from),
        has_position="latitude" in table.fields,
        has_churn_label=CHURNED in said.labels,
        has_value_label=FUTURE_VALUE in said.labels,
        has_preferred_channel="preferred_channel" in table.fields,
    )


def _check_dates(company: CompanyMap, rows: Rows, as_of: datetime) -> None:
    for name in company.accounts.moments:
        if name in company.accounts.dates_ahead:
            continue
        late = (rows.frame[name] > as_of).fill_null(value=False)
        if late.sum() > 0.5 * len(late):
            raise InputError(
                f"accounts: column {name!r} lies after the cut-off {as_of:%Y-%m-%d} in "
                f"{int(late.sum()):,} of {len(late):,} rows; if it may (such as the end of a contract), "
                "add it to dates_ahead, else set --as-of"
            )
        rows.reject(
            late,
            name,
            "in the future",
            "mend the date; dates that may lie ahead belong to dates_ahead",
            name,
        )


def _played_by(company: CompanyMap, rows: Rows, role: str) -> str | None:
    """Return the column that plays a role; None where there is none of its type."""
    source = company.accounts.roles.get(role)
    names = () if source is None else (_OWN + role, _role_column(role, source))
    kind = POLARS_TYPES[ROLE_FIELDS[role].kind]
    return next((name for name in names if rows.frame.schema.get(name) == kind), None)


def _role_column(role: str, source: Source) -> str:
    """Name the column that plays a role: the user's own, or the role's where it is put together."""
    return source.columns[0] if len(source.columns) == 1 else role


def complete(company: CompanyMap, sources: Sources) -> CompanyMap:
    """Declare accounts where the user declared none: out of the orders, or by canonical names and types."""
    if "accounts" in sources.given:
        table, said = recognise(sources.raw("accounts"))
    elif sources.has("orders"):
        column = company.table("orders").fields.get("account_id", Source(("account_id",)))
        table = TableMap("accounts", taken_from="orders", fields={"id": column})
        table, said = replace(table, format=company.table("orders").format), AccountMap()
    else:
        raise InputError(
            "nothing to plan: give --accounts FILE or --orders FILE, a folder with --map company.toml, or "
            "--world barcelona for a synthetic company"
        )
    return replace(company, tables={**company.tables, "accounts": table}, accounts=said)


def recognise(raw: Any) -> tuple[TableMap, AccountMap]:
    """Declare the columns of accounts by canonical names and types."""
    names = set(raw.frame.columns)
    if "account_id" not in names:
        raise InputError(
            f"accounts: {UnknownNameError('column', 'account_id', raw.frame.columns)}; or declare the "
            "columns in a file for --map (`dealwright draft` writes one)"
        )
    rows = Rows(TableMap("accounts"), raw)
    special = {"account_id", "lat_deg", "lon_deg", "name", "rep_id", "time_zone", PREFERRED_CHANNEL}
    special |= {"address", "contact", "phone"}
    special |= {"visit_min", "opens_min", "closes_min", CHURNED, FUTURE_VALUE, *map(consent_column, CHANNELS)}
    kinds: dict[str, list[str]] = {"number": [], "local": [], "text": []}
    for name in raw.frame.columns:
        if name not in special:
            kind = _recognised(rows, name)
            if kind is not None:
                kinds[kind].append(name)
    fields = {"id": Source(("account_id",))}
    if {"lat_deg", "lon_deg"} <= names:
        fields |= {"latitude": Source(("lat_deg",)), "longitude": Source(("lon_deg",))}
    if PREFERRED_CHANNEL in names:
        fields["preferred_channel"] = Source((PREFERRED_CHANNEL,))
    found = AccountMap(
        numeric=tuple(kinds["number"]),
        categorical=tuple(kinds["text"]),
        dates=tuple(kinds["local"]),
        labels={name: Label(name) for name in (CHURNED, FUTURE_VALUE) if name in names},
        consent={c: Source((consent_column(c),)) for c in CHANNELS if consent_column(c) in names},
        roles={role: Source((role,)) for role in ACCOUNT_ROLES if role in names},
    )
    return TableMap("accounts", fields=fields), found


def _recognised(rows: Rows, name: str) -> Kind | None:
    """Guess what a column holds: numbers, times, or a category of few values."""
    cells = rows.raw.frame[name]
    if cells.dtype.is_numeric() or cells.dtype == pl.Boolean:
        return "number"
    if cells.dtype.is_temporal():
        return "local"
    text = rows.coercion.cleaned(name).drop_nulls()
    if not text.len():
        return None
    for kind in ("number", "local"):
        try:
            if not rows.parsed(kind, Source((name,)))[0].failed.any():
                return kind
        except InputError:  # ambiguous: it must be declared to be used
            return None
    return "text" if text.n_unique() <= _FEW_VALUES else None
