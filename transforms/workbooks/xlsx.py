"""Sheets of XLSX files, read by openpyxl."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from transforms.workbooks.rows import NO_RESULT, Refused, Row


def rows(path: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are there, in their order."""
    book = _opened(path)
    sheet = book[name]
    with sheet._get_source() as source:
        parser = _Parser(source, sheet._shared_strings, True, book.epoch, book._date_formats, book._timedelta_formats)
        for number, cells in parser.parse():
            yield _row(number, cells, name)


def close() -> None:
    """Close the workbook that was read last."""
    _opened.cache_clear()


@lru_cache(maxsize=1)
def _opened(path: Path) -> Any:
    """The workbook, opened once for all of its sheets: openpyxl looks into each of them to open it."""
    return openpyxl.load_workbook(path.open("rb"), read_only=True, data_only=True)


def _row(number: int, cells: Sequence[Mapping[str, Any]], sheet: str) -> Row:
    """A row of some cells, which say where they stand even where the row does not."""
    there = {cell["row"] for cell in cells} or {number}
    if len(there) > 1:
        raise Refused(f"a row of its sheet {sheet!r} has cells of rows {min(there)} and {max(there)}. Open it, save it again, and drop it again.")
    row = Row(*there)
    for cell in cells:
        if cell["value"] is None:
            continue
        row.hold(cell["column"])
        row.is_filled |= _is_filled(cell["value"])
        if cell["data_type"] == "e":
            row.tell(cell["column"], str(cell["value"]))
    return row


def _is_filled(value: object) -> bool:
    return not (isinstance(value, str) and not value.strip())


class _Parser(WorkSheetParser):  # type: ignore[misc]  # openpyxl has no types
    """Cells of a sheet, those of formulas that were never calculated as errors."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        # A result that is an empty text is one.
        if cell["value"] is None and cell["data_type"] not in {"str", "s", "inlineStr"} and element.find(FORMULA_TAG) is not None:
            cell |= {"value": NO_RESULT, "data_type": "e"}
        return cell
