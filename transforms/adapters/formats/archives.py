"""Members of ZIP archives, and files compressed by bzip2 or xz, as files of their own, within limits.

Names of members choose them and stand in messages; none is ever used as a path.
"""

import bz2
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from transforms.adapters.formats.bounds import MAX_EXPANDED
from transforms.errors import LandingFileRefused
from transforms.patterns import matches

MAX_MEMBERS = 1_000
"""Members of an archive that are read."""
MAX_DIRECTORY = 16 << 20
"""Bytes of an archive's list of members, which is read as a whole."""
_CHUNK = 1 << 20
_XZ_MEMORY = 256 << 20
_ENCRYPTED = 0x1
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


EXPANDED: dict[str, Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]] = {
    ".bz2": bz2.BZ2Decompressor,
    ".xz": partial(lzma.LZMADecompressor, memlimit=_XZ_MEMORY),
}
"""Endings of the names of files that are expanded as a whole, by Python's own modules."""


@contextmanager
def expanded(path: Path, name: str) -> Iterator[Path]:
    """Write a file's expanded content to another one, and yield that.

    Raises
    ------
    LandingFileRefused
        If the file is not of the kind that its name says, or expands beyond the limits.
    """
    with TemporaryDirectory(prefix="shelfcast-") as folder:
        target = Path(folder) / "expanded"
        try:
            with path.open("rb") as stream, target.open("wb") as out:
                _expand(stream, out, name)
        except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
            raise LandingFileRefused(
                f"{name}: expected a {Path(name).suffix} file, as its name says, but expanding it failed: {error}. Drop the file again."
            ) from error
        yield target


def _expand(stream: BinaryIO, out: BinaryIO, name: str) -> None:
    """Expand one compressed stream after the other, as programs that work in parallel write them."""
    new = EXPANDED[Path(name).suffix.lower()]
    expander, room, data = new(), MAX_EXPANDED, stream.read(_CHUNK)
    while data or not expander.eof:
        if expander.eof:
            expander = new()
        if not data and expander.needs_input:
            raise EOFError("it ends too early")
        chunk = expander.decompress(data, _CHUNK)
        room -= len(chunk)
        if room < 0:
            raise LandingFileRefused(f"{name}: expected at most {MAX_EXPANDED >> 30} GiB once expanded, came more. Split the file.")
        out.write(chunk)
        data = (expander.unused_data or stream.read(_CHUNK)) if expander.eof else stream.read(_CHUNK) if expander.needs_input else b""


@contextmanager
def members_of(path: Path, name: str, pattern: str) -> Iterator[list[tuple[str, Path]]]:
    """Write the members whose names meet a pattern to files, and yield names and files in the order of the names.

    Raises
    ------
    LandingFileRefused
        If the file is no archive, holds no such member, or expands beyond the limits.
    """
    with TemporaryDirectory(prefix="shelfcast-") as folder:
        try:
            found = _extracted(path, name, pattern, Path(folder))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, ValueError) as error:
            raise LandingFileRefused(f"{name}: expected a ZIP archive, but reading it failed: {error}. Drop the file again.") from error
        except (RuntimeError, NotImplementedError) as error:
            raise LandingFileRefused(f"{name}: its members cannot be read: {error}. Pack them again as a plain ZIP without a password.") from error
        yield found


def _extracted(path: Path, name: str, pattern: str, folder: Path) -> list[tuple[str, Path]]:
    size = _directory_size(path)
    if size > MAX_DIRECTORY:
        raise LandingFileRefused(f"{name}: expected a list of members of at most {MAX_DIRECTORY >> 20} MiB, came {size:,} bytes. Split the archive.")
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_beside(entry.filename)]
        chosen = sorted((entry for entry in entries if matches(pattern, entry.filename)), key=lambda entry: entry.filename)
        if not chosen or len(chosen) > MAX_MEMBERS:
            there = f"{len(chosen):,} of them" if chosen else f"{[entry.filename for entry in entries[:20]]}"
            raise LandingFileRefused(
                f"{name}: expected up to {MAX_MEMBERS:,} members like {pattern!r}, came {there}. Correct 'member', or the archive."
            )
        if len({entry.filename for entry in chosen}) < len(chosen):
            raise LandingFileRefused(f"{name}: two members have one name, among {[entry.filename for entry in chosen[:9]]}. Pack it again.")
        if locked := [entry.filename for entry in chosen if entry.flag_bits & _ENCRYPTED]:
            raise LandingFileRefused(f"{name}: the member {locked[0]!r} is protected by a password. Pack it again without one.")
        if others := [entry.filename for entry in chosen if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}]:
            raise LandingFileRefused(f"{name}: the member {others[0]!r} is packed in a way that is not read. Pack it again as a plain ZIP.")
        room, found = MAX_EXPANDED, []
        for number, entry in enumerate(chosen):
            target = folder / str(number)
            room -= _write(archive, entry, target, room, name)
            found.append((entry.filename, target))
        return found


def _is_beside(member: str) -> bool:
    """Whether a member is what macOS packs beside each file: its attributes, under the file's own name."""
    parts = member.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._")


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, room: int, name: str) -> int:
    """Write a member, and return its size as it is, whatever the archive says."""
    count = 0
    with archive.open(entry) as stream, target.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            count += len(chunk)
            if count > room:
                raise LandingFileRefused(f"{name}: expected at most {MAX_EXPANDED >> 30} GiB once expanded, came more. Split the archive.")
            out.write(chunk)
    return count


def _directory_size(path: Path) -> int:
    """Bytes of the list of members, as the end of the file tells."""
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - (1 << 16) - 42, 0))
        tail = stream.read()
        at = tail.rfind(_END)
        if at < 0:
            raise zipfile.BadZipFile("it has no list of members")
        size: int = struct.unpack("<L", tail[at + 12 : at + 16])[0]
        if size == (1 << 32) - 1 and tail[at - 20 : at - 16] == _LOCATOR64:
            stream.seek(struct.unpack("<Q", tail[at - 12 : at - 4])[0])
            end = stream.read(56)
            size = struct.unpack("<Q", end[40:48])[0] if end.startswith(_END64) else size
        return size
