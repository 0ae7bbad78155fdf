"""One kind of file of a source: its form, which of its rows count, how their columns map, and what they are joined with."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from transforms.adapters.spec.columns import ColumnSpec
from transforms.adapters.spec.layout import WORKBOOKS, Layout
from transforms.adapters.spec.parts import Name, Text
from transforms.adapters.spec.paths import Store, path_names, path_values
from transforms.adapters.spec.rows import Melt, RowFilter, RowsEnd
from transforms.contracts import Contract
from transforms.errors import LandingFileRefused
from transforms.yaml_files import RuleBroken

_BESIDE = re.compile(r"\{[a-z_][a-z0-9_]*\}")
_PARAMETER = re.compile(r"\$\d+")
HOW_FETCHED = frozenset({"query", "database", "since", "again", "timeout", "store"})
"""Keys that say how a file comes into landing, and not how it is read."""


class Lookup(Layout):
    """Files that a source's rows are joined with by a key, like the headers of invoices whose lines the source's own files hold.

    In its pattern, names of the source's `path` in braces stand for what the file's own name tells.
    """

    by: dict[Name, Name] = Field(min_length=1)
    """Column of the rows -> column of the lookup that holds the same key; one name, or a list, where both are called alike."""
    columns: tuple[Name, ...] = Field(min_length=1)
    """Columns of the lookup that the mapping may read."""

    @field_validator("by", mode="before")
    @classmethod
    def _called_alike(cls, key: object) -> object:
        names = [key] if isinstance(key, str) else key
        return {name: name for name in names} if isinstance(names, list) and all(isinstance(name, str) for name in names) else names

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({column.lower() for column in self.columns}) < len(self.columns):
            raise ValueError(f"expected each of 'columns' once, came {list(self.columns)}")
        return self

    def layout(self) -> dict[str, object]:
        """The keys that say how a lookup file is read."""
        return self.model_dump(include={*Layout.model_fields} - {"files"}, exclude_none=True)


class FileSpec(Layout):
    """One kind of file of a source."""

    path: Text | None = None
    """What the file's name within landing tells, as a template (`shipments/{region}/{week}.csv`) or a regular expression with named groups: then
    `{region}` is a column."""
    lookup: Lookup | None = Field(default=None, alias="with")
    """Files that the rows are joined with by a key; a row whose key they do not know is put in quarantine."""
    melt: Melt | None = None
    """How a wide table becomes one row for each cell."""
    columns: dict[str, ColumnSpec]
    rows: tuple[RowFilter, ...] = ()
    """Which rows belong to this source: one condition, or a list of which each holds."""
    rows_end: RowsEnd | None = None
    """Row with which the rows end, like that of the totals."""
    line_id: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Column, or columns together, that identify a line among those of all files: a line that is there twice counts once."""
    duplicates: Literal["refuse", "sum"] = "refuse"
    """Meaning of rows with the same key: an error, or parts of a sum (invoice lines, days)."""
    counted: list[str] = Field(default_factory=list)
    """Names or patterns of files that count although they say what another file says: deliveries of their own that happen to be alike."""
    query: Name | None = None
    """SELECT on a PostgreSQL database whose rows are snapshotted into landing under the name `files`, as Parquet."""
    database: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,62}$")
    """Environment variable with that database's address (`postgresql://...`), or, with `_FILE` behind its name, with the file that holds it."""
    since: date | None = None
    """First day of a query by week: each week that is over is asked for, its Monday as `$1`, the next as `$2`; `files` has a * for the Monday."""
    again: int = Field(default=8, ge=1, le=5200)
    """Weeks that are asked for again each time, since they may have changed; older ones are asked for once."""
    timeout: int = Field(default=600, ge=1, le=86_400)
    """Seconds that a query, or one object of a store, may take."""
    store: Store | None = None
    """Bucket, with or without a folder, whose objects like `files` are copied into landing, where it is another one than the provider's."""
    net_to_last_delivery: bool = False
    """For returns: move each credit to the week of the latest delivery of that product to that store that the file or the record knows."""

    def with_known_at(self) -> Self:
        """The same file, known at the end of the provider's own weeks or days, where they are others than those of UTC and it does not say when it
        became known.
        """
        column = self.columns[self.dated] if self.dated is not None else None
        if column is None or "known_at" in self.columns or not (column.week_starts or column.week_ends or column.calendar or column.timezone):
            return self
        return self.model_copy(update={"columns": {**self.columns, "known_at": column}})

    @property
    def dated(self) -> str | None:
        """Column that says in which week, or on which day, something happened; a forecast is known when it is issued."""
        return next((name for name in ("week", "date") if name in self.columns), None) if "issued_at" not in self.columns else None

    @model_validator(mode="after")
    def _whole_query(self) -> Self:
        if (self.query is None) != (self.database is None):
            raise RuleBroken("a source that is a query needs both 'query' and 'database'", "query" if self.query is not None else "database")
        if self.query is None:
            return self
        if self.store is not None:
            raise RuleBroken("expected one of 'query' (rows of a database) and 'store' (objects like 'files'), came both", "store")
        if self.format != "parquet":
            raise RuleBroken(f"expected 'format: parquet' for a query, whose rows are kept with their types, came {self.format!r}", "format")
        if self.files.count("*") != (0 if self.since is None else 1) or not self.files.endswith(".parquet") or "?" in self.files:
            wanted = "a file's name like 'erp/stores.parquet'" if self.since is None else "a name with one * like 'erp/shipments-*.parquet'"
            raise RuleBroken(f"expected {wanted} for the snapshots of a query, came {self.files!r}", "files")
        if self.since is not None and not {"$1", "$2"} <= set(_PARAMETER.findall(self.query)):
            raise RuleBroken("a query with 'since' needs the parameters $1 (a week's Monday) and $2 (the next Monday)", "query")
        return self

    @field_validator("path")
    @classmethod
    def _names_parts(cls, path: str | None) -> str | None:
        if path is not None:
            path_names(path)
        return path

    @model_validator(mode="after")
    def _names_what_is_told(self) -> Self:
        told = self.told_beside
        for source in self.line_columns:
            if _BESIDE.fullmatch(source) and source not in told:
                raise RuleBroken(
                    f"expected a column, or one of {sorted(told) or 'none'}, which stand beside the file's own, came {source!r}", "line_id"
                )
        if self.lookup is not None and (unknown := sorted({*_BESIDE.findall(self.lookup.files)} - told)):
            raise RuleBroken(f"expected names of 'path' in braces, which are {sorted(told) or 'none'}, came {unknown}", "with", "files")
        for name, column in self.columns.items():
            for source in column.sources:
                if _BESIDE.fullmatch(source) and column.position is None and source not in told:
                    raise RuleBroken(
                        f"expected a column, or one of {sorted(told) or 'none'}, which stand beside the file's own, came {source!r}", "columns", name
                    )
            if column.position is not None and self.format == "jsonl":
                raise RuleBroken("expected a key's name as 'column', since keys of JSON lines have no order, came a position", "columns", name)
        return self

    @property
    def line_columns(self) -> tuple[str, ...]:
        """Columns that identify a line together; none where lines have no number."""
        return (self.line_id,) if isinstance(self.line_id, str) else self.line_id or ()

    @property
    def told_beside(self) -> set[str]:
        """Columns that do not stand in the file: what its name, its sheet or its archive tells."""
        names = {f"{{{name}}}" for name in path_names(self.path)} if self.path is not None else set()
        return names | ({"{sheet}"} if self.format in WORKBOOKS else set()) | ({"{member}"} if self.member is not None else set())

    @property
    def is_divided(self) -> bool:
        """True where a row is no record of a single table: it is found by its member, its sheet or its cell too."""
        return self.melt is not None or isinstance(self.sheet, tuple) or self.sheets is not None or self.member is not None

    def from_name(self, name: str) -> dict[str, str]:
        """What the file's name tells, by column.

        Raises
        ------
        LandingFileRefused
            If the name is not of the form that `path` says.
        """
        if self.path is None:
            return {}
        values = path_values(self.path, name)
        if values is None:
            raise LandingFileRefused(
                f"{name}: expected a name like {self.path!r}, which tells {', '.join(path_names(self.path))}. Rename the file, or correct 'path' in "
                "the provider YAML."
            )
        return {f"{{{part}}}": value for part, value in values.items()}

    def used(self, names: Sequence[str]) -> set[str]:
        """Columns that the mapping reads as they are, by name or by position among `names`."""
        positions = {names[column.position - 1] for column in self.columns.values() if column.position is not None and column.position <= len(names)}
        return {source for column in self.columns.values() for source in column.sources} | positions | self._beside_mapping()

    def melted(self, names: Sequence[str]) -> list[str]:
        """Columns of a wide table among `names` that become rows."""
        return self.melt.chosen(names, self.used(names)) if self.melt is not None else []

    def _beside_mapping(self) -> set[str]:
        others = (
            *self.line_columns,
            *(self.lookup.by if self.lookup else ()),
            *(condition.column for condition in self.rows),
            self.rows_end.column if self.rows_end else None,
        )
        return {column for column in others if column is not None}

    def wanted(self, contract: Contract) -> dict[str, bool]:
        """Columns of the file that the mapping reads, each with whether it has to be there."""
        found: dict[str, bool] = {}
        for standard, column in self.columns.items():
            for source in column.sources:
                found[source] = found.get(source, False) or (contract[standard].required and column.default is None)
        return found | dict.fromkeys(self._beside_mapping(), True)

    @property
    def adds_up(self) -> bool:
        """True where rows of several files add up without line numbers that tell them apart: what is there twice counts twice."""
        return self.duplicates == "sum" and self.line_id is None

    @field_validator("rows", mode="before")
    @classmethod
    def _one_condition(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"column": spec} if isinstance(spec, str) else spec for name, spec in value.items()}
