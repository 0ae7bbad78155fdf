"""Explain forecasts that stand in the lake: with the data version and the models that made them. Knows nothing of Dagster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from models.ensemble.artifacts import load
from models.serving.contributions import contributions
from orchestration.lifecycle.serving import panel_at
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, SliceBlock, Week, weeks_between
from transforms.contracts.gold import CONTRIBUTIONS, FORECASTS
from transforms.errors import MissingData
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake, block_predicate
from transforms.panel.panel import SoldOutWeeks
from transforms.records.dataset_versions import log
from transforms.records.model_registry import versions_named


@dataclass(frozen=True)
class ExplainTask:
    """Explain the `share` of a region's forecasts with the largest expected demand, at each of `weeks`."""

    root: str
    storage_options: Mapping[str, str]
    weeks: Sequence[Week]
    share: float
    sold_out: SoldOutWeeks

    def __call__(self, region: Region) -> pa.Table:
        """Return rows of gold/contributions."""
        lake = Lake(self.root, dict(self.storage_options))
        tables = [CONTRIBUTIONS.schema.empty_table()]
        for week in self.weeks:
            rows = lake.read(FORECASTS.name, where=block_predicate("origin_week", SliceBlock((region,), week, week)))
            order = [("expected", "descending"), *((name, "ascending") for name in FORECASTS.key)]
            tables.append(explained(lake, region, week, rows.sort_by(order).slice(0, round(self.share * rows.num_rows)), self.sold_out))
        return pa.concat_tables(tables)


def explain_block(lake: Lake, project: Project, block: SliceBlock) -> dict[Region, pa.Table]:
    """Explain a block of origins, replace its rows of gold/contributions, and return them by region."""
    weeks = list(weeks_between(block.first, block.last))
    task = ExplainTask(lake.root, lake.storage_options, weeks, project.explain_share, project.sold_out)
    rows = dict(map_regions(task, block.regions, settings().workers))
    lake.replace(CONTRIBUTIONS.name, block, pa.concat_tables(list(rows.values())))
    return rows


def explained(lake: Lake, region: Region, origin: Week, forecasts: pa.Table, sold_out: SoldOutWeeks) -> pa.Table:
    """Rows of gold/contributions for rows of gold/forecasts of one region and origin; `sold_out` as the project says.

    Raises
    ------
    MissingData
        If what made the forecasts is not there any more.
    """
    tables = [CONTRIBUTIONS.schema.empty_table()]
    for version in pc.unique(forecasts["dataset_version"]).to_pylist():
        rows = forecasts.filter(pc.equal(forecasts["dataset_version"], version))
        known = [dataset for dataset in log(lake, [region]) if dataset.version == version]
        if not known:
            raise MissingData(
                f"{region}: data version {version}, from which forecasts of {origin} were made, is not on record: run the origin again."
            )
        panel = panel_at(lake.at(known[-1].delta_versions), region, origin, sold_out)
        records = versions_named(lake, pc.unique(rows["model_version"]).to_pylist())
        models = {row["model_version"]: load(brought(lake, row["artifact_uri"]), row["sha256"]) for row in records}
        tables.append(contributions(panel, rows, models))
    return pa.concat_tables(tables)
