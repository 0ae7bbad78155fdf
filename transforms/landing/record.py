"""What is on record about landing: which versions of files were looked at, which slices they touch, what is pending.

Every version (content hash) of a file is parsed and validated once, with a fingerprint for each slice. Pending is the difference between what landing
holds and what stands in bronze; for a refused file its last accepted version speaks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pyarrow as pa

from transforms.adapters import ProviderSpec, read_file
from transforms.calendar import Region, Slice, Week
from transforms.contracts import SOURCES
from transforms.contracts.sources import INGESTED_SLICES, LANDING_FILES, LANDING_SLICES
from transforms.errors import LandingFileRefused
from transforms.lake import Lake
from transforms.landing.files import FACTS, REFERENCES, LandingFile, Progress, read_references, scan


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
    todo = _to_look_at(files, statuses(lake))
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
    status = statuses(lake)
    found = [(file, status.get(file.identity)) for file in scan(lake, provider)]
    return [Refused(file.source, file.name, row[1] or "") for file, row in found if row is not None and row[0] == "refused"]


def regions(lake: Lake) -> list[Region]:
    """Regions of the stores that were taken in."""
    return [Region(name) for name in sorted(set(lake.read("bronze/stores", columns="region")["region"].to_pylist()))]


def landed(lake: Lake, provider: ProviderSpec) -> dict[Slice, str]:
    """Fingerprint of each slice over all sources, as landing holds it; for a refused file its last accepted version speaks."""
    return _combined(landed_by_source(lake, provider))


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


def landed_by_source(lake: Lake, provider: ProviderSpec) -> dict[tuple[Slice, str], str]:
    """Fingerprint of each slice and source over the files that hold rows for it."""
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
    status = statuses(lake)
    last_accepted = {(source, name): digest for (source, name, digest), (state, _) in status.items() if state == "accepted"}
    for file in scan(lake, provider):
        state = status.get(file.identity)
        if state is not None and state[0] == "accepted":
            yield file.identity
        elif state is not None and (file.source, file.name) in last_accepted:
            yield file.source, file.name, last_accepted[file.source, file.name]


def statuses(lake: Lake) -> dict[tuple[str, str, str], tuple[str, str | None]]:
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
