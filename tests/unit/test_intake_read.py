"""Reading delimited text: fields like Python's csv module, true line numbers, ragged rows, unusable files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.intake.mapping import FileFormat
from dealwright.intake.read import read_table

CELLS = st.text(alphabet='ab ,;"\nñ', max_size=6)


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    blank_lines=st.booleans(),
    crlf=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_fields_and_lines_are_those_written(
    tmp_path: Path, rows: list[tuple[str, str, str]], blank_lines: bool, crlf: bool, quoting: int
) -> None:
    text, expected_lines, line = io.StringIO(), [], 2
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    writer.writerow(["x", "y", "z"])
    for row in rows:
        if blank_lines:
            text.write("\n")
            line += 1
        expected_lines.append(line)
        writer.writerow(row)
        line += 1 + sum(cell.count("\n") for cell in row)
    content = text.getvalue()
    path = write(tmp_path, content.replace("\n", "\r\n") if crlf else content)
    table = read_table(path, FileFormat(), {"z": "t.z", "x": "t.x"})
    assert table.lines.tolist() == expected_lines
    assert table.ragged == ()
    assert [cell or "" for cell in table.frame["2"]] == [row[2] for row in rows]
    assert [cell or "" for cell in table.frame["0"]] == [row[0] for row in rows]
    assert [table.cells(number) for number in range(len(rows))] == [list(row) for row in rows]


def test_a_quote_inside_an_unquoted_field_is_read_literally(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'x,y\n1,5" pipe\n2,"a\nb"\n3,c\n'), FileFormat(), {"y": "t.y"})
    assert table.frame["1"].to_list() == ['5" pipe', "a\nb", "c"]
    assert table.lines.tolist() == [2, 3, 5]


def test_ragged_rows_are_set_aside_with_their_line(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, 'x,y\n"a\nb",1\nc\nd,2,3\ne,4\n'), FileFormat(), {"x": "t.x"})
    assert table.frame["0"].to_list() == ["a\nb", "e"]
    assert table.lines.tolist() == [2, 6]
    assert [(row.line, row.cells) for row in table.ragged] == [(4, ("c",)), (5, ("d", "2", "3"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "table.csv is empty"),
        (b"\n \n", "table.csv is empty"),
        (b"x,y\n1,2\n3,\xe9\n", "table.csv, line 3, byte 3 of the line: not UTF-8"),
        ("x,y\n1,2\n".encode("utf-16"), 'set encoding = "utf-16"'),
        (b"x,y\n1,\0\n", "line 2: a NUL byte"),
        (b"x,Y\n1,2\n", "no column 'y' (the mapping's t.y): did you mean 'Y'?"),
        (b"x;y\n1;2\n", "the delimiter of this file is not ','"),
        (b"y,y\n1,2\n", "appears 2 times"),
        (b'x,y\n1,2\n3,"4\n5,6\n', "line 3: a quote"),
    ],
)
def test_a_file_that_cannot_be_used_names_the_place_and_the_fix(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=r"table\.csv") as error:
        read_table(write(tmp_path, content), FileFormat(), {"y": "t.y"})
    assert message in str(error.value)


def test_other_encodings_and_delimiters(tmp_path: Path) -> None:
    path = write(tmp_path, "x;y\nJosé;1\n".encode("cp1252"))
    table = read_table(path, FileFormat(encoding="cp1252", delimiter=";"), {"x": "t.x"})
    assert table.frame["0"].to_list() == ["José"]
    path = write(tmp_path, "x,y\nJosé,1\n".encode("utf-8-sig"))
    assert read_table(path, FileFormat(), {"x": "t.x"}).frame["0"].to_list() == ["José"]
