"""Forecasts and order plan of a region at an origin, from the models that serve it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from models.baselines import HistoricalAverage
from models.costs import Costs, costs_of
from models.distribution import Orders, Points, orders
from models.ensemble import Ensemble
from models.segments import series_formats
from models.training import MOVERS
from transforms.calendar import Week
from transforms.clusters import Clusters
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.features import scoring_frame
from transforms.frame import Frame
from transforms.panel import Panel

STALE_DAYS = 60

Segment = tuple[str, str]


@dataclass(frozen=True)
class Serving:
    """A model in service: its version and the origin that it was trained at."""

    model: Ensemble | HistoricalAverage
    version: str
    trained_week: date


def score_region(
    panel: Panel, horizons: int, champions: Mapping[Segment, Serving], baselines: Mapping[str, Serving], clusters: Clusters | None = None
) -> tuple[pa.Table, pa.Table]:
    """Forecast every series that is alive at the panel's last week.

    Parameters
    ----------
    champions
        The promoted ensemble of each (format, mover) that has one.
    baselines
        The historical average of each format; serves segments without a champion. Where even that is missing, it is made from the panel.
    clusters
        How formats are split into segments: as the champions were trained.

    Returns
    -------
    (pyarrow.Table, pyarrow.Table)
        Rows of gold/forecasts and of gold/order_plan.
    """
    frame = scoring_frame(panel, horizons)
    forecasts, plans = [FORECASTS.schema.empty_table()], [ORDER_PLAN.schema.empty_table()]
    labels = series_formats(panel, clusters)
    formats = labels[frame.series]
    for name in map(str, np.unique(labels)):
        for mover, is_fast in MOVERS.items():
            rows = frame.take((formats == name) & (frame.fast == is_fast))
            if not len(rows):
                continue
            serving = champions.get((name, mover)) or baselines.get(name) or Serving(HistoricalAverage.fit(rows), "none", panel.last.monday)
            costs, keys = costs_of(panel, rows), _keys(panel, rows)
            made, plan = _predict(rows, serving.model, costs)
            forecasts.append(_forecast_table(keys, rows, made, serving, name, mover, panel.last))
            plans.append(_plan_table(keys, plan, costs))
    return pa.concat_tables(forecasts), pa.concat_tables(plans)


def _predict(rows: Frame, model: Ensemble | HistoricalAverage, costs: Costs) -> tuple[Points, Orders]:
    if isinstance(model, Ensemble):
        said = model.predict(rows)
        return model.points(said, rows), orders(said.p_demand, said.pmf, model.support.sizes, *costs)
    made = model.predict(rows)
    # The historical average knows one size for each series.
    return made, orders(made.p_demand, np.ones((len(rows), 1), np.float32), made.size[:, None], *costs)


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
        # Which version of the data this was, and in which run, is known to the caller.
        "dataset_version": pa.nulls(n, pa.string()),
        "run_id": pa.nulls(n, pa.string()),
    }
    return pa.table({column: pa.array(columns[column]) for column in FORECASTS.names}).cast(FORECASTS.schema)


def _plan_table(keys: dict[str, object], plan: Orders, costs: Costs) -> pa.Table:
    columns = {
        **keys,
        "order_quantity": plan.quantity,
        "service_level": plan.service_level,
        "expected_returns": plan.expected_returns,
        "expected_lost_sales": plan.expected_lost_sales,
        **{column: np.round(values.astype(np.float64), 6) for column, values in costs._asdict().items()},
    }
    return pa.table({column: pa.array(columns[column]) for column in ORDER_PLAN.names}).cast(ORDER_PLAN.schema)
