"""One region's weeks as drift is watched on them: dense arrays by series and week, in which a week never knows more than it did when it ended.

A draw of the region's series (all of them in small regions), always the same ones, with every week that they have. Which columns are watched and what
they are compared with is in `transforms.monitoring.drift_columns`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import duckdb
import numpy as np
import numpy.typing as npt

from transforms.arrays import Bools, Floats32, Ints64, Texts
from transforms.calendar import Region, Week
from transforms.contracts.gold import DEMAND, FORECASTS
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_RETURNS, SILVER_STORES, SILVER_WEATHER, SILVER_WEATHER_KNOWN
from transforms.lake.tables import Lake, day

HISTORY_WEEKS = 5 * 52 + 32
"""Three years of reference for each week of the last two, and the half year before them that levels are taken from."""
MOST_SERIES = 2000
"""Series drawn of a region: the distribution of 2,000 values is known to about 1 %, and a region-week takes a second."""
WEATHER = ("tmin_c", "tmax_c", "precip_mm")
_TABLES = (
    *(DEMAND.name, FORECASTS.name, SILVER_RETURNS.name, SILVER_STORES.name, SILVER_PRODUCTS.name, SILVER_WEATHER.name, SILVER_WEATHER_KNOWN.name),
    SILVER_EVENT_WEEKS.name,
)


@dataclass(frozen=True)
class DriftHistory:
    """A region's weeks from `first` on; arrays that end in `weeks` have a value for each of them, NaN where nothing is known.

    Attributes
    ----------
    stands_for
        Series of the region for each one drawn.
    store, product
        Index of each series' store and product, shape (series,), ascending by store.
    demand
        Units delivered less the returns known by the end of the same week, shape (series, weeks), so that every week is of the same vintage.
    size, expected
        What forecasts of the week before said, shape (series, weeks).
    promoted
        Whether a promotion held, shape (series, weeks).
    price
        Shape (products, weeks), as listed at the time; `margin` and `return_cost` shape (products,), as listed last.
    income
        Shape (stores, weeks), as published at the time.
    weather
        As it was measured, shape (stores, weeks, WEATHER).
    issued
        Maximum temperature that models were given, as forecast the week before, shape (stores, weeks).
    holidays
        Names of each week's holidays and observances, shape (weeks,).
    """

    region: Region
    first: Week
    stands_for: float
    store: Ints64
    product: Ints64
    demand: Floats32
    size: Floats32
    expected: Floats32
    promoted: Bools
    category: Texts
    vendor: Texts
    format: Texts
    price: Floats32
    margin: Floats32
    return_cost: Floats32
    income: Floats32
    weather: Floats32
    issued: Floats32
    holidays: Texts

    @property
    def weeks(self) -> int:
        """Length of the week axis."""
        return int(self.demand.shape[1])

    @property
    def last(self) -> Week:
        """The week that is watched."""
        return self.first + (self.weeks - 1)

    def until(self, week: Week) -> Self:
        """The history as it was at the end of an earlier week."""
        n = week - self.first + 1
        cut: dict[str, Any] = {name: getattr(self, name)[:, :n] for name in _BY_WEEK}
        return replace(self, holidays=self.holidays[:n], **cut)

    @classmethod
    def load(cls, lake: Lake, region: Region, week: Week) -> Self | None:
        """Read the weeks up to `week`; None where it holds no deliveries of the region."""
        with lake.connect(*_TABLES) as connection:
            first = _draw(connection, region, week)
            if first is None:
                return None
            return cls(**_arrays(connection, region, first, week))


_BY_WEEK = ("demand", "size", "expected", "promoted", "price", "income", "weather", "issued")


def _draw(connection: duckdb.DuckDBPyConnection, region: Region, week: Week) -> Week | None:
    """Make the table `drawn` of the deliveries of the series drawn; return its first week, None where `week` has none."""
    inside = f"region = '{region}' and week between {day(week + (1 - HISTORY_WEEKS))} and {day(week)}"
    found = connection.execute(
        f"""
        select min(week), count(distinct (store_id, product_id)) filter (where week > {day(week + -52)}), count(*) filter (where week = {day(week)})
        from gold_demand where {inside}
        """
    ).fetchone()
    if found is None or not found[2]:
        return None
    share = max(1, -(-found[1] // MOST_SERIES))
    connection.execute(
        f"""
        create temp table drawn as
        with prompt as (
            select store_id, product_id, week, sum(units_returned) as units
            from silver_returns where {inside} and known_at < week + interval 7 day group by all
        )
        select d.store_id, d.product_id, (d.week - {day(Week(found[0]))}) // 7 as t, greatest(d.units_shipped - coalesce(p.units, 0), 0) as demand,
            {share} as stands_for
        from gold_demand as d left join prompt as p using (store_id, product_id, week)
        where {inside} and hash(d.store_id, d.product_id) % {share} = 0
        """
    )
    return Week(found[0])


def _arrays(connection: duckdb.DuckDBPyConnection, region: Region, first: Week, week: Week) -> dict[str, Any]:
    weeks = week - first + 1
    rows = connection.execute(
        """
        select dense_rank() over (order by store_id, product_id) - 1 as series, dense_rank() over (order by store_id) - 1 as store,
            dense_rank() over (order by product_id) - 1 as product, store_id, product_id, t, demand, stands_for
        from drawn
        """
    ).df()
    connection.register("keys", keys := rows.drop_duplicates("series").sort_values("series"))
    shape = (len(keys), weeks)
    demand = np.zeros(shape, np.float32)
    demand[rows["series"], rows["t"]] = rows["demand"]
    since = f"(f.target_week - {day(first)}) // 7"
    forecasts = connection.execute(
        f"""
        select k.series, {since} as t, f.size, f.expected from gold_forecasts as f join keys as k using (store_id, product_id)
        where f.region = '{region}' and f.horizon = 1 and f.target_week between {day(first)} and {day(week)}
        """
    ).fetchnumpy()
    predicted = {name: _filled(shape, (forecasts["series"], forecasts["t"]), np.asarray(forecasts[name])) for name in ("size", "expected")}
    stores = _held(connection, "store", ("format", "place"), ("income",), first, weeks)
    products = _held(connection, "product", ("category", "vendor"), ("price", "margin", "return_cost"), first, weeks)
    weather, issued = _weather(connection, region, stores["place"], first, weeks)
    return {
        "region": region,
        "first": first,
        "stands_for": float(rows["stands_for"].iloc[0]) if len(rows) else 1.0,
        "store": keys["store"].to_numpy(),
        "product": keys["product"].to_numpy(),
        "demand": demand,
        **predicted,
        "promoted": _promoted(connection, region, keys["store"].to_numpy(), keys["product"].to_numpy(), first, weeks),
        **{name: products[name] for name in ("category", "vendor", "price")},
        **{name: products[name][:, -1] for name in ("margin", "return_cost")},
        **{name: stores[name] for name in ("format", "income")},
        "weather": weather,
        "issued": issued,
        "holidays": _holidays(connection, region, first, week),
    }


def _held(
    connection: duckdb.DuckDBPyConnection, entity: str, texts: Iterable[str], numbers: Iterable[str], first: Week, weeks: int
) -> dict[str, npt.NDArray[Any]]:
    """Attributes of stores or products: texts as they are now, numbers by week as they held at its end."""
    texts, numbers = tuple(texts), tuple(numbers)
    wanted = ", ".join(f"coalesce(a.{name}, 'unknown') as {name}" for name in texts) + ", " + ", ".join(f"a.{name}" for name in numbers)
    rows = connection.execute(
        f"""
        select k.{entity}, coalesce((a.valid_from - {day(first)}) // 7, 0) as since, {wanted}
        from (select distinct {entity}, {entity}_id from keys) as k
        left join (from silver_{entity}s where valid_from is null or valid_from < {day(first + weeks)}) as a using ({entity}_id)
        order by k.{entity}, a.valid_from nulls first
        """
    ).df()
    code, since = rows[entity].to_numpy(), np.clip(rows["since"].to_numpy(), 0, weeks).astype(int)
    n = int(code.max(initial=-1)) + 1
    found: dict[str, npt.NDArray[Any]] = {}
    for name in texts:
        column = np.full(n, "unknown", dtype=object)
        column[code] = rows[name].to_numpy()
        found[name] = column.astype(np.str_)
    for name in numbers:
        values = np.full((n, weeks), np.nan, np.float32)
        # Rows ascend in time: a later one holds from its week on.
        for i, start, value in zip(code, since, rows[name].to_numpy(np.float32, na_value=np.nan), strict=True):
            values[i, start:] = value
        found[name] = values
    return found


def _weather(connection: duckdb.DuckDBPyConnection, region: Region, place: Texts, first: Week, weeks: int) -> tuple[Floats32, Floats32]:
    """Weather at each store's place: as it came, and the maximum temperature as forecast the week before."""
    inside = f"region = '{region}' and {{}} between {day(first)} and {day(first + (weeks - 1))}"
    observed = connection.execute(
        f"select place, (week - {day(first)}) // 7 as t, {', '.join(WEATHER)} from silver_weather where {inside.format('week')}"
    ).df()
    issued = connection.execute(
        f"""
        select place, (target_week - {day(first)}) // 7 as t, tmax_c
        from silver_weather_known where {inside.format("target_week")} and horizon = 1 and forecast_days > 0
        """
    ).df()
    names = np.unique(np.concatenate([place, observed["place"].to_numpy(np.str_), issued["place"].to_numpy(np.str_)]))
    weather, given = np.full((len(names), weeks, len(WEATHER)), np.nan, np.float32), np.full((len(names), weeks), np.nan, np.float32)
    for step, name in enumerate(WEATHER):
        weather[np.searchsorted(names, observed["place"].to_numpy(np.str_)), observed["t"], step] = observed[name]
    given[np.searchsorted(names, issued["place"].to_numpy(np.str_)), issued["t"]] = issued["tmax_c"]
    at = np.searchsorted(names, place)
    return weather[at], given[at]


def _promoted(connection: duckdb.DuckDBPyConnection, region: Region, store: Ints64, product: Ints64, first: Week, weeks: int) -> Bools:
    """Promotions announced by the end of their week, of all, a store, a product, or one in the other."""
    rows = connection.execute(
        f"""
        select distinct (e.week - {day(first)}) // 7 as t, coalesce(s.store, -1) as store, coalesce(p.product, -1) as product
        from silver_event_weeks as e
        left join (select distinct store, store_id from keys) as s on s.store_id = e.store_id
        left join (select distinct product, product_id from keys) as p on p.product_id = e.product_id
        where e.kind = 'promotion' and (e.region is null or e.region = '{region}') and e.week between {day(first)} and {day(first + (weeks - 1))}
            and (e.store_id is null or s.store is not null) and (e.product_id is null or p.product is not null)
            and (e.known_at is null or e.known_at < e.week + interval 7 day)
        """
    ).fetchnumpy()
    stride = int(product.max(initial=0)) + 2

    def held(of: Ints64, wanted: npt.NDArray[np.integer]) -> Bools:
        """Weeks in which an event names the key of a series, shape (series, weeks)."""
        levels, position = np.unique(of, return_inverse=True)
        named = np.isin(wanted, levels)
        by_level = np.zeros((len(levels), weeks), bool)
        by_level[np.searchsorted(levels, wanted[named]), rows["t"][named]] = True
        return by_level[position]

    of_store, of_product = np.asarray(rows["store"]), np.asarray(rows["product"])
    # -1 stands for all.
    keys = [(store * 0 - 1, product * 0 - 1), (store, product * 0 - 1), (store * 0 - 1, product), (store, product)]
    wanted = of_store * stride + of_product
    promoted: Bools = np.logical_or.reduce([held(s * stride + p, wanted) for s, p in keys])
    return promoted


def _holidays(connection: duckdb.DuckDBPyConnection, region: Region, first: Week, last: Week) -> Texts:
    rows = connection.execute(
        f"""
        select (week - {day(first)}) // 7 as t, string_agg(distinct event, ', ' order by event) as names
        from silver_event_weeks
        where kind <> 'promotion' and store_id is null and product_id is null and (region is null or region = '{region}')
            and week between {day(first)} and {day(last)} and (known_at is null or known_at < week + interval 7 day)
        group by week
        """
    ).fetchnumpy()
    names = np.full(last - first + 1, "", dtype=object)
    names[rows["t"]] = rows["names"]
    return names.astype(np.str_)


def _filled(shape: tuple[int, int], at: tuple[Any, Any], values: npt.NDArray[Any]) -> Floats32:
    found = np.full(shape, np.nan, np.float32)
    found[at] = values
    return found
