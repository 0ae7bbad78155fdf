"""Forecasts and order plan of a region at an origin, from the models that serve it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.baselines import HistoricalAverage
from models.distribution import Orders, Points, orders, points
from models.ensemble import Ensemble
from models.failover import SECONDS, Model, Serving, check_features, descend
from models.training import FORMATS, MOVERS
from models.validation import broken_output
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.errors import ArtifactError
from transforms.features import scoring_frame
from transforms.frame import Frame
from transforms.panel import Panel

STALE_DAYS = 60
# Where a product's list has no price to derive them from: a missed unit costs three times what a returned one does.
DEFAULT_MARGIN, DEFAULT_RETURN_COST = 0.30, 0.10

Segment = tuple[str, str]


def score_region(
    panel: Panel, horizons: int, champions: Mapping[Segment, Serving], baselines: Mapping[str, Serving], seconds: float = SECONDS
) -> tuple[pa.Table, pa.Table]:
    """Forecast every series that is alive at the panel's last week; where a step of the failover ladder fails, the next one serves.

    Parameters
    ----------
    champions
        The uppermost step for each (format, mover) that has one, the others below it.
    baselines
        The historical average of each format: the step below all of them. Where even that is missing, it is made from the panel.
    seconds
        Time for each step and segment.

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
            fresh = Serving(HistoricalAverage.fit(rows), "none", panel.last.monday, "baseline", "historical average made from the region's data")
            top = _over(champions.get((name, mover)), baselines.get(name))
            serving, (made, plan), why = descend(top, fresh, lambda model, rows=rows: usable_forecast(panel, rows, model), seconds)  # type: ignore[misc]
            if (uppermost := champions.get((name, mover))) is None or uppermost.rung != "champion":
                why = f"no champion; {why}"
            keys = _keys(panel, rows)
            forecasts.append(_forecast_table(keys, rows, made, serving, name, mover, panel.last, why))
            plans.append(_plan_table(keys, plan))
    return pa.concat_tables(forecasts), pa.concat_tables(plans)


def _over(champion: Serving | None, baseline: Serving | None) -> Serving | None:
    """The champion's ladder with the historical average as its lowest step."""
    below = None if baseline is None else replace(baseline, rung="baseline")
    for step in reversed(list(champion.steps()) if champion is not None else []):
        below = replace(step, below=below)
    return below


def usable_forecast(panel: Panel, rows: Frame, model: Model) -> tuple[Points, Orders]:
    """Points and orders; raise `ArtifactError` where the model was made for other features or what it says is no usable forecast."""
    check_features(model, rows)
    made, plan = predict_rows(panel, rows, model)
    if broken := broken_output(made, len(rows)):
        raise ArtifactError(broken)
    return made, plan


def unit_costs(panel: Panel, rows: Frame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What a unit missed and a unit left over cost, for each row."""
    product, numbers = panel.product[rows.series], panel.product_number
    lost = np.nan_to_num(numbers["margin"][product], nan=DEFAULT_MARGIN)
    return lost, np.nan_to_num(numbers["return_cost"][product], nan=DEFAULT_RETURN_COST)


def predict_rows(panel: Panel, rows: Frame, model: Model) -> tuple[Points, Orders]:
    """Points and orders of a frame's rows."""
    case_pack = panel.product_number["case_pack"][panel.product[rows.series]]
    lost, returned = unit_costs(panel, rows)
    if isinstance(model, Ensemble):
        said = model.predict(rows)
        sizes = model.support.sizes
        return points(said.p_demand, said.pmf, sizes, model.support.means), orders(said.p_demand, said.pmf, sizes, case_pack, lost, returned)
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


def _forecast_table(keys: dict[str, object], rows: Frame, made: Points, serving: Serving, name: str, mover: str, origin: Week, why: str) -> pa.Table:
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
        "rung": np.full(n, serving.rung),
        "rung_reason": np.full(n, why),
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
