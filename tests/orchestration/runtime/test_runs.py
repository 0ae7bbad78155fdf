"""Runs and the processes that execute them: a run whose process was killed does not count as running, and a copied root has a history of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from orchestration.history.locks import FileRunLocks
from orchestration.runtime.instance import open_instance
from orchestration.settings import dagster_home_at
from tests.orchestration.waiting import wait_for

LONG_RUN = """
import sys, time
from pathlib import Path
import dagster as dg
from orchestration.runtime.instance import open_instance
from orchestration.runtime.runs import Runner

root = Path(sys.argv[1])

@dg.asset
def slow() -> None:
    (root / f"begun-{sys.argv[2]}").touch()
    time.sleep(120)

job = dg.define_asset_job("job", selection=[slow])
definitions = dg.Definitions(assets=[slow], jobs=[job], executor=dg.in_process_executor)
with open_instance(root, local=False) as instance:
    Runner(lambda: definitions, instance, root / "log", lambda *_: None).execute_unpartitioned("job", {"name": sys.argv[2]})
"""


@contextmanager
def running(root: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own that is in the middle of a run."""
    process = subprocess.Popen([sys.executable, "-c", LONG_RUN, str(root), name])
    try:
        wait_for(lambda: (root / f"begun-{name}").exists() or process.poll() is not None)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()


def statuses(instance: dg.DagsterInstance) -> dict[str, str]:
    return {run.tags["name"]: run.status.value for run in instance.get_runs()}


def test_runs_whose_process_was_killed_no_longer_count_as_running_and_living_ones_still_do(tmp_path: Path, history: str) -> None:
    """Two such runs kept every other run of UI, sensor and schedule in the queue for ever."""
    with running(tmp_path, "killed") as first, running(tmp_path, "killed too") as second, running(tmp_path, "alive"):
        for process in (first, second):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        with open_instance(tmp_path, local=False) as instance:
            assert statuses(instance) == {"killed": "FAILURE", "killed too": "FAILURE", "alive": "STARTED"}
            [run] = [run for run in instance.get_runs() if run.tags["name"] == "killed"]
            messages = [entry.dagster_event.message for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)]
            assert messages == [
                "The process that executed this run is gone: it was killed, or the machine was restarted. What was finished stays; run it again."
            ]


def test_a_run_whose_process_was_killed_before_it_began_does_not_wait_for_ever(tmp_path: Path, history: str) -> None:
    """It was on record and not begun: a kill in the second between the two left it so for good."""
    killed = LONG_RUN.replace(
        "root = Path", "import os, orchestration.runtime.runs as runs\nruns.execute_run_iterator = lambda *_: os.kill(os.getpid(), 9)\nroot = Path"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path), "killed"], check=False).returncode == -signal.SIGKILL
    with dagster_home_at(tmp_path / "dagster", for_good=False), dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert statuses(instance) == {"killed": "NOT_STARTED"}
    with open_instance(tmp_path, local=False) as instance:
        assert statuses(instance) == {"killed": "FAILURE"}


def test_a_lock_that_a_clean_up_removes_while_it_is_taken_is_taken_anew(tmp_path: Path) -> None:
    """The run was created after its lock had lost its name, and the next command failed it while it was executed."""
    locks = FileRunLocks(tmp_path)
    with locks.claim("run"):
        holder = threading.Thread(target=locks.hold, args=("run",))
        holder.start()
        # It has opened the file and waits for the lock, or opens it after it was removed: both have to end well.
        time.sleep(0.2)
        locks.forget("run")
    holder.join()
    assert locks.is_held("run")


def test_run_monitoring_of_the_daemon_tells_a_killed_run_from_a_living_one(tmp_path: Path, history: str) -> None:
    with running(tmp_path, "alive"), running(tmp_path, "killed") as process, open_instance(tmp_path, local=False) as instance:
        assert instance.run_monitoring_enabled
        process.kill()
        process.wait()
        health = {run.tags["name"]: instance.run_launcher.check_run_worker_health(run).status.value for run in instance.get_runs()}
        assert health == {"alive": "RUNNING", "killed": "NOT_FOUND"}


def test_a_run_that_was_killed_while_it_was_being_canceled_counts_as_canceled(tmp_path: Path, history: str) -> None:
    with running(tmp_path, "killed") as process, open_instance(tmp_path, local=False) as instance:
        instance.report_run_canceling(instance.get_runs()[0])
        process.kill()
        process.wait()
    with open_instance(tmp_path, local=False) as instance:
        assert statuses(instance) == {"killed": "CANCELED"}


def one_run(root: Path, name: str, tell: Callable[[str], None] = lambda _: None) -> None:
    @dg.op
    def nothing() -> None:
        return None

    @dg.job
    def job() -> None:
        nothing()

    with open_instance(root, False, tell) as instance:
        assert job.execute_in_process(instance=instance, tags={"name": name}).success


@pytest.mark.parametrize("moved", [False, True])
def test_a_copied_root_has_a_run_history_of_its_own(tmp_path: Path, moved: bool) -> None:
    """The copy's settings named the folder of the original, and its runs were written there."""
    import shutil

    original, copy = tmp_path / "original", tmp_path / "copy"
    one_run(original, "before")
    shutil.copytree(original, copy)
    files = {path: path.stat().st_mtime_ns for path in original.rglob("*") if path.is_file()}
    if moved:
        shutil.rmtree(original)
    one_run(copy, "after")
    with open_instance(copy, local=False) as instance:
        assert statuses(instance) == {"before": "SUCCESS", "after": "SUCCESS"}
        assert len(instance.all_logs(instance.get_runs()[0].run_id)) > 0
    assert original.exists() is not moved
    if not moved:
        assert {path: path.stat().st_mtime_ns for path in original.rglob("*") if path.is_file()} == files


OLD_SETTINGS = """\
# Written by shelfcast; the run history of this lake.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  module: orchestration.event_storage
  class: BatchingSqliteEventLogStorage
  config:
    base_dir: {home}/history/runs
concurrency:
  runs:
    # ours: one at a time
    max_concurrent_runs: 1
"""


def test_settings_of_before_name_no_folder_any_more_and_keep_what_users_wrote(tmp_path: Path) -> None:
    home = tmp_path / "root" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(OLD_SETTINGS.format(home=tmp_path / "elsewhere" / "dagster"))
    one_run(tmp_path / "root", "here")
    text = (home / "dagster.yaml").read_text()
    assert "elsewhere" not in text
    assert "# ours: one at a time\n    max_concurrent_runs: 1" in text
    assert "class: WatchedRunLauncher" in text
    assert not (tmp_path / "elsewhere").exists()
    one_run(tmp_path / "root", "again")
    assert (home / "dagster.yaml").read_text() == text


def test_a_folder_that_a_user_chose_for_the_history_stays(tmp_path: Path) -> None:
    home = tmp_path / "root" / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(OLD_SETTINGS.replace("{home}/history/runs", str(tmp_path / "fast disk")))
    one_run(tmp_path / "root", "there")
    assert list((tmp_path / "fast disk").glob("*.db"))
