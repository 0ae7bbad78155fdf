"""The failover ladder: from the step that serves down to the historical average. A forecast always comes, and says which step made it and why.

A step fails when its artifact is missing, corrupt or of another feature contract, when what it says is no usable forecast, or when it takes too
long. What is known about a failure goes on record with every row that it concerned. A defect of our own is no failure of a step: it ends the run.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date
from threading import Thread
from typing import TypeVar

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from transforms.contracts.rungs import CHAMPION
from transforms.errors import ArtifactError
from transforms.features.frame import Frame

Model = Ensemble | HistoricalAverage
Result = TypeVar("Result")

SECONDS = 120.0
"""Time that a step gets for loading and predicting one segment; the slowest seen took 4 s."""
# What a foreign artifact, its output or its storage can raise. Decoding and members of users turn other errors into `ArtifactError` where they arise.
FAILURES = (ArtifactError, OSError, TimeoutError)


@dataclass(frozen=True)
class Serving:
    """A model in service, and the step below it that serves where it fails.

    Attributes
    ----------
    model
        The model, or a function that loads it: what fails there is a failure of the step.
    trained_week
        The origin that it was trained at.
    reason
        Why it stands on this step.
    significant
        Whether it was within the project's target on its held-back weeks; None where that is not known.
    """

    model: Model | Callable[[], Model]
    version: str
    trained_week: date
    rung: str = CHAMPION
    reason: str = "in service"
    below: "Serving | None" = None
    significant: bool | None = None

    def load(self) -> Model:
        """Return the model."""
        return self.model if isinstance(self.model, Ensemble | HistoricalAverage) else self.model()

    def steps(self) -> Iterator["Serving"]:
        """Yield this step and those below it."""
        step: Serving | None = self
        while step is not None:
            yield step
            step = step.below


def descend(top: Serving | None, last: Serving, attempt: Callable[[Model], Result], seconds: float) -> tuple[Serving, Result, str]:
    """Try the steps from the top until one works.

    Parameters
    ----------
    last
        The step that serves when all others have failed; what it raises is raised.
    attempt
        Makes the forecasts with a model; a model that is not fit for them raises one of `FAILURES`.
    seconds
        Time for each step but the last.

    Returns
    -------
    (Serving, result of the attempt, str)
        The step that served, what it made, and why it was this one.
    """
    wrong: list[str] = []
    for step in top.steps() if top is not None else ():
        try:
            result = _within(seconds, lambda step=step: attempt(step.load()))  # type: ignore[misc]
        except FAILURES as error:
            wrong.append(f"{step.rung} {step.version}: {_reason(error, seconds)}")
        else:
            return step, result, "; ".join([*wrong, step.reason])
    return last, attempt(last.load()), "; ".join([*wrong, last.reason])


def check_features(model: Model, frame: Frame) -> None:
    """Raise `ArtifactError` unless the model was made for the features that the frame holds."""
    if not isinstance(model, Ensemble):
        return
    if model.encoder.names != frame.names:
        missing, extra = sorted(set(model.encoder.names) - set(frame.names)), sorted(set(frame.names) - set(model.encoder.names))
        raise ArtifactError(f"made for other features: missing now {missing}, new since {extra}; train it again with this version")
    if unknown := sorted(set(model.encoder.levels) ^ set(frame.categorical)):
        raise ArtifactError(f"made for other categories: {unknown}; train it again with this version")


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, or `TimeoutError`. A thread that hangs is left behind: it ends with the process, which it does not keep alive."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over whole: it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True, name="failover").start()
    return future.result(timeout=seconds)


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return f"no forecast within {seconds:g} s"
    return str(error).splitlines()[0] if isinstance(error, ArtifactError) else f"{type(error).__name__}: {error}".splitlines()[0]
