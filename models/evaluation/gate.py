"""What a model has to show before it may forecast, check by check, with the numbers; and whether it is significant, which stands on record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.evaluation.comparison import Difference
from models.members.distribution import Points
from transforms.records.data_checks import Check

MAX_REGRESSION = {"mape": 0.05, "rmse_0": 0.15, "rmse_all": 0.03, "bias": 0.05, "cost": 0.03}
"""About twice the standard deviation of each metric's change between models of the same recipe a week apart, on deliveries in Council Bluffs."""


@dataclass(frozen=True)
class Gate:
    """What is asked of a model on the held-back weeks.

    Attributes
    ----------
    max_mape
        Largest MAPE of a model that is significant.
    min_improvement
        Share by which the MAPE of a significant model lies below the historical average's.
    max_regression
        For each metric the share by which it may be worse than the champion's: what training the same recipe a week later changes by chance.
    confidence
        With which a metric has to be worse than the champion's before that counts. With five metrics 0.99 refuses a model as good as the champion
        in less than one case of twenty.
    """

    max_mape: float = 0.45
    min_improvement: float = 0.1
    max_regression: Mapping[str, float] = field(default_factory=lambda: dict(MAX_REGRESSION))
    confidence: float = 0.99


@dataclass(frozen=True)
class Verdict:
    """Whether a model is significant, and why, with the numbers."""

    passed: bool
    reason: str


def judge(metrics: Mapping[str, float | int | None], gate: Gate) -> Verdict:
    """Compare a model's metrics with the target; a metric that is missing or not finite fails."""
    mape, baseline = metrics.get("mape"), metrics.get("baseline_mape")
    if mape is None or baseline is None or not (math.isfinite(mape) and math.isfinite(baseline)):
        return Verdict(False, f"MAPE {mape} and historical average {baseline}: both have to be numbers; there was no held-back demand to score.")
    numbers = f"MAPE {mape:.3f}, historical average {baseline:.3f}"
    if mape > gate.max_mape:
        return Verdict(False, f"{numbers}: above the limit of {gate.max_mape:.3f}")
    limit = (1 - gate.min_improvement) * baseline
    if mape > limit:
        return Verdict(False, f"{numbers}: not {gate.min_improvement:.0%} below the historical average")
    return Verdict(True, f"{numbers}: within {gate.max_mape:.3f} and {1 - mape / baseline:.0%} below the historical average")


def significance_check(metrics: Mapping[str, float | int | None], gate: Gate) -> Check:
    """The verdict as a check among others. It does not decide: no forecast is replaced by a worse one because it missed a target."""
    verdict, mape = judge(metrics, gate), metrics.get("mape")
    return Check("significant", verdict.passed, float("nan") if mape is None else mape, gate.max_mape, verdict.reason, decides=False)


def scored_check(metrics: Mapping[str, float | int | None]) -> Check:
    """There is an error on record to judge by, no larger than that of the plain historical average: for models without rows of their own."""
    mape, baseline = (metrics.get(name) for name in ("mape", "baseline_mape"))
    known = mape is not None and baseline is not None and math.isfinite(mape) and math.isfinite(baseline)
    detail = (
        f"MAPE {mape:.3f}, historical average {baseline:.3f}" if known else f"MAPE {mape} and historical average {baseline}: both have to be numbers"
    )
    better = mape is not None and baseline is not None and mape <= baseline
    return Check("historical average", bool(known and better), _number(mape), _number(baseline), detail)


def average_check(difference: Difference | None) -> Check:
    """Worse than the historical average, and not by chance, fails: the average's own distribution is what would serve instead."""
    if difference is None:
        return Check("historical average", False, float("nan"), 0, "there was no held-back demand to score")
    return Check("historical average", not difference.lower > 0, difference.change, 0, f"MAPE {difference} as a model of its own")


def comparison_checks(differences: Sequence[Difference], gate: Gate) -> list[Check]:
    """One check for each metric: worse by more than may be, and not by chance, fails."""
    return [
        Check(
            f"{one.metric} against champion",
            not (one.lower > 0 and one.change > gate.max_regression[one.metric]),
            one.change,
            gate.max_regression[one.metric],
            str(one),
        )
        for one in differences
    ]


def training_check(again: float | None, recorded: float | int | None) -> Check:
    """The error on the held-back weeks, computed again from the artifact, is the one on record."""
    if again is None or recorded is None:
        return Check(
            "training", False, float("nan"), _SAME, f"held-back MAPE {again} from the artifact, {recorded} on record: both have to be numbers"
        )
    apart = abs(again - recorded) / max(abs(recorded), 1e-9)
    return Check("training", apart <= _SAME, apart, _SAME, f"held-back MAPE {again:.4f} from the artifact, {recorded:.4f} on record")


_SAME = 1e-3


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def broken_output(points: Points, rows: int) -> str | None:
    """What makes points unfit to be forecasts, None where nothing does."""
    columns = vars(points)
    if wrong := [name for name, values in columns.items() if len(values) != rows]:
        return f"{wrong[0]} has {len(columns[wrong[0]])} rows, expected {rows}"
    if wrong := [name for name, values in columns.items() if not np.isfinite(values).all()]:
        return f"{wrong[0]} has {int((~np.isfinite(columns[wrong[0]])).sum())} values of {rows} that are no numbers"
    if wrong := [name for name, values in columns.items() if (values < 0).any()]:
        return f"{wrong[0]} has values below 0"
    if (points.p_demand > 1 + 1e-6).any():
        return "p_demand has values above 1"
    if crossing := int(((points.q10 > points.q50) | (points.q50 > points.q90)).sum()):
        return f"quantiles cross in {crossing} rows of {rows}"
    return None


def scoring_check(broken: str | None, rows: int) -> Check:
    """The loaded artifact makes a usable forecast for every row of its segment."""
    return Check("scoring", broken is None, float(rows), float(rows), broken or f"{rows} rows scored, all finite, quantiles in order")
