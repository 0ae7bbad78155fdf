"""The one source of schemas: Delta tables, dbt YAML, Dagster column metadata, validation and the documentation follow these definitions.

`base` defines the classes; `bronze`, `silver`, `gold` and, of gold too, `life_cycle`, `ab_tests`, `drift`, `orders` and `operations` hold the
definitions. A schema is typed nowhere else.
"""

from transforms.contracts.ab_tests import AB_TABLES
from transforms.contracts.base import Column, Contract, Kind, SchemaChange, Source
from transforms.contracts.bronze import BRONZE, SOURCES
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import GOLD as FORECASTING
from transforms.contracts.life_cycle import LIFE_CYCLE
from transforms.contracts.operations import OPERATIONS
from transforms.contracts.orders import ORDERS
from transforms.contracts.silver import SILVER

GOLD: tuple[Contract, ...] = (*FORECASTING, DRIFT, *AB_TABLES, *LIFE_CYCLE, *ORDERS, *OPERATIONS)
CONTRACTS: dict[str, Contract] = {contract.name: contract for contract in (*BRONZE, *SILVER, *GOLD)}
"""Every table of the lake by its name (`layer/table`)."""

__all__ = ["BRONZE", "CONTRACTS", "GOLD", "SILVER", "SOURCES", "Column", "Contract", "Kind", "SchemaChange", "Source"]
