"""`shelfcast promote-release`: code version, project settings and models from one profile's lake to another's, checked, whole or not at all.

What has to be so before is `release_checks`, which models may go `candidates`; how a release is put in whole stands in `transforms.records.releases`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.environments.candidates import Candidates, carry, champions_of, find_candidates
from orchestration.environments.changes import Side, changes
from orchestration.environments.release_checks import check_release
from orchestration.lifecycle.promotion import event, validate
from orchestration.profiles import same_root
from orchestration.project import Project
from orchestration.provenance import source_commit
from orchestration.settings import Settings, profile_named, settings_in
from transforms.calendar import Region, Week
from transforms.errors import ConfigurationError
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.landing import regions
from transforms.records.data_checks import Check
from transforms.records.model_registry import WAITING, ModelEvent
from transforms.records.releases import Contents, Release, put_in, releases


@dataclass(frozen=True)
class Wanted:
    """A release as it was asked for; no regions stand for all."""

    source: str
    target: str
    models: bool
    regions: tuple[str, ...]
    actor: str
    reason: str
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a release did, or with `dry_run` would do; `release_id` is empty where nothing was released."""

    checks: list[Check]
    settings: dict[str, tuple[Any, Any]]
    candidates: Candidates
    code: str
    commit: str
    release_id: str = ""
    events: list[ModelEvent] = field(default_factory=list)

    @property
    def failed(self) -> list[Check]:
        """Checks that speak against it."""
        return [check for check in self.checks if not check.passed]


def promote_release(wanted: Wanted, tell: Callable[[str], None]) -> Outcome:
    """Release from one profile to another; nothing is changed where a check speaks against it.

    Raises
    ------
    ConfigurationError
        If both profiles are one lake, or a name is not known.
    MissingData
        If one of them has no lake yet.
    """
    places = {name: settings_in(name) for name in (wanted.source, wanted.target)}
    if len(places) == 1 or same_root(*(place.root for place in places.values())):
        raise ConfigurationError(f"--from {wanted.source} and --to {wanted.target} are one lake: expected two profiles with roots of their own.")
    with _held(places, f"release from {wanted.source} to {wanted.target}", tell):
        # Read once both lakes are ours: another release may have been waited for.
        source, target = Side.of(wanted.source), Side.of(wanted.target)
        return _release(wanted, source, target, tell)


@contextmanager
def _held(places: dict[str, Settings], what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Both lakes, in the order of their roots: two releases in opposite directions wait for each other and not for ever."""
    lakes = [Lake(place.root, place.storage_options) for place in sorted(places.values(), key=lambda place: place.root)]
    for lake in lakes:
        # Refuses a folder that is no lake root before a lock is written there.
        Project.of(lake)
    with ExitStack() as stack:
        for kind in ("cycle", "files", "decisions"):
            for lake in lakes:
                stack.enter_context(lease(lake, kind, what, tell))
        yield


def _release(wanted: Wanted, source: Side, target: Side, tell: Callable[[str], None]) -> Outcome:
    files, changed, project = changes(source, target)
    chosen = _chosen(source.lake, wanted.regions)
    rows = champions_of(source.lake, chosen)
    code, commit = code_version(TrainingSpec(**source.project.training)).split("-", maxsplit=1)[0], source_commit()
    tell(f"checking {source.name} and {target.name}")
    found = find_candidates(source.lake, target.lake, source.project, rows) if wanted.models else Candidates()
    checks = check_release(source.lake, target.lake, target.project, rows, code, commit, found.against)
    outcome = Outcome(checks, changed, found, code, commit)
    last = next(iter(releases(target.lake)[::-1]), None)
    is_new = last is None or (last.source_commit, last.code_version) != (commit, code)
    if outcome.failed or wanted.dry_run or not (is_new or changed or found.versions):
        return outcome
    now = datetime.now(UTC)
    release_id = f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:8]}"
    carry(source.lake, target.lake, found.versions)
    holds = project.with_profile(target.name, profile_named(target.name))
    events = _events(wanted, target.lake, holds, found, release_id, tell)
    release = Release(
        release_id=release_id,
        released_at=now,
        source=source.name,
        source_root=source.lake.root,
        target=target.name,
        actor=wanted.actor,
        reason=wanted.reason,
        source_commit=commit,
        code_version=code,
        settings=json.dumps(changed, sort_keys=True, default=str),
        models=json.dumps([version.model_version for version in found.versions]),
        checks=json.dumps([asdict(check) for check in checks]),
    )
    put_in(target.lake, Contents(release, files, found.versions, events))
    return Outcome(checks, changed, found, code, commit, release_id, events)


def _events(wanted: Wanted, lake: Lake, project: Project, found: Candidates, release_id: str, tell: Callable[[str], None]) -> list[ModelEvent]:
    """Each candidate's arrival, and what the target's own gate and policy say of it."""
    who = f"{wanted.actor}, release {release_id}"
    arrived = [
        event(asdict(version), WAITING, Week(version.trained_week), who, _came(wanted, found.champions[version.model_version]))
        for version in found.versions
    ]
    for week in sorted({version.trained_week for version in found.versions}):
        rows = [asdict(version) for version in found.versions if version.trained_week == week]
        here = sorted({Region(row["region"]) for row in rows})
        tell(f"judging {len(rows)} models of {Week(week)} by the gate of {wanted.target}")
        arrived += validate(lake, project, here, Week(week), f"gate, release {release_id}", rows)
    return arrived


def _came(wanted: Wanted, champion: dict[str, Any]) -> str:
    return f"released from {wanted.source}, champion there since {champion['since']} ({champion['actor']}): {wanted.reason}"


def _chosen(lake: Lake, names: Sequence[str]) -> list[Region]:
    known = regions(lake)
    if unknown := sorted(set(names) - set(map(str, known))):
        raise ConfigurationError(f"Regions {', '.join(unknown)} have no stores in {lake.root}: expected some of {', '.join(map(str, known))}.")
    return [region for region in known if not names or str(region) in names]
