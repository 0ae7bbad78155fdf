"""Plans as files that a planner opens, prints and edits: a CSV file for each store, or one workbook a region with a sheet for each store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from transforms.exports.spreadsheets import cell_text, inert
from transforms.exports.store_plans import StorePlan


@dataclass(frozen=True, slots=True)
class _Column:
    """Column of a sheet: field of the plan's rows, heading, width in characters, number format."""

    field: str
    heading: str
    width: float
    format: str = "@"
    total: bool = False

    @property
    def is_text(self) -> bool:
        """Whether its cells are texts, and not numbers."""
        return self.format == "@"


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
    _Column("rung", "Forecast made by", 11),
)
_OVERVIEW = ("packs", "units", "expected", "expected_returns", "expected_lost_sales")
_HEADER_ROW = 5
_FIRST_ROW = _HEADER_ROW + 1
_US_LETTER = 1
# Three lines: programs differ in whether they fit a wrapped heading by themselves.
_HEADER_POINTS = 45


def write_csv(plans: Iterable[StorePlan], folder: Path) -> list[Path]:
    """Write one CSV file a store with every product it carries, also those with nothing to load; return the files.

    Texts that a spreadsheet program would take for formulas begin with an apostrophe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plan in plans:
        target = folder / f"{_file_name(plan.store_id)}.csv"
        draft = target.with_name(f".{target.name}.part")
        csv.write_csv(inert(_rounded(plan.rows)), draft)
        written.append(draft.replace(target))
    return written


def write_workbook(plans: Sequence[StorePlan], target: Path) -> None:
    """Write a workbook: an overview of all stores, then a sheet for each with what to load.

    Units and totals are formulas, so they follow edits; each carries its result, for viewers that show and do not calculate.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.part.xlsx")
    with draft.open("wb") as file, Workbook(file, {"in_memory": True}) as book:
        names, style = _sheet_names(plans), _Style(book)
        overview = _Sheet(book.add_worksheet("Overview"), style)
        totals = [_store_sheet(_Sheet(book.add_worksheet(name), style), plan) for plan, name in zip(plans, names, strict=True)]
        _overview(overview, plans, names, totals)
    draft.replace(target)


def _overview(sheet: "_Sheet", plans: Sequence[StorePlan], names: Sequence[str], totals: Sequence[Mapping[str, float]]) -> None:
    columns = [column for column in _COLUMNS if column.field in _OVERVIEW]
    widths = [11, 34, *(max(column.width, 11) for column in columns)]
    sheet.lay_out(widths)
    first = plans[0]
    sheet.line(f"Plan for the week of {first.week}: {first.region}", bold=True)
    sheet.line(f"Made with what was known at the end of the week of {first.origin}. {len(plans)} stores, a sheet for each.")
    sheet.headings(["Store", "Name", *(column.heading for column in columns)])
    for plan, name, total in zip(plans, names, totals, strict=True):
        sheet.link(plan.store_id, name)
        sheet.text(plan.store_name)
        for column in columns:
            sheet.formula(f"='{name}'!{_letter(column)}{_FIRST_ROW + len(plan.to_load)}", total[column.field], column.format)
        sheet.end_row()
    last = _FIRST_ROW + len(plans) - 1
    sheet.text("Total", bold=True)
    sheet.text("")
    for index, column in enumerate(columns):
        letter = chr(ord("C") + index)
        sheet.formula(f"=SUM({letter}{_FIRST_ROW}:{letter}{last})", sum(total[column.field] for total in totals), column.format, bold=True)


def _store_sheet(sheet: "_Sheet", plan: StorePlan) -> dict[str, float]:
    """Fill a store's sheet; return the totals that stand at its end."""
    rows, (others, rest) = plan.to_load, plan.not_loaded
    sheet.lay_out([column.width for column in _COLUMNS])
    sheet.line(f"Store {plan.store_id}" + (f": {plan.store_name}" if plan.store_name else ""), bold=True)
    sheet.line(f"Week of {plan.week}, {plan.region}. Made with what was known at the end of the week of {plan.origin}.")
    sheet.line(f"Carried with nothing to load: {others:,} products (expected demand {rest:,.1f} units).")
    sheet.headings([column.heading for column in _COLUMNS])
    packs, size = (_letter(column) for column in _COLUMNS if column.field in {"packs", "case_pack"})
    for at, row in enumerate(rows, _FIRST_ROW):
        for column in _COLUMNS:
            if column.is_text:
                sheet.text(row[column.field] or "")
            elif column.field == "units":
                sheet.formula(f"={packs}{at}*{size}{at}", row["units"], column.format)
            else:
                sheet.number(row[column.field], column.format)
        sheet.end_row()
    last = _FIRST_ROW + len(rows) - 1
    totals = {column.field: sum(row[column.field] for row in rows) for column in _COLUMNS if column.total}
    for column in _COLUMNS:
        if not column.total:
            sheet.text("Total" if column is _COLUMNS[0] else "", bold=True)
        elif rows:
            sheet.formula(f"=SUM({_letter(column)}{_FIRST_ROW}:{_letter(column)}{last})", totals[column.field], column.format, bold=True)
        else:
            sheet.number(0, column.format, bold=True)
    return totals


class _Style:
    """Looks of cells, each kept once in a workbook."""

    def __init__(self, book: Workbook) -> None:
        self._book, self._formats = book, dict[tuple[str, bool], Format]()
        self.heading = book.add_format({"bold": True, "num_format": "@", "text_wrap": True, "valign": "top", "bg_color": "#DDE6F0"})
        self.linked = book.add_format({"num_format": "@", "font_color": "#0563C1", "underline": 1})

    def __call__(self, number_format: str, bold: bool) -> Format:
        """Return the look of ordinary cells of that number format."""
        key = (number_format, bold)
        if key not in self._formats:
            self._formats[key] = self._book.add_format({"num_format": number_format, "bold": bold})
        return self._formats[key]


class _Sheet:
    """A sheet that is filled cell by cell, row by row. Texts are never read as formulas, whatever a product is called."""

    def __init__(self, sheet: Worksheet, style: _Style) -> None:
        self._sheet, self._style = sheet, style
        self._row, self._column = 0, 0

    def lay_out(self, widths: Sequence[float]) -> None:
        """Widths, frozen header and landscape pages, one page wide, the header repeated on each."""
        for index, width in enumerate(widths):
            self._sheet.set_column(index, index, width)
        self._sheet.set_row(_HEADER_ROW - 1, _HEADER_POINTS)
        self._sheet.freeze_panes(_HEADER_ROW, 2)
        self._sheet.set_landscape()
        self._sheet.set_paper(_US_LETTER)
        self._sheet.fit_to_pages(1, 0)
        self._sheet.repeat_rows(_HEADER_ROW - 1)
        self._sheet.set_footer("&C&A, page &P of &N")

    def line(self, value: str, bold: bool = False) -> None:
        """Write a row of one text."""
        self.text(value, bold)
        self.end_row()

    def headings(self, values: Iterable[str]) -> None:
        """Write the header row, wherever the lines above it end."""
        self._row, self._column = _HEADER_ROW - 1, 0
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
    return "".join("_" if letter in "[]:*?/\\'" or not letter.isprintable() else letter for letter in text)


def _file_name(store_id: str) -> str:
    """A store id as a file name: anything that could lead elsewhere is replaced."""
    return _plain(store_id).strip(". ") or "store"


def _rounded(rows: pa.Table) -> pa.Table:
    """Numbers as a person reads them, to two places."""
    for index, name in enumerate(rows.column_names):
        if pa.types.is_floating(rows[name].type):
            rows = rows.set_column(index, name, pc.round(rows[name], 2))
    return rows
