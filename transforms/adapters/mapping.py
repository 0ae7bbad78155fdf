"""SQL of a file's rows as their contract wants them: selected, mapped, completed. How one value is converted stands in `expressions`."""

from collections.abc import Iterator, Sequence

import duckdb

from transforms.adapters.expressions import Kinds, amount, came, can_fail, converted, digits_lost, end_known, raw, with_nearest_station
from transforms.adapters.formats.headers import ROW, SHAPE, UNMATCHED
from transforms.adapters.numbers import FAULTS, stands_for_nothing
from transforms.adapters.spec import ColumnSpec, FileSpec, ProviderSpec, RowFilter
from transforms.contracts import SOURCES, Contract, Source
from transforms.lake.database import literal, quoted


def row_filter(spec: FileSpec, kinds: Kinds) -> str:
    """SQL predicate of the rows that belong to this source."""
    return " and ".join(part for condition in spec.rows for part in _conditions(condition, spec, kinds)) or "true"


def _conditions(condition: RowFilter, spec: FileSpec, kinds: Kinds) -> Iterator[str]:
    """SQL predicates of one condition. A row that cannot be told belongs to the negative half of each pair: there it is found at fault."""
    column = ColumnSpec(column=condition.column)
    plain, text = f"{quoted(condition.column)}::varchar", raw(column, kinds)
    if condition.starting_with is not None:
        yield f"coalesce(starts_with({plain}, {literal(condition.starting_with)}), false)"
    if condition.not_starting_with is not None:
        yield f"coalesce(not starts_with({plain}, {literal(condition.not_starting_with)}), true)"
    if condition.among is not None:
        yield f"coalesce({text} in ({', '.join(map(literal, condition.among))}), false)"
    if condition.not_in is not None:
        yield f"coalesce({text} not in ({', '.join(map(literal, condition.not_in))}), true)"
    if condition.sign is not None:
        # The number is written as the mapping of its column says.
        number = amount(next((mapping for mapping in spec.columns.values() if mapping.column == condition.column), column), kinds)
        yield f"coalesce({number} >= 0, true)" if condition.sign == "positive" else f"coalesce({number} < 0, false)"


def mapped(contract: Contract, spec: FileSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """SQL of the rows as the contract wants them, with a flag for each value that came where it may turn out unreadable."""
    columns = [_line_id(spec.line_columns, kinds)] if spec.line_columns else []
    for column in contract.columns:
        mapping = spec.columns.get(column.name)
        if mapping is not None:
            columns.append(f"{_value(contract, column.name, spec, provider, kinds)} as {quoted(column.name)}")
            if can_fail(column, mapping, kinds):
                columns.append(f"{came(column, mapping, kinds)} as {quoted(f'came_{column.name}')}")
    if has_days(spec):
        columns.append(f"{converted(contract['week'], spec.columns['week'].as_written(), provider, kinds)} as day")
    if spec.lookup is not None:
        columns.append(UNMATCHED)
    names = set(spec.columns)
    origin = f"{_with_packs(contract, spec, provider, kinds)} where {row_filter(spec, kinds)}"
    rows = f"select {ROW} as row, {SHAPE} as shape, {', '.join(columns)} from {origin}"
    if "store_id" in names and contract.sliced:
        known = "m.product_id in (select product_id from products) as product_known" if "product_id" in names else "true as product_known"
        region = "" if "region" in names else "s.region, "
        return f"with m as ({rows}) select m.*, {region}{known} from m left join stores as s using (store_id)"
    if "place" in names and contract.sliced:
        # A place that serves stores of two regions gives rows in both; one that serves none gives none.
        places = "select distinct region, place from stores where place is not null"
        return f"with m as ({rows}), p as ({places}) select m.*, p.region from m join p using (place)"
    return with_nearest_station(rows, provider.stations) if needs_station(contract, spec, provider) else rows


def _line_id(columns: Sequence[str], kinds: Kinds) -> str:
    """SQL of a line's number, of one or several columns; an error of a spreadsheet is none, or all lines that have it would be one, and neither is a
    number that was rounded.
    """
    texts = [f"nullif(trim({quoted(column)}::varchar), '')" for column in columns]
    # Between two parts stands a sign that no part holds, or 1-23 and 12-3 would be one line.
    line = " || chr(31) || ".join(f"case when not {stands_for_nothing(text, FAULTS)} then {text} end" for text in texts)
    lost = digits_lost(columns, kinds)
    return f"case when not ({lost}) then {line} end as line_id" if lost else f"{line} as line_id"


def _value(contract: Contract, name: str, spec: FileSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """SQL of a contract's value; a fraction is one of the other column's value, whatever the file calls its own columns."""
    mapping = spec.columns[name]
    if name == "known_at" and (dated := spec.dated) is not None:
        end = end_known(dated, contract, spec.columns[dated], provider, kinds)
        if mapping == spec.columns[dated]:
            return end
        if contract.table == "shipments":
            # A mapped time (the week's own date in some time zone) may lie before the week: nobody knows deliveries before it has ended.
            known = converted(contract[name], mapping, provider, kinds)
            return f"case when {known} is not null then greatest({known}, {end}) end"
    if mapping.fraction_of is None or mapping.value is None:
        return converted(contract[name], mapping, provider, kinds)
    whole = converted(contract[mapping.fraction_of], spec.columns[mapping.fraction_of], provider, kinds)
    return f"round({literal(mapping.value)} * {whole}, 4)"


def _with_packs(contract: Contract, spec: FileSpec, provider: ProviderSpec, kinds: Kinds) -> str:
    """The file's rows, with the newest case pack of each row's product beside where quantities are in cases."""
    product = spec.columns.get("product_id")
    if product is None or not any(column.unit == "case" for column in spec.columns.values()):
        return "raw"
    newest = "arg_max(case_pack, coalesce(valid_from, date '0001-01-01')) as product_case_pack"
    packs = f"select product_id as packed_product, {newest} from products group by all"
    return f"raw left join ({packs}) on packed_product = {converted(contract['product_id'], product, provider, kinds)}"


def has_days(spec: FileSpec) -> bool:
    """True where days stand beside the rows: those of a file that adds up."""
    return spec.adds_up and "week" in spec.columns


def needs_station(contract: Contract, spec: FileSpec, provider: ProviderSpec) -> bool:
    """True where stores that name no weather place get the nearest station."""
    return bool(provider.stations) and contract.table == "stores" and "place" not in spec.columns and {"latitude", "longitude"} <= set(spec.columns)


def net_to_last_delivery(connection: duckdb.DuckDBPyConnection, spec: FileSpec, provider: ProviderSpec, kinds: Kinds) -> None:
    """Move returns to the week of the latest delivery of that product to that store up to the credit, where the file or what is on record knows one.

    They stay known when the credit was, which is at the end of its own week where nothing else is said.
    """
    contract = SOURCES["returns"]
    names = ("store_id", "product_id", "week")
    known_at = "" if "known_at" in spec.columns else ", timezone('UTC', m.week + interval 7 day) as known_at"
    delivered = ", ".join(f"{converted(contract[name], spec.columns[name], provider, kinds)} as {name}" for name in names)
    connection.execute(
        f"""
        create or replace temp view good as
        with d as (
            select {delivered} from raw where not ({row_filter(spec, kinds)})
            union select store_id, product_id, week from deliveries semi join mapped using (store_id, product_id)
        ),
        m as (from mapped where row not in (select row from broken) and row not in (select row from repeated))
        select m.* replace (coalesce(d.week, m.week) as week){known_at}
        from m asof left join d on d.store_id = m.store_id and d.product_id = m.product_id and d.week <= m.week
        """
    )


def result(contract: Source, spec: FileSpec, computed: set[str]) -> str:
    """SQL of the contract's columns; rows with the same key are summed, unless they are told apart by their line id across files."""
    computed = computed | ({"region"} if contract.sliced else set())
    columns = {}
    for column in contract.columns:
        if column.name in spec.columns or column.name in computed:
            columns[column.name] = column.name
        else:
            columns[column.name] = contract.derived.get(column.name, f"null::{column.duckdb}")
    if spec.adds_up:
        measures = {column.name for column in contract.columns if column.kind == "integer"}
        columns = {name: f"sum({sql})::bigint" if name in measures else sql for name, sql in columns.items()}
    if spec.line_id is not None:
        columns["line_id"] = "line_id::varchar"
    if has_days(spec):
        columns |= {"first_day": "min(day)", "last_day": "max(day)"}
    selected = ", ".join(f"{sql} as {quoted(name)}" for name, sql in columns.items())
    # Rows stay in the order of their file; grouped ones have none of their own.
    grouped = f" group by all order by {', '.join(contract.key)}" if spec.adds_up else ""
    return f"select {selected} from good{grouped}"
