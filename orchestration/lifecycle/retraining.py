"""Decisions whether a model is trained at an origin, and why: new or changed data, code, settings, accuracy, drift, age, or because somebody asks.

What a model was trained on stands beside it in `gold/model_versions` (`inputs`, `code_version`); what is decided goes into `gold/retraining`.
Training itself is `train_region`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from models.ensemble.segments import format_names
from models.evaluation.gate import Gate
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.lifecycle.live_accuracy import failing_weeks
from orchestration.project import Project
from transforms.calendar import Region, Week
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import MOVERS
from transforms.lake.tables import Lake, day
from transforms.records.dataset_versions import Dataset
from transforms.records.fingerprints import training_contract, training_slices
from transforms.records.kept_versions import let_go
from transforms.records.model_registry import latest_trained
from transforms.rows import Segment

ON_DEMAND = "shelfcast/retrain"
"""Run tag that asks for training whatever the need."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of `gold/retraining` without its region and week."""

    format: str
    mover: str
    retrained: bool
    cause: str
    reason: str
    reused: str | None

    @property
    def segment(self) -> Segment:
        """Format and mover."""
        return self.format, self.mover


@dataclass(frozen=True, slots=True)
class Inputs:
    """Fingerprints of what a model is made from."""

    slices: str
    contract: str
    settings: str

    @classmethod
    def of(cls, lake: Lake, region: Region, origin: Week, spec: TrainingSpec) -> "Inputs":
        """The inputs of training at an origin, from the lake as it is (or is pinned)."""
        settings = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()[:16]
        return cls(training_slices(lake, region, origin), training_contract(), settings)

    def dumps(self) -> str:
        """As it stands in `gold/model_versions`."""
        return json.dumps(asdict(self), sort_keys=True)


def plan_region(lake: Lake, project: Project, region: Region, week: Week, dataset: Dataset, on_demand: bool) -> list[Decision]:
    """Decide what is to be trained of a region at `week` on the data version that it may use there."""
    spec = TrainingSpec(**project.training)
    trained = latest_trained(lake, region, week)
    # At an origin of long ago a model is on record that maintenance has let go: it is trained again, as if there were none.
    gone = {row["model_version"] for row in let_go(lake, trained, datetime.now(UTC) - project.maintenance.rules.keep_past)}
    latest = {(row["format"], row["mover"]): row for row in trained if row["model_version"] not in gone}
    pinned, code = lake.at(dataset.delta_versions), code_version(spec)

    @cache
    def inputs_at(origin: Week) -> Inputs:
        return Inputs.of(pinned, region, origin, spec)

    failing = failing_weeks(lake, region, week, Gate(**project.gate.judged))
    drifted = drifted_weeks(lake, region, week) if project.retrain.on_drift else []
    decisions = []
    for segment in ((format_, mover) for format_ in format_names(spec.clusters) for mover in (*MOVERS, "all")):
        # A segment that was left out for want of data is looked at again when the region's other models are trained.
        row = latest.get(segment) or max(latest.values(), key=lambda row: row["trained_week"], default=None)
        if row is None:
            cause, reason = "first", "no model yet"
        elif on_demand:
            cause, reason = "on demand", "asked for"
        else:
            found = causes(row, week, project, code, inputs_at, failing.get(segment, 0), drifted)
            cause, reason = next(found, ("none", _kept(row, week)))
        kept = latest.get(segment)
        decisions.append(Decision(*segment, cause != "none", cause, reason, kept["model_version"] if kept and cause == "none" else None))
    return decisions


def causes(
    row: Mapping[str, Any], week: Week, project: Project, code: str, inputs_at: Callable[[Week], Inputs], failing: int, drifted: Sequence[Week]
) -> Iterator[tuple[str, str]]:
    """Yield what speaks for training at `week`, the weightiest first, as (cause, reason); `row` is the latest version so far."""
    policy, since = project.retrain, Week(row["trained_week"])
    # The rest of a code version tells settings, which are a cause of their own.
    if row["code_version"].split("-")[0] != code.split("-", maxsplit=1)[0]:
        yield "code", f"training code {row['code_version']} became {code}"
    before = Inputs(**json.loads(row["inputs"])) if row["inputs"] else None
    now = inputs_at(since)
    if before is None or (before.settings, before.contract) != (now.settings, now.contract):
        yield "settings", "training settings or the contract of the data changed"
    elif before.slices != now.slices:
        yield "changed data", f"data up to {since} changed since they were trained on"
    age = week - since
    # At the origin that it was trained at, how it fares is no news.
    if not age:
        return
    if age >= policy.every_weeks:
        yield "new data", f"{age} new week{'s' if age > 1 else ''}"
    if policy.accuracy_weeks and failing >= policy.accuracy_weeks:
        yield "accuracy", f"live accuracy fell short of validation in each of the last {failing} weeks"
    if later := [drift for drift in drifted if drift > since]:
        yield "drift", f"data drifted in {', '.join(map(str, later))}"
    if 7 * age > policy.max_age_days:
        yield "age", f"{7 * age} days old, more than {policy.max_age_days}"


def _kept(row: Mapping[str, Any], week: Week) -> str:
    age = week - Week(row["trained_week"])
    return f"trained {age} week{'s' if age > 1 else ''} ago; data, code and settings as they were" if age else "trained at this origin already"


def drifted_weeks(lake: Lake, region: Region, week: Week) -> list[Week]:
    """Weeks of the last year in which any column of the region's data drifted, as far as drift has been scored."""
    with lake.connect(DRIFT.name) as connection:
        rows = connection.execute(
            f"""
            select week from gold_drift where region = '{region}' and week <= {day(week)} and week > {day(week + -52)}
            group by week having bool_or(drifted) order by week
            """
        ).fetchall()
    return [Week(found) for (found,) in rows]
