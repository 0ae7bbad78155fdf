"""Run as a process of its own: reads sheets of workbooks, so that one that needs endless memory or breaks its parser costs this process alone.

Each line of its input is a JSON request (`path`, `sheet`, `target`, limits), each line of its output the answer: `{}` once the sheet lies in `target`
as an Arrow stream of texts, or `{"refused": "..."}`. Imports nothing of Shelfcast: it is started without its packages.
"""

import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa

_BATCH = 20_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Refused(Exception):
    """The workbook cannot be taken, and why."""


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(_answer(json.loads(line)))}\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> dict[str, str]:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    memory = request["memory"] if hard == resource.RLIM_INFINITY else min(request["memory"], hard)
    resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    try:
        _convert(request)
    except Refused as refusal:
        return {"refused": str(refusal)}
    return {}


def _convert(request: dict[str, Any]) -> None:
    with Path(request["path"]).open("rb") as stream:
        start = stream.read(8)
        if start == _OLE:
            raise Refused("it is protected by a password or of the old XLS format. Save it as XLSX without a password.")
        if not zipfile.is_zipfile(stream):
            raise Refused(
                f"it is of another format (it starts with {start.decode('latin-1')!r}). Save it as XLSX, or correct its format in the provider YAML."
            )
        expanded = sum(entry.file_size for entry in zipfile.ZipFile(stream).infolist())
        if expanded > request["expanded"]:
            raise Refused(f"it expands to {expanded:,} bytes, expected at most {request['expanded']:,}. Split it, or drop it as CSV or Parquet.")
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        if request["sheet"] is not None and request["sheet"] not in book.sheetnames:
            raise Refused(f"expected a sheet {request['sheet']!r}, came {book.sheetnames}. Correct 'sheet' in the provider YAML, or the workbook.")
        if not book.worksheets:
            raise Refused("expected a sheet with rows, came none.")
        rows = _rows(book[request["sheet"]] if request["sheet"] is not None else book.worksheets[0], request["cells"])
        header = _header(next(rows, ()))
        schema = pa.schema([(name, pa.string()) for name in header])
        with pa.OSFile(request["target"], "wb") as target, pa.ipc.new_stream(target, schema) as writer:
            for batch in _batches(rows, header):
                writer.write_batch(pa.record_batch([pa.array(column, pa.string()) for column in batch], schema=schema))


def _rows(sheet: Any, most: int) -> Iterator[tuple[Any, ...]]:
    """Rows without the empty ones below the last that holds something, which formats leave behind."""
    count, empty = 0, 0
    # Some programs write no extent of the sheet, or a wrong one.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        count += max(len(row), 1)
        if count > most:
            raise Refused(f"it holds more than {most:,} cells. Remove the empty ones, or drop it as CSV or Parquet.")
        if all(cell is None for cell in row):
            empty += 1
            continue
        for _ in range(empty):
            yield ()
        empty = 0
        yield row


def _header(row: tuple[Any, ...]) -> list[str]:
    while row and row[-1] is None:
        row = row[:-1]
    header = [f"column{position}" if cell is None else str(cell) for position, cell in enumerate(row, start=1)]
    for position, name in enumerate(header):
        if name in header[:position]:
            raise Refused(f"row 1 (header): columns {header.index(name) + 1} and {position + 1} are both called {name!r}. Rename one of them.")
    return header


def _batches(rows: Iterator[tuple[Any, ...]], header: list[str]) -> Iterator[list[tuple[str | None, ...]]]:
    """Columns of some rows at a time; short rows are filled up, cells beyond the header have no name to be found by."""
    batch: list[list[str | None]] = []
    for number, row in enumerate(rows, start=1):
        if any(cell is not None for cell in row[len(header) :]):
            raise Refused(f"row {number}: a cell stands to the right of the last column of the header. Name its column in row 1, or remove it.")
        cells = [None if cell is None else str(cell) for cell in row[: len(header)]]
        batch.append(cells + [None] * (len(header) - len(cells)))
        if len(batch) == _BATCH:
            yield list(zip(*batch, strict=True))
            batch = []
    if batch:
        yield list(zip(*batch, strict=True))


if __name__ == "__main__":
    main()
