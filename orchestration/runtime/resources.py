"""Resources: the lake of the environment, opened where it is used, so that one code location serves whatever root is set."""

import dagster as dg

from orchestration.project import Project
from orchestration.settings import prepare_process, settings
from transforms.adapters import ProviderSpec, load_provider
from transforms.lake.remote.working_copy import probe
from transforms.lake.tables import Lake


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake root with its project and provider: of the environment (SHELFCAST_ROOT), and by no configuration of a run another one."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Before a step, sensor or schedule works on the lake: what a command does before it starts."""
        prepare_process()
        probe(self.open())

    def open(self) -> Lake:
        """Return the lake."""
        current = settings()
        return Lake(current.root, current.storage_options)

    def project(self) -> Project:
        """Return the project file's contents."""
        return Project.of(self.open())

    def provider(self) -> ProviderSpec:
        """Return the provider that feeds this lake."""
        return load_provider(self.project().provider, base=self.open().path())
