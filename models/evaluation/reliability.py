"""Whether probabilities and intervals hold: share of the 80 % interval, pinball loss and reliability of forecasts whose demand came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from models.evaluation.metrics import score_quantiles
from models.members.distribution import Points, interval_share
from transforms.arrays import Floats32, Floats64, Ints64
from transforms.lake.database import open_database


@dataclass(frozen=True)
class ScoredRows:
    """Points of rows, and the demand that they met, shape (n,)."""

    demand: Floats32
    points: Points

    @classmethod
    def concat(cls, parts: Sequence["ScoredRows"]) -> Self:
        """Stack the rows of `parts`."""
        stacked = {name: np.concatenate([getattr(part.points, name) for part in parts]) for name in vars(parts[0].points)}
        return cls(np.concatenate([part.demand for part in parts]), Points(**stacked))

    def with_demand(self) -> "ScoredRows":
        """The rows with demand: a row without any lies in every interval that starts at 0."""
        hit = self.demand > 0
        return ScoredRows(self.demand[hit], Points(**{name: values[hit] for name, values in vars(self.points).items()}))

    def interval_share(self) -> float:
        """Mean share of the 80 % interval over all rows (see `models.members.distribution.interval_share`), NaN for forecasts that do not tell it."""
        known = ~np.isnan(self.points.q10_inside)
        return float(interval_share(self.points, self.demand)[known].mean()) if known.any() else float("nan")

    def coverage(self) -> float:
        """Share of rows inside the interval from q10 to q90."""
        return score_quantiles(self.demand, self.points)[1]

    def pinball(self) -> float:
        """Mean pinball loss over the quantiles."""
        return score_quantiles(self.demand, self.points)[0]

    def reliability(self, bins: int = 10) -> tuple[Floats64, Floats64, Ints64]:
        """Mean forecast probability of demand, share of rows with demand, and count of rows, in bins with equally many rows."""
        order = np.argsort(self.points.p_demand, kind="stable")
        parts = [part for part in np.array_split(order, bins) if len(part)]
        predicted = np.asarray([self.points.p_demand[part].mean(dtype=np.float64) for part in parts])
        actual = np.asarray([np.mean(self.demand[part] > 0) for part in parts])
        return predicted, actual, np.asarray([len(part) for part in parts])


def scored_rows(forecasts: pa.Table, demand: pa.Table) -> dict[str, ScoredRows]:
    """Rows of gold/forecasts with the actual demand (gold/demand of their target weeks; a forecast without a row there met no demand), by region."""
    columns = ", ".join(f"coalesce(f.{name}::float, 'nan'::float) as {name}" for name in Points.__dataclass_fields__)
    with open_database() as connection:
        connection.register("forecasts", forecasts)
        connection.register("actual", demand)
        rows = connection.execute(
            f"""
            select f.region, coalesce(a.demand, 0)::float as demand, {columns}
            from forecasts as f
            left join actual as a
                on a.region = f.region and a.store_id = f.store_id and a.product_id = f.product_id and a.week = f.target_week
            """
        ).fetchnumpy()
    region = np.asarray(rows["region"], np.str_)
    return {
        str(name): ScoredRows(
            rows["demand"][region == name], Points(**{column: rows[column][region == name] for column in Points.__dataclass_fields__})
        )
        for name in np.unique(region)
    }
