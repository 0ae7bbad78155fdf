"""Settings of one mapped column: how its dates and numbers are written, its unit, its week, each with the reason and what a person has to decide."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.adapters.moments import ISO_WEEK, WEEKDAYS
from transforms.contracts import SOURCES, Column
from transforms.drafting.kinds import Kind
from transforms.drafting.profiles import DateStyle, NumberStyle, Profile
from transforms.drafting.words import concepts, plain, tokens, unit_of

_ZONES = {
    "et": "America/New_York", "est": "America/New_York", "edt": "America/New_York", "ct": "America/Chicago", "cst": "America/Chicago",
    "mst": "America/Denver", "pst": "America/Los_Angeles", "pt": "America/Los_Angeles", "cet": "Europe/Berlin", "mez": "Europe/Berlin",
    "utc": "UTC", "gmt": "UTC",
}  # fmt: skip
_LARGE = (
    "large l xl g big gross grosse gro gross supermarkt supermarket supercenter hypermarket hypermarche grand grande big_box a verbrauchermarkt sb"
)
_SMALL = (
    "small s xs k klein kleine kiosk drugstore convenience petit petite pequeno piccolo klein discounter drogerie express city corner c b m medium"
)
_HOT, _TENTHS = 56, 140


@dataclass
class ColumnDraft:
    """One line of the draft: how a contract's column comes about, why, and what a person has to decide."""

    settings: dict[str, Any]
    reason: str = ""
    questions: list[str] = field(default_factory=list)

    @property
    def column(self) -> str | None:
        """The file's column that it is read from."""
        return self.settings.get("column")


def column_draft(source: str, target: str, profile: Profile, kind: Kind, reason: str) -> ColumnDraft:
    """The settings that a file's column is read with."""
    column, made = SOURCES[source][target], ColumnDraft({"column": profile.name}, reason)
    if column.kind in {"date", "timestamp"} and profile.date is not None:
        _date(made, column, profile, profile.date)
    elif column.kind in {"integer", "number"} and profile.number is not None:
        _number(made, column, profile, profile.number, kind)
    elif target == "region":
        made.settings["clean"] = "key"
    elif target == "format":
        _format(made, column, profile)
    elif target == "zip":
        _zip(made, profile)
    if profile.filled < 1 and column.required:
        made.questions.append(f"{1 - profile.filled:.1%} of its values are missing: their rows go to quarantine unless a 'default' is given")
    return made


def _date(made: ColumnDraft, column: Column, profile: Profile, style: DateStyle) -> None:
    if style.date_format is not None:
        made.settings["date_format"] = style.date_format
    if style.other is not None:
        made.questions.append(
            f"day and month may be turned round: {profile.values[0]} is read as {style.date_format}, and {style.other} fits as well"
        )
    if style.exceptions:
        made.questions.append(f"some values are written otherwise, like {', '.join(style.exceptions)}: they go to quarantine")
    if column.name == "week":
        _week(made, profile, style)
    if column.kind == "timestamp" and not style.zoned:
        if not style.with_time:
            if column.name != "issued_at":
                made.settings["clean"] = "end_of_day"
            else:
                made.questions.append("it tells the day alone, so that forecasts count as issued at its beginning: is that so?")
        elif zone := next((zone for word in reversed(tokens(profile.name)) if (zone := _ZONES.get(word))), None):
            made.settings["timezone"] = zone
        else:
            made.questions.append("times are taken as UTC: add 'timezone: Europe/Berlin' (or another one) if they are local")


def _week(made: ColumnDraft, profile: Profile, style: DateStyle) -> None:
    """The Monday that a date belongs to."""
    if style.calendar is not None:
        made.settings["calendar"] = style.calendar
        return
    if style.date_format == ISO_WEEK:
        if not any(letter.isalpha() for letter in profile.values[0]):
            made.questions.append(f"{profile.values[0]} is read as a year and its ISO week: if your weeks are others, name a 'calendar' instead")
        return
    only, days, words = style.only_weekday, sum(style.weekdays.values()), concepts(profile.name)
    if only == 1 and not style.with_time:
        return
    if only is None or days < 2 or style.with_time:
        made.settings["clean"] = "week"
        return
    weekday = WEEKDAYS[only - 1]
    if "WEEK" not in words and days >= 2 and (words & {"SHIPPED", "RETURN"} or only not in {6, 7}):
        made.settings |= {"clean": "week", "weekday": weekday}
        made.questions.append(f"all dates are {weekday.title()}s: taken as days. If they name weeks, write 'week_starts' or 'week_ends' instead")
        return
    ends = "UNTIL" in words or (only == 6 and "FROM" not in words)
    made.settings["week_ends" if ends else "week_starts"] = weekday
    told = "UNTIL" in words or "FROM" in words
    if not told:
        made.questions.append(
            f"all dates are {weekday.title()}s: taken as the {'last' if ends else 'first'} day of a week. If they are days on which something "
            f"happened, write 'clean: week' and 'weekday: {weekday}' instead"
        )


def _number(made: ColumnDraft, column: Column, profile: Profile, style: NumberStyle, kind: Kind) -> None:
    made.settings |= style.settings
    if style.ambiguous:
        _signs(made, column, profile, kind)
    if style.exceptions:
        made.questions.append(f"some values are written otherwise, like {', '.join(style.exceptions)}: they go to quarantine")
    unit = _unit(made, column, profile, style)
    if unit is not None:
        made.settings["unit"] = unit
    if column.kind == "integer" and style.fractions and not style.ambiguous and unit is None:
        made.questions.append(
            f"{style.fractions} of its values are not whole, and their rows go to quarantine: if goods are sold by weight, add 'unit: kilogram'"
        )


def _signs(made: ColumnDraft, column: Column, profile: Profile, kind: Kind) -> None:
    """Whether a sign before three digits is one of thousands: as the file's other columns are written, else as the contract's kind suggests."""
    sign = "," if any("," in value for value in profile.values) else "."
    others = {
        other.number.settings.get("decimal", ".")
        for other in kind.profiles.values()
        if other.number is not None and not other.number.ambiguous and other.number.fractions and other.name != profile.name
    }
    groups = column.kind == "integer" if len(others) != 1 else sign not in others
    for key in ("decimal", "grouping"):
        made.settings.pop(key, None)
    if groups:
        made.settings |= {"decimal": ","} if sign == "." else {"grouping": ","}
    elif sign == ",":
        made.settings["decimal"] = ","
    if len(others) != 1:
        example = next(value for value in profile.values if sign in value)
        made.questions.append(f"the sign in {example} is taken for one of {'thousands' if groups else 'a fraction'}: is that right?")


def _unit(made: ColumnDraft, column: Column, profile: Profile, style: NumberStyle) -> str | None:
    """The unit that a name or the range tells, of those that fit the contract's."""
    named, words = unit_of(profile.name), concepts(profile.name)
    if column.unit == "degC":
        return _degrees(made, named, style)
    if column.unit == "mm" and named != "inch" and not {"mm", "cm", "l"} & {*tokens(profile.name)}:
        made.questions.append("taken as millimetres: add 'unit: inch' or 'unit: tenth' if it is not")
    if column.unit == "units" and column.name != "case_pack" and "CASE" in words:
        made.questions.append("its name says cases: turned into units by each product's case_pack. If they are units, remove 'unit: case'")
        return "case"
    allowed = {
        "mm": {"inch"},
        "km": {"mile"},
        "ml": {"centilitre", "litre", "fluid_ounce", "kilogram", "pound"},
        "units": {"dozen", "kilogram", "pound"} if column.name != "case_pack" else set(),
    }
    return named if named in allowed.get(column.unit or "", set()) else None


def _degrees(made: ColumnDraft, named: str | None, style: NumberStyle) -> str | None:
    """The unit of a temperature: climates of 55 degrees are none."""
    if style.highest > _TENTHS:
        made.questions.append(f"values up to {style.highest:g} are taken as tenths of a degree: is that right?")
        return "tenth_fahrenheit" if named == "fahrenheit" else "tenth"
    if named == "fahrenheit" or style.highest < _HOT:
        return named if named == "fahrenheit" else None
    made.questions.append(f"values up to {style.highest:g} are taken as Fahrenheit: is that right?")
    return "fahrenheit"


def _format(made: ColumnDraft, column: Column, profile: Profile) -> None:
    if {value.lower() for value in profile.values} <= {*column.allowed}:
        if not set(profile.values) <= {*column.allowed}:
            made.settings["clean"] = "lower"
        return
    guessed, open_values = {}, []
    for value in sorted(profile.values)[:60]:
        words = {plain(value), *tokens(value)}
        large, small = bool(words & {*_LARGE.split()}), bool(words & {*_SMALL.split()})
        guessed[value] = "small" if small and not large else "large"
        if large == small:
            open_values.append(value)
    made.settings["map"] = guessed
    which = f"; nothing tells which {', '.join(open_values[:5])} are" if open_values else ""
    made.questions.append(f"large are supermarkets and big boxes, small drugstores and convenience: is the map right{which}?")


def _zip(made: ColumnDraft, profile: Profile) -> None:
    digits = [value.split("-")[0] for value in profile.values]
    widths = {len(value) for value in digits if value.isdigit()}
    if widths and all(value.isdigit() for value in digits) and max(widths) <= 5 and (len(widths) > 1 or any("-" in v for v in profile.values)):
        made.settings["width"] = 5
        made.questions.append("ZIPs of unequal length are filled with zeros in front to five digits: is that right?")


def constant(value: str | float, question: str) -> ColumnDraft:
    """A value that stands until a person gives the right one."""
    return ColumnDraft({"value": value}, "", [question])


def as_yaml(settings: Mapping[str, Any]) -> Any:
    """The short form where a column is read as it is."""
    return settings["column"] if list(settings) == ["column"] else dict(settings)
