"""Why a file is refused or waits although its rows are right in themselves: it says again what another says, or nothing where there was something."""

from transforms.adapters import FileRows
from transforms.contracts import SOURCES
from transforms.contracts.bronze import STORES
from transforms.errors import LandingFileRefused
from transforms.lake.tables import Lake
from transforms.landing.files import FACTS, LandingFile
from transforms.landing.findings.line_numbers import restarted
from transforms.landing.findings.repetition import repetition
from transforms.landing.ledger import FileRecord, accepted_last
from transforms.landing.look import Look

_SOME = 20
"""Files of a source that show whether it tells days, or whether its line numbers start again in each file."""


def refuse_emptied(look: Look, file: LandingFile, found: FileRows) -> None:
    """Refuse a file without a byte that had rows: it looks like a transfer that failed."""
    last = accepted_last(look.known).get((file.source, file.name))
    if found.columns or last is None or not look.staged.holds(last):
        return
    if rows := look.staged.read(file.source, [last]).num_rows:
        instead = "the header alone" if file.specs[0].format == "csv" else "its rows with a quantity of 0"
        raise LandingFileRefused(
            f"{file.name}: expected rows of {file.source!r}, of which it held {rows} before, came an empty file. Drop it again whole; "
            f"if nothing of them holds, drop {instead}."
        )


def refuse_unmapped(look: Look, file: LandingFile, before: FileRecord | None, found: FileRows) -> None:
    """Refuse a version whose rows count and of which other settings take none."""
    if found.rows.num_rows or before is None or (before.mapping == look.mappings.of(file) and before.status != "refused"):
        return
    if not look.counts_last(file, before) or not look.staged.holds(file.identity):
        return
    if rows := look.staged.read(file.source, [file.identity]).num_rows:
        raise LandingFileRefused(
            f"{file.name}: expected rows of {file.source!r}, of which it held {rows} before; of its {found.counts.read} rows none is taken now."
        )


def refuse_conflicts(look: Look, file: LandingFile, found: FileRows) -> None:
    """Refuse a reference file that says again what another file says, and stores that leave a known region empty."""
    if file.source in FACTS:
        return
    standing = look.staged.read(file.source, look.others(file))
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
        _refuse_lost_regions(look.lake, file, {*found.rows["region"].to_pylist(), *standing["region"].to_pylist()})


def held(look: Look, file: LandingFile, before: FileRecord | None, found: FileRows) -> str | None:
    """Why a file that was never accepted waits for a person."""
    lines = any(spec.line_columns for spec in file.specs)
    if not (file.adds_up or lines) or file.counted or look.counted_by_name(file, before):
        return None
    if lines:
        return restarted(look.staged, file, found.rows, [identity for identity in look.others(file) if look.staged.holds(identity)][-_SOME:])
    weeks = {*found.rows["week"].to_pylist()}
    # The file's own earlier version, and its content under a name that is gone, are replaced by it.
    known = [identity for identity in look.others(file) if identity[2] != file.digest]
    others = [identity for identity in known if weeks & look.weeks.get(identity, set())]
    return repetition(look.staged, file, found.rows, others, known[-_SOME:]) if others else None


def stays(look: Look, file: LandingFile, before: FileRecord | None) -> str:
    """Why a version that was accepted is refused now, and that its rows stay."""
    if before is None or not look.counts_last(file, before):
        return ""
    settings = before.mapping != look.mappings.of(file)
    read, advice = ("settings", "the provider YAML") if settings else ("lists of stores and products", "the lists")
    return f" It was accepted with other {read} before: its rows of then stay until it is read without this fault. Correct {advice}, or the file."


def _refuse_lost_regions(lake: Lake, file: LandingFile, present: set[str]) -> None:
    known = set(lake.read(STORES.name, columns="distinct region")["region"].to_pylist()) if lake.exists(STORES.name) else set()
    if lost := sorted(known - present):
        raise LandingFileRefused(
            f"{file.name}, column region: expected stores of every region that is known, but {lost} have none any more; new are "
            f"{sorted(present - known) or 'none'}. If one was renamed, map the new spelling to the old key under 'regions' in the provider YAML; "
            "if it was closed, keep its stores in the file."
        )
