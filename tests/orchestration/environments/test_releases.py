"""Incidents around releases: two lakes of one company, what goes from dev to prod, and what a kill, a second release or a bad record does to it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from models.evaluation.gate import Gate
from models.serving.score import score_region
from orchestration.cli.app import app
from orchestration.lifecycle.serving import champions_serving, panel_at
from orchestration.lifecycle.train_region import TrainTask
from orchestration.project import Project
from orchestration.service.decisions import approve
from orchestration.settings import any_profile, settings_in
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake
from transforms.records.audit import verify_artifacts, verify_tables
from transforms.records.dataset_versions import usable
from transforms.records.model_registry import states
from transforms.records.releases import JOURNAL, releases

REGION, WEEK = Region("north_texas"), Week.parse("2023-08-07")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROFILES = {
    "dev": {"root": "lakes/dev", "colour": "blue", "landing": "prod", "project": {"promotion": "automatic"}},
    "prod": {"root": "lakes/prod", "colour": "red", "project": {"promotion": "manual"}},
}
RELEASE = ("promote-release", "--from", "dev", "--to", "prod", "--by", "ann", "--why", "tried for four weeks")

# A kill in the middle of the command itself: at the n-th call of what it writes by, before or after it.
KILLED = """
import os, signal, sys
from transforms.lake.tables import Lake
from transforms.records import releases
from orchestration.environments import candidates

def killing(owner, name, call, after):
    inner, calls = getattr(owner, name), []
    def wrapped(*arguments, **named):
        calls.append(1)
        if len(calls) == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = inner(*arguments, **named)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(owner, name, wrapped)

owner, name, call, after = sys.argv[1].split()
killing({"lake": Lake, "releases": releases, "candidates": candidates}[owner], name, int(call), after == "after")
from models.evaluation.gate import Gate
from models.serving.score import score_region
from orchestration.cli.app import app
from orchestration.lifecycle.serving import champions_serving, panel_at
from orchestration.lifecycle.train_region import TrainTask
app(sys.argv[2:], prog_name="shelfcast")
"""


@pytest.fixture(scope="module")
def kept(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prod as it stands since four weeks ago, and dev, which has trained at the newest week on prod's landing. For copying, not for writing to."""
    workspace = tmp_path_factory.mktemp("environments")
    (workspace / "shelfcast.profiles.yaml").write_text(yaml.safe_dump({"profiles": PROFILES}))
    for name in PROFILES:
        root = shutil.copytree(small_lake, workspace / "lakes" / name)
        Project.load(root).model_copy(update={"profile": name}).save(root)
    shutil.rmtree(workspace / "lakes/dev/landing")
    landing = workspace / "lakes/prod/landing"
    for path in [landing, *landing.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = told_of(landing)
    ran = shelfcast(workspace, "run", "--profile", "dev", "--local")
    assert ran.returncode == 0, ran.stderr
    assert told_of(landing) == before
    assert not (workspace / "lakes/dev/landing").exists()
    return workspace


@pytest.fixture
def workspace(kept: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of both."""
    yield shutil.copytree(kept, tmp_path / "work")
    for path in tmp_path.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


def told_of(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Each file and folder with what it holds, its mode and when it was written."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mode,
            path.stat().st_mtime_ns,
        )
        for path in [folder, *folder.rglob("*")]
    }


def environment() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("SHELFCAST_")}
    return {**known, "SHELFCAST_COMMIT": COMMIT, "SHELFCAST_QUIET_SECONDS": "0", "SHELFCAST_WORKERS": "1", "COLUMNS": "200"}


def shelfcast(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestration", *words]
    return subprocess.run(command, cwd=workspace, env=environment(), capture_output=True, text=True, check=False)


def prod_of(workspace: Path) -> Lake:
    return Lake(str(workspace / "lakes/prod"))


def state_of(workspace: Path) -> dict[str, Any]:
    """What a release changes: its record, models with their states, and the project file."""
    lake = prod_of(workspace)
    found = {row["model_version"]: row["state"] for row in states(lake)}
    return {"releases": len(releases(lake)), "models": found, "project": lake.path("shelfcast.yaml").read_text()}


def intact(lake: Lake) -> bool:
    return not verify_artifacts(lake)[1] and not [finding for audit in verify_tables(lake) for finding in audit.findings]


def opened(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Prod as the next command opens it."""
    monkeypatch.setenv("SHELFCAST_PROFILES", str(workspace / "shelfcast.profiles.yaml"))
    with any_profile():
        return Project.of(prod_of(workspace))


def dev_settings(workspace: Path, **changed: Any) -> None:
    root = workspace / "lakes/dev"
    Project.load(root).model_copy(update=changed).save(root)


def test_settings_and_code_go_to_prod_and_what_is_prods_own_stays(workspace: Path) -> None:
    dev_settings(workspace, explain_share=0.2, promotion="automatic")
    before = state_of(workspace)
    dry = shelfcast(workspace, *RELEASE, "--dry-run")
    assert (dry.returncode, "setting explain_share" in dry.stdout, state_of(workspace)) == (0, True, before)
    done = shelfcast(workspace, *RELEASE)
    assert done.returncode == 0, done.stderr
    [release] = releases(prod_of(workspace))
    project = Project.load(workspace / "lakes/prod")
    assert (project.explain_share, project.profile, project.maintenance) == (0.2, "prod", Project.load(workspace / "lakes/dev").maintenance)
    assert json.loads(release.settings) == {"explain_share": [0.1, 0.2]}
    assert (release.source, release.target, release.source_commit, json.loads(release.models)) == ("dev", "prod", COMMIT, [])
    assert release.actor.startswith("ann (login ")
    assert {check["name"] for check in json.loads(release.checks)} >= {"validated", "record of the source", "record of the target", "schema"}
    assert state_of(workspace)["models"] == before["models"]
    again = shelfcast(workspace, *RELEASE)
    assert (again.returncode, "prod has all of this already: nothing to release." in again.stdout) == (0, True)
    assert intact(prod_of(workspace))


def test_models_wait_for_a_person_in_prod_and_forecast_as_in_dev_once_approved(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = shelfcast(workspace, *RELEASE, "--models")
    assert done.returncode == 0, done.stderr
    lake, dev = prod_of(workspace), Lake(str(workspace / "lakes/dev"))
    [release] = releases(lake)
    came = {row["model_version"]: row for row in states(lake) if row["model_version"] in json.loads(release.models)}
    ensembles = [name for name, row in came.items() if row["kind"] == "ensemble"]
    assert ensembles
    assert {came[name]["state"] for name in ensembles} == {"awaiting validation"}
    assert all(release.release_id in row["actor"] and "shelfcast models approve" in row["reason"] for row in (came[name] for name in ensembles))
    assert intact(lake)
    waiting = shelfcast(workspace, *RELEASE, "--models")
    assert "the target has it on record already" in waiting.stdout
    monkeypatch.setenv("SHELFCAST_PROFILES", str(workspace / "shelfcast.profiles.yaml"))
    with any_profile():
        for name in ensembles:
            approve(settings_in("prod"), name, "bob", "looks good", print)
        decisions, trained = TrainTask(lake.root, {}, WEEK, Project.of(lake), "run")(REGION)
        # What is on record with a released model is what the target's own data give: nothing speaks for training it again.
        assert (trained, {decision.cause for decision in decisions}) == ([], {"none"})
        ours, theirs = (forecast(side) for side in (lake, dev))
    assert ours.num_rows > 0
    assert ours.equals(theirs)


def forecast(lake: Lake) -> pa.Table:
    """Forecasts by the champions of a lake."""
    project = Project.of(lake)
    pinned = lake.at(usable(lake, REGION, WEEK, project.history).delta_versions)
    ensembles, baselines = champions_serving(lake, REGION, WEEK, Gate(**project.gate.judged))
    panel = panel_at(pinned, REGION, WEEK, project.sold_out)
    return score_region(panel, project.horizons, ensembles, baselines, project.clusters)[0].select(["store_id", "product_id", "model_version", "q90"])


MOMENTS = [
    ("candidates carry_one 1 before", 0),
    ("releases finish 1 before", 1),
    ("releases _write 1 after", 1),
    ("lake append 2 before", 1),
    ("lake append 3 after", 1),
]


@pytest.mark.parametrize(("moment", "complete"), MOMENTS)
def test_a_release_that_is_killed_leaves_prod_as_it_was_or_is_complete(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, moment: str, complete: int
) -> None:
    dev_settings(workspace, explain_share=0.2)
    before = state_of(workspace)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, moment, *RELEASE, "--models"], cwd=workspace, env=environment(), capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    assert (workspace / "lakes/prod" / JOURNAL).exists() is bool(complete)
    project = opened(workspace, monkeypatch)
    after = state_of(workspace)
    if complete:
        assert (project.explain_share, after["releases"]) == (0.2, 1)
        [release] = releases(prod_of(workspace))
        assert len(json.loads(release.models)) == len(after["models"]) - len(before["models"]) > 0
        assert None not in {after["models"][name] for name in json.loads(release.models)}
    else:
        assert after == before
    assert not (workspace / "lakes/prod" / JOURNAL).exists()
    assert intact(prod_of(workspace))


def test_of_two_releases_at_once_one_is_made_and_the_other_finds_it(workspace: Path) -> None:
    command = [sys.executable, "-m", "orchestration", *RELEASE, "--models"]
    both = [subprocess.Popen(command, cwd=workspace, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sorted("nothing to release" in text for text in told) == [False, True]
    assert len(releases(prod_of(workspace))) == 1
    assert intact(prod_of(workspace))


def damage_dev(workspace: Path) -> str:
    artifact = next((workspace / "lakes/dev/models/north_texas").glob("*.safetensors"))
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"x")
    return "recorded SHA-256"


def leave_prod_behind(workspace: Path) -> str:
    for name in ("gold/demand",):
        lake = prod_of(workspace)
        shutil.rmtree(lake.path("lake", name))
    return "holds no data yet"


@pytest.mark.parametrize("spoil", [damage_dev, leave_prod_behind])
def test_what_speaks_against_a_release_stops_it_whole(workspace: Path, spoil: Callable[[Path], str]) -> None:
    dev_settings(workspace, explain_share=0.2)
    told = spoil(workspace)
    done = shelfcast(workspace, *RELEASE, "--models")
    output = " ".join(done.stdout.replace("│", " ").split())
    assert (done.returncode, told in output, "nothing was released" in output) == (1, True, True), done.stdout + done.stderr
    assert Project.load(workspace / "lakes/prod").explain_share == 0.1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "dev", "--to", "dev"), "are one lake"),
        (("--from", "dve", "--to", "prod"), "no profile 'dve': did you mean dev?"),
        (("--from", "../../etc", "--to", "prod"), "no profile '../../etc'"),
        (("--from", "dev", "--to", "[bold]x"), "no profile '[bold]x'"),
        (("--from", "dev", "--to", "prod", "--region", "ohio'; drop"), "have no stores in"),
    ],
)
def test_a_name_that_is_none_is_told(kept: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str) -> None:
    for name in ("SHELFCAST_ROOT", "SHELFCAST_PROFILE", "SHELFCAST_PROFILES"):
        # Set and taken away, so that what the command sets is taken back after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(kept)
    done = CliRunner().invoke(app, ["promote-release", *words, "--by", "ann", "--why", "x", "--dry-run"], env={"COLUMNS": "400"})
    assert (done.exit_code, told in " ".join(done.output.split())) == (1, True), done.output
