"""Whether a week's data have drifted: a distance for each column, judged by what past weeks reached against their own references.

Numbers are compared by the Wasserstein distance over the reference's standard deviation, texts by the Jensen-Shannon distance. No distance means much
by itself: rows of a week share weather, promotions and stores, so thousands of them may differ from their reference together, and what one column
reaches every week is an event for another. So each past week is compared with its own reference in the same way, and a column's p-value is read from
these distances: their ranks up to the 80 % quantile, an exponential tail beyond (peaks over threshold; Pickands 1975). Which columns drifted is then
decided at a rate of false ones (Benjamini & Hochberg 1995).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.drift.effect import Effect, errors_of, estimate_effect
from transforms.arrays import Bools, Floats64, Ints64
from transforms.contracts.drift import DRIFT
from transforms.monitoring.drift_columns import Basis, DriftFrames, Watched

NULL_WEEKS = 104
LEAST_NULL_WEEKS = 20
"""Past weeks with a reference of their own below which a column cannot be judged."""
TAIL = 0.2
LEAST_SCALE = 0.02
"""Mean excess of the tail at least, so that a column that never moved does not drift by a trifle."""
_BINS = 50
_SAMPLE = 50_000
_LEAST_DEVIATION = 0.05
_RARE = 0.005
"""Share below which a level's season is not believed."""
METHODS = {False: "Wasserstein distance (normed)", True: "Jensen-Shannon distance"}


@dataclass(frozen=True)
class Measured:
    """A column's distance from its reference.

    Attributes
    ----------
    edges
        Borders of the bins of numbers, shape (bins + 1,); None for texts, whose bins are levels.
    current, reference
        Shares of the bins.
    null
        Distances of past weeks from their own references.
    null_weeks
        Positions of these past weeks.
    weeks
        Positions of the reference's weeks.
    """

    column: Watched
    basis: Basis
    score: float
    edges: Floats64 | None
    current: Floats64
    reference: Floats64
    null: Floats64
    null_weeks: npt.NDArray[np.intp]
    weeks: npt.NDArray[np.intp]
    n: int
    n_reference: int


@dataclass(frozen=True)
class Judged(Measured):
    """A column's outcome; `threshold` is the distance from which it drifts by itself, whatever the others do."""

    p_value: float
    threshold: float
    drifted: bool
    effect: Effect


@dataclass(frozen=True)
class DriftResult:
    """Columns by estimated effect, those that drifted first; `unjudged` have too little history."""

    frames: DriftFrames
    judged: tuple[Judged, ...]
    unjudged: tuple[str, ...]

    @property
    def drifted(self) -> bool:
        """Whether any column drifted."""
        return any(one.drifted for one in self.judged)

    @property
    def columns(self) -> list[str]:
        """The columns that drifted."""
        return [one.column.name for one in self.judged if one.drifted]

    def rows(self) -> pa.Table:
        """Rows of gold/drift."""
        return pa.Table.from_pylist([self._row(one) for one in self.judged], schema=DRIFT.schema)

    def seasons(self, one: Judged) -> str:
        """The years that a column's reference is from."""
        return ", ".join(sorted({str((self.frames.history.first + int(week)).monday.year) for week in one.weeks}))

    def _row(self, one: Judged) -> dict[str, object]:
        return {
            "region": str(self.frames.region),
            "week": self.frames.week.monday,
            "column": one.column.name,
            "kind": one.column.kind,
            "method": METHODS[one.column.levels is not None],
            "score": one.score,
            "threshold": one.threshold,
            "p_value": one.p_value,
            "drifted": one.drifted,
            "reference": one.basis,
            "seasons": self.seasons(one),
            "n": one.n,
            "n_reference": one.n_reference,
            "n_null": len(one.null),
            "effect_mape": one.effect.mape,
            "effect_rmse": one.effect.rmse,
            "effect_money": one.effect.money,
            "errors_of": one.effect.source,
        }


def score_drift(frames: DriftFrames, rate: float) -> DriftResult:
    """Judge every column of a week.

    Parameters
    ----------
    rate
        Expected share of false ones among the columns that are called drifted; where nothing drifts, the chance that the week is called drifted.
    """
    errors = errors_of(frames)
    measured = {column.name: _measured(frames, column) for column in frames.columns}
    found = [one for one in measured.values() if one is not None]
    p_values = np.asarray([p_value(one.score, one.null) for one in found])
    judged = [
        Judged(
            **vars(one),
            p_value=float(p),
            threshold=distance_at(rate / len(found), one.null),
            drifted=bool(flag),
            effect=estimate_effect(frames, errors, one.column, one.weeks, None if one.edges is not None else one.reference),
        )
        for one, p, flag in zip(found, p_values, benjamini_hochberg(p_values, rate), strict=True)
    ]
    ranked = sorted(judged, key=lambda one: (not one.drifted, -one.effect.money, one.p_value))
    return DriftResult(frames, tuple(ranked), tuple(name for name, one in measured.items() if one is None))


def p_value(score: float, null: Floats64) -> float:
    """Chance that a week like the past ones is as far from its reference as `score`."""
    tail = Tail.of(null)
    if score <= tail.border:
        return float((1 + (null >= score).sum()) / (len(null) + 1))
    return float(tail.share * (1 + (score - tail.border) / (tail.known_by * tail.scale)) ** -tail.known_by)


def distance_at(p: float, null: Floats64) -> float:
    """The distance in the tail whose p-value is `p`."""
    tail = Tail.of(null)
    return float(tail.border + tail.known_by * tail.scale * max((tail.share / p) ** (1 / tail.known_by) - 1, 0.0))


@dataclass(frozen=True)
class Tail:
    """The tail of past distances: exponential from `border` on with the mean `scale`, which as many as `known_by` past weeks have told.

    Weeks that drifted are among the past ones too and must not hide the next, so the farthest fifth of the tail counts as being beyond the rest and
    no more (type II censoring). What is unknown about the scale is part of a p-value: the tail of one more week is a Lomax distribution.
    """

    border: float
    share: float
    scale: float
    known_by: int

    @classmethod
    def of(cls, null: Floats64) -> "Tail":
        """The tail of the distances of past weeks."""
        border = float(np.quantile(null, 1 - TAIL))
        excess = np.sort(null[null > border] - border)
        known_by = len(excess) - len(excess) // 5
        near, far = excess[:known_by], len(excess) - known_by
        scale = float(near.sum() + far * near[-1]) / known_by if known_by else 0.0
        return cls(border, (1 + len(excess)) / (len(null) + 1), max(scale, LEAST_SCALE), max(known_by, 1))


def benjamini_hochberg(p_values: Floats64, rate: float) -> Bools:
    """The hypotheses that are rejected when a share of `rate` of the rejected ones may be true."""
    order = np.argsort(p_values)
    below = p_values[order] <= rate * np.arange(1, len(order) + 1) / len(order)
    rejected = np.zeros(len(order), bool)
    rejected[order[: np.flatnonzero(below).max(initial=-1) + 1]] = True
    return rejected


def _measured(frames: DriftFrames, column: Watched) -> Measured | None:
    """Compare with the same season where enough past weeks have one to be compared with themselves, else with the weeks just before."""
    edges = None if column.levels is not None else _edges(column)
    shares, counts = _shares(column, edges)
    for basis in column.bases:
        weights = (frames.season if basis == "season" else frames.trailing) * (counts > 0)
        compared = np.flatnonzero((counts > 0) & (weights.sum(axis=1) > 0))
        past = compared[(compared < len(counts) - 1) & (compared >= len(counts) - 1 - NULL_WEEKS)]
        if len(past) < LEAST_NULL_WEEKS or compared[-1] != len(counts) - 1:
            continue
        rows = np.append(past, len(counts) - 1)
        reference = _reference(frames, shares, counts, weights, rows, edges is None and basis == "season")
        if edges is None:
            distances = jensen_shannon(shares[rows], reference)
        else:
            distances = wasserstein(shares[rows], reference, edges, float(_deviation(shares[past].mean(axis=0), edges)) if len(edges) > 1 else 0.0)
        used = np.flatnonzero(weights[-1])
        return Measured(
            column,
            basis,
            float(distances[-1]),
            edges,
            shares[-1],
            reference[-1],
            distances[:-1],
            past,
            used,
            int(counts[-1]),
            int(counts[used].sum()),
        )
    return None


def _edges(column: Watched) -> Floats64:
    """Borders of bins that hold about the same number of rows: of the past weeks, and of the week itself, which may lie beyond all of them."""
    past, now = (part[np.isfinite(part)] for part in (column.values[:, :-1], column.values[:, -1]))
    past = past[:: 1 + len(past) // _SAMPLE]
    edges = np.unique(np.concatenate([np.quantile(part, np.linspace(0, 1, _BINS + 1)) for part in (past, now) if len(part)]).astype(float))
    # The largest value has a bin of its own, else a week far beyond all others would be spread over all that lies between.
    return np.append(edges, edges[-1] + 1e-4 * (edges[-1] - edges[0])) if len(edges) > 1 else edges


def _shares(column: Watched, edges: Floats64 | None) -> tuple[Floats64, Ints64]:
    """Share of each bin or level by week, shape (weeks, bins), and the rows of each week."""
    series, week = np.nonzero(np.isfinite(column.values))
    values = column.values[series, week]
    if edges is None:
        bins, place = len(column.levels if column.levels is not None else ()), values.astype(np.int64)
    else:
        bins, place = max(len(edges) - 1, 1), np.searchsorted(edges[1:-1].astype(np.float32), values, side="right")
    weeks = column.values.shape[1]
    counts = np.bincount(week * bins + place, minlength=weeks * bins).reshape(weeks, bins)
    total = counts.sum(axis=1)
    return counts / np.maximum(total, 1)[:, None], total


def _reference(
    frames: DriftFrames, shares: Floats64, counts: Ints64, weights: Floats64, rows: npt.NDArray[np.intp], seasonal_levels: bool
) -> Floats64:
    """Shares of the references of `rows`: the mean of their weeks; of texts, the weeks just before times what the season made of past years' ones."""
    mean: Floats64 = weights[rows] @ shares / weights[rows].sum(axis=1, keepdims=True)
    if not seasonal_levels:
        return mean
    trailing = frames.trailing * (counts > 0)
    before = trailing @ shares / np.maximum(trailing.sum(axis=1, keepdims=True), 1)
    then = weights[rows] @ before / weights[rows].sum(axis=1, keepdims=True)
    index = np.clip((mean + _RARE) / (then + _RARE), 0.25, 4)
    adjusted = before[rows] * index
    total = adjusted.sum(axis=1, keepdims=True)
    mean[total[:, 0] > 0] = (adjusted / np.maximum(total, 1e-12))[total[:, 0] > 0]
    return mean


def wasserstein(current: Floats64, reference: Floats64, edges: Floats64, usual: float = 0.0) -> Floats64:
    """Wasserstein distance over the reference's standard deviation, shape (weeks,), from shares of bins with evenly spread rows.

    A reference of few weeks may hold hardly any spread, like the temperature of one Thanksgiving: `usual`, the column's deviation over all weeks,
    counts for half at least.
    """
    if len(edges) < 2:
        return np.zeros(len(current))
    gap = np.abs(np.cumsum(current - reference, axis=1))
    gap = np.concatenate([np.zeros((len(gap), 1)), gap], axis=1)
    distance = ((gap[:, 1:] + gap[:, :-1]) / 2 * np.diff(edges)).sum(axis=1)
    normed: Floats64 = distance / np.maximum(_deviation(reference, edges), max(usual / 2, _LEAST_DEVIATION))
    return normed


def _deviation(shares: Floats64, edges: Floats64) -> Floats64:
    middle = (edges[1:] + edges[:-1]) / 2
    mean = shares @ middle
    deviation: Floats64 = np.sqrt(np.maximum(shares @ middle**2 - mean**2, 0))
    return deviation


def jensen_shannon(current: Floats64, reference: Floats64) -> Floats64:
    """Jensen-Shannon distance (natural logarithm), shape (weeks,)."""
    middle = (current + reference) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(share > 0, share * np.log(share / middle), 0).sum(axis=1) for share in (current, reference)]
    distance: Floats64 = np.sqrt(np.maximum(sum(parts) / 2, 0))
    return distance
