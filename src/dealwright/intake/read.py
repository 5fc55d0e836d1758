"""Read a delimited text file as text columns, each row with the physical line it starts on.

Polars parses the fields. The lines come from the positions of newlines, delimiters and quotes in the bytes,
found with NumPy, so that a row after a field with line breaks inside still names its true line, and a row
with too many or too few fields is set aside instead of being padded. Files whose quotes are irregular (one
inside an unquoted field) go through Python's csv module instead, which is slower and more forgiving.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dealwright.errors import InputError
from dealwright.intake.mapping import FileFormat

_QUOTE, _NEWLINE = ord('"'), ord("\n")


@dataclass(frozen=True)
class Records:
    """Where the rows of a file are.

    Attributes
    ----------
    starts, ends
        Byte offsets; the line break is not included.
    lines
        Physical line on which each row starts; the first line of the file is 1.
    widths
        Number of fields of each row; 0 for a blank line.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    widths: NDArray[np.int64]

    def keep(self, mask: NDArray[np.bool_]) -> Records:
        """Keep the rows where `mask` is true."""
        return Records(self.starts[mask], self.ends[mask], self.lines[mask], self.widths[mask])


@dataclass(frozen=True)
class RaggedRow:
    """A row with too many or too few fields."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RawTable:
    """A file as text.

    Attributes
    ----------
    file
        Its name, for messages.
    header
        The column names, stripped of blanks around them.
    frame
        One String column per requested column, named by its position (``"0"``, …), empty fields as null.
    lines
        Physical line of each row of `frame`.
    ragged
        Rows whose number of fields differs from the header's; not in `frame`.
    """

    file: str
    header: tuple[str, ...]
    frame: pl.DataFrame
    lines: NDArray[np.int64]
    ragged: tuple[RaggedRow, ...]
    _content: bytes
    _records: Records
    _delimiter: str

    def cells(self, row: int) -> list[str]:
        """The fields of a row exactly as they are in the file."""
        text = self._content[self._records.starts[row] : self._records.ends[row]].decode("utf-8")
        return _split(text, self._delimiter)

    def join(self, cells: Sequence[str]) -> str:
        """Write fields as a row of the file again."""
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="").writerow(cells)
        return text.getvalue()


def read_table(path: Path, given: FileFormat, wanted: dict[str, str]) -> RawTable:
    """Read the columns of a file that are the keys of `wanted`; its values say what asks for them.

    Raises
    ------
    InputError
        The file cannot be used at all: not in its encoding, empty, without a wanted column, or broken by a
        quote that is never closed.
    """
    file = path.name
    content = _decode(path, given.encoding)
    if not content.strip():
        raise InputError(f"{file} is empty: it needs a header line with the column names, and rows")
    records = _regular_records(content, given.delimiter)
    if records is None:
        records = _irregular_records(content, given.delimiter, file)
    records = records.keep(records.widths > 0)
    header = _header(content, records, given)
    positions = _positions(header, wanted, file, given)
    body = records.keep(np.arange(len(records.starts)) > 0)
    fits = body.widths == len(header)
    ragged = tuple(
        RaggedRow(
            int(body.lines[row]),
            tuple(_split(content[body.starts[row] : body.ends[row]].decode("utf-8"), given.delimiter)),
        )
        for row in np.flatnonzero(~fits)
    )
    whole = body.keep(fits)
    frame = _parse(content, whole, positions, given.delimiter, all_fit=bool(fits.all()))
    return RawTable(file, header, frame, whole.lines, ragged, content, whole, given.delimiter)


def read_header(path: Path, given: FileFormat) -> tuple[str, ...]:
    """Read the names of a file's columns."""
    content = _decode(path, given.encoding)
    if not content.strip():
        raise InputError(f"{path.name} is empty: it needs a header line with the column names, and rows")
    first = content.lstrip(b"\n").partition(b"\n")[0]
    return tuple(name.strip() for name in _split(first.decode("utf-8"), given.delimiter))


def _header(content: bytes, records: Records, given: FileFormat) -> tuple[str, ...]:
    text = content[records.starts[0] : records.ends[0]].decode("utf-8")
    return tuple(name.strip() for name in _split(text, given.delimiter))


def _decode(path: Path, encoding: str) -> bytes:
    """Read a file as UTF-8 bytes without byte order mark, with line breaks as single newlines."""
    file = path.name
    raw = path.read_bytes()
    utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
    try:
        text = raw.decode("utf-8" if utf8 else encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = 'encoding = "utf-16"' if utf16 else 'encoding = "cp1252" (or what it is)'
        raise InputError(
            f"{file}, line {line}, byte {column} of the line: not {encoding.upper()}; "
            f"save the file as UTF-8, or set {hint} under [format] in the mapping"
        ) from None
    content = raw.removeprefix(b"\xef\xbb\xbf") if utf8 else text.removeprefix("\ufeff").encode()
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise InputError(f"{file}, line {line}: a NUL byte, so this is no text file; export it as CSV")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


def _regular_records(content: bytes, delimiter: str) -> Records | None:
    """Find the rows of a file whose quotes all stand at the edge of a field; None if they do not."""
    data = np.frombuffer(content, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    newlines = np.flatnonzero(data == _NEWLINE)
    delimiters = np.flatnonzero(data == ord(delimiter))
    breaks = newlines
    if len(quotes):
        if len(quotes) % 2 or not _quotes_are_regular(data, quotes, ord(delimiter)):
            return None
        breaks = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
    starts = np.concatenate(([0], breaks + 1)).astype(np.int64)
    ends = np.concatenate((breaks, [len(data)])).astype(np.int64)
    if starts[-1] >= len(data):  # the file ends with a line break
        starts, ends = starts[:-1], ends[:-1]
    widths = np.diff(np.searchsorted(delimiters, np.append(starts, len(data)))) + 1
    widths[starts == ends] = 0
    lines = np.searchsorted(newlines, starts) + 1
    return Records(starts, ends, lines, widths)


def _quotes_are_regular(data: NDArray[np.uint8], quotes: NDArray[np.int64], delimiter: int) -> bool:
    """Tell whether every opening quote follows, and every closing quote precedes, an edge of a field."""
    opening, closing = quotes[::2], quotes[1::2]
    edges = (delimiter, _NEWLINE, _QUOTE)
    before = data[np.maximum(opening - 1, 0)]
    after = data[np.minimum(closing + 1, len(data) - 1)]
    return bool(
        (np.isin(before, edges) | (opening == 0)).all()
        and (np.isin(after, edges) | (closing == len(data) - 1)).all()
    )


def _irregular_records(content: bytes, delimiter: str, file: str) -> Records:
    """Find the rows the way Python's csv module does."""
    starts, ends, lines, widths = [], [], [], []
    offsets = np.concatenate(([0], np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == _NEWLINE) + 1))
    reader = csv.reader(io.StringIO(content.decode("utf-8"), newline="\n"), delimiter=delimiter)
    line = 1
    try:
        for cells in reader:
            starts.append(int(offsets[line - 1]))
            last = reader.line_num
            end = int(offsets[last]) - 1 if last < len(offsets) else len(content)
            ends.append(end)
            lines.append(line)
            widths.append(len(cells))
            line = last + 1
    except csv.Error:  # a field beyond the module's limit: half of the file between two quotes
        raise _unclosed(file, line) from None
    try:
        list(csv.reader(io.StringIO(content[starts[-1] :].decode("utf-8")), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise _unclosed(file, lines[-1]) from None
    return Records(*(np.asarray(item, dtype=np.int64) for item in (starts, ends, lines, widths)))


def _unclosed(file: str, line: int) -> InputError:
    return InputError(
        f'{file}, line {line}: a quote (") opens in this row and is never closed; '
        'close it, or write "" for a quote inside a quoted field'
    )


def _parse(
    content: bytes, records: Records, positions: list[int], delimiter: str, *, all_fit: bool
) -> pl.DataFrame:
    """Parse the wanted columns of the given rows, as text."""
    names = [str(position) for position in positions]
    if not len(records.starts):
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    if all_fit:
        body = content[records.starts[0] :]
    else:
        body = b"\n".join(content[start:end] for start, end in zip(records.starts, records.ends, strict=True))
    # a header of our own: the user's names may repeat, and Polars' own names differ by version
    header = delimiter.join(map(str, range(records.widths[0]))).encode()
    try:
        frame = pl.read_csv(
            io.BytesIO(b"\n".join((header, body))), separator=delimiter, infer_schema=False, columns=names
        )
        if frame.height != len(records.starts):  # blank lines between the rows
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
        if frame.height == len(records.starts):
            return frame.select(names)
    except pl.exceptions.PolarsError:
        pass  # quotes it does not read: the csv module does
    rows = [
        _split(content[start:end].decode("utf-8"), delimiter)
        for start, end in zip(records.starts, records.ends, strict=True)
    ]
    columns = {str(position): [row[position] or None for row in rows] for position in positions}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))


def _split(text: str, delimiter: str) -> list[str]:
    """Split one row into its fields."""
    return next(csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter), [])


def _positions(header: tuple[str, ...], wanted: dict[str, str], file: str, given: FileFormat) -> list[int]:
    """Find the wanted columns, or say which one is missing and what it may be called."""
    positions = []
    for name, asked_by in wanted.items():
        found = [position for position, column in enumerate(header) if column == name.strip()]
        if len(found) > 1:
            raise InputError(
                f"{file}, line 1: the column {name!r} appears {len(found)} times in the header; rename one"
            )
        if not found:
            near = get_close_matches(
                name.casefold(), [column.casefold() for column in header], n=1, cutoff=0.6
            )
            if near:
                close = next(column for column in header if column.casefold() == near[0])
                hint = f"did you mean {close!r}?"
            elif len(header) == 1 and any(sign in header[0] for sign in ",;|\t"):
                hint = f"the delimiter of this file is not {given.delimiter!r}: set it under [format]"
            else:
                hint = f"the columns are {', '.join(header)}"
            raise InputError(f"{file}, line 1: no column {name!r} (the mapping's {asked_by}): {hint}")
        positions.append(found[0])
    return positions
