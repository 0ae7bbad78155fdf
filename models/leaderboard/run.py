"""The published orange-juice benchmark with the ensemble of production: the same encoder, usual sizes and members."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from models.ensemble.ensemble import Ensemble, members_named
from models.leaderboard.features import PricedFeatures, PricedRows, pairs_until
from models.leaderboard.orange_juice import HORIZONS, LIGHTGBM_SECONDS, NAME, PUBLISHED, ROUNDS, Round, mean_forecast, naive_forecast
from models.leaderboard.sales import PricedSales
from models.members.base import Distribution, Prepared
from models.members.distribution import best_size
from models.members.settings import BoostingSettings, NetworkSettings, Settings
from transforms.arrays import Floats32
from transforms.contracts.gold import LEADERBOARD

SEEDS = (1, 2, 3, 4, 5)
MEMBERS = ("network", "boosting")
SETTINGS = Settings(
    network=NetworkSettings(hidden=64, learning_rate=1.5e-3, epochs=8, retrain=True, count=3, smoothing=0.15),
    boosting=BoostingSettings(iterations=100, learning_rate=0.1, leaves=12, smallest_leaf=300, loss="absolute", columns=0.3),
)
"""Chosen on `VALIDATION`: a narrower network and smaller steps than production's, since eleven brands' offers of two years are soon learned by
heart. An offer is the same in some eighty stores, so a leaf of three hundred rows knows four of them."""
VALIDATION = tuple(Round(number, train_end) for number, train_end in enumerate(range(103, 134, 2), 1))
"""Rounds of the same form whose weeks all lie before the first test week; whatever is chosen is chosen on them."""
EVEN = 1.0
"""Members count alike: eight held-back weeks of eleven brands are too few to tell which one is better."""
FIRST_TARGET = 59
"""Earliest week to learn from: its origin has seen four months."""
HELD_BACK = 8
ENSEMBLE = "Shelfcast ensemble"
REPRODUCED = {"naive": naive_forecast, "mean": mean_forecast}


@dataclass(frozen=True)
class Result:
    """Percentage errors of one model in one round with one seed (0 where it has none), shape (n,), and the seconds of its training and forecast."""

    model: str
    round: Round
    seed: int
    errors: Floats32
    seconds: float


def run_rounds(sales: PricedSales, seeds: Sequence[int] = SEEDS, rounds: Sequence[Round] = ROUNDS, settings: Settings = SETTINGS) -> Iterable[Result]:
    """Yield the results of the reproduced rows, and of the ensemble and its members for each seed, round by round."""
    features = PricedFeatures(sales)
    for one in rounds:
        known = sales.until(one.train_end).log_units[:, :, : one.train_end - sales.first + 1]
        actual = np.exp(sales.log_units[:, :, [one.train_end + horizon - sales.first for horizon in HORIZONS]])
        for name, forecast in REPRODUCED.items():
            started = time.perf_counter()
            errors = np.abs(actual - forecast(known)[:, :, None]) / actual
            yield Result(f"{name} (reproduced)", one, 0, errors[~np.isnan(errors)].astype(np.float32), time.perf_counter() - started)
        started = time.perf_counter()
        targets = features.rows([(one.train_end, horizon) for horizon in HORIZONS])
        pairs = pairs_until(FIRST_TARGET, one.train_end, HORIZONS)
        early, late = features.rows(pairs[:-HELD_BACK]), features.rows(pairs[-HELD_BACK:])
        seconds_each = (time.perf_counter() - started) / len(seeds)
        for seed in seeds:
            started = time.perf_counter()
            predicted = forecast_round(early, late, targets, seed, settings)
            seconds = seconds_each + time.perf_counter() - started
            for name, units in predicted.items():
                yield Result(name, one, seed, np.abs(targets.units - units) / targets.units, seconds)


def forecast_round(early: PricedRows, late: PricedRows, targets: PricedRows, seed: int, settings: Settings = SETTINGS) -> dict[str, Floats32]:
    """Train as production does, on `early` with `late` held back, and return the MAPE-best units of `targets`, of the ensemble and each member."""
    model, _ = Ensemble.fit(early.frame, late.frame, members_named(MEMBERS), seed, settings, EVEN)
    rows = Prepared.of(targets.frame, model.encoder, model.support)
    predicted: dict[str, Distribution] = {ENSEMBLE: model.predict(targets.frame)}
    predicted |= {f"{member.name} member": member.predict(rows) for member in model.members}
    return {name: targets.usual * best_size(one.pmf, model.support.sizes) for name, one in predicted.items()}


def board(results: Iterable[Result], notify: Callable[[str], object]) -> pa.Table:
    """Rows of gold/leaderboard: medians over seeds by round and over all rows, beside the published ones."""
    found: list[Result] = []
    for result in results:
        found.append(result)
        if result.model == ENSEMBLE:
            notify(f"round {result.round.number}, seed {result.seed}: MAPE {100 * float(result.errors.mean()):.2f} % in {result.seconds:.0f} s")
    rows = [_row(name, "published", 0, mape, seconds=LIGHTGBM_SECONDS if name == "LightGBM" else None) for name, mape in PUBLISHED.items()]
    for model in dict.fromkeys(result.model for result in found):
        own = [result for result in found if result.model == model]
        rows.append(_measured(model, 0, own))
        rows += [_measured(model, number, [r for r in own if r.round.number == number]) for number in sorted({r.round.number for r in own})]
    return pa.Table.from_pylist(rows, schema=LEADERBOARD.schema)


def _measured(model: str, number: int, results: Sequence[Result]) -> dict[str, object]:
    seeds = sorted({result.seed for result in results})
    errors = [np.concatenate([r.errors for r in results if r.seed == seed]) for seed in seeds]
    mapes = [100 * float(one.mean(dtype=np.float64)) for one in errors]
    seconds = sum(result.seconds for result in results)
    return _row(model, "measured", number, float(np.median(mapes)), len(errors[0]), len(seeds), min(mapes), max(mapes), seconds)


def _row(
    model: str,
    source: str,
    number: int,
    mape: float,
    rows: int | None = None,
    seeds: int | None = None,
    best: float | None = None,
    worst: float | None = None,
    seconds: float | None = None,
) -> dict[str, object]:
    values = (NAME, model, source, number, mape, rows, seeds, best, worst, seconds)
    return dict(zip(LEADERBOARD.names, values, strict=True))
