"""The gold tables of a lake as other programs find them: where each lies, how much it holds, up to when. How they are opened is `snippets`'."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from transforms.contracts import GOLD, Contract
from transforms.lake.tables import Lake


@dataclass(frozen=True, slots=True)
class GoldTable:
    """A gold table: its Delta version (None before it is first written), rows, bytes, regions, and the newest week or time that its log tells."""

    contract: Contract
    address: str
    version: int | None = None
    rows: int | None = None
    size: int = 0
    regions: tuple[str, ...] = ()
    newest: date | datetime | None = None

    @property
    def newest_week(self) -> date | None:
        """The newest week of a table that is sliced by weeks."""
        return self.newest if self.contract.sliced else None


def gold_tables(lake: Lake) -> list[GoldTable]:
    """All gold tables in the order of their contracts. Only logs are read, whatever the tables hold."""
    return [gold_table(lake, contract) for contract in GOLD]


def gold_table(lake: Lake, contract: Contract) -> GoldTable:
    """One of them."""
    address = lake.address("lake", contract.name)
    version = lake.version(contract.name)
    if version is None:
        return GoldTable(contract, address)
    files = lake.data_files(contract.name)
    rows = _known(files, "num_records")
    regions = {str(region) for region in _known(files, "partition.region")}
    latest = _known(files, f"max.{contract.week_column if contract.sliced else contract.ordered_by}")
    return GoldTable(
        contract,
        address,
        version,
        sum(rows) if len(rows) == files.num_rows else None,
        sum(_known(files, "size_bytes")),
        tuple(sorted(regions)),
        max(latest, default=None),
    )


def _known(files: pa.Table, column: str) -> list[Any]:
    """What the log tells of files in a column; statistics may be missing."""
    return [value for value in files[column].to_pylist() if value is not None] if column in files.column_names else []
