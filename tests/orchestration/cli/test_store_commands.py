"""Every command says and does on a root in an object store what it says and does on a folder, and leaves nothing beside the store."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.contents import contents
from docs.generate import leaves
from orchestration.cli import demo
from orchestration.cli.app import app
from orchestration.reports import doctor
from orchestration.settings import settings_of, use_root
from transforms.adapters import load_provider
from transforms.lake.backup import back_up, read_backup, restore_lake
from transforms.lake.remote.working_copy import pulled, store_of, unpushed
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault
from transforms.stores import STATE
from transforms.world import WorldSpec

ONE = "--region north_texas --store S1001 --product P101 --week 2023-07-10"
WHO = "--by ann --why test"
LINES = [
    "status", "data log", "data show gold/demand", "data diff --region north_texas", "audit verify --every-dataset", "audit page", "maturity",
    "models list", "models show MODEL", "models retraining", "models ledger --on 2023-07-12", "models mirror",
    "plan --target 2023-07-17 --to OUT/plans", "plan --to OUT/plans", "money --from 2023-07-17 --until 2023-07-31", f"why {ONE}",
    "export gold/forecasts --to OUT/forecasts.csv", "obfuscate --to OUT/sample --regions 1 --weeks 60",
    f"trace forecast {ONE} --page", "trace model MODEL", "trace dataset DATASET", "trace file stores.xlsx",
    "reproduce --region north_texas --week 2023-07-10 --segment large-fast", "weather --week 2023-07-03 --local",
    "tune --week 2023-07-10 --trials 1 --origins 1 --apply",
    "compare --week 2023-07-10 --members lasso --origins 1",
    f"data approve --region north_texas {WHO}", f"data reject --region north_texas {WHO}",
    f"models approve MODEL {WHO}", f"models reject MODEL {WHO}", f"models rollback --previous {WHO}",
    f"ab start --region north_texas --segment large-fast --challenger MODEL {WHO}", "ab list", "ab show TEST", f"ab stop TEST {WHO}",
    "leaderboard --data OUT/nowhere", "fetch", "ui --address",
    "alerts list", "alerts send", "init --provider iowa_dsd", "maintain --dry-run", "maintain", "doctor", "doctor --mend",
]  # fmt: skip
WITHOUT_ROOT = {"promote-notebook", "provider draft", "provider check", "config check", "promote-release"}
ELSEWHERE = {"demo", "run", "backfill", "backup", "restore", "alerts test", "config show"}
"""Tested below and in `test_store_root`; the last two with alerts and profiles."""


@dataclass(frozen=True)
class Twins:
    """A lake on a folder and the same in a store."""

    folder: Lake
    store: Lake
    out: Path

    def said_by(self, lake: Lake, line: str) -> tuple[int, str]:
        """Exit code and text of a command, without what names the place or the moment."""
        out = self.out / ("of_folder" if lake.is_local else "of_store")
        out.mkdir(exist_ok=True)
        for name, value in (("MODEL", self.model), ("DATASET", self.dataset), ("OUT", str(out)), ("TEST", self.test_of(lake))):
            line = line.replace(name, value)
        done = CliRunner().invoke(app, [*line.split(), "--root", lake.root], env={"COLUMNS": "4000"})
        text = done.output
        for place in (str(lake.path()), lake.root, str(out)):
            text = text.replace(place, "PLACE")
        if line.startswith("compare"):
            text = re.sub(r"│ +\d+ │$", "", text, flags=re.MULTILINE)
        return done.exit_code, re.sub(r"\d+ s\b|\d+\.\d+ (s\b|kB|MB)|\d{2}:\d{2}(:\d{2})?|[0-9a-f]{12,}|\s+|[-\d]+T[\d.]+Z", " ", text)

    @property
    def model(self) -> str:
        return str(self.folder.read("gold/model_versions", "format = 'large' and mover = 'fast'", "min(model_version) as m")["m"][0])

    @property
    def dataset(self) -> str:
        return str(self.folder.read("gold/dataset_versions")["dataset_version"][0])

    @staticmethod
    def test_of(lake: Lake) -> str:
        return str(lake.read("gold/ab_tests")["test_id"][0]) if lake.exists("gold/ab_tests") else "none"


@pytest.fixture(scope="module")
def twins(small_lake: Path, s3_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    place = tmp_path_factory.mktemp("twins")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(place / "state"), "SHELFCAST_SALT": "c4n4ry-salt-of-the-test"}.items():
            environment.setenv(name, value)
        s3_server.bucket("twins")
        folder = Lake(str(shutil.copytree(small_lake, place / "folder")))
        store = Lake("s3://twins/a/lake", settings_of("s3://twins/a/lake").storage_options)
        back_up(folder, FolderVault(place / "first"), {}, datetime.now(UTC))
        restore_lake(FolderVault(place / "first"), read_backup(FolderVault(place / "first")), store)
        yield Twins(folder, store, place)


def test_each_command_that_takes_a_root_is_tried() -> None:
    tried = {name for line in LINES for name in (" ".join(line.split()[:2]), line.split()[0])}
    assert dict(leaves(typer.main.get_command(app))).keys() - tried == WITHOUT_ROOT | ELSEWHERE


@pytest.mark.parametrize("line", LINES)
def test_a_command_says_of_a_store_what_it_says_of_a_folder(twins: Twins, line: str) -> None:
    on_folder, in_store = twins.said_by(twins.folder, line), twins.said_by(twins.store, line)
    assert "This is a defect" not in on_folder[1] + in_store[1]
    assert in_store[1].replace("In the store", "On disk") == on_folder[1]
    assert in_store[0] == on_folder[0]
    assert unpushed(twins.store) == []


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "4000"})
    assert done.exit_code == 0, done.output
    return done.output


def test_a_lake_goes_from_a_store_to_a_backup_in_a_store_and_from_there_to_a_store_and_a_folder(twins: Twins, tmp_path: Path) -> None:
    said = told("backup", "--to", "s3://twins/vault", "--root", twins.store.root)
    assert " in s3://twins/vault: " in said
    assert "is intact" in told("restore", "s3://twins/vault", "--check")
    for root in ("s3://twins/b/lake", str(tmp_path / "lake")):
        assert "its record is as it was written" in told("restore", "s3://twins/vault", "--root", root)
        assert contents(root) == contents(twins.store.root)
        assert "intact" in told("audit", "verify", "--root", root)
    assert "1 backups, last " in told("maturity", "--root", twins.store.root)


def test_a_demo_in_a_store_leaves_landing_there(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was written on this machine alone: another one found a lake without landing files."""
    monkeypatch.setattr(demo, "run_weeks", lambda *_: None)
    root = "s3://twins/demo"
    settings, console = use_root(root), Console(quiet=True)
    demo.run_demo(settings, True, console, WorldSpec(regions=1, stores_per_region=2, products=2, weeks=60))
    lake = Lake(root, settings.storage_options)
    assert unpushed(lake) == []
    elsewhere = Lake(root, {**settings.storage_options, STATE: f"{settings.storage_options[STATE]}-elsewhere"})
    assert len(list(pulled(elsewhere, "landing").rglob("*.*"))) > 10
    assert list(pulled(elsewhere, "truth").iterdir())


def test_doctor_puts_what_an_interrupted_command_left_on_this_machine_into_the_store(twins: Twins) -> None:
    page = twins.store.path("reports", "page of a command that was killed.html")
    page.write_text("a page")
    said = told_by_doctor(twins.store)
    assert "not in the store: 1 files lie on this machine alone and not in s3://twins/a/lake" in said
    assert "1 files are in the store" in told("doctor", "--mend", "--root", twins.store.root)
    assert unpushed(twins.store) == []


def test_doctor_finds_and_removes_in_a_store_what_nothing_names(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "YOUNG", timedelta(0))
    store = store_of(twins.store)
    left = ("lake/gold/demand/region=north_texas/part-00000-left.parquet", "models/north_texas/left.safetensors")
    for key in left:
        store.write(key, b"left")
    found = doctor.examine(twins.store, load_provider("sample"), timedelta(0))
    assert [(finding.kind, finding.what.rpartition(" ")[2]) for finding in found] == [("orphan artifact", left[1]), ("uncommitted data", left[0])]
    for finding in found:
        assert finding.mend is not None
        finding.mend()
    assert [store.find(key) for key in left] == [None, None]


def test_doctor_names_a_data_file_that_is_gone_from_the_store_or_damaged(twins: Twins) -> None:
    store = store_of(twins.store)
    [name, *_] = twins.store.files("silver/stores")
    key = name.removeprefix(f"{twins.store.root}/")
    whole = b"".join(store.read(store.find(key), 60))  # type: ignore[arg-type]
    try:
        store.write(key, b"PAR1 damaged")
        assert "unreadable table: silver/stores: a data file cannot be read: " in told_by_doctor(twins.store)
        store.delete(key)
        assert "unreadable table: silver/stores: a data file cannot be read: " in told_by_doctor(twins.store)
    finally:
        store.write(key, whole)
    assert "Nothing is left over." in told_by_doctor(twins.store)


def told_by_doctor(lake: Lake) -> str:
    return str(CliRunner().invoke(app, ["doctor", "--root", lake.root], env={"COLUMNS": "4000"}).output)
