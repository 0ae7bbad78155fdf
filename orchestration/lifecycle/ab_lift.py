"""How A/B tests stand: rows of `gold/ab_lift` from what both arms did."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.evaluation.ab_test import lift
from transforms.calendar import SliceBlock, Week, weeks_between
from transforms.contracts.ab_tests import AB_LIFT
from transforms.lake.tables import Lake
from transforms.monitoring.ab_arms import arms
from transforms.records.ab_tests import AbTest, recorded


@dataclass(frozen=True, slots=True)
class Standing:
    """A test with its rows of `gold/ab_lift`, oldest first."""

    test: AbTest
    rows: list[dict[str, object]]


def lift_rows(lake: Lake, block: SliceBlock) -> pa.Table:
    """Rows of `gold/ab_lift` for the target weeks of a block; a test that was stopped keeps the looks that it had."""
    rows = [
        row
        for region in block.regions
        for test in recorded(lake, region)
        for week in weeks_between(max(block.first, test.first + 1), block.last)
        if test.runs_at(week + -1) and (row := _look(lake, test, week)) is not None
    ]
    return pa.Table.from_pylist(rows, schema=AB_LIFT.schema)


def standings(lake: Lake, tests: Sequence[AbTest]) -> list[Standing]:
    """How tests stood at each look that is on record."""
    if not lake.exists(AB_LIFT.name):
        return [Standing(test, []) for test in tests]
    rows = sorted(lake.read(AB_LIFT.name).to_pylist(), key=lambda row: row["week"])
    return [Standing(test, [row for row in rows if row["test_id"] == test.test_id]) for test in tests]


def _look(lake: Lake, test: AbTest, week: Week) -> dict[str, object] | None:
    found = arms(lake, test, week)
    if found is None:
        return None
    differences = found.differences(test)
    # A week that adds nothing is no look: its forecasts were never made, or the challenger failed.
    if not np.isfinite(differences[:, -1]).any():
        return None
    outcome = lift(differences, test.mode, test.alpha, test.weeks)
    return {
        "test_id": test.test_id,
        "region": test.region,
        "week": week.monday,
        "look": differences.shape[1],
        "units": outcome.units,
        "champion": _mean(found.champion),
        "challenger": _mean(found.challenger),
        "difference": outcome.difference if outcome.units else None,
        "low": outcome.low,
        "high": outcome.high,
        "verdict": outcome.verdict,
    }


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None
