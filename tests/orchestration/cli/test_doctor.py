"""`shelfcast doctor`: what interruptions leave behind is found, mended where that loses nothing on record, and told to a person where it cannot be."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from deltalake import DeltaTable
from rich.console import Console
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.cli.session import initialise_root
from orchestration.project import Project
from orchestration.reports.audit import verification
from orchestration.runtime.instance import hold_run, open_instance
from orchestration.settings import use_root
from transforms.adapters import load_provider
from transforms.calendar import Region, SliceBlock, Week
from transforms.lake.tables import Lake
from transforms.landing import ingest, out_of_step, pending, register
from transforms.records.leftovers import unnamed_data
from transforms.records.model_registry import DeltaRegistry, ModelVersion

WEEK = Week.parse("2022-05-02")
LONG_AGO = 86_400
TEXAS = SliceBlock((Region("north_texas"),), WEEK, WEEK)


@pytest.fixture(scope="module")
def whole(shop_kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's lake, conditioned, with a run history. For copying, not for writing to."""
    root = tmp_path_factory.mktemp("whole") / "root"
    assert initialise_root(use_root(str(root)), str(shop_kept / "corner_shop.yaml"), shop_kept, None, False, Console(quiet=True)) == []
    return root


@pytest.fixture
def lake(whole: Path, tmp_path: Path) -> Lake:
    """A copy of it."""
    return Lake(str(shutil.copytree(whole, tmp_path / "root")))


def doctor(lake: Lake, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *options, "--root", lake.root])
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def versions(lake: Lake) -> dict[str, int]:
    return {path.parent.name: len(list(path.glob("*.json"))) for path in lake.path("lake").glob("*/*/_delta_log")}


def old(path: Path, content: bytes = b"half") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - LONG_AGO,) * 2)
    return path


def test_a_lake_that_nobody_disturbed_has_nothing_left_over(lake: Lake) -> None:
    before = versions(lake)
    assert doctor(lake) == (0, "Nothing is left over.\n")
    assert doctor(lake, "--mend") == (0, "Nothing is left over.\n")
    assert versions(lake) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("models/ohio/.abc.part", "draft"),
        (".shelfcast.yaml.tmp", "draft"),
        ("landing/.shipments.csv.part", "draft"),
        ("lake/gold/demand/_delta_log/_commit_5e.json.tmp", "draft"),
        ("lake/gold/demand/_delta_log/00000000000000000009.json#1", "draft"),
        ("models/ohio/0123.safetensors", "orphan artifact"),
        ("lake/gold/demand/region=ohio/part-0.parquet", "uncommitted data"),
        ("staged/corner_shop/shipments/0123.parquet", "staged copy"),
    ],
)
def test_a_file_that_a_killed_process_left_is_found_and_removed_when_asked(lake: Lake, name: str, kind: str) -> None:
    path = old(lake.path(name))
    code, told = doctor(lake)
    assert code == 1
    assert f"{kind}: 1 " in told
    assert name in told
    assert "'shelfcast doctor --mend' does it" in told
    assert path.exists()
    code, told = doctor(lake, "--mend")
    assert code == 0, told
    assert "Done: 1 files removed." in told
    assert not path.exists()
    assert verification(lake).intact


def test_nothing_that_a_record_names_is_removed(lake: Lake) -> None:
    now = datetime.now(UTC)
    kept = [old(lake.path("models", "ohio", f"{name}.safetensors")) for name in ("m1", "m0")]
    about = ("ohio", "large", "fast", "m1", "ensemble", date(2022, 5, 2), now, "run", "c1", "d1", "{}", "{}", "models/ohio/m1.safetensors", "0" * 64)
    DeltaRegistry(lake).record([ModelVersion(*about, held_back_uri="models/ohio/m0.safetensors", held_back_sha256="0" * 64)], [])
    # A past version of a table names this file, its present one does not.
    lake.replace("gold/demand", TEXAS, lake.read("gold/demand", where=f"region = 'north_texas' and week = date '{WEEK}'"))
    past = [Path(file) for file in DeltaTable(lake.uri("gold/demand"), version=0).file_uris()]
    assert doctor(lake, "--mend") == (0, "Nothing is left over.\n")
    assert all(path.exists() for path in [*kept, *past])


def test_an_upload_under_its_drafts_name_in_landing_is_the_users(lake: Lake) -> None:
    path = old(lake.path("landing", "corner_shop", "shipments", "2022-05-16.csv.part"))
    assert doctor(lake, "--mend")[0] == 0
    assert path.exists()


def test_a_file_that_somebody_may_be_about_to_name_is_left_alone(lake: Lake) -> None:
    path = old(lake.path("models", "ohio", "0123.safetensors"))
    path.touch()
    assert doctor(lake, "--mend") == (0, "Nothing is left over.\n")
    assert path.exists()


def test_slices_that_wait_are_found_and_conditioned_when_asked(lake: Lake) -> None:
    provider = load_provider(Project.load(lake.path()).provider, base=lake.path())
    path = lake.path("landing", "corner_shop", "shipments", "2022-05-16.csv")
    path.write_text("id,sku,week,units\n1,A,2022-05-16,6\n")
    old(path, path.read_bytes())
    register(lake, provider, datetime.now(UTC))
    ingest(lake, provider, [SliceBlock((Region("north_texas"),), WEEK + 2, WEEK + 2)])
    code, told = doctor(lake)
    assert code == 1
    assert "wedged slices: taken in and not conditioned: 1 slices, the first being north_texas|2022-05-16. To do: 'shelfcast run'" in told, told
    code, told = doctor(lake, "--mend")
    assert code == 0, told
    assert pending(lake, provider) == {}
    assert lake.read("gold/demand", where="week = date '2022-05-16'").num_rows == 1


def test_demand_that_is_out_of_step_with_deliveries_is_found_and_conditioned_again(lake: Lake) -> None:
    before = lake.read("gold/demand").sort_by([("store_id", "ascending"), ("week", "ascending")])
    lake.replace("gold/demand", TEXAS, before.slice(0, 0))
    assert [str(item) for item in out_of_step(lake)] == ["north_texas|2022-05-02"]
    code, told = doctor(lake)
    assert code == 1
    assert "out of step: 1 slices of gold/demand hold other deliveries than silver, the first being north_texas|2022-05-02" in told
    code, told = doctor(lake, "--mend")
    assert code == 0, told
    assert lake.read("gold/demand").sort_by([("store_id", "ascending"), ("week", "ascending")]).equals(before)


def test_a_run_whose_process_is_gone_is_found_and_marked_as_failed(lake: Lake) -> None:
    from orchestration.definitions import defs

    with open_instance(lake.path(), local=False) as instance:
        hold_run(instance, "11111111-1111-1111-1111-111111111111")
        run = instance.create_run_for_job(defs.resolve_job_def("reference_data"), run_id="11111111-1111-1111-1111-111111111111")
        code, told = doctor(lake, "--mend")
        assert (code, "phantom" in told) == (0, False), "a run that this process executes"
        hold_run(instance, "22222222-2222-2222-2222-222222222222")
        code, told = doctor(lake)
        assert code == 1
        assert "phantom run: 1 runs look as if they were going on, and no process executes them: 11111111" in told
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.NOT_STARTED
    code, told = doctor(lake, "--mend")
    with open_instance(lake.path(), local=False) as instance:
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


def test_a_run_history_that_names_another_root_is_found_and_brought_home(lake: Lake, tmp_path: Path) -> None:
    config = lake.path("dagster", "dagster.yaml")
    mark = "  class: BatchingSqliteEventLogStorage\n"
    config.write_text(config.read_text().replace(mark, f"{mark}  config:\n    base_dir: {tmp_path}/other/dagster/history/runs\n"))
    code, told = doctor(lake)
    assert code == 1
    assert f"foreign run history: {config} names {tmp_path}/other/dagster/history/runs" in told
    assert doctor(lake, "--mend")[0] == 0
    assert "base_dir" not in config.read_text()


def test_a_run_history_that_cannot_be_read_is_found_and_moved_aside(lake: Lake) -> None:
    lake.path("dagster", "history", "runs.db").write_bytes(b"garbage " * 1000)
    code, told = doctor(lake)
    assert code == 1
    assert "unreadable run history: " in told
    code, told = doctor(lake, "--mend")
    assert code == 0, told
    assert len(list(lake.path().glob("dagster.unreadable-*"))) == 1
    assert CliRunner().invoke(app, ["status", "--root", lake.root]).exit_code == 0


def test_a_damaged_checkpoint_is_found_and_removed_since_the_log_holds_what_it_told(lake: Lake) -> None:
    before = lake.read("gold/demand").num_rows
    DeltaTable(lake.uri("gold/demand")).create_checkpoint()
    [checkpoint] = lake.path("lake", "gold", "demand", "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"garbage")
    code, told = doctor(lake)
    assert code == 1
    assert f"damaged checkpoint: {checkpoint.name} of gold/demand is no Parquet file" in told
    assert doctor(lake, "--mend")[0] == 0
    assert lake.read("gold/demand").num_rows == before
    assert verification(lake).intact


@pytest.mark.parametrize("part", ["log", "data"])
def test_a_table_that_cannot_be_read_is_told_with_the_way_back_and_nothing_else_is_touched(lake: Lake, part: str) -> None:
    orphan = old(lake.path("models", "ohio", "0123.safetensors"))
    path = max(lake.path("lake", "gold", "demand", "_delta_log").glob("*.json")) if part == "log" else Path(lake.files("gold/demand")[0])
    path.write_bytes(b"garbage")
    for options in ((), ("--mend",)):
        code, told = doctor(lake, *options)
        assert code == 1
        assert "unreadable table: gold/demand: " in told
        assert "'shelfcast restore' brings back a backup ('shelfcast audit verify' names what else is damaged) (a person has to)." in told
    assert orphan.exists(), "without a record that can be read nobody knows what it names"


def test_beside_a_command_that_changes_the_lake_its_work_is_no_leftover(lake: Lake) -> None:
    path = old(lake.path("models", "ohio", ".abc.part"))
    hold = "import sys, time\nfrom transforms.lake.lease import lease\nfrom transforms.lake.tables import Lake\n"
    hold += "with lease(Lake(sys.argv[1]), 'cycle', 'shelfcast run', print):\n    print('held', flush=True)\n    sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, lake.root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        code, told = doctor(lake)
        other.communicate("")
    assert code == 0
    assert f"'shelfcast run' (process {other.pid} on" in told
    assert "changes the lake: what it has begun is not looked at." in told
    assert path.exists()
    assert doctor(lake)[0] == 1


def test_a_lock_that_outlives_its_holder_is_told(lake: Lake) -> None:
    """A process that the holder had started has the lock still."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    told_there = {"what": "shelfcast run", "process": gone.pid, "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
    lock = lake.path(".cycle.lock")
    lock.write_text(json.dumps(told_there))
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        code, told = doctor(lake)
    assert code == 1
    assert f"stale lock: 'shelfcast run' (process {gone.pid} on" in told
    assert "end the process that has" in told
    assert doctor(lake)[0] == 0


def test_what_a_killed_ui_leaves_is_told_and_ended(lake: Lake) -> None:
    """Both it and the process that ends the others with it were killed: a daemon goes on."""
    lake.path("ui-3000.token").write_text("token")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with lake.path(".ui.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=(lock.fileno(),), process_group=0)
        noted = {"what": "shelfcast ui at http://127.0.0.1:3000", "process": gone.pid, "host": socket.gethostname(), "group": daemon.pid}
        lock.write(json.dumps({**noted, "since": datetime.now(UTC).isoformat()}))
    try:
        code, told = doctor(lake)
        assert code == 1
        assert f"left services: 'shelfcast ui at http://127.0.0.1:3000' (process {gone.pid} on" in told
        assert "is gone, and its daemon or webserver goes on. To do: end them ('shelfcast doctor --mend' does it)." in told
        assert "left token: ui-3000.token of a UI that was killed." in told
        code, told = doctor(lake, "--mend")
        assert code == 0, told
        assert daemon.wait(timeout=10) == -signal.SIGKILL
        assert not lake.path("ui-3000.token").exists()
    finally:
        daemon.kill()
        daemon.wait()


def test_temporary_run_histories_of_killed_commands_are_removed(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "shelfcast-runs-left"
    left.mkdir()
    os.utime(left, (time.time() - 2 * LONG_AGO,) * 2)
    (tmp_path / "shelfcast-runs-young").mkdir()
    assert "temporary history: 1 run histories" in doctor(lake)[1]
    assert doctor(lake, "--mend")[0] == 0
    assert [path.name for path in tmp_path.glob("shelfcast-runs-*")] == ["shelfcast-runs-young"]


def test_tables_whose_early_log_is_gone_keep_all_their_files(lake: Lake) -> None:
    """A version that only a checkpoint knows has files too."""
    path = old(lake.path("lake", "gold", "demand", "region=ohio", "part-0.parquet"))
    assert [file.path for file in unnamed_data(lake)] == [path]
    DeltaTable(lake.uri("gold/demand")).create_checkpoint()
    min(lake.path("lake", "gold", "demand", "_delta_log").glob("*.json")).unlink()
    assert unnamed_data(lake) == []
