"""Models in service of a region at an origin: steps of the failover ladder and their order, artifacts of versions, and the history that they see.

Decisions on models are read here and made elsewhere (`promotion`, `rollback`, `ladder`); what makes forecasts with what serves is `score_region`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from models.ensemble.artifacts import load
from models.evaluation.gate import Gate, judge
from models.serving.failover import Model, Serving
from transforms.calendar import Region, Week
from transforms.contracts import rungs
from transforms.contracts.life_cycle import LADDER
from transforms.contracts.rungs import BASELINE, RUNGS
from transforms.lake.remote.working_copy import brought
from transforms.lake.tables import Lake, day
from transforms.panel.panel import Panel, SoldOutWeeks
from transforms.records.model_registry import POOLED, champions
from transforms.rows import Row, Segment


def steps_at(lake: Lake, region: Region, week: Week) -> tuple[dict[Segment, dict[str, Row]], dict[str, Row]]:
    """Read what may serve the region at an origin: by segment the version on each step from the top, and the historical average of each format."""
    rows = champions(lake, [region, POOLED], week, depth=2)
    averages = {row["format"]: row for row in rows if row["mover"] == "all" and row["rank"] == 1}
    steps: dict[Segment, dict[str, Row]] = {}
    own = [row for row in rows if row["mover"] != "all" and row["region"] == str(region)]
    pooled = [row for row in rows if row["region"] == str(POOLED) and row["rank"] == 1]
    for row in [*own, *pooled]:
        rung = rungs.POOLED if row["region"] == str(POOLED) else rungs.CHAMPION if row["rank"] == 1 else rungs.PREVIOUS
        steps.setdefault((row["format"], row["mover"]), {})[rung] = row
    return steps, averages


def order_at(lake: Lake, region: Region, week: Week) -> dict[Segment, dict[str, Row]]:
    """Read the order that holds at an origin: by segment and rung the rows of gold/ladder, as steps were scored at the last origin up to it."""
    if not lake.exists(LADDER.name):
        return {}
    where = f"region = '{region}' and week <= {day(week)}"
    with lake.connect(LADDER.name) as connection:
        rows = connection.execute(f"select * from gold_ladder where {where} qualify week = max(week) over () order by rank").to_arrow_table()
    found: dict[Segment, dict[str, Row]] = {}
    for row in rows.to_pylist():
        found.setdefault((row["format"], row["mover"]), {})[row["rung"]] = row
    return found


def champions_serving(lake: Lake, region: Region, week: Week, gate: Gate) -> tuple[dict[Segment, Serving], dict[str, Serving]]:
    """Read what serves the region at an origin: by format and mover the ladder's uppermost step, and the historical averages by format.

    Steps are in the order of `gold/ladder`. Where it has not scored the one that comes first by itself (a champion that a person has approved since),
    that one serves, and all stand as `transforms.contracts.rungs` lists them. Nothing is loaded before it is needed.
    """
    steps, known = steps_at(lake, region, week)
    order = order_at(lake, region, week)
    averages = {format_: _serving(lake, row, BASELINE, RUNGS[BASELINE]) for format_, row in known.items()}
    ladders = {}
    for segment, versions in steps.items():
        below = {BASELINE: known[segment[0]]} if segment[0] in known else {}
        ladders[segment] = _ladder(lake, {**versions, **below}, _ranked(order.get(segment, {}), versions), gate)
    return ladders, averages


_UNSCORED = len(RUNGS) + 1


def _ladder(lake: Lake, versions: Mapping[str, Row], ranked: Mapping[str, Row], gate: Gate) -> Serving:
    """The uppermost step with the others below it; `versions` by rung. What `ranked` does not know stands in the order of the list."""
    places = {rung: (ranked[rung]["rank"] if rung in ranked else _UNSCORED, place) for place, rung in enumerate(RUNGS)}
    step: Serving | None = None
    # From the lowest step up.
    for rung, row in sorted(versions.items(), key=lambda item: places[item[0]], reverse=True):
        since = RUNGS[BASELINE] if rung == BASELINE else f"{rung} since {row['since']}"
        if rung in ranked:
            reason, significant = f"{since}: {ranked[rung]['reason']}", ranked[rung]["is_significant"]
        else:
            reason, significant = since, None if rung == BASELINE else judge(json.loads(row["metrics"]), gate).passed
        step = replace(_serving(lake, row, rung, reason), below=step, significant=significant)
    assert step is not None  # noqa: S101 - for the type checker: no segment without a version
    return step


def _ranked(order: Mapping[str, Row], versions: Mapping[str, Row]) -> dict[str, Row]:
    """Rows of gold/ladder by rung, as far as they are about the steps that there are; none where they do not know the first of these."""
    ranked = {
        rung: row for rung, row in order.items() if rung == BASELINE or (rung in versions and versions[rung]["model_version"] == row["model_version"])
    }
    return ranked if next(iter(versions)) in ranked else {}


def panel_at(lake: Lake, region: Region, week: Week, sold_out: SoldOutWeeks = "as_shipped") -> Panel:
    """A region's history as it was known at the end of `week`; features are made of it with sold-out weeks as the project says."""
    return replace(Panel.load(lake, region, week).until(week), sold_out=sold_out)


def _serving(lake: Lake, row: Mapping[str, Any], rung: str, reason: str) -> Serving:
    return Serving(partial(load_version, lake, row), row["model_version"], row["trained_week"], rung, reason)


def load_version(lake: Lake, row: Mapping[str, Any], held_back: bool = False) -> Model:
    """Load and verify the artifact of a version; with `held_back` the model as it was before it had learned from the held-back weeks."""
    prefix = ("held_back_uri", "held_back_sha256") if held_back else ("artifact_uri", "sha256")
    uri, sha256 = (row[name] for name in prefix)
    return load(brought(lake, uri), sha256)
