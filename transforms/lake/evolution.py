"""Tables that were written before their contract got more columns: what was added, and SQL that reads them with the contract's columns."""

from collections.abc import Mapping

import pyarrow as pa

from transforms.contracts import Column, Contract, SchemaChange
from transforms.errors import ContractViolation

_DATAFUSION = {"text": "varchar", "integer": "bigint", "number": "double", "flag": "boolean", "date": "date", "timestamp": "timestamp with time zone"}


def additions(contract: Contract, stored: Mapping[str, str], version: int) -> SchemaChange:
    """Columns that the contract added since a table was written with the columns `stored` (name to Delta type).

    Raises
    ------
    ContractViolation
        With the difference, where the change breaks readers.
    """
    change = contract.compare(stored)
    if change.breaking:
        raise ContractViolation(
            f"{contract.name}: the table's version {version} does not fit contract version {contract.version}: {change}. "
            "Only columns that may be empty or have a default can be added: use the Shelfcast that wrote it, or condition into a new lake root."
        )
    return change


def datafusion_columns(contract: Contract, change: SchemaChange) -> str:
    """DataFusion SQL of the contract's columns over a table that lacks those that `change` added."""
    missing = {column.name for column in change.added}
    return ", ".join(
        f'cast({_default(column)} as {_DATAFUSION[column.kind]}) as "{column.name}"'
        if column.name in missing
        else f'{_present(column)} as "{column.name}"'
        for column in contract.columns
    )


def duckdb_columns(contract: Contract, change: SchemaChange) -> str:
    """The same for DuckDB, with the contract's types."""
    missing = {column.name for column in change.added}
    return ", ".join(
        f'{_default(column) if column.name in missing else _present(column)}::{column.duckdb} as "{column.name}"' for column in contract.columns
    )


def plain(table: pa.Table) -> pa.Table:
    """Turn view and dictionary types, which other Arrow readers do not all know, into plain ones."""
    return table.cast(pa.schema([pa.field(f.name, _plain_type(f.type)) for f in table.schema]))


def _default(column: Column) -> str:
    return "null" if column.default is None else f"'{column.default}'" if isinstance(column.default, str) else str(column.default).lower()


def _present(column: Column) -> str:
    return f'"{column.name}"' if column.default is None else f'coalesce("{column.name}", {_default(column)})'


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pa.string()
    return kind
