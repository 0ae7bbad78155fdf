"""One landing file as the table `raw` of its rows, read by its format, with every record accounted for. Columns are mapped elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters.expressions import CELL, ZONED
from transforms.adapters.formats.archives import EXPANDED, expanded, members_of
from transforms.adapters.formats.bounds import MAX_COLUMNS, PLAIN, check_expanded
from transforms.adapters.formats.contents import refuse_other_content
from transforms.adapters.formats.delimited import Records, read_delimited
from transforms.adapters.formats.fixed import read_fixed
from transforms.adapters.formats.headers import PLACE, RECORD, ROW, SHAPE
from transforms.adapters.formats.json_lines import read_json_lines
from transforms.adapters.formats.parquet import read_parquet, zones_of
from transforms.adapters.formats.workbooks import read_sheets
from transforms.adapters.shaping import refuse_nothing_melted, refuse_same_names, shaped
from transforms.adapters.spec import WORKBOOKS, FileSpec
from transforms.contracts import Contract
from transforms.errors import LandingFileRefused

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_TEXTS = frozenset({"csv", "jsonl", "fixed"})
_DELIMITERS = (";", "\t", "|", ",")
_OUR_OWN = {ROW, SHAPE, RECORD, PLACE}


@dataclass(frozen=True)
class Loaded:
    """What the table `raw` holds.

    Attributes
    ----------
    kinds
        Columns beside those of numbering, with their types: the file's own, those of a melted table, and what stands beside the file.
    columns, absent
        The file's own, and those that were added as empty.
    records, aside
        As `RowCounts` has them.
    ended
        Rows from the end of the rows on (`rows_end`), which are not in `raw`.
    melted, empty_cells
        As `RowCounts` has them.
    notes
        Sentences about how the files are written.
    """

    kinds: dict[str, str]
    columns: tuple[str, ...]
    absent: tuple[str, ...]
    records: int
    aside: int
    ended: int
    melted: int
    empty_cells: int
    notes: tuple[str, ...] = ()


@contextmanager
def files_of(spec: FileSpec, path: Path, name: str) -> Iterator[list[tuple[str, Path]]]:
    """The files that a landing file stands for: itself, without a name of its own, or the members of an archive."""
    if spec.member is None and Path(name).suffix.lower() in EXPANDED:
        with expanded(path, name) as plain:
            yield [("", plain)]
        return
    if spec.member is None:
        if spec.format in _TEXTS:
            refuse_other_content(path, name, spec.format)
        yield [("", path)]
        return
    with members_of(path, name, spec.member) as members:
        yield members


def load(connection: duckdb.DuckDBPyConnection, spec: FileSpec, contract: Contract, files: Sequence[tuple[str, Path]], name: str) -> Loaded:
    """Make the table `raw` of a file's rows.

    Parameters
    ----------
    files
        Where the database reaches the file, or the members of an archive by their names.
    name
        How messages name the landing file.

    Raises
    ------
    LandingFileRefused
        If the file cannot be read, or lacks a column that the contract requires.
    """
    try:
        found = (table for member, path in files for table in tables(connection, spec, path, name, member))
        parts = [_part(connection, spec, contract, name, *table) for table in found]
        _unite(connection, len(parts))
        kinds = {row[0]: row[1] for row in connection.execute("describe raw").fetchall() if row[0] not in _OUR_OWN}
        if spec.format in WORKBOOKS:
            kinds = dict.fromkeys(kinds, CELL)
        elif spec.format == "parquet":
            # Members of an archive that tell other zones tell none.
            zones = set.intersection(*(set(zones_of(connection, file).items()) for _, file in files))
            kinds |= {column: f"{ZONED} {zone}" for column, zone in zones if kinds.get(column) == ZONED}
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise
    except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        for member, path in files:
            first = first.replace(str(path), member or name)
        raise LandingFileRefused(
            f"{name}: expected a readable {spec.format} file ({spec.encoding}), but reading failed: {first} "
            "The file may be truncated or of another format or encoding: drop it again, or correct the provider YAML."
        ) from error
    absent = tuple(dict.fromkeys(column for part in parts for column in part.absent))
    united = Loaded(
        {column: kind for column, kind in kinds.items() if column not in absent},
        tuple(dict.fromkeys(column for part in parts for column in part.columns)),
        absent,
        *(sum(counts) for counts in zip(*((p.records, p.aside, p.ended, p.melted, p.empty_cells) for p in parts), strict=True)),
    )
    return replace(united, notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)))


def tables(
    connection: duckdb.DuckDBPyConnection, spec: FileSpec, path: Path, name: str, member: str
) -> Iterator[tuple[str, dict[str, str], Records]]:
    """Make the view `file` of one of a file's tables after the other; yield how messages name the table, what stands beside it, and its records."""
    beside = {**spec.from_name(name), "{member}": member}
    place, name = (f"{member}, ", f"{name}, {member}") if member else ("", name)
    if path.stat().st_size == 0:
        raise LandingFileRefused(f"{name}: expected a {spec.format} file with rows, came an empty file. Drop the file again.")
    if spec.format in WORKBOOKS:
        decimal = "," if any(column.decimal == "," for column in spec.columns.values()) else "."
        for sheet, records in read_sheets(path, name, spec.format, spec.sheet, spec.sheets, spec.header, decimal):
            connection.register("file", records.table)
            yield f"{place}sheet {sheet!r}, ", {**beside, "{sheet}": sheet}, records
        return
    compression = _COMPRESSIONS.get(Path(name).suffix.lower(), PLAIN) if spec.format in _TEXTS else PLAIN
    check_expanded(path, compression, name)
    if spec.format == "csv":
        records = read_delimited(path, name, spec.delimiter, spec.encoding, compression, spec.header)
        connection.register("file", records.table)
    elif spec.format == "fixed":
        records = read_fixed(path, name, spec.fields or {}, spec.encoding, compression, spec.header)
        connection.register("file", records.table)
    elif spec.format == "jsonl":
        records = read_json_lines(connection, path, name, spec.encoding, compression)
    else:
        records = read_parquet(connection, path, name)
    yield place, beside, records


def _part(
    connection: duckdb.DuckDBPyConnection, spec: FileSpec, contract: Contract, name: str, place: str, beside: dict[str, str], records: Records
) -> Loaded:
    """Make a table of the rows in the view `file`, numbered from where the one before ends."""
    columns = tuple(row[0] for row in connection.execute("describe select * from file").fetchall() if row[0] not in {ROW, SHAPE})
    told = f"{name}, {place}".removesuffix(", ") if spec.is_divided else name
    if len(columns) > MAX_COLUMNS:
        raise LandingFileRefused(f"{told}: expected at most {MAX_COLUMNS:,} columns, came {len(columns):,}. Is it the right file?")
    beside = {column: text for column, text in beside.items() if column in spec.wanted(contract)}
    refuse_nothing_melted(spec, columns, told)
    refuse_same_names(spec, columns, beside, told)
    absent = _absent_columns(spec, contract, columns, beside, told)
    before = [row[0] for row in connection.execute("select table_name from duckdb_tables() where table_name like 'part%'").fetchall()]
    offset = max((connection.execute(f"select coalesce(max({ROW}), 0) from {part}").fetchall()[0][0] for part in before), default=0)
    form = shaped(spec, columns, absent, beside, place, offset)
    connection.execute(f"create temp table part{len(before) + 1} as {form.rows}")
    ended, melted, empty = connection.execute(form.counts).fetchall()[0]
    total = records.total + melted * max(form.cells - 1, 0)
    return Loaded({}, columns, absent, total, records.aside + empty, ended, melted, empty, records.notes)


def _unite(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """Make the table `raw` of all parts; a column that one of them lacks is empty there."""
    if count == 1:
        connection.execute("alter table part1 rename to raw")
        return
    parts = " union all by name ".join(f"select * from part{number}" for number in range(1, count + 1))
    connection.execute(f"create temp table raw as {parts}")
    for number in range(1, count + 1):
        connection.execute(f"drop table part{number}")


def _other_dialect(spec: FileSpec, present: Sequence[str]) -> str:
    """What the header tells about how the file is to be read, as a sentence with a space behind; nothing where it tells nothing."""
    if spec.format != "csv" or not present:
        return ""
    if present[0].lower().startswith("sep="):
        return f"The first record is a note to a spreadsheet program: say 'header: {spec.header + 1}', and its sign as 'delimiter'. "
    signs = [sign for sign in _DELIMITERS if sign != spec.delimiter and sign in present[0]] if len(present) == 1 else []
    return f"All stand in one column: is {signs[0]!r} their 'delimiter'? " if signs else ""


def _absent_columns(spec: FileSpec, contract: Contract, present: tuple[str, ...], beside: dict[str, str], name: str) -> tuple[str, ...]:
    """Mapped columns that the file lacks and can do without; a column that is needed is refused with the difference shown."""
    wanted = spec.wanted(contract)
    positions = {f"{{{position}}}" for position in range(1, len(present) + 1)}
    joined = spec.lookup.columns if spec.lookup is not None else ()
    there = {*present, *beside, *positions, *joined, *((spec.melt.name, spec.melt.value) if spec.melt else ())}
    missing = sorted(column for column, required in wanted.items() if required and column not in there)
    if missing:
        raise LandingFileRefused(
            f"{name}, row {spec.header or 1} (header): columns {missing} are missing for source {contract.table!r}; came with {list(present)}, "
            f"of which {sorted(set(present) - set(wanted)) or 'none'} are not mapped. {_other_dialect(spec, present)}"
            "Add them to the file, or correct the provider YAML if they are named differently."
        )
    return tuple(sorted(column for column in wanted if column not in there))
