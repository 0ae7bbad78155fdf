"""Column lineage of the dbt models, read from the SQL that was run; the columns that exist are those of the generated YAML."""

from functools import lru_cache

import dagster as dg
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from transforms.contracts.dbt_yaml import described_columns


@lru_cache(maxsize=256)
def column_lineage(layer: str, model: str, sql: str) -> dg.TableColumnLineage:
    """For each column of a model the columns of other tables that its value is made from.

    A column whose SQL cannot be traced is left out.
    """
    found = {column: _sources(column, sql) for column in described_columns()[layer].get(model, {})}
    return dg.TableColumnLineage({column: sources for column, sources in found.items() if sources})


def _sources(column: str, sql: str) -> list[dg.TableColumnDep]:
    try:
        root = lineage(column, sql, schema={"memory": described_columns()}, dialect="duckdb")
    except SqlglotError:
        return []
    tables = [(node.expression.db, node.expression.name, node.name.split(".")[-1]) for node in root.walk() if isinstance(node.expression, exp.Table)]
    return [dg.TableColumnDep(dg.AssetKey([layer, name]), origin) for layer, name, origin in sorted(set(tables))]
