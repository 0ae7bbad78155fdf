"""Attributes that change in time: an origin knows what had been published by its end, and nothing later."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.contracts import CONTRACTS
from transforms.panel.panel import FOR_EVER, Panel, build_panel

FIRST, LAST = Week.parse("2018-01-01"), Week.parse("2022-05-30")


def rows(name: str, *values: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(values), schema=CONTRACTS[name].schema)


def panel(closing: dict[str, object] | None = None, delisting: dict[str, object] | None = None) -> Panel:
    store = {"store_id": "1", "region": "ohio", "format": "large", "zip": "43004", **(closing or {})}
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
                {**product, "category": "sweets", "price": 3.0, "valid_from": date(2021, 1, 1), **(delisting or {})},
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


def test_a_closing_is_known_on_its_day_or_when_it_was_announced() -> None:
    day = date(2022, 4, 4)
    number = (day - date(1970, 1, 1)).days
    unannounced, told = panel({"closed_on": day}), panel({"closed_on": day, "closing_known_at": datetime(2022, 2, 15, tzinfo=UTC)})
    known = [[one.until(Week.parse(week)).store_ends.tolist() for week in ("2022-02-07", "2022-02-14", "2022-04-04")] for one in (unannounced, told)]
    assert known == [[[FOR_EVER], [FOR_EVER], [number]], [[FOR_EVER], [number], [number]]]
    assert told.store_ends.tolist() == [number]
    assert panel().store_ends.tolist() == [FOR_EVER]


def test_a_delisting_holds_from_the_row_that_says_so_and_not_before_it_is_known() -> None:
    day = date(2021, 6, 7)
    number = (day - date(1970, 1, 1)).days
    unannounced = panel(delisting={"delisted_on": day})
    early = panel(delisting={"delisted_on": day, "delisting_known_at": datetime(2020, 5, 1, tzinfo=UTC)})
    known = [
        [one.until(Week.parse(week)).product_ends.tolist() for week in ("2020-06-01", "2021-01-04", "2021-06-07")] for one in (unannounced, early)
    ]
    assert known == [[[FOR_EVER], [FOR_EVER], [number]], [[FOR_EVER], [number], [number]]]
