"""Execute jobs over blocks of slices and watch them: the way in which the command line runs things.

Runs go through a real Dagster instance whose history the UI shows, or, for `--local`, through one that is gone afterwards (see
orchestration.runtime.instance). Both execute the same jobs of the same code location in this process.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from orchestration.history.steps import Record, RunEvents, cause
from orchestration.runtime.instance import hold_run
from orchestration.runtime.ranges import MANY_SLICES, contiguous_blocks, range_tags, register_regions, too_early
from orchestration.settings import location_name, one_planned_event_for_each_asset
from transforms.calendar import Region, SliceBlock
from transforms.errors import ConfigurationError, ShelfcastError

# Whoever gave the command gives it again: it takes up what was left.
_NOT_RETRIED = {"dagster/max_retries": "0"}
_QUIET_RUN = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunFailed(ShelfcastError):
    """A Dagster run failed; the message holds the first error of the step that broke."""


@dataclass(frozen=True)
class Runner:
    """Executes jobs of the code location.

    `load` gives the code location: its partitions begin with the first week that has landed, so it is loaded once landing has been looked at. `log`
    takes what steps print; `notify` is told of each step as it begins and ends: (step, "started" | "done" | "failed"); `record` is told of
    each run once it has ended, however it did.
    """

    load: Callable[[], dg.Definitions]
    instance: dg.DagsterInstance
    log: Path
    notify: Callable[[str, str], None]
    record: Record | None = None

    def register(self, regions: Iterable[Region]) -> list[str]:
        """Make regions known to Dagster."""
        return register_regions(self.instance, regions)

    def execute(self, job: str, blocks: Iterable[SliceBlock], tags: dict[str, str] | None = None) -> list[str]:
        """Run `job` once for each block (split so that Dagster's ranges cover exactly them) and return the run ids."""
        self.load()
        from orchestration.runtime.partitions import FIRST_WEEK  # noqa: PLC0415 - known once the code location is loaded

        wanted = list(blocks)
        if refusal := too_early(wanted, FIRST_WEEK):
            raise ConfigurationError(refusal)
        registered = self.instance.get_dynamic_partitions("region")
        return [self._run_block(job, block, tags or {}) for block in contiguous_blocks(wanted, registered)]

    def execute_unpartitioned(self, job: str, tags: dict[str, str] | None = None) -> str:
        """Run a job without partitions."""
        return self._run(job, tags or {})

    def _run_block(self, name: str, block: SliceBlock, tags: dict[str, str]) -> str:
        with one_planned_event_for_each_asset() if block.size > MANY_SLICES else nullcontext():
            return self._run(name, {**range_tags(block), **tags})

    def _run(self, name: str, tags: dict[str, str]) -> str:
        job = self.load().resolve_job_def(name)
        # With its origin the UI files the run under this code location's jobs, on the timeline too.
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location_name()), "__repository__")
        run_id = str(uuid4())
        # Before the run is on record: one whose process is killed between the two is then known to be nobody's.
        hold_run(self.instance, run_id)
        run = self.instance.create_run_for_job(
            job,
            run_id=run_id,
            run_config=_QUIET_RUN,
            tags={**_NOT_RETRIED, **tags, ".dagster/repository": f"__repository__@{location_name()}"},
            remote_job_origin=origin.get_job_origin(name),
        )
        seen = RunEvents()
        # What steps print (dbt above all) belongs into a log and not between the lines of a progress display.
        with self.log.open("a") as log, redirect_stdout(log):
            failure = self._watch(job, run, seen)
        finished = self.instance.get_run_by_id(run.run_id)
        if self.record is not None:
            self.record(self.instance, finished or run, seen)
        if finished is None or not finished.is_success:
            raise RunFailed(f"{failure or f'Job {name} failed.'} (run {run.run_id}; log: {self.log})")
        return str(run.run_id)

    def _watch(self, job: dg.JobDefinition, run: dg.DagsterRun, seen: RunEvents) -> str:
        """Execute to the end and return the first failure."""
        failure = ""
        for event in execute_run_iterator(InMemoryJob(job), run, self.instance):
            seen.see(event)
            if event.is_step_start:
                self.notify(str(event.step_key), "started")
            elif event.is_step_success:
                self.notify(str(event.step_key), "done")
            elif event.is_step_failure:
                self.notify(str(event.step_key), "failed")
                failure = failure or f"Step {event.step_key} failed: {cause(event)}"
        return failure
