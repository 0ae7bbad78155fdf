"""Maintenance of a whole lake: what data versions and models name stays, to the last bit, and the record with it."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from rich.console import Console

from orchestration.project import FILE, MaintenanceSettings, Project
from orchestration.reports.reproduce import reproduce
from orchestration.settings import Settings
from orchestration.views.board import show_status
from orchestration.views.maintenance import show_maintenance
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed
from transforms.lake.backup import back_up, read_backup, restore
from transforms.lake.tables import Lake, block_predicate
from transforms.lake.vaults import FolderVault
from transforms.records.audit import heads_of, verify_artifacts, verify_data, verify_seals, verify_tables
from transforms.records.dataset_versions import contents_of, log, usable
from transforms.records.kept_versions import named_versions
from transforms.records.trace import files_of
from transforms.records.upkeep import Upkeep, maintain

WRITTEN_OVER = ("bronze/shipments", "silver/returns", "silver/weather_known", "gold/demand", "gold/forecasts", "gold/order_plan")
KEPT, MERGED = 35, 2
"""Days, and files from which they are merged."""


@pytest.fixture(scope="module")
def worn(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a cycle behind it, in which the last four weeks of several tables were written anew, twice each. For copying."""
    root = shutil.copytree(small_lake, tmp_path_factory.mktemp("worn") / "root")
    lake = Lake(str(root))
    (region,) = {dataset.region for dataset in log(lake)}
    for table in WRITTEN_OVER:
        contract = CONTRACTS[table]
        last = max(lake.read(table, columns=f"distinct {contract.week_column} as week")["week"].to_pylist())
        for back in range(4):
            week = Week(last) + -back
            block = SliceBlock((region,), week, week)
            rows = lake.read(table, where=block_predicate(contract.week_column, block))
            for there in (rows.slice(1), rows):
                lake.replace(table, block, there)
    forecasts = lake.read("gold/forecasts")
    for back in (1, 2):
        week = Week(forecasts["origin_week"][0].as_py()) + -back
        place = forecasts.schema.get_field_index("origin_week")
        earlier = forecasts.set_column(place, "origin_week", pa.repeat(pa.scalar(week.monday), forecasts.num_rows))
        lake.replace("gold/forecasts", SliceBlock((region,), week, week), earlier)
    return root


@pytest.fixture
def lake(worn: Path, tmp_path: Path) -> Lake:
    return Lake(str(shutil.copytree(worn, tmp_path / "root")))


def in_a_year(lake: Lake) -> Upkeep:
    return maintain(lake, KEPT, MERGED, datetime.now(UTC) + timedelta(days=365), False, lambda _: None)


def findings(lake: Lake) -> list[str]:
    found = [f"{audit.table}: {finding}" for audit in verify_tables(lake) for finding in audit.findings]
    return [*found, *verify_seals(lake)[1], *verify_data(lake, every=True)[1], *verify_artifacts(lake)[1]]


def test_the_record_and_every_named_version_are_as_they_were_after_maintenance(lake: Lake) -> None:
    datasets = log(lake)
    before = [contents_of(lake.at(dataset.delta_versions), [dataset.region]) for dataset in datasets]
    raw = [files_of(lake, dataset, dataset.last_week) for dataset in datasets]
    present = {table: lake.read(table).sort_by([(name, "ascending") for name in CONTRACTS[table].key]) for table in WRITTEN_OVER}
    done = in_a_year(lake)
    assert {table.table for table in done.tables if table.merged} >= {"bronze/shipments", "silver/returns", "silver/weather_known", "gold/demand"}
    assert {table.table for table in done.tables if table.removed} >= set(WRITTEN_OVER)
    assert [contents_of(lake.at(dataset.delta_versions), [dataset.region]) for dataset in datasets] == before
    assert [files_of(lake, dataset, dataset.last_week) for dataset in datasets] == raw
    assert all(present[table].equals(lake.read(table).sort_by([(name, "ascending") for name in CONTRACTS[table].key])) for table in WRITTEN_OVER)
    assert findings(lake) == []


def test_a_model_trained_before_maintenance_is_trained_again_to_the_last_bit(lake: Lake) -> None:
    in_a_year(lake)
    (model, *_) = lake.read("gold/model_versions", where="kind = 'ensemble'").to_pylist()
    again = reproduce(lake, Region(model["region"]), Week(model["trained_week"]), f"{model['format']}-{model['mover']}")
    assert again
    assert all(one.identical for one in again)


def test_maintenance_makes_no_new_version_of_the_data_and_nothing_pending(lake: Lake) -> None:
    (dataset, *_) = log(lake)
    in_a_year(lake)
    assert usable(lake, dataset.region, dataset.last_week, "as_known") == dataset
    assert contents_of(lake, [dataset.region])[dataset.region][1] in dataset.version
    told = Console(record=True, width=200)
    show_status(Settings(root=lake.root), told)
    text = told.export_text()
    assert "0 slices wait to be taken in" in text
    assert "On disk: lake " in text


def test_bronze_stays_as_it_stood_when_a_version_of_the_data_was_recorded(lake: Lake) -> None:
    named = named_versions(lake)
    assert named["bronze/shipments"] == {0}
    assert named["gold/demand"] == {0}


def test_a_backup_of_a_maintained_lake_holds_all_that_is_named(lake: Lake, tmp_path: Path) -> None:
    in_a_year(lake)
    back_up(lake, FolderVault(tmp_path / "backup"), heads_of(lake), datetime.now(UTC))
    restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), tmp_path / "again")
    assert findings(Lake(str(tmp_path / "again"))) == []


def test_a_backup_of_before_is_restored_as_it_was(lake: Lake, tmp_path: Path) -> None:
    back_up(lake, FolderVault(tmp_path / "backup"), heads_of(lake), datetime.now(UTC))
    in_a_year(lake)
    restore(FolderVault(tmp_path / "backup"), read_backup(FolderVault(tmp_path / "backup")), tmp_path / "again")
    assert findings(Lake(str(tmp_path / "again"))) == []


def test_artifacts_and_drafts_that_nothing_names_go_once_they_are_a_day_old(lake: Lake) -> None:
    left = [lake.path("models", "ohio", "0" * 64 + ".safetensors"), lake.path("models", "ohio", ".a.part"), lake.path("staged", "sample", "a.part")]
    named = set(lake.path("models").rglob("*.safetensors"))
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert maintain(lake, KEPT, MERGED, datetime.now(UTC), False, lambda _: None).leftovers == []
    for path in left:
        os.utime(path, (0, 0))
    done = maintain(lake, KEPT, MERGED, datetime.now(UTC), False, lambda _: None)
    assert {found.path for found in done.leftovers} == set(left)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in named)


def test_nothing_is_removed_where_the_record_of_what_is_named_is_damaged(lake: Lake) -> None:
    (file,) = (Path(name) for name in lake.files("gold/dataset_versions"))
    file.write_bytes(b"not parquet")
    before = sorted(lake.path().rglob("*.parquet"))
    with pytest.raises((AuditFailed, duckdb.Error)):
        in_a_year(lake)
    assert sorted(lake.path().rglob("*.parquet")) == before


def test_a_lake_of_before_there_were_settings_is_maintained_with_the_defaults(lake: Lake) -> None:
    text = lake.path(FILE).read_text()
    lake.path(FILE).write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith(("maintenance", "  keep_days", "  merge_from", "  run_log")))
    )
    assert Project.load(lake.path()).maintenance == MaintenanceSettings()
    told = Console(record=True, width=200)
    show_maintenance(Settings(root=lake.root), True, told)
    text = told.export_text()
    assert "Maintenance, tried only: nothing is changed" in text
    assert "others for 35 days" in text
