"""Incidents around the record of what was run: a run that is missing there, stands there twice, or failed because it could not be recorded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.operations.finished import finished_runs
from orchestration.history.steps import COMMAND_LINE, RunEvents, record_run, steps_of
from orchestration.people import PERSON_TAG
from orchestration.runtime.instance import open_instance
from orchestration.runtime.ranges import range_tags
from orchestration.runtime.runs import RunFailed, Runner
from tests.orchestration.lakes import LakeAt
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.errors import ContractViolation
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import PipelineStep, record

BLOCK = SliceBlock((Region("b"), Region("a")), Week.parse("2024-05-06"), Week.parse("2024-05-13"))


@dg.asset(key=["gold", "demand"])
def taken() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 12})


@dg.asset(deps=[taken])
def broken() -> None:
    raise ContractViolation("Store 7 is unknown at s3://key:secret@bucket. Name it in stores.csv.")


@dg.asset(deps=[broken])
def after() -> None:
    """Never comes to it."""


CODE = dg.Definitions(
    assets=[taken, broken, after],
    jobs=[dg.define_asset_job("good", selection=[taken]), dg.define_asset_job("bad", selection=[taken, broken, after])],
    executor=dg.in_process_executor,
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(tmp_path, local=False) as opened:
        opened.add_dynamic_partitions("region", ["b", "c", "a"])
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def rows_of(lake: Lake) -> dict[str, dict[str, Any]]:
    return {row["step"]: row for row in lake.read(PIPELINE_STEPS.name).to_pylist()}


def run(instance: dg.DagsterInstance, lake: Lake, job: str, **tags: str) -> list[str]:
    told: list[str] = []
    runner = Runner(lambda: CODE, instance, lake.path("log"), lambda *_: None, partial(record_run, lake, told.append, None))
    runner.execute_unpartitioned(job, {name.replace("__", "/"): value for name, value in tags.items()})
    return told


def test_a_run_that_failed_tells_what_succeeded_what_failed_and_what_it_did_not_come_to(instance: dg.DagsterInstance, lake: Lake) -> None:
    with pytest.raises(RunFailed):
        run(instance, lake, "bad", **{PERSON_TAG.replace("/", "__"): "ann"})
    found = rows_of(lake)
    assert {name: (row["state"], row["rows"], row["assets"]) for name, row in found.items()} == {
        "gold__demand": ("succeeded", 12, "gold/demand"),
        "broken": ("failed", None, None),
        "after": ("skipped", None, None),
    }
    assert found["broken"]["error"] == "Store 7 is unknown at s3://***@bucket."
    assert found["after"]["error"] == "Step broken failed."
    assert (found["after"]["started_at"], found["after"]["seconds"]) == (None, None)
    assert {row["started_by"] for row in found.values()} == {"ann"}


def test_a_range_covers_the_regions_between_its_ends_as_dagster_lists_them(instance: dg.DagsterInstance, lake: Lake) -> None:
    run(instance, lake, "good", **{name.replace("/", "__"): value for name, value in range_tags(BLOCK).items()})
    [row] = rows_of(lake).values()
    assert (row["regions"], row["first_week"], row["last_week"], row["started_by"]) == ("b,c,a", BLOCK.first.monday, BLOCK.last.monday, COMMAND_LINE)


def test_a_run_that_cannot_be_recorded_succeeds_and_tells_so(instance: dg.DagsterInstance, lake: Lake) -> None:
    lake.path("lake/gold").mkdir(parents=True)
    lake.path("lake/gold/pipeline_steps").write_text("in the way")
    [told] = run(instance, lake, "good")
    assert told.startswith("How the steps of run ")
    assert instance.get_runs()[0].is_success


def test_the_sensor_records_runs_that_nobody_recorded_once_and_leaves_those_on_record(instance: dg.DagsterInstance, lake: Lake) -> None:
    run(instance, lake, "good")
    Runner(lambda: CODE, instance, lake.path("log"), lambda *_: None).execute_unpartitioned("good")
    context = dg.build_sensor_context(instance, resources={"lake": LakeAt(root=lake.root)})
    assert said(context) == "1 steps of 1 runs recorded."
    recorded = lake.read(PIPELINE_STEPS.name).to_pylist()
    assert len({row["run_id"] for row in recorded}) == len(recorded) == 2
    assert {row["rows"] for row in recorded} == {12}
    later = dg.build_sensor_context(instance, cursor=context.cursor, resources={"lake": LakeAt(root=lake.root)})
    assert said(later) == "No run has ended."


def said(context: dg.SensorEvaluationContext) -> str | None:
    answer = finished_runs(context)
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message


def test_steps_of_a_run_whose_process_was_killed_have_failed_for_that_reason(instance: dg.DagsterInstance) -> None:
    """A step that had begun and never ended was neither: it counted as running for ever."""
    made = instance.create_run_for_job(CODE.resolve_job_def("bad"))
    seen = RunEvents()
    start = dg.DagsterEvent(dg.DagsterEventType.STEP_START.value, "bad", step_key="gold__demand")
    seen.see(start, 100.0)
    instance.report_run_failed(made, "The process that executed this run is gone: it was killed. Run it again.")
    ended = instance.get_run_by_id(made.run_id)
    assert ended is not None
    seen.last_words = RunEvents.of(instance, made.run_id).last_words
    found = {step.step: step for step in steps_of(instance, ended, seen, 160.0)}
    assert (found["gold__demand"].state, found["gold__demand"].seconds, found["after"].state) == ("failed", 60.0, "skipped")
    assert found["gold__demand"].error == "The process that executed this run is gone: it was killed."


def test_two_that_record_the_same_run_at_once_leave_it_there_once(lake: Lake) -> None:
    now = datetime.now(UTC)
    step = PipelineStep("run", "step", "job", None, None, None, None, now, now, 0.0, None, "succeeded", None, "ann")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: record(lake, [step]), range(8)))
    assert sorted(added) == [0, 0, 0, 0, 0, 0, 0, 1]
    assert lake.read(PIPELINE_STEPS.name).num_rows == 1
