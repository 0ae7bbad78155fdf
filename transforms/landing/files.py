"""The files that stand in landing: finding, reading and dropping them. Landing files are never changed here."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from transforms.adapters import FileSpec, ProviderSpec, References, read_file
from transforms.contracts import CONTRACTS, SOURCES
from transforms.errors import ConfigurationError
from transforms.lake import Lake

FACTS = tuple(name for name, contract in SOURCES.items() if contract.sliced)
REFERENCES = tuple(name for name, contract in SOURCES.items() if not contract.sliced)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LandingFile:
    """A file that stands in landing now, as one source reads it."""

    source: str
    spec: FileSpec
    path: Path
    name: str
    digest: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Key in `bronze/landing_files`."""
        return self.source, self.name, self.digest


def folder(lake: Lake, provider: ProviderSpec) -> Path:
    """Where the provider's files are dropped."""
    return lake.path("landing", provider.name)


def scan(lake: Lake, provider: ProviderSpec) -> list[LandingFile]:
    """The files that stand in landing now. The same content under two names counts once, under the name that sorts first."""
    top, found, seen = folder(lake, provider), [], set()
    for source, specs in provider.sources.items():
        for spec in specs:
            for path in sorted(top.glob(spec.files)):
                file = LandingFile(source, spec, path, path.relative_to(top).as_posix(), _sha256(path))
                if (source, file.digest) not in seen:
                    seen.add((source, file.digest))
                    found.append(file)
    return found


def read_references(provider: ProviderSpec, files: Sequence[LandingFile]) -> References:
    """Read stores and products from landing.

    Raises
    ------
    LandingFileRefused
        If one of them is refused: no fact can be checked then.
    """
    return References(reference_table(provider, "stores", files), reference_table(provider, "products", files))


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


def reference_table(provider: ProviderSpec, source: str, files: Iterable[LandingFile]) -> pa.Table:
    """A reference source as its files in landing tell it, with lineage; empty where there is none."""
    contract = CONTRACTS[f"bronze/{source}"]
    tables = [with_lineage(read_file(provider, source, file.spec, file.path, file.name, None), file) for file in files if file.source == source]
    return pa.concat_tables(tables) if tables else contract.schema.empty_table()


def with_lineage(table: pa.Table, file: LandingFile) -> pa.Table:
    """Add the columns that say which file, in which version, each row came from."""
    for name, value in (("source_file", file.name), ("source_hash", file.digest)):
        table = table.append_column(name, pa.repeat(pa.scalar(value), table.num_rows))
    return table


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
