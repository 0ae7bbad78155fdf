"""Reading the files of one look at landing, and putting on record what became of each. Which files are looked at is decided in `register`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import DAYS, FileRows, ProviderSpec, References, RefusedWhole, RowCounts
from transforms.adapters.beside.calendars import calendars_of, fingerprint, landing_folder
from transforms.adapters.beside.lookups import lookups_fingerprint
from transforms.adapters.spec import HOW_FETCHED
from transforms.contracts import SOURCES
from transforms.contracts.bronze import LANDING_FILES, LANDING_SLICES, QUARANTINE, SHIPMENTS, STORES
from transforms.errors import LandingFileRefused
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, Identity, LandingFile, Progress
from transforms.landing.ledger import (
    HISTORIED,
    FileNotice,
    FileRecord,
    accepted_last,
    landed_by_source,
    left,
    readable,
    reference_rows,
    renamed,
    weeks_of,
)
from transforms.landing.moves import moves
from transforms.landing.readings import read_all
from transforms.landing.repetition import contradiction, repetition
from transforms.landing.staging import Staging
from transforms.landing.unmatched import unlisted, without_demographics

_NOTHING = RowCounts(0, 0, 0, 0, 0)
_CUT_OFF = "If the file was cut off, drop it again whole."


@dataclass(frozen=True)
class Registration:
    """Result of a look at landing: versions of files that were accepted, what was noticed about them, and those that were refused."""

    accepted: list[LandingFile] = field(default_factory=list)
    refused: list[FileNotice] = field(default_factory=list)
    noticed: list[FileNotice] = field(default_factory=list)


@dataclass
class Registrar:
    """Reads files of landing one after the other and collects what goes on record."""

    lake: Lake
    provider: ProviderSpec
    staged: Staging
    now: datetime
    progress: Progress
    files: list[LandingFile]
    known: dict[Identity, FileRecord]
    result: Registration = field(default_factory=Registration)
    closing: Identity | None = None
    """The file after which all of its source have been read."""
    rows: list[dict[str, object]] = field(default_factory=list)
    slices: list[pa.Table] = field(default_factory=list)
    told: dict[tuple[object, ...], list[Identity]] = field(default_factory=dict)
    """Source, region and week -> versions that arrived with this look and hold rows of it."""
    quarantined: dict[tuple[str, str], pa.Table] = field(default_factory=dict)

    def readable(self) -> list[Identity]:
        """Versions whose rows count, with what this look has found so far."""
        return readable(self.known, self.files)

    def references(self) -> References:
        """Stores and products that facts are checked against."""
        versions = [identity for identity in self.readable() if self.staged.holds(identity)]
        return References(*(reference_rows(self.lake, self.staged, source, versions) for source in HISTORIED))

    def at(self, file: LandingFile, references: References | None) -> None:
        """Read one file and keep what became of it."""
        self.progress(f"reading {file.name} as {file.source}")
        before = self.known.pop(file.identity, None)
        arrived_at = before.arrived_at if before else self.now
        found, message, counts = None, None, _NOTHING
        try:
            found = read_all(self.provider, file, self._with_deliveries(file, references), arrived_at)
            counts = found.counts
            self._refuse_emptied(file, found)
            self._refuse_unmapped(file, before, found)
            self._refuse_conflicts(file, found)
        except LandingFileRefused as error:
            found, message = None, f"{error}{self._stays(file, before)}"
            counts = error.counts if isinstance(error, RefusedWhole) else counts
            self.result.refused.append(FileNotice(file.source, file.name, message))
        status = "accepted" if found else "refused"
        if found is not None and (held := self._held(file, before, found)):
            found, message, status = None, held, "held"
            self.result.refused.append(FileNotice(file.source, file.name, message))
        if found is not None:
            message = " ".join([*self._noticed(file, found), *self._contradicted(file, before, found)]) or None
            self.result.accepted.append(file)
            if message:
                self.result.noticed.append(FileNotice(file.source, file.name, message))
            self.staged.write(file.identity, found.rows, arrived_at)
            if file.source in FACTS:
                self.slices.append(_fingerprints(file, found.rows, self.now) if found.rows.num_rows else self._emptied(file))
                self.weeks[file.identity] = {*found.rows["week"].to_pylist()}
            self.quarantined[file.source, file.name] = _quarantine_rows(file, found.quarantined, arrived_at)
        self._keep(file, before, found, counts if found else _refused(counts), status, message)

    def _with_deliveries(self, file: LandingFile, references: References | None) -> References | None:
        if references is None or not any(spec.net_to_last_delivery for spec in file.specs):
            return references
        return replace(references, deliveries=self.deliveries)

    @cached_property
    def deliveries(self) -> pa.Table:
        """Store, product and week of all deliveries on record; shipments are read before returns."""
        versions = [identity for identity in self.readable() if identity[0] == SHIPMENTS.table and self.staged.holds(identity)]
        with open_database() as connection:
            staged = self.staged.select(SHIPMENTS.table, versions)
            query = f"select distinct store_id, product_id, week from ({staged}) where units_shipped > 0 order by all"
            return connection.execute(query).to_arrow_table()

    def _keep(
        self, file: LandingFile, before: FileRecord | None, found: FileRows | None, counts: RowCounts, status: str, message: str | None
    ) -> None:
        mapping = mapping_hash(self.provider, file)
        columns = found.columns if found else ()
        arrived_at = before.arrived_at if before else self.now
        accepted_at = self.now if found else before.accepted_at if before else None
        self.known[file.identity] = FileRecord(status, message, counts.quarantined, columns, mapping, arrived_at, self.now, accepted_at, file.counted)
        self.rows.append(_record(file, found, counts, status, message, mapping, self.now))

    def repeats(self, file: LandingFile, other: str) -> None:
        """Keep that a file has the content of another one."""
        advice = ", or name this one under 'counted' in the provider YAML if they are two deliveries" if file.adds_up else ""
        before = accepted_last(self.known).get((file.source, file.name))
        withdrawn = " What the file said before holds no longer once that one is taken in." if before not in {None, file.identity} else ""
        message = f"It has the same content as {other}: it counts once.{withdrawn} Remove one of them{advice}."
        self.result.noticed.append(FileNotice(file.source, file.name, message))
        self._keep(file, self.known.pop(file.identity, None), None, _NOTHING, "repeated", message)

    def when_back(self, versions: Sequence[Identity]) -> None:
        """Keep that versions of facts whose files were cleared away have to be read again once they stand again: with no settings on record."""
        standing, last = {file.identity for file in self.files}, {*accepted_last(self.known).values()}
        waiting = {
            identity
            for identity in versions
            if identity[0] in FACTS
            and identity not in standing
            and self.known[identity].mapping is not None
            # Of the accepted ones others are new in any case when they come back.
            and (identity in last or self.known[identity].status == "refused")
        }
        if not waiting:
            return
        looks = self.lake.read(LANDING_FILES.name).sort_by("registered_at").to_pylist()
        latest = {(row["source"], row["source_file"], row["source_hash"]): row for row in looks}
        self.rows += [{**latest[identity], "mapping": None, "registered_at": self.now} for identity in sorted(waiting)]

    def write(self) -> None:
        """Put everything on record. Slices first: a crash in between leaves files that are simply looked at again."""
        if self.slices:
            self.lake.append(LANDING_SLICES.name, _with_moved(pa.concat_tables(self.slices), self._moved()))
        self._write_quarantine()
        if self.rows:
            self.lake.append(LANDING_FILES.name, pa.Table.from_pylist(self.rows, schema=LANDING_FILES.schema))

    def _moved(self) -> pa.Table:
        """The slices in which other files have lines that files of this look have in other slices, with how many: what stood there has changed."""
        versions = self.readable()
        found = [LANDING_SLICES.schema.empty_table()]
        for source in dict.fromkeys(file.source for file in self.result.accepted if any(spec.line_id is not None for spec in file.specs)):
            new = [file.identity for file in self.result.accepted if file.source == source]
            others = [identity for identity in versions if identity[0] == source and self.staged.holds(identity)]
            found.append(_lines_elsewhere(self.staged, source, new, others, self.now))
        return pa.concat_tables(found)

    def _write_quarantine(self) -> None:
        """Replace the rows of the files that were taken in; files that merely stand, are refused or were cleared away keep theirs."""
        if not self.quarantined:
            return
        standing = self.lake.read_or_empty(QUARANTINE.name)
        keys = pc.binary_join_element_wise(standing["source"], standing["source_file"], " ")
        kept = standing.filter(pc.invert(pc.is_in(keys, pa.array([f"{source} {name}" for source, name in self.quarantined]))))
        rows = pa.concat_tables([kept, *self.quarantined.values()])
        if rows.num_rows or standing.num_rows or not self.lake.exists(QUARANTINE.name):
            self.lake.overwrite(QUARANTINE.name, rows)

    def _refuse_emptied(self, file: LandingFile, found: FileRows) -> None:
        """Refuse a file without a byte that had rows: it looks like a transfer that failed."""
        last = accepted_last(self.known).get((file.source, file.name))
        if found.columns or last is None or not self.staged.holds(last):
            return
        if rows := self.staged.read(file.source, [last]).num_rows:
            instead = "the header alone" if file.specs[0].format == "csv" else "its rows with a quantity of 0"
            raise LandingFileRefused(
                f"{file.name}: expected rows of {file.source!r}, of which it held {rows} before, came an empty file. Drop it again whole; "
                f"if nothing of them holds, drop {instead}."
            )

    def _refuse_unmapped(self, file: LandingFile, before: FileRecord | None, found: FileRows) -> None:
        """Refuse a version whose rows count and of which other settings take none."""
        if found.rows.num_rows or before is None or (before.mapping == mapping_hash(self.provider, file) and before.status != "refused"):
            return
        if accepted_last(self.known | {file.identity: before}).get((file.source, file.name)) != file.identity or not self.staged.holds(file.identity):
            return
        if rows := self.staged.read(file.source, [file.identity]).num_rows:
            raise LandingFileRefused(
                f"{file.name}: expected rows of {file.source!r}, of which it held {rows} before; of its {found.counts.read} rows none is taken now."
            )

    def _emptied(self, file: LandingFile) -> pa.Table:
        """The slices that this version held rows for, with none now: of a version the latest look counts."""
        rows = [
            {
                "source": file.source,
                "source_file": file.name,
                "source_hash": file.digest,
                "region": str(item.region),
                "week": item.week.monday,
                "rows": 0,
                "fingerprint": "",
                "registered_at": self.now,
            }
            for item, _ in landed_by_source(self.lake, [file.identity])
        ]
        return pa.Table.from_pylist(rows, schema=LANDING_SLICES.schema)

    def _refuse_conflicts(self, file: LandingFile, found: FileRows) -> None:
        """Refuse a reference file that says again what another file says, and stores that leave a known region empty."""
        if file.source in FACTS:
            return
        others = [identity for identity in self.readable() if identity[0] == file.source and identity[1] != file.name]
        standing = self.staged.read(file.source, others)
        key = list(SOURCES[file.source].key)
        there = {tuple(row.values()) for row in standing.select(key).to_pylist()}
        twice = [row for row in found.rows.select(key).to_pylist() if tuple(row.values()) in there]
        if twice:
            named = ", ".join(f"{name} {value}" for name, value in twice[0].items())
            raise LandingFileRefused(
                f"{file.name}: {len(twice)} rows of {file.source!r} stand in another file too, the first being {named}. "
                "Keep each in one file, or give the new version of a file the name of the old one."
            )
        if file.source == "stores":
            _refuse_lost_regions(self.lake, file, {*found.rows["region"].to_pylist(), *standing["region"].to_pylist()})

    @cached_property
    def weeks(self) -> dict[Identity, set[date]]:
        """Weeks that the versions hold rows for whose rows count."""
        return weeks_of(self.lake, self.readable())

    def _held(self, file: LandingFile, before: FileRecord | None, found: FileRows) -> str | None:
        """Why a file that was never accepted waits for a person."""
        if not file.adds_up or file.counted or self._counted_before(file, before):
            return None
        weeks = {*found.rows["week"].to_pylist()}
        others = [
            (source, name, digest)
            for source, name, digest in self.readable()
            # The file's own earlier version, and its content under a name that is gone, are replaced by it.
            if source == file.source and name != file.name and digest != file.digest and weeks & self.weeks.get((source, name, digest), set())
        ]
        return repetition(self.staged, file, found.rows, others) if others else None

    def _counted_before(self, file: LandingFile, before: FileRecord | None) -> bool:
        """True for a version whose rows counted by its own name until now."""
        if before is None or before.accepted_at is None or before.status == "repeated":
            return False
        return file.identity not in renamed(self.known | {file.identity: before})

    def _noticed(self, file: LandingFile, found: FileRows) -> list[str]:
        """What is to be known about a file that was accepted: rows and values that wait, columns that are new or gone, what its rows leave open."""
        earlier = [
            record for (source, _, _), record in self.known.items() if source == file.source and record.status == "accepted" and record.columns
        ]
        notes = [] if found.counts.read else [f"It is empty: taken as no {file.source}."]
        if file.source == "shipments" and found.counts.read and found.counts.skipped == found.counts.read:
            notes.append(f"None of its {found.counts.read} rows is of {file.source}: see 'rows' in the provider YAML.")
        mapped = {name for spec in file.specs for name in spec.wanted(SOURCES[file.source])}
        if earlier and (new := [name for name in found.columns if name not in {*earlier[-1].columns, *mapped}]):
            notes.append(f"New columns {new} are not mapped and were left aside: map them in the provider YAML if they are wanted.")
        if found.absent:
            notes.append(f"Columns {list(found.absent)} are absent and were taken as empty.")
        notes += _waiting(found)
        if file.source in HISTORIED:
            notes += self._left(file, found)
        notes += found.notes
        if file.source == "events":
            notes += unlisted(found.rows, self.references(), self.provider)
        if file.source == "demographics" and file.identity == self.closing:
            others = [identity for identity in self.readable() if identity[0] == file.source and identity[1] != file.name]
            zips = {*found.rows["zip"].to_pylist(), *self.staged.read(file.source, others)["zip"].to_pylist()}
            notes += without_demographics(zips, self.references())
        if file.source == "stores":
            standing = {other.identity for other in self.files}
            notes += moves(self.lake, self.staged, found.rows, [identity for identity in self.readable() if identity not in standing])
        return notes

    def _contradicted(self, file: LandingFile, before: FileRecord | None, found: FileRows) -> list[str]:
        """Where files that replace each other arrive at the same time and say different things."""
        if file.source not in FACTS or before is not None or any(spec.duplicates == "sum" or spec.line_id is not None for spec in file.specs):
            return []
        regions_and_weeks = found.rows.select(["region", "week"]).group_by(["region", "week"]).aggregate([])
        others: dict[Identity, None] = {}
        for region, week in zip(regions_and_weeks["region"].to_pylist(), regions_and_weeks["week"].to_pylist(), strict=True):
            together = self.told.setdefault((file.source, region, week), [])
            others.update(dict.fromkeys(together))
            together.append(file.identity)
        told = contradiction(self.staged, file, found.rows, [*others]) if others else None
        return [told] if told else []

    def _left(self, file: LandingFile, found: FileRows) -> list[str]:
        """Which stores or products are in no list any more."""
        key = SOURCES[file.source].key[0]
        others = [identity for identity in self.readable() if identity[0] == file.source and identity[1] != file.name and self.staged.holds(identity)]
        rows = self.staged.read(file.source, others).select([key])
        listed = pa.concat_tables([rows, found.rows.select([key]).cast(rows.schema)])
        gone = sorted(set(left(self.lake, file.source, listed)[key].to_pylist()))
        if not gone:
            return []
        one, many = file.source.removesuffix("s"), len(gone) > 1
        named = f"{len(gone)} {file.source} are" if many else f"{one.capitalize()} {gone[0]} is"
        some = f" (like {', '.join(gone[:3])})" if many else ""
        stays = "they stay with their last known rows, and their" if many else "it stays with its last known row, and its"
        return [f"{named} no longer in the list of {file.source}{some}: {stays} history with {'them' if many else 'it'}. {_CUT_OFF}"]

    def _stays(self, file: LandingFile, before: FileRecord | None) -> str:
        """Why a version that was accepted is refused now, and that its rows stay."""
        if before is None or accepted_last(self.known | {file.identity: before}).get((file.source, file.name)) != file.identity:
            return ""
        settings = before.mapping != mapping_hash(self.provider, file)
        read, advice = ("settings", "the provider YAML") if settings else ("lists of stores and products", "the lists")
        return f" It was accepted with other {read} before: its rows of then stay until it is read without this fault. Correct {advice}, or the file."


def mapping_hash(provider: ProviderSpec, file: LandingFile) -> str:
    """Hash of the settings that a file is read with: when they change, it is looked at again."""
    settings = provider.model_dump_json(exclude={"sources", "description"}) + "".join(
        spec.model_dump_json(exclude={"counted", *HOW_FETCHED}) for spec in file.specs
    )
    top = landing_folder(file.path, file.name)
    settings += fingerprint(top, calendars_of(file.specs)) + lookups_fingerprint(file.specs, top, file.name)
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def _refuse_lost_regions(lake: Lake, file: LandingFile, present: set[str]) -> None:
    known = set(lake.read(STORES.name, columns="distinct region")["region"].to_pylist()) if lake.exists(STORES.name) else set()
    if lost := sorted(known - present):
        raise LandingFileRefused(
            f"{file.name}, column region: expected stores of every region that is known, but {lost} have none any more; new are "
            f"{sorted(present - known) or 'none'}. If one was renamed, map the new spelling to the old key under 'regions' in the provider YAML; "
            "if it was closed, keep its stores in the file."
        )


def _refused(counts: RowCounts) -> RowCounts:
    """Counts of a file that is refused or held: nothing of what was read went anywhere."""
    return RowCounts(counts.read, 0, 0, 0, 0, counts.records, counts.aside)


def _record(
    file: LandingFile, found: FileRows | None, counts: RowCounts, status: str, message: str | None, mapping: str, now: datetime
) -> dict[str, object]:
    """Row of `bronze/landing_files`."""
    return {
        "source": file.source,
        "source_file": file.name,
        "source_hash": file.digest,
        "bytes": file.size,
        "rows": found.rows.num_rows if found else 0,
        "rows_read": counts.read,
        "rows_skipped": counts.skipped,
        "rows_repeated": counts.repeated,
        "rows_quarantined": counts.quarantined,
        "rows_taken": counts.taken,
        "rows_refused": 0 if found else counts.read,
        "records": counts.records,
        "records_aside": counts.aside,
        "columns": ",".join(found.columns) if found else None,
        "counted": file.counted,
        "mapping": mapping,
        "status": status,
        "message": message,
        "registered_at": now,
    }


def _waiting(found: FileRows) -> list[str]:
    """How many rows are in quarantine or were taken in without a value, each with the first as an example."""
    counts, notes = found.counts, []
    for kept, count, one, many in (
        (False, counts.quarantined, "waits in quarantine", "wait in quarantine"),
        (True, counts.emptied, "counts without a value", "count without a value"),
    ):
        if count:
            first = found.quarantined.filter(pc.equal(found.quarantined["kept"], kept))["message"][0].as_py()
            notes.append(f"{count} of its {counts.read} rows {one if count == 1 else many}: {first}")
    return notes


def _quarantine_rows(file: LandingFile, rows: pa.Table, arrived_at: datetime) -> pa.Table:
    constants = {"source": file.source, "source_file": file.name, "source_hash": file.digest, "arrived_at": arrived_at}
    for name, value in constants.items():
        rows = rows.append_column(QUARANTINE[name].arrow, pa.repeat(pa.scalar(value, QUARANTINE[name].arrow.type), rows.num_rows))
    return Lake.conform(QUARANTINE, rows)


def _fingerprints(file: LandingFile, table: pa.Table, now: datetime) -> pa.Table:
    """Rows and an order-free hash for each slice of a file."""
    values = ", ".join(f'"{name}"' for name in table.column_names if name not in {field.name for field in DAYS})
    with open_database() as connection:
        connection.register("t", table)
        found = connection.execute(
            f"""
            select region, week, count(*)::bigint as rows, printf('%x', (sum(hash({values})) % 18446744073709551557)::ubigint) as fingerprint
            from t group by all order by all
            """
        ).to_arrow_table()
    constants = {"source": file.source, "source_file": file.name, "source_hash": file.digest, "registered_at": now}
    for name, value in constants.items():
        found = found.append_column(LANDING_SLICES[name].arrow, pa.repeat(pa.scalar(value, LANDING_SLICES[name].arrow.type), found.num_rows))
    return Lake.conform(LANDING_SLICES, found)


def _lines_elsewhere(staged: Staging, source: str, new: Sequence[Identity], others: Sequence[Identity], now: datetime) -> pa.Table:
    """Rows of `bronze/landing_slices` for the slices in which `others` have lines that `new` versions have in other slices."""
    with open_database() as connection:
        found = connection.execute(
            f"""
            select
                '{source}' as source, n.source_file, n.source_hash, o.region, o.week, count(distinct n.line_id)::bigint as rows,
                printf('moved %x', (sum(hash(n.line_id, n.region, n.week)) % 18446744073709551557)::ubigint) as fingerprint, $now as registered_at
            from ({staged.select(source, new)}) as n join ({staged.select(source, others)}) as o using (line_id)
            where (n.source_file, n.source_hash) <> (o.source_file, o.source_hash) and (n.region, n.week) <> (o.region, o.week)
            group by all order by all
            """,
            {"now": now},
        ).to_arrow_table()
    return Lake.conform(LANDING_SLICES, found)


def _with_moved(slices: pa.Table, moved: pa.Table) -> pa.Table:
    """One row for each file and slice, also where the file has rows of its own in a slice that it moves lines away from."""
    if not moved.num_rows:
        return slices
    with open_database() as connection:
        connection.register("slices", slices)
        connection.register("moved", moved)
        merged = connection.execute(
            """
            select * replace (sum(rows)::bigint as rows, string_agg(fingerprint, ' ' order by fingerprint) as fingerprint)
            from (from slices union all from moved) group by source, source_file, source_hash, region, week, registered_at order by all
            """
        ).to_arrow_table()
    return Lake.conform(LANDING_SLICES, merged)
