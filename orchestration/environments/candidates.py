"""Models of one environment as candidates of another: which may go, on which data they stand there, and their artifacts on the way.

Each is a champion of its own environment. What becomes of it in the other one is for that one's promotion policy.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from models.evaluation.gate import Gate, judge
from orchestration.project import Project
from transforms.calendar import Region, Week
from transforms.errors import ArtifactError, ConfigurationError
from transforms.lake.remote.working_copy import brought, push
from transforms.lake.tables import Lake
from transforms.landing import last_week
from transforms.records.dataset_versions import Dataset, log
from transforms.records.model_registry import END_OF_TIME, WAITING, ModelVersion, champions, events_of, states
from transforms.rows import RegionSegment, Row
from transforms.whole_files import write_whole

_ARTIFACT = re.compile(r"models/([a-z0-9_]+)/[0-9a-f]{64}\.safetensors", re.ASCII)
_FILES = (("artifact_uri", "sha256"), ("held_back_uri", "held_back_sha256"))


@dataclass
class Candidates:
    """Champions on their way: those that go, why others stay, and what speaks against the release as a whole.

    Attributes
    ----------
    versions
        Rows for the target's record: with the version of its data that holds what they were trained on.
    stay
        Segment and version -> why it does not go.
    against
        What has to be mended first.
    """

    versions: list[ModelVersion] = field(default_factory=list)
    champions: dict[str, Row] = field(default_factory=dict)
    stay: dict[str, str] = field(default_factory=dict)
    against: list[str] = field(default_factory=list)


def champions_of(lake: Lake, regions: Sequence[Region]) -> list[Row]:
    """The present champions of regions, historical averages among them."""
    return champions(lake, regions, END_OF_TIME)


def find_candidates(source: Lake, target: Lake, project: Project, rows: Iterable[Row]) -> Candidates:
    """Look which champions of the source may go into the target.

    Parameters
    ----------
    project
        The source's settings, whose gate they passed there.
    """
    found, rows = Candidates(), list(rows)
    regions = sorted({Region(row["region"]) for row in rows})
    there = {_segment(row): row for row in champions(target, regions, END_OF_TIME)}
    known = states(target)
    held = {row["model_version"] for row in known}
    undecided = {_segment(row): row["model_version"] for row in known if row["state"] == WAITING}
    datasets = log(target, regions)
    ends = last_week(target)
    for row in rows:
        version, segment = row["model_version"], _segment(row)
        if why := _stays(source, row, project, there.get(segment), held):
            found.stay[version] = why
        elif segment in undecided:
            found.against.append(
                f"{undecided[segment]} is not decided on in the target, and {version} would come beside it: let a person ('shelfcast models approve' "
                "or 'reject'), or the weekly cycle that trained it, decide first"
            )
        elif (dataset := _data_of(row, datasets)) is None:
            found.against.append(_no_data(row, datasets, ends))
        else:
            found.versions.append(_as_version(row, dataset))
            found.champions[version] = row
    return found


def carry(source: Lake, target: Lake, versions: Sequence[ModelVersion]) -> None:
    """Copy the artifacts of versions, each verified and in one step; without a record nothing in the target knows of them.

    Raises
    ------
    ArtifactError
        If an artifact of the source is gone or not what was trained.
    """
    paths = []
    for version in versions:
        for uri_name, sha_name in _FILES:
            uri, sha256 = getattr(version, uri_name), getattr(version, sha_name)
            if uri is not None:
                paths.append(carry_one(source, target, version, uri, sha256))
    push(target, *paths)


def carry_one(source: Lake, target: Lake, version: ModelVersion, uri: str, sha256: str) -> Path:
    """Copy one artifact and return where it lies then; errors as those of `carry`."""
    place = _ARTIFACT.fullmatch(uri)
    if place is None or place[1] != version.region:
        raise ConfigurationError(f"{version.model_version} names its artifact {uri!r}: expected models/{version.region}/<SHA-256>.safetensors.")
    path = brought(source, uri)
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(f"Artifact {uri} of {version.model_version} in {source.root} is gone or damaged: restore it from a backup.")
    return write_whole(target.path(uri), content)


def _segment(row: Mapping[str, str]) -> RegionSegment:
    return row["region"], row["format"], row["mover"]


def _stays(source: Lake, row: Row, project: Project, champion: Row | None, held: set[str]) -> str:
    """Why a champion is not released; empty where it may be."""
    if row["model_version"] in held:
        return "the target has it on record already"
    if champion is not None and champion["since"] > row["trained_week"]:
        return f"the target has {champion['model_version']} since {champion['since']}, which is later"
    if failed := _failed_checks(source, row["model_version"]):
        return f"a person made it champion although its gate said no: {failed}"
    significance = judge(json.loads(row["metrics"]), Gate(**project.gate.judged))
    if row["kind"] == "ensemble" and not significance.passed:
        return f"not significant: {significance.reason}"
    return ""


def _failed_checks(lake: Lake, version: str) -> str:
    judged = [event for event in events_of(lake, version) if event["numbers"] is not None]
    checks = json.loads(judged[-1]["numbers"]) if judged else []
    return "; ".join(check["detail"] for check in checks if not check["passed"] and check.get("decides", True))


def _data_of(row: Row, datasets: Sequence[Dataset]) -> Dataset | None:
    """The target's version of the data that a model was trained on, whose name is its content; the last of several."""
    found = [one for one in datasets if one.version == row["dataset_version"] and one.status == "approved"]
    return found[-1] if found else None


def _no_data(row: Row, datasets: Sequence[Dataset], ends: Week | None) -> str:
    trained = Week(row["trained_week"])
    if ends is None or ends < trained:
        return f"{row['model_version']} was trained at {trained}, and the target's data end with {ends or 'nothing'}: let it take them in first"
    here = [one for one in datasets if str(one.region) == row["region"]]
    if any(one.version == row["dataset_version"] for one in here):
        return f"{row['dataset_version']}, which {row['model_version']} was trained on, is not approved in the target: decide on it there first"
    newest = here[-1].version if here else "none"
    return (
        f"{row['model_version']} was trained on {row['dataset_version']}, which the target never had (its newest is {newest}): let the source take "
        "in what the target has ('landing' of the profile), and train there"
    )


def _as_version(row: Row, dataset: Dataset) -> ModelVersion:
    values = {one.name: row[one.name] for one in fields(ModelVersion)}
    return ModelVersion(**{**values, "data_versions": json.dumps(dataset.delta_versions, sort_keys=True)})
