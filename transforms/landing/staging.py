"""Rows of landing files as they were mapped, one Parquet file for each version of a file.

A landing file is parsed once, when it is looked at. Taking slices into bronze reads these copies, so a version whose successor is refused, or whose
file has been cleared away, still counts. A copy that is lost is made again from landing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.adapters import DAYS
from transforms.contracts import CONTRACTS
from transforms.errors import MissingData
from transforms.lake.database import literal, open_database
from transforms.landing.files import Identity

LINE = pa.field("line_id", pa.string())
_NO_DAYS = ", ".join(f"null::date as {field.name}" for field in DAYS)


@dataclass(frozen=True)
class Staging:
    """The copies below `folder`, one folder for each source."""

    folder: Path

    def path(self, identity: Identity) -> Path:
        """Where the copy of a version lies."""
        source, name, digest = identity
        return self.folder / source / f"{hashlib.sha256(f'{name} {digest}'.encode()).hexdigest()[:32]}.parquet"

    def holds(self, identity: Identity) -> bool:
        """True when the copy is there."""
        return self.path(identity).exists()

    def write(self, identity: Identity, rows: pa.Table, arrived_at: datetime) -> None:
        """Keep the rows of a version, with lineage; in one step."""
        source, name, digest = identity
        for column, value in (("source_file", name), ("source_hash", digest), ("arrived_at", arrived_at)):
            rows = rows.append_column(CONTRACTS[f"bronze/{source}"][column].arrow, pa.repeat(pa.scalar(value), rows.num_rows))
        for extra in (LINE, *DAYS):
            if extra.name not in rows.column_names:
                rows = rows.append_column(extra, pa.nulls(rows.num_rows, extra.type))
        target = self.path(identity)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(".part")
        pq.write_table(rows.select(_schema(source).names).cast(_schema(source)), draft, compression="zstd", compression_level=1)
        draft.replace(target)

    def select(self, source: str, identities: Iterable[Identity], days: bool = False) -> str:
        """DuckDB SQL over the copies of these versions of one source: its bronze columns and `line_id`, with `days` also `first_day` and `last_day`.

        Days are empty in copies that were made before they were kept.

        Raises
        ------
        MissingData
            If a copy is gone.
        """
        wanted = list(identities)
        if lost := [name for _, name, _ in (identity for identity in wanted if not self.holds(identity))]:
            raise MissingData(
                f"The rows of {lost[0]} ({source}), which hold until the file is replaced, are gone from {self.folder} and the file no longer stands "
                "in landing in that version. Drop that version of the file again."
            )
        contract = CONTRACTS[f"bronze/{source}"]
        empty = ", ".join(f'null::{column.duckdb} as "{column.name}"' for column in contract.columns)
        if not wanted:
            return f"select {empty}, null::varchar as line_id, {_NO_DAYS} where false"
        names = ", ".join(literal(str(self.path(identity))) for identity in wanted)
        if days:
            return f"select {_NO_DAYS} where false union all by name select * from read_parquet([{names}], union_by_name = true)"
        columns = ", ".join([*contract.names, LINE.name])
        if not contract.sliced:
            # Copies of before a column was added lack it. Those of facts are many and are streamed, so they are read as they are.
            filled = f"select {empty} where false union all by name select * from read_parquet([{names}], union_by_name = true)"
            return f"select {columns} from ({filled})"
        return f"select {columns} from read_parquet([{names}])"

    def superseded(self, source: str, identities: Iterable[Identity], asked: str = "true") -> str:
        """DuckDB SQL of the lines (`source_file`, `source_hash`, `line_id`) of these versions that a later one holds too.

        A line counts in the latest of its files, whichever slices they have it in.

        Parameters
        ----------
        asked
            SQL predicate of the lines that are looked for.
        """
        copies = self.select(source, identities)
        return f"""
            with lines as (select source_file, source_hash, line_id, arrived_at from ({copies}) where line_id is not null and {asked}),
            -- Lines of several files are few: only those that share their hash with another go through the window.
            several as (select hash(line_id) as line_hash from lines group by all having count(*) > 1)
            select source_file, source_hash, line_id from lines where hash(line_id) in (from several)
            qualify row_number() over (partition by line_id order by arrived_at desc, source_file desc) > 1
        """

    def read(self, source: str, identities: Iterable[Identity]) -> pa.Table:
        """All rows of these versions with the bronze contract's columns, in the order of the versions."""
        contract = CONTRACTS[f"bronze/{source}"]
        with open_database() as connection:
            return (
                connection.execute(f"select {', '.join(contract.names)} from ({self.select(source, identities)})")
                .to_arrow_table()
                .cast(contract.schema)
            )

    def others_than(self, identities: Iterable[Identity]) -> list[Path]:
        """The copies of all other versions."""
        kept = {self.path(identity) for identity in identities}
        return [path for path in self.folder.glob("*/*.parquet") if path not in kept]


def _schema(source: str) -> pa.Schema:
    return pa.schema([*CONTRACTS[f"bronze/{source}"].schema, LINE, *DAYS])
