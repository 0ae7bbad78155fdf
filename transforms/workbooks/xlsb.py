"""Sheets of XLSB files: their records, one after the other. Written after [MS-XLSB] 2.3, "Record Enumeration"."""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from transforms.workbooks.rows import ERRORS, OTHER, Refused, Row, xml_parser

_ROW, _SHEET, _SHARED_TEXT, _RICH_TEXT = 0, 156, 19, 62
_ERRORS, _VALUES, _TEXTS, _SHARED = {3, 11}, {2, 4, 5, 9, 10}, {6, 8}, 7
_SHEET_DATA_END = 146
_RELATED = "http://schemas.openxmlformats.org/package/2006/relationships Relationship"


def rows(path: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a sheet that are there, in their order."""
    with zipfile.ZipFile(path) as book:
        blank = _blank_texts(book)
        with book.open(_part(book, name)) as stream:
            row: Row | None = None
            for code, data in _records(stream):
                if code == _ROW:
                    if row is not None:
                        yield row
                    row = Row(struct.unpack_from("<L", data)[0] + 1)
                elif code == _SHEET_DATA_END:
                    break
                elif row is not None:
                    _add(row, code, data, blank)
            else:
                raise Refused(f"its sheet {name!r} ends early: it was cut off. Drop it again whole.")
            if row is not None:
                yield row


def _add(row: Row, code: int, data: bytes, blank: bytearray) -> None:
    """Add what a record tells of a cell."""
    if code in _ERRORS | _VALUES | _TEXTS | {_SHARED, _RICH_TEXT}:
        row.hold(struct.unpack_from("<L", data)[0] + 1)
    if code in _ERRORS:
        column, _, error = struct.unpack_from("<LLB", data)
        row.tell(column + 1, ERRORS.get(error, OTHER))
    elif code in _VALUES:
        row.is_filled = True
    elif code == _SHARED:
        row.is_filled |= not blank[struct.unpack_from("<L", data, 8)[0]]
    elif code in _TEXTS or code == _RICH_TEXT:
        row.is_filled |= bool(_text(data, 8 + (code == _RICH_TEXT))[0].strip())


def _records(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield code and content of each record."""
    while (first := stream.read(1)) != b"":
        code = first[0]
        if code & 0x80:
            code = code & 0x7F | stream.read(1)[0] << 7
        length = 0
        for shift in (0, 7, 14, 21):
            (byte,) = stream.read(1)
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
        data = stream.read(length)
        if len(data) < length:
            raise struct.error("a record ends early")
        yield code, data


def _text(data: bytes, position: int) -> tuple[str, int]:
    """Return a text and the position behind it; none has a length of -1."""
    (length,) = struct.unpack_from("<l", data, position)
    end = position + 4 + 2 * max(length, 0)
    return data[position + 4 : end].decode("utf-16-le", "replace"), end


def _part(book: zipfile.ZipFile, name: str) -> str:
    """Return where in the workbook a sheet lies."""
    targets: dict[str, str] = {}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag == _RELATED:
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    parser = xml_parser()
    parser.StartElementHandler = relation
    parser.Parse(book.read("xl/_rels/workbook.bin.rels"), True)
    with book.open("xl/workbook.bin") as stream:
        for code, data in _records(stream):
            if code == _SHEET:
                related, position = _text(data, 8)
                if _text(data, position)[0] == name:
                    target = targets[related]
                    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError(name)


def _blank_texts(book: zipfile.ZipFile) -> bytearray:
    """Return for each text that cells share whether it is blank."""
    if "xl/sharedStrings.bin" not in book.namelist():
        return bytearray()
    with book.open("xl/sharedStrings.bin") as stream:
        return bytearray(not _text(data, 1)[0].strip() for code, data in _records(stream) if code == _SHARED_TEXT)
