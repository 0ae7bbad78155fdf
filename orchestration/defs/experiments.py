"""Experiments that never serve: the public benchmark beside its published results, and each promoted notebook's member beside the champions.

Tuning and the tracker are commands: see `orchestration.experiments`.
"""

import base64
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pyarrow as pa

import models.promoted as promoted_package
from models.ensemble.ensemble import members_named
from models.leaderboard.orange_juice import load_orange_juice
from models.leaderboard.plot import rounds_plot
from models.leaderboard.run import ENSEMBLE, board, run_rounds
from orchestration.defs.datasets import VERSIONS
from orchestration.runtime.metadata import markdown_table, picture, rounded, table_spec, written
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.calendar import Slice
from transforms.contracts.gold import LEADERBOARD

HOW_CHOSEN = (
    "Features, members and settings were chosen on rounds of the same form, from those that train on weeks 40 to 103, 105, ... 133 and so end "
    "before the first test week (137); members count alike, and the number of trees and the spread are learned in each round on its last eight "
    "training weeks."
)
COLUMNS = ("model", "source", "mape", "mape_best", "mape_worst", "rows", "seeds", "seconds")


class LeaderboardConfig(dg.Config):
    """Configuration of a run of the leaderboard."""

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


_METRICS = ("mape", "champion_mape", "baseline_mape", "rmse_all", "baseline_rmse_all")


def _promoted_names() -> list[str]:
    """The modules of `models.promoted`, by name alone: algorithms are imported where they are used."""
    return [found.name for found in pkgutil.iter_modules(promoted_package.__path__)]


@dataclass(frozen=True, slots=True)
class Tried:
    """A member alone on a slice: its metrics beside the champion's and the average's, and how its forecasts look."""

    item: Slice
    metrics: Mapping[str, float | int]
    png: bytes


def try_member(root: str, name: str, slices: Sequence[Slice], run_id: str, warn: Callable[[str], None]) -> list[Tried]:
    """Try a promoted member on each slice as a notebook does, and log it; a slice with too little history is named and left out."""
    from orchestration.notebook import Session, TooLittleHistory  # noqa: PLC0415 - 1 s: pandas, which the code location does not need

    tried = []
    for item in slices:
        session = Session.open(str(item.region), str(item.week), root=root)
        try:
            trial = session.try_members(*members_named([name]))
        except TooLittleHistory as error:
            # A region that has just joined is no reason to leave the others out.
            warn(str(error))
            continue
        run = session.log(f"trials/{name}", {}, trial, notes=f"run {run_id}", kind="asset")
        tried.append(Tried(item, run.metrics, session.plot(trial, name).png))
    return tried


def trial_asset(name: str) -> dg.AssetsDefinition:
    """The asset `trials/<name>`."""

    @dg.multi_asset(
        name=f"trial_{name}",
        specs=[
            dg.AssetSpec(
                key=dg.AssetKey(["trials", name]),
                description=f"The member '{name}' alone, trained at this week and scored on the weeks held back; on record in gold/experiments.",
                group_name="trials",
                deps=[VERSIONS],
                kinds={"python", "deltalake"},
                owners=["team:data-science"],
            )
        ],
        partitions_def=REGION_WEEK,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="training",
    )
    def trial(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Try the member on each slice as a notebook does, and log it."""
        tried = try_member(lake.open().root, name, slices_of(context), context.run_id, context.log.warning)
        rows = [(str(one.item.region), str(one.item.week), *(one.metrics.get(metric) for metric in _METRICS)) for one in tried]
        mapes = [one.metrics["mape"] for one in tried]
        pictures = {"last": picture(f"{tried[-1].item.region} {tried[-1].item.week}", tried[-1].png)} if tried else {}
        columns = ["region", "origin", "MAPE", "champion", "historical average", "RMSE all", "of the average"]
        mean = rounded({"mean_mape": sum(mapes) / len(mapes) if mapes else None})
        return dg.MaterializeResult(metadata={"slices": len(rows), **mean, "trials": markdown_table(columns, rows), **pictures})

    return trial


TRIALS = [trial_asset(name) for name in _promoted_names()]


def definitions() -> dg.Definitions:
    """The leaderboard, and a trial for each promoted notebook."""
    return dg.Definitions(assets=[leaderboard, *TRIALS])
