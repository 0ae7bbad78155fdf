"""How models do: rollbacks, forecasts by lower steps of the ladder, stale models, accuracy below target, drift that costs money."""

from collections import defaultdict
from datetime import datetime, timedelta

from orchestration.alerts.alert import Alert, Item, ask, measured
from transforms.calendar import Region, Week
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, FORECASTS, PLAN_VALUE, STALE_DAYS
from transforms.contracts.life_cycle import LADDER, MODEL_EVENTS, MODEL_VERSIONS
from transforms.contracts.rungs import CHALLENGER, CHAMPION, RUNGS
from transforms.lake.tables import Lake
from transforms.monitoring.accuracy import SUMS, by_segment
from transforms.monitoring.serving import served_rungs
from transforms.records.model_registry import END_OF_TIME, ROLLED_BACK, champions
from transforms.rows import Row

HAPPENED_WITHIN = timedelta(days=14)
"""So long what has happened is told of to whom it was not told yet."""
ACCURACY_WEEKS, _BEFORE_WEEKS = 4, 8
"""Weeks that a segment's accuracy is of: one week alone goes up and down with the weather; and weeks that a drifted one is held against."""


def rollbacks(lake: Lake, now: datetime) -> list[Alert]:
    """Rollbacks of the last days, one for each decision: an automatic one by its run, a person's by the origin from which it holds."""
    rows = ask(
        lake,
        "select * from gold_model_events where event = $event and event_time > $since order by event_time, region, format, mover",
        MODEL_EVENTS.name,
        event=ROLLED_BACK,
        since=now - HAPPENED_WITHIN,
    )
    found: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for row in rows:
        text = f"{row['region']} {row['format']} {row['mover']}: {row['model_version']}, {row['reason']}"
        found[row["actor"], str(row["effective_week"])].append(Item(row["model_version"], text, (row["region"],)))
    advice = "Nothing has to be done: the versions named serve no more. See what serves instead: shelfcast models list"
    return [
        Alert("rollback", f"{week}/{actor}", f"Models rolled back by {actor}", tuple(items), advice, "/pages/training", happened=True)
        for (actor, week), items in found.items()
    ]


def lower_rungs(lake: Lake) -> list[Alert]:
    """Segments whose newest forecasts another step than the champion made: by failover, or because validation found that step better."""
    newest = "(region, origin_week) in (select (region, max(origin_week)) from gold_forecasts group by region)"
    rows = [row for row in ask(lake, served_rungs(newest), FORECASTS.name, LADDER.name) if row["rung"] not in {CHAMPION, CHALLENGER}]
    fell, chosen = [row for row in rows if row["rung"] != row["first_step"]], [row for row in rows if row["rung"] == row["first_step"]]
    advice = "Why stands with each; a new training mends a broken champion: shelfcast run --retrain"
    better = "Nothing has to be done now: these did better than the champion in validation."
    return [
        *([Alert("failover", "", "Forecasts by a lower step of the ladder", tuple(map(_served, fell)), advice)] if fell else []),
        *([Alert("lower_rung", "", "Another step does better than the champion", tuple(map(_served, chosen)), better)] if chosen else []),
    ]


def _served(row: Row) -> Item:
    segment = f"{row['region']} {row['format']} {row['mover']}"
    text = f"{segment}: {row['n']:,} rows by the {RUNGS[row['rung']]} from {row['origin_week']}, {row['reason'] or 'no reason on record'}"
    return Item(f"{row['region']}/{row['format']}/{row['mover']}/{row['rung']}", text, (row["region"],))


def stale_models(lake: Lake) -> list[Alert]:
    """Champions that were trained more than 60 days before the newest origin."""
    if not lake.exists(MODEL_VERSIONS.name):
        return []
    [newest] = ask(
        lake,
        "select greatest((select max(trained_week) from gold_model_versions), (select max(origin_week) from gold_forecasts)) as origin",
        MODEL_VERSIONS.name,
        FORECASTS.name,
    )
    regions = [Region(name) for name in lake.read(MODEL_VERSIONS.name, columns="distinct region")["region"].to_pylist()]
    items = []
    for row in champions(lake, regions, END_OF_TIME):
        days = (newest["origin"] - row["trained_week"]).days
        if days > STALE_DAYS:
            name = f"{row['region']} {row['format']} {row['mover']}"
            items.append(
                Item(name.replace(" ", "/"), f"{name}: trained {row['trained_week']}, {days} days before the newest origin", (row["region"],))
            )
    advice = f"Train them again: shelfcast run --week {newest['origin']} --retrain"
    return [Alert("stale_model", "", f"Models older than {STALE_DAYS} days", tuple(items), advice, "/pages/training")] if items else []


def missed_target(lake: Lake, max_mape: float) -> list[Alert]:
    """Segments whose forecasts of the last weeks that turned out missed the project's target."""
    [found] = ask(lake, "select max(week) as week from gold_accuracy", ACCURACY.name)
    if found["week"] is None:
        return []
    newest = Week(found["week"])
    items = []
    for row in by_segment(lake, newest + (1 - ACCURACY_WEEKS), newest):
        if row["mape"] is not None and row["mape"] > max_mape:
            name = f"{row['region']} {row['format']} {row['mover']}"
            text = f"{name}: error {row['mape']:.0%}, target {max_mape:.0%}, historical average {measured(row['baseline_mape'], '.0%')}"
            items.append(Item(name.replace(" ", "/"), text, (row["region"],)))
    advice = "Look at its drift and its decisions on the page; another champion: shelfcast models rollback --previous --by NAME --why WHY"
    return (
        [Alert("accuracy", "", f"Error above {max_mape:.0%} over {ACCURACY_WEEKS} weeks", tuple(items), advice, "/pages/training")] if items else []
    )


def costly_drift(lake: Lake, least_usd: float) -> list[Alert]:
    """Regions whose newest week drifted and did worse than the weeks before it: by plan cost where that was measured, else by error.

    The money is what the week's plans cost more than the weeks before, for each unit of demand; where none was measured, the drift's own estimate.
    """
    rows = ask(
        lake,
        f"""
        with drifted as (
            select region, week, list("column" order by effect_money desc nulls last) as columns, max(effect_money) as estimate from gold_drift
            where (region, week) in (select (region, max(week)) from gold_drift group by region) and drifted group by all
        ), cost as (
            select region, week, sum(cost_left + cost_missed) as usd, sum(demand)::double as demand from gold_plan_value
            where policy = 'order_plan' and horizon = 1 group by all
        ), error as (select region, week, {SUMS} from gold_accuracy group by region, week)
        select d.region, d.week, any_value(d.columns) as columns, any_value(d.estimate) as estimate,
            any_value(c.usd) as usd, any_value(c.demand) as demand, any_value(e.mape) as mape,
            (select sum(b.usd) / nullif(sum(b.demand), 0) from cost as b where b.region = d.region and {_BEFORE}) as usd_before,
            (select avg(b.mape) from error as b where b.region = d.region and {_BEFORE}) as mape_before
        from drifted as d left join cost as c using (region, week) left join error as e using (region, week)
        group by d.region, d.week order by d.region
        """,
        *(DRIFT.name, PLAN_VALUE.name, ACCURACY.name),
    )
    items = []
    for row in rows:
        lost, told = _lost(row)
        if lost > least_usd:
            text = f"{row['region']}, week of {row['week']}: {', '.join(row['columns'][:4])} drifted; USD {lost:,.0f} {told}"
            items.append(Item(f"{row['region']}/{row['week']}", text, (row["region"],)))
    advice = "Its report says how columns moved; a training on the newest weeks learns from them: shelfcast run --retrain"
    return [Alert("drift", "", "Drift that costs money", tuple(items), advice)] if items else []


_BEFORE = f"b.week < d.week and b.week >= d.week - interval {_BEFORE_WEEKS} weeks"


def _lost(row: Row) -> tuple[float, str]:
    """USD that a drifted week cost more than the weeks before it, and how that is known; 0 where it did no worse."""
    worse = row["mape"] is not None and row["mape_before"] is not None and row["mape"] > row["mape_before"]
    error = f"; error {row['mape']:.0%} after {row['mape_before']:.0%}" if worse else ""
    if row["demand"] and row["usd_before"] is not None:
        lost = float(row["usd"] - row["usd_before"] * row["demand"])
        return max(lost, 0.0), f"more than at the cost of the {_BEFORE_WEEKS} weeks before{error}"
    return (max(float(row["estimate"] or 0), 0.0) if worse else 0.0), f"by estimate{error}"
