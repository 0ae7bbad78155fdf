"""The working copy on this machine of what a lake in an object store holds beside its tables. Tables are `transforms.lake.tables`' alone.

Files are read and written below `Lake.path` as if the root were a folder. Whoever reads calls `pulled` or `brought` before, whoever wrote calls
`push` after: the store holds what counts, and a machine that is lost takes nothing with it. An object is copied when it is not the one that was
copied last, as its tag tells. For a root that is a folder all of this is the file itself, and nothing is done.

A file that was written here and not pushed yet stays: what wrote it was interrupted, and pushes it when it is run again.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from transforms.errors import ConfigurationError, MissingData
from transforms.lake.remote.opening import SECONDS, store_at, told
from transforms.lake.tables import Lake
from transforms.stores.objects import NoObject, NotWritten, ObjectStore, StoredObject

_BESIDE = ("landing", "staged", "models", "reports", "provider", "truth")
_PROJECT = "shelfcast.yaml"
_FILES = ("backups.jsonl", "roles.yaml", _PROJECT)
"""What a store holds beside tables: all else below the working copy is this machine's own."""
_RESTORING = ".restoring"
"""Object that names the backup of which a store holds a part as yet."""
_TAGS = ".copied"
"""Folder with a note for each object that was copied: its tag, and the file that it became."""
_DRAFTS = (".part", ".tmp", ".lock")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the root: where it lies, or its copy would, on this machine; its bytes; when it was written last (seconds since 1970)."""

    path: Path
    size: int
    written: float

    def is_older(self, age: timedelta, now: float) -> bool:
        """Whether it was written last so long ago."""
        return now - self.written >= age.total_seconds()


def store_of(lake: Lake) -> ObjectStore:
    """The object store of a lake, opened; raise `ConfigurationError` where its settings cannot be right."""
    return store_at(lake.root, lake.storage_options)


def on_this_machine(lake: Lake, *parts: str) -> Iterator[Listed]:
    """All files below a folder of the root, or of its working copy."""
    for path in lake.path(*parts).rglob("*"):
        if path.is_file() and not path.is_symlink() and (found := _stat(path)) is not None:
            yield found


def listed(lake: Lake, *parts: str) -> Iterator[Listed]:
    """All files of the root below a folder, wherever it lies: of a store those that it holds."""
    if lake.is_local:
        yield from on_this_machine(lake, *parts)
        return
    with told(lake.root):
        for page in store_of(lake).pages("/".join(parts)):
            for one in page:
                if not one.key.endswith("/") and _is_path(one.key):
                    yield Listed(lake.path(*one.key.split("/")), one.size, one.modified.timestamp())


def look_again(lake: Lake, path: Path) -> Listed | None:
    """A file as it is now; None where it is gone. What is not in a store may be a draft on this machine."""
    if not lake.is_local:
        with told(lake.root):
            one = store_of(lake).find(_key(lake, path))
        if one is not None:
            return Listed(path, one.size, one.modified.timestamp())
    return _stat(path)


def unpushed(lake: Lake) -> list[Listed]:
    """Files of this machine that a store should hold and does not: what wrote them was interrupted. None of a root that is a folder."""
    if lake.is_local:
        return []
    found = [file for folder in _BESIDE for file in on_this_machine(lake, folder)]
    found += [file for name in _FILES if (file := _stat(lake.path(name))) is not None]
    return [file for file in found if not file.path.name.endswith(_DRAFTS) and not _is_copied(lake, _key(lake, file.path))]


def pulled(lake: Lake, *parts: str) -> Path:
    """A folder with all that the store holds below it now; what was taken away there is taken away here."""
    folder = lake.path(*parts)
    if lake.is_local:
        return folder
    with told(lake.root):
        store, listed = store_of(lake), set()
        for page in store.pages("/".join(parts)):
            for one in page:
                if not one.key.endswith("/") and _is_path(one.key):
                    listed.add(one.key)
                    _copy(lake, store, one)
    for note in sorted(path for path in lake.path(_TAGS, *parts).rglob("*") if path.is_file()):
        key = note.relative_to(lake.path(_TAGS)).as_posix()
        if key not in listed:
            _forget(lake, key)
    return folder


def brought(lake: Lake, *parts: str) -> Path:
    """A file as the store holds it now; it is not there where the store has none."""
    path = lake.path(*parts)
    if lake.is_local:
        return path
    key = "/".join(parts)
    with told(lake.root):
        store = store_of(lake)
        one = store.find(key)
        if one is None:
            _forget(lake, key)
        else:
            _copy(lake, store, one)
    return path


def push(lake: Lake, *paths: Path) -> None:
    """Put files into the store, each in one step, and of folders those that were written here."""
    if lake.is_local:
        return
    with told(lake.root):
        store = store_of(lake)
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and not file.name.endswith(_DRAFTS) and not _is_copied(lake, key := _key(lake, file)):
                    one = store.write(key, file)
                    _note(lake, key, one)


def remove(lake: Lake, paths: Sequence[Path]) -> None:
    """Take files away, here and in the store."""
    for path in paths:
        if not lake.is_local:
            with told(lake.root):
                store_of(lake).delete(_key(lake, path))
            _tag_file(lake, _key(lake, path)).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def holds_anything(lake: Lake, *parts: str) -> bool:
    """Whether anything is there below a folder."""
    if lake.is_local:
        return lake.path(*parts).exists()
    with told(lake.root):
        return any(page for page in store_of(lake).pages("/".join(parts)))


def table_folders(lake: Lake) -> list[tuple[str, str]]:
    """Layer and name of each table in the store."""
    with told(lake.root):
        keys = [one.key.split("/") for page in store_of(lake).pages("lake") for one in page]
    return sorted({(key[1], key[2]) for key in keys if len(key) > 3 and key[3] == "_delta_log"})


def pull_beside_tables(lake: Lake) -> None:
    """Bring everything that is no table up to date."""
    for folder in _BESIDE:
        pulled(lake, folder)
    for name in _FILES:
        brought(lake, name)


def push_everything(lake: Lake) -> None:
    """Put the whole of a working copy into an empty store: data before the logs that name them, and the project file, which makes it a lake, last."""
    files = [path for folder in ("lake", *_BESIDE) for path in lake.path(folder).rglob("*") if path.is_file()]
    push(lake, *sorted(files, key=lambda path: ("_delta_log" in path.parts, path)), *(lake.path(name) for name in _FILES))


def begin_restore(lake: Lake, backup: str) -> bool:
    """Mark a store as being restored from a backup, and return whether it was marked so before: a restore was cut off then.

    Raises
    ------
    ConfigurationError
        If there is anything else.
    """
    with told(lake.root):
        store = store_of(lake)
        if _half_restored(lake) == backup:
            return True
        refuse_half_restored(lake)
        if any(store.pages("")):
            raise ConfigurationError(f"{lake.root} is not empty: a backup is restored into a root that does not exist yet. Give another --root.")
        store.write(_RESTORING, backup.encode(), "absent")
    return False


def refuse_half_restored(lake: Lake) -> None:
    """Raise `ConfigurationError` where a store holds a part of a backup, since its restore was cut off or goes on."""
    if half := _half_restored(lake):
        raise ConfigurationError(
            f"{lake.root} holds what a restore of {half} left that was cut off, or goes on. Give that restore again with --backup {half}, or another "
            "--root."
        )


def _half_restored(lake: Lake) -> str:
    if lake.is_local:
        return ""
    with told(lake.root):
        store = store_of(lake)
        found = store.find(_RESTORING)
        return b"".join(store.read(found, SECONDS)).decode(errors="replace") if found is not None else ""


def end_restore(lake: Lake) -> None:
    """Take the mark away."""
    with told(lake.root):
        store_of(lake).delete(_RESTORING)


@lru_cache(maxsize=4)
def _probed(root: str, options: tuple[tuple[str, str], ...]) -> None:
    store, key = store_at(root, dict(options)), f".shelfcast-probe-{uuid4().hex}"
    first = store.write(key, b"1", "absent")
    try:
        for condition, where in (("If-None-Match", "absent"), ("If-Match", StoredObject(key, 1, first.modified, "0" * 32))):
            try:
                store.write(key, b"2", where)  # type: ignore[arg-type]
            except NotWritten:
                continue
            raise MissingData(
                f"{root}: the store at {store.endpoint} ignores {condition}: it overwrote an object that was to be written only under that "
                "condition. Two who change the lake at once would lose each other's work there without a word. Use a store with conditional "
                "writes (Amazon S3, SeaweedFS 4, MinIO), or a folder."
            )
    finally:
        store.delete(key)


def probe(lake: Lake) -> None:
    """Refuse a store that cannot keep two writers apart, or lets nobody in; once in a process. Folders can."""
    if not lake.is_local:
        with told(lake.root):
            _probed(lake.root.rstrip("/"), tuple(sorted(lake.storage_options.items())))


def _stat(path: Path) -> Listed | None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Listed(path, found.st_size, found.st_mtime)


def _copy(lake: Lake, store: ObjectStore, one: StoredObject) -> None:
    """Copy an object unless the file is that copy, or was changed here since."""
    path, noted = lake.path(*one.key.split("/")), _noted(lake, one.key)
    if noted is not None and noted["etag"] == one.etag and path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("wb") as copy:
            for chunk in store.read(one, SECONDS):
                copy.write(chunk)
        draft.replace(path)
    except NoObject:
        return
    finally:
        draft.unlink(missing_ok=True)
    _note(lake, one.key, one)


def _forget(lake: Lake, key: str) -> None:
    """Take away the copy of an object that is gone, unless the file was changed here since. Whether there is a lake the store alone says."""
    if key == _PROJECT or _is_copied(lake, key):
        lake.path(*key.split("/")).unlink(missing_ok=True)
    _tag_file(lake, key).unlink(missing_ok=True)


def _is_path(key: str) -> bool:
    """Whether a key can be a path below the working copy, and leads nowhere else."""
    return not any(part in {"", ".", ".."} or "\\" in part or "\0" in part for part in key.split("/"))


def _key(lake: Lake, path: Path) -> str:
    return path.relative_to(lake.path()).as_posix()


def _tag_file(lake: Lake, key: str) -> Path:
    return lake.path(_TAGS, *key.split("/"))


def _noted(lake: Lake, key: str) -> dict[str, str | int] | None:
    try:
        found: dict[str, str | int] = json.loads(_tag_file(lake, key).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return found


def _is_copied(lake: Lake, key: str) -> bool:
    """Whether the file is what the store held when it was copied last."""
    noted = _noted(lake, key)
    try:
        found = lake.path(*key.split("/")).stat()
    except OSError:
        return False
    return noted is not None and (noted["size"], noted["written"]) == (found.st_size, found.st_mtime_ns)


def _note(lake: Lake, key: str, one: StoredObject) -> None:
    found, note = lake.path(*key.split("/")).stat(), _tag_file(lake, key)
    note.parent.mkdir(parents=True, exist_ok=True)
    draft = note.with_name(f"{note.name}.{os.getpid()}.part")
    draft.write_text(json.dumps({"etag": one.etag, "size": found.st_size, "written": found.st_mtime_ns}))
    draft.replace(note)
