"""A mirror of the registry in MLflow, for teams that have it: every training as a run, every version, decision and alias. The lake stays the truth.

The mirror writes nothing back and may lag behind: what it lacks is found by comparing, so that a server that was down loses nothing.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestration.project import Project
from transforms.lake.tables import Lake
from transforms.records.model_registry import (
    CHAMPION,
    REJECTED,
    WAITING,
    DeltaRegistry,
    ModelEvent,
    ModelRegistry,
    ModelVersion,
    all_events,
    all_versions,
    states,
)
from transforms.redaction import redacted

VERSION, EVENTS = "shelfcast.version", "shelfcast.events"
_PAGE = 1000


@dataclass(frozen=True)
class MlflowMirror:
    """The registry as an MLflow server shows it: one registered model for each region, format and mover, below the name of the provider."""

    uri: str
    name: str

    def record(self, versions: Sequence[ModelVersion], events: Sequence[ModelEvent]) -> None:
        """Add versions with their runs, then decisions as tags of their versions."""
        for version in versions:
            self._add(version)
        known = self._versions
        for event in events:
            model, number, count = known[event.model_version]
            line = f"{event.event_time:%Y-%m-%d %H:%M:%S} {event.event} from {event.effective_week} by {event.actor}: {event.reason}"
            self._client.set_model_version_tag(model, number, f"event.{count:04d}", line[:5000])
            self._client.set_model_version_tag(model, number, EVENTS, str(count + 1))
            known[event.model_version] = (model, number, count + 1)

    def has(self) -> Mapping[str, int]:
        """Each version that the server knows with the number of its events."""
        return {name: count for name, (_, _, count) in self._versions.items()}

    def point(self, wanted: Mapping[tuple[str, str], str]) -> int:
        """Set each (registered model, alias) to a version, drop the aliases that nobody wants, and return how many moved."""
        moved = 0
        for model in self._pages(self._client.search_registered_models, f"name LIKE '{self.name}.%'", 100):
            aliases = dict(model.aliases)
            for alias in ("champion", "challenger"):
                version = wanted.get((model.name, alias))
                number = self._versions[version][1] if version else None
                if str(aliases.get(alias)) == str(number):
                    continue
                if number is not None:
                    self._client.set_registered_model_alias(model.name, alias, number)
                else:
                    self._client.delete_registered_model_alias(model.name, alias)
                moved += 1
        return moved

    def model_of(self, row: Any) -> str:
        """Name of the registered model of a segment."""
        return f"{self.name}.{row['region']}.{row['format']}.{row['mover']}"

    @cached_property
    def _client(self) -> Any:
        from mlflow import MlflowClient  # noqa: PLC0415 - heavy

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @cached_property
    def _versions(self) -> dict[str, tuple[str, str, int]]:
        """Version -> (registered model, number there, events)."""
        found = self._pages(self._client.search_model_versions, f"name LIKE '{self.name}.%'", _PAGE)
        return {one.tags[VERSION]: (one.name, one.version, int(one.tags.get(EVENTS, "0"))) for one in found if VERSION in one.tags}

    @cached_property
    def _models(self) -> set[str]:
        return {model.name for model in self._pages(self._client.search_registered_models, f"name LIKE '{self.name}.%'", 100)}

    @cached_property
    def _experiment(self) -> str:
        name = f"shelfcast/{self.name}"
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self._client.create_experiment(name))

    def _add(self, version: ModelVersion) -> None:
        """A run with parameters and metrics, and a version of the segment's model that points to it."""
        model = f"{self.name}.{version.region}.{version.format}.{version.mover}"
        if model not in self._models:
            self._client.create_registered_model(model)
            self._models.add(model)
        run = self._run_of(version)
        tags = {VERSION: version.model_version, EVENTS: "0", "sha256": version.sha256, "trained_week": str(version.trained_week)}
        created = self._client.create_model_version(model, f"shelfcast://{version.artifact_uri}", run_id=run, tags=tags, await_creation_for=0)
        self._versions[version.model_version] = (model, created.version, 0)

    def _run_of(self, version: ModelVersion) -> str:
        """The finished run of a version; one that an earlier attempt left unfinished is taken up again."""
        from mlflow.entities import Metric, Param  # noqa: PLC0415

        left = self._client.search_runs([self._experiment], f"tags.`{VERSION}` = '{version.model_version}'", max_results=1)
        at = int(version.trained_at.timestamp() * 1000)
        tags = {VERSION: version.model_version, "dagster.run_id": version.run_id, "data_versions": version.data_versions}
        run = left[0] if left else self._client.create_run(self._experiment, start_time=at, tags=tags, run_name=version.model_version)
        numbers = {key: value for key, value in json.loads(version.metrics).items() if isinstance(value, int | float) and math.isfinite(value)}
        params = {
            "region": version.region,
            "format": version.format,
            "mover": version.mover,
            "kind": version.kind,
            "trained_week": str(version.trained_week),
            "code_version": version.code_version,
            "dataset_version": str(version.dataset_version),
        }
        self._client.log_batch(
            run.info.run_id,
            metrics=[Metric(key, float(value), at, 0) for key, value in numbers.items()],
            params=[Param(key, value) for key, value in params.items()],
        )
        self._client.set_terminated(run.info.run_id, end_time=at)
        return str(run.info.run_id)

    @staticmethod
    def _pages(search: Any, condition: str, size: int) -> Iterator[Any]:
        token = None
        while True:
            page = search(condition, max_results=size, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def follow(truth: DeltaRegistry, mirror: ModelRegistry) -> tuple[int, int]:
    """Give a registry what it lacks of the truth; return versions and decisions added."""
    has = mirror.has()
    versions = [version for version in all_versions(truth.lake) if version.model_version not in has]
    seen: dict[str, int] = {}
    events = []
    for event in all_events(truth.lake):
        seen[event.model_version] = seen.get(event.model_version, 0) + 1
        if seen[event.model_version] > has.get(event.model_version, 0):
            events.append(event)
    mirror.record(versions, events)
    return len(versions), len(events)


def catch_up(lake: Lake, project: Project, uri: str) -> str:
    """Bring the mirror up to date and say what was added; raises mlflow's `MlflowException` where the server does not answer."""
    mirror = MlflowMirror(uri, Path(project.provider).stem)
    versions, events = follow(DeltaRegistry(lake), mirror)
    moved = mirror.point(_aliases(lake, mirror))
    return f"{versions} versions, {events} decisions and {moved} aliases written to {redacted(uri, uri)}"


def refusal(uri: str, what: str, error: Exception) -> str:
    """That a server does not take something, and why, in words that hold no password."""
    lines = redacted(str(error), uri).splitlines() or [type(error).__name__]
    return f"{redacted(uri, uri)} does not take {what} ({lines[0][:200]})"


def mirror_registry(lake: Lake, project: Project, uri: str) -> str:
    """Bring the mirror up to date after a run and say how that went: a mirror that is down stops nothing and loses nothing."""
    if not uri:
        return "no mirror (set SHELFCAST_TRACKING_URI to have one)"
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - heavy

    try:
        return catch_up(lake, project, uri)
    except MlflowException as error:
        return f"behind: {refusal(uri, 'it', error)}; 'shelfcast models mirror' catches up"


def _aliases(lake: Lake, mirror: MlflowMirror) -> dict[tuple[str, str], str]:
    """(registered model, alias) -> version: the champions, and the newest version that wants to be or could not become one."""
    wanted: dict[tuple[str, str], str] = {}
    for row in states(lake):
        model = mirror.model_of(row)
        if row["state"] == CHAMPION:
            wanted[model, "champion"] = row["model_version"]
            wanted.pop((model, "challenger"), None)
        elif row["state"] in {WAITING, REJECTED}:
            wanted[model, "challenger"] = row["model_version"]
    return wanted
