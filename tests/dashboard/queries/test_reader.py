"""What the reader opens for an answer, and that it answers for what stands there now."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from deltalake import write_deltalake

from dashboard.queries.reader import Reader
from tests.dashboard.lakes import put
from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed
from transforms.lake.delta_log import last_version
from transforms.lake.tables import Lake

FORECASTS, WEEK = "gold/forecasts", date(2024, 6, 24)
COUNTED = "select count(*) as n from gold_forecasts where region = $region"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path))
    put(lake, FORECASTS, *({"region": region, "origin_week": WEEK, "store_id": store} for region in ("iowa", "ohio") for store in "ab"))
    return lake


def test_a_question_within_a_region_is_answered_though_the_files_of_others_cannot_be_read(lake: Lake) -> None:
    (other,) = (Path(name) for name in lake.files(FORECASTS) if "region=iowa" in name)
    other.write_bytes(b"not a Parquet file")
    assert Reader(lake).rows(COUNTED, FORECASTS, within="ohio", region="ohio") == [{"n": 2}]


def test_a_region_without_files_has_no_rows(lake: Lake) -> None:
    assert Reader(lake).rows(COUNTED, FORECASTS, within="utah", region="utah") == [{"n": 0}]


def test_a_region_that_was_written_before_a_column_was_added_is_read_with_that_column_empty(tmp_path: Path) -> None:
    lake, added = Lake(str(tmp_path)), "is_significant"
    put(other := Lake(str(tmp_path / "other")), FORECASTS, {"region": "ohio", "origin_week": WEEK})
    before = other.read(FORECASTS).select([name for name in CONTRACTS[FORECASTS].names if name != added])
    write_deltalake(lake.uri(FORECASTS), before, partition_by=["region"])
    put(lake, FORECASTS, {"region": "iowa", "origin_week": WEEK, added: True})
    sql = f"select {added} from gold_forecasts where region = $region"
    assert Reader(lake).rows(sql, FORECASTS, within="ohio", region="ohio") == [{added: None}]
    assert Reader(lake).rows(sql, FORECASTS, within="iowa", region="iowa") == [{added: True}]


def test_the_version_read_from_the_names_of_a_log_is_that_of_the_table(lake: Lake) -> None:
    table = Path(lake.uri(FORECASTS))
    assert last_version(table.with_name("nothing")) is None
    for _ in range(12):
        assert last_version(table) == lake.version(FORECASTS)
        version = lake.version(FORECASTS) or 0
        put(lake, FORECASTS, {"region": "ohio", "origin_week": WEEK, "store_id": str(version)})


def test_what_was_written_is_seen_once_versions_are_forgotten(lake: Lake) -> None:
    reader = Reader(lake)
    assert reader.rows(COUNTED, FORECASTS, within="ohio", region="ohio") == [{"n": 2}]
    put(lake, FORECASTS, {"region": "ohio", "origin_week": WEEK, "store_id": "c"})
    reader.forget_versions()
    assert reader.rows(COUNTED, FORECASTS, within="ohio", region="ohio") == [{"n": 1}]


def test_a_lake_that_a_backup_was_restored_to_is_read_anew_though_its_versions_have_the_same_numbers(lake: Lake, tmp_path: Path) -> None:
    reader = Reader(lake)
    backup = shutil.copytree(lake.root, tmp_path / "backup", ignore=shutil.ignore_patterns("backup"))
    put(lake, FORECASTS, {"region": "ohio", "origin_week": WEEK, "store_id": "c"})
    assert reader.rows(COUNTED, FORECASTS, within="ohio", region="ohio") == [{"n": 1}]
    version = lake.version(FORECASTS)
    shutil.rmtree(lake.uri(FORECASTS))
    shutil.copytree(Path(lake.uri(FORECASTS).replace(lake.root, str(backup))), lake.uri(FORECASTS))
    put(lake, FORECASTS, *({"region": "ohio", "origin_week": WEEK, "store_id": store} for store in "abcd"))
    assert lake.version(FORECASTS) == version
    reader.forget_versions()
    assert reader.rows(COUNTED, FORECASTS, within="ohio", region="ohio") == [{"n": 4}]


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_files_that_are_gone_or_damaged_are_told_with_what_to_do(lake: Lake, damage: str) -> None:
    for name in lake.files(FORECASTS):
        if damage == "gone":
            Path(name).unlink()
        else:
            Path(name).write_bytes(Path(name).read_bytes()[:200])
    with pytest.raises(AuditFailed, match=r"Table gold/forecasts .* cannot be read: .* 'shelfcast restore' brings back a backup\."):
        Reader(lake).rows(COUNTED, FORECASTS, region="ohio")
