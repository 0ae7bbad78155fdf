"""Where the run history lies: in SQLite or PostgreSQL by one setting, lost without the lake noticing, and never that of another root."""

import io
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dagster as dg
import httpx
import psutil
import pytest
from adbc_driver_postgresql import dbapi
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.test_utils import create_run_for_test, create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import should_retry
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._serdes import serialize_value
from sqlalchemy import Engine, event
from typer.testing import CliRunner

from benchmarks.contents import contents
from orchestration.cli.app import app, console
from orchestration.history.database import HistoryLost, schema_of
from orchestration.project import Project
from orchestration.reports.doctor import busy, examine
from orchestration.runtime.instance import hold_run, open_instance
from orchestration.web.access import token_at
from tests.orchestration.runtime.test_runs import one_run
from tests.orchestration.waiting import wait_for
from transforms.adapters import load_provider
from transforms.calendar import Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake

if TYPE_CHECKING:
    from tests.conftest import PostgresqlServer

PASSWORD = "c4n4ry-p4ss"
VARIABLE = "SHELFCAST_DAGSTER_DATABASE"
PHANTOM = "11111111-1111-1111-1111-111111111111"


def shelfcast(*arguments: str) -> tuple[int, str]:
    """Exit code, and what is shown with blanks squeezed."""
    result = CliRunner().invoke(app, [*arguments])
    shown = result.output + (result.stderr or "")
    assert "Traceback" not in shown
    assert PASSWORD not in shown
    return result.exit_code, " ".join(shown.split())


def names(root: Path) -> list[str]:
    with open_instance(root, local=False) as instance:
        return sorted(run.tags["name"] for run in instance.get_runs())


def execute(address: str, *statements: str) -> None:
    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


# ---- one setting ----


def test_the_history_goes_to_postgresql_and_back_and_each_place_keeps_its_own(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    one_run(tmp_path, "files", told.append)
    assert told == []
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path, "database", told.append)
    assert names(tmp_path) == ["database"]
    monkeypatch.setenv(VARIABLE, "sqlite")
    one_run(tmp_path, "files again", told.append)
    assert names(tmp_path) == ["files", "files again"]
    monkeypatch.setenv(VARIABLE, database)
    assert names(tmp_path) == ["database"]
    assert told == [
        f"The run history is in the database of {VARIABLE} from now on; that of before stays in {tmp_path}/dagster/history.",
        f"The run history is in {tmp_path}/dagster/history from now on; that of before stays in the database.",
    ]


def test_a_root_whose_history_is_in_postgresql_is_not_taken_back_to_files_by_a_shell_without_the_variable(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path, "database")
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConfigurationError, match=rf"is in PostgreSQL, and {VARIABLE} is not set: set it \(or {VARIABLE}_FILE\) to the address"):
        names(tmp_path)
    (tmp_path / "secret").write_text(f"{database}\n")
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(tmp_path / "secret"))
    assert names(tmp_path) == ["database"]


def test_a_users_own_lines_stay_when_the_history_moves_and_a_storage_of_their_own_is_not_overruled(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_run(tmp_path, "files")
    settings = tmp_path / "dagster" / "dagster.yaml"
    before = settings.read_text().replace("max_concurrent_runs: 2", "max_concurrent_runs: 1  # ours")
    settings.write_text(before)
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path, "database")
    assert "max_concurrent_runs: 1  # ours" in settings.read_text()
    monkeypatch.setenv(VARIABLE, "sqlite")
    one_run(tmp_path, "files")
    assert sorted(settings.read_text().splitlines()) == sorted(before.splitlines())
    settings.write_text(
        before.replace("class: BatchingSqliteEventLogStorage\n", "class: BatchingSqliteEventLogStorage\n  config: {base_dir: /ours}\n")
    )
    monkeypatch.setenv(VARIABLE, database)
    with pytest.raises(ConfigurationError, match=r"places the run history itself \(event_log_storage\).*remove those lines, or unset the variable"):
        names(tmp_path)


def test_two_roots_and_a_copy_in_one_database_do_not_mix_and_a_renamed_root_keeps_its_own(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path / "first", "first")
    one_run(tmp_path / "second", "second")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    one_run(tmp_path / "copy", "copy")
    (tmp_path / "first").rename(tmp_path / "renamed")
    assert [names(tmp_path / root) for root in ("renamed", "second", "copy")] == [["first"], ["second"], ["copy"]]
    assert schema_of(tmp_path / "renamed" / "dagster") != schema_of(tmp_path / "copy" / "dagster")


def asset_event(name: str, week: str, planned: bool) -> dg.EventLogEntry:
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED if planned else dg.DagsterEventType.ASSET_MATERIALIZATION
    key = dg.AssetKey(name)
    data = AssetMaterializationPlannedData(key, week) if planned else StepMaterializationData(dg.AssetMaterialization(key, partition=week))
    happened = dg.DagsterEvent(kind.value, "job", event_specific_data=data)
    return dg.EventLogEntry(None, 20, "", "run", 1.0, job_name="job", dagster_event=happened)


def test_a_batch_of_events_is_written_to_postgresql_in_few_statements(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's own storage writes planned events one by one, and of a batch over several assets it notes the last event of one."""
    monkeypatch.setenv(VARIABLE, database)
    events = [asset_event(name, f"w{week}", planned) for planned in (True, False) for name in ("a", "b") for week in range(300)]
    statements: list[str] = []

    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    with open_instance(tmp_path, local=False) as instance:
        event.listen(Engine, "before_cursor_execute", count)
        try:
            instance.event_log_storage.store_event_batch(events)
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        assert len(statements) < 20, Counter(statement.split()[0] for statement in statements)
        for name in ("a", "b"):
            assert len(instance.get_materialized_partitions(dg.AssetKey(name))) == 300
            latest = instance.get_latest_materialization_event(dg.AssetKey(name))
            assert latest is not None
            assert latest.asset_materialization is not None
            assert latest.asset_materialization.partition == "w299"


# ---- what is wrong is told in a sentence, without the secret ----


def changed(address: str, old: str, new: str) -> str:
    assert old in address
    return address.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            PASSWORD,
            "wr0ng-p4ss",
            rf"refuses what {VARIABLE} asks of it \(.*password authentication failed for user .*Correct user and password there",
        ),
        ("postgresql://", "mysql://", rf"{VARIABLE} holds an address of 'mysql' or names no database: expected postgresql://USER:PASSWORD@HOST"),
        ("postgresql://", "postgresql:/", rf"{VARIABLE} holds no address of a database: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("127.0.0.1:", "127.0.0.1:port", rf"{VARIABLE} holds no address of a database"),
        (PASSWORD, "wr0@ng-p4ss", rf"{VARIABLE} holds an address whose parts cannot be told apart: .* write @ as %40, / as %2F"),
        (PASSWORD, "wr0/ng-p4ss", rf"{VARIABLE} holds an address whose parts cannot be told apart"),
        (PASSWORD, "wr0?ng-p4ss", rf"{VARIABLE} holds an address whose parts cannot be told apart"),
    ],
)
def test_an_address_that_is_wrong_is_told_by_its_variable_and_without_its_password(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, old: str, new: str, sentence: str
) -> None:
    Project(provider="sample").save(tmp_path)
    address = changed(database, old, new)
    monkeypatch.setenv(VARIABLE, address)
    code, output = shelfcast("run", "--root", str(tmp_path))
    assert code == 1
    assert re.search(sentence, output), output
    assert not re.search("wr0|ng-p4ss", output)


def test_a_user_who_may_not_create_a_schema_is_told_so(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(database, "drop role if exists guest", "create role guest login password 'c4n4ry-p4ss'")
    monkeypatch.setenv(VARIABLE, changed(database, "owner:", "guest:"))
    with pytest.raises(ConfigurationError, match=r"permission denied for database .* see that the user may create a schema in the database"):
        names(tmp_path)


def test_the_missing_extra_is_named(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, database)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"the extra is missing: pip install 'shelfcast\[postgresql\]'"):
        names(tmp_path)


def test_neither_settings_nor_what_is_handed_to_other_processes_hold_the_address(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code server is started with the instance's settings on its command line, which every user of the machine can read."""
    monkeypatch.setenv(VARIABLE, database)
    with open_instance(tmp_path, local=False) as instance:
        handed = serialize_value(instance.get_ref()) + instance.info_str() + repr(instance.event_log_storage)
    texts = [handed, *(path.read_text() for path in (tmp_path / "dagster").rglob("*") if path.is_file())]
    assert [text for text in texts if PASSWORD in text or urlsplit(database).netloc in text] == []


# ---- lost, and gone on without ----


def test_a_file_that_goes_while_a_process_has_it_open_is_begun_anew_and_written_to(tmp_path: Path) -> None:
    """A connection that is kept goes on writing into a file that nobody can open any more."""
    with open_instance(tmp_path, local=False) as instance:
        instance.event_log_storage.store_event_batch([asset_event("a", "w1", planned=False)])
        for part in (tmp_path / "dagster/history/runs").iterdir():
            part.unlink()
        instance.event_log_storage.store_event_batch([asset_event("a", "w2", planned=False)])
        assert instance.get_materialized_partitions(dg.AssetKey("a")) == {"w2"}
    with open_instance(tmp_path, local=False) as another:
        assert another.get_materialized_partitions(dg.AssetKey("a")) == {"w2"}
        assert [record.partition_key for record in another.fetch_materializations(dg.AssetKey("a"), limit=9).records] == ["w2"]


def test_of_many_runs_few_files_stay_open(tmp_path: Path) -> None:
    with open_instance(tmp_path, local=False) as instance:
        for number in range(40):
            instance.report_engine_event(f"event {number}", run_id=f"run-{number}", job_name="job")
        assert all(len(instance.all_logs(f"run-{number}")) == 1 for number in range(40))
        held = {str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
        assert 0 < len([name for name in held if name.startswith(str(tmp_path / "dagster/history/runs")) and name.endswith(".db")]) <= 8


@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
@pytest.mark.parametrize("content", [None, b"", b"garbage " * 1000, "torn"])
def test_a_file_of_the_history_that_is_lost_is_begun_anew(tmp_path: Path, name: str, content: bytes | str | None) -> None:
    told: list[str] = []
    one_run(tmp_path, "before")
    path = tmp_path / "dagster" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else path.read_bytes()[: path.stat().st_size // 2])
    one_run(tmp_path, "after", told.append)
    assert "after" in names(tmp_path)
    if content:
        [sentence] = told
        assert re.fullmatch(
            rf"The run history's file {re.escape(str(path))} is damaged \(.*\): it is {path.name}\.damaged-\d{{8}}T\d{{6}} now, and a new one is begun\. "
            r"Data, models and the record do not depend on it\.",
            sentence,
        )
        assert list(path.parent.glob(f"{path.name}.damaged-*"))


def test_a_schema_that_was_dropped_is_made_anew(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path, "before")
    execute(database, f"drop schema {schema_of(tmp_path / 'dagster')} cascade")
    one_run(tmp_path, "after")
    assert names(tmp_path) == ["after"]


@pytest.mark.parametrize("lost", ["stopped", "dropped"])
def test_a_database_that_is_lost_is_told_and_work_that_may_goes_on_without(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    gone = changed(database, "/test_", "/dropped_") if lost == "dropped" else re.sub(r":\d+/", ":1/", database)
    monkeypatch.setenv(VARIABLE, gone)
    with pytest.raises(HistoryLost, match=rf"cannot be reached \(.*\)\. Start it, or correct {VARIABLE}; data, models and the record do not"):
        names(tmp_path)
    told: list[str] = []
    with open_instance(tmp_path, False, told.append, or_without=True) as instance:
        assert instance.get_runs() == []
    [sentence] = told
    assert sentence.endswith("This command goes on without, and leaves no history.")
    assert PASSWORD not in sentence


# ---- runs that live and runs that do not ----

LONG_RUN = """
import os, sys, time
from pathlib import Path
import dagster as dg
import httpx
import psutil

@dg.asset
def slow() -> None:
    begun = Path(os.environ["BEGUN"])
    if not begun.exists():
        draft = begun.with_suffix(".tmp")
        draft.write_text(str(os.getpid()))
        draft.replace(begun)
        time.sleep(120)

job = dg.define_asset_job("job", selection=[slow])
definitions = dg.Definitions(assets=[slow], jobs=[job], executor=dg.in_process_executor)
"""
BY_COMMAND = """
from orchestration.reports.doctor import busy, examine
from orchestration.runtime.instance import hold_run, open_instance
from orchestration.runtime.runs import Runner
root = Path(sys.argv[1])
with open_instance(root, local=False) as instance:
    Runner(lambda: definitions, instance, root / "log", lambda *_: None).execute_unpartitioned("job")
"""


def turn(turned: Iterable[object]) -> None:
    """One turn of a daemon's loop."""
    assert [error for error in turned if error is not None] == []


@pytest.mark.slow
def test_a_run_whose_worker_was_killed_is_failed_and_executed_again_by_the_daemon(
    tmp_path: Path, history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEGUN", str(tmp_path / "begun"))
    (tmp_path / "location.py").write_text(LONG_RUN)
    target, log = PythonFileTarget(str(tmp_path / "location.py"), "definitions", str(tmp_path), "place"), logging.getLogger("daemon")
    retries, queue = EventLogConsumerDaemon(), QueuedRunCoordinatorDaemon(interval_seconds=1)
    with open_instance(tmp_path, local=False) as instance, create_test_daemon_workspace_context(target, instance) as context:
        turn(retries.run_iteration(context))  # failures of before the daemon's first turn are none of its business
        workspace = context.create_request_context()
        [repository] = workspace.get_code_location("place").get_repositories().values()
        job = repository.get_full_job("job")
        plan = workspace.get_code_location("place").get_execution_plan(job, {}, None, None, instance)
        run = create_run_for_test(
            instance,
            "job",
            job_snapshot=job.job_snapshot,
            execution_plan_snapshot=plan.execution_plan_snapshot,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            asset_graph=repository.asset_graph,
        )
        instance.launch_run(run.run_id, workspace)
        wait_for((tmp_path / "begun").exists, 120)
        os.kill(int((tmp_path / "begun").read_text()), signal.SIGKILL)

        def failed() -> bool:
            turn(execute_run_monitoring_iteration(context, log))
            return bool(instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE)

        wait_for(failed)
        turn(retries.run_iteration(context))
        turn(queue.run_iteration(context))

        def executed_again() -> bool:
            again = [other for other in instance.get_runs() if other.parent_run_id == run.run_id]
            return [other.status for other in again] == [dg.DagsterRunStatus.SUCCESS]

        wait_for(executed_again, 120)
        turn(retries.run_iteration(context))
        assert len(instance.get_runs()) == 2


def test_a_run_of_a_command_that_was_killed_is_not_executed_again_by_the_daemon(
    tmp_path: Path, history: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gave the command gives it again: the daemon would do the same work beside it."""
    with by_command(tmp_path, monkeypatch) as process:
        process.kill()
    with open_instance(tmp_path, local=False) as instance:
        [run] = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert instance.run_retries_enabled
        assert not should_retry(run, instance)


@pytest.mark.slow
def test_a_dead_run_whose_own_file_is_damaged_does_not_stop_every_command_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its failure could not be noted there, so each command ended before it began."""
    with by_command(tmp_path, monkeypatch) as process:
        process.kill()
    [path] = [path for path in (tmp_path / "dagster" / "history" / "runs").glob("*.db") if path.stem != "index"]
    for part in path.parent.glob(f"{path.name}-*"):
        part.unlink()
    path.write_bytes(b"garbage " * 1000)
    told: list[str] = []
    with open_instance(tmp_path, False, told.append) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
    assert len(told) == 1


@contextmanager
def by_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    """A command's process in the midst of a run."""
    monkeypatch.setenv("BEGUN", str(root / "begun"))
    process = subprocess.Popen([sys.executable, "-c", LONG_RUN + BY_COMMAND, str(root)])
    try:
        wait_for(lambda: (root / "begun").exists() or process.poll() is not None)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_living_run_is_not_taken_for_dead_when_the_server_was_restarted(
    tmp_path: Path, own_postgresql: "PostgresqlServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server frees a lock when its connection ends, and the run goes on."""
    monkeypatch.setenv(VARIABLE, own_postgresql.address)
    with by_command(tmp_path, monkeypatch) as process:
        own_postgresql.stop()
        time.sleep(3)
        own_postgresql.start()
        for _ in range(2):
            with open_instance(tmp_path, local=False) as instance:
                assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.STARTED]
        process.kill()
        process.wait()
        with open_instance(tmp_path, local=False) as instance:
            assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_locks_leave_no_threads_behind(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, database)
    one_run(tmp_path, "first")
    before = threading.active_count()
    for number in range(3):
        one_run(tmp_path, f"{number}")
    assert threading.active_count() <= before


# ---- what the doctor looks at ----


def test_the_doctor_looks_at_the_history_that_runs_would_use_and_leaves_it_where_it_is(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked where the settings file said, whatever the variable said."""
    Project(provider="sample").save(tmp_path)
    lake, provider, settings = Lake(str(tmp_path)), load_provider("sample"), tmp_path / "dagster" / "dagster.yaml"
    monkeypatch.setenv(VARIABLE, database)
    assert [finding for finding in examine(lake, provider) if "run" in finding.kind] == []
    assert not settings.exists(), "looking begins no history"
    with open_instance(tmp_path, local=False) as instance:
        hold_run(instance, PHANTOM)
        create_run_for_test(instance, run_id=PHANTOM, status=dg.DagsterRunStatus.STARTED)
        assert busy(lake) == f"run {PHANTOM}"
    monkeypatch.setenv(VARIABLE, "sqlite")
    one_run(tmp_path, "files")
    before = settings.read_text()
    assert [finding.kind for finding in examine(lake, provider)] == []
    monkeypatch.setenv(VARIABLE, database)
    [found] = examine(lake, provider)
    assert (found.kind, PHANTOM in found.what) == ("phantom run", True)
    assert settings.read_text() == before
    assert found.mend is not None
    found.mend()
    assert examine(lake, provider) == []
    monkeypatch.delenv(VARIABLE)
    code, shown = shelfcast("doctor", "--root", str(tmp_path))
    assert code == 1
    assert f"is in PostgreSQL, and {VARIABLE} is not set" in shown


@pytest.mark.parametrize("begun", [True, False])
def test_the_doctor_names_a_database_that_runs_would_not_reach(tmp_path: Path, begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    Project(provider="sample").save(tmp_path)
    if begun:
        one_run(tmp_path, "files")
    monkeypatch.setenv(VARIABLE, f"postgresql://ann:{PASSWORD}@127.0.0.1:1/history")
    code, shown = shelfcast("doctor", "--root", str(tmp_path))
    assert code == 1
    assert "The run history's database 127.0.0.1:1/history cannot be reached" in shown
    monkeypatch.setenv(VARIABLE, "mysql://ann@host/history")
    code, shown = shelfcast("doctor", "--root", str(tmp_path))
    assert code == 1
    assert f"{VARIABLE} holds an address of 'mysql' or names no database: expected postgresql://" in shown


# ---- whole weekly cycles ----


@dataclass(frozen=True)
class Cycle:
    """A lake after the weekly cycle that everything is compared with, and how many events of each kind its history holds."""

    week: str
    contents: dict[str, str]
    events: Counter[str]


def copied(lake: Path, root: Path) -> Path:
    return shutil.copytree(lake, root, ignore=shutil.ignore_patterns("dagster"))


def events_of(root: Path) -> Counter[str]:
    with open_instance(root, local=False) as instance:
        return Counter(
            str(entry.dagster_event.event_type_value) for run in instance.get_runs() for entry in instance.all_logs(run.run_id) if entry.dagster_event
        )


@pytest.fixture(scope="module")
def undisturbed(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Cycle:
    root, week = copied(small_lake, tmp_path_factory.mktemp("undisturbed") / "root"), str(Week.parse("2023-07-10") + 1)
    code, output = shelfcast("run", "--week", week, "--root", str(root))
    assert code == 0, output
    return Cycle(week, contents(root), events_of(root))


@pytest.mark.slow
def test_a_weekly_cycle_on_postgresql_ends_as_one_on_sqlite_and_leaves_the_same_events(
    small_lake: Path, undisturbed: Cycle, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copied(small_lake, tmp_path / "root")
    monkeypatch.setenv(VARIABLE, database)
    code, output = shelfcast("run", "--week", undisturbed.week, "--root", str(root))
    assert code == 0, output
    assert contents(root) == undisturbed.contents
    assert events_of(root) == undisturbed.events
    row = Lake(str(root)).read("gold/forecasts").to_pylist()[-1]
    keys = ("--region", row["region"], "--store", row["store_id"], "--product", row["product_id"], "--week", undisturbed.week)
    code, output = shelfcast("trace", "forecast", *map(str, keys), "--root", str(root))
    assert code == 0, output
    assert "weekly_cycle" in output
    for command in ("status", "maturity"):
        code, output = shelfcast(command, "--root", str(root))
        assert code == 0, output
    assert not list((root / "dagster").rglob("*.db"))


@pytest.mark.slow
def test_a_server_that_is_stopped_in_the_midst_of_a_cycle_is_told_and_a_plain_run_makes_up_for_it(
    small_lake: Path, undisturbed: Cycle, tmp_path: Path, own_postgresql: "PostgresqlServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copied(small_lake, tmp_path / "root")
    monkeypatch.setenv(VARIABLE, own_postgresql.address)
    command = [sys.executable, "-m", "orchestration", "run", "--week", undisturbed.week, "--root", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    shown: list[str] = []
    for line in process.stdout:
        shown.append(line)
        if "training, forecasting" in line:
            break
    own_postgresql.stop()
    shown += process.stdout.readlines()
    text = "".join(shown)
    assert process.wait() == 1, text
    assert "Traceback" not in text
    assert PASSWORD not in text
    assert f"The run history's database, which {VARIABLE} names, was lost in the midst of the command" in text
    monkeypatch.setattr(console, "file", io.StringIO())
    code, output = shelfcast("run", "--week", undisturbed.week, "--root", str(root))
    assert code == 0, output
    shown_again = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "cannot be reached" in shown_again
    assert "This command goes on without, and leaves no history." in shown_again
    assert contents(root) == undisturbed.contents
    own_postgresql.start()
    with open_instance(root, local=False) as instance:
        assert {run.status for run in instance.get_runs()} <= {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


# ---- the services ----


@pytest.mark.slow
def test_ui_and_daemon_work_on_postgresql_and_show_its_password_to_nobody(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command lines of processes can be read by every user of the machine, and a log is sent to whoever helps."""
    monkeypatch.setenv(VARIABLE, database)
    Project(provider="sample").save(tmp_path)
    one_run(tmp_path, "before")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "orchestration", "ui", "--root", str(tmp_path), "--port", str(port)], stdout=subprocess.PIPE)
    query = "{runsOrError{... on Runs{results{status}}} workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{__typename}}}}}"

    def answered() -> bool:
        try:
            shown = {"authorization": f"Bearer {token_at(tmp_path, port)}"}
            data = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=60, headers=shown).json()["data"]
        except (httpx.TransportError, FileNotFoundError):
            return False
        loaded = [entry["locationOrLoadError"] for entry in data["workspaceOrError"]["locationEntries"]]
        return bool(loaded == [{"__typename": "RepositoryLocation"}] and data["runsOrError"]["results"] == [{"status": "SUCCESS"}])

    def daemon_lives() -> bool:
        with open_instance(tmp_path, local=False) as instance:
            return "MONITORING" in instance.get_daemon_heartbeats()

    try:
        wait_for(answered, 240)
        wait_for(daemon_lives, 120)
        started = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        commands = [" ".join(one.cmdline()) for one in started if one.is_running()]
    finally:
        process.terminate()
        shown = process.communicate(timeout=60)[0].decode()
    assert len(commands) >= 4
    assert [text for text in (*commands, shown, (tmp_path / "services.log").read_text()) if PASSWORD in text] == []
