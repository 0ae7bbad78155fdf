"""The harness of faults has to see what it looks for: slices that are neither old nor new, rows lost or doubled, commands that tell nothing of use."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import obstore
import pyarrow as pa
import pytest
from obstore.store import S3Store

from benchmarks.contents import row_hashes
from benchmarks.faults.command import Command
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Bucket, Folder, Place, Sqlite, lake_of
from benchmarks.faults.stores import proxied
from benchmarks.faults.table import keep, kept, tables
from benchmarks.faults.trial import Fault, Trial, Undisturbed, tried
from benchmarks.servers import S3Server
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

WEEK = Week.parse("2024-05-06")
OHIO = SliceBlock((Region("ohio"),), WEEK, WEEK)


def demand(root: Path, *units: int) -> Path:
    demand_in(str(root), *units)
    return root


def demand_in(root: str, *units: int) -> str:
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
    lake_of(root).replace("gold/demand", OHIO, pa.Table.from_pylist(rows, schema=CONTRACTS["gold/demand"].schema))
    return root


@pytest.mark.parametrize(("units", "mixed"), [((6, 6), False), ((12, 12), False), ((6, 12), True), ((12,), True)])
def test_a_slice_that_is_neither_old_nor_new_is_seen(tmp_path: Path, units: tuple[int, ...], mixed: bool) -> None:
    before, after = (Rows.of(str(demand(tmp_path / name, unit, unit))) for name, unit in (("before", 6), ("after", 12)))
    ending = Ending("a fault")
    ending.readers(str(demand(tmp_path / "now", *units)), before, after)
    assert ending.broken == (["gold/demand: 1 slices are neither old nor new, the first ('ohio', '2024-05-06')"] if mixed else [])


def test_a_table_that_cannot_be_read_is_seen_unless_the_fault_itself_broke_it(tmp_path: Path) -> None:
    root = demand(tmp_path / "root", 6)
    rows = Rows.of(str(root))
    for file in Lake(str(root)).files("gold/demand"):
        Path(file).write_bytes(b"garbage")
    unseen, seen = Ending("a fault"), Ending("a fault")
    unseen.readers(str(root), rows, rows, ["gold/demand"])
    seen.readers(str(root), rows, rows)
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


def test_tables_of_several_invocations_add_up(tmp_path: Path) -> None:
    """Two hundred kills take longer than anybody leaves a machine alone."""
    file = tmp_path / "table"
    for seed in range(2):
        keep(Ending("kill -9", "folder, sqlite", kills=[("group", "start"), ("dbt", f"step {seed}")], swept=Counter({"draft": 1})), file)
    keep(Ending("kill -9", "folder, sqlite", kills=[("dbt", "start")], wedged=["exit code 1"]), file)
    by_fault, by_process, by_phase = tables(kept(file))
    assert [next(iter(column.cells)) for column in by_fault.columns] == [
        *("kill -9", "folder, sqlite", "5 kills on 3 lakes", "2", "0", "0", "0", "0", "1", "2", "")
    ]
    assert dict(zip(*(column.cells for column in by_process.columns), strict=True)) == {"group": "2", "dbt": "3"}
    assert dict(zip(*(column.cells for column in by_phase.columns), strict=True)) == {"start": "3", "step 0": "1", "step 1": "1"}


def test_a_trial_that_ends_in_a_defect_of_the_harness_is_kept_and_told(tmp_path: Path) -> None:
    """The harness ended there, and what it had seen in hours was gone."""

    def defect(trial: Trial) -> None:
        raise KeyError(trial.root)

    place, nothing = Place(tmp_path, Folder(tmp_path), Sqlite()), Rows({}, {})
    (tmp_path / "base").mkdir()
    ending = tried(Fault("defect", defect), place, "1", Undisturbed(str(tmp_path / "base"), "", [], 0, nothing, nothing), random.Random(0))
    assert ending.broken == [f"KeyError: '{tmp_path}/1'"]
    assert not ending.recovered
    assert (tmp_path / "1").is_dir()
    assert "Traceback" in (tmp_path / "1.traceback").read_text()
    assert f"kept: {tmp_path}/1" in (tmp_path / "1.txt").read_text()


def test_a_lake_in_a_bucket_is_copied_and_removed_beside_others(
    s3_server: S3Server, bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    files = Bucket(bucket)
    base, other = (demand_in(files.root(name), 6) for name in ("base", "base-other"))
    home = Place(tmp_path, files, Sqlite()).home(base)
    home.mkdir(parents=True)
    files.copy(base, files.root("copy"))
    assert row_hashes(files.root("copy")) == row_hashes(base) != {}
    assert Place(tmp_path, files, Sqlite()).home(files.root("copy")).is_dir()
    files.remove(files.root("copy"))
    assert row_hashes(files.root("copy")) == {}
    assert row_hashes(base) == row_hashes(other)


def test_a_store_behind_the_proxy_is_as_well_as_the_proxy_lets_it(s3_server: S3Server, bucket: S3Store) -> None:
    with proxied(s3_server.endpoint) as proxy:
        store = replace(s3_server, endpoint=proxy.address).bucket_of(bucket.config["bucket"])
        obstore.put(store, "a", b"12")
        assert bytes(obstore.get(store, "a").bytes()) == b"12"
        proxy.answer = lambda: 404
        with pytest.raises(FileNotFoundError):
            obstore.get(store, "a")
        proxy.answer, asked = lambda: None, iter([True])
        proxy.cut = lambda: next(asked, False)
        assert bytes(obstore.get(store, "a").bytes()) == b"12", "asked again"


def test_a_command_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    command = Command(Place(tmp_path, Folder(tmp_path), Sqlite()), str(tmp_path / "root"), "status")
    assert command.of_kind("command") == [command.process.pid]
    assert command.kill("group", random.Random(0)) == "group"
    assert command.wait() == -9
    command.end_rest()
    assert command.of_kind("group") == []
