"""Random tables in workbooks of writers that Shelfcast does not read with: every value is found again at its row and column."""

import datetime
import io
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from benchmarks.file_writers import BOOKS, ERRORS, Cell, Error, Rows, openpyxl_book, rezipped
from transforms.adapters.formats.delimited import Records
from transforms.adapters.formats.headers import ROW, SHAPE
from transforms.adapters.formats.workbooks import read_sheets
from transforms.errors import LandingFileRefused

CODES = [
    "007",
    "1.200,5",
    "01-02-2024",
    "#N/A",
    "NULL",
    "1e5",
    "=1+1",
    "TRUE",
    "2022-05-02",
    "café",
    "日本",
    "\U0001f950",
    "O'Brien",
    'a "b"',
    "<&>",
    "12345678901234567890",
]
PLAIN = st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="_\x7f")
TEXTS = st.sampled_from(CODES) | st.text(PLAIN, min_size=1, max_size=8)
DAYS = st.dates(datetime.date(1950, 1, 1), datetime.date(2090, 12, 31))
MOMENTS = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2090, 12, 31)).map(lambda moment: moment.replace(microsecond=0))
NUMBERS = st.integers(-(2**31), 2**31) | st.integers(-999_999_999_999_999, 999_999_999_999_999) | st.floats(-1e12, 1e12).map(lambda x: round(x, 3))
CELLS: st.SearchStrategy[Cell] = TEXTS | NUMBERS | DAYS | MOMENTS | st.booleans() | st.sampled_from([*ERRORS]).map(Error) | st.none()


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rows, int]:
    """Rows with a header, and in which row it stands."""
    width = draw(st.integers(1, 5))
    # No value is its own column's name: such a row is the header again.
    names = draw(st.lists(TEXTS.map("n{}".format), min_size=width, max_size=width, unique_by=str.lower))
    titles = draw(st.lists(st.lists(TEXTS | st.none(), min_size=1, max_size=width), max_size=2))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width) | st.just([None] * width), max_size=6))
    return [*titles, names, *rows], len(titles) + 1


def read(content: bytes, kind: str, header: int = 1, sheet: str | None = None, decimal: str = ".") -> Records:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"book.{kind}"
        path.write_bytes(content)
        ((_, records),) = read_sheets(path, path.name, kind, sheet, None, header, decimal)
        return records


def assert_same(text: str | None, cell: Cell) -> None:
    """A cell's text says its value: no digit lost, no sign changed, no day moved."""
    if cell is None:
        assert text is None
    elif isinstance(cell, Error):
        assert text == cell.text
    elif isinstance(cell, bool):
        assert text == str(cell).lower()
    elif isinstance(cell, int):
        assert text == str(cell)
    elif isinstance(cell, float):
        assert text is not None
        assert float(text) == cell
    elif isinstance(cell, datetime.datetime):
        assert datetime.datetime.fromisoformat(text or "") == cell
    elif isinstance(cell, datetime.date):
        assert text is not None
        assert datetime.datetime.fromisoformat(text) == datetime.datetime.combine(cell, datetime.time())
    else:
        assert text == cell


@pytest.mark.parametrize("writer", BOOKS)
@given(tables())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_cell_of_a_workbook_is_found_again(writer: str, table: tuple[Rows, int]) -> None:
    rows, header = table
    # Its writer counts a sign outside of the first plane of Unicode as one, and readers as two.
    assume(writer != "pyxlsbwriter" or all(sign < "\U00010000" for row in rows for cell in row if isinstance(cell, str) for sign in cell))
    kind, write = BOOKS[writer]
    names, below = list(rows[header - 1]), rows[header:]
    records = read(write(rows), kind, header)
    assert records.table.column_names == [ROW, SHAPE, *names]
    kept = {number: row for number, row in enumerate(below, start=1) if any(cell is not None for cell in row)}
    found = {row[ROW]: row for row in records.table.to_pylist()}
    assert list(found) == list(kept)
    for number, row in kept.items():
        assert found[number][SHAPE] is None
        for name, cell in zip(names, row, strict=True):
            assert_same(found[number][str(name)], cell)
    assert records.above == header
    assert records.aside + records.table.num_rows == records.total


@pytest.mark.parametrize("writer", [name for name in BOOKS if name not in {"openpyxl, streamed", "odfpy"}])
def test_a_hidden_sheet_is_not_read_unless_it_is_named(writer: str) -> None:
    kind, write = BOOKS[writer]
    content = write([["id", "units"], ["007", 6]], hidden=[["id", "units"], ["1", 1], ["2", 2]])
    assert read(content, kind).table["units"].to_pylist() == ["6"]
    assert read(content, kind, sheet="Hidden").table["units"].to_pylist() == ["1", "2"]


@pytest.mark.parametrize("writer", BOOKS)
def test_a_number_has_the_sign_that_the_texts_of_its_file_have(writer: str) -> None:
    """A column of `1,5` as text and 1.5 as number is one column: read with a comma, the number must not become 15."""
    kind, write = BOOKS[writer]
    assert read(write([["units"], ["1,5"], [1.5], [12]]), kind, decimal=",").table["units"].to_pylist() == ["1,5", "1,5", "12"]


@pytest.mark.parametrize("writer", BOOKS)
def test_a_value_right_of_the_header_is_told(writer: str) -> None:
    kind, write = BOOKS[writer]
    (row,) = read(write([["id", "units", None], ["007", 6, "late"]]), kind).table.to_pylist()
    assert row == {ROW: 1, SHAPE: "a value in column 3, right of the header", "id": None, "units": None}


@pytest.mark.parametrize("writer", BOOKS)
@pytest.mark.parametrize("name", ["__row__", "__SHAPE__", "__place__"])
def test_a_column_called_like_one_of_the_readers_is_refused(writer: str, name: str) -> None:
    """Two columns of one name: the file's own went without a word."""
    kind, write = BOOKS[writer]
    with pytest.raises(LandingFileRefused, match=f"its header has a column '{name.lower()}', which Shelfcast calls one of its own. Rename it."):
        read(write([["id", name], ["007", 6]]), kind)


@pytest.mark.parametrize("writer", BOOKS)
def test_blank_rows_below_the_data_are_counted_as_blank(writer: str) -> None:
    kind, write = BOOKS[writer]
    records = read(write([["id", "units"], ["007", 6], *[["", " "]] * 3, ["008", 7], *[[None, ""]] * 5]), kind)
    assert records.table[ROW].to_pylist() == [1, 5]
    assert records.total == records.aside + 2


def test_days_of_a_workbook_that_counts_from_1904_are_the_same_days() -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in (["day"], [datetime.date(2022, 5, 2)], [datetime.datetime(1999, 12, 31, 23, 59, 59)]):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    days = read(stream.getvalue(), "xlsx").table["day"].to_pylist()
    assert [datetime.datetime.fromisoformat(day) for day in days] == [datetime.datetime(2022, 5, 2), datetime.datetime(1999, 12, 31, 23, 59, 59)]


def test_a_cell_in_the_last_row_of_a_sheet_costs_no_gigabyte() -> None:
    """The million empty rows between are part of the sheet: they took 2.4 GB."""
    content = openpyxl_book([["id", "units", *[f"c{number}" for number in range(30)]], ["007", 6]])
    far = rezipped(
        content,
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>8</v></c></row></sheetData>'),
    )
    with pytest.raises(LandingFileRefused, match=r"more memory than a workbook of its size may|spans more than"):
        read(far, "xlsx")


@pytest.mark.parametrize("writer", BOOKS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_workbook_that_was_cut_off_is_refused(writer: str, kept: float) -> None:
    kind, write = BOOKS[writer]
    content = write([["id", "units"], *[[f"{number:05d}", number] for number in range(300)]])
    with pytest.raises(LandingFileRefused, match=r"^book\.\w+: expected a workbook"):
        read(content[: int(len(content) * kept)], kind)


def test_a_sheet_whose_xml_ends_early_is_refused() -> None:
    content = openpyxl_book([["id", "units"], *[[f"{number:05d}", number] for number in range(300)]])
    for kept in (0.2, 0.5, 0.9):
        cut = rezipped(content, "xl/worksheets/sheet1.xml", lambda xml, kept=kept: xml[: int(len(xml) * kept)])
        with pytest.raises(LandingFileRefused, match="it is broken"):
            read(cut, "xlsx")


def test_what_a_parser_prints_is_no_answer() -> None:
    """openpyxl prints "0 is out of range" at a style that is not there: the next workbook was given the counts of this one."""
    content = openpyxl_book([["id", "units"], ["007", 6]])
    odd = rezipped(content, "xl/styles.xml", lambda xml: re.sub(rb'(<cellStyle [^>]*xfId=")0', rb"\g<1>9", xml))
    for book in (odd, openpyxl_book([["id", "units"], ["008", 7], ["009", 8]])):
        with suppress(LandingFileRefused):
            records = read(book, "xlsx")
    assert records.table["units"].to_pylist() == ["7", "8"]
