"""Line numbers that start again in another file: a line of that number counts in the later file alone, so that lines of the other would be lost."""

from collections.abc import Sequence

import pyarrow as pa

from transforms.contracts import SOURCES
from transforms.lake.database import open_database
from transforms.landing.files import Identity, LandingFile
from transforms.landing.staging import LINE, Staging

_MOST = 0.5
"""Share of the shared numbers above which they stand for other lines; fewer are corrections of the store, the product or the week."""
_ALIKE = 2 / 3
"""Least share of the numbers, here or there, that are in both, for numbers of other weeks to have started again: a few are corrections."""


def restarted(staged: Staging, file: LandingFile, rows: pa.Table, others: Sequence[Identity]) -> str | None:
    """Say in which file most of the numbers stand for other lines, and what to do; None where a number is a line.

    Parameters
    ----------
    rows
        What the file holds: the contract's columns with `line_id`.
    others
        Versions of other files of the source whose rows count.
    """
    if LINE.name not in rows.column_names or not others:
        return None
    key = [name for name in SOURCES[file.source].key if name not in {"region", "known_at"}]
    here, there = (" || ', ' || ".join(f"'{name} ' || {side}.{name}" for name in key) for side in ("m", "o"))
    with open_database() as connection:
        connection.register("rows", rows)
        found = connection.execute(
            f"""
            with
            m as (select line_id, {", ".join(key)} from rows where line_id is not null),
            o as (select source_file, line_id, {", ".join(key)} from ({staged.select(file.source, others)}) where line_id is not null),
            lines as (
                select
                    source_file, line_id, not bool_or(m.store_id = o.store_id and m.product_id = o.product_id) as other_key,
                    not bool_or(m.store_id = o.store_id and m.product_id = o.product_id and m.week = o.week) as other_line,
                    min(split_part(line_id, chr(31), -1) || ' (' || {here} || ' here, ' || {there} || ' there)') as told
                from m join o using (line_id) group by all
            ),
            files as (
                select
                    source_file, count(*) as shared, count(*) filter (where other_key) as keys, count(*) filter (where other_line) as other,
                    arg_min(told, (length(line_id), line_id)) filter (where other_line) as first
                from lines group by all
            ),
            sizes as (select source_file, count(distinct line_id) as size from o group by all)
            select source_file, shared, other, first
            from files join sizes using (source_file)
            where keys > {_MOST} * shared
                or (other > {_MOST} * shared and shared >= {_ALIKE} * ((select count(distinct line_id) from m) + size - shared))
            order by other desc, source_file limit 1
            """
        ).fetchall()
    if not found:
        return None
    [(other, shared, apart, first)] = found
    columns = next(spec.line_columns for spec in file.specs if spec.line_columns)
    return (
        f"{file.name}: held, since {apart} of the {shared} line numbers ({', '.join(columns)}) that {other} holds too stand for other lines there, "
        f"the first being {first}: a number counts in one file alone, so that those lines would be lost. Numbers that start again tell no line "
        "apart: name what they start again with under 'line_id' too, like [order, line], or a part of the file's name that 'path' tells, like "
        "[\"{day}\", line]. If this file corrects those lines, name it under 'counted'."
    )
