"""Tables of small lakes for queries: a row says what matters, its contract fills in the rest."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

_PLAIN: dict[str, Any] = {
    "text": "x", "integer": 1, "number": 1.0, "flag": False, "date": date(2024, 6, 24), "timestamp": datetime(2024, 7, 1, 12, tzinfo=UTC),
}  # fmt: skip


def put(lake: Lake, table: str, *rows: dict[str, Any]) -> None:
    """Put rows into a table of a lake."""
    contract = CONTRACTS[table]
    plain = {c.name: (c.allowed[0] if c.allowed else _PLAIN[c.kind]) if c.required else None for c in contract.columns}
    assert all(row.keys() <= plain.keys() for row in rows)
    made = pa.Table.from_pylist([plain | row for row in rows], schema=contract.schema)
    if contract.append_only:
        lake.append(table, made)
    elif not contract.sliced:
        lake.overwrite(table, made)
    else:
        regions, weeks = made["region"].unique().to_pylist(), made[contract.week_column].to_pylist()
        lake.replace(table, SliceBlock(tuple(map(Region, sorted(regions))), Week(min(weeks)), Week(max(weeks))), made)
