"""The harness of faults has to see what it looks for: slices that are neither old nor new, rows lost or doubled, commands that tell nothing of use."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.contents import row_hashes
from benchmarks.faults.command import Command
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Folder
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

WEEK = Week.parse("2024-05-06")
OHIO = SliceBlock((Region("ohio"),), WEEK, WEEK)


def demand(root: Path, *units: int) -> Path:
    rows = [
        {
            "region": "ohio",
            "store_id": str(store),
            "product_id": "A",
            "week": date(2024, 5, 6),
            "units_shipped": unit,
            "units_returned": 0,
            "demand": unit,
        }
        for store, unit in enumerate(units)
    ]
    Lake(str(root)).replace("gold/demand", OHIO, pa.Table.from_pylist(rows, schema=CONTRACTS["gold/demand"].schema))
    return root


@pytest.mark.parametrize(("units", "mixed"), [((6, 6), False), ((12, 12), False), ((6, 12), True), ((12,), True)])
def test_a_slice_that_is_neither_old_nor_new_is_seen(tmp_path: Path, units: tuple[int, ...], mixed: bool) -> None:
    before, after = (Rows.of(demand(tmp_path / name, unit, unit)) for name, unit in (("before", 6), ("after", 12)))
    ending = Ending("a fault")
    ending.readers(demand(tmp_path / "now", *units), before, after)
    assert ending.broken == (["gold/demand: 1 slices are neither old nor new, the first ('ohio', '2024-05-06')"] if mixed else [])


def test_a_table_that_cannot_be_read_is_seen_unless_the_fault_itself_broke_it(tmp_path: Path) -> None:
    root = demand(tmp_path / "root", 6)
    rows = Rows.of(root)
    for file in Lake(str(root)).files("gold/demand"):
        Path(file).write_bytes(b"garbage")
    unseen, seen = Ending("a fault"), Ending("a fault")
    unseen.readers(root, rows, rows, ["gold/demand"])
    seen.readers(root, rows, rows)
    assert (unseen.broken, len(seen.broken)) == ([], 1)


def test_rows_that_stand_twice_are_told_from_others(tmp_path: Path) -> None:
    root = demand(tmp_path / "root", 6, 12)
    assert sorted(row_hashes(root)["gold/demand"].values()) == [1, 1]
    lake = Lake(str(root))
    lake.replace("gold/demand", OHIO, pa.concat_tables([lake.read("gold/demand"), lake.read("gold/demand")]))
    assert sorted(row_hashes(root)["gold/demand"].values()) == [2, 2]


def test_a_traceback_and_an_exit_code_that_nobody_expects_are_seen() -> None:
    ending = Ending("a fault")
    ending.told("Traceback (most recent call last):\n  boom", 1, [0])
    assert ending.broken == ["said 'Traceback (most recent call last)'"]
    assert len(ending.wedged) == 1
    assert not ending.recovered


def test_a_command_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    import random

    command = Command(Folder(tmp_path), str(tmp_path / "root"), "status")
    assert command.of_kind("command") == [command.process.pid]
    assert command.kill("group", random.Random(0))
    assert command.wait() == -9
    command.end_rest()
    assert command.of_kind("group") == []
