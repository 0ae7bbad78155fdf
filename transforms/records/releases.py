"""The record of releases, and how one is put into a lake whole: as a journal in one file first, then table by table, by whoever opens the lake next.

A lake takes part in a release from the moment at which its journal stands under its name: what comes after is done again until it is done, and no
reader of the project file gets past it. Before that moment the lake is as it was. What a release holds is for `orchestration.environments`.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from transforms.contracts.life_cycle import MODEL_EVENTS
from transforms.contracts.operations import RELEASES
from transforms.errors import ConfigurationError
from transforms.lake.lease import lease
from transforms.lake.remote.working_copy import brought, push, remove
from transforms.lake.tables import Lake
from transforms.records.model_registry import DeltaRegistry, ModelEvent, ModelVersion, decide, versions_named
from transforms.whole_files import write_whole

JOURNAL = "release.json"
"""File of the root that stands there while a release is put in."""
_finishing = threading.Lock()
"""A lease keeps other processes away, and the pages read for many persons in one."""


@dataclass(frozen=True, slots=True)
class Release:
    """One row of `gold/releases`."""

    release_id: str
    released_at: datetime
    source: str
    source_root: str
    target: str
    actor: str
    reason: str
    source_commit: str
    code_version: str
    settings: str
    models: str
    checks: str


@dataclass(frozen=True)
class Contents:
    """What a release puts into a lake: files of the root by name (text before, None where there was none, and after), and rows of the record.

    The actor of each event names the release, by which a second try finds them.
    """

    release: Release
    files: Mapping[str, tuple[str | None, str]]
    versions: Sequence[ModelVersion]
    events: Sequence[ModelEvent]


def put_in(lake: Lake, contents: Contents) -> None:
    """Put a release into a lake, whole or not at all; the caller holds the lease `decisions`.

    Raises
    ------
    ConfigurationError
        If a file of the root was edited since the release was made of it; nothing was changed.
    """
    for name, (before, _) in contents.files.items():
        if _now(lake, name) != before:
            raise ConfigurationError(f"{lake.address(name)} was edited meanwhile: give the command again. Nothing was changed.")
    journal = lake.path(JOURNAL)
    write_whole(journal, json.dumps(asdict(contents), default=_text), durable=True)
    push(lake, journal)
    finish(lake)


def finish(lake: Lake) -> None:
    """Do the rest of a release that was cut off, or is being put in by another process, which is waited for; nothing where there is none.

    Raises
    ------
    ConfigurationError
        If a file of the root was edited meanwhile.
    """
    if not brought(lake, JOURNAL).exists():
        return
    with _finishing, lease(lake, "decisions", "the rest of a release", lambda _: None):
        journal = brought(lake, JOURNAL)
        if not journal.exists():
            return
        contents = _read(json.loads(journal.read_text()))
        # All are looked at before any is written.
        for name, (before, after) in contents.files.items():
            _refuse_edited(lake, name, before, after)
        for name, (_, after) in contents.files.items():
            _write(lake, name, after)
        _record(lake, contents)
        remove(lake, [journal])


def releases(lake: Lake) -> list[Release]:
    """Every release on record, oldest first."""
    if not lake.exists(RELEASES.name):
        return []
    return [Release(**row) for row in lake.read(RELEASES.name).sort_by("released_at").select(RELEASES.names).to_pylist()]


def _record(lake: Lake, contents: Contents) -> None:
    """Append what is not on record yet: a first try may have ended after any of these commits."""
    known = {row["model_version"] for row in versions_named(lake, [version.model_version for version in contents.versions])}
    if new := [version for version in contents.versions if version.model_version not in known]:
        DeltaRegistry(lake).record(new, [])
    release = contents.release
    if not _has_events(lake, release.release_id):
        decide(lake, contents.events)
    if release.release_id not in {one.release_id for one in releases(lake)}:
        lake.append(RELEASES.name, pa.Table.from_pylist([asdict(release)], schema=RELEASES.schema), note=f"release {release.release_id}")


def _has_events(lake: Lake, release_id: str) -> bool:
    if not lake.exists(MODEL_EVENTS.name):
        return False
    return any(release_id in actor for actor in lake.read(MODEL_EVENTS.name, columns="distinct actor")["actor"].to_pylist())


def _refuse_edited(lake: Lake, name: str, before: str | None, after: str) -> None:
    if _now(lake, name) not in {before, after}:
        raise ConfigurationError(
            f"{lake.address(name)} was edited while a release was being put in, which {lake.address(JOURNAL)} holds: it would overwrite that. Put "
            f"the file of before back (SHA-256 {_digest(before)}; its text stands there too), after which any command puts the rest in; edit it then."
        )


def _now(lake: Lake, name: str) -> str | None:
    path = brought(lake, name)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _digest(text: str | None) -> str:
    return "of none: remove it" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(lake: Lake, name: str, text: str) -> None:
    push(lake, write_whole(lake.path(name), text))


def _text(value: date) -> str:
    return value.isoformat()


def _read(found: dict[str, Any]) -> Contents:
    files = {name: (before, after) for name, (before, after) in found["files"].items()}
    release = Release(**{**found["release"], "released_at": datetime.fromisoformat(found["release"]["released_at"])})
    times, days = ("trained_at", "event_time"), ("trained_week", "effective_week")

    def typed(row: dict[str, Any]) -> dict[str, Any]:
        read = {**dict.fromkeys(times, datetime.fromisoformat), **dict.fromkeys(days, date.fromisoformat)}
        return {name: read[name](value) if name in read else value for name, value in row.items()}

    versions = [ModelVersion(**typed(row)) for row in found["versions"]]
    return Contents(release, files, versions, [ModelEvent(**typed(row)) for row in found["events"]])
