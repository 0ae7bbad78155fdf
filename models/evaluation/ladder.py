"""In which order the steps of the failover ladder serve: the best on the same held-back weeks, as far as that is no chance.

The order without any evidence is that of `transforms.contracts.rungs`. A step that is better beyond noise than the one that
would serve takes its place; a tie changes nothing, so that steps do not take turns week by week.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluation.comparison import CostedForecasts, Difference, compare
from models.evaluation.metrics import score_points
from transforms.arrays import Floats32
from transforms.contracts.rungs import BASELINE, RUNGS


@dataclass(frozen=True)
class Step:
    """A step and its forecasts of the held-back rows of its segment; where it has none, `forecasts` is None and `wrong` tells why."""

    rung: str
    version: str
    forecasts: CostedForecasts | None
    wrong: str = ""

    def __str__(self) -> str:
        return RUNGS[self.rung] if self.rung == BASELINE else f"{RUNGS[self.rung]} {self.version}"


@dataclass(frozen=True)
class Place:
    """A step with its place in the order (1 serves), its MAPE on the held-back rows, and why it stands there."""

    rung: str
    version: str
    rank: int
    mape: float | None
    reason: str


@dataclass(frozen=True)
class HeldBackRows:
    """The rows that all steps of a segment are compared on, shape (n,): actual demand, and whose and which week's row it is."""

    demand: Floats32
    series: npt.NDArray[np.integer]
    week: npt.NDArray[np.integer]


def in_order(steps: Sequence[Step], rows: HeldBackRows, confidence: float, margins: Mapping[str, float], seed: int) -> list[Place]:
    """Order the steps of a segment.

    Parameters
    ----------
    steps
        In the order without evidence.
    confidence
        With which the MAPE of a step has to be smaller.
    margins
        For a rung the share by which it has to be smaller, too: what training the same recipe a week later changes by chance. 0 where none is given.
    """
    left, places = list(steps), list[Place]()
    mape = {step.rung: _mape(step, rows) for step in steps}
    while left:
        first = left[0]
        better = {step.rung: found for step in left[1:] if (found := _overtakes(step, first, rows, confidence, margins, seed)) is not None}
        step = min((step for step in left if step.rung in better), key=lambda step: better[step.rung].challenger, default=first)
        reason = _in_words(step, first, better.get(step.rung), mape)
        places.append(Place(step.rung, step.version, len(places) + 1, mape[step.rung], reason))
        left.remove(step)
    return places


def mape_against(rows: HeldBackRows, challenger: CostedForecasts, champion: CostedForecasts, confidence: float, seed: int) -> Difference | None:
    """The difference in MAPE; None where there was no demand."""
    found = compare(rows.demand, rows.series, rows.week, challenger, champion, confidence, seed) if len(rows.demand) else []
    return next((difference for difference in found if difference.metric == "mape"), None)


def _overtakes(step: Step, other: Step, rows: HeldBackRows, confidence: float, margins: Mapping[str, float], seed: int) -> Difference | None:
    """The difference where a step is better than a higher one beyond noise."""
    if step.forecasts is None or other.forecasts is None:
        return None
    found = mape_against(rows, step.forecasts, other.forecasts, confidence, seed)
    return found if found is not None and found.upper < 0 and -found.change > margins.get(step.rung, 0) else None


def _mape(step: Step, rows: HeldBackRows) -> float | None:
    return None if step.forecasts is None else score_points(rows.demand, step.forecasts.size, step.forecasts.expected).mape


def _in_words(step: Step, passed: Step, better: Difference | None, mape: Mapping[str, float | None]) -> str:
    if step.forecasts is None:
        return f"not scored on the held-back weeks: {step.wrong}"
    if better is not None:
        return f"better beyond noise than {passed} on the held-back weeks: MAPE {better}"
    own, average = mape[step.rung], mape.get(BASELINE)
    if own is None:
        return "no demand in the held-back weeks to score"
    beside = f", the {RUNGS[BASELINE]}'s {average:.3f}" if average is not None and step.rung != BASELINE else ""
    return f"MAPE {own:.3f} on the held-back weeks{beside}"
