"""Read one landing file into its contract: scan, map, sort out what breaks the contract, complete. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from transforms.adapters.calendars import calendars_of, landing_folder, read_calendar, table_name
from transforms.adapters.duplicates import mark_conflicting_lines, mark_duplicates
from transforms.adapters.expressions import CELL, Kinds, can_fail, raw
from transforms.adapters.formats.bounds import MAX_COLUMNS, PLAIN, check_expanded
from transforms.adapters.formats.delimited import Records, read_delimited
from transforms.adapters.formats.headers import ROW, SHAPE
from transforms.adapters.formats.json_lines import read_json_lines
from transforms.adapters.formats.workbooks import read_sheet
from transforms.adapters.mapping import has_days, mapped, needs_station, net_to_last_delivery, result, row_filter
from transforms.adapters.plausibility import clip_endless, implausible_climate, refuse_unnamed_weeks, unserved_places
from transforms.adapters.sandbox import database_of
from transforms.adapters.spec import WORKBOOKS, FileSpec, ProviderSpec
from transforms.adapters.validation import mark_broken, rules_for
from transforms.contracts import SOURCES, Contract, Source
from transforms.errors import ContractViolation, LandingFileRefused
from transforms.lake.database import literal, quoted

_IS_TAKEN = "row not in (select row from broken) and row not in (select row from repeated)"
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_MAY_BE_WITHOUT_BYTES = frozenset({"csv", "jsonl"})
_TEXT = pa.string()
_NO_QUARANTINE = pa.schema(
    [("row", pa.int64()), ("rule", _TEXT), ("region", _TEXT), ("week", pa.date32()), ("message", _TEXT), ("record", _TEXT), ("kept", pa.bool_())],
)
DAYS = (pa.field("first_day", pa.date32()), pa.field("last_day", pa.date32()))
"""Days that a row of a file which adds up is made of, as the file names them: what tells a second delivery in a week from the same one told again."""


@dataclass(frozen=True)
class References:
    """Tables that facts are checked against: which stores (with region and weather place) and products exist."""

    stores: pa.Table
    products: pa.Table


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Where the rows of a file went: each row that is read is skipped, repeated, quarantined or taken.

    Attributes
    ----------
    skipped
        Rows that belong to another source (the provider's row filter) or to a weather place that serves no store.
    repeated
        Rows that say again what an earlier row said.
    records
        Records of the file as a second, independent reader counts them; None where it was not read.
    aside
        Records that are no rows: the header, also where it comes again, what stands above it, and records without a value.
    emptied
        Rows among those taken of which a value that breaks the contract was left out, since they can do without.
    """

    read: int
    skipped: int
    repeated: int
    quarantined: int
    taken: int
    records: int | None = None
    aside: int = 0
    emptied: int = 0


class RefusedWhole(LandingFileRefused):
    """A file that was read to its end and is refused for what it holds, with what it was found to hold."""

    def __init__(self, message: str, counts: RowCounts) -> None:
        super().__init__(message)
        self.counts = counts


@dataclass(frozen=True)
class FileRows:
    """Rows of a file: rows that follow the contract, rows that break it, and how many went where.

    Attributes
    ----------
    rows
        The contract's columns, one row per key; of a file whose lines have an id the lines, with `line_id` beside; of one that adds up with `DAYS`
        beside. Ordered by the contract's key.
    quarantined
        Row number, rule, message, region, week, the row as JSON, and whether the row is among the rows all the same, without the value.
    columns
        The file's own columns; none of a file without a byte.
    absent
        Columns that the provider YAML maps and the file lacks, taken as empty because the contract does not require them.
    notes
        Sentences about the values as a whole: what was clipped, what matches nothing, what looks like another unit.
    """

    rows: pa.Table
    quarantined: pa.Table
    counts: RowCounts
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_file(
    provider: ProviderSpec, source: str, spec: FileSpec, path: Path, name: str, references: References | None, arrived_at: datetime
) -> FileRows:
    """Map a file onto the contract of `source`.

    Parameters
    ----------
    path, name
        Where the file lies, and how messages name it (relative to the landing folder).
    references
        Needed for facts; None while the references themselves are read.
    arrived_at
        When this version of the file was first seen; what has happened cannot lie after it.

    Raises
    ------
    LandingFileRefused
        If the file cannot be read, lacks a column that the contract requires, or is broken in more than the provider's `refuse_above` of its
        rows; the message names file, row and column.
    """
    contract, spec = SOURCES[source], spec.with_known_at()
    beside = [pa.field("line_id", pa.string())] if spec.line_id else DAYS if has_days(spec) else []
    schema = pa.schema([*contract.schema, *beside])
    if contract.may_be_empty and spec.format in _MAY_BE_WITHOUT_BYTES and path.stat().st_size == 0:
        return FileRows(schema.empty_table(), _NO_QUARANTINE.empty_table(), RowCounts(0, 0, 0, 0, 0, records=0), (), ())
    with database_of(path, name) as (connection, link):
        kinds, absent, records = _load(connection, spec, contract, link, name)
        columns = tuple(kinds)
        if references is not None:
            connection.register("stores", references.stores)
            connection.register("products", references.products)
        for calendar in calendars_of([spec]):
            connection.register(table_name(calendar), read_calendar(landing_folder(path, name), calendar, name))
        refuse_unnamed_weeks(connection, spec, provider, kinds, name)
        connection.execute(f"create temp table mapped as {mapped(contract, spec, provider, kinds)}")
        _mark_broken(connection, contract, spec, provider, kinds, arrived_at)
        connection.execute("create temp table repeated (row bigint)")
        if spec.line_id is not None:
            mark_conflicting_lines(connection, spec.line_id)
        if spec.duplicates == "refuse":
            mark_duplicates(connection, contract)
        notes = clip_endless(connection, spec, arrived_at) + implausible_climate(connection, contract, spec)
        notes += unserved_places(connection, contract, spec, provider, kinds)
        counts = _counts(connection, spec, records, name)
        quarantined = _quarantined(connection, columns, name)
        _refuse_other_file(counts, quarantined, provider, source, name)
        rest = f" where {_IS_TAKEN}" if counts.quarantined or counts.repeated else ""
        connection.execute(f"create temp view good as select * from mapped{rest}")
        if spec.net_to_last_delivery:
            net_to_last_delivery(connection, spec, provider, kinds)
        computed = {"place", "place_km"} if needs_station(contract, spec, provider) else set()
        rows = connection.execute(result(contract, spec, computed)).to_arrow_table()
        rows = rows.cast(schema)
    return FileRows(rows, quarantined, counts, columns, absent, tuple(notes))


def _load(
    connection: duckdb.DuckDBPyConnection, spec: FileSpec, contract: Contract, path: Path, name: str
) -> tuple[dict[str, str], tuple[str, ...], Records]:
    """Make the table `raw` of the file's rows; return its columns with their types, those added as empty, and how many records there are."""
    if path.stat().st_size == 0:
        raise LandingFileRefused(f"{name}: expected a {spec.format} file with rows, came an empty file. Drop the file again.")
    compression = _COMPRESSIONS.get(Path(name).suffix.lower(), PLAIN) if spec.format in {"csv", "jsonl"} else PLAIN
    check_expanded(path, compression, name)
    try:
        records = _records(connection, spec, path, name, compression)
        kinds = {row[0]: row[1] for row in connection.execute("describe select * from file").fetchall() if row[0] not in {ROW, SHAPE}}
        if spec.format in WORKBOOKS:
            kinds = dict.fromkeys(kinds, CELL)
        if len(kinds) > MAX_COLUMNS:
            raise LandingFileRefused(f"{name}: expected at most {MAX_COLUMNS:,} columns, came {len(kinds):,}. Is it the right file?")
        absent = _absent_columns(spec, contract, tuple(kinds), name)
        added = "".join(f", null::varchar as {quoted(column)}" for column in absent)
        connection.execute(f"create temp table raw as select *{added} from file")
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0].replace(str(path), name)
        raise LandingFileRefused(
            f"{name}: expected a readable {spec.format} file ({spec.encoding}), but reading failed: {first} "
            "The file may be truncated or of another format or encoding: drop it again, or correct the provider YAML."
        ) from error
    return kinds, absent, records


def _records(connection: duckdb.DuckDBPyConnection, spec: FileSpec, path: Path, name: str, compression: str) -> Records:
    """Make the view `file` of the file's rows, numbered, and return how many records there are."""
    if spec.format == "csv":
        records = read_delimited(path, name, spec.delimiter, spec.encoding, compression, spec.header)
    elif spec.format in WORKBOOKS:
        decimal = "," if any(column.decimal == "," for column in spec.columns.values()) else "."
        records = read_sheet(path, name, spec.format, spec.sheet, spec.header, decimal)
    elif spec.format == "jsonl":
        records = read_json_lines(connection, path, name, compression)
    else:
        numbered = f"select (row_number() over ())::bigint as {ROW}, null::varchar as {SHAPE}, * from read_parquet({literal(str(path))})"
        connection.execute(f"create temp view file as {numbered}")
        return Records(pa.table({}), 0, 0, parquet.ParquetFile(path).metadata.num_rows)
    if spec.format != "jsonl":
        connection.register("file", records.table)
    return records


def _absent_columns(spec: FileSpec, contract: Contract, present: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Mapped columns that the file lacks and can do without; a column that is needed is refused with the difference shown."""
    wanted = {column.column: contract[standard].required and column.default is None for standard, column in spec.columns.items() if column.column}
    wanted |= dict.fromkeys([column for column in (spec.line_id, spec.rows.column if spec.rows else None) if column is not None], True)
    missing = sorted(column for column, required in wanted.items() if required and column not in present)
    if missing:
        raise LandingFileRefused(
            f"{name}, row 1 (header): columns {missing} are missing for source {contract.table!r}; came with {list(present)}, of which "
            f"{sorted(set(present) - set(wanted)) or 'none'} are not mapped. "
            "Add them to the file, or correct the provider YAML if they are named differently."
        )
    return tuple(sorted(column for column in wanted if column not in present))


def _mark_broken(
    connection: duckdb.DuckDBPyConnection, contract: Source, spec: FileSpec, provider: ProviderSpec, kinds: Kinds, arrived_at: datetime
) -> None:
    came_as = {name: raw(mapping, kinds) for name, mapping in spec.columns.items()}
    fallible = {name for name, mapping in spec.columns.items() if can_fail(contract[name], mapping, kinds)}
    mapped = set(spec.columns) | ({"line_id"} if spec.line_id else set())
    came_as["row"] = SHAPE
    mark_broken(connection, rules_for(contract, mapped, fallible, provider.unknown_products == "accept", arrived_at), came_as)


def _counts(connection: duckdb.DuckDBPyConnection, spec: FileSpec, records: Records, name: str) -> RowCounts:
    # Only weather rows are there more than once: in each region that their place serves.
    rows = "distinct row" if "place" in spec.columns else "*"
    query = f"""
        select
            (select count(*) from raw), (select count(*) from raw where {row_filter(spec)}), (select count({rows}) from mapped),
            (select count(*) from repeated), (select count(*) from broken),
            (select count({rows}) from mapped where row not in (select row from broken) and row not in (select row from repeated)),
            (select count(*) from emptied where {_IS_TAKEN})
    """
    read, selected, mapped, repeated, broken, taken, emptied = connection.execute(query).fetchall()[0]
    counts = RowCounts(read, read - selected + selected - mapped, repeated, broken, taken, records.total, records.aside, emptied)
    if read + records.aside != records.total:
        raise LandingFileRefused(
            f"{name}: {records.total:,} records are in the file, and {read + records.aside:,} were read, {records.aside:,} of them header or blank. "
            "It is of a form that is not read in full: save it again, or drop it in another format."
        )
    if counts.skipped + repeated + broken + taken != read:
        raise ContractViolation(f"rows got lost in reading: {counts}. This is a fault of Shelfcast: please report it.")
    return counts


def _quarantined(connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], name: str) -> pa.Table:
    """Rows that break the contract, as quarantine keeps them."""
    present = {row[0] for row in connection.execute("describe mapped").fetchall()}
    record = ", ".join(f"{quoted(column)} := raw.{quoted(column)}" for column in columns)
    region = "any_value(region)" if "region" in present else "null::varchar"
    week = "any_value(week)" if "week" in present else "null::date"
    return connection.execute(
        f"""
        with told as (select *, false as kept from broken union all select *, true as kept from emptied where {_IS_TAKEN}),
        places as (select row, {region} as region, {week} as week from mapped where row in (select row from told) group by row)
        select
            b.row, b.rule, p.region, p.week,
            format(
                '{{}}, row {{}}, column {{}}: expected {{}}, came {{}}. {{}}', $name, b.row, split_part(b.rule, ':', 1), b.expected, b.came, b.advice
            ) as message,
            to_json(struct_pack({record}))::varchar as record, b.kept
        from told as b join raw on raw.{ROW} = b.row join places as p on p.row = b.row
        order by b.row
        """,
        {"name": name},
    ).to_arrow_table()


def _refuse_other_file(counts: RowCounts, quarantined: pa.Table, provider: ProviderSpec, source: str, name: str) -> None:
    """Refuse a file without rows, or one most of whose rows break the contract: it would empty slices that stood."""
    if counts.read == 0 and not SOURCES[source].may_be_empty:
        raise RefusedWhole(f"{name}: expected rows of {source!r} below the header, came none. Drop the file again.", counts)
    broken = counts.quarantined + counts.emptied
    if broken > provider.refuse_above * (counts.quarantined + counts.taken):
        more = f" ({broken} of {counts.read} rows break the contract, so the file is refused whole)" if broken > 1 else ""
        raise RefusedWhole(f"{quarantined['message'][0].as_py()}{more}", counts)
