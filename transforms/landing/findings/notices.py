"""What is to be known about a file that is accepted."""

import pyarrow as pa
import pyarrow.compute as pc

from transforms.adapters import FileRows
from transforms.contracts import SOURCES
from transforms.landing.files import FACTS, Identity, LandingFile
from transforms.landing.findings.moves import moves
from transforms.landing.findings.repetition import contradiction
from transforms.landing.findings.unmatched import unlisted, without_demographics
from transforms.landing.ledger import HISTORIED, FileRecord, left
from transforms.landing.look import Look

_CUT_OFF = "If the file was cut off, drop it again whole."


def noticed(look: Look, file: LandingFile, found: FileRows) -> list[str]:
    """What is to be known about a file that was accepted: rows and values that wait, columns that are new or gone, what its rows leave open."""
    earlier = [record for (source, *_), record in look.known.items() if source == file.source and record.status == "accepted" and record.columns]
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
        notes += _left(look, file, found)
    notes += found.notes
    if file.source == "events":
        notes += unlisted(found.rows, look.references(), look.provider)
    if file.source == "demographics" and file.identity == look.closing:
        zips = {*found.rows["zip"].to_pylist(), *look.staged.read(file.source, look.others(file))["zip"].to_pylist()}
        notes += without_demographics(zips, look.references())
    if file.source == "stores":
        standing = {other.identity for other in look.files}
        notes += moves(look.lake, look.staged, found.rows, [identity for identity in look.readable() if identity not in standing])
    return notes


def contradicted(look: Look, file: LandingFile, before: FileRecord | None, found: FileRows) -> list[str]:
    """Where files that replace each other arrive at the same time and say different things."""
    if file.source not in FACTS or before is not None or any(spec.duplicates == "sum" or spec.line_id is not None for spec in file.specs):
        return []
    regions_and_weeks = found.rows.select(["region", "week"]).group_by(["region", "week"]).aggregate([])
    others: dict[Identity, None] = {}
    for region, week in zip(regions_and_weeks["region"].to_pylist(), regions_and_weeks["week"].to_pylist(), strict=True):
        together = look.told.setdefault((file.source, region, week), [])
        others.update(dict.fromkeys(together))
        together.append(file.identity)
    told = contradiction(look.staged, file, found.rows, [*others]) if others else None
    return [told] if told else []


def _left(look: Look, file: LandingFile, found: FileRows) -> list[str]:
    """Which stores or products are in no list any more."""
    key = SOURCES[file.source].key[0]
    others = [identity for identity in look.others(file) if look.staged.holds(identity)]
    rows = look.staged.read(file.source, others).select([key])
    listed = pa.concat_tables([rows, found.rows.select([key]).cast(rows.schema)])
    gone = sorted(set(left(look.lake, file.source, listed)[key].to_pylist()))
    if not gone:
        return []
    one, many = file.source.removesuffix("s"), len(gone) > 1
    named = f"{len(gone)} {file.source} are" if many else f"{one.capitalize()} {gone[0]} is"
    some = f" (like {', '.join(gone[:3])})" if many else ""
    stays = "they stay with their last known rows, and their" if many else "it stays with its last known row, and its"
    return [f"{named} no longer in the list of {file.source}{some}: {stays} history with {'them' if many else 'it'}. {_CUT_OFF}"]


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
