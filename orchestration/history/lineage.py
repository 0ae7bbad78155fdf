"""Lineage of runs that have ended: what their events and the code location tell of it, laid into the outbox, and sent beside what else is done.

Nothing here fails a run or makes one wait: what cannot be told or sent is said, and what was laid down is sent later by whoever comes next.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from orchestration.history.steps import Announce, Record, RunEvents, StepEvents, first_sentence, record_run
from orchestration.settings import settings
from orchestration.telemetry.outbox import Outbox, Sent
from orchestration.telemetry.receiver import address, emitter, key
from orchestration.telemetry.told import Ending, Made, Node, RunTold, StepTold
from transforms.contracts import CONTRACTS
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import PipelineStep, rows_of

Tell = Callable[[str], None]
_AT_THE_END_SECONDS = 2.0
"""So long a command waits for events to be sent when all else is done."""
_TURN_SECONDS, _A_LOOK_SECONDS = 0.1, 60.0


def nodes_of(graph: BaseAssetGraph) -> dict[str, Node]:  # type: ignore[type-arg]
    """The assets of a code location, with the steps that make them and what they are made of."""
    found = {}
    for node in graph.asset_nodes:
        name = "/".join(node.key.path)
        step = node.assets_def.node_def.name if node.is_materializable else None
        inputs = tuple(sorted("/".join(parent.path) for parent in node.parent_keys))
        found[name] = Node(name, step, inputs, tuple(node.owners), node.description)
    return found


def announcer(lake: Lake, nodes: Callable[[], Mapping[str, Node]], tell: Tell) -> Announce | None:
    """Return what lays a run's events into the outbox, or None where nobody receives them; `tell` is told what stands in the way."""
    if not _receiver(tell):
        return None

    def announce(instance: dg.DagsterInstance, run: dg.DagsterRun, seen: RunEvents, steps: list[PipelineStep]) -> None:
        try:
            from orchestration.telemetry.events import events_of  # noqa: PLC0415 - an extra; 0.3 s

            told = told_of(lake, instance, run, seen, steps, nodes())
            root = str(Path(lake.root).resolve()) if lake.is_local else lake.root
            Outbox(lake).put(told.ended, events_of(told, root, settings().openlineage_namespace))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run and its record are not to fail by it
            tell(f"The lineage of run {run.run_id} is not sent: {first_sentence(f'{type(error).__name__}: {error}')}")

    return announce


@contextmanager
def recorded_runs(lake: Lake, graph: Callable[[], BaseAssetGraph], tell: Tell) -> Iterator[Record]:  # type: ignore[type-arg]
    """While a command executes runs: what puts them on record, and lets their lineage be sent while the command goes on."""
    announce = announcer(lake, lambda: nodes_of(graph()), tell)
    recorded = partial(record_run, lake, tell, announce)
    if announce is None:
        yield recorded
        return
    sender = _Sender(lake)

    def record(instance: dg.DagsterInstance, run: dg.DagsterRun, seen: RunEvents) -> None:
        recorded(instance, run, seen)
        sender.wake()

    try:
        yield record
    finally:
        sender.end(tell)


def send_waiting(lake: Lake, tell: Tell) -> Sent | None:
    """Send what waits in the outbox, as `Outbox.send` does; the settings name a receiver."""
    return Outbox(lake).send(emitter(address(), key()), tell, _A_LOOK_SECONDS)


class _Sender:
    """Sends what waits in a thread of its own, which ends with the process at the latest: what it was about is sent again then, with the same ids."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._woken, self._ending = lake, threading.Event(), False
        self._trouble, self._told = "", list[str]()
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let it look at the outbox."""
        self._woken.set()

    def end(self, tell: Tell) -> None:
        """Give it the time that is left for it, and tell what was not sent."""
        self._ending = True
        self._woken.set()
        self._thread.join(_AT_THE_END_SECONDS)
        for line in self._told:
            tell(line)
        if waiting := Outbox(self._lake).waiting():
            why = self._trouble or "The OpenLineage receiver is slow, or another process is sending."
            tell(f"{why} The lineage of {len(waiting)} runs waits; the next command sends it, or 'shelfcast ui' does.")

    def _work(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            try:
                sent = send_waiting(self._lake, self._told.append)
            except Exception as error:  # noqa: BLE001 - a thread's error would be seen by nobody
                sent = Sent(trouble=f"Lineage cannot be sent: {first_sentence(f'{type(error).__name__}: {error}')}")
            self._trouble = "" if sent is None else sent.trouble
            # What was laid down since the last look was followed by another wake.
            if self._ending and sent is not None and not self._woken.is_set():
                return
            if sent is None:
                time.sleep(_TURN_SECONDS)
                self._woken.set()


def told_of(
    lake: Lake, instance: dg.DagsterInstance, run: dg.DagsterRun, seen: RunEvents, steps: list[PipelineStep], nodes: Mapping[str, Node]
) -> RunTold:
    """What a run that has ended tells of its lineage. `steps` are all of its steps as they are put on record."""
    record = instance.get_run_record_by_id(run.run_id)
    began = min((step.started_at or step.ended_at for step in steps), default=None)
    ended = max((step.ended_at for step in steps), default=None)
    if record is not None:
        began = _moment(record.start_time) or began or record.create_timestamp.astimezone(UTC)
        ended = _moment(record.end_time) or ended or began
    if began is None or ended is None:
        began = ended = datetime.now(UTC)
    chosen = None if run.asset_selection is None else {"/".join(asset.path) for asset in run.asset_selection}
    error = next((step.error for step in steps if step.state == "failed"), None) or first_sentence(seen.last_words or "The run failed.")
    canceled = run.status == dg.DagsterRunStatus.CANCELED
    ending: Ending = "COMPLETE" if run.is_success else "ABORT" if canceled else "FAIL"
    versions = _versions(lake, seen, ended)
    return RunTold(
        run_id=run.run_id,
        job=run.job_name,
        began=began,
        ended=ended,
        ending=ending,
        error=None if run.is_success else error,
        steps=[_step_told(lake, step, seen.steps[step.step], versions, canceled) for step in steps if step.started_at is not None],
        nodes={name: node for name, node in nodes.items() if chosen is None or name in chosen},
        regions=[] if steps[0].regions is None else steps[0].regions.split(","),
        first_week=steps[0].first_week,
        last_week=steps[0].last_week,
        engine_version=dg.__version__,
    )


def _versions(lake: Lake, seen: RunEvents, ended: datetime) -> dict[str, int]:
    """Versions of the tables that a run wrote: those that it told, and of others the last one up to its end, which holds what it wrote.

    A run that ended many commits ago has none of the latter.
    """
    told = {name: version for step in seen.steps.values() for name, version in step.details.versions.items()}
    tables = {name for step in seen.steps.values() for name in step.made if name in CONTRACTS and lake.exists(name)}
    found = {name: told[name] for name in tables & told.keys()}
    for name in sorted(tables - told.keys()):
        commits = [commit["version"] for commit in lake.history(name) if commit["timestamp"] <= ended.timestamp() * 1000]
        found |= {name: commits[0]} if commits else {}
    return found


def _step_told(lake: Lake, step: PipelineStep, seen: StepEvents, versions: Mapping[str, int], canceled: bool) -> StepTold:
    made = {}
    for name, rows in seen.made.items():
        counted = rows_of(lake, step, [name]) if rows is None and name in step.uncounted and step.state == "succeeded" else rows
        made[name] = Made(counted, versions.get(name), seen.details.columns.get(name, {}))
    ending: Ending = "COMPLETE" if step.state == "succeeded" else "ABORT" if canceled and seen.end != dg.DagsterEventType.STEP_FAILURE else "FAIL"
    began = step.started_at or step.ended_at
    return StepTold(step.step, began, step.ended_at, ending, step.error, made, seen.details.checked)


def _receiver(tell: Tell) -> str:
    try:
        return address()
    except ConfigurationError as error:
        tell(f"Lineage is not sent: {error}")
        return ""


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
