"""Forecasts and plans in production: scored against the demand that followed, and in how many weeks in a row a segment fell short of
what validation had promised. What follows of it is decided in `retraining` and `rollback`.

A segment whose models missed the target in validation already does not fall short by missing it again; by doing worse than the historical average it
does.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from models.evaluation.gate import Gate, judge
from models.evaluation.metrics import score_forecasts
from models.evaluation.plan_value import plan_value
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import Contract
from transforms.contracts.gold import ACCURACY, DEMAND, FORECASTS, ORDER_PLAN, PLAN_VALUE
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.lake.tables import Lake, block_predicate, day, region_list
from transforms.records.ab_tests import recorded
from transforms.rows import Segment

_YEAR = 52


def score_weeks(lake: Lake, block: SliceBlock) -> None:
    """Replace the rows of gold/accuracy of a block of target weeks: how the forecasts that had been issued for them turned out."""
    lake.replace(ACCURACY.name, block, score_forecasts(*issued(lake, block)))


def value_plans(lake: Lake, block: SliceBlock) -> None:
    """Replace the rows of gold/plan_value of a block of target weeks: the cost of plans made for them, beside what else could have been shipped."""
    rows = PLAN_VALUE.schema.empty_table()
    if lake.exists(ORDER_PLAN.name):
        demand = lake.read(DEMAND.name, where=block_predicate("week", block))
        rows = plan_value(_landed(lake, ORDER_PLAN, block, demand), lake.read(FORECASTS.name, where=_targets(block)), demand)
    lake.replace(PLAN_VALUE.name, block, rows)


def issued(lake: Lake, block: SliceBlock) -> tuple[pa.Table, pa.Table]:
    """Read the forecasts that were issued for a block of target weeks, as far as these have landed, and the demand of the block."""
    demand = lake.read(DEMAND.name, where=block_predicate("week", block))
    return _landed(lake, FORECASTS, block, demand), demand


def _landed(lake: Lake, table: Contract, block: SliceBlock, demand: pa.Table) -> pa.Table:
    if not lake.exists(table.name):
        return table.schema.empty_table()
    # A week of which nothing has landed is not a week without demand.
    landed = demand.group_by(["region", "week"]).aggregate([]).rename_columns({"week": "target_week"})
    return lake.read(table.name, where=_targets(block)).join(landed, keys=["region", "target_week"], join_type="left semi")


def _targets(block: SliceBlock) -> str:
    return f"region in ({region_list(block.regions)}) and target_week >= {day(block.first)} and target_week <= {day(block.last)}"


def live_weeks(lake: Lake, region: Region, week: Week) -> dict[Segment, list[dict[str, Any]]]:
    """For each segment the weeks up to `week` of which forecasts by its models are scored, newest first, with MAPE and the historical average's.

    `promised` are the metrics on the held-back weeks of the version that made most of them. Forecasts that the historical average made itself say
    nothing about the models and are left out, and so are those of a challenger that an A/B test serves: it may not roll back the champion.
    """
    untested = " ".join(
        f"and not (a.model = '{test.challenger}' and origin >= {day(test.first)} and origin < {day(test.end)})" for test in recorded(lake, region)
    )
    with lake.connect(ACCURACY.name, MODEL_VERSIONS.name) as connection:
        rows: list[dict[str, Any]] = (
            connection.execute(
                f"""
                select a.format, a.mover, a.week,
                    sum(a.mape * (a.n - a.n_zero)) / sum(a.n - a.n_zero) as mape,
                    sum(a.baseline_mape * (a.n - a.n_zero)) / sum(a.n - a.n_zero) as baseline_mape,
                    arg_max(v.metrics, a.n - a.n_zero) as promised
                from (select *, week - to_days((7 * horizon)::int) as origin from gold_accuracy) as a
                join gold_model_versions as v on v.model_version = a.model and v.kind = 'ensemble'
                where a.region = '{region}' and a.week <= {day(week)} and a.week > {day(week + -_YEAR)} and a.n > a.n_zero {untested}
                group by all order by a.week desc
                """
            )
            .to_arrow_table()
            .to_pylist()
        )
    found: dict[Segment, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["format"], row["mover"]), []).append(row)
    return found


def bad_streaks(scored: Mapping[Segment, Sequence[dict[str, Any]]], gate: Gate) -> dict[Segment, list[dict[str, Any]]]:
    """The newest weeks of each segment, of those that `live_weeks` gives, that fell short one after the other, newest first."""
    streaks = {}
    for segment, rows in scored.items():
        good = next((index for index, row in enumerate(rows) if not fell_short(row, gate)), len(rows))
        streaks[segment] = list(rows[:good])
    return streaks


def fell_short(row: dict[str, Any], gate: Gate) -> bool:
    """Whether a week did worse than the historical average, or missed a target that the model had kept on its held-back weeks."""
    if row["mape"] > row["baseline_mape"]:
        return True
    return judge(json.loads(row["promised"]), gate).passed and not judge(row, gate).passed


def failing_weeks(lake: Lake, region: Region, week: Week, gate: Gate) -> dict[Segment, int]:
    """Length of each segment's streak."""
    return {segment: len(rows) for segment, rows in bad_streaks(live_weeks(lake, region, week), gate).items()}
