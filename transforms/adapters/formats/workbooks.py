"""Sheets of workbooks, read by a process with a limit of memory and time: parsers of such files are easily led astray."""

import json
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

import transforms
from transforms.adapters.formats.bounds import MEMORY
from transforms.adapters.formats.delimited import Records
from transforms.adapters.formats.headers import ROW, SHAPE, refuse_other_header, without_header
from transforms.errors import LandingFileRefused, ProcessKilled

MAX_EXPANDED = 1 << 30
"""Bytes of XML in a workbook."""
MAX_CELLS = 50_000_000
"""Cells of a sheet, empty ones between the others too: one cell in the last row and column makes 17 thousand millions."""
SECONDS = 300
_PROGRAM = f"import sys; sys.path.insert(0, {str(Path(transforms.__file__).parents[1])!r}); from transforms.workbooks.process import main; main()"


def read_sheets(
    path: Path, name: str, kind: str, sheet: str | Sequence[str] | None, sheets: str | None, header: int, decimal: str
) -> list[tuple[str, Records]]:
    """The rows of some sheets as texts, below the names in their headers, each with the sheet's name.

    Parameters
    ----------
    sheet, sheets
        Names of the sheets, or a pattern that visible ones with rows meet; where neither is given, the only visible one with rows.
    header
        Row that names the columns; 0 where none does: they are called `column1`, `column2` then.

    Raises
    ------
    LandingFileRefused
        If the workbook cannot be read within the limits; `name` is how the message names it.
    """
    with tempfile.TemporaryDirectory(prefix="shelfcast-") as folder:
        target = f"{folder}/sheet"
        limits = {"memory": MEMORY, "expanded": MAX_EXPANDED, "cells": MAX_CELLS}
        wanted = {"format": kind, "sheet": sheet, "sheets": sheets, "header": header, "decimal": decimal}
        answer = _reader.ask({"path": _named(path, folder, kind), "target": target, **wanted, **limits})
        if "refused" in answer:
            raise LandingFileRefused(f"{name}: expected a workbook ({kind}), but {answer['refused']}")
        return [
            (counts["sheet"], _sheet(f"{target}{number}", f"{name}, sheet {counts['sheet']!r}", header, counts))
            for number, counts in enumerate(answer["sheets"])
        ]


def _sheet(target: str, name: str, header: int, counts: Mapping[str, int]) -> Records:
    with pa.OSFile(target) as stream:
        table = pa.ipc.open_stream(stream).read_all()
    names = [column for column in table.column_names if column not in {ROW, SHAPE}]
    refuse_other_header(table, names, name, header)
    rows = without_header(table, names)
    return Records(rows, counts["above"], counts["blank"] + table.num_rows - rows.num_rows, counts["total"])


@dataclass(frozen=True)
class SheetPeek:
    """The first and last rows with a value of a sheet, as texts."""

    name: str
    visible: bool
    rows: list[list[str | None]]
    complete: bool
    """Whether these are all rows."""


def peek(path: Path, name: str, kind: str, rows: int) -> list[SheetPeek]:
    """Return the first and last `rows` rows of every sheet, header and titles among them.

    Raises
    ------
    LandingFileRefused
        If the workbook cannot be read within the limits; `name` is how the message names it.
    """
    with tempfile.TemporaryDirectory(prefix="shelfcast-") as folder:
        target = Path(folder) / "sheets"
        limits = {"memory": MEMORY, "expanded": MAX_EXPANDED, "cells": MAX_CELLS}
        answer = _reader.ask({"path": _named(path, folder, kind), "target": str(target), "format": kind, "peek": rows, **limits})
        if "refused" in answer:
            raise LandingFileRefused(f"{name}: expected a workbook ({kind}), but {answer['refused']}")
        return [SheetPeek(**sheet) for sheet in json.loads(target.read_text())]


def _named(path: Path, folder: str, kind: str) -> str:
    """The workbook under a name that ends as its format does: the reader goes by that, whatever the file's own name is."""
    link = Path(folder) / f"book.{kind}"
    link.symlink_to(path.resolve())
    return str(link)


@dataclass
class _Reader:
    """The process, kept from one workbook to the next since its start costs more than a small workbook; it ends with its input."""

    process: subprocess.Popen[str] | None = None
    log: IO[str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Return how many rows are where once the sheets are written, or under `refused` what speaks against the workbook.

        Raises
        ------
        ProcessKilled
            If the process was killed from outside, twice: that says nothing of the workbook, which is to be read again by the next run.
        """
        with self.lock:
            for _ in range(2):
                if (answer := self._answer(request)) is not None:
                    return answer
        raise ProcessKilled("reads workbooks")

    def _answer(self, request: Mapping[str, object]) -> dict[str, Any] | None:
        """The answer; None where the process was killed from outside."""
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the process was started with pipes")
        try:
            process.stdin.write(f"{json.dumps(request)}\n")
            process.stdin.flush()
        except BrokenPipeError:
            process.wait()
            return None
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        answer = process.stdout.readline() if ready else ""
        if answer:
            counts: dict[str, Any] = json.loads(answer)
            return counts
        if not ready:
            process.kill()
            process.wait()
            return {"refused": f"reading it takes more than {SECONDS} seconds. Split it, or drop it as CSV or Parquet."}
        # Its limit of memory ends it by an error or SIGABRT.
        return None if process.wait() == -signal.SIGKILL else {"refused": self._last_words()}

    def _started(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - stays open as long as the process
            # Isolated (-I): nothing of the caller's folder or environment is imported.
            command = [sys.executable, "-I", "-c", _PROGRAM]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)  # noqa: S603 - our own
        return self.process

    def _last_words(self) -> str:
        """Why the process died: the error that its parser raised, or none where the memory did not suffice even for that."""
        if self.log is None:
            return ""
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        if not lines or any("memory allocation" in line for line in lines):
            return "reading it takes more memory than a workbook of its size may. Split it, or drop it as CSV or Parquet."
        # Behind the line that says where a parser gave up stands why.
        reason = next((why for where, why in reversed(list(pairwise(lines))) if "panicked at" in where), lines[-1])
        return f"it is broken: {reason}. Open it, save it again, and drop it again."


_reader = _Reader()
