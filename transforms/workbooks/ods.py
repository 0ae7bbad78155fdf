"""Sheets of ODS files: elements of `content.xml`, one after the other. Written after OpenDocument 1.3, part 3, 9 "Tables" and 19 "Attributes"."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from transforms.workbooks.rows import NO_RESULT, OTHER, Refused, Row, xml_parser

_CHUNK = 1 << 16
_MOST_ALIKE = 100_000
"""Rows with a value that one may stand for: programs write those that are alike once."""
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_TABLE, _OFFICE, _PARAGRAPH = f"{_OASIS}:table:1.0 ", f"{_OASIS}:office:1.0 ", f"{_OASIS}:text:1.0 p"
_CELLS = {f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"}
_ERROR_TYPE = ("urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type", "error")
_NUMBERS = {"float", "percentage", "currency"}
_ERROR = re.compile(r"(#[A-Z][A-Z/0_]*[A-Z0][!?]?|Err:\d+)")
_KNOWN = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}
_VALUES = [f"{_OFFICE}{name}" for name in ("value", "date-value", "time-value", "boolean-value")]


def rows(path: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are there, in their order."""
    sheet = _Sheet(name)
    parser = xml_parser()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = sheet.start, sheet.end, sheet.text
    with zipfile.ZipFile(path) as book, book.open("content.xml") as stream:
        while chunk := stream.read(_CHUNK):
            parser.Parse(chunk, False)
            yield from sheet.found
            sheet.found.clear()
        parser.Parse(b"", True)
    yield from sheet.found


class _Sheet:
    """The rows of one sheet among the elements of all; tables inside of cells, comments and drawings are none of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[Row] = []
        self.open: list[str] = []
        self.inside = 0
        """How many elements were open when the sheet was, with it; 0 outside of it."""
        self.next = 1
        self.row: Row | None = None
        self.column = 1
        self.cell: tuple[int, dict[str, str]] | None = None
        """How many elements are open at a cell, and its attributes."""
        self.shown: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in that an element begins."""
        self.open.append(tag)
        if not self.inside:
            if tag == f"{_TABLE}table" and attributes.get(f"{_TABLE}name") == self.name:
                self.inside = len(self.open)
        elif self.cell is not None:
            if tag == _PARAGRAPH and len(self.open) == self.cell[0] + 1:
                self.shown.append(" ")
        elif tag == f"{_TABLE}table-row":
            self.row, self.column = Row(self.next, _times(attributes, "rows")), 1
        elif tag in _CELLS and self.row is not None:
            self.cell, self.shown = (len(self.open), attributes), []

    def end(self, tag: str) -> None:
        """Take in that an element ends."""
        if self.cell is not None and len(self.open) == self.cell[0]:
            self.close_cell(self.cell[1])
        elif self.cell is None and tag == f"{_TABLE}table-row" and self.row is not None:
            if self.row.is_filled and self.row.times > _MOST_ALIKE:
                raise Refused(
                    f"row {self.row.number} of its sheet {self.name!r} stands for {self.row.times:,} that are alike, expected at most "
                    f"{_MOST_ALIKE:,}. Remove what was filled down to the end of the sheet."
                )
            self.found.append(self.row)
            self.next += self.row.times
            self.row = None
        elif len(self.open) == self.inside:
            # Another sheet of the same name is none that is asked for.
            self.inside, self.name = 0, ""
        self.open.pop()

    def text(self, text: str) -> None:
        """Take in text, of which a cell's own paragraphs are what it shows."""
        if self.cell is not None and len(self.open) > self.cell[0] and self.open[self.cell[0]] == _PARAGRAPH:
            self.shown.append(text)

    def close_cell(self, attributes: dict[str, str]) -> None:
        """Add a cell to its row."""
        if self.row is None:
            raise AssertionError("a cell is in a row")
        columns, shown = _times(attributes, "columns"), "".join(self.shown).strip()
        kind = attributes.get(f"{_OFFICE}value-type")
        if attributes.get(_ERROR_TYPE[0]) == _ERROR_TYPE[1] or (kind in _NUMBERS and _ERROR.fullmatch(shown)):
            self.row.tell(self.column, shown if shown in _KNOWN else OTHER, columns)
        elif f"{_TABLE}formula" in attributes and not shown and kind != "string" and not any(map(attributes.get, _VALUES)):
            self.row.tell(self.column, NO_RESULT, columns)
        elif kind == "string":
            self.row.is_filled |= bool(attributes.get(f"{_OFFICE}string-value", shown).strip())
        else:
            self.row.is_filled |= bool(shown) or any(map(attributes.get, _VALUES))
        self.column, self.cell = self.column + columns, None


def _times(attributes: dict[str, str], what: str) -> int:
    """How often a row or a cell is there."""
    return int(attributes.get(f"{_TABLE}number-{what}-repeated", "1"))
