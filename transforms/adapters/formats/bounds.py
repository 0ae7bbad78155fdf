"""Limits of what a file may cost to read, looked at before a parser sees it: how far a compressed one expands, and how deep JSON is nested."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from transforms.errors import LandingFileRefused

PLAIN = "uncompressed"
MAX_EXPANDED = 2 << 30
"""Bytes that a compressed file may expand to: ten megabytes of gzip can hold ten gigabytes of nothing."""
MAX_LINE = 16 << 20
"""Bytes of a JSON line, as DuckDB's own limit is."""
MAX_DEPTH = 64
"""Levels of a JSON line. DuckDB descends one stack frame a level: at 100,000 the process dies of it."""
MAX_COLUMNS = 4_000
READ_SECONDS = 900
MEMORY = 4 << 30
"""Bytes that reading a file may take before DuckDB goes to disk, and that a workbook's process may take at all."""
SPILL = 20 << 30
_DEFLATE_RATIO = 1032  # no stream of deflate expands further
_CHUNK = 1 << 20
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[[ord("["), ord("{")]] = 1
_STEPS[[ord("]"), ord("}")]] = -1


def check_expanded(path: Path, compression: str, name: str) -> None:
    """Refuse a compressed file that expands beyond `MAX_EXPANDED`; those that cannot are not expanded."""
    if compression == PLAIN or (compression == "gzip" and path.stat().st_size * _DEFLATE_RATIO <= MAX_EXPANDED):
        return
    count = 0
    with pa.input_stream(str(path), compression=compression) as stream:
        while count <= MAX_EXPANDED and (chunk := _read(stream, name)):
            count += len(chunk)
    if count > MAX_EXPANDED:
        raise LandingFileRefused(
            f"{name}: expected at most {MAX_EXPANDED >> 30} GiB once expanded, came more from {path.stat().st_size:,} bytes. "
            "Split the file, or drop it as Parquet."
        )


def check_nesting(path: Path, compression: str, name: str) -> int:
    """Refuse JSON lines that are nested deeper than `MAX_DEPTH` or longer than `MAX_LINE`; return how many lines are not blank."""
    with pa.input_stream(str(path), compression=None if compression == PLAIN else compression, buffer_size=_CHUNK) as stream:
        number, count, rest = 0, 0, b""
        while chunk := _read(stream, name):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in (*lines, rest) if len(rest) > MAX_LINE else lines:
                number += 1
                count += bool(line.strip())
                _check_line(line, name, number)
        _check_line(rest, name, number + 1)
        return count + bool(rest.strip())


def read_chunks(path: Path, compression: str, name: str) -> Iterator[tuple[bytes, bool]]:
    """Yield the expanded bytes of a file in pieces, each with whether it is the last."""
    with pa.input_stream(str(path), compression=None if compression == PLAIN else compression, buffer_size=_CHUNK) as stream:
        while chunk := _read(stream, name):
            yield chunk, False
    yield b"", True


def _check_line(line: bytes, name: str, number: int) -> None:
    if len(line) > MAX_LINE:
        raise LandingFileRefused(f"{name}, row {number}: expected a JSON object in a line of at most {MAX_LINE >> 20} MiB, came a longer line.")
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return
    depth = np.cumsum(_STEPS[np.frombuffer(_TEXTS.sub(b"", line), dtype=np.uint8)], dtype=np.int64)
    if depth.size and np.max(depth - np.minimum(np.minimum.accumulate(depth), 0)) > MAX_DEPTH:
        raise LandingFileRefused(
            f"{name}, row {number}: expected a flat JSON object, came one nested deeper than {MAX_DEPTH} levels. Drop the file with flat rows."
        )


def _read(stream: pa.NativeFile, name: str) -> bytes:
    try:
        return bytes(stream.read(_CHUNK))
    except (OSError, pa.ArrowInvalid) as error:
        first = str(error).splitlines()[0]
        raise LandingFileRefused(f"{name}: expected a compressed file, but expanding it failed: {first} Drop the file again.") from error
