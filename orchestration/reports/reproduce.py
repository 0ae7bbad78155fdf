"""`shelfcast reproduce`: train a past region and week again from what is on record, and compare by hash."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from models.ensemble.artifacts import load, manifest_of
from models.training.code_version import code_version
from models.training.reproduction import Agreement, compare, retrain, spec_of
from models.training.spec import TrainingSpec
from orchestration.project import Project
from orchestration.provenance import environment, source_commit
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake, day
from transforms.panel.panel import Panel
from transforms.records.kept_versions import let_go
from transforms.records.model_registry import trained_at
from transforms.rows import Segment


@dataclass(frozen=True, slots=True)
class Reproduction:
    """One model of the past, trained again.

    Attributes
    ----------
    outcome
        None when training leaves the segment out now: it has too little history on the recorded data.
    differences
        What is not as it was when the model was trained: code version, libraries, machine.
    """

    model_version: str
    outcome: Agreement | None
    differences: list[str]

    @property
    def identical(self) -> bool:
        """True when parameters and forecasts came out the same."""
        return self.outcome is not None and self.outcome.same_parameters and self.outcome.same_forecasts


def reproduce(lake: Lake, region: Region, week: Week, segment: str | None) -> list[Reproduction]:
    """Train the region's models of origin `week` again, on the recorded Delta versions, with the recorded settings and seed.

    Parameters
    ----------
    segment
        `large-fast`, `small-all`, ...; None for all of the region.
    """
    chosen = _chosen(lake, region, week, segment)
    _refuse_let_go(lake, chosen)
    found: list[Reproduction] = []
    # The models of one training share data and settings, so they are trained again together.
    for (data_versions, spec_text), rows in _together(chosen, lambda row: manifest_of(brought(lake, row["artifact_uri"]), row["sha256"])).items():
        spec = spec_of(json.loads(spec_text))
        panel = replace(Panel.load(lake.at(json.loads(data_versions)), region, week).until(week), sold_out=spec.sold_out)
        again = {(trained.format, trained.mover): trained for trained in retrain(panel, spec, set(rows))}
        for pair, row in rows.items():
            trained, model = again.get(pair), load(brought(lake, row["artifact_uri"]), row["sha256"])
            outcome = compare(panel, spec.horizons, pair, model, trained, _stored(lake, row, week)) if trained else None
            found.append(Reproduction(row["model_version"], outcome, differences(row, spec)))
    return sorted(found, key=lambda one: one.model_version)


def differences(row: Mapping[str, Any], spec: TrainingSpec) -> list[str]:
    """List what is not now as it was when the model on this row of gold/model_versions was trained, with the settings `spec`."""
    code = code_version(spec)
    changed = [] if row["code_version"] == code else [f"training code {row['code_version']} -> {code}"]
    if changed and row["source_commit"] != source_commit():
        changed.append(f"commit {row['source_commit'] or 'not recorded'} -> {source_commit()}")
    if row["environment"] is None:
        return [*changed, "library versions were not recorded with this model"]
    before, now = json.loads(row["environment"]), environment()
    return [
        *changed,
        *(f"{name} {before.get(name, 'none')} -> {now.get(name, 'none')}" for name in sorted({*before, *now}) if before.get(name) != now.get(name)),
    ]


def _chosen(lake: Lake, region: Region, week: Week, segment: str | None) -> list[dict[str, Any]]:
    rows = trained_at(lake, region, week)
    if not rows:
        raise MissingData(f"{region}: no model was trained with origin {week}. 'shelfcast run --week {week}' trains it.")
    names = {f"{row['format']}-{row['mover']}": row for row in rows}
    if segment is not None and segment not in names:
        raise ConfigurationError(f"{region} has no model of segment {segment!r} with origin {week}: expected one of {', '.join(sorted(names))}.")
    return rows if segment is None else [names[segment]]


def _refuse_let_go(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say so where a model was let go; an artifact that is missing otherwise is another matter."""
    rules = Project.of(lake).maintenance
    if gone := next(iter(let_go(lake, rows, datetime.now(UTC) - rules.rules.keep_past)), None):
        raise MissingData(
            f"{gone['model_version']}, trained with origin {gone['trained_week']}, cannot be trained again to the last bit any more: its artifact "
            f"and its data were let go. Maintenance keeps models for maintenance.keep_weeks ({rules.keep_weeks}) of the project file, and "
            "longer those that serve or that a person decided on. 'shelfcast restore' brings back a backup of a time when it was kept; "
            f"'shelfcast run --week {gone['trained_week']} --retrain' trains a new one on the present data."
        )


def _together(rows: Sequence[dict[str, Any]], manifest: Any) -> dict[tuple[str, str], dict[Segment, dict[str, Any]]]:
    groups: dict[tuple[str, str], dict[Segment, dict[str, Any]]] = {}
    for row in rows:
        spec = json.dumps(manifest(row)["about"]["spec"], sort_keys=True)
        groups.setdefault((row["data_versions"], spec), {})[row["format"], row["mover"]] = row
    return groups


def _stored(lake: Lake, row: Mapping[str, Any], week: Week) -> pa.Table | None:
    """The model's forecasts at its own origin as they stand in the lake, where they were made from the data that it was trained on."""
    if not lake.exists("gold/forecasts"):
        return None
    where = f"region = '{row['region']}' and origin_week = {day(week)} and model_version = '{row['model_version']}'"
    rows = lake.read("gold/forecasts", where=where)
    return rows if rows.num_rows and set(rows["dataset_version"].to_pylist()) == {row["dataset_version"]} else None
