"""The metrics, in one definition: SQL aggregates for tables and the same in numpy for arrays; a test checks one against the other.

On intermittent demand no single number is best for every metric, so each scores the quantity that it is proper for: MAPE scores `size` over the rows
with demand (the number of rows left out stands beside it); RMSE, WAPE and bias score `expected`; the quantiles have pinball loss and the share of the
80 % interval, which is 0.80 for any forecast that is right. Plain coverage is no such measure: it counts weeks without demand as covered.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.members.distribution import QUANTILES, Points
from transforms.arrays import Bools, Floats32
from transforms.contracts.gold import ACCURACY
from transforms.lake.database import open_database

_PINBALL = " + ".join(f"greatest({level} * (demand - q{level * 100:.0f}), ({level} - 1) * (demand - q{level * 100:.0f}))" for level in QUANTILES)


def _point_sql(size: str, expected: str) -> dict[str, str]:
    return {
        "mape": f"avg(abs(demand - {size}) / demand) filter (where demand > 0)",
        "mape_expected": f"avg(abs(demand - {expected}) / demand) filter (where demand > 0)",
        "wape": f"sum(abs(demand - {expected})) / nullif(sum(demand), 0)",
        "rmse_0": f"sqrt(avg(power({expected}, 2)) filter (where demand = 0))",
        "rmse_all": f"sqrt(avg(power({expected} - demand, 2)))",
        "bias": f"avg({expected} - demand)",
    }


SQL: Mapping[str, str] = {
    "n": "count(*)",
    "n_zero": "count(*) filter (where demand = 0)",
    **_point_sql("size", "expected"),
    "pinball": f"avg({_PINBALL}) / {len(QUANTILES)}",
    "interval_share_80": (
        "avg(case when q10_inside is null then null when demand = q10 then q10_inside when demand = q90 then q90_inside "
        "else (demand between q10 and q90)::double end)"
    ),
    "coverage_80": "avg((demand between q10 and q90)::double)",
    **{f"baseline_{name}": sql for name, sql in _point_sql("baseline_size", "baseline").items()},
}
"""Metric -> aggregate over rows with demand, size, expected, q10, q50, q90, q10_inside, q90_inside, baseline_size, baseline."""


@dataclass(frozen=True)
class Score:
    """Metrics of one set of rows; None where there is no row to score."""

    n: int
    n_zero: int
    mape: float | None
    mape_expected: float | None
    wape: float | None
    rmse_0: float | None
    rmse_all: float | None
    bias: float | None


def score_points(demand: Floats32, size: Floats32, expected: Floats32, weight: Floats32 | None = None) -> Score:
    """The point metrics in numpy; arrays of shape (n,). `weight` is the number of rows that a row stands for, 1 where None."""
    hit, actual = demand > 0, demand.astype(np.float64)
    error, counts = expected.astype(np.float64) - actual, np.ones(len(demand)) if weight is None else weight.astype(np.float64)

    def mean(values: npt.NDArray[np.floating], rows: Bools | None = None) -> float | None:
        weights = counts if rows is None else counts[rows]
        return float(np.average(values, weights=weights)) if len(values) else None

    def root(value: float | None) -> float | None:
        return None if value is None else float(np.sqrt(value))

    total = float((counts * actual).sum())
    return Score(
        n=round(float(counts.sum())),
        n_zero=round(float(counts[~hit].sum())),
        mape=mean(np.abs(actual[hit] - size[hit]) / actual[hit], hit),
        mape_expected=mean(np.abs(error[hit]) / actual[hit], hit),
        wape=float((counts * np.abs(error)).sum() / total) if total else None,
        rmse_0=root(mean(expected[~hit].astype(np.float64) ** 2, ~hit)),
        rmse_all=root(mean(error**2)),
        bias=mean(error),
    )


def score_quantiles(demand: Floats32, points: Points, weight: Floats32 | None = None) -> tuple[float, float]:
    """Mean pinball loss over the quantiles, and the share of rows between the first and the last."""
    actual = demand.astype(np.float64)
    losses = [
        np.maximum(level * (actual - quantile), (level - 1) * (actual - quantile))
        for level, quantile in zip(QUANTILES, (points.q10, points.q50, points.q90), strict=True)
    ]
    inside = (actual >= points.q10) & (actual <= points.q90)
    return float(np.average(np.mean(losses, axis=0), weights=weight)), float(np.average(inside, weights=weight))


def score_forecasts(forecasts: pa.Table, demand: pa.Table) -> pa.Table:
    """How forecasts turned out.

    Parameters
    ----------
    forecasts
        Rows of gold/forecasts.
    demand
        Rows of gold/demand for their target weeks; a forecast without one met no demand.

    Returns
    -------
    pyarrow.Table
        Rows of gold/accuracy.
    """
    metrics = ", ".join(f"{sql} as {name}" for name, sql in SQL.items())
    with open_database() as connection:
        connection.register("forecasts", forecasts)
        connection.register("actual", demand)
        rows = connection.execute(
            f"""
            with scored as (
                select f.*, coalesce(a.demand, 0) as demand
                from forecasts as f
                left join actual as a
                    on a.region = f.region and a.store_id = f.store_id and a.product_id = f.product_id and a.week = f.target_week
            )

            select region, format, mover, model_version as model, target_week as week, horizon, {metrics}
            from scored
            group by all
            order by all
            """
        ).to_arrow_table()
    return rows.select(ACCURACY.names).cast(ACCURACY.schema)
