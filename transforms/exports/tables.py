"""Tables as plain files, for people and programs outside the lake."""

from pathlib import Path

import duckdb

from transforms.errors import ConfigurationError
from transforms.exports.spreadsheets import inert_sql
from transforms.lake.database import literal
from transforms.lake.tables import Lake

_FORMATS = {".csv": "format csv, header true", ".parquet": "format parquet, compression zstd"}


def export(lake: Lake, table: str, where: str, target: Path) -> int:
    """Write the rows of a table to a CSV file (UTF-8, header, ISO dates, UTC times) or a Parquet file, in one step; return their number.

    In a CSV file, texts that a spreadsheet program would take for formulas begin with an apostrophe; a Parquet file holds them as they are.

    Parameters
    ----------
    where
        SQL predicate made from validated keys.

    Raises
    ------
    ConfigurationError
        If the file's name ends in neither .csv nor .parquet.
    MissingData
        If the table does not exist.
    """
    options = _FORMATS.get(target.suffix)
    if options is None:
        raise ConfigurationError(f"{target}: expected a name that ends in {' or '.join(_FORMATS)}, came {target.suffix or 'no ending'!r}.")
    lake.require(table)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    try:
        with lake.connect(table) as connection:
            chosen = f"from {table.replace('/', '_')} where {where} order by all"
            if target.suffix == ".csv":
                chosen = f"select * {_inert_texts(connection, chosen)} from ({chosen})"
            rows = connection.execute(f"copy ({chosen}) to {literal(str(draft))} ({options})").fetchall()[0][0]
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return int(rows)


def _inert_texts(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    texts = [inert_sql(name) for name, kind, *_ in connection.execute(f"describe {rows}").fetchall() if kind == "VARCHAR"]
    return f"replace ({', '.join(texts)})" if texts else ""
