"""Tuning and comparison on a small conditioned lake, through the command line: what is tried, logged, chosen, and never looked at."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.ensemble.artifacts import manifest_of
from models.members.settings import Settings, search_space
from models.training.backtest import rolling_origins, rolling_scores
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.cli.app import app
from orchestration.experiments.tracking import ExperimentRun, LakeTracker, MlflowTracker, Tracker, Tracking
from orchestration.experiments.tuning import expected_times, gains
from orchestration.project import Project
from orchestration.settings import Settings as Environment
from transforms.calendar import Region, Week
from transforms.contracts.life_cycle import EXPERIMENTS
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.panel.panel import Panel

UNTIL = Week.parse("2023-07-10")
LANDED = UNTIL + 4
MEMBERS = ("lasso", "boosting")
SMALL = Settings(boosting={"iterations": 8, "learning_rate": 0.05, "leaves": 8})


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


@pytest.fixture(scope="module")
def root(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(small_lake, tmp_path_factory.mktemp("tuning") / "root"))


def test_what_tuning_chooses_becomes_configuration_and_changes_the_training_path(root: Path) -> None:
    lake = Lake(str(root))
    before = lake.read("gold/model_versions")
    code, output = shelfcast("tune", "--week", str(UNTIL), "--trials", "3", "--origins", "1", "--root", str(root))
    assert code == 0, output
    runs = sorted(lake.read(EXPERIMENTS.name).to_pylist(), key=lambda row: row["run_id"])
    assert [row["kind"] for row in runs] == ["trial"] * 4 + ["chosen"]
    tracked = LakeTracker(lake).runs(runs[0]["experiment"])
    trials = [run for run in tracked if run.kind == "trial"]
    assert trials[0].params == SMALL.flat(MEMBERS)
    assert len({run.code_version for run in trials}) == len(trials)
    best = min(trials, key=lambda run: run.metrics["mape"])
    # Eight trees at a rate of 0.001 are as good as none: any other try is better.
    assert best.run_id != trials[0].run_id
    project = Project.load(root)
    assert project.settings == SMALL.with_values(best.params)
    assert f"Settings {project.settings.version} written" in output
    code, output = shelfcast("run", "--week", str(UNTIL), "--root", str(root), "--local")
    assert code == 0, output
    trained = [row for row in lake.read("gold/model_versions").to_pylist() if row["model_version"] not in before["model_version"].to_pylist()]
    assert {row["code_version"] for row in trained} == {best.code_version} != set(before["code_version"].to_pylist())
    about = manifest_of(root / trained[0]["artifact_uri"], trained[0]["sha256"])["about"]
    assert about["spec"]["settings"]["boosting"]["leaves"] == best.params["boosting.leaves"]


def test_tuning_sees_nothing_after_its_week(root: Path) -> None:
    lake = Lake(str(root))
    spec = TrainingSpec(weeks=56, members=("lasso",))
    full = Panel.load(lake, Region("north_texas"), LANDED)
    origins = rolling_origins(UNTIL, spec.horizons, 2)
    assert [UNTIL - origin for origin in origins] == [8, 4]
    shipped = full.shipped.copy()
    shipped[:, UNTIL - full.first + 1 :] = 9999
    poisoned = type(full)(**{**vars(full), "shipped": shipped})
    clean, other = (rolling_scores(panel.until(UNTIL), spec, origins) for panel in (full, poisoned))
    assert clean.equals(other)
    assert max(clean["week"].to_pylist()) == UNTIL.monday
    assert int(np.sum(clean["n"].to_numpy())) > 0


def test_settings_that_are_hardly_better_stay_as_they_are() -> None:
    present = run_of("0000", mape=0.3)
    assert not gains(present, present)
    assert not gains(present, run_of("0001", mape=0.299))
    assert gains(present, run_of("0001", mape=0.298))


def test_members_are_compared_on_the_same_rows(root: Path) -> None:
    arguments = ["--members", "lasso", "--members", "lasso,boosting", "--week", str(UNTIL), "--origins", "1", "--root", str(root)]
    code, output = shelfcast("compare", *arguments)
    assert code == 0, output
    assert output.index("Expected time, lasso, boosting being 1: lasso 0.1; lasso, boosting 1.0") < output.index("0000 comparison")
    runs = [row for row in Lake(str(root)).read(EXPERIMENTS.name).to_pylist() if row["kind"] == "comparison"]
    experiment = LakeTracker(Lake(str(root))).runs(runs[0]["experiment"])
    assert [run.params["members"] for run in experiment] == [["lasso"], ["lasso", "boosting"]]
    assert len({(run.metrics["n"], run.metrics["n_zero"], run.metrics["baseline_mape"]) for run in experiment}) == 1
    assert len({run.metrics["mape"] for run in experiment}) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "--week", str(UNTIL), "--origins", "9"], "has less than a year of training weeks before it: expected fewer --origins or a later"),
        (["tune", "--week", str(UNTIL), "--region", "atlantis"], "Regions ['atlantis'] have no stores in the lake: expected some of north_texas."),
    ],
)
def test_wrong_arguments_are_explained(root: Path, arguments: list[str], message: str) -> None:
    code, output = shelfcast(*arguments, "--root", str(root))
    assert code == 1
    assert message in output


def test_an_unknown_member_or_setting_is_named(tmp_path: Path) -> None:
    for line, message in (
        ("members: [lasso, forest]", "expected one or more of lasso, network, boosting, each once, came lasso, forest"),
        ("settings: {network: {hiden: 64}}", "settings.network.hiden"),
        ("settings: {network: {hidden: 1}}", "Input should be greater than or equal to 4"),
        ("clusters: {by: weather, bins: 2}", "Input should be 'population', 'income', 'median_rent' or 'median_age'"),
    ):
        (tmp_path / "shelfcast.yaml").write_text(f"provider: sample\n{line}\n")
        with pytest.raises(ConfigurationError) as raised:
            Project.load(tmp_path)
        assert message in str(raised.value)


def test_the_project_file_holds_what_differs_from_the_defaults_and_nothing_else(tmp_path: Path) -> None:
    path = Project(provider="sample", settings=Settings(network={"hidden": 64})).save(tmp_path)
    assert "settings:\n  network:\n    hidden: 64\n" in path.read_text()
    assert Project.load(tmp_path).settings == Settings(network={"hidden": 64})


def test_every_range_holds_its_default_and_passes_validation() -> None:
    defaults = Settings()
    for name, kind, search in search_space(("network", "boosting")):
        assert search.low <= defaults.flat(("network", "boosting"))[name] <= search.high, name
        for value in (search.low, search.high):
            assert defaults.with_values({name: kind(value)}).version != defaults.version


def test_settings_members_and_clusters_count_as_the_training_path() -> None:
    specs = [TrainingSpec(), TrainingSpec(settings=SMALL), TrainingSpec(members=MEMBERS), TrainingSpec(horizons=13)]
    assert len({code_version(spec) for spec in specs}) == 4
    assert code_version(TrainingSpec()) == code_version(TrainingSpec(settings=Settings()))


def run_of(run_id: str, mape: float) -> ExperimentRun:
    return ExperimentRun(
        experiment="tune until 2022-03-28",
        run_id=run_id,
        logged_at=datetime(2022, 4, 1, 8, int(run_id) % 60, tzinfo=UTC),
        kind="trial",
        params={"network.hidden": 64, "network.dropout": 0.25, "members": ["lasso", "network"]},
        metrics={"mape": mape, "n": 100.0, "large-high_income-fast.mape": 0.2},
        code_version="abc-def",
        dataset_version="ohio-1,florida-2",
        notes="ohio, florida; 2 origins",
        source_commit="0123abc-dirty",
    )


def logs_and_reads_back(tracker: Tracker) -> None:
    runs = [run_of("0000", 0.31), run_of("0001", 0.25)]
    assert tracker.runs(runs[0].experiment) == []
    for run in runs:
        tracker.log(run)
    assert tracker.runs(runs[0].experiment) == runs
    assert tracker.runs("another") == []


def test_the_lake_keeps_runs_as_they_were_logged(tmp_path: Path) -> None:
    logs_and_reads_back(LakeTracker(Lake(str(tmp_path))))


@pytest.mark.slow
def test_an_mlflow_server_keeps_runs_as_they_were_logged(mlflow_server: str, tmp_path: Path) -> None:
    logs_and_reads_back(MlflowTracker(mlflow_server))
    both = Tracking.of(Lake(str(tmp_path)), Environment(tracking_uri=mlflow_server))
    run = run_of("0002", 0.2)
    both.log(run)
    assert both.runs(run.experiment) == [run]
    assert MlflowTracker(mlflow_server).runs(run.experiment)[-1] == run


def test_how_long_each_alternative_takes_is_said_in_times_of_the_projects_own_members() -> None:
    said = expected_times([("lasso",), ("lasso", "network", "boosting")], ("lasso", "network"))
    assert said == "Expected time, lasso, network being 1: lasso 0.2; lasso, network, boosting 2.3"
