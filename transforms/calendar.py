"""Value objects of the two partition dimensions: regions and Monday-anchored weeks.

Parsing and formatting keys happens here and nowhere else: an unvalidated key inside a Delta predicate can overwrite a whole table, so
`Region` and `Week` are the only way into a predicate, a path or a dbt variable. Which slices exist is for orchestration.runtime.partitions to say.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

from transforms.errors import InvalidKey

ALL_REGIONS = "all"
"""Stands where a region would for all of them together (pooled models, totals): no region of a provider may be called so."""
FURTHEST = 13
"""Weeks ahead that can be forecast: so far are weather and events looked up, and kept."""

_REGION = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WEEK = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, order=True, slots=True)
class Region:
    """A sales region, named by lower-case letters, digits and underscores (`north_texas`)."""

    name: str

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.name):
            raise InvalidKey(
                f"Region {self.name!r} is not a region key: expected lower-case letters, digits and underscores, starting with a letter, "
                "at most 63 characters (like 'north_texas'). Map the provider's spelling in its YAML, under 'regions'."
            )

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, order=True, slots=True)
class Week:
    """A week from Monday to Sunday, named by its Monday (ISO weeks throughout)."""

    monday: date

    def __post_init__(self) -> None:
        if self.monday.weekday() != 0:
            raise InvalidKey(f"Week {self.monday} is a {self.monday:%A}: a week is named by its Monday. Did you mean {Week.containing(self.monday)}?")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `YYYY-MM-DD`; raise `InvalidKey` unless it is a real Monday."""
        if not _WEEK.fullmatch(text):
            raise InvalidKey(f"Week {text!r} is not a week key: expected the Monday of the week as YYYY-MM-DD, like '2022-05-23'.")
        try:
            return cls(date.fromisoformat(text))
        except ValueError as error:
            raise InvalidKey(f"Week {text!r} is not a date of the calendar: {error}.") from error

    @classmethod
    def containing(cls, day: date) -> Self:
        """Return the week that `day` lies in."""
        plain = day.date() if isinstance(day, datetime) else day
        return cls(plain - timedelta(days=plain.weekday()))

    def __str__(self) -> str:
        return self.monday.isoformat()

    def __add__(self, weeks: int) -> "Week":
        return Week(self.monday + timedelta(weeks=weeks))

    def __sub__(self, other: "Week") -> int:
        """Whole weeks from `other` to this week."""
        return (self.monday - other.monday).days // 7

    @property
    def end(self) -> datetime:
        """The first instant after the week: what became known before it may be used at this origin."""
        return datetime.combine(self.monday + timedelta(weeks=1), datetime.min.time())

    @property
    def iso_week(self) -> int:
        """Number of the ISO week, 1 to 53."""
        return self.monday.isocalendar().week


@dataclass(frozen=True, order=True, slots=True)
class Slice:
    """One region in one week: the unit in which data are replaced."""

    region: Region
    week: Week

    def __str__(self) -> str:
        return f"{self.region}|{self.week}"


def weeks_between(first: Week, last: Week) -> Iterator[Week]:
    """Yield every week from `first` to `last`, both included."""
    for offset in range(last - first + 1):
        yield first + offset


@dataclass(frozen=True, slots=True)
class SliceBlock:
    """A rectangle of slices: some regions in an unbroken range of weeks. One replacement, one dbt invocation."""

    regions: tuple[Region, ...]
    first: Week
    last: Week

    def slices(self) -> Iterator[Slice]:
        """Yield the block's slices, region by region."""
        for region in self.regions:
            for week in weeks_between(self.first, self.last):
                yield Slice(region, week)

    @property
    def size(self) -> int:
        """Number of slices."""
        return len(self.regions) * (self.last - self.first + 1)

    def __str__(self) -> str:
        names = ", ".join(map(str, self.regions)) if len(self.regions) <= 4 else f"{len(self.regions)} regions"
        return f"{names} {self.first}..{self.last}"


def _runs(weeks: list[Week]) -> Iterator[tuple[Week, Week]]:
    start = previous = weeks[0]
    for week in weeks[1:]:
        if week - previous != 1:
            yield start, previous
            start = week
        previous = week
    yield start, previous


def blocks_of(slices: Iterable[Slice]) -> list[SliceBlock]:
    """Cover exactly `slices` with few rectangles, so that a backfill takes few commits and few dbt invocations."""
    weeks_of: dict[Region, set[Week]] = {}
    for item in slices:
        weeks_of.setdefault(item.region, set()).add(item.week)
    regions_of: dict[tuple[Week, Week], list[Region]] = {}
    for region, weeks in sorted(weeks_of.items()):
        for run in _runs(sorted(weeks)):
            regions_of.setdefault(run, []).append(region)
    return [SliceBlock(tuple(regions), first, last) for (first, last), regions in sorted(regions_of.items(), key=lambda item: item[0])]


def around(slices: Sequence[Slice]) -> SliceBlock:
    """The smallest rectangle that holds all of the slices, of which there is one at least."""
    weeks = [item.week for item in slices]
    return SliceBlock(tuple(sorted({item.region for item in slices})), min(weeks), max(weeks))
