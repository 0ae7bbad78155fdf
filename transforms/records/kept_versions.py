"""What of the past has to stay: models with their artifacts, versions of the data, and the versions of tables that these name.

Something needs a model where it serves or may serve next, is on trial, was decided on by a person, or was trained or decided on within the weeks
that the project keeps; and a version of the data where such a model was trained on it, where it is a region's latest or last approved one, where a
person decided on it, or where it is not older than these weeks. Of bronze, whose versions nobody names, a trace reads what stood when a version of
the data was recorded; of plans and forecasts, an audit reads what stood when a plan was made, edited or decided on. Who removes what nothing needs is
`transforms.records.upkeep`; the record of it stays for good.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transforms.calendar import Region
from transforms.contracts import SOURCES
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.contracts.life_cycle import LADDER, MODEL_EVENTS, MODEL_VERSIONS
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.contracts.orders import OVERRIDES, PLAN_EVENTS
from transforms.errors import AuditFailed
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake
from transforms.records.ab_tests import recorded
from transforms.records.dataset_versions import Dataset, last_approved, log
from transforms.records.model_registry import END_OF_TIME, POOLED, champions, latest_trained

_IN_SERVICE = 2
"""Champions of a segment that may serve: the present one and the one before it."""
_RUN = re.compile(r"\brun [0-9a-f]{8}-")
"""In the name of who decided, where no person did."""


@dataclass(frozen=True)
class Kept:
    """What something needs.

    Attributes
    ----------
    models
        Names of models whose artifacts stay.
    datasets
        Names of versions of the data that stay readable.
    artifacts, let_go
        Where the artifacts of these models lie, below the lake's root, and where those of all other models on record.
    versions
        Versions of each table that stay readable.
    """

    models: frozenset[str]
    datasets: frozenset[str]
    artifacts: frozenset[str]
    let_go: frozenset[str]
    versions: Mapping[str, set[int]]


def kept(lake: Lake, since: datetime) -> Kept:
    """Find out what stays.

    Parameters
    ----------
    since
        Time from which on everything stays that was recorded or decided on.

    Raises
    ------
    AuditFailed
        If a model's record of its data cannot be read: what it names is not known then, and nothing may be removed.
    """
    rows = lake.read(MODEL_VERSIONS.name).to_pylist() if lake.exists(MODEL_VERSIONS.name) else []
    models = _models(lake, rows, since)
    staying = [row for row in rows if row["model_version"] in models]
    known = log(lake)
    names = _datasets(known, since) | {row["dataset_version"] for row in staying}
    datasets = [dataset for dataset in known if dataset.version in names]
    versions: dict[str, set[int]] = {}
    pins: list[Mapping[str, int]] = [dataset.delta_versions for dataset in datasets]
    for each in [*pins, *(_pins(row["model_version"], row["data_versions"]) for row in staying)]:
        for table, version in each.items():
            versions.setdefault(table, set()).add(version)
    recorded_at, planned_at = {dataset.recorded_at for dataset in datasets}, _moments_of_plans(lake, since)
    seen_at = {f"bronze/{source}": recorded_at for source in SOURCES} | dict.fromkeys((ORDER_PLAN.name, FORECASTS.name), planned_at)
    for table, moments in seen_at.items():
        if moments and lake.exists(table):
            versions.setdefault(table, set()).update(_standing(lake, table, moments))
    artifacts, all_artifacts = _artifacts(staying), _artifacts(rows)
    return Kept(frozenset(models), frozenset(dataset.version for dataset in datasets), artifacts, all_artifacts - artifacts, versions)


def let_go(lake: Lake, rows: Iterable[Mapping[str, Any]], since: datetime) -> list[Mapping[str, Any]]:
    """Those of these models whose artifacts were removed because nothing needed them; one that is missing otherwise is none of them."""
    missing = [row for row in rows if row["trained_at"] < since and not brought(lake, row["artifact_uri"]).is_file()]
    gone = kept(lake, since).let_go if missing else frozenset()
    return [row for row in missing if row["artifact_uri"] in gone]


def _artifacts(rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(row[uri] for row in rows for uri in ("artifact_uri", "held_back_uri") if row[uri] is not None)


def _models(lake: Lake, rows: list[dict[str, Any]], since: datetime) -> set[str]:
    found = {row["model_version"] for row in rows if row["trained_at"] >= since}
    if not rows:
        return found
    events = lake.read_or_empty(MODEL_EVENTS.name).to_pylist()
    found |= {row["model_version"] for row in events if row["event_time"] >= since or _by_a_person(row["actor"])}
    regions = sorted({Region(row["region"]) for row in rows} | {POOLED})
    found |= {row["model_version"] for row in champions(lake, regions, END_OF_TIME, depth=_IN_SERVICE)}
    found |= {row["model_version"] for region in regions for row in latest_trained(lake, region, END_OF_TIME)}
    found |= {test.challenger for test in recorded(lake)}
    ladder = lake.read_or_empty(LADDER.name, where="week = (select max(week) from t)").to_pylist()
    return found | {row["model_version"] for row in ladder}


def _datasets(known: list[Dataset], since: datetime) -> set[str]:
    latest = {dataset.region: dataset.version for dataset in known}
    approved = (last_approved(known, region) for region in latest)
    needed = {dataset.version for dataset in known if dataset.recorded_at >= since or (dataset.actor and _by_a_person(dataset.actor))}
    return needed | set(latest.values()) | {dataset.version for dataset in approved if dataset is not None}


def _moments_of_plans(lake: Lake, since: datetime) -> set[datetime]:
    """When plans were made, edited and decided on."""
    made = {PIPELINE_STEPS.name: ("ended_at", f"state = 'succeeded' and assets like '%{ORDER_PLAN.name}%'"), OVERRIDES.name: ("edited_at", "true"),
            PLAN_EVENTS.name: ("event_time", "true")}  # fmt: skip
    found: set[datetime] = set()
    for table, (column, where) in made.items():
        if lake.exists(table):
            found.update(lake.read(table, where=where, columns=f"distinct {column}")[column].to_pylist())
    return {moment for moment in found if moment >= since}


def _by_a_person(actor: str) -> bool:
    return _RUN.search(actor) is None


def _standing(lake: Lake, table: str, moments: Iterable[datetime]) -> set[int]:
    """Versions that `Lake.as_of` finds for the moments, with one look at the table's history."""
    commits = [(commit["version"], commit["timestamp"]) for commit in lake.history(table, None)]
    found = (max((version for version, at in commits if at <= moment.timestamp() * 1000), default=None) for moment in moments)
    return {version for version in found if version is not None}


def _pins(model: str, recorded_pins: str) -> dict[str, int]:
    try:
        pins = json.loads(recorded_pins)
    except ValueError:
        pins = None
    if not isinstance(pins, dict) or not all(isinstance(version, int) for version in pins.values()):
        raise AuditFailed(
            f"Model {model}: expected a JSON object of tables and their versions as its data_versions, came {recorded_pins[:60]!r}. Nothing was "
            "removed: 'shelfcast audit verify' tells whether the record is as it was written."
        )
    return pins
