"""A small region with known demand, as the panel that models learn from."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.panel.panel import Panel, build_panel
from transforms.world import World, WorldSpec, simulate

SPEC = WorldSpec(regions=1, stores_per_region=6, products=8, weeks=84)


def tables_of(world: World, until: Week) -> tuple[pa.Table, dict[str, pa.Table]]:
    """The conditioned tables of a world's first region, up to a week."""
    weeks = until - world.first + 1
    series, week = np.nonzero(world.shipped[:, :weeks])
    store = np.char.add("S", world.series_store.astype(str))
    product = np.char.add("P", world.series_product.astype(str))
    mondays = [world.first.monday + timedelta(weeks=int(step)) for step in range(world.spec.weeks)]
    facts = pa.table(
        {
            "store_id": store[series],
            "product_id": product[series],
            "week": pa.array([mondays[w] for w in week], pa.date32()),
            "units_shipped": world.shipped[series, week],
        }
    )
    back, when = np.nonzero(world.returned)
    reported = [world.first.monday + timedelta(weeks=int(w + world.return_delay[s, w]), days=4) for s, w in zip(back, when, strict=True)]
    returns = pa.table(
        {
            "region": pa.array(["r"] * len(back)),
            "store_id": store[back],
            "product_id": product[back],
            "week": pa.array([mondays[w] for w in when], pa.date32()),
            "units_returned": world.returned[back, when],
            "known_at": pa.array([date_to_instant(day) for day in reported], pa.timestamp("us", tz="UTC")),
        }
    )

    def rows(name: str, *content: dict[str, object]) -> pa.Table:
        contract = CONTRACTS[name]
        return pa.Table.from_pylist([{column: row.get(column) for column in contract.names} for row in content], schema=contract.schema)

    promotions = [
        {"week": mondays[w], "event": f"promo {p} {w}", "kind": "promotion", "product_id": f"P{p}", "days": 7}
        for _, p, w in zip(*np.nonzero(world.promoted), strict=True)
    ]
    holidays = [
        {"week": Week.containing(date.fromisoformat(day)).monday, "event": name, "kind": "public_holiday", "days": 1}
        for day, name in world.holidays.items()
    ]
    weather = [
        {"region": "r", "place": "X", "week": monday, "target_week": monday + timedelta(weeks=h), "horizon": h, "tmin_c": 5.0 + h, "tmax_c": 15.0, "precip_mm": 3.0, "forecast_days": 7 if h == 1 else 0}
        for monday in mondays[:weeks]
        for h in range(1, 5)
    ]  # fmt: skip
    stores = [
        {"store_id": f"S{i}", "region": "r", "format": "large" if large else "small", "place": "X", "population": 1000.0 * i}
        for i, large in enumerate(world.store_large)
    ]
    products = [
        {
            "product_id": f"P{i}",
            "category": str(kind),
            "case_pack": int(pack),
            "price": float(price),
            "margin": float(price) * 0.35,
            "return_cost": 0.1,
        }
        for i, (kind, pack, price) in enumerate(zip(world.product_category, world.case_pack, world.price, strict=True))
    ]
    return facts, {
        "returns": returns,
        "stores": rows("silver/stores", *stores),
        "products": rows("silver/products", *products),
        "events": rows("silver/event_weeks", *holidays, *promotions),
        "weather": rows("silver/weather_known", *weather),
    }


def date_to_instant(day: date) -> object:
    from datetime import UTC, datetime

    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.fixture(scope="session")
def world() -> World:
    return simulate(SPEC)


@pytest.fixture(scope="session")
def planned_world() -> World:
    """Deliveries are decided before demand is known: what is left comes back later, or the store has sold out."""
    return simulate(replace(SPEC, stores_per_region=10, shipping="before_demand"))


@pytest.fixture(scope="session")
def planned(planned_world: World) -> Panel:
    facts, tables = tables_of(planned_world, planned_world.last)
    return replace(build_panel(Region("r"), planned_world.last, facts, tables), sold_out="estimated")


@pytest.fixture(scope="session")
def panel(world: World) -> Panel:
    facts, tables = tables_of(world, world.last)
    return build_panel(Region("r"), world.last, facts, tables)
