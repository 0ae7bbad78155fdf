"""From a column mapping to DuckDB SQL: reading a file as rows of text or typed values, and converting them to a contract's columns."""

from collections.abc import Mapping
from pathlib import Path

from transforms.adapters.spec import ColumnSpec, FileSpec, ProviderSpec
from transforms.contracts import Column
from transforms.lake.database import literal, quoted

_UNITS = {
    "fahrenheit": "({x} - 32) * 5 / 9",
    "inch": "{x} * 25.4",
    "mile": "{x} * 1.609344",
    "thousand": "{x} * 1000",
    "percent": "{x} / 100",
}


def scan(spec: FileSpec, path: Path, compression: str) -> str:
    """SQL that reads a file; CSV comes as text throughout, so that a value that cannot be converted can be shown as it was.

    Parameters
    ----------
    path
        A name without characters that stand for others: DuckDB reads `s[1].csv` as a pattern, and takes columns from folders called `week=...`.
    compression
        `uncompressed`, `gzip` or `zstd`.
    """
    file = literal(str(path))
    if spec.format == "parquet":
        return f"read_parquet({file})"
    if spec.format == "jsonl":
        return f"read_json({file}, format = 'newline_delimited', sample_size = -1, compression = {literal(compression)})"
    return (
        f"read_csv({file}, header = true, all_varchar = true, delim = {literal(spec.delimiter)}, encoding = {literal(spec.encoding)}, "
        f"compression = {literal(compression)}, "
        "quote = '\"', strict_mode = true, null_padding = false)"
    )


Kinds = Mapping[str, str]
"""DuckDB type of each column of a file; CSV and spreadsheets come as text."""

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_TIMES = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"})


def raw(spec: ColumnSpec, kinds: Kinds) -> str:
    """The provider's value as text, empty text as null."""
    if spec.column is None:
        return "null::varchar"
    text = f"{quoted(spec.column)}::varchar"
    return text if _is_typed(spec, kinds) else f"nullif(trim({text}), '')"


def can_fail(column: Column, spec: ColumnSpec, kinds: Kinds) -> bool:
    """Whether a value that came may not be what the contract wants; typed columns of Parquet files are what they are."""
    return column.kind != "text" and spec.column is not None and not _is_of_kind(column, spec, kinds)


def converted(column: Column, spec: ColumnSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """SQL of the contract's value; null where the provider's value cannot be converted (validation tells that from an empty one)."""
    if spec.fraction_of is not None and spec.value is not None:
        return f"round({literal(spec.value)} * {quoted(spec.fraction_of)}, 4)"
    if spec.value is not None:
        return f"{literal(spec.value)}::{column.duckdb}"
    ready = _is_of_kind(column, spec, kinds)
    value = _typed(column, spec) if ready else _parsed(_cleaned(raw(spec, kinds), spec, provider), column, spec)
    return value if spec.default is None else f"coalesce({value}, {literal(spec.default)}::{column.duckdb})"


def _is_typed(spec: ColumnSpec, kinds: Kinds) -> bool:
    return spec.column is not None and kinds.get(spec.column, "VARCHAR") in _WHOLE | _TIMES


def _is_of_kind(column: Column, spec: ColumnSpec, kinds: Kinds) -> bool:
    """True where the file's own type already is the contract's, so that no text has to be made and read."""
    kind = kinds.get(spec.column or "", "VARCHAR")
    if column.kind == "integer":
        return kind in _WHOLE and spec.unit is None and spec.clean is None and not spec.map
    return column.kind in {"date", "timestamp"} and kind in _TIMES and spec.date_format is None


def _typed(column: Column, spec: ColumnSpec) -> str:
    name = quoted(spec.column or "")
    if column.kind == "integer":
        return f"-({name}::bigint)" if spec.negate else f"{name}::bigint"
    if column.kind == "date" and spec.clean is None:
        return f"{name}::date"
    if column.kind == "date" and spec.clean == "week":
        return f"date_trunc('week', {name}::date)::date"
    return _moment(f"{name}::timestamp", column, spec)


def _cleaned(text: str, spec: ColumnSpec, provider: ProviderSpec) -> str:
    mapping = spec.map or (provider.regions if spec.clean == "key" else {})
    cleaned = {
        "lower": f"lower({text})",
        "upper": f"upper({text})",
        "digits": f"regexp_replace({text}, '[^0-9]', '', 'g')",
        "key": rf"trim(regexp_replace(lower({text}), '[^a-z0-9]+', '_', 'g'), '_')",
    }.get(spec.clean or "", text)
    if not mapping:
        return cleaned
    cases = " ".join(f"when {literal(raw_value)} then {literal(standard)}" for raw_value, standard in mapping.items())
    return f"case {text} {cases} else {cleaned} end"


def _parsed(text: str, column: Column, spec: ColumnSpec) -> str:
    if column.kind == "text":
        return text
    if column.kind in {"date", "timestamp"}:
        read = f"try_strptime({text}, {literal(spec.date_format)})" if spec.date_format else f"try_cast({text} as timestamp)"
        return _moment(read, column, spec)
    number = f"try_cast(replace(replace({text}, '.', ''), ',', '.') as double)" if spec.decimal == "," else f"try_cast({text} as double)"
    if spec.unit is not None:
        number = _UNITS[spec.unit].format(x=number)
    if spec.negate:
        number = f"-({number})"
    if column.kind == "integer":
        # A quantity like 2.5 has to fail rather than be rounded; beyond 2^53 a double no longer tells whole numbers apart.
        return f"case when {number} = floor({number}) and abs({number}) < 9007199254740992 then try_cast({number} as bigint) end"
    return f"case when isfinite({number}) then {number} end"


def _moment(moment: str, column: Column, spec: ColumnSpec) -> str:
    if spec.clean == "week":
        moment = f"date_trunc('week', {moment})"
    if spec.clean == "end_of_day":
        moment = f"(date_trunc('day', {moment}) + interval 1 day)"
    if column.kind == "date":
        return f"({moment})::date"
    return f"timezone({literal(spec.timezone or 'UTC')}, {moment})"


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
