from pathlib import Path

import pyarrow as pa
import pytest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import ContractViolation, MissingData
from transforms.lake import Lake

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
