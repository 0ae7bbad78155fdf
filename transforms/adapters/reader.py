"""Read one landing file into its contract: scan, map, sort out what breaks the contract, complete. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters.beside.calendars import calendars_of, landing_folder, read_calendar, table_name
from transforms.adapters.beside.lookups import Lookups, joined, key_as_written, unmatched_rule
from transforms.adapters.duplicates import mark_conflicting_lines, mark_duplicates
from transforms.adapters.expressions import Kinds, as_json, can_fail, written
from transforms.adapters.formats.headers import CUT_OFF, ROW, SHAPE
from transforms.adapters.formats.sandbox import database_of
from transforms.adapters.loading import Loaded, files_of, load
from transforms.adapters.mapping import has_days, mapped, needs_station, net_to_last_delivery, result, row_filter
from transforms.adapters.moments import YEARS
from transforms.adapters.plausibility import clip_endless, implausible_climate, refuse_unnamed_weeks, unserved_places
from transforms.adapters.shaping import place_of
from transforms.adapters.spec import FileSpec, ProviderSpec
from transforms.adapters.validation import mark_broken, rules_for
from transforms.contracts import SOURCES, Source
from transforms.errors import ContractViolation, LandingFileRefused

_IS_TAKEN = "row not in (select row from broken) and row not in (select row from repeated)"
_MAY_BE_WITHOUT_BYTES = frozenset({"csv", "jsonl", "fixed"})
_TEXT = pa.string()
_NO_QUARANTINE = pa.schema(
    [("row", pa.int64()), ("rule", _TEXT), ("region", _TEXT), ("week", pa.date32()), ("message", _TEXT), ("record", _TEXT), ("kept", pa.bool_())],
)
NO_DELIVERIES = pa.schema([("store_id", _TEXT), ("product_id", _TEXT), ("week", pa.date32())]).empty_table()
DAYS = (pa.field("first_day", pa.date32()), pa.field("last_day", pa.date32()))
"""Days that a row of a file which adds up is made of, as the file names them: what tells a second delivery in a week from the same one told again."""


@dataclass(frozen=True)
class References:
    """Tables that facts are checked against: which stores (with region and weather place) and products exist, and which deliveries are on record.

    Deliveries (store, product and week) are wanted where returns are netted to them, else None.
    """

    stores: pa.Table
    products: pa.Table
    deliveries: pa.Table | None = None


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
        Records of the file as a second, independent reader counts them; of a wide table, each cell of a record below the header is one. None where it
        was not read.
    aside
        Records that are no rows: the header, also where it comes again, what stands above it, and records (or cells) without a value.
    emptied
        Rows among those taken of which a value that breaks the contract was left out, since they can do without.
    melted, empty_cells
        Records of a wide table that became one row for each cell, and how many of their cells hold no value.
    """

    read: int
    skipped: int
    repeated: int
    quarantined: int
    taken: int
    records: int | None = None
    aside: int = 0
    emptied: int = 0
    melted: int = 0
    empty_cells: int = 0


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
    provider: ProviderSpec,
    source: str,
    spec: FileSpec,
    path: Path,
    name: str,
    references: References | None,
    arrived_at: datetime,
    lookups: Lookups | None = None,
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
    lookups
        Those of a look at landing that reads several files; none to look for them anew.

    Raises
    ------
    LandingFileRefused
        If the file cannot be read, lacks a column that the contract requires, or is broken in more than the provider's `refuse_above` of its
        rows; the message names file, row and column.
    """
    contract, spec = SOURCES[source], spec.with_known_at()
    beside = [pa.field("line_id", pa.string())] if spec.line_id else DAYS if has_days(spec) else []
    schema = pa.schema([*contract.schema, *beside])
    if contract.may_be_empty and spec.format in _MAY_BE_WITHOUT_BYTES and spec.member is None and path.stat().st_size == 0:
        return FileRows(schema.empty_table(), _NO_QUARANTINE.empty_table(), RowCounts(0, 0, 0, 0, 0, records=0), (), ())
    with files_of(spec, path, name) as files, database_of([file for _, file in files], name) as (connection, links):
        loaded = load(connection, spec, contract, [(member, link) for (member, _), link in zip(files, links, strict=True)], name)
        loaded = joined(connection, spec, loaded, path, name, lookups or Lookups())
        kinds = loaded.kinds
        if references is not None:
            connection.register("stores", references.stores)
            connection.register("products", references.products)
        for calendar in calendars_of([spec]):
            connection.register(table_name(calendar), read_calendar(landing_folder(path, name), calendar, name))
        refuse_unnamed_weeks(connection, spec, provider, kinds, name)
        _map(connection, contract, spec, provider, kinds, name)
        _mark_broken(connection, contract, spec, provider, kinds, arrived_at)
        connection.execute("create temp table repeated (row bigint)")
        if spec.line_columns:
            mark_conflicting_lines(connection, spec.line_columns, place_of(spec))
        if spec.duplicates == "refuse":
            mark_duplicates(connection, contract, place_of(spec))
        notes = [*loaded.notes, *clip_endless(connection, spec, arrived_at)]
        notes += implausible_climate(connection, contract, spec)
        notes += unserved_places(connection, contract, spec, provider, kinds)
        counts = _counts(connection, spec, loaded, name)
        quarantined = _quarantined(connection, spec, loaded, name)
        _refuse_other_file(counts, quarantined, provider, source, name)
        rest = f" where {_IS_TAKEN}" if counts.quarantined or counts.repeated else ""
        connection.execute(f"create temp view good as select * from mapped{rest}")
        if spec.net_to_last_delivery:
            on_record = references.deliveries if references is not None else None
            connection.register("deliveries", NO_DELIVERIES if on_record is None else on_record)
            net_to_last_delivery(connection, spec, provider, kinds)
        computed = {"place", "place_km"} if needs_station(contract, spec, provider) else set()
        computed |= {"known_at"} if spec.net_to_last_delivery else set()
        rows = connection.execute(result(contract, spec, computed)).to_arrow_table()
        rows = rows.cast(schema)
    return FileRows(rows, quarantined, counts, loaded.columns, loaded.absent, tuple(notes))


def _map(connection: duckdb.DuckDBPyConnection, contract: Source, spec: FileSpec, provider: ProviderSpec, kinds: Kinds, name: str) -> None:
    """Make the table `mapped`. A typed value that no calculation takes, like a time at the very end of its type, refuses the file."""
    try:
        connection.execute(f"create temp table mapped as {mapped(contract, spec, provider, kinds)}")
    except duckdb.DataError as error:
        reason = str(error).strip().splitlines()[0]
        raise LandingFileRefused(
            f"{name}: expected values that can be calculated with, but a column holds one beyond all bounds: {reason}. "
            "Correct it, and drop the file again."
        ) from error


def _mark_broken(
    connection: duckdb.DuckDBPyConnection, contract: Source, spec: FileSpec, provider: ProviderSpec, kinds: Kinds, arrived_at: datetime
) -> None:
    came_as = {name: written(mapping, kinds) for name, mapping in spec.columns.items()}
    fallible = {name for name, mapping in spec.columns.items() if can_fail(contract[name], mapping, kinds)}
    mapped = set(spec.columns) | ({"line_id"} if spec.line_id else set())
    came_as["row"] = SHAPE
    zones = {name: mapping.timezone for name, mapping in spec.columns.items() if mapping.timezone is not None}
    rules = rules_for(contract, mapped, fallible, provider.unknown_products == "accept", arrived_at, zones)
    if spec.lookup is not None:
        # A row that is not joined lacks whatever the lookup would tell: that it is not comes first.
        rules.insert(1, unmatched_rule(spec.lookup))
        came_as |= key_as_written(spec.lookup, kinds)
    mark_broken(connection, rules, came_as)


def _counts(connection: duckdb.DuckDBPyConnection, spec: FileSpec, loaded: Loaded, name: str) -> RowCounts:
    # Only weather rows are there more than once: in each region that their place serves.
    rows = "distinct row" if "place" in spec.columns else "*"
    query = f"""
        select
            (select count(*) from raw), (select count(*) from raw where {row_filter(spec, loaded.kinds)}), (select count({rows}) from mapped),
            (select count(*) from repeated), (select count(*) from broken),
            (select count({rows}) from mapped where row not in (select row from broken) and row not in (select row from repeated)),
            (select count(*) from emptied where {_IS_TAKEN})
    """
    there, selected, mapped, repeated, broken, taken, emptied = connection.execute(query).fetchall()[0]
    read, skipped = there + loaded.ended, loaded.ended + there - selected + selected - mapped
    counts = RowCounts(read, skipped, repeated, broken, taken, loaded.records, loaded.aside, emptied, loaded.melted, loaded.empty_cells)
    if read + loaded.aside != loaded.records:
        raise LandingFileRefused(
            f"{name}: {loaded.records:,} records are in the file, and {read + loaded.aside:,} were read, {loaded.aside:,} of them header or blank. "
            "It is of a form that is not read in full: save it again, or drop it in another format."
        )
    if counts.skipped + repeated + broken + taken != read:
        raise ContractViolation(f"rows got lost in reading: {counts}. This is a fault of Shelfcast: please report it.")
    return counts


def _quarantined(connection: duckdb.DuckDBPyConnection, spec: FileSpec, loaded: Loaded, name: str) -> pa.Table:
    """Rows that break the contract, as quarantine keeps them."""
    present = {row[0] for row in connection.execute("describe mapped").fetchall()}
    region = "any_value(region)" if "region" in present else "null::varchar"
    first, last = YEARS
    week = f"any_value(week) filter (where week between date '{first}' and date '{last}')" if "week" in present else "null::date"
    return connection.execute(
        f"""
        with told as (select *, false as kept from broken union all select *, true as kept from emptied where {_IS_TAKEN}),
        places as (select row, {region} as region, {week} as week from mapped where row in (select row from told) group by row)
        select
            b.row, b.rule, p.region, p.week,
            format(
                '{{}}, {{}}, column {{}}: expected {{}}, came {{}}. {{}}',
                $name, {place_of(spec)}, split_part(b.rule, ':', 1), b.expected, b.came, b.advice
            ) as message,
            {as_json(loaded.kinds)} as record, b.kept
        from told as b join raw on raw.{ROW} = b.row join places as p on p.row = b.row
        order by b.row
        """,
        {"name": name},
    ).to_arrow_table()


def _refuse_other_file(counts: RowCounts, quarantined: pa.Table, provider: ProviderSpec, source: str, name: str) -> None:
    """Refuse a file without rows, one that is cut off, or one most of whose rows break the contract: it would empty slices that stood."""
    if counts.read == 0 and not SOURCES[source].may_be_empty:
        raise RefusedWhole(f"{name}: expected rows of {source!r} below the header, came none. Drop the file again.", counts)
    last = quarantined["message"][-1].as_py() if quarantined.num_rows else ""
    if f" {CUT_OFF}. " in last:
        raise RefusedWhole(
            f"{last} The file is cut off there: drop it again whole. If this is its line of totals or a note, say in the provider YAML how it begins "
            "('rows_end: {column: ..., starting_with: ...}').",
            counts,
        )
    broken = counts.quarantined + counts.emptied
    if broken > provider.refuse_above * (counts.quarantined + counts.taken):
        more = f" ({broken} of {counts.read} rows break the contract, so the file is refused whole)" if broken > 1 else ""
        raise RefusedWhole(f"{quarantined['message'][0].as_py()}{more}", counts)
