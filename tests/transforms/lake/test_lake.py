import dataclasses
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS, Column
from transforms.errors import ContractViolation, MissingData
from transforms.lake.tables import Lake

WEEK = Week.parse("2022-05-02")
OHIO, TEXAS = Region("ohio"), Region("north_texas")
BOTH = SliceBlock((OHIO, TEXAS), WEEK, WEEK + 1)


def demand(*rows: tuple[Region, Week, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "region": str(region),
                "store_id": "1",
                "product_id": "A",
                "week": week.monday,
                "units_shipped": units,
                "units_returned": 0,
                "demand": units,
            }
            for region, week, units in rows
        ],
        schema=CONTRACTS["gold/demand"].schema,
    )


def standing(lake: Lake) -> set[tuple[str, str, int]]:
    return {(row["region"], str(row["week"]), row["demand"]) for row in lake.read("gold/demand").to_pylist()}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "it's a lake"))
    lake.replace("gold/demand", BOTH, demand((OHIO, WEEK, 1), (OHIO, WEEK + 1, 2), (TEXAS, WEEK, 3)))
    return lake


def test_replacing_a_slice_leaves_all_others_untouched(lake: Lake) -> None:
    receipt = lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 9)))
    assert (receipt.rows, receipt.version) == (1, 1)
    assert standing(lake) == {("ohio", "2022-05-02", 9), ("ohio", "2022-05-09", 2), ("north_texas", "2022-05-02", 3)}


def test_replacing_by_nothing_empties_exactly_that_slice(lake: Lake) -> None:
    lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand())
    assert standing(lake) == {("ohio", "2022-05-09", 2), ("north_texas", "2022-05-02", 3)}


def test_a_replacement_by_what_stands_there_writes_nothing(lake: Lake) -> None:
    receipt = lake.replace("gold/demand", BOTH, demand((TEXAS, WEEK, 3), (OHIO, WEEK + 1, 2), (OHIO, WEEK, 1)))
    assert (receipt.rows, receipt.version, lake.version("gold/demand")) == (3, 0, 0)


def test_a_row_that_stands_twice_is_not_taken_for_one(lake: Lake) -> None:
    lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 1), (OHIO, WEEK, 1)))
    assert lake.read("gold/demand").num_rows == 4


def test_of_a_block_only_the_slices_that_differ_are_written(lake: Lake) -> None:
    receipt = lake.replace("gold/demand", BOTH, demand((OHIO, WEEK, 1), (OHIO, WEEK + 1, 8), (TEXAS, WEEK, 3)))
    assert (receipt.rows, receipt.version) == (3, 1)
    assert standing(lake) == {("ohio", "2022-05-02", 1), ("ohio", "2022-05-09", 8), ("north_texas", "2022-05-02", 3)}
    predicate = lake.history("gold/demand")[0]["operationParameters"]["predicate"]
    assert ("north_texas" in predicate, predicate.count("2022-05-09")) == (False, 2)


def test_a_writer_between_the_comparison_and_the_write_does_not_get_half_its_way(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Lake._changed

    def beside(*arguments: object) -> object:
        found = changed(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(Lake, "_changed", changed)
        lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 99)))
        return found

    monkeypatch.setattr(Lake, "_changed", beside)
    lake.replace("gold/demand", BOTH, demand((OHIO, WEEK, 1), (OHIO, WEEK + 1, 8), (TEXAS, WEEK, 3)))
    assert standing(lake) == {("ohio", "2022-05-02", 1), ("ohio", "2022-05-09", 8), ("north_texas", "2022-05-02", 3)}


def test_a_row_outside_the_slice_is_refused_and_nothing_is_written(lake: Lake) -> None:
    before = standing(lake)
    with pytest.raises(
        ContractViolation,
        match=r"^gold/demand: 1 rows lie outside the slices that are replaced \(ohio 2022-05-02\.\.2022-05-02\); "
        r"first: region north_texas, week 2022-05-02\. Nothing was written\.$",
    ):
        lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 9), (TEXAS, WEEK, 9)))
    assert standing(lake) == before
    assert lake.version("gold/demand") == 0


def test_a_stream_that_breaks_half_way_writes_nothing(lake: Lake) -> None:
    def broken() -> pa.RecordBatchReader:
        def batches():
            yield from demand((OHIO, WEEK, 9)).to_batches()
            raise OSError("the source went away")

        return pa.RecordBatchReader.from_batches(CONTRACTS["gold/demand"].schema, batches())

    before = standing(lake)
    with pytest.raises(Exception, match="the source went away"):
        lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), broken)
    assert standing(lake) == before


def test_earlier_versions_stay_readable(lake: Lake) -> None:
    lake.replace("gold/demand", BOTH, demand())
    assert standing(lake) == set()
    assert lake.read("gold/demand", version=0).num_rows == 3


def test_append_only_tables_cannot_be_overwritten(lake: Lake) -> None:
    with pytest.raises(ContractViolation, match=r"^gold/model_events is append-only: it cannot be overwritten\.$"):
        lake.overwrite("gold/model_events", CONTRACTS["gold/model_events"].schema.empty_table())


def test_a_table_that_is_not_there_reads_as_an_empty_view_but_says_so_when_asked_directly(lake: Lake) -> None:
    with lake.connect("gold/forecasts") as connection:
        assert connection.execute("select count(*) from gold_forecasts").fetchone() == (0,)
    with pytest.raises(MissingData, match="Table gold/forecasts does not exist"):
        lake.read("gold/forecasts")


def test_duckdb_and_delta_read_the_same(lake: Lake) -> None:
    with lake.connect("gold/demand") as connection:
        seen = connection.execute("select region, week::varchar, demand from gold_demand").fetchall()
    assert set(seen) == standing(lake)


def changed(monkeypatch: pytest.MonkeyPatch, *columns: Column) -> None:
    contract = dataclasses.replace(CONTRACTS["gold/demand"], columns=columns, version=2)
    monkeypatch.setitem(CONTRACTS, "gold/demand", contract)


def test_two_states_are_compared_without_the_files_that_both_have(lake: Lake) -> None:
    lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 9)))
    before, connection = lake.at({"gold/demand": 0}), lake.connect()

    def rows(sql: str) -> set[tuple[str, str, int]]:
        return set(connection.execute(f"select region, week::varchar, demand from ({sql})").fetchall())

    # The week beside it lies in the same file, and both states have it: sums of it are the same on both sides.
    assert rows(lake.select("gold/demand", beside=before)) == {("ohio", "2022-05-02", 9), ("ohio", "2022-05-09", 2)}
    assert rows(before.select("gold/demand", beside=lake)) == {("ohio", "2022-05-02", 1), ("ohio", "2022-05-09", 2)}
    assert rows(lake.select("gold/demand", beside=lake)) == set()
    assert rows(lake.select("gold/demand", beside=lake.at({"gold/demand": -1}))) == standing(lake)


def test_a_column_that_was_added_reads_as_its_default_in_older_rows(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    old = CONTRACTS["gold/demand"].columns
    changed(monkeypatch, *old, Column("units_promised", "integer", "New.", default=7), Column("note", "text", "New.", required=False))
    assert {(row["units_promised"], row["note"]) for row in lake.read("gold/demand").to_pylist()} == {(7, None)}
    assert lake.query("select sum(units_promised) as n from d", d="gold/demand")["n"].to_pylist() == [21]
    rows = demand((OHIO, WEEK, 9)).drop(["units_promised", "note"])
    rows = rows.append_column("units_promised", pa.array([8])).append_column("note", pa.array(["new"]))
    lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), rows)
    expected = {("ohio", 9, 8, "new"), ("ohio", 2, 7, None), ("north_texas", 3, 7, None)}
    with lake.connect("gold/demand") as connection:
        assert set(connection.execute("select region, demand, units_promised, note from gold_demand").fetchall()) == expected
    columns = ("region", "demand", "units_promised", "note")
    assert {tuple(row[name] for name in columns) for row in lake.read("gold/demand").to_pylist()} == expected
    assert {row["units_promised"] for row in lake.at({"gold/demand": 0}).read("gold/demand").to_pylist()} == {7}


def test_a_breaking_change_is_refused_with_the_difference(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [column for column in CONTRACTS["gold/demand"].columns if column.name != "units_returned"]
    retyped = [dataclasses.replace(column, kind="number") if column.name == "demand" else column for column in old]
    changed(monkeypatch, *retyped, Column("units_promised", "integer", "New."))
    difference = r"\+ units_promised long \(required, no default\); - units_returned; ~ demand: long -> double"
    with pytest.raises(ContractViolation, match=difference):
        lake.read("gold/demand")
    with pytest.raises(ContractViolation, match=difference):
        lake.connect("gold/demand")
    with pytest.raises(ContractViolation, match=difference):
        lake.replace("gold/demand", BOTH, pa.table({}))
    assert DeltaTable(lake.uri("gold/demand")).version() == 0


def test_the_lake_can_be_read_as_it_was_known_at_any_past_time(lake: Lake) -> None:
    before, first = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)
    time.sleep(0.01)
    lake.replace("gold/demand", SliceBlock((OHIO,), WEEK, WEEK), demand((OHIO, WEEK, 9)))
    assert ("ohio", "2022-05-02", 9) in standing(lake)
    assert ("ohio", "2022-05-02", 1) in standing(lake.as_of(first))
    with lake.as_of(first).connect("gold/demand") as connection:
        assert connection.execute("select sum(demand) from gold_demand").fetchall() == [(6,)]
    assert not lake.as_of(before).exists("gold/demand")
    with pytest.raises(MissingData, match="as of that time"):
        lake.as_of(before).read("gold/demand")
    with pytest.raises(ContractViolation, match="the past cannot be written to"):
        lake.as_of(first).replace("gold/demand", BOTH, demand())


def test_past_versions_are_kept_for_good(lake: Lake) -> None:
    kept = DeltaTable(lake.uri("gold/demand")).metadata().configuration
    assert kept == {"delta.logRetentionDuration": "interval 5200 weeks", "delta.deletedFileRetentionDuration": "interval 5200 weeks"}
