"""Incidents in which a file was taken in while it was being uploaded: half a week counted as a whole one."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, register

HALF = "id,sku,week,units\n1,A,2022-05-16,6\n"
WHOLE = HALF + "2,B,2022-05-16,12\n3,A,2022-05-16,6\n"
QUIET = 0.5


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    return load_provider(str(shop / "corner_shop.yaml"), base=shop)


@pytest.fixture
def lake(shop: Path, tmp_path: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(tmp_path / "root"))
    drop(lake, provider, shop)
    register(lake, provider, datetime.now(UTC))
    return lake


def on_record(lake: Lake, name: str) -> list[tuple[str, int, int]]:
    rows = lake.read("bronze/landing_files", where=f"source_file = '{name}'").sort_by("registered_at").to_pylist()
    return [(row["status"], row["bytes"], row["rows"]) for row in rows]


def test_a_file_that_grows_while_it_is_looked_at_is_taken_in_once_it_is_quiet(lake: Lake, provider: ProviderSpec) -> None:
    path = folder(lake, provider) / "shipments/2022-05-16.csv"
    path.write_text(HALF)

    def upload() -> None:
        time.sleep(QUIET / 4)
        path.write_text(WHOLE)

    thread = threading.Thread(target=upload)
    thread.start()
    found = register(lake, provider, datetime.now(UTC), quiet=QUIET)
    thread.join()
    assert on_record(lake, "shipments/2022-05-16.csv") == []
    assert [notice.message for notice in found.growing] == [
        "shipments/2022-05-16.csv: it was written while it was read, so that a part of it may be missing. Run again once it is whole."
    ]
    found = register(lake, provider, datetime.now(UTC), quiet=QUIET)
    assert found.growing == []
    assert on_record(lake, "shipments/2022-05-16.csv") == [("accepted", len(WHOLE), 3)]


def test_a_file_on_record_that_is_uploaded_again_goes_on_counting_as_it_was_until_it_is_whole(lake: Lake, provider: ProviderSpec) -> None:
    path = folder(lake, provider) / "shipments/2022-05-09.csv"
    before, first = on_record(lake, "shipments/2022-05-09.csv"), path.read_text()
    path.write_text("id,sku,week")
    thread = threading.Timer(QUIET / 4, lambda: path.write_text(first.replace("18", "24")))
    thread.start()
    register(lake, provider, datetime.now(UTC), quiet=QUIET)
    thread.join()
    assert on_record(lake, "shipments/2022-05-09.csv") == before
    register(lake, provider, datetime.now(UTC), quiet=QUIET)
    assert len(on_record(lake, "shipments/2022-05-09.csv")) == len(before) + 1


@pytest.mark.parametrize("name", ["2022-05-16.csv.part", "2022-05-16.csv.filepart", "2022-05-16.csv.crdownload", ".in.2022-05-16.csv", "a.tmp"])
def test_a_file_under_the_name_of_an_upload_is_no_delivery(lake: Lake, provider: ProviderSpec, shop: Path, name: str) -> None:
    text = (shop / "corner_shop.yaml").read_text().replace("shipments/*.csv", "shipments/*")
    (shop / "corner_shop.yaml").write_text(text)
    (folder(lake, provider) / "shipments" / name).write_text(HALF)
    found = register(lake, load_provider(str(shop / "corner_shop.yaml"), base=shop), datetime.now(UTC))
    assert on_record(lake, f"shipments/{name}") == []
    assert found.refused == []


def test_files_that_are_quiet_are_not_waited_for(lake: Lake, provider: ProviderSpec) -> None:
    begun = time.monotonic()
    register(lake, provider, datetime.now(UTC), quiet=60)
    assert time.monotonic() - begun < 30
