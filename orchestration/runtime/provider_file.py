"""The provider's YAML as a file of the lake root: without it, neither a copy of the root nor a backup could read its landing files."""

import re
from collections.abc import Callable
from pathlib import Path

from orchestration.project import FILE, Project
from orchestration.project import PROVIDER_FOLDER as FOLDER
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.remote.working_copy import brought, push
from transforms.lake.tables import Lake
from transforms.whole_files import write_whole


def is_path(provider: str) -> bool:
    """Whether a provider is named by the path of its YAML, and not one of the built-in ones."""
    return provider.endswith((".yaml", ".yml"))


def keep(lake: Lake, source: Path) -> str:
    """Copy a provider's YAML into the root in one step and return what the project file calls it.

    Raises
    ------
    ConfigurationError
        If the root holds another one of that name.
    """
    target = brought(lake, FOLDER, source.name)
    content = source.read_bytes()
    if target.exists() and target.read_bytes() != content:
        raise ConfigurationError(
            f"{lake.address(FOLDER, source.name)} differs from {source}: the lake reads its files as its own copy says. Edit that one, or remove it "
            f"to take in {source} instead."
        )
    write_whole(target, content)
    push(lake, target)
    return target.relative_to(lake.path()).as_posix()


def take_in_provider(lake: Lake, tell: Callable[[str], None]) -> Project:
    """Take the provider's YAML into a root whose project file names one that lies elsewhere; return the project as it then stands."""
    holds, project, root = Project.of(lake), Project.written(lake), lake.path()
    source = root / project.provider
    if not is_path(project.provider) or source.resolve().is_relative_to(root.resolve()):
        return holds
    if not source.is_file():
        raise MissingData(
            f"{lake.address(FILE)} names the provider file {source}, which does not exist: put it back, or put a copy into {lake.address(FOLDER)} "
            f"and write 'provider: {FOLDER}/{source.name}' there."
        )
    kept = project.model_copy(update={"provider": keep(lake, source)})
    _rename(root, kept)
    push(lake, root / FILE)
    tell(f"{source} was copied to {lake.address(kept.provider)}, so that it is part of the lake and of its backups: edit it there from now on")
    return Project.of(lake)


def _rename(root: Path, project: Project) -> None:
    """Change the project file's provider alone: comments and order are the user's."""
    path = root / FILE
    text = re.sub(r"(?m)^provider:.*$", lambda _: f"provider: {project.provider}", path.read_text(encoding="utf-8"), count=1)
    write_whole(path, text)
    if Project.load(root) != project:
        # The old name went over several lines.
        project.save(root)
