"""The model registry: two append-only tables, what was trained and what was decided. The present champion is a query.

Decisions carry the origin week from which they hold, so that a backfill over past weeks finds the champion of that time and no later one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.contracts.gold import MODEL_EVENTS, MODEL_VERSIONS
from transforms.lake import Lake, Receipt, day, region_list


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One row of `gold/model_versions`; see the contract for the meaning of the fields."""

    region: str
    format: str
    mover: str
    model_version: str
    kind: str
    trained_week: date
    trained_at: datetime
    run_id: str
    code_version: str
    dataset_version: str
    data_versions: str
    metrics: str
    artifact_uri: str
    sha256: str
    source_commit: str
    environment: str


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One row of `gold/model_events`."""

    model_version: str
    region: str
    format: str
    mover: str
    event_time: datetime
    effective_week: date
    event: str
    actor: str
    reason: str
    replaces: str | None = None


def register(lake: Lake, versions: Sequence[ModelVersion], decided: datetime, actor: str) -> Receipt | None:
    """Record trained models as awaiting validation. A version that is on record already (same data, code and seed) is not recorded twice."""
    known = _known_versions(lake, [version.model_version for version in versions])
    new = [version for version in versions if version.model_version not in known]
    if not new:
        return None
    waiting = [
        ModelEvent(v.model_version, v.region, v.format, v.mover, decided, v.trained_week, "awaiting validation", actor, "trained") for v in new
    ]
    receipt = lake.append(MODEL_VERSIONS.name, pa.Table.from_pylist([asdict(v) for v in new], schema=MODEL_VERSIONS.schema))
    decide(lake, waiting)
    return receipt


def decide(lake: Lake, events: Sequence[ModelEvent]) -> Receipt | None:
    """Append decisions."""
    if not events:
        return None
    return lake.append(MODEL_EVENTS.name, pa.Table.from_pylist([asdict(event) for event in events], schema=MODEL_EVENTS.schema))


def trained_at(lake: Lake, region: Region, week: Week) -> list[dict[str, Any]]:
    """The latest version of each of the region's models that was trained with origin `week`."""
    if not lake.exists(MODEL_VERSIONS.name):
        return []
    return _rows(
        lake,
        f"""
        select * from (
            select v.*, row_number() over (partition by format, mover, kind order by trained_at desc, model_version) as latest
            from gold_model_versions as v
            where region = '{region}' and trained_week = {day(week)}
        ) where latest = 1 order by format, mover
        """,
    )


def champions(lake: Lake, regions: Iterable[Region], origin: Week) -> list[dict[str, Any]]:
    """The version that was champion of each segment at `origin`: the last promotion that held by then.

    Returns
    -------
    One row (columns of `gold/model_versions`) for each region, format, mover and kind that has a champion.
    """
    if not lake.exists(MODEL_EVENTS.name):
        return []
    return _rows(
        lake,
        f"""
        with promotions as (
            select model_version, row_number() over (
                partition by region, format, mover order by effective_week desc, event_time desc
            ) as latest
            from gold_model_events
            where event = 'champion' and region in ({region_list(regions)}) and effective_week <= {day(origin)}
        )
        select v.* from gold_model_versions as v join promotions using (model_version) where latest = 1
        order by v.region, v.format, v.mover
        """,
    )


def versions_named(lake: Lake, names: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of gold/model_versions by model version; names that are not on record are left out."""
    wanted = set(names)
    return [row for row in _rows(lake, "select * from gold_model_versions") if row["model_version"] in wanted]


def events_of(lake: Lake, version: str) -> list[dict[str, Any]]:
    """Every decision on one version, oldest first."""
    return [row for row in _rows(lake, "select * from gold_model_events order by event_time") if row["model_version"] == version]


def _known_versions(lake: Lake, names: Sequence[str]) -> set[str]:
    if not lake.exists(MODEL_VERSIONS.name):
        return set()
    known = lake.read(MODEL_VERSIONS.name, columns="model_version")["model_version"].to_pylist()
    return set(known) & set(names)


def _rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    with lake.connect(MODEL_VERSIONS.name, MODEL_EVENTS.name) as connection:
        rows: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
    return rows
