"""Keys and counts as words."""

import re
from collections.abc import Sequence

from dashboard.parts.numbers import Numbers

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~$:])")

_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
"""Where an address is taken for one, escaped or not: nothing that is seen goes there."""
_SHORT = {"nw", "ne", "sw", "se", "us", "uk"}
"""Words of regions that are letters, and stay so."""


def plain(text: str) -> str:
    """A text for Markdown that shows just it: names and notes are whoever wrote them's, and become neither link nor picture."""
    return _MARKDOWN.sub(r"\\\1", _ADDRESS.sub("\N{WORD JOINER}", " ".join(text.split())))


def region_name(key: str) -> str:
    """A region as people say it: Southern California; all regions for the key of all."""
    return "All regions" if key == "all" else " ".join(word.upper() if word in _SHORT else word.capitalize() for word in key.split("_"))


def regions_named(regions: Sequence[str]) -> str:
    """Regions in a sentence."""
    return listed([region_name(region) for region in regions])


def segment_name(format_: str, mover: str) -> str:
    """A segment as people say it: large, fast; large high income, slow where formats are split; large for the historical average of a format."""
    words = format_.replace("-", " ").replace("_", " ")
    return words if mover == "all" else f"{words}, {mover}"


def counted(numbers: Numbers, count: int, one: str, many: str = "") -> str:
    """A count with its noun, as a reader's numbers are written: 1 model, 1,234 models."""
    return f"{numbers.whole(count)} {one if count == 1 else many or f'{one}s'}"


def listed(words: Sequence[str], most: int = 4) -> str:
    """A, B and C; A, B, C, D and 3 more."""
    shown = list(words[:most])
    if len(words) > most:
        return f"{', '.join(shown)} and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
