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
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.schemas import to_polars
from dealwright.stats.arrays import Ints

csv.field_size_limit(2**31 - 1)  # a cell may hold a letter
_SEPARATORS: Final = {";": ";", "\t": "tab", "|": "|", ",": ","}  # of two equally good ones the first wins
_CONSISTENT: Final = 0.9  # share of rows as wide as the header from which a separator explains the file
_ABOVE: Final = 20  # lines among which the header is looked for under a title
_NO_NAME: Final = re.compile(r"[\d.,:;/%+\s-]+")  # a number or a date: no column is called so

JSON_LINES: Final = (".jsonl", ".ndjson", ".json")  # the endings of files with an object a line
PARQUET: Final = b"PAR1"  # the first bytes of a Parquet file
GUARDED: Final = r"^'('*[=@\t\r+-])"  # a cell of a file of rejected rows that a spreadsheet must not run


@dataclass(frozen=True)
class Format:
    """How a file is written; what is None or () is detected."""

    encoding: str | None = None
    separator: str | None = None  # one character, or "whitespace" for any number of blanks
    decimal: Literal[".", ","] | None = None
    thousands: str | None = None  # "" for none
    date_formats: tuple[str, ...] = ()  # strptime patterns, tried in order
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    time_zone: str = "UTC"  # of times that carry none, and of the clock that naive results show
    null_values: tuple[str, ...] | None = None  # words for missing instead of the usual ones
    columns: tuple[str, ...] = ()  # their names, where the file has no header
    sheet: str | None = None  # of a workbook; the first by default
    query: str | None = None  # of a database: a SELECT, or the name of a table


@dataclass(frozen=True)
class RaggedRow:
    """A row with too many or too few fields, or one that cannot be read at all: then it has a `reason`."""

    line: int
    cells: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True)
class RawTable:
    """A table as it came; its columns have the user's own names, stripped."""

    file: str  # its name, for messages
    frame: pl.DataFrame  # text files: cells exactly as written, empty ones null; else: native types
    lines: pl.Series  # physical line (text), row of the sheet (workbook), else the number of the row
    ragged: tuple[RaggedRow, ...]  # not in `frame`
    format: Format  # with what was detected filled in
    found: tuple[str, ...]  # what was detected, for people

    def cells(self, rows: Sequence[int]) -> pl.DataFrame:
        """Return all columns of these rows exactly as they came, as text."""
        return pl.DataFrame([as_text(column) for column in self.frame[list(rows)].iter_columns()])


def as_text(column: pl.Series) -> pl.Series:
    """Write a column of any type the way a person would: 12 for 12.0, ISO dates and times, lists with ;."""
    kind = column.dtype
    if kind.is_float() or kind.is_decimal():
        number = column.fill_nan(None) if kind.is_float() else column
        return number.cast(pl.String).str.replace(r"\.0+$", "")
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is None and (column.dt.time() == time()).all():
            return column.dt.to_string("%Y-%m-%d")
        return column.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if kind.time_zone else ""))
    try:
        if isinstance(kind, pl.List):
            return column.cast(pl.List(pl.String)).list.join(";", ignore_nulls=True).replace("", None)
        return column if kind == pl.String else column.cast(pl.String, strict=False)
    except pl.exceptions.PolarsError:  # objects, durations, lists of lists
        return pl.Series(
            column.name, [None if cell is None else str(cell) for cell in column.to_list()], pl.String
        )


def composed(text: str) -> str:
    """Write accented letters as one character each: macOS writes two, which look the same.

    ``^x$`` gets a space at its end: Polars takes a column of that name for a pattern.
    """
    text = text if text.isascii() else unicodedata.normalize("NFC", text)
    return f"{text} " if text.startswith("^") and text.endswith("$") else text


def column_name(text: str) -> str:
    """Return a column's name: `composed`, and on one line, where spreadsheets break it in narrow columns."""
    return composed(re.sub(r"\s*[\r\n]+\s*", " ", text))


def read_table(source: Path | str | Any, given: Format = Format(), name: str = "") -> RawTable:
    """Read a file, a query of a PostgreSQL database, or any data frame that narwhals knows.

    Parameters
    ----------
    source
        A path (delimited text, JSON Lines, Parquet, a workbook, a folder of Parquet files),
        ``postgresql://…``, or a data frame.
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
    if not isinstance(source, str | Path):
        return _read_frame(source, given, name or "the data frame")
    return _read_file(Path(source), given, name or Path(source).name)


def _read_file(path: Path, given: Format, file: str) -> RawTable:
    """Read a file, or a folder of Parquet files."""
    if path.is_dir():
        return _read_frame(_collected(scan_data_set(path), file), given, file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot read {path} ({error.strerror}); check the path") from None
    # what the first bytes say, for endings lie, above all those of workbooks
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return _read_workbook(content, given, file, path.suffix.lower())
    if content.startswith(PARQUET):
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
        raise InputError(f"{file} is a web page or XML; open it in a spreadsheet and save it as CSV")
    reads = _read_json_lines if path.suffix.lower() in JSON_LINES else _read_text
    return reads(content, replace(given, encoding=encoding), file, (f"encoding {encoding}",))


def _table(
    file: str,
    frame: pl.DataFrame,
    lines: pl.Series,
    given: Format,
    *,
    header: Sequence[str | None] | None = None,
    place: str = "the header",
    ragged: Iterable[RaggedRow] = (),
    found: Iterable[str] = (),
) -> RawTable:
    """Name the columns by the header's cells, else by their own names, and build the table."""
    names: dict[str, int] = {}
    unused = []
    for number, cell in enumerate(frame.columns if header is None else header, 1):
        name = column_name((cell or "").strip()) or f"column {number}"
        if name in names:
            raise InputError(
                f"{file}, {place}: columns {names[name]} and {number} are both {name!r}; rename one"
            )
        names[name] = number
        # spreadsheets write separators for columns that once held something
        if not (cell or "").strip() and frame[:, number - 1].null_count() == frame.height:
            unused.append(name)
    frame = _plain(frame.rename(dict(zip(frame.columns, names, strict=True))).drop(unused))
    lines = lines.alias("line").cast(pl.Int64)
    return RawTable(file, frame, lines, tuple(ragged), given, tuple(found))


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Take the apostrophes that `rejected` puts before formulas from its file once that is mended."""
    if not frame.width or frame.columns[-1].rstrip("_") != "reason":
        return frame
    names = {name: re.sub(GUARDED, r"\1", name) for name in frame.columns}
    return frame.with_columns(pl.col(pl.String).str.replace(GUARDED, "$1")).rename(names)


def _decode(raw: bytes, declared: str | None, file: str) -> tuple[bytes, str]:
    """Return a text file as UTF-8 with single newlines as line breaks, and the encoding it had."""
    encoding = declared or _encoding(raw)
    try:
        plain = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
        text = raw.decode("utf-8" if plain else encoding)
    except LookupError:
        raise InputError(
            f'{file}: unknown encoding {encoding!r} under [format]; write "utf-8", "cp1252" or "utf-16"'
        ) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise InputError(
            f"{file}, line {line}, byte {column} of the line (0x{raw[error.start]:02x}): not "
            f'{encoding.upper()}; write encoding = "…" under [format] (such as "utf-8", "cp1252", "cp850" or '
            '"mac-roman"), or save the file as UTF-8'
        ) from None
    # text that is UTF-8 already stays the bytes it is
    content = raw.removeprefix(codecs.BOM_UTF8) if plain else text.removeprefix("\ufeff").encode()
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise InputError(f"{file}, line {line}: a NUL byte, so this is no text file; export it as CSV")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content, encoding


def _encoding(raw: bytes) -> str:
    """Detect how text is encoded: UTF-16, UTF-8, else Windows-1252."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in raw and len(raw) % 2 == 0:
        data = np.frombuffer(raw, dtype=np.uint8)
        even, odd = (data[::2] == 0).mean(), (data[1::2] == 0).mean()
        if max(even, odd) > 0.3 and max(even, odd) > 5 * min(even, odd):
            return "utf-16-be" if even > odd else "utf-16-le"
    text = raw.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    # accents of Windows-1252 hardly ever look like UTF-8: where most do, this is UTF-8 with damage
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong if wrong else 0
    return "cp1252" if wrong > right else "utf-8"


# delimited text


@dataclass(frozen=True)
class _Rows:
    """The rows of a text: where they are, their lines, numbers of fields (0: blank), cells if split."""

    starts: Ints
    ends: Ints
    lines: Ints
    widths: Ints
    cells: list[list[str]] | None = None


def _read_text(content: bytes, given: Format, file: str, found: tuple[str, ...]) -> RawTable:
    content, given, found = _from_header(content, given, found)
    separator, rows = _split(content, given, file)
    if given.separator is None:
        given = replace(given, separator=separator)
        found = (*found, f"separator {_SEPARATORS[separator]}") if rows.widths.max() > 1 else found

    def cells(row: int) -> list[str]:
        if rows.cells is not None:
            return rows.cells[row]
        return _csv(content[rows.starts[row] : rows.ends[row]], separator)[0]

    filled = np.flatnonzero(rows.widths)
    header, place = list(given.columns), "columns under [format]"
    if not given.columns:
        header, place = cells(filled[0]), f"line {rows.lines[filled[0]]}"
        filled = filled[1:]
    if len(filled) and not (rows.widths[filled] == len(header)).any():
        # only the header, or only the rows, may end with separators
        width = int(np.bincount(rows.widths[filled]).argmax())
        if not any(header[width:] or (cell for row in filled.tolist() for cell in cells(row)[len(header) :])):
            header = (header + [""] * width)[:width]
    whole = rows.widths[filled] == len(header)
    others = ((row, tuple(cells(row))) for row in filled[~whole])
    ragged = [RaggedRow(int(rows.lines[row]), these) for row, these in others if any(map(str.strip, these))]
    frame = _parse(content, rows, filled[whole], len(header), separator)
    lines = pl.Series(rows.lines[filled[whole]])
    # rows of separators alone, which spreadsheets write below a table
    if (frame[:, 0].str.strip_chars() == "").fill_null(value=True).any():
        keep = frame.select(pl.any_horizontal(pl.all().str.strip_chars() != "").fill_null(value=False))
        frame, lines = frame.filter(keep.to_series()), lines.filter(keep.to_series())
    return _table(file, frame, lines, given, header=header, place=place, ragged=ragged, found=found)


def _from_header(
    content: bytes, given: Format, found: tuple[str, ...]
) -> tuple[bytes, Format, tuple[str, ...]]:
    """Take away what stands above the header (line breaks stay, to count lines by), and extra blanks."""
    if hint := re.match(rb'"?sep=(.)"?\n(?=\s*\S)', content):  # Excel's own first line
        content = b"\n" + content[hint.end() :]
        given = replace(given, separator=given.separator or hint[1].decode())
    if not given.columns and (above := _lines_above_header(content, given.separator)):
        content = b"\n" * above + content.split(b"\n", above)[above]
        found = (*found, f"header in line {above + 1}")
    if given.separator == "whitespace":
        content = re.sub(rb"(?m)^ | $", b"", re.sub(rb"[ \t]+", b" ", content))
    return content, given, found


def _lines_above_header(content: bytes, separator: str | None) -> int:
    """Return how many lines stand above the header: a title, who wrote the file and when, empty ones."""
    texts = content[:100_000].decode(errors="replace").split("\n")[: 3 * _ABOVE]
    most, above = 0, 0
    for sign in _SEPARATORS if separator is None else (separator,):
        if len(sign) != 1 or sign in '"\n' or not any(sign in text for text in texts):
            continue
        rows, lines, line = [], [], 0
        reader = csv.reader((f"{text}\n" for text in texts), delimiter=sign)
        for row in reader:
            if any(map(str.strip, row)):
                rows.append(row)
                lines.append(line)
            line = reader.line_num
        at = _header_under_title(rows)
        if at and len(rows[at]) > most:
            most, above = len(rows[at]), lines[at]
    return above


def _header_under_title(rows: Sequence[Sequence[str | None]]) -> int:
    """Return which of the first rows that hold something is the header: 0, unless a title stands above it.

    A title fills one or two cells and at most half as many as the rows below it; a header names its
    columns, each by another word, and nearly all rows below it are as wide.
    """
    filled = [sum(bool((cell or "").strip()) for cell in row) for row in rows]
    usual = int(np.median(filled[1:])) if len(filled) > 3 else 0
    at = next((row for row, cells in enumerate(filled[:_ABOVE]) if cells > 2 or 2 * cells > usual), 0)
    below = rows[at + 1 :]
    if not at or len(below) < 2 or 2 * filled[at] <= usual:
        return 0
    names = [cell.strip() for cell in rows[at] if cell and cell.strip()]
    alike = sum(len(row) == len(rows[at]) for row in below)
    is_header = len(set(names)) == len(names) > 2 and not any(map(_NO_NAME.fullmatch, names))
    return at if is_header and alike >= _CONSISTENT * len(below) else 0


def _split(content: bytes, given: Format, file: str) -> tuple[str, _Rows]:
    """Find the separator (the one that gives most rows as many fields as the header) and the rows."""
    first, body = _first_row(content.lstrip(b"\n"))
    header = re.sub(r'"[^"]*"', "", first.decode())
    if given.separator is not None:
        separator = " " if given.separator == "whitespace" else given.separator
        if len(separator) != 1 or not separator.isascii() or separator in '"\n':
            raise InputError(f'{file}: separator = {separator!r} must be one character, or "whitespace"')
        other = None if separator in header else _split(content, replace(given, separator=None), file)[0]
        if other is not None and other in header:
            raise InputError(
                f"{file}, line 1: the separator is not {separator!r}, which the header does not have: write "
                f"separator = {json.dumps(other)} under [format]"
            )
        return separator, _regular(content, separator) or _irregular(content, separator, file)
    possible = [sign for sign in _SEPARATORS if sign in header]
    possible = [sign for sign in possible if sign.encode() in body or not body.strip()]
    # a single column: whatever its cells do not hold
    possible = possible or [next((sign for sign in _SEPARATORS if sign.encode() not in body), "\x1f")]
    found = {sign: rows for sign in possible if (rows := _regular(content, sign))}
    found = found or {sign: _irregular(content, sign, file) for sign in possible}

    def explains(sign: str) -> tuple[float, int]:
        widths = found[sign].widths[found[sign].widths > 0]
        width = len(given.columns) or int(widths[0])
        share = float((widths == width).mean())
        return (1.0 if share >= _CONSISTENT else share), width

    best = max(found, key=explains)
    return best, found[best]


def _first_row(content: bytes) -> tuple[bytes, bytes]:
    """Return the first row, over several lines where a quoted cell has line breaks, and what follows it."""
    end = content.find(b"\n")
    for _ in range(_ABOVE):
        if end < 0:
            break
        if content.count(b'"', 0, end) % 2 == 0:
            return content[:end], content[end + 1 :]
        end = content.find(b"\n", end + 1)
    first, _, body = content.partition(b"\n")  # a quote that is no quote
    return first, body


def _regular(content: bytes, separator: str) -> _Rows | None:
    """Find the rows of a text whose quotes all stand at the edge of a field; None if they do not."""
    data = np.frombuffer(content, dtype=np.uint8)
    newlines = np.flatnonzero(data == ord("\n"))
    separators = np.flatnonzero(data == ord(separator))
    quotes = np.flatnonzero(data == ord('"'))
    breaks = newlines
    if len(quotes):
        edges = np.frombuffer(f'{separator}\n"'.encode(), dtype=np.uint8)
        fenced = np.concatenate((edges[1:2], data, edges[1:2]))  # each byte at its place plus one
        if len(quotes) % 2 or not np.isin(fenced[np.append(quotes[::2], quotes[1::2] + 2)], edges).all():
            return None
        breaks = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        separators = separators[np.searchsorted(quotes, separators) % 2 == 0]
    starts, ends = np.concatenate(([0], breaks + 1)), np.append(breaks, len(data))
    if starts[-1] >= len(data):  # the text ends with a line break
        starts, ends = starts[:-1], ends[:-1]
    widths = np.diff(np.searchsorted(separators, np.append(starts, len(data)))) + 1
    widths[starts == ends] = 0
    return _Rows(starts, ends, np.searchsorted(newlines, starts) + 1, widths)


def _irregular(content: bytes, separator: str, file: str) -> _Rows:
    """Find and split the rows the way Python's csv module does."""
    texts = content.decode().split("\n")
    cells: list[list[str]] = []
    lines = [1]
    try:
        reader = csv.reader((f"{text}\n" for text in texts), delimiter=separator)
        for row in reader:
            if reader.line_num > lines[-1]:  # a quote that is closed by mistake swallows lines
                swallowed = "\n".join(texts[lines[-1] - 1 : reader.line_num])
                list(csv.reader(io.StringIO(swallowed, newline="\n"), delimiter=separator, strict=True))
            cells.append(row)
            lines.append(reader.line_num + 1)
    except csv.Error:
        raise InputError(
            f'{file}, line {lines[-1]}: a quote (") opens in this row and is not closed at the end of a '
            'field; close it, or write "" for a quote inside a quoted field'
        ) from None
    nowhere, widths = np.zeros(0, dtype=np.int64), np.asarray([len(row) for row in cells], dtype=np.int64)
    return _Rows(nowhere, nowhere, np.asarray(lines[:-1], dtype=np.int64), widths, cells)


def _csv(content: bytes, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="\n"), delimiter=separator))


def _parse(content: bytes, rows: _Rows, at: NDArray[np.intp], width: int, separator: str) -> pl.DataFrame:
    """Parse the rows at these places, as text; empty cells become null."""
    schema = {f"{number}": pl.String() for number in range(width)}
    if rows.cells is not None or not len(at):
        cells = [rows.cells[row] for row in at] if rows.cells is not None else []
    else:
        gaps = np.flatnonzero(np.diff(at) > 1)
        runs = zip(rows.starts[at[np.append(0, gaps + 1)]], rows.ends[at[np.append(gaps, -1)]], strict=True)
        body = b"\n".join([*(content[start:end] for start, end in runs), b""])
        try:
            frame = pl.read_csv(body, has_header=False, separator=separator, schema=schema)
            if frame.height == len(at):
                return frame.with_columns(pl.all().replace("", None)) if b'""' in body else frame
        except pl.exceptions.PolarsError:
            pass  # quotes it does not read: the csv module does
        cells = _csv(body, separator)
    return pl.DataFrame(cells, schema=schema, orient="row").with_columns(pl.all().replace("", None))


# everything else


def data_set_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a data set, in the order in which their rows count.

    What other programs leave beside them (``_SUCCESS``, ``.crc``, folders of work in progress) is none of it.
    """
    found = (path for path in folder.rglob("*.parquet") if path.is_file())
    return sorted(path for path in found if not any(p[0] in "._" for p in path.relative_to(folder).parts))


def is_parquet(path: Path) -> bool:
    """Tell whether there is a Parquet file, or a folder of them."""
    if path.is_file():
        with path.open("rb") as stream:
            return stream.read(len(PARQUET)) == PARQUET
    return path.is_dir() and bool(data_set_files(path))


def scan_data_set(path: Path) -> pl.LazyFrame:
    """Scan a Parquet file, or a folder of them, of which ``key=value`` folders are columns.

    Raises
    ------
    InputError
        There are no Parquet files in the folder.
    """
    if path.is_file():
        return pl.scan_parquet(path, hive_partitioning=False)
    files = data_set_files(path)
    if not files:
        raise InputError(
            f"{path} is a folder without Parquet files: give a file, or a folder that holds a data set "
            "(part-0.parquet, or year=2026/part-0.parquet)"
        )
    partitioned = any("=" in part for part in files[0].relative_to(path).parts[:-1])
    return pl.scan_parquet(files, hive_partitioning=partitioned)


def read_part(rows: pl.LazyFrame, start: int, count: int, given: Format, file: str) -> RawTable:
    """Read some rows of a data set; their lines are those of the whole."""
    part = _read_frame(_collected(rows.slice(start, count), file), given, file)
    return replace(part, lines=part.lines + start)


def _collected(rows: pl.LazyFrame, file: str) -> pl.DataFrame:
    try:
        return rows.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{file}: the Parquet files cannot be read as one table ({_first_line(error)}): write them "
            "again, with the same columns in each"
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _read_json_lines(content: bytes, given: Format, file: str, found: tuple[str, ...]) -> RawTable:
    """Read one JSON object a line; nested ones become columns a.b, lines that are none are kept apart."""
    rows: list[dict[str, Any]] = []
    lines, ragged = [], []
    for line, text in enumerate(content.decode().split("\n"), 1):
        if not text.strip():
            continue
        try:
            item = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_each_key_once)
            if not isinstance(item, dict):
                raise ValueError("not an object {…} with the names of the columns: write one a line")  # noqa: TRY004, TRY301
            if "\\u" in text and b"\\u0000" in json.dumps(item, ensure_ascii=False).encode():
                raise ValueError("it holds a NUL character; leave it out")  # noqa: TRY301
        except (ValueError, RecursionError) as error:
            why = "nested too deep" if isinstance(error, RecursionError) else str(error)
            if isinstance(error, json.JSONDecodeError):
                why = f"{error.msg} at character {error.pos + 1}"
                if not rows and text.strip() in ("[", "{"):
                    why = "an object must stand on one line of its own, without a list around them"
            ragged.append(RaggedRow(line, (text,), f"no JSON: {why}"))
            continue
        rows.append(dict(_flat(item)))
        lines.append(line)
    if ragged and not rows:
        raise InputError(f"{file}, line {ragged[0].line}: {ragged[0].reason}")
    names = dict.fromkeys(name for row in rows for name in row)
    frame = pl.DataFrame([_column(name, [row.get(name) for row in rows]) for name in names])
    return _table(file, frame, pl.Series(lines, dtype=pl.Int64), given, ragged=ragged, found=found)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} comes twice; leave one out")
        found[key] = value
    return found


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word}; write null, or a number")


def _flat(item: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _column(name: str, values: list[Any]) -> pl.Series:
    """Build a column of one type; of text where the values have several."""

    def word(value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    kinds = {type(value) for value in values if value is not None}
    if kinds == {list}:
        texts = [None if value is None else list(map(word, value)) for value in values]
        return pl.Series(name, texts, dtype=pl.List(pl.String))
    try:
        if kinds <= {int, float} or kinds in ({str}, {bool}):
            return pl.Series(name, values, dtype=pl.Float64 if kinds == {int, float} else None)
    except (OverflowError, TypeError):
        pass  # a whole number that is too long is a name
    return pl.Series(name, list(map(word, values)), dtype=pl.String)


def _read_workbook(content: bytes, given: Format, file: str, ending: str) -> RawTable:
    """Read a sheet: its first filled row is the header; columns of mixed types come as text."""
    import fastexcel

    try:
        book = fastexcel.read_excel(content)
        sheet, sheets = given.sheet or book.sheet_names[0], ", ".join(map(repr, book.sheet_names))
        if sheet not in book.sheet_names:
            raise InputError(f"{file}: no sheet {sheet!r}; write sheet = one of {sheets} under [format]")
        text = book.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string").to_polars()
        if not text.width:
            raise InputError(f"{file}: the sheet {sheet!r} is empty; the sheets are {sheets}")
        text = text.with_columns(pl.when(pl.all().str.strip_chars() != "").then(pl.all()))
        filled = text.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        rows = filled.arg_true()
        first = _header_under_title(text[rows.head(3 * _ABOVE)].rows())
        start = 0 if given.columns else rows[first] + 1 if len(rows) else 1
        typed = book.load_sheet(sheet, header_row=None, skip_rows=start, schema_sample_rows=None).to_polars()
    except fastexcel.FastExcelError as error:
        raise InputError(
            f"{file} looks like a workbook but cannot be read ({str(error).splitlines()[0]}): save it as "
            ".xlsx without a password, or as CSV"
        ) from None
    header = list(given.columns) or text.row(start - 1)
    body, keep = text[start:], filled[start:]
    if len(header) != body.width:
        raise InputError(f"{file}: {body.width} columns, but columns under [format] names {len(header)}")
    # a type that would lose a cell ("n/a" among dates) is not the type of the column
    if typed.height == body.height:
        same = [name for name in body.columns if typed[name].null_count() == body[name].null_count()]
        body = body.with_columns(typed[name] for name in same)
    found = [f"sheet {sheet!r}" + (f" of {sheets}" if len(book.sheet_names) > 1 else "")]
    if first and start:
        found.append(f"header in row {start}")
    if ending not in (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"):
        found.append(f"a workbook, in spite of {ending or 'no ending'}")
    lines = pl.int_range(start + 1, text.height + 1, eager=True).filter(keep)
    given, place = replace(given, sheet=sheet), f"row {start} of sheet {sheet!r}"
    return _table(file, body.filter(keep), lines, given, header=header, place=place, found=found)


def _read_frame(source: Any, given: Format, file: str) -> RawTable:
    source = to_polars(source, file)
    while nested := [name for name, kind in source.schema.items() if isinstance(kind, pl.Struct)]:
        source = source.unnest(nested, separator=".")
    return _table(file, source, pl.int_range(1, source.height + 1, eager=True), given)


def _read_database(address: str, given: Format, name: str) -> RawTable:
    """Read a table or the rows of a SELECT, in a transaction that cannot write."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    query = (given.query or "").strip().rstrip("; \n")
    is_table = re.fullmatch(r"\w+(\.\w+)?", query)
    file = name or (query if is_table else "the query")
    if not query:
        raise InputError(f'{file}: write query = "…" under [format]: the name of a table, or a SELECT')
    wanted = SQL("SELECT * FROM {}").format(Identifier(*query.split("."))) if is_table else SQL(query)
    content, parts = bytearray(), None
    try:
        parts = psycopg.conninfo.conninfo_to_dict(address)
        with psycopg.connect(address) as connection, connection.cursor() as cursor:
            connection.read_only = True
            cursor.execute("SET datestyle TO iso; SET timezone TO 'UTC'")
            cursor.execute(SQL("SELECT * FROM ({}) AS t LIMIT 0").format(wanted))
            columns = [(column.name, column.type_code) for column in cursor.description or ()]
            with cursor.copy(SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(wanted)) as copy:
                for block in copy:
                    content += block
    except (psycopg.Error, UnicodeError) as error:
        reason = str(error).partition("\n")[0].replace(str((parts or {}).get("password") or "\0"), "…")
        if parts is None:  # the message may quote a piece of the password
            reason = "the address cannot be read; write special signs of the password as %XX"
        raise InputError(f"{file}: the database: {reason}") from None
    rows = _regular(bytes(content), ",") or _irregular(bytes(content), ",", file)
    frame = _parse(bytes(content), rows, np.arange(len(rows.starts)), len(columns), ",")
    typed = [_cast(frame[:, number], oid) for number, (_, oid) in enumerate(columns)]
    lines = pl.int_range(1, frame.height + 1, eager=True)
    header = [column for column, _ in columns]
    return _table(file, pl.DataFrame(typed), lines, given, header=header, place="the query")


def _cast(text: pl.Series, oid: int) -> pl.Series:
    """Give a column of a query its type, by PostgreSQL's number of it; dates and times stay ISO text."""
    if oid in (20, 21, 23, 26):
        return text.cast(pl.Int64)
    if oid in (700, 701, 1700):
        return text.cast(pl.Float64)
    if oid in (1009, 1015):  # text[], varchar[]
        items = csv.reader((cell[1:-1] for cell in text.drop_nulls()), doublequote=False, escapechar="\\")
        return pl.Series(
            text.name, [cell and next(items) for cell in text.to_list()], dtype=pl.List(pl.String)
        )
    return text == "t" if oid == 16 else text
