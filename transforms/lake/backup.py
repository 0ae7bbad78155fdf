"""Backup and restore of a lake root: content-addressed copies of its files, and a manifest for each backup.

A vault (see `transforms.lake.vaults`) holds file contents, each once however many backups hold it, and manifests `<time>-<sha256>.json`. A Delta
table is copied as of one version: its log up to there, and every data file that the log tells of, so that past versions stay readable. SQLite files
are copied through SQLite, so that a running UI does not matter. Contents go first and the manifest last, each under another name until it is whole:
what is half-written is never taken for a backup, and a restored root appears at once or not at all.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transforms.errors import AuditFailed, ConfigurationError, MissingData
from transforms.lake.delta_log import data_files, log_files, read_log
from transforms.lake.remote.working_copy import begin_restore, end_restore, probe, pull_beside_tables, pulled, push_everything, table_folders
from transforms.lake.tables import Lake
from transforms.lake.vaults import Vault

FORMAT = 1
_SKIPPED = (".part", ".tmp", ".lock", "-wal", "-shm", "-journal", ".token")
"""Drafts, locks, sessions of a UI that runs, and what SQLite keeps beside its files while they are open."""
OUTBOX = ".openlineage"
"""Folder of what this machine is about to send: files that come and go, and whose copy elsewhere would be sent once more."""
_MACHINES_OWN = frozenset({".copied", ".machine", OUTBOX})
"""What a working copy knows of its store, its name, and what it sends."""
_SQLITE = b"SQLite format 3\0"
_LAST_COMMIT_FIRST = ("gold", "silver", "bronze")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the root: its path below the root, SHA-256 of its content, bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A manifest.

    Attributes
    ----------
    name
        Its file name without `.json`: the time, and the start of its own SHA-256.
    tables
        Delta version of each table.
    heads
        Table -> version and link of its hash chain, for a check after the lake is gone.
    last_commit
        Time of the newest commit that it holds: what was done later is lost with the lake.
    """

    name: str
    made_at: datetime
    root: str
    entries: tuple[Entry, ...]
    tables: dict[str, int]
    heads: dict[str, tuple[int, str]]
    last_commit: datetime | None


@dataclass(frozen=True, slots=True)
class Copied:
    """Result of a backup: files and bytes that were new, and those that an earlier backup had."""

    backup: Backup
    new_files: int
    new_bytes: int


def back_up(lake: Lake, vault: Vault, heads: dict[str, tuple[int, str]], now: datetime) -> Copied:
    """Copy what is new of a lake's root and write a manifest.

    Parameters
    ----------
    heads
        Where the hash chains stand, taken before the call: the tables that are copied then hold at least that.

    Raises
    ------
    ConfigurationError
        If the vault lies inside the root, or the root inside it.
    """
    vault.refuse_overlap(lake)
    root = gather(lake).resolve()
    if not root.is_dir():
        raise MissingData(f"{root} does not exist: there is nothing to back up.")
    tables, entries, new_files, new_bytes = {}, [], 0, 0
    newest: datetime | None = None
    with vault.staging() as staging:
        for table, files, version, time in _tables(root):
            tables[table] = version
            newest = time if newest is None else max(newest, time)
            for path in files:
                entry, is_new = _keep(root, path, vault, Path(staging))
                entries.append(entry)
                new_files, new_bytes = new_files + is_new, new_bytes + is_new * entry.size
        for path in _others(root):
            entry, is_new = _keep(root, path, vault, Path(staging))
            entries.append(entry)
            new_files, new_bytes = new_files + is_new, new_bytes + is_new * entry.size
    named = str(root) if lake.is_local else lake.root
    backup = _write_manifest(vault, now, named, sorted(entries, key=lambda entry: entry.path), tables, heads, newest)
    return Copied(backup, new_files, new_bytes)


def gather(lake: Lake) -> Path:
    """The root as a folder of this machine: for a lake in a store its working copy, brought up to date as far as the store has come.

    In the order in which tables are copied: one that is gathered later holds at least what an earlier one names.
    """
    if not lake.is_local:
        for layer, name in sorted(table_folders(lake), key=lambda table: (_LAST_COMMIT_FIRST.index(table[0]), _tells_of_others(Path(table[1])))):
            pulled(lake, "lake", layer, name)
        pull_beside_tables(lake)
    return lake.path()


def restore_lake(vault: Vault, backup: Backup, lake: Lake) -> str:
    """`restore` for a root that is a folder or lies in an object store: there it has to hold nothing yet, or what a restore left that was cut off.

    Returns
    -------
    str
        Where what this machine had of a root in a store lies now; empty where it had nothing.
    """
    aside = ""
    if not lake.is_local:
        probe(lake)
        again = begin_restore(lake, backup.name)
        aside = _put_aside(lake.path().resolve(), again)
    restore(vault, backup, lake.path())
    if not lake.is_local:
        push_everything(lake)
        end_restore(lake)
    return aside


def _put_aside(copy: Path, again: bool) -> str:
    """Make room for the working copy of a lake that is restored: its store holds nothing of it, and this machine may have its run history still."""
    if not copy.is_dir() or not any(copy.iterdir()):
        return ""
    if again:
        shutil.rmtree(copy)
        return ""
    aside = copy.with_name(f"{copy.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    copy.replace(aside)
    return str(aside)


def read_backup(vault: Vault, name: str | None = None) -> Backup:
    """Read a manifest, the latest where no name is given, and verify it.

    Raises
    ------
    MissingData
        If there is no such backup.
    AuditFailed
        If the manifest is not as it was written.
    """
    known = vault.manifests()
    if not known or (name is not None and name not in known):
        there = f": it holds {', '.join(known)}" if known else ""
        raise MissingData(f"{vault.address} holds no backup{f' {name!r}' if name else ''}{there}. 'shelfcast backup --to FOLDER' makes one.")
    chosen = name or known[-1]
    content = vault.manifest(chosen)
    if not chosen.endswith(hashlib.sha256(content).hexdigest()[:12]):
        raise AuditFailed(f"Manifest {chosen} in {vault.address} is damaged: its content does not hash to its name. {_earlier(known, chosen)}")
    try:
        found = json.loads(content)
        if found["format"] != FORMAT:
            raise AuditFailed(f"Backup {chosen} has layout {found['format']}, expected {FORMAT}: restore it with the Shelfcast that made it.")
        return Backup(
            chosen,
            datetime.fromisoformat(found["made_at"]),
            found["root"],
            _entries(found["entries"]),
            found["tables"],
            {table: (version, link) for table, (version, link) in found["heads"].items()},
            datetime.fromisoformat(found["last_commit"]) if found["last_commit"] else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AuditFailed(
            f"Manifest {chosen} in {vault.address} is none that 'shelfcast backup' wrote ({error}). Nothing was restored. {_earlier(known, chosen)}"
        ) from error


def _entries(written: Sequence[dict[str, Any]]) -> tuple[Entry, ...]:
    """Read the files of a manifest. Its name is made of its content, so that anybody can name one that he made up: each path is looked at."""
    entries, paths = tuple(Entry(**one) for one in written), set[str]()
    for entry in entries:
        if entry.path in paths or "\0" in entry.path or any(part in {"", ".", ".."} for part in entry.path.split("/")):
            raise ValueError(f"expected paths below the root, each once, came {entry.path!r}")
        if not re.fullmatch("[0-9a-f]{64}", entry.sha256) or not isinstance(entry.size, int) or entry.size < 0:
            raise ValueError(f"expected SHA-256 and bytes of {entry.path!r}, came {entry.sha256!r} and {entry.size!r}")
        paths.add(entry.path)
    return entries


def restore(vault: Vault, backup: Backup, root: Path) -> None:
    """Make `root` from a backup; every file is verified as it is copied, and the root appears only when all of them are there.

    Raises
    ------
    ConfigurationError
        If there is something at `root` already.
    AuditFailed
        If a content is missing or damaged; nothing is left behind then.
    """
    root = root.resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(
            f"{root} is not empty: a backup is restored into a root that does not exist yet. Move it away, or give another --root."
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{root.name}.restoring-", dir=root.parent) as staging:
        restored, wrong = Path(staging) / "root", []
        for entry in backup.entries:
            place = restored / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            if reason := _fetch(vault, entry, place):
                wrong.append(f"{entry.path} {reason}")
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise AuditFailed(f"Backup {backup.name} is damaged: {wrong[0]}{more}. Nothing was restored. {_earlier(vault.manifests(), backup.name)}")
        restored.mkdir(exist_ok=True)
        if root.exists():
            root.rmdir()
        restored.replace(root)


def damage(vault: Vault, backup: Backup) -> list[str]:
    """Files of a backup whose content is missing or not what was copied, without restoring anything."""
    with vault.staging() as staging:
        copy = Path(staging) / "object"
        return [f"{entry.path} {reason}" for entry in backup.entries if (reason := _fetch(vault, entry, copy))]


def _tables(root: Path) -> Iterator[tuple[str, list[Path], int, datetime]]:
    """Each Delta table with its files as of its present version, that version and its time.

    Gold comes first and bronze last, and the ledgers before what they tell of: a table that is copied later holds at least what an earlier one names.
    """
    folders = [path.parent for layer in _LAST_COMMIT_FIRST for path in sorted((root / "lake" / layer).glob("*/_delta_log"))]
    for folder in sorted(folders, key=_tells_of_others):
        commits = read_log(folder)
        if not commits:
            continue
        last = commits[-1]
        # A file that only a past version names may have been vacuumed away; one of the present version may not.
        gone = {name for commit in commits for name in commit.removed}
        names = data_files(commits)
        if lost := sorted(name for name in names - gone if not (folder / name).is_file()):
            raise AuditFailed(f"{folder}: data file {lost[0]} of version {last.version} is gone: restore it from an earlier backup first.")
        files = [*log_files(folder, last.version), *(folder / name for name in sorted(names) if (folder / name).is_file())]
        yield f"{folder.parent.name}/{folder.name}", files, last.version, last.time


def _tells_of_others(folder: Path) -> int:
    """Heads tell of events, events of versions."""
    return {"audit_heads": 0, "forecasts": 1, "order_plan": 1, "accuracy": 1}.get(folder.name, 2 if folder.name.endswith("_events") else 3)


def _others(root: Path) -> Iterator[Path]:
    """Every other file: landing, models, reports, project file, run history."""
    tables = {path.parent for path in (root / "lake").glob("*/*/_delta_log")}
    for folder, folders, names in os.walk(root):
        directory = Path(folder)
        folders[:] = sorted(name for name in folders if directory / name not in tables and name not in _MACHINES_OWN)
        for name in sorted(names):
            path = directory / name
            if path.is_file() and not path.is_symlink() and name not in _MACHINES_OWN and not name.endswith(_SKIPPED):
                yield path


def _keep(root: Path, path: Path, vault: Vault, staging: Path) -> tuple[Entry, bool]:
    """Copy a file's content where it is new; its hash is that of the copy, so a file that changes meanwhile does no harm."""
    source = path
    if _starts_with(path, _SQLITE):
        source = staging / "sqlite"
        source.unlink(missing_ok=True)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as live, closing(sqlite3.connect(source)) as copy:
            live.backup(copy)
    draft = staging / "object"
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, draft.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
    name = digest.hexdigest()
    is_new = not vault.holds(name, size)
    if is_new:
        vault.keep(name, draft)
    return Entry(path.relative_to(root).as_posix(), name, size), is_new


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as reader:
        return reader.read(len(mark)) == mark


def _fetch(vault: Vault, entry: Entry, place: Path) -> str:
    """Copy a content to its place; return what is wrong with it."""
    digest = hashlib.sha256()
    try:
        with place.open("wb") as writer:
            for chunk in vault.read(entry.sha256):
                digest.update(chunk)
                writer.write(chunk)
    except MissingData as missing:
        return f"has no content any more (expected {missing})"
    return "" if digest.hexdigest() == entry.sha256 else f"was SHA-256 {entry.sha256[:12]}..., its content is {digest.hexdigest()[:12]}... now"


def _write_manifest(
    vault: Vault,
    now: datetime,
    root: str,
    entries: Sequence[Entry],
    tables: dict[str, int],
    heads: dict[str, tuple[int, str]],
    last_commit: datetime | None,
) -> Backup:
    content = json.dumps(
        {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "root": root,
            "last_commit": last_commit.isoformat() if last_commit else None,
            "tables": tables,
            "heads": heads,
            "entries": [asdict(entry) for entry in entries],
        },
        indent=1,
        sort_keys=True,
    ).encode()
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{hashlib.sha256(content).hexdigest()[:12]}"
    vault.add_manifest(name, content)
    return Backup(name, now, root, tuple(entries), tables, heads, last_commit)


def _earlier(known: Sequence[str], chosen: str) -> str:
    before = [name for name in known if name < chosen]
    return f"Take an earlier one with --backup: {', '.join(before[-3:])}." if before else "There is no earlier one in this folder."
