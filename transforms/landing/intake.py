"""From landing to bronze: the slices asked for are replaced by what landing holds for them."""

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from transforms.adapters import ProviderSpec, References, read_file
from transforms.calendar import Region, Slice, SliceBlock
from transforms.contracts import CONTRACTS, SOURCES
from transforms.contracts.sources import INGESTED_SLICES, LANDING_SLICES
from transforms.lake import Lake, Receipt, block_predicate
from transforms.landing.files import FACTS, REFERENCES, LandingFile, Progress, read_references, reference_table, scan, with_lineage
from transforms.landing.record import landed_by_source, statuses

ROWS_AT_ONCE = 1_000_000

"""Rows that are taken in at once; about 300 MB with their lineage."""


def ingest(lake: Lake, provider: ProviderSpec, blocks: Sequence[SliceBlock], progress: Progress | None = None) -> list[Receipt]:
    """Replace the slices of `blocks` in the bronze fact tables by what landing holds for them.

    Sources of which a file is refused keep what stands in the slices that its last accepted version had filled.
    """
    files = scan(lake, provider)
    marks = landed_by_source(lake, provider)
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
    status = statuses(lake)
    files = [file for file in scan(lake, provider) if status.get(file.identity, ("accepted", None))[0] == "accepted"]
    tables = {source: reference_table(provider, source, files) for source in REFERENCES}
    # A refused reference file leaves what stands: facts are still checked against it.
    refused = {file.source for file in scan(lake, provider)} - {file.source for file in files}
    return [lake.overwrite(f"bronze/{source}", table) for source, table in tables.items() if source not in refused]


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


def _rows_of(lake: Lake, provider: ProviderSpec, source: str, files: Sequence[LandingFile], references: References, block: SliceBlock) -> pa.Table:
    touching = _touching(lake, source, block)
    tables = []
    for file in files:
        if file.identity in touching:
            table = read_file(provider, source, file.spec, file.path, file.name, references)
            with duckdb.connect() as connection:
                connection.register("t", table)
                rows = connection.execute(f"select * from t where {block_predicate('week', block)}").to_arrow_table()
            tables.append(with_lineage(rows.cast(SOURCES[source].schema), file))
    return pa.concat_tables(tables) if tables else CONTRACTS[f"bronze/{source}"].schema.empty_table()


def _touching(lake: Lake, source: str, block: SliceBlock) -> set[tuple[str, str, str]]:
    where = f"source = '{source}' and {block_predicate('week', block)}"
    rows = (
        lake.read(LANDING_SLICES.name, where=where, columns="distinct source, source_file, source_hash") if lake.exists(LANDING_SLICES.name) else None
    )
    return set() if rows is None else {tuple(row.values()) for row in rows.to_pylist()}


def _kept_slices(lake: Lake, files: Sequence[LandingFile], block: SliceBlock) -> dict[str, set[tuple[str, str]]]:
    """For each source the (file, hash) whose rows stay although the file's present version is refused."""
    status = statuses(lake)
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


def _marks_table(marks: dict[tuple[Slice, str], str], block: SliceBlock) -> pa.Table:
    inside = set(block.slices())
    rows = [
        {"region": str(item.region), "week": item.week.monday, "source": source, "fingerprint": fingerprint}
        for (item, source), fingerprint in marks.items()
        if item in inside
    ]
    return pa.Table.from_pylist(rows, schema=INGESTED_SLICES.schema)
