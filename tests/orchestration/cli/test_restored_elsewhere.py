"""A past partition is trained again to the last bit from a lake that was restored elsewhere, and the first one is gone."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from obstore.store import S3Store

from orchestration.reports.reproduce import reproduce
from orchestration.settings import use_root
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.backup import back_up, read_backup, restore_lake
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault
from transforms.records.model_registry import trained_at

TEXAS, PAST = Region("north_texas"), Week.parse("2023-07-10")


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_a_past_partition_is_reproduced_to_the_last_bit_where_the_lake_was_restored(
    small_lake: Path, tmp_path: Path, s3_server: Any, bucket: S3Store, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    first = Lake(str(shutil.copytree(small_lake, tmp_path / "first" / "lake")))
    changed_since(first)
    vault, trained = FolderVault(tmp_path / "vault"), trained_at(first, TEXAS, PAST)
    back_up(first, vault, {}, datetime.now(UTC))
    shutil.rmtree(tmp_path / "first")
    root = str(tmp_path / "other disk" / "of another name") if kind == "folder" else f"s3://{bucket.config['bucket']}/elsewhere"
    again = Lake(root, use_root(root).storage_options)
    restore_lake(vault, read_backup(vault), again)
    found = reproduce(again, TEXAS, PAST, None)
    assert [one.model_version for one in found if one.identical] == sorted(row["model_version"] for row in trained)
    assert {difference for one in found for difference in one.differences} == set()
    assert trained_at(again, TEXAS, PAST) == trained


def changed_since(lake: Lake) -> None:
    """The week before the origin is corrected after the models were trained: what they learned from is a past version of the table."""
    week, contract = PAST + -1, CONTRACTS["gold/demand"]
    rows = lake.read(contract.name, where=f"week = date '{week}'").to_pylist()
    corrected = [{**row, "units_shipped": row["units_shipped"] + 12, "demand": row["demand"] + 12} for row in rows]
    before = lake.version(contract.name)
    lake.replace(contract.name, SliceBlock((TEXAS,), week, week), pa.Table.from_pylist(corrected, schema=contract.schema))
    assert lake.version(contract.name) != before
