"""How a spec would have done: models trained at past origins, scored on the weeks that followed. The comparison under tuning and benchmarks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from models.evaluation.metrics import score_forecasts
from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.calendar import Week
from transforms.panel.panel import Panel


def rolling_origins(last: Week, horizons: int, count: int) -> list[Week]:
    """The last `count` origins whose forecasts end by week `last`, without target weeks in common, oldest first."""
    return [last + -horizons * step for step in range(count, 0, -1)]


def rolling_scores(panel: Panel, spec: TrainingSpec, origins: Sequence[Week]) -> pa.Table:
    """Train and forecast at each origin and score by the panel's own demand.

    Parameters
    ----------
    panel
        The region's history; its last week is the last that anything here sees, so every origin lies `spec.horizons` weeks before it or earlier.

    Returns
    -------
    pyarrow.Table
        Rows of gold/accuracy.
    """
    return pa.concat_tables([score_forecasts(forecasts_at(panel, origin, spec), _demand(panel, origin, spec.horizons)) for origin in origins])


def forecasts_at(panel: Panel, origin: Week, spec: TrainingSpec) -> pa.Table:
    """Rows of gold/forecasts by models trained at `origin`, on what was known then."""
    return made_at(panel, origin, spec)[0]


def made_at(panel: Panel, origin: Week, spec: TrainingSpec) -> tuple[pa.Table, pa.Table]:
    """Rows of gold/forecasts and gold/order_plan by models trained at `origin`, on what was known then."""
    known = replace(panel, sold_out=spec.sold_out).until(origin)
    trained = [(one.format, one.mover, Serving(one.model, "none", origin.monday)) for one in train_region(known, spec)]
    ensembles = {(format_, mover): model for format_, mover, model in trained if mover != "all"}
    averages = {format_: model for format_, mover, model in trained if mover == "all"}
    return score_region(known, spec.horizons, ensembles, averages, spec.clusters)


def _demand(panel: Panel, origin: Week, horizons: int) -> pa.Table:
    """What came in the weeks after `origin`, as far as the panel knows."""
    first = origin - panel.first + 1
    demand = panel.demand()[:, first : first + horizons]
    series, week = np.nonzero(demand)
    mondays = np.asarray([origin.monday + timedelta(weeks=ahead) for ahead in range(1, horizons + 1)], "datetime64[D]")
    return pa.table(
        {
            "region": pa.repeat(str(panel.region), len(series)),
            "store_id": panel.stores[panel.store[series]],
            "product_id": panel.products[panel.product[series]],
            "week": mondays[week],
            "demand": demand[series, week],
        }
    )
