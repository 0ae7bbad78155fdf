"""Forecasts and order plan of a region at an origin, from the models that serve it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.baselines import HistoricalAverage
from models.distribution import Orders, Points, orders
from models.ensemble import Ensemble
from models.training import FORMATS, MOVERS
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.features import scoring_frame
from transforms.frame import Frame
from transforms.panel import Panel

STALE_DAYS = 60
# Where a product's list has no price to derive them from: a missed unit costs three times what a returned one does.
DEFAULT_MARGIN, DEFAULT_RETURN_COST = 0.30, 0.10

Segment = tuple[str, str]


@dataclass(frozen=True)
class Serving:
    """A model in service: its version and the origin that it was trained at."""

    model: Ensemble | HistoricalAverage
    version: str
    trained_week: date


def score_region(panel: Panel, horizons: int, champions: Mapping[Segment, Serving], baselines: Mapping[str, Serving]) -> tuple[pa.Table, pa.Table]:
    """Forecast every series that is alive at the panel's last week.

    Parameters
    ----------
    champions
        The promoted ensemble of each (format, mover) that has one.
    baselines
        The historical average of each format; serves segments without a champion. Where even that is missing, it is made from the panel.

    Returns
    -------
    (pyarrow.Table, pyarrow.Table)
        Rows of gold/forecasts and of gold/order_plan.
    """
    frame = scoring_frame(panel, horizons)
    forecasts, plans = [FORECASTS.schema.empty_table()], [ORDER_PLAN.schema.empty_table()]
    for name, is_large in FORMATS.items():
        for mover, is_fast in MOVERS.items():
            rows = frame.take((frame.large == is_large) & (frame.fast == is_fast))
            if not len(rows):
                continue
            serving = champions.get((name, mover)) or baselines.get(name) or Serving(HistoricalAverage.fit(rows), "none", panel.last.monday)
            made, plan = _predict(panel, rows, serving.model)
            keys = _keys(panel, rows)
            forecasts.append(_forecast_table(keys, rows, made, serving, name, mover, panel.last))
            plans.append(_plan_table(keys, plan))
    return pa.concat_tables(forecasts), pa.concat_tables(plans)


def _predict(panel: Panel, rows: Frame, model: Ensemble | HistoricalAverage) -> tuple[Points, Orders]:
    product = panel.product[rows.series]
    numbers = panel.product_number
    case_pack = numbers["case_pack"][product]
    lost = np.nan_to_num(numbers["margin"][product], nan=DEFAULT_MARGIN)
    returned = np.nan_to_num(numbers["return_cost"][product], nan=DEFAULT_RETURN_COST)
    if isinstance(model, Ensemble):
        said = model.predict(rows)
        return model.points(said, rows), orders(said.p_demand, said.pmf, model.support.sizes, case_pack, lost, returned)
    made = model.predict(rows)
    # The historical average knows one size for each series: its distribution has that size and 0, one grid for each series.
    return made, _orders_of_average(made, case_pack, lost, returned)


def _orders_of_average(made: Points, case_pack: npt.NDArray[np.float32], lost: npt.NDArray[np.float32], returned: npt.NDArray[np.float32]) -> Orders:
    wanted = np.where(1 - made.p_demand >= lost / np.maximum(lost + returned, 1e-9), 0, made.size)
    quantity = np.ceil(wanted / case_pack) * case_pack
    met = quantity >= made.size
    left = (1 - made.p_demand) * quantity + made.p_demand * np.maximum(quantity - made.size, 0)
    missed = made.p_demand * np.maximum(made.size - quantity, 0)
    return Orders(quantity.astype(np.int64), 1 - made.p_demand * ~met, left, missed)


def _keys(panel: Panel, rows: Frame) -> dict[str, object]:
    lookup = np.asarray([panel.last.monday + timedelta(weeks=ahead) for ahead in range(int(rows.horizon.max()) + 1)], "datetime64[D]")
    return {
        "region": np.full(len(rows), str(panel.region)),
        "store_id": panel.stores[panel.store[rows.series]],
        "product_id": panel.products[panel.product[rows.series]],
        "origin_week": np.full(len(rows), np.datetime64(panel.last.monday, "D")),
        "target_week": lookup[rows.horizon],
    }


def _forecast_table(keys: dict[str, object], rows: Frame, made: Points, serving: Serving, name: str, mover: str, origin: Week) -> pa.Table:
    n = len(rows)
    stale = (origin.monday - serving.trained_week).days > STALE_DAYS
    columns = {
        **keys,
        "horizon": rows.horizon,
        "format": np.full(n, name),
        "mover": np.full(n, mover),
        **{column: np.round(values.astype(np.float64), 6) for column, values in vars(made).items()},
        "baseline": rows.baseline,
        "baseline_size": rows.baseline_size,
        "model_version": np.full(n, serving.version),
        "trained_week": np.full(n, np.datetime64(serving.trained_week, "D")),
        "is_stale": np.full(n, stale),
        "rung": np.full(n, "champion" if isinstance(serving.model, Ensemble) else "baseline"),
        # Which version of the data this was is known to the caller.
        "dataset_version": pa.nulls(n, pa.string()),
    }
    return pa.table({column: pa.array(columns[column]) for column in FORECASTS.names}).cast(FORECASTS.schema)


def _plan_table(keys: dict[str, object], plan: Orders) -> pa.Table:
    columns = {
        **keys,
        "order_quantity": plan.quantity,
        "service_level": plan.service_level,
        "expected_returns": plan.expected_returns,
        "expected_lost_sales": plan.expected_lost_sales,
    }
    return pa.table({column: pa.array(columns[column]) for column in ORDER_PLAN.names}).cast(ORDER_PLAN.schema)
