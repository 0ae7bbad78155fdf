"""Incidents around the first week of a lake: partitions begin with what has landed, whenever that is."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.project import Project
from orchestration.runtime.ranges import first_week, too_early
from transforms.adapters import load_provider
from transforms.calendar import Region, SliceBlock, Week
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, register

CHECKOUT = Path(__file__).resolve().parents[3]
OLD = "id,sku,week,units\n1,A,1994-01-03,6\n2,B,2016-12-26,24\n"
_LOADED = """
import json
from orchestration.definitions import defs
from orchestration.runtime.partitions import REGION_WEEK
print(json.dumps(REGION_WEEK.get_partitions_def_for_dimension("week").get_partition_keys()[:2]))
"""


@pytest.fixture
def lake(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake in whose landing the shop's files stand, as it is before anything is looked at."""
    lake = Lake(str(tmp_path / "lake"))
    Project(provider=str(shop / "corner_shop.yaml")).save(lake.path())
    drop(lake, load_provider(str(shop / "corner_shop.yaml")), shop)
    monkeypatch.setenv("SHELFCAST_ROOT", lake.root)
    monkeypatch.delenv("SHELFCAST_FIRST_WEEK")
    return lake


def look(lake: Lake, day: int = 18) -> None:
    provider = load_provider(Project.load(lake.path()).provider)
    register(lake, provider, datetime(2022, 5, day, tzinfo=UTC))


def land(lake: Lake, name: str, text: str) -> None:
    (folder(lake, load_provider(Project.load(lake.path()).provider)) / name).write_text(text)


def python(*arguments: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "SHELFCAST_FIRST_WEEK"}
    done = subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_partitions_begin_with_the_first_week_that_has_landed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(first_week()) == "2017-01-02"
    look(lake)
    assert str(first_week()) == "2022-05-02"
    monkeypatch.setenv("SHELFCAST_FIRST_WEEK", "2020-01-06")
    assert str(first_week()) == "2020-01-06"


def test_a_week_that_was_a_typing_error_stretches_partitions_no_longer_once_it_is_corrected(lake: Lake) -> None:
    land(lake, "shipments/2022-05-02.csv", OLD)
    look(lake)
    assert str(first_week()) == "1994-01-03"
    land(lake, "shipments/2022-05-02.csv", OLD.replace("1994-01-03", "2022-05-02"))
    look(lake, 19)
    assert str(first_week()) == "2016-12-26"


def test_a_lake_with_deliveries_of_before_2017_is_initialised_and_its_partitions_hold_them(lake: Lake, shop: Path, tmp_path: Path) -> None:
    (shop / "shipments" / "old.csv").write_text(OLD)
    root = str(tmp_path / "old")
    arguments = ["init", "--provider", str(shop / "corner_shop.yaml"), "--landing", str(shop), "--root", root, "--local"]
    code, output = python("-c", "from orchestration.cli.app import app; app()", *arguments)
    assert code == 0, output
    weeks = {str(row["week"]) for row in Lake(root).read("gold/demand").to_pylist()}
    assert weeks == {"1994-01-03", "2016-12-26", "2022-05-02", "2022-05-09"}
    code, output = python("-c", f"from orchestration.settings import use_root; use_root({root!r}){_LOADED}")
    assert code == 0, output
    assert output.strip().splitlines()[-1] == '["1994-01-03", "1994-01-10"]'


def test_weeks_of_before_the_code_location_was_loaded_are_named_with_what_to_do() -> None:
    blocks = [SliceBlock((Region("ohio"),), Week.parse(day), Week.parse("2022-05-02")) for day in ("2019-12-30", "2020-01-06")]
    assert too_early(blocks[1:], Week.parse("2020-01-06")) is None
    refusal = too_early(blocks, Week.parse("2020-01-06"))
    assert refusal is not None
    assert refusal.startswith("Week 2019-12-30 has landed, but the code location was loaded with 2020-01-06 as its first week. Load it anew")
