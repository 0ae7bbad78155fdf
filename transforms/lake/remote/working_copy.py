"""The working copy on this machine of what a lake in an object store holds beside its tables. Tables are `transforms.lake.tables`' alone.

Files are read and written below `Lake.path` as if the root were a folder. Whoever reads calls `pulled` or `brought` before, whoever wrote calls
`push` after: the store holds what counts, and a machine that is lost takes nothing with it. An object is copied when it is not the one that was
copied last, as its tag tells. For a root that is a folder all of this is the file itself, and nothing is done.

A file that was written here and not pushed yet stays: what wrote it was interrupted, and pushes it when it is run again.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake
from transforms.stores.objects import NoObject, NotWritten, ObjectNotTaken, ObjectStore, StoredObject, StoreUnreachable, opened

_SECONDS = 600
"""How long one object may take."""
_BESIDE = ("landing", "staged", "models", "reports", "provider")
_FILES = ("backups.jsonl", "shelfcast.yaml")
"""What a store holds beside tables: all else below the working copy is this machine's own."""
_TAGS = ".copied"
"""Folder with a note for each object that was copied: its tag, and the file that it became."""
_DRAFTS = (".part", ".tmp", ".lock")


def store_of(lake: Lake) -> ObjectStore:
    """The object store of a lake, opened; raise `ConfigurationError` where its settings cannot be right."""
    options = tuple(sorted(lake.storage_options.items()))
    with told(lake):
        return _opened(lake.root.rstrip("/"), options)


@lru_cache(maxsize=4)
def _opened(root: str, options: tuple[tuple[str, str], ...]) -> ObjectStore:
    held = dict(options)
    return opened(root, lambda name: held.get(name, ""), _SECONDS, "--root or SHELFCAST_ROOT", "Run the command again")


@contextmanager
def told(lake: Lake) -> Iterator[None]:
    """Turn what a store cannot do into the sentence of a user's error."""
    try:
        yield
    except (StoreUnreachable, ObjectNotTaken) as problem:
        raise ConfigurationError(f"{lake.root}: {problem}") from None


def pulled(lake: Lake, *parts: str) -> Path:
    """A folder with all that the store holds below it now; what was taken away there is taken away here."""
    folder = lake.path(*parts)
    if lake.is_local:
        return folder
    with told(lake):
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
    with told(lake):
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
    with told(lake):
        store = store_of(lake)
        for path in paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if file.is_file() and not file.name.endswith(_DRAFTS) and not _is_copied(lake, key := _key(lake, file)):
                    one = store.write(key, file)
                    _note(lake, key, one)


def remove(lake: Lake, paths: list[Path]) -> None:
    """Take files away, here and in the store."""
    for path in paths:
        if not lake.is_local:
            with told(lake):
                store_of(lake).delete(_key(lake, path))
            _tag_file(lake, _key(lake, path)).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def holds_anything(lake: Lake, *parts: str) -> bool:
    """Whether anything is there below a folder."""
    if lake.is_local:
        return lake.path(*parts).exists()
    with told(lake):
        return any(page for page in store_of(lake).pages("/".join(parts)))


def table_folders(lake: Lake) -> list[tuple[str, str]]:
    """Layer and name of each table in the store."""
    with told(lake):
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


@lru_cache(maxsize=4)
def _probed(root: str, options: tuple[tuple[str, str], ...]) -> None:
    store, key = _opened(root, options), f".shelfcast-probe-{uuid4().hex}"
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
        with told(lake):
            _probed(lake.root.rstrip("/"), tuple(sorted(lake.storage_options.items())))


def _copy(lake: Lake, store: ObjectStore, one: StoredObject) -> None:
    """Copy an object unless the file is that copy, or was changed here since."""
    path, noted = lake.path(*one.key.split("/")), _noted(lake, one.key)
    if noted is not None and noted["etag"] == one.etag and path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("wb") as copy:
            for chunk in store.read(one, _SECONDS):
                copy.write(chunk)
        draft.replace(path)
    except NoObject:
        return
    finally:
        draft.unlink(missing_ok=True)
    _note(lake, one.key, one)


def _forget(lake: Lake, key: str) -> None:
    """Take away the copy of an object that is gone, unless the file was changed here since."""
    if _is_copied(lake, key):
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
