"""Validation end to end of what was trained at an origin: data, training and scoring checks, and the comparison with historical average and champion.

Both models of a comparison score the same rows of the challenger's held-back weeks, which neither has learned from (at most its penalties and weights
were chosen there): the challenger, and a champion trained since, as they were before their refit on those weeks; an older champion as it serves.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from models.evaluation.gate import Gate, scored_check, significance_check
from orchestration.lifecycle.holdout import HeldBack
from orchestration.lifecycle.serving import load_version
from orchestration.project import Project
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Week
from transforms.errors import ArtifactError
from transforms.lake.tables import Lake
from transforms.records.data_checks import Check
from transforms.records.dataset_versions import log
from transforms.records.model_registry import CHAMPION, POOLED, REJECTED, RETIRED, WAITING, ModelEvent, champions, waiting
from transforms.rows import RegionSegment


def validate(
    lake: Lake, project: Project, regions: Sequence[Region], week: Week, actor: str, candidates: Sequence[Mapping[str, Any]] | None = None
) -> list[ModelEvent]:
    """Decide on every version that was trained at `week` and waits: the events, to be put on record by the caller.

    Parameters
    ----------
    candidates
        Rows of gold/model_versions that are judged instead, before they are on record: their artifacts and data versions are the lake's already.
    """
    task = ValidateTask(lake.root, lake.storage_options, project, week, None if candidates is None else tuple(candidates))
    champion, events = serving(lake, [*regions, POOLED], week), []
    for _, judged in sorted(map_regions(task, [*regions, POOLED], settings().workers), key=lambda item: item[0]):
        for row, checks in judged:
            events += _decision(project, row, checks, champion.get((row["region"], row["format"], row["mover"])), week, actor)
    return events


@dataclass(frozen=True)
class ValidateTask:
    """Check what waits in one region."""

    root: str
    storage_options: Mapping[str, str]
    project: Project
    week: Week
    candidates: tuple[Mapping[str, Any], ...] | None = None

    def __call__(self, region: Region) -> list[tuple[dict[str, Any], list[Check]]]:
        """Each version that waits with its checks."""
        lake = Lake(self.root, dict(self.storage_options))
        rows = sorted(self._waiting(lake, region), key=lambda row: row["data_versions"])
        if region == POOLED:
            return [(row, [_loads(lake, row), self._significance(row), scored_check(json.loads(row["metrics"]))]) for row in rows]
        standing = serving(lake, [region], self.week)
        judged = []
        for pins, group in groupby(rows, key=lambda row: row["data_versions"]):
            judged += self._judged(lake, lake.at(json.loads(pins)), region, list(group), standing)
        return judged

    def _waiting(self, lake: Lake, region: Region) -> list[dict[str, Any]]:
        if self.candidates is None:
            return waiting(lake, region, self.week)
        return [dict(row) for row in self.candidates if row["region"] == str(region)]

    def _judged(
        self, lake: Lake, pinned: Lake, region: Region, rows: list[dict[str, Any]], standing: Mapping[RegionSegment, dict[str, Any]]
    ) -> list[tuple[dict[str, Any], list[Check]]]:
        approved = {dataset.version: dataset for dataset in log(lake, [region])}
        evidence = HeldBack.load(pinned, region, self.week, self.project)
        judged = []
        for row in rows:
            dataset = approved.get(row["dataset_version"])
            status = dataset.status if dataset else "not on record"
            checks = [Check("data", status == "approved", float(status != "approved"), 0, f"data version {row['dataset_version']} is {status}")]
            if row["kind"] == "ensemble":
                champion = standing.get((row["region"], row["format"], row["mover"]))
                checks += [*evidence.checks(lake, row), self._significance(row)]
                # What cannot be scored cannot be compared.
                if not failed(checks):
                    checks += [evidence.against_average(lake, row), *evidence.against(lake, row, champion)]
            judged.append((row, checks))
        return judged

    def _significance(self, row: Mapping[str, Any]) -> Check:
        return significance_check(json.loads(row["metrics"]), Gate(**self.project.gate.judged))


def _loads(lake: Lake, row: Mapping[str, Any]) -> Check:
    """The pooled models have no rows of their own to score: their artifacts have to be whole."""
    try:
        load_version(lake, row)
    except ArtifactError as error:
        return Check("artifact", False, 1, 0, str(error))
    return Check("artifact", True, 0, 0, "whole and verified")


def _decision(
    project: Project, row: Mapping[str, Any], checks: list[Check], champion: Mapping[str, Any] | None, week: Week, actor: str
) -> list[ModelEvent]:
    numbers = json.dumps([asdict(check) for check in checks])
    if wrong := failed(checks):
        reason = "; ".join(f"{check.name}: {check.detail}" for check in wrong)
        return [event(row, REJECTED, week, actor, reason, numbers=numbers)]
    significance = next((check for check in checks if not check.decides), None)
    reason = "historical averages are compared with nothing" if significance is None else significance.detail
    if significance is not None and not significance.passed:
        reason = f"not significant ({reason}), and no worse than what serves"
    if project.promotion == "manual" and row["kind"] == "ensemble":
        hint = f"waits for a person: shelfcast models approve {row['model_version']} --by <name> --why <reason>"
        return [event(row, WAITING, week, actor, f"passed ({reason}); {hint}", numbers=numbers)]
    return promotion(row, champion, week, actor, reason, numbers)


def failed(checks: Sequence[Check]) -> list[Check]:
    """The checks that speak against a promotion."""
    return [check for check in checks if check.decides and not check.passed]


def promotion(
    row: Mapping[str, Any], champion: Mapping[str, Any] | None, week: Week, actor: str, reason: str, numbers: str | None = None
) -> list[ModelEvent]:
    """Events that make a version champion of its segment from `week` on, and retire the one that was it until then."""
    replaced = champion if champion is not None and champion["model_version"] != row["model_version"] else None
    events = [event(row, CHAMPION, week, actor, reason, replaced["model_version"] if replaced else None, numbers)]
    if replaced is not None:
        events.append(event(replaced, RETIRED, week, actor, f"replaced by {row['model_version']}"))
    return events


def serving(lake: Lake, regions: Sequence[Region], week: Week) -> dict[RegionSegment, dict[str, Any]]:
    """The champion of each region, format and mover at an origin."""
    return {(row["region"], row["format"], row["mover"]): row for row in champions(lake, regions, week)}


def event(
    row: Mapping[str, Any], name: str, week: Week, actor: str, reason: str, replaces: str | None = None, numbers: str | None = None
) -> ModelEvent:
    """A decision on a version, now."""
    return ModelEvent(
        model_version=row["model_version"],
        region=row["region"],
        format=row["format"],
        mover=row["mover"],
        event_time=datetime.now(UTC),
        effective_week=week.monday,
        event=name,
        actor=actor,
        reason=reason,
        replaces=replaces,
        numbers=numbers,
    )
