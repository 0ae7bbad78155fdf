"""Where a forecast, a model or a version of the data comes from, down to the raw files, and what a raw file went into.

Each step follows what is on record: a forecast row names its model and data version, a model its data version, a data version the time at which it
was recorded; the bronze tables as they stood then name file, content hash and arrival of each row.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS, SOURCES
from transforms.contracts.bronze import LANDING_FILES
from transforms.contracts.gold import FORECASTS
from transforms.contracts.life_cycle import DATASET_EVENTS, MODEL_VERSIONS
from transforms.errors import MissingData
from transforms.lake.tables import Lake, day
from transforms.records.dataset_versions import Dataset, log
from transforms.rows import Row


def forecast_row(lake: Lake, region: Region, store: str, product: str, origin: Week, target: Week) -> Row:
    """One row of gold/forecasts; raise `MissingData` with what there is instead."""
    found = _select(
        lake,
        FORECASTS.name,
        "region = $region and store_id = $store and product_id = $product and origin_week = $origin and target_week = $target",
        {"region": str(region), "store": store, "product": product, "origin": origin.monday, "target": target.monday},
    )
    if found:
        return found[0]
    series = _select(
        lake,
        FORECASTS.name,
        "region = $region and store_id = $store and product_id = $product",
        {"region": str(region), "store": store, "product": product},
    )
    origins = ", ".join(sorted({str(row["origin_week"]) for row in series})) or "no origin"
    raise MissingData(
        f"There is no forecast for store {store!r}, product {product!r} of {region}, made at {origin} for {target}: the lake holds forecasts of this "
        f"series from {origins}."
    )


def model_row(lake: Lake, version: str) -> Row:
    """One row of gold/model_versions, by its version or the start of it."""
    found = _select(lake, MODEL_VERSIONS.name, "starts_with(model_version, $version)", {"version": version})
    if len(found) == 1:
        return found[0]
    several = f"several versions start so: {', '.join(row['model_version'] for row in found[:5])}" if found else "none is on record"
    raise MissingData(f"Model version {version!r}: {several}. 'shelfcast models list' shows them.")


def dataset_of(lake: Lake, version: str) -> Dataset:
    """A version of a region's data, as it was recorded first."""
    for dataset in log(lake):
        if dataset.version == version:
            return dataset
    raise MissingData(f"Data version {version!r} is not on record: 'shelfcast data log' lists those that are.")


def decisions_on_data(lake: Lake, version: str) -> list[Row]:
    """Every decision on a version of the data, oldest first."""
    return sorted(_select(lake, DATASET_EVENTS.name, "dataset_version = $version", {"version": version}), key=lambda row: row["event_time"])


def files_of(lake: Lake, dataset: Dataset, until: Week, series: tuple[str, str] | None = None) -> list[Row]:
    """The raw files behind a version of the data, as bronze stood when it was recorded.

    Parameters
    ----------
    until
        Last week of which rows count: what an origin could use.
    series
        Store and product: only the rows that are theirs.

    Returns
    -------
    One row for each source and version of a file: source, file, sha256, arrived_at, rows, first and last week.
    """
    names = [f"bronze/{source}" for source in SOURCES]
    then = lake.as_of(dataset.recorded_at, names)
    found = []
    for source, name in zip(SOURCES, names, strict=True):
        found += _files_in(then, source, name, dataset.region, until, series) if then.exists(name) else []
    return found


def files_named(lake: Lake, name: str) -> list[Row]:
    """What is on record about the versions of a landing file, by its name or the start of a content hash (at least eight digits)."""
    where = "source_file = $name or (length($name) >= 8 and starts_with(source_hash, $name))"
    found = _select(lake, LANDING_FILES.name, where, {"name": name})
    if not found:
        raise MissingData(f"No file {name!r} was ever looked at in landing: give its name below the landing folder, or the start of its SHA-256.")
    return sorted(found, key=lambda row: (row["source"], row["registered_at"]))


def datasets_with(lake: Lake, source: str, digest: str) -> list[tuple[Dataset, int, date | None]]:
    """The versions of the data that hold rows of a version of a file: each with the number of rows and the first week that they are about."""
    name, found = f"bronze/{source}", []
    counted: dict[int, dict[str | None, tuple[int, date | None]]] = {}
    for dataset in log(lake):
        then = lake.as_of(dataset.recorded_at, [name])
        version = then.pinned.get(name, -1)
        if version not in counted:
            counted[version] = _rows_of_file(then, name, digest)
        rows, first = counted[version].get(str(dataset.region), counted[version].get(None, (0, None)))
        if rows:
            found.append((dataset, rows, first))
    return found


def models_on(lake: Lake, dataset_versions: Iterable[str], first_week: Mapping[str, date | None] | None = None) -> list[Row]:
    """Models trained on versions of the data; where `first_week` tells when a file's rows begin in a version, those trained at that week or later."""
    wanted, begins = set(dataset_versions), first_week or {}
    rows = [row for row in _select(lake, MODEL_VERSIONS.name, "true", {}) if row["dataset_version"] in wanted]
    used = [row for row in rows if (begin := begins.get(row["dataset_version"])) is None or begin <= row["trained_week"]]
    return sorted(used, key=lambda row: (row["region"], row["trained_week"], row["format"], row["mover"], row["model_version"]))


def forecasts_by(lake: Lake, models: Iterable[str], dataset_versions: Iterable[str] = ()) -> list[Row]:
    """Forecasts that models made, or that were made from versions of the data: one row for each region, origin, model and data version."""
    if not lake.exists(FORECASTS.name):
        return []
    with lake.connect(FORECASTS.name) as connection:
        rows: list[Row] = (
            connection.execute(
                """
                select region, origin_week, model_version, dataset_version, run_id, rung, count(*) as forecasts from gold_forecasts
                where list_contains($models, model_version) or list_contains($data, dataset_version)
                group by all order by region, origin_week, model_version
                """,
                {"models": list(models), "data": list(dataset_versions)},
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def _files_in(lake: Lake, source: str, name: str, region: Region, until: Week, series: tuple[str, str] | None) -> list[Row]:
    contract = CONTRACTS[name]
    conditions, weeks = [], "null::date as first_week, null::date as last_week"
    values: dict[str, Any] = {}
    if "region" in contract.names:
        conditions.append(f"region = '{region}'")
    if contract.sliced:
        conditions.append(f"week <= {day(until)}")
        weeks = "min(week) as first_week, max(week) as last_week"
    if series is not None:
        keys = [(column, value) for column, value in zip(("store_id", "product_id"), series, strict=True) if column in contract.names]
        if not keys:
            return []
        conditions += [f"{column} = ${column}" for column, _ in keys]
        values = dict(keys)
    with lake.connect(name) as connection:
        rows: list[Row] = (
            connection.execute(
                f"""
                select '{source}' as source, source_file, source_hash, max(arrived_at) as arrived_at, count(*) as rows, {weeks}
                from {name.replace("/", "_")} where {" and ".join(conditions) or "true"} group by source_file, source_hash order by source_file
                """,
                values,
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def _rows_of_file(lake: Lake, name: str, digest: str) -> dict[str | None, tuple[int, date | None]]:
    """Rows of a version of a file by region, and their first week; under None where the source has no regions."""
    if not lake.exists(name):
        return {}
    contract = CONTRACTS[name]
    region = "region" if "region" in contract.names else "null"
    week = "min(week)" if contract.sliced else "null"
    with lake.connect(name) as connection:
        sql = f"select {region}, count(*), {week} from {name.replace('/', '_')} where source_hash = $digest group by {region}"
        rows = connection.execute(sql, {"digest": digest}).fetchall()
    return {region: (count, first) for region, count, first in rows}


def _select(lake: Lake, table: str, where: str, values: Mapping[str, Any]) -> list[Row]:
    if not lake.exists(table):
        return []
    with lake.connect(table) as connection:
        rows: list[Row] = connection.execute(f"select * from {table.replace('/', '_')} where {where}", dict(values)).to_arrow_table().to_pylist()
    return rows
