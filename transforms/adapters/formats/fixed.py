"""Text whose values stand at fixed positions as a table of texts. Positions count characters, whatever the encoding is."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters.formats.delimited import Records, decode
from transforms.adapters.formats.headers import ROW, SHAPE

_BATCH = 100_000
_ENDLESS = 1 << 31
_END_OF_FILE = "\x1a"
"""Sign that programs of the DOS age write behind the last line."""


def read_fixed(path: Path, name: str, fields: Mapping[str, Sequence[int]], encoding: str, compression: str, header: int) -> Records:
    """Read a file line by line.

    Parameters
    ----------
    fields
        Column -> its first and last position from 1; one without a last position reaches to the end of the line.
    header
        Lines above the rows, which are no data.

    Notes
    -----
    A line that ends within a field was cut off, and is marked so; one that ends before a field has no value there. Text that goes on
    behind the last field is marked too: the field may be wider than it was named. Behind a blank it is a field of its own, left aside like a
    column that nobody maps.

    Raises
    ------
    LandingFileRefused
        If the text is of another encoding.
    """
    with TemporaryDirectory(prefix="shelfcast-") as scratch:
        text = Path(scratch) / "decoded"
        decode(path, text, name, encoding, compression)
        schema = pa.schema([(ROW, pa.int64()), (SHAPE, pa.string()), *((column, pa.string()) for column in fields)])
        above = blank = 0
        batches = []
        with text.open(encoding="utf-8") as stream:
            above = sum(1 for _ in islice(stream, header))
            for first, lines in _numbered(stream):
                filled = [(number, line) for number, line in enumerate(lines, start=first) if line.strip().strip(_END_OF_FILE)]
                blank += len(lines) - len(filled)
                batches.append(_batch(filled, fields, schema))
        return Records(pa.Table.from_batches(batches, schema), above, blank, _count_lines(text))


def _numbered(stream: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Lines without their ends, some at a time, with the number of the first."""
    first = 1
    while lines := [line.removesuffix("\n") for line in islice(stream, _BATCH)]:
        yield first, lines
        first += len(lines)


def _batch(lines: Sequence[tuple[int, str]], fields: Mapping[str, Sequence[int]], schema: pa.Schema) -> pa.RecordBatch:
    texts = pa.array([line for _, line in lines], pa.string())
    columns = [pc.utf8_slice_codeunits(texts, span[0] - 1, span[1] if len(span) > 1 else None) for span in fields.values()]
    end = max(span[1] if len(span) > 1 else _ENDLESS for span in fields.values())
    shapes = [_fault(line, fields, end) for _, line in lines]
    return pa.record_batch([pa.array([number for number, _ in lines], pa.int64()), pa.array(shapes, pa.string()), *columns], schema=schema)


def _fault(line: str, fields: Mapping[str, Sequence[int]], end: int) -> str | None:
    """What is wrong with a line; `end` is the last position of all fields."""
    if "\t" in line:
        return "a tab, behind which no position is sure"
    cut = next((column for column, span in fields.items() if len(span) > 1 and span[0] <= len(line) < span[1]), None)
    if cut is not None:
        return f"{len(line)} characters, which end within {cut!r}"
    if not line[end - 1 : end].isspace() and line[end : end + 1].strip():
        behind = line[end:].split(maxsplit=1)[0]
        return (
            f"{behind[:40]!r} at position {end + 1}, right behind the last one that 'fields' names: widen the last field there in the provider YAML, "
            f"or name what stands behind it, if only to leave it aside (rest: [{end + 1}])"
        )
    return None


def _count_lines(text: Path) -> int:
    """Lines as their ends tell, whichever of the three kinds they are: a second count."""
    if text.stat().st_size == 0:
        return 0
    content = np.memmap(text, dtype=np.uint8, mode="r")
    feeds, returns = content == ord("\n"), content == ord("\r")
    both = np.count_nonzero(returns[:-1] & feeds[1:])
    return int(np.count_nonzero(feeds) + np.count_nonzero(returns) - both + (content[-1] not in {ord("\n"), ord("\r")}))
