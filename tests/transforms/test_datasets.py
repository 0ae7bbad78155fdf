"""Versions of a region's data: what a region may be called."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from transforms.calendar import Region, Week
from transforms.contracts.gold import DATASET_VERSIONS
from transforms.datasets import decide, log, usable
from transforms.lake import Lake

WEEK = Week.parse("2022-05-02")


@pytest.mark.parametrize("name", ["region_4", "my_region", "region"])
def test_a_region_whose_key_holds_the_word_region_has_a_version_to_train_on(tmp_path: Path, name: str) -> None:
    lake, now = Lake(str(tmp_path)), datetime(2022, 5, 12, tzinfo=UTC)
    row = {"region": name, "dataset_version": f"{name}-1", "last_week": WEEK.monday, "rows": 1, "delta_versions": "{}", "checks": "[]"}
    rows = [{**row, "run_id": "run", "recorded_at": now}, {**row, "region": "ohio", "dataset_version": "ohio-1", "run_id": "run", "recorded_at": now}]
    lake.append(DATASET_VERSIONS.name, pa.Table.from_pylist(rows, schema=DATASET_VERSIONS.schema))
    [found] = log(lake, [Region(name)])
    decide(lake, found, "approved", "ada", "as agreed", now)
    assert log(lake, []) == []
    assert usable(lake, Region(name), WEEK, "as_known").version == f"{name}-1"
