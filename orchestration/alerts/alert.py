"""An alert: a cause that needs a person, with all that it is about. Which alerts are open is for `causes` to say."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from transforms.contracts.operations import ALERT_KINDS
from transforms.lake.tables import Lake
from transforms.rows import Row

_MOST_NAMED = 3
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that an alert is about: a key that stays while it lasts, a sentence on it, and its regions (none: it is everybody's)."""

    key: str
    text: str
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """A cause that needs a person.

    Attributes
    ----------
    kind
        One of `transforms.contracts.operations.ALERT_KINDS`.
    name
        Tells causes of one kind apart; the same for as long as the cause lasts.
    what
        The cause in a few words, which a title begins with.
    items
        What it is about: files, regions, segments, steps. One that is added is told, one that goes is not.
    advice
        Sentences with the commands that end it.
    page
        Page on which a person looks at it, below the UI's address.
    happened
        True for what has happened and does not end: it is told once, and no recovery.
    """

    kind: str
    name: str
    what: str
    items: tuple[Item, ...]
    advice: str = ""
    page: str = "/pages/monitoring"
    happened: bool = False

    @property
    def cause(self) -> str:
        """Key of the cause."""
        return f"{self.kind}/{self.name}" if self.name else self.kind

    @property
    def severity(self) -> str:
        """How urgent it is."""
        return ALERT_KINDS[self.kind]

    @property
    def keys(self) -> frozenset[str]:
        """Keys of what it is about."""
        return frozenset(item.key for item in self.items)

    @property
    def regions(self) -> tuple[str, ...]:
        """Regions that it is about."""
        return tuple(sorted({region for item in self.items for region in item.regions}))

    @property
    def title(self) -> str:
        """The cause in a line."""
        if self.regions:
            return f"{self.what}: {listed(self.regions, 'regions')}"
        return f"{self.what}: {self.items[0].key}" if len(self.items) == 1 else f"{self.what} ({len(self.items)})"

    def within(self, regions: Iterable[str]) -> Self:
        """The part of it that is about some regions; all of it where none are named."""
        wanted = set(regions)
        if not wanted:
            return self
        seen = (item for item in self.items if not item.regions or wanted & set(item.regions))
        return replace(self, items=tuple(replace(item, regions=tuple(r for r in item.regions if r in wanted)) for item in seen))


def listed(names: Sequence[str], noun: str) -> str:
    """A, B and C; 14 regions where they are many."""
    if len(names) > _MOST_NAMED:
        return f"{len(names)} {noun}"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def items_text(items: Iterable[Item]) -> str:
    """Items as `gold/alerts` holds them."""
    return json.dumps([asdict(replace(item, text=item.text[:_LONGEST])) for item in items], ensure_ascii=False)


def items_of(text: str) -> tuple[Item, ...]:
    """Items of a row of `gold/alerts`."""
    return tuple(Item(found["key"], found["text"], tuple(found["regions"])) for found in json.loads(text))


def measured(value: float | None, form: str, unit: str = "") -> str:
    """A number in a form of Python's behind its unit, and in words where there is none."""
    return "not measured" if value is None else f"{unit}{value:{form}}"


def ask(lake: Lake, sql: str, *tables: str, **parameters: Any) -> list[Row]:
    """Rows of a query (DuckDB's SQL) in which each table is named `layer_table`; none in one that does not exist yet."""
    with lake.connect(*tables) as connection:
        found: list[Row] = connection.execute(sql, parameters).to_arrow_table().to_pylist()
    return found
