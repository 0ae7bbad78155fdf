"""Plans as files that a planner opens, prints and edits: a CSV file for each store, or one workbook a region with a sheet for each store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from transforms.planner import StorePlan


@dataclass(frozen=True, slots=True)
class _Column:
    """Column of a sheet: field of the plan's rows, heading, width in characters, number format."""

    field: str
    heading: str
    width: float
    format: str = "@"
    total: bool = False


_COLUMNS = (
    _Column("product_id", "Product", 11),
    _Column("product_name", "Description", 34),
    _Column("category", "Category", 20),
    _Column("packs", "Packs to load", 8, "#,##0", total=True),
    _Column("case_pack", "Units in a pack", 8, "#,##0"),
    _Column("units", "Units", 9, "#,##0", total=True),
    _Column("expected", "Expected demand", 10, "#,##0.0", total=True),
    _Column("q10", "80 % band from", 9, "#,##0"),
    _Column("q90", "80 % band to", 9, "#,##0"),
    _Column("service_level", "Demand met with", 10, "0 %"),
    _Column("expected_returns", "Expected returns", 10, "#,##0.0", total=True),
    _Column("expected_lost_sales", "Expected lost sales", 10, "#,##0.0", total=True),
)
_OVERVIEW = ("packs", "units", "expected", "expected_returns", "expected_lost_sales")
_HEADER_ROW = 5
_FIRST_ROW = _HEADER_ROW + 1
_TEXT_FIELDS = 3
_US_LETTER = 1
# Three lines: programs differ in whether they fit a wrapped heading by themselves.
_HEADER_POINTS = 45


def write_csv(plans: Iterable[StorePlan], folder: Path) -> list[Path]:
    """Write one CSV file a store with every product it carries, also those with nothing to load; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plan in plans:
        target = folder / f"{_file_name(plan.store_id)}.csv"
        draft = target.with_name(f".{target.name}.part")
        csv.write_csv(_rounded(plan.rows), draft)
        written.append(draft.replace(target))
    return written


def write_workbook(plans: Sequence[StorePlan], target: Path) -> None:
    """Write a workbook: an overview of all stores, then a sheet for each with what to load. Units and totals are formulas, so they follow edits."""
    from openpyxl import Workbook  # noqa: PLC0415 - heavy

    book = Workbook(write_only=True)
    names = _sheet_names(plans)
    _overview(book, plans, names)
    for plan, name in zip(plans, names, strict=True):
        _store_sheet(book.create_sheet(name), plan)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.part.xlsx")
    book.save(draft)
    draft.replace(target)


def _overview(book: Any, plans: Sequence[StorePlan], names: Sequence[str]) -> None:
    sheet, style = book.create_sheet("Overview"), _Style()
    columns = [column for column in _COLUMNS if column.field in _OVERVIEW]
    widths = [11, 34, *(max(column.width, 11) for column in columns)]
    _lay_out(sheet, widths, "C")
    first = plans[0]
    sheet.append([style.text(sheet, f"Plan for the week of {first.week}: {first.region}", bold=True)])
    sheet.append([style.text(sheet, f"Made with what was known at the end of the week of {first.origin}. {len(plans)} stores, a sheet for each.")])
    sheet.append([])
    sheet.append([])
    sheet.append([style.heading(sheet, text) for text in ("Store", "Name", *(column.heading for column in columns))])
    for plan, name in zip(plans, names, strict=True):
        total = _FIRST_ROW + len(plan.to_load)
        values = [style.number(sheet, f"='{name}'!{_letter(column)}{total}", column.format) for column in columns]
        sheet.append([style.link(sheet, plan.store_id, name), style.text(sheet, plan.store_name), *values])
    last = _FIRST_ROW + len(plans) - 1
    letters = [chr(ord("C") + index) for index in range(len(columns))]
    sums = [f"=SUM({letter}{_FIRST_ROW}:{letter}{last})" for letter in letters]
    totals = [style.number(sheet, formula, column.format, bold=True) for formula, column in zip(sums, columns, strict=True)]
    sheet.append([style.text(sheet, "Total", bold=True), style.text(sheet, ""), *totals])


def _store_sheet(sheet: Any, plan: StorePlan) -> None:
    style, rows, (others, rest) = _Style(), plan.to_load, plan.not_loaded
    _lay_out(sheet, [column.width for column in _COLUMNS], "C")
    title = f"Store {plan.store_id}" + (f": {plan.store_name}" if plan.store_name else "")
    sheet.append([style.text(sheet, title, bold=True)])
    sheet.append([style.text(sheet, f"Week of {plan.week}, {plan.region}. Made with what was known at the end of the week of {plan.origin}.")])
    sheet.append([style.text(sheet, f"Carried with nothing to load: {others:,} products (expected demand {rest:,.1f} units).")])
    sheet.append([])
    sheet.append([style.heading(sheet, column.heading) for column in _COLUMNS])
    packs, size = (_letter(column) for column in _COLUMNS if column.field in {"packs", "case_pack"})
    for at, row in enumerate(rows, _FIRST_ROW):
        cells = [row[column.field] for column in _COLUMNS]
        cells = [f"={packs}{at}*{size}{at}" if column.field == "units" else value for column, value in zip(_COLUMNS, cells, strict=True)]
        texts = [style.text(sheet, value or "") for value in cells[:_TEXT_FIELDS]]
        numbers = [style.number(sheet, value, column.format) for column, value in zip(_COLUMNS[_TEXT_FIELDS:], cells[_TEXT_FIELDS:], strict=True)]
        sheet.append([*texts, *numbers])
    last = _FIRST_ROW + len(rows) - 1
    totals = [_total(style, sheet, column, last) for column in _COLUMNS[1:]]
    sheet.append([style.text(sheet, "Total", bold=True), *totals])


def _total(style: "_Style", sheet: Any, column: _Column, last: int) -> Any:
    if not column.total:
        return style.text(sheet, "")
    letter = _letter(column)
    return style.number(sheet, f"=SUM({letter}{_FIRST_ROW}:{letter}{last})" if last >= _FIRST_ROW else 0, column.format, bold=True)


def _lay_out(sheet: Any, widths: Sequence[float], freeze: str) -> None:
    """Widths, frozen header and landscape pages, one page wide, the header repeated on each."""
    for index, width in enumerate(widths):
        sheet.column_dimensions[chr(ord("A") + index)].width = width
    sheet.row_dimensions[_HEADER_ROW].height = _HEADER_POINTS
    sheet.freeze_panes = f"{freeze}{_FIRST_ROW}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", _US_LETTER
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{_HEADER_ROW}:{_HEADER_ROW}"
    sheet.oddFooter.center.text = "&A, page &P of &N"


class _Style:
    """Cells with their look. Texts are never read as formulas, whatever a product is called."""

    def __init__(self) -> None:
        from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415 - heavy

        self._bold, self._linked = Font(bold=True), Font(color="0563C1", underline="single")
        self._wrapped = Alignment(wrap_text=True, vertical="top")
        self._shade = PatternFill("solid", fgColor="DDE6F0")

    def text(self, sheet: Any, value: str, bold: bool = False) -> Any:
        cell = self._cell(sheet, value, "@", bold)
        cell.data_type = "s"
        return cell

    def heading(self, sheet: Any, value: str) -> Any:
        cell = self._cell(sheet, value, "@", bold=True)
        cell.alignment, cell.fill = self._wrapped, self._shade
        return cell

    def number(self, sheet: Any, value: float | str, number_format: str, bold: bool = False) -> Any:
        return self._cell(sheet, value, number_format, bold)

    def link(self, sheet: Any, value: str, target: str) -> Any:
        from openpyxl.worksheet.hyperlink import Hyperlink  # noqa: PLC0415 - heavy

        cell = self.text(sheet, value)
        cell.hyperlink, cell.font = Hyperlink(ref="", location=f"'{target}'!A1"), self._linked
        return cell

    def _cell(self, sheet: Any, value: float | str, number_format: str, bold: bool) -> Any:
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - heavy

        cell = WriteOnlyCell(sheet, value)
        cell.number_format = number_format
        if bold:
            cell.font = self._bold
        return cell


def _letter(column: _Column) -> str:
    return chr(ord("A") + _COLUMNS.index(column))


def _sheet_names(plans: Sequence[StorePlan]) -> list[str]:
    """Store ids as sheet names: at most 31 characters, none that a sheet's name may not hold, each once whatever its case."""
    names: list[str] = []
    taken = {"overview"}
    for plan in plans:
        name = short = _plain(plan.store_id)[:31] or "store"
        for count in range(2, len(plans) + 2):
            if name.lower() not in taken:
                break
            name = f"{short[:26]} ({count})"
        taken.add(name.lower())
        names.append(name)
    return names


def _plain(text: str) -> str:
    return "".join("_" if letter in "[]:*?/\\'" else letter for letter in text)


def _file_name(store_id: str) -> str:
    """A store id as a file name: anything that could lead elsewhere is replaced."""
    return _plain(store_id).strip(". ") or "store"


def _rounded(rows: pa.Table) -> pa.Table:
    """Numbers as a person reads them, to two places."""
    for index, name in enumerate(rows.column_names):
        if pa.types.is_floating(rows[name].type):
            rows = rows.set_column(index, name, pc.round(rows[name], 2))
    return rows
