"""dbt on Dagster: the manifest that definitions are made from, parsed again when a file of the dbt project has changed, and how dbt is started."""

import shutil
import sys
from functools import cached_property, lru_cache

from dagster_dbt import DagsterDbtProjectPreparer, DbtCliResource, DbtProject
from dbt.version import __version__
from packaging.version import Version

from orchestration.runtime.dbt_files import place_of_parsed
from orchestration.settings import DBT_PROJECT, commands_beside_interpreter

_PARSE = ["parse", "--quiet", "--partial-parse"]


class DbtResource(DbtCliResource):
    """dbt in a process of its own, which reuses the manifest; the rest of what a run would pay for before dbt begins is left out.

    That is a process that asks for dbt's version, which is that of the package beside this interpreter, and a second adapter in this process, which
    reads the metadata of columns and row counts from a database: ours are in the contracts and the lake.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(__version__)

    def _initialize_dbt_core_adapter(self, args: object) -> None:  # type: ignore[override]
        """No adapter."""


@lru_cache(maxsize=1)
def dbt_project() -> DbtProject:
    """Return the dbt project with a manifest that matches its files."""
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    kept = place_of_parsed(DBT_PROJECT)
    if not project.manifest_path.exists() or not kept.exists():
        with commands_beside_interpreter():
            DagsterDbtProjectPreparer(_PARSE).prepare(project)
        for of_other_files in kept.parent.glob("parsed-*"):
            of_other_files.unlink(missing_ok=True)
        draft = kept.with_suffix(".tmp")
        shutil.copyfile(kept.with_name("partial_parse.msgpack"), draft)
        draft.replace(kept)
    return project


def dbt_resource() -> DbtResource:
    """Return what runs dbt beside this interpreter."""
    return DbtResource(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=sys.executable,
        global_config_flags=["-m", "orchestration.runtime.dbt_process"],
    )
