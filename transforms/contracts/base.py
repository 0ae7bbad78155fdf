"""What a contract is: columns with types, units and ranges, a key, and how the table is sliced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Kind = Literal["text", "integer", "number", "flag", "date", "timestamp"]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
DUCKDB_TYPES: dict[Kind, str] = {
    "text": "varchar",
    "integer": "bigint",
    "number": "double",
    "flag": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a contract.

    Attributes
    ----------
    name, kind, description
        As readers see them; `unit` is part of the meaning (`units`, `degC`, `mm`, `USD`).
    required
        True when a null breaks the contract.
    minimum, maximum
        Bounds that values must not pass, both included; None for no bound.
    allowed
        The only values that may stand here; empty for any.
    monday
        True for a week column: the date has to be a Monday.
    past
        True for the date of something that has happened: from 1980 on and not after the file arrived.
    default
        What older versions of a table hold in a column that was added later; None for null.
    """

    name: str
    kind: Kind
    description: str
    unit: str | None = None
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    monday: bool = False
    past: bool = False
    default: str | float | bool | None = None

    @property
    def arrow(self) -> pa.Field:
        """The column as an Arrow field. Nullability is enforced by validation, since DuckDB and Delta readers mark all columns nullable."""
        return pa.field(self.name, ARROW_TYPES[self.kind], nullable=True)

    @property
    def duckdb(self) -> str:
        """The column's DuckDB type."""
        return DUCKDB_TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class Contract:
    """A table: its name (`layer/table`), grain in one sentence, columns and key.

    `sliced` tables are partitioned by region on disk and replaced slice by slice (region x week, by `week_column`); the others are replaced
    whole or appended to.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sliced: bool = True
    week_column: str = "week"
    append_only: bool = False
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        object.__setattr__(self, "_by_name", by_name)
        needed: Sequence[str] = (*self.key, *(("region", self.week_column) if self.sliced else ()))
        if unknown := [name for name in needed if name not in by_name]:
            raise ValueError(f"{self.name}: key or slice columns {unknown} are not among the columns {list(by_name)}.")

    @property
    def layer(self) -> str:
        """`bronze`, `silver` or `gold`."""
        return self.name.split("/")[0]

    @property
    def table(self) -> str:
        """The name without its layer."""
        return self.name.split("/")[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self._by_name)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema in column order."""
        return pa.schema([column.arrow for column in self.columns])

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]
