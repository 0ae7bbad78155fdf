"""The one source of schemas: Delta tables, dbt YAML, Dagster column metadata, validation and the documentation follow these definitions.

`base` defines the classes; `bronze`, `silver` and `gold` hold the definitions. A schema is typed nowhere else.
"""

from transforms.contracts.base import Column, Contract, Kind, SchemaChange, Source
from transforms.contracts.bronze import BRONZE, SOURCES
from transforms.contracts.gold import GOLD
from transforms.contracts.silver import SILVER

CONTRACTS: dict[str, Contract] = {contract.name: contract for contract in (*BRONZE, *SILVER, *GOLD)}
"""Every table of the lake by its name (`layer/table`)."""

__all__ = ["BRONZE", "CONTRACTS", "GOLD", "SILVER", "SOURCES", "Column", "Contract", "Kind", "SchemaChange", "Source"]
