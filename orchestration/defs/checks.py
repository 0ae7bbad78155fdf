"""Checks over all regions at the newest state of the lake, whatever slices a run was for: one good region hides no bad one.

Each judges from tables alone; where nothing was measured there is no judgement, and Dagster shows the check as not evaluated. Why they are not
partitioned: see DECISIONS.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from orchestration.project import Project
from orchestration.runtime.metadata import markdown_table
from transforms.calendar import Week
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, DEMAND, FORECASTS, ORDER_PLAN, STALE_DAYS
from transforms.contracts.life_cycle import LADDER
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.lake.tables import Lake
from transforms.landing import regions
from transforms.monitoring.accuracy import by_segment

_MOST_ROWS = 50
WEEKS_BEFORE = 4
"""Weeks up to the origin whose mean deliveries a plan is held against."""


@dataclass(frozen=True)
class Judgement:
    """Verdict of a check: whether it passed, in a sentence, with the rows that speak against it."""

    passed: bool
    summary: str
    columns: list[str]
    rows: list[list[Any]]


def check_results(spec: dg.AssetCheckSpec, judgement: Judgement | None) -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
    """Results that an asset yields for a check; without a judgement the check's output alone, so that it counts as not evaluated."""
    if judgement is None:
        yield dg.Output(None, output_name=spec.get_python_identifier())
        return
    yield dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=judgement.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=judgement.summary,
        metadata={"against": len(judgement.rows), "rows": markdown_table(judgement.columns, judgement.rows[:_MOST_ROWS])},
    )


def accuracy_judgement(lake: Lake, project: Project) -> Judgement | None:
    """Every segment of every region, over the last weeks that were scored, came within the target."""
    with lake.connect(ACCURACY.name) as connection:
        [(found,)] = connection.execute("select max(week) from gold_accuracy").fetchall()
    if found is None:
        return None
    newest = Week(found)
    first = newest + (1 - project.horizons)
    scored = [row for row in by_segment(lake, first, newest) if row["mape"] is not None]
    missed = [row for row in scored if row["mape"] > project.gate.max_mape]
    without = sorted({str(region) for region in regions(lake)} - {row["region"] for row in scored})
    rows = [[row["region"], f"{row['format']}/{row['mover']}", row["mape"], row["baseline_mape"], row["n"]] for row in missed]
    rows.sort(key=lambda row: -row[2])
    return Judgement(
        not missed and not without,
        f"Weeks {first} to {newest}: {len(scored)} segments scored, {len(missed)} above MAPE {project.gate.max_mape}; regions without scores: "
        f"{', '.join(without) or 'none'}.",
        ["region", "segment", "MAPE", "historical average", "rows"],
        [*rows, *([region, "all", "not scored", None, 0] for region in without)],
    )


def drift_judgement(lake: Lake) -> Judgement | None:
    """In no region did a column drift in the newest week that was watched there."""
    with lake.connect(DRIFT.name) as connection:
        rows = connection.execute(
            """
            with newest as (from gold_drift where (region, week) in (select (region, max(week)) from gold_drift group by region))
            select region, week, string_agg("column", ', ' order by score desc) filter (where drifted), count(*) from newest group by all order by all
            """
        ).fetchall()
    if not rows:
        return None
    drifted = [[region, str(week), columns, watched] for region, week, columns, watched in rows if columns]
    return Judgement(
        not drifted,
        f"{len(drifted)} of {len(rows)} regions drifted in the newest week that was watched there.",
        ["region", "week", "drifted", "columns watched"],
        drifted,
    )


def stale_judgement(lake: Lake) -> Judgement | None:
    """No forecast of the newest origin of its region comes from a model that is too old."""
    rows = _forecasts(
        lake,
        "region, origin_week, model_version, any_value(trained_week), count(*) filter (where is_stale) as stale, count(*) as n",
        "region, origin_week, model_version",
    )
    stale = [[region, str(week), model, str(trained), n] for region, week, model, trained, n, _ in rows if n]
    summary = f"{sum(row[4] for row in stale):,} of {sum(row[5] for row in rows):,} forecasts come from models older than {STALE_DAYS} days."
    return Judgement(not stale, summary, ["region", "origin", "model", "trained at", "forecasts"], stale) if rows else None


def failover_judgement(lake: Lake) -> Judgement | None:
    """Every forecast of the newest origin of its region was made by the first step of its segment's ladder, or by the challenger of a test."""
    with lake.connect(FORECASTS.name, LADDER.name) as connection:
        rows = connection.execute(
            f"""
            with

            served as (
                select region, origin_week, format, mover, rung, any_value(rung_reason) as reason, count(*) as n from gold_forecasts
                where (region, origin_week) in (select (region, max(origin_week)) from gold_forecasts group by region)
                group by all
            ),

            first_steps as (select region, format, mover, week, rung from gold_ladder where rank = 1)

            select s.region, s.origin_week, s.format, s.mover, s.rung, s.reason, s.n, coalesce(f.rung, '{CHAMPION}') as first_step
            from served as s asof left join first_steps as f
                on s.region = f.region and s.format = f.format and s.mover = f.mover and s.origin_week >= f.week
            order by all
            """
        ).fetchall()
    lower = [
        [region, str(week), f"{form}/{mover}", rung, first, reason, n]
        for region, week, form, mover, rung, reason, n, first in rows
        if rung not in {first, CHALLENGER}
    ]
    summary = f"{sum(row[6] for row in lower):,} of {sum(row[6] for row in rows):,} forecasts were not made by the first step of their ladder."
    columns = ["region", "origin", "segment", "rung", "first step", "why", "forecasts"]
    return Judgement(not lower, summary, columns, lower) if rows else None


def significance_judgement(lake: Lake) -> Judgement | None:
    """Judge whether what serves each segment now is significant; segments with too few rows to say so do not count against it."""
    with lake.connect(LADDER.name) as connection:
        rows = connection.execute(
            """
            select region, week, format, mover, rung, mape, is_significant, reason from gold_ladder
            where rank = 1 and (region, week) in (select (region, max(week)) from gold_ladder group by region)
            order by all
            """
        ).fetchall()
    measured = [row for row in rows if row[6] is not None]
    missed = [
        [region, str(week), f"{form}/{mover}", rung, mape, reason] for region, week, form, mover, rung, mape, good, reason in measured if not good
    ]
    summary = f"{len(missed)} of {len(measured)} segments that were measured are not significant; {len(rows) - len(measured)} could not be measured."
    return Judgement(not missed, summary, ["region", "origin", "segment", "rung", "MAPE", "why"], missed) if measured else None


def forecasts_judgement(lake: Lake, project: Project) -> Judgement | None:
    """Every region is forecast at the newest origin for all its weeks, with numbers that can be: chances, quantiles in order, nothing negative."""
    numbers = ("p_demand", "size", "expected", "q10", "q50", "q90")
    broken = " or ".join([*(f"not isfinite({name}) or {name} < 0" for name in numbers), "p_demand > 1", "q10 > q50", "q50 > q90"])
    rows = _forecasts(
        lake,
        f"region, origin_week, count(distinct target_week) as weeks, count(*) filter (where {broken}) as broken, count(*) as n",
        "region, origin_week",
    )
    if not rows:
        return None
    newest = max(row[1] for row in rows)
    found = {region: (week, weeks, wrong) for region, week, weeks, wrong, _ in rows}
    against: list[list[Any]] = []
    for region in map(str, regions(lake)):
        week, weeks, wrong = found.get(region, (None, 0, 0))
        if week != newest:
            against.append([region, f"no forecasts at {newest}, the newest are of {week or 'no origin'}"])
        elif weeks < project.horizons:
            against.append([region, f"forecasts for {weeks} of {project.horizons} weeks"])
        if wrong:
            against.append([region, f"{wrong:,} forecasts that cannot be: negative, not a number, or quantiles out of order"])
    summary = f"Origin {newest}: {sum(row[4] for row in rows):,} forecasts of {len(found)} regions; {len(against)} findings."
    return Judgement(not against, summary, ["region", "what"], against)


def plan_judgement(lake: Lake, project: Project) -> Judgement | None:
    """Plans of the newest origin load whole packs, and each week's total lies within `data.volume_ratio` of the weeks before the origin."""
    with lake.connect(ORDER_PLAN.name, DEMAND.name) as connection:
        rows = connection.execute(
            f"""
            with

            newest as (from gold_order_plan where (region, origin_week) in (select (region, max(origin_week)) from gold_order_plan group by region)),

            planned as (
                select region, origin_week, target_week, sum(order_quantity) as units,
                    count(*) filter (where order_quantity < 0 or order_quantity % case_pack <> 0) as broken
                from newest group by all
            ),

            delivered as (
                select p.region, p.origin_week, sum(d.units_shipped) / {WEEKS_BEFORE} as units
                from (select distinct region, origin_week from planned) as p join gold_demand as d on d.region = p.region
                    and d.week <= p.origin_week and d.week > p.origin_week - interval {WEEKS_BEFORE} weeks
                group by all
            )

            select region, target_week, planned.units, delivered.units, broken
            from planned left join delivered using (region, origin_week) order by all
            """
        ).fetchall()
    if not rows:
        return None
    ratio = project.data.volume_ratio
    against = [
        [region, str(week), units, lately, broken]
        for region, week, units, lately, broken in rows
        if broken or (lately and not 1 / ratio <= units / lately <= ratio) or (not lately and units)
    ]
    summary = (
        f"{len(rows)} plans of a region and week: {len(against)} with broken packs, or outside {1 / ratio:.2f} to {ratio:g} times the weekly "
        f"deliveries of the {WEEKS_BEFORE} weeks before their origin."
    )
    return Judgement(not against, summary, ["region", "week", "units planned", "weekly deliveries before", "rows with broken packs"], against)


def _forecasts(lake: Lake, columns: str, grouping: str) -> list[tuple[Any, ...]]:
    """Query the forecasts of each region's newest origin."""
    with lake.connect(FORECASTS.name) as connection:
        return connection.execute(
            f"""
            select {columns} from gold_forecasts
            where (region, origin_week) in (select (region, max(origin_week)) from gold_forecasts group by region)
            group by {grouping} order by all
            """
        ).fetchall()
