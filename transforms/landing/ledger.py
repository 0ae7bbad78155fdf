"""Records of landing: which versions of files were looked at, which slices they touch, what is pending.

Every version (content hash) of a file is parsed and validated once, with a fingerprint for each slice. Pending is the difference between what
landing told and what has been conditioned (see `transforms.landing.conditioned`). Of each file its latest accepted version counts: while a newer one
is refused, while it is refused itself because it was read again with other settings or lists, and after it was cleared away.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import ProviderSpec
from transforms.calendar import Region, Slice, Week
from transforms.contracts import CONTRACTS, SOURCES
from transforms.contracts.bronze import CONDITIONED_REFERENCES, CONDITIONED_SLICES, LANDING_FILES, LANDING_SLICES, SHIPMENTS, STORES
from transforms.contracts.gold import DEMAND
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import Listed, listed, pulled
from transforms.lake.tables import Lake
from transforms.landing.files import REFERENCES, Identity, LandingFile, scan
from transforms.landing.staging import Staging

_NO_BYTES = hashlib.sha256(b"").hexdigest()
HISTORIED = ("stores", "products")
"""Reference sources whose first key column facts are about: what leaves them keeps its row, so that its history keeps its meaning."""


@dataclass(frozen=True, slots=True)
class FileNotice:
    """A message about a landing file: why it cannot be taken in, or what was noticed."""

    source: str
    source_file: str
    message: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Record of one version of a file: the latest look, when the version was first seen, and when it was accepted last."""

    status: str
    message: str | None
    quarantined: int
    columns: tuple[str, ...]
    mapping: str | None
    arrived_at: datetime
    looked_at: datetime
    accepted_at: datetime | None
    counted: bool = False
    """True where the provider says that it counts, though it says what another file says."""


def staging(lake: Lake, provider: ProviderSpec) -> Staging:
    """Where the mapped rows of landing files are kept."""
    return Staging(pulled(lake, "staged", provider.name))


def unneeded_copies(lake: Lake, provider: ProviderSpec) -> list[Listed]:
    """Copies of the rows of versions that do not count, nor will before they are read again."""
    staged = staging(lake, provider)
    needed = {staged.path(identity) for identity in accepted_last(records(lake)).values()}
    copies = (file for file in listed(lake, "staged", provider.name) if file.path.suffix == ".parquet" and file.path not in needed)
    return sorted(copies, key=lambda file: file.path)


def records(lake: Lake) -> dict[Identity, FileRecord]:
    """Every version of a file on record, in the order in which they were looked at last."""
    if not lake.exists(LANDING_FILES.name):
        return {}
    found: dict[Identity, FileRecord] = {}
    for row in lake.read(LANDING_FILES.name).sort_by("registered_at").to_pylist():
        identity = row["source"], row["source_file"], row["source_hash"]
        before = found.pop(identity, None)
        found[identity] = FileRecord(
            row["status"],
            row["message"],
            row["rows_quarantined"] or 0,
            tuple(filter(None, (row["columns"] or "").split(","))),
            row["mapping"],
            before.arrived_at if before else row["registered_at"],
            row["registered_at"],
            row["registered_at"] if row["status"] == "accepted" else before.accepted_at if before else None,
            row["counted"],
        )
    return found


def readable(known: dict[Identity, FileRecord], files: Sequence[LandingFile]) -> list[Identity]:
    """The version of each file whose rows count; one that was cleared away goes on counting. The same content under several names counts once."""
    standing = {file.identity for file in files}
    found, alike = [], dict[tuple[str, str], Identity]()
    # The one that stands before the others, then the one that was accepted last.
    for identity in sorted(accepted_last(known).values(), key=lambda identity: (identity in standing, known[identity].accepted_at)):
        if known[identity].counted:
            found.append(identity)
        else:
            alike[identity[0], identity[2]] = identity
    return [*found, *alike.values()]


def repeated(known: dict[Identity, FileRecord], files: Sequence[LandingFile]) -> dict[Identity, str]:
    """Files whose content stands under another name, and that name: the one whose rows count, before there is one the first."""
    readable_now = {*readable(known, files)}
    first: dict[tuple[str, str], LandingFile] = {}
    # Files without a byte repeat nothing.
    alike = [file for file in files if not file.counted and file.digest != _NO_BYTES]
    for file in sorted(alike, key=lambda file: file.identity not in readable_now):
        first.setdefault((file.source, file.digest), file)
    named = [(file, first[file.source, file.digest]) for file in alike]
    return {file.identity: original.name for file, original in named if original.name != file.name}


def accepted_last(known: Mapping[Identity, FileRecord]) -> dict[tuple[str, str], Identity]:
    """The version of each file (source, name) that was accepted last, whatever a later look at it found.

    A file has none once it says what another one says that was accepted, nor once it was renamed.
    """
    taken = {(source, digest) for (source, _, digest), record in known.items() if record.accepted_at is not None}
    moments = {
        identity: record.looked_at if record.status == "repeated" and (identity[0], identity[2]) in taken else record.accepted_at
        for identity, record in known.items()
    }
    last = {identity[:2]: identity for moment, identity in sorted((moment, identity) for identity, moment in moments.items() if moment is not None)}
    gone = renamed(known)
    return {name: identity for name, identity in last.items() if known[identity].status != "repeated" and identity not in gone}


def renamed(known: Mapping[Identity, FileRecord]) -> set[Identity]:
    """Versions whose content was accepted again later, as the first of another name: what that file says since holds, not they beside it.

    A file that had said something else is no new name: there it was put by mistake, perhaps, and may be corrected again.
    """
    accepted = [
        (record.accepted_at, identity)
        for identity, record in known.items()
        if record.accepted_at is not None and not record.counted and identity[2] != _NO_BYTES
    ]
    first: dict[tuple[str, str], Identity] = {}
    for _, identity in sorted(accepted, key=lambda found: known[found[1]].arrived_at):
        first.setdefault(identity[:2], identity)
    begun = {(source, digest): (moment, name) for moment, (source, name, digest) in sorted(accepted) if first[source, name] == (source, name, digest)}
    return {identity for moment, identity in accepted if (identity[0], identity[2]) in begun and begun[identity[0], identity[2]][0] > moment}


def refused_files(lake: Lake, provider: ProviderSpec) -> list[FileNotice]:
    """Files that stand in landing now and are refused, or held for a person."""
    return _notices(lake, provider, "refused", "held")


def noticed_files(lake: Lake, provider: ProviderSpec) -> list[FileNotice]:
    """Files that stand in landing now and were accepted with something to tell about them, or repeat another file."""
    return [notice for notice in _notices(lake, provider, "accepted", "repeated") if notice.message]


def _notices(lake: Lake, provider: ProviderSpec, *statuses: str) -> list[FileNotice]:
    known = records(lake)
    found = [(file, known.get(file.identity)) for file in scan(lake, provider)]
    return [FileNotice(file.source, file.name, record.message or "") for file, record in found if record is not None and record.status in statuses]


def reference_rows(lake: Lake, staged: Staging, source: str, versions: Iterable[Identity]) -> pa.Table:
    """Rows of a reference source: what these versions say, and the last known row of each store or product that has left its list with a history."""
    listed = staged.read(source, sorted(version for version in versions if version[0] == source))
    return pa.concat_tables([listed, left(lake, source, listed)]) if source in HISTORIED else listed


def left(lake: Lake, source: str, listed: pa.Table) -> pa.Table:
    """Rows in bronze of the stores or products that are not listed any more and have been delivered (to): a list that shrinks deletes nothing."""
    contract, key = CONTRACTS[f"bronze/{source}"], SOURCES[source].key[0]
    if not lake.exists(contract.name) or not lake.exists(SHIPMENTS.name):
        return contract.schema.empty_table()
    standing = lake.read(contract.name).select(contract.names).cast(contract.schema)
    gone = standing.filter(pc.invert(pc.is_in(standing[key], listed[key])))
    if not gone.num_rows:
        return gone
    delivered = lake.read(SHIPMENTS.name, columns=f"distinct {key}")[key].cast(pa.string())
    return gone.filter(pc.is_in(gone[key], delivered))


def regions(lake: Lake) -> list[Region]:
    """Regions of the stores that were taken in."""
    return [Region(name) for name in sorted(set(lake.read(STORES.name, columns="region")["region"].to_pylist()))]


def named_region(lake: Lake, name: str, *others: Region) -> Region:
    """The region of that name, one of the lake's or of `others`; raise `ConfigurationError` for a name that would look like a region without rows."""
    known = [*regions(lake), *others]
    if Region(name) not in known:
        raise ConfigurationError(f"Region {name} has no stores in the lake: expected one of {', '.join(map(str, known))}.")
    return Region(name)


def landed(lake: Lake, provider: ProviderSpec) -> dict[Slice, str]:
    """Fingerprint of each slice over all sources, as landing tells it."""
    return _combined(landed_by_source(lake, readable(records(lake), scan(lake, provider))))


def conditioned(lake: Lake) -> dict[Slice, str]:
    """Fingerprint of each slice over all sources, as it was conditioned; one that nothing in landing has where that is not finished."""
    return _combined(_keyed(lake.read_or_empty(CONDITIONED_SLICES.name)))


def pending(lake: Lake, provider: ProviderSpec) -> dict[Slice, str]:
    """Slices whose content in landing has not been conditioned to the end, with the fingerprint that landing tells; an empty one where its rows were
    withdrawn.
    """
    there, wanted = conditioned(lake), landed(lake, provider)
    changed = {item: fingerprint for item, fingerprint in wanted.items() if there.get(item) != fingerprint}
    return changed | {item: "" for item in there if item not in wanted}


def pending_references(lake: Lake, provider: ProviderSpec) -> dict[str, str]:
    """Sources of reference data whose content in landing has not been conditioned to the end, with the fingerprint that landing tells."""
    known = records(lake)
    wanted = landed_references(known, readable(known, scan(lake, provider)))
    rows = lake.read_or_empty(CONDITIONED_REFERENCES.name).to_pylist()
    done = {row["source"]: row["fingerprint"] for row in rows}
    # Sources are conditioned together: while the mark of an interruption stands, none of them is done.
    return wanted if done.keys() != wanted.keys() else {source: fingerprint for source, fingerprint in wanted.items() if done[source] != fingerprint}


def last_week(lake: Lake) -> Week | None:
    """The last week of which shipments stand in gold, None before there are any."""
    if not lake.exists(DEMAND.name):
        return None
    found = lake.read(DEMAND.name, where="units_shipped > 0", columns="max(week) as week")["week"][0].as_py()
    return None if found is None else Week(found)


def first_landed_week(lake: Lake) -> Week | None:
    """The first week of which anything has landed or stands in the record of what was conditioned, None before there is any."""
    tables = [_slices_of(lake, accepted_last(records(lake)).values(), "min(week) as week")]
    if lake.exists(CONDITIONED_SLICES.name):
        tables.append(lake.read(CONDITIONED_SLICES.name, columns="min(week) as week"))
    found = [week for table in tables if (week := table["week"][0].as_py()) is not None]
    return Week(min(found)) if found else None


def first_weeks(lake: Lake) -> dict[Region, Week]:
    """The week with which each region's history in gold begins; a region without deliveries so far has none."""
    if not lake.exists(DEMAND.name):
        return {}
    found = lake.query("select region, min(week) as week from t group by region", t=DEMAND.name).to_pylist()
    return {Region(row["region"]): Week(row["week"]) for row in found}


def landed_by_source(lake: Lake, versions: Iterable[Identity]) -> dict[tuple[Slice, str], str]:
    """Fingerprint of each slice and source over those among the versions that hold rows for it."""
    fingerprint = "string_agg(fingerprint, '+' order by fingerprint) as fingerprint"
    return _keyed(_slices_of(lake, versions, fingerprint, group_by=("region", "week", "source")))


def landed_references(known: Mapping[Identity, FileRecord], versions: Iterable[Identity]) -> dict[str, str]:
    """Fingerprint of each source of reference data over those among the versions that are of it, and the settings that they were read with."""
    lines_of = {
        source: sorted(f"{name} {digest} {known[source, name, digest].mapping}" for of, name, digest in versions if of == source)
        for source in REFERENCES
    }
    return {source: hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] for source, lines in lines_of.items()}


def touching(lake: Lake, versions: Iterable[Identity], source: str, predicate: str) -> list[Identity]:
    """Those among the versions that hold rows of a source in the slices that a predicate selects, in the order of their names."""
    found = _slices_of(lake, versions, "distinct source, source_file, source_hash", f"source = '{source}' and {predicate}").to_pylist()
    return sorted((row["source"], row["source_file"], row["source_hash"]) for row in found)


def weeks_of(lake: Lake, versions: Iterable[Identity]) -> dict[Identity, set[date]]:
    """Weeks that each of these versions holds rows for."""
    found: dict[Identity, set[date]] = {}
    for row in _slices_of(lake, versions, "distinct source, source_file, source_hash, week").to_pylist():
        found.setdefault((row["source"], row["source_file"], row["source_hash"]), set()).add(row["week"])
    return found


def _slices_of(lake: Lake, versions: Iterable[Identity], columns: str, where: str = "true", group_by: Sequence[str] = ()) -> pa.Table:
    """Query the latest slices on record of these versions; with `group_by` one row for each group, which begins with those columns."""
    names = ("source", "source_file", "source_hash")
    wanted = pa.Table.from_pylist(
        [dict(zip(names, version, strict=True)) for version in versions], pa.schema([(name, pa.string()) for name in names])
    )
    with lake.connect(LANDING_SLICES.name) as connection:
        connection.register("wanted", wanted)
        grouped = f"group by {', '.join(group_by)}" if group_by else ""
        return connection.execute(
            f"""
            with latest as (
                from bronze_landing_slices semi join wanted using (source, source_file, source_hash)
                qualify registered_at = max(registered_at) over (partition by source, source_file, source_hash)
            )
            select {", ".join([*group_by, columns])} from latest where rows > 0 and {where} {grouped}
            """
        ).to_arrow_table()


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
