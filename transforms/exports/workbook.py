"""Plans as files that a planner opens, prints and edits: a CSV file for each store, or one workbook a region with a sheet for each store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from transforms.exports.cells import Sheet, Style
from transforms.exports.sheets import EDITED, HEADER_ROW, HEADINGS, RECORD, RECORD_COLUMNS
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
    _Column("product_id", HEADINGS["product_id"], 11),
    _Column("product_name", "Description", 34),
    _Column("category", "Category", 20),
    _Column("packs", HEADINGS["packs"], 8, "#,##0", total=True),
    _Column("case_pack", HEADINGS["case_pack"], 8, "#,##0"),
    _Column("units", HEADINGS["units"], 9, "#,##0", total=True),
    _Column("expected", "Expected demand", 10, "#,##0.0", total=True),
    _Column("q10", "80 % band from", 9, "#,##0"),
    _Column("q90", "80 % band to", 9, "#,##0"),
    _Column("service_level", "Demand met with", 10, "0 %"),
    _Column("expected_returns", "Expected returns", 10, "#,##0.0", total=True),
    _Column("expected_lost_sales", "Expected lost sales", 10, "#,##0.0", total=True),
    _Column("rung", "Forecast made by", 11),
)
_OVERVIEW = ("packs", "units", "expected", "expected_returns", "expected_lost_sales")
_FIRST_ROW = HEADER_ROW + 1


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

    Units and totals are formulas, so they follow edits; each carries its result, for viewers that show and do not calculate. Packs to load are
    the one column to edit; the rest is protected, without a password. A hidden sheet says what the workbook was made with, for `upload` to compare.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.part.xlsx")
    with draft.open("wb") as file, Workbook(file, {"in_memory": True}) as book:
        names, style = _sheet_names(plans), Style(book)
        overview = Sheet(book.add_worksheet("Overview"), style)
        totals = [_store_sheet(Sheet(book.add_worksheet(name), style), plan) for plan, name in zip(plans, names, strict=True)]
        _overview(overview, plans, names, totals)
        _record(book.add_worksheet(RECORD), plans, names)
    draft.replace(target)


def _overview(sheet: Sheet, plans: Sequence[StorePlan], names: Sequence[str], totals: Sequence[Mapping[str, float]]) -> None:
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


def _store_sheet(sheet: Sheet, plan: StorePlan) -> dict[str, float]:
    """Fill a store's sheet; return the totals that stand at its end."""
    rows, (others, rest) = plan.to_load, plan.not_loaded
    sheet.lay_out([column.width for column in _COLUMNS])
    sheet.line(f"Store {plan.store_id}" + (f": {plan.store_name}" if plan.store_name else ""), bold=True)
    sheet.line(f"Week of {plan.week}, {plan.region}. Made with what was known at the end of the week of {plan.origin}.")
    sheet.line(f"Carried with nothing to load: {others:,} products (expected demand {rest:,.1f} units).")
    sheet.line(EDITED)
    sheet.headings([column.heading for column in _COLUMNS])
    packs, size = (_letter(column) for column in _COLUMNS if column.field in {"packs", "case_pack"})
    for at, row in enumerate(rows, _FIRST_ROW):
        for column in _COLUMNS:
            if column.is_text:
                sheet.text(row[column.field] or "")
            elif column.field == "packs":
                sheet.input(row["packs"])
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


def _record(sheet: Worksheet, plans: Sequence[StorePlan], names: Sequence[str]) -> None:
    """Fill the hidden sheet: each line that can be edited, and what it was then."""
    sheet.write_row(0, 0, RECORD_COLUMNS)
    lines = ((plan, name, row) for plan, name in zip(plans, names, strict=True) for row in plan.to_load)
    for at, (plan, name, row) in enumerate(lines, 1):
        texts = (str(plan.region), str(plan.week), str(plan.origin), name, plan.store_id, row["product_id"])
        for column, text in enumerate(texts):
            sheet.write_string(at, column, cell_text(text))
        sheet.write_row(at, len(texts), (row["case_pack"], row["packs"], row["planned_units"]))
    sheet.protect()
    sheet.hide()


def _letter(column: _Column) -> str:
    return chr(ord("A") + _COLUMNS.index(column))


def _sheet_names(plans: Sequence[StorePlan]) -> list[str]:
    """Store ids as sheet names: at most 31 characters, none that a sheet's name may not hold, each once whatever its case."""
    names: list[str] = []
    taken = {"overview", RECORD.lower()}
    for plan in plans:
        name = short = _cut(_plain(plan.store_id), 31) or "store"
        for count in range(2, len(plans) + 2):
            if name.lower() not in taken:
                break
            name = f"{_cut(short, 31 - len(f' ({count})'))} ({count})"
        taken.add(name.lower())
        names.append(name)
    return names


def _cut(text: str, length: int) -> str:
    """The beginning of a text, of at most so many characters as a spreadsheet program counts them: those beyond the first 65,536 are two."""
    return text.encode("utf-16-le")[: 2 * length].decode("utf-16-le", "ignore")


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
