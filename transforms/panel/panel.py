"""One region's history as dense arrays: every series (store x product) by every week, with what is known of stores, products, events, weather.

`Panel.until` drops everything that was not known at an origin, so that nothing made from a panel can see beyond it. Turning a panel into
features is the work of `transforms.features`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.arrays import Codes, Floats32, Texts
from transforms.calendar import FURTHEST, Region, Week
from transforms.contracts.gold import DEMAND
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_RETURNS, SILVER_STORES, SILVER_WEATHER_KNOWN
from transforms.errors import MissingData
from transforms.lake.tables import Lake, day

STORE_NUMBERS = ("population", "income", "median_rent", "median_age")
PRODUCT_NUMBERS = ("price", "size_ml", "case_pack")
PRODUCT_ATTRIBUTES = (*PRODUCT_NUMBERS, "margin", "return_cost")
SoldOutWeeks = Literal["as_shipped", "estimated"]
FOR_EVER = 1 << 31
"""Days since 1970 that never come."""
_DAY = 86_400


@dataclass(frozen=True)
class Coded:
    """A categorical column: a code for each row into the sorted texts of its levels."""

    codes: Codes
    levels: Texts

    @classmethod
    def of(cls, values: npt.NDArray[np.str_]) -> Self:
        """Code an array of texts."""
        levels, codes = np.unique(values, return_inverse=True)
        return cls(codes.astype(np.int32), levels)

    def take(self, rows: npt.NDArray[np.integer]) -> "Coded":
        """The column at `rows`."""
        return Coded(self.codes[rows], self.levels)

    @staticmethod
    def stacked(columns: "Sequence[Coded]") -> "Coded":
        """Columns of the same levels, one after the other."""
        return Coded(np.concatenate([column.codes for column in columns]), columns[0].levels)


@dataclass(frozen=True)
class Attributes:
    """Knowledge of stores or products, row by row with the day from which it holds; the last row stands for nothing known.

    Attributes
    ----------
    entity
        Index of each row's store or product, shape (rows,).
    valid_from
        Days since 1970, ascending for each entity; the earliest number there is for rows that always hold.
    text, number
        Columns of shape (rows + 1,).
    """

    entities: int
    entity: Codes
    valid_from: npt.NDArray[np.int64]
    text: dict[str, Coded]
    number: dict[str, Floats32]

    def at(self, day: int) -> tuple[dict[str, Coded], dict[str, Floats32]]:
        """The columns as they held before `day` (days since 1970), shape (entities,)."""
        rows = np.full(self.entities, len(self.entity))
        held = self.valid_from < day
        # Rows ascend in time, so that of several the last one stays.
        rows[self.entity[held]] = np.flatnonzero(held)
        return {name: column.take(rows) for name, column in self.text.items()}, {name: column[rows] for name, column in self.number.items()}


@dataclass(frozen=True)
class Ends:
    """Days on which stores close or products are delisted, row by row as `Attributes` are; the row that holds counts.

    Attributes
    ----------
    entity
        Index of each row's store or product, shape (rows,).
    since
        Epoch seconds from which the row holds, ascending for each entity.
    day
        Days since 1970, FOR_EVER in a row that knows of no end.
    known_at
        Epoch seconds at which that day became known.
    """

    entities: int
    entity: Codes
    since: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    known_at: npt.NDArray[np.int64]

    def at(self, end: int) -> npt.NDArray[np.int64]:
        """Day of each entity's end as it was known before `end` (epoch seconds), shape (entities,); FOR_EVER where none was."""
        days = np.full(self.entities, FOR_EVER)
        held = self.since < end
        days[self.entity[held]] = np.where(self.known_at < end, self.day, FOR_EVER)[held]
        return days


@dataclass(frozen=True)
class Returns:
    """Returns one by one, so that a past origin can do without those that came later: series, week index, units, epoch seconds of arrival."""

    series: Codes
    week: Codes
    units: Floats32
    known_at: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Returns":
        """The returns at `rows`."""
        return Returns(self.series[rows], self.week[rows], self.units[rows], self.known_at[rows])


@dataclass(frozen=True)
class Events:
    """Events by week: `week` counts from the panel's first week and may lie ahead of its last; -1 in store or product means all."""

    week: Codes
    days: Floats32
    promotion: npt.NDArray[np.bool_]
    name: Coded
    store: Codes
    product: Codes
    known_at: npt.NDArray[np.int64]

    def take(self, rows: npt.NDArray[np.bool_]) -> "Events":
        """The events at `rows`."""
        return Events(
            self.week[rows], self.days[rows], self.promotion[rows], self.name.take(np.flatnonzero(rows)), self.store[rows],
            self.product[rows], self.known_at[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """Weather as known: arrays (places, origin weeks, horizons 1..FURTHEST), NaN where nothing is known."""

    tmin: Floats32
    tmax: Floats32
    precip: Floats32
    forecast_days: Floats32


@dataclass(frozen=True)
class Panel:
    """A region's history up to its last week.

    Attributes
    ----------
    first, last
        First and last week of the week axis.
    store, product
        Index of each series' store and product, shape (series,).
    shipped
        Units shipped, shape (series, weeks); 0 where nothing was.
    stores, products
        Texts of the ids. Their attributes are `store_text` and `product_text`, `store_number` and `product_number` (NaN for unknown), one entry each.
    store_ends, product_ends
        Day (since 1970) from which each store is closed and each product delisted, as far as that is known; FOR_EVER where it is not.
    sold_out
        What models learn from; see `transforms.panel.unconstrained_demand`.
    """

    region: Region
    first: Week
    last: Week
    store: Codes
    product: Codes
    shipped: Floats32
    returns: Returns
    stores: Texts
    products: Texts
    store_text: dict[str, Coded]
    store_number: dict[str, Floats32]
    product_text: dict[str, Coded]
    product_number: dict[str, Floats32]
    events: Events
    weather: Weather
    place: Codes
    place_names: Texts
    store_attributes: Attributes
    product_attributes: Attributes
    store_ends: npt.NDArray[np.int64]
    product_ends: npt.NDArray[np.int64]
    closings: Ends
    delistings: Ends
    sold_out: SoldOutWeeks = "as_shipped"

    @property
    def weeks(self) -> int:
        """Length of the week axis."""
        return self.last - self.first + 1

    def until(self, origin: Week) -> "Panel":
        """The panel as it was known at the end of `origin`: later weeks, returns, announcements and forecasts are gone."""
        if origin > self.last or origin < self.first:
            raise MissingData(f"{self.region}: the panel holds weeks {self.first}..{self.last}, origin {origin} lies outside.")
        end = int(origin.end.replace(tzinfo=UTC).timestamp())
        n = origin - self.first + 1
        return replace(
            self,
            last=origin,
            shipped=self.shipped[:, :n],
            returns=self.returns.take((self.returns.known_at < end) & (self.returns.week < n)),
            events=self.events.take(self.events.known_at < end),
            weather=Weather(*(values[:, :n] for values in vars(self.weather).values())),
            store_ends=self.closings.at(end),
            product_ends=self.delistings.at(end),
            **_known(self.stores, self.products, self.store_attributes, self.product_attributes, origin),
        )

    def demand(self) -> Floats32:
        """Shipped minus the returns known, not below 0, shape (series, weeks)."""
        if not len(self.returns.series):
            return self.shipped
        demand = self.shipped.copy()
        np.subtract.at(demand, (self.returns.series, self.returns.week), self.returns.units)
        return np.maximum(demand, 0, out=demand)

    @classmethod
    def load(cls, lake: Lake, region: Region, until: Week) -> "Panel":
        """Read a region's history up to week `until` from the lake.

        Raises
        ------
        MissingData
            If there is no demand up to that week.
        """
        inside = f"region = '{region}' and week <= {day(until)}"
        facts = lake.read(DEMAND.name, where=inside, columns="store_id, product_id, week, units_shipped")
        if not facts.num_rows:
            raise MissingData(f"{region}: no demand up to {until}; condition its weeks first (shelfcast run does).")
        tables = {
            "returns": lake.read(SILVER_RETURNS.name, where=inside) if lake.exists(SILVER_RETURNS.name) else pa.table({"store_id": []}),
            "stores": lake.read(SILVER_STORES.name, where=f"region = '{region}'"),
            "products": lake.read(SILVER_PRODUCTS.name),
            "events": lake.read(SILVER_EVENT_WEEKS.name, where=f"region is null or region = '{region}'"),
            "weather": lake.read(SILVER_WEATHER_KNOWN.name, where=inside),
        }
        return build_panel(region, until, facts, tables)


def build_panel(region: Region, until: Week, facts: pa.Table, tables: dict[str, pa.Table]) -> Panel:
    """Arrange conditioned tables as a panel; see `Panel.load` for what they hold."""
    store_ids, product_ids = (Coded.of(_texts(facts[name])) for name in ("store_id", "product_id"))
    days = facts["week"].combine_chunks().cast(pa.int32()).to_numpy()
    first = Week.containing(_date(int(days.min())))
    n_products = len(product_ids.levels)
    pairs = store_ids.codes.astype(np.int64) * n_products + product_ids.codes
    keys, series = np.unique(pairs, return_inverse=True)
    shipped = np.zeros((len(keys), until - first + 1), np.float32)
    shipped[series, (days - days.min()) // 7] = facts["units_shipped"].to_numpy()
    stores = _attributes(tables["stores"], "store_id", store_ids.levels, ("format", "zip", "place"), STORE_NUMBERS)
    products = _attributes(tables["products"], "product_id", product_ids.levels, ("category", "vendor"), PRODUCT_ATTRIBUTES)
    places = stores.at(FOR_EVER)[0]["place"]
    closings = _ends(tables["stores"], "store_id", store_ids.levels, "closed_on", "closing_known_at")
    delistings = _ends(tables["products"], "product_id", product_ids.levels, "delisted_on", "delisting_known_at")
    end = int(until.end.replace(tzinfo=UTC).timestamp())
    return Panel(
        region=region,
        first=first,
        last=until,
        store=(keys // n_products).astype(np.int32),
        product=(keys % n_products).astype(np.int32),
        shipped=shipped,
        returns=_returns(tables["returns"], keys, store_ids.levels, product_ids.levels, first),
        stores=store_ids.levels,
        products=product_ids.levels,
        **_known(store_ids.levels, product_ids.levels, stores, products, until),
        store_attributes=stores,
        product_attributes=products,
        store_ends=closings.at(end),
        product_ends=delistings.at(end),
        closings=closings,
        delistings=delistings,
        events=_events(tables["events"], first, store_ids.levels, product_ids.levels),
        weather=_weather(tables["weather"], places.levels, first, until),
        place=places.codes,
        place_names=places.levels,
    )


def _date(days_since_1970: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days_since_1970)


def _texts(column: pa.ChunkedArray) -> Texts:
    return np.asarray(column.fill_null("").to_numpy(zero_copy_only=False), dtype=np.str_)


def _numbers(table: pa.Table, name: str) -> Floats32:
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float32)


def _known(stores: Texts, products: Texts, store: Attributes, product: Attributes, origin: Week) -> dict[str, Any]:
    """Attribute fields of a panel as they were known at the end of `origin`."""
    day = (origin.end.date() - date(1970, 1, 1)).days
    (store_text, store_number), (product_text, product_number) = store.at(day), product.at(day)
    pack = product_number["case_pack"]
    return {
        "store_text": {"store": Coded.of(stores), **{name: store_text[name] for name in ("format", "zip")}},
        "store_number": store_number,
        "product_text": {"product": Coded.of(products), **product_text},
        "product_number": {**product_number, "case_pack": np.where(np.isnan(pack), 1, pack)},
    }


def _attributes(table: pa.Table, key: str, wanted: Texts, texts: Sequence[str], numbers: Sequence[str]) -> Attributes:
    """Attributes of the entities `wanted` (sorted) from a table with `valid_from`."""
    entity = _positions(_texts(table[key]), wanted)
    since = np.asarray(table["valid_from"].cast(pa.int32()).cast(pa.int64()).fill_null(-FOR_EVER).to_numpy(zero_copy_only=False))
    order = np.lexsort((since, entity))
    order = order[entity[order] >= 0]
    nothing = np.append(order, -1)
    return Attributes(
        entities=len(wanted),
        entity=entity[order].astype(np.int32),
        valid_from=since[order],
        text={name: Coded.of(np.where(nothing < 0, "", _texts(table[name])[nothing]) if len(order) else np.array([""])) for name in texts},
        number={
            name: np.where(nothing < 0, np.nan, _numbers(table, name)[nothing]).astype(np.float32) if len(order) else np.full(1, np.nan, np.float32)
            for name in numbers
        },
    )


def _ends(table: pa.Table, key: str, wanted: Texts, ends_on: str, known_at: str) -> Ends:
    """Ends of the entities `wanted` (sorted); one that was not announced becomes known on the day itself."""
    entity = _positions(_texts(table[key]), wanted)
    day, since = (
        np.asarray(table[name].cast(pa.int32()).cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False))
        for name, missing in ((ends_on, FOR_EVER), ("valid_from", -FOR_EVER))
    )
    announced = _seconds(table[known_at])
    order = np.lexsort((since, entity))
    order = order[entity[order] >= 0]
    known = np.where(announced == 0, day * _DAY, announced)
    return Ends(len(wanted), entity[order].astype(np.int32), since[order] * _DAY, day[order], known[order])


def _positions(values: Texts, levels: Texts) -> npt.NDArray[np.int64]:
    """Position of each value in sorted `levels`, -1 where it is not there."""
    if not len(levels):
        return np.full(len(values), -1)
    found = np.minimum(np.searchsorted(levels, values), len(levels) - 1)
    return np.where(levels[found] == values, found, -1)


def _week_index(column: pa.ChunkedArray, first: Week) -> Codes:
    days = np.asarray(column.combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False))
    weeks: Codes = ((days - (first.monday - date(1970, 1, 1)).days) // 7).astype(np.int32)
    return weeks


def _seconds(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Epoch seconds; 0 (known for ever) for null."""
    return np.asarray(column.cast(pa.timestamp("s", tz="UTC"), safe=False).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def _returns(table: pa.Table, keys: npt.NDArray[np.int64], stores: Texts, products: Texts, first: Week) -> Returns:
    if not table.num_rows:
        return Returns(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    store, product = _positions(_texts(table["store_id"]), stores), _positions(_texts(table["product_id"]), products)
    pair = np.where((store >= 0) & (product >= 0), store * len(products) + product, -1)
    series = np.minimum(np.searchsorted(keys, pair), len(keys) - 1)
    week = _week_index(table["week"], first)
    good = (keys[series] == pair) & (week >= 0)
    units = np.asarray(table["units_returned"].to_numpy(zero_copy_only=False), np.float32)
    return Returns(series.astype(np.int32), week, units, _seconds(table["known_at"])).take(good)


def _events(table: pa.Table, first: Week, stores: Texts, products: Texts) -> Events:
    store, product = _texts(table["store_id"]), _texts(table["product_id"])
    store_index, product_index = _positions(store, stores), _positions(product, products)
    # An event of a store or product that has no series here concerns nobody.
    good = ((store == "") | (store_index >= 0)) & ((product == "") | (product_index >= 0))
    events = Events(
        week=_week_index(table["week"], first),
        days=np.asarray(table["days"].to_numpy(zero_copy_only=False), np.float32),
        promotion=_texts(table["kind"]) == "promotion",
        name=Coded.of(_texts(table["event"])),
        store=np.where(store == "", -1, store_index).astype(np.int32),
        product=np.where(product == "", -1, product_index).astype(np.int32),
        known_at=_seconds(table["known_at"]),
    )
    return events.take(good)


def _weather(table: pa.Table, places: Texts, first: Week, last: Week) -> Weather:
    shape = (len(places), last - first + 1, FURTHEST)
    values = {name: np.full(shape, np.nan, np.float32) for name in ("tmin_c", "tmax_c", "precip_mm")}
    values["forecast_days"] = np.zeros(shape, np.float32)
    if table.num_rows:
        place, week = _positions(_texts(table["place"]), places), _week_index(table["week"], first)
        good = (place >= 0) & (week >= 0)
        at = (place[good], week[good], table["horizon"].to_numpy()[good] - 1)
        for name, array in values.items():
            array[at] = _numbers(table, name)[good]
    return Weather(values["tmin_c"], values["tmax_c"], values["precip_mm"], values["forecast_days"])
