"""A public benchmark beside its published results: how the ensembles stand against names that everyone knows."""

import base64
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa

from models.leaderboard.orange_juice import load_orange_juice
from models.leaderboard.plot import rounds_plot
from models.leaderboard.run import ENSEMBLE, board, run_rounds
from orchestration.runtime.metadata import markdown_table, rounded, table_spec, written
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.contracts.gold import LEADERBOARD

HOW_CHOSEN = (
    "Features, members and settings were chosen on rounds of the same form, from those that train on weeks 40 to 103, 105, ... 133 and so end "
    "before the first test week (137); members count alike, and the number of trees and the spread are learned in each round on its last eight "
    "training weeks."
)
COLUMNS = ("model", "source", "mape", "mape_best", "mape_worst", "rows", "seeds", "seconds")


class LeaderboardConfig(dg.Config):
    """What a run of the leaderboard can be told."""

    data: str = ""
    """Folder with the orange-juice data; empty: SHELFCAST_LEADERBOARD_DATA."""
    seeds: list[int] = [1, 2, 3, 4, 5]  # noqa: RUF012 - a field of a pydantic model


@dg.multi_asset(
    name="leaderboard",
    specs=[table_spec(LEADERBOARD.name, group_name="monitoring", kinds={"deltalake", "pytorch"}, owners=["team:data-science"], skippable=True)],
    pool="training",
)
def leaderboard(context: dg.AssetExecutionContext, config: LeaderboardConfig, lake: LakeResource) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """The published orange-juice rounds, forecast by the ensemble of production; skipped where the data are not given."""
    folder = config.data or settings().leaderboard_data
    if not folder or not Path(folder).is_dir():
        context.log.warning(
            f"Skipped: the orange-juice data are not at {folder or '(no folder given)'}; set SHELFCAST_LEADERBOARD_DATA to their folder."
        )
        return
    rows = board(run_rounds(load_orange_juice(Path(folder)), config.seeds), context.log.info)
    opened = lake.open()
    opened.overwrite(LEADERBOARD.name, rows, "leaderboard")
    yield dg.MaterializeResult(
        metadata={
            **written(opened, LEADERBOARD.name),
            **rounded(_headline(rows)),
            "results": markdown_table(list(COLUMNS), [[row[name] for name in COLUMNS] for row in standing(rows)]),
            "by_round": markdown_table(["model", "round", "MAPE %"], [(r["model"], r["round"], r["mape"]) for r in rows.to_pylist() if r["round"]]),
            "error_by_round": dg.MetadataValue.md(f"![error by round](data:image/png;base64,{base64.b64encode(rounds_plot(rows)).decode()})"),
            "how_settings_were_chosen": HOW_CHOSEN,
        }
    )


def standing(rows: pa.Table) -> list[dict[str, object]]:
    """The results over all rounds, best first."""
    return sorted((row for row in rows.to_pylist() if row["round"] == 0), key=lambda row: row["mape"])


def _headline(rows: pa.Table) -> dict[str, float | int | None]:
    own = next(row for row in standing(rows) if row["model"] == ENSEMBLE)
    return {"mape_percent": own["mape"], "seconds": own["seconds"]}  # type: ignore[dict-item]
