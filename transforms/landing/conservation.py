"""Nothing is lost: where the records of each landing file went, and whether bronze holds what landing tells. Judged from tables and copies alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.adapters import ProviderSpec
from transforms.contracts import SOURCES
from transforms.contracts.bronze import INGESTED_REFERENCES, INGESTED_SLICES, LANDING_FILES
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, REFERENCES, Identity, scan
from transforms.landing.ledger import accepted_last, landed_by_source, landed_references, readable, records, staging
from transforms.landing.staging import Staging

_ENDS = ("taken", "repeated", "skipped", "quarantined", "refused")
_TOLD = "'shelfcast audit verify' tells whether the record was changed; if it was not, this is a fault of Shelfcast: please report it."
_AGAIN = "Materialize bronze_facts for its slices again (bronze_reference for reference data); if that changes nothing, restore a backup."
_KEYS = ("source_file", "source_hash", "region", "week")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sum that does not agree: of which source and file, and what was expected and came."""

    source: str
    source_file: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """Where the records of a source's files went: of the versions that count, and of those that stand in landing and do not.

    Attributes
    ----------
    records, aside
        As a second reader counts them, over the files of which they are known.
    ends
        Rows by what became of them: taken, repeated, skipped, quarantined, refused.
    files, refused_files, uncounted_files
        Versions of files; those refused or held; those of whose records nothing is known: not readable, or read before records were counted.
    """

    source: str
    files: int
    refused_files: int
    uncounted_files: int
    records: int
    aside: int
    ends: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Conservation:
    """Totals of each source, and the sums that do not agree."""

    totals: list[SourceTotals]
    findings: list[Finding]


def conservation(lake: Lake, provider: ProviderSpec) -> Conservation:
    """Account for every record of the landing files, and compare bronze with the copies of the versions that count.

    Slices and reference data that wait to be taken in are not compared, nor versions whose copy has to be made again.
    """
    known, files = records(lake), scan(lake, provider)
    looks = _looks(lake, {*accepted_last(known).values()}, {file.identity for file in files})
    copies = staging(lake, provider)
    versions = readable(known, files)
    references = _references_in_bronze(lake, landed_references(known, versions))
    findings = [finding for row in looks if (finding := _judged(row)) is not None]
    for source in SOURCES:
        of_source = [identity for identity in versions if identity[0] == source]
        if not all(map(copies.holds, of_source)):
            continue
        if source in FACTS:
            findings += _slices_beside(lake, provider, copies, source, of_source)
        elif source in references:
            findings += _list_beside(lake, copies, source, of_source)
    return Conservation([_totals(source, looks) for source in SOURCES if any(row["source"] == source for row in looks)], findings)


def _looks(lake: Lake, counting: set[Identity], standing: set[Identity]) -> list[Row]:
    """Records of the look that counts of each version whose rows count, and of the latest look at each other that stands in landing."""
    if not lake.exists(LANDING_FILES.name):
        return []
    found: dict[Identity, Row] = {}
    for row in lake.read(LANDING_FILES.name).sort_by("registered_at").to_pylist():
        identity = row["source"], row["source_file"], row["source_hash"]
        if row["status"] == "accepted" if identity in counting else identity in standing:
            found[identity] = row
    return [found[identity] for identity in sorted(found)]


def _judged(row: Row) -> Finding | None:
    """What does not agree between the two counts of a file and what became of its rows."""
    ends = {end: row[f"rows_{end}"] for end in _ENDS}
    went = " + ".join(f"{end} {count:,}" for end, count in ends.items())
    if row["rows_read"] != sum(ends.values()):
        told = f"{row['source_file']}: expected {row['rows_read']:,} rows, as many as were read, came {went}. {_TOLD}"
    elif row["records"] is not None and row["records"] != row["records_aside"] + sum(ends.values()):
        told = (
            f"{row['source_file']}: expected {row['records']:,} records, as many as it holds, came aside {row['records_aside']:,} + {went}. {_TOLD}"
        )
    else:
        return None
    return Finding(row["source"], row["source_file"], told)


def _totals(source: str, looks: Sequence[Row]) -> SourceTotals:
    rows = [row for row in looks if row["source"] == source]
    counted = [row for row in rows if row["records"] is not None]
    return SourceTotals(
        source,
        len(rows),
        sum(row["status"] in {"refused", "held"} for row in rows),
        len([row for row in rows if row["records"] is None and row["status"] != "repeated"]),
        sum(row["records"] for row in counted),
        sum(row["records_aside"] for row in counted),
        {end: sum(row[f"rows_{end}"] for row in rows) for end in _ENDS},
    )


def _slices_beside(lake: Lake, provider: ProviderSpec, copies: Staging, source: str, versions: Sequence[Identity]) -> list[Finding]:
    """Compare each file's part of each slice in bronze with what its copy holds."""
    contract = SOURCES[source]
    measure = next((column.name for column in contract.columns if column.kind == "integer"), None)
    amount = "count(*)" if measure is None else f"sum({measure})"
    keys = ", ".join(_KEYS)
    lines = any(spec.line_id is not None for spec in provider.sources.get(source, ()))
    copied = copies.select(source, versions)
    counting = (
        f"from ({copied}) anti join ({copies.superseded(source, versions)}) using (source_file, source_hash, line_id)"
        if lines
        else f"from ({copied})"
    )
    with lake.connect(contract.name) as connection:
        connection.register("settled", _settled(lake, source, versions))
        connection.execute(
            f"""
            create temp table differing as
            with landed as (
                select {keys}, {amount}::bigint as landed from ({counting}) semi join settled using (region, week) group by all
            ),
            standing as (
                select {keys}, {amount}::bigint as standing from bronze_{contract.table} semi join settled using (region, week) group by all
            )
            select {keys}, coalesce(landed, 0) as landed, coalesce(standing, 0) as standing from landed full join standing using ({keys})
            where coalesce(landed, 0) <> coalesce(standing, 0)
            """
        )
        found = connection.execute(
            """
            select source_file, sum(landed)::bigint, sum(standing)::bigint, count(*), arg_min(region, (week, region)), min(week)
            from differing group by all order by all
            """
        ).fetchall()
    what = "rows" if measure is None else "units"
    return [
        Finding(
            source,
            name,
            f"{name}: expected {landed:,} {what} of {source} in bronze, as many as were taken, came {standing:,} in {n} slices that differ, the "
            f"first being {region} {week}. {_AGAIN}",
        )
        for name, landed, standing, n, region, week in found
    ]


def _settled(lake: Lake, source: str, versions: Sequence[Identity]) -> pa.Table:
    """Slices of a source that bronze was told to hold as landing tells them now."""
    landed = {(str(item.region), item.week.monday): fingerprint for (item, _), fingerprint in landed_by_source(lake, versions).items()}
    marks = lake.read_or_empty(INGESTED_SLICES.name, where=f"source = '{source}'").to_pylist()
    settled = [mark for mark in marks if landed.get((mark["region"], mark["week"])) == mark["fingerprint"]]
    return _table(settled, ("region", "week"))


def _table(rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
    fields = [INGESTED_SLICES[name].arrow if name in INGESTED_SLICES.names else pa.field(name, pa.string()) for name in names]
    return pa.Table.from_pylist([{name: row[name] for name in names} for row in rows], schema=pa.schema(fields))


def _references_in_bronze(lake: Lake, landed: Mapping[str, str]) -> set[str]:
    """Sources of reference data that bronze was told to hold as landing tells them now."""
    marks = {row["source"]: row["fingerprint"] for row in lake.read_or_empty(INGESTED_REFERENCES.name).to_pylist()}
    return {source for source in REFERENCES if marks.get(source) == landed.get(source)}


def _list_beside(lake: Lake, copies: Staging, source: str, versions: Sequence[Identity]) -> list[Finding]:
    """Compare the rows of each file of a list in bronze with those of its copy; rows of before that keep their place there are no fault."""
    keys = ", ".join(_KEYS[:2])
    with lake.connect(SOURCES[source].name) as connection:
        found = connection.execute(
            f"""
            with landed as (select {keys}, count(*) as landed from ({copies.select(source, versions)}) group by all),
            standing as (select {keys}, count(*) as standing from bronze_{source} group by all)
            select source_file, landed, coalesce(standing, 0) as n from landed left join standing using ({keys}) where landed > n order by all
            """
        ).fetchall()
    return [
        Finding(source, name, f"{name}: expected {landed:,} rows of {source} in bronze, as many as were taken, came {standing:,}. {_AGAIN}")
        for name, landed, standing in found
    ]
