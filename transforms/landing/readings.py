"""One file as all the mappings read it that its source has for it: their rows side by side, added up where files add up."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import DAYS, FileRows, Lookups, ProviderSpec, References, RowCounts, read_file
from transforms.contracts import SOURCES, Contract
from transforms.errors import LandingFileRefused
from transforms.lake.database import open_database
from transforms.landing.files import LandingFile
from transforms.landing.odd_files import WRITTEN, State
from transforms.landing.staging import LINE

_READING = "reading"


def read_all(provider: ProviderSpec, file: LandingFile, references: References | None, arrived_at: datetime, lookups: Lookups) -> FileRows:
    """Read a file by each of its mappings.

    Counts are added up over the mappings, those of records as those of rows: each mapping reads the whole file, or a sheet of its own, and accounts
    for all of it. What one of them takes another may skip, so that no sum over the file's records alone would hold.

    Raises
    ------
    WrittenWhileRead
        If it is not the file any more whose content has the digest on record.
    LandingFileRefused
        If it is no file that can be read, one of the mappings refuses it, or two of them say different things about the same key and do not add up.
    """
    if file.fault is not None:
        raise LandingFileRefused(f"{file.name}: {file.fault}")
    readings = _read(provider, file, references, arrived_at, lookups)
    quarantined = [_numbered(reading.quarantined, number) for number, reading in enumerate(readings, start=1)]
    rows, repeated = (readings[0].rows, 0) if len(readings) == 1 else _side_by_side(file, [reading.rows for reading in readings])
    counts = [reading.counts for reading in readings]
    return FileRows(
        rows,
        pa.concat_tables(quarantined),
        RowCounts(
            read=sum(c.read for c in counts),
            skipped=sum(c.skipped for c in counts),
            repeated=sum(c.repeated for c in counts) + repeated,
            quarantined=sum(c.quarantined for c in counts),
            taken=sum(c.taken for c in counts) - repeated,
            records=sum(c.records or 0 for c in counts),
            aside=sum(c.aside for c in counts),
            emptied=sum(c.emptied for c in counts),
            melted=sum(c.melted for c in counts),
            empty_cells=sum(c.empty_cells for c in counts),
        ),
        tuple(dict.fromkeys(name for reading in readings for name in reading.columns)),
        tuple(dict.fromkeys(name for reading in readings for name in reading.absent)),
        tuple(dict.fromkeys(note for reading in readings for note in reading.notes)),
    )


class WrittenWhileRead(LandingFileRefused):
    """A file was written, replaced or removed after its content was hashed: what was read of it is of no version that is known."""


def _read(provider: ProviderSpec, file: LandingFile, references: References | None, arrived_at: datetime, lookups: Lookups) -> list[FileRows]:
    """Rows by each mapping, of the very content that has the file's digest."""
    try:
        _refuse_written(file)
        found = [read_file(provider, file.source, spec, file.path, file.name, references, arrived_at, lookups) for spec in file.specs]
    except (LandingFileRefused, OSError):
        # What was found in a file that is being written is no fault of it.
        _refuse_written(file)
        raise
    _refuse_written(file)
    return found


def _refuse_written(file: LandingFile) -> None:
    try:
        state = State.of(file.path.stat())
    except OSError as error:
        raise WrittenWhileRead(f"{file.name}: it was removed while it was read. Drop it again, or leave it away.") from error
    if state != file.state:
        raise WrittenWhileRead(f"{file.name}: {WRITTEN}")


def _numbered(rows: pa.Table, number: int) -> pa.Table:
    return rows.append_column(_READING, pa.repeat(pa.scalar(number, pa.int64()), rows.num_rows))


def _side_by_side(file: LandingFile, parts: Sequence[pa.Table]) -> tuple[pa.Table, int]:
    """Rows of all readings, and how many were left out because another reading has them."""
    contract = SOURCES[file.source]
    if any(spec.line_id is not None for spec in file.specs):
        return pa.concat_tables([_told_apart(file.source, part, number) for number, part in enumerate(parts)]), 0
    if all(spec.adds_up for spec in file.specs):
        return _grouped(contract, pa.concat_tables(parts), {column.name for column in contract.columns if column.kind == "integer"}), 0
    rows = pa.concat_tables([part.select(contract.names) for part in parts])
    found = _grouped(contract, rows, set())
    _refuse_contradictions(file, contract, found)
    return found, rows.num_rows - found.num_rows


def _told_apart(source: str, part: pa.Table, number: int) -> pa.Table:
    """Rows with `line_id`: what a later mapping makes of a line is a line of its own."""
    lines = part[LINE.name] if LINE.name in part.column_names else pa.nulls(part.num_rows, LINE.type)
    labels = pc.binary_join_element_wise(f"mapping {number + 1}", lines, " ") if number else lines
    return part.select(SOURCES[source].names).append_column(LINE, labels)


def _grouped(contract: Contract, rows: pa.Table, summed: set[str]) -> pa.Table:
    columns = ", ".join(f'sum("{name}")::bigint as "{name}"' if name in summed else f'"{name}"' for name in contract.names)
    days = [field for field in DAYS if field.name in rows.column_names]
    spans = "".join(f", {function}({field.name}) as {field.name}" for function, field in zip(("min", "max"), days, strict=False))
    with open_database() as connection:
        connection.register("t", rows)
        found: pa.Table = connection.execute(f"select {columns}{spans} from t group by all order by {', '.join(contract.key)}").to_arrow_table()
    return found.cast(pa.schema([*contract.schema, *days]))


def _refuse_contradictions(file: LandingFile, contract: Contract, rows: pa.Table) -> None:
    key = ", ".join(contract.key)
    with open_database() as connection:
        connection.register("t", rows)
        twice = connection.execute(f"select {key} from t group by {key} having count(*) > 1 order by {key}").to_arrow_table().to_pylist()
    if twice:
        named = ", ".join(f"{name} {value}" for name, value in twice[0].items() if name != "region" and value is not None)
        advice = ", or set 'duplicates: sum' if they add up" if contract.sliced else ""
        raise LandingFileRefused(
            f"{file.name}: {len(file.specs)} mappings of source {file.source!r} read this file, and they say different things about {len(twice)} "
            f"rows, the first being {named}. Let each mapping read other rows ('rows' in the provider YAML){advice}."
        )
