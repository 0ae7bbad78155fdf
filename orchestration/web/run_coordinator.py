"""Dagster's queue of runs, with the name of whoever starts one in the UI, and what their role lets them configure; named by `dagster.yaml`."""

from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.dagster_run import DagsterRun

from orchestration.people import PERSON_TAG, ROLE_TAG
from transforms.errors import ConfigurationError


class PersonalRunCoordinator(QueuedRunCoordinator):
    """Puts who signed in on a run when it is submitted, in place of whatever the form said. Runs that the daemon submits keep their tags."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Submit; raise `ConfigurationError`, which fails the run, where somebody without the role names another lake than the one that is served."""
        if tags := context.workspace.get_viewer_tags():
            if tags.get(ROLE_TAG) != "operator" and "resources" in context.dagster_run.run_config:
                raise ConfigurationError(
                    f"{tags[PERSON_TAG]} is a {tags.get(ROLE_TAG)}, and the run's configuration holds 'resources': where a run works is an "
                    "operator's to say. Remove them from the configuration."
                )
            self._instance.add_run_tags(context.dagster_run.run_id, tags)
        return super().submit_run(context)
