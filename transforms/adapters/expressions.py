"""From a column mapping to DuckDB SQL: reading a file as rows of text or typed values, and converting them to a contract's columns."""

from pathlib import Path

from transforms.adapters.spec import ColumnSpec, FileSpec, ProviderSpec
from transforms.contracts import Column

_UNITS = {
    "fahrenheit": "({x} - 32) * 5 / 9",
    "inch": "{x} * 25.4",
    "mile": "{x} * 1.609344",
    "thousand": "{x} * 1000",
    "percent": "{x} / 100",
}


def literal(value: str | float) -> str:
    """SQL literal of a text or a number."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def quoted(name: str) -> str:
    """SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def scan(spec: FileSpec, path: Path) -> str:
    """SQL that reads a file; CSV comes as text throughout, so that a value that cannot be converted can be shown as it was."""
    file = literal(str(path))
    if spec.format == "parquet":
        return f"read_parquet({file})"
    if spec.format == "jsonl":
        return f"read_json({file}, format = 'newline_delimited', sample_size = -1)"
    return (
        f"read_csv({file}, header = true, all_varchar = true, delim = {literal(spec.delimiter)}, encoding = {literal(spec.encoding)}, "
        "quote = '\"', strict_mode = true, null_padding = false)"
    )


def raw(spec: ColumnSpec) -> str:
    """The provider's value as text, empty text as null."""
    if spec.column is None:
        return "null::varchar"
    return f"nullif(trim({quoted(spec.column)}::varchar), '')"


def converted(column: Column, spec: ColumnSpec, provider: ProviderSpec) -> str:
    """SQL of the contract's value; null where the provider's value cannot be converted (validation tells that from an empty one)."""
    if spec.fraction_of is not None and spec.value is not None:
        return f"round({spec.value!r} * {quoted(spec.fraction_of)}, 4)"
    if spec.value is not None:
        return f"{literal(spec.value)}::{column.duckdb}"
    text = _cleaned(raw(spec), spec, provider)
    value = _typed(text, column, spec)
    return value if spec.default is None else f"coalesce({value}, {literal(spec.default)}::{column.duckdb})"


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
    cases = " ".join(f"when {literal(came)} then {literal(standard)}" for came, standard in mapping.items())
    return f"case {text} {cases} else {cleaned} end"


def _typed(text: str, column: Column, spec: ColumnSpec) -> str:
    if column.kind == "text":
        return text
    if column.kind in {"date", "timestamp"}:
        return _instant(text, column, spec)
    number = f"try_cast(replace(replace({text}, '.', ''), ',', '.') as double)" if spec.decimal == "," else f"try_cast({text} as double)"
    if spec.unit is not None:
        number = _UNITS[spec.unit].format(x=number)
    if spec.negate:
        number = f"-({number})"
    if column.kind == "integer":
        # A quantity like 2.5 has to fail rather than be rounded; beyond 2^53 a double no longer tells whole numbers apart.
        return f"case when {number} = floor({number}) and abs({number}) < 9007199254740992 then try_cast({number} as bigint) end"
    return f"case when isfinite({number}) then {number} end"


def _instant(text: str, column: Column, spec: ColumnSpec) -> str:
    moment = f"try_strptime({text}, {literal(spec.date_format)})" if spec.date_format else f"try_cast({text} as timestamp)"
    if spec.clean == "week":
        moment = f"date_trunc('week', {moment})"
    if spec.clean == "end_of_day":
        moment = f"(date_trunc('day', {moment}) + interval 1 day)"
    if column.kind == "date":
        return f"({moment})::date"
    return f"timezone({literal(spec.timezone or 'UTC')}, {moment})"
