"""What serves: the best by validation, whatever target was missed; every row says which step made it and why, with both numbers."""

import io
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from models.evaluation.gate import Gate
from models.evaluation.reliability import scored_rows
from orchestration.cli.app import app
from orchestration.lifecycle.serving import champions_serving, order_at
from orchestration.project import Project
from orchestration.views.board import show_accuracy
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.life_cycle import LADDER
from transforms.lake.tables import Lake
from transforms.records.model_registry import champions

REGION = Region("north_texas")


def run(root: Path, *arguments: str) -> None:
    done = CliRunner().invoke(app, ["run", "--root", str(root), "--local", *arguments])
    assert done.exit_code == 0, done.output


def origin_of(lake: Lake) -> Week:
    return Week(lake.read("gold/forecasts", columns="max(origin_week) as week")["week"][0].as_py())


@pytest.fixture(scope="module")
def strict(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The small lake, its week run anew with a target that no model can reach."""
    root = tmp_path_factory.mktemp("strict") / "root"
    shutil.copytree(small_lake, root)
    path = root / "shelfcast.yaml"
    told = yaml.safe_load(path.read_text())
    told["gate"]["max_mape"] = 0.05
    path.write_text(yaml.safe_dump(told))
    lake = Lake(str(root))
    run(root, "--week", str(origin_of(lake)), "--retrain")
    return lake


def test_models_that_miss_the_target_serve_where_they_are_better_than_the_average_and_are_marked(strict: Lake) -> None:
    lake = strict
    rows = lake.read("gold/forecasts").to_pylist()
    assert {row["rung"] for row in rows} == {"champion"}
    assert {row["is_significant"] for row in rows} == {False}
    for row in rows:
        assert "MAPE 0." in row["rung_reason"]
        assert "the historical average's 0." in row["rung_reason"]
    accuracy = lake.read("gold/accuracy").to_pylist()
    ours, average = (sum(row[name] * (row["n"] - row["n_zero"]) for row in accuracy if row["mape"]) for name in ("mape", "baseline_mape"))
    assert ours < 0.75 * average


def test_the_interval_is_held_against_80_percent_by_one_measure_that_gold_alone_gives(strict: Lake) -> None:
    made, demand = strict.read("gold/forecasts"), strict.read("gold/demand")
    accuracy = strict.read("gold/accuracy").to_pylist()
    inside, covered = (
        sum(row[name] * row["n"] for row in accuracy) / sum(row["n"] for row in accuracy) for name in ("interval_share_80", "coverage_80")
    )
    assert inside == pytest.approx(scored_rows(made, demand)[str(REGION)].interval_share(), abs=1e-6)
    assert abs(inside - 0.8) < 0.1 < covered - 0.75, "weeks without demand count as covered"


def test_a_miss_of_the_target_stands_on_record_and_decides_nothing(strict: Lake) -> None:
    lake = strict
    found = [row for row in champions(lake, [REGION], origin_of(lake)) if row["kind"] == "ensemble"]
    assert len(found) == 4
    assert all(row["reason"].startswith("not significant (MAPE 0.") and "above the limit of 0.050" in row["reason"] for row in found)
    ladder = lake.read("gold/ladder").to_pylist()
    assert {row["is_significant"] for row in ladder} == {False}
    assert {(row["rung"], row["rank"]) for row in ladder} == {("champion", 1), ("baseline", 2)}


def told(lake: Lake, origin: Week) -> str:
    """What a run ends with, in one line."""
    text = io.StringIO()
    show_accuracy(lake, Project.load(lake.path()), SliceBlock((REGION,), origin + 1, origin + 4), origin, Console(file=text, width=200))
    return " ".join(text.getvalue().split())


def test_the_run_says_how_many_rows_each_step_served_and_why(strict: Lake, tmp_path: Path) -> None:
    root, origin = tmp_path / "root", origin_of(strict)
    assert "Made at" not in told(strict, origin), "nothing but champions served"
    shutil.copytree(strict.root, root)
    for artifact in (root / "models" / str(REGION)).iterdir():
        artifact.unlink()
    run(root, "--week", str(origin))
    rows = Lake(str(root)).read("gold/forecasts").num_rows
    assert f"Made at {origin} by: baseline {rows:,} rows." in told(Lake(str(root)), origin)
    assert "is missing in north_texas" in told(Lake(str(root)), origin)


def test_a_champion_worse_than_the_average_gives_way_at_its_origin_and_no_earlier_one(strict: Lake, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(strict.root, root)
    lake = Lake(str(root))
    week, segment = origin_of(lake), ("large", "fast")
    order = order_at(lake, REGION, week)[segment]
    assert order_at(lake, REGION, week + -1) == {}
    rows = lake.read("gold/ladder").to_pylist()
    swapped = [{**row, "rank": 3 - row["rank"], "reason": f"was {row['rank']}"} if (row["format"], row["mover"]) == segment else row for row in rows]
    later = pa.Table.from_pylist([{**row, "week": (week + 1).monday} for row in swapped], schema=LADDER.schema)
    lake.replace(LADDER.name, SliceBlock((REGION,), week + 1, week + 1), later)

    def rungs(at: Week) -> list[str]:
        return [step.rung for step in champions_serving(lake, REGION, at, Gate())[0][segment].steps()]

    assert rungs(week) == ["champion", "baseline"]
    assert rungs(week + 1) == ["baseline", "champion"]
    assert champions_serving(lake, REGION, week + 1, Gate())[0][segment].reason == "historical average: was 2"
    assert order["champion"]["rank"] == 1


def test_a_champion_that_the_ladder_has_not_scored_serves_before_the_historical_average(strict: Lake, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(strict.root, root)
    lake = Lake(str(root))
    week = origin_of(lake)
    nothing = LADDER.schema.empty_table()
    lake.replace(LADDER.name, SliceBlock((REGION,), week, week), nothing)
    ladder = champions_serving(lake, REGION, week, Gate())[0]["large", "fast"]
    assert [step.rung for step in ladder.steps()] == ["champion", "baseline"]
