"""What a store will sell of a product, what was forecast of it before, and what came: one series at a time, out of its region's files."""

from datetime import date

from dashboard.queries.names import named
from dashboard.queries.reader import Reader
from transforms.calendar import Week
from transforms.contracts.gold import CONTRIBUTIONS, DEMAND, FORECASTS
from transforms.rows import Row

GROUPS = tuple(CONTRIBUTIONS.names[CONTRIBUTIONS.names.index("reference") + 1 :])
"""What adds up to a forecast, beside what is expected of a series that nothing is known about."""
_SERIES = "region = $region and store_id = $store and product_id = $product"


def forecast_regions(reader: Reader) -> list[str]:
    """The regions that have forecasts."""
    return [row["region"] for row in reader.rows("select distinct region from gold_forecasts order by 1", FORECASTS.name)]


def newest_origin(reader: Reader, region: str) -> Week | None:
    """The origin of a region's newest forecasts; None before there are any."""
    found = reader.row("select max(origin_week) as origin from gold_forecasts where region = $region", FORECASTS.name, within=region, region=region)
    return Week(found["origin"]) if found.get("origin") else None


def newest_week(reader: Reader, region: str) -> Week | None:
    """The newest week of a region that deliveries are known of; None before there is one."""
    sql = "select max(week) as week from gold_demand where region = $region and units_shipped > 0"
    found = reader.row(sql, DEMAND.name, within=region, region=region)
    return Week(found["week"]) if found.get("week") else None


def forecast_stores(reader: Reader, region: str, origin: Week) -> dict[str, str]:
    """Stores that have forecasts of an origin: id -> name, by name."""
    return named(reader, "store_id", FORECASTS.name, "region = $region and origin_week = $origin", within=region, region=region, origin=origin.monday)


def forecast_products(reader: Reader, region: str, store: str, origin: Week) -> dict[str, str]:
    """Products of a store that have forecasts of an origin: id -> name, by name."""
    where = "region = $region and store_id = $store and origin_week = $origin"
    return named(reader, "product_id", FORECASTS.name, where, within=region, region=region, store=store, origin=origin.monday)


def actuals(reader: Reader, region: str, store: str, product: str, first: Week, last: Week) -> list[Row]:
    """Units shipped, returned and sold of each week in the series' life from `first` to `last`; a week without a row counts as 0."""
    sql = f"""
        with mine as (select * from gold_demand where {_SERIES}),

        weeks as (
            select unnest(generate_series(greatest($first::date, min(week)), $last::date, interval 7 day))::date as week
            from mine having min(week) is not null
        )

        select
            week,
            coalesce(units_shipped, 0)::double as shipped,
            coalesce(units_returned, 0)::double as returned,
            coalesce(demand, 0)::double as demand
        from weeks left join mine using (week)
        order by week
    """
    keys = {"region": region, "store": store, "product": product, "first": first.monday, "last": last.monday}
    return reader.rows(sql, DEMAND.name, within=region, **keys)


def forecasts(reader: Reader, region: str, store: str, product: str, first: Week) -> list[Row]:
    """All forecasts of a series for target weeks from `first` on, by target and then from the longest lead to the shortest."""
    sql = f"""
        select
            origin_week, target_week, horizon, expected, size, q10, q50, q90, p_demand, baseline, model_version, trained_week, is_stale, rung,
            rung_reason, ended
        from gold_forecasts
        where {_SERIES} and target_week >= $first
        order by target_week, horizon desc
    """
    return reader.rows(sql, FORECASTS.name, within=region, region=region, store=store, product=product, first=first.monday)


def kept_parts(reader: Reader, region: str, store: str, product: str, origin: date, target: date) -> Row:
    """What adds up to a forecast, where that is kept with it; empty where models have to be asked."""
    sql = (
        f"select reference, {', '.join(GROUPS)}, expected from gold_contributions where {_SERIES} and origin_week = $origin and target_week = $target"
    )
    return reader.row(sql, CONTRIBUTIONS.name, within=region, region=region, store=store, product=product, origin=origin, target=target)
