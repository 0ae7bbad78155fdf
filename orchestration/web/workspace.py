"""Dagster's view of a request, with the person who asks: what they may do, and their name on what they start.

The webserver itself refuses what a role has no permission for, as `dagster-webserver --read-only` does.
"""

from collections.abc import Mapping
from copy import copy

from dagster import DagsterInstance
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import EDITOR_PERMISSIONS, LOCATION_SCOPED_PERMISSIONS, PermissionResult, Permissions

from orchestration.people import Person
from orchestration.web.access import PERSON

_PLANNER = frozenset(
    {
        Permissions.LAUNCH_PIPELINE_EXECUTION,
        Permissions.LAUNCH_PIPELINE_REEXECUTION,
        Permissions.TERMINATE_PIPELINE_EXECUTION,
        Permissions.LAUNCH_PARTITION_BACKFILL,
        Permissions.CANCEL_PARTITION_BACKFILL,
    }
)


def _person_of(source: object | None) -> Person | None:
    """Who sent a request; nobody where it is none, or nobody signed in for it."""
    found = getattr(source, "scope", {}).get(PERSON)
    return found if isinstance(found, Person) else None


def _instance_of(person: Person, instance: DagsterInstance) -> DagsterInstance:
    """The instance as a person has it: with their name on every backfill, one that another person began and they repeat too.

    Its runs are the daemon's to submit, with the tags of the backfill and no one who asks.
    """

    def add_backfill(backfill: PartitionBackfill) -> None:
        instance.add_backfill(backfill._replace(tags={**backfill.tags, **person.tags}))

    personal = copy(instance)
    personal.add_backfill = add_backfill  # type: ignore[assignment]
    return personal


class PersonalRequestContext(WorkspaceRequestContext):
    """Context of one request; one that nobody signed in for may read."""

    @property
    def person(self) -> Person | None:
        """Who asks."""
        return _person_of(self.source)

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What this person may do."""
        return {permission: self._result(permission) for permission in EDITOR_PERMISSIONS}

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:  # noqa: ARG002 - Dagster's signature
        """What this person may do in a code location: there is one."""
        return {permission: self._result(permission) for permission in LOCATION_SCOPED_PERMISSIONS}

    def get_viewer_tags(self) -> dict[str, str]:
        """Tags of what this person starts; they stand above those of the form."""
        return self.person.tags if self.person is not None else {}

    def get_reporting_user_tags(self) -> dict[str, str]:
        """Tags of events that this person reports."""
        return self.get_viewer_tags()

    def _result(self, permission: str) -> PermissionResult:
        role = self.person.role if self.person is not None else "viewer"
        enabled = EDITOR_PERMISSIONS[permission] and (role == "operator" or (role == "planner" and permission in _PLANNER))
        return PermissionResult(enabled, None if enabled else f"The role {role} has no permission for this: ask an operator")


class PersonalProcessContext(WorkspaceProcessContext):
    """Makes a `PersonalRequestContext` for each request."""

    def create_request_context(self, source: object | None = None) -> PersonalRequestContext:
        """Make it."""
        person = _person_of(source)
        return PersonalRequestContext(
            instance=self.instance if person is None else _instance_of(person, self.instance),
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=False,
        )
