"""Measurements of forecasting: accuracy, drift, the models that serve, and the weeks that have landed and were forecast from."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from orchestration.project import FILE, Project
from orchestration.telemetry.families import Collector, Family, measured, query, seconds
from transforms.calendar import Week
from transforms.contracts.bronze import STORES
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, DEMAND, FORECASTS, STALE_DAYS
from transforms.contracts.life_cycle import MODEL_EVENTS, MODEL_VERSIONS
from transforms.lake.database import literal
from transforms.lake.tables import Lake, day
from transforms.landing import regions
from transforms.monitoring.accuracy import by_region, by_segment
from transforms.monitoring.serving import newest_origins
from transforms.records.model_registry import END_OF_TIME, champions

_SEGMENT = ("region", "format", "mover")


def _accuracy(lake: Lake) -> list[Family]:
    project = Project.of(lake)
    families = [Family("shelfcast_mape_target_ratio", "MAPE up to which a model is significant.", (), [((), project.gate.max_mape)])]
    newest = dict(query(lake, "select region, max(week) from gold_accuracy group by 1 order by 1", ACCURACY.name))
    if not newest:
        return families
    last = Week(max(newest.values()))
    first = last + (1 - project.horizons)
    weeks = f"over the {project.horizons} newest weeks that were scored"
    for rows, labels, of in ((by_segment(lake, first, last), _SEGMENT, "segment"), (_regions(by_region(lake, first, last)), ("region",), "region")):
        for name, column, what in (
            ("mape_ratio", "mape", "Mean absolute percentage error of size, rows with demand"),
            ("baseline_mape_ratio", "baseline_mape", "The same of the historical average"),
            ("rmse_units", "rmse_all", "Root mean square error of expected demand, all rows"),
            ("baseline_rmse_units", "baseline_rmse_all", "The same of the historical average"),
            ("scored_rows", "n", "Forecasts scored"),
        ):
            families.append(Family(f"shelfcast_{of}_{name}", f"{what}, by {of} {weeks}.", labels, measured(rows, labels, column)))
    scored = [((region,), seconds(week)) for region, week in newest.items()]
    return [*families, Family("shelfcast_scored_week_timestamp_seconds", "Newest week of which forecasts were scored.", ("region",), scored)]


def _drift(lake: Lake) -> list[Family]:
    rows = query(
        lake,
        """
        with newest as (from gold_drift where (region, week) in (select (region, max(week)) from gold_drift group by region))
        select region, week, count(*) filter (where drifted), count(*) from newest group by all order by all
        """,
        DRIFT.name,
    )
    return [
        Family("shelfcast_drifted_columns", "Columns that drifted in the newest week watched.", ("region",), [((r,), n) for r, _, n, _ in rows]),
        Family("shelfcast_watched_columns", "Columns watched in that week.", ("region",), [((r,), n) for r, *_, n in rows]),
        Family("shelfcast_drift_week_timestamp_seconds", "Newest week watched.", ("region",), [((r,), seconds(week)) for r, week, *_ in rows]),
    ]


def _models(lake: Lake) -> list[Family]:
    landed = _landed_weeks(lake)
    known = regions(lake) if lake.exists(STORES.name) else []
    serving = champions(lake, known, END_OF_TIME) if known else []
    stale = dict.fromkeys(map(str, known), 0)
    for row in serving:
        newest = landed.get(row["region"])
        stale[row["region"]] += newest is not None and newest - row["trained_week"] > timedelta(days=STALE_DAYS)
    trained = [(tuple(row[label] for label in _SEGMENT), seconds(row["trained_week"])) for row in serving]
    what = "Origin week at which the champion was trained; mover is all for the historical average of a format."
    old = f"Champions trained more than {STALE_DAYS} days before the region's newest week."
    return [
        Family("shelfcast_champion_trained_week_timestamp_seconds", what, _SEGMENT, trained),
        Family("shelfcast_stale_champions", old, ("region",), [((region,), count) for region, count in stale.items()]),
        Family(
            "shelfcast_landed_week_timestamp_seconds", "Newest week with deliveries.", ("region",), [((r,), seconds(w)) for r, w in landed.items()]
        ),
    ]


def _forecasts(lake: Lake) -> list[Family]:
    """Of each region's newest origin alone, which the table's log knows: nothing else of the forecasts is read."""
    newest = newest_origins(lake)
    served: list[tuple[Any, ...]] = []
    if newest:
        wanted = " or ".join(f"(region = {literal(region)} and origin_week = {day(Week(week))})" for region, week in sorted(newest.items()))
        sql = f"select region, rung, count(*), count(*) filter (where is_stale) from gold_forecasts where {wanted} group by all order by all"
        served = query(lake, sql, FORECASTS.name)
    stale = dict.fromkeys(newest, 0)
    for region, _, _, old in served:
        stale[region] += old
    origins = [((region,), seconds(week)) for region, week in newest.items()]
    rungs = [((region, rung), n) for region, rung, n, _ in served]
    return [
        Family("shelfcast_forecast_origin_timestamp_seconds", "Newest origin week that was forecast from.", ("region",), origins),
        Family("shelfcast_forecast_rows", "Forecasts of that origin, by the step of the failover ladder that made them.", ("region", "rung"), rungs),
        Family(
            "shelfcast_stale_forecast_rows",
            f"Forecasts of that origin by models trained more than {STALE_DAYS} days before.",
            ("region",),
            [((region,), n) for region, n in stale.items()],
        ),
    ]


def _landed_weeks(lake: Lake) -> dict[str, date]:
    return dict(query(lake, "select region, max(week) from gold_demand where units_shipped > 0 group by 1 order by 1", DEMAND.name))


def _regions(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the row over all regions: whoever adds them up would count each twice."""
    return [row for row in rows if row["region"] != "all"]


FORECASTING = (
    Collector("accuracy", (ACCURACY.name,), _accuracy, (FILE,)),
    Collector("drift", (DRIFT.name,), _drift),
    Collector("models", (STORES.name, DEMAND.name, MODEL_VERSIONS.name, MODEL_EVENTS.name), _models),
    Collector("forecasts", (FORECASTS.name,), _forecasts),
)
