"""The ensembles beside what everyone knows, on real deliveries: same regions, origins, features and rows, in one run, one thread each.

By itself: `python -m benchmarks.forecasting --root LAKE --regions fort_dodge,ottumwa --reports FOLDER`.
"""

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.peers import gradient_boosting, historical_median, seasonal_naive, statistical
from benchmarks.recording import record
from models.ensemble.ensemble import Ensemble
from models.ensemble.segments import segment_rows, series_formats
from models.evaluation.metrics import score_points
from models.evaluation.plots import calibration_plot
from models.evaluation.reliability import ScoredRows
from models.members.distribution import interval_share
from models.training.spec import TrainingSpec
from models.training.train import train_ensemble
from transforms.arrays import Bools, Floats32
from transforms.calendar import Region, Week
from transforms.contracts.bronze import FORMATS
from transforms.contracts.gold import MOVERS
from transforms.features.build import scoring_frame, training_frame
from transforms.features.frame import Frame
from transforms.lake.tables import Lake
from transforms.landing import regions
from transforms.panel.panel import Panel

ORIGINS = ("2022-03-28", "2022-04-25")
OURS, PEER, AVERAGE = "ensemble", "LightGBM (MAPE)", "historical average"
FEATURES = "features"
"""Processor time of the rows that both learn from; it is in neither's training."""


@dataclass
class Part:
    """Rows of one segment at one origin: what came, and what each model said of size and mean (either None where it says nothing of it)."""

    region: str
    demand: Floats32
    said: dict[str, tuple[Floats32 | None, Floats32 | None]]
    outcome: ScoredRows
    inside: Floats32
    sampled: Bools
    sampled_said: dict[str, tuple[Floats32, Floats32]]


@dataclass
class Comparison:
    """Everything that a run measured."""

    parts: list[Part] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {OURS: 0.0, PEER: 0.0, FEATURES: 0.0})

    def regions(self) -> list[str]:
        """Regions in their order."""
        return sorted({part.region for part in self.parts})

    def mape(self, model: str, region: str | None = None) -> float:
        """MAPE of a model's size, of one region or all."""
        return _mape((part.demand, part.said[model][0]) for part in self.parts if region in (None, part.region))

    def mean_scores(self, model: str) -> tuple[float, float]:
        """RMSE_all and bias of a model's expected demand."""
        demand = np.concatenate([part.demand for part in self.parts])
        expected = np.concatenate([_of(part.said[model][1]) for part in self.parts])
        score = score_points(demand, expected, expected)
        return float(score.rmse_all or 0), float(score.bias or 0)

    def inside(self, region: str | None = None) -> float:
        """Share of the 80 % interval; see `interval_share`."""
        return float(np.concatenate([part.inside for part in self.parts if region in (None, part.region)]).mean())

    def outcome(self, region: str | None = None) -> ScoredRows:
        """Distributions and what came, of one region or all."""
        return ScoredRows.concat([part.outcome for part in self.parts if region in (None, part.region)])


def compare(lake: Lake, chosen: Sequence[str], origins: Sequence[str], spec: TrainingSpec, console: Console) -> Comparison:
    """Train and score every model for each region and origin."""
    result = Comparison()
    for name in chosen:
        full = Panel.load(lake, Region(name), Week.parse(max(origins)) + spec.horizons)
        for origin in map(Week.parse, origins):
            panel = full.until(origin)
            frame = scoring_frame(panel, spec.horizons)
            came = full.demand()[frame.series, panel.weeks - 1 + frame.horizon]
            result.parts += list(_segments(panel, replace(frame, demand=came), spec, result.seconds))
            console.print(f"{name} {origin}: MAPE {result.mape(OURS, name):.4f}, {PEER} {result.mape(PEER, name):.4f}", highlight=False)
    return result


def _segments(panel: Panel, frame: Frame, spec: TrainingSpec, seconds: dict[str, float]) -> Iterable[Part]:
    started = time.process_time()
    rows, back = training_frame(panel, spec.horizons, spec.weeks, spec.zeros_per_hit, spec.seed)
    seconds[FEATURES] += time.process_time() - started
    labels, late = series_formats(panel, None), back < spec.held_back
    for format_, mover in product(FORMATS, MOVERS):
        target, here = frame.take(segment_rows(frame, labels, format_, mover)), segment_rows(rows, labels, format_, mover)
        started = time.process_time()
        trained = train_ensemble(format_, mover, rows.take(here & ~late), rows.take(here & late), spec)
        seconds[OURS] += time.process_time() - started
        assert trained is not None
        assert isinstance(trained.model, Ensemble)
        started = time.process_time()
        boosted = gradient_boosting(rows.take(here), target)
        seconds[PEER] += time.process_time() - started
        yield _part(panel, target, trained.model, boosted, spec.horizons)


def _part(panel: Panel, target: Frame, model: Ensemble, boosted: Floats32, horizons: int) -> Part:
    assert target.demand is not None
    said = model.predict(target)
    made = model.points(said, target)
    inside, sampled = statistical(panel, target, horizons)
    return Part(
        str(panel.region),
        target.demand,
        {
            OURS: (made.size, made.expected),
            PEER: (boosted, None),
            AVERAGE: (target.baseline_size, target.baseline),
            "historical median": historical_median(panel, target),
            "seasonal naive": seasonal_naive(panel, target),
        },
        ScoredRows(target.demand, made),
        interval_share(made, target.demand),
        inside,
        sampled,
    )


def forecasting(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; reads the lake that conditioning left
    """All regions of the lake."""
    console = Console(width=140)
    lake = Lake(str(scratch / "lake"))
    return report(compare(lake, [str(region) for region in regions(lake)], ORIGINS, TrainingSpec(), console), Path(".shelfcast/reports"), console)


def report(result: Comparison, reports: Path, console: Console) -> list[dict[str, object]]:
    """Print the tables, write the calibration plot below `reports`, return the rows to record."""
    console.print(_models(result))
    console.print(_sampled(result))
    console.print(_regions(result))
    target = reports / "calibration.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(calibration_plot({name: result.outcome(name) for name in result.regions()}))
    console.print(f"calibration plot: {target}", highlight=False)
    everything, (rmse, bias) = result.outcome(), result.mean_scores(OURS)
    wins = sum(result.mape(OURS, name) < result.mape(PEER, name) for name in result.regions())
    within = sum(0.77 <= result.inside(name) <= 0.83 for name in result.regions())
    n, seconds, where = len(result.regions()), result.seconds, f"{len(result.regions())} regions"
    return [
        _row(f"forecasting: MAPE, {where}", result.mape(OURS), "fraction", PEER, result.mape(PEER)),
        _row("forecasting: regions with a lower MAPE", wins, "regions", "regions", n),
        _row("forecasting: CPU of training", seconds[OURS], "s", PEER, seconds[PEER]),
        _row("forecasting: CPU of the features that both learn from", seconds[FEATURES], "s", "", ""),
        _row("forecasting: training time over the peer's", seconds[OURS] / seconds[PEER], "ratio", PEER, 1.0),
        _row(f"forecasting: RMSE_all, {where}", rmse, "units", AVERAGE, result.mean_scores(AVERAGE)[0]),
        _row(f"forecasting: bias, {where}", bias, "units", AVERAGE, result.mean_scores(AVERAGE)[1]),
        _row("forecasting: regions with 77-83 % in the 80 % interval", within, "regions", "regions", n),
        _row("forecasting: mean p_demand", float(everything.points.p_demand.mean()), "fraction", "came", float((everything.demand > 0).mean())),
        _row("forecasting: pinball loss", everything.pinball(), "units", "", ""),
    ]


def _row(name: str, value: object, unit: str, peer: str, peer_value: object) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value}


def _models(result: Comparison) -> Table:
    table = Table("model", "MAPE", "RMSE all", "bias", "CPU of training, s", title="Models on the same rows")
    for model, (_, expected) in result.parts[0].said.items():
        rmse, bias = (f"{value:.3f}" for value in result.mean_scores(model)) if expected is not None else ("", "")
        spent = result.seconds.get(model)
        table.add_row(model, f"{result.mape(model):.4f}", rmse, bias, "" if spent is None else f"{spent:.0f}")
    return table


def _sampled(result: Comparison) -> Table:
    """The statistical models on their sample of series, with the ensemble on the same rows."""
    parts = [part for part in result.parts if part.sampled.any()]
    demand = np.concatenate([part.demand[part.sampled] for part in parts])
    table = Table("model", "MAPE", "RMSE all", title=f"On a sample of series: {len(demand):,} rows")
    answers: Mapping[str, list[tuple[Floats32, Floats32]]] = {
        OURS: [(_of(part.said[OURS][0])[part.sampled], _of(part.said[OURS][1])[part.sampled]) for part in parts],
        **{model: [part.sampled_said[model] for part in parts] for model in parts[0].sampled_said},
    }
    for model, said in answers.items():
        size, expected = (np.concatenate(values) for values in zip(*said, strict=True))
        score = score_points(demand, size, expected)
        table.add_row(model, f"{score.mape:.4f}", f"{score.rmse_all:.3f}")
    return table


def _regions(result: Comparison) -> Table:
    table = Table(
        "region", "rows with demand", "MAPE", PEER, AVERAGE, "80 % interval", "of rows with demand", "pinball", "p_demand", "came", title="By region"
    )
    for name in [*result.regions(), None]:
        outcome = result.outcome(name)
        models = [f"{result.mape(model, name):.4f}" for model in (OURS, PEER, AVERAGE)]
        came = outcome.demand > 0
        numbers = (result.inside(name), outcome.with_demand().coverage(), outcome.pinball(), outcome.points.p_demand.mean(), came.mean())
        table.add_row(name or "all", f"{came.sum():,}", *models, *(f"{value:.3f}" for value in numbers))
    return table


def _mape(pairs: Iterable[tuple[Floats32, Floats32 | None]]) -> float:
    errors = [np.abs(_of(size)[demand > 0] - demand[demand > 0]) / demand[demand > 0] for demand, size in pairs]
    return float(np.concatenate(errors).mean())


def _of(values: Floats32 | None) -> Floats32:
    assert values is not None
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="root of a lake with iowa_statewide conditioned")
    parser.add_argument("--regions", help="comma-separated; all where left out")
    parser.add_argument("--origins", default=",".join(ORIGINS))
    parser.add_argument("--reports", type=Path, default=Path(".shelfcast/reports"))
    given = parser.parse_args()
    lake, console = Lake(given.root), Console(width=140)
    chosen = given.regions.split(",") if given.regions else [str(region) for region in regions(lake)]
    rows = report(compare(lake, chosen, given.origins.split(","), TrainingSpec(), console), given.reports, console)
    record(rows, f"python -m benchmarks.forecasting --regions {','.join(chosen)} --origins {given.origins}")


if __name__ == "__main__":
    main()
