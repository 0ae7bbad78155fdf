"""Keys of objects as names in landing, and which of them can be no file's name.

A key is any text of up to a kilobyte; a name stays within the landing folder, is one that people can read, and stands for one object alone.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

_LONGEST = 255
"""Bytes of a file's name on the disks that are in use."""


def composed(text: str) -> str:
    """A text with each letter and its marks as one character, where there is one: ü is written in two ways."""
    return unicodedata.normalize("NFC", text)


def printed(key: str) -> str:
    """A key for a message: what cannot be seen is written as an escape."""
    return repr(key)


def plain(key: str) -> str:
    """The name that a key that is none comes nearest to: what a person who put it there may have meant."""
    segments = key.replace("\\", "/").split("/")
    shown = ("".join(character for character in segment if not _hidden(character)) for segment in segments)
    return composed("/".join(segment for segment in shown if segment not in {"", ".", ".."}))


def objection(key: str) -> str | None:
    """Why a key can be no file's name in landing; None where it can."""
    segments = key.split("/")
    if ".." in segments or "." in segments:
        return "it has a part '.' or '..', which would lead to another folder"
    if "" in segments:
        return "it begins or ends with / or has // in it"
    if "\\" in key:
        return "it has a backslash in it"
    if any(map(_hidden, key)):
        return "it has a control character in it"
    if longest := max((len(composed(segment).encode()) for segment in segments), default=0):
        return f"a part of it takes {longest} bytes, more than the {_LONGEST} of a file's name" if longest > _LONGEST else None
    return "it is empty"


def collisions(names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Names that cannot stand beside others, each with the reason.

    Parameters
    ----------
    known
        Names that were fetched before: they go on, and those that came later do not.
    """
    names, found = sorted(names), {}
    below: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for parent in PurePosixPath(name).parents:
            below[str(parent)].append(name)
    for name in names:
        if name in known:
            found.update({other: f"{printed(name)} stands where it needs a folder" for other in below.get(name, ())})
        elif name in below:
            found[name] = f"{printed(below[name][0])} needs a folder of that name"
    alike: Mapping[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    for twins in alike.values():
        found |= _twins(twins, known)
    return found


def _twins(twins: Sequence[str], known: Collection[str]) -> dict[str, str]:
    if len(twins) == 1:
        return {}
    going_on = [name for name in twins if name in known]
    others = [name for name in twins if name not in going_on[:1]]
    return {name: f"{printed(next(other for other in twins if other != name))} differs from it by capital letters alone" for name in others}


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
