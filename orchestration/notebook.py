"""Objects that a notebook works with: training rows as of a week, scores by the product's own metrics, and the experiment tracker.

Tracking alone needs a folder and nothing else: see `ExperimentLog`. A `Session` reads the lake and never writes to it, but for the tracker.
"""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from models.evaluation.metrics import Score, score_points
from models.members.base import Member
from models.serving.failover import check_features
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from models.training.train import first_held_back_origin
from models.training.trial import Attempt, TrialRows, attempts
from models.training.trial_plot import trial_plot
from orchestration.experiments.frames import as_pandas, meanings
from orchestration.experiments.tracking import ExperimentRun, Tracking
from orchestration.lifecycle.serving import load_version, panel_at
from orchestration.project import Project
from orchestration.provenance import commit_of, source_commit
from orchestration.runtime.cycle import known_regions
from orchestration.settings import use_root
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import Dataset, usable
from transforms.records.model_registry import champions
from transforms.rows import Segment

CHAMPION, AVERAGE = "champion", "historical average"


class TooLittleHistory(MissingData):
    """No segment of a session has rows enough for an ensemble."""


@dataclass(frozen=True)
class ExperimentLog:
    """Writes runs of experiments down: in `gold/experiments` of a lake, and on the MLflow server of SHELFCAST_TRACKING_URI where that is set."""

    tracking: Tracking

    @classmethod
    def open(cls, root: str | None = None) -> Self:
        """Open the log of a folder (default: SHELFCAST_ROOT, else .shelfcast in the checkout); it need not be a lake yet."""
        settings = use_root(root)
        return cls(Tracking.of(Lake(settings.root, settings.storage_options), settings))

    def log(
        self,
        experiment: str,
        params: Mapping[str, Any],
        metrics: Mapping[str, float | int | None],
        notes: str = "",
        kind: str = "notebook",
        code_version: str = "none",
        dataset_version: str = "none",
    ) -> ExperimentRun:
        """Write a run down for good, with the time and the Git commit of the folder that the notebook runs in; metrics that are None are left out."""
        run = ExperimentRun(
            experiment=experiment,
            run_id=uuid.uuid4().hex[:12],
            logged_at=datetime.now(UTC),
            kind=kind,
            params=dict(params),
            metrics={name: value for name, value in metrics.items() if value is not None},
            code_version=code_version,
            dataset_version=dataset_version,
            notes=notes,
            source_commit=source_commit() if kind == "asset" else commit_of(Path.cwd()),
        )
        self.tracking.log(run)
        return run

    def runs(self, experiment: str) -> pd.DataFrame:
        """The runs of an experiment, oldest first: a column for each parameter (`params.`) and metric, by run_id."""
        rows = [
            {**{f"params.{name}": value for name, value in run.params.items()}, **run.metrics, **_about(run)}
            for run in self.tracking.runs(experiment)
        ]
        return pd.DataFrame(rows).set_index("run_id") if rows else pd.DataFrame()


@dataclass(frozen=True)
class Picture:
    """A PNG that notebooks show by themselves."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass(frozen=True)
class Trial:
    """Members that were tried: what their ensembles said of the held-back rows, and the metrics on record of each, by segment.

    Attributes
    ----------
    predictions
        p_demand, size, expected, q10, q50, q90 of the held-back rows, by their index; rows of segments with too little history are missing.
    metrics
        As `gold/model_versions` would hold them, by segment (`large-fast`).
    """

    members: tuple[str, ...]
    predictions: pd.DataFrame
    metrics: dict[str, dict[str, float | int | None]]


Predictions = Trial | pd.DataFrame | pd.Series
"""Of held-back rows, by their index: a trial, or columns `size` (units if there is demand) and `expected` (mean demand), or one series for both."""


@dataclass(frozen=True, repr=False)
class Session:
    """A region as it was known at the end of a week, as training sees it.

    Attributes
    ----------
    segments
        Format and mover of those that the session is about.
    dataset
        The version of the data; read at its Delta versions, so that the same session gives the same rows later.
    """

    lake: Lake
    project: Project
    region: Region
    week: Week
    segments: tuple[Segment, ...]
    dataset: Dataset
    rows: TrialRows
    experiments: ExperimentLog

    @classmethod
    def open(cls, region: str, week: str, segment: str | None = None, root: str | None = None) -> Self:
        """Open a lake at a region and week.

        Parameters
        ----------
        week
            Monday (YYYY-MM-DD) of the last week whose data may be seen.
        segment
            Like `large-fast`; None for all of the region.
        root
            Lake root; None for SHELFCAST_ROOT, else .shelfcast in the checkout.
        """
        settings = use_root(root)
        lake, origin = Lake(settings.root, settings.storage_options), Week.parse(week)
        project = Project.of(lake)
        (known,) = known_regions(lake, [region])
        dataset = usable(lake, known, origin, project.history)
        panel = panel_at(lake.at(dataset.delta_versions), known, origin)
        rows = TrialRows.of(panel, TrainingSpec(**project.training))
        named = {"-".join(one): one for one in rows.segments()}
        if segment is not None and segment not in named:
            raise ConfigurationError(f"{region} has no segment {segment!r}: expected one of {', '.join(named)}, or None for all.")
        chosen = tuple(named.values()) if segment is None else (named[segment],)
        return cls(lake, project, known, origin, chosen, dataset, rows, ExperimentLog(Tracking.of(lake, settings)))

    def __repr__(self) -> str:
        about = f"{self.region} as of {self.week}, data {self.dataset.version}, segments {', '.join(map('-'.join, self.segments))}"
        return f"{about}: {len(self.train):,} rows to learn from, {len(self.held_back):,} held back"

    @cached_property
    def train(self) -> pd.DataFrame:
        """The rows to learn from: a past origin's features and the demand that followed; `columns` says what is what."""
        return self._frame[~self.rows.held_back[self._frame.index]]

    @cached_property
    def held_back(self) -> pd.DataFrame:
        """The last weeks up to the session's, to score on; production learns weights and takes metrics from them."""
        return self._frame[self.rows.held_back[self._frame.index]]

    @property
    def columns(self) -> pd.DataFrame:
        """Unit and meaning of each column of the frames."""
        return pd.DataFrame(meanings(map(str, self._frame.columns))).set_index("column")

    def try_members(self, *members: type[Member]) -> Trial:
        """Train an ensemble of these algorithms for each segment, exactly as production would, without storing or registering it."""
        trained = list(attempts(self.rows, members, self.segments))
        if not trained:
            raise TooLittleHistory(
                f"{self.region} at {self.week}: no segment has the {self.rows.spec.fewest_rows} rows with demand that an ensemble needs. "
                "Take a later week, or a region with more history."
            )
        return Trial(
            tuple(member.name for member in members),
            pd.concat([_predictions(one) for one in trained]).sort_index(),
            {"-".join(one.segment): one.trained.metrics for one in trained},
        )

    def score(self, predictions: Predictions, name: str = "trial", by: str | None = None) -> pd.DataFrame:
        """Score predictions by the product's metrics, beside the present champion and the historical average, on the same rows.

        Parameters
        ----------
        by
            Also split by a column of the frames, like `format` or `target_week`.
        """
        models = {name: self._checked(predictions), CHAMPION: self._champion, AVERAGE: self._average}
        rows = self.held_back.loc[models[name].index]
        groups: Any = [("", rows)] if by is None else rows.groupby(by, observed=True)
        scored = {(key, model): _score(part, predicted) for key, part in groups for model, predicted in models.items()}
        table = pd.DataFrame.from_dict(scored, orient="index").dropna(how="all")[[field.name for field in fields(Score)]]
        table.index = pd.MultiIndex.from_tuples(table.index, names=[by, "model"])
        return table.droplevel(0) if by is None else table

    def metrics(self, predictions: Predictions) -> dict[str, float | int]:
        """The scores as a tracker holds them: of the predictions by name, of each segment, and the champion's and the average's beside them."""
        total, split = self.score(predictions), self.score(self._checked(predictions), by="segment")
        prefixes = {"trial": "", CHAMPION: "champion_", AVERAGE: "baseline_"}
        found = {f"{prefixes[str(model)]}{name}": value for model, row in total.iterrows() for name, value in row.items()}
        for name in ("mape", "rmse_all"):
            found |= {f"{key[0]}.{name}": value for key, value in split[name].items() if isinstance(key, tuple) and key[1] == "trial"}
        return {str(name): int(value) if str(name).endswith(("n", "n_zero")) else float(value) for name, value in found.items() if pd.notna(value)}

    def units_by_week(self, predictions: Predictions, name: str = "trial") -> pd.DataFrame:
        """Units of demand and what was expected of them by held-back week; a week that is forecast from several origins counts as their mean."""
        predicted = self._checked(predictions)
        rows = self.held_back.loc[predicted.index]
        by_model = {"actual": rows["demand"], name: predicted["expected"], AVERAGE: self._average["expected"], CHAMPION: self._champion["expected"]}
        weighted = pd.DataFrame({key: (values * rows["weight"]).loc[rows.index] for key, values in by_model.items()})
        sums = weighted.groupby(rows["target_week"]).sum(min_count=1)
        return sums.div(rows.groupby("target_week")["origin_week"].nunique(), axis=0)

    def plot(self, predictions: Predictions, name: str = "trial") -> Picture:
        """Show demand of the held-back weeks beside what was expected, and the error of each segment."""
        predicted = self._checked(predictions)
        sums = self.units_by_week(predicted, name)
        split = self.score(predicted, name, by="segment").reset_index()
        mape = split.pivot_table("mape", "segment", "model").reindex(columns=[name, AVERAGE, CHAMPION]).dropna(axis=1, how="all")
        units = {str(key): list(values) for key, values in sums.dropna(axis=1, how="all").items()}
        weeks = [f"{week:%Y-%m-%d}" for week in sums.index]
        return Picture(trial_plot(weeks, units, list(map(str, mape.index)), {str(key): list(values) for key, values in mape.items()}))

    def log(self, experiment: str, params: Mapping[str, Any], predictions: Predictions, notes: str = "", kind: str = "notebook") -> ExperimentRun:
        """Score predictions and write the run down, with region, week, horizons, versions of data and code, and the commit."""
        where = {"region": str(self.region), "week": str(self.week), "segments": ["-".join(one) for one in self.segments]}
        logged = {**where, "horizons": self.project.horizons, "held_back": self.rows.spec.held_back, **params}
        if isinstance(predictions, Trial):
            logged |= {"members": list(predictions.members)}
            version = code_version(replace(self.rows.spec, members=predictions.members))
        else:
            version = "none"
        return self.experiments.log(experiment, logged, self.metrics(predictions), notes, kind, version, self.dataset.version)

    def runs(self, experiment: str) -> pd.DataFrame:
        """The runs of an experiment, oldest first."""
        return self.experiments.runs(experiment)

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return as_pandas(self.rows, self.segments)

    @cached_property
    def _average(self) -> pd.DataFrame:
        return self.held_back[["baseline_size", "baseline"]].set_axis(["size", "expected"], axis=1)

    @cached_property
    def _champion(self) -> pd.DataFrame:
        """Predictions of the held-back rows by the champions, each as it was before it had learned from them; empty where there are none."""
        parts = [pd.DataFrame({"size": [], "expected": []}, dtype=np.float32)]
        early = self.week + -first_held_back_origin(self.rows.spec)
        for row in champions(self.lake, [self.region], self.week):
            if (row["format"], row["mover"]) in self.segments:
                at = np.flatnonzero(self.rows.inside((row["format"], row["mover"])) & self.rows.held_back)
                model, frame = load_version(self.lake, row, held_back=Week(row["trained_week"]) > early), self.rows.frame.take(at)
                check_features(model, frame)
                points = model.points(model.predict(frame), frame)
                parts.append(pd.DataFrame({"size": points.size, "expected": points.expected}, index=at))
        return pd.concat(parts)

    def _checked(self, predictions: Predictions) -> pd.DataFrame:
        checked = predictions.predictions if isinstance(predictions, Trial) else predictions
        checked = pd.DataFrame({"size": checked, "expected": checked}) if isinstance(checked, pd.Series) else checked
        if missing := {"size", "expected"} - set(checked.columns):
            raise ConfigurationError(
                f"Predictions need the columns size and expected; {', '.join(sorted(missing))} missing of {list(checked.columns)}."
            )
        outside = checked.index.difference(self.held_back.index)
        if len(outside) or not len(checked) or checked.index.has_duplicates:
            raise ConfigurationError(
                f"Predictions are matched by index with session.held_back: expected its {len(self.held_back)} rows, each once; came {len(checked)}, "
                f"{len(outside)} of them of other rows. Make them as pd.DataFrame({{...}}, index=session.held_back.index)."
            )
        if not np.isfinite(checked[["size", "expected"]].to_numpy(float)).all():
            raise ConfigurationError(
                "Predictions must be finite numbers in every row: fill what is NaN or infinite, the historical average is `baseline`."
            )
        return checked


def _about(run: ExperimentRun) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if name not in {"experiment", "params", "metrics"}}


def _predictions(attempt: Attempt) -> pd.DataFrame:
    return pd.DataFrame(vars(attempt.points), index=attempt.rows)


def _score(rows: pd.DataFrame, predicted: pd.DataFrame) -> dict[str, float | int | None]:
    known = rows.loc[rows.index.isin(predicted.index)]
    if known.empty:
        return {}
    size, expected = (predicted.loc[known.index, name].to_numpy(np.float32) for name in ("size", "expected"))
    return asdict(score_points(known["demand"].to_numpy(), size, expected, known["weight"].to_numpy()))
