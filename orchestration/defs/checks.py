"""Checks of slices: a board of regions and weeks for each, on which one good region hides no bad one.

What they say is judged in `orchestration.reports.judgements`; here it is told to Dagster, all slices of a run together. Partitioned checks are a
preview of Dagster 1.13: its `AssetCheckResult` knows no slice of a range, so evaluations are written with their slice (see DECISIONS).
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from orchestration.reports.judgements import Judgement, Judgements
from orchestration.runtime.metadata import markdown_table
from orchestration.runtime.partitions import REGION_WEEK
from orchestration.runtime.ranges import key_of

_MOST_ROWS = 50


def slice_check(name: str, asset: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    """A check that is evaluated for each slice of an asset."""
    return dg.AssetCheckSpec(name=name, asset=asset, description=description, partitions_def=REGION_WEEK)


def evaluated(context: dg.AssetExecutionContext, *found: tuple[dg.AssetCheckSpec, Judgements]) -> Iterator[DagsterEvent | dg.Output[None]]:
    """What an asset yields for checks of its slices, once it has yielded that it is materialised: an evaluation of each slice that was judged.

    A slice without judgement has none: where one was planned, Dagster shows it as skipped, so that nothing measured is nothing green.
    """
    for spec, _ in found:
        yield dg.Output(None, output_name=spec.get_python_identifier())
    evaluations = [evaluation for spec, judgements in found for evaluation in _evaluations(context, spec, judgements)]
    step, batch = context.get_step_execution_context(), str(uuid.uuid4())
    for number, one in enumerate(evaluations):
        yield DagsterEvent.from_step(
            dg.DagsterEventType.ASSET_CHECK_EVALUATION,
            step,
            one,
            message=f"{one.check_name} of {one.partition}: {'passed' if one.passed else 'did not pass'}. {one.description}",
            batch_metadata=DagsterEventBatchMetadata(batch, number == len(evaluations) - 1),
        )


def _evaluations(context: dg.AssetExecutionContext, spec: dg.AssetCheckSpec, judgements: Judgements) -> Iterator[dg.AssetCheckEvaluation]:
    targets = _targets(context, spec.asset_key, judgements) if judgements else {}
    for item, judgement in judgements.items():
        key = str(key_of(item))
        yield dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=judgement.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=judgement.summary,
            metadata=_metadata(judgement),
            target_materialization_data=targets.get(key),
            blocking=False,
            partition=key,
        )


def _targets(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, judgements: Judgements
) -> Mapping[str, AssetCheckEvaluationTargetMaterializationData]:
    """What was judged of each slice: the materialisation that is its newest now. A later one takes the slice off the board until it is judged too."""
    keys = {str(key_of(item)) for item in judgements}
    found = context.instance.event_log_storage.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION, keys)
    now = time.time()
    return {
        key: AssetCheckEvaluationTargetMaterializationData(storage_id=number, run_id=context.run_id, timestamp=now) for key, number in found.items()
    }


def _metadata(judgement: Judgement) -> dict[str, Any]:
    if not judgement.rows:
        return {"against": 0}
    return {"against": len(judgement.rows), "rows": markdown_table(list(judgement.columns), judgement.rows[:_MOST_ROWS])}
