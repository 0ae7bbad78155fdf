"""Longer horizons and store clusters by the project file alone, through the whole cycle on a small world."""

from collections import Counter

import pytest
from typer.testing import CliRunner

from models.members.settings import Settings
from orchestration.cli.app import app
from orchestration.project import Project
from transforms.adapters import load_provider
from transforms.calendar import Week
from transforms.clusters import Clusters
from transforms.contracts.gold import FORECASTS
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.world import WorldSpec, simulate, write_landing

WORLD = simulate(WorldSpec(regions=1, stores_per_region=12, products=10, weeks=110))
ORIGIN = WORLD.last + -13
FORMATS = ("large-high_income", "large-low_income", "small-high_income", "small-low_income")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("configured")
    settings = Settings(network={"epochs": 5})
    Project(provider="sample", train_weeks=70, horizons=13, clusters=Clusters("income", 2), settings=settings).save(root)
    lake = Lake(str(root))
    write_landing(WORLD, folder(lake, load_provider("sample")))
    result = CliRunner().invoke(app, ["run", "--week", str(ORIGIN), "--root", str(root), "--local"])
    assert result.exit_code == 0, result.output
    return lake


def test_each_cluster_has_its_ensembles_and_its_baseline(lake: Lake) -> None:
    versions = lake.read("gold/model_versions").to_pylist()
    trained = {(row["format"], row["mover"]) for row in versions}
    # The slow products of a cluster of three stores may have too few deliveries for a model: their baseline serves them.
    assert trained >= {(name, mover) for name in FORMATS for mover in ("all", "fast")}
    assert trained <= {(name, mover) for name in FORMATS for mover in ("all", "fast", "slow")}
    assert len(trained) >= 10


def test_every_series_is_forecast_for_each_of_thirteen_weeks(lake: Lake) -> None:
    rows = lake.read("gold/forecasts").to_pylist()
    by_horizon = Counter(row["horizon"] for row in rows)
    assert set(by_horizon) == set(range(1, 14))
    assert len(set(by_horizon.values())) == 1
    assert {Week(row["target_week"]) - Week(row["origin_week"]) - row["horizon"] for row in rows} == {0}
    assert {row["format"] for row in rows} == set(FORMATS) <= set(FORECASTS["format"].allowed)
    assert sum(row["rung"] == "champion" for row in rows) > 0.7 * len(rows)
    assert lake.read("gold/order_plan").num_rows == len(rows)


def test_stores_are_split_by_what_is_known_of_their_place(lake: Lake) -> None:
    with lake.connect("gold/forecasts", "silver/stores") as connection:
        found = connection.execute(
            """
            select f.format, count(distinct f.store_id), min(s.income), max(s.income)
            from gold_forecasts as f join silver_stores as s on s.store_id = f.store_id and s.valid_from is not null group by 1 order by 1
            """
        ).fetchall()
    stores, lowest, highest = ({name: row[at] for name, *row in found} for at in (0, 1, 2))
    for size in ("large", "small"):
        assert highest[f"{size}-low_income"] < lowest[f"{size}-high_income"]
        assert abs(stores[f"{size}-low_income"] - stores[f"{size}-high_income"]) <= 1


def test_long_horizons_are_scored_and_beat_the_historical_average(lake: Lake) -> None:
    rows = lake.read("gold/accuracy").to_pylist()
    assert {row["horizon"] for row in rows} == set(range(1, 14))
    hits = [(row["n"] - row["n_zero"], row["mape"], row["baseline_mape"]) for row in rows if row["horizon"] > 4 and row["mape"] is not None]
    mape, baseline = (sum(n * values[i] for n, *values in hits) / sum(n for n, *_ in hits) for i in (0, 1))
    assert mape < 0.45
    assert mape < 0.75 * baseline
