"""dbt on Dagster: bronze to silver and gold, one dbt invocation for each rectangle of slices, and the record of what has gone all the way."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliInvocation, DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.defs.checks import evaluated, slice_check
from orchestration.reports.judgements import layers_agree
from orchestration.runtime.dbt.manifest import dbt_project, dbt_resource
from orchestration.runtime.lineage import column_lineage
from orchestration.runtime.metadata import add_large, markdown_table, table_metadata, table_spec, written
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.ranges import MANY_SLICES
from orchestration.runtime.resources import LakeResource
from transforms.calendar import SliceBlock, blocks_of
from transforms.contracts import CONTRACTS
from transforms.contracts.bronze import CONDITIONED_SLICES
from transforms.errors import ProcessKilled
from transforms.landing import conditioning, conditioning_references, finish


class Translator(DagsterDbtTranslator):
    """Groups and metadata of dbt models follow the layer and the contract; keys come from the models' own `meta.dagster`."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Group by layer."""
        return str(self.get_asset_key(dbt_resource_props).path[0])

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """Columns with units and constraints, from the contract."""
        contract = CONTRACTS.get("/".join(self.get_asset_key(dbt_resource_props).path))
        return {**super().get_metadata(dbt_resource_props), **(table_metadata(contract) if contract else {})}

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002
        """Conditioning belongs to the data engineers."""
        return ["team:data-engineering"]


LINEAGE = "dagster/column_lineage"
TRANSLATOR = Translator(settings=DagsterDbtTranslatorSettings(enable_code_references=False))
PROJECT = dbt_project()


def _arguments(lake: LakeResource, block: SliceBlock | None) -> list[str]:
    slices = {"regions": [str(region) for region in block.regions], "week_first": str(block.first), "week_last": str(block.last)} if block else {}
    variables = {"lake_root": lake.open().root, "additive": lake.provider().additive, "snapshots": lake.project().snapshots, **slices}
    # Unit tests are about the models' SQL, not about these data: `make test` runs them.
    return ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables)]


def _run(context: dg.AssetExecutionContext, dbt: DbtCliResource, arguments: list[str]) -> Iterator[Any]:
    """Run dbt and pass its events on, those of models with the lineage of their columns."""
    invocation = dbt.cli(arguments, context=context)
    try:
        yield from _with_lineage(context, invocation)
    except DagsterDbtCliRuntimeError as error:
        # dbt itself has not failed: what it was told to do may be done again.
        if invocation.process.returncode == -signal.SIGKILL:
            raise ProcessKilled("ran dbt") from error
        raise


def _with_lineage(context: dg.AssetExecutionContext, invocation: DbtCliInvocation) -> Iterator[Any]:
    for event in invocation.stream():
        if isinstance(event, dg.Output):
            layer, model = context.asset_key_for_output(event.output_name).path
            compiled = next(invocation.target_path.glob(f"compiled/*/models/*/{model}.sql"), None)
            if compiled is not None:
                add_large(context, context.asset_key_for_output(event.output_name), partial(_lineage, layer, model, compiled))
        yield event


def _lineage(layer: str, model: str, compiled: Path) -> dict[str, Any]:
    """The lineage of a model's columns, and the same as a table for the asset page: the graph of columns is a feature of the hosted Dagster."""
    found = column_lineage(layer, model, compiled.read_text())
    rows = [
        (column, ", ".join(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps)) for column, deps in found.deps_by_column.items()
    ]
    return {LINEAGE: found, "column lineage": markdown_table(["column", "made from"], rows)}


@dbt_assets(manifest=PROJECT.manifest_path, select="tag:reference", name="reference_models", project=PROJECT, dagster_dbt_translator=TRANSLATOR)
def reference_models(context: dg.AssetExecutionContext, dbt: DbtCliResource, lake: LakeResource) -> Iterator[Any]:
    """Stores, products and events, conditioned whole."""
    with _recorded(context, conditioning_references(lake.open())):
        yield from _run(context, dbt, _arguments(lake, None))


@dbt_assets(
    manifest=PROJECT.manifest_path,
    select="tag:sliced",
    name="conditioned_models",
    project=PROJECT,
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_dbt_translator=TRANSLATOR,
)
def conditioned_models(context: dg.AssetExecutionContext, dbt: DbtCliResource, lake: LakeResource) -> Iterator[Any]:
    """Facts of the slices, conditioned; the slices are replaced, all others stay untouched."""
    for block in blocks_of(slices_of(context)):
        context.log.info(f"dbt builds {block}")
        with _recorded(context, conditioning(lake.open(), block)):
            yield from _run(context, dbt, _arguments(lake, block))


LAYERS_AGREE = slice_check(
    "layers_agree",
    dg.AssetKey(CONDITIONED_SLICES.name.split("/")),
    "Gold holds the deliveries of the slice that silver holds, in rows and units.",
)


@dg.multi_asset(
    name="conditioned_slices",
    specs=[
        table_spec(
            CONDITIONED_SLICES.name,
            deps=[dg.AssetKey(["gold", name]) for name in ("demand", "dataset_versions", "accuracy", "plan_value", "ab_lift")],
            group_name="datasets",
            owners=["team:data-engineering"],
        )
    ],
    check_specs=[LAYERS_AGREE],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def conditioned_slices(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | DagsterEvent | dg.Output[None]]:
    """The slices are done: gold holds them, their data versions are on record, and forecasts that had been issued for them are scored."""
    opened, slices = lake.open(), slices_of(context)
    left = [item for block in blocks_of(slices) for item in finish(opened, block)]
    if left:
        context.log.warning(f"{len(left)} slices are not in gold as they stand in bronze and stay pending, the first being {left[0]}.")
    yield dg.MaterializeResult(metadata={**written(opened, CONDITIONED_SLICES.name), "pending": len(left)})
    judged = layers_agree(opened, slices)
    against = {item: found for item, found in judged.items() if not found.passed}
    yield from evaluated(context, (LAYERS_AGREE, judged if len(slices) <= MANY_SLICES else against))


def _recorded(context: dg.AssetExecutionContext, record: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """The record around a build of all models; some of them alone finish nothing."""
    return nullcontext() if context.is_subset else record


def definitions() -> dg.Definitions:
    """Conditioning by dbt."""
    return dg.Definitions(assets=[reference_models, conditioned_models, conditioned_slices], resources={"dbt": dbt_resource()})
