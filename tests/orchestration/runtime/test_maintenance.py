"""Maintenance of a whole lake: what data versions and models name stays, to the last bit, and the record with it."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
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
from orchestration.views.models import approve_version
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed, MissingData
from transforms.lake.backup import back_up, read_backup, restore
from transforms.lake.tables import Lake, block_predicate
from transforms.lake.vaults import FolderVault
from transforms.records.audit import heads_of, verify_artifacts, verify_data, verify_seals, verify_tables
from transforms.records.dataset_versions import contents_of, log, usable
from transforms.records.kept_versions import kept
from transforms.records.model_registry import REJECTED, DeltaRegistry, ModelEvent, ModelVersion, decide
from transforms.records.trace import files_of
from transforms.records.upkeep import LOG_BYTES, Rules, Upkeep, maintain

WRITTEN_OVER = ("bronze/shipments", "silver/returns", "silver/weather_known", "gold/demand", "gold/forecasts", "gold/order_plan")
RULES = Rules(timedelta(days=35), timedelta(weeks=26), timedelta(weeks=26), 2)
LONG = Rules(timedelta(days=35), timedelta(weeks=520), timedelta(weeks=26), 2)
"""By the second everything named stays for ten years."""


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


def in_a_year(lake: Lake, rules: Rules = LONG) -> Upkeep:
    return maintain(lake, rules, datetime.now(UTC) + timedelta(days=365), False, lambda _: None)


class InAYear(datetime):
    """The clock a year later."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=365)


def removed(done: Upkeep, kind: str) -> set[Path]:
    [found] = [one for one in done.kinds if one.name == kind]
    return {each.path for each in found.removed}


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
    versions = kept(lake, datetime.now(UTC)).versions
    assert versions["bronze/shipments"] == {0}
    assert versions["gold/demand"] == {0}


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
    done = maintain(lake, RULES, datetime.now(UTC), False, lambda _: None)
    assert (removed(done, "model artifacts"), removed(done, "left by killed processes")) == (set(), set())
    for path in left:
        os.utime(path, (0, 0))
    done = maintain(lake, RULES, datetime.now(UTC), False, lambda _: None)
    assert removed(done, "model artifacts") | removed(done, "left by killed processes") == set(left)
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
        "\n".join(line for line in text.splitlines() if not line.startswith(("maintenance", "  keep_", "  report_", "  merge_from", "  run_log")))
    )
    assert Project.load(lake.path()).maintenance == MaintenanceSettings()
    told = Console(record=True, width=200)
    show_maintenance(Settings(root=lake.root), True, told)
    text = told.export_text()
    assert "Maintenance, tried only: nothing is changed" in text
    assert "Every version of a table stays readable for 35 days, every model with its data for good; reports stay for 26 weeks" in text
    assert "model artifacts" in text


def superseded(lake: Lake) -> ModelVersion:
    """Put a second model of a segment on record, trained a week before the one that serves."""
    row = lake.read("gold/model_versions", where="kind = 'ensemble'").slice(0, 1).to_pylist()[0]
    shutil.copy(lake.path(row["artifact_uri"]), lake.path("models", row["region"], "old.safetensors"))
    changed = {
        "model_version": f"{row['model_version']}-old",
        "trained_week": (Week(row["trained_week"]) + -1).monday,
        "artifact_uri": f"models/{row['region']}/old.safetensors",
        "held_back_uri": None,
    }
    old = ModelVersion(**{**row, **changed})
    DeltaRegistry(lake).record([old], [])
    return old


def keep_half_a_year(lake: Lake) -> None:
    project = Project.of(lake)
    project.model_copy(update={"maintenance": project.maintenance.model_copy(update={"keep_weeks": 26})}).keep(lake)


def test_a_model_that_nothing_needs_goes_after_the_weeks_that_are_kept_and_is_told_to_be_gone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    old = superseded(lake)
    assert removed(maintain(lake, RULES, datetime.now(UTC), False, lambda _: None), "model artifacts") == set()
    assert removed(in_a_year(lake, LONG), "model artifacts") == set()
    assert removed(in_a_year(lake, RULES), "model artifacts") == {lake.path(old.artifact_uri)}
    keep_half_a_year(lake)
    stays = kept(lake, InAYear.now(UTC) - RULES.keep_past)
    assert verify_artifacts(lake, stays.let_go)[1] == []
    assert verify_data(lake, every=True, needed=stays.datasets)[1] == []
    monkeypatch.setattr("orchestration.reports.reproduce.datetime", InAYear)
    with pytest.raises(
        MissingData, match=r"cannot be trained again to the last bit any more: its artifact and its data were let go\. Maintenance keeps"
    ):
        reproduce(lake, Region(old.region), Week(old.trained_week), f"{old.format}-{old.mover}")


def test_a_model_that_a_person_decided_on_stays_for_good(lake: Lake) -> None:
    old = superseded(lake)
    segment = (old.region, old.format, old.mover, datetime.now(UTC), old.trained_week)
    decide(lake, [ModelEvent(old.model_version, *segment, REJECTED, "anna", "not significant")])
    assert removed(in_a_year(lake, RULES), "model artifacts") == set()
    assert lake.path(old.artifact_uri).exists()


def test_unless_the_project_says_for_how_long_every_model_stays_for_good(lake: Lake) -> None:
    superseded(lake)
    assert removed(in_a_year(lake, MaintenanceSettings().rules), "model artifacts") == set()


def test_a_decision_of_a_run_keeps_a_model_no_longer_than_others(lake: Lake) -> None:
    old = superseded(lake)
    segment = (old.region, old.format, old.mover, datetime.now(UTC), old.trained_week)
    decide(lake, [ModelEvent(old.model_version, *segment, REJECTED, "gate, run 0e195166-3421-449e-b746-fc84d7bb6f5b", "not significant")])
    assert removed(maintain(lake, RULES, datetime.now(UTC), False, lambda _: None), "model artifacts") == set()
    assert removed(in_a_year(lake, RULES), "model artifacts") == {lake.path(old.artifact_uri)}


def test_a_model_that_was_let_go_is_not_made_champion_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    old = superseded(lake)
    in_a_year(lake, RULES)
    keep_half_a_year(lake)
    monkeypatch.setattr("orchestration.service.decisions.datetime", InAYear)
    with pytest.raises(MissingData, match=r"-old is gone: maintenance has let it go, .* Nothing was changed\.$"):
        approve_version(Settings(root=lake.root), old.model_version, "anna", "it was good", Console(quiet=True))


def test_an_artifact_that_is_needed_and_gone_is_still_found(lake: Lake) -> None:
    (row, *_) = lake.read("gold/model_versions", where="kind = 'ensemble'").to_pylist()
    lake.path(row["artifact_uri"]).unlink()
    stays = kept(lake, datetime.now(UTC) + timedelta(weeks=520))
    assert verify_artifacts(lake, stays.let_go)[1] == [f"artifact {row['artifact_uri']} of {row['model_version']} is gone: restore it from a backup."]


def test_what_serves_is_reproduced_to_the_last_bit_however_long_ago_it_was_trained(lake: Lake) -> None:
    in_a_year(lake, RULES)
    (model, *_) = lake.read("gold/model_versions", where="kind = 'ensemble'").to_pylist()
    again = reproduce(lake, Region(model["region"]), Week(model["trained_week"]), f"{model['format']}-{model['mover']}")
    assert [one.identical for one in again] == [True]


_TWO_AT_ONCE = """
import sys
from datetime import UTC, datetime, timedelta
from transforms.lake.tables import Lake
from transforms.records.upkeep import Rules, maintain
maintain(Lake(sys.argv[1]), Rules(timedelta(days=35), timedelta(weeks=520), timedelta(weeks=26), 2), datetime.now(UTC) + timedelta(days=365), False, print)
"""


def test_two_maintenances_at_once_and_one_that_is_killed_leave_everything_that_is_named(lake: Lake) -> None:
    datasets = log(lake)
    before = [contents_of(lake.at(dataset.delta_versions), [dataset.region]) for dataset in datasets]
    two = [subprocess.Popen([sys.executable, "-c", _TWO_AT_ONCE, lake.root], stdout=subprocess.DEVNULL) for _ in range(2)]
    third = subprocess.Popen([sys.executable, "-c", _TWO_AT_ONCE, lake.root], stdout=subprocess.DEVNULL)
    two[0].wait()
    third.kill()
    assert [one.wait() for one in two] == [0, 0]
    third.wait()
    assert [contents_of(lake.at(dataset.delta_versions), [dataset.region]) for dataset in datasets] == before
    assert findings(lake) == []


def test_old_reports_go_but_for_the_newest_of_each_folder(lake: Lake) -> None:
    folder = lake.path("reports", "drift", "somewhere")
    pages = [folder / f"2023-01-0{number}.html" for number in (2, 9)]
    folder.mkdir(parents=True)
    for age, page in enumerate(pages):
        page.write_text("drift")
        os.utime(page, (age, age))
    assert removed(maintain(lake, RULES, datetime.now(UTC), False, lambda _: None), "reports") == {pages[0]}
    assert [page.exists() for page in pages] == [False, True]


def test_of_what_steps_printed_the_newest_stays(lake: Lake) -> None:
    lake.path("steps.log").write_bytes(b"old" * LOG_BYTES + b"the end")
    in_a_year(lake)
    text = lake.path("steps.log").read_bytes()
    assert (len(text), text.endswith(b"the end")) == (LOG_BYTES, True)
