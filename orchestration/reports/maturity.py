"""`shelfcast maturity`: the MLOps maturity level of a lake, from what it holds, its run history and its CI configuration.

Levels: 0 no MLOps, 1 DevOps, 2 automated training, 3 automated deployment, 4 automated operations (the scale of the MLOps maturity model that Azure's
architecture guide describes). A level counts when each of its criteria, and of those below, is met by evidence; a criterion that is not met says the
next step. Nothing here is configured: each function looks.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.reports.report import Report, Section
from orchestration.runtime.instance import open_instance
from orchestration.settings import CHECKOUT
from transforms.contracts.gold import STALE_DAYS
from transforms.contracts.operations import MATURITY
from transforms.lake.backup_log import backups_made
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.records.audit import verify_tables
from transforms.records.pipeline_steps import WEEKLY_CYCLE

LEVELS = ("no MLOps", "DevOps", "automated training", "automated deployment", "automated operations")
_CI = (".ci/run", ".github/workflows/*.yml", ".github/workflows/*.yaml", ".gitlab-ci.yml", "azure-pipelines.yml", "Jenkinsfile")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Answer to whether a criterion is met: what was found and where, or what to do next."""

    met: bool
    what: str
    where: str = ""


@dataclass(frozen=True)
class EvidenceSources:
    """Sources of evidence: the lake, its run history and the CI configuration of the checkout."""

    lake: Lake
    checkout: Path = CHECKOUT

    @cached_property
    def runs(self) -> list[dict[str, Any]]:
        """Successful runs of the run history: id, job, tags."""
        if not self.lake.path("dagster").is_dir():
            return []
        with open_instance(self.lake.path(), local=False) as instance:
            found = instance.get_runs(limit=5000)
            return [{"id": run.run_id, "job": run.job_name, "tags": run.tags} for run in found if run.is_success]

    def rows(self, sql: str, *tables: str) -> list[dict[str, Any]]:
        """Rows of a query over tables of the lake; none where one of them does not exist yet."""
        if not all(self.lake.exists(table) for table in tables):
            return []
        with self.lake.connect(*tables) as connection:
            found: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
        return found

    def ci(self, pattern: str) -> str:
        """First line of the CI configuration that matches, as `file:line`; empty if none does."""
        for path in (path for name in _CI for path in sorted(self.checkout.glob(name))):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(pattern, line) and not line.lstrip().startswith("#"):
                    return f"{path.relative_to(self.checkout)}:{number}"
        return ""


def code_is_versioned(sources: EvidenceSources) -> Evidence:
    """The newest models name the commit that trained them."""
    rows = sources.rows("select source_commit from gold_model_versions order by trained_at desc limit 1", "gold/model_versions")
    commit = rows[0]["source_commit"] or "not recorded" if rows else "none trained yet"
    if _COMMIT.fullmatch(commit):
        return Evidence(True, f"newest model was trained by commit {commit[:12]}", "gold/model_versions, source_commit")
    return Evidence(False, f"Train from a clean checkout (commit of the newest model: {commit}): commit, then 'shelfcast run --week WEEK'.")


def ci_tests(sources: EvidenceSources) -> Evidence:
    """CI runs the tests."""
    return _in_ci(sources, r"\bmake test\b|\bpytest\b", "tests", "Let CI run 'make test'.")


def ci_lints(sources: EvidenceSources) -> Evidence:
    """CI checks style, types and layers."""
    return _in_ci(sources, r"\bmake lint\b|\bruff\b", "style, types and layers", "Let CI run 'make lint'.")


def raw_data_are_on_record(sources: EvidenceSources) -> Evidence:
    """Each raw file is known by its hash."""
    rows = sources.rows("select count(distinct source_hash) as n from bronze_landing_files", "bronze/landing_files")
    count = rows[0]["n"] if rows else 0
    return (
        Evidence(count > 0, f"{count:,} raw files on record by SHA-256", "bronze/landing_files")
        if count
        else Evidence(False, "Take in data: shelfcast init.")
    )


def data_are_checked(sources: EvidenceSources) -> Evidence:
    """Each version of the data went through checks."""
    rows = sources.rows(
        "select count(*) as n, count(*) filter (where len(checks) > 2) as checked from gold_dataset_versions", "gold/dataset_versions"
    )
    if rows and rows[0]["n"] == rows[0]["checked"] > 0:
        return Evidence(True, f"{rows[0]['n']:,} data versions, each with its checks", "gold/dataset_versions, checks")
    return Evidence(False, "Condition the data with their checks: 'shelfcast run --week WEEK' records a checked version of each region.")


def training_is_a_pipeline(sources: EvidenceSources) -> Evidence:
    """Models come out of runs of the orchestrator."""
    ids = {row["run_id"] for row in sources.rows("select distinct run_id from gold_model_versions", "gold/model_versions")}
    found = [run for run in sources.runs if run["id"] in ids]
    if found:
        return Evidence(
            True, f"{len(found)} successful runs of the run history trained models, last {found[0]['id'][:8]}", f"/runs/{found[0]['id']} in the UI"
        )
    return Evidence(False, "Train in runs that the history keeps: 'shelfcast run --week WEEK' without --local.")


def models_are_registered(sources: EvidenceSources) -> Evidence:
    """Each model is on record with metrics, data versions, code version, environment and an artifact that is there."""
    rows = sources.rows("select * from gold_model_versions", "gold/model_versions")
    if not rows:
        return Evidence(False, "Train models: 'shelfcast run --week WEEK' puts each on record.")
    without = {row["model_version"]: lacking for row in rows if (lacking := _lacking(row))}
    lost = [row["model_version"] for row in rows if not brought(sources.lake, row["artifact_uri"]).is_file()]
    if not without and not lost:
        return Evidence(True, f"{len(rows):,} models with metrics, data, code, libraries and artifact", "gold/model_versions")
    steps = []
    if without:
        first, lacking = next(iter(without.items()))
        steps.append(
            f"{len(without)} of {len(rows)} models are on record without all that reproducing them takes, first {first}: {', '.join(lacking)}."
        )
    if lost:
        steps.append(f"{len(lost)} of {len(rows)} models have lost their artifacts, first {lost[0]}: bring them back by 'shelfcast restore'.")
    return Evidence(False, " ".join(steps))


def data_are_released(sources: EvidenceSources) -> Evidence:
    """Every model learned from data that had been approved."""
    models = sources.rows("select * from gold_model_versions order by trained_at", "gold/model_versions")
    approved = {
        row["dataset_version"]
        for row in sources.rows("select dataset_version from gold_dataset_events where event = 'approved'", "gold/dataset_events")
    }
    if not models:
        return Evidence(False, "Train models on approved data versions: 'shelfcast run --week WEEK' trains on no others.")
    others = [row for row in models if not _datasets(row) or not _datasets(row) <= approved]
    if not others:
        return Evidence(True, f"all {len(models):,} models learned from approved data", "gold/dataset_events")
    of = ", ".join(sorted(_datasets(others[0]) - approved)) or "data that are not on record"
    return Evidence(
        False,
        f"{len(others)} of {len(models)} models learned from data that nobody approved, first {others[0]['model_version']} from {of}: "
        "look at it with 'shelfcast data diff', release it with 'shelfcast data approve'.",
    )


def ci_trains(sources: EvidenceSources) -> Evidence:
    """CI trains, forecasts and scores from raw files on."""
    pattern = r"\bmake demo\b|shelfcast (demo|run|backfill)\b"
    return _in_ci(sources, pattern, "a whole cycle, from raw files to scored forecasts", "Let CI run a whole cycle: 'make demo'.")


def a_gate_promotes(sources: EvidenceSources) -> Evidence:
    """Every champion got there by a recorded decision of an automatic gate or a person, with its reason."""
    rows = sources.rows(
        """
        select count(*) filter (where event = 'champion') as n, count(*) filter (where event = 'champion' and starts_with(actor, 'gate')) as gate,
            count(*) filter (where event = 'rejected') as refused, count(*) filter (where event = 'champion' and len(trim(reason)) = 0) as mute
        from gold_model_events
        """,
        "gold/model_events",
    )
    if rows and rows[0]["gate"] and not rows[0]["mute"]:
        return Evidence(
            True, f"{rows[0]['gate']:,} of {rows[0]['n']:,} promotions by the gate, {rows[0]['refused']:,} models refused", "gold/model_events"
        )
    return Evidence(False, "Let the gate decide on trained models: 'shelfcast run --week WEEK' trains, judges and promotes.")


def forecasts_lead_back(sources: EvidenceSources) -> Evidence:
    """Each forecast names a model on record and the version of its data."""
    rows = sources.rows(
        """
        select count(*) as n, count(*) filter (
            where dataset_version is not null and run_id is not null and model_version in (select model_version from gold_model_versions)
        ) as traced from gold_forecasts
        where origin_week = (select max(origin_week) from gold_forecasts)
        """,
        "gold/forecasts",
        "gold/model_versions",
    )
    if rows and rows[0]["n"] == rows[0]["traced"] > 0:
        return Evidence(
            True, f"all {rows[0]['n']:,} forecasts of the last origin name model, data version and run", "gold/forecasts; shelfcast trace"
        )
    return Evidence(
        False, "Forecast with registered models: 'shelfcast run --week WEEK'; forecasts of before runs were recorded are to be made again."
    )


def rollback_is_at_hand(sources: EvidenceSources) -> Evidence:
    """Champions that were replaced are still there to go back to."""
    rows = sources.rows(
        """
        select distinct v.model_version, v.artifact_uri from gold_model_events as e join gold_model_versions as v on v.model_version = e.replaces
        where e.event = 'champion'
        """,
        "gold/model_events",
        "gold/model_versions",
    )
    there = [row for row in rows if brought(sources.lake, row["artifact_uri"]).is_file()]
    if rows and len(there) == len(rows):
        return Evidence(True, f"artifacts of all {len(rows)} champions that were replaced are there", "models/")
    if rows:
        return Evidence(False, f"{len(rows) - len(there)} champions that were replaced have lost their artifacts: restore them from a backup.")
    return Evidence(False, "No champion was replaced yet: run another week, so that there is one to go back to.")


def record_is_intact(sources: EvidenceSources) -> Evidence:
    """Nothing on record was changed past Shelfcast."""
    audits = verify_tables(sources.lake)
    findings = [finding for audit in audits for finding in audit.findings]
    if findings:
        return Evidence(False, f"{len(findings)} findings: see 'shelfcast audit verify', and restore what was changed.")
    linked = sum(len(audit.links) for audit in audits)
    return Evidence(
        linked > 0, f"{linked:,} linked commits are as they were written" if linked else "Nothing is on record yet.", "shelfcast audit verify"
    )


def cycles_start_by_themselves(sources: EvidenceSources) -> Evidence:
    """Schedules or sensors start the weekly cycle."""
    started = [run for run in sources.runs if {"dagster/schedule_name", "dagster/sensor_name"} & set(run["tags"])]
    cycles = [run for run in started if run["job"] == WEEKLY_CYCLE]
    if cycles:
        return Evidence(
            True, f"{len(started)} successful runs by schedule or sensor, {len(cycles)} of them weekly cycles", f"/runs/{cycles[0]['id']} in the UI"
        )
    return Evidence(
        False, "Switch on 'landing_sensor' and 'cycle_sensor' in the UI (shelfcast ui): no successful cycle was started by a sensor or schedule yet."
    )


def accuracy_is_watched(sources: EvidenceSources) -> Evidence:
    """Forecasts for the last week that landed have been scored."""
    landed = last_week(sources.lake)
    rows = sources.rows("select max(week) as week, count(*) as n from gold_accuracy", "gold/accuracy")
    scored = rows[0]["week"] if rows else None
    if landed is not None and scored == landed.monday:
        return Evidence(True, f"forecasts for {landed}, the last week that landed, are scored", "gold/accuracy")
    return Evidence(False, f"The last week that landed is {landed or 'none'}, the last one scored {scored or 'none'}: run the weeks before it.")


def drift_is_watched(sources: EvidenceSources) -> Evidence:
    """Drift is scored at the last origin that was forecast from."""
    rows = sources.rows(
        "select (select max(week) from gold_drift) as watched, (select max(origin_week) from gold_forecasts) as origin",
        "gold/drift",
        "gold/forecasts",
    )
    if rows and rows[0]["watched"] is not None and rows[0]["watched"] == rows[0]["origin"]:
        return Evidence(True, f"drift is scored up to the last origin, {rows[0]['origin']}", "gold/drift, reports/drift")
    return Evidence(False, "Score drift at the last origin: materialize drift_report, which the weekly cycle holds.")


def models_are_fresh(sources: EvidenceSources) -> Evidence:
    """No forecast of the last origin comes from a model that is too old, and none had to do without a model on record."""
    rows = sources.rows(
        """
        select count(*) as n, count(*) filter (where is_stale) as stale, count(*) filter (where model_version = 'none') as without
        from gold_forecasts where origin_week = (select max(origin_week) from gold_forecasts)
        """,
        "gold/forecasts",
    )
    if rows and rows[0]["n"] and not rows[0]["stale"] and not rows[0]["without"]:
        return Evidence(
            True, f"none of {rows[0]['n']:,} forecasts of the last origin comes from a model older than {STALE_DAYS} days", "gold/forecasts, is_stale"
        )
    return Evidence(False, f"{rows[0]['stale'] if rows else 'All'} forecasts of the last origin come from stale models or none: train that week.")


def backups_are_made(sources: EvidenceSources) -> Evidence:
    """There is a backup of after the newest training."""
    backups = backups_made(sources.lake)
    rows = sources.rows("select max(trained_at) as at from gold_model_versions", "gold/model_versions")
    trained: datetime | None = rows[0]["at"] if rows else None
    if backups and (trained is None or datetime.fromisoformat(backups[-1]["made_at"]) >= trained):
        return Evidence(True, f"{len(backups)} backups, last {backups[-1]['backup']}", backups[-1]["target"])
    return Evidence(False, "Make a backup after each cycle: shelfcast backup --to FOLDER.")


CRITERIA: tuple[tuple[int, Callable[[EvidenceSources], Evidence]], ...] = (
    (1, code_is_versioned), (1, ci_tests), (1, ci_lints), (1, raw_data_are_on_record), (1, data_are_checked),
    (2, training_is_a_pipeline), (2, models_are_registered), (2, data_are_released), (2, ci_trains),
    (3, a_gate_promotes), (3, forecasts_lead_back), (3, rollback_is_at_hand), (3, record_is_intact),
    (4, cycles_start_by_themselves), (4, accuracy_is_watched), (4, drift_is_watched), (4, models_are_fresh), (4, backups_are_made),
)  # fmt: skip
"""Each criterion with the level that it belongs to."""


def assess(sources: EvidenceSources) -> list[tuple[int, str, Evidence]]:
    """Level, criterion in words and evidence, for each criterion."""
    return [(level, (criterion.__doc__ or "").rstrip("."), criterion(sources)) for level, criterion in CRITERIA]


def level_of(assessed: Sequence[tuple[int, str, Evidence]]) -> int:
    """The highest level whose criteria, and those of the levels below, are all met."""
    missing = [level for level, _, evidence in assessed if not evidence.met]
    return min(missing) - 1 if missing else len(LEVELS) - 1


def record(lake: Lake, assessed: Sequence[tuple[int, str, Evidence]], now: datetime) -> None:
    """Put an assessment on record, in gold/maturity."""
    rows = [
        {"assessed_at": now, "criterion": words, "level": level, "met": found.met, "evidence": found.what, "source": found.where or None}
        for level, words, found in assessed
    ]
    lake.append(MATURITY.name, pa.Table.from_pylist(rows, schema=MATURITY.schema))


def maturity_report(assessed: Sequence[tuple[int, str, Evidence]]) -> tuple[Report, int]:
    """The table of criteria with evidence or next steps, and the level."""
    level = level_of(assessed)
    lead = f"Level {level} of 4, {LEVELS[level]}."
    if level < len(LEVELS) - 1:
        steps = [evidence.what for at, _, evidence in assessed if at == level + 1 and not evidence.met]
        lead += f" Missing for level {level + 1}, {LEVELS[level + 1]}: {' '.join(steps)}"
    rows = [[at, LEVELS[at], words, "met" if found.met else "missing", found.what, found.where or "-"] for at, words, found in assessed]
    columns = ["level", "name", "criterion", "state", "evidence, or next step", "where"]
    return Report("MLOps maturity", lead, [Section("Criteria", columns, rows)]), level


def _lacking(row: dict[str, Any]) -> list[str]:
    """Names of what reproducing a model takes and its record does not tell."""
    names = ("metrics", "code_version", "environment", "sha256", *(("data_versions",) if row["dataset_version"] else ()))
    return [name for name in names if not row[name] or row[name] == "{}"] + ([] if _datasets(row) else ["dataset_version"])


def _datasets(row: dict[str, Any]) -> set[str]:
    """The data versions that a model learned from: its region's, or those of the samples that a pooled model was made from."""
    if row["dataset_version"]:
        return {row["dataset_version"]}
    samples: dict[str, str] = json.loads(row["inputs"] or "{}").get("samples", {})
    return set(samples.values())


def _in_ci(sources: EvidenceSources, pattern: str, what: str, step: str) -> Evidence:
    where = sources.ci(pattern)
    return Evidence(True, f"CI runs {what}", where) if where else Evidence(False, step)
