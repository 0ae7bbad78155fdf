"""Dagster's queue of runs, with the name of whoever starts one in the UI; named by `dagster.yaml`."""

from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.dagster_run import DagsterRun


class PersonalRunCoordinator(QueuedRunCoordinator):
    """Puts who signed in on a run when it is submitted, in place of whatever the form said. Runs that the daemon submits keep their tags."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Submit."""
        if tags := context.workspace.get_viewer_tags():
            self._instance.add_run_tags(context.dagster_run.run_id, tags)
        return super().submit_run(context)
