"""Read one landing file into its contract: scan, map, validate, complete. Nothing is written here."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters.expressions import converted, quoted, raw, scan
from transforms.adapters.spec import FileSpec, ProviderSpec
from transforms.adapters.validation import refuse_broken_rows, rules_for
from transforms.contracts import SOURCES, Contract
from transforms.errors import LandingFileRefused


@dataclass(frozen=True)
class References:
    """What facts are checked against: which stores (with region and weather place) and products exist."""

    stores: pa.Table
    products: pa.Table


def read_file(provider: ProviderSpec, source: str, spec: FileSpec, path: Path, name: str, references: References | None) -> pa.Table:
    """Map a file onto the contract of `source`.

    Parameters
    ----------
    path, name
        Where the file lies, and how messages name it (relative to the landing folder).
    references
        Needed for facts; None while the references themselves are read.

    Returns
    -------
    pyarrow.Table
        The contract's columns, one row per key. Facts are ordered by region and week.

    Raises
    ------
    LandingFileRefused
        If the file cannot be read or a row breaks the contract; the message names file, row and column.
    """
    contract = SOURCES[source]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; set threads = 2")
        _load(connection, spec, path, name)
        _refuse_missing_columns(connection, spec, source, name)
        if references is not None:
            connection.register("stores", references.stores)
            connection.register("products", references.products)
        connection.execute(f"create temp table mapped as {_mapping(contract, spec, provider)}")
        mapped = set(spec.columns)
        refuse_broken_rows(connection, "mapped", rules_for(contract, mapped, provider.unknown_products == "accept"), name)
        if spec.duplicates == "refuse":
            _refuse_duplicates(connection, contract, name)
        if spec.net_to_last_delivery:
            _net_to_last_delivery(connection, spec, provider)
        return connection.execute(_result(contract, spec)).to_arrow_table().cast(contract.schema)


def _load(connection: duckdb.DuckDBPyConnection, spec: FileSpec, path: Path, name: str) -> None:
    if path.stat().st_size == 0:
        raise LandingFileRefused(f"{name}: expected a {spec.format} file with rows, came an empty file. Drop the file again.")
    try:
        if spec.format == "xlsx":
            connection.register("sheet", _sheet(spec, path))
            source = "sheet"
        else:
            source = scan(spec, path)
        connection.execute(f"create temp table raw as select row_number() over () as row, * from {source}")
    except (duckdb.Error, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise LandingFileRefused(
            f"{name}: expected a readable {spec.format} file ({spec.encoding}), but reading failed: {first} "
            "The file may be truncated or of another format or encoding: drop it again, or correct the provider YAML."
        ) from error


def _sheet(spec: FileSpec, path: Path) -> pa.Table:
    import openpyxl  # noqa: PLC0415 - only providers with spreadsheets pay for it
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, OSError, KeyError, ValueError) as error:
        raise LandingFileRefused(f"{path.name}: expected an XLSX workbook, but it cannot be opened: {error}. Drop the file again.") from error
    rows = (book[spec.sheet] if spec.sheet else book.worksheets[0]).iter_rows(values_only=True)
    header = [str(cell) for cell in next(rows, ())]
    cells = [[None if cell is None else str(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True)) or [()] * len(header)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(header, columns, strict=True)})


def _refuse_missing_columns(connection: duckdb.DuckDBPyConnection, spec: FileSpec, source: str, name: str) -> None:
    present = [row[0] for row in connection.execute("describe raw").fetchall()][1:]
    wanted = [column.column for column in spec.columns.values() if column.column is not None]
    wanted += [column for column in (spec.line_id, spec.rows.column if spec.rows else None) if column is not None]
    if missing := sorted(set(wanted) - set(present)):
        raise LandingFileRefused(
            f"{name}, row 1 (header): columns {missing} are missing for source {source!r}; came with {present}. "
            "Add them to the file, or correct the provider YAML if they are named differently."
        )


def _filter(spec: FileSpec) -> str:
    if spec.rows is None:
        return "true"
    column = f"{quoted(spec.rows.column)}::varchar"
    parts = []
    if spec.rows.starting_with is not None:
        parts.append(f"starts_with({column}, '{spec.rows.starting_with}')")
    if spec.rows.not_starting_with is not None:
        parts.append(f"not starts_with({column}, '{spec.rows.not_starting_with}')")
    return " and ".join(parts) or "true"


def _mapping(contract: Contract, spec: FileSpec, provider: ProviderSpec) -> str:
    """SQL of the rows as the contract wants them, the provider's texts beside them for messages."""
    columns = []
    for column in contract.columns:
        mapping = spec.columns.get(column.name)
        if mapping is not None:
            columns.append(f"{raw(mapping)} as {quoted(f'raw_{column.name}')}")
            columns.append(f"{converted(column, mapping, provider)} as {quoted(column.name)}")
    once = f"qualify row_number() over (partition by {quoted(spec.line_id)} order by row) = 1" if spec.line_id else ""
    rows = f"select row, {', '.join(columns)} from raw where {_filter(spec)} {once}"
    names = set(spec.columns)
    if "store_id" in names and contract.sliced:
        known = "m.product_id in (select product_id from products) as product_known" if "product_id" in names else "true as product_known"
        region = "" if "region" in names else "s.region, "
        return f"with m as ({rows}) select m.*, {region}{known} from m left join stores as s using (store_id)"
    if "place" in names and contract.sliced:
        # A place that serves stores of two regions gives rows in both; one that serves none gives none.
        places = "select distinct region, place from stores where place is not null"
        return f"with m as ({rows}), p as ({places}) select m.*, p.region from m join p using (place)"
    return rows


def _refuse_duplicates(connection: duckdb.DuckDBPyConnection, contract: Contract, name: str) -> None:
    present = {row[0] for row in connection.execute("describe mapped").fetchall()}
    key = [column for column in contract.key if column in present]
    found = connection.execute(
        f"select min(row), max(row), count(*) from mapped group by {', '.join(key)} having count(*) > 1 order by 1 limit 1"
    ).fetchone()
    if found is not None:
        raise LandingFileRefused(
            f"{name}, row {found[1]}, column {key[-1]}: expected one row for each {', '.join(key)}, but row {found[0]} has the same key. "
            "Remove the duplicate, or set 'duplicates: sum' in the provider YAML if such rows are parts of a whole."
        )


def _net_to_last_delivery(connection: duckdb.DuckDBPyConnection, spec: FileSpec, provider: ProviderSpec) -> None:
    """Move returns to the week of the latest delivery of that product to that store up to the credit, where the file knows one."""
    contract = SOURCES["returns"]
    names = ("store_id", "product_id", "week")
    delivered = ", ".join(f"{converted(contract[name], spec.columns[name], provider)} as {name}" for name in names)
    connection.execute(
        f"""
        create or replace temp table mapped as
        with d as (select distinct {delivered} from raw where not ({_filter(spec)}))
        select m.* replace (coalesce(d.week, m.week) as week)
        from mapped as m asof left join d on d.store_id = m.store_id and d.product_id = m.product_id and d.week <= m.week
        """
    )


# What follows from the other columns where a provider does not say it.
_DERIVED = {
    ("shipments", "known_at"): "timezone('UTC', week + interval 7 day)",
    ("returns", "known_at"): "timezone('UTC', week + interval 7 day)",
    ("weather_observed", "week"): "date_trunc('week', date)::date",
    ("weather_observed", "known_at"): "timezone('UTC', date + interval 1 day)",
    ("weather_forecast", "week"): "date_trunc('week', issued_at)::date",
    ("weather_forecast", "known_at"): "issued_at",
    ("events", "end_date"): "start_date",
}


def _result(contract: Contract, spec: FileSpec) -> str:
    """SQL of the contract's columns, rows with the same key summed, ordered as they are stored."""
    computed = {"region"} if contract.sliced else set()
    columns = {}
    for column in contract.columns:
        if column.name in spec.columns or column.name in computed:
            columns[column.name] = column.name
        else:
            columns[column.name] = _DERIVED.get((contract.table, column.name), f"null::{column.duckdb}")
    if spec.duplicates == "sum":
        measures = {column.name for column in contract.columns if column.kind == "integer"}
        columns = {name: f"sum({sql})::bigint" if name in measures else sql for name, sql in columns.items()}
    selected = ", ".join(f"{sql} as {quoted(name)}" for name, sql in columns.items())
    grouped = "group by all" if spec.duplicates == "sum" else ""
    return f"select {selected} from mapped {grouped} order by {', '.join(contract.key)}"
