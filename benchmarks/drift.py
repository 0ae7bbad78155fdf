"""Drift: how often it is called where nothing drifts, and how soon it is found where something does.

False alarms are counted on the sample world, whose regions have seasons, trends and promotions but no drift, and on the real deliveries, where some
alarms may be right. Beside the verdict as it is stand the same one with the weeks just before as the reference, and the usual naive way: the weeks
just before, each column against a distance of 0.1, drift from 30 % of the columns on. Then a drift is injected from a week on, and the weeks until it
is found are counted. Forecasts are those of somebody who knows the sample world's truth.

By itself, on a root that is conditioned: `python -m benchmarks.drift --root ROOT [--real]`, or `--truth` for a sample world.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from benchmarks.worlds import conditioned
from models.drift.score import DriftResult, score_drift
from orchestration.project import Project
from transforms.calendar import SliceBlock
from transforms.contracts.gold import FORECASTS
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.monitoring.drift_columns import drift_frames
from transforms.monitoring.drift_history import DriftHistory
from transforms.world import WorldSpec

RATE = Project.model_fields["drift_rate"].default
LOOKED_AT = 40
"""Weeks before the last one that are judged."""
INJECTED_AT = (3, 11, 19, 27)
"""Weeks back at which drifts are injected."""
FOLLOWED = 4
NAIVE_DISTANCE, NAIVE_SHARE = 0.1, 0.3
SEASON, TRAILING, NAIVE = "same season", "half year before", "half year before, fixed distance"


def drift(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; makes its own world
    """False alarms and detection on the sample world."""
    _, lake, truth = conditioned(scratch / "drift", WorldSpec())
    histories = list(histories_of(lake, truth))
    return [*false_alarms(histories, "sample world"), *detection(histories)]


def histories_of(lake: Lake, truth: Path | None = None) -> Iterator[DriftHistory]:
    """Every region up to the week before the last one, whose data may be incomplete; with forecasts by the truth where it is known."""
    last = last_week(lake)
    if last is None:
        return
    if truth is not None:
        lake.replace("gold/forecasts", SliceBlock(tuple(regions(lake)), last + -140, last), _knowing(truth))
    for region in regions(lake):
        if history := DriftHistory.load(lake, region, last + -1):
            yield history


def _knowing(truth: Path) -> pa.Table:
    """Forecasts of the week before, for every week of the sample world; columns that drift does not look at are filled in."""
    rows = duckdb.sql(
        f"""
        select region, store_id, product_id, (week::date - 7)::date as origin_week, week::date as target_week, 1 as horizon,
            'large' as format, 'fast' as mover, p_demand, exp(mean_log) * case_pack as size,
            p_demand * exp(mean_log + sigma * sigma / 2) * case_pack as expected, 0 as q10, 0 as q50, 0 as q90, 0 as baseline, 0 as baseline_size,
            'truth' as model_version, origin_week as trained_week, false as is_stale, 'champion' as rung,
            null as dataset_version, null as run_id, null as rung_reason
        from read_parquet('{truth}')
        """
    ).to_arrow_table()
    return rows.select(FORECASTS.names).cast(FORECASTS.schema)


def false_alarms(histories: Sequence[DriftHistory], where: str, every: int = 2) -> list[dict[str, object]]:
    """Share of region-weeks in which drift is called, for each reference."""
    called: dict[str, list[bool]] = {SEASON: [], TRAILING: [], NAIVE: []}
    for history in histories:
        for back in range(0, LOOKED_AT, every):
            past = history.until(history.last + -back)
            called[SEASON].append(judge(past).drifted)
            trailing = judge(past, seasonal=False)
            called[TRAILING].append(trailing.drifted)
            called[NAIVE].append(float(np.mean([one.score >= NAIVE_DISTANCE for one in trailing.judged])) >= NAIVE_SHARE)
    shares = {name: float(np.mean(alarms)) for name, alarms in called.items()}
    unit = f"share of {len(called[SEASON])} region-weeks"
    return [
        {"name": f"drift: called in the {where}", "value": shares[SEASON], "unit": unit, "peer": peer, "peer_value": shares[peer]}
        for peer in (TRAILING, NAIVE)
    ]


def judge(history: DriftHistory, seasonal: bool = True) -> DriftResult:
    """The verdict of production, or the same with the weeks just before as every reference."""
    frames = drift_frames(history)
    return score_drift(frames if seasonal else replace(frames, season=frames.trailing), RATE)


@dataclass(frozen=True)
class Injection:
    """A drift: what it does to a history from a week (its position) on, and the columns that may show it."""

    name: str
    change: Callable[[DriftHistory, int], DriftHistory]
    columns: frozenset[str]


def detection(histories: Sequence[DriftHistory]) -> list[dict[str, object]]:
    """For each injection the share found in its first week, and within FOLLOWED weeks; beside the verdict by the weeks just before."""
    rows: list[dict[str, object]] = []
    for injection in INJECTIONS:
        found = {seasonal: [delay(history, back, injection, seasonal) for history in histories for back in INJECTED_AT] for seasonal in (True, False)}
        for label, within in (("in its first week", 1), (f"within {FOLLOWED} weeks", FOLLOWED)):
            shares = {seasonal: float(np.mean([weeks < within for weeks in delays])) for seasonal, delays in found.items()}
            unit = f"share of {len(found[True])}"
            name = f"drift: {injection.name}, found {label}"
            rows.append({"name": name, "value": shares[True], "unit": unit, "peer": TRAILING, "peer_value": shares[False]})
    return rows


def delay(history: DriftHistory, back: int, injection: Injection, seasonal: bool) -> int:
    """Weeks until one of the injection's columns has drifted; FOLLOWED when none has by then."""
    start = history.weeks - 1 - back
    changed = injection.change(history, start)
    for weeks in range(FOLLOWED):
        result = judge(changed.until(history.first + (start + weeks)), seasonal)
        if injection.columns & set(result.columns):
            return weeks
    return FOLLOWED


def _tenfold(history: DriftHistory, start: int) -> DriftHistory:
    """A fifth of the stores report single units as cases of ten."""
    return _demand(history, start, np.where(history.store % 5 == 0, 10.0, 1.0))


def _less(history: DriftHistory, start: int) -> DriftHistory:
    return _demand(history, start, np.full(len(history.store), 0.7))


def _mix(history: DriftHistory, start: int) -> DriftHistory:
    """A category is no longer delivered; the one before it in the alphabet sells twice as much."""
    sold = {name: history.demand[(history.category == name)[history.product]].sum() for name in np.unique(history.category)}
    gone, instead = sorted(sold, key=lambda name: -sold[name])[:2]
    category = history.category[history.product]
    return _demand(history, start, np.where(category == gone, 0.0, np.where(category == instead, 2.0, 1.0)))


def _demand(history: DriftHistory, start: int, factor: np.ndarray) -> DriftHistory:
    demand = history.demand.copy()
    demand[:, start:] = np.round(demand[:, start:] * factor[:, None])
    return replace(history, demand=demand)


def _warmer(history: DriftHistory, start: int) -> DriftHistory:
    """Forecasts of the temperature come 8 degrees too high."""
    issued = history.issued.copy()
    issued[:, start:] += 8
    return replace(history, issued=issued)


def _dearer(history: DriftHistory, start: int) -> DriftHistory:
    price = history.price.copy()
    price[:, start:] *= 1.15
    return replace(history, price=price)


def _missing(history: DriftHistory, start: int) -> DriftHistory:
    """Three in ten stores have lost their surroundings, and as many products their price."""
    income, price = history.income.copy(), history.price.copy()
    income[::3, start:], price[::3, start:] = np.nan, np.nan
    return replace(history, income=income, price=price)


_TARGETS = frozenset({"demand", "store_units", "product_units", "residual"})
INJECTIONS = (
    Injection("units tenfold in a fifth of the stores", _tenfold, _TARGETS),
    Injection("demand less by 30 %", _less, _TARGETS),
    Injection("weather forecasts 8 degrees too warm", _warmer, frozenset({"forecast_of_tmax"})),
    Injection("other product mix", _mix, _TARGETS | {"category", "share_of_zeros", "vendor"}),
    Injection("prices up by 15 %", _dearer, frozenset({"price", "price_change"})),
    Injection("a third of income and price missing", _missing, frozenset({"inputs_missing"})),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="root whose data are conditioned")
    parser.add_argument("--truth", type=Path, help="the sample world's truth, to forecast by; forecasts are written into the root")
    parser.add_argument("--real", action="store_true", help="count alarms only: the deliveries are real")
    given = parser.parse_args()
    histories = list(histories_of(Lake(str(given.root)), given.truth))
    rows = false_alarms(histories, "real deliveries" if given.real else "sample world", every=4 if given.real else 2)
    rows += [] if given.real else detection(histories)
    table = Table("measurement", "value", "unit", "peer", "peer's value")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.3f}", str(row["unit"]), str(row["peer"]), f"{row['peer_value']:.3f}")
    Console(width=150).print(table)
    record(rows, f"python -m benchmarks.drift --root {given.root.name}{' --real' if given.real else ''}")


if __name__ == "__main__":
    main()
