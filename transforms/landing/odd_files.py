"""Names that match a provider's pattern and are no file that can be read: folders, pipes, dangling links, lock files of a spreadsheet program.

Whether a regular file's content can be read is its reader's question.
"""

import errno
import hashlib
import os
import stat
import unicodedata
from io import BufferedReader
from pathlib import Path

UNREAD = "unread-"
"""Starts the digest of a file that is not read at all: of its name, fault, size and time of change, so that it is looked at again when it changes."""
MAX_BYTES = 32 << 30
"""Size above which a file is not even hashed: a sparse file of terabytes takes no room and hours to read."""
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_INSTEAD = " Put a file there, or name other files under 'files' in the provider YAML."
_BESIDE_OPEN = ("~$", ".~lock.", "._")


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
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise NoFile("expected a file name in UTF-8, came other bytes. Rename the file.") from None
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


def hashed(path: Path, top: Path) -> str:
    """SHA-256 of a file's content; raise `NoFile` where there is none that can be read."""
    with opened(path, top) as stream:
        try:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise NoFile(_reason(path, error)) from None


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
    """A path as UTF-8 text; other bytes are written as backslash, x and two digits."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


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
