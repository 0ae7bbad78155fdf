"""The files that stand in landing: finding and dropping them. Landing files are never changed here."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transforms.adapters import FileSpec, ProviderSpec
from transforms.adapters.beside.names import patterns_beside
from transforms.adapters.formats.contents import COMPRESSED
from transforms.adapters.spec import path_values
from transforms.contracts import SOURCES
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import pulled, push
from transforms.lake.tables import Lake
from transforms.landing.odd_files import WRITTEN, NoFile, State, hashed_at, identity_of, opened, printable, unfound, unfound_told
from transforms.patterns import find, matches

FACTS = tuple(name for name, contract in SOURCES.items() if contract.sliced)
REFERENCES = tuple(name for name, contract in SOURCES.items() if not contract.sliced)
NEEDED = frozenset(name for name, contract in SOURCES.items() if contract.needed)
"""Sources without a file of which nothing can be forecast."""
_COPY_WORDS = (
    "copy|kopie|copie|copia|kopia|corrected|correction|corr|korrigiert|korrektur|korr|corrige|corregido|final|new|neu|revised|revision|rev|"
    "updated|update|fixed|fix|version|v"
)
_COPY = re.compile(rf"([ _.-]*\(\d{{1,3}}\)|[ _.-]+\(?({_COPY_WORDS})\)?[ _.-]*\d{{0,3}}|[ _-]\d)+$")
_COPY_OF = re.compile(r"^(copy|kopie|copie|copia)( \(\d{1,3}\))? (of|von|de|di) ")
"""What programs and people add to the name of a copy or of a correction, in small letters."""
Progress = Callable[[str], None]
_UPLOAD_ENDS = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".upload", ".uploading")
_UPLOAD_STARTS = ".in."
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
    """SHA-256 of its content, with what its name tells where the provider reads that (`path`), or what stands for it where it cannot be read (see
    `transforms.landing.odd_files`).
    """
    size: int
    fault: str | None = None
    """Why it cannot be read at all."""
    state: State | None = None
    """State of the file whose content has the digest; None of one that cannot be read."""

    @property
    def identity(self) -> Identity:
        """Key in `bronze/landing_files`."""
        return self.source, self.name, self.digest

    @property
    def adds_up(self) -> bool:
        """True where what another file holds too counts twice."""
        return any(spec.adds_up for spec in self.specs)

    @property
    def is_written(self) -> bool:
        """True where somebody still writes it, or has put another one in its place since it was hashed."""
        return self.fault == WRITTEN or (self.state is not None and self.state != _state_of(self.path))

    @property
    def counted(self) -> bool:
        """True where the provider says that the file counts, though it says what another file says."""
        return any(matches(pattern, self.name) for spec in self.specs for pattern in spec.counted)


def folder(lake: Lake, provider: ProviderSpec) -> Path:
    """Where the provider's files are dropped; of a lake that reads another one's landing there."""
    return lake.landing.path("landing", provider.name)


def refuse_borrowed(lake: Lake) -> None:
    """Raise `ConfigurationError` where the landing folder is another lake's, into which nothing is ever written."""
    if lake.borrows_landing:
        raise ConfigurationError(
            f"{lake.root} reads the landing files of {lake.landing.root} and writes nothing there: drop or fetch them into that lake, or take "
            "'landing' out of the profile."
        )


def scan(lake: Lake, provider: ProviderSpec) -> list[LandingFile]:
    """The files that stand in landing now, in the order of the sources, their mappings and the files' names; copies after what they are copies of."""
    top, found = pulled(lake.landing, "landing", provider.name), []
    for source, specs in provider.sources.items():
        readings: dict[Path, list[FileSpec]] = {}
        for spec in specs:
            for path in copies_last(find(top, spec.files)):
                if _is_upload(path.name, spec.files):
                    continue
                there = readings.setdefault(path, [])
                # Patterns that overlap are no second mapping.
                if all(spec.model_copy(update={"files": other.files, "store": other.store}) != other for other in there):
                    there.append(spec)
        found += [_landing_file(source, tuple(of), path, top) for path, of in readings.items()]
    return found


def copies_last(paths: Iterable[Path]) -> list[Path]:
    """Sort paths by name, those that are named like a copy or a correction of another one (`s (1).csv`, `S.csv`, `s_v2.csv` of `s.csv`) behind it.

    Of those that say again what others say the first one counts; of names that differ in the case of letters alone that is the older one.
    """
    alike: dict[tuple[Path, str, str], list[tuple[int, str, int, Path]]] = {}
    for path in sorted(paths):
        stem, ending = path.name.casefold(), ""
        for _ in range(2 if path.suffix.lower() in COMPRESSED else 1):
            stem, dot, last = stem.rpartition(".") if "." in stem else (stem, "", "")
            ending = dot + last + ending
        plain = _COPY.sub("", _COPY_OF.sub("", stem)) or stem
        alike.setdefault((path.parent, plain, ending), []).append((len(stem) - len(plain), path.name.casefold(), _modified(path), path))
    return [path for group in alike.values() for *_, path in sorted(group)]


def _modified(path: Path) -> int:
    """When a file was written; what is none any more comes first, and is told by who reads it."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_upload(name: str, pattern: str) -> bool:
    """A name that uploading programs give a file until it is whole, where the provider does not ask for such names."""
    return name.startswith(_UPLOAD_STARTS) or (name.lower().endswith(_UPLOAD_ENDS) and not pattern.lower().endswith(_UPLOAD_ENDS))


def _state_of(path: Path) -> State | None:
    try:
        return State.of(path.stat())
    except OSError:
        return None


def still_written(files: Sequence[LandingFile], quiet: float) -> list[LandingFile]:
    """Those among the files that do not stay as they are for `quiet` seconds after they were written last; waits for so long at most."""
    now = time.time()
    ages = [now - file.state.modified / 1e9 for file in files if file.state is not None]
    if fresh := [age for age in ages if 0 <= age < quiet]:
        time.sleep(quiet - min(fresh))
    return [file for file in files if file.is_written]


def _landing_file(source: str, specs: tuple[FileSpec, ...], path: Path, top: Path) -> LandingFile:
    name = printable(path.relative_to(top))
    try:
        digest, state = hashed_at(path, top)
        return LandingFile(source, specs, path, name, _with_name(digest, specs, name) if state.size else digest, state.size, state=state)
    except NoFile as problem:
        return LandingFile(source, specs, path, name, *identity_of(path, name, str(problem)), fault=str(problem))


def _with_name(digest: str, specs: Sequence[FileSpec], name: str) -> str:
    """Two regions' files may hold the same and be no copies: where a name tells something, that is part of the content."""
    told = [path_values(spec.path, name) for spec in specs if spec.path is not None]
    return hashlib.sha256(f"{digest} {json.dumps(told)}".encode()).hexdigest() if told else digest


@dataclass(frozen=True, slots=True)
class Dropped:
    """Files that were copied into landing, and why other names that match a pattern were left where they are."""

    copied: list[Path]
    left_out: list[str]


def drop(lake: Lake, provider: ProviderSpec, source_dir: Path) -> Dropped:
    """Copy the provider's files from a user's folder into landing, each in one step; links are followed.

    Raises
    ------
    ConfigurationError
        If the folder is missing, or a source that forecasting needs has no file in it.
    """
    refuse_borrowed(lake)
    if not source_dir.is_dir():
        raise ConfigurationError(f"Landing folder {source_dir} does not exist: expected a folder with the files of provider {provider.name!r}.")
    wanted: dict[Path, Path] = {}
    needed: dict[str, list[Path]] = {}
    for source, specs in provider.sources.items():
        found = [path for spec in specs for path in find(source_dir, spec.files)]
        if not found and source in NEEDED and not any(map(provider.is_fetched, specs)):
            patterns = ", ".join(spec.files for spec in specs)
            if not any(path.is_file() for path in source_dir.rglob("*")):
                needs = "; ".join(
                    f"{name} in {', '.join(spec.files for spec in provider.sources[name])}" for name in provider.sources if name in NEEDED
                )
                raise ConfigurationError(f"{source_dir} holds no files at all: provider {provider.name!r} needs {needs}. Is it the right folder?")
            others = unfound(source_dir, provider)
            told = f" {unfound_told(others, 'it')}" if others else ""
            raise ConfigurationError(f"{source_dir} holds no file for source {source!r} of provider {provider.name!r}: expected {patterns}.{told}")
        needed[source] = found if source in NEEDED else []
        wanted.update({path: folder(lake, provider) / path.relative_to(source_dir) for path in found})
    beside = {
        path for specs in provider.sources.values() for spec in specs for pattern in patterns_beside(spec) for path in find(source_dir, pattern)
    }
    wanted.update({path: folder(lake, provider) / path.relative_to(source_dir) for path in sorted(beside) if path.is_file()})
    dropped = Dropped([], [])
    for path, target in wanted.items():
        try:
            _copy(path, target, folder(lake, provider).parent)
            dropped.copied.append(target)
        except NoFile as problem:
            dropped.left_out.append(f"{printable(path.relative_to(source_dir))} was not copied: {problem}")
    push(lake, *dropped.copied)
    for source, found in needed.items():
        if found and not any(wanted[path] in dropped.copied for path in found):
            raise ConfigurationError(f"{source_dir} holds no file for source {source!r} that can be read: {' '.join(dropped.left_out)}")
    return dropped


def _copy(path: Path, target: Path, drafts: Path) -> None:
    """Copy a file in one step; raise `NoFile` where it cannot be read, and leave errors of writing to those who can make room.

    Drafts lie in a folder on the same disk where no pattern finds what an interruption leaves.
    """
    with opened(path) as stream:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = drafts / f".{hashlib.sha256(os.fsencode(target)).hexdigest()[:16]}-{os.getpid()}.part"
        with draft.open("wb") as copy:
            before = State.of(os.fstat(stream.fileno()))
            shutil.copyfileobj(stream, copy)
        if State.of(os.fstat(stream.fileno())) != before:
            draft.unlink()
            raise NoFile(WRITTEN)
        draft.replace(target)
