"""Sheets of XLS files: their records, one after the other, in the stream that xlrd takes out of the file; texts that cells share are xlrd's too.

Written after [MS-XLS] 2.4, "Records".
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack_from
from typing import Any

import xlrd
from xlrd.biffh import unpack_string, unpack_unicode

from transforms.workbooks.rows import ERRORS, NO_RESULT, OTHER, Refused, Row

_BEGIN, _END = {0x0009, 0x0209, 0x0409, 0x0809}, 0x000A
_NUMBER, _RK, _SHARED_TEXT, _LABELS, _BOOLEAN_OR_ERROR, _FORMULA, _STRING, _SEVERAL = 0x203, 0x27E, 0xFD, {0x204, 0xD6}, 0x205, 0x06, 0x207, 0xBD
_CELLS = {_NUMBER, _RK, _SHARED_TEXT, *_LABELS, _BOOLEAN_OR_ERROR, _FORMULA, _SEVERAL}
_TEXT_RESULT, _ERROR_RESULT, _EMPTY_RESULT = 0, 2, 3


def rows(path: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are there, in their order."""
    # On demand: xlrd keeps the records, and reads no sheet itself.
    book: Any = xlrd.open_workbook(str(path), logfile=io.StringIO(), on_demand=True, use_mmap=False)
    sheet = _Sheet(book)
    sheet.read(book._sh_abs_posn[book._sheet_names.index(name)])
    # No result and a result that is an empty text are written alike. Programs that calculate leave another result somewhere.
    if sheet.empty and sheet.formulas == len(sheet.empty):
        for number, column in sheet.empty:
            sheet.row(number).tell(column + 1, NO_RESULT)
    yield from (sheet.found[number] for number in sorted(sheet.found))


@dataclass
class _Sheet:
    """What the records of a sheet tell."""

    book: Any
    found: dict[int, Row] = field(default_factory=dict)
    formulas: int = 0
    empty: list[tuple[int, int]] = field(default_factory=list)
    """Rows and columns (from 0) of formulas whose result is nothing."""
    waiting: int | None = None
    """Row of a formula whose text follows."""

    def row(self, number: int) -> Row:
        """The row of a number that counts from 0."""
        return self.found.setdefault(number, Row(number + 1))

    def read(self, position: int) -> None:
        """Go through the records of the sheet that begins at a position."""
        mem, depth = self.book.mem, 0
        while position + 4 <= len(mem):
            code, length = unpack_from("<HH", mem, position)
            data = mem[position + 4 : position + 4 + length]
            position += 4 + length
            if code in _BEGIN:
                # Charts stand between the records of their sheet.
                depth += 1
            elif code == _END:
                depth -= 1
                if depth == 0:
                    return
            elif depth == 1:
                self.record(code, data)
        raise Refused("its records end early: it was cut off. Drop it again whole.")

    def record(self, code: int, data: bytes) -> None:
        """Take in one record."""
        if code in _CELLS:
            number, first = unpack_from("<HH", data)
            # A record of several cells ends with the column of its last one.
            (last,) = unpack_from("<H", data, len(data) - 2) if code == _SEVERAL else (first,)
            for column in range(first, last + 1):
                self.row(number).hold(column + 1)
        if code in {_NUMBER, _RK, _SEVERAL}:
            self.row(*unpack_from("<H", data)).is_filled = True
        elif code == _SHARED_TEXT:
            number, text = *unpack_from("<H", data), self.book._sharedstrings[unpack_from("<L", data, 6)[0]]
            self.row(number).is_filled |= bool(text.strip())
        elif code in _LABELS:
            self.row(*unpack_from("<H", data)).is_filled |= bool(self.text(data, 6).strip())
        elif code == _BOOLEAN_OR_ERROR:
            number, column, _, value, is_error = unpack_from("<HHHBB", data)
            self.value(number, column, value if is_error else None)
        elif code == _FORMULA:
            self.formula(data)
        elif code == _STRING and self.waiting is not None:
            self.row(self.waiting).is_filled |= bool(self.text(data, 0).strip())

    def value(self, number: int, column: int, error: int | None) -> None:
        """Take in a value that is no text."""
        self.row(number).is_filled = True
        if error is not None:
            self.row(number).tell(column + 1, ERRORS.get(error, OTHER))

    def formula(self, data: bytes) -> None:
        """Take in a formula's result."""
        number, column, _, kind, _, result, _, _, _, ending = unpack_from("<HHHBBBBBBH", data)
        self.formulas += 1
        self.waiting = None
        if ending != 0xFFFF or kind not in {_TEXT_RESULT, _EMPTY_RESULT}:
            self.value(number, column, result if ending == 0xFFFF and kind == _ERROR_RESULT else None)
        elif kind == _TEXT_RESULT:
            self.waiting = number
        else:
            self.empty.append((number, column))

    def text(self, data: bytes, position: int) -> str:
        """Text of a record."""
        if self.book.biff_version >= 80:
            return str(unpack_unicode(data, position, lenlen=2))
        return str(unpack_string(data, position, self.book.encoding or self.book.derive_encoding(), lenlen=2))
