"""Traces as reports: from a forecast, a model or a version of the data back to raw files, and from a raw file on to what used it."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from models.ensemble.artifacts import manifest_of
from orchestration.project import Project
from orchestration.reports.report import Report, Section, lines
from orchestration.runtime.instance import open_instance
from transforms.adapters import load_provider
from transforms.calendar import Region, Week
from transforms.errors import ArtifactError
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.landing import scan
from transforms.records import trace
from transforms.records.dataset_versions import Dataset
from transforms.records.model_registry import events_of
from transforms.rows import Row

_FILES = ["source", "file", "SHA-256", "arrived", "rows", "weeks", "in landing"]
_DECISIONS = ["when (UTC)", "decision", "who", "why"]


def forecast_report(lake: Lake, region: Region, store: str, product: str, origin: Week, target: Week) -> Report:
    """From one forecast back to everything that it was made from."""
    row = trace.forecast_row(lake, region, store, product, origin, target)
    made_from = row["dataset_version"]
    facts = [
        ["expected", row["expected"]], ["size, if there is demand", row["size"]], ["chance of demand", row["p_demand"]],
        ["10 % / 50 % / 90 %", f"{row['q10']:.1f} / {row['q50']:.1f} / {row['q90']:.1f}"], ["rung of the ladder", row["rung"]],
        ["made in run", run_label(lake, row["run_id"])], ["by model", row["model_version"]], ["from data version", made_from or "not recorded"],
        ["table", f"gold/forecasts, Delta version {lake.version('gold/forecasts')}"],
    ]  # fmt: skip
    sections = [Section("Forecast", ["what", "value"], facts)]
    model = trace.model_row(lake, row["model_version"]) if row["model_version"] != "none" else None
    if model is not None:
        sections += _model(lake, model)
    for version in dict.fromkeys(filter(None, [made_from, model["dataset_version"] if model else None])):
        sections += _data(lake, trace.dataset_of(lake, version))
    if made_from:
        dataset = trace.dataset_of(lake, made_from)
        standing = _standing(lake)
        sections.append(Section("Raw files of this series", _FILES, _files(trace.files_of(lake, dataset, origin, (store, product)), standing)))
        sections.append(Section("Raw files of the region", _FILES, _files(trace.files_of(lake, dataset, origin), standing), folded=True))
    lead = f"Store {store}, product {product} of {region}: made at {origin} for the week of {target}."
    return Report("Where this forecast comes from", lead, sections)


def model_report(lake: Lake, version: str) -> Report:
    """From a model back to code, data and raw files, and on to its forecasts."""
    model = trace.model_row(lake, version)
    sections = _model(lake, model)
    if model["dataset_version"]:
        dataset = trace.dataset_of(lake, model["dataset_version"])
        files = _files(trace.files_of(lake, dataset, Week(model["trained_week"])), _standing(lake))
        sections += [*_data(lake, dataset), Section("Raw files that it learned from", _FILES, files, folded=True)]
    sections.append(_forecasts(lake, trace.forecasts_by(lake, [model["model_version"]])))
    return Report(f"Model {model['model_version']}", "What it was made from, who let it forecast, and what it forecast.", sections)


def dataset_report(lake: Lake, version: str) -> Report:
    """From a version of the data back to raw files, and on to models and forecasts."""
    dataset = trace.dataset_of(lake, version)
    models = trace.models_on(lake, [version])
    sections = [
        *_data(lake, dataset),
        Section("Raw files", _FILES, _files(trace.files_of(lake, dataset, dataset.last_week), _standing(lake)), folded=True),
        _models(models),
        _forecasts(lake, trace.forecasts_by(lake, [row["model_version"] for row in models], [version])),
    ]
    return Report(f"Data version {version}", "What it holds, who approved it, which files it comes from, and what was made from it.", sections)


def file_report(lake: Lake, name: str) -> Report:
    """From a raw file on to the versions of the data, models and forecasts that used it."""
    records, standing = trace.files_named(lake, name), _standing(lake)
    versions = {(row["source"], row["source_file"], row["source_hash"]): row for row in records}
    seen = [_seen(row, standing) for row in records]
    used = [(key, *item) for key in versions for item in trace.datasets_with(lake, key[0], key[2])]
    datasets = [
        [source, digest[:16], d.version, str(d.region), rows, first, moment(d.recorded_at), d.status] for (source, _, digest), d, rows, first in used
    ]
    # Where several versions of the file or sources went into the same data, the earliest of their weeks counts.
    begins: dict[str, Any] = {}
    for _, dataset, _, first in used:
        known = begins.get(dataset.version, first)
        begins[dataset.version] = None if first is None or known is None else min(first, known)
    models = trace.models_on(lake, begins, begins)
    columns = ["source", "file", "SHA-256", "looked at", "status", "rows taken", "in quarantine", "in landing", "noticed"]
    sections = [
        Section("Versions of the file", columns, seen),
        Section(
            "Versions of the data that hold it", ["source", "SHA-256", "data version", "region", "rows", "first week", "recorded", "status"], datasets
        ),
        _models(models),
        _forecasts(lake, trace.forecasts_by(lake, [row["model_version"] for row in models])),
    ]
    return Report(f"What used {records[0]['source_file']}", "Every version of the file on record, and what its rows went into.", sections)


def run_label(lake: Lake, run_id: str | None) -> str:
    """A run with its job, start and outcome, as far as the run history knows it."""
    if run_id is None:
        return "not recorded"
    if not lake.path("dagster").is_dir():
        return f"{run_id} (local, no run history)"
    with open_instance(lake.path(), local=False) as instance:
        record = instance.get_run_record_by_id(run_id)
    if record is None:
        return f"{run_id} (not in the run history)"
    run: dg.DagsterRun = record.dagster_run
    return f"{run_id} ({run.job_name}, {record.create_timestamp:%Y-%m-%d %H:%M} UTC, {run.status.value.lower()})"


def moment(when: datetime | None) -> str:
    """A time as reports show it."""
    return f"{when:%Y-%m-%d %H:%M:%S}" if when else "-"


def _model(lake: Lake, row: Row) -> list[Section]:
    environment = json.loads(row["environment"]) if row["environment"] else {}
    facts = [
        ["version", row["model_version"]], ["segment", f"{row['region']}, {row['format']}, {row['mover']}"],
        ["trained with origin", str(row["trained_week"])],
        ["trained at", moment(row["trained_at"])], ["run", run_label(lake, row["run_id"])], ["code commit", row["source_commit"] or "not recorded"],
        ["version of the training code", row["code_version"]], ["libraries", lines(f"{name} {version}" for name, version in environment.items())],
        ["data version", row["dataset_version"] or "not recorded"],
        ["Delta versions", lines(f"{table}@{version}" for table, version in json.loads(row["data_versions"]).items())],
        ["artifact", row["artifact_uri"]], ["SHA-256", row["sha256"]], ["artifact now", _artifact(lake, row)],
    ]  # fmt: skip
    events = [
        [moment(e["event_time"]), e["event"], e["actor"], e["reason"], str(e["effective_week"]), e["replaces"]]
        for e in events_of(lake, row["model_version"])
    ]
    return [
        Section("Model", ["what", "value"], facts),
        Section("Decisions on the model", [*_DECISIONS, "holds from", "replacing"], events),
    ]


def _artifact(lake: Lake, row: Row) -> str:
    try:
        manifest_of(brought(lake, row["artifact_uri"]), row["sha256"])
    except ArtifactError as error:
        return str(error)
    return "intact"


def _data(lake: Lake, dataset: Dataset) -> list[Section]:
    facts: list[list[Any]] = [
        ["version", dataset.version], ["recorded", moment(dataset.recorded_at)], ["last week", str(dataset.last_week)],
        ["rows of demand", dataset.rows],
        ["Delta versions", lines(f"{table}@{version}" for table, version in dataset.delta_versions.items())],
        ["checks", lines(f"{check.name} {'passed' if check.passed else 'FAILED'}" for check in dataset.checks)],
    ]  # fmt: skip
    events = [[moment(e["event_time"]), e["event"], e["actor"], e["reason"]] for e in trace.decisions_on_data(lake, dataset.version)]
    return [
        Section(f"Data version {dataset.version}", ["what", "value"], facts),
        Section(f"Decisions on data version {dataset.version}", _DECISIONS, events),
    ]


def _models(rows: Sequence[Row]) -> Section:
    cells = [
        [r["model_version"], r["kind"], str(r["trained_week"]), r["dataset_version"], (r["source_commit"] or "not recorded")[:12], r["run_id"]]
        for r in rows
    ]
    return Section("Models that learned from it", ["model", "kind", "origin", "data version", "commit", "run"], cells, folded=True)


def _forecasts(lake: Lake, rows: Sequence[Row]) -> Section:
    cells = [
        [r["region"], str(r["origin_week"]), r["model_version"], r["dataset_version"], r["rung"], r["run_id"] or "not recorded", r["forecasts"]]
        for r in rows
    ]
    total = sum(row["forecasts"] for row in rows)
    columns = ["region", "origin", "model", "data version", "rung", "run", "forecasts"]
    return Section("Forecasts", columns, cells, f"{total:,} rows of gold/forecasts at Delta version {lake.version('gold/forecasts')}.", folded=True)


def _files(rows: Iterable[Row], standing: dict[tuple[str, str], str]) -> list[list[Any]]:
    return [
        [r["source"], r["source_file"], r["source_hash"], moment(r["arrived_at"]), r["rows"],
         f"{r['first_week']}..{r['last_week']}" if r["first_week"] else "all", _stands(r, standing)]
        for r in rows
    ]  # fmt: skip


def _seen(row: Row, standing: dict[tuple[str, str], str]) -> list[Any]:
    found = [row["source"], row["source_file"], row["source_hash"][:16], moment(row["registered_at"]), row["status"]]
    return [*found, row["rows_taken"], row["rows_quarantined"], _stands(row, standing), row["message"] or ""]


def _standing(lake: Lake) -> dict[tuple[str, str], str]:
    """Content hash of each file that stands in landing now, by source and name."""
    project = Project.of(lake)
    return {(file.source, file.name): file.digest for file in scan(lake, load_provider(project.provider, base=lake.path()))}


def _stands(row: Row, standing: dict[tuple[str, str], str]) -> str:
    found = standing.get((row["source"], row["source_file"]))
    return "gone" if found is None else "intact" if found == row["source_hash"] else "another version"
