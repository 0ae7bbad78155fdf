"""Incidents around lineage: a receiver that is down, slow or strict, a kill in between, and events that claim what nothing on record tells."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.operations.finished import finished_runs, lineage_sender
from orchestration.history.lineage import recorded_runs
from orchestration.runtime.instance import open_instance
from orchestration.runtime.runs import RunFailed, Runner
from orchestration.settings import use_root
from orchestration.telemetry.events import events_of
from orchestration.telemetry.naming import dataset_name, run_id_of
from orchestration.telemetry.outbox import Outbox
from orchestration.telemetry.receiver import ADDRESS, KEY, emitter
from orchestration.telemetry.told import Checked, Made, Node, RunTold, StepTold
from tests.orchestration.lakes import LakeAt
from tests.orchestration.telemetry.receiving import read, receiver
from tests.orchestration.waiting import free_port
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.errors import ContractViolation
from transforms.lake.tables import Lake

BLOCK = SliceBlock((Region("north_texas"),), Week.parse("2023-07-17"), Week.parse("2023-07-24"))
AT = datetime(2024, 5, 8, 6, 0, tzinfo=UTC)


@dg.multi_asset(specs=[dg.AssetSpec(dg.AssetKey(["gold", name]), skippable=True) for name in ("demand", "ladder")])
def halfway() -> Iterator[dg.MaterializeResult[Any]]:
    """Made one of its two assets and failed."""
    yield dg.MaterializeResult(asset_key=dg.AssetKey(["gold", "demand"]), metadata={"dagster/row_count": 12})
    raise ContractViolation("Store 7 is unknown at s3://key:secret@bucket. Name it in stores.csv.")


@dg.asset(deps=[dg.AssetKey(["gold", "ladder"])])
def after() -> None:
    """Never comes to it."""


@dg.asset(key=["gold", "accuracy"])
def good() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


CODE = dg.Definitions(
    assets=[halfway, after, good],
    jobs=[dg.define_asset_job("good", selection=[good]), dg.define_asset_job("bad", selection=[halfway, after])],
    executor=dg.in_process_executor,
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(tmp_path, local=False) as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def run(instance: dg.DagsterInstance, lake: Lake, *jobs: str) -> list[str]:
    """Run jobs as one command does; return what it was told."""
    told: list[str] = []
    with recorded_runs(lake, CODE.resolve_asset_graph, told.append) as record:
        runner = Runner(lambda: CODE, instance, lake.path("log"), lambda *_: None, record)
        for job in jobs:
            if job == "bad":
                with pytest.raises(RunFailed):
                    runner.execute_unpartitioned(job)
            else:
                runner.execute_unpartitioned(job)
    return told


@dataclass(frozen=True)
class Cycle:
    """Real runs on a lake of its own, with what a receiver got of them."""

    lake: Lake
    events: list[dict[str, Any]]
    pages: dict[str, dict[str, Any]]
    graph: dict[str, set[str]]

    def ended(self, kind: str = "ASSET") -> dict[str, dict[str, Any]]:
        """The ends of all runs of a kind of job, by its name."""
        return {
            event["job"]["name"]: event
            for event in self.events
            if event["eventType"] != "START" and event["job"]["facets"]["jobType"]["jobType"] == kind
        }

    def name(self, dataset: dict[str, Any]) -> str:
        """The asset that a dataset is."""
        return str(dataset["name"]).removeprefix(f"{self.lake.root}/lake/")


@pytest.fixture(scope="module")
def cycle(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycle]:
    root = tmp_path_factory.mktemp("lineage") / "lake"
    shutil.copytree(small_lake, root)
    lake = Lake(str(root.resolve()))
    with pytest.MonkeyPatch.context() as patch, receiver() as receiving:
        patch.setenv("SHELFCAST_ROOT", lake.root)
        patch.setenv(ADDRESS, receiving.address)
        patch.setenv(KEY, "k" * 40)
        use_root(lake.root)
        from orchestration.definitions import defs

        graph = defs.resolve_asset_graph()
        with open_instance(root, local=False) as instance:
            with recorded_runs(lake, lambda: graph, lambda _: None) as record:
                runner = Runner(lambda: defs, instance, lake.path("log"), lambda *_: None, record)
                runner.register([Region("north_texas")])
                runner.execute_unpartitioned("reference_data")
                runner.execute("accuracy_board", [BLOCK])
            assert {header["Authorization"] for header in receiving.headers} == {f"Bearer {'k' * 40}"}
            pages = {}
            for node in graph.asset_nodes:
                event = instance.get_latest_materialization_event(node.key)
                if event is not None and event.asset_materialization is not None:
                    pages["/".join(node.key.path)] = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        parents = {"/".join(node.key.path): {"/".join(parent.path) for parent in node.parent_keys} for node in graph.asset_nodes}
        yield Cycle(lake, receiving.events, pages, parents)


def test_what_an_asset_is_made_of_is_what_the_asset_graph_says(cycle: Cycle) -> None:
    ended = cycle.ended()
    assert {"silver/stores", "bronze/events", "staging/stg_stores", "gold/accuracy"} <= ended.keys()
    assert ended.keys() == cycle.pages.keys()
    for asset, event in ended.items():
        assert event["eventType"] == "COMPLETE"
        assert [cycle.name(dataset) for dataset in event["outputs"]] == [asset]
        assert {cycle.name(dataset) for dataset in event["inputs"]} == cycle.graph[asset]
        for dataset in [*event["inputs"], *event["outputs"]]:
            assert dataset["namespace"] == ("file" if cycle.name(dataset) in CONTRACTS else "shelfcast")


def test_columns_are_made_from_what_the_asset_page_says_and_nothing_is_claimed_of_others(cycle: Cycle) -> None:
    traced = 0
    for asset, event in cycle.ended().items():
        facet = event["outputs"][0]["facets"].get("columnLineage", {"fields": {}})
        told = {column: {(cycle.name(source), source["field"]) for source in field["inputFields"]} for column, field in facet["fields"].items()}
        page = cycle.pages[asset].get("dagster/column_lineage")
        assert told == (
            {}
            if page is None
            else {column: {("/".join(dep.asset_key.path), dep.column_name) for dep in deps} for column, deps in page.deps_by_column.items()}
        )
        traced += len(told)
    assert traced > 20


def test_versions_rows_and_schemas_are_the_lakes_own(cycle: Cycle) -> None:
    for asset in ("silver/stores", "silver/event_weeks", "bronze/products"):
        output = cycle.ended()[asset]["outputs"][0]
        assert output["facets"]["version"]["datasetVersion"] == str(cycle.lake.version(asset))
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == cycle.lake.read(asset).num_rows
        assert [field["name"] for field in output["facets"]["schema"]["fields"]] == list(CONTRACTS[asset].names)
    scored = cycle.ended()["gold/accuracy"]["outputs"][0]
    rows = cycle.lake.read("gold/accuracy", where="week between '2023-07-17' and '2023-07-24'").num_rows
    assert rows > 0
    assert scored["outputFacets"]["outputStatistics"]["rowCount"] == rows
    # There has been no test, and its table is not there.
    assert not cycle.lake.exists("gold/ab_lift")
    assert "version" not in cycle.ended()["gold/ab_lift"]["outputs"][0]["facets"]


def test_each_part_has_its_run_as_parent_begins_and_ends_once_and_lies_within_it(cycle: Cycle) -> None:
    runs = {event["run"]["runId"]: event["job"]["name"] for event in cycle.events if "parent" not in event["run"]["facets"]}
    recorded = cycle.lake.read(PIPELINE_STEPS.name, columns="distinct run_id, job").to_pylist()
    assert runs.items() <= {(row["run_id"], row["job"]) for row in recorded}
    assert sorted(runs.values()) == ["accuracy_board", "reference_data"]
    for run_id, job in runs.items():
        own = [event for event in cycle.events if event["run"]["facets"].get("parent", event)["run"]["runId"] == run_id]
        assert (own[0]["run"]["runId"], own[-1]["run"]["runId"]) == (run_id, run_id)
        times = [event["eventTime"] for event in own]
        assert times == sorted(times)
        for part in {event["run"]["runId"] for event in own}:
            assert [event["eventType"] for event in own if event["run"]["runId"] == part] == ["START", "COMPLETE"]
        weeks = {json.dumps(event["run"]["facets"].get("nominalTime", {}).get("nominalStartTime")) for event in own}
        assert weeks == {'"2023-07-17T00:00:00+00:00"' if job == "accuracy_board" else "null"}


def test_checks_are_assertions_on_what_they_checked(cycle: Cycle) -> None:
    found = cycle.ended("CHECK")
    [stores] = found["silver/stores.checks"]["inputs"]
    assert cycle.name(stores) == "silver/stores"
    assert all(check["success"] for check in stores["inputFacets"]["dataQualityAssertions"]["assertions"])
    [scored] = found["gold/accuracy.checks"]["inputs"]
    assert [check["name"] for check in scored["inputFacets"]["dataQualityAssertions"]["assertions"]] == ["mape_within_target"]


def test_a_failed_run_tells_its_error_without_its_secrets_and_what_was_made_before_it(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as receiving:
        monkeypatch.setenv(ADDRESS, receiving.address)
        assert run(instance, lake, "bad") == []
    ends = {event["job"]["name"]: event for event in receiving.events if event["eventType"] != "START"}
    assert {name: event["eventType"] for name, event in ends.items()} == {"bad": "FAIL", "gold/demand": "COMPLETE", "gold/ladder": "FAIL"}
    message = "Store 7 is unknown at s3://***@bucket."
    assert [ends[name]["run"]["facets"]["errorMessage"]["message"] for name in ("bad", "gold/ladder")] == [message] * 2
    assert "errorMessage" not in ends["gold/demand"]["run"]["facets"]
    assert "secret" not in json.dumps(receiving.events)


def test_a_receiver_that_is_down_fails_no_run_and_has_every_event_once_when_it_is_back(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv(ADDRESS, f"http://ann:hidden-word@127.0.0.1:{port}")
    began = time.monotonic()
    [told] = run(instance, lake, "good", "bad")
    assert time.monotonic() - began < 20
    assert told == (
        f"The OpenLineage receiver at http://***@127.0.0.1:{port} cannot be reached (ConnectionError). The lineage of 2 runs waits; the next command "
        "sends it, or 'shelfcast ui' does."
    )
    waiting = [json.loads(line) for file in Outbox(lake).waiting() for line in file.read_text().splitlines()]
    with receiver(port) as receiving:
        assert run(instance, lake, "good") == []
    assert receiving.events[: len(waiting)] == waiting
    assert len(set(receiving.ids)) == len(receiving.ids) == len(waiting) + 4
    assert Outbox(lake).waiting() == []


def test_a_receiver_that_says_nothing_holds_a_command_up_for_two_seconds(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.delenv(ADDRESS, raising=False)
        began = time.monotonic()
        run(instance, lake, "good")
        alone = time.monotonic() - began
        monkeypatch.setenv(ADDRESS, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        [told] = run(instance, lake, "good")
        assert time.monotonic() - began < alone + 4
    assert "The lineage of 1 runs waits" in told


def laid(lake: Lake, *run_ids: str) -> Outbox:
    outbox = Outbox(lake)
    for number, run_id in enumerate(run_ids):
        outbox.put(AT + timedelta(minutes=number), events_of(told(run_id), lake.root, "shelfcast"))
    return outbox


def told(run_id: str, name: str = "gold/demand", text: str = "text") -> RunTold:
    step = StepTold(
        text, AT, AT + timedelta(seconds=5), "FAIL", text, {name: Made(1, 2, {text: [(text, text)]})}, [Checked(text, text, "WARN", text)]
    )
    nodes = {name: Node(name, text, (text,), (text,), text), text: Node(text, text)}
    return RunTold(run_id, text, AT, AT + timedelta(seconds=9), "FAIL", text, [step], nodes, [text], date(2024, 5, 6), date(2024, 5, 6), "1")


RUNS = [f"00000000-0000-4000-8000-{number:012}" for number in range(12)]


def test_two_that_send_at_once_send_each_event_once(lake: Lake) -> None:
    outbox = laid(lake, *RUNS)
    with receiver() as receiving, ThreadPoolExecutor(6) as pool:
        emit = emitter(receiving.address, "")
        found = list(pool.map(lambda _: Outbox(lake).send(emit, print, 60), range(6)))
    assert outbox.waiting() == []
    assert sum(sent.events for sent in found if sent is not None) == len(receiving.ids) == len(set(receiving.ids)) > 50


def test_a_sender_that_is_killed_between_two_events_repeats_some_and_loses_none(lake: Lake) -> None:
    outbox = laid(lake, *RUNS)
    expected = {json.dumps(json.loads(line), sort_keys=True) for file in outbox.waiting() for line in file.read_text().splitlines()}
    killed = f"""
import itertools, os, signal
from orchestration.telemetry.outbox import Outbox
from orchestration.telemetry.receiver import emitter
from transforms.lake.tables import Lake
count, inner = itertools.count(), emitter({{address!r}}, "")
def emit(event):
    inner(event)
    if next(count) == 20: os.kill(os.getpid(), signal.SIGKILL)
Outbox(Lake({lake.root!r})).send(emit, print, 60)
"""
    with receiver() as receiving:
        done = subprocess.run([sys.executable, "-c", killed.replace("{address!r}", repr(receiving.address))], check=False)
        assert done.returncode == -9
        assert len(receiving.events) == 21
        sent = outbox.send(emitter(receiving.address, ""), print, 60)
    assert sent is not None
    assert (sent.waiting, outbox.waiting()) == (0, [])
    assert {json.dumps(event, sort_keys=True) for event in receiving.events} == expected
    # What was sent of the run that was not at its end is sent again, and nothing else.
    assert len(receiving.events) - len(expected) < len(expected) / len(RUNS)


@pytest.mark.parametrize("status", [302, 401, 403, 429, 500, 503])
def test_an_answer_that_is_about_the_moment_or_the_key_lets_all_wait(lake: Lake, status: int) -> None:
    outbox = laid(lake, *RUNS[:2])
    with receiver() as receiving:
        receiving.answers = [201, 201, status]
        sent = outbox.send(emitter(receiving.address, "hidden-key"), print, 60)
        assert sent is not None
        assert (sent.events, sent.waiting, sent.refused) == (2, 2, 0)
        assert f"it answered {status}" in sent.trouble
        assert "hidden-key" not in sent.trouble
        again = outbox.send(emitter(receiving.address, "hidden-key"), print, 60)
    assert again is not None
    assert outbox.waiting() == []
    assert len(receiving.ids) == len(set(receiving.ids))


def test_an_event_that_the_receiver_will_never_take_is_laid_aside_and_told_and_stops_nothing(lake: Lake) -> None:
    outbox, lines = laid(lake, *RUNS[:2]), list[str]()
    with receiver() as receiving:
        receiving.answers = [201, 422]
        sent = outbox.send(emitter(receiving.address, "hidden-key"), lines.append, 60)
    assert sent is not None
    assert (sent.refused, sent.waiting, outbox.waiting()) == (1, 0, [])
    [aside] = outbox.laid_aside()
    [event] = [json.loads(line) for line in aside.read_text().splitlines()]
    assert event["run"]["runId"] not in {run for run, _ in receiving.ids if (run, event["eventType"]) in receiving.ids}
    [line] = lines
    assert line.startswith("The OpenLineage receiver refused an event: it answered 422: no: key=***.")
    assert str(aside) in line


def test_a_file_that_was_damaged_on_disk_is_laid_aside_and_the_others_are_sent(lake: Lake) -> None:
    outbox, lines = laid(lake, *RUNS[:3]), list[str]()
    outbox.waiting()[0].write_text('{"half')
    with receiver() as receiving:
        sent = outbox.send(emitter(receiving.address, ""), lines.append, 60)
    assert sent is not None
    assert (sent.waiting, len(outbox.laid_aside()), len(lines)) == (0, 1, 1)
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in receiving.events if "parent" in event["run"]["facets"]} == set(RUNS[1:3])


def test_a_look_at_the_outbox_ends_when_its_time_is_up(lake: Lake) -> None:
    outbox = laid(lake, *RUNS)
    sent = outbox.send(lambda _: time.sleep(0.1), print, 0.25)
    assert sent is not None
    assert 2 <= sent.events <= 4
    assert len(outbox.waiting()) == len(RUNS)


HOSTILE = [
    '"}{',
    "a\nb\r\0",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "ü€\U0001f600\u202e",
    "x" * 5000,
    "\ud800",
    "'; drop table t; --",
    "{{7*7}}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_text_in_its_event(lake: Lake, name: str) -> None:
    outbox = Outbox(lake)
    outbox.put(AT, events_of(told(name, name, name), lake.root, name))
    assert [file.parent for file in outbox.waiting()] == [lake.path(".openlineage")]
    with receiver() as receiving:
        sent = outbox.send(emitter(receiving.address, ""), print, 60)
    assert sent is not None
    assert (sent.waiting, sent.refused) == (0, 0)
    kept = name.replace("\0", "\ufffd").replace("\ud800", "?")
    assert {event["job"]["namespace"] for event in receiving.events} == {kept}
    assert kept in {event["job"]["name"] for event in receiving.events}
    assert max(len(event["run"]["facets"].get("errorMessage", {"message": ""})["message"]) for event in receiving.events) <= 2000


def test_nothing_is_kept_or_asked_where_nobody_receives(instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    assert run(instance, lake, "good") == []
    assert not lake.path(".openlineage").exists()
    assert said(lineage_sender(dg.build_sensor_context(instance, resources={"lake": LakeAt(root=lake.root)}))) == (
        f"{ADDRESS} is not set: lineage is sent to nobody."
    )


def test_an_address_that_is_none_is_told_without_its_password_and_the_run_succeeds(
    instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, "ftp://ann:hidden-word@lineage")
    [told] = run(instance, lake, "good")
    assert told.startswith(f"Lineage is not sent: {ADDRESS} is ftp://***@lineage; expected")
    assert instance.get_runs()[0].is_success


def test_runs_of_the_daemon_and_of_commands_are_told_once_each(instance: dg.DagsterInstance, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command recorded its own run, the daemon one of the UI; both looked at both."""
    resources = {"lake": LakeAt(root=lake.root)}
    with receiver() as receiving:
        monkeypatch.setenv(ADDRESS, receiving.address)
        run(instance, lake, "good")
        Runner(lambda: CODE, instance, lake.path("log"), lambda *_: None).execute_unpartitioned("good")
        for _ in range(2):
            finished_runs(dg.build_sensor_context(instance, repository_def=CODE.get_repository_def(), resources=resources))
        assert said(lineage_sender(dg.build_sensor_context(instance, resources=resources))) == "4 events sent; 0 runs wait."
        assert said(lineage_sender(dg.build_sensor_context(instance, resources=resources))) == "0 events sent; 0 runs wait."
    assert len(receiving.ids) == len(set(receiving.ids)) == 8
    assert {event["run"]["runId"] for event in receiving.events} >= {found.run_id for found in instance.get_runs()}


def said(answer: Any) -> str | None:
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message


def test_tables_are_named_by_their_place_as_the_standard_wants_it() -> None:
    assert dataset_name("/data/lake", "gold/demand", "jobs") == ("file", "/data/lake/lake/gold/demand")
    assert dataset_name("s3://bucket/company/", "gold/demand", "jobs") == ("s3://bucket", "company/lake/gold/demand")
    assert dataset_name("s3://bucket", "models/champions", "jobs") == ("jobs", "models/champions")


def test_the_tests_receiver_takes_nothing_that_the_standard_does_not_know() -> None:
    good = events_of(told(RUNS[0]), "/lake", "shelfcast")[-1]
    read(good)
    assert good["run"]["runId"] == run_id_of(told(RUNS[0])) == RUNS[0]
    for broken in (
        good | {"eventType": "DONE"},
        good | {"more": 1},
        good | {"eventTime": "yesterday"},
        good | {"run": {**good["run"], "runId": "first"}},
        {**good, "job": {**good["job"], "facets": {"kind": good["job"]["facets"]["jobType"]}}},
    ):
        with pytest.raises((AssertionError, ValueError)):
            read(broken)
