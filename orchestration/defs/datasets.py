"""Dataset versions: what conditioning made is put on record, checked against what was approved before, and approved or left to a person."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.lifecycle.data_approval import quarantined, review
from orchestration.people import decider
from orchestration.runtime.metadata import add_large, markdown_table, table_spec
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.service import decisions
from transforms.calendar import Region
from transforms.contracts.bronze import QUARANTINE
from transforms.contracts.life_cycle import DATASET_VERSIONS
from transforms.records.dataset_versions import READ_TABLES, Dataset, latest_versions

VERSIONS = dg.AssetKey(["gold", "dataset_versions"])

quarantine = table_spec(
    QUARANTINE.name,
    deps=[dg.AssetKey(["bronze", "shipments"])],
    group_name="bronze",
    owners=["team:data-engineering"],
)


@dg.multi_asset(
    name="dataset",
    specs=[
        table_spec(
            DATASET_VERSIONS.name,
            deps=[dg.AssetKey(name.split("/")) for name in READ_TABLES],
            group_name="datasets",
            owners=["team:data-engineering"],
        )
    ],
    check_specs=[
        dg.AssetCheckSpec("approved", asset=VERSIONS, description="The latest version of every region's data is approved for training and scoring."),
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def dataset(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Versions of the regions' conditioned data: data checks, training check and scoring check, then approval or a wait for a person."""
    opened = lake.open()
    latest = review(opened, lake.project(), sorted({item.region for item in slices_of(context)}), context.run_id, context.log.info)
    add_large(context, VERSIONS, lambda: _shown(latest, lake.project().snapshots))
    yield dg.MaterializeResult(asset_key=VERSIONS)
    waiting = [found for found in latest_versions(opened) if found.status != "approved"]
    yield dg.AssetCheckResult(
        asset_key=VERSIONS,
        check_name="approved",
        passed=not waiting,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"waiting": _table(waiting), "release": "shelfcast data approve --region <region> --by <name> --why <why>"},
    )


@dg.asset_check(
    asset=quarantine.key,
    name="share_in_quarantine",
    description="No region has more rows in quarantine, and no file, than the project file allows. Beyond that the region's data wait for approval.",
)
def share_in_quarantine(lake: LakeResource) -> dg.AssetCheckResult:
    """Red while the data check on quarantined rows fails in some region's latest version."""
    opened = lake.open()
    checks = [(str(found.region), check) for found in latest_versions(opened) for check in found.checks if check.name == "share in quarantine"]
    rows = quarantined(opened)
    return dg.AssetCheckResult(
        passed=all(check.passed for _, check in checks),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "rows": sum(row[3] for row in rows),
            "worst_share": max((check.value for _, check in checks), default=0.0),
            "by_rule": markdown_table(["source", "file", "rule", "rows", "first"], rows),
            "beyond_limit": markdown_table(["region", "share", "where"], [(r, c.value, c.detail) for r, c in checks if not c.passed]),
        },
    )


class Decision(dg.Config):
    """A person's decision on the latest version of a region's data."""

    region: str
    decision: str
    """approved or rejected"""
    reason: str


@dg.op
def decide_on_data(context: dg.OpExecutionContext, config: Decision, lake: LakeResource) -> None:
    """Put the decision on record, with the name of who started the run: it is an operator's."""
    who, log = decider(context.run.tags), context.log.info
    dataset = decisions.decide_on_data(lake.open(), Region(config.region), config.decision, who, config.reason, log)
    log(f"{dataset.version}: {dataset.status} by {who}: {config.reason}")


@dg.job(description="Approve or reject the latest version of a region's data, with why; who is who signed in.")
def data_decision() -> None:
    """One op."""
    decide_on_data()


def definitions() -> dg.Definitions:
    """Versions of the data, and what waits or stands in quarantine."""
    return dg.Definitions(assets=[quarantine, dataset], asset_checks=[share_in_quarantine], jobs=[data_decision])


def _shown(latest: list[Dataset], snapshots: str) -> dict[str, Any]:
    return {
        "versions": _table(latest),
        "snapshots": f"demographics and price lists {snapshots.replace('_', ' ')}",
        "checks": markdown_table(["region", "check", "value", "limit", "passed", "detail"], _checks(latest)),
    }


def _table(datasets: list[Dataset]) -> dg.MarkdownMetadataValue:
    rows = [(str(found.region), found.version, str(found.last_week), found.rows, found.status, found.actor, found.reason) for found in datasets]
    return markdown_table(["region", "version", "last week", "rows", "status", "who", "why"], rows)


def _checks(datasets: list[Dataset]) -> list[tuple[str, str, float, float, str, str]]:
    return [(str(d.region), c.name, c.value, c.limit, "yes" if c.passed else "NO", c.detail) for d in datasets for c in d.checks]
