"""Each setting with its value and where that is from. An environment variable counts more than a profile, a profile more than the project file.

What tells profiles apart (root, run history, whose landing is read) no variable says otherwise: `orchestration.settings` refuses it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from orchestration.profiles import FIELDS, Profile
from orchestration.project import FILE, Project
from orchestration.settings import DAGSTER_DATABASE, PROFILE, Settings, held_by, is_set, profile_in_use
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.redaction import redacted

Source = Literal["default", "project file", "profile", "environment"]
_SECRET = ("storage_options", "salt")


@dataclass(frozen=True)
class Setting:
    """One setting; `value` is fit to be printed."""

    name: str
    value: str
    source: Source
    where: str


def settings_with_sources(chosen: Settings) -> list[Setting]:
    """Every setting that holds, those of the environment first."""
    profile = profile_in_use()
    found = list(_of_environment(chosen, profile))
    lake = Lake(chosen.root, chosen.storage_options)
    return found + list(_of_project(lake, profile)) if brought(lake, FILE).is_file() else found


def _of_environment(chosen: Settings, profile: tuple[str, Profile] | None) -> Iterator[Setting]:
    name, own = profile if profile is not None else ("", None)
    if own is not None:
        yield Setting("profile", name, "environment", PROFILE)
    for field in Settings.model_fields:
        variable = f"SHELFCAST_{field.upper()}"
        value = getattr(chosen, field)
        if own is not None and (field in own.given or field in {"root", "landing_root"}) and (field not in FIELDS or not is_set(variable)):
            key = "landing" if field == "landing_root" else field
            given = field == "root" or field in own.given or bool(own.landing)
            yield Setting(field, _printed(field, value), "profile" if given else "default", f"{name}.{key}" if given else "")
        elif is_set(variable):
            yield Setting(field, _printed(field, value), "environment", variable)
        else:
            yield Setting(field, _printed(field, value), "default", "")
    yield _run_storage(name, own)
    if own is not None:
        for key in ("colour", "port", "automation"):
            given = key in own.model_fields_set
            shown = own.automation.model_dump(exclude_unset=True) if key == "automation" else getattr(own, key)
            yield Setting(key, str(shown), "profile" if given else "default", f"{name}.{key}" if given else "")


def _run_storage(name: str, own: Profile | None) -> Setting:
    if own is not None and own.run_storage:
        return Setting("run_storage", own.run_storage, "profile", f"{name}.run_storage")
    told = held_by(DAGSTER_DATABASE)
    return Setting("run_storage", redacted(told, told), "environment", DAGSTER_DATABASE) if told else Setting("run_storage", "sqlite", "default", "")


def _printed(field: str, value: Any) -> str:
    if field in _SECRET:
        return "set, not shown" if is_set(f"SHELFCAST_{field.upper()}") else "-"
    return redacted(str(value), str(value)) if str(value) else "-"


def _of_project(lake: Lake, profile: tuple[str, Profile] | None) -> Iterator[Setting]:
    written: Any = yaml.safe_load(brought(lake, FILE).read_text())
    name, own = profile if profile is not None else ("", None)
    for path, value in _leaves(Project.of(lake).model_dump()):
        dotted = ".".join(path)
        if own is not None and _has(own.project, path):
            yield Setting(dotted, str(value), "profile", f"{name}.project.{dotted}")
        elif _has(written, path):
            yield Setting(dotted, str(value), "project file", FILE)
        else:
            yield Setting(dotted, str(value), "default", "")


def _leaves(values: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, *above, name)
        elif hasattr(value, "__dataclass_fields__"):
            yield from _leaves({field: getattr(value, field) for field in value.__dataclass_fields__}, *above, name)
        else:
            yield (*above, name), value


def _has(values: Any, path: tuple[str, ...]) -> bool:
    """Whether a mapping says something of a key: of the key itself, or of one above it that it gives whole."""
    for name in path:
        if not isinstance(values, Mapping):
            return True
        if name not in values:
            return False
        values = values[name]
    return True
