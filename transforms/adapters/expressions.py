"""From a column mapping to DuckDB SQL: converting a file's texts and typed values to a contract's columns."""

from collections.abc import Iterable, Mapping

from transforms.adapters.beside.calendars import first_day
from transforms.adapters.moments import as_told, end_of_week, formats_offset, has_offset, monday_of, monday_of_most, parsed_moment, within_years
from transforms.adapters.numbers import CERTAIN, FAULTS, NOTHING, UNITS, has_hidden_fraction, identifier, key, parsed_number, stands_for_nothing
from transforms.adapters.spec import ColumnSpec, ProviderSpec
from transforms.contracts import Column, Contract
from transforms.lake.database import literal, quoted

Kinds = Mapping[str, str]
"""DuckDB type of each column of a file; CSV and JSON lines come as text, spreadsheets as `CELL`."""
CELL = "CELL"
"""Kind of a spreadsheet's column: texts, and among them real dates as year-month-day."""

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_FRACTIONS = {"FLOAT": 1 << 24, "DOUBLE": CERTAIN}
"""Kinds of fractions -> the number from which on they do not tell whole numbers apart."""
_TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"})
ZONED = "TIMESTAMP WITH TIME ZONE"
"""Kind of a column of instants; behind it, and a space, stands the zone whose clock they were told by, where the file says it."""
IDENTIFIERS = frozenset({"region", "store_id", "product_id", "zip", "place"})


def written(spec: ColumnSpec, kinds: Kinds) -> str:
    """The provider's value as the file writes it, as text, empty text as null; joined columns are empty where one of them is."""
    texts = [_text(source, kinds) for source in spec.sources]
    return texts[0] if len(texts) == 1 else f" || {literal(spec.join)} || ".join(f"({text})" for text in texts) or "null::varchar"


def raw(spec: ColumnSpec, kinds: Kinds) -> str:
    """The provider's value as text, or the part of it that is meant, empty text as null; null too where there are fewer parts."""
    if spec.part is None:
        return written(spec, kinds)
    text, separator = f"({written(spec, kinds)})", literal(spec.part.separator)
    return f"case when contains({text}, {separator}) then nullif(trim(split_part({text}, {separator}, {spec.part.number})), '') end"


def _text(source: str, kinds: Kinds) -> str:
    name, kind = quoted(source), kinds.get(source, "VARCHAR")
    if kind in _FRACTIONS or kind.startswith("DECIMAL"):
        # A whole number that a program kept as a fraction is told as it was: store 101, not 101.0.
        few = f" and abs({name}) < {CERTAIN}" if kind in _FRACTIONS else ""
        # Larger ones are told by the double that they are: the few digits of a FLOAT would be those of another number.
        large = f" when {name} = floor({name}) then {name}::double::varchar" if kind in _FRACTIONS else ""
        whole = f"case when {name} = floor({name}){few} then {name}::hugeint::varchar{large} else {name}::varchar end"
        return f"case when not isnan({name}::double) then {whole} end"
    return f"{name}::varchar" if kind in _WHOLE | _TIMES else f"nullif(trim({name}::varchar), '')"


def can_fail(column: Column, spec: ColumnSpec, kinds: Kinds) -> bool:
    """Whether a value that came may not be what the contract wants; typed columns of Parquet files are what they are, or dates of no year."""
    may = column.kind != "text" or column.name in IDENTIFIERS or spec.part is not None
    return may and bool(spec.sources) and (column.kind in {"date", "timestamp"} or not _is_of_kind(column, spec, kinds))


def came(column: Column, spec: ColumnSpec, kinds: Kinds) -> str:
    """SQL of whether the provider wrote a value; a word for none is none."""
    text = f"({written(spec, kinds)})"
    return f"({text} is not null and not {stands_for_nothing(text, NOTHING)})" if column.name in IDENTIFIERS else f"{text} is not null"


def converted(column: Column, spec: ColumnSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """SQL of the contract's value; null where the provider's value cannot be converted (validation tells that from an empty one)."""
    if spec.value is not None:
        return f"{literal(_constant(spec.value, column))}::{column.duckdb}"
    ready = _is_of_kind(column, spec, kinds)
    value = _typed(column, spec, kinds) if ready else _parsed(_cleaned(raw(spec, kinds), column, spec, provider), column, spec, kinds)
    if column.name in IDENTIFIERS and (lost := digits_lost(spec.sources, kinds)):
        value = f"case when not ({lost}) then {value} end"
    if spec.default is None:
        return value
    # Of a value that came and cannot be read the default would make another one, and nobody would be told.
    return f"case when {came(column, spec, kinds)} then {value} else {literal(_constant(spec.default, column))}::{column.duckdb} end"


def digits_lost(columns: Iterable[str], kinds: Kinds) -> str:
    """SQL of whether a fraction that stands for an identifier may have been another whole number; empty where none of the columns holds fractions."""
    fractions = [(quoted(column), _FRACTIONS[kinds[column]]) for column in columns if kinds.get(column) in _FRACTIONS]
    return " or ".join(f"coalesce(abs({name}) >= {most}, false)" for name, most in fractions)


def _constant(value: str | float, column: Column) -> str | float:
    """A constant of the YAML; where a text is wanted, 101 is store 101 and not 101.0."""
    return str(int(value)) if column.kind == "text" and not isinstance(value, str) and value == int(value) else value


def _kind(spec: ColumnSpec, kinds: Kinds) -> str:
    """Type of the provider's value; what is put together or taken apart is text."""
    return "VARCHAR" if spec.source is None or spec.part is not None else kinds.get(spec.source, "VARCHAR")


def _is_of_kind(column: Column, spec: ColumnSpec, kinds: Kinds) -> bool:
    """True where the file's own type already is the contract's, so that no text has to be made and read."""
    kind = _kind(spec, kinds)
    if column.kind == "integer":
        return kind in _WHOLE and spec.unit is None and spec.clean is None and not spec.map
    return column.kind in {"date", "timestamp"} and _is_time(kind) and spec.date_format is None


def _is_text(spec: ColumnSpec, kinds: Kinds) -> bool:
    """True where a number is written as the provider declares, and not as the file's type says."""
    return _kind(spec, kinds) in {"VARCHAR", CELL}


def _is_time(kind: str) -> bool:
    return kind in _TIMES or kind.startswith(ZONED)


def _typed(column: Column, spec: ColumnSpec, kinds: Kinds) -> str:
    name = quoted(spec.source or "")
    if column.kind == "integer":
        return f"-({name}::bigint)" if spec.negate else f"{name}::bigint"
    kind = _kind(spec, kinds)
    if kind.startswith(ZONED):
        moment, zone = within_years(name), kind.removeprefix(ZONED).strip() or "UTC"
        there = f"timezone({literal(zone)}, {moment})"
        return _moment(_on_its_day(f"timezone('UTC', {moment})", there, "true", column, spec), "true", column, spec)
    return _moment(within_years(f"try_cast({name} as timestamp)"), "false", column, spec)


def _cleaned(text: str, column: Column, spec: ColumnSpec, provider: ProviderSpec) -> str:
    mapping = spec.map or (provider.regions if spec.clean == "key" else {})
    cleaned = {
        "lower": f"lower({text})",
        "upper": f"upper({text})",
        "digits": f"regexp_replace({text}, '[^0-9]', '', 'g')",
        "key": key(text),
    }.get(spec.clean or "", text)
    if column.name in IDENTIFIERS:
        cleaned = f"case when not {stands_for_nothing(text, (*NOTHING, *FAULTS))} then {cleaned} end"
    if not mapping:
        return cleaned
    cases = " ".join(f"when {literal(raw_value)} then {literal(standard)}" for raw_value, standard in mapping.items())
    return f"case {text} {cases} else {cleaned} end"


def _parsed(text: str, column: Column, spec: ColumnSpec, kinds: Kinds) -> str:
    if column.kind == "text":
        return identifier(text, spec.width) if column.name in IDENTIFIERS or spec.width is not None else text
    if spec.calendar is not None:
        return _moment(first_day(text, spec.calendar), "false", column, spec)
    if column.kind in {"date", "timestamp"}:
        moment, says_offset = parsed_moment(text, spec.date_format, _kind(spec, kinds) == CELL), _says_offset(text, spec)
        there = moment if says_offset == "false" else as_told(text, spec.date_format)
        return _moment(_on_its_day(moment, there, says_offset, column, spec), says_offset, column, spec)
    number = _number(text, spec, kinds)
    if spec.unit is not None:
        number = UNITS[spec.unit].format(x=number)
    if spec.negate:
        number = f"-({number})"
    if column.kind == "integer":
        # A quantity like 2.5 has to fail rather than be rounded; beyond 2^53 a double no longer tells whole numbers apart.
        whole = f"{number} = floor({number}) and abs({number}) < {CERTAIN}"
        if spec.unit is None:
            whole += f" and not {has_hidden_fraction(text, spec.decimal if _is_text(spec, kinds) else '.')}"
        return f"case when {whole} then try_cast({number} as bigint) end"
    return f"case when isfinite({number}) then {number} end"


def amount(spec: ColumnSpec, kinds: Kinds) -> str:
    """SQL of the provider's number as it is written, before any unit; null where it is none."""
    return _number(raw(spec, kinds), spec, kinds)


def _number(text: str, spec: ColumnSpec, kinds: Kinds) -> str:
    if not _is_text(spec, kinds):
        return f"try_cast({text} as double)"
    grouping = spec.grouping or ("." if spec.decimal == "," else None)
    return parsed_number(text, spec.decimal, None if grouping == "none" else grouping, spec.affixes, spec.negative)


def _says_offset(text: str, spec: ColumnSpec) -> str:
    if spec.date_format is None:
        return has_offset(text)
    return "true" if formats_offset(spec.date_format) else "false"


def _on_its_day(moment: str, there: str, says_offset: str, column: Column, spec: ColumnSpec) -> str:
    """SQL of a time whose day is that of the place where it was told, where days or weeks are wanted: a Sunday evening there is no Monday.

    Parameters
    ----------
    moment, there
        The time in UTC where it says its own offset (`says_offset`), and what the clock told there. A declared time zone goes before.
    """
    names_day = column.kind == "date" or spec.week_starts is not None or spec.week_ends is not None
    if not names_day or says_offset == "false":
        return moment
    local = there if spec.timezone is None else f"timezone({literal(spec.timezone)}, timezone('UTC', {moment}))"
    return local if says_offset == "true" else f"case when {says_offset} then {local} else {moment} end"


def _moment(moment: str, says_offset: str, column: Column, spec: ColumnSpec) -> str:
    """SQL of a date or of a time in UTC, from one without zone; a time that says its own offset is in UTC already."""
    if spec.calendar and column.kind == "timestamp":
        moment = f"({moment} + interval 7 day)"
    elif spec.calendar:
        moment = monday_of_most(moment)
    elif (spec.week_starts or spec.week_ends) and column.kind == "timestamp":
        moment = end_of_week(moment, spec.week_starts, spec.week_ends)
    elif spec.week_starts or spec.week_ends or spec.clean == "week":
        moment = monday_of(moment, spec.week_starts, spec.week_ends)
    if spec.clean == "end_of_day":
        moment = f"(date_trunc('day', {moment}) + interval 1 day)"
    if column.kind == "date":
        return f"({moment})::date"
    local = f"timezone({literal(spec.timezone or 'UTC')}, {moment})"
    return local if says_offset == "false" else f"case when {says_offset} then timezone('UTC', {moment}) else {local} end"


def end_known(name: str, contract: Contract, spec: ColumnSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """SQL of the instant at which the week or day that a provider names has ended, by the clock of the time zone that its column declares.

    Parameters
    ----------
    name
        The contract's column that holds it: `week`, or the `date` of a day.
    """
    if spec.calendar is not None:
        return converted(contract["known_at"], spec, provider, kinds)
    day = f"({converted(contract[name], spec.as_written(), provider, kinds)})::timestamp"
    end = end_of_week(day, spec.week_starts, spec.week_ends) if name == "week" else f"{day} + interval 1 day"
    return f"timezone({literal(spec.timezone or 'UTC')}, {end})"


def as_json(columns: Kinds) -> str:
    """SQL of a row of `raw` as JSON; dates and times go through their text, since there are some that JSON's writer cannot convert."""
    values = (f"{quoted(name)} := raw.{quoted(name)}{'::varchar' if _is_time(kind) else ''}" for name, kind in columns.items())
    return f"to_json(struct_pack({', '.join(values)}))::varchar"


def with_nearest_station(rows: str, stations: Mapping[str, tuple[float, float]]) -> str:
    """SQL of stores (`rows` with latitude and longitude) with the nearest of the stations and its great-circle distance in km (haversine formula).

    Stores without a position have no place.
    """
    listed = ", ".join(f"({literal(name)}, {literal(latitude)}, {literal(longitude)})" for name, (latitude, longitude) in stations.items())
    half = "pow(sin(radians(station.lat - m.latitude) / 2), 2)"
    turned = "cos(radians(m.latitude)) * cos(radians(station.lat)) * pow(sin(radians(station.lon - m.longitude) / 2), 2)"
    distance = f"2 * 6371.0088 * asin(sqrt({half} + {turned}))"
    return f"""
        with m as ({rows}), station(name, lat, lon) as (values {listed})
        select m.*, near.place, round(near.km, 2) as place_km from m left join (
            select m.row, arg_min(station.name, {distance}) as place, min({distance}) as km from m, station
            where m.latitude is not null and m.longitude is not null group by m.row
        ) as near using (row)
    """
