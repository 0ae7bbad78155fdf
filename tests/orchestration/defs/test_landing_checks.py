"""Checks over landing, and what `shelfcast status` tells of it: a file that was left out, a record that went nowhere."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from rich.console import Console

from orchestration.defs.landing import every_file_found, no_file_refused, nothing_lost
from orchestration.project import Project
from orchestration.settings import Settings
from orchestration.views.board import show_status
from tests.orchestration.lakes import LakeAt
from transforms.adapters import load_provider
from transforms.contracts.bronze import LANDING_FILES
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, ingest_reference, register

NOW = datetime(2022, 5, 18, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path, shop: Path) -> Lake:
    """A root in which every file was looked at; of one all rows break their contract."""
    root = tmp_path / "root"
    lake, provider = Lake(str(root)), load_provider(str(shop / "corner_shop.yaml"))
    (shop / "shipments/2022-05-16.csv").write_text("id,sku,week,units\n1,A,2022-05-16,many\n2,B,2022-05-16,few\n")
    root.mkdir()
    Project(provider=str(shop / "corner_shop.yaml")).save(root)
    drop(lake, provider, shop)
    register(lake, provider, NOW)
    ingest_reference(lake, provider)
    return lake


def evaluated(check: dg.AssetChecksDefinition, lake: Lake) -> tuple[bool, Any]:
    result = check(lake=LakeAt(root=lake.root))
    return result.passed, result.metadata


def status(lake: Lake) -> str:
    shown = io.StringIO()
    show_status(Settings(root=lake.root), Console(file=shown, width=200))
    return shown.getvalue()


def test_a_refused_file_is_on_record_with_its_reason_and_in_the_status(lake: Lake) -> None:
    reason = "shipments/2022-05-16.csv, row 1, column units_shipped: expected a whole number, came many."
    [row] = lake.read(LANDING_FILES.name, where="status = 'refused'").to_pylist()
    assert row["message"].startswith(reason)
    assert (row["records"], row["records_aside"], row["rows_refused"], row["rows_taken"]) == (3, 1, 2, 0)
    assert evaluated(no_file_refused, lake)[0] is False
    shown = status(lake)
    assert "1 files refused" in shown
    assert reason in shown


def test_a_file_refused_is_no_record_lost(lake: Lake) -> None:
    passed, metadata = evaluated(nothing_lost, lake)
    assert passed
    assert "| shipments | 3 | 1 | 0 | 10 | 3 | 5 | 0 | 0 | 0 | 2 |" in metadata["totals"].value
    assert "The sums agree" in status(lake)


def test_a_record_that_went_nowhere_turns_the_check_red(lake: Lake) -> None:
    [row] = lake.read(LANDING_FILES.name, where="source_file = 'shipments/2022-05-02.csv'").to_pylist()
    tampered = [{**row, "records": row["records"] + 1, "registered_at": datetime(2022, 5, 19, tzinfo=UTC)}]
    lake.append(LANDING_FILES.name, pa.Table.from_pylist(tampered, schema=LANDING_FILES.schema))
    passed, metadata = evaluated(nothing_lost, lake)
    assert not passed
    assert "shipments/2022-05-02.csv: expected 5 records, as many as it holds, came aside 1 + taken 3" in metadata["sums"].value
    shown = status(lake)
    assert "shipments/2022-05-02.csv: expected 5 records, as many as it holds, came aside 1 + taken 3" in shown
    assert "The sums agree" not in shown


def test_a_file_that_no_pattern_finds_is_told_by_the_status_and_a_check(lake: Lake, shop: Path) -> None:
    """`X.CSV` and files in a folder of their own stood in landing for good, and nothing but a check of the provider file told of them."""
    assert evaluated(every_file_found, lake)[0] is True
    assert "no pattern" not in status(lake)
    top = folder(lake, load_provider(str(shop / "corner_shop.yaml")))
    (top / "shipments" / "old").mkdir()
    for name in ("shipments/2022-05-23.CSV", "shipments/old/2021-05-03.csv", "prices.pdf"):
        (top / name).write_text("x")
    for name in (".hidden.csv", "shipments/~$open.xlsx", "shipments/2022-05-30.csv.part", "README.txt", "corner_shop.yaml", "Thumbs.db"):
        (top / name).write_text("no data")
    told = (
        "3 files in landing are found by no pattern of the provider file and not read: prices.pdf, shipments/2022-05-23.CSV (like 'shipments/*.csv' "
        "but for capital letters), shipments/old/2021-05-03.csv (like 'shipments/*.csv' but for its folder). Correct 'files' in the provider YAML, or "
        "rename, move or remove what is not meant to be read."
    )
    assert told in status(lake)
    passed, metadata = evaluated(every_file_found, lake)
    assert (passed, metadata["not found"].value) == (False, 3)


def test_a_folder_whose_deliveries_are_named_otherwise_is_refused_with_their_names(tmp_path: Path, shop: Path) -> None:
    for path in (shop / "shipments").iterdir():
        path.rename(path.with_suffix(".CSV"))
    with pytest.raises(
        ConfigurationError, match=r"expected shipments/\*.csv. 2 files in it are found by no pattern .*\(like 'shipments/\*.csv' but for"
    ):
        drop(Lake(str(tmp_path / "other")), load_provider(str(shop / "corner_shop.yaml")), shop)
