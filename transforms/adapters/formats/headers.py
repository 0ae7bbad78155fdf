"""The header of a file: the names that its columns are found by, and rows below it that are a header again. Values are not looked at."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters.formats.bounds import MAX_COLUMNS
from transforms.errors import LandingFileRefused

BYTE_ORDER_MARK = "\ufeff"
ROW, SHAPE, UNMATCHED = "__row__", "__shape__", "__unmatched__"
"""Columns beside the file's own: the number of its row below the header, what is wrong with the number of its values, and, where rows are joined with
a lookup, whether that has no row of the key, or several that say different things."""
RECORD, PLACE = "__record__", "__place__"
"""Columns of rows that are no records of a single table (`FileSpec.is_divided`): the record's number, and how messages name its sheet."""

CUT_OFF = "and no line end"
"""Ends the shape of a last record that a transfer which broke off leaves: rows behind it are missing too."""


def column_names(cells: Sequence[str | None], name: str, row: int) -> list[str]:
    """Return the names of a header's columns, without spaces around them; a cell without text becomes `column<position>`.

    Raises
    ------
    LandingFileRefused
        If two columns have one name, or if there are more than `MAX_COLUMNS`.
    """
    names = [cell.strip() if cell and cell.strip() else f"column{position}" for position, cell in enumerate(cells, start=1)]
    if len(names) > MAX_COLUMNS:
        raise LandingFileRefused(f"{name}: expected at most {MAX_COLUMNS:,} columns, came {len(names):,}. Is it the right file?")
    if taken := {ROW, SHAPE, RECORD, PLACE}.intersection(map(str.lower, names)):
        raise LandingFileRefused(f"{name}, row {row} (header): a column is called {min(taken)!r}, which Shelfcast calls one of its own. Rename it.")
    first: dict[str, int] = {}
    for position, column in enumerate(names, start=1):
        # DuckDB finds columns whatever the case of their letters is.
        if (other := first.setdefault(column.lower(), position)) != position:
            raise LandingFileRefused(
                f"{name}, row {row} (header): columns {other} and {position} are both called {names[other - 1]!r}. Rename one of them, or remove it."
            )
    return names


def header_again(table: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    """Return which rows say the header again, value for value, shape (rows,): files that were put together hold one for each part."""
    return _everywhere(table, names, pc.equal)


def without_header(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the rows that do not say the header again."""
    again = header_again(table, names)
    return table.filter(pc.invert(again)) if pc.any(again).as_py() else table


def refuse_other_header(table: pa.Table, names: Sequence[str], name: str, header: int) -> None:
    """Raise `LandingFileRefused` where a row holds the header's names in another order: the rows below it would be read into wrong columns."""
    if len(names) < 2:
        return
    listed = pa.array(names)
    suspects = _everywhere(table, names, lambda values, _: pc.is_in(values, value_set=listed))
    if not pc.any(suspects).as_py():
        return
    rows = table.filter(pc.and_(suspects, pc.invert(header_again(table, names)))).select([ROW, *names])
    for row in rows.to_pylist():
        found = [row[column].lstrip(BYTE_ORDER_MARK).strip() for column in names]
        if len(set(found)) == len(names):
            raise LandingFileRefused(
                f"{name}, row {row[ROW]}: a second header, {found}, with the columns in another order than in record {header}, {list(names)}. "
                "Drop the parts as files of their own."
            )


def _everywhere(table: pa.Table, names: Sequence[str], condition: Callable[[pa.ChunkedArray, str], pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return in which rows all values fulfil a condition, shape (rows,); mostly no first value does, and the others are not looked at."""
    fulfilled = pa.chunked_array([pa.repeat(pa.scalar(True), table.num_rows)])
    for column in names:
        fulfilled = pc.and_(fulfilled, pc.fill_null(condition(_trimmed(table[column]), column), fill_value=False))
        if not pc.any(fulfilled).as_py():
            break
    return fulfilled


def _trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values without spaces around them, and without the byte order mark that a part of a file may begin with."""
    return pc.utf8_trim_whitespace(pc.utf8_ltrim(values, BYTE_ORDER_MARK))
