"""What checks say of slices: whether each one's forecasts, plans, accuracy, drift and layers are as they should be, with what speaks against it.

Judged from tables alone, all slices of a run by one query a table. A slice that could not be judged yet is left out, so that its check counts as not
evaluated; one of which nothing was made although it should have been is judged, against. What Dagster is told is for `orchestration.defs.checks`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from orchestration.project import Project
from orchestration.reports.slices import Row, rows_by_slice, within
from transforms.calendar import Region, Slice, Week, around
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN, STALE_DAYS
from transforms.contracts.life_cycle import LADDER
from transforms.contracts.rungs import CHALLENGER
from transforms.contracts.silver import SILVER_SHIPMENTS
from transforms.lake.tables import Lake, day, region_list
from transforms.landing import first_weeks
from transforms.monitoring.accuracy import by_week_and_segment
from transforms.monitoring.serving import served_rungs

WEEKS_BEFORE = 4
"""Weeks up to the origin whose mean deliveries a plan is held against."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdict on a slice: whether it passed, in a sentence, with the rows that speak against it."""

    passed: bool
    summary: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()


Judgements: TypeAlias = Mapping[Slice, Judgement]


def within_target(lake: Lake, project: Project, slices: Sequence[Slice]) -> Judgements:
    """Each segment came within the target MAPE in the week; a week with deliveries that nobody had forecast counts against its region.

    Before the first origin of the lake nothing could have been scored, and a week without deliveries has nothing to be scored against.
    """
    block, segments = around(slices), defaultdict[Slice, list[dict[str, Any]]](list)
    for row in by_week_and_segment(lake, block.first, block.last):
        segments[Slice(Region(row["region"]), Week(row["week"]))].append(row)
    unscored = [item for item in slices if item not in segments]
    ought = _delivered_in_operation(lake, unscored) if unscored else set()
    return {item: _of_target(segments[item], project.gate.max_mape) for item in slices if segments[item] or item in ought}


def _of_target(rows: Sequence[Mapping[str, Any]], target: float) -> Judgement:
    scored = [row for row in rows if row["mape"] is not None]
    if not scored:
        return Judgement(False, "Nothing was scored: no forecast had been made for deliveries of this week.")
    missed = sorted((row for row in scored if row["mape"] > target), key=lambda row: -row["mape"])
    return Judgement(
        not missed,
        f"{len(scored)} segments scored, {len(missed)} above MAPE {target}.",
        ["segment", "MAPE", "historical average", "rows"],
        [[f"{row['format']}/{row['mover']}", row["mape"], row["baseline_mape"], row["n"]] for row in missed],
    )


def _delivered_in_operation(lake: Lake, slices: Sequence[Slice]) -> set[Slice]:
    """Slices with deliveries after the first origin at which the lake forecast anything."""
    with lake.connect(FORECASTS.name, DEMAND.name) as connection:
        [(began,)] = connection.execute("select min(origin_week) from gold_forecasts").fetchall()
        if began is None:
            return set()
        rows = connection.execute(
            f"select distinct region, week from gold_demand where {within('week', slices)} and units_shipped > 0 and week > {day(Week(began))}"
        ).fetchall()
    return {Slice(Region(region), Week(week)) for region, week in rows}


def no_drift(lake: Lake, slices: Sequence[Slice]) -> Judgements:
    """No column of the week drifted; a week with nothing to compare it with is not judged."""
    rows = rows_by_slice(
        lake, f'select region, week, drifted, "column", score, threshold, effect_money from gold_drift where {within("week", slices)}', DRIFT.name
    )

    def judged(columns: Sequence[Row]) -> Judgement:
        drifted = sorted((row[1:] for row in columns if row[0]), key=lambda row: -(row[3] or 0))
        summary = f"{len(drifted)} of {len(columns)} columns drifted."
        return Judgement(not drifted, summary, ["column", "distance", "drifts from", "USD in the week"], drifted)

    return {item: judged(rows[item]) for item in slices if item in rows}


def no_stale_model(lake: Lake, slices: Sequence[Slice]) -> Judgements:
    """No forecast of the origin comes from a model that is too old."""
    rows = rows_by_slice(
        lake,
        "select region, origin_week, model_version, any_value(trained_week), count(*) filter (where is_stale), count(*) "
        f"from gold_forecasts where {within('origin_week', slices)} group by region, origin_week, model_version order by all",
        FORECASTS.name,
    )

    def judged(models: Sequence[Row]) -> Judgement:
        stale = [[model, str(trained), n] for model, trained, n, _ in models if n]
        summary = f"{sum(row[2] for row in stale):,} of {sum(row[3] for row in models):,} forecasts come from models older than {STALE_DAYS} days."
        return Judgement(not stale, summary, ["model", "trained at", "forecasts"], stale)

    return _forecast(lake, slices, rows, judged)


def no_failover(lake: Lake, slices: Sequence[Slice]) -> Judgements:
    """Every forecast of the origin was made by the first step of its segment's ladder, or by the challenger of a test."""
    block = around(slices)
    up_to = f"region in ({region_list(block.regions)}) and week <= {day(block.last)}"
    rows = rows_by_slice(
        lake,
        served_rungs(within("origin_week", slices), up_to),
        FORECASTS.name,
        LADDER.name,
    )

    def judged(served: Sequence[Row]) -> Judgement:
        lower = [[f"{form}/{mover}", rung, first, reason, n] for form, mover, rung, first, reason, n in served if rung not in {first, CHALLENGER}]
        total = sum(row[-1] for row in served)
        summary = f"{sum(row[-1] for row in lower):,} of {total:,} forecasts were not made by the first step of their ladder."
        return Judgement(not lower, summary, ["segment", "rung", "first step", "why", "forecasts"], lower)

    return _forecast(lake, slices, rows, judged)


def significant(lake: Lake, slices: Sequence[Slice]) -> Judgements:
    """What serves each segment from the origin on is significant; segments with too few rows to say so do not count against it."""
    rows = rows_by_slice(
        lake,
        "select region, week, format, mover, rung, mape, is_significant, reason from gold_ladder "
        f"where rank = 1 and {within('week', slices)} order by all",
        LADDER.name,
    )

    def judged(steps: Sequence[Row]) -> Judgement | None:
        measured = [row for row in steps if row[4] is not None]
        missed = [[f"{form}/{mover}", rung, mape, reason] for form, mover, rung, mape, good, reason in measured if not good]
        summary = f"{len(missed)} of {len(measured)} segments that were measured are not significant; {len(steps) - len(measured)} could not be."
        return Judgement(not missed, summary, ["segment", "rung", "MAPE", "why"], missed) if measured else None

    return {item: found for item in slices if (found := judged(rows.get(item, ()))) is not None}


def forecasts_are_sane(lake: Lake, project: Project, slices: Sequence[Slice]) -> Judgements:
    """Forecasts for all weeks, with numbers that can be: chances, quantiles in order, nothing negative."""
    numbers = ("p_demand", "size", "expected", "q10", "q50", "q90")
    broken = " or ".join([*(f"not isfinite({name}) or {name} < 0" for name in numbers), "p_demand > 1", "q10 > q50", "q50 > q90"])
    rows = rows_by_slice(
        lake,
        f"select region, origin_week, count(distinct target_week), count(*) filter (where {broken}), count(*) from gold_forecasts "
        f"where {within('origin_week', slices)} group by region, origin_week",
        FORECASTS.name,
    )

    def judged(counted: Sequence[Row]) -> Judgement:
        [(weeks, wrong, n)] = counted
        against = [[f"forecasts for {weeks} of {project.horizons} weeks"]] if weeks < project.horizons else []
        if wrong:
            against.append([f"{wrong:,} forecasts that cannot be: negative, not a number, or quantiles out of order"])
        return Judgement(not against, f"{n:,} forecasts for {weeks} weeks; {len(against)} findings.", ["what"], against)

    return _forecast(lake, slices, rows, judged)


def plan_is_sane(lake: Lake, project: Project, slices: Sequence[Slice]) -> Judgements:
    """The plan loads whole packs, and each week's total lies within `data.volume_ratio` of the weeks before the origin."""
    rows = rows_by_slice(
        lake,
        f"""
        with

        planned as (
            select region, origin_week, target_week, sum(order_quantity) as units,
                count(*) filter (where order_quantity < 0 or order_quantity % case_pack <> 0) as broken
            from gold_order_plan where {within("origin_week", slices)} group by all
        ),

        delivered as (
            select p.region, p.origin_week, sum(d.units_shipped) / {WEEKS_BEFORE} as units
            from (select distinct region, origin_week from planned) as p join gold_demand as d on d.region = p.region
                and d.week <= p.origin_week and d.week > p.origin_week - interval {WEEKS_BEFORE} weeks
            group by all
        )

        select region, origin_week, target_week, planned.units, delivered.units, broken
        from planned left join delivered using (region, origin_week) order by all
        """,
        ORDER_PLAN.name,
        DEMAND.name,
    )
    ratio = project.data.volume_ratio

    def judged(weeks: Sequence[Row]) -> Judgement:
        against = [
            [str(week), int(units), lately, broken]
            for week, units, lately, broken in weeks
            if broken or (lately and not 1 / ratio <= units / lately <= ratio) or (not lately and units)
        ]
        summary = (
            f"{len(weeks)} weeks planned: {len(against)} with broken packs, or outside {1 / ratio:.2f} to {ratio:g} times the weekly deliveries "
            f"of the {WEEKS_BEFORE} weeks before the origin."
        )
        return Judgement(not against, summary, ["week", "units planned", "weekly deliveries before", "rows with broken packs"], against)

    return _forecast(lake, slices, rows, judged)


def layers_agree(lake: Lake, slices: Sequence[Slice]) -> Judgements:
    """Gold holds the deliveries that silver holds, in rows and units; a slice of which neither has any agrees."""
    rows = rows_by_slice(
        lake,
        f"""
        with

        silver as (
            select region, week, count(*) as n, sum(units_shipped) as units
            from silver_shipments where units_shipped <> 0 and {within("week", slices)} group by all
        ),

        gold as (
            select region, week, count(*) as n, sum(units_shipped) as units
            from gold_demand where units_shipped <> 0 and {within("week", slices)} group by all
        )

        select coalesce(silver.region, gold.region), coalesce(silver.week, gold.week), coalesce(silver.n, 0), coalesce(gold.n, 0),
            coalesce(silver.units, 0), coalesce(gold.units, 0)
        from silver full outer join gold on silver.region = gold.region and silver.week = gold.week
        """,
        SILVER_SHIPMENTS.name,
        DEMAND.name,
    )

    def judged(sums: Sequence[Row]) -> Judgement:
        ((n, n_gold, units, units_gold),) = sums or ((0, 0, 0, 0),)
        agrees = (n, units) == (n_gold, units_gold)
        summary = f"Silver holds {n:,} deliveries of {units:,} units, gold {n_gold:,} of {units_gold:,}."
        return Judgement(agrees, summary, ["layer", "deliveries", "units"], [] if agrees else [["silver", n, units], ["gold", n_gold, units_gold]])

    return {item: judged(rows.get(item, ())) for item in slices}


def _forecast(lake: Lake, slices: Sequence[Slice], rows: Mapping[Slice, Sequence[Row]], judged: Callable[[Sequence[Row]], Judgement]) -> Judgements:
    """Verdicts on what was made at origins; where nothing was made, a region that had deliveries by then should have been forecast."""
    missing = [item for item in slices if item not in rows]
    begins = first_weeks(lake) if missing else {}
    nothing = Judgement(False, "Nothing was forecast at this origin, although the region had deliveries by then.")
    ought = {item for item in missing if item.region in begins and begins[item.region] <= item.week}
    return {item: judged(rows[item]) if item in rows else nothing for item in slices if item in rows or item in ought}
