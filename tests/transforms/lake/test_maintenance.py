"""Maintenance takes nothing that is named, changes no row, and may die at any moment."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import MissingData
from transforms.lake import layout, maintenance
from transforms.lake.delta_log import last_checkpoint, read_log
from transforms.lake.maintenance import TableUpkeep, maintain_table
from transforms.lake.tables import Lake

WEEK = Week.parse("2022-05-02")
OHIO, TEXAS = Region("ohio"), Region("north_texas")
DEMAND, HEADS = "gold/demand", "gold/audit_heads"
LATER = timedelta(days=100)


def put(lake: Lake, region: Region, week: Week, *units: int) -> None:
    rows = [
        {
            "region": str(region),
            "store_id": str(n),
            "product_id": "A",
            "week": week.monday,
            "units_shipped": each,
            "units_returned": 0,
            "demand": each,
        }
        for n, each in enumerate(units)
    ]
    lake.replace(DEMAND, SliceBlock((region,), week, week), pa.Table.from_pylist(rows, schema=CONTRACTS[DEMAND].schema))


@pytest.fixture(scope="module")
def lake_kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve weeks of two regions, each written twice. For copying."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    for number in range(12):
        for region in (OHIO, TEXAS):
            put(lake, region, WEEK + number, 5, 3, number)
            put(lake, region, WEEK + number, 5, number, 1)
    return lake.path()


@pytest.fixture
def lake(lake_kept: Path, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return Lake(str(shutil.copytree(lake_kept, tmp_path / "it's a lake")))


def in_order(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """By key."""
    return sorted(rows, key=lambda row: tuple(str(row[name]) for name in CONTRACTS[DEMAND].key))


def rows_of(lake: Lake, version: int | None = None) -> list[dict[str, object]]:
    """As readers get them, in their order."""
    pinned = lake if version is None else lake.at({DEMAND: version})
    with pinned.connect(DEMAND) as connection:
        return connection.execute("from gold_demand").to_arrow_table().to_pylist()


def maintain(lake: Lake, named: set[int] = frozenset(), days_kept: int = 35, merge_from: int = 6, dry_run: bool = False) -> TableUpkeep:
    """A hundred days later."""
    now = datetime.now(UTC) + LATER
    return maintain_table(lake, DEMAND, named, now - timedelta(days=days_kept), now, merge_from, dry_run)


def files(lake: Lake) -> set[str]:
    return {path.name for path in lake.path("lake", DEMAND).rglob("*.parquet") if "_delta_log" not in path.parts}


def test_merging_changes_no_row_and_leaves_the_newest_weeks_alone(lake: Lake) -> None:
    before, were = rows_of(lake), len(lake.files(DEMAND))
    upkeep = maintain(lake)
    assert (were, upkeep.merged, len(lake.files(DEMAND))) == (24, 16, 10)
    assert in_order(rows_of(lake)) == in_order(before)


def test_merging_is_on_record_as_a_commit_that_changes_no_data(lake: Lake) -> None:
    maintain(lake)
    last = read_log(lake.path("lake", DEMAND))[-1]
    assert last.metadata["shelfcast"] == "small files merged"
    text = (lake.path("lake", DEMAND, "_delta_log") / f"{last.version:020d}.json").read_text()
    assert '"dataChange":true' not in text


def test_what_was_merged_is_not_merged_again(lake: Lake) -> None:
    maintain(lake)
    assert maintain(lake).merged == 0


def weekly(lake: Lake, weeks: int, maintained: bool) -> list[int]:
    """Bytes of each commit's files where the newest four weeks are written anew each week, of which only two differ from before."""
    folder, sizes = lake.path("lake", DEMAND), []
    rows = [{"region": "ohio", "product_id": "A", "units_shipped": 5, "units_returned": 0, "demand": 5}]
    history = [
        {**row, "store_id": f"{store}", "week": (WEEK + -back).monday, "demand": store * back}
        for back in range(60)
        for store in range(60)
        for row in rows
    ]
    lake.replace(DEMAND, SliceBlock((OHIO,), WEEK + -59, WEEK), pa.Table.from_pylist(history, schema=CONTRACTS[DEMAND].schema))
    for number in range(1, weeks + 1):
        if maintained:
            maintain(lake, {*range(1000)}, merge_from=6)
        last = WEEK + number
        block = [
            {**row, "store_id": f"{store}", "week": (last + -back).monday, "demand": store + number * (back < 2)}
            for back in range(4)
            for store in range(60)
            for row in rows
        ]
        lake.replace(DEMAND, SliceBlock((OHIO,), last + -3, last), pa.Table.from_pylist(block, schema=CONTRACTS[DEMAND].schema))
        sizes.append(sum((folder / name).stat().st_size for name in read_log(folder)[-1].added))
    return sizes


def test_a_replaced_week_does_not_write_the_whole_history_anew(tmp_path: Path) -> None:
    untouched, maintained = Lake(str(tmp_path / "a")), Lake(str(tmp_path / "b"))
    sizes, without = weekly(maintained, 12, True), weekly(untouched, 12, False)
    assert max(sizes[1:]) < min(without) / 2
    assert in_order(rows_of(maintained)) == in_order(rows_of(untouched))


def test_a_history_in_one_file_is_cut_where_the_weeks_begin_that_are_still_written_over(lake: Lake) -> None:
    rows = lake.read(DEMAND, where="region = 'ohio'")
    place = rows.schema.get_field_index("demand")
    lake.replace(DEMAND, SliceBlock((OHIO,), WEEK, WEEK + 11), rows.set_column(place, "demand", pa.repeat(pa.scalar(77), rows.num_rows)))
    before = rows_of(lake)
    assert maintain(lake, merge_from=100).merged == 1
    assert in_order(rows_of(lake)) == in_order(before)
    with lake.connect(DEMAND) as connection:
        found = connection.execute(
            f"select min(week), max(week) from read_parquet({[name for name in lake.files(DEMAND) if 'region=ohio' in name]}, filename = true) "
            "group by filename order by 1"
        ).fetchall()
    assert found == [((WEEK + 0).monday, (WEEK + 7).monday), ((WEEK + 8).monday, (WEEK + 11).monday)]


def test_a_merge_that_lost_a_race_over_the_same_rows_leaves_all_as_it_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    written = layout._written

    def beside(*arguments: object) -> object:
        put(lake, OHIO, WEEK, 8)
        return written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(layout, "_written", beside)
    there = files(lake)
    assert maintain(lake, set(range(100))).left.startswith("another process replaced what was to be merged")
    assert len(files(lake) - there) == 1
    assert [row["demand"] for row in rows_of(lake) if row["region"] == "ohio" and row["week"] == WEEK.monday] == [8]


def test_a_merge_that_lost_a_race_over_other_rows_is_made_all_the_same(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    written = layout._written

    def beside(*arguments: object) -> object:
        put(lake, OHIO, WEEK + 30, 8, len(files(lake)))
        return written(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(layout, "_written", beside)
    before = rows_of(lake)
    assert maintain(lake).merged == 16
    assert len(rows_of(lake)) == len(before) + 2


def test_every_named_version_reads_the_same_rows_after_maintenance(lake: Lake) -> None:
    named = {0, 7, 21, 40}
    before = {version: rows_of(lake, version) for version in named}
    upkeep = maintain(lake, named)
    assert upkeep.removed
    assert {version: rows_of(lake, version) for version in named} == before


def test_a_version_that_nothing_names_is_told_to_be_gone(lake: Lake) -> None:
    maintain(lake)
    with pytest.raises(
        MissingData, match=r"^gold/demand: version 9 cannot be read any more: .*parquet is gone\. Versions that data or models name are"
    ):
        rows_of(lake, 9)


def test_what_stood_within_the_window_stays_readable(lake: Lake) -> None:
    before = {version: rows_of(lake, version) for version in range(48)}
    assert not maintain(lake, days_kept=101).removed
    assert {version: rows_of(lake, version) for version in range(48)} == before


def test_a_clock_that_jumped_ahead_keeps_more_and_not_less() -> None:
    commits = [maintenance.Commit(n, datetime(2024, 1, day, tzinfo=UTC), "", {}, (), ()) for n, day in enumerate((1, 2, 30, 3, 4))]
    assert maintenance.versions_since(commits, datetime(2024, 1, 10, tzinfo=UTC)) == {1, 2, 3, 4}


def test_a_dry_run_tells_the_same_and_changes_nothing(lake: Lake) -> None:
    def everything() -> dict[str, bytes]:
        return {path.as_posix(): path.read_bytes() for path in lake.path().rglob("*") if path.is_file()}

    before = everything()
    tried = maintain(lake, dry_run=True)
    assert everything() == before
    done = maintain(lake)
    assert (tried.merged, tried.checkpoint) == (done.merged, done.checkpoint) == (16, True)
    assert {found.path for found in tried.removed} <= {found.path for found in done.removed}


def test_a_second_maintenance_removes_nothing_more(lake: Lake) -> None:
    maintain(lake)
    assert not maintain(lake).removed


def test_a_file_just_written_and_not_committed_yet_stays(lake: Lake) -> None:
    fresh = lake.path("lake", DEMAND, "region=ohio", "part-new.parquet")
    fresh.write_bytes(b"rows of a writer that is about to commit")
    now = datetime.now(UTC)
    maintain_table(lake, DEMAND, set(), now, now, 100, False)
    assert fresh.exists()
    os.utime(fresh, (0, 0))
    maintain_table(lake, DEMAND, set(), now, now, 100, False)
    assert not fresh.exists()


def test_drafts_of_the_log_that_a_killed_writer_left_go_and_the_log_stays(lake: Lake) -> None:
    log = lake.path("lake", DEMAND, "_delta_log")
    commits = sorted(path.name for path in log.glob("*.json"))
    (log / f"{99:020d}.json#1").write_text("half a commit")
    maintain(lake, merge_from=100)
    assert not list(log.glob("*#1"))
    assert sorted(path.name for path in log.glob("*.json")) == commits


def test_a_log_with_a_gap_is_left_alone_and_said_so(lake: Lake) -> None:
    (lake.path("lake", DEMAND, "_delta_log") / f"{5:020d}.json").unlink()
    before = files(lake)
    assert maintain(lake).left.startswith("version 5 is missing from its log")
    assert files(lake) == before


def test_a_log_without_its_beginning_is_left_alone(lake: Lake) -> None:
    (lake.path("lake", DEMAND, "_delta_log") / f"{0:020d}.json").unlink()
    before = files(lake)
    assert maintain(lake).left.startswith("its log begins with version 1")
    assert files(lake) == before


def test_a_table_that_only_grows_is_not_merged_and_keeps_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, now = Lake(str(tmp_path)), datetime.now(UTC) + LATER
    monkeypatch.setattr(maintenance, "_CHECKPOINT_AFTER", 4)
    for number in range(6):
        lake.append("gold/dataset_events", dataset_event(number))
    before = lake.files("gold/dataset_events"), lake.files(HEADS)
    for table in ("gold/dataset_events", HEADS):
        upkeep = maintain_table(lake, table, set(), now, now, 2, False)
        assert (upkeep.merged, upkeep.removed, upkeep.checkpoint, upkeep.left) == (0, [], True, "")
    assert (lake.files("gold/dataset_events"), lake.files(HEADS)) == before


def dataset_event(number: int) -> pa.Table:
    row = {"region": "ohio", "dataset_version": f"ohio-{number}", "event": "approved", "actor": "anna", "reason": "looks right"}
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    return pa.Table.from_pylist([{**row, "event_time": moment}], schema=CONTRACTS["gold/dataset_events"].schema)


def test_checkpoints_of_long_ago_go_and_every_version_still_opens(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_CHECKPOINT_AFTER", 4)
    folder = lake.path("lake", DEMAND)
    before = rows_of(lake, 3)
    for number in range(4):
        for more in range(4):
            put(lake, OHIO, WEEK + (20 + more), number)
        maintain(lake, {3}, merge_from=10_000)
    assert len(list((folder / "_delta_log").glob("*.checkpoint.parquet"))) <= 3
    assert last_checkpoint(folder) == 63
    assert rows_of(lake, 3) == before


_MAINTAIN = """
import sys, os, signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from transforms.lake import layout, maintenance
from transforms.lake.tables import Lake
lake, phase = Lake(sys.argv[1]), sys.argv[2]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if phase == "merging":
    maintenance._merge = die
elif phase == "written":
    layout.DeltaTable.create_write_transaction = die
elif phase == "merged":
    maintenance.last_checkpoint = die
elif phase == "checkpoint":
    maintenance._remove = die
else:
    unlink, count = Path.unlink, []
    def some(path, **more):
        count.append(path)
        if len(count) == 7:
            die()
        unlink(path, **more)
    Path.unlink = some
now = datetime.now(UTC) + timedelta(days=100)
maintenance.maintain_table(lake, "gold/demand", {0, 7, 21}, now - timedelta(days=35), now, 6, False)
"""


@pytest.mark.parametrize("phase", ["merging", "written", "merged", "checkpoint", "removing"])
def test_maintenance_killed_in_any_phase_leaves_every_kept_version_and_is_made_up_for(lake: Lake, phase: str) -> None:
    before = {version: rows_of(lake, version) for version in (0, 7, 21, 47)}
    killed = subprocess.run([sys.executable, "-c", _MAINTAIN, lake.root, phase], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert {version: rows_of(lake, version) for version in (0, 7, 21)} == {version: before[version] for version in (0, 7, 21)}
    assert in_order(rows_of(lake)) == in_order(before[47])
    maintain(lake, {0, 7, 21})
    assert len(lake.files(DEMAND)) == 10
    assert in_order(rows_of(lake)) == in_order(before[47])
    assert not maintain(lake, {0, 7, 21}).removed


def test_a_writer_beside_maintenance_loses_no_row(lake: Lake) -> None:
    here = Path(__file__).parent
    script = (
        f"import sys; sys.path.insert(0, {str(here)!r})\n"
        "from test_maintenance import *\n"
        "lake = Lake(sys.argv[1])\n"
        "for turn in range(2):\n"
        "    for number in range(12):\n"
        "        put(lake, OHIO, WEEK + number, turn, number, 7)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, lake.root])
    others = [row for row in rows_of(lake) if row["region"] == "north_texas"]
    while writer.poll() is None:
        now = datetime.now(UTC)
        maintain_table(lake, DEMAND, set(), now - timedelta(days=1), now, 3, False)
    assert writer.returncode == 0
    found = rows_of(lake)
    assert sorted((str(row["week"]), row["store_id"], row["demand"]) for row in found if row["region"] == "ohio") == sorted(
        (str(WEEK + number), str(store), units) for number in range(12) for store, units in enumerate((1, number, 7))
    )
    assert sorted(map(str, (row for row in found if row["region"] == "north_texas"))) == sorted(map(str, others))


def test_a_reader_that_holds_an_old_version_open_goes_on_reading_it(lake: Lake) -> None:
    now, expected = datetime.now(UTC), rows_of(lake, 30)
    with lake.at({DEMAND: 30}).connect(DEMAND) as reader:
        put(lake, OHIO, WEEK, 9)
        maintain_table(lake, DEMAND, set(), now - timedelta(days=1), now, 2, False)
        assert reader.execute("from gold_demand").to_arrow_table().to_pylist() == expected
