"""Two models on the same rows: is one worse than the other beyond noise? A paired bootstrap over series and weeks.

Errors of one series go together, and so do those of one week, so both are drawn (the pigeonhole bootstrap of Owen 2007): a cell of series and week
counts as often as its series was drawn times its week. It errs on the side of too wide intervals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.arrays import Floats32, Floats64, Ints64

METRICS = ("mape", "rmse_0", "rmse_all", "bias", "cost")
DRAWS = 1000
_CHUNK = 250


@dataclass(frozen=True)
class CostedForecasts:
    """A model's points for rows whose demand is known, shape (n,), with the realised cost of the order that follows from them."""

    size: Floats32
    expected: Floats32
    cost: Floats32


@dataclass(frozen=True)
class Difference:
    """One metric of both models.

    Attributes
    ----------
    change
        Challenger minus champion, as a share of the champion's value (bias: of the mean demand).
    lower, upper
        Bounds of the change, each passed by chance with probability 1 - confidence.
    """

    metric: str
    challenger: float
    champion: float
    change: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.challenger:.4g} against {self.champion:.4g} ({self.change:+.1%}, between {self.lower:+.1%} and {self.upper:+.1%})"


def realised_cost(quantity: Ints64, demand: Floats32, margin: Floats32, return_cost: Floats32) -> Floats32:
    """Realised cost of an order: `return_cost` for each unit left over and `margin` for each unit missed."""
    left, missed = np.maximum(quantity - demand, 0), np.maximum(demand - quantity, 0)
    cost: Floats32 = (return_cost * left + margin * missed).astype(np.float32)
    return cost


def compare(
    demand: Floats32,
    series: npt.NDArray[np.integer],
    week: npt.NDArray[np.integer],
    challenger: CostedForecasts,
    champion: CostedForecasts,
    confidence: float,
    seed: int,
) -> list[Difference]:
    """Compare two models on the same rows.

    Parameters
    ----------
    demand, series, week
        Actual demand, and whose and which week's row it is, shape (n,).
    confidence
        Of each one-sided bound.

    Returns
    -------
    list of Difference
        One for each metric that the rows can tell.
    """
    _, at_series = np.unique(series, return_inverse=True)
    _, at_week = np.unique(week, return_inverse=True)
    shape = (int(at_series.max()) + 1, int(at_week.max()) + 1)
    sums = {name: _cells(columns, at_series, at_week, shape) for name, columns in _columns(demand, challenger, champion).items()}
    drawn = _draw(np.stack(list(sums.values())), seed)
    observed = dict(zip(sums, (cells.sum() for cells in sums.values()), strict=True))
    draws = dict(zip(sums, drawn, strict=True))
    found = []
    for metric in METRICS:
        if observed[_COUNT[metric]] == 0:
            continue
        ours, theirs, change = _change(metric, observed)
        with np.errstate(invalid="ignore", divide="ignore"):
            changes = _change(metric, draws)[2]
        lower, upper = np.nanquantile(changes, [1 - confidence, confidence])
        found.append(Difference(metric, float(ours), float(theirs), float(change), float(lower), float(upper)))
    return found


_COUNT = {"mape": "hits", "rmse_0": "zeros", "rmse_all": "rows", "bias": "rows", "cost": "rows"}


def _columns(demand: Floats32, challenger: CostedForecasts, champion: CostedForecasts) -> dict[str, Floats64]:
    """Per row: counts, and each loss of each model."""
    actual = demand.astype(np.float64)
    hit = actual > 0
    columns: dict[str, Floats64] = {
        "rows": np.ones(len(actual)),
        "hits": hit.astype(np.float64),
        "zeros": (~hit).astype(np.float64),
        "demand": actual,
    }
    for name, model in (("challenger", challenger), ("champion", champion)):
        error = model.expected.astype(np.float64) - actual
        columns |= {
            f"mape/{name}": np.where(hit, np.abs(model.size - actual) / np.where(hit, actual, 1), 0),
            f"rmse_0/{name}": np.where(hit, 0, error**2),
            f"rmse_all/{name}": error**2,
            f"bias/{name}": error,
            f"cost/{name}": model.cost.astype(np.float64),
        }
    return columns


def _cells(values: Floats64, series: npt.NDArray[np.intp], week: npt.NDArray[np.intp], shape: tuple[int, int]) -> Floats64:
    cells: Floats64 = np.asarray(np.bincount(series * shape[1] + week, values, shape[0] * shape[1]), np.float64).reshape(shape)
    return cells


def _draw(cells: Floats64, seed: int) -> Floats64:
    """Weighted sums of each column's cells, shape (columns, draws); `cells` has shape (columns, series, weeks)."""
    rng = np.random.default_rng(seed)
    columns, series, weeks = cells.shape
    flat = cells.transpose(1, 0, 2).reshape(series, columns * weeks)
    parts: list[Floats64] = []
    for _ in range(DRAWS // _CHUNK):
        of_series = rng.multinomial(series, np.full(series, 1 / series), _CHUNK).astype(np.float64)
        of_week = rng.multinomial(weeks, np.full(weeks, 1 / weeks), _CHUNK).astype(np.float64)
        sums = (of_series @ flat).reshape(_CHUNK, columns, weeks)
        parts.append(np.einsum("bcw,bw->cb", sums, of_week))
    return np.concatenate(parts, axis=1)


def _change(metric: str, sums: Mapping[str, Floats64]) -> Sequence[Floats64]:
    """Challenger, champion, and the change between them."""
    values = []
    for name in ("challenger", "champion"):
        mean = sums[f"{metric}/{name}"] / sums[_COUNT[metric]]
        values.append(np.sqrt(mean) if metric.startswith("rmse") else np.abs(mean) if metric == "bias" else mean)
    scale = sums["demand"] / sums["rows"] if metric == "bias" else values[1]
    # A champion without any error leaves nothing to divide by: the change is then counted in units.
    return *values, (values[0] - values[1]) / np.where(scale > 0, scale, 1)
