"""The order of the failover ladder at an origin: every step of each segment scored on the same held-back rows, and kept in `gold/ladder`.

The order holds from its origin on, as decisions on models do, so that a backfill finds the one of that time. What scores the steps is
`orchestration.lifecycle.holdout`, the rule is `models.evaluation.ladder`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from models.evaluation.gate import Gate, judge
from models.evaluation.ladder import in_order
from orchestration.lifecycle.holdout import HeldBack
from orchestration.lifecycle.serving import steps_at
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import rungs
from transforms.contracts.life_cycle import LADDER
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import usable
from transforms.rows import Row, Segment


def rank_steps(lake: Lake, project: Project, regions: Sequence[Region], week: Week) -> pa.Table:
    """Score the steps that may serve at an origin, put their order into `gold/ladder`, and return its rows."""
    task = RankTask(lake.root, lake.storage_options, project, week)
    ranked = pa.concat_tables([LADDER.schema.empty_table(), *(rows for _, rows in map_regions(task, regions, settings().workers))])
    lake.replace(LADDER.name, SliceBlock(tuple(regions), week, week), ranked)
    return ranked


@dataclass(frozen=True)
class RankTask:
    """Order the steps of one region."""

    root: str
    storage_options: Mapping[str, str]
    project: Project
    week: Week

    def __call__(self, region: Region) -> pa.Table:
        """Return rows of gold/ladder; none for segments in which the historical average is alone."""
        lake = Lake(self.root, dict(self.storage_options))
        steps, averages = steps_at(lake, region, self.week)
        rows = list(self._ranked(lake, region, steps, averages)) if steps else []
        return pa.Table.from_pylist(rows, schema=LADDER.schema)

    def _ranked(self, lake: Lake, region: Region, steps: Mapping[Segment, Mapping[str, Row]], averages: Mapping[str, Row]) -> Iterator[Row]:
        pinned = lake.at(usable(lake, region, self.week, self.project.history).delta_versions)
        evidence, gate = HeldBack.load(pinned, region, self.week, self.project), Gate(**self.project.gate.judged)
        # A tie changes nothing, and neither does what training the same recipe a week later changes by chance.
        margins = {rungs.PREVIOUS: gate.max_regression["mape"]}
        for (format_, mover), versions in sorted(steps.items()):
            held_back, plain = evidence.rows_of(format_, mover), evidence.plain_average(format_, mover)
            average = averages.get(format_, {"model_version": "none"})
            scored = [evidence.step(lake, rung, row) for rung, row in versions.items()]
            scored.append(evidence.average_step(format_, mover, average["model_version"]))
            for place in in_order(scored, held_back, gate.confidence, margins, self.project.seed):
                significant = None if place.mape is None else judge({"mape": place.mape, "baseline_mape": plain}, gate).passed
                yield {
                    "region": str(region),
                    "week": self.week.monday,
                    "format": format_,
                    "mover": mover,
                    "rung": place.rung,
                    "rank": place.rank,
                    "model_version": place.version,
                    "n": int((held_back.demand > 0).sum()),
                    "mape": place.mape,
                    "is_significant": significant,
                    "reason": place.reason,
                }
