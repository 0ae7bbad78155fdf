"""Ensembles against gradient boosting on the same rows and features: error on the weeks that follow, and seconds of training, one thread each."""

import time
from pathlib import Path

import numpy as np

from models.distribution import best_size
from models.training import FORMATS, MOVERS, TrainingSpec, train_region
from transforms.calendar import Region, Week
from transforms.features import scoring_frame, training_frame
from transforms.lake import Lake
from transforms.panel import Panel

REGIONS = ("ames", "fort_dodge", "ottumwa")
ORIGIN = Week.parse("2022-03-28")


def learning(source: Path, scratch: Path) -> list[dict[str, object]]:  # noqa: ARG001 - one signature for all; reads the lake that conditioning left
    """MAPE and training time, summed over a few regions."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415 - heavy

    lake, spec = Lake(str(scratch / "lake")), TrainingSpec()
    ours, theirs, seconds, peer_seconds = [], [], 0.0, 0.0
    for name in REGIONS:
        full = Panel.load(lake, Region(name), ORIGIN + spec.horizons)
        panel, frame = full.until(ORIGIN), scoring_frame(full.until(ORIGIN), spec.horizons)
        came = full.shipped[frame.series, panel.weeks - 1 + frame.horizon]
        started = time.perf_counter()
        trained = {(t.format, t.mover): t.model for t in train_region(panel, spec) if t.mover != "all"}
        seconds += time.perf_counter() - started
        rows, _ = training_frame(panel, spec.horizons, spec.weeks, spec.zeros_per_hit, spec.seed)
        for format_, large in FORMATS.items():
            for mover, fast in MOVERS.items():
                test = (frame.large == large) & (frame.fast == fast) & (came > 0)
                model, part, actual = trained[format_, mover], frame.take(test), came[test]
                said = model.predict(part)
                ours.append(np.abs(best_size(said.pmf, model.support.sizes) - actual) / actual)
                learn = rows.take((rows.large == large) & (rows.fast == fast) & (rows.demand > 0))
                started = time.perf_counter()
                # Absolute error of the log is the closest that this library has to percentage error.
                boosting = HistGradientBoostingRegressor(loss="absolute_error", max_iter=300, random_state=7)
                boosting.fit(learn.numeric, np.log(learn.demand))
                peer_seconds += time.perf_counter() - started
                theirs.append(np.abs(np.exp(boosting.predict(part.numeric)) - actual) / actual)
    mape, peer_mape = float(np.concatenate(ours).mean()), float(np.concatenate(theirs).mean())
    peer = "scikit-learn HistGradientBoosting, absolute error of the log"
    return [
        {"name": f"learning: MAPE on {', '.join(REGIONS)}", "value": mape, "unit": "fraction", "peer": peer, "peer_value": peer_mape},
        {"name": "learning: training time", "value": seconds, "unit": "s", "peer": peer, "peer_value": peer_seconds},
    ]
