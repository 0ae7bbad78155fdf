"""The gate between training and production: which numbers a model has to reach before it may forecast."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """What is asked of the metrics on the held-back weeks: MAPE at most `max_mape`, and below the historical average's by `min_improvement`."""

    max_mape: float = 0.45
    min_improvement: float = 0.1


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be promoted, and why, with the numbers."""

    passed: bool
    reason: str


def judge(metrics: Mapping[str, float | int | None], gate: Gate) -> Verdict:
    """Compare a model's metrics with the gate; a metric that is missing or not finite fails."""
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
