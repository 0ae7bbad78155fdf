"""Delimited text as a table of texts, with nothing guessed: dialect and encoding are given, the header is taken here, every record is accounted for.

Which rows and values are right is for `transforms.adapters.validation` to say; compression and limits are `bounds`'.
"""

import codecs
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from transforms.adapters.formats.bounds import MAX_LINE, read_chunks
from transforms.adapters.formats.headers import BYTE_ORDER_MARK, CUT_OFF, ROW, SHAPE, column_names, refuse_other_header, without_header
from transforms.adapters.formats.record_count import QUOTE, count_records, is_blank
from transforms.errors import LandingFileRefused

ENCODINGS = ("utf-8", "cp1252", "latin-1", "iso-8859-15", "cp1250", "cp850", "cp437", "mac-roman", "utf-16", "shift_jis", "gb18030")
"""Named in messages; any other text encoding that Python knows is taken too."""
_BLOCK = 1 << 22
_LOOKS = 50
"""Records below the header that tell whether rows end with more delimiters than it does."""
_SURPLUS = "each row ends with more delimiters than the header, by {surplus}: the values behind {last!r}, all of them empty, are left out"
_END_OF_TEXT = b"\x1a"


@dataclass(frozen=True)
class Records:
    """The records of a file below its header.

    Attributes
    ----------
    table
        Texts, one column for each of the header, with `ROW` (the record's number below the header, from 1) and `SHAPE` (what is wrong with the number
        of its values, else null) before them. A record with too many has no values.
    above, blank
        Records up to and with the header, and records below it that are no rows: those without a single value, and the header again.
    total
        All records of the file, as a second, independent reader counts them.
    notes
        Sentences about how the file is written.
    """

    table: pa.Table
    above: int
    blank: int
    total: int
    notes: tuple[str, ...] = ()

    @property
    def aside(self) -> int:
        """Records that are no rows."""
        return self.above + self.blank


def read_delimited(path: Path, name: str, delimiter: str, encoding: str, compression: str, header: int) -> Records:
    """Read a file below the record in which its header stands.

    Parameters
    ----------
    name
        How messages name the file.
    header
        Number of the record that names the columns, from 1; what stands above it is no data. 0 where none does: the columns are called
        `column1`, `column2` then.

    Raises
    ------
    LandingFileRefused
        If the text is of another encoding, has no such header or two columns of one name, or if the two readers count different records.
    """
    with TemporaryDirectory(prefix="shelfcast-") as scratch:
        text = Path(scratch) / "decoded"
        decode(path, text, name, encoding, compression)
        return _read(text, name, delimiter, header)


def _read(text: Path, name: str, delimiter: str, header: int) -> Records:
    names, start = _header(text, name, delimiter, header)
    surplus = _surplus(text, name, delimiter, header, len(names))
    parsed, invalid = _without_surplus(text, name, delimiter, names, start, surplus) if surplus else (None, None)
    notes = () if parsed is None else (_SURPLUS.format(surplus=surplus, last=names[-1]),)
    if parsed is None or invalid is None:
        invalid = _Invalid()
        parsed = _parse(text, name, delimiter, names, start, invalid)
    table = _numbered(parsed, names, delimiter, invalid, text)
    below, empty = _counted(text, name, delimiter, header, start)
    if parsed.num_rows + len(invalid.rows) != below or table.num_rows != below - empty:
        raise LandingFileRefused(
            f"{name}: two readers count different rows in this file, {table.num_rows:,} and {below - empty:,}: its quotes fit no format. "
            "Double quotes that stand inside quoted values, and drop it again."
        )
    refuse_other_header(table, names, name, header)
    rows = without_header(table, names)
    return Records(rows, header, empty + table.num_rows - rows.num_rows, header + below, notes)


def decode(path: Path, target: Path, name: str, encoding: str, compression: str) -> None:
    """Write the text of a file as UTF-8, without a byte order mark, and without the sign of its end that old programs write (Ctrl-Z)."""
    decoder, lines, mark = codecs.getincrementaldecoder(encoding)("strict"), 1, BYTE_ORDER_MARK
    held = b""
    with target.open("wb") as out:
        for chunk, last in read_chunks(path, compression, name):
            try:
                text = decoder.decode(chunk, final=last)
                encoded = text.removeprefix(mark).encode()
            except UnicodeError as error:
                raise _undecodable(error, lines, name, encoding) from error
            if "\0" in text:
                raise LandingFileRefused(
                    f"{name}: expected text ({encoding}), came zero bytes: a binary file, or one in UTF-16. Correct 'encoding' or 'format'."
                )
            mark = "" if text else mark
            lines += text.count("\n")
            written = (held + encoded).rstrip(_END_OF_TEXT)
            held = (held + encoded)[len(written) :]
            out.write(written)


def is_encoding(encoding: str) -> bool:
    """Whether Python knows a text encoding; what it calls a codec may also turn bytes into bytes, or text into text."""
    try:
        "a".encode(encoding)
        codecs.getincrementaldecoder(encoding)("strict")
    except (LookupError, ValueError):
        return False
    return True


def _undecodable(error: UnicodeError, lines: int, name: str, encoding: str) -> LandingFileRefused:
    row, came = lines, "signs that are none of it"
    if isinstance(error, UnicodeDecodeError):
        data = bytes(error.object)
        row += data[: error.start].count(b"\n")
        around = data[max(error.start - 12, 0) : error.start + 12].decode("latin-1").splitlines() or [""]
        came = f"the byte 0x{data[error.start]:02x} (about {around[0]!r})"
    return LandingFileRefused(
        f"{name}, line {row}: expected {encoding}, came {came}. Say the file's encoding in the provider YAML, under 'encoding': "
        f"{', '.join(ENCODINGS)}, or another one of Python's; files from Windows are often cp1252."
    )


def _records(text: Path, name: str, delimiter: str) -> Iterator[tuple[list[str], int]]:
    """Records as Python's reader sees them, each with the position behind it in bytes."""
    csv.field_size_limit(MAX_LINE)
    position = 0

    def lines(stream: IO[str]) -> Iterator[str]:
        nonlocal position
        for line in stream:
            position += len(line.encode())
            yield line

    with text.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(lines(stream), delimiter=delimiter, quotechar=QUOTE, doublequote=True, strict=True)
        try:
            for record in reader:
                yield record, position
        except csv.Error as error:
            raise LandingFileRefused(
                f"{name}, line {reader.line_num}: expected delimited text with quotes doubled inside quoted values, but {error}: a quote is not "
                "closed, or stands where none belongs. Correct the line, or the 'delimiter' in the provider YAML, and drop the file again."
            ) from error


def _counted(text: Path, name: str, delimiter: str, header: int, start: int) -> tuple[int, int]:
    """Return how many records stand below the header, and how many of them hold no value."""
    if start == text.stat().st_size:
        return 0, 0
    counts = count_records(np.memmap(text, dtype=np.uint8, mode="r", offset=start), delimiter)
    if counts is not None:
        return counts
    below = blank = 0
    for record, _ in islice(_records(text, name, delimiter), header, None):
        below += 1
        blank += is_blank(record)
    return below, blank


def _header(text: Path, name: str, delimiter: str, header: int) -> tuple[list[str], int]:
    """Return the column names, and where in bytes the first record below them stands."""
    for record, position in islice(_records(text, name, delimiter), max(header, 1) - 1, max(header, 1)):
        return (column_names(record, name, header), position) if header else (column_names([""] * len(record), name, 1), 0)
    raise LandingFileRefused(
        f"{name}: expected a header in record {max(header, 1)}, came {'an empty file' if header < 2 else 'fewer records'}. Drop the file again."
    )


@dataclass
class _Invalid:
    """Records whose number of values is not the header's, as Arrow's reader finds them: number, values, text."""

    rows: list[tuple[int, int, str]] = field(default_factory=list)

    def __call__(self, row: arrow_csv.InvalidRow) -> str:
        self.rows.append((row.number, row.actual_columns, row.text))
        return "skip"


def _parse(text: Path, name: str, delimiter: str, names: list[str], start: int, invalid: _Invalid) -> pa.Table:
    kinds = dict.fromkeys(names, pa.string())
    if start == text.stat().st_size:
        return pa.schema(kinds).empty_table()
    try:
        with pa.memory_map(str(text)) as stream:
            stream.seek(start)
            data, mark = stream.read_buffer(), BYTE_ORDER_MARK.encode()
            if data[: len(mark)].to_pybytes() == mark:
                # Arrow's reader takes one away, here that of a value.
                data = pa.py_buffer(mark + data.to_pybytes())
            table = arrow_csv.read_csv(
                pa.BufferReader(data),
                # One thread: only then records that do not fit are numbered.
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=delimiter,
                    quote_char=QUOTE,
                    double_quote=True,
                    escape_char=False,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=invalid,
                ),
                convert_options=arrow_csv.ConvertOptions(check_utf8=False, column_types=kinds, null_values=[], strings_can_be_null=False),
            )
    except pa.ArrowInvalid as error:
        raise LandingFileRefused(f"{name}: expected delimited text, but reading failed: {str(error).splitlines()[0]} Drop the file again.") from error
    for number, count, record in invalid.rows:
        if "\n" in record or "\r" in record:
            raise LandingFileRefused(
                f"{name}, row {number}: expected {len(names)} values, came {count} over several lines, from {record[:40]!r} on: a quote is not "
                "closed. Close it, and drop the file again."
            )
        if set(names) & set(next(csv.reader([record], delimiter=delimiter), [])) == set(names):
            raise LandingFileRefused(
                f"{name}, row {number}: a second header, of {count} columns: {record[:200]!r}. Drop the part below it as a file of its own."
            )
    return table


def _surplus(text: Path, name: str, delimiter: str, header: int, width: int) -> int:
    """How many values without text the first records end with beyond the header's, all of them as many; 0 where they do not.

    A single record tells nothing: an unquoted delimiter in one of its values and an empty last one look alike.
    """
    try:
        below = [record for record, _ in islice(_records(text, name, delimiter), header, header + _LOOKS) if not is_blank(record)]
    except LandingFileRefused:
        # Said by those who read the whole file.
        return 0
    widths = {len(record) for record in below}
    if not header or len(below) < 2 or len(widths) > 1 or any(not is_blank(record[width:]) for record in below):
        return 0
    return max(widths.pop() - width, 0)


def _without_surplus(
    text: Path, name: str, delimiter: str, names: list[str], start: int, surplus: int
) -> tuple[pa.Table, _Invalid] | tuple[None, None]:
    """Values and blank lines below a header whose rows all end with so many delimiters more; None where one does not, or has a value there."""
    invalid, behind = _Invalid(), [f"{ROW}{number}" for number in range(surplus)]
    parsed = _parse(text, name, delimiter, [*names, *behind], start, invalid)
    empty = all(pc.all(pc.equal(pc.utf8_trim_whitespace(parsed[column]), "")).as_py() for column in behind)
    others = any(not is_blank(next(csv.reader([record], delimiter=delimiter), [])) for _, _, record in invalid.rows)
    return (parsed.select(names), invalid) if empty and not others else (None, None)


def _shape(count: int, number: int, records: int, text: Path, width: int) -> str:
    """What is wrong with the number of a record's values; of the last one without a line end what a transfer that broke off leaves."""
    if number == records and count < width:
        with text.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) not in b"\r\n":
                return f"{count} values {CUT_OFF}"
    return f"{count} values"


def _numbered(table: pa.Table, names: list[str], delimiter: str, invalid: _Invalid, path: Path) -> pa.Table:
    """Add rows of another length, number all of them as they stand in the file, and leave out those without any value."""
    total = table.num_rows + len(invalid.rows)
    numbers = np.setdiff1d(np.arange(1, total + 1), [number for number, _, _ in invalid.rows], assume_unique=True)
    valid = table.add_column(0, ROW, pa.array(numbers, pa.int64())).add_column(1, SHAPE, pa.nulls(table.num_rows, pa.string()))
    valid = _with_values(valid, names)
    others = [
        (number, _shape(count, number, total, path, len(names)), text)
        for number, count, text in invalid.rows
        if not is_blank(next(csv.reader([text], delimiter=delimiter), []))
    ]
    if not others:
        return valid
    records = [_short(text, delimiter, len(names)) for _, _, text in others]
    broken = pa.table(
        {
            ROW: [row for row, _, _ in others],
            SHAPE: [shape for _, shape, _ in others],
            **{column: pa.array([record[position] for record in records], pa.string()) for position, column in enumerate(names)},
        }
    )
    return pa.concat_tables([valid, broken.cast(valid.schema)]).sort_by(ROW)


def _with_values(table: pa.Table, names: list[str]) -> pa.Table:
    """Rows that hold a value."""
    if not table.num_rows:
        return table
    filled = pa.chunked_array([pa.repeat(pa.scalar(False), table.num_rows)])
    for column in names:
        filled = pc.or_(filled, pc.not_equal(pc.utf8_trim_whitespace(table[column]), ""))
        # Most often each row has its first value.
        if pc.all(filled).as_py():
            return table
    return table.filter(filled)


def _short(text: str, delimiter: str, width: int) -> list[str | None]:
    """Values of a record that has too few, so that a line of totals is known as one; of one with too many none is sure."""
    values = next(csv.reader([text], delimiter=delimiter), [])
    return [*values, *[None] * (width - len(values))] if len(values) < width else [None] * width
