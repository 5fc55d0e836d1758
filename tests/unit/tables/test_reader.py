"""Reading any table: cells like the csv module's, true lines, encodings, separators, other kinds of files."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dealwright.errors import InputError
from dealwright.tables.reader import Format, RaggedRow, RawTable, read_table

DETECTED = Format()
CELLS = st.text(alphabet='ab ,;"\nñ', max_size=6)


def read(tmp_path: Path, content: str | bytes, given: Format = DETECTED, name: str = "table.csv") -> RawTable:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, given)


def rows(table: RawTable) -> list[tuple[Any, ...]]:
    return table.frame.rows()


# delimited text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    blank_lines=st.booleans(),
    crlf=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_cells_and_lines_are_those_written(
    tmp_path: Path, cells: list[tuple[str, str, str]], blank_lines: bool, crlf: bool, quoting: int
) -> None:
    text, lines, kept, line = io.StringIO(), [], [], 2
    writer = csv.writer(text, lineterminator="\n", quoting=quoting)
    writer.writerow(["x", "y", "z"])
    for row in cells:
        if blank_lines:
            text.write("\n")
            line += 1
        if any(cell.strip() for cell in row):  # else there is nothing in the row
            lines.append(line)
            kept.append(row)
        writer.writerow(row)
        line += 1 + sum(cell.count("\n") for cell in row)
    content = text.getvalue()
    table = read(tmp_path, content.replace("\n", "\r\n") if crlf else content, Format(separator=","))
    assert table.lines.to_list() == lines
    assert table.ragged == ()
    assert [tuple(cell or "" for cell in row) for row in rows(table)] == kept
    assert [tuple(cell or "" for cell in row) for row in table.cells(range(len(kept))).rows()] == kept


def test_a_quote_inside_an_unquoted_field_is_read_literally(tmp_path: Path) -> None:
    table = read(tmp_path, 'x,y\n1,5" pipe\n2,"a\nb"\n3,c\n4,\n')
    assert rows(table) == [("1", '5" pipe'), ("2", "a\nb"), ("3", "c"), ("4", None)]
    assert table.lines.to_list() == [2, 3, 5, 6]
    declared = read(tmp_path, 'x;y\n1;5" pipe\n2;"a\nb"\n', Format(separator=";"))
    assert rows(declared) == [("1", '5" pipe'), ("2", "a\nb")]
    with pytest.raises(InputError, match=r"line 2: columns 1 and 2 are both 'x'"):
        read(tmp_path, '\nx,x\n1,5" pipe\n')


def test_ragged_rows_are_kept_apart_with_their_line(tmp_path: Path) -> None:
    table = read(tmp_path, 'x,y\n"a\nb",1\nc\n\nd,2,"3\n4"\ne,5\n , , \n')
    assert rows(table) == [("a\nb", "1"), ("e", "5")]
    assert table.lines.to_list() == [2, 8]
    assert table.ragged == (RaggedRow(4, ("c",)), RaggedRow(6, ("d", "2", "3\n4")))
    assert table.cells([1]).rows() == [("e", "5")]
    many = read(tmp_path, "x,y\n1,a\n2,b\n3\n4,c\n5,d\n\n6,e\n7\n")
    assert rows(many) == [("1", "a"), ("2", "b"), ("4", "c"), ("5", "d"), ("6", "e")]
    assert many.lines.to_list() == [2, 3, 5, 6, 8]
    irregular = read(tmp_path, 'x,y\n1,5" pipe\nc\n2,3\n')
    assert rows(irregular) == [("1", '5" pipe'), ("2", "3")]
    assert irregular.ragged == (RaggedRow(3, ("c",)),)


def test_rows_without_anything_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "x;y;\n1;;\n;;\n;2;\n;;\n")
    assert table.frame.columns == ["x", "y"]
    assert rows(table) == [("1", None), (None, "2")]
    assert table.lines.to_list() == [2, 4]


def test_separators_at_the_end_of_the_header_or_of_the_rows_alone_do_not_matter(tmp_path: Path) -> None:
    for content in ("x;y;;\n1;2\n3;4\n", "x;y\n1;2;\n3;4;\n", "x;y\n1;2;;\n3;4;;\n5;6;\n"):
        table = read(tmp_path, content)
        assert table.frame.columns == ["x", "y"]
        assert rows(table) == [("1", "2"), ("3", "4")]
    assert table.ragged == (RaggedRow(4, ("5", "6", "")),)
    # a decimal comma in a file with commas is no such separator
    assert [row.line for row in read(tmp_path, "x,y\n1,2,5\n3,4,5\n").ragged] == [2, 3]
    assert [row.line for row in read(tmp_path, "x,y,z\n1,2\n3,4\n").ragged] == [2, 3]


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    letter = "a" * 200_000
    assert rows(read(tmp_path, f'x,y\n{letter},5" pipe\n')) == [(letter, '5" pipe')]
    assert read(tmp_path, f"x,y\n1,2\n{letter}\n").ragged == (RaggedRow(3, (letter,)),)


def test_a_nameless_column_that_holds_something_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path, "x,, y \n1,a,2\n").frame.to_dicts() == [{"x": "1", "column 2": "a", "y": "2"}]


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("id;amount;day\n1;2,5;x\n2;3,5;y\n", ";"),
        ("id;price, EUR\n1;2,5\n2;3,5\n", ";"),
        ("id;price, EUR;day\n1;2,5;x\n2;3,5;y\n", ";"),
        ("id,name\n1,a;b\n2,c;d\n", ","),
        ("id,name;surname,x\n1,a,2\n2,c;d;e,3\n", ","),
        ('id,"a;b;c"\n1,"x;y;z"\n', ","),
        ("id\tname\n1\ta,b\n2\tc,d\n", "\t"),
        ("id|name\n1|2\n", "|"),
        ("id;name\n1;a\n2;b;c\n3;d\n4;e\n", ";"),
        ("id;name\n", ";"),
        ("id;a, b\n\n\n1;x\n\n\n2;y, z\n\n\n3;v\n", ";"),
        ('id;name\n1;5" pipe\n2;b\n', ";"),
        ("\nid,name;x\n1,a\n2,b;c\n3,c\n4,d;e\n", ","),
        # a separator that explains nine of ten rows is as good as one that explains all
        ("id;a, b;c\n" + "1;x, y;z\n" * 8 + "1;x, y\n", ";"),
    ],
)
def test_the_separator_is_the_one_that_explains_the_rows(
    tmp_path: Path, content: str, separator: str
) -> None:
    table = read(tmp_path, content)
    assert table.format.separator == separator
    assert table.found == ("encoding utf-8", f"separator {'tab' if separator == chr(9) else separator}")
    assert table.frame.columns[0] == "id"


def test_a_single_column_is_a_table(tmp_path: Path) -> None:
    table = read(tmp_path, "name\nMüller, Anna\n\nBo;x\n")
    assert rows(table) == [("Müller, Anna",), ("Bo;x",)]
    assert table.lines.to_list() == [2, 4]
    assert table.found == ("encoding utf-8",)


def test_the_first_line_of_excel_names_the_separator(tmp_path: Path) -> None:
    table = read(tmp_path, "sep=;\r\nx;y,z\r\n1;2,3\r\n")
    assert table.frame.to_dicts() == [{"x": "1", "y,z": "2,3"}]
    assert table.lines.to_list() == [3]
    assert table.format.separator == ";"
    assert read(tmp_path, "sep=;\n").frame.columns == ["sep="]


def test_blanks_separate_where_that_is_declared(tmp_path: Path) -> None:
    given = Format(separator="whitespace", columns=("a", "b", "c"))
    table = read(tmp_path, " 1 2   3\n\n4\t5 6  \n7 8\n", given, "table.txt")
    assert table.frame.to_dicts() == [{"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "6"}]
    assert table.lines.to_list() == [1, 3]
    assert table.ragged == (RaggedRow(4, ("7", "8")),)


def test_a_header_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    table = read(tmp_path, "x,y\n")
    assert table.frame.schema == {"x": pl.String, "y": pl.String}
    assert table.frame.height == len(table.lines) == 0
    assert table.lines.dtype == pl.Int64


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        ("x,y\nü,1\n".encode(), "utf-8"),
        ("x,y\nü,1\n".encode("utf-8-sig"), "utf-8"),
        ("x,y\nü,1\n".encode("utf-16"), "utf-16"),
        ("\ufeffx,y\nü,1\n".encode("utf-16-be"), "utf-16"),
        ("x,y\nü,1\n".encode("utf-16-le"), "utf-16-le"),
        ("x,y\nü,1\n".encode("utf-16-be"), "utf-16-be"),
        ("x,y\nü,1\n".encode("cp1252"), "cp1252"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_detected(
    tmp_path: Path, raw: bytes, encoding: str, line_end: str
) -> None:
    wide = "utf-16-be" if raw.startswith(b"\xfe\xff") or encoding == "utf-16-be" else "utf-16-le"
    one = wide if encoding.startswith("utf-16") else "latin-1"
    table = read(tmp_path, raw.replace("\n".encode(one), line_end.encode(one)))
    assert table.frame.to_dicts() == [{"x": "ü", "y": "1"}]
    assert (table.format.encoding, table.found[0]) == (encoding, f"encoding {encoding}")
    assert table.lines.to_list() == [2]


def test_a_declared_encoding_wins(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "x,y\nü,1\n".encode(), Format(encoding="cp1252"))) == [("Ã¼", "1")]
    assert rows(read(tmp_path, "x,y\nü,1\n".encode("cp850"), Format(encoding="cp850"))) == [("ü", "1")]


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        (b"", Format(), "table.csv is empty: it needs a header"),
        (b"\xef\xbb\xbf\n \n", Format(), "table.csv is empty"),
        (b"x,y\n1,\0\n", Format(), "table.csv, line 2: a NUL byte"),
        (
            "é,è,ü\n1,2,\n".encode() + b"3,\xe9,\n",
            Format(),
            "table.csv, line 3, byte 3 of the line (0xe9): not UTF-8",
        ),
        (
            b"x,y\n1,\x81\n",
            Format(),
            "table.csv, line 2, byte 3 of the line (0x81): not CP1252; write encoding =",
        ),
        (b"x,y\n1,\xe9\n", Format(encoding="utf-8"), "line 2, byte 3 of the line (0xe9): not UTF-8"),
        (b"\n1,\xe9\n", Format(encoding="utf-8"), "line 2, byte 3 of the line (0xe9): not UTF-8"),
        (b"x,y\n", Format(encoding="latin-99"), "unknown encoding 'latin-99'"),
        (b"x,y,x\n1,2,3\n", Format(), "table.csv, line 1: columns 1 and 3 are both 'x'"),
        (b'x,y\n1,2\n3,"4\n5,6\n', Format(), "table.csv, line 3: a quote"),
        (b'x,y\n1,2\n3,"4\n5,"6"\n', Format(), "table.csv, line 3: a quote"),
        (
            b"x;y\n1;2\n",
            Format(separator=","),
            "the separator is not ',', which the header does not have: write separator = \";\"",
        ),
        (b"x,y\n", Format(separator="<>"), "separator = '<>' must be one character"),
        (b"<!DOCTYPE html><table>", Format(), "table.csv is a web page or XML"),
        (b"\x1f\x8b\x08", Format(), "table.csv is compressed with gzip; unpack it"),
        (b"PK\x03\x04nothing", Format(), "looks like a workbook but cannot be read"),
        (b"PAR1nothing", Format(), "the Parquet file is damaged"),
    ],
)
def test_a_file_that_cannot_be_used_names_the_place_and_the_fix(
    tmp_path: Path, content: bytes, given: Format, message: str
) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, content, given)
    assert message in str(error.value)


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"orders\.csv: cannot read .*No such file"):
        read_table(tmp_path / "orders.csv")
    with pytest.raises(InputError, match="is a folder without Parquet files"):
        read_table(tmp_path, name="orders")


# JSON Lines


def test_json_lines_keep_types_lines_and_nesting(tmp_path: Path) -> None:
    text = (
        '{"id": 1, "a": {"b": "x", "c": {"d": true}}, "n": 1, "tags": ["u", 2], "m": ["ñ"]}\n'
        "\n"
        '{"id": 2, "n": 2.5, "m": "y", "big": 99999999999999999999, '
        f'"huge": {10**40}, "back\\\\u0041": null}}\n'
    )
    table = read(tmp_path, text, name="leads.jsonl")
    assert table.lines.to_list() == [1, 3]
    assert table.frame.to_dict(as_series=False) == {
        "id": [1, 2],
        "a.b": ["x", None],
        "a.c.d": [True, None],
        "n": [1.0, 2.5],
        "tags": [["u", "2"], None],
        "m": ['["ñ"]', "y"],
        "big": [None, 10**20 - 1],
        "huge": [None, str(10**40)],
        "back\\u0041": [None, None],
    }
    assert table.cells([0]).row(0)[:6] == ("1", "x", "true", "1", "u;2", '["ñ"]')


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"x": NaN}', "no JSON: NaN; write null, or a number"),
        ('{"x": -Infinity}', "no JSON: -Infinity; write null, or a number"),
        ('{"x": ', "no JSON: Expecting value at character 7"),
        ("[1]", "no JSON: not an object {…} with the names of the columns: write one a line"),
        ('{"x": 1, "y": {"z": 1, "z": 2}}', "no JSON: the key 'z' comes twice; leave one out"),
        ('{"x": "a\\u0000"}', "no JSON: it holds a NUL character; leave it out"),
        ('{"x": "\\ud800"}', "no JSON: 'utf-8' codec can't encode character"),
        ("[" * 100_000, "no JSON: nested too deep"),
    ],
)
def test_a_bad_line_of_json_is_kept_apart(tmp_path: Path, line: str, reason: str) -> None:
    table = read(tmp_path, f'{{"x": 1}}\n\n{line}\n{{"x": 2}}\n', name="leads.ndjson")
    assert table.lines.to_list() == [1, 4]
    assert table.frame["x"].to_list() == [1, 2]
    (bad,) = table.ragged
    assert (bad.line, bad.cells) == (3, (line,))
    assert (bad.reason or "").startswith(reason)
    with pytest.raises(InputError, match=r"leads\.ndjson, line 1: no JSON: "):
        read(tmp_path, f"{line}\n{line}\n", name="leads.ndjson")


@pytest.mark.parametrize("text", ['[\n {\n  "x": 1\n }\n]\n', '{\n"x": 1\n}\n'])
def test_json_over_several_lines_is_refused_with_the_way_to_write_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"leads\.json, line 1: no JSON: an object must stand on one line"):
        read(tmp_path, text, name="leads.json")
    assert rows(read(tmp_path, '{"x": "1"}\n{"x": "2"}\n', name="leads.json")) == [("1",), ("2",)]


def test_accents_in_two_parts_are_one_letter_in_a_header(tmp_path: Path) -> None:
    assert read(tmp_path, "Zoe\u0308,x\n1,2\n").frame.columns == ["Zo\u00eb", "x"]
    with pytest.raises(InputError, match=r"columns 1 and 2 are both 'Zoë'"):
        read(tmp_path, "Zoe\u0308,Zo\u00eb\n1,2\n")


def test_the_apostrophes_of_a_mended_file_of_rejected_rows_are_taken_off_again(tmp_path: Path) -> None:
    text = "x,'=y,{}\n'=1+1,'+a,'@b\n''=1,'-c,'d\n'-,o'-,\n"
    mended = read(tmp_path, text.format("reason_"))
    assert mended.frame.columns == ["x", "=y", "reason_"]
    assert mended.frame.rows() == [("=1+1", "+a", "@b"), ("'=1", "-c", "'d"), ("-", "o'-", None)]
    strange = read(tmp_path, text.format("reasons"))
    assert strange.frame.row(0) == ("'=1+1", "'+a", "'@b")


# workbooks, Parquet, data frames


def workbook(sheets: dict[str, dict[str, Any]]) -> bytes:
    """Write a workbook the plainest way: cells by their place, dates by style 1."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def relations(targets: dict[str, str]) -> str:
        tags = (f'<Relationship Id="{n}" Type="{office}/{kind}" Target="{to}"/>' for n, (to, kind) in
                enumerate(targets.items()))  # fmt: skip
        return f'<Relationships xmlns="{package}/relationships">{"".join(tags)}</Relationships>'

    files, tags = {}, ""
    for number, (name, cells) in enumerate(sheets.items()):
        tags += f'<sheet name="{name}" sheetId="{number + 1}" r:id="{number}"/>'
        rows_: dict[int, str] = {}
        for place, value in cells.items():
            match value:
                case str():
                    cell = f't="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
                case bool():
                    cell = f't="b"><v>{int(value)}</v></c>'
                case date():
                    cell = f's="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
                case _:
                    cell = f"><v>{value}</v></c>"
            row = int(place.lstrip("ABCDEFG"))
            rows_[row] = rows_.get(row, "") + f'<c r="{place}" {cell}'
        body = "".join(f'<row r="{row}">{rows_[row]}</row>' for row in sorted(rows_))
        files[f"s{number}.xml"] = f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>"
    parts = dict.fromkeys(files, "worksheet") | {"styles.xml": "styles"}
    files["_rels/workbook.xml.rels"] = relations(parts)
    files["workbook.xml"] = f'<workbook {main} xmlns:r="{office}"><sheets>{tags}</sheets></workbook>'
    styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    files["styles.xml"] = f"<styleSheet {main}>{styles}</styleSheet>"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        archive.writestr("_rels/.rels", relations({"xl/workbook.xml": "officeDocument"}))
        for name, text in files.items():
            archive.writestr(f"xl/{name}", text)
    return out.getvalue()


BOOK = {
    "Orders": {
        "B3": "id", "C3": " amount ", "D3": "day", "E3": "mixed", "F3": "flag",
        "B4": "K1", "C4": 1.5, "D4": date(2025, 8, 3), "E4": date(2025, 8, 3), "F4": True,
        "B6": "K2", "C6": 2, "E6": "n/a", "F6": False,
        "B7": " ",
        "B8": "K3", "D8": date(2025, 8, 4), "E8": 3.25,
    },
    "Empty": {},
}  # fmt: skip


def test_a_workbook_keeps_types_and_rows(tmp_path: Path) -> None:
    table = read(tmp_path, workbook(BOOK), name="orders.xlsx")
    assert table.lines.to_list() == [4, 6, 8]
    day = datetime(2025, 8, 3)
    assert rows(table) == [
        ("K1", 1.5, day, "2025-08-03 00:00:00", True),
        ("K2", 2.0, None, "n/a", False),
        ("K3", None, datetime(2025, 8, 4), "3.25", None),
    ]
    assert table.frame.columns == ["id", "amount", "day", "mixed", "flag"]
    assert table.found == ("sheet 'Orders' of 'Orders', 'Empty'",)
    assert table.format.sheet == "Orders"
    assert table.cells([1, 2]).rows() == [
        ("K2", "2", None, "n/a", "false"),
        ("K3", None, "2025-08-04", "3.25", None),
    ]


def test_a_workbook_saved_as_csv_is_a_workbook(tmp_path: Path) -> None:
    table = read(tmp_path, workbook({"One": BOOK["Orders"]}))
    assert table.frame["id"].to_list() == ["K1", "K2", "K3"]
    assert table.found == ("sheet 'One'", "a workbook, in spite of .csv")


def test_a_text_saved_as_a_workbook_is_a_text(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "x,y\n1,2\n", name="orders.xlsx")) == [("1", "2")]


def test_a_workbook_without_a_header_takes_the_declared_columns(tmp_path: Path) -> None:
    book = workbook({"One": {"A1": "a", "B1": 1, "A2": "b", "B2": 2}})
    table = read(tmp_path, book, Format(columns=("k", "n")), "t.xlsx")
    assert table.frame.to_dicts() == [{"k": "a", "n": 1.0}, {"k": "b", "n": 2.0}]
    assert table.lines.to_list() == [1, 2]
    with pytest.raises(InputError, match=r"2 columns, but columns under .format. names 1"):
        read(tmp_path, book, Format(columns=("k",)), "t.xlsx")


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ("Nope", "no sheet 'Nope'; write sheet = one of 'Orders', 'Empty'"),
        ("Empty", "the sheet 'Empty' is empty; the sheets are 'Orders'"),
    ],
)
def test_the_sheets_of_a_workbook_are_named(tmp_path: Path, sheet: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, workbook(BOOK), Format(sheet=sheet), "orders.xlsx")


def test_parquet_keeps_types_whatever_its_ending(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {" id ": ["a", "b"], "at": [datetime(2025, 8, 3, 1), None], "s": [{"x": 1}, {"x": 2}]}
    )
    frame.write_parquet(tmp_path / "orders.csv")
    table = read_table(str(tmp_path / "orders.csv"))
    assert table.frame.to_dict(as_series=False) == {
        "id": ["a", "b"],
        "at": [datetime(2025, 8, 3, 1), None],
        "s.x": [1, 2],
    }
    assert table.lines.to_list() == [1, 2]
    assert table.file == "orders.csv"


def test_data_frames_of_any_library_are_read() -> None:
    polars = pl.DataFrame({"x": ["a", None], "n": [1.5, 2.0]})
    for source in (polars, polars.lazy(), pd.DataFrame({"x": ["a", None], "n": [1.5, 2.0]})):
        table = read_table(source, name="orders")
        assert rows(table) == [("a", 1.5), (None, 2.0)]
        assert table.lines.to_list() == [1, 2]
        assert table.file == "orders"
    assert read_table(pd.DataFrame({1: ["a"], 2: [float("nan")]})).frame.columns == ["1", "2"]
    assert rows(read_table(pd.DataFrame({"x": ["a", 1, None, 2.5]}))) == [("a",), ("1",), (None,), ("2.5",)]
    with pytest.raises(InputError, match="a dict is no data frame"):
        read_table({"x": 1})
    with pytest.raises(InputError, match="columns 1 and 2 are both 'x'"):
        read_table(pl.DataFrame({"x": [1], "x ": [2]}))
    assert polars.columns == ["x", "n"]


def test_cells_of_any_type_can_be_written_as_text() -> None:
    frame = pl.DataFrame(
        {
            "number": [1.0, 2.5, float("nan")],
            "at": [datetime(2025, 8, 3), datetime(2025, 8, 3, 1, 2, 3, 500_000), None],
            "zoned": pl.Series([datetime(2025, 8, 3), None, None]).dt.replace_time_zone("Europe/Berlin"),
            "span": [timedelta(hours=25), None, None],
            "list": [["a", None, "b"], [], None],
            "lists": [[["a"], ["b"]], None, None],
            "thing": pl.Series([Path("a/b"), None, None], dtype=pl.Object),
            "kind": pl.Series(["x", None, None], dtype=pl.Categorical),
        }
    )
    assert read_table(frame).cells([0, 1, 2]).to_dict(as_series=False) == {
        "number": ["1", "2.5", None],
        "at": ["2025-08-03T00:00:00", "2025-08-03T01:02:03.500", None],
        "zoned": ["2025-08-03T00:00:00+02:00", None, None],
        "span": ["1 day, 1:00:00", None, None],
        "list": ["a;b", None, None],
        "lists": ["[['a'], ['b']]", None, None],
        "thing": ["a/b", None, None],
        "kind": ["x", None, None],
    }


# SQL


@pytest.fixture
def address(empty_database: Any) -> str:
    with empty_database.connect() as connection:
        connection.execute("""
            CREATE TABLE orders (id text, n bigint, amount numeric(12, 2), at timestamptz, day date,
                                 ok boolean, tags text[], small smallint, count integer, ref oid,
                                 half real, share double precision, names varchar[]);
            INSERT INTO orders VALUES
            ('K1, "x"', 1, 2.50, '2025-08-03 14:05+02', '2025-08-03', true,
             '{"a b",c,"d, e","6\\""}', 2, 3, 4, 0.5, 0.25, '{}');
            INSERT INTO orders (at) VALUES ('infinity');
        """)
        connection.commit()
    return str(empty_database.url)


def test_a_table_or_query_of_a_database_is_read(address: str) -> None:
    table = read_table(address, Format(query="orders"))
    assert table.file == "orders"
    assert table.frame.to_dicts() == [
        {"id": 'K1, "x"', "n": 1, "amount": 2.5, "at": "2025-08-03 12:05:00+00", "day": "2025-08-03",
         "ok": True, "tags": ["a b", "c", "d, e", '6"'], "small": 2, "count": 3, "ref": 4, "half": 0.5,
         "share": 0.25, "names": []},
        {"id": None, "n": None, "amount": None, "at": "infinity", "day": None, "ok": None, "tags": None,
         "small": None, "count": None, "ref": None, "half": None, "share": None, "names": None},
    ]  # fmt: skip
    assert table.lines.to_list() == [1, 2]
    one = read_table(address, Format(query="SELECT id AS kunde FROM public.orders WHERE n = 1;"), "orders")
    assert one.frame.to_dicts() == [{"kunde": 'K1, "x"'}]
    none = read_table(address, Format(query="SELECT id, n FROM orders WHERE false"))
    assert none.frame.schema == {"id": pl.String, "n": pl.Int64}
    nulls = read_table(address, Format(query="SELECT id FROM orders ORDER BY id"))
    assert nulls.frame["id"].to_list() == ['K1, "x"', None]


def test_a_query_cannot_write_and_its_errors_are_shown(address: str) -> None:
    for query, message in (
        ("DELETE FROM orders RETURNING id", "the query: the database: syntax error"),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "the database: "),
        ("nothing", 'nothing: the database: relation "nothing" does not exist'),
        ("", "write query = "),
    ):
        with pytest.raises(InputError) as error:
            read_table(address, Format(query=query))
        assert message in str(error.value)
    assert read_table(address, Format(query="orders")).frame.height == 2


@pytest.mark.parametrize("rest", ["ada:s3cret@127.0.0.1:1/x", "ada:s3cret@[/x", "ada:s3/cret@h:x/y"])
def test_no_message_shows_a_password(rest: str) -> None:
    with pytest.raises(InputError) as error:
        read_table(f"postgresql://{rest}", Format(query="orders"))
    assert "s3" not in str(error.value)
    assert str(error.value).startswith("orders: the database: ")


# data sets: folders of Parquet files


def data_set(folder: Path) -> Path:
    """Write a data set with two levels of folders, and what other programs leave in one."""
    for year, month in ((2026, 1), (2025, 10), (2025, 2)):
        place = folder / f"year={year}" / f"month={month}"
        place.mkdir(parents=True)
        pl.DataFrame({"id": [f"{year}-{month}", None]}).write_parquet(place / "part-0.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / "_temporary").mkdir()
    pl.DataFrame({"id": ["unfinished"]}).write_parquet(folder / "_temporary" / "part-0.parquet")
    return folder


def test_a_folder_of_parquet_files_is_one_table_in_the_order_of_the_paths(tmp_path: Path) -> None:
    table = read_table(data_set(tmp_path / "orders"))
    assert table.file == "orders"
    assert rows(table) == [
        ("2025-10", 2025, 10), (None, 2025, 10), ("2025-2", 2025, 2), (None, 2025, 2), ("2026-1", 2026, 1),
        (None, 2026, 1),
    ]  # fmt: skip
    assert table.frame.columns == ["id", "year", "month"]
    assert table.lines.to_list() == [1, 2, 3, 4, 5, 6]


def test_a_flat_folder_has_no_further_columns(tmp_path: Path) -> None:
    for number in range(2):
        pl.DataFrame({"x": [number]}).write_parquet(tmp_path / f"part-{number}.parquet")
    assert read_table(tmp_path).frame.to_dict(as_series=False) == {"x": [0, 1]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is a folder without Parquet files: give a file, or a folder that holds a data set"),
        (b"PAR1 and no more", "orders: the Parquet files cannot be read as one table"),
    ],
)
def test_a_folder_that_is_no_data_set_says_so(tmp_path: Path, content: bytes | None, said: str) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    if content is not None:
        (folder / "part-0.parquet").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_table(folder)


def test_files_with_other_columns_are_no_one_table(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"x": [1], "y": [2]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="with the same columns in each"):
        read_table(tmp_path)


# titles above the header, and headers over several lines

BODY = "id,name,city,amount\n1,Ada,Rome,5\n2,Ben,Oslo,6\n3,Cleo,Bern,7\n"


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("Sales 2025\n", 1),
        ("Sales 2025,,,\n\n", 2),
        ('"Sales\n2025"\nas of,2025-12-31\n\n', 4),
        ("\nSales 2025\n,,,\n", 3),
    ],
)
def test_a_header_is_found_under_a_title(tmp_path: Path, above: str, lines: int) -> None:
    table = read(tmp_path, above + BODY)
    assert table.frame.columns == ["id", "name", "city", "amount"]
    assert rows(table)[0] == ("1", "Ada", "Rome", "5")
    assert table.lines.to_list() == [lines + 2, lines + 3, lines + 4]
    assert f"header in line {lines + 1}" in table.found
    assert not table.ragged


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        "comment\nGood, quick, friendly\nBad\nSo, so\nFine\n",  # one column of sentences
        "id,name\n1,Ada\n2,Ben\n3,Cleo\n4,Dan\n",  # narrow
        "id,,,\n1,Ada,Rome,5\n2,Ben,Oslo,6\n3,Cleo,Bern,7\n4,Ada,Rome,5\n",  # the next row names nothing
        "Sales 2025\n" + BODY.replace("city", "name"),  # no header: two columns of a name
    ],
)
def test_the_first_line_is_the_header_where_nothing_shows_that_it_is_a_title(
    tmp_path: Path, text: str
) -> None:
    table = read(tmp_path, text)
    assert table.frame.columns[0] == text.partition("\n")[0].partition(",")[0]
    assert not [item for item in table.found if "header" in item]


def test_a_title_above_a_sheet_is_no_header(tmp_path: Path) -> None:
    cells: dict[str, Any] = {"A1": "Sales 2025", "A2": "as of", "B2": date(2025, 12, 31)}
    cells |= {"A4": "id", "B4": "first\nname", "C4": "city", "D4": "amount"}
    for row in range(5, 11):
        cells |= {f"A{row}": row, f"B{row}": "Ada", f"C{row}": "Rome", f"D{row}": 5}
    table = read(tmp_path, workbook({"one": cells}), name="t.xlsx")
    assert table.frame.columns == ["id", "first name", "city", "amount"]
    assert table.lines.to_list() == [5, 6, 7, 8, 9, 10]
    assert table.frame["amount"].to_list() == [5] * 6
    assert "header in row 4" in table.found


def test_names_over_several_lines_are_read_as_one(tmp_path: Path) -> None:
    table = read(tmp_path, '"deal\nid";"sales \n rep";amount\n1;Ada;5\n2;Ben;6\n')
    assert table.frame.columns == ["deal id", "sales rep", "amount"]
    assert table.lines.to_list() == [4, 5]
    # a sign of inches is no beginning of a name over several lines
    assert read(tmp_path, 'size 5";price\n1;2\n').frame.columns == ['size 5"', "price"]
