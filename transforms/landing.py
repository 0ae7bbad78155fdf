"""Landing: which files were dropped, which slices they touch, and taking those slices into bronze.

Every version (content hash) of a file is parsed and validated once and put on record with a fingerprint for each slice; what is pending is the
difference between what landing holds and what stands in bronze. A refused file stops nothing else: slices that an earlier version of it had
filled stay as they are. Landing files are never changed here.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from transforms.adapters import FileSpec, ProviderSpec, References, read_file
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.contracts import CONTRACTS, SOURCES
from transforms.contracts.sources import INGESTED_SLICES, LANDING_FILES, LANDING_SLICES
from transforms.errors import ConfigurationError, LandingFileRefused
from transforms.lake import Lake, Receipt, block_predicate

FACTS = tuple(name for name, contract in SOURCES.items() if contract.sliced)
REFERENCES = tuple(name for name, contract in SOURCES.items() if not contract.sliced)

ROWS_AT_ONCE = 1_000_000
"""Rows that are taken in at once; about 300 MB with their lineage."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LandingFile:
    """A file that stands in landing now, as one source reads it."""

    source: str
    spec: FileSpec
    path: Path
    name: str
    digest: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Key in `bronze/landing_files`."""
        return self.source, self.name, self.digest


@dataclass(frozen=True, slots=True)
class Refused:
    """A landing file that cannot be taken in, and why."""

    source: str
    source_file: str
    message: str


@dataclass(frozen=True)
class Registration:
    """What looking at landing brought: new versions of files, and those among them that were refused."""

    accepted: list[LandingFile] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def references_changed(self) -> bool:
        """True when stores, products, demographics or events have to be taken in again."""
        return any(file.source in REFERENCES for file in self.accepted)


def folder(lake: Lake, provider: ProviderSpec) -> Path:
    """Where the provider's files are dropped."""
    return lake.path("landing", provider.name)


def scan(lake: Lake, provider: ProviderSpec) -> list[LandingFile]:
    """The files that stand in landing now. The same content under two names counts once, under the name that sorts first."""
    top, found, seen = folder(lake, provider), [], set()
    for source, specs in provider.sources.items():
        for spec in specs:
            for path in sorted(top.glob(spec.files)):
                file = LandingFile(source, spec, path, path.relative_to(top).as_posix(), _sha256(path))
                if (source, file.digest) not in seen:
                    seen.add((source, file.digest))
                    found.append(file)
    return found


def register(lake: Lake, provider: ProviderSpec, now: datetime, progress: Progress | None = None) -> Registration:
    """Parse, validate and put on record every version of a file that is not on record yet.

    Parameters
    ----------
    now
        Time that is recorded as the arrival of what is new.
    progress
        Told of each file before it is read.
    """
    files = scan(lake, provider)
    todo = _to_look_at(files, _statuses(lake))
    facts_may_be_read, references = True, None
    result, rows, slices = Registration(), [], []
    for file in sorted(todo, key=lambda file: list(SOURCES).index(file.source)):
        if file.source in FACTS and not facts_may_be_read:
            # Not on record, so they are looked at again once the references can be read.
            continue
        if progress is not None:
            progress(f"reading {file.name} as {file.source}")
        message, count = None, 0
        try:
            if file.source in FACTS and references is None:
                references = read_references(provider, files)
            table = read_file(provider, file.source, file.spec, file.path, file.name, references if file.source in FACTS else None)
            count = table.num_rows
            if file.source in FACTS:
                slices.append(_fingerprints(file, table))
            result.accepted.append(file)
        except LandingFileRefused as error:
            if file.source in FACTS and references is None:
                facts_may_be_read = False
                continue
            message = str(error)
            result.refused.append(Refused(file.source, file.name, message))
        rows.append(_record(file, count, message, now))
    # Slices first: a crash in between leaves files that are simply looked at again.
    if slices:
        lake.append(LANDING_SLICES.name, pa.concat_tables(slices))
    if rows:
        lake.append(LANDING_FILES.name, pa.Table.from_pylist(rows, schema=LANDING_FILES.schema))
    return result


def _to_look_at(files: Sequence[LandingFile], known: dict[tuple[str, str, str], tuple[str, str | None]]) -> list[LandingFile]:
    """Versions that are not on record, and, when stores or products changed, facts that were refused: the store may be known now."""
    new = [file for file in files if file.identity not in known]
    if not any(file.source in REFERENCES for file in new):
        return new
    again = [file for file in files if file.source in FACTS and known.get(file.identity, ("", None))[0] == "refused"]
    return new + again


def _record(file: LandingFile, rows: int, message: str | None, now: datetime) -> dict[str, object]:
    """Row of `bronze/landing_files`."""
    return {
        "source": file.source,
        "source_file": file.name,
        "source_hash": file.digest,
        "bytes": file.path.stat().st_size,
        "rows": rows,
        "status": "refused" if message else "accepted",
        "message": message,
        "registered_at": now,
    }


def refused_files(lake: Lake, provider: ProviderSpec) -> list[Refused]:
    """Files that stand in landing now and are refused."""
    status = _statuses(lake)
    found = [(file, status.get(file.identity)) for file in scan(lake, provider)]
    return [Refused(file.source, file.name, row[1] or "") for file, row in found if row is not None and row[0] == "refused"]


def regions(lake: Lake) -> list[Region]:
    """Regions of the stores that were taken in."""
    return [Region(name) for name in sorted(set(lake.read("bronze/stores", columns="region")["region"].to_pylist()))]


def landed(lake: Lake, provider: ProviderSpec) -> dict[Slice, str]:
    """Fingerprint of each slice over all sources, as landing holds it; for a refused file its last accepted version speaks."""
    return _combined(_landed_by_source(lake, provider))


def ingested(lake: Lake) -> dict[Slice, str]:
    """Fingerprint of each slice over all sources, as it stands in bronze."""
    return _combined(_keyed(lake.read(INGESTED_SLICES.name)) if lake.exists(INGESTED_SLICES.name) else {})


def pending(lake: Lake, provider: ProviderSpec) -> dict[Slice, str]:
    """Slices in which landing and bronze differ, with the fingerprint that landing holds."""
    there = ingested(lake)
    return {item: fingerprint for item, fingerprint in landed(lake, provider).items() if there.get(item) != fingerprint}


def last_week(lake: Lake) -> Week | None:
    """The last week of which shipments stand in bronze, None before there are any."""
    if not lake.exists(INGESTED_SLICES.name):
        return None
    found = lake.read(INGESTED_SLICES.name, where="source = 'shipments'", columns="max(week) as week")["week"][0].as_py()
    return None if found is None else Week(found)


def ingest(lake: Lake, provider: ProviderSpec, blocks: Sequence[SliceBlock], progress: Progress | None = None) -> list[Receipt]:
    """Replace the slices of `blocks` in the bronze fact tables by what landing holds for them.

    Sources of which a file is refused keep what stands in the slices that its last accepted version had filled.
    """
    files = scan(lake, provider)
    marks = _landed_by_source(lake, provider)
    references = read_references(provider, files)
    receipts = []
    for block in blocks:
        for part in _parts(lake, block):
            if progress is not None:
                progress(f"taking in {part}")
            kept = _kept_slices(lake, files, part)
            for source in FACTS:
                data = _rows_of(lake, provider, source, files, references, part)
                receipts.append(lake.replace(f"bronze/{source}", part, _with_kept(lake, source, data, kept.get(source, set()), part)))
            lake.replace(INGESTED_SLICES.name, part, _marks_table(marks, part))
    return receipts


def ingest_reference(lake: Lake, provider: ProviderSpec) -> list[Receipt]:
    """Replace stores, products, demographics and events in bronze; all are read before any is written."""
    status = _statuses(lake)
    files = [file for file in scan(lake, provider) if status.get(file.identity, ("accepted", None))[0] == "accepted"]
    tables = {source: _reference(provider, source, files) for source in REFERENCES}
    # A refused reference file leaves what stands: facts are still checked against it.
    refused = {file.source for file in scan(lake, provider)} - {file.source for file in files}
    return [lake.overwrite(f"bronze/{source}", table) for source, table in tables.items() if source not in refused]


def read_references(provider: ProviderSpec, files: Sequence[LandingFile]) -> References:
    """Read stores and products from landing.

    Raises
    ------
    LandingFileRefused
        If one of them is refused: no fact can be checked then.
    """
    return References(_reference(provider, "stores", files), _reference(provider, "products", files))


def drop(lake: Lake, provider: ProviderSpec, source_dir: Path) -> list[Path]:
    """Copy the provider's files from a user's folder into landing, each in one step.

    Raises
    ------
    ConfigurationError
        If the folder is missing, or a source that forecasting needs has no file in it.
    """
    if not source_dir.is_dir():
        raise ConfigurationError(f"Landing folder {source_dir} does not exist: expected a folder with the files of provider {provider.name!r}.")
    copied: dict[Path, Path] = {}
    for source, specs in provider.sources.items():
        found = [path for spec in specs for path in sorted(source_dir.glob(spec.files))]
        if not found and source in {"stores", "products", "shipments"}:
            patterns = ", ".join(spec.files for spec in specs)
            raise ConfigurationError(f"{source_dir} holds no file for source {source!r} of provider {provider.name!r}: expected {patterns}.")
        copied.update({path: folder(lake, provider) / path.relative_to(source_dir) for path in found})
    for path, target in copied.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.part")
        shutil.copyfile(path, draft)
        draft.replace(target)
    return list(copied.values())


def _parts(lake: Lake, block: SliceBlock) -> Iterator[SliceBlock]:
    """Cut a block into groups of regions of at most ROWS_AT_ONCE rows: memory stays bounded, and files are read few times."""
    counts = (
        lake.read(LANDING_SLICES.name, where=block_predicate("week", block), columns="region, rows") if lake.exists(LANDING_SLICES.name) else None
    )
    rows = {} if counts is None else {row["region"]: row["rows_sum"] for row in counts.group_by("region").aggregate([("rows", "sum")]).to_pylist()}
    group: list[Region] = []
    held = 0
    for region in block.regions:
        if group and held + rows.get(str(region), 0) > ROWS_AT_ONCE:
            yield SliceBlock(tuple(group), block.first, block.last)
            group, held = [], 0
        group.append(region)
        held += rows.get(str(region), 0)
    yield SliceBlock(tuple(group), block.first, block.last)


def _reference(provider: ProviderSpec, source: str, files: Iterable[LandingFile]) -> pa.Table:
    contract = CONTRACTS[f"bronze/{source}"]
    tables = [_with_lineage(read_file(provider, source, file.spec, file.path, file.name, None), file) for file in files if file.source == source]
    return pa.concat_tables(tables) if tables else contract.schema.empty_table()


def _rows_of(lake: Lake, provider: ProviderSpec, source: str, files: Sequence[LandingFile], references: References, block: SliceBlock) -> pa.Table:
    touching = _touching(lake, source, block)
    tables = []
    for file in files:
        if file.identity in touching:
            table = read_file(provider, source, file.spec, file.path, file.name, references)
            with duckdb.connect() as connection:
                connection.register("t", table)
                rows = connection.execute(f"select * from t where {block_predicate('week', block)}").to_arrow_table()
            tables.append(_with_lineage(rows.cast(SOURCES[source].schema), file))
    return pa.concat_tables(tables) if tables else CONTRACTS[f"bronze/{source}"].schema.empty_table()


def _touching(lake: Lake, source: str, block: SliceBlock) -> set[tuple[str, str, str]]:
    where = f"source = '{source}' and {block_predicate('week', block)}"
    rows = (
        lake.read(LANDING_SLICES.name, where=where, columns="distinct source, source_file, source_hash") if lake.exists(LANDING_SLICES.name) else None
    )
    return set() if rows is None else {tuple(row.values()) for row in rows.to_pylist()}


def _kept_slices(lake: Lake, files: Sequence[LandingFile], block: SliceBlock) -> dict[str, set[tuple[str, str]]]:
    """For each source the (file, hash) whose rows stay although the file's present version is refused."""
    status = _statuses(lake)
    kept: dict[str, set[tuple[str, str]]] = {}
    for file in files:
        if file.source in FACTS and status.get(file.identity, ("", None))[0] == "refused":
            for _, name, digest in _touching(lake, file.source, block):
                if name == file.name:
                    kept.setdefault(file.source, set()).add((name, digest))
    return kept


def _with_kept(lake: Lake, source: str, data: pa.Table, kept: set[tuple[str, str]], block: SliceBlock) -> pa.Table:
    if not kept or not lake.exists(f"bronze/{source}"):
        return data
    standing = lake.read(f"bronze/{source}", where=block_predicate("week", block))
    rows = [row for row in standing.to_pylist() if (row["source_file"], row["source_hash"]) in kept]
    return pa.concat_tables([data, pa.Table.from_pylist(rows, schema=data.schema)])


def _landed_by_source(lake: Lake, provider: ProviderSpec) -> dict[tuple[Slice, str], str]:
    if not lake.exists(LANDING_SLICES.name):
        return {}
    speaking = pa.Table.from_pylist([dict(zip(("source", "source_file", "source_hash"), item, strict=True)) for item in _speaking(lake, provider)])
    if not speaking.num_rows:
        return {}
    with lake.connect(LANDING_SLICES.name) as connection:
        connection.register("speaking", speaking)
        rows = connection.execute(
            """
            select region, week, source, string_agg(distinct fingerprint, '+' order by fingerprint) as fingerprint
            from bronze_landing_slices join speaking using (source, source_file, source_hash)
            group by all
            """
        ).to_arrow_table()
    return _keyed(rows)


def _speaking(lake: Lake, provider: ProviderSpec) -> Iterator[tuple[str, str, str]]:
    """The file versions whose rows count: the present one, or, where that is refused, the last that was accepted."""
    status = _statuses(lake)
    last_accepted = {(source, name): digest for (source, name, digest), (state, _) in status.items() if state == "accepted"}
    for file in scan(lake, provider):
        state = status.get(file.identity)
        if state is not None and state[0] == "accepted":
            yield file.identity
        elif state is not None and (file.source, file.name) in last_accepted:
            yield file.source, file.name, last_accepted[file.source, file.name]


def _statuses(lake: Lake) -> dict[tuple[str, str, str], tuple[str, str | None]]:
    """Status and message of every file version on record, in the order in which they came."""
    if not lake.exists(LANDING_FILES.name):
        return {}
    rows = lake.read(LANDING_FILES.name).sort_by("registered_at").to_pylist()
    return {(row["source"], row["source_file"], row["source_hash"]): (row["status"], row["message"]) for row in rows}


def _keyed(rows: pa.Table) -> dict[tuple[Slice, str], str]:
    known: dict[str, Region] = {}
    weeks: dict[object, Week] = {}
    columns = (rows[name].to_pylist() for name in ("region", "week", "source", "fingerprint"))
    return {
        (Slice(known.setdefault(region, Region(region)), weeks.setdefault(week, Week(week))), source): fingerprint
        for region, week, source, fingerprint in zip(*columns, strict=True)
    }


def _combined(marks: dict[tuple[Slice, str], str]) -> dict[Slice, str]:
    combined: dict[Slice, list[str]] = {}
    for (item, source), fingerprint in sorted(marks.items(), key=lambda mark: mark[0][1]):
        combined.setdefault(item, []).append(f"{source}:{fingerprint}")
    return {item: " ".join(parts) for item, parts in combined.items()}


def _marks_table(marks: dict[tuple[Slice, str], str], block: SliceBlock) -> pa.Table:
    inside = set(block.slices())
    rows = [
        {"region": str(item.region), "week": item.week.monday, "source": source, "fingerprint": fingerprint}
        for (item, source), fingerprint in marks.items()
        if item in inside
    ]
    return pa.Table.from_pylist(rows, schema=INGESTED_SLICES.schema)


def _fingerprints(file: LandingFile, table: pa.Table) -> pa.Table:
    """Rows and an order-free hash for each slice of a file."""
    values = ", ".join(f'"{name}"' for name in table.column_names)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("t", table)
        found = connection.execute(
            f"""
            select region, week, count(*)::bigint as rows, printf('%x', (sum(hash({values})) % 18446744073709551557)::ubigint) as fingerprint
            from t group by all order by all
            """
        ).to_arrow_table()
    constants = {"source": file.source, "source_file": file.name, "source_hash": file.digest}
    for name, value in constants.items():
        found = found.append_column(name, pa.array([value] * found.num_rows, pa.string()))
    return Lake.conform(LANDING_SLICES, found)


def _with_lineage(table: pa.Table, file: LandingFile) -> pa.Table:
    for name, value in (("source_file", file.name), ("source_hash", file.digest)):
        table = table.append_column(name, pa.repeat(pa.scalar(value), table.num_rows))
    return table


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
