"""Dates and times as provider files write them, as DuckDB SQL: formats, offsets, serial numbers, and which Monday a week belongs to.

Whatever a week's name is, what is known of it is known at its own end, and not earlier.
"""

import re
import unicodedata

from transforms.lake.database import literal

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ISO_WEEK, SERIAL = "iso_week", "serial"
"""Date formats beside strptime's: `2024-W09` (or 2024-09, 202409, 2024 KW 9), and days since 1899-12-30 as spreadsheets count them."""
_WEEK_NUMBER = r"^([0-9]{4})(?:[-/ ]?(?:[Ww]|[Kk][Ww]) ?([0-9]{1,2})|[-/ ]?([0-9]{2}))$"
_MONTHS = {
    "January": "jan january januar janvier janv jänner enero ene gennaio gen januari janeiro",
    "February": "feb february februar février févr fév febrero febbraio febbr februari fevereiro fev",
    "March": "mar march märz mär mars marzo maart mrt março marts",
    "April": "apr april avril avr abril abr aprile",
    "May": "may mai mayo maggio mag mei maio maj",
    "June": "jun june juni juin junio giugno giu junho",
    "July": "jul july juli juillet juil julio luglio lug julho",
    "August": "aug august août aoû agosto ago augustus augusti",
    "September": "sep sept september septembre septiembre settembre sett set setembro",
    "October": "oct october oktober okt octobre octubre ottobre ott outubro out",
    "November": "nov november novembre noviembre novembro",
    "December": "dec december dezember dez décembre déc diciembre dic dicembre dezembro desember des",
}
"""Month -> its names and abbreviations in English, German, French, Spanish, Italian, Dutch, Portuguese and the Nordic languages; none has two
meanings.
"""
YEARS = ("0001-01-01", "9999-12-31")
"""First and last day that every program along the way can hold; the database knows others, and infinity."""
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?)?"
_DIRECTIVE = re.compile(r"%-?[A-Za-z%]")
_WRITTEN_AS = {"z": "[+-][0-9]{2}(?::?[0-9]{2})?", "Z": "[A-Za-z_]+(?:/[A-Za-z_]+)*", "%": "%"} | dict.fromkeys("aAbBhp", r"\p{L}+[.]?")
"""Directives of strptime -> what they stand for, as regular expressions; the others are digits."""
_OFFSET = r"^(.*[0-9])\s*([+-][0-9]{2})(?::?([0-9]{2}))?$"


def within_years(moment: str) -> str:
    """SQL of a moment of the years that every program along the way can hold; null of others, and of infinity, which the database knows."""
    return f"case when {moment} between timestamp '{YEARS[0]}' and timestamp '{YEARS[1]}' then {moment} end"


def parsed_moment(text: str, date_format: str | None, real_dates: bool) -> str:
    """SQL of a timestamp without zone; null where the text is not written as declared.

    A time with its own offset becomes UTC: see `has_offset`, and do not convert it again; `as_told` is what the clock showed there. With
    `real_dates` a column of a spreadsheet may hold dates beside texts, written here as year-month-day whatever is declared of the texts.
    """
    if date_format is None:
        return _iso_moment(text)
    declared, iso = _declared_moment(text, date_format), _iso_date(text)
    if formats_offset(date_format) or not real_dates:
        return declared
    # Where the format finds another date in it, nobody knows whether it is a date or a text.
    return f"case when {iso} is null or {declared} = {iso} then {declared} when {declared} is null then {iso} end"


def _iso_date(text: str) -> str:
    """SQL of a year-month-day, with a time or without; null for all else."""
    return f"case when regexp_full_match({text}, '{_ISO}') then try_cast({text} as timestamp) end"


def _declared_moment(text: str, date_format: str) -> str:
    if date_format == ISO_WEEK:
        monday = rf"try_strptime(regexp_replace({text}, '{_WEEK_NUMBER}', '\1-\2\3-1'), '%G-%V-%u')"
        # Most years have 52 weeks: their 53rd would be the first one of the next year.
        return f"case when isoyear({monday}) = try_cast(left({text}, 4) as integer) then {monday} end"
    if date_format == SERIAL:
        days = f"try_cast({text} as double)"
        return f"case when {days} between 1 and 2958465 then timestamp '1899-12-30' + to_seconds(round({days} * 86400)::bigint) end"
    parsed = strptime(text, date_format)
    return f"timezone('UTC', {parsed})" if formats_offset(date_format) else parsed


def strptime(text: str, date_format: str) -> str:
    """SQL of a text read by a strptime format, with months by their names in the languages of `_MONTHS`."""
    parsed = f"try_strptime({text}, {literal(date_format)})"
    if not re.search("%[bBh]", date_format):
        return parsed
    english = f"strip_accents({text})"
    for month, names in _MONTHS.items():
        # Longer names first: of names that begin alike the shorter one would match.
        words = "|".join(sorted(map(_plain, names.split()), key=len, reverse=True))
        written = month if "%B" in date_format else month[:3]
        english = rf"regexp_replace({english}, '\b({words})\b[.]?', '{written}', 'i')"
    return f"coalesce({parsed}, try_strptime({english}, {literal(date_format)}))"


def _plain(word: str) -> str:
    return unicodedata.normalize("NFD", word).encode("ascii", "ignore").decode()


def _iso_moment(text: str) -> str:
    # A number alone is no date, and neither are 'epoch' and 'infinity', whatever a cast would make of them.
    local = rf"try_cast(regexp_replace({text}, '{_OFFSET}', '\1') as timestamp)"
    # Years of five digits are typing errors, and not every calculation with them ends well.
    has_year = f"regexp_matches({text}, '^[0-9]{{1,4}}[-/]')"
    return f"case when not {has_year} then null when {has_offset(text)} then {local} - {offset_of(text)} else try_cast({text} as timestamp) end"


def formats_offset(date_format: str) -> bool:
    """Whether a declared format holds an offset from UTC, or a zone's name."""
    return any(directive[-1] in "zZ" for directive in _DIRECTIVE.findall(date_format))


def as_told(text: str, date_format: str | None) -> str:
    """SQL of the time that the clock showed where it was told, of a text with an offset wherever in it: the same text with UTC in its place."""
    if date_format is None:
        return f"({_iso_moment(text)} + {offset_of(text)})"
    zone = next(found for found in _DIRECTIVE.finditer(date_format) if found[0][-1] in "zZ")
    before, after = _pattern(date_format[: zone.start()]), _pattern(date_format[zone.end() :])
    utc = rf"\1{'+00' if zone[0][-1] == 'z' else 'UTC'}\2"
    pattern = literal(rf"^(\s*{before}){_WRITTEN_AS[zone[0][-1]]}({after}\s*)$")
    return _declared_moment(f"regexp_replace({text}, {pattern}, {literal(utc)})", date_format)


def _pattern(date_format: str) -> str:
    """Regular expression of the texts that a part of a strptime format reads; blanks stand for any number of them."""
    found, end = "", 0
    for directive in _DIRECTIVE.finditer(date_format):
        found += _blanks(date_format[end : directive.start()]) + _WRITTEN_AS.get(directive[0][-1], "[0-9]+")
        end = directive.end()
    return found + _blanks(date_format[end:])


def _blanks(text: str) -> str:
    return r"\s*".join(re.escape(part) for part in re.split(r"\s+", text))


def has_offset(text: str) -> str:
    """SQL of whether a time says its own offset from UTC."""
    return rf"coalesce(regexp_full_match({text}, '.*[0-9]:[0-9]{{2}}.*([+-][0-9]{{2}}(:?[0-9]{{2}})?|[Zz])'), false)"


def offset_of(text: str) -> str:
    """SQL of the offset from UTC that a time ends with, as an interval; none where it says none."""
    hours, minutes = rf"regexp_extract({text}, '{_OFFSET}', 2)", rf"regexp_extract({text}, '{_OFFSET}', 3)"
    # Half hours count in the direction of the hours; the digit behind keeps the sign of -00.
    sign = f"sign(try_cast({hours} || '1' as integer))::integer"
    turned = f"try_cast({hours} as integer) * 60 + {sign} * coalesce(try_cast({minutes} as integer), 0)"
    return f"to_minutes(coalesce({turned}, 0))"


def monday_of(moment: str, first_day: str | None, last_day: str | None) -> str:
    """SQL of the Monday of the week that most days of a provider's week lie in.

    Parameters
    ----------
    first_day, last_day
        Weekday that a provider's weeks begin or end with, which the date names; a date on another weekday is none. Without both, its own Monday.
    """
    if first_day is None and last_day is None:
        return f"date_trunc('week', {moment})"
    number = WEEKDAYS.index(first_day or last_day or "monday") + 1
    first = moment if first_day else f"({moment} - interval 6 day)"
    return f"case when isodow({moment}) = {number} then {monday_of_most(first)} end"


def monday_of_most(first: str) -> str:
    """SQL of the Monday of the week that most of the seven days from `first` on lie in."""
    # The fourth day decides: a week from Friday on belongs to the next Monday's.
    return f"date_trunc('week', {first} + interval 3 day)"


def end_of_week(moment: str, first_day: str | None, last_day: str | None) -> str:
    """SQL of the first instant after a provider's week."""
    if last_day is not None:
        return f"date_trunc('day', {moment}) + interval 1 day"
    return f"date_trunc('day', {moment}) + interval 7 day" if first_day is not None else f"date_trunc('week', {moment}) + interval 7 day"
