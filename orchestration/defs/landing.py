"""From raw drops to bronze: landing files are looked at once, refused or taken in, and their rows replace exactly the slices they touch."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.runtime.metadata import markdown_table, table_spec, written, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import held_by, settings
from transforms.calendar import blocks_of
from transforms.contracts import SOURCES, Contract
from transforms.fetching import fetch, has_fetched_sources
from transforms.landing import conservation, folder, ingest, ingest_reference, refused_files, register, unfound

FETCH_CRON = "0 4 * * *"
"""Every night, before the weekly cycle of a Wednesday."""
_MOST_ROWS = 50
FACTS = [contract.name for contract in SOURCES.values() if contract.sliced]
REFERENCES = [contract.name for contract in SOURCES.values() if not contract.sliced]

LANDING = [
    dg.AssetSpec(
        key=dg.AssetKey(["landing", source]),
        description=f"Files of the source {source!r} as they were dropped into the landing zone; never changed.",
        group_name="landing",
        kinds={"file"},
        owners=["team:data-engineering"],
    )
    for source in SOURCES
]


def _bronze_spec(name: str) -> dg.AssetSpec:
    source = name.split("/")[1]
    return table_spec(
        name,
        deps=[dg.AssetKey(["landing", source]), *([dg.AssetKey(["bronze", "stores"])] if name in FACTS else [])],
        group_name="bronze",
        kinds={"python", "deltalake"},
        owners=["team:data-engineering"],
    )


@dg.multi_asset(name="bronze_reference", specs=[_bronze_spec(name) for name in REFERENCES])
def bronze_reference(lake: LakeResource) -> Iterator[dg.MaterializeResult[Any]]:
    """Reference data, taken in whole from the files that stand in landing."""
    opened = lake.open()
    register(opened, lake.provider(), datetime.now(UTC), quiet=settings().quiet_seconds)
    ingest_reference(opened, lake.provider())
    for name in REFERENCES:
        yield dg.MaterializeResult(asset_key=_key(SOURCES[name.split("/")[1]]), metadata=written(opened, name))


@dg.multi_asset(
    name="bronze_facts",
    specs=[_bronze_spec(name) for name in FACTS],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def bronze_facts(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any]]:
    """Facts of the slices, replaced by what landing holds for them now."""
    opened, slices = lake.open(), slices_of(context)
    register(opened, lake.provider(), datetime.now(UTC), context.log.info, settings().quiet_seconds)
    ingest(opened, lake.provider(), blocks_of(slices))
    for name in FACTS:
        yield dg.MaterializeResult(asset_key=_key(SOURCES[name.split("/")[1]]), metadata=written_slices(context, opened, name, slices))


@dg.asset_check(
    asset=dg.AssetKey(["bronze", "shipments"]),
    name="no_file_refused",
    description="Every file in landing follows its contract. Refused files are listed with what to do; slices already taken in stay as they are.",
)
def no_file_refused(lake: LakeResource) -> dg.AssetCheckResult:
    """Red while a file that stands in landing is refused."""
    refused = refused_files(lake.open(), lake.provider())
    return dg.AssetCheckResult(
        passed=not refused,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "refused": len(refused),
            "files": markdown_table(["source", "file", "why"], [(f.source, f.source_file, f.message) for f in refused]),
        },
    )


@dg.asset_check(
    asset=dg.AssetKey(["bronze", "shipments"]),
    name="every_file_found",
    description="Every file in landing that may hold data is found by a pattern of the provider file. The others are listed: nobody reads them.",
)
def every_file_found(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn while a file stands in landing that no pattern finds."""
    found = unfound(folder(lake.open(), lake.provider()), lake.provider())
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"not found": len(found), "files": markdown_table(["file", "what comes near"], [(f.name, f.near) for f in found[:_MOST_ROWS]])},
    )


@dg.asset_check(
    asset=dg.AssetKey(["bronze", "shipments"]),
    name="nothing_lost",
    description="Records of each landing file, counted by a second reader, are its headers and blanks and the rows that were taken, repeated, "
    "skipped, quarantined or refused; bronze holds of each file what was taken.",
)
def nothing_lost(lake: LakeResource) -> dg.AssetCheckResult:
    """Red while a sum over a landing file's records does not agree."""
    found = conservation(lake.open(), lake.provider())
    rows = [[t.source, t.files, t.refused_files, t.uncounted_files, t.records, t.aside, *t.ends.values()] for t in found.totals]
    columns = ["source", "files", "refused files", "not counted", "records", "aside", "taken", "repeated", "skipped", "quarantined", "refused"]
    against = [(finding.source, finding.source_file, finding.message) for finding in found.findings]
    return dg.AssetCheckResult(
        passed=not against,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "against": len(against),
            "totals": markdown_table(columns, rows),
            "sums": markdown_table(["source", "file", "what differs"], against[:_MOST_ROWS]),
        },
    )


@dg.op(name="fetch", description="Fetch the provider's queries and objects into landing, where the landing sensor finds what changed.")
def fetch_op(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Fetch all that can be fetched, and fail for what could not."""
    found = fetch(lake.open(), lake.provider(), held_by, datetime.now(UTC).date(), context.log.info)
    context.log.info(f"{len(found.written)} files written, {len(found.unchanged)} as they were.")
    for message in found.noticed:
        context.log.info(message)
    if found.left_out:
        raise dg.Failure("\n".join(found.left_out))


@dg.job(name="fetch_sources", description="Fetch the provider's queries and objects into landing.")
def fetch_job() -> None:
    """Fetch."""
    fetch_op()


@dg.schedule(
    job=fetch_job,
    cron_schedule=FETCH_CRON,
    description="Every night: fetch the provider's queries and objects into landing; the landing sensor takes in what changed.",
)
def fetch_schedule(lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """Request a fetch where sources of the provider are fetched, and by no other lake."""
    if lake.open().borrows_landing:
        return dg.SkipReason("Landing is another lake's, which fetches for itself.")
    return dg.RunRequest() if has_fetched_sources(lake.provider()) else dg.SkipReason("No source of the provider is a query or comes from a store.")


def _key(contract: Contract) -> dg.AssetKey:
    return dg.AssetKey([contract.layer, contract.table])


def definitions() -> dg.Definitions:
    """Landing and bronze."""
    return dg.Definitions(
        assets=[*LANDING, bronze_reference, bronze_facts],
        asset_checks=[no_file_refused, every_file_found, nothing_lost],
        jobs=[fetch_job],
        schedules=[fetch_schedule],
    )
