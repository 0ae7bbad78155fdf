"""No traceback reaches a user: what a command says when the disk is full, files are garbled or nobody may write, and where a defect is written down."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app, console
from orchestration.cli.failures import explained, log_defect
from orchestration.project import Project
from orchestration.runtime.instance import open_instance
from orchestration.runtime.runs import RunFailed
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed
from transforms.lake.tables import Lake
from transforms.records.data_checks import Limits
from transforms.records.dataset_versions import record
from transforms.records.model_registry import DeltaRegistry, ModelEvent, ModelVersion, decide


def shelfcast(*arguments: str) -> tuple[int, str, int]:
    """Exit code, what is shown with blanks squeezed, and its number of lines."""
    result = CliRunner().invoke(app, [*arguments])
    shown = result.output + (result.stderr or "")
    assert "Traceback" not in shown
    assert "│" not in result.stderr
    return result.exit_code, " ".join(shown.split()), len(result.stderr.strip().splitlines())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lake with one decision on record and a run history."""
    Project(provider="sample").save(tmp_path / "root")
    day = datetime(2024, 5, 6, 12, tzinfo=UTC)
    decide(Lake(str(tmp_path / "root")), [ModelEvent("m1", "ohio", "large", "fast", day, date(2024, 5, 6), "champion", "gate", "MAPE 0.300")])
    with open_instance(tmp_path / "root", local=False):
        pass
    return tmp_path / "root"


@pytest.mark.parametrize("name", ["dagster/history/runs.db", "dagster/history/runs/index.db"])
def test_a_garbled_run_history_is_named_and_begun_anew(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command ended there until somebody moved the file away."""
    assert (root / name).is_file()
    (root / name).write_bytes(b"garbage " * 1000)
    monkeypatch.setattr(console, "file", io.StringIO())
    code, output, lines = shelfcast("run", "--week", "2024-05-06", "--root", str(root))
    told = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert f"The run history's file {root}/{name} is damaged (file is not a database)" in told
    assert "and a new one is begun. Data, models and the record do not depend on it." in told
    # What the command then lacks are data.
    assert (code, lines) == (1, 1), output
    assert "run history" not in output.partition("Error:")[2]


def test_garbled_settings_of_the_run_history_are_named(root: Path) -> None:
    (root / "dagster" / "dagster.yaml").write_text("concurrency: {runs")
    code, output, _ = shelfcast("run", "--week", "2024-05-06", "--root", str(root))
    assert code == 1
    assert "dagster/dagster.yaml is not YAML" in output
    assert "Mend it, or remove it: it is then written anew." in output


@pytest.mark.parametrize("text", ["garbage", '{"add": {"pa', ""])
def test_a_garbled_delta_log_is_named_with_what_to_do(root: Path, text: str) -> None:
    (root / "lake" / "gold" / "model_events" / "_delta_log" / f"{0:020}.json").write_text(text)
    with pytest.raises(AuditFailed, match=r"Table gold/model_events in .* cannot be read: .*'shelfcast audit verify' names what else is damaged"):
        Lake(str(root)).read("gold/model_events")
    code, output, lines = shelfcast("models", "list", "--root", str(root))
    assert (code, lines) in {(1, 1), (0, 0)}, output


@pytest.mark.parametrize("garble", [Path.unlink, lambda path: path.write_bytes(b"garbage")])
def test_a_data_file_that_is_gone_or_garbled_is_named_with_what_to_do(root: Path, garble: object) -> None:
    [path] = (root / "lake" / "gold" / "model_events").glob("*.parquet")
    garble(path)  # type: ignore[operator]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the reader raises
        Lake(str(root)).connect("gold/model_events").execute("from gold_model_events").fetchall()
    told = explained(caught.value, root)
    assert told is not None
    assert "'shelfcast audit verify' names what else is damaged" in told


@pytest.fixture
def trained(root: Path) -> Path:
    """The same lake with demand, a version of its data and a model on record."""
    lake, now, ohio, week = Lake(str(root)), datetime(2024, 5, 6, 12, tzinfo=UTC), Region("ohio"), Week.parse("2024-05-06")
    sold = {"region": "ohio", "store_id": "1", "product_id": "A", "week": week.monday, "units_shipped": 6, "units_returned": 0, "demand": 6}
    lake.replace("gold/demand", SliceBlock((ohio,), week, week), pa.Table.from_pylist([sold], schema=CONTRACTS["gold/demand"].schema))
    record(lake, [ohio], Limits(), "run", now)
    about = ("ohio", "large", "fast", "m1", "ensemble", week.monday, now, "run", "c1", "d1", "{}", "{}", "models/ohio/m1.safetensors", "0" * 64)
    DeltaRegistry(lake).record([ModelVersion(*about)], [])
    return root


@pytest.mark.parametrize("part", ["log", "data"])
@pytest.mark.parametrize("table", ["gold/audit_heads", "gold/model_events", "gold/model_versions", "gold/dataset_versions", "gold/demand"])
def test_the_audit_goes_on_behind_what_is_garbled(trained: Path, table: str, part: str) -> None:
    """It ended at the first table that it could not read, with the advice to ask the audit what else is damaged."""
    folder = trained / "lake" / table
    damaged = max(folder.glob("_delta_log/*.json")) if part == "log" else next(folder.rglob("*.parquet"))
    damaged.write_bytes(b"garbage")
    code, output, _ = shelfcast("audit", "verify", "--root", str(trained))
    assert code == 1
    assert "the record is not as it was written" in output
    assert "forecasts and plans" in output, "the last line of the record"


def test_damaged_data_are_named_by_whatever_reads_them(trained: Path) -> None:
    """DataFusion's errors have no type of their own, and were told to be a defect of Shelfcast."""
    next((trained / "lake" / "gold" / "demand").rglob("*.parquet")).write_bytes(b"garbage")
    with pytest.raises(AuditFailed, match=r"Table gold/demand in .* cannot be read: .*'shelfcast audit verify' names what else is damaged"):
        Lake(str(trained)).read("gold/demand")
    with pytest.raises(Exception, match="no_such_column") as caught:
        Lake(str(trained)).read("gold/model_events", columns="no_such_column")
    assert explained(caught.value, trained) is None, "our own query"


def test_a_backup_that_was_noted_in_half_a_line_is_named(root: Path) -> None:
    (root / "backups.jsonl").write_text('{"backup": "one"}\n{"back')
    code, output, _ = shelfcast("maturity", "--root", str(root))
    assert code == 1
    assert "backups.jsonl, line 2: expected a line of JSON for each backup, came '{\"back'. Remove the line." in output


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(disk)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("small_disk", "local"), [("16k", "--local"), ("64k", "--local"), ("200k", "--local"), ("600k", "")], indirect=["small_disk"]
)
def test_a_full_disk_is_named_with_what_to_do(shop: Path, small_disk: Path, local: str) -> None:
    """It took 474 lines to say so."""
    code, output, lines = shelfcast(
        "init", "--provider", str(shop / "corner_shop.yaml"), "--landing", str(shop), "--root", str(small_disk / "root"), *filter(None, [local])
    )
    # Dagster says a few lines of its own before it gives up.
    assert code == 1
    assert lines <= 15, output
    assert "The disk is full (" in output
    assert "run the command again: what was finished stays." in output


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
def test_a_run_history_on_a_full_disk_is_not_to_be_moved_away(root: Path, small_disk: Path) -> None:
    """SQLite tells of a disk that reports errors, and the advice was to restore the run history or to move it away."""
    shutil.copytree(root, small_disk / "root")
    (small_disk / "filling").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    code, output, _ = shelfcast("maturity", "--root", str(small_disk / "root"))
    assert code == 1
    assert "The disk is full (" in output
    assert "move that folder away" not in output


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
def test_the_doctor_moves_no_run_history_away_from_a_full_disk(root: Path, small_disk: Path) -> None:
    """It was taken for one that cannot be read."""
    shutil.copytree(root, small_disk / "root")
    (small_disk / "filling").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    code, output, _ = shelfcast("doctor", "--mend", "--root", str(small_disk / "root"))
    assert code == 1
    assert "The disk is full (" in output
    assert (small_disk / "root" / "dagster").is_dir()
    assert list((small_disk / "root").glob("dagster.unreadable-*")) == []


_LIMITED = """
import resource, sys
from orchestration.cli.app import app
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
app()
"""


def test_a_run_history_whose_files_may_not_grow_is_not_to_be_moved_away(root: Path) -> None:
    """SQLite tells of a disk that reports errors, and the advice was to restore the run history or to move it away."""
    command = [sys.executable, "-c", _LIMITED, "8192", "run", "--week", "2024-05-06", "--root", str(root)]
    shutil.rmtree(root / "dagster")
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})
    assert done.returncode == 1
    assert "move that folder away" not in done.stderr
    assert "A file may not become as large as it has to (" in done.stderr
    assert "raise this user's limit on the size of files ('ulimit -f')" in done.stderr


def test_a_disk_of_which_a_database_says_no_more_than_that_it_reports_errors_is_told_as_full(tmp_path: Path) -> None:
    """In the midst of a step, by a quota: there is room when the command tells of it, and the error has become the text of another one."""
    told = explained(RunFailed("Step bronze_stores failed: (sqlite3.OperationalError) disk I/O error (run 1; log: steps.log)"), tmp_path)
    assert told is not None
    assert told.startswith("The disk is full, or reports an error (")
    assert "run the command again: what was finished stays." in told


@pytest.mark.parametrize("small_disk", ["4m"], indirect=True)
def test_a_run_history_on_a_disk_that_is_read_only_is_not_to_be_moved_away(root: Path, small_disk: Path) -> None:
    shutil.copytree(root, small_disk / "root")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code, output, _ = shelfcast("maturity", "--root", str(small_disk / "root"))
    assert code == 1
    assert "this user may not write there, or read it." in output


def test_whoever_may_not_write_is_told_what_to_give_to_whom(tmp_path: Path) -> None:
    told = explained(PermissionError(13, "Permission denied", str(tmp_path / "lake")), tmp_path)
    assert (
        told
        == f"[Errno 13] Permission denied: '{tmp_path}/lake': this user may not write there, or read it. Give {tmp_path} and all below it to the user who runs Shelfcast."
    )


def test_a_wrong_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHELFCAST_WORKERS", "many")
    code, output, lines = shelfcast("status", "--root", str(tmp_path))
    assert (code, lines) == (1, 1)
    assert "SHELFCAST_WORKERS: Input should be a valid integer" in output


def test_a_defect_is_told_in_a_line_and_its_traceback_is_kept(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setattr("orchestration.views.board.show_status", lambda *_: {}["missing"])
    code, output, lines = shelfcast("status", "--root", str(root))
    assert (code, lines) == (1, 1)
    assert f"This is a defect of Shelfcast and not of your data: KeyError: 'missing'. The traceback is in {root}/defects.log." in output
    assert "Traceback (most recent call last)" in (root / "defects.log").read_text()


def test_a_defect_in_a_root_that_cannot_be_written_is_kept_elsewhere(tmp_path: Path) -> None:
    assert "The traceback is in /" in log_defect(KeyError("missing"), tmp_path / "no such folder")


def test_help_and_wrong_options_are_as_ever() -> None:
    assert CliRunner().invoke(app, ["run", "--help"]).exit_code == 0
    assert CliRunner().invoke(app, ["run", "--origin", "2024-06-24"]).exit_code == 2
