"""Where experiments are written down: a table of the lake, always; and an MLflow server beside it, for teams that have one.

The lake is the record, under one backup with the data; the server is a mirror for its pages. The registry of models is elsewhere.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from orchestration.experiments.mlflow_mirror import refusal
from orchestration.settings import Settings
from transforms.contracts.life_cycle import EXPERIMENTS
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake
from transforms.redaction import redacted

_TAGS = ("kind", "code_version", "dataset_version", "notes", "source_commit")
_PREFIX = "shelfcast."


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """One row of `gold/experiments`; see the contract for the meaning of the fields."""

    experiment: str
    run_id: str
    logged_at: datetime
    kind: str
    params: dict[str, Any]
    metrics: dict[str, float | int]
    code_version: str
    dataset_version: str
    notes: str = ""
    source_commit: str | None = None


class Tracker(Protocol):
    """Keeps runs of experiments for good."""

    def log(self, run: ExperimentRun) -> None:
        """Write a run down."""
        ...

    def runs(self, experiment: str) -> list[ExperimentRun]:
        """The runs of an experiment, oldest first."""
        ...


@dataclass(frozen=True)
class LakeTracker:
    """The append-only table gold/experiments."""

    lake: Lake

    def log(self, run: ExperimentRun) -> None:
        """Append a row."""
        row = asdict(run) | {name: json.dumps(getattr(run, name), sort_keys=True) for name in ("params", "metrics")}
        self.lake.append(EXPERIMENTS.name, pa.Table.from_pylist([row], schema=EXPERIMENTS.schema))

    def runs(self, experiment: str) -> list[ExperimentRun]:
        """Read the rows back."""
        if not self.lake.exists(EXPERIMENTS.name):
            return []
        with self.lake.connect(EXPERIMENTS.name) as connection:
            rows = connection.execute(
                "select * from gold_experiments where experiment = $1 order by logged_at, run_id", [experiment]
            ).to_arrow_table()
        return [ExperimentRun(**{**row, "params": json.loads(row["params"]), "metrics": json.loads(row["metrics"])}) for row in rows.to_pylist()]


class MlflowTracker:
    """Runs on an MLflow tracking server: parameters and metrics as such, the rest as tags."""

    def __init__(self, uri: str) -> None:
        try:
            from mlflow import MlflowClient  # noqa: PLC0415 - optional, and seconds of imports
        except ImportError as error:
            raise ConfigurationError(
                f"SHELFCAST_TRACKING_URI is {redacted(uri, uri)}, but the MLflow client is not installed: "
                "pip install 'shelfcast[mlflow]', or unset it."
            ) from error
        self.client, self._uri = MlflowClient(tracking_uri=uri), uri

    def log(self, run: ExperimentRun) -> None:
        """Create a finished run; raises `MissingData` where the server does not answer."""
        with self._asked():
            self._log(run)

    def runs(self, experiment: str) -> list[ExperimentRun]:
        """Read the runs back; raises `MissingData` where the server does not answer."""
        with self._asked():
            return self._runs(experiment)

    @contextmanager
    def _asked(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            yield
        except MlflowException as error:
            # Not from the error: its words hold the address as it was given.
            raise MissingData(f"{refusal(self._uri, 'the experiment', error)}. Start it, or unset SHELFCAST_TRACKING_URI.") from None

    def _log(self, run: ExperimentRun) -> None:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

        moment = int(run.logged_at.timestamp() * 1000)
        created = self.client.create_run(self._experiment(run.experiment), start_time=moment, run_name=run.run_id)
        given = {name: getattr(run, name) for name in _TAGS if getattr(run, name) is not None}
        tags = {"run_id": run.run_id, "logged_at": run.logged_at.isoformat(), **given}
        self.client.log_batch(
            created.info.run_id,
            metrics=[Metric(name, float(value), moment, 0) for name, value in run.metrics.items()],
            params=[Param(name, json.dumps(value, sort_keys=True)) for name, value in run.params.items()],
            tags=[RunTag(f"{_PREFIX}{name}", value) for name, value in tags.items()],
        )
        self.client.set_terminated(created.info.run_id, end_time=moment)

    def _runs(self, experiment: str) -> list[ExperimentRun]:
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            return []
        runs, token = [], None
        while True:
            page = self.client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"], page_token=token)
            runs += [self._run(experiment, stored) for stored in page]
            token = page.token
            if not token:
                return runs

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else self.client.create_experiment(name))

    @staticmethod
    def _run(experiment: str, stored: Any) -> ExperimentRun:
        tags = {name.removeprefix(_PREFIX): value for name, value in stored.data.tags.items() if name.startswith(_PREFIX)}
        return ExperimentRun(
            experiment=experiment,
            run_id=tags["run_id"],
            logged_at=datetime.fromisoformat(tags["logged_at"]),
            params={name: json.loads(value) for name, value in stored.data.params.items()},
            metrics=dict(stored.data.metrics),
            **{name: tags[name] for name in _TAGS if name in tags},
        )


@dataclass(frozen=True)
class Tracking:
    """The lake's tracker, and the mirror where the settings name one."""

    trackers: Sequence[Tracker]

    @classmethod
    def of(cls, lake: Lake, settings: Settings) -> "Tracking":
        """The trackers that the environment asks for, the record first."""
        mirror = [MlflowTracker(settings.tracking_uri)] if settings.tracking_uri else []
        return cls([LakeTracker(lake), *mirror])

    def log(self, run: ExperimentRun) -> None:
        """Write a run down everywhere."""
        for tracker in self.trackers:
            tracker.log(run)

    def runs(self, experiment: str) -> list[ExperimentRun]:
        """The runs on record."""
        return self.trackers[0].runs(experiment)
