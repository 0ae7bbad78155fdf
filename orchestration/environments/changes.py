"""What a release changes of the settings of the lake that takes it: files before and after. Models are `candidates`."""

import json
import re
from dataclasses import dataclass
from typing import Any

from orchestration.project import FILE, Project
from orchestration.project import PROVIDER_FOLDER as FOLDER
from orchestration.runtime.provider_file import is_path
from orchestration.settings import Settings, settings_in
from transforms.adapters import load_provider
from transforms.errors import ConfigurationError
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake

_PROVIDER_FILE = re.compile(rf"{FOLDER}/\w[\w .-]*\.ya?ml")
OWN = ("profile", "provider", "promotion", "gate", "retrain", "data", "maintenance")
"""Settings of the project file that no release changes: what the lake is, and the rules by which it is run. The provider's file is released."""


@dataclass(frozen=True)
class Side:
    """A profile with its lake, its project file and what holds there."""

    name: str
    settings: Settings
    lake: Lake
    written: Project
    project: Project

    @classmethod
    def of(cls, name: str) -> "Side":
        """Read a profile's lake; raise `ConfigurationError` or `MissingData` where there is none that can be read."""
        chosen = settings_in(name)
        lake = Lake(chosen.root, chosen.storage_options)
        return cls(name, chosen, lake, Project.written(lake), Project.of(lake))


def changes(source: Side, target: Side) -> tuple[dict[str, tuple[str | None, str]], dict[str, tuple[Any, Any]], Project]:
    """Files of the target that a release writes, the settings that differ ([before, after]), and its project file then."""
    ours, theirs = (load_provider(side.project.provider, base=side.lake.path()).name for side in (source, target))
    if ours != theirs:
        raise ConfigurationError(
            f"{source.name} is a lake of provider {ours!r}, {target.name} of {theirs!r}: a release goes between environments of one company."
        )
    files: dict[str, tuple[str | None, str]] = {}
    before, after = _released(target.written), _released(source.written)
    changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
    provider = source.written.provider
    if is_path(provider):
        if not _PROVIDER_FILE.fullmatch(provider):
            raise ConfigurationError(
                f"{source.lake.address(FILE)} names the provider file {provider}: expected one of the lake's own folder, like {FOLDER}/company.yaml. "
                f"Any command on {source.name} that runs steps takes it in."
            )
        there = brought(target.lake, provider)
        text, old = brought(source.lake, provider).read_text(encoding="utf-8"), there.read_text(encoding="utf-8") if there.is_file() else None
        if text != old:
            files[provider] = (old, text)
            changed[provider] = (_short(old), _short(text))
    if provider != target.written.provider:
        changed["provider"] = (target.written.provider, provider)
    project = Project.model_validate({**after, **_own(target.written), "provider": provider})
    if changed:
        files[FILE] = (brought(target.lake, FILE).read_text(encoding="utf-8"), project.text())
    return files, changed, project


def _short(text: str | None) -> str:
    return "none" if text is None else f"{len(text.splitlines())} lines"


def _released(project: Project) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(project.model_dump_json(exclude=set(OWN)))
    # As it stands in the file: a default that a later version changes is not released.
    return {**values, "settings": project.settings.changed()}


def _own(project: Project) -> dict[str, Any]:
    return project.model_dump(include=set(OWN))
