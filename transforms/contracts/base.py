"""Contracts: columns with types, units and ranges, a key, how the table is sliced; of a source also how its files are completed and given away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa

Kind = Literal["text", "integer", "number", "flag", "date", "timestamp"]
Disguise = Literal["kept", "hashed", "scaled", "cases", "returned_cases", "blurred", "shifted", "moved", "renamed", "renamed_event"]
"""Ways to disguise a column's values in a sample that is given away; see `transforms.exports.obfuscation`."""

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
DELTA_TYPES: dict[Kind, str] = {
    "text": "string",
    "integer": "long",
    "number": "double",
    "flag": "boolean",
    "date": "date",
    "timestamp": "timestamp",
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
    disguise
        How a source's column is given away; None for the way of its kind, which tells nothing: texts hashed, numbers scaled, all else kept.
    disguised_as
        Columns that are hashed or scaled under the same word keep their relations; None for the column's own name.
    staged_as
        The name in staging, where the contract's is a word of SQL.
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
    disguise: Disguise | None = None
    disguised_as: str | None = None
    staged_as: str | None = None

    @property
    def arrow(self) -> pa.Field:
        """The column as an Arrow field. Nullability is enforced by validation, since DuckDB and Delta readers mark all columns nullable."""
        return pa.field(self.name, ARROW_TYPES[self.kind], nullable=True)

    @property
    def duckdb(self) -> str:
        """The column's DuckDB type."""
        return DUCKDB_TYPES[self.kind]

    @property
    def addable(self) -> bool:
        """True when a table that was written before the column existed can still be read: it holds null or the default there."""
        return not self.required or self.default is not None


@dataclass(frozen=True, slots=True)
class Contract:
    """A table: its name (`layer/table`), grain in one sentence, columns and key.

    `sliced` tables are partitioned by region on disk and replaced slice by slice (region x week, by `week_column`); the others are replaced
    whole or appended to. `version` is raised with each change of the columns; `fresh_for` is the age in days of its newest arrival from which a
    source counts as late. `ordered_by` is the time by which an append-only table tells what came last: the lake makes each commit's times later
    than all before, whatever the clock says. What the slices of a `sealed` table held is put on record as they are written.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sliced: bool = True
    week_column: str = "week"
    append_only: bool = False
    version: int = 1
    fresh_for: int | None = None
    ordered_by: str | None = None
    sealed: bool = False
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        object.__setattr__(self, "_by_name", by_name)
        needed: Sequence[str] = (*self.key, *(("region", self.week_column) if self.sliced else ()), *filter(None, [self.ordered_by]))
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

    def compare(self, stored: Mapping[str, str]) -> "SchemaChange":
        """Differences between this contract and a table's stored columns (name -> Delta type)."""
        return SchemaChange(
            added=tuple(column for column in self.columns if column.name not in stored),
            removed=tuple(name for name in stored if name not in self._by_name),
            retyped=tuple(
                (c.name, stored[c.name], DELTA_TYPES[c.kind]) for c in self.columns if stored.get(c.name, DELTA_TYPES[c.kind]) != DELTA_TYPES[c.kind]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Contract):
    """The contract that a provider's files are mapped onto, with all that the stages ask about it.

    Attributes
    ----------
    needed
        True where nothing can be forecast without it: its files have to be there.
    may_be_empty
        True where a file without rows is an answer (nothing came back, nothing happens) and not a fault.
    derived
        Column -> SQL over the others, where a provider does not give it.
    read_whole
        Why conditioning a slice reads all its weeks; None where it reads the slice alone.
    sampled_whole
        True where a sample that is given away holds all its weeks.
    """

    needed: bool = False
    may_be_empty: bool = False
    derived: Mapping[str, str] = field(default_factory=dict, hash=False)
    read_whole: str | None = None
    sampled_whole: bool = False

    @property
    def completed(self) -> frozenset[str]:
        """Columns that a provider need not give: they follow from the others, or from the stores."""
        located = self.sliced and not {"store_id", "place"}.isdisjoint(self.names)
        return frozenset(self.derived) | ({"region"} if located else frozenset())

    @property
    def staged(self) -> tuple[Column, ...]:
        """The columns under their names in staging."""
        return tuple(replace(column, name=column.staged_as or column.name) for column in self.columns)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Columns that a contract added, removed or gave another type (name, stored type, type now) since a table was written."""

    added: tuple[Column, ...]
    removed: tuple[str, ...]
    retyped: tuple[tuple[str, str, str], ...]

    @property
    def breaking(self) -> bool:
        """True when the table cannot be read as the contract wants it."""
        return bool(self.removed or self.retyped or not all(column.addable for column in self.added))

    def __str__(self) -> str:
        parts = [f"+ {column.name} {DELTA_TYPES[column.kind]}{'' if column.addable else ' (required, no default)'}" for column in self.added]
        parts += [f"- {name}" for name in self.removed]
        parts += [f"~ {name}: {before} -> {now}" for name, before, now in self.retyped]
        return "; ".join(parts) or "no change"
