"""The header of a file: the names that its columns are found by, and rows below it that are a header again. Values are not looked at."""

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters.formats.bounds import MAX_COLUMNS
from transforms.errors import LandingFileRefused

ROW, SHAPE = "__row__", "__shape__"
"""Columns beside the file's own: the number of its row below the header, and what is wrong with the number of its values."""


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
    same = (pc.fill_null(pc.equal(pc.utf8_trim_whitespace(table[column]), column), fill_value=False) for column in names)
    return reduce(pc.and_, same)


def without_header(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the rows that do not say the header again."""
    return table.filter(pc.invert(header_again(table, names))) if table.num_rows else table


def refuse_other_header(table: pa.Table, names: Sequence[str], name: str, header: int) -> None:
    """Raise `LandingFileRefused` where a row holds the header's names in another order: the rows below it would be read into wrong columns."""
    if len(names) < 2:
        return
    listed = pa.array(names)
    suspects = reduce(pc.and_, (pc.is_in(pc.utf8_trim_whitespace(table[column]), value_set=listed) for column in names))
    suspects = pc.and_(suspects, pc.invert(header_again(table, names)))
    for row in table.filter(pc.fill_null(suspects, fill_value=False)).select([ROW, *names]).to_pylist():
        found = [row[column].strip() for column in names]
        if len(set(found)) == len(names):
            raise LandingFileRefused(
                f"{name}, row {row[ROW]}: a second header, {found}, with the columns in another order than in record {header}, {list(names)}. "
                "Drop the parts as files of their own."
            )
