"""Files written by libraries that Shelfcast does not read with: what is found in them is compared with what was written, or broken byte by byte."""

import datetime
import gzip
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
import xlwt
from odf import opendocument, table, text
from pyxlsbwriter import XlsbWriter

ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}


@dataclass(frozen=True)
class Error:
    """A cell that holds an error, by Excel's code."""

    code: int

    @property
    def text(self) -> str:
        """What it shows."""
        return ERRORS[self.code]


Cell = str | int | float | bool | datetime.date | datetime.datetime | Error | None
Rows = Sequence[Sequence[Cell]]


def openpyxl_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLSX with shared strings and an extent, by openpyxl."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    for number, row in enumerate(rows, start=1):
        for position, cell in enumerate(row, start=1):
            if cell is not None:
                page.cell(number, position).value = cell.text if isinstance(cell, Error) else cell
                if isinstance(cell, str):
                    # Text that begins with = is text.
                    page.cell(number, position).data_type = "s"
    if hidden is not None:
        other = book.create_sheet("Hidden")
        other.sheet_state = "hidden"
        for row in hidden:
            other.append(list(row))
    return _saved(book.save)


def streamed_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:  # noqa: ARG001 - one signature for all
    """XLSX as openpyxl streams it: no extent, rows one behind the other."""
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet(sheet)
    for row in rows:
        cells = [openpyxl.cell.WriteOnlyCell(page, cell.text if isinstance(cell, Error) else cell) for cell in row]
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                cell.data_type = "s"
        page.append(cells)
    return _saved(book.save)


def xlsxwriter_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLSX by XlsxWriter; numbers behind texts are formulas with their result, blank cells have a format."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        page, bold = book.add_worksheet(sheet), book.add_format({"bold": True})
        for number, row in enumerate(rows):
            for position, cell in enumerate(row):
                if isinstance(cell, bool):
                    page.write_boolean(number, position, cell)
                elif isinstance(cell, str) and cell:
                    page.write_string(number, position, cell)
                elif isinstance(cell, Error):
                    page.write_formula(number, position, "=NA()", None, cell.text)
                elif isinstance(cell, int) and position % 2:
                    page.write_formula(number, position, f"={cell}+0", None, cell)
                elif isinstance(cell, int | float):
                    page.write_number(number, position, cell)
                elif isinstance(cell, datetime.date):
                    page.write_datetime(number, position, cell)
                else:
                    page.write_blank(number, position, None, bold)
        if hidden is not None:
            other = book.add_worksheet("Hidden")
            other.hide()
            for number, row in enumerate(hidden):
                other.write_row(number, 0, row)
    return stream.getvalue()


def inline_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLSX with inline strings in constant memory, by XlsxWriter."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss", "strings_to_numbers": False}) as book:
        page = book.add_worksheet(sheet)
        _fill(page, rows)
        if hidden is not None:
            other = book.add_worksheet("Hidden")
            other.hide()
            _fill(other, hidden)
    return stream.getvalue()


def _fill(page: object, rows: Rows) -> None:
    for number, row in enumerate(rows):
        for position, cell in enumerate(row):
            if isinstance(cell, str):
                page.write_string(number, position, cell)  # type: ignore[attr-defined]
            elif isinstance(cell, Error):
                page.write_formula(number, position, "=NA()", None, cell.text)  # type: ignore[attr-defined]
            elif cell is not None:
                page.write(number, position, cell)  # type: ignore[attr-defined]


def wrong_extent_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLSX whose extent names one cell."""
    return rezipped(openpyxl_book(rows, sheet, hidden), "xl/worksheets/sheet1.xml", lambda xml: _with_extent(xml, b"A1"))


def _with_extent(xml: bytes, extent: bytes) -> bytes:
    start = xml.index(b'<dimension ref="') + len(b'<dimension ref="')
    return xml[:start] + extent + xml[xml.index(b'"', start) :]


def xls_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLS of Excel 97 by xlwt."""
    book = xlwt.Workbook()
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD HH:MM:SS")
    for name, content in ((sheet, rows), ("Hidden", hidden)):
        if content is None:
            continue
        page = book.add_sheet(name)
        page.visibility = int(name == "Hidden" and name != sheet)
        for number, row in enumerate(content):
            for position, cell in enumerate(row):
                if isinstance(cell, datetime.date):
                    page.write(number, position, cell, day)
                elif isinstance(cell, Error):
                    page.row(number).set_cell_error(position, cell.code)
                elif cell is not None:
                    page.write(number, position, cell)
    return _saved(book.save)


def xlsb_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:
    """XLSB by pyxlsbwriter, which writes no errors: numbers that nobody else writes take their place."""
    errors = {0.015625 * (code + 1) + 2.0**40: code for code in ERRORS}
    numbers = {code: number for number, code in errors.items()}

    def with_errors(sheet: bytes) -> bytes:
        for number, code in errors.items():
            sheet = re.sub(
                rb"\x05\x10(.{8})" + re.escape(struct.pack("<d", number)),
                lambda found, code=code: b"\x03\x09" + found[1] + bytes([code]),
                sheet,
                flags=re.DOTALL,
            )
        return sheet

    rows = [[numbers[cell.code] if isinstance(cell, Error) else cell for cell in row] for row in rows]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "book.xlsb"
        with XlsbWriter(str(path)) as book:
            book.add_sheet(sheet)
            width = max(map(len, rows))
            book.write_sheet([[*row, *[None] * (width - len(row))] for row in rows])
            if hidden is not None:
                book.add_sheet("Hidden", hidden=True)
                book.write_sheet([list(row) for row in hidden])
        return rezipped(path.read_bytes(), "xl/worksheets/sheet1.bin", with_errors)


def ods_book(rows: Rows, sheet: str = "Data", hidden: Rows | None = None) -> bytes:  # noqa: ARG001 - one signature for all
    """ODS by odfpy; empty cells and rows that follow each other are written as one that is repeated."""
    book = opendocument.OpenDocumentSpreadsheet()
    page = table.Table(name=sheet)
    for row in rows:
        line = table.TableRow()
        for cell in row:
            line.addElement(_ods_cell(cell))
        page.addElement(line)
    book.spreadsheet.addElement(page)
    return _saved(book.write)


def _ods_cell(cell: Cell) -> table.TableCell:
    if cell is None:
        return table.TableCell(numbercolumnsrepeated=1)
    if isinstance(cell, Error):
        element = table.TableCell(valuetype="float", value="0", formula="of:=NA()")
        element.addElement(text.P(text=cell.text))
        return element
    if isinstance(cell, bool):
        return table.TableCell(valuetype="boolean", booleanvalue=str(cell).lower())
    if isinstance(cell, int | float):
        return table.TableCell(valuetype="float", value=repr(cell))
    if isinstance(cell, datetime.date):
        return table.TableCell(valuetype="date", datevalue=cell.isoformat())
    element = table.TableCell(valuetype="string")
    for line in cell.split("\n"):
        element.addElement(text.P(text=line))
    return element


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def rezipped(content: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """A ZIP file with one member changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry.filename, change(data) if entry.filename == member else data)
    return stream.getvalue()


BOOKS: dict[str, tuple[str, Callable[..., bytes]]] = {
    "openpyxl": ("xlsx", openpyxl_book),
    "openpyxl, streamed": ("xlsx", streamed_book),
    "XlsxWriter": ("xlsx", xlsxwriter_book),
    "XlsxWriter, inline": ("xlsx", inline_book),
    "openpyxl, wrong extent": ("xlsx", wrong_extent_book),
    "xlwt": ("xls", xls_book),
    "pyxlsbwriter": ("xlsb", xlsb_book),
    "odfpy": ("ods", ods_book),
}
"""Writer -> format, and the function that writes rows as a workbook."""


def csv_bytes(rows: Rows) -> bytes:
    """Delimited text with every text in quotes."""
    return "".join(",".join(f'"{cell}"' if isinstance(cell, str) else str(cell) for cell in row) + "\r\n" for row in rows).encode()


def json_bytes(rows: Rows) -> bytes:
    """A JSON object for each row below the header."""
    names, *values = rows
    return "".join(json.dumps(dict(zip(names, row, strict=True)), default=str) + "\n" for row in values).encode()


def parquet_bytes(rows: Rows) -> bytes:
    """Parquet with a column of each kind of value."""
    names, *values = rows
    columns = dict(zip(map(str, names), map(list, zip(*values, strict=True)), strict=True))
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=2)
    return stream.getvalue()


def wide_parquet_bytes(rows: Rows) -> bytes:
    """Parquet whose numbers are decimals of 40 digits, whose texts are bytes, and whose dates are milliseconds."""
    names, *values = rows
    kinds = {int: pa.decimal256(40, 4), str: pa.binary(), datetime.date: pa.timestamp("ms")}
    stream = io.BytesIO()
    columns = {}
    for name, column in zip(names, zip(*values, strict=True), strict=True):
        kind = kinds[type(next(cell for cell in column if cell is not None))]
        cells = [cell.encode() if isinstance(cell, str) else Decimal(cell) if isinstance(cell, int) else cell for cell in column]
        columns[str(name)] = pa.array(cells).cast(kind) if kind == pa.timestamp("ms") else pa.array(cells, kind)
    pq.write_table(pa.table(columns), stream, row_group_size=20, write_statistics=False)
    return stream.getvalue()


def gzip_bytes(content: bytes) -> bytes:
    """One member of gzip."""
    return gzip.compress(content, mtime=0)


def zstd_bytes(content: bytes) -> bytes:
    """One frame of zstd."""
    return bytes(pa.Codec("zstd").compress(content, asbytes=True)) if content else b""
