"""The files that stand in landing: finding and dropping them. Landing files are never changed here."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from transforms.adapters import FileSpec, ProviderSpec
from transforms.contracts import SOURCES
from transforms.errors import ConfigurationError
from transforms.lake import Lake

FACTS = tuple(name for name, contract in SOURCES.items() if contract.sliced)
REFERENCES = tuple(name for name, contract in SOURCES.items() if not contract.sliced)
Progress = Callable[[str], None]
Identity = tuple[str, str, str]
"""Source, file name and content hash: one version of a file as one source reads it."""


@dataclass(frozen=True, slots=True)
class LandingFile:
    """A file that stands in landing now, as one source reads it: by each of the mappings whose pattern it meets."""

    source: str
    specs: tuple[FileSpec, ...]
    path: Path
    name: str
    digest: str

    @property
    def identity(self) -> Identity:
        """Key in `bronze/landing_files`."""
        return self.source, self.name, self.digest

    @property
    def adds_up(self) -> bool:
        """True where what another file holds too counts twice."""
        return any(spec.adds_up for spec in self.specs)

    @property
    def counted(self) -> bool:
        """True where the provider says that the file counts, though it says what another file says."""
        return any(fnmatchcase(self.name, pattern) for spec in self.specs for pattern in spec.counted)


def folder(lake: Lake, provider: ProviderSpec) -> Path:
    """Where the provider's files are dropped."""
    return lake.path("landing", provider.name)


def scan(lake: Lake, provider: ProviderSpec) -> list[LandingFile]:
    """The files that stand in landing now, in the order of the sources, their mappings and the files' names."""
    top, found = folder(lake, provider), []
    for source, specs in provider.sources.items():
        readings: dict[Path, list[FileSpec]] = {}
        for spec in specs:
            for path in sorted(top.glob(spec.files)):
                there = readings.setdefault(path, [])
                # Patterns that overlap are no second mapping.
                if all(spec.model_copy(update={"files": other.files}) != other for other in there):
                    there.append(spec)
        found += [LandingFile(source, tuple(of), path, path.relative_to(top).as_posix(), _sha256(path)) for path, of in readings.items()]
    return found


def drop(lake: Lake, provider: ProviderSpec, source_dir: Path) -> list[Path]:
    """Copy the provider's files from a user's folder into landing, each in one step.

    Raises
    ------
    ConfigurationError
        If the folder is missing, or a source that forecasting needs has no file in it.
    """
    if not source_dir.is_dir():
        raise ConfigurationError(f"Landing folder {source_dir} does not exist: expected a folder with the files of provider {provider.name!r}.")
    copied: dict[Path, Path] = {}
    for source, specs in provider.sources.items():
        found = [path for spec in specs for path in sorted(source_dir.glob(spec.files))]
        if not found and source in {"stores", "products", "shipments"}:
            patterns = ", ".join(spec.files for spec in specs)
            raise ConfigurationError(f"{source_dir} holds no file for source {source!r} of provider {provider.name!r}: expected {patterns}.")
        copied.update({path: folder(lake, provider) / path.relative_to(source_dir) for path in found})
    for path, target in copied.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.part")
        shutil.copyfile(path, draft)
        draft.replace(target)
    return list(copied.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
