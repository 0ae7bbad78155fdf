"""A rehearsal of taking a folder in: the very same look at landing, on a lake in a temporary folder, and what becomes of each file.

The user's folder is read and never written to, and no lake but the temporary one is touched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transforms.adapters import FileSpec, ProviderSpec
from transforms.contracts import SOURCES
from transforms.contracts.bronze import LANDING_FILES, QUARANTINE
from transforms.drafting.comparison import remarks_of
from transforms.drafting.folders import refuse_no_folder
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing import Unfound, register, scan, unfound
from transforms.landing.ledger import accepted_last, records, staging

_FIRST_ROWS = 3
_EXAMPLES = 3


@dataclass(frozen=True)
class FileOutcome:
    """One file as one source: what became of its records, and why."""

    source: str
    name: str
    status: str
    message: str | None
    records: int
    aside: int
    taken: int
    repeated: int
    skipped: int
    quarantined: int
    unmapped: tuple[str, ...]


@dataclass(frozen=True)
class QuarantineRule:
    """A rule that rows break: how many, and the first few as they are told."""

    source: str
    rule: str
    rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """What a provider file makes of a folder."""

    files: tuple[FileOutcome, ...] = ()
    first_rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Source -> first rows of its first file, as mapped; columns without a value left out."""
    rules: tuple[QuarantineRule, ...] = ()
    unmatched: tuple[Unfound, ...] = ()
    """Files that no pattern finds."""
    absent: dict[str, str] = field(default_factory=dict)
    """Sources for which there is no file -> the patterns that find none."""
    fetched: dict[str, str] = field(default_factory=dict)
    """Sources for which there is no file here -> where `shelfcast fetch` has them from."""
    remarks: tuple[str, ...] = ()
    """What does not match or looks odd, though every row is right by itself."""

    @property
    def refused(self) -> list[FileOutcome]:
        """The files that would not be taken in."""
        return [file for file in self.files if file.status in {"refused", "held", "not looked at"}]

    @property
    def passes(self) -> bool:
        """Whether everything could be taken in."""
        return not self.refused and not any(SOURCES[source].needed for source in self.absent)


def check(provider: ProviderSpec, folder: Path, progress: Callable[[str], None]) -> Check:
    """Look at a folder's files as landing would.

    Raises
    ------
    ConfigurationError
        If the folder is missing.
    """
    refuse_no_folder(folder, f"Landing folder {folder} does not exist: expected a folder with the files of provider {provider.name!r}.")
    with TemporaryDirectory(prefix="shelfcast-check-") as scratch:
        lake = Lake(scratch)
        landing = lake.path("landing", provider.name)
        landing.parent.mkdir(parents=True)
        landing.symlink_to(folder.resolve(), target_is_directory=True)
        files = scan(lake, provider)
        result = register(lake, provider, datetime.now(UTC), progress)
        noticed = {(notice.source, notice.source_file): notice.message for notice in (*result.noticed, *result.refused)}
        rows = {(row["source"], row["source_file"]): row for row in _records(lake)}
        outcomes = [_outcome(file.source, file.name, file.specs, rows.get((file.source, file.name)), noticed) for file in files]
        counting = accepted_last(records(lake)).values()
        staged = staging(lake, provider)
        progress("comparing sources with each other")
        return Check(
            tuple(outcomes),
            _first_rows(staged.select, counting),
            tuple(_rules(lake)),
            tuple(unfound(folder, provider)),
            _absent(provider, {file.source for file in files}),
            _fetched(provider, {file.source for file in files}),
            tuple(remarks_of(lambda source, days: staged.select(source, [one for one in counting if one[0] == source], days), provider)),
        )


def _records(lake: Lake) -> list[dict[str, Any]]:
    return list(lake.read(LANDING_FILES.name).to_pylist()) if lake.exists(LANDING_FILES.name) else []


def _outcome(source: str, name: str, specs: Sequence[FileSpec], row: dict[str, Any] | None, noticed: dict[tuple[str, str], str]) -> FileOutcome:
    if row is None:
        told = "It was not looked at: facts are checked against stores, and none were read."
        return FileOutcome(source, name, "not looked at", told, 0, 0, 0, 0, 0, 0, ())
    columns = [column for column in (row["columns"] or "").split(",") if column]
    used = {column for spec in specs for column in (*spec.used(columns), *spec.melted(columns))}
    unmapped = tuple(column for column in columns if column not in used)
    taken, repeated, skipped, quarantined = (row[f"rows_{end}"] or 0 for end in ("taken", "repeated", "skipped", "quarantined"))
    message = noticed.get((source, name), row["message"])
    aside = row["records_aside"] or 0
    return FileOutcome(source, name, row["status"], message, row["records"] or 0, aside, taken, repeated, skipped, quarantined, unmapped)


def _first_rows(select: Callable[..., str], counting: Sequence[tuple[str, str, str]] | Any) -> dict[str, list[dict[str, Any]]]:
    first: dict[str, tuple[str, str, str]] = {}
    for identity in sorted(counting):
        first.setdefault(identity[0], identity)
    shown = {}
    with open_database() as connection:
        for source, identity in first.items():
            names = SOURCES[source].names
            rows = connection.execute(f"select {', '.join(names)} from ({select(source, [identity])}) limit {_FIRST_ROWS}").fetchall()
            filled = [name for position, name in enumerate(names) if any(row[position] is not None for row in rows)]
            shown[source] = [{name: value for name, value in zip(names, row, strict=True) if name in filled} for row in rows]
    return {source: shown[source] for source in SOURCES if source in shown}


def _rules(lake: Lake) -> list[QuarantineRule]:
    if not lake.exists(QUARANTINE.name):
        return []
    found: dict[tuple[str, str], list[str]] = {}
    for row in lake.read(QUARANTINE.name).sort_by([("source_file", "ascending"), ("row", "ascending")]).to_pylist():
        found.setdefault((row["source"], row["rule"]), []).append(row["message"])
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return [QuarantineRule(source, rule, len(messages), tuple(messages[:_EXAMPLES])) for (source, rule), messages in ordered]


def _absent(provider: ProviderSpec, present: set[str]) -> dict[str, str]:
    """Sources without a file; those that are fetched are none of them."""
    return {
        source: ", ".join(spec.files for spec in specs)
        for source, specs in provider.sources.items()
        if source not in present and not any(map(provider.is_fetched, specs))
    }


def _fetched(provider: ProviderSpec, present: set[str]) -> dict[str, str]:
    """Sources without a file that are fetched, each with where from."""
    return {
        source: ", ".join(dict.fromkeys(provider.store_of(spec) or f"the database in {spec.database}" for spec in specs if provider.is_fetched(spec)))
        for source, specs in provider.sources.items()
        if source not in present and any(map(provider.is_fetched, specs))
    }
