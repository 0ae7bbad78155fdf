"""The model registry: two append-only tables, what was trained and what was decided. The present champion is a query.

Decisions carry the origin week from which they hold, so that a backfill over past weeks finds the champion of that time and no later one. Who decides
what is not known here: see orchestration.lifecycle.promotion and orchestration.lifecycle.rollback.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa

from transforms.calendar import ALL_REGIONS, Region, Week
from transforms.contracts.life_cycle import MODEL_EVENTS, MODEL_VERSIONS
from transforms.lake.tables import Lake, Receipt, day, region_list

WAITING, CHAMPION, REJECTED, RETIRED, ROLLED_BACK = "awaiting validation", "champion", "rejected", "retired", "rolled back"
POOLED = Region(ALL_REGIONS)
"""Where the models over all regions are filed."""
END_OF_TIME = Week.containing(date(9999, 1, 4))
"""An origin after every decision: what holds there holds at present."""


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
    dataset_version: str | None
    data_versions: str
    metrics: str
    artifact_uri: str
    sha256: str
    held_back_uri: str | None = None
    held_back_sha256: str | None = None
    inputs: str | None = None
    source_commit: str | None = None
    environment: str | None = None


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
    numbers: str | None = None


class ModelRegistry(Protocol):
    """What keeps a record of the models. `DeltaRegistry` is the truth; others, like the mirror to MLflow, follow it and may lag behind."""

    def record(self, versions: Sequence[ModelVersion], events: Sequence[ModelEvent]) -> None:
        """Add what was trained and what was decided."""
        ...

    def has(self) -> Mapping[str, int]:
        """Each version on record with the number of its events."""
        ...


@dataclass(frozen=True)
class DeltaRegistry:
    """The registry in the lake: `gold/model_versions` and `gold/model_events`."""

    lake: Lake

    def record(self, versions: Sequence[ModelVersion], events: Sequence[ModelEvent]) -> None:
        """Append; versions come first, so that no decision is on record before what it is about."""
        if versions:
            self.lake.append(MODEL_VERSIONS.name, pa.Table.from_pylist([asdict(version) for version in versions], schema=MODEL_VERSIONS.schema))
        decide(self.lake, events)

    def has(self) -> Mapping[str, int]:
        """Each version on record with the number of its events."""
        rows = _rows(
            self.lake,
            """
            select v.model_version, count(e.event) as n
            from gold_model_versions as v left join gold_model_events as e using (model_version) group by 1
            """,
        )
        return {row["model_version"]: row["n"] for row in rows}


def register(lake: Lake, versions: Sequence[ModelVersion], decided: datetime, actor: str, why: Mapping[str, str], again: bool = False) -> None:
    """Record trained models as awaiting validation.

    A version that is on record already (same data, code and seed) is not recorded twice. Where another one was trained at that origin since, it
    waits for validation anew, so that the last one trained is the latest on record.

    Parameters
    ----------
    why
        Why each version was trained.
    again
        Let versions that are the latest of their origin already be validated anew.
    """
    known = DeltaRegistry(lake).has() if lake.exists(MODEL_VERSIONS.name) else {}
    new = [version for version in versions if version.model_version not in known]
    latest = {row["model_version"] for row in _latest_of_origins(lake)} if known else set()
    waiting = [v for v in versions if again or v.model_version not in latest or not known.get(v.model_version)]
    events = [
        ModelEvent(v.model_version, v.region, v.format, v.mover, decided, v.trained_week, WAITING, actor, f"trained: {why[v.model_version]}")
        for v in waiting
    ]
    DeltaRegistry(lake).record(new, events)


def decide(lake: Lake, events: Sequence[ModelEvent]) -> Receipt | None:
    """Append decisions."""
    if not events:
        return None
    return lake.append(MODEL_EVENTS.name, pa.Table.from_pylist([asdict(event) for event in events], schema=MODEL_EVENTS.schema))


def trained_at(lake: Lake, region: Region, week: Week) -> list[dict[str, Any]]:
    """The latest version of each of the region's models that was trained with origin `week`."""
    return _latest_of_origins(lake, f"v.region = '{region}' and v.trained_week = {day(week)}")


def latest_trained(lake: Lake, region: Region, until: Week) -> list[dict[str, Any]]:
    """The latest version of each of the region's models that was trained with an origin up to `until`."""
    found = _latest_of_origins(lake, f"v.region = '{region}' and v.trained_week <= {day(until)}")
    return list({(row["format"], row["mover"]): row for row in sorted(found, key=lambda row: row["trained_week"])}.values())


def waiting(lake: Lake, region: Region, week: Week) -> list[dict[str, Any]]:
    """Versions trained with origin `week` on which nothing has been decided since they were trained."""
    return [row for row in trained_at(lake, region, week) if row["state"] in {None, WAITING} and row["numbers"] is None]


def champions(lake: Lake, regions: Iterable[Region], origin: Week, known_at: datetime | None = None, depth: int = 1) -> list[dict[str, Any]]:
    """The version that was champion of each segment at `origin`: the last promotion that held by then and was not rolled back, nor failed since.

    Parameters
    ----------
    known_at
        Leave out what was decided later; None for all that is on record.
    depth
        Also the champions before it, up to so many: `rank` 1 is the champion, 2 the previous one.

    Returns
    -------
    One row (columns of `gold/model_versions`, and rank, since, decided_at, actor, reason) for each region, format, mover and rank.
    """
    if not lake.exists(MODEL_EVENTS.name):
        return []
    known = f"and event_time <= {day(known_at)}" if known_at else ""
    return _rows(
        lake,
        f"""
        with decided as (
            select * from gold_model_events
            where event in ('{CHAMPION}', '{ROLLED_BACK}', '{REJECTED}') and region in ({region_list(regions)})
                and effective_week <= {day(origin)} {known}
            qualify row_number() over (partition by model_version order by effective_week desc, event_time desc) = 1
        ), ranked as (
            select
                model_version, effective_week as since, event_time as decided_at, actor, reason,
                row_number() over (partition by region, format, mover order by effective_week desc, event_time desc) as rank
            from decided where event = '{CHAMPION}'
        )
        select v.*, r.* exclude (model_version) from gold_model_versions as v join ranked as r using (model_version) where rank <= {depth}
        order by v.region, v.format, v.mover, rank
        """,
    )


def states(lake: Lake) -> list[dict[str, Any]]:
    """Every version with its present state: columns of `gold/model_versions`, and state, since, decided_at, actor, reason, numbers of the last event.

    A version that was promoted and is champion no longer counts as retired, also where a backfill put another one in its place.
    """
    if not lake.exists(MODEL_VERSIONS.name):
        return []
    rows = _rows(
        lake,
        """
        select v.*, e.event as state, e.effective_week as since, e.event_time as decided_at, e.actor, e.reason, e.numbers
        from gold_model_versions as v left join (
            select * from gold_model_events
            qualify row_number() over (partition by model_version order by event_time desc, event = 'champion' desc) = 1
        ) as e using (model_version)
        order by v.region, v.format, v.mover, v.trained_week, v.trained_at
        """,
    )
    regions = sorted({Region(row["region"]) for row in rows})
    serving = {row["model_version"] for row in champions(lake, regions, END_OF_TIME)}
    for row in rows:
        if row["model_version"] in serving:
            row["state"] = CHAMPION
        elif row["state"] == CHAMPION:
            row["state"] = RETIRED
    return rows


def version(lake: Lake, name: str) -> dict[str, Any] | None:
    """One version with its present state, None when it is not on record."""
    return next((row for row in states(lake) if row["model_version"] == name), None)


def versions_named(lake: Lake, names: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of gold/model_versions by model version; names that are not on record are left out."""
    wanted = set(names)
    return [row for row in _rows(lake, "select * from gold_model_versions") if row["model_version"] in wanted]


def all_versions(lake: Lake) -> list[ModelVersion]:
    """Every version on record, oldest first."""
    return [ModelVersion(**row) for row in _rows(lake, "select * from gold_model_versions order by trained_at, model_version")]


def all_events(lake: Lake) -> list[ModelEvent]:
    """Every decision on record, oldest first."""
    return [ModelEvent(**row) for row in _rows(lake, "select * from gold_model_events order by event_time")]


def events_of(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Every decision on one version, oldest first."""
    return [asdict(event) for event in all_events(lake) if event.model_version == name]


def _latest_of_origins(lake: Lake, where: str = "true") -> list[dict[str, Any]]:
    """The last version of each model and origin that was trained, with the last event on it: a version counts from when it last came to wait."""
    if not lake.exists(MODEL_VERSIONS.name):
        return []
    return _rows(
        lake,
        f"""
        with waited as (
            select model_version, max(event_time) filter (where event = '{WAITING}') as waiting_since,
                arg_max(event, event_time) as state, arg_max(coalesce(numbers, ''), event_time) as numbers
            from gold_model_events group by 1
        )
        select v.*, w.state, nullif(w.numbers, '') as numbers from gold_model_versions as v left join waited as w using (model_version) where {where}
        qualify row_number() over (
            partition by region, format, mover, kind, trained_week order by coalesce(waiting_since, trained_at) desc, model_version
        ) = 1
        order by format, mover
        """,
    )


def _rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    with lake.connect(MODEL_VERSIONS.name, MODEL_EVENTS.name) as connection:
        rows: list[dict[str, Any]] = connection.execute(sql).to_arrow_table().to_pylist()
    return rows
