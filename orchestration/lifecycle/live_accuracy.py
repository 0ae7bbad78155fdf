"""How a segment's forecasts turn out in production: in how many weeks in a row they fell short of what validation had promised.

A segment whose models missed the target in validation already does not fall short by missing it again; by doing worse than the historical average it
does.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from models.evaluation.gate import Gate, judge
from transforms.calendar import Region, Week
from transforms.contracts.gold import ACCURACY
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.lake.tables import Lake, day
from transforms.records.ab_tests import recorded
from transforms.rows import Segment

_YEAR = 52


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
