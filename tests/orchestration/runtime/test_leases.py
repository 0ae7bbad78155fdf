"""One lease for what changes a lake: commands and runs at once follow each other, and nothing is decided twice."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from transforms.calendar import Week
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.records.model_registry import all_versions, register

ALONE = {**os.environ, "SHELFCAST_WORKERS": "1"}

# A step as the UI runs it, without the command around it; its judgement takes long enough for the other process to begin its own.
STEP = """
import sys, time
from pathlib import Path
import dagster as dg
from orchestration.defs import training
from orchestration.lifecycle import weekly
from orchestration.runtime.resources import LakeResource
from orchestration.settings import use_root

root, origin, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
use_root(str(root))
judge = weekly.validate

def slow(*arguments):
    judged = judge(*arguments)
    time.sleep(3)
    return judged

weekly.validate = slow
with dg.DagsterInstance.ephemeral() as instance:
    instance.add_dynamic_partitions("region", ["north_texas"])
    (root / f"ready-{name}").touch()
    while len(list(root.glob("ready-*"))) < 2:
        time.sleep(0.01)
    made = dg.materialize(
        [*training.ensembles.to_source_assets(), training.champions], selection=[training.champions], instance=instance,
        partition_key=f"north_texas|{origin}", resources={"lake": LakeResource()},
    )
    sys.exit(not made.success)
"""


def decided(root: Path, origin: Week) -> Counter[tuple[str, str]]:
    lake = Lake(str(root))
    models = lake.read("gold/model_events", where=f"effective_week = date '{origin}' and event != 'retired'").to_pylist()
    datasets = lake.read("gold/dataset_events").to_pylist()
    recorded = lake.read("gold/dataset_versions").to_pylist()
    return Counter(
        [
            *((row["model_version"], row["event"]) for row in models),
            *((row["dataset_version"], row["event"]) for row in datasets),
            *((row["dataset_version"], "recorded") for row in recorded),
        ]
    )


@pytest.mark.slow
def test_steps_of_two_runs_that_judge_the_same_models_at_once_decide_once(small_lake: Path, tmp_path: Path) -> None:
    """As a run of the UI and one of the command line do that cover the same week: each decision was on record twice."""
    root = shutil.copytree(small_lake, tmp_path / "root")
    lake = Lake(str(root))
    versions = [version for version in all_versions(lake) if version.region == "north_texas"]
    origin = Week(versions[0].trained_week)
    before = decided(root, origin)
    register(lake, versions, datetime.now(UTC), "test", {version.model_version: "asked for" for version in versions}, again=True)
    processes = [subprocess.Popen([sys.executable, "-c", STEP, str(root), str(origin), name], env=ALONE) for name in "ab"]
    assert [process.wait(timeout=600) for process in processes] == [0, 0]
    judged = Counter({key: count for key, count in (decided(root, origin) - before).items() if key[1] != "awaiting validation"})
    assert len(judged) == len(versions)
    assert set(judged.values()) == {1}, judged


@pytest.mark.slow
def test_a_week_that_is_run_twice_at_once_is_run_once_and_found_done_by_the_second(small_lake: Path, tmp_path: Path) -> None:
    root = shutil.copytree(small_lake, tmp_path / "root")
    last = last_week(Lake(str(root)))
    assert last is not None
    origin = last + -3
    command = [sys.executable, "-m", "orchestration", "run", "--week", str(origin), "--local", "--root", str(root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ALONE) for _ in range(2)]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    counts = decided(root, origin)
    assert counts
    assert set(counts.values()) == {1}, counts
    [waited] = [output for output in outputs if "waiting for" in output]
    assert f"waiting for 'shelfcast run {origin}..{origin}'" in " ".join(waited.split())


HOLD = """
import sys, time
from pathlib import Path
from transforms.lake.tables import Lake
from transforms.lake.lease import lease

with lease(Lake(sys.argv[1]), sys.argv[2], "shelfcast run 2024-05-06..2024-05-06", print):
    Path(sys.argv[1], "held").touch()
    time.sleep(float(sys.argv[3]))
    Path(sys.argv[1], "freed").touch()
"""


def holder(root: Path, kind: str, seconds: float) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root), kind, str(seconds)])
    while not (root / "held").exists():
        assert process.poll() is None
        time.sleep(0.02)
    return process


def test_a_command_that_starts_while_another_is_at_work_waits_and_says_for_whom(tmp_path: Path) -> None:
    process = holder(tmp_path, "cycle", 1.5)
    told: list[str] = []
    with lease(Lake(str(tmp_path)), "cycle", "shelfcast init", told.append):
        assert (tmp_path / "freed").exists()
    assert [line.split(", since")[0] for line in told] == [
        f"waiting for 'shelfcast run 2024-05-06..2024-05-06' (process {process.pid} on {socket.gethostname()}"
    ]
    assert process.wait() == 0


def test_a_command_that_was_killed_holds_nobody_up(tmp_path: Path) -> None:
    process = holder(tmp_path, "cycle", 120)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with lease(Lake(str(tmp_path)), "cycle", "shelfcast init", pytest.fail):
        assert not (tmp_path / "freed").exists()


def test_a_decision_by_a_person_does_not_wait_for_the_command_that_runs_but_for_what_is_being_decided(tmp_path: Path) -> None:
    process = holder(tmp_path, "cycle", 120)
    with lease(Lake(str(tmp_path)), "decisions", "decision by ada", pytest.fail):
        assert not (tmp_path / "freed").exists()
    process.kill()
    process.wait()


def test_steps_of_a_command_share_its_lease_and_free_it_at_its_end_alone(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with lease(lake, "cycle", "shelfcast init", pytest.fail), lease(lake, "cycle", "taking in what landed", pytest.fail):
        pass
    holder(tmp_path, "cycle", 0).wait()
    assert (tmp_path / "freed").exists()


def test_a_run_in_a_folder_that_is_no_lake_root_leaves_nothing_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", "--week", "2024-05-06", "--local", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not a lake root yet" in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []
