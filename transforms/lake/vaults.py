"""Where backups are kept: a folder, or a place in an object store. What a backup is made of is `transforms.lake.backup`'s.

A vault holds `objects/<aa>/<sha256>` and `manifests/<name>.json`. Each is there under its name when it is whole, and not before.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from transforms.errors import ConfigurationError, MissingData
from transforms.lake.remote.opening import SECONDS, told
from transforms.lake.tables import Lake
from transforms.stores.objects import ObjectStore, StoredObject, opened

_CHUNK = 1 << 20


def vault_at(place: str, options: Mapping[str, str]) -> "Vault":
    """The vault at a folder or an address; `options` hold an object store's keys by the names of their variables."""
    return FolderVault(Path(place)) if "://" not in place else StoreVault(place, options)


class Vault(ABC):
    """A place with backups."""

    address: str
    """As messages name it."""
    place: str
    """As the record of backups names it, from wherever it is read."""

    @abstractmethod
    def refuse_overlap(self, lake: Lake) -> None:
        """Raise `ConfigurationError` if the vault lies inside the lake's root, or the root inside it."""

    @abstractmethod
    def staging(self) -> AbstractContextManager[str]:
        """A temporary folder for what is about to be kept here, or is read from here."""

    @abstractmethod
    def holds(self, sha256: str, size: int) -> bool:
        """Whether the content is here already."""

    @abstractmethod
    def keep(self, sha256: str, file: Path) -> None:
        """Move a file of `staging` here, as the content of that hash."""

    @abstractmethod
    def read(self, sha256: str) -> Iterator[bytes]:
        """Stream a content; raise `MissingData` with the place where it should be if it is not here."""

    @abstractmethod
    def manifests(self) -> list[str]:
        """Names of the manifests, oldest first."""

    @abstractmethod
    def manifest(self, name: str) -> bytes:
        """A manifest that is here."""

    @abstractmethod
    def add_manifest(self, name: str, content: bytes) -> None:
        """Keep a manifest: with it what was kept before becomes a backup."""


class FolderVault(Vault):
    """A vault that is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.address, self.place = str(folder), str(self._folder)

    def refuse_overlap(self, lake: Lake) -> None:
        """See `Vault`."""
        if not lake.is_local:
            return
        root = lake.path().resolve()
        if self._folder.is_relative_to(root) or root.is_relative_to(self._folder):
            raise ConfigurationError(
                f"Backup folder {self._folder} and lake root {root} lie inside each other: choose a folder elsewhere, best on another disk."
            )

    def staging(self) -> AbstractContextManager[str]:
        """See `Vault`; on the same disk, so that what is kept needs a new name alone."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=".staging-", dir=self._folder)

    def holds(self, sha256: str, size: int) -> bool:
        """See `Vault`."""
        place = self._place(sha256)
        return place.exists() and place.stat().st_size == size

    def keep(self, sha256: str, file: Path) -> None:
        """See `Vault`."""
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)

    def read(self, sha256: str) -> Iterator[bytes]:
        """See `Vault`."""
        place = self._place(sha256)
        if not place.is_file():
            raise MissingData(str(place))
        with place.open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                yield chunk

    def manifests(self) -> list[str]:
        """See `Vault`."""
        return sorted(path.stem for path in (self._folder / "manifests").glob("*.json"))

    def manifest(self, name: str) -> bytes:
        """See `Vault`."""
        return (self._folder / "manifests" / f"{name}.json").read_bytes()

    def add_manifest(self, name: str, content: bytes) -> None:
        """See `Vault`."""
        folder = self._folder / "manifests"
        folder.mkdir(exist_ok=True)
        draft = folder / f".{name}.part"
        with draft.open("wb") as writer:
            writer.write(content)
            writer.flush()
            os.fsync(writer.fileno())
        draft.replace(folder / f"{name}.json")

    def _place(self, sha256: str) -> Path:
        return self._folder / "objects" / sha256[:2] / sha256


class StoreVault(Vault):
    """A vault in an object store. What it holds is listed once, when it is first asked."""

    def __init__(self, address: str, options: Mapping[str, str]) -> None:
        self.address = self.place = address.rstrip("/")
        with told(self.address):
            self._store: ObjectStore = opened(
                self.address, lambda name: options.get(name, ""), SECONDS, "the address of the backup", "Run the command again"
            )

    def refuse_overlap(self, lake: Lake) -> None:
        """See `Vault`."""
        here, root = f"{self.address}/", f"{lake.root.rstrip('/')}/"
        if here.startswith(root) or root.startswith(here):
            raise ConfigurationError(
                f"Backup {self.address} and lake root {lake.root} lie inside each other: choose an address elsewhere, best in another bucket."
            )

    def staging(self) -> AbstractContextManager[str]:
        """See `Vault`."""
        return TemporaryDirectory(prefix="shelfcast-backup-")

    def holds(self, sha256: str, size: int) -> bool:
        """See `Vault`."""
        found = self._contents.get(sha256)
        return found is not None and found.size == size

    def keep(self, sha256: str, file: Path) -> None:
        """See `Vault`."""
        with told(self.address):
            self._contents[sha256] = self._store.write(_key(sha256), file)

    def read(self, sha256: str) -> Iterator[bytes]:
        """See `Vault`."""
        if sha256 not in self._contents:
            raise MissingData(f"{self.address}/{_key(sha256)}")
        with told(self.address):
            yield from self._store.read(self._contents[sha256], SECONDS)

    def manifests(self) -> list[str]:
        """See `Vault`."""
        return sorted(name.removesuffix(".json") for name in self._below("manifests") if name.endswith(".json"))

    def manifest(self, name: str) -> bytes:
        """See `Vault`."""
        with told(self.address):
            return b"".join(self._store.read(self._below("manifests")[f"{name}.json"], SECONDS))

    def add_manifest(self, name: str, content: bytes) -> None:
        """See `Vault`."""
        with told(self.address):
            self._store.write(f"manifests/{name}.json", content, "absent")

    @cached_property
    def _contents(self) -> dict[str, StoredObject]:
        return self._below("objects")

    def _below(self, folder: str) -> dict[str, StoredObject]:
        """The objects below a folder, by the last part of their keys."""
        with told(self.address):
            return {one.key.rpartition("/")[2]: one for page in self._store.pages(folder) for one in page}


def _key(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"
