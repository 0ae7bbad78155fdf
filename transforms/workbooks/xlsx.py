"""Sheets of XLSX files, read by openpyxl."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from transforms.workbooks.rows import NO_RESULT, Row


def rows(path: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are there, in their order."""
    with path.open("rb") as stream:
        book: Any = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        sheet = book[name]
        with sheet._get_source() as source:
            parser = _Parser(source, sheet._shared_strings, True, book.epoch, book._date_formats, book._timedelta_formats)
            last = 0
            for number, cells in parser.parse():
                if number > last:
                    last = number
                    row = Row(number, is_filled=any(_is_filled(cell["value"]) for cell in cells))
                    for cell in cells:
                        if cell["data_type"] == "e" and cell["value"] is not None:
                            row.tell(cell["column"], str(cell["value"]))
                    yield row


def _is_filled(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


class _Parser(WorkSheetParser):  # type: ignore[misc]  # openpyxl has no types
    """Cells of a sheet, those of formulas that were never calculated as errors."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        # A result that is an empty text is one.
        if cell["value"] is None and cell["data_type"] not in {"str", "s", "inlineStr"} and element.find(FORMULA_TAG) is not None:
            cell |= {"value": NO_RESULT, "data_type": "e"}
        return cell
