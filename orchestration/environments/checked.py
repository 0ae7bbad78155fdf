"""`shelfcast config check`: whether profiles are right and stand apart from each other; each problem with what to do. Nothing is changed."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.profiles import Profile, nearest, same_root
from orchestration.project import FILE, Project
from orchestration.provenance import UNKNOWN, source_commit
from orchestration.runtime.instance import of_another_root
from orchestration.settings import Settings, any_profile, known_profiles, set_variables, settings, settings_in, storage_of
from transforms.adapters import load_provider
from transforms.errors import ShelfcastError
from transforms.lake.remote.working_copy import brought, probe
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.records.releases import releases

VARIABLES = (
    *(f"SHELFCAST_{field.upper()}" for field in Settings.model_fields),
    *("SHELFCAST_PROFILE", "SHELFCAST_PROFILES", "SHELFCAST_DAGSTER_DATABASE", "SHELFCAST_PROXY_SECRET"),
    *("SHELFCAST_METRICS", "SHELFCAST_OPENLINEAGE_URL", "SHELFCAST_OPENLINEAGE_KEY"),
)


@dataclass(frozen=True)
class Problem:
    """What is not as it should be, and what to do."""

    profile: str
    what: str
    advice: str


def problems() -> list[Problem]:
    """Everything that is wrong with all profiles, and with the settings that hold without one."""
    with any_profile():
        return _problems(known_profiles())


def _problems(known: Mapping[str, Profile]) -> list[Problem]:
    found = list(_of_variables())
    if not known:
        return [*found, *_guarded("", _of_present())]
    found += _apart(known)
    for name, profile in known.items():
        found += _guarded(name, _of_profile(name, profile, known))
    return [*found, *_of_automation(known)]


def _guarded(name: str, look: Iterator[Problem]) -> Iterator[Problem]:
    """What a part of the check says; an error that it ends with is a problem like others."""
    try:
        yield from look
    except ShelfcastError as error:
        yield Problem(name, str(error), "")
    except OSError as error:
        yield Problem(name, f"{error.strerror}: {error.filename}", "give it to the user who runs Shelfcast")


def _of_present() -> Iterator[Problem]:
    yield from _of_lake("", settings(), None)


def _of_automation(known: Mapping[str, Profile]) -> Iterator[Problem]:
    """Names of sensors and schedules that there are not: the code location would not load."""
    asked = {name: profile.automation for name, profile in known.items() if profile.automation.model_fields_set}
    if asked:
        from orchestration.definitions import all_definitions, wrong  # noqa: PLC0415 - seconds of imports

        for name, automation in asked.items():
            for what in wrong(automation, all_definitions()):
                yield Problem(name, f"automation.{what}", "correct it in the profiles file")


def _of_variables() -> Iterator[Problem]:
    for variable in set_variables():
        plain = variable.removesuffix("_FILE")
        if plain not in VARIABLES and (meant := nearest(plain, VARIABLES)).startswith(": did you mean"):
            yield Problem("", f"{variable} is set, and nothing reads it{meant}", "rename or unset it")


def _apart(known: Mapping[str, Profile]) -> Iterator[Problem]:
    for (one, first), (other, second) in combinations(known.items(), 2):
        names = f"{one}, {other}"
        if same_root(first.root, second.root):
            yield Problem(names, f"both have the lake root {first.root}: a run of one would write into the other", "give each a root of its own")
        elif _inside(first.root, second.root) or _inside(second.root, first.root):
            yield Problem(names, f"one root lies in the other: {first.root}, {second.root}", "put them beside each other")
        if first.port is not None and first.port == second.port:
            yield Problem(names, f"both have port {first.port} for their UI", "give each a port of its own")


def _inside(root: str, other: str) -> bool:
    return f"{root.rstrip('/')}/".startswith(f"{other.rstrip('/')}/")


def _of_profile(name: str, profile: Profile, known: Mapping[str, Profile]) -> Iterator[Problem]:
    storage_of(name, profile)
    chosen = settings_in(name)
    yield from _of_lake(name, chosen, profile)
    lake = Lake(chosen.root, chosen.storage_options)
    if not brought(lake, FILE).is_file():
        return
    project = Project.of(lake)
    serves = name.startswith("prod") or any(other.landing == name for other in known.values()) or bool(releases(lake))
    if serves and not project.is_guarded:
        yield Problem(
            name,
            "promotion is automatic, and its gate lets everything pass: any model becomes champion",
            "write 'promotion: manual', or limits in 'gate' that a bad model breaks",
        )
    yield from _code(name, lake, project)
    yield from _history(name, lake, known)
    if profile.landing:
        yield from _landing(name, lake, project, profile.landing)


def _of_lake(name: str, chosen: Settings, profile: Profile | None) -> Iterator[Problem]:
    lake = Lake(chosen.root, chosen.storage_options)
    probe(lake)
    if not brought(lake, FILE).is_file():
        flag = f" --profile {name}" if name else ""
        yield Problem(name, f"{lake.root} is no lake yet", f"make it: 'shelfcast init --provider PROVIDER{flag}'")
        return
    if lake.is_local and not os.access(lake.root, os.W_OK | os.X_OK):
        yield Problem(name, f"{lake.root} cannot be written to", "give it to the user who runs Shelfcast")
    written = Project.written(lake)
    if profile is not None and written.profile != name:
        says = f"says profile {written.profile!r}" if written.profile else "names no profile, so that --root alone goes past this one's rules"
        yield Problem(name, f"{lake.address(FILE)} {says}", f"write 'profile: {name}' there")


def _code(name: str, lake: Lake, project: Project) -> Iterator[Problem]:
    """Code of another version than was released."""
    last = releases(lake)[-1] if releases(lake) else None
    if last is None:
        return
    code, commit = code_version(TrainingSpec(**project.training)).split("-")[0], source_commit()
    advice = f"run {name} with that commit, or release this one: 'shelfcast promote-release --from {last.source} --to {name} --by NAME --why WHY'"
    if last.code_version != code:
        yield Problem(
            name, f"runs training code {last.code_version} by release {last.release_id}, and this is {code}: all would be trained anew", advice
        )
    elif UNKNOWN not in {last.source_commit, commit} and last.source_commit != commit:
        yield Problem(name, f"runs commit {last.source_commit[:12]} by release {last.release_id}, and this is {commit[:12]}", advice)


def _history(name: str, lake: Lake, known: Mapping[str, Profile]) -> Iterator[Problem]:
    home = lake.path("dagster")
    if outside := of_another_root(home):
        yield Problem(name, f"its run history lies in {outside}, outside of its root", f"'shelfcast doctor --mend --profile {name}'")
    for other, profile in known.items():
        theirs = Lake(profile.root, settings_in(other).storage_options).path("dagster")
        if other < name and home.is_dir() and home.resolve() == theirs.resolve():
            yield Problem(
                f"{other}, {name}", f"both have their run history in {home.resolve()}", f"remove the link {home}: a new history is begun there"
            )


def _landing(name: str, lake: Lake, project: Project, other: str) -> Iterator[Problem]:
    """Landing files of another profile are read, and only read, whatever this user might do there."""
    theirs = lake.landing
    if not theirs.is_local:
        probe(theirs)
        return
    provider = load_provider(project.provider, base=lake.path())
    place = folder(lake, provider)
    if not place.is_dir():
        yield Problem(
            name, f"reads the landing files of {other}, and {place} is not there", f"take {other}'s files in first, or name the same provider"
        )
    elif not os.access(place, os.R_OK | os.X_OK):
        yield Problem(name, f"reads the landing files of {other}, and may not read {place}", "let this user read there; it needs no right to write")
    elif Path(lake.root).resolve().is_relative_to(place.resolve()):
        yield Problem(name, f"its root {lake.root} lies in {other}'s landing folder, into which it would write", "give it a root elsewhere")
    elif _others_write(place):
        yield Problem(name, f"{place} can be written to by every user of this machine", f"chmod o-w {place}")


def _others_write(place: Path) -> bool:
    return bool(place.stat().st_mode & stat.S_IWOTH)
