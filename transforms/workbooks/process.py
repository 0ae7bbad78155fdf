"""Run as a process of its own: reads sheets of workbooks, so that one that needs endless memory or breaks its parser costs this process alone.

Each line of its input is a JSON request (`path`, `sheet`, `sheets`, `header`, `target`, limits), each line of its output the answer:
`{"sheets": [{"sheet": ..., "above": ..., "blank": ..., "total": ...}, ...]}` once each sheet lies in `target` with its number (from 0) behind as an
Arrow stream of texts, or `{"refused": "..."}`. A request with `peek` wants the first and last so many rows of every sheet, as JSON in `target`.
"""

import datetime
import json
import os
import resource
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import pyarrow as pa
import python_calamine as calamine
import xlrd
from xlrd.compdoc import CompDocError

from transforms.patterns import matches
from transforms.workbooks import ods, xls, xlsb, xlsx
from transforms.workbooks.rows import Refused, Row

_BATCH = 20_000
_CERTAIN = 1e15
_OUR_OWN = {"__row__", "__shape__", "__record__", "__place__"}
_TITLES = 100
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_RESERVED = 1536 << 20
"""Bytes of address space that libraries reserve at their start, most of which they never use."""
_ROOM, _GROWTH = 384 << 20, 32
"""Bytes that any workbook may take, and how many more for each byte that it expands to: a cell in the last row makes a million empty ones."""
_FAULTS = (
    *(calamine.CalamineError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, ParseError, expat.ExpatError, xlrd.XLRDError, CompDocError),
    *(OSError, ValueError, NotImplementedError),
)
"""What parsers raise at a broken file."""
_SLIPS = (struct.error, LookupError, TypeError, AttributeError, AssertionError, ValueError)
"""What a second reader raises at one whose parts do not fit each other."""
_SECOND = {"xlsx": xlsx.rows, "xlsb": xlsb.rows, "xls": xls.rows, "ods": ods.rows}
_LAST = {"xlsx": "XLSX", "xlsb": "XLSB", "xls": "XLS", "ods": "ODS"}


def main() -> None:
    """Answer until the input ends."""
    # Arrow reserves its room at its first array, and that has to be behind it when the room of a workbook is measured out.
    pa.array([""])
    # A parser prints now and then ("0 is out of range" is openpyxl's): that must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answers.write(f"{json.dumps(_answer(json.loads(line)))}\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        _limit(request["memory"])
        return _peek(request) if "peek" in request else _convert(request)
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": "reading it takes more memory than a workbook of its size may. Split it, or drop it as CSV or Parquet."}
    except _FAULTS as error:
        return {"refused": _broken(error)}
    except BaseException as error:
        # A panic of a parser written in Rust is no Exception, and its class cannot be imported.
        if type(error).__module__ != "pyo3_runtime":
            raise
        return {"refused": _broken(error)}
    finally:
        xlsx.close()


def _broken(error: BaseException) -> str:
    return f"it is broken: {' '.join(str(error).split())[:200] or type(error).__name__}. Open it, save it again, and drop it again."


def _limit(memory: int) -> None:
    """Limit the address space of this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard))


def _convert(request: dict[str, Any]) -> dict[str, Any]:
    path, kind = Path(request["path"]), request["format"]
    book = _opened(request)
    names = _sheets_of(book, request["sheet"], request["sheets"])
    cells = request["cells"]
    sheets = []
    for number, name in enumerate(names):
        rows = _rows(book, name, cells)
        sheets.append(_sheet(rows, path, kind, name, {**request, "cells": cells}, f"{request['target']}{number}"))
        cells -= len(rows) * max(len(rows[0]) if rows else 0, 1)
    return {"sheets": sheets}


def _sheet(rows: list[list[Any]], path: Path, kind: str, name: str, request: dict[str, Any], target: str) -> dict[str, str | int]:
    """Write a sheet's rows and count them."""
    header = request["header"]
    if len(rows) < max(header, 1):
        raise Refused(f"expected a header in row {header} of sheet {name!r}, came {len(rows)} rows.")
    names = _names(rows[header - 1], name, header) if header else [f"column{position}" for position in range(1, len(rows[0]) + 1)]
    again = _read_again(path, kind, name, rows, request["cells"])
    filled_rows = sum(any(map(_is_filled, row)) for row in rows)
    total = filled_rows if again is None else again
    filled = [(number, row) for number, row in enumerate(rows[header:], start=1) if any(map(_is_filled, row))]
    schema = pa.schema([("__row__", pa.int64()), ("__shape__", pa.string()), *((column, pa.string()) for column in names)])
    with pa.OSFile(target, "wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
        for start in range(0, len(filled), _BATCH):
            writer.write_batch(_batch(filled[start : start + _BATCH], len(names), schema, request["decimal"]))
    return {"sheet": name, "above": header, "blank": len(rows) - header - len(filled), "total": len(rows) - filled_rows + total}


def _peek(request: dict[str, Any]) -> dict[str, int]:
    """Write the beginning and the end of each sheet, and what is told of it."""
    book, most = _opened(request), request["peek"]
    found: list[dict[str, Any]] = []
    for sheet in book.sheets_metadata:
        if sheet.typ == calamine.SheetTypeEnum.WorkSheet:
            # Blank rows above a header count; those among the data, of which there may be a million, do not.
            there = enumerate(_rows(book, sheet.name, request["cells"]))
            filled: list[list[str | None]] = [[_text(cell) for cell in row] for number, row in there if number < _TITLES or any(map(_is_filled, row))]
            rows, complete = (filled, True) if len(filled) <= 2 * most else ([*filled[:most], *filled[-most:]], False)
            visible = sheet.visible == calamine.SheetVisibleEnum.Visible
            found.append({"name": sheet.name, "visible": visible, "rows": rows, "complete": complete})
    Path(request["target"]).write_text(json.dumps(found))
    return {"total": len(found)}


def _opened(request: dict[str, Any]) -> Any:
    path, kind = Path(request["path"]), request["format"]
    size = _checked_size(path, kind, request["expanded"])
    _limit(min(request["memory"], _RESERVED + _ROOM + _GROWTH * size))
    try:
        return calamine.load_workbook(str(path))
    except calamine.PasswordError as error:
        raise Refused(f"it is protected by a password. Save it as {_LAST[kind]} without one.") from error
    except (calamine.CalamineError, OSError) as error:
        raise Refused(f"it cannot be read: {error}. Open it, save it again, and drop it again.") from error


def _rows(book: Any, name: str, cells: int) -> list[list[Any]]:
    """The rows of a sheet, unless it spans more cells than it may."""
    sheet = book.get_sheet_by_name(name)
    if sheet.total_height * max(sheet.total_width, 1) > cells:
        raise Refused(f"its sheet {name!r} spans more than {cells:,} cells. Remove what stands far below or beside the data.")
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    return rows


def _checked_size(path: Path, kind: str, expanded: int) -> int:
    """Return to how many bytes a workbook expands; refuse what is none of its kind, or expands beyond the limit."""
    with path.open("rb") as stream:
        start = stream.read(8)
        if kind == "xls" or start == _OLE:
            if start != _OLE:
                raise Refused(f"it is of another format (it starts with {start.decode('latin-1')!r}). Correct 'format' in the provider YAML.")
            if kind != "xls":
                raise Refused(
                    f"it is protected by a password or of the old XLS format. Save it as {_LAST[kind]} without a password, or set 'format: xls'."
                )
            return path.stat().st_size
        if not zipfile.is_zipfile(stream):
            if start.startswith(_ZIP):
                raise Refused("its end is missing: expected the list of its parts there. It was not copied or saved to its end; drop it again.")
            raise Refused(
                f"it is of another format (it starts with {start.decode('latin-1')!r}). Save it as {_LAST[kind]}, or correct 'format' in the YAML."
            )
        size = sum(entry.file_size for entry in zipfile.ZipFile(stream).infolist())
        if size > expanded:
            raise Refused(f"it expands to {size:,} bytes, expected at most {expanded:,}. Split it, or drop it as CSV or Parquet.")
        return size


def _sheets_of(book: Any, wanted: str | list[str] | None, pattern: str | None) -> list[str]:
    """The sheets that are named, or the visible ones with rows that meet the pattern, else the only visible one with rows."""
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
    there = [sheet.name for sheet in sheets]
    if again := [name for position, name in enumerate(there) if name in there[:position]]:
        raise Refused(f"it has two sheets {again[0]!r}, and only one of them could be read. Rename one of them.")
    if wanted is not None:
        named = [wanted] if isinstance(wanted, str) else wanted
        for name in named:
            if name not in there:
                raise Refused(f"expected a sheet {name!r}, came {there}. Correct 'sheet' in the provider YAML, or the workbook.")
        return named
    visible = [sheet.name for sheet in sheets if sheet.visible == calamine.SheetVisibleEnum.Visible]
    filled = [name for name in visible if book.get_sheet_by_name(name).height]
    if pattern is not None:
        found = [name for name in filled if matches(pattern, name)]
        if not found:
            raise Refused(
                f"expected visible sheets with rows like {pattern!r}, came {filled}. Correct 'sheets' in the provider YAML, or the workbook."
            )
        return found
    if len(filled) != 1:
        came = f"{len(filled)} with rows: {filled}" if filled else f"none of {there}"
        raise Refused(f"expected one visible sheet with rows, came {came}. Name the sheet in the provider YAML, under 'sheet'.")
    return [str(filled[0])]


def _names(row: list[Any], sheet: str, number: int) -> list[str]:
    """Texts of the header, up to its last cell."""
    cells = [_text(cell) for cell in row]
    while cells and not (cells[-1] and cells[-1].strip()):
        cells.pop()
    names = [cell.strip() if cell and cell.strip() else f"column{position}" for position, cell in enumerate(cells, start=1)]
    lower = [name.lower() for name in names]
    if taken := _OUR_OWN.intersection(lower):
        raise Refused(f"its header has a column {min(taken)!r}, which Shelfcast calls one of its own. Rename it.")
    for position, name in enumerate(lower):
        if name in lower[:position]:
            raise Refused(
                f"sheet {sheet!r}, row {number} (header): columns {lower.index(name) + 1} and {position + 1} are both called {names[position]!r}. "
                "Rename one of them."
            )
    return names


def _is_filled(cell: Any) -> bool:
    return cell != "" and not (isinstance(cell, str) and cell.isspace())


def _text(cell: Any, decimal: str = ".") -> str | None:
    """A cell as text; a whole number without a point, since programs keep every number as a fraction, others with the sign of the file's texts.

    Programs keep 15 digits: a number of more is written with an exponent, which is no identifier to anyone.
    """
    if cell == "" or cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        if cell.is_integer():
            return str(int(cell)) if abs(cell) < _CERTAIN else f"{cell:.16e}".replace(".", decimal)
        return repr(cell).replace(".", decimal)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, datetime.date | datetime.time) else str(cell)


def _batch(rows: list[tuple[int, list[Any]]], width: int, schema: pa.Schema, decimal: str) -> pa.RecordBatch:
    """Columns of some rows; a row with a cell beside the header's has no values, since it is not known what that cell is."""
    shapes = [f"a value in column {_beside(row, width)}, right of the header" if any(map(_is_filled, row[width:])) else None for _, row in rows]
    cells: list[list[str | None]] = [
        [None] * width if shape else [_text(cell, decimal) for cell in row[:width]] for (_, row), shape in zip(rows, shapes, strict=True)
    ]
    columns = [list(column) for column in zip(*cells, strict=True)]
    return pa.record_batch([[number for number, _ in rows], shapes, *columns], schema=schema)


def _beside(row: list[Any], width: int) -> int:
    return next(position for position, cell in enumerate(row, start=1) if position > width and _is_filled(cell))


def _read_again(path: Path, kind: str, name: str, rows: list[list[Any]], cells: int) -> int | None:
    """Rows with a value as a second, independent reader counts them, or none where it cannot read an XLSX that the first one can.

    The first reader gives an empty cell for an error (#N/A) and for a formula that was never calculated, or a number that does not hold: in `rows`
    both get their text here.
    """
    filled, last = 0, 0
    try:
        for row in _SECOND[kind](path, name):
            _refuse_twice(row, name, last)
            last = max(last, row.number) if row.held else last
            filled += row.times * row.is_filled
            for column, columns, error in row.errors:
                _tell_error(rows, name, range(row.number, row.number + row.times), range(column, column + columns), error, cells)
    except _SLIPS as error:
        if kind == "xlsx":
            return None
        raise Refused(_broken(error)) from error
    return filled


def _refuse_twice(row: Row, sheet: str, last: int) -> None:
    """Refuse a row with two cells for one place, or one that comes after a later row or again: readers take the last value, or none, in silence."""
    if row.twice is not None:
        raise Refused(
            f"row {row.number} of its sheet {sheet!r} has two cells for column {row.twice}, and nothing says which of them holds. "
            "Open it, look at that row, save it again, and drop it again."
        )
    if row.held and row.number <= last:
        raise Refused(
            f"row {row.number} of its sheet {sheet!r} comes twice or after row {last}, expected rows in their order. "
            "Open it, look at that row, save it again, and drop it again."
        )


def _tell_error(rows: list[list[Any]], sheet: str, numbers: range, columns: range, error: str, cells: int) -> None:
    """Write an error over what the first reader gave, which may be beyond the last row or column with a value."""
    width = len(rows[0])
    if max(numbers[-1], len(rows)) * max(columns[-1], width) > cells:
        raise Refused(f"its sheet {sheet!r} spans more than {cells:,} cells. Remove what stands far below or beside the data.")
    rows.extend([""] * width for _ in range(numbers[-1] - len(rows)))
    for number in numbers:
        row = rows[number - 1]
        row.extend([""] * (columns[-1] - len(row)))
        row[columns[0] - 1 : columns[-1]] = [error] * len(columns)
