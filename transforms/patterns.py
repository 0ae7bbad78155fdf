"""Patterns of names in provider files: `*` stands for any signs of a name, `?` for one, `**` between slashes for folders; all else is itself.

Which names there are (files, objects of a store, members of an archive, sheets, columns) is for those to say who ask.
"""

import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

WILD = frozenset("*?")
"""Signs that do not stand for themselves."""


def as_glob(pattern: str) -> str:
    """A pattern as the modules `glob`, `fnmatch` and `pathlib` write it, in which a bracket would stand for one of several signs."""
    return pattern.replace("[", "[[]")


def matches(pattern: str, name: str) -> bool:
    """Whether a name as a whole is one that a pattern stands for; a slash is a sign like any other."""
    return fnmatchcase(name, as_glob(pattern))


def find(top: Path, pattern: str) -> list[Path]:
    """What a folder holds under names that a pattern stands for, in the order of the names."""
    return sorted(top.glob(as_glob(pattern)))


def meets(pattern: str, name: str) -> bool:
    """Whether `find` would find a file of that name, relative to the folder."""
    segments, last = name.split("/"), len(name.split("/"))
    reached = {0}
    parts = PurePosixPath(unicodedata.normalize("NFC", pattern)).parts
    if parts[-1:] == ("**",):
        # It stands for folders.
        return False
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), last + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < last and matches(part, segments[at])}
    return last in reached
