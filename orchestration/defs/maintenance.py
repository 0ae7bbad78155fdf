"""Maintenance of the lake's files and of the run history, and when."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.runtime.metadata import markdown_table
from orchestration.runtime.resources import LakeResource
from orchestration.runtime.run_logs import remove_old_logs
from transforms.records.upkeep import Upkeep, maintain

MAINTENANCE_CRON = "0 3 * * 0"
"""Sunday night, when no carrier delivers and nobody plans."""


@dg.asset(
    key=dg.AssetKey(["maintenance", "tables"]),
    group_name="maintenance",
    kinds={"deltalake"},
    owners=["team:data-engineering"],
)
def maintained_tables(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Small files merged, checkpoints made, and files removed of which no version is made that the record names or that stood lately."""
    done = maintain(lake.open(), lake.project().maintenance.rules, datetime.now(UTC), False, context.log.info)
    for table in done.tables:
        if table.left:
            context.log.warning(f"{table.table}: {table.left}")
    return dg.MaterializeResult(metadata=_metadata(done))


@dg.asset(
    key=dg.AssetKey(["maintenance", "run_logs"]),
    group_name="maintenance",
    kinds={"sqlite"},
    owners=["team:data-engineering"],
)
def maintained_run_logs(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Logs removed of runs that ended long ago; the runs stay on record, with what they wrote and checked."""
    before = datetime.now(UTC) - timedelta(days=lake.project().maintenance.run_log_days)
    removed = remove_old_logs(context.instance, before, False)
    return dg.MaterializeResult(
        metadata={
            "runs": removed.runs,
            "files_removed": removed.files,
            "bytes_freed": removed.size,
            "events_removed": removed.events,
            "databases_compacted": len(removed.compacted),
        }
    )


def _metadata(done: Upkeep) -> dict[str, dg.MetadataValue | int]:
    files, size = sum(table.files for table in done.tables), sum(table.size for table in done.tables)
    return {
        "files_before": files,
        "bytes_before": size,
        "files_removed": done.removed,
        "files_merged": sum(table.merged for table in done.tables),
        "bytes_freed": done.freed,
        "checkpoints": sum(table.checkpoint for table in done.tables),
        "by_table": markdown_table(
            ["table", "files before", "bytes before", "merged", "removed", "bytes freed", "left as it is"],
            [[t.table, t.files, t.size, t.merged, len(t.removed), t.freed, t.left] for t in done.tables if t.merged or t.removed or t.left],
        ),
        "by_kind": markdown_table(
            ["beside the tables", "files before", "bytes before", "removed", "bytes freed"],
            [[kind.name, kind.files, kind.size, len(kind.removed), kind.freed] for kind in done.kinds],
        ),
    }


maintenance_job = dg.define_asset_job(
    "maintenance",
    selection=dg.AssetSelection.assets(maintained_tables, maintained_run_logs),
    description="Merge small files, make checkpoints, and remove files, drafts and logs that nothing names any more.",
)
maintenance_schedule = dg.ScheduleDefinition(
    name="maintenance_schedule",
    job=maintenance_job,
    cron_schedule=MAINTENANCE_CRON,
    description="Every Sunday night: maintain the lake's files and the run history.",
)


def definitions() -> dg.Definitions:
    """What keeps a lake from growing by more than its data."""
    return dg.Definitions(assets=[maintained_tables, maintained_run_logs], jobs=[maintenance_job], schedules=[maintenance_schedule])
