"""The steps of the weekly cycle as functions: what they write when they are called twice, out of order or before anything is there."""

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from orchestration.lifecycle.data_approval import quarantined
from orchestration.lifecycle.live_accuracy import issued, score_weeks, value_plans
from orchestration.lifecycle.score_region import score_block, weather_block
from orchestration.lifecycle.weekly import by_week, judge_weeks, train_weeks
from orchestration.project import Project
from orchestration.reports.drift import watch
from orchestration.reports.explain import explain_block
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.lake.tables import Lake

REGION, ORIGIN = Region("north_texas"), Week.parse("2023-07-10")
HERE = Slice(REGION, ORIGIN)
BLOCK = SliceBlock((REGION,), ORIGIN, ORIGIN)


@pytest.fixture(scope="module")
def lake(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(str(shutil.copytree(small_lake, tmp_path_factory.mktemp("weekly") / "root")))


def rows(lake: Lake, table: str, without: str = "run_id") -> list[dict[str, object]]:
    found = [{name: value for name, value in row.items() if name != without} for row in lake.read(table).to_pylist()]
    return sorted(found, key=str)


def test_weeks_are_gone_through_in_the_order_of_time() -> None:
    slices = [Slice(Region("b"), ORIGIN + 1), Slice(Region("a"), ORIGIN), Slice(Region("b"), ORIGIN)]
    assert by_week(slices) == [(ORIGIN, [Region("a"), Region("b")]), (ORIGIN + 1, [Region("b")])]


def test_a_week_that_is_trained_twice_is_trained_once_and_the_second_run_says_what_it_kept(lake: Lake) -> None:
    before = rows(lake, "gold/model_versions")
    done = train_weeks(lake, Project.load(lake.path()), [HERE], "again", False, lambda _: None)
    assert done.versions == []
    assert {decision.cause for item, decision in done.decisions if item.region == REGION} == {"none"}
    assert [item for item, decision in done.decisions if decision.reused]
    assert rows(lake, "gold/model_versions") == before


def test_what_is_judged_already_is_not_judged_again_and_the_ladder_stays(lake: Lake) -> None:
    before = rows(lake, "gold/ladder")
    done = judge_weeks(lake, Project.load(lake.path()), [HERE], "again", pytest.fail)
    assert done.events == []
    assert sorted(done.ladder, key=str) == before == rows(lake, "gold/ladder")


def test_an_origin_that_is_scored_twice_has_the_same_forecasts_and_plan_by_another_run(lake: Lake) -> None:
    before = {table: rows(lake, table) for table in ("gold/forecasts", "gold/order_plan")}
    score_block(lake, Project.load(lake.path()), BLOCK, "again")
    assert pc.unique(lake.read("gold/forecasts")["run_id"]).to_pylist() == ["again"]
    assert {table: rows(lake, table) for table in before} == before


def test_a_week_that_has_not_landed_is_not_scored_as_a_week_without_demand(lake: Lake) -> None:
    ahead = SliceBlock((REGION,), ORIGIN + 1, ORIGIN + 2)
    whole = lake.read("gold/demand").num_rows
    forecasts, demand = issued(lake, ahead)
    assert set(forecasts["target_week"].to_pylist()) == {week.monday for week in (ahead.first, ahead.last)}
    lake.replace("gold/demand", SliceBlock((REGION,), ahead.last, ahead.last), demand.slice(0, 0))
    try:
        assert set(issued(lake, ahead)[0]["target_week"].to_pylist()) == {ahead.first.monday}
        score_weeks(lake, ahead)
        value_plans(lake, ahead)
        for table in ("gold/accuracy", "gold/plan_value"):
            assert ahead.last.monday not in lake.read(table)["week"].to_pylist()
            assert ahead.first.monday in lake.read(table)["week"].to_pylist()
    finally:
        lost = demand.filter(pc.equal(demand["week"], ahead.last.monday))
        lake.replace("gold/demand", SliceBlock((REGION,), ahead.last, ahead.last), lost)
    assert lake.read("gold/demand").num_rows == whole


def test_explanations_of_a_block_replace_its_rows(lake: Lake) -> None:
    before = rows(lake, "gold/contributions")
    explained = explain_block(lake, Project.load(lake.path()), BLOCK)
    assert list(explained) == [REGION]
    assert rows(lake, "gold/contributions") == before


def test_accuracy_with_other_weather_is_measured_for_weeks_that_have_landed(lake: Lake) -> None:
    weather_block(lake, Project.load(lake.path()), BLOCK)
    found = lake.read("gold/weather_value").to_pylist()
    assert {row["weather"] for row in found} == {"issued", "realised", "none"}
    assert {row["week"] for row in found} == {ORIGIN.monday}


def test_a_week_without_deliveries_is_watched_and_compared_with_nothing(lake: Lake) -> None:
    told: list[str] = []
    early = Slice(REGION, Week.parse("2017-01-02"))
    assert [drift.verdict for drift in watch(lake, [early], 0.02, told.append).values()] == ["nothing to compare"]
    assert told == [f"{early}: nothing to compare"]


def test_a_lake_without_quarantine_has_nothing_to_correct(tmp_path: Path) -> None:
    assert quarantined(Lake(str(tmp_path))) == []
