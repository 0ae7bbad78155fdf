"""The leaderboard as an asset: runs on data of the benchmark's form, and is skipped, with the reason, where they are absent."""

from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from models.leaderboard.orange_juice import DEMOGRAPHICS, FIRST_WEEK, LAST_WEEK, PUBLISHED, SALES
from orchestration.cli.session import run_leaderboard
from orchestration.defs.experiments import LeaderboardConfig, leaderboard
from orchestration.settings import settings, use_leaderboard_data
from tests.orchestration.lakes import LakeAt
from transforms.errors import MissingData
from transforms.lake.tables import Lake


@pytest.fixture
def small_data(tmp_path: Path) -> Path:
    """Two stores with eleven brands in the files' form; price cuts sell."""
    folder, rng = tmp_path / "orange_juice", np.random.default_rng(3)
    folder.mkdir()
    shape = (2, 11, LAST_WEEK - FIRST_WEEK + 1)
    store, brand, week = (axis.ravel() for axis in np.indices(shape))
    cut = np.broadcast_to(np.where(rng.random(shape[1:]) < 0.3, 0.3, 0.0), shape)
    logmove = 8 + 2 * cut + rng.normal(0, 0.2, shape)
    columns = {"store": store + 2, "brand": brand + 1, "week": week + FIRST_WEEK, "logmove": logmove.ravel(), "deal": (cut > 0).ravel() * 1}
    columns |= {"feat": (cut > 0).ravel() * 1.0} | {f"price{b + 1}": 0.04 * np.exp(-cut[store, b, week]) for b in range(11)}
    pq.write_table(pa.table(columns), folder / SALES)
    pyarrow.csv.write_csv(pa.table({"STORE": [2, 3], "INCOME": [10.0, 11.0]}), folder / DEMOGRAPHICS)
    return folder


def materialize(lake: Path, config: LeaderboardConfig) -> dg.ExecuteInProcessResult:
    resources = {"lake": LakeAt(root=str(lake))}
    return dg.materialize([leaderboard], resources=resources, run_config=dg.RunConfig(ops={"leaderboard": config}))


def test_the_asset_writes_the_board_and_shows_table_plot_and_how_settings_were_chosen(small_data: Path, tmp_path: Path) -> None:
    result = materialize(tmp_path / "lake", LeaderboardConfig(data=str(small_data), seeds=[1]))
    shown = result.asset_materializations_for_node("leaderboard")[0].metadata
    assert {"results", "by_round", "error_by_round", "how_settings_were_chosen", "mape_percent", "seconds"} <= set(shown)
    assert len(shown["error_by_round"].value) < 50_000
    rows = Lake(str(tmp_path / "lake")).read("gold/leaderboard").to_pylist()
    assert {row["model"]: row["mape"] for row in rows if row["source"] == "published"} == PUBLISHED
    own = {row["model"]: row["mape"] for row in rows if row["source"] == "measured" and row["round"] == 0}
    assert own["Shelfcast ensemble"] < own["mean (reproduced)"] < own["naive (reproduced)"]
    assert sum(row["model"] == "Shelfcast ensemble" for row in rows) == 13


def test_the_asset_is_skipped_with_the_reason_where_the_data_are_absent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = materialize(tmp_path / "lake", LeaderboardConfig(data=str(tmp_path / "nowhere")))
    assert result.success
    assert not result.asset_materializations_for_node("leaderboard")
    assert not Lake(str(tmp_path / "lake")).exists("gold/leaderboard")
    assert (
        f"Skipped: the orange-juice data are not at {tmp_path / 'nowhere'}; set SHELFCAST_LEADERBOARD_DATA to their folder." in capfd.readouterr().err
    )


def test_the_command_says_which_folder_it_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setenv("SHELFCAST_LEADERBOARD_DATA", "")
    with pytest.raises(MissingData, match=r"The orange-juice data are not at \(no folder given\): name their folder by --data"):
        run_leaderboard(settings(), use_leaderboard_data(None), True, Console())
    with pytest.raises(MissingData, match=f"are not at {tmp_path / 'x'}: name"):
        run_leaderboard(settings(), use_leaderboard_data(str(tmp_path / "x")), True, Console())
