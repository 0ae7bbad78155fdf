"""From landing to bronze: the slices asked for are replaced by what landing tells about them."""

from collections.abc import Sequence
from functools import partial

import duckdb
import pyarrow as pa

from transforms.adapters import ProviderSpec
from transforms.calendar import Slice, SliceBlock
from transforms.contracts import CONTRACTS
from transforms.contracts.bronze import INGESTED_REFERENCES, INGESTED_SLICES
from transforms.lake.tables import Lake, Receipt, block_predicate
from transforms.landing.conditioned import references_unfinished, taking_turns, unfinished
from transforms.landing.files import FACTS, REFERENCES, Identity, Progress, scan
from transforms.landing.ledger import landed_by_source, landed_references, readable, records, reference_rows, staging, touching
from transforms.landing.staging import Staging

_BATCH = 200_000


def ingest(lake: Lake, provider: ProviderSpec, blocks: Sequence[SliceBlock], progress: Progress | None = None) -> list[Receipt]:
    """Replace the slices of `blocks` in the bronze fact tables by what landing tells about them; they are pending until conditioned."""
    with taking_turns(lake):
        staged = staging(lake, provider)
        versions = readable(records(lake), scan(lake, provider))
        marks = landed_by_source(lake, versions)
        return [receipt for block in blocks for receipt in _ingest_block(lake, provider, staged, versions, marks, block, progress)]


def ingest_reference(lake: Lake, provider: ProviderSpec) -> list[Receipt]:
    """Replace the reference sources in bronze; all are read before any is written."""
    with taking_turns(lake):
        staged, known = staging(lake, provider), records(lake)
        versions = readable(known, scan(lake, provider))
        tables = {source: reference_rows(lake, staged, source, versions) for source in REFERENCES}
        references_unfinished(lake)
        receipts = [lake.overwrite(f"bronze/{source}", table) for source, table in tables.items()]
        marks = [{"source": source, "fingerprint": fingerprint} for source, fingerprint in landed_references(known, versions).items()]
        lake.overwrite(INGESTED_REFERENCES.name, pa.Table.from_pylist(marks, schema=INGESTED_REFERENCES.schema))
        return receipts


def _ingest_block(
    lake: Lake,
    provider: ProviderSpec,
    staged: Staging,
    versions: Sequence[Identity],
    marks: dict[tuple[Slice, str], str],
    block: SliceBlock,
    progress: Progress | None,
) -> list[Receipt]:
    predicate, receipts = block_predicate("week", block), []
    unfinished(lake, block)
    for source in FACTS:
        there = touching(lake, versions, source, predicate)
        if progress is not None:
            progress(f"taking in {source} of {block} from {len(there)} files")
        lines = any(spec.line_id is not None for spec in provider.sources.get(source, ()))
        rows = partial(_stream, _rows(staged, source, there, versions if lines else [], predicate, lines))
        receipts.append(lake.replace(f"bronze/{source}", block, rows))
    lake.replace(INGESTED_SLICES.name, block, _marks_table(marks, block))
    return receipts


def _rows(staged: Staging, source: str, there: Sequence[Identity], versions: Sequence[Identity], predicate: str, lines: bool) -> str:
    """SQL of a source's bronze rows in the slices: lines are added up by key and file; a line that several files hold counts in the latest.

    One plain or grouped select without a union: it is streamed (see dbt_project/DECISIONS.md).

    Parameters
    ----------
    there, versions
        Versions with rows in the slices, and all that count: by one file a line may stand there and, corrected, by another one elsewhere.
    """
    contract = CONTRACTS[f"bronze/{source}"]
    rows = f"from ({staged.select(source, there)}) where {predicate}"
    if not lines:
        return f"select {', '.join(contract.names)} {rows}"
    measures = {column.name for column in contract.columns if column.kind == "integer"}
    summed = ", ".join(f"sum({name})::bigint as {name}" if name in measures else name for name in contract.names)
    others = [identity for identity in versions if identity[0] == source and staged.holds(identity)]
    later = staged.superseded(source, others, f"line_id in (select line_id {rows})") if there and len(others) > 1 else None
    # A file whose rows are no lines holds each key once, so that adding up leaves them as they are.
    counting = f"from (select * {rows}) anti join ({later}) using (source_file, source_hash, line_id)" if later else rows
    return f"select {summed} {counting} group by all"


def _stream(query: str) -> pa.RecordBatchReader:
    # Not `open_database`, which collects results: a whole history must not lie in memory at once.
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set threads = 2")
    return connection.execute(query).to_arrow_reader(_BATCH)


def _marks_table(marks: dict[tuple[Slice, str], str], block: SliceBlock) -> pa.Table:
    inside = set(block.slices())
    rows = [
        {"region": str(item.region), "week": item.week.monday, "source": source, "fingerprint": fingerprint}
        for (item, source), fingerprint in marks.items()
        if item in inside
    ]
    return pa.Table.from_pylist(rows, schema=INGESTED_SLICES.schema)
