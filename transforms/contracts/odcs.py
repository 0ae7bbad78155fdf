"""Render a table's contract as an Open Data Contract Standard document, for catalogues and tools that know nothing of this code.

What the contract does not say (a team, a price, roles) is left out. The documents of all gold tables are checked in below docs/contracts; the pages
give the same with the address of the very lake.
"""

from typing import Any

import yaml

from transforms.contracts.base import DELTA_TYPES, Column, Contract, Kind

STANDARD = "v3.2.0"
"""Version of the standard, the newest whose schema is published as a package, against which the documents are tested."""
_HEAD = "Written from transforms/contracts: change it there."
_LOGICAL: dict[Kind, str] = {
    "text": "string",
    "integer": "integer",
    "number": "number",
    "flag": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_OPTIONS: dict[Kind, dict[str, Any]] = {
    "integer": {"format": "i64"},
    "number": {"format": "f64"},
    "timestamp": {"timezone": True, "defaultTimezone": "Etc/UTC"},
}


def document(contract: Contract, address: str = "", endpoint: str = "") -> str:
    """The contract as YAML.

    Parameters
    ----------
    address
        Where the table lies, a folder or an address of S3; empty for its place below any lake's root.
    endpoint
        Address of the object store where it is not Amazon's.
    """
    content = {
        "apiVersion": STANDARD,
        "kind": "DataContract",
        "id": f"shelfcast-{contract.layer}-{contract.table.replace('_', '-')}",
        "name": contract.name,
        "version": f"{contract.version}.0.0",
        "status": "active",
        "domain": "demand forecasting",
        "description": _description(contract),
        "servers": [_server(address or f"./lake/{contract.name}", endpoint)],
        "schema": [_table(contract)],
        **_sla(contract),
    }
    return f"# {_HEAD}\n" + yaml.safe_dump(content, sort_keys=False, width=140, allow_unicode=True)


def _description(contract: Contract) -> dict[str, str]:
    if contract.append_only:
        limits = "Rows are added and never changed. "
    elif contract.sliced:
        limits = f"A region's week may be written again, as a whole, by {contract.week_column}. "
    else:
        limits = "The table is written again as a whole. "
    usage = "Read it as a Delta table: its folder holds files of earlier versions too, which a reader of plain Parquet files would count again."
    return {"purpose": contract.grain, "usage": usage, "limitations": f"{limits}Only Shelfcast writes to it."}


def _server(address: str, endpoint: str) -> dict[str, str]:
    if "://" not in address:
        return {"server": "lake", "type": "local", "path": address, "format": "delta", "description": "The lake; a relative path is below its root."}
    store = {"server": "lake", "type": "s3", "location": address, "format": "delta", "description": "The lake, in an object store."}
    return {**store, "endpointUrl": endpoint} if endpoint else store


def _table(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.table,
        "physicalName": contract.name,
        "logicalType": "object",
        "physicalType": "table",
        "dataGranularityDescription": contract.grain,
        "properties": [_column(contract, column) for column in contract.columns],
        "quality": [_unique(contract)],
    }


def _column(contract: Contract, column: Column) -> dict[str, Any]:
    bounds = {name: bound for name, bound in (("minimum", column.minimum), ("maximum", column.maximum)) if bound is not None}
    options = {**_OPTIONS.get(column.kind, {}), **bounds}
    found: dict[str, Any] = {
        "name": column.name,
        "logicalType": _LOGICAL[column.kind],
        "physicalType": DELTA_TYPES[column.kind],
        "description": column.description,
        "required": column.required,
    }
    if column.name in contract.key:
        found |= {"primaryKey": True, "primaryKeyPosition": contract.key.index(column.name) + 1}
    if contract.sliced and column.name == "region":
        found |= {"partitioned": True, "partitionKeyPosition": 1}
    if options:
        found["logicalTypeOptions"] = options
    if column.allowed:
        found["enum"] = [{"value": value} for value in column.allowed]
    if column.monday:
        found["quality"] = [_mondays(column)]
    if column.unit:
        found["customProperties"] = [{"property": "unit", "value": column.unit}]
    return found


def _unique(contract: Contract) -> dict[str, Any]:
    return {
        "name": f"{contract.table}_key",
        "description": "No two rows have the same key.",
        "dimension": "uniqueness",
        "type": "library",
        "metric": "duplicateValues",
        "arguments": {"properties": list(contract.key)},
        "mustBe": 0,
    }


def _mondays(column: Column) -> dict[str, Any]:
    return {
        "name": f"{column.name}_monday",
        "description": "Each is a Monday, which names its week. The query is DuckDB's.",
        "dimension": "conformity",
        "type": "sql",
        "query": "select count(*) from ${table} where isodow(${column}) <> 1",
        "mustBe": 0,
    }


def _sla(contract: Contract) -> dict[str, Any]:
    """The rhythm of tables whose rows are of weeks; others follow what people and runs do."""
    if not contract.sliced:
        return {}
    weekly = {
        "property": "frequency",
        "value": 1,
        "unit": "w",
        "element": f"{contract.table}.{contract.week_column}",
        "description": "The weekly run adds a week.",
    }
    return {"slaProperties": [weekly]}
