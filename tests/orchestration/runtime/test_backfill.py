"""Incidents of backfills: one that was stopped began from the start again, and nobody could tell how long it would take."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.contents import contents
from orchestration.cli.app import app
from orchestration.project import Project
from orchestration.runtime import backfill
from orchestration.runtime.backfill import Pace, through_already
from tests.orchestration.lakes import copied, newest_complete
from transforms.calendar import Region, SliceBlock
from transforms.contracts.gold import FORECASTS
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import decide, latest_versions

TEXAS = Region("north_texas")
CHECKOUT = Path(__file__).parents[3]
_LOGS = {"bronze/landing_files", "bronze/landing_slices", "gold/audit_heads", "gold/pipeline_steps"}


@pytest.fixture
def lake(small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Forecast from the fourth week before the last that has landed."""
    return copied(small_lake, tmp_path, monkeypatch)


def test_a_week_is_through_when_a_cycle_went_to_its_end_with_the_data_as_they_are(lake: Lake) -> None:
    done = newest_complete(lake) + -4
    blocks = [SliceBlock((TEXAS,), week, week) for week in (done, done + 1)]
    assert through_already(lake, Project.of(lake), blocks) == {done}
    # Data that were corrected since are other data.
    [dataset] = latest_versions(lake)
    decide(lake, dataset, "rejected", "ann", "half a file", datetime.now(UTC))
    assert through_already(lake, Project.of(lake), blocks) == {done}, "nothing else may be used for it"
    shutil.rmtree(lake.uri(FORECASTS.name))
    assert through_already(lake, Project.of(lake), blocks) == set()


def test_the_time_left_is_that_of_the_weeks_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(backfill.time, "monotonic", lambda: now[0])
    pace = Pace(60)
    assert pace.told() == " (1 of 60)"
    for seconds in (100.0, 130.0, 120.0):
        now[0] += seconds
        pace.through()
    assert pace.told() == " (4 of 60, about 1 h 54 min left)"
    assert Pace(1).told() == ""


def test_a_backfill_that_was_killed_goes_on_where_it_was_and_makes_what_an_undisturbed_one_makes(lake: Lake, tmp_path: Path) -> None:
    last = newest_complete(lake) + -2
    asked = ["backfill", "--from", str(last + -1), "--until", str(last), "--local"]
    undisturbed = shutil.copytree(lake.path(), tmp_path / "undisturbed")
    environment = {**os.environ, "SHELFCAST_ROOT": "", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", "from orchestration.cli.app import app; app()", *asked, "--root"]
    with subprocess.Popen([*command, lake.root], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if f"watching north_texas {last}" in line:
                os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert any("(1 of 2)" in line for line in told)
    assert "(2 of 2, about 1 min left)" in told[-1]

    again = subprocess.run([*command, lake.root, "--resume"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "1 of 2 weeks are through already, with the data as they are" in again.stdout
    assert f"watching north_texas {last + -1}" not in again.stdout
    whole = CliRunner().invoke(app, [*asked, "--root", str(undisturbed)])
    assert whole.exit_code == 0, whole.output
    made, expected = contents(lake.root), contents(undisturbed)
    assert {name for name in expected if made[name] != expected[name]} <= _LOGS
