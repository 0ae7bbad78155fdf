"""Search for better settings, and comparison of algorithms, on rolling origins that end by a given week. Every try goes to the experiment tracker.

What is chosen goes into the project file, so that the next training uses it and every artifact and registry entry tells it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from models.members.settings import Settings as MemberSettings
from models.members.settings import search_space
from models.training.backtest import rolling_origins, rolling_scores
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.experiments.tracking import ExperimentRun, Tracking
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.monitoring.accuracy import overall
from transforms.panel.panel import Panel
from transforms.records.dataset_versions import History, usable

if TYPE_CHECKING:
    import optuna

SMALLEST_GAIN = 0.005
"""Share by which the best try's MAPE has to lie below the present settings': less is the luck of a seed."""


MEMBER_SECONDS = {"lasso": 0.7, "network": 2.8, "boosting": 4.4}
"""Seconds of processor that one origin of a region with 96 series took on the sample world, with ensembles of one member each and one thread."""
_OTHER_SECONDS = 2.8


@dataclass(frozen=True)
class RollingTask:
    """Train and score one region at rolling origins, on the approved data that `week` may use; nothing after `week` is read."""

    root: str
    storage_options: Mapping[str, str]
    week: Week
    origins: int
    spec: Mapping[str, Any]
    history: History

    def __call__(self, region: Region) -> tuple[str, str, pa.Table]:
        """Return the data version, the code version and rows of gold/accuracy."""
        lake, spec = Lake(self.root, dict(self.storage_options)), TrainingSpec(**self.spec)
        dataset = usable(lake, region, self.week, self.history)
        panel = Panel.load(lake.at(dataset.delta_versions), region, self.week)
        first = rolling_origins(self.week, spec.horizons, self.origins)[0]
        if first - panel.first < 52 + spec.horizons:
            raise ConfigurationError(
                f"{region}: its history begins at {panel.first}, so that the first of {self.origins} rolling origins, {first}, has less than a year "
                f"of training weeks before it: expected fewer --origins or a later --week."
            )
        return dataset.version, code_version(spec), rolling_scores(panel, spec, rolling_origins(self.week, spec.horizons, self.origins))


@dataclass(frozen=True)
class Bench:
    """Regions and origins that tries are measured on, and the tracker that they are written to."""

    lake: Lake
    project: Project
    tracking: Tracking
    regions: Sequence[Region]
    week: Week
    origins: int
    say: Callable[[str], None]
    busy: Callable[[str], None]

    def measure(self, project: Project, experiment: str, number: int, kind: str, params: Mapping[str, Any], notes: str = "") -> ExperimentRun:
        """Train and score with what a project says, and log it."""
        started = datetime.now(UTC)
        task = RollingTask(self.lake.root, self.lake.storage_options, self.week, self.origins, project.training, project.history)
        results: dict[Region, tuple[str, str, pa.Table]] = {}
        self.busy(f"{number:04d} {kind}: training {self.origins} origins of {len(self.regions)} regions")
        for region, result in map_regions(task, self.regions, settings().workers):
            results[region] = result
            self.busy(f"{number:04d} {kind}: {len(results)} of {len(self.regions)} regions done")
        by_region = [results[region] for region in self.regions]
        summed = overall(pa.concat_tables([scored for _, _, scored in by_region]))
        now = datetime.now(UTC)
        metrics = {name: round(value, 6) for name, value in summed.items() if value is not None} | {
            "seconds": round((now - started).total_seconds(), 1)
        }
        where = f"{', '.join(map(str, self.regions))}; {self.origins} origins, the last target week {self.week}"
        run = ExperimentRun(
            experiment=experiment,
            run_id=f"{number:04d}",
            logged_at=now,
            kind=kind,
            params=dict(params),
            metrics=metrics,
            code_version=by_region[0][1],
            dataset_version=",".join(version for version, _, _ in by_region),
            notes=f"{where}; {notes}" if notes else where,
        )
        self.tracking.log(run)
        self.say(f"{run.run_id} {kind}: MAPE {metrics['mape']:.4f}, RMSE all {metrics['rmse_all']:.3f} in {metrics['seconds']:.0f} s, {dict(params)}")
        return run


@dataclass(frozen=True)
class Outcome:
    """Result of a search: the present settings' run, the best one, and what is to be used from now on."""

    experiment: str
    present: ExperimentRun
    best: ExperimentRun
    settings: MemberSettings
    better: bool
    runs: list[ExperimentRun] = field(default_factory=list)


def tune(bench: Bench, trials: int) -> Outcome:
    """Try `trials` sets of values besides the present ones, by a seeded Tree-structured Parzen Estimator (Bergstra et al. 2011), and decide."""
    import optuna  # noqa: PLC0415 - only tuning pays

    project = bench.project
    space = list(search_space(project.members))
    if not space:
        raise ConfigurationError(
            f"The members {', '.join(project.members)} have no settings to tune: see models/members/settings.py for those that have."
        )
    experiment, runs = _name("tune", bench.week), []

    def objective(trial: "optuna.Trial") -> float:
        values = {name: _suggest(trial, name, kind, search) for name, kind, search in space}
        changed = project.model_copy(update={"settings": project.settings.with_values(values)})
        run = bench.measure(changed, experiment, trial.number, "trial", values)
        runs.append(run)
        return float(run.metrics["mape"])

    with _quiet():
        study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=project.seed))
        study.enqueue_trial(project.settings.flat(project.members))
        study.optimize(objective, n_trials=trials + 1)
    present, best = runs[0], min(runs, key=lambda run: run.metrics["mape"])
    better = gains(present, best)
    chosen = project.settings.with_values(best.params) if better else project.settings
    verdict = f"settings {chosen.version}, {'of run ' + best.run_id if better else 'as before'}: MAPE {present.metrics['mape']:.4f} before"
    bench.tracking.log(
        replace(best if better else present, run_id="chosen", kind="chosen", logged_at=datetime.now(UTC), params=chosen.changed(), notes=verdict)
    )
    return Outcome(experiment, present, best, chosen, better, runs)


def gains(present: ExperimentRun, best: ExperimentRun) -> bool:
    """Whether the best run lies below the present settings' by more than luck."""
    return best.metrics["mape"] < (1 - SMALLEST_GAIN) * present.metrics["mape"]


def compare(bench: Bench, alternatives: Sequence[tuple[str, ...]]) -> list[ExperimentRun]:
    """Measure ensembles of different members on the same origins."""
    experiment = _name("compare", bench.week)
    projects = [bench.project.with_members(members) for members in alternatives]
    bench.say(expected_times([project.members for project in projects], bench.project.members))
    return [
        bench.measure(project, experiment, number, "comparison", {"members": list(project.members), "settings": project.settings.version})
        for number, project in enumerate(projects)
    ]


def expected_times(alternatives: Sequence[tuple[str, ...]], usual: tuple[str, ...]) -> str:
    """Say how long each alternative will take, in times of the project's own members."""
    times = [(", ".join(members), _time(members) / _time(usual)) for members in alternatives]
    return f"Expected time, {', '.join(usual)} being 1: " + "; ".join(f"{names} {time:.1f}" for names, time in times)


def _time(members: Sequence[str]) -> float:
    return sum(MEMBER_SECONDS.get(member, _OTHER_SECONDS) for member in members)


def _name(what: str, week: Week) -> str:
    return f"{what} until {week}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def _suggest(trial: "optuna.Trial", name: str, kind: type, search: Any) -> float | int:
    if kind is int:
        return trial.suggest_int(name, int(search.low), int(search.high), log=search.log)
    return trial.suggest_float(name, search.low, search.high, log=search.log)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's own lines between ours."""
    import optuna  # noqa: PLC0415

    before = optuna.logging.get_verbosity()
    # What fails is told by the command, not by optuna's own traceback.
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
