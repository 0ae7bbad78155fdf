"""Profiles of columns: how dates and numbers are written in them, which values there are, and how far they identify a row.

Every way of writing is tried on all values of the sample, by the same SQL that reads files.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from transforms.adapters.moments import ISO_WEEK, SERIAL, parsed_moment, strptime
from transforms.adapters.numbers import FAULTS, NOTHING, parsed_number
from transforms.adapters.spec import WORKBOOKS
from transforms.drafting.samples import Sample
from transforms.drafting.words import concepts
from transforms.lake.database import literal, open_database

MOST_VALUES = 3_000
"""Distinct values of a column that are looked at."""
_MISSING = frozenset({"", *NOTHING, *FAULTS})
_ENOUGH = 0.98
"""Least share of a column's values that have to be written in one way."""
_MOST = 0.6
"""Least share that is read by the best of several ways of writing numbers, where none reads all of them."""
_SIGNS = ((".", None), (",", None), (".", ","), (",", "."), (".", "'"), (",", " "), (",", "'"), (".", " "))
_DAYS = ("%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d-%m-%Y", "%d-%m-%y", "%m-%d-%y", "%Y.%m.%d", "%Y%m%d")
_NAMED = (
    "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%d. %B %Y", "%a %d %b %Y", "%A, %B %d, %Y", "%d. %b %Y", "%d %B, %Y",
    "%d de %B de %Y", "%d-%B-%Y", "%d.%b.%Y",
)  # fmt: skip
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H.%M", ", %H:%M")
_ISO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([+-]\d{2}:?(\d{2})?|Z)?)?")
_SERIAL = re.compile(r"[34]\d{4}(\.\d+)?")
_DATE_LIKE = re.compile(r"(?=.*\d)[\w .,:/+-]{5,40}")
_YEAR_AND_NUMBER = re.compile(r"(?:19|20)\d{2}[-/ ]?(\d{2})")
_MONTHS, _WEEKS = 12, 53
_NUMBER = re.compile(r"(?P<before>[^\d.,()+-]*)\s*(?P<number>[-+(]?[\d.,' ]*\d[.,]?\)?-?)\s*(?P<behind>[^\d.,()]*)")
_AFFIXES = frozenset(
    {"€", "$", "£", "eur", "usd", "chf", "gbp", "kg", "g", "l", "ml", "cl", "stk", "st", "pcs", "°c", "°f", "mm", "km", "%", "c", "f"}
)


@dataclass(frozen=True)
class DateStyle:
    """How dates are written: `date_format` of the provider YAML (None for ISO), and another one that fits all values as well."""

    date_format: str | None
    other: str | None = None
    with_time: bool = False
    zoned: bool = False
    first: date | None = None
    last: date | None = None
    weekdays: Mapping[int, int] = field(default_factory=dict)
    """ISO weekday -> distinct days that fall on it."""
    exceptions: tuple[str, ...] = ()
    calendar: str | None = None
    """File that names the first day of each period, where the values are numbers of periods."""

    @property
    def only_weekday(self) -> int | None:
        """The one weekday that all dates fall on; None where they differ."""
        return next(iter(self.weekdays)) if len(self.weekdays) == 1 else None


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written: keys of the provider YAML, whether a sign may be read in two ways, and the range."""

    settings: Mapping[str, str | list[str]]
    whole: bool
    fractions: int
    """Distinct values that are not whole."""
    lowest: float
    highest: float
    ambiguous: bool = False
    """True where a sign before three digits may be one of thousands or of a fraction."""
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """A column of a sample."""

    name: str
    filled: float
    distinct: int
    values: tuple[str, ...]
    """Distinct values, of many every so manyth."""
    date: DateStyle | None
    number: NumberStyle | None

    @property
    def examples(self) -> str:
        """A few values, for a person."""
        return ", ".join(value if len(value) <= 24 else f"{value[:23]}…" for value in self.values[:3])

    @property
    def flag(self) -> str | None:
        """The value that says yes, of a column that knows two values."""
        yes = [value for value in self.values if value.lower() in {"1", "true", "yes", "y", "ja", "j", "oui", "si", "x"}]
        no = [value for value in self.values if value.lower() in {"0", "false", "no", "n", "nein", "non"}]
        return yes[0] if len(yes) == 1 and len(yes) + len(no) == len(self.values) <= 2 else None


Calendars = Mapping[str, Mapping[str, date]]
"""File of a calendar -> the first day of each of its periods."""


def profiles_of(sample: Sample, calendars: Calendars) -> dict[str, Profile]:
    """The columns of a sample by name."""
    with open_database() as connection:
        return {name: _profile(connection, sample, name, calendars) for name in sample.names}


def _profile(connection: duckdb.DuckDBPyConnection, sample: Sample, name: str, calendars: Calendars) -> Profile:
    counted = Counter(sample.table[name].to_pylist())
    filled = {value: count for value, count in counted.items() if value is not None and value.strip().upper() not in _MISSING}
    share = sum(filled.values()) / max(sample.table.num_rows, 1)
    distinct = list(filled)
    step = max(1, len(distinct) // MOST_VALUES)
    values = tuple(distinct[::step][: MOST_VALUES + 1])
    if not values:
        return Profile(name, 0.0, 0, (), None, None)
    for calendar, periods in calendars.items():
        if (days := [periods[value] for value in values if value in periods]) and len(days) >= _ENOUGH * len(values):
            left = tuple(value for value in values if value not in periods)[:3]
            weekdays = Counter(day.isoweekday() for day in days)
            style = DateStyle(None, first=min(days), last=max(days), weekdays=weekdays, exceptions=left, calendar=calendar)
            return Profile(name, share, len(distinct), values, style, None)
    connection.register("texts", pa.table({"text": pa.array(values, pa.string())}))
    kind = sample.kinds.get(name)
    found = _mixed_dates(connection, values, name) if sample.settings["format"] in WORKBOOKS else None
    found = found or _date(connection, values, kind, name)
    number = _number(connection, values) if found is None or found.date_format in {"%Y%m%d", SERIAL, ISO_WEEK} else None
    return Profile(name, share, len(distinct), values, found, number)


def _mixed_dates(connection: duckdb.DuckDBPyConnection, values: Sequence[str], name: str) -> DateStyle | None:
    """The way in which texts of a sheet are written that stand among real dates; None where there are not both."""
    texts = [value for value in values if not _ISO.fullmatch(value)]
    if not 0 < len(texts) < len(values) or _share(texts, _DATE_LIKE) < _ENOUGH:
        return None
    connection.register("texts", pa.table({"text": pa.array(texts, pa.string())}))
    style = _date(connection, texts, None, name)
    connection.register("texts", pa.table({"text": pa.array(values, pa.string())}))
    if style is None or style.date_format is None:
        return None
    return replace(_dates(connection, values, style.date_format, real_dates=True), other=style.other)


def _date(connection: duckdb.DuckDBPyConnection, values: Sequence[str], kind: str | None, name: str) -> DateStyle | None:
    numbers_weeks = kind in {None, "integer"} and _numbers_weeks(values, name)
    if not numbers_weeks and kind in {"integer", "number", "flag"} and not _share(values, re.compile(r"(19|20)\d{6}")) >= _ENOUGH:
        return None
    if _share(values, _ISO) >= _ENOUGH:
        return _dates(connection, values, None)
    if _share(values, re.compile(r"\d{4}[-/ ]?([Ww]|[Kk][Ww]) ?\d{1,2}")) >= _ENOUGH or numbers_weeks:
        return _dates(connection, values, ISO_WEEK)
    if _share(values, _SERIAL) >= _ENOUGH and kind is None:
        return _dates(connection, values, SERIAL)
    if _share(values, _DATE_LIKE) < _ENOUGH:
        return None
    sample = [value for value in values if _DATE_LIKE.fullmatch(value)]
    fitting = []
    for date_format in (f"{day}{time}" for day in (*_DAYS, *_NAMED) for time in _TIMES):
        first = f"select {strptime(literal(sample[0]), date_format)} between '1900-01-01' and '2100-01-01'"
        if connection.execute(first).fetchall()[0][0]:
            fits = f"select count(*) filter (where {strptime('text', date_format)} between '1900-01-01' and '2100-01-01') from texts"
            fitting.append((connection.execute(fits).fetchall()[0][0], date_format))
    good = [date_format for count, date_format in fitting if count >= _ENOUGH * len(values)]
    return _of_several(connection, values, good) if good else None


def _numbers_weeks(values: Sequence[str], name: str) -> bool:
    """Whether values are years with numbers of weeks (202409): months go up to 12 unless the column's name says weeks."""
    numbers = [int(found[1]) for value in values if (found := _YEAR_AND_NUMBER.fullmatch(value))]
    if len(numbers) < _ENOUGH * len(values) or not all(1 <= number <= _WEEKS for number in numbers):
        return False
    return max(numbers) > _MONTHS or "WEEK" in concepts(name)


def _of_several(connection: duckdb.DuckDBPyConnection, values: Sequence[str], formats: Sequence[str]) -> DateStyle:
    """The reading whose days follow a rhythm, of those that fit: all on one weekday, else with the fewest days in between."""
    styles = [_dates(connection, values, date_format) for date_format in formats]

    def rhythm(style: DateStyle) -> tuple[int, int]:
        span = (style.last - style.first).days if style.first and style.last else 0
        return len(style.weekdays), span

    ordered = sorted(styles, key=rhythm)
    best = ordered[0]
    # A year of four digits read as one of two, or the same format by another name, is no other reading.
    others = [style for style in ordered[1:] if (style.first, style.last) != (best.first, best.last)]
    return replace(best, other=others[0].date_format if others else None)


def _dates(connection: duckdb.DuckDBPyConnection, values: Sequence[str], date_format: str | None, real_dates: bool = False) -> DateStyle:
    days = f"select text, {parsed_moment('text', date_format, real_dates)} as moment from texts"
    first, last, timed = connection.execute(
        f"select min(moment)::date, max(moment)::date, count(*) filter (where moment <> date_trunc('day', moment)) from ({days})"
    ).fetchall()[0]
    weekdays = connection.execute(
        f"select isodow(moment)::int, count(distinct moment::date) from ({days}) where moment is not null group by 1"
    ).fetchall()
    exceptions = connection.execute(f"select text from ({days}) where moment is null limit 3").fetchall()
    zoned = any(re.search(r"\d:\d{2}.*([+-]\d{2}:?\d{2}|Z)$", value) for value in values[:50])
    return DateStyle(date_format, None, timed > 0, zoned, first, last, dict(weekdays), tuple(text for (text,) in exceptions))


def _number(connection: duckdb.DuckDBPyConnection, values: Sequence[str]) -> NumberStyle | None:
    parts = [match for value in values if (match := _NUMBER.fullmatch(value.strip()))]
    if len(parts) < _ENOUGH * len(values):
        return None
    affixes = Counter(part[side].strip() for part in parts for side in ("before", "behind") if part[side].strip())
    if any(affix.lower().rstrip(".") not in _AFFIXES for affix in affixes):
        return None
    numbers = [part["number"] for part in parts]
    settings: dict[str, str | list[str]] = {}
    if affixes:
        settings["affixes"] = sorted(affixes)
    negative = "leading"
    if any(number.endswith("-") for number in numbers):
        negative = "trailing"
    elif any(number.startswith("(") for number in numbers):
        negative = "parentheses"
    if negative != "leading":
        settings["negative"] = negative
    best: tuple[int, str, str | None] = (0, ".", None)
    for decimal, grouping in _SIGNS:
        parsed = parsed_number("text", decimal, grouping, sorted(affixes), negative)
        [(count,)] = connection.execute(f"select count({parsed}) from texts").fetchall()
        best = max(best, (count, decimal, grouping), key=lambda found: found[0])
        if count >= _ENOUGH * len(values):
            break
    count, decimal, grouping = best
    return _styled(connection, numbers, settings, decimal, grouping) if count >= _MOST * len(values) else None


def _styled(
    connection: duckdb.DuckDBPyConnection, numbers: Sequence[str], settings: Mapping[str, str | list[str]], decimal: str, grouping: str | None
) -> NumberStyle:
    """The numbers of the table `texts` as they are read with these signs."""
    parsed = parsed_number("text", decimal, grouping, list(settings.get("affixes", ())), str(settings.get("negative", "leading")))
    low, high, fractions = connection.execute(
        f"select min(x), max(x), count(*) filter (where x <> floor(x)) from (select {parsed} as x from texts)"
    ).fetchall()[0]
    styled = dict(settings)
    if decimal == ",":
        styled["decimal"] = ","
    # A point is what stands between groups wherever a comma stands before the fraction.
    if grouping is not None and (decimal, grouping) != (",", "."):
        styled["grouping"] = grouping
    signs = [number for number in numbers if "." in number or "," in number]
    three = bool(signs) and all(re.fullmatch(r"[-+(]?\d{1,3}([.,])\d{3}\)?-?", number) for number in signs)
    left = connection.execute(f"select text from texts where {parsed} is null limit 3").fetchall()
    return NumberStyle(styled, fractions == 0, fractions, low, high, three, tuple(text for (text,) in left))


def _share(values: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.fullmatch(value) is not None for value in values) / len(values)


def unique_share(sample: Sample, columns: Sequence[str], lengths: Sequence[int] = ()) -> float:
    """Share of a sample's rows that the columns tell apart, those of different files (of these lengths) in any case."""
    if not columns or not sample.table.num_rows:
        return 0.0
    ends = np.cumsum(lengths or (sample.table.num_rows,))
    parts = [sample.table.slice(end - length, length) for end, length in zip(ends.tolist(), lengths or (sample.table.num_rows,), strict=True)]
    apart = sum(int(part.group_by(list(columns)).aggregate([]).num_rows) for part in parts)
    return apart / max(sum(int(part.num_rows) for part in parts), 1)
