"""One lease for what changes a lake: commands and runs at once follow each other, and nothing is decided twice."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from transforms.calendar import Week
from transforms.lake import Lake
from transforms.landing import last_week
from transforms.lease import lease

# The way of the UI: a run of the job, without the command around it.
JOB = """
import sys
from pathlib import Path
from orchestration.definitions import defs
from orchestration.instance import open_instance
from orchestration.runs import Runner
from orchestration.settings import use_root
from transforms.calendar import Region, SliceBlock, Week

root, week = Path(sys.argv[1]), Week.parse(sys.argv[2])
use_root(str(root))
with open_instance(root, local=True) as instance:
    runner = Runner(defs, instance, root / "steps.log", lambda *_: None)
    runner.register([Region("north_texas")])
    runner.execute("weekly_cycle", [SliceBlock((Region("north_texas"),), week, week)])
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
@pytest.mark.parametrize("way", ["command", "job"])
def test_a_week_that_is_run_twice_at_once_is_decided_once(small_lake: Path, tmp_path: Path, way: str) -> None:
    root = shutil.copytree(small_lake, tmp_path / "root")
    last = last_week(Lake(str(root)))
    assert last is not None
    origin = last + -3
    arguments = {
        "command": ["-m", "orchestration", "run", "--week", str(origin), "--local", "--root", str(root)],
        "job": ["-c", JOB, str(root), str(origin)],
    }
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments[way]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SHELFCAST_WORKERS": "1"},
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    counts = decided(root, origin)
    assert counts
    assert max(counts.values()) == 1, counts.most_common(3)
    if way == "command":
        [waited] = [output for output in outputs if "waiting for" in output]
        assert f"waiting for 'shelfcast run {origin}..{origin}'" in " ".join(waited.split())


HOLD = """
import sys, time
from pathlib import Path
from transforms.lake import Lake
from transforms.lease import lease

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
