"""Attributes that change in time: an origin knows what had been published by its end, and nothing later."""

from datetime import date

import numpy as np
import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.panel import Panel, build_panel

FIRST, LAST = Week.parse("2018-01-01"), Week.parse("2022-05-30")


def rows(name: str, *values: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(values), schema=CONTRACTS[name].schema)


def panel() -> Panel:
    store = {"store_id": "1", "region": "ohio", "format": "large", "zip": "43004"}
    product = {"product_id": "A", "name": "Apple", "category": "fruit", "case_pack": 6}
    return build_panel(
        Region("ohio"),
        LAST,
        rows("gold/demand", *({"store_id": "1", "product_id": "A", "week": week.monday, "units_shipped": 6} for week in (FIRST, LAST))),
        {
            "returns": pa.table({"store_id": pa.array([], pa.string())}),
            "stores": rows("silver/stores", {**store, "valid_to": date(2022, 3, 1)}, {**store, "income": 50.0, "valid_from": date(2022, 3, 1)}),
            "products": rows(
                "silver/products",
                {**product, "category": "sweets", "price": 3.0, "valid_from": date(2021, 1, 1)},
                {**product, "valid_to": date(2020, 1, 1)},
                {**product, "price": 2.0, "valid_from": date(2020, 1, 1), "valid_to": date(2021, 1, 1)},
            ),
            "events": rows("silver/event_weeks"),
            "weather": rows("silver/weather_known"),
        },
    )


def test_figures_published_in_2022_are_not_known_in_2018() -> None:
    assert np.isnan(panel().until(Week.parse("2018-06-04")).store_number["income"]).all()
    assert np.isnan(panel().until(Week.parse("2022-02-14")).store_number["income"]).all()
    # Published on Tuesday: known at the end of that week, on Sunday.
    assert panel().until(Week.parse("2022-02-28")).store_number["income"].tolist() == [50.0]
    assert panel().store_number["income"].tolist() == [50.0]


def test_each_origin_sees_the_attributes_of_its_time() -> None:
    seen = {}
    for week in ("2018-06-04", "2020-06-01", "2021-06-07"):
        known = panel().until(Week.parse(week))
        category = known.product_text["category"]
        seen[week] = (str(category.levels[category.codes[0]]), float(known.product_number["price"][0]), float(known.product_number["case_pack"][0]))
    assert seen["2020-06-01"] == ("fruit", 2.0, 6.0)
    assert seen["2021-06-07"] == ("sweets", 3.0, 6.0)
    assert seen["2018-06-04"][0] == "fruit"
    assert np.isnan(seen["2018-06-04"][1])
