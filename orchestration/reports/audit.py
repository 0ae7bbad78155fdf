"""The audit of a lake as a report: is the record intact, what serves and where it comes from, who decided what, which raw files there are."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.project import Project
from orchestration.reports.report import Report, Section
from orchestration.reports.trace import moment
from transforms.contracts.bronze import LANDING_FILES
from transforms.contracts.life_cycle import DATASET_EVENTS, MODEL_EVENTS, MODEL_VERSIONS
from transforms.errors import AuditFailed, ConfigurationError, MissingData
from transforms.lake.hash_chain import combined
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.records.audit import Heads, TableAudit, verify_artifacts, verify_data, verify_seals, verify_tables
from transforms.records.kept_versions import kept as what_is_kept
from transforms.records.model_registry import champions
from transforms.records.releases import Release, releases

_SERVING = """
    with promoted as (
        select * from gold_model_events where event = 'champion' and list_contains($serving, model_version)
        qualify row_number() over (partition by model_version order by event_time desc) = 1
    ),
    released as (
        select * from gold_dataset_events
        qualify row_number() over (partition by region, dataset_version order by event_time desc) = 1
    )
    select v.*, p.actor, p.event_time, r.event as data_event, r.actor as data_actor
    from promoted as p join gold_model_versions as v using (model_version)
    left join released as r on r.region = v.region and r.dataset_version = v.dataset_version
    order by v.region, v.format, v.mover
"""
_DECISIONS = """
    select event_time, 'model' as what, model_version as version, event, actor, reason from gold_model_events
    union all
    select event_time, 'data', dataset_version, event, actor, reason from gold_dataset_events
    order by event_time desc, version limit 500
"""
_FILES = """
    select source, source_file, source_hash, min(registered_at) as arrived, arg_max(status, registered_at) as status,
        arg_max(rows_taken, registered_at) as taken, arg_max(rows_quarantined, registered_at) as quarantined
    from bronze_landing_files group by all order by arrived desc, source, source_file limit 2000
"""

_COMMIT = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{32}")
_RUN_ID = re.compile(r"\b([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclass(frozen=True, slots=True)
class Verification:
    """Findings of the check of the record: tables for a report, findings in words, heads to keep elsewhere."""

    sections: list[Section]
    findings: list[str]
    heads: list[str]

    @property
    def intact(self) -> bool:
        """True when nothing was found."""
        return not self.findings


def verification(lake: Lake, kept: Heads | None = None, every: bool = False) -> Verification:
    """Check the append-only tables, the artifacts and the data versions of a lake."""
    audits = verify_tables(lake, kept)
    artifacts, wrong_artifacts, versions, wrong_data = _of_the_past(lake, every)
    rows: list[list[Any]] = [[a.table, _state(a.findings), a.commits, a.rows, a.head[1][:16] if a.head else "-", _noticed(a)] for a in audits]
    rows.append(["model artifacts", _state(wrong_artifacts), None, artifacts, "-", "SHA-256 of each file"])
    rows.append(
        ["data versions", _state(wrong_data), None, versions, "-", f"content hash of {'every one' if every else 'the latest of each region'}"]
    )
    slices, wrong_slices = verify_seals(lake)
    rows.append(["forecasts and plans", _state(wrong_slices), None, slices, "-", "digest of each slice, as sealed when it was written"])
    findings = [f"{a.table}: {finding}" for a in audits for finding in a.findings] + wrong_artifacts + wrong_data + wrong_slices
    heads = {a.table: a.head for a in audits if a.head}
    note = f"Head of all chains: {combined(heads)}" if heads else ""
    sections = [Section("Record", ["what", "state", "commits", "rows", "head", "note"], rows, note)]
    if findings:
        sections.insert(0, Section("Findings", ["what is not as it was written"], [[finding] for finding in findings]))
    return Verification(sections, findings, [f"{table}@{version}:{link}" for table, (version, link) in heads.items()])


def _project(lake: Lake) -> Project:
    try:
        return Project.of(lake)
    except ConfigurationError:
        # A profile's lake that was just restored elsewhere is that profile's no longer, and has to be looked at all the same.
        return Project.written(lake)


def _of_the_past(lake: Lake, every: bool) -> tuple[int, list[str], int, list[str]]:
    """Artifacts and versions of the data, and what is wrong with them. Of what nothing needs any more maintenance may have removed files."""
    try:
        stays = what_is_kept(lake, datetime.now(UTC) - _project(lake).maintenance.rules.keep_past)
    except (AuditFailed, MissingData, duckdb.Error):
        # What is damaged in the record itself is told of its tables; everything has to be there then.
        return *verify_artifacts(lake), *verify_data(lake, every)
    return *verify_artifacts(lake, stays.let_go), *verify_data(lake, every, stays.datasets)


def audit_report(lake: Lake) -> tuple[Report, Verification]:
    """The audit page of a lake, and what the check found."""
    found = verification(lake)
    tables = (MODEL_EVENTS.name, MODEL_VERSIONS.name, DATASET_EVENTS.name, LANDING_FILES.name)
    latest = last_week(lake)
    champions_now = [row["model_version"] for row in champions(lake, regions(lake), latest)] if latest else []
    with lake.connect(*tables) as connection:
        serving = connection.execute(_SERVING, {"serving": champions_now}).to_arrow_table().to_pylist()
        decisions, files = (connection.execute(sql).to_arrow_table().to_pylist() for sql in (_DECISIONS, _FILES))
    sections = [
        *found.sections,
        Section(
            "Models in service",
            ["model", "MAPE", "hist. avg", "trained", "promoted by", "data version", "data approved by", "commit", "run"],
            [_served(row) for row in serving],
            "The champion of each segment at the last week that has landed. 'shelfcast trace model MODEL' tells the rest, down to the raw files.",
        ),
        Section(
            "Decisions",
            ["when (UTC)", "about", "version", "decision", "who", "why"],
            [[moment(r["event_time"]), r["what"], r["version"], r["event"], r["actor"], r["reason"]] for r in decisions],
            folded=True,
        ),
        Section(
            "Raw files",
            ["arrived", "source", "file", "SHA-256", "status", "rows taken", "in quarantine"],
            [[moment(r["arrived"]), r["source"], r["source_file"], r["source_hash"], r["status"], r["taken"], r["quarantined"]] for r in files],
            "'shelfcast trace file FILE' tells which data versions, models and forecasts used it.",
            folded=True,
        ),
        Section(
            "Releases", ["release", "when", "from", "by", "why", "commit", "training code", "models"], [_released(one) for one in releases(lake)]
        ),
    ]
    lead = (
        "Every change to data and models is on record, and the record is as it was written."
        if found.intact
        else f"The record is not as it was written: {len(found.findings)} findings."
    )
    return Report("Audit", lead, sections), found


def _served(row: dict[str, Any]) -> list[Any]:
    metrics = json.loads(row["metrics"])
    commit = row["source_commit"] or "not recorded"
    return [
        row["model_version"], metrics.get("mape"), metrics.get("baseline_mape"), f"{row['trained_at']:%Y-%m-%d}", _short(row["actor"]),
        row["dataset_version"], _short(row["data_actor"] or "nobody yet"), _COMMIT.sub(r"\1", commit), _short(row["run_id"]),
    ]  # fmt: skip


def _released(one: Release) -> list[Any]:
    commit = _COMMIT.sub(r"\1", one.source_commit)
    return [one.release_id, moment(one.released_at), one.source, one.actor, one.reason, commit, one.code_version, len(json.loads(one.models))]


def _short(text: str) -> str:
    """Run ids by their first eight digits, as the Dagster UI shows them."""
    return _RUN_ID.sub(r"\1", text)


def _state(findings: Sequence[str]) -> str:
    return "broken" if findings else "intact"


def _noticed(audit: TableAudit) -> str:
    notes = []
    if audit.unlinked:
        notes.append(f"{audit.unlinked:,} rows of before there were links")
    if audit.unheaded:
        notes.append(f"{audit.unheaded} latest commits without a head")
    return "; ".join(notes)
