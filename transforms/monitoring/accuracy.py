"""How the models stand: gold/accuracy summed up by region or segment, for tables and pages. Metrics are defined in models.evaluation.metrics."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from transforms.calendar import Week
from transforms.contracts import Contract
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, FORECASTS, WEATHER_VALUE
from transforms.contracts.life_cycle import MODEL_EVENTS, MODEL_VERSIONS
from transforms.lake.database import open_database
from transforms.lake.tables import Lake, day

# Means over rows are weighted by rows, errors of squares by squares: a summary equals the metric over all rows.
SUMS = """
    sum(n)::bigint as n,
    sum(n_zero)::bigint as n_zero,
    sum(mape * (n - n_zero)) / nullif(sum(n - n_zero) filter (where mape is not null), 0) as mape,
    sum(baseline_mape * (n - n_zero)) / nullif(sum(n - n_zero) filter (where baseline_mape is not null), 0) as baseline_mape,
    sqrt(sum(rmse_0 * rmse_0 * n_zero) / nullif(sum(n_zero) filter (where rmse_0 is not null), 0)) as rmse_0,
    sqrt(sum(rmse_all * rmse_all * n) / nullif(sum(n), 0)) as rmse_all,
    sqrt(sum(baseline_rmse_all * baseline_rmse_all * n) / nullif(sum(n), 0)) as baseline_rmse_all,
    sum(interval_share_80 * n) / nullif(sum(n) filter (where interval_share_80 is not null), 0) as interval_share_80
"""

_SEGMENT = "region, format, mover"
_WEATHER = ("issued", "realised", "none")


def by_region(lake: Lake, first: Week, last: Week) -> list[dict[str, Any]]:
    """One row for each region: accuracy over target weeks `first` to `last`, and over all regions at the end (region 'all')."""
    return _summary(lake, "grouping sets ((region), ())", "coalesce(region, 'all') as region", "grouping(region), region", first, last)


def by_segment(lake: Lake, first: Week, last: Week) -> list[dict[str, Any]]:
    """One row for each region, format and mover."""
    return _summary(lake, _SEGMENT, _SEGMENT, _SEGMENT, first, last)


def by_week_and_segment(lake: Lake, first: Week, last: Week) -> list[dict[str, Any]]:
    """One row for each target week, region, format and mover."""
    keys = f"week, {_SEGMENT}"
    return _summary(lake, keys, keys, keys, first, last)


def by_segment_of(scored: pa.Table, constants: Mapping[str, Any], contract: Contract) -> pa.Table:
    """Rows of gold/accuracy summed up by segment, with constant columns beside, as rows of another contract."""
    given = ", ".join(f"${name} as {name}" for name in constants)
    with open_database() as connection:
        connection.register("scored", scored)
        rows = connection.execute(
            f"select {_SEGMENT}, {given}, {SUMS} from scored group by {_SEGMENT} order by all", dict(constants)
        ).to_arrow_table()
    return rows.select(contract.names).cast(contract.schema)


def overall(scored: pa.Table) -> dict[str, float | int | None]:
    """Rows of gold/accuracy summed up over all of them."""
    with open_database() as connection:
        connection.register("scored", scored)
        summed: dict[str, float | int | None] = connection.execute(f"select {SUMS} from scored").to_arrow_table().to_pylist()[0]
    return summed


def weather_by_kind(lake: Lake, week: Week) -> list[dict[str, Any]]:
    """Accuracy with issued, realised and no weather at an origin, by region and over all ('all')."""
    with lake.connect(WEATHER_VALUE.name) as connection:
        rows: list[dict[str, Any]] = (
            connection.execute(
                f"""
                with summed as (
                    select coalesce(region, 'all') as region, grouping(region) as last, weather,
                        sum(mape * (n - n_zero)) / nullif(sum(n - n_zero) filter (where mape is not null), 0) as mape,
                        sqrt(sum(rmse_all * rmse_all * n) / nullif(sum(n), 0)) as rmse_all, sum(n)::bigint as n
                    from gold_weather_value where week = {day(week)} group by grouping sets ((region, weather), (weather))
                )
                select region, any_value(n) as n, {
                    ", ".join(f"max({m}) filter (where weather = '{kind}') as {m}_{kind}" for m in ("mape", "rmse_all") for kind in _WEATHER)
                }
                from summed group by region, last order by last, region
                """
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def champions_by_region(lake: Lake) -> dict[str, int]:
    """Number of segments with a promoted ensemble."""
    with lake.connect(MODEL_EVENTS.name, MODEL_VERSIONS.name) as connection:
        rows = connection.execute(
            """
            select e.region, count(distinct (e.format, e.mover)) as n
            from gold_model_events as e join gold_model_versions as v using (model_version)
            where e.event = 'champion' and v.kind = 'ensemble' and e.region <> 'all'
            group by 1
            """
        ).fetchall()
    return dict(rows)


def rungs_served(lake: Lake, origin: Week) -> list[dict[str, Any]]:
    """Forecast rows made at an origin by region, format, mover and step of the failover ladder, with the step's reason, most first."""
    with lake.connect(FORECASTS.name) as connection:
        rows: list[dict[str, Any]] = (
            connection.execute(
                f"""
                select region, format, mover, rung, count(*) as n, any_value(rung_reason) as reason, any_value(is_significant) as is_significant
                from gold_forecasts where origin_week = {day(origin)} group by 1, 2, 3, 4 order by n desc, region, format, mover, rung
                """
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def drift_by_region(lake: Lake, week: Week) -> dict[str, tuple[int, int]]:
    """Columns that drifted in `week` and columns watched."""
    with lake.connect(DRIFT.name) as connection:
        rows = connection.execute(
            f"""select region, count(*) filter (where drifted), count(*) from gold_drift where week = {day(week)} group by 1"""
        ).fetchall()
    return {region: (drifted, watched) for region, drifted, watched in rows}


def _summary(lake: Lake, grouping: str, keys: str, order: str, first: Week, last: Week) -> list[dict[str, Any]]:
    weeks = f"week between {day(first)} and {day(last)}"
    with lake.connect(ACCURACY.name) as connection:
        found = connection.execute(f"select {keys}, {SUMS} from gold_accuracy where {weeks} group by {grouping} order by {order}")
        rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return [row for row in rows if row["n"] is not None]
