"""A small sample of a lake that can be given away: ids hashed, quantities and prices scaled and jittered, places moved; structure and relations kept.

Everything that is changed follows from a secret salt: the same lake and salt give the same sample, and without the salt nothing can be turned back.
Weeks, case packs, public holidays and the weather's course stay as they are, or the sample could not be forecast like its original.
"""

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from transforms.calendar import Week
from transforms.contracts import SOURCES, Column, Source
from transforms.contracts.base import Disguise, Kind
from transforms.contracts.bronze import SHIPMENTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake, day

PROVIDER = "provider.yaml"
_SHORTEST_SALT = 16
_BY_KIND: dict[Kind, Disguise] = {"text": "hashed", "integer": "scaled", "number": "scaled", "flag": "kept", "date": "kept", "timestamp": "kept"}
"""How a column is given away whose contract does not say it: what a source holds that nobody thought of tells nothing."""


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How much of the lake goes into the sample: the busiest regions, stores and products, and the last weeks."""

    regions: int = 2
    stores: int = 8
    products: int = 12
    weeks: int = 80


def obfuscate(lake: Lake, target: Path, salt: str, size: SampleSize) -> dict[str, int]:
    """Write a sample of the lake's bronze tables below `target`, with a provider file that reads it; return the rows of each source.

    Raises
    ------
    ConfigurationError
        If the salt is too short to be a secret, or the folder is not empty.
    MissingData
        If the lake holds no shipments.
    """
    if len(salt) < _SHORTEST_SALT:
        raise ConfigurationError(
            f"The salt has {len(salt)} characters: expected a secret of {_SHORTEST_SALT} or more (--salt-file or SHELFCAST_SALT)."
        )
    if target.exists() and any(target.iterdir()):
        raise ConfigurationError(f"{target} is not empty: expected a new folder, so that no older sample is mixed in.")
    lake.require(SHIPMENTS.name)
    tables = {source: f"bronze/{source}" for source in SOURCES}
    with lake.connect(*tables.values()) as connection:
        _choose(connection, size)
        secret = _Secret(salt)
        found = {source: _obfuscated(connection, secret, source) for source in SOURCES}
    target.mkdir(parents=True, exist_ok=True)
    for source, rows in found.items():
        pq.write_table(rows, target / f"{source}.parquet", compression="zstd", compression_level=19)
    (target / PROVIDER).write_text(_provider(found))
    return {source: rows.num_rows for source, rows in found.items()}


class _Secret:
    """What follows from the salt."""

    def __init__(self, salt: str) -> None:
        self._salt = salt.encode()

    def digest(self, kind: str, value: str) -> str:
        return hmac.new(self._salt, f"{kind} {value}".encode(), hashlib.sha256).hexdigest()

    def id(self, kind: str, value: str) -> str:
        """A new id, which starts with a letter as region keys have to."""
        return f"{kind[0]}{self.digest(kind, value)[:9]}"

    def unit(self, name: str) -> float:
        """A number in 0..1."""
        return int(self.digest("number", name)[:12], 16) / 16**12

    def factor(self, name: str) -> float:
        """A scale between a half and two, the logarithm uniform, and never close to one."""
        exponent = self.unit(name) * 2 - 1
        return math.exp(math.copysign(0.15 + abs(exponent) * (math.log(2) - 0.15), exponent))

    def jitter(self, columns: str, width: float) -> str:
        """DuckDB SQL of a factor in 1 +- width that follows from the row's key."""
        return f"(1 + {width} * (2 * (hash('{self.digest('jitter', columns)}', {columns}) % 1000003) / 1000002.0 - 1))"


def _choose(connection: duckdb.DuckDBPyConnection, size: SampleSize) -> None:
    """Temp tables of the regions, stores, products and weeks that go into the sample."""
    last = connection.execute("select max(week) from bronze_shipments").fetchall()[0][0]
    if last is None:
        raise MissingData("The lake holds no shipments: take some in first (shelfcast init).")
    first = Week(last) + -(size.weeks - 1)
    connection.execute(
        f"""
        create temp table sales as select region, store_id, product_id, count(*) as n from bronze_shipments where week >= {day(first)} group by all;
        create temp table kept_regions as select region from sales group by region order by sum(n) desc, region limit {size.regions};
        create temp table kept_products as
        select product_id from sales semi join kept_regions using (region)
        group by product_id order by sum(n) desc, product_id limit {size.products};
        create temp table kept_stores as
        select store_id, region from (
            select store_id, region, sum(n) as n from sales semi join kept_regions using (region) semi join kept_products using (product_id)
            group by all
        )
        -- Both formats have to be there: models are made for each.
        join (select store_id, format from bronze_stores) using (store_id)
        qualify row_number() over (partition by region, format order by n desc, store_id) <= {size.stores} / 2;
        create temp table kept_weeks as
        select unnest(generate_series({day(first)}::timestamp, date '{last}'::timestamp, interval 7 days))::date as week;
        """
    )


def _obfuscated(connection: duckdb.DuckDBPyConnection, secret: _Secret, source: str) -> pa.Table:
    contract = SOURCES[source]
    rows = connection.execute(f"select * from bronze_{source} where {_kept(contract)} order by {', '.join(contract.key)}")
    connection.register("chosen", rows.to_arrow_table())
    columns, joins = [], []
    for column in contract.columns:
        name = column.name
        if _disguise(column) == "hashed":
            alias = f"id_{name}"
            connection.register(alias, _ids(connection, secret, column))
            joins.append(f"left join {alias} on {alias}.was = chosen.{name}")
            columns.append(f"{alias}.is as {name}")
        else:
            columns.append(f"{_changed(secret, source, column, contract.key)} as {name}")
    changed = connection.execute(f"select {', '.join(columns)} from chosen {' '.join(joins)} order by all").to_arrow_table()
    connection.unregister("chosen")
    return changed.cast(contract.schema)


def _disguise(column: Column) -> Disguise:
    return column.disguise or _BY_KIND[column.kind]


def _kept(contract: Source) -> str:
    """SQL of the rows of the sample: of its stores, or else of its regions, places and postal codes; of its products; of its weeks."""
    of_stores = "select {} from bronze_stores where store_id in (select store_id from kept_stores)"
    chosen = {
        "store_id": "select store_id from kept_stores",
        "region": "select region from kept_regions",
        "place": of_stores.format("place"),
        "zip": of_stores.format("zip"),
        "product_id": "select product_id from kept_products",
    }
    if "store_id" in contract.names and contract["store_id"].required:
        # A row of a store that is kept belongs to the sample, wherever that store was.
        chosen = {name: chosen[name] for name in ("store_id", "product_id")}
    parts = [
        f"{name} in ({query})" if contract[name].required else f"({name} is null or {name} in ({query}))"
        for name, query in chosen.items()
        if name in contract.names
    ]
    if contract.sliced and not contract.sampled_whole:
        parts.append("week in (from kept_weeks)")
    return " and ".join(parts) or "true"


def _ids(connection: duckdb.DuckDBPyConnection, secret: _Secret, column: Column) -> pa.Table:
    found = connection.execute(f"select distinct {column.name} from chosen where {column.name} is not null").fetchall()
    values = [row[0] for row in found]
    kind = column.disguised_as or column.name
    return pa.table({"was": pa.array(values, pa.string()), "is": pa.array([secret.id(kind, value) for value in values], pa.string())})


def _changed(secret: _Secret, source: str, column: Column, key: Sequence[str]) -> str:
    """SQL of a column that is no id."""
    keys, name = ", ".join(key), column.name
    digits = 0 if column.kind == "integer" else 4
    return {
        # One jitter for all columns of a row: a margin stays below its price.
        "scaled": f"round({name} * {secret.factor(column.disguised_as or name)} * {secret.jitter(keys, 0.05)}, {digits})",
        "cases": _cases(secret, name),
        "returned_cases": f"floor({name} * {_of_delivery(secret)} * 0.99)::bigint",
        "blurred": f"round({name} * {secret.jitter(keys, 0.1)}, 1)",
        "shifted": f"round({name} + {secret.jitter(keys, 0.5)} - 1, 2)",
        "moved": _moved(secret, name),
        "renamed": f"'{source.removesuffix('s')} ' || left(md5('{secret.digest(name, source)}' || chosen.{name}), 6)",
        "renamed_event": f"case when kind = 'public_holiday' then {name} else 'event ' || left(md5('{secret.digest(name, '')}' || {name}), 6) end",
        "kept": name,
    }[_disguise(column)]


def _of_delivery(secret: _Secret) -> str:
    """Factor of a delivery: what comes back is scaled by what its delivery was scaled by, so that no more comes back than went out."""
    return f"{secret.factor('units')} * {secret.jitter('store_id, product_id, week', 0.1)}"


def _cases(secret: _Secret, name: str) -> str:
    """Whole cases stay whole cases."""
    pack = "coalesce((select min(case_pack) from bronze_products as p where p.product_id = chosen.product_id), 1)"
    return f"case when {name} = 0 then 0 else greatest(round({name} / {pack} * {_of_delivery(secret)}), 1)::bigint * {pack} end"


def _moved(secret: _Secret, name: str) -> str:
    """Turn the map around its middle and move it away: distances stay, places do not."""
    angle = secret.unit("angle") * 2 * math.pi
    middle = {axis: f"(select avg({axis}) from bronze_stores)" for axis in ("latitude", "longitude")}
    north, east = f"(latitude - {middle['latitude']})", f"(longitude - {middle['longitude']}) * cos(radians({middle['latitude']}))"
    if name == "latitude":
        return f"round({secret.unit('north') * 20 - 10} + {north} * {math.cos(angle)} - {east} * {math.sin(angle)}, 5)"
    return f"round({secret.unit('east') * 60 - 150} + {north} * {math.sin(angle)} + {east} * {math.cos(angle)}, 5)"


def _provider(found: dict[str, pa.Table]) -> str:
    sources = {
        source: [{"files": f"{source}.parquet", "format": "parquet", "columns": {name: name for name in rows.column_names}}]
        for source, rows in found.items()
        if rows.num_rows or SOURCES[source].needed
    }
    provider = {"name": "obfuscated", "description": "A sample with hashed ids, changed quantities and moved places.", "sources": sources}
    return yaml.safe_dump(provider, sort_keys=False, width=140)
