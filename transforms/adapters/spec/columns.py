"""How a column of a contract comes about; `transforms.adapters.expressions` turns it into SQL."""

import re
from datetime import date
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal, Self

import duckdb
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from transforms.adapters.formats.bounds import MAX_COLUMNS
from transforms.adapters.moments import ISO_WEEK, SERIAL
from transforms.adapters.spec.parts import Name, Number, Strict, Text
from transforms.contracts import Column
from transforms.lake.database import open_database
from transforms.yaml_files import RuleBroken

# fmt: off
Unit = Literal[
    "tenth", "percent", "thousand", "dozen", "case", "fahrenheit", "tenth_fahrenheit", "inch", "hundredth_inch", "mile",
    "centilitre", "litre", "fluid_ounce", "kilogram", "pound", "ounce",
]
# fmt: on
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Cleaning = Literal["key", "lower", "upper", "week", "end_of_day", "digits"]
_MEASURES = {
    "fahrenheit": "degC",
    "tenth_fahrenheit": "degC",
    "inch": "mm",
    "hundredth_inch": "mm",
    "mile": "km",
}
"""Units that measure one thing alone -> the contract's unit of it."""
_OF_NUMBERS = ("unit", "decimal", "grouping", "affixes", "negative", "negate")
_OF_MOMENTS = ("date_format", "timezone", "week_starts", "week_ends", "weekday", "calendar")
_MADE_FOR = {**dict.fromkeys(_OF_NUMBERS, ("integer", "number")), **dict.fromkeys(_OF_MOMENTS, ("date", "timestamp")), "width": ("text",)}
"""Key -> kinds of columns that it says something about."""
_DIRECTIVE = re.compile(r"%-?([A-Za-z%])")
_YEAR = frozenset("yYGcx")


class Part(Strict):
    """One part of a text that holds several."""

    separator: Text
    number: int = Field(ge=-100, le=100)
    """Which part, from 1; -1 is the last."""

    @field_validator("number")
    @classmethod
    def _counted(cls, number: int) -> int:
        if number == 0:
            raise ValueError("expected 1 for the first part or -1 for the last, came 0")
        return number


class ColumnSpec(Strict):
    """How one standard column comes about: from a column of the file, from several, or from a constant."""

    column: Name | None = None
    """Name of the provider's column; `{sheet}`, `{member}` or a name of `path` in braces for what the file's surroundings tell."""
    position: int | None = Field(default=None, ge=1, le=MAX_COLUMNS)
    """Number of the provider's column, from 1, in place of its name."""
    columns: tuple[Name, ...] | None = Field(default=None, min_length=2)
    """Columns whose texts are joined; where one is empty, so is the whole."""
    join: str = ""
    """Text between those that are joined."""
    part: Part | None = None
    """Which part of the text is meant, where the column holds several (`{separator: "-", number: 2}`)."""
    value: str | Number | None = None
    """Constant, where the files do not tell."""
    default: str | Number | None = None
    """Taken where the provider's value is empty."""
    fraction_of: str | None = None
    """Standard column that `value` is a fraction of (`return_cost: {value: 0.15, fraction_of: price}`), whatever the file calls its own columns."""
    unit: Unit | None = None
    """Unit of the provider's numbers, converted to the contract's."""
    decimal: Literal[".", ","] = "."
    """Sign before the fraction of numbers written as text."""
    grouping: Literal[".", ",", " ", "'", "none"] | None = None
    """Sign between groups of three digits, as any space that looks alike. Where none is given: a point where `decimal` is a comma, else none."""
    affixes: tuple[Name, ...] = ()
    """Texts before or after a number that are to be left out, like a currency or a unit."""
    negative: Literal["leading", "trailing", "parentheses"] = "leading"
    """How numbers below 0 are written: -6, 6- or (6)."""
    width: int | None = Field(default=None, ge=1, le=64)
    """Digits of an identifier or ZIP: zeros in front that a program took away come back, and of a ZIP+4 the ZIP stays."""
    date_format: str | None = None
    """strptime format of a date or time written as text; `iso_week` for 2024-W09, `serial` for days as spreadsheets count them."""
    week_starts: Weekday | None = None
    """Weekday that the provider's weeks begin with, where the date is the first day of one: it belongs to the Monday that most of its days follow."""
    week_ends: Weekday | None = None
    """The same where the date is the last day of a week."""
    weekday: Weekday | None = None
    """With `clean: week`: the one weekday of all dates, where they are days (a delivery every Tuesday) and no names of weeks."""
    calendar: str | None = None
    """For weeks with numbers like 2024-P03-W2: a CSV file in the landing folder with columns `period` and `first_day` (YYYY-MM-DD)."""
    timezone: str | None = None
    """Time zone of a local time, converted to UTC; of a day or week, the zone in which a time with an offset or a zone has its day."""
    map: dict[str, str] = Field(default_factory=dict)
    """Provider's value -> standard value."""
    clean: Cleaning | None = None
    """key: to a region key; lower, upper: letter case; digits: keep digits only; week: Monday of the date; end_of_day: first instant after it."""
    negate: bool = False
    """Turn the sign, for credits that are written as negative quantities."""

    @property
    def source(self) -> str | None:
        """The one column that the value is taken from, as the file's table names it; None for a constant and for joined columns."""
        return self.column if self.position is None else f"{{{self.position}}}"

    @property
    def sources(self) -> tuple[str, ...]:
        """All columns that the value is taken from."""
        return self.columns or ((self.source,) if self.source is not None else ())

    def as_written(self) -> Self:
        """The same column without cleaning: the day of a date of which the contract takes the week."""
        return self.model_copy(update={"clean": None, "week_starts": None, "week_ends": None})

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.column, self.position, self.columns, self.value)) != 1:
            raise ValueError(
                "a column needs exactly one of 'column' (the provider's name), 'columns' (several), 'position' (its number) and 'value' (a constant)"
            )
        if self.join and self.columns is None:
            raise ValueError("expected 'join' beside 'columns' (those that are joined), came without")
        if self.part is not None and self.value is not None:
            raise ValueError("expected 'part' beside a column of the file, came beside 'value'")
        return self

    @model_validator(mode="after")
    def _one_week(self) -> Self:
        if sum(chosen is not None for chosen in (self.week_starts, self.week_ends, self.calendar, self.clean if self.clean == "week" else None)) > 1:
            raise ValueError("a week needs at most one of 'week_starts', 'week_ends', 'calendar' and 'clean: week'")
        if self.calendar is not None and self.date_format is not None:
            raise ValueError("a week needs at most one of 'calendar' and 'date_format': the calendar names the days")
        if self.grouping == self.decimal:
            raise ValueError(f"'grouping' and 'decimal' are both {self.decimal!r}: a number needs two signs")
        return self

    @field_validator("value", "default", mode="before")
    @classmethod
    def _plain_constant(cls, value: object) -> object:
        """`value: yes` would be 1, and a date is meant as its text."""
        if isinstance(value, bool | date):
            raise PydanticCustomError("string_type", "expected a text or a number")
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_format(cls, date_format: str | None) -> str | None:
        if (
            date_format is not None
            and date_format not in {ISO_WEEK, SERIAL}
            and (problem := _refused_by_database("select try_strptime('', $value)", date_format))
        ):
            raise ValueError(f"expected a strptime format like %m/%d/%Y, came {date_format!r}: {problem}")
        return date_format

    @field_validator("calendar")
    @classmethod
    def _calendar_in_landing(cls, calendar: str | None) -> str | None:
        if calendar is not None and (not calendar or calendar.startswith("/") or ".." in PurePosixPath(calendar).parts):
            raise ValueError(f"expected a file within the provider's landing folder like 'calendars/retail.csv', came {calendar!r}")
        return calendar

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, timezone: str | None) -> str | None:
        if timezone is not None and (problem := _refused_by_database("select timezone($value, timestamp '2000-01-01')", timezone)):
            raise ValueError(f"expected a time zone like America/Chicago, came {timezone!r}: {problem}")
        return timezone

    def check(self, column: Column, numbers: set[str]) -> None:
        """Raise `RuleBroken` for a key that says nothing about `column`, a constant of another kind, or a fraction of what is no mapped number."""
        for key, kinds in _MADE_FOR.items():
            if key in self.model_fields_set and column.kind not in kinds:
                raise RuleBroken(f"expected {key!r} for a column of kind {' or '.join(kinds)}, came for {column.name!r} ({column.kind})", key)
        if self.unit in _MEASURES and column.unit != _MEASURES[self.unit]:
            raise RuleBroken(f"expected 'unit: {self.unit}' for a column in {_MEASURES[self.unit]}, came for {column.name!r} ({column.unit})", "unit")
        if self.date_format is not None and column.name != "valid_from" and not _names_a_day(self.date_format):
            raise RuleBroken(
                f"expected a format with year, month and day (or the number of a week) for {column.name!r}, came {self.date_format!r}: "
                "what is of a whole month or year belongs to none of its weeks",
                "date_format",
            )
        if self.fraction_of is not None and (self.fraction_of not in numbers or isinstance(self.value, str | None)):
            raise RuleBroken(
                f"expected a number as 'value' and one of the mapped columns {sorted(numbers)} as 'fraction_of', came {self.fraction_of!r}",
                "fraction_of",
            )
        for name, value in (("value", self.value), ("default", self.default)):
            if column.kind == "text" and isinstance(value, float) and not (value.is_integer() and abs(value) < 2**53):
                raise RuleBroken(f"expected a text for {column.name!r}, came a number that does not keep all its digits. Put it in quotes", name)
            if value is not None and (problem := _refused_by_database(f"select $value::{column.duckdb}", value)):
                raise RuleBroken(f"expected a {column.kind} for {column.name!r}, came {value!r}: {problem}", name)


def _names_a_day(date_format: str) -> bool:
    """Whether a format tells one day, or one week: others would put a whole month or year into its first week."""
    if date_format in {ISO_WEEK, SERIAL}:
        return True
    found = set(_DIRECTIVE.findall(date_format))
    month_and_day = found & set("mbBh") and found & set("d")
    return bool(found & _YEAR) and bool(found & set("jUWVcx") or month_and_day)


@lru_cache(maxsize=1024)
def _refused_by_database(query: str, value: str | float) -> str | None:
    """Objection of the database that will read the files to a value, which goes to it as a parameter; None where it takes it."""
    with open_database() as connection:
        try:
            connection.execute(query, {"value": value})
        except duckdb.Error as error:
            return str(error).strip().splitlines()[0]
    return None
