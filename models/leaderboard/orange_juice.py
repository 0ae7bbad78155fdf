"""The public orange-juice data (Dominick's chilled juice, R package bayesm) as cubes of stores x brands x weeks, and the published rounds.

Microsoft's TSPerf board `OrangeJuice_Pt_3Weeks_Weekly`: round r trains on weeks 40 to 135 + 2 (r - 1) and forecasts the second and third week after
them, with price, deal and ad known to the end.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from models.leaderboard.sales import PricedSales
from transforms.arrays import Floats64
from transforms.errors import MissingData

NAME = "OrangeJuice_Pt_3Weeks_Weekly"
SALES, DEMOGRAPHICS = "sales_weekly.parquet", "store_demographics.csv"
BRANDS, FIRST_WEEK, LAST_WEEK = 11, 40, 160
HORIZONS = (2, 3)
PUBLISHED = {
    "naive": 109.67,
    "seasonal naive": 165.06,
    "mean": 70.74,
    "AutoARIMA": 70.80,
    "ETS": 70.99,
    "LightGBM": 36.28,
    "dilated CNN": 37.09,
    "RNN": 37.68,
}
"""MAPE over all test rows in percent, median of seeds 1 to 5, as the board states it."""
LIGHTGBM_SECONDS = 625.0
"""What the board states for LightGBM on 2 virtual CPUs."""


@dataclass(frozen=True)
class Round:
    """One round: its number from 1, and the last week that it trains on."""

    number: int
    train_end: int


ROUNDS = tuple(Round(number, 133 + 2 * number) for number in range(1, 13))


def load_orange_juice(folder: Path) -> PricedSales:
    """Read the sales and demographics below `folder`.

    Raises
    ------
    MissingData
        If one of the two files is not there.
    """
    if missing := [name for name in (SALES, DEMOGRAPHICS) if not (folder / name).is_file()]:
        raise MissingData(
            f"{folder} holds no {' and no '.join(missing)}: the leaderboard reads the public orange-juice data from the folder that "
            "SHELFCAST_LEADERBOARD_DATA (or --data) names."
        )
    table = pyarrow.parquet.read_table(folder / SALES)
    stores, row = np.unique(table["store"].to_numpy(), return_inverse=True)
    place = (row, table["brand"].to_numpy() - 1, table["week"].to_numpy() - FIRST_WEEK)

    def cube(name: str) -> Floats64:
        values = np.full((len(stores), BRANDS, LAST_WEEK - FIRST_WEEK + 1), np.nan)
        values[place] = table[name].to_numpy()
        return values

    log_price = np.full((len(stores), BRANDS, LAST_WEEK - FIRST_WEEK + 1), np.nan)
    for brand in range(BRANDS):
        # Each record states all brands' prices in its store and week.
        log_price[place[0], brand, place[2]] = np.log(table[f"price{brand + 1}"].to_numpy())
    people = pyarrow.csv.read_csv(folder / DEMOGRAPHICS)
    order = pc.index_in(stores, people["STORE"].combine_chunks()).to_numpy(zero_copy_only=False)
    return PricedSales(
        stores=np.char.add("store ", stores.astype(str)),
        products=np.char.add("brand ", np.char.zfill(np.arange(1, BRANDS + 1).astype(str), 2)),
        first=FIRST_WEEK,
        # The benchmark counts whole units.
        log_units=np.log(np.round(np.exp(cube("logmove")))),
        log_price=_of_chain(log_price),
        deal=_of_chain(cube("deal")),
        ads=_of_chain(cube("feat")),
        demographics=np.column_stack([people[name].to_numpy() for name in people.column_names if name != "STORE"])[order].astype(np.float64),
    )


def _of_chain(values: Floats64) -> Floats64:
    """A store without a record in a week is taken to do what the chain does on average."""
    return np.where(np.isnan(values), np.nanmean(values, axis=0, keepdims=True), values)


def naive_forecast(log_units: Floats64) -> Floats64:
    """The last value on record, as units, shape (stores, brands); `log_units` ends with the training weeks."""
    return np.asarray(np.exp(_filled(log_units)[:, :, -1]))


def mean_forecast(log_units: Floats64) -> Floats64:
    """The geometric mean over all weeks, each gap filled by the week before it (at the start: the first one on record)."""
    return np.asarray(np.exp(_filled(log_units).mean(axis=2)))


def _filled(values: Floats64) -> Floats64:
    weeks, known = np.arange(values.shape[2]), ~np.isnan(values)
    newest = np.maximum.accumulate(np.where(known, weeks, -1), axis=2)
    return np.take_along_axis(values, np.where(newest < 0, known.argmax(axis=2)[:, :, None], newest), axis=2)
