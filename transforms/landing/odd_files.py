"""Names in landing that nothing is read under: what matches a pattern and is no file (folders, pipes, dangling links, lock files of a spreadsheet
program), and files that no pattern finds.

Whether a regular file's content can be read is its reader's question.
"""

import errno
import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Self

from transforms.adapters import Lookups, ProviderSpec
from transforms.adapters.beside.calendars import calendars_of
from transforms.adapters.beside.names import patterns_of
from transforms.patterns import find, meets
from transforms.printing import MOVING

UNREAD = "unread-"
"""Starts the digest of a file that is not read at all: of its name, fault, size and time of change, so that it is looked at again when it changes."""
MAX_BYTES = 32 << 30
"""Size above which a file is not even hashed: a sparse file of terabytes takes no room and hours to read."""
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_INSTEAD = " Put a file there, or name other files under 'files' in the provider YAML."
WRITTEN = "it was written while it was read, so that a part of it may be missing. Run again once it is whole."
_BESIDE_OPEN = ("~$", ".~lock.", "._")
_NAMED = 5
_STARTS = (".", "~$", "readme", "license")
_ENDS = (".part", ".filepart", ".crdownload", ".tmp", ".md", ".rst", ".yaml", ".yml", ".log")
_OF_SYSTEMS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


class NoFile(Exception):
    """There is nothing that can be read under a name; says why and what to do."""


def opened(path: Path, top: Path | None = None) -> BufferedReader:
    """Open a regular file for reading without ever waiting for another process.

    Parameters
    ----------
    top
        Folder that the file has to lie in once links are followed; None where links may lead anywhere.

    Raises
    ------
    NoFile
        If the name stands for anything else, or the file may not be read.
    """
    if path.name.startswith(_BESIDE_OPEN):
        raise NoFile("it is what a program leaves beside a file that is open or copied, and holds no rows. Close the file and delete this one.")
    if fault := _fault_of_name(path, top):
        raise NoFile(f"{fault} Rename the file.")
    if top is not None and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top)):
        raise NoFile("it is a link that leads out of the landing folder. Put the file itself there.")
    try:
        # A pipe that nobody writes to would hold a plain open for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise NoFile(_reason(path, error)) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NoFile(f"expected a file, came {_KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}.{_INSTEAD}")
    if found.st_size > MAX_BYTES:
        os.close(descriptor)
        raise NoFile(f"expected at most {MAX_BYTES >> 30} GiB, came {found.st_size >> 30} GiB. Split the file.")
    return os.fdopen(descriptor, "rb")


@dataclass(frozen=True, slots=True)
class State:
    """What shows that a file has been written, or another one has taken its name."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """State of a file that was looked at."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


def hashed_at(path: Path, top: Path) -> tuple[str, State]:
    """SHA-256 of a file's content, and its state; raise `NoFile` where there is none that can be read, or it is being written."""
    with opened(path, top) as stream:
        try:
            before = State.of(os.fstat(stream.fileno()))
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise NoFile(_reason(path, error)) from None
        if State.of(os.fstat(stream.fileno())) != before:
            raise NoFile(WRITTEN)
        return digest, before


def hashed(path: Path, top: Path) -> str:
    """SHA-256 of a file's content; raise `NoFile` where there is none that can be read."""
    return hashed_at(path, top)[0]


def identity_of(path: Path, name: str, fault: str) -> tuple[str, int]:
    """The digest that stands for a name that cannot be read, and its size; another one once the name stands for something else."""
    try:
        found = path.lstat()
        state = f"{found.st_mode} {found.st_size} {found.st_mtime_ns}"
        size = found.st_size
    except OSError as error:
        state, size = str(error.errno), 0
    return UNREAD + hashlib.sha256(f"{name} {fault} {state}".encode()).hexdigest()[: 64 - len(UNREAD)], size


def printable(path: Path) -> str:
    """A path as UTF-8 text of one line: other bytes, and characters that move what stands around them, are written as backslash and hex digits."""
    return MOVING.sub(lambda found: found[0].encode("unicode_escape").decode(), os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace"))


def _fault_of_name(path: Path, top: Path | None) -> str:
    name = path.relative_to(top) if top is not None and path.is_relative_to(top) else Path(path.name)
    try:
        found = MOVING.search(str(name).encode().decode())
    except UnicodeEncodeError:
        return "expected a file name in UTF-8, came other bytes."
    return "" if found is None else f"its name holds U+{ord(found[0]):04X}, which shows it as what it is not."


@dataclass(frozen=True, slots=True)
class Unfound:
    """A file that is not read, and by how much a pattern fails to find it; empty where none comes near."""

    name: str
    near: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.near})" if self.near else self.name


def unfound(top: Path, provider: ProviderSpec) -> list[Unfound]:
    """The files below a folder that no pattern finds, in the order of their names.

    What holds no data is none of them: hidden files, what programs keep beside a file that is open or on its way, notes for people, provider files.
    """
    read, lookups = set[str](), Lookups()
    specs = [spec for specs in provider.sources.values() for spec in specs]
    for spec in specs:
        read.update(calendars_of([spec]))
        for path in find(top, spec.files):
            name = printable(path.relative_to(top))
            read |= {name, *(printable(Path(beside)) for beside in lookups.names([spec], top, name))}
    patterns = list(dict.fromkeys(pattern for spec in specs for pattern in patterns_of(spec)))
    return [Unfound(name, _near(name, patterns)) for name in _names(top) if name not in read]


def unfound_told(found: Sequence[Unfound], where: str) -> str:
    """What a person is told of files that no pattern finds in a place that is called `where`; one file at least."""
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    what = f"1 file in {where} is" if len(found) == 1 else f"{len(found):,} files in {where} are"
    return (
        f"{what} found by no pattern of the provider file and not read: {', '.join(map(str, found[:_NAMED]))}{more}. Correct 'files' in the provider "
        "YAML, or rename, move or remove what is not meant to be read."
    )


def _names(top: Path) -> Iterator[str]:
    """Names of the files that may hold data, relative to the folder; links to folders are not followed."""
    for folder, below, files in os.walk(top):
        below[:] = sorted(name for name in below if _may_hold_data(name))
        yield from (printable(Path(folder, name).relative_to(top)) for name in sorted(files) if _may_hold_data(name))


def _may_hold_data(name: str) -> bool:
    lower = name.lower()
    return not lower.startswith(_STARTS) and not lower.endswith(_ENDS) and lower not in _OF_SYSTEMS


def _near(name: str, patterns: Sequence[str]) -> str:
    """Which pattern would find a file, were it not for capital letters or its folder."""
    if like := next((pattern for pattern in patterns if meets(pattern.lower(), name.lower())), None):
        return f"like {like!r} but for capital letters"
    if like := next((pattern for pattern in patterns if meets(PurePosixPath(pattern).name, PurePosixPath(name).name)), None):
        return f"like {like!r} but for its folder"
    return ""


def written_otherwise(name: str, other: str) -> str:
    """A sentence about two names that look alike and differ in the composition of their letters; empty for others."""
    if name == other or unicodedata.normalize("NFC", name) != unicodedata.normalize("NFC", other):
        return ""
    return f" Both names look alike and are of other code points: {name!a} and {other!a}."


def _reason(path: Path, error: OSError) -> str:
    if path.is_symlink() and error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
        return "it is a link to a file that is not there. Put the file itself there."
    if error.errno in {errno.ENXIO, errno.EOPNOTSUPP}:
        return f"expected a file, came a socket or a device.{_INSTEAD}"
    return f"it cannot be read: {error.strerror}. Make it readable, or put it there again."
