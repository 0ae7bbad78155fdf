"""Forecasts and order plan of a region at an origin, from the models that serve it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.segments import segment_rows, series_formats
from models.evaluation.gate import broken_output
from models.members.distribution import Orders, Points, orders
from models.serving.costs import Costs, costs_of
from models.serving.failover import SECONDS, Model, Serving, check_features, descend
from transforms.arrays import Bools
from transforms.calendar import Week
from transforms.clusters import Clusters
from transforms.contracts.gold import FORECASTS, MOVERS, ORDER_PLAN, STALE_DAYS
from transforms.contracts.rungs import BASELINE, CHALLENGER, CHAMPION
from transforms.errors import ArtifactError
from transforms.features.build import scoring_frame
from transforms.features.frame import Frame
from transforms.panel.endings import endings
from transforms.panel.panel import Panel
from transforms.rows import Segment


def score_region(
    panel: Panel,
    horizons: int,
    champions: Mapping[Segment, Serving],
    baselines: Mapping[str, Serving],
    clusters: Clusters | None = None,
    seconds: float = SECONDS,
) -> tuple[pa.Table, pa.Table]:
    """Forecast every series that is alive at the panel's last week; where a step of the failover ladder fails, the next one serves.

    Parameters
    ----------
    champions
        The uppermost step for each (format, mover) that has one, the others below it.
    baselines
        The historical average of each format: the step below all of them. Where even that is missing, it is made from the panel.
    clusters
        How formats are split into segments: as the champions were trained.
    seconds
        Time for each step and segment.

    Returns
    -------
    (pyarrow.Table, pyarrow.Table)
        Rows of gold/forecasts and of gold/order_plan.
    """
    frame = scoring_frame(panel, horizons)
    forecasts, plans = [FORECASTS.schema.empty_table()], [ORDER_PLAN.schema.empty_table()]
    labels, ended = series_formats(panel, clusters), endings(panel, frame.series, frame.horizon)
    for name in map(str, np.unique(labels)):
        for mover in MOVERS:
            in_segment = segment_rows(frame, labels, name, mover)
            rows, why_ended = frame.take(in_segment), ended[in_segment]
            if not len(rows):
                continue
            made_now = partial(HistoricalAverage.fit, panel, rows)
            reason = "historical average made from the region's data"
            fresh = Serving(made_now, "none", panel.last.monday, BASELINE, reason)
            uppermost, costs, keys = champions.get((name, mover)), costs_of(panel, rows), _keys(panel, rows)
            top = _over(uppermost, baselines.get(name))
            serving, (points, plan), why = descend(top, fresh, partial(usable_forecast, rows, costs), seconds)
            if top is None or not {step.rung for step in top.steps()} & {CHAMPION, CHALLENGER}:
                why = f"no champion; {why}"
            points, plan = without_ended(points, plan, why_ended != "")
            forecasts.append(_forecast_table(keys, rows, points, serving, name, mover, panel.last, why, why_ended))
            plans.append(_plan_table(keys, plan, costs))
    return pa.concat_tables(forecasts), pa.concat_tables(plans)


def _over(champion: Serving | None, baseline: Serving | None) -> Serving | None:
    """The champion's ladder with the historical average as its lowest step, where it has no higher place in it."""
    steps = list(champion.steps()) if champion is not None else []
    below = None if baseline is None or any(step.rung == BASELINE for step in steps) else replace(baseline, rung=BASELINE)
    for step in reversed(steps):
        below = replace(step, below=below)
    return below


def usable_forecast(rows: Frame, costs: Costs, model: Model) -> tuple[Points, Orders]:
    """Points and orders; raise `ArtifactError` where the model was made for other features or what it says is no usable forecast."""
    check_features(model, rows)
    points, plan = predict_rows(rows, costs, model)
    if broken := broken_output(points, len(rows)):
        raise ArtifactError(broken)
    return points, plan


def predict_rows(rows: Frame, costs: Costs, model: Model) -> tuple[Points, Orders]:
    """Points and orders of a frame's rows."""
    predicted = model.predict(rows)
    return model.points(predicted, rows), orders(predicted.p_demand, predicted.pmf, model.support.sizes, *costs)


def without_ended(points: Points, plan: Orders, ended: Bools) -> tuple[Points, Orders]:
    """No demand and no order where a series has ended, the rest as it is; the size of a comeback stays what the model says."""
    # All of the probability is at 0, of which what lies between the levels of 10 and 90 % is inside the interval.
    now = {**dict.fromkeys(vars(points), 0.0), "q10_inside": 0.8, "q90_inside": 0.8}
    gone = {name: values if name == "size" else np.where(ended, now[name], values).astype(values.dtype) for name, values in vars(points).items()}
    nothing = {name: np.where(ended, name == "service_level", values).astype(values.dtype) for name, values in vars(plan).items()}
    return Points(**gone), Orders(**nothing)


def _keys(panel: Panel, rows: Frame) -> dict[str, object]:
    lookup = np.asarray([panel.last.monday + timedelta(weeks=ahead) for ahead in range(int(rows.horizon.max()) + 1)], "datetime64[D]")
    return {
        "region": np.full(len(rows), str(panel.region)),
        "store_id": panel.stores[panel.store[rows.series]],
        "product_id": panel.products[panel.product[rows.series]],
        "origin_week": np.full(len(rows), np.datetime64(panel.last.monday, "D")),
        "target_week": lookup[rows.horizon],
    }


def _forecast_table(
    keys: dict[str, object],
    rows: Frame,
    points: Points,
    serving: Serving,
    name: str,
    mover: str,
    origin: Week,
    why: str,
    ended: npt.NDArray[np.object_],
) -> pa.Table:
    n = len(rows)
    stale = (origin.monday - serving.trained_week).days > STALE_DAYS
    columns = {
        **keys,
        "horizon": rows.horizon,
        "format": np.full(n, name),
        "mover": np.full(n, mover),
        **{column: np.round(values.astype(np.float64), 6) for column, values in vars(points).items()},
        "baseline": rows.baseline,
        "baseline_size": rows.baseline_size,
        "model_version": np.full(n, serving.version),
        "trained_week": np.full(n, np.datetime64(serving.trained_week, "D")),
        "is_stale": np.full(n, stale),
        "rung": np.full(n, serving.rung),
        "rung_reason": np.full(n, why),
        "ended": [why or None for why in ended],
        "is_significant": np.full(n, serving.significant),
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
