"""Rows of one file that speak about the same thing: repeated where they say the same, broken where they contradict each other."""

from collections.abc import Sequence

import duckdb

from transforms.adapters.formats.headers import ROW
from transforms.contracts import Contract


def mark_duplicates(connection: duckdb.DuckDBPyConnection, contract: Contract, place: str) -> None:
    """Rows with the same key: repeated where they say the same, all broken (none is known to hold) where they contradict.

    Parameters
    ----------
    place
        SQL over `raw` of how messages name the place of a row in its file.
    """
    present = {row[0] for row in connection.execute("describe mapped").fetchall()}
    key = [column for column in contract.key if column in present]
    values = ", ".join(column for column in contract.names if column in present)
    _mark_groups(
        connection,
        key,
        values,
        f"one row for each {', '.join(key)}",
        "Remove the duplicate, or set 'duplicates: sum' in the provider YAML.",
        "all",
        place,
    )


def mark_conflicting_lines(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], place: str) -> None:
    """Lines that are there twice: the second is repeated where it says the same, and broken where it does not."""
    present = (row[0] for row in connection.execute("describe mapped").fetchall())
    values = ", ".join(name for name in present if name not in {"row", "line_id", "product_known"} and not name.startswith("came_"))
    advice = (
        "Correct the line's number, or remove the line that does not hold. Numbers that start again for each order tell no line apart: name the "
        "order's column under 'line_id' too."
    )
    _mark_groups(connection, ["line_id"], values, f"one content for each {', '.join(columns)}", advice, "later", place)


def _mark_groups(connection: duckdb.DuckDBPyConnection, key: Sequence[str], values: str, expected: str, advice: str, which: str, place: str) -> None:
    keys = ", ".join(key)
    # Keys with several rows are few: only rows that share their key's hash with another go through the window.
    connection.execute(
        f"""
        create or replace temp table suspects as
        with several as (select hash({keys}) as key_hash from mapped where row not in (select row from broken) group by all having count(*) > 1)
        select
            row, hash({values}) as content,
            first_value(hash({values})) over same as first_content, first_value(row) over same as first_row, count(*) over (partition by {keys}) as n,
            count(distinct hash({values})) over (partition by {keys}) as contents
        from mapped semi join several on hash({keys}) = key_hash
        where row not in (select row from broken)
        window same as (partition by {keys} order by row)
        """
    )
    conflicting = "contents > 1" if which == "all" else "content <> first_content"
    connection.execute(
        f"""
        insert into broken
        select suspects.row, $rule, $expected, 'the key of ' || {place}, $advice
        from suspects join raw on raw.{ROW} = suspects.first_row where {conflicting}
        """,
        {"rule": f"{key[-1]}: {expected}", "expected": expected, "advice": advice},
    )
    connection.execute(f"insert into repeated select row from suspects where row > first_row and not ({conflicting})")
