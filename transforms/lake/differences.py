"""Changes of a region's tables between two states of the lake: rows added, changed, removed, columns with other values, schema changes."""

from dataclasses import dataclass

from transforms.calendar import Region
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake


@dataclass(frozen=True, slots=True)
class TableDifference:
    """Difference of one table in one region.

    Attributes
    ----------
    columns
        Columns that hold other values, with the number of rows.
    first, last
        Weeks between which rows differ, as text; None where nothing does or the table has no weeks.
    schema
        Columns added or gone between the two states.
    """

    table: str
    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    first: str | None
    last: str | None
    schema: str


def table_difference(before: Lake, after: Lake, table: str, region: Region) -> TableDifference:
    """Compare a table's rows by key; one full join, columns by their values."""
    contract = CONTRACTS[table]
    values = [name for name in contract.names if name not in contract.key and name not in {"source_file", "source_hash", "arrived_at"}]
    where = f"where region = '{region}' or region is null" if "region" in contract.names else ""
    # Keys may be null (an event of all regions), so rows are joined on a struct of the key, in which nulls are equal.
    key = f"struct_pack({', '.join(contract.key)})"
    week = f"coalesce(a.{contract.week_column}, b.{contract.week_column})" if contract.week_column in contract.names else "null"
    changed = " or ".join(f"a.{name} is distinct from b.{name}" for name in values) or "false"
    counts = "".join(f", count(*) filter (where both_there and a_{name} is distinct from b_{name})" for name in values)
    columns = "".join(f", a.{name} as a_{name}, b.{name} as b_{name}" for name in values)
    with after.connect() as connection:
        row = connection.execute(
            f"""
            with a as (select *, {key} as k from ({after.select(table)}) {where}), b as (select *, {key} as k from ({before.select(table)}) {where}),
            joined as (
                select a.k is not null and b.k is not null as both_there, a.k is null as gone, b.k is null as new,
                both_there and ({changed}) as other, {week} as week {columns}
                from a full join b on a.k = b.k
            )
            select
                count(*) filter (where not new), count(*) filter (where not gone), count(*) filter (where new), count(*) filter (where gone),
                count(*) filter (where other), min(week) filter (where new or gone or other)::varchar,
                max(week) filter (where new or gone or other)::varchar {counts}
            from joined
            """
        ).fetchall()[0]
    moved = {name: n for name, n in zip(values, row[7:], strict=True) if n}
    return TableDifference(table, row[0], row[1], row[2], row[3], row[4], moved, row[5], row[6], _schema_difference(before, after, table))


def _schema_difference(before: Lake, after: Lake, table: str) -> str:
    old, new = before.stored_columns(table), after.stored_columns(table)
    parts = [f"+ {name}" for name in new if name not in old] + [f"- {name}" for name in old if name not in new]
    return "; ".join(parts)
