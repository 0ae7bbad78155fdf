"""From object stores to files: which objects a provider asks for, and landing those that are new or changed, each byte for byte and in one step."""

import errno
import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from time import monotonic

from transforms.adapters import FileSpec, ProviderSpec
from transforms.adapters.beside.names import patterns_of
from transforms.errors import ConfigurationError
from transforms.fetching.keys import collisions, composed, objection, plain, printed
from transforms.fetching.outcome import Fetched
from transforms.fetching.remembered import Record, Remembered
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.landing.odd_files import NoFile, hashed
from transforms.patterns import WILD, meets
from transforms.stores.objects import NoObject, ObjectNotTaken, ObjectStore, StoredObject, StoreUnreachable, opened

_SAVE_SECONDS = 5
_GIVE_UP = 3
"""Objects one after the other that could not be read: the store is not asked for the others, which would take as long each."""
_MOST_NAMED = 20
_IN_THE_WAY = (FileExistsError, NotADirectoryError, IsADirectoryError)


@dataclass
class _Fetching:
    """One fetch of one provider."""

    lake: Lake
    provider: ProviderSpec
    record: Record
    found: Fetched
    progress: Callable[[str], None]
    claimed: dict[str, str] = field(default_factory=dict)
    """Names that stand for an object of a store that came before."""
    task: str = ""
    """What it is at, as progress tells it."""
    saved: float = field(default_factory=monotonic)
    told: float = field(default_factory=monotonic)

    @property
    def top(self) -> Path:
        """The landing folder."""
        return folder(self.lake, self.provider)

    def save(self, now: bool = False) -> None:
        """Keep the record, every few seconds or `now`: an interruption costs little."""
        if now or monotonic() > self.saved + _SAVE_SECONDS:
            self.record.save(self.lake, self.provider)
            self.saved = monotonic()

    def tell_bytes(self, done: int, size: int) -> None:
        """Tell how far a large object has come, once a second."""
        if monotonic() > self.told + 1:
            self.progress(f"{self.task}: {done:,} of {size:,} bytes")
            self.told = monotonic()


def fetch_objects(lake: Lake, provider: ProviderSpec, value_of: Callable[[str], str], progress: Callable[[str], None], found: Fetched) -> None:
    """Copy the objects that the provider's patterns meet into landing; what cannot be fetched stays as it stands there."""
    specs = [(store, spec) for specs in provider.sources.values() for spec in specs if (store := provider.store_of(spec)) is not None]
    if not specs:
        return
    record = Record.load(lake, provider)
    if record is None and any(path.is_file() for path in folder(lake, provider).rglob("*")):
        found.noticed.append("No record of earlier fetches from a store can be read: all objects are read and compared with the files in landing.")
    fetching = _Fetching(lake, provider, record or Record(), found, progress)
    for address in dict.fromkeys(store for store, _ in specs):
        of_store = [spec for store, spec in specs if store == address]
        try:
            _fetch_store(fetching, opened(address, value_of, max(spec.timeout for spec in of_store)), of_store)
        except (StoreUnreachable, ConfigurationError) as problem:
            found.left_out.append(f"{address}: {problem} What was fetched from it stays.")
        finally:
            fetching.save(now=True)


def _fetch_store(fetching: _Fetching, store: ObjectStore, specs: Iterable[FileSpec]) -> None:
    patterns = {pattern: spec.timeout for spec in specs for pattern in patterns_of(spec)}
    listed = list(_listed(store, patterns, fetching.progress))
    wanted = _named(fetching, store, listed, patterns)
    if not any(_met(patterns, plain(one.key)) for one in listed):
        fetching.found.left_out.append(
            f"{store.address}: expected objects like {', '.join(patterns)}, came {len(listed):,} of which none is. Correct 'store' or 'files' in the "
            "provider YAML."
        )
    failed = 0
    for number, (name, one) in enumerate(sorted(wanted.items()), start=1):
        if _stands(fetching, store, name, one):
            continue
        fetching.task = f"fetching {name} from {store.address} ({number:,} of {len(wanted):,})"
        fetching.progress(fetching.task)
        try:
            _take(fetching, store, name, one, next(seconds for pattern, seconds in patterns.items() if meets(pattern, name)))
            failed = 0
        except NoObject:
            continue
        except (ObjectNotTaken, StoreUnreachable) as problem:
            fetching.found.left_out.append(f"{name} stayed as fetched before: {problem}")
            failed += isinstance(problem, StoreUnreachable)
        if failed == _GIVE_UP:
            raise StoreUnreachable(
                f"{_GIVE_UP} objects one after the other could not be read, so the other {len(wanted) - number:,} were not asked for."
            )
        fetching.save()
    _tell_vanished(fetching, store, {composed(one.key) for one in listed}, patterns)


def _listed(store: ObjectStore, patterns: Iterable[str], progress: Callable[[str], None]) -> Iterator[StoredObject]:
    """Everything below the folders that the patterns begin with."""
    count = 0
    for below in _folders(patterns):
        for page in store.pages(below):
            count += len(page)
            progress(f"listing {store.address}: {count:,} objects")
            yield from page


def _folders(patterns: Iterable[str]) -> list[str]:
    # Letters that can be written in two ways might be written in the other one there.
    fixed = {tuple(takewhile(lambda part: part.isascii() and not WILD & set(part), PurePosixPath(pattern).parts[:-1])) for pattern in patterns}
    return sorted("/".join(parts) for parts in fixed if not any(parts[:length] in fixed for length in range(len(parts))))


def _met(patterns: Iterable[str], name: str) -> bool:
    return any(meets(pattern, name) for pattern in patterns)


def _named(fetching: _Fetching, store: ObjectStore, listed: Iterable[StoredObject], patterns: Iterable[str]) -> dict[str, StoredObject]:
    """The objects that are asked for, by their names in landing; keys that cannot be names there are told."""
    against: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, list[StoredObject]] = defaultdict(list)
    for one in listed:
        if not _met(patterns, plain(one.key)) or (one.key.endswith("/") and not one.size):
            continue
        if reason := objection(one.key):
            against[reason].append(one.key)
        else:
            by_name[composed(one.key)].append(one)
    wanted = {}
    clashes = collisions(by_name, fetching.record.objects.keys() & by_name.keys())
    for name, ones in by_name.items():
        # A folder is marked by an object of its name without a byte.
        found = [one for one in ones if one.size or name not in clashes]
        exact = found if len(found) == 1 else [one for one in found if one.key == name]
        if reason := clashes.get(name) or _taken(fetching, store, name):
            against[reason] += [one.key for one in found]
            continue
        against["another object has a key that is written alike"] += [one.key for one in found if one not in exact or len(exact) > 1]
        if len(exact) == 1:
            wanted[name] = exact[0]
            fetching.claimed[name] = store.address
            if exact[0].key != name:
                fetching.found.noticed.append(
                    f"{printed(exact[0].key)} in {store.address} has letters and their marks apart: it is {name!r} in landing."
                )
    for reason, keys in against.items():
        told = [f"{printed(key)} in {store.address} was not fetched: {reason}. Give the object another key." for key in sorted(keys)]
        fetching.found.left_out.extend(told[:_MOST_NAMED])
        if len(told) > _MOST_NAMED:
            fetching.found.left_out.append(
                f"{len(told) - _MOST_NAMED:,} more objects in {store.address} were not fetched for the same reason: {reason}."
            )
    return wanted


def _taken(fetching: _Fetching, store: ObjectStore, name: str) -> str | None:
    """What else stands under a name in landing."""
    if (other := fetching.claimed.get(name, store.address)) != store.address:
        return f"an object of {other} has the same key, and so the same name in landing"
    queries = (spec for specs in fetching.provider.sources.values() for spec in specs if spec.query is not None)
    return "a query is snapshotted under that name in landing" if any(meets(spec.files, name) for spec in queries) else None


def _stands(fetching: _Fetching, store: ObjectStore, name: str, one: StoredObject) -> bool:
    """Whether an object was fetched as it is now and need not be read: its file is there, also where somebody changed it since."""
    before = fetching.record.objects.get(name)
    if before is None or (before.store, before.key, before.etag, before.size, before.modified) != (
        store.address, one.key, one.etag, one.size, one.modified,
    ):  # fmt: skip
        return False
    try:
        found = (fetching.top / name).stat()
        if (found.st_size, found.st_mtime_ns) != (before.size, before.written):
            if hashed(fetching.top / name, fetching.top) != before.sha256:
                fetching.found.noticed.append(
                    f"{name} was changed in landing after it was fetched from {store.address}, and stays so. Delete it to have the object again, "
                    "or put the corrected file into the store."
                )
                return True
            fetching.record.objects[name] = before.model_copy(update={"written": found.st_mtime_ns})
    except (OSError, NoFile):
        return False
    fetching.found.unchanged.append(name)
    return True


def _take(fetching: _Fetching, store: ObjectStore, name: str, one: StoredObject, seconds: int) -> None:
    """Land an object under its name in one step; a file that holds the same already is left as it is."""
    target, drafts = fetching.top / name, fetching.top.parent
    # Drafts lie on the same disk, where no pattern finds what an interruption leaves.
    draft, digest = drafts / ".fetched.part", hashlib.sha256()
    drafts.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("wb") as copy:
            for chunk in store.read(one, seconds):
                digest.update(chunk)
                copy.write(chunk)
                fetching.tell_bytes(copy.tell(), one.size)
        standing = _standing(target, fetching.top)
        if standing == digest.hexdigest():
            fetching.found.unchanged.append(name)
        else:
            _put(draft, target, fetching.top)
            fetching.found.written.append(name)
            before = fetching.record.objects.get(name)
            if standing is not None and (before is None or standing != before.sha256):
                fetching.found.noticed.append(
                    f"{name} stood in landing with a content that was not fetched: that of {store.address} is in its place."
                )
        fetching.record.objects[name] = Remembered(
            store=store.address, key=one.key, etag=one.etag, size=one.size, modified=one.modified, sha256=digest.hexdigest(),
            written=target.stat().st_mtime_ns,
        )  # fmt: skip
    finally:
        draft.unlink(missing_ok=True)


def _standing(target: Path, top: Path) -> str | None:
    """SHA-256 of what stands under a name now."""
    with suppress(NoFile):
        return hashed(target, top)
    return None


def _put(draft: Path, target: Path, top: Path) -> None:
    inside = top.resolve()
    try:
        if not target.parent.resolve().is_relative_to(inside):
            raise ObjectNotTaken(f"{target.parent} is a link that leads out of the landing folder. Remove it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(target)
    except _IN_THE_WAY:
        raise ObjectNotTaken(f"something else stands in its way at {target}: a file where it needs a folder, or a folder. Remove that.") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ObjectNotTaken("its key is too long for a name in landing. Give the object another key.") from None


def _tell_vanished(fetching: _Fetching, store: ObjectStore, listed: Collection[str], patterns: Mapping[str, int]) -> None:
    """Say which objects are no longer there: what they held was delivered, and their files stay."""
    gone = []
    for name, before in sorted(fetching.record.objects.items()):
        if before.store != store.address or name in listed or not _met(patterns, name):
            continue
        if (fetching.top / name).exists():
            gone.append(name)
        else:
            del fetching.record.objects[name]
    if gone:
        more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
        stays = "their files stay" if len(gone) > 1 else "its file stays"
        fetching.found.noticed.append(f"{gone[0]}{more}: no longer in {store.address}; {stays} in landing, since what was delivered is history.")
