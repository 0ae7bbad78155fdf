"""Sheets of a workbook that are filled cell by cell: looks, what may be edited, how they print. What stands in them is not known here."""

from collections.abc import Iterable, Sequence

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from transforms.exports.sheets import HEADER_ROW, INPUT
from transforms.exports.spreadsheets import cell_text

_US_LETTER = 1
# Three lines: programs differ in whether they fit a wrapped heading by themselves.
_HEADER_POINTS = 45
_ALLOWED = {"format_cells": True, "format_columns": True, "format_rows": True}
"""What protection leaves to a planner beside the column to edit."""


class Style:
    """Looks of cells, each kept once in a workbook."""

    def __init__(self, book: Workbook) -> None:
        self._book, self._formats = book, dict[tuple[str, bool], Format]()
        self.heading = book.add_format({"bold": True, "num_format": "@", "text_wrap": True, "valign": "top", "bg_color": "#DDE6F0"})
        self.input = book.add_format({"num_format": "#,##0", "bg_color": "#FFF4CC", "locked": False})
        self.linked = book.add_format({"num_format": "@", "font_color": "#0563C1", "underline": 1})

    def __call__(self, number_format: str, bold: bool) -> Format:
        """Return the look of ordinary cells of that number format."""
        key = (number_format, bold)
        if key not in self._formats:
            self._formats[key] = self._book.add_format({"num_format": number_format, "bold": bold})
        return self._formats[key]


class Sheet:
    """A sheet that is filled cell by cell, row by row. Texts are never read as formulas, whatever a product is called."""

    def __init__(self, sheet: Worksheet, style: Style) -> None:
        self._sheet, self._style = sheet, style
        self._row, self._column = 0, 0

    def lay_out(self, widths: Sequence[float]) -> None:
        """Widths, frozen header and landscape pages, one page wide, the header repeated on each."""
        for index, width in enumerate(widths):
            self._sheet.set_column(index, index, width)
        self._sheet.set_row(HEADER_ROW - 1, _HEADER_POINTS)
        self._sheet.freeze_panes(HEADER_ROW, 2)
        self._sheet.set_landscape()
        self._sheet.set_paper(_US_LETTER)
        self._sheet.fit_to_pages(1, 0)
        self._sheet.repeat_rows(HEADER_ROW - 1)
        self._sheet.set_footer("&C&A, page &P of &N")
        self._sheet.protect("", _ALLOWED)

    def line(self, value: str, bold: bool = False) -> None:
        """Write a row of one text."""
        self.text(value, bold)
        self.end_row()

    def headings(self, values: Iterable[str]) -> None:
        """Write the header row, wherever the lines above it end."""
        self._row, self._column = HEADER_ROW - 1, 0
        for value in values:
            self._sheet.write_string(*self._next(), value, self._style.heading)
        self.end_row()

    def text(self, value: str, bold: bool = False) -> None:
        """Write a text; what is beyond a cell's limit is cut."""
        at, style = self._next(), self._style("@", bold)
        if value:
            self._sheet.write_string(*at, cell_text(value), style)
        else:
            self._sheet.write_blank(*at, None, style)

    def number(self, value: float | None, number_format: str, bold: bool = False) -> None:
        """Write a number, or an empty cell."""
        at, style = self._next(), self._style(number_format, bold)
        if value is None:
            self._sheet.write_blank(*at, None, style)
        else:
            self._sheet.write_number(*at, value, style)

    def input(self, value: int) -> None:
        """Write a number that somebody may change; the program takes whole ones alone, and says what they mean."""
        at = self._next()
        self._sheet.write_number(*at, value, self._style.input)
        self._sheet.data_validation(*at, *at, INPUT)

    def formula(self, formula: str, value: float, number_format: str, bold: bool = False) -> None:
        """Write a formula with its result."""
        self._sheet.write_formula(*self._next(), formula, self._style(number_format, bold), value)

    def link(self, value: str, target: str) -> None:
        """Write a text that leads to another sheet."""
        self._sheet.write_url(*self._next(), f"internal:'{target}'!A1", self._style.linked, cell_text(value))

    def end_row(self) -> None:
        """Go on with the next row."""
        self._row, self._column = self._row + 1, 0

    def _next(self) -> tuple[int, int]:
        at = (self._row, self._column)
        self._column += 1
        return at
