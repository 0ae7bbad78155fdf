"""Train a model of the past again, and tell whether the same comes out.

Works on a panel, a spec and a model that the caller has read; which versions of tables those come from is the caller's business.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from models.ensemble.artifacts import fingerprint
from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_region
from transforms.contracts.gold import FORECASTS
from transforms.errors import ConfigurationError
from transforms.panel.panel import Panel
from transforms.rows import Segment

NUMBERS = ("p_demand", "size", "expected", "q10", "q50", "q90")
"""Columns of a forecast that the model decides; keys, names of versions and the historical averages beside them are left out."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """SHA-256 of a model's parameters and of its forecasts: as recorded, and as they come out now."""

    parameters: tuple[str, str]
    forecasts: tuple[str, str]
    rows: int

    @property
    def same_parameters(self) -> bool:
        """True when what was learned is the same to the last bit."""
        return self.parameters[0] == self.parameters[1]

    @property
    def same_forecasts(self) -> bool:
        """True when each number of each forecast is the same."""
        return self.forecasts[0] == self.forecasts[1]


def spec_of(recorded: Mapping[str, Any]) -> TrainingSpec:
    """The training spec as an artifact's manifest holds it.

    Raises
    ------
    ConfigurationError
        If it has settings that this version of the code does not know.
    """
    known = {field.name for field in fields(TrainingSpec)}
    if strange := sorted(set(recorded) - known):
        raise ConfigurationError(
            f"The model was trained with settings {strange}, which this version of the code does not know: use the one recorded."
        )
    return TypeAdapter(TrainingSpec).validate_python(dict(recorded))


def retrain(panel: Panel, spec: TrainingSpec, wanted: set[Segment]) -> Iterator[Trained]:
    """Yield the wanted (format, mover) models of a region; training ends with the last of them."""
    left = set(wanted)
    for trained in train_region(panel, spec):
        segment = (trained.format, trained.mover)
        if segment in left:
            left.remove(segment)
            yield trained
        if not left:
            return


def compare(
    panel: Panel, horizons: int, segment: Segment, recorded: Ensemble | HistoricalAverage, again: Trained, stored: pa.Table | None
) -> Agreement:
    """Hold a model that was trained again against the one on record.

    Parameters
    ----------
    stored
        Forecasts of the model at its own origin as they stand in the lake; None where it made none there: both models then forecast now.
    """
    forecasts = forecasts_of(panel, horizons, segment, again.model)
    before = forecasts_of(panel, horizons, segment, recorded) if stored is None else stored
    if stored is not None:
        # The historical average serves only the segments of its format that have no champion.
        served = {(row["format"], row["mover"]) for row in stored.select(["format", "mover"]).to_pylist()}
        forecasts = forecasts.filter(
            pa.array([pair in served for pair in zip(forecasts["format"].to_pylist(), forecasts["mover"].to_pylist(), strict=True)])
        )
    return Agreement((fingerprint(recorded), fingerprint(again.model)), (forecast_hash(before), forecast_hash(forecasts)), before.num_rows)


def forecasts_of(panel: Panel, horizons: int, segment: Segment, model: Ensemble | HistoricalAverage) -> pa.Table:
    """What the model says at the panel's last week of the series that it is for."""
    serving = Serving(model, "again", panel.last.monday)
    ensembles = {} if segment[1] == "all" else {segment: serving}
    averages = {segment[0]: serving} if segment[1] == "all" else {}
    rows, _ = score_region(panel, horizons, ensembles, averages)
    return rows.filter(pa.array([version == "again" for version in rows["model_version"].to_pylist()], pa.bool_()))


def forecast_hash(forecasts: pa.Table) -> str:
    """SHA-256 over keys and numbers of forecasts, whatever their order."""
    columns = [*FORECASTS.key, *NUMBERS]
    rows = zip(*(forecasts[name].to_pylist() for name in columns), strict=True)
    return hashlib.sha256("\n".join(sorted(repr(tuple(map(str, row))) for row in rows)).encode()).hexdigest()
