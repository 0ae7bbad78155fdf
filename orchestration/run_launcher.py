"""Dagster's run launcher, able to tell whether a run that it launched is still executed; named by `dagster.yaml`."""

from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import DagsterRun

from orchestration.history.batches import BatchingEventLog


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches in the code server's processes and tells run monitoring which of them are gone. The default one cannot tell."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True where the event log is the one that holds locks."""
        return isinstance(self._instance.event_log_storage, BatchingEventLog)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Running while a process holds the run's lock."""
        storage = self._instance.event_log_storage
        if not isinstance(storage, BatchingEventLog) or storage.locks.is_held(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the process that executed the run is gone")
