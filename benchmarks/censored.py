"""Sold-out weeks and returns that come late: how much nearer to true demand estimates come than what is on record, and what that is worth.

The sample world with deliveries that are planned before demand is known, so that what is left comes back later, or the store has sold out and nobody
sees what it could have sold. Everything is made from what had landed by an origin and scored by the true demand, which no model sees.

By itself: `python -m benchmarks.censored`.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from benchmarks.worlds import conditioned, read_truth
from models.evaluation.metrics import score_points
from models.evaluation.plan_value import plan_value
from models.training.backtest import made_at, rolling_origins
from models.training.spec import TrainingSpec
from transforms.arrays import Floats32, Floats64
from transforms.calendar import Week
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.landing import last_week, regions
from transforms.panel.censoring import sold_out
from transforms.panel.late_returns import Arrivals
from transforms.panel.panel import Panel, SoldOutWeeks
from transforms.panel.unconstrained_demand import estimated_demand
from transforms.world import WorldSpec

SEEDS, REGIONS, NEWEST = (21, 22, 23), 2, 3
"""Other seeds than those that the settings of `transforms.panel.censoring` were chosen on, 1 to 3 and 11 to 13."""
COUNTED: tuple[SoldOutWeeks, ...] = get_args(SoldOutWeeks)
GROSS, LATE = "shipped", "late"
NAMES = {
    GROSS: "shipped",
    "as_shipped": "less returns on record",
    LATE: "less returns still to come",
    "estimated": "with sold-out weeks estimated",
}


@dataclass(frozen=True)
class Made:
    """Forecasts of a region at an origin with the demand they are scored by, shape (n,), and what the order plan would have cost in USD."""

    demand: Floats64
    size: Floats64
    expected: Floats64
    cost: float


def censored(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; makes its own worlds
    """Estimates of the past, then forecasts and plans, each beside those by what is on record."""
    console = Console(width=140)
    past: dict[tuple[str, str], list[Floats64]] = {}
    ahead: dict[str, list[Made]] = {}
    for seed in SEEDS:
        _, lake, path = conditioned(scratch / f"censored_{seed}", WorldSpec(seed=seed, regions=REGIONS, shipping="before_demand"))
        truth = read_truth(path)
        for panel, origins in _panels(lake):
            known = truth.filter(pc.equal(truth["region"], str(panel.region)))
            true = (
                known.sort_by([(name, "ascending") for name in ("store_id", "product_id", "week")])["demand"].to_numpy().reshape(panel.shipped.shape)
            )
            for origin in origins:
                for key, pair in _pasts(panel.until(origin), true):
                    past.setdefault(key, []).append(pair)
            _forecast(panel, origins, known, ahead)
    return [*_report_past(past, console), *_report_ahead(ahead, console)]


def _panels(lake: Lake) -> Iterator[tuple[Panel, list[Week]]]:
    """Each region up to the last week that landed, and the origins that it is forecast at."""
    last = last_week(lake)
    assert last is not None
    for region in regions(lake):
        yield Panel.load(lake, region, last), rolling_origins(last, TrainingSpec().horizons, 2)


def _pasts(panel: Panel, true: Floats64) -> Iterator[tuple[tuple[str, str], Floats64]]:
    """True demand and each estimate of it, stacked; by rows and by what is counted."""
    true = true[:, : panel.weeks]
    newest = np.broadcast_to(np.arange(panel.weeks) >= panel.weeks - NEWEST, true.shape)
    groups = {
        "all weeks": (np.full(true.shape, True), true),
        "sold-out weeks": (true > panel.shipped, true),
        f"newest {NEWEST} weeks": (newest, true),
        f"newest {NEWEST} weeks, what was sold": (newest, np.minimum(true, panel.shipped)),
    }
    less, estimate = (estimated_demand(replace(panel, sold_out=name)) for name in COUNTED)
    said = {GROSS: panel.shipped, "as_shipped": less, LATE: _less_late_returns(panel), "estimated": estimate}
    for group, (inside, aim) in groups.items():
        for name, made in said.items():
            yield (group, name), np.stack([aim[inside], made[inside]])


def _less_late_returns(panel: Panel) -> Floats32:
    """What is on record less the returns to be expected of the newest weeks; what sold out counts as what was shipped."""
    arrivals = Arrivals.of(panel)
    at = arrivals.silent(panel.shipped)
    found = sold_out(panel, arrivals, at, panel.product_number["case_pack"][panel.product])
    demand = np.maximum(panel.shipped - arrivals.in_the_end(), 0)
    np.put(demand, at, found.all_sold * found.shipped + found.some_sold * found.below())
    return demand


def _forecast(panel: Panel, origins: Sequence[Week], demand: pa.Table, ahead: dict[str, list[Made]]) -> None:
    """Add forecasts and plans by models that learned from each kind of demand."""
    for name in COUNTED:
        for origin in origins:
            forecasts, plan = made_at(panel, origin, TrainingSpec(sold_out=name))
            with open_database() as connection:
                connection.register("forecasts", forecasts)
                connection.register("demand", demand)
                rows = connection.execute(
                    """
                    select coalesce(d.demand, 0)::double as demand, f.size, f.expected from forecasts as f
                    left join demand as d on d.store_id = f.store_id and d.product_id = f.product_id and d.week = f.target_week
                    """
                ).fetchnumpy()
            value = plan_value(plan, forecasts, demand)
            value = value.filter(pc.equal(value["policy"], "order_plan"))
            cost = pc.sum(pc.add(value["cost_left"], value["cost_missed"])).as_py()
            ahead.setdefault(name, []).append(Made(rows["demand"], rows["size"], rows["expected"], cost))


def _report_past(past: Mapping[tuple[str, str], Sequence[Floats64]], console: Console) -> list[dict[str, object]]:
    table = Table("weeks", "demand is", "bias", "RMSE", "MAPE", title="Estimates of past demand beside the truth")
    found: dict[tuple[str, str], float] = {}
    for (group, name), pairs in past.items():
        true, said = np.concatenate(pairs, axis=1)
        score = score_points(true, said, said)
        bias, found[group, name] = float(score.bias or 0) / true.mean(), float(score.rmse_all or 0)
        table.add_row(group, NAMES[name], f"{bias:+.1%}", f"{found[group, name]:.2f}", f"{score.mape:.3f}")
    console.print(table)
    return [
        _row(f"sold out: RMSE of past demand, {group}", value, "units", NAMES["as_shipped"], found[group, "as_shipped"])
        for (group, name), value in found.items()
        if name == "estimated"
    ]


def _report_ahead(ahead: Mapping[str, Sequence[Made]], console: Console) -> list[dict[str, object]]:
    table = Table(
        "models learn from", "bias", "RMSE all", "MAPE", "plan, USD", "cheaper in", title="Forecasts four weeks ahead, scored by true demand"
    )
    rows: dict[str, tuple[float, float, float]] = {}
    base = ahead["as_shipped"]
    for name, made in ahead.items():
        demand, size, expected = (np.concatenate([getattr(one, field) for one in made]) for field in ("demand", "size", "expected"))
        score, cost = score_points(demand, size, expected), sum(one.cost for one in made)
        rows[name] = (float(score.rmse_all or 0), float(score.mape or 0), cost)
        better = sum(one.cost < other.cost for one, other in zip(made, base, strict=True))
        bias = float(score.bias or 0) / demand.mean()
        table.add_row(NAMES[name], f"{bias:+.1%}", f"{score.rmse_all:.2f}", f"{score.mape:.4f}", f"{cost:,.0f}", f"{better} of {len(made)}")
    console.print(table)
    measured = zip(("RMSE all", "MAPE", "cost of the plan"), ("units", "fraction", "USD"), rows["estimated"], rows["as_shipped"], strict=True)
    return [_row(f"sold out: {metric} by true demand", value, unit, NAMES["as_shipped"], peer) for metric, unit, value, peer in measured]


def _row(name: str, value: float, unit: str, peer: str, peer_value: float) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        record(censored(Path(), Path(scratch)), "python -m benchmarks.censored")


if __name__ == "__main__":
    main()
