"""Errors in cells, formulas that were never calculated, and rows that two readers count differently, in workbooks of every format."""

import io
import re
import select
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import xlwt
from odf import opendocument, table

from benchmarks.file_writers import BOOKS, Cell, Error, ods_book, openpyxl_book, rezipped, xls_book, xlsb_book
from transforms.adapters.formats import workbooks
from transforms.adapters.formats.workbooks import read_sheets
from transforms.errors import LandingFileRefused, ProcessKilled

NO_RESULT = "#FORMULA WITHOUT A VALUE!"
ONE_OF_EACH = ["openpyxl", "xlwt", "pyxlsbwriter", "odfpy"]


def read(tmp_path: Path, content: bytes, kind: str) -> list[dict[str, str | None]]:
    """Rows of the first sheet; all that are there are counted."""
    path = tmp_path / f"book.{kind}"
    path.write_bytes(content)
    ((_, records),) = read_sheets(path, path.name, kind, "Data", None, 1, ".")
    assert records.aside + records.table.num_rows == records.total
    return [{name: row[name] for name in records.table.column_names[2:]} for row in records.table.to_pylist()]


def cell_of(xml: str) -> Callable[[bytes], bytes]:
    """The number 77 of a sheet of an ODS file replaced by a cell."""
    return lambda content: re.sub(rb'<table:table-cell [^>]*office:value="77"[^>]*/>', xml.encode(), content)


def ods_with(rows: Sequence[Sequence[Cell]], xml: str) -> bytes:
    return rezipped(ods_book(rows), "content.xml", cell_of(xml))


@pytest.mark.parametrize("writer", BOOKS)
def test_an_error_is_told_wherever_it_stands(tmp_path: Path, writer: str) -> None:
    """Errors of XLS, XLSB and ODS were empty cells, a row of nothing else was none, and ODS said 0 where a sheet shows #DIV/0!."""
    kind, write = BOOKS[writer]
    rows = read(tmp_path, write([["id", "units"], ["007", Error(0x2A)], [Error(0x17), 6], ["008", 7], [None, None], [Error(0x07), None]]), kind)
    assert rows == [
        {"id": "007", "units": "#N/A"},
        {"id": "#REF!", "units": "6"},
        {"id": "008", "units": "7"},
        {"id": "#DIV/0!", "units": None},
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
         'calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>', "#DIV/0!"),
        ('<table:table-cell table:formula="of:=1+" office:value-type="string" office:string-value="" '
         'calcext:value-type="error"><text:p>Err:510</text:p></table:table-cell>', "#ERROR!"),
        ('<table:table-cell table:formula="of:=1+" office:value-type="float" office:value="0"><text:p>Err:510</text:p></table:table-cell>', "#ERROR!"),
        ('<table:table-cell table:formula="of:=1/0" office:value-type="percentage" office:value="0"><text:p>#DIV/0!</text:p></table:table-cell>',
         "#DIV/0!"),
        ('<table:table-cell table:formula="of:=1+1"/>', NO_RESULT),
        ('<table:table-cell table:formula="of:=1+1" office:value-type="float"/>', NO_RESULT),
        ('<table:table-cell table:formula="of:=&quot;&quot;" office:value-type="string" office:string-value=""/>', None),
        ('<table:table-cell table:formula="of:=1+1" office:value-type="float" office:value="0"><text:p>0</text:p></table:table-cell>', "0"),
        ('<table:table-cell office:value-type="float" office:value="3"><text:p>###</text:p></table:table-cell>', "3"),
        ('<table:table-cell office:value-type="float" office:value="3"><office:annotation><text:p>#N/A</text:p></office:annotation>'
         "<text:p>3</text:p></table:table-cell>", "3"),
    ],
)  # fmt: skip
def test_what_programs_write_for_errors_in_ods(tmp_path: Path, cell: str, text: str | None) -> None:
    named = rezipped(
        ods_with([["id", "units"], ["007", 77], ["008", 6]], cell),
        "content.xml",
        lambda xml: xml.replace(
            b"<office:document-content ",
            b'<office:document-content xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" ',
            1,
        ),
    )
    assert read(tmp_path, named, "ods") == [{"id": "007", "units": text}, {"id": "008", "units": "6"}]


def xls_with_formulas(formulas: Sequence[str]) -> bytes:
    """XLS whose formulas have no result: xlwt does not calculate."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    for number, (name, formula) in enumerate([("id", "units"), *((f"{number:03d}", formula) for number, formula in enumerate(formulas))]):
        sheet.write(number, 0, name)
        sheet.write(number, 1, xlwt.Formula(formula) if number else formula)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_formulas_of_xls_that_none_has_calculated_are_told(tmp_path: Path) -> None:
    assert [row["units"] for row in read(tmp_path, xls_with_formulas(["1+1", "A1&A2"]), "xls")] == [NO_RESULT, NO_RESULT]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (struct.pack("<d", 12.0), "12"),
        (b"\x02\x00\x2a\x00\x00\x00\xff\xff", "#N/A"),
        (b"\x02\x00\x07\x00\x00\x00\xff\xff", "#DIV/0!"),
        (b"\x01\x00\x01\x00\x00\x00\xff\xff", "true"),
    ],
)
def test_results_of_formulas_of_xls_are_read_and_empty_texts_beside_them_are_empty(tmp_path: Path, result: bytes, text: str) -> None:
    """Formulas that were dragged down below the data show nothing: in a sheet that was calculated they are empty, and no thousand errors."""
    content = xls_with_formulas(["1+1", "A1&A2", "A1&A3"])
    calculated = content.replace(b"\x03\x00\x00\x00\x00\x00\xff\xff", result, 1)
    assert calculated != content
    assert [row["units"] for row in read(tmp_path, calculated, "xls")] == [text, None, None]


def test_a_table_in_a_comment_or_a_drawing_is_no_row(tmp_path: Path) -> None:
    cell = (
        '<table:table-cell office:value-type="float" office:value="6"><draw:frame xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0">'
        '<text:p>#N/A</text:p></draw:frame><text:p>6</text:p></table:table-cell>'
    )  # fmt: skip
    assert read(tmp_path, ods_with([["id", "units"], ["007", 77]], cell), "ods") == [{"id": "007", "units": "6"}]


def repeated(rows: int, columns: int, cell: str) -> bytes:
    """ODS in which a row, and a cell of it, stand for many."""
    return rezipped(
        ods_with([["id", "units"], ["007", 77]], cell.replace("<table:table-cell", f'<table:table-cell table:number-columns-repeated="{columns}"')),
        "content.xml",
        lambda xml: (
            b'<table:table-row table:number-rows-repeated="%d">' % rows
        ).join(xml.rsplit(b"<table:table-row>", 1)),
    )  # fmt: skip


SIX = '<table:table-cell office:value-type="float" office:value="6"><text:p>6</text:p></table:table-cell>'
DIVIDED = '<table:table-cell table:formula="of:=1/0" office:value-type="float" office:value="0"><text:p>#DIV/0!</text:p></table:table-cell>'


@pytest.mark.parametrize(("cell", "text"), [(SIX, "6"), (DIVIDED, "#DIV/0!")])
def test_rows_that_stand_once_for_many_are_as_many(tmp_path: Path, cell: str, text: str) -> None:
    assert read(tmp_path, repeated(5, 1, cell), "ods") == [{"id": "007", "units": text}] * 5


@pytest.mark.parametrize("cell", [SIX, DIVIDED])
@pytest.mark.parametrize(("rows", "columns"), [(1_048_000, 1), (1_048_576, 16_384), (90_000, 16_384), (10**30, 1)])
def test_a_row_that_stands_for_a_million_is_refused_within_bounds(tmp_path: Path, cell: str, rows: int, columns: int) -> None:
    expected = r"stands for 1,048,000 that are alike|more memory than a workbook|spans more than|Cell limit exceeded|number too large|it is broken"
    with pytest.raises(LandingFileRefused, match=expected):
        read(tmp_path, repeated(rows, columns, cell), "ods")


@pytest.mark.parametrize("used", [True, False])
def test_an_entity_bomb_in_ods_is_refused(tmp_path: Path, used: bool) -> None:
    entities = "".join(f'<!ENTITY x{number} "{f"&x{number - 1};" * 10}">' for number in range(1, 12))
    bomb = rezipped(
        ods_book([["id", "units"], ["007", 6]]),
        "content.xml",
        lambda xml: xml.replace(b"?>", f'?><!DOCTYPE a [<!ENTITY x0 "ha">{entities}]>'.encode(), 1).replace(b">007<", b">&x11;<" if used else b">8<"),
    )
    with pytest.raises(LandingFileRefused, match="unrecognized entity" if used else "declares a document type"):
        read(tmp_path, bomb, "ods")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_sheet_that_ends_early_is_refused(tmp_path: Path, kept: float) -> None:
    rows: list[list[Cell]] = [["id", "units"], *[[f"{number:05d}", number] for number in range(300)]]
    for content, kind, member in ((ods_book(rows), "ods", "content.xml"), (xlsb_book(rows), "xlsb", "xl/worksheets/sheet1.bin")):
        with pytest.raises(LandingFileRefused, match=r"broken|ends early|cannot be read"):
            read(tmp_path, rezipped(content, member, lambda part: part[: int(len(part) * kept)]), kind)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = ods_book([["id", "units"], *[[f"{number:05d}", number] for number in range(3000)]])
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        size = book.getinfo("content.xml").file_size
    with pytest.raises(LandingFileRefused):
        read(tmp_path, content.replace(struct.pack("<L", size), struct.pack("<L", 100)), "ods")


@pytest.mark.parametrize(("kind", "write"), [("xls", xls_book), ("xlsb", xlsb_book), ("ods", ods_book), ("xlsx", openpyxl_book)])
def test_rows_that_two_readers_count_differently_refuse_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, write: Callable[..., bytes]
) -> None:
    from transforms.workbooks import process

    path = tmp_path / f"book.{kind}"
    path.write_bytes(write([["id", "units"], ["007", 6], ["008", 7]]))
    request = {"path": str(path), "format": kind, "sheet": "Data", "sheets": None, "header": 1, "decimal": ".", "target": f"{tmp_path}/s"}
    monkeypatch.setattr(process, "_rows", lambda *_: [["id", "units"], ["007", 6.0]])
    monkeypatch.setattr(process, "_limit", lambda _: None)
    answer = process._convert({**request, "memory": 1 << 40, "expanded": 1 << 30, "cells": 1000})
    assert answer["sheets"][0]["total"] == 3


def test_the_writer_of_ods_calculates_nothing(tmp_path: Path) -> None:
    book = opendocument.OpenDocumentSpreadsheet()
    page = table.Table(name="Data")
    for cells in (["id", "units"], ["007", None]):
        row = table.TableRow()
        for cell in cells:
            element = table.TableCell(formula="of:=1+1") if cell is None else table.TableCell(valuetype="string", stringvalue=cell)
            row.addElement(element)
        page.addElement(row)
    book.spreadsheet.addElement(page)
    stream = io.BytesIO()
    book.write(stream)
    assert read(tmp_path, stream.getvalue(), "ods") == [{"id": "007", "units": NO_RESULT}]


SHEET = {"xlsx": "xl/worksheets/sheet1.xml", "xlsb": "xl/worksheets/sheet1.bin"}
THREE: list[list[Cell]] = [["id", "units"], ["007", 6], ["008", 7], ["009", 8]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({b'r="B4"': b'r="A4"'}, "row 4 of its sheet 'Data' has two cells for column 1, and nothing says which of them holds."),
        (
            {b'r="4"': b'r="3"', b'"A4"': b'"A3"', b'"B4"': b'"B3"'},
            "row 3 of its sheet 'Data' comes twice or after row 3, expected rows in their order.",
        ),
        ({b'r="4"': b'r="3"', b'"A4"': b'"C3"', b'"B4"': b'"D3"'}, "row 3 of its sheet 'Data' comes twice or after row 3"),
        ({b'r="3"': b'r="5"', b'"A3"': b'"A5"', b'"B3"': b'"B5"'}, "row 4 of its sheet 'Data' comes twice or after row 5"),
        ({b'"B4"': b'"B3"'}, "a row of its sheet 'Data' has cells of rows 3 and 4."),
    ],
)
def test_a_cell_or_a_row_that_xlsx_gives_twice_refuses_the_file(tmp_path: Path, changes: dict[bytes, bytes], message: str) -> None:
    """The last value was taken, and the other one was gone without a word."""

    def change(xml: bytes) -> bytes:
        for old, new in changes.items():
            xml = xml.replace(old, new)
        return xml

    with pytest.raises(LandingFileRefused, match=re.escape(message)):
        read(tmp_path, rezipped(openpyxl_book(THREE), SHEET["xlsx"], change), "xlsx")


def test_rows_of_xlsx_that_do_not_say_their_number_stand_where_their_cells_do(tmp_path: Path) -> None:
    content = rezipped(
        openpyxl_book(THREE), SHEET["xlsx"], lambda xml: re.sub(rb'<row r="\d"', b"<row", xml.replace(b'"A4"', b'"A6"').replace(b'"B4"', b'"B6"'))
    )
    assert [row["id"] for row in read(tmp_path, content, "xlsx")] == ["007", "008", "009"]


def test_a_cell_or_a_row_that_xlsb_gives_twice_refuses_the_file(tmp_path: Path) -> None:
    def with_number(xml: bytes, column: int) -> bytes:
        # The cell of 8: its column, its style, and the number in 30 bits.
        at = xml.rindex(struct.pack("<L", 1), 0, xml.rindex(struct.pack("<L", 8 << 2 | 2)))
        return xml[:at] + struct.pack("<L", column) + xml[at + 4 :]

    def with_row(xml: bytes) -> bytes:
        at = xml.rindex(struct.pack("<L", 3), 0, xml.rindex(struct.pack("<L", 8 << 2 | 2)))
        return xml[:at] + struct.pack("<L", 2) + xml[at + 4 :]

    with pytest.raises(LandingFileRefused, match="row 4 of its sheet 'Data' has two cells for column 1"):
        read(tmp_path, rezipped(xlsb_book(THREE), SHEET["xlsb"], lambda part: with_number(part, 0)), "xlsb")
    with pytest.raises(LandingFileRefused, match="row 3 of its sheet 'Data' comes twice or after row 3"):
        read(tmp_path, rezipped(xlsb_book(THREE), SHEET["xlsb"], with_row), "xlsb")


def test_a_cell_that_xls_gives_twice_refuses_the_file(tmp_path: Path) -> None:
    content = xls_book([*THREE, ["010", 9.123]])
    cell = struct.pack("<HHHH", 0x203, 14, 4, 1)
    assert content.count(cell) == 1
    with pytest.raises(LandingFileRefused, match="row 4 of its sheet 'Data' has two cells for column 2"):
        read(tmp_path, content.replace(cell, struct.pack("<HHHH", 0x203, 14, 3, 1)), "xls")


def test_two_sheets_of_one_name_refuse_the_file(tmp_path: Path) -> None:
    """Of two sheets of an ODS file with one name the rows of one were read, and those of the other were gone."""

    def doubled(xml: bytes) -> bytes:
        start, end = xml.index(b"<table:table "), xml.index(b"</table:table>") + len(b"</table:table>")
        return xml[:end] + xml[start:end].replace(b"007", b"070") + xml[end:]

    with pytest.raises(LandingFileRefused, match="it has two sheets 'Data', and only one of them could be read"):
        read(tmp_path, rezipped(ods_book(THREE), "content.xml", doubled), "ods")


def test_a_number_of_more_digits_than_programs_keep_is_written_with_an_exponent(tmp_path: Path) -> None:
    """1234567890123456 became 1234567890123456.0, which was taken as an identifier."""
    rows = read(tmp_path, openpyxl_book([["id", "units"], [123456789012345, 6], [1234567890123456, 7]]), "xlsx")
    assert [row["id"] for row in rows] == ["123456789012345", "1.2345678901234560e+15"]


@pytest.mark.parametrize("kills", [1, 2])
def test_a_reader_that_is_killed_says_nothing_of_the_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int) -> None:
    """The workbook was refused for good, as one whose reading takes too much memory."""
    reader, asked, left = workbooks._Reader(), select.select, [True] * kills

    def killing(*arguments: object) -> object:
        if left and reader.process is not None:
            left.pop()
            reader.process.kill()
        return asked(*arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(workbooks, "_reader", reader)
    monkeypatch.setattr(workbooks.select, "select", killing)
    content = openpyxl_book([["store", "units"], ["1", 7]])
    if kills == 1:
        assert len(read(tmp_path, content, "xlsx")) == 1
    else:
        with pytest.raises(ProcessKilled, match=r"The process that reads workbooks was killed.*Run the command again"):
            read(tmp_path, content, "xlsx")
        assert len(read(tmp_path, content, "xlsx")) == 1
