"""Drift of a slice as the asset page shows it: verdict, ranking of columns, link to its page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from models.drift.lead import RANKING, notes, ranking
from models.drift.page import write_report
from models.drift.score import score_drift
from orchestration.reports.report import report_url
from orchestration.runtime.metadata import Link, markdown_table
from orchestration.settings import settings
from transforms.calendar import Slice, SliceBlock, blocks_of
from transforms.contracts.drift import DRIFT
from transforms.lake.remote.working_copy import push
from transforms.lake.tables import Lake
from transforms.monitoring.drift_columns import drift_frames
from transforms.monitoring.drift_history import DriftHistory

VERDICTS = ["region", "week", "verdict", "drifted", "watched", "USD in the week", "report", "notes"]


@dataclass(frozen=True)
class SliceDrift:
    """A slice's drift: its rows of gold/drift, the ranking as it is shown, and where its page is served."""

    item: Slice
    verdict: str
    scores: pa.Table
    ranking: list[tuple[str, ...]]
    notes: list[str]
    url: str

    @property
    def drifted(self) -> bool:
        """Whether any column drifted."""
        return any(self.scores["drifted"].to_pylist())

    @property
    def row(self) -> tuple[Any, ...]:
        """A row of VERDICTS; money is that of the drifted column whose drift costs most, since columns that move together share their effect."""
        drifted = [row for row in self.scores.to_pylist() if row["drifted"]]
        money = f"{max(row['effect_money'] for row in drifted):+,.0f}" if drifted else ""
        names = ", ".join(row["column"] for row in drifted)
        page = Link("open", self.url) if self.url else ""
        return str(self.item.region), str(self.item.week), self.verdict, names, self.scores.num_rows, money, page, " ".join(self.notes)

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of the slice's page."""
        link = {"report": dg.MetadataValue.url(self.url)} if self.url else {}
        verdict, ranking_table = markdown_table(VERDICTS, [self.row]), markdown_table(list(RANKING), self.ranking)
        return {"verdict": verdict, "ranking": ranking_table, "drifted": int(self.drifted), **link}


def watch(lake: Lake, slices: Sequence[Slice], rate: float, log: Callable[[str], None]) -> dict[Slice, SliceDrift]:
    """Score slices, write their pages and rows of gold/drift; all in one process, since Evidently takes its time to import."""
    found = {}
    for item in slices:
        found[item] = drift_of(lake, item, rate)
        log(f"{item}: {found[item].verdict}")
    scores = pa.concat_tables([drift.scores for drift in found.values()])
    for block in blocks_of(slices):
        lake.replace(DRIFT.name, block, within(scores, block))
    return found


def drift_of(lake: Lake, item: Slice, rate: float) -> SliceDrift:
    """Score a slice and write its page."""
    history = DriftHistory.load(lake, item.region, item.week)
    if history is None:
        return SliceDrift(item, "nothing to compare", DRIFT.schema.empty_table(), [], ["The week has no deliveries."], "")
    result = score_drift(drift_frames(history), rate)
    if not result.judged:
        return SliceDrift(item, "too little history", DRIFT.schema.empty_table(), [], notes(result), "")
    page = write_report(result, lake.path("reports"))
    push(lake, lake.path("reports", page), lake.path("reports", "assets"))
    url = report_url(settings().reports_url, page)
    return SliceDrift(item, "drifted" if result.drifted else "as usual", result.rows(), ranking(result), notes(result), url)


def within(scores: pa.Table, block: SliceBlock) -> pa.Table:
    """The scores of a block's slices."""
    inside = {(str(item.region), item.week.monday) for item in block.slices()}
    return scores.filter(pa.array([(row["region"], row["week"]) in inside for row in scores.select(["region", "week"]).to_pylist()], pa.bool_()))
