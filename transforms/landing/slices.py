"""Rows of `bronze/landing_slices`: what each file holds for which region and week, as fingerprints."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from transforms.adapters import DAYS
from transforms.contracts.bronze import LANDING_SLICES
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing.files import Identity, LandingFile
from transforms.landing.ledger import landed_by_source
from transforms.landing.look import Look
from transforms.landing.staging import Staging


def fingerprints(file: LandingFile, table: pa.Table, now: datetime) -> pa.Table:
    """Rows and an order-free hash for each slice of a file."""
    values = ", ".join(f'"{name}"' for name in table.column_names if name not in {field.name for field in DAYS})
    with open_database() as connection:
        connection.register("t", table)
        found = connection.execute(
            f"""
            select region, week, count(*)::bigint as rows, printf('%x', (sum(hash({values})) % 18446744073709551557)::ubigint) as fingerprint
            from t group by all order by all
            """
        ).to_arrow_table()
    constants = {"source": file.source, "source_file": file.name, "source_hash": file.digest, "registered_at": now}
    for name, value in constants.items():
        found = found.append_column(LANDING_SLICES[name].arrow, pa.repeat(pa.scalar(value, LANDING_SLICES[name].arrow.type), found.num_rows))
    return Lake.conform(LANDING_SLICES, found)


def emptied(look: Look, file: LandingFile) -> pa.Table:
    """The slices that this version held rows for, with none now: of a version the latest look counts."""
    rows = [
        {
            "source": file.source,
            "source_file": file.name,
            "source_hash": file.digest,
            "region": str(item.region),
            "week": item.week.monday,
            "rows": 0,
            "fingerprint": "",
            "registered_at": look.now,
        }
        for item, _ in landed_by_source(look.lake, [file.identity])
    ]
    return pa.Table.from_pylist(rows, schema=LANDING_SLICES.schema)


def moved(look: Look, accepted: Sequence[LandingFile]) -> pa.Table:
    """The slices in which other files have lines that accepted ones have in other slices, with how many: what stood there has changed."""
    versions = look.readable()
    found = [LANDING_SLICES.schema.empty_table()]
    for source in dict.fromkeys(file.source for file in accepted if any(spec.line_id is not None for spec in file.specs)):
        new = [file.identity for file in accepted if file.source == source]
        others = [identity for identity in versions if identity[0] == source and look.staged.holds(identity)]
        found.append(_lines_elsewhere(look.staged, source, new, others, look.now))
    return pa.concat_tables(found)


def with_moved(slices: pa.Table, moved: pa.Table) -> pa.Table:
    """One row for each file and slice, also where the file has rows of its own in a slice that it moves lines away from."""
    if not moved.num_rows:
        return slices
    with open_database() as connection:
        connection.register("slices", slices)
        connection.register("moved", moved)
        merged = connection.execute(
            """
            select * replace (sum(rows)::bigint as rows, string_agg(fingerprint, ' ' order by fingerprint) as fingerprint)
            from (from slices union all from moved) group by source, source_file, source_hash, region, week, registered_at order by all
            """
        ).to_arrow_table()
    return Lake.conform(LANDING_SLICES, merged)


def _lines_elsewhere(staged: Staging, source: str, new: Sequence[Identity], others: Sequence[Identity], now: datetime) -> pa.Table:
    """Rows of `bronze/landing_slices` for the slices in which `others` have lines that `new` versions have in other slices."""
    with open_database() as connection:
        found = connection.execute(
            f"""
            select
                '{source}' as source, n.source_file, n.source_hash, o.region, o.week, count(distinct n.line_id)::bigint as rows,
                printf('moved %x', (sum(hash(n.line_id, n.region, n.week)) % 18446744073709551557)::ubigint) as fingerprint, $now as registered_at
            from ({staged.select(source, new)}) as n join ({staged.select(source, others)}) as o using (line_id)
            where (n.source_file, n.source_hash) <> (o.source_file, o.source_hash) and (n.region, n.week) <> (o.region, o.week)
            group by all order by all
            """,
            {"now": now},
        ).to_arrow_table()
    return Lake.conform(LANDING_SLICES, found)
