"""Reading the files of one look at landing, and putting on record what became of each. Which files are looked at is decided in `register`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import FileRows, References, RefusedWhole, RowCounts
from transforms.contracts.bronze import LANDING_FILES, LANDING_SLICES, QUARANTINE
from transforms.errors import LandingFileRefused
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, Identity, LandingFile, Progress
from transforms.landing.findings import contradicted, held, noticed, refuse_conflicts, refuse_emptied, refuse_unmapped, stays
from transforms.landing.ledger import FileNotice, FileRecord, accepted_last
from transforms.landing.look import Look
from transforms.landing.odd_files import written_otherwise
from transforms.landing.readings import WrittenWhileRead, read_all
from transforms.landing.slices import emptied, fingerprints, moved, with_moved

_NOTHING = RowCounts(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Registration:
    """Result of a look at landing: versions of files that were accepted, what was noticed about them, those that were refused, and files that are
    still being written.
    """

    accepted: list[LandingFile] = field(default_factory=list)
    refused: list[FileNotice] = field(default_factory=list)
    noticed: list[FileNotice] = field(default_factory=list)
    growing: list[FileNotice] = field(default_factory=list)


@dataclass
class Registrar:
    """Reads files of landing one after the other and collects what goes on record."""

    look: Look
    progress: Progress
    result: Registration = field(default_factory=Registration)
    rows: list[dict[str, object]] = field(default_factory=list)
    slices: list[pa.Table] = field(default_factory=list)
    quarantined: dict[tuple[str, str], pa.Table] = field(default_factory=dict)

    def at(self, file: LandingFile, references: References | None) -> None:
        """Read one file and keep what became of it."""
        self.progress(f"reading {file.name} as {file.source}")
        before = self.look.known.pop(file.identity, None)
        arrived_at = before.arrived_at if before else self.look.now
        found, message, counts = None, None, _NOTHING
        try:
            found = read_all(self.look.provider, file, self._with_deliveries(file, references), arrived_at, self.look.mappings.lookups)
            counts = found.counts
            refuse_emptied(self.look, file, found)
            refuse_unmapped(self.look, file, before, found)
            refuse_conflicts(self.look, file, found)
        except WrittenWhileRead as error:
            self.leave(file, str(error), before)
            return
        except LandingFileRefused as error:
            found, message = None, f"{error}{stays(self.look, file, before)}"
            counts = error.counts if isinstance(error, RefusedWhole) else counts
            self.result.refused.append(FileNotice(file.source, file.name, message))
        status = "accepted" if found else "refused"
        if found is not None and (waits := held(self.look, file, before, found)):
            found, message, status = None, waits, "held"
            self.result.refused.append(FileNotice(file.source, file.name, message))
        if found is not None:
            message = " ".join([*noticed(self.look, file, found), *contradicted(self.look, file, before, found)]) or None
            self.result.accepted.append(file)
            if message:
                self.result.noticed.append(FileNotice(file.source, file.name, message))
            self.look.staged.write(file.identity, found.rows, arrived_at)
            if file.source in FACTS:
                self.slices.append(fingerprints(file, found.rows, self.look.now) if found.rows.num_rows else emptied(self.look, file))
                self.look.weeks[file.identity] = {*found.rows["week"].to_pylist()}
            self.quarantined[file.source, file.name] = _quarantine_rows(file, found.quarantined, arrived_at)
        self._keep(file, before, found, counts if found else _refused(counts), status, message)

    def leave(self, file: LandingFile, message: str, before: FileRecord | None = None) -> None:
        """Leave a file that is still being written to a later look: what was read may be half of one content and half of another."""
        if before is not None:
            self.look.known[file.identity] = before
        self.result.growing.append(FileNotice(file.source, file.name, message))

    def _with_deliveries(self, file: LandingFile, references: References | None) -> References | None:
        if references is None or not any(spec.net_to_last_delivery for spec in file.specs):
            return references
        return replace(references, deliveries=self.look.deliveries)

    def _keep(
        self,
        file: LandingFile,
        before: FileRecord | None,
        found: FileRows | None,
        counts: RowCounts,
        status: str,
        message: str | None,
    ) -> None:
        mapping = self.look.mappings.of(file)
        columns = found.columns if found else ()
        arrived_at = before.arrived_at if before else self.look.now
        accepted_at = self.look.now if found else before.accepted_at if before else None
        self.look.known[file.identity] = FileRecord(
            status, message, counts.quarantined, columns, mapping, arrived_at, self.look.now, accepted_at, file.counted
        )
        self.rows.append(_record(file, found, counts, status, message, mapping, self.look.now))

    def repeats(self, file: LandingFile, other: str) -> None:
        """Keep that a file has the content of another one."""
        advice = ", or name this one under 'counted' in the provider YAML if they are two deliveries" if file.adds_up else ""
        before = accepted_last(self.look.known).get((file.source, file.name))
        withdrawn = " What the file said before holds no longer once that one is taken in." if before not in {None, file.identity} else ""
        message = f"It has the same content as {other}: it counts once.{written_otherwise(file.name, other)}{withdrawn} Remove one of them{advice}."
        self.result.noticed.append(FileNotice(file.source, file.name, message))
        self._keep(file, self.look.known.pop(file.identity, None), None, _NOTHING, "repeated", message)

    def when_back(self, versions: Sequence[Identity]) -> None:
        """Keep that versions of facts whose files were cleared away have to be read again once they stand again: with no settings on record."""
        standing, last = {file.identity for file in self.look.files}, {*accepted_last(self.look.known).values()}
        waiting = {
            identity
            for identity in versions
            if identity[0] in FACTS
            and identity not in standing
            and self.look.known[identity].mapping is not None
            # Of the accepted ones others are new in any case when they come back.
            and (identity in last or self.look.known[identity].status == "refused")
        }
        if not waiting:
            return
        looks = self.look.lake.read(LANDING_FILES.name).sort_by("registered_at").to_pylist()
        latest = {(row["source"], row["source_file"], row["source_hash"]): row for row in looks}
        self.rows += [{**latest[identity], "mapping": None, "registered_at": self.look.now} for identity in sorted(waiting)]

    def write(self) -> None:
        """Put everything on record. Slices first: a crash in between leaves files that are simply looked at again."""
        if self.slices:
            self.look.lake.append(LANDING_SLICES.name, with_moved(pa.concat_tables(self.slices), moved(self.look, self.result.accepted)))
        self._write_quarantine()
        if self.rows:
            self.look.lake.append(LANDING_FILES.name, pa.Table.from_pylist(self.rows, schema=LANDING_FILES.schema))

    def _write_quarantine(self) -> None:
        """Replace the rows of the files that were taken in; files that merely stand, are refused or were cleared away keep theirs."""
        if not self.quarantined:
            return
        standing = self.look.lake.read_or_empty(QUARANTINE.name)
        keys = pc.binary_join_element_wise(standing["source"], standing["source_file"], " ")
        kept = standing.filter(pc.invert(pc.is_in(keys, pa.array([f"{source} {name}" for source, name in self.quarantined]))))
        rows = pa.concat_tables([kept, *self.quarantined.values()])
        if rows.num_rows or standing.num_rows or not self.look.lake.exists(QUARANTINE.name):
            self.look.lake.overwrite(QUARANTINE.name, rows)


def _refused(counts: RowCounts) -> RowCounts:
    """Counts of a file that is refused or held: nothing of what was read went anywhere."""
    return RowCounts(counts.read, 0, 0, 0, 0, counts.records, counts.aside)


def _record(
    file: LandingFile, found: FileRows | None, counts: RowCounts, status: str, message: str | None, mapping: str | None, now: datetime
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


def _quarantine_rows(file: LandingFile, rows: pa.Table, arrived_at: datetime) -> pa.Table:
    constants = {"source": file.source, "source_file": file.name, "source_hash": file.digest, "arrived_at": arrived_at}
    for name, value in constants.items():
        rows = rows.append_column(QUARANTINE[name].arrow, pa.repeat(pa.scalar(value, QUARANTINE[name].arrow.type), rows.num_rows))
    return Lake.conform(QUARANTINE, rows)
