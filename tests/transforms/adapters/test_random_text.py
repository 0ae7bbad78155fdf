"""Random tables in random dialects of delimited text, written by a writer of its own: every value is found again at its row and column."""

import csv
import gzip
import io
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from transforms.adapters.formats import record_count
from transforms.adapters.formats.delimited import Records, read_delimited
from transforms.adapters.formats.headers import CUT_OFF, ROW, SHAPE
from transforms.errors import LandingFileRefused

LIMITED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "cp1252",
    "latin-1",
    "iso-8859-15",
    "cp1250",
    "cp437",
    "mac-roman",
    "utf-16",
    "utf-16-be",
    "shift_jis",
    "gb18030",
    "utf-7",
]
DELIMITERS = [",", ";", "|", "\t", "\x01", "~", "^", "#", " ", ":", "\\", "'"]
CODES = [
    "007",
    "#N/A",
    "-",
    "",
    " ",
    "1.200,5",
    '5" pipe',
    "a,b",
    "a;b",
    "x\ny",
    "x\r\ny",
    "\r",
    '"',
    '""',
    "\ufeff",
    "\u3000",
    "01-02-2024",
    "NULL",
    "=1+1",
]


def texts(encoding: str) -> st.SearchStrategy[str]:
    """Cells that the encoding gives back as they were."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    return (st.sampled_from(CODES) | st.text(characters, max_size=8)).filter(lambda text: _survives(text, encoding))


def _survives(text: str, encoding: str) -> bool:
    with suppress(UnicodeError):
        return f"a{text}b".encode(encoding).decode(encoding) == f"a{text}b"
    return False


@st.composite
def tables(draw: st.DrawFn, encoding: str) -> tuple[list[str], list[list[str]]]:
    """A header and records below it, most of them of its length."""
    width = draw(st.integers(1, 5))
    names = draw(st.lists(texts(encoding).filter(str.strip), min_size=width, max_size=width, unique_by=lambda name: name.strip().lower()))
    assume(not {name.strip() for name in names} & {ROW, SHAPE})
    row = st.lists(texts(encoding), min_size=width, max_size=width)
    return names, draw(st.lists(row | row | row | st.lists(texts(encoding), max_size=width + 2) | st.just(names), max_size=8))


@st.composite
def documents(draw: st.DrawFn) -> tuple[bytes, str, str, int, list[str], list[list[str]]]:
    """Bytes of a file, its encoding, delimiter and the header's record, and what stands in it."""
    encoding = draw(st.sampled_from(ENCODINGS))
    delimiter = draw(st.sampled_from(DELIMITERS))
    names, rows = draw(tables(encoding))
    above = draw(st.lists(st.lists(texts(encoding), max_size=3), max_size=3))
    quoting = draw(st.sampled_from(["all", "minimal", "needed", "random"]))
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"], ["\n", "\r\n", "\r"]]))
    written = ""
    for record in [*above, names, *rows]:
        written += delimiter.join(draw(cells(cell, delimiter, quoting, alone=len(record) == 1)) for cell in record)
        end = draw(st.sampled_from(ends))
        # A line feed behind a carriage return is no line of its own.
        written += "\r\n" if written.endswith("\r") and end == "\n" else end
    if draw(st.booleans()) and rows and rows[-1]:
        written = written.removesuffix("\n").removesuffix("\r")
    mark = "\ufeff" if encoding in {"utf-8", "utf-16-be"} and draw(st.booleans()) else ""
    assume(mark or not written.startswith("\ufeff"))
    assume(_survives(written, encoding))
    return (mark + written).encode(encoding), encoding, delimiter, len(above) + 1, names, rows


@st.composite
def cells(draw: st.DrawFn, cell: str, delimiter: str, quoting: str, alone: bool) -> str:
    """A cell as it may be written."""
    needed = cell.startswith('"') or any(sign in cell for sign in (delimiter, "\n", "\r")) or (alone and not cell)
    minimal = needed or '"' in cell
    if quoting == "all" or (quoting == "minimal" and minimal) or needed or (quoting == "random" and draw(st.booleans())):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def read(content: bytes, encoding: str = "utf-8", delimiter: str = ",", header: int = 1, suffix: str = "") -> Records:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file.csv{suffix}"
        path.write_bytes(content)
        return read_delimited(path, path.name, delimiter, encoding, {"": "uncompressed", ".gz": "gzip", ".zst": "zstd"}[suffix], header)


def is_blank(record: list[str]) -> bool:
    return not any(cell.strip() for cell in record)


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True) if content else b""


@given(documents(), st.sampled_from([8, 64, 1 << 22]), st.sampled_from(["", "", ".gz", ".zst"]))
@example((b"id,units\n\xef\xbb\xbf7,6\n", "utf-8", ",", 1, ["id", "units"], [["\ufeff7", "6"]]), 8, "")  # not the file's byte order mark
@LIMITED
def test_every_cell_is_found_again_at_its_row_and_column(
    document: tuple[bytes, str, str, int, list[str], list[list[str]]], block: int, suffix: str
) -> None:
    content, encoding, delimiter, header, names, rows = document
    expected = [name.strip() for name in names]
    stripped = [[cell.lstrip("\ufeff").strip() for cell in row] for row in rows]
    assume(not any(sorted(row) == sorted(expected) and row != expected for row in stripped))
    # A record of another length refuses the file where it may come of a quote that is not closed, or of a second header.
    assume(not any(len(row) != len(names) and (set(expected) <= set(row) or re.search(r"[\r\n]", "".join(row))) for row in rows))
    filled = [row for row in rows if not is_blank(row)]
    # Where all rows have as many empty values more than the header, these are none.
    assume(len({len(row) for row in filled}) != 1 or len(filled[0]) <= len(names) or any(not is_blank(row[len(names) :]) for row in filled))
    compress: Callable[[bytes], bytes] = {"": bytes, ".gz": gzip.compress, ".zst": zstd}[suffix]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_count, "_BLOCK", block)
        records = read(compress(content), encoding, delimiter, header, suffix)
    assert records.table.column_names == [ROW, SHAPE, *expected]
    kept = {number: row for number, row in enumerate(rows, start=1) if not is_blank(row) and stripped[number - 1] != expected}
    found = {row[ROW]: row for row in records.table.to_pylist()}
    assert list(found) == list(kept)
    for number, row in kept.items():
        if len(row) == len(names):
            assert [found[number][name] for name in expected] == row
            assert found[number][SHAPE] is None
        else:
            cut_off = number == len(rows) and len(row) < len(names) and not content.decode(encoding).endswith(("\n", "\r"))
            assert found[number][SHAPE] == f"{len(row)} values" + f" {CUT_OFF}" * cut_off
            # What a record with too many says where is not known.
            values = [found[number][name] for name in expected]
            assert values == ([*row, *[None] * (len(names) - len(row))] if len(row) < len(names) else [None] * len(names))
    assert records.total == header + len(rows)
    assert records.above == header
    assert records.aside + records.table.num_rows == records.total


@given(st.text('",\n\r a\u3000é', max_size=60), st.sampled_from([3, 16, 1 << 22]))
@example('"a"b,"c"\n', 1 << 22)
@example('a"b\nc",\n', 1 << 22)
@settings(max_examples=300, deadline=None)
def test_records_are_counted_as_a_parser_counts_them_or_not_at_all(text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_count, "_BLOCK", block)
        found = record_count.count_records(np.frombuffer(text.encode(), dtype=np.uint8), ",")
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        assert found is None
        return
    assert found in {None, (len(records), sum(is_blank(record) for record in records))}
    if '"' not in text:
        assert found is not None


@pytest.mark.parametrize("pipe", ["5'", '5" pipe'])
def test_a_file_of_many_blocks_is_read_to_the_last_row(pipe: str) -> None:
    """A quote inside a plain value is none of the format's, and rows are then counted by Python's parser instead."""
    rows = [f'{number},"{number:0300d}, ""x""\r\n{number}",{pipe}\n' for number in range(40_000)]
    records = read(f"id,text,remark\n{''.join(rows)}".encode())
    assert records.table.num_rows == records.total - 1 == 40_000
    assert records.table["id"].to_pylist() == [str(number) for number in range(40_000)]
    assert records.table.slice(39_999).to_pylist() == [
        {ROW: 40_000, SHAPE: None, "id": "39999", "text": f'{39_999:0300d}, "x"\r\n39999', "remark": pipe}
    ]


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_members_of_a_compressed_file_are_all_read(compress: Callable[[bytes], bytes]) -> None:
    """`cat a.gz b.gz > c.gz` is one file of two members: readers that stop behind the first lose the second."""
    suffix = ".gz" if compress is gzip.compress else ".zst"
    records = read(compress(b"id,units\n1,2\n") + compress(b"3,4\n") + compress(b"5,6\n"), suffix=suffix)
    assert records.table["id"].to_pylist() == ["1", "3", "5"]


def test_parts_that_begin_with_a_byte_order_mark_each_are_one_table() -> None:
    records = read("\ufeffid,units\n1,2\n\ufeffid,units\n3,4\n".encode())
    assert records.table.to_pylist() == [{ROW: 1, SHAPE: None, "id": "1", "units": "2"}, {ROW: 3, SHAPE: None, "id": "3", "units": "4"}]
    assert (records.total, records.aside) == (4, 2)


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b'id,units\n1,"2\n3,4\n', "utf-8", "line 3: expected delimited text with quotes doubled inside quoted values, but .* a quote is not closed"),
        (b'id,units\n1,"2"3\n', "utf-8", "line 2: expected delimited text with quotes doubled inside quoted values"),
        (b"id,__row__\n1,2\n", "utf-8", "row 1 \\(header\\): a column is called '__row__', which Shelfcast calls one of its own"),
        (b"id,units\n1,\xff\n", "utf-8", "line 2: expected utf-8, came the byte 0xff"),
        (b"id,units\n+2AA-,1\n", "utf-7", "line 1: expected utf-7, came "),
        (b"id,units\n1,\0\n", "utf-8", "expected text \\(utf-8\\), came zero bytes"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_its_line(content: bytes, encoding: str, message: str) -> None:
    with pytest.raises(LandingFileRefused, match=message):
        read(content, encoding)
