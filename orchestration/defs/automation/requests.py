"""What sensors request: each change once, and again a while after a run that failed."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.history.steps import WHY
from orchestration.runtime.due import Due
from orchestration.runtime.partitions import FIRST_WEEK
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions, too_early

CHANGE = "shelfcast/change"
"""Tag of a run that a sensor requested: the change in the lake that it is for."""
AGAIN_AFTER = timedelta(minutes=15)
"""Time after which a sensor requests again what a run failed to do."""
_LONGEST_TAG = 500


def request(
    context: dg.SensorEvaluationContext, job: str, what: str, fingerprints: Iterable[str], tags: Mapping[str, str], after_success: bool = True
) -> dg.RunRequest | None:
    """Request a change once; again where the run did not bring it to its end, a while after one that failed. None while a run is on its way."""
    change = f"{what} {_digest(fingerprints)}"
    runs = context.instance.get_run_records(dg.RunsFilter(tags={CHANGE: change}))
    if runs and not runs[0].dagster_run.is_finished:
        return None
    if runs and runs[0].dagster_run.is_success and not after_success:
        return None
    if runs and not runs[0].dagster_run.is_success and datetime.now(UTC) - runs[0].update_timestamp.astimezone(UTC) < AGAIN_AFTER:
        return None
    return dg.RunRequest(job_name=job, run_key=f"{change} {len(runs)}" if runs else change, tags={**tags, CHANGE: change})


def requests(context: dg.SensorEvaluationContext, job: str, due: Due) -> Iterator[dg.RunRequest]:
    """Request runs of a job for what is due, as many as its regions take in the order in which Dagster lists them."""
    register_regions(context.instance, due.block.regions)
    for part in contiguous_blocks([due.block], context.instance.get_dynamic_partitions("region")):
        if refusal := too_early([part], FIRST_WEEK):
            context.log.error(refusal)
            continue
        wanted = request(
            context, job, str(part), [due.why, *map(str, part.regions)], {**range_tags(part), WHY: due.why[:_LONGEST_TAG]}, after_success=False
        )
        if wanted is not None:
            yield wanted


def _digest(parts: Iterable[str]) -> str:
    """Short hash: the same change is requested once, however often it is seen."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
