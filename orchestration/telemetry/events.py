"""OpenLineage events of a run that has ended: the run is the parent, and each asset that its steps made, and each that they checked, a run below it.

What is not known is left out: an event claims no column, version or row that no record tells. Tables are named as OpenLineage's naming wants it, by
the place where they lie; what is no table of the lake (drops, staging views, models, reports) by its asset in the namespace of the jobs.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from openlineage.client import facet_v2, set_producer
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from orchestration.telemetry.naming import as_unicode, dataset_name, producer, run_id_of
from orchestration.telemetry.told import Checked, Columns, Ending, Made, RunTold, StepTold
from transforms.contracts import CONTRACTS
from transforms.contracts.base import DELTA_TYPES

Event = dict[str, Any]
"""An event as it is sent: JSON."""
_INTEGRATION = "DAGSTER"
_LONGEST = 2_000


def events_of(told: RunTold, root: str, namespace: str) -> list[Event]:
    """The events of a run and its parts, in the order of their times."""
    set_producer(producer())
    writer = _Writer(told, root, namespace)
    found = [_unicode(Serde.to_dict(event)) for event in writer.events()]
    # Sorting is stable: what began or ended at one moment stays in order, the run around its parts.
    first, *parts, last = sorted(found, key=lambda event: datetime.fromisoformat(event["eventTime"]))
    return [first, *parts, last]


class _Writer:
    """Makes the events of one run."""

    def __init__(self, told: RunTold, root: str, namespace: str) -> None:
        self._told, self._root, self._namespace = told, root, namespace

    def events(self) -> Iterator[Any]:
        """All events; the run's own are the first and the last."""
        told, parts = self._told, [part for step in self._told.steps for part in self._of_step(step)]
        # A clock that was set back in between must not let a part begin before its run.
        times = [told.began, told.ended, *(moment for step in told.steps for moment in (step.began, step.ended))]
        job = self._job(told.job, "JOB", None, ())
        yield self._made("START", min(times), run_id_of(told), job, self._facets(None, None))
        yield from parts
        yield self._made(told.ending, max(times), run_id_of(told), job, self._facets(None, told.error))

    def _of_step(self, step: StepTold) -> Iterator[Any]:
        planned = [asset for asset, node in self._told.nodes.items() if node.step == step.name and asset not in step.made]
        made: Mapping[str, Made | None] = {**step.made, **(dict.fromkeys(planned) if step.ending != "COMPLETE" else {})}
        for asset, result in sorted(made.items()):
            yield from self._of_asset(step, asset, result)
        if not made and not (step.checked and step.ending == "COMPLETE"):
            yield from self._part(step, step.name, self._job(f"{self._told.job}.{step.name}", "OP", None, ()), step.ending, [], [], [])
        checks: dict[str, list[Checked]] = {}
        for check in step.checked:
            checks.setdefault(check.asset, []).append(check)
        for asset, of_asset in sorted(checks.items()):
            # A check may be a step of its own, beside others of the same asset.
            name = f"{asset}.checks" if step.made else f"{asset}.checks.{step.name}"
            job = self._job(name, "CHECK", f"Checks of {asset}.", self._owners(asset))
            checked = InputDataset(*self._name(asset), inputFacets={"dataQualityAssertions": self._assertions(of_asset)})
            yield from self._part(step, name, job, "COMPLETE", [checked], [], [])

    def _of_asset(self, step: StepTold, asset: str, made: Made | None) -> Iterator[Any]:
        """An asset that a step made, or was to make."""
        node = self._told.nodes.get(asset)
        description = CONTRACTS[asset].grain if asset in CONTRACTS else None if node is None else node.description
        job = self._job(asset, "ASSET", description, self._owners(asset))
        inputs = [InputDataset(*self._name(name)) for name in (node.inputs if node is not None else ())]
        bare = [OutputDataset(*self._name(asset))]
        outputs = bare if made is None else [self._output(asset, made)]
        yield from self._part(step, asset, job, step.ending if made is None else "COMPLETE", inputs, bare, outputs)

    def _part(
        self,
        step: StepTold,
        name: str,
        job: Job,
        ending: Ending,
        inputs: list[InputDataset],
        bare: list[OutputDataset],
        outputs: list[OutputDataset],
    ) -> Iterator[Any]:
        run = run_id_of(self._told, name)
        yield self._made("START", step.began, run, job, self._facets(step.name, None), inputs, bare)
        error = None if ending == "COMPLETE" else step.error
        yield self._made(ending, max(step.began, step.ended), run, job, self._facets(step.name, error), inputs, outputs)

    def _made(
        self,
        kind: str,
        at: datetime,
        run: str,
        job: Job,
        facets: dict[str, Any],
        inputs: list[InputDataset] | None = None,
        outputs: list[OutputDataset] | None = None,
    ) -> Any:
        return RunEvent(
            eventTime=at.astimezone(UTC).isoformat(),
            eventType=RunState(kind),
            run=Run(run, facets),
            job=job,
            inputs=inputs or [],
            outputs=outputs or [],
            producer=producer(),
        )

    def _job(self, name: str, kind: str, description: str | None, owners: tuple[str, ...]) -> Job:
        facets: dict[str, Any] = {"jobType": facet_v2.job_type_job.JobTypeJobFacet("BATCH", _INTEGRATION, kind)}
        if description:
            facets["documentation"] = facet_v2.documentation_job.DocumentationJobFacet(description)
        if owners:
            facets["ownership"] = facet_v2.ownership_job.OwnershipJobFacet([facet_v2.ownership_job.Owner(owner, "OWNER") for owner in owners])
        return Job(self._namespace, name, facets)

    def _facets(self, step: str | None, error: str | None) -> dict[str, Any]:
        told = self._told
        found: dict[str, Any] = {"processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet(told.engine_version, "Dagster")}
        if step is not None:
            parent = facet_v2.parent_run
            found["parent"] = parent.ParentRunFacet(parent.Run(run_id_of(told)), parent.Job(self._namespace, told.job))
        if told.first_week is not None and told.last_week is not None:
            until = told.last_week + timedelta(weeks=1)
            found["nominalTime"] = facet_v2.nominal_time_run.NominalTimeRunFacet(_midnight(told.first_week), _midnight(until))
        tags = {"regions": ",".join(told.regions), "step": step or ""}
        if any(tags.values()):
            field = facet_v2.tags_run.TagsRunFacetFields
            found["tags"] = facet_v2.tags_run.TagsRunFacet([field(key, value[:_LONGEST], _INTEGRATION) for key, value in tags.items() if value])
        if error is not None:
            found["errorMessage"] = facet_v2.error_message_run.ErrorMessageRunFacet(error[:_LONGEST], "PYTHON")
        return found

    def _output(self, asset: str, made: Made) -> OutputDataset:
        """An asset as it was made, with what is known of it."""
        facets: dict[str, Any] = {}
        if asset in CONTRACTS:
            facets["schema"] = self._schema(asset)
            facets["documentation"] = facet_v2.documentation_dataset.DocumentationDatasetFacet(CONTRACTS[asset].grain)
            facets["storage"] = facet_v2.storage_dataset.StorageDatasetFacet("delta", "parquet")
        if made.version is not None:
            facets["version"] = facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(str(made.version))
        if made.columns:
            facets["columnLineage"] = self._columns(made.columns)
        if owners := self._owners(asset):
            owner = facet_v2.ownership_dataset.Owner
            facets["ownership"] = facet_v2.ownership_dataset.OwnershipDatasetFacet([owner(name, "OWNER") for name in owners])
        counted: dict[str, Any] = (
            {} if made.rows is None else {"outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(made.rows)}
        )
        return OutputDataset(*self._name(asset), facets=facets, outputFacets=counted)

    def _schema(self, asset: str) -> Any:
        field = facet_v2.schema_dataset.SchemaDatasetFacetFields
        columns = enumerate(CONTRACTS[asset].columns, 1)
        fields = [field(c.name, DELTA_TYPES[c.kind], c.description + (f" [{c.unit}]" if c.unit else ""), number) for number, c in columns]
        return facet_v2.schema_dataset.SchemaDatasetFacet(fields)

    def _columns(self, columns: Columns) -> Any:
        facet = facet_v2.column_lineage_dataset
        return facet.ColumnLineageDatasetFacet(
            {
                column: facet.Fields([facet.InputField(*self._name(asset), name) for asset, name in sources])
                for column, sources in columns.items()
                if sources
            }
        )

    def _assertions(self, checks: list[Checked]) -> Any:
        facet = facet_v2.data_quality_assertions_dataset
        found = [
            facet.Assertion(
                check.check,
                check.passed,
                name=check.check,
                severity=check.severity.lower(),
                description=(check.told or "")[:_LONGEST] or None,
            )
            for check in checks
        ]
        return facet.DataQualityAssertionsDatasetFacet(found)

    def _name(self, asset: str) -> tuple[str, str]:
        return dataset_name(self._root, asset, self._namespace)

    def _owners(self, asset: str) -> tuple[str, ...]:
        node = self._told.nodes.get(asset)
        return () if node is None else node.owners


def _unicode(value: Any) -> Any:
    """JSON whose texts any receiver can hold: one that fails by what it is sent fails each time, and lets all others wait."""
    if isinstance(value, str):
        return as_unicode(value)
    if isinstance(value, dict):
        return {as_unicode(name): _unicode(one) for name, one in value.items()}
    return [_unicode(one) for one in value] if isinstance(value, list) else value


def _midnight(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
