"""The workbook of a plan that comes back edited: what its planner wants loaded, or every fault in it. What becomes of it is decided elsewhere.

Nothing is taken from a workbook with a fault. It was made somewhere else by some program, so it is read by a process with limits.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlsxwriter.utility import xl_rowcol_to_cell

from transforms.adapters.formats.headers import ROW, SHAPE
from transforms.adapters.formats.workbooks import read_sheets
from transforms.calendar import Region, Week
from transforms.contracts.orders import LARGEST_QUANTITY
from transforms.errors import ContractViolation, LandingFileRefused
from transforms.exports.sheets import HEADER_ROW, HEADINGS, RECORD, RECORD_COLUMNS
from transforms.rows import Row
from transforms.workbooks.rows import NO_RESULT

LARGEST_BYTES = 10 << 20
_LARGEST_EXPANDED = 200 << 20
"""Bytes that the parts of a workbook may have: ten thousand lines have 20 million."""
_ANEW = "Download the workbook again, enter your numbers in it, and upload that one."
_FIRST_FAULTS = 10
_COUNT, _PART = re.compile(r"[0-9]{1,12}"), re.compile(r"[0-9]{1,9}\.[0-9]*[1-9]")


class UploadRefused(ContractViolation):
    """A workbook cannot be taken: a sentence for each of the first faults, and how many there are."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = [*faults[:_FIRST_FAULTS], *([f"And {len(faults) - _FIRST_FAULTS} more like these."] if len(faults) > _FIRST_FAULTS else [])]
        super().__init__(" ".join(self.faults))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line of an uploaded workbook, in units: what its planner wants, what was to be loaded and what the plan said when it was downloaded."""

    store_id: str
    product_id: str
    units: int
    downloaded: int
    planned: int

    @property
    def is_edited(self) -> bool:
        """Whether its planner changed it."""
        return self.units != self.downloaded


def read_upload(file: Path, name: str, region: Region, week: Week, origin: Week) -> list[Wanted]:
    """Return the lines of an edited workbook, whole and without a fault.

    Parameters
    ----------
    name
        How messages call the file.
    region, week, origin
        The plan that it is to be of.

    Raises
    ------
    UploadRefused
        If it is no workbook of that plan, if a line is missing or there twice, or if a cell holds no whole number of packs.
    """
    _refuse_other_files(file, name)
    recorded = _record(file, name)
    _refuse_other_plan(recorded, name, region, week, origin)
    by_sheet: dict[str, dict[str, Row]] = {}
    for row in recorded:
        by_sheet.setdefault(row["sheet"], {})[row["product_id"]] = row
    found, faults = list[Wanted](), list[str]()
    for sheet, rows in zip(by_sheet, _sheets(file, name, list(by_sheet)), strict=True):
        _read_sheet(sheet, rows, by_sheet[sheet], found, faults)
    if faults:
        raise UploadRefused(faults)
    return found


def _refuse_other_files(file: Path, name: str) -> None:
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise UploadRefused([f"{name} has {size / 1e6:,.0f} MB; expected at most {LARGEST_BYTES >> 20} MB, which no plan comes near. {_ANEW}"])
    try:
        with zipfile.ZipFile(file) as parts:
            expanded, names = sum(part.file_size for part in parts.infolist()), parts.namelist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError, OSError):
        expanded, names = 0, []
    if "xl/workbook.xml" not in names:
        with file.open("rb") as stream:
            start = stream.read(8).decode("latin-1")
        raise UploadRefused([f"{name} is no workbook (XLSX): expected the one that this page gives, came a file that starts with {start!r}. {_ANEW}"])
    if expanded > _LARGEST_EXPANDED:
        raise UploadRefused([f"{name} unpacks to {expanded / 1e6:,.0f} MB; expected at most {_LARGEST_EXPANDED >> 20} MB. {_ANEW}"])


def _record(file: Path, name: str) -> list[Row]:
    """The rows of the hidden sheet."""
    [rows] = _sheets(file, name, [RECORD], header=1)
    if not rows or not set(RECORD_COLUMNS) <= set(rows[0]):
        raise UploadRefused([f"{name} does not say what it was made with: expected its hidden sheet {RECORD!r} as it was downloaded. {_ANEW}"])
    numbers = RECORD_COLUMNS[-3:]
    broken = [row[ROW] + 1 for row in rows if None in {*map(row.get, RECORD_COLUMNS), *(_whole(row[column]) for column in numbers)}]
    if broken:
        raise UploadRefused([f"{name}: its hidden sheet {RECORD!r} was changed in row {broken[0]}; expected it as it was downloaded. {_ANEW}"])
    return [{**row, **{column: _whole(row[column]) for column in numbers}} for row in rows]


def _sheets(file: Path, name: str, sheets: Sequence[str], header: int = HEADER_ROW) -> list[list[Row]]:
    try:
        return [records.table.to_pylist() for _, records in read_sheets(file, name, "xlsx", sheets, None, header, ".")]
    except LandingFileRefused as error:
        # What follows the first sentence is about files that are dropped into landing.
        why = str(error).removeprefix(f"{name}: ").partition(". ")[0].rstrip(".")
        raise UploadRefused([f"{name} cannot be read as a workbook of a plan: {why}. {_ANEW}"]) from error


def _refuse_other_plan(rows: Sequence[Row], name: str, region: Region, week: Week, origin: Week) -> None:
    of = {(row["region"], row["week"], row["origin"]) for row in rows}
    plan = (str(region), str(week), str(origin))
    if of == {plan}:
        return
    came_region, came_week, came_origin = min(tuple(str(part) for part in one) for one in of if one != plan)
    if (came_region, came_week) != plan[:2]:
        raise UploadRefused(
            [
                f"{name} is the plan of {came_region} for the week of {came_week}; expected that of {region} for {week}, which this page shows. "
                "Choose its region and week above, or upload another workbook."
            ]
        )
    made = f"the workbook is of the plan from {came_origin}, in force is that from {origin}"
    raise UploadRefused([f"The plan was made again since {name} was downloaded: {made}. {_ANEW}"])


def _read_sheet(sheet: str, rows: Sequence[Row], expected: Mapping[str, Row], found: list[Wanted], faults: list[str]) -> None:
    """Add a sheet's lines to those found, and its faults to the faults."""
    columns = [column for column in (rows[0] if rows else {}) if column not in {ROW, SHAPE}]
    if missing := [HEADINGS[field] for field in ("product_id", "packs") if HEADINGS[field] not in columns]:
        faults.append(
            f"Sheet {sheet}, row {HEADER_ROW}: expected the headings that were downloaded, came none that is called {missing[0]!r}. {_ANEW}"
        )
        return
    seen: dict[str, str] = {}
    for row in rows:
        cell = xl_rowcol_to_cell(row[ROW] + HEADER_ROW - 1, columns.index(HEADINGS["packs"]))
        at, product = f"Sheet {sheet}, cell {cell}", row[HEADINGS["product_id"]]
        if row[SHAPE] is not None:
            faults.append(f"Sheet {sheet}, row {row[ROW] + HEADER_ROW}: expected nothing beside the table, came {row[SHAPE]}. Clear that cell.")
        elif _is_total(row):
            continue
        elif product in seen:
            faults.append(f"{at}: product {product} is there twice, in {seen[product]} too; expected one line. Remove one of them.")
        elif product in expected:
            seen[product] = cell
            faults.extend(_take(row, expected[product], at, found))
        else:
            faults.append(f"{at}: expected a product that was in this sheet when it was downloaded, came {product or 'none'!r}. {_ANEW}")
    # A row with something beside the table is not read: its product is not missing.
    if all(row[SHAPE] is None for row in rows):
        faults.extend(
            f"Sheet {sheet}: the line of product {product} is missing; expected every line that was downloaded, with 0 packs to load none. {_ANEW}"
            for product in expected
            if product not in seen
        )


def _take(row: Row, line: Row, at: str, found: list[Wanted]) -> Iterator[str]:
    """Add a line to those found, or yield what is wrong with it."""
    size, came = line["case_pack"], row[HEADINGS["packs"]]
    packs = _whole(came)
    if packs is None:
        yield f"{at} (product {line['product_id']}): expected a whole number of packs, 0 or more; {_told(came)}"
        return
    units = row.get(HEADINGS["units"])
    # Some programs leave the formula's result as it was, or leave none.
    if units not in {None, NO_RESULT, str(packs * size), str(line["packs"] * size)}:
        yield (
            f"{at} (product {line['product_id']}): {HEADINGS['units']!r} beside it was changed to {units}, but follows from this cell, which has "
            f"{packs} packs of {size}. Enter the packs here alone."
        )
        return
    if packs * size > LARGEST_QUANTITY:
        yield f"{at} (product {line['product_id']}): expected at most {LARGEST_QUANTITY:,} units, came {packs} packs of {size}. Enter fewer packs."
        return
    found.append(Wanted(line["store_id"], line["product_id"], packs * size, line["packs"] * size, line["planned_units"]))


def _told(came: str | None) -> str:
    """What stands in a cell that holds no number of packs, and what to do."""
    if came is None:
        return "came an empty cell. Enter 0 to load none of it."
    if came == NO_RESULT:
        return "came a formula that no program has calculated. Open the workbook in a spreadsheet program and save it there, or enter the number."
    if _PART.fullmatch(came):
        return f"came {came}. A pack is loaded whole: enter {int(float(came))} or {int(float(came)) + 1}."
    return f"came {came!r}. Enter how many packs to load, in digits alone."


def _is_total(row: Row) -> bool:
    return row[HEADINGS["product_id"]] == "Total" and row.get(HEADINGS["case_pack"]) is None


def _whole(text: str | None) -> int | None:
    """A cell's count. A text like 1.000 is none: what it means depends on the country, and a cell that holds the number reads 1."""
    return int(text) if text is not None and _COUNT.fullmatch(text) else None
