"""Read any table as its file holds it, every row with the line it starts on.

Text files come as text: Polars parses the fields, and NumPy finds the lines from the positions of line
breaks, separators and quotes, so that a row after a field with line breaks inside still names its true line,
and a row with too many or too few fields is kept apart instead of being padded. Files whose quotes are
irregular (one inside an unquoted field) go through Python's csv module, which is slower and more forgiving.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError

_SEPARATORS: Final = (";", "\t", "|", ",")  # where two explain a file equally well, the earlier one wins
_CONSISTENT: Final = 0.9  # share of rows as wide as the header from which a separator explains the file
_NAMES_OF_SEPARATORS: Final = {"\t": "tab", " ": "blank"}
_TEXT_OIDS: Final = (1009, 1015)  # text[] and varchar[] in PostgreSQL's catalogue
_CASTS: Final[dict[Any, tuple[int, ...]]] = {
    pl.Int64: (20, 21, 23, 26),
    pl.Float64: (700, 701, 1700),
    pl.Boolean: (16,),
    "%Y-%m-%d": (1082,),
    "%Y-%m-%d %H:%M:%S%.f": (1114,),
    "%Y-%m-%d %H:%M:%S%.f%#z": (1184,),
}


@dataclass(frozen=True)
class Format:
    """How a file is written; what is None or () is detected.

    Attributes
    ----------
    encoding
        As Python names it.
    separator
        One character, or "whitespace" where any number of blanks separates the fields.
    decimal, thousands
        The signs of numbers; thousands "" where there is none.
    date_formats
        strptime patterns, tried in this order.
    date_order
        Of day, month and year in dates written with numbers alone.
    time_zone
        Of times that carry none, and the zone whose clock naive results show.
    null_values
        The words for missing instead of the usual ones; an empty cell is always missing.
    columns
        The names of the columns of a file without a header.
    sheet
        Of a workbook; the first one by default.
    query
        For a database: a SELECT, or the name of a table.
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    thousands: str | None = None
    date_formats: tuple[str, ...] = ()
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    time_zone: str = "UTC"
    null_values: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    sheet: str | None = None
    query: str | None = None


@dataclass(frozen=True)
class RaggedRow:
    """A row with too many or too few fields."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RawTable:
    """A table as it came.

    Attributes
    ----------
    file
        Its name, for messages.
    frame
        The columns under the user's own names, stripped. Text files: String, cells exactly as in the file, an
        empty one null; anything else: native types.
    lines
        Physical line (text), row of the sheet (workbook) or number of the row, from 1.
    ragged
        Rows whose number of fields is not the header's; they are not in `frame`.
    format
        As given, with what was detected filled in.
    found
        What was detected, for people.
    """

    file: str
    frame: pl.DataFrame
    lines: pl.Series
    ragged: tuple[RaggedRow, ...]
    format: Format
    found: tuple[str, ...]

    def cells(self, rows: Sequence[int]) -> pl.DataFrame:
        """Return all columns of these rows exactly as they came, as text."""
        return pl.DataFrame([as_text(column) for column in self.frame[list(rows)].iter_columns()])


def as_text(column: pl.Series) -> pl.Series:
    """Write a column of any type the way a person would: 12 for 12.0, ISO dates and times, lists with ;."""
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float() or kind.is_decimal():
        text = column.fill_nan(None) if kind.is_float() else column
        return text.cast(pl.String).str.replace(r"\.0+$", "")
    if isinstance(kind, pl.Datetime):
        midnight = (column.dt.time() == time()).all() if kind.time_zone is None else False
        zone = "" if kind.time_zone is None else "%:z"
        return column.dt.to_string("%Y-%m-%d" if midnight else f"%Y-%m-%dT%H:%M:%S%.f{zone}")
    if isinstance(kind, pl.List):
        return column.cast(pl.List(pl.String)).list.join(";", ignore_nulls=True)
    if kind == pl.Object or isinstance(kind, pl.Struct):
        return pl.Series(column.name, [None if cell is None else str(cell) for cell in column], pl.String)
    return column.cast(pl.String, strict=False)


def read_table(source: Path | str | Any, given: Format = Format(), name: str = "") -> RawTable:
    """Read a file, a query of a PostgreSQL database, or any data frame that narwhals knows.

    Parameters
    ----------
    source
        A path (delimited text, JSON Lines, Parquet, a workbook), ``postgresql://…``, or a data frame.
    given
        How it is written, where that is not to be detected.
    name
        What messages call it; by default the name of the file.

    Raises
    ------
    InputError
        The source cannot be used at all; the message names the place and the fix.
    """
    if isinstance(source, str) and re.match(r"postgres(ql)?://", source):
        return _read_database(source, given, name)
    if isinstance(source, str | Path):
        return _read_file(Path(source), given, name or Path(source).name)
    return _read_frame(source, given, name or "the data frame")


def _read_file(path: Path, given: Format, file: str) -> RawTable:
    """Read a file as what its first bytes say it is: endings lie, above all those of workbooks."""
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise InputError(f"{file}: {path} is a folder; give the file in it") from None
    except OSError as error:
        raise InputError(f"{file}: cannot read {path}: {error.strerror}; check the path") from None
    ending = path.suffix.lower()
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _read_workbook(content, given, file, ending)
    if content.startswith(b"PAR1"):
        try:
            return _read_frame(pl.read_parquet(content), given, file)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{file}: the Parquet file is damaged ({error}); write it again") from None
    if content.startswith(b"\x1f\x8b"):
        raise InputError(f"{file} is compressed with gzip; unpack it and give the file in it")
    content, encoding = _decode(content, given.encoding, file)
    if not content.strip():
        raise InputError(f"{file} is empty: it needs a header line with the column names, and rows")
    if re.match(rb"\s*<(!doctype|html|table|\?xml)", content, re.IGNORECASE):
        raise InputError(
            f"{file} is a web page or XML, not a table; open it in a spreadsheet and save it as CSV"
        )
    given = replace(given, encoding=encoding)
    found = (f"encoding {encoding}",)
    if ending in (".jsonl", ".ndjson"):
        return _read_json_lines(content, given, file, found)
    return _read_text(content, given, file, found)


def _table(
    file: str,
    frame: pl.DataFrame,
    lines: pl.Series | None,
    given: Format,
    *,
    found: Iterable[str] = (),
    ragged: tuple[RaggedRow, ...] = (),
    header: tuple[Sequence[str | None], str] | None = None,
) -> RawTable:
    """Name the columns (the header's cells and its place, else the frame's own names) and build the table."""
    cells, place = header or (frame.columns, "the header")
    names: dict[str, int] = {}
    nameless = []
    for number, cell in enumerate(cells, 1):
        column = (cell or "").strip()
        if not column:
            column = f"column {number}"
            nameless.append(column)
        if column in names:
            raise InputError(
                f"{file}, {place}: columns {names[column]} and {number} are both {column!r}; rename one"
            )
        names[column] = number
    frame.columns = list(names)
    # spreadsheets write separators for columns that once held something
    frame = frame.drop([column for column in nameless if frame[column].null_count() == frame.height])
    if lines is None:
        lines = pl.int_range(1, frame.height + 1, eager=True)
    return RawTable(file, frame, lines.alias("line").cast(pl.Int64), ragged, given, tuple(found))


def _decode(raw: bytes, declared: str | None, file: str) -> tuple[bytes, str]:
    """Return a text file as UTF-8 with single newlines as line breaks, and the encoding it had."""
    encoding = declared or _encoding(raw, file)
    try:
        plain = codecs.lookup(encoding).name in ("utf-8", "ascii", "utf-8-sig")
        # decoding is the check; text that is UTF-8 already stays the bytes it is
        text = "" if plain and raw.isascii() else raw.decode("utf-8" if plain else encoding)
    except LookupError:
        raise InputError(
            f'{file}: unknown encoding {encoding!r} under [format]; write "utf-8", "cp1252" or "utf-16"'
        ) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise InputError(
            f"{file}, line {line}, byte {column} of the line (0x{raw[error.start]:02x}): not "
            f'{encoding.upper()}; write encoding = "…" under [format] (such as "utf-8", "cp1252", "cp850", '
            '"mac-roman"), or save the file as UTF-8'
        ) from None
    content = raw.removeprefix(codecs.BOM_UTF8) if plain else text.removeprefix("\ufeff").encode()
    del text
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise InputError(f"{file}, line {line}: a NUL byte, so this is no text file; export it as CSV")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content, encoding


def _encoding(raw: bytes, file: str) -> str:
    """Detect how text is encoded: UTF-16, UTF-8 where it is valid, else Windows-1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in raw and len(raw) % 2 == 0:
        data = np.frombuffer(raw, dtype=np.uint8)
        high, low = (data[::2] == 0).mean(), (data[1::2] == 0).mean()
        if max(high, low) > 0.3 and max(high, low) > 5 * min(high, low):
            return "utf-16-be" if high > low else "utf-16-le"
    try:
        if not raw.isascii():
            raw.decode("utf-8")
    except UnicodeDecodeError as error:
        text = raw.decode("utf-8", "replace")
        wrong = text.count("\ufffd")
        # accents of Windows-1252 hardly ever look like UTF-8: where many do, the file is UTF-8 with damage
        if len(raw.decode("utf-8", "ignore").encode("ascii", "ignore")) + 2 * wrong < len(text):
            line = raw.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{file}, line {line}: UTF-8 with a damaged character (0x{raw[error.start]:02x}); correct it, "
                'or write encoding = "cp1252" (or what it is) under [format]'
            ) from None
        return "cp1252"
    return "utf-8"


# delimited text


@dataclass(frozen=True)
class _Rows:
    """The rows of a text: byte offsets, physical lines, numbers of fields (0: blank), the cells if split."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    widths: NDArray[np.int64]
    cells: list[list[str]] | None = None


def _read_text(content: bytes, given: Format, file: str, found: tuple[str, ...]) -> RawTable:
    hint = re.match(rb'"?sep=(.)"?\n', content)  # Excel's own first line
    if hint:
        content = b"\n" + content[hint.end() :]
        given = replace(given, separator=given.separator or hint[1].decode())
    if given.separator == "whitespace":
        content = re.sub(rb"(?m)^ | $", b"", re.sub(rb"[ \t]+", b" ", content))
    separator, rows = _split(content, given, file)
    if given.separator is None:
        given = replace(given, separator=separator)
        found = (*found, f"separator {_NAMES_OF_SEPARATORS.get(separator, separator)}")
    filled = np.flatnonzero(rows.widths > 0)
    width = len(given.columns) or int(rows.widths[filled[0]])
    header = (list(given.columns), "columns under [format]") if given.columns else (
        _cells(content, rows, filled[0], separator), f"line {rows.lines[filled[0]]}"
    )  # fmt: skip
    good = rows.widths == width
    if not given.columns:
        good[filled[0]] = False
        filled = filled[1:]
    ragged = []
    for row in filled[~good[filled]]:
        cells = tuple(_cells(content, rows, row, separator))
        if any(map(str.strip, cells)):
            ragged.append(RaggedRow(int(rows.lines[row]), cells))
    if given.columns and ragged and not good.any():
        raise InputError(
            f"{file}, line {ragged[0].line}: {len(ragged[0].cells)} fields, but columns under [format] names "
            f"{width}"
        )
    frame = _parse(content, rows, good, width, separator)
    lines = pl.Series(rows.lines[good])
    if width and frame.height and frame[:, 0].null_count():
        # rows of separators alone, which spreadsheets write below a table
        blank = frame.select(~pl.any_horizontal(pl.all().str.strip_chars() != "").fill_null(value=False))
        keep = ~blank.to_series()
        frame, lines = frame.filter(keep), lines.filter(keep)
    return _table(file, frame, lines, given, found=found, ragged=tuple(ragged), header=header)


def _split(content: bytes, given: Format, file: str) -> tuple[str, _Rows]:
    """Find the separator (the one that gives most rows as many fields as the header) and the rows."""
    header = re.sub(r'"[^"]*"', "", content.lstrip(b"\n").partition(b"\n")[0].decode())
    if given.separator is not None:
        separator = " " if given.separator == "whitespace" else given.separator
        if len(separator) != 1 or not separator.isascii() or separator in '"\n':
            raise InputError(
                f'{file}: separator = {separator!r} under [format] must be one character, or "whitespace"'
            )
        if separator not in header and not given.columns:
            other, _ = _split(content, replace(given, separator=None), file)
            if other in header:
                raise InputError(
                    f"{file}, line 1: no {separator!r} in the header, so it is not the separator: write "
                    f"separator = {json.dumps(other)} under [format], or leave it out"
                )
        return separator, _regular(content, separator) or _irregular(content, separator, file)
    body = content.lstrip(b"\n").partition(b"\n")[2]
    possible = [
        sign for sign in _SEPARATORS if sign in header and (sign.encode() in body or not body.strip())
    ]
    possible = possible or [","]
    found = {sign: rows for sign in possible if (rows := _regular(content, sign)) is not None}
    if not found:
        found = {sign: _irregular(content, sign, file) for sign in possible}

    def explains(sign: str) -> tuple[float, int]:
        widths = found[sign].widths[found[sign].widths > 0]
        width = len(given.columns) or widths[0]
        share = float((widths == width).mean())
        return (1.0 if share >= _CONSISTENT else share), int(width)

    best = max(found, key=explains)
    return best, found[best]


def _regular(content: bytes, separator: str) -> _Rows | None:
    """Find the rows of a text whose quotes all stand at the edge of a field; None if they do not."""
    data = np.frombuffer(content, dtype=np.uint8)
    newlines = np.flatnonzero(data == ord("\n"))
    separators = np.flatnonzero(data == ord(separator))
    quotes = np.flatnonzero(data == ord('"'))
    breaks = newlines
    if len(quotes):
        opening, closing = quotes[::2], quotes[1::2]
        edges = np.frombuffer(f'{separator}\n"'.encode(), dtype=np.uint8)
        if (
            len(quotes) % 2
            or not (np.isin(data[opening - 1], edges) | (opening == 0)).all()
            or not (np.isin(data[(closing + 1) % len(data)], edges) | (closing == len(data) - 1)).all()
        ):
            return None
        breaks = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        separators = separators[np.searchsorted(quotes, separators) % 2 == 0]
    starts = np.concatenate(([0], breaks + 1))
    ends = np.append(breaks, len(data))
    if starts[-1] >= len(data):  # the text ends with a line break
        starts, ends = starts[:-1], ends[:-1]
    widths = np.diff(np.searchsorted(separators, np.append(starts, len(data)))) + 1
    widths[starts == ends] = 0
    return _Rows(starts, ends, np.searchsorted(newlines, starts) + 1, widths)


def _irregular(content: bytes, separator: str, file: str) -> _Rows:
    """Find and split the rows the way Python's csv module does."""
    reader = csv.reader(io.StringIO(content.decode(), newline="\n"), delimiter=separator)
    cells: list[list[str]] = []
    lines = [1]
    try:
        for row in reader:
            cells.append(row)
            lines.append(reader.line_num + 1)
    except csv.Error:  # a field beyond the module's limit: half of the file between two quotes
        raise _unclosed(file, lines[-1]) from None
    offsets = np.flatnonzero(np.frombuffer(b"\n" + content + b"\n", dtype=np.uint8) == ord("\n"))
    first = np.asarray(lines, dtype=np.int64)
    starts, ends = offsets[first[:-1] - 1], offsets[first[1:] - 1] - 1
    for long in np.flatnonzero(np.diff(first) > 1):  # a quote that closes by mistake swallows lines
        try:
            text = io.StringIO(content[starts[long] : ends[long]].decode(), newline="\n")
            list(csv.reader(text, delimiter=separator, strict=True))
        except csv.Error:
            raise _unclosed(file, lines[long]) from None
    return _Rows(starts, ends, first[:-1], np.asarray([len(row) for row in cells], dtype=np.int64), cells)


def _unclosed(file: str, line: int) -> InputError:
    return InputError(
        f'{file}, line {line}: a quote (") opens in this row and is not closed at the end of a field; close it, '
        'or write "" for a quote inside a quoted field'
    )


def _cells(content: bytes, rows: _Rows, row: int, separator: str) -> list[str]:
    if rows.cells is not None:
        return rows.cells[row]
    return _csv(content[rows.starts[row] : rows.ends[row]], separator)[0]


def _csv(content: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="\n"), delimiter=separator))


def _parse(content: bytes, rows: _Rows, good: NDArray[np.bool_], width: int, separator: str) -> pl.DataFrame:
    """Parse the good rows, as text; empty cells become null."""
    schema = {f"{number}": pl.String() for number in range(width)}
    count = int(good.sum())
    if not count:
        return pl.DataFrame(schema=schema)
    if rows.cells is None:
        turns = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
        runs = zip(rows.starts[turns[::2]], rows.ends[turns[1::2] - 1], strict=True)
        body = b"\n".join(content[start:end] for start, end in runs)
        try:
            frame = pl.read_csv(body, has_header=False, separator=separator, schema=schema)
        except pl.exceptions.PolarsError:  # quotes it does not read: the csv module does
            frame = pl.DataFrame(schema=schema)
        if frame.height == count:
            return frame.with_columns(pl.all().replace("", None)) if b'""' in body else frame
        cells = _csv(body, separator)
    else:
        cells = [rows.cells[row] for row in np.flatnonzero(good)]
    return pl.DataFrame(cells, schema=schema, orient="row").with_columns(pl.all().replace("", None))


# everything else


def _read_json_lines(content: bytes, given: Format, file: str, found: tuple[str, ...]) -> RawTable:
    """Read one JSON object a line; nested ones become columns a.b."""
    rows, lines = [], []
    for line, text in enumerate(content.decode().split("\n"), 1):
        if not text.strip():
            continue
        try:
            item = json.loads(text, parse_constant=_refuse_constant)
            if not isinstance(item, dict):
                raise ValueError("not an object; write {…} with the names of the columns")  # noqa: TRY004, TRY301
            row = dict(_flat(item))
            if "\\u" in text and "\0" in json.dumps(row, ensure_ascii=False).encode().decode(
                "unicode_escape"
            ):
                raise ValueError("a NUL character; leave it out")  # noqa: TRY301
        except ValueError as error:
            raise InputError(f"{file}, line {line}: {error}") from None
        rows.append(row)
        lines.append(line)
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])
    return _table(file, frame, pl.Series(lines, dtype=pl.Int64), given, found=found)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON; write null, or a number")


def _flat(item: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _column(name: str, values: list[Any]) -> pl.Series:
    """Build a column of one type; where the values have several, of text."""
    kinds = {type(value) for value in values if value is not None}
    try:
        if kinds == {list}:
            texts = [None if value is None else list(map(_word, value)) for value in values]
            return pl.Series(name, texts, dtype=pl.List(pl.String))
        if kinds <= {int, float} or kinds in ({str}, {bool}):
            return pl.Series(name, values, dtype=pl.Float64 if kinds == {int, float} else None)
    except (OverflowError, TypeError):
        pass
    return pl.Series(name, list(map(_word, values)), dtype=pl.String)


def _word(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_workbook(content: bytes, given: Format, file: str, ending: str) -> RawTable:
    """Read a sheet: its first filled row is the header; columns of mixed types come as text."""
    import fastexcel

    try:
        book = fastexcel.read_excel(content)
        sheet = given.sheet or book.sheet_names[0]
        if sheet not in book.sheet_names:
            names = ", ".join(map(repr, book.sheet_names))
            raise InputError(f"{file}: no sheet {sheet!r}; write sheet = one of {names} under [format]")
        text = book.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string").to_polars()
        text = text.with_columns(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))
        filled = (
            text.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
            if text.width
            else pl.Series([])
        )
        rows = filled.cast(pl.Boolean).arg_true()
        if not len(rows):
            raise InputError(f"{file}: the sheet {sheet!r} is empty; there are {', '.join(book.sheet_names)}")
        start = 0 if given.columns else int(rows[0]) + 1
        typed = book.load_sheet(sheet, header_row=None, skip_rows=start, schema_sample_rows=None).to_polars()
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file} is a workbook that cannot be read ({reason}): if it has a password or is no Excel or "
            "OpenDocument file, save it as .xlsx without one, or as CSV"
        ) from None
    header = list(given.columns) or text.row(start - 1)
    body = text[start:]
    if len(header) != body.width:
        raise InputError(f"{file}: {body.width} columns, but columns under [format] names {len(header)}")
    # a native type that loses a cell ("n/a" among dates) is not the column's type
    same = [
        typed[name]
        if typed.height == body.height and typed[name].null_count() == body[name].null_count()
        else body[name]
        for name in body.columns
    ]
    keep = filled[start:]
    frame = pl.DataFrame(same).filter(keep)
    found = [f"sheet {sheet!r}" + (f" of {len(book.sheet_names)}" if len(book.sheet_names) > 1 else "")]
    if ending not in (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"):
        found.insert(0, f"a workbook, though its name ends in {ending or 'nothing'}")
    lines = pl.int_range(start + 1, text.height + 1, eager=True).filter(keep)
    place = f"row {start} of sheet {sheet!r}"
    return _table(file, frame, lines, replace(given, sheet=sheet), found=found, header=(header, place))


def _read_frame(source: Any, given: Format, file: str) -> RawTable:
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if not isinstance(source, pl.DataFrame):
        import narwhals as nw

        try:
            native = nw.from_native(source)
        except TypeError:
            raise InputError(
                f"{file}: a {type(source).__name__} is no data frame; give a path, or a Polars or pandas one"
            ) from None
        if isinstance(native, nw.LazyFrame):
            native = native.collect()
        try:
            source = native.to_polars()
        except ImportError:  # pandas text columns need PyArrow; without it they go value by value
            source = pl.DataFrame([_by_value(column) for column in native.iter_columns()])
    while nested := [name for name, kind in source.schema.items() if isinstance(kind, pl.Struct)]:
        source = source.unnest(nested, separator=".")
    return _table(file, source.clone(), None, given)


def _by_value(column: Any) -> pl.Series:
    missing = column.is_null().to_list()
    values = [None if gone else value for value, gone in zip(column.to_list(), missing, strict=True)]
    return pl.Series(str(column.name), values, strict=False)


def _read_database(address: str, given: Format, name: str) -> RawTable:
    """Read a table or the rows of a SELECT, in a transaction that cannot write."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    query = (given.query or "").strip().rstrip(";").strip()
    table = re.fullmatch(r"\w+(\.\w+)?", query)
    file = name or (query if table else "the query")
    if not query:
        raise InputError(f'{file}: write query = "…" under [format]: the name of a table, or a SELECT')
    wanted = SQL("SELECT * FROM {}").format(Identifier(*query.split("."))) if table else SQL(query)
    try:
        parts = psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.Error:  # its message may quote a piece of the password
        raise InputError(
            f"{file}: the address of the database cannot be read; write postgresql://user@host/name, with %XX "
            "for special signs in the password"
        ) from None
    content = io.BytesIO()
    try:
        with psycopg.connect(address) as connection, connection.cursor() as cursor:
            connection.read_only = True
            cursor.execute("SET datestyle TO iso; SET timezone TO 'UTC'")
            cursor.execute(SQL("SELECT * FROM ({}) AS t LIMIT 0").format(wanted))
            columns = cursor.description or []
            with cursor.copy(SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(wanted)) as copy:
                for block in copy:
                    content.write(block)
    except (psycopg.Error, UnicodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if secret := parts.get("password"):
            reason = reason.replace(str(secret), "…")
        raise InputError(f"{file}: the database says: {reason}") from None
    rows = _regular(content.getvalue(), ",")
    names = [column.name for column in columns]
    assert rows is not None  # noqa: S101 - COPY quotes by the book
    frame = _parse(content.getvalue(), rows, rows.widths > -1, len(names), ",")
    typed = [_cast(frame[:, number], column.type_code) for number, column in enumerate(columns)]
    return _table(file, pl.DataFrame(typed), None, given, header=(names, "the query"))


def _cast(text: pl.Series, oid: int) -> pl.Series:
    """Give a column of a query its type; one that does not hold every value ('infinity') stays text."""
    if oid in _TEXT_OIDS:
        return text.str.strip_chars("{}").str.split(",").list.eval(pl.element().str.strip_chars('"'))
    kind = next((kind for kind, oids in _CASTS.items() if oid in oids), pl.String)
    if isinstance(kind, str):
        typed = text.str.strptime(pl.Datetime("us") if "%H" in kind else pl.Date, kind, strict=False)
    else:
        typed = text == "t" if kind == pl.Boolean else text.cast(kind, strict=False)
    return typed if typed.null_count() == text.null_count() else text
