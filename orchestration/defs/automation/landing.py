"""The landing sensor: files that were dropped are conditioned, exactly the slices that they touch."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from orchestration.defs.automation.jobs import conditioning_job, reference_job
from orchestration.defs.automation.requests import AGAIN_AFTER, request
from orchestration.history.steps import WHY
from orchestration.runtime.partitions import FIRST_WEEK
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions, too_early
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.calendar import Slice, SliceBlock, blocks_of
from transforms.landing import pending, pending_references, register, under_way


@dg.sensor(
    jobs=[conditioning_job, reference_job],
    minimum_interval_seconds=30,
    description="Sees new or changed landing files, registers new regions, and requests exactly the slices that they touch.",
)
def landing_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Look at landing; the state is in the lake, so a tick that is lost loses nothing, and a run that was interrupted is requested again."""
    opened, provider = lake.open(), lake.provider()
    if under_way(opened):
        yield dg.SkipReason("Slices are being conditioned; what is left over is requested afterwards.")
        return
    found = register(opened, provider, datetime.now(UTC), quiet=settings().quiet_seconds)
    for growing in found.growing:
        context.log.info(growing.message)
    for refused in found.refused:
        context.log.error(refused.message)
    for notice in found.noticed:
        context.log.warning(f"{notice.source_file}: {notice.message}")
    requests = []
    if references := pending_references(opened, provider):
        requests.append(request(context, reference_job.name, "reference", references.values(), {WHY: "reference files changed"}))
    touched = pending(opened, provider)
    # A slice can only be requested once its region is a partition.
    register_regions(context.instance, {item.region for item in touched})
    known = context.instance.get_dynamic_partitions("region")
    for block in contiguous_blocks(blocks_of(touched), known):
        if refusal := too_early([block], FIRST_WEEK):
            context.log.error(refusal)
            continue
        tags = {**range_tags(block), WHY: f"landing files changed: {block}"}
        requests.append(request(context, conditioning_job.name, str(block), _fingerprints(touched, block), tags))
    wanted = [one for one in requests if one is not None]
    yield from wanted
    if requests and not wanted:
        yield dg.SkipReason(f"What is pending has been requested; after a failure it is requested again once {AGAIN_AFTER} have passed.")
    elif not requests:
        yield dg.SkipReason(f"Nothing new in landing; {len(found.refused)} files refused." if found.refused else "Nothing new in landing.")


def _fingerprints(touched: Mapping[Slice, str], block: SliceBlock) -> list[str]:
    return [touched[item] for item in block.slices()]


def definitions() -> dg.Definitions:
    """The sensor."""
    return dg.Definitions(sensors=[landing_sensor])
