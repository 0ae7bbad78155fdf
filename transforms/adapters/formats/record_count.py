"""How many records delimited text holds, told from where its quotes and line ends stand: a count of its own beside the reader that makes the table.

Where every quote opens, closes or doubles as RFC 4180 has it, a line end is inside a value exactly where the number of quotes before it is odd, and
whole blocks are counted at once. Text whose quotes stand otherwise is not counted here.
"""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from transforms.adapters.formats.bounds import MAX_LINE
from transforms.arrays import Bools, Ints64

Bytes = NDArray[np.uint8]
QUOTE = '"'
_BLOCK = 1 << 22
_LOOKS = 64
"""Bytes of a record that are looked at before it goes through a parser to be found blank."""
_NEWLINE, _RETURN, _MARK = (ord(sign) for sign in ("\n", "\r", QUOTE))
_WHITESPACE = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())


def count_records(text: Bytes, delimiter: str) -> tuple[int, int] | None:
    """Return how many records UTF-8 text holds, and how many of them hold no value; None where a quote stands as in no format.

    Parameters
    ----------
    text
        Bytes from the beginning of a record on, shape (bytes,).
    delimiter
        One ASCII sign.
    """
    start, size, total, blank = 0, _BLOCK, 0, 0
    hollow = _hollow(delimiter)
    while start < len(text):
        block = text[start : start + size]
        last = start + size >= len(text)
        ends = _record_ends(block, delimiter, last)
        if ends is None or (not len(ends) and size > MAX_LINE):
            return None
        if not len(ends):
            size *= 2
            continue
        total += len(ends)
        blank += _count_blank(block, ends, hollow, delimiter)
        start, size = start + int(ends[-1]), _BLOCK
    return total, blank


def _record_ends(block: Bytes, delimiter: str, last: bool) -> Ints64 | None:
    """Ints64 behind the records that end in a block, shape (records,); None where a quote before them is none of RFC 4180's."""
    quotes = np.flatnonzero(block == _MARK)
    is_end = block == _NEWLINE
    returns = block == _RETURN
    if returns.any():
        # A carriage return ends a record by itself, unless a line feed follows; whether one does is not known at the end of a block.
        returns[:-1] &= block[1:] != _NEWLINE
        returns[-1] &= last
        is_end |= returns
    ends = np.flatnonzero(is_end)
    if len(quotes):
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    ends += 1
    if last and (not len(ends) or ends[-1] < len(block)):
        ends = np.append(ends, len(block))
    if not len(ends):
        return ends
    quotes = quotes[: np.searchsorted(quotes, ends[-1])]
    return ends if _are_regular(block, quotes, delimiter) else None


def _are_regular(block: Bytes, quotes: Ints64, delimiter: str) -> bool:
    """Whether quotes, of which every other one is inside a value, open at the beginning of values and close at their end, or are doubled."""
    if len(quotes) % 2:
        return False
    beside = np.zeros(256, dtype=np.bool_)
    beside[[ord(delimiter), _NEWLINE, _RETURN, _MARK]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before, after = block[opening[opening > 0] - 1], block[closing[closing < len(block) - 1] + 1]
    return bool(beside[before].all() and beside[after].all())


def _hollow(delimiter: str) -> Bools:
    """Bytes that a record without values may be made of, shape (256,)."""
    hollow = np.zeros(256, dtype=np.bool_)
    hollow[list(f"{delimiter}{QUOTE}{_WHITESPACE}".encode())] = True
    return hollow


def _count_blank(block: Bytes, ends: Ints64, hollow: Bools, delimiter: str) -> int:
    """How many of the records that end there hold no value."""
    starts = np.concatenate([[0], ends[:-1]])
    suspects = np.arange(len(ends))
    for look in range(_LOOKS):
        position = starts[suspects] + look
        inside = position < ends[suspects]
        if not inside.any():
            break
        suspects = suspects[~inside | hollow[block[np.where(inside, position, 0)]]]
    blank, known = 0, dict[bytes, bool]()
    for start, end in zip(starts[suspects].tolist(), ends[suspects].tolist(), strict=True):
        record = block[start:end].tobytes()
        if record not in known:
            known[record] = is_blank(next(csv.reader(io.StringIO(record.decode(), newline=""), delimiter=delimiter), []))
        blank += known[record]
    return blank


def is_blank(record: list[str]) -> bool:
    """True where a record holds no value."""
    return not any(cell and not cell.isspace() for cell in record)
