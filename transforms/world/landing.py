"""Write a world as its company's systems would: several formats, units and spellings, a file for each year of history, then one for each week."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from transforms.arrays import Floats64, Ints64, Texts
from transforms.calendar import Week
from transforms.world.geography import PLACES
from transforms.world.simulation import CATEGORIES, World

VENDORS = ("Sunrise Bakery", "Blue Mill", "Harvest & Sons")
_MARGIN, _RETURN_COST = 0.35, 0.12
_FORECAST_DAYS = 7


def write_landing(world: World, landing: Path, last: Week | None = None) -> None:
    """Write reference files and all weeks up to `last` (all where None): history by calendar year, the newest quarter by week."""
    final = last or world.last
    _write_references(world, landing)
    by_week_from = max(0, final - world.first - 12)
    years: dict[int, list[int]] = {}
    for week in range(by_week_from):
        years.setdefault((world.first + week).monday.year, []).append(week)
    for year, weeks in years.items():
        _write_facts(world, landing, np.asarray(weeks), f"{year}")
    for week in range(by_week_from, final - world.first + 1):
        write_week(world, landing, world.first + week)


def write_week(world: World, landing: Path, week: Week) -> None:
    """Drop one week's files, the returns that were reported in that week among them."""
    _write_facts(world, landing, np.asarray([week - world.first]), str(week))


def write_truth(world: World, truth: Path) -> Path:
    """Write what only the simulation knows: true demand (sold-out weeks uncut) and the parameters of its distribution.

    `mean_log` is the mean of the log of the number of cases given demand, before it is cut to whole cases with spread `sigma` (see
    `simulation.case_probabilities`); `p_demand` the probability of demand.
    """
    truth.mkdir(parents=True, exist_ok=True)
    series, weeks = world.demand.shape
    store = np.repeat(world.series_store, weeks)
    frame = pd.DataFrame(
        {
            "region": np.asarray([_key(place.name) for place in PLACES])[world.store_region[store]],
            "store_id": _store_ids(world)[store],
            "product_id": np.repeat(_product_ids(world)[world.series_product], weeks),
            "week": np.tile(_mondays(world), series),
            "demand": world.demand.ravel(),
            "p_demand": world.p_demand.ravel(),
            "mean_log": world.mean_log.ravel(),
            "sigma": world.spec.sigma,
            "case_pack": np.repeat(world.case_pack[world.series_product], weeks),
        }
    )
    target = truth / "demand.parquet"
    frame.to_parquet(target, index=False)
    return target


def _write_references(world: World, landing: Path) -> None:
    landing.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(world.spec.seed + 1)
    n = len(world.store_region)
    places = [PLACES[region] for region in world.store_region]
    zips = [f"{place.zip_prefix}{index % world.spec.stores_per_region + 1:02d}" for index, place in enumerate(places)]
    stores = pd.DataFrame(
        {
            "Store No": _store_ids(world),
            "Sales Region": [place.name for place in places],
            "Banner": [f"{'Supercenter' if large else 'Corner Drug'} {index + 1}" for index, large in enumerate(world.store_large)],
            "Size Class": np.where(world.store_large, "LARGE", "SMALL"),
            "ZIP": zips,
            "Weather City": [place.city for place in places],
            "Miles": rng.uniform(1, 40, n).round(1),
            "Lat": [round(place.latitude + step, 4) for place, step in zip(places, rng.normal(0, 0.2, n), strict=True)],
            "Lon": [round(place.longitude + step, 4) for place, step in zip(places, rng.normal(0, 0.2, n), strict=True)],
        }
    )
    _write_workbook(stores, landing / "stores.xlsx")
    products = world.spec.products
    pd.DataFrame(
        {
            "sku": _product_ids(world),
            "description": [f"{CATEGORIES[kind].title()} no. {index + 1}" for index, kind in enumerate(world.product_category)],
            "category": [CATEGORIES[kind] for kind in world.product_category],
            "vendor": [VENDORS[index % len(VENDORS)] for index in range(products)],
            "ml": rng.choice([250, 330, 500, 750], products),
            "case_pack": world.case_pack,
            "price": world.price,
            "margin": (world.price * _MARGIN).round(2),
            "return_cost": (world.price * _RETURN_COST).round(2),
        }
    ).to_csv(landing / "products.csv", sep=";", decimal=",", index=False)
    demographics = [
        {
            "zip": code,
            "published": "2020-12-10",
            "population": int(rng.integers(5_000, 60_000)),
            "income_per_head": float(rng.integers(22_000, 70_000)),
            "median_rent": float(rng.integers(500, 2200)),
            "median_age": round(float(rng.uniform(26, 48)), 1),
        }
        for code in dict.fromkeys(zips)
    ]
    (landing / "demographics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in demographics))
    holidays = pd.DataFrame({"name": world.holidays.values(), "day": world.holidays.keys()})
    holidays["day"] = pd.to_datetime(holidays["day"]).dt.strftime("%m/%d/%Y")
    holidays.to_csv(landing / "holidays.csv", index=False)
    _promotion_frame(world).to_csv(landing / "promotions.csv", index=False, sep="|")


def _promotion_frame(world: World) -> pd.DataFrame:
    region, product, week = np.nonzero(world.promoted)
    monday = _mondays(world)[week]
    # Promotions are agreed eight weeks ahead.
    return pd.DataFrame(
        {
            "promo": [f"promo-{r}-{p}-{m}" for r, p, m in zip(region, product, monday, strict=True)],
            "region": np.asarray([place.name for place in PLACES])[region],
            "sku": _product_ids(world)[product],
            "from": monday,
            "to": monday + np.timedelta64(6, "D"),
            "announced": (monday - np.timedelta64(56, "D")).astype(str),
        }
    )


def _write_facts(world: World, landing: Path, weeks: Ints64, label: str) -> None:
    for folder in ("shipments", "returns", "weather", "forecasts"):
        (landing / folder).mkdir(parents=True, exist_ok=True)
    series, column = np.nonzero(world.shipped[:, weeks])
    week = weeks[column]
    order = np.lexsort((series, week))
    series, week = series[order], week[order]
    shipped = pd.DataFrame(
        {
            "store": _store_ids(world)[world.series_store[series]],
            "sku": _product_ids(world)[world.series_product[series]],
            "week_of": pd.Series(_mondays(world)[week]).dt.strftime("%d.%m.%Y"),
            "cases": world.shipped[series, week] // world.case_pack[world.series_product[series]],
            "units": world.shipped[series, week],
        }
    )
    shipped.to_csv(landing / "shipments" / f"shipments_{label}.csv", index=False, encoding="latin-1")
    _write_returns(world, landing / "returns" / f"returns_{label}.jsonl", weeks)
    _observed(world, weeks).to_csv(landing / "weather" / f"observed_{label}.csv", index=False)
    content = _forecasts(world, weeks).to_csv(index=False).encode()
    # A fixed time stamp: the same world gives the same bytes.
    (landing / "forecasts" / f"forecast_{label}.csv.gz").write_bytes(gzip.compress(content, mtime=0))


def _write_returns(world: World, path: Path, weeks: Ints64) -> None:
    """Returns that were reported in `weeks`, whenever they had been shipped."""
    series, week = np.nonzero(world.returned)
    reported = week + world.return_delay[series, week]
    in_weeks = np.isin(reported, weeks)
    series, week, reported = series[in_weeks], week[in_weeks], reported[in_weeks]
    order = np.lexsort((series, week, reported))
    mondays, stores, products = _mondays(world), _store_ids(world), _product_ids(world)
    lines = [
        json.dumps(
            {
                "store": str(stores[world.series_store[s]]),
                "sku": str(products[world.series_product[s]]),
                "delivered_week": str(mondays[w]),
                "returned_units": int(world.returned[s, w]),
                # Reported on the Friday of the week.
                "reported_at": f"{mondays[0] + np.timedelta64(7 * int(r) + 4, 'D')}T15:00:00",
            }
        )
        for s, w, r in zip(series[order], week[order], reported[order], strict=True)
    ]
    path.write_text("".join(f"{line}\n" for line in lines))


def _observed(world: World, weeks: Ints64) -> pd.DataFrame:
    days = (weeks[:, None] * 7 + np.arange(7)).ravel()
    frames = []
    for region in range(world.spec.regions):
        mean = world.temperature[region, days]
        frames.append(
            pd.DataFrame(
                {
                    "city": PLACES[region].city,
                    "date": np.datetime64(world.first.monday) + days,
                    "low_f": _fahrenheit(mean - 5),
                    "high_f": _fahrenheit(mean + 5),
                    "rain_in": (world.precipitation[region, days] / 25.4).round(3),
                }
            )
        )
    return pd.concat(frames)


def _forecasts(world: World, weeks: Ints64) -> pd.DataFrame:
    """Forecasts issued each morning of `weeks` for the next seven days; the error grows with the lead."""
    lead = np.arange(_FORECAST_DAYS)
    frames = []
    for region in range(world.spec.regions):
        for week in weeks:
            rng = np.random.default_rng([world.spec.seed, region, int(week)])
            issued = np.repeat(week * 7 + np.arange(7), _FORECAST_DAYS)
            target = issued + np.tile(lead, 7)
            within = target < world.temperature.shape[1]
            issued, target = issued[within], target[within]
            forecast = world.temperature[region, target] + rng.normal(0, 0.6 + 0.45 * (target - issued))
            frames.append(
                pd.DataFrame(
                    {
                        "city": PLACES[region].city,
                        "issued": [f"{np.datetime64(world.first.monday) + int(day)} 06:00:00" for day in issued],
                        "target": np.datetime64(world.first.monday) + target,
                        "low_f": _fahrenheit(forecast - 5),
                        "high_f": _fahrenheit(forecast + 5),
                    }
                )
            )
    return pd.concat(frames)


def _write_workbook(frame: pd.DataFrame, path: Path) -> None:
    """Write XLSX with fixed time stamps, so that the same world gives the same bytes."""
    import zipfile  # noqa: PLC0415

    from openpyxl import Workbook  # noqa: PLC0415 - heavy

    book = Workbook()
    book.properties.created = book.properties.modified = datetime(2022, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    sheet = book.active
    sheet.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        sheet.append([value.item() if hasattr(value, "item") else value for value in row])
    draft = path.with_suffix(".draft")
    book.save(draft)
    with zipfile.ZipFile(draft) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _without_time(content)
            target.writestr(zipfile.ZipInfo(name, (2022, 1, 1, 0, 0, 0)), content)
    draft.unlink()


def _without_time(content: bytes) -> bytes:
    import re  # noqa: PLC0415

    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2022-01-01T00:00:00Z", content)


def _fahrenheit(celsius: Floats64) -> Floats64:
    return (celsius * 9 / 5 + 32).round(1)


def _mondays(world: World) -> npt.NDArray[np.datetime64]:
    return np.asarray([(world.first.monday + timedelta(weeks=week)) for week in range(world.spec.weeks)], "datetime64[D]")


def _store_ids(world: World) -> Texts:
    return np.asarray([f"S{index + 1001}" for index in range(len(world.store_region))])


def _product_ids(world: World) -> Texts:
    return np.asarray([f"P{index + 101}" for index in range(world.spec.products)])


def _key(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
