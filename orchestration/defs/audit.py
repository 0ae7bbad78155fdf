"""The record of data and models, checked and shown: the audit trail and the maturity level. Made after each weekly cycle."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.defs.datasets import VERSIONS
from orchestration.defs.scoring import FORECASTS
from orchestration.reports.audit import audit_report
from orchestration.reports.maturity import EvidenceSources, assess, maturity_report, record
from orchestration.reports.report import metadata, report_url, write_page
from orchestration.runtime.metadata import markdown_text
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings

AUDIT_TRAIL = dg.AssetKey(["audit", "trail"])
MATURITY = dg.AssetKey(["audit", "maturity"])
_DEPS = [dg.AssetKey(["models", "champions"]), FORECASTS, VERSIONS]


@dg.multi_asset(
    name="audit_trail",
    specs=[
        dg.AssetSpec(
            key=AUDIT_TRAIL,
            description="Is the record of data and models as it was written; what serves and where it comes from; who decided what; which raw files.",
            group_name="audit",
            deps=_DEPS,
            kinds={"deltalake"},
            owners=["team:data-engineering"],
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "record_intact", asset=AUDIT_TRAIL, description="No row, commit, artifact or data version on record was changed past Shelfcast."
        )
    ],
)
def audit_trail(lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Check the hash chains, artifacts and data versions, and write the audit page."""
    opened = lake.open()
    report, found = audit_report(opened)
    write_page(report, opened, "audit", "index.html")
    yield dg.MaterializeResult(
        asset_key=AUDIT_TRAIL,
        metadata={
            "page": dg.MetadataValue.url(report_url(settings().reports_url, "audit/index.html")),
            "heads": dg.MetadataValue.md("\n".join(f"- `{head}`" for head in found.heads)),
            **metadata(report),
        },
    )
    yield dg.AssetCheckResult(
        asset_key=AUDIT_TRAIL,
        check_name="record_intact",
        passed=found.intact,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"findings": dg.MetadataValue.md("\n".join(f"- {markdown_text(finding)}" for finding in found.findings) or "none")},
    )


@dg.asset(key=MATURITY, group_name="audit", deps=_DEPS, kinds={"python"}, owners=["team:data-science"])
def maturity(lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The MLOps maturity level, 0 to 4, that lake, run history and CI configuration give evidence for, with the next missing step."""
    opened = lake.open()
    assessed = assess(EvidenceSources(opened))
    record(opened, assessed, datetime.now(UTC))
    report, level = maturity_report(assessed)
    write_page(report, opened, "audit", "maturity.html")
    return dg.MaterializeResult(
        metadata={
            "level": level,
            "summary": report.lead,
            "page": dg.MetadataValue.url(report_url(settings().reports_url, "audit/maturity.html")),
            **metadata(report),
        }
    )


audit_job = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets(audit_trail, maturity),
    description="Check that the record is as it was written, and write the audit page and the maturity level.",
)
audit_schedule = dg.ScheduleDefinition(
    name="audit_schedule",
    job=audit_job,
    cron_schedule="0 12 * * 3",
    description="Every Wednesday noon, once the weekly cycle is through: check the record and write the audit page.",
)


def definitions() -> dg.Definitions:
    """The record, checked and shown, and when."""
    return dg.Definitions(assets=[audit_trail, maturity], jobs=[audit_job], schedules=[audit_schedule])
