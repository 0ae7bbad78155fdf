"""Column lineage of the dbt models, read from the SQL that was run; the columns that exist are those of the generated YAML."""

import json
import re
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import dagster as dg
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from orchestration.settings import DBT_PROJECT
from transforms.contracts.dbt_yaml import described_columns
from transforms.whole_files import write_whole

_KEPT = DBT_PROJECT / "target" / "lineage"
_LITERAL = re.compile("'(?:[^']|'')*'")
Sources = dict[str, list[tuple[str, str, str]]]
"""For each column the columns that it is made from: layer, table, column."""


def column_lineage(layer: str, model: str, sql: str) -> dg.TableColumnLineage:
    """For each column of a model the columns of other tables that its value is made from.

    A column whose SQL cannot be traced is left out. Tracing takes a tenth of a second a model and is kept beside what dbt parsed, in a file for each
    SQL: what stands in quotes there (slices, folders) does not change what a column is made from.
    """
    columns = described_columns()
    known = json.dumps([version("sqlglot"), columns, layer, model, _LITERAL.sub("''", sql)])
    found = _traced(_KEPT / f"{sha256(known.encode()).hexdigest()}.json", layer, model, sql)
    deps = {column: [dg.TableColumnDep(dg.AssetKey([layer, name]), origin) for layer, name, origin in sources] for column, sources in found.items()}
    return dg.TableColumnLineage({column: sources for column, sources in deps.items() if sources})


def _traced(kept: Path, layer: str, model: str, sql: str) -> Sources:
    try:
        return json.loads(kept.read_text())  # type: ignore[no-any-return]
    except (FileNotFoundError, ValueError):
        found = {column: _sources(column, sql) for column in described_columns()[layer].get(model, {})}
    write_whole(kept, json.dumps(found))
    return found


def _sources(column: str, sql: str) -> list[tuple[str, str, str]]:
    try:
        root = lineage(column, sql, schema={"memory": described_columns()}, dialect="duckdb")
    except SqlglotError:
        return []
    tables = {(node.expression.db, node.expression.name, node.name.split(".")[-1]) for node in root.walk() if isinstance(node.expression, exp.Table)}
    return sorted(tables)
