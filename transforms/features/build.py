"""Frames of the features of every series that is alive at an origin, made from a panel that ends there.

There is one way to make rows, used for scoring (the panel at the origin) and for training (panels that end at earlier origins, with the demand that
followed beside them). So a training row cannot know more than the forecast that it stands for did. Which features: `transforms.features.catalogue`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from transforms.arrays import Codes, Floats32
from transforms.features.catalogue import categories, last_sizes, origin_features, target_features
from transforms.features.feature import OriginFeature, TargetFeature
from transforms.features.frame import Frame
from transforms.features.origin import Origin
from transforms.features.target import Target
from transforms.features.training_origins import horizons_by_origin
from transforms.panel.panel import Coded, Panel
from transforms.panel.unconstrained_demand import estimated_demand

Rows = npt.NDArray[np.integer]


def frame_at(origin: Origin, horizons: Sequence[int], keep: Sequence[Rows] | None = None) -> Frame:
    """Rows of the series alive at an origin, for each of `horizons`.

    Parameters
    ----------
    keep
        For each horizon the positions (among the series alive) to make rows for; all where None.
    """
    kept = keep if keep is not None else [np.arange(len(origin.alive))] * len(horizons)
    targets = [Target(origin, horizon, rows) for horizon, rows in zip(horizons, kept, strict=True)]
    rows, features = np.concatenate(kept), (origin_features(), target_features())
    return Frame(
        numeric=np.hstack([_at_origin(features[0], origin)[rows], np.vstack([_at_target(features[1], target) for target in targets])]),
        names=tuple(feature.name for kind in features for feature in kind),
        categorical={feature.name: Coded.stacked([feature.of(target) for target in targets]) for feature in categories()},
        series=origin.alive[rows].astype(np.int32),
        horizon=np.repeat(np.asarray(horizons, np.int32), [len(part) for part in kept]),
        recent=np.column_stack([feature.of(origin) for feature in last_sizes()])[rows],
        rate=origin.rate[rows],
        baseline=origin.baseline[rows],
        baseline_size=origin.baseline_size[rows],
        case_pack=origin.case_pack[rows],
        fast=origin.fast[rows],
        large=origin.large[rows],
        weight=np.ones(len(rows), np.float32),
    )


def _at_origin(features: Sequence[OriginFeature], origin: Origin) -> Floats32:
    """Values of each feature, shape (alive, features)."""
    values = np.empty((len(origin.alive), len(features)), np.float32)
    for column, feature in enumerate(features):
        values[:, column] = feature.of(origin)
    return values


def _at_target(features: Sequence[TargetFeature], target: Target) -> Floats32:
    """Values of each feature, shape (rows, features)."""
    values = np.empty((len(target.rows), len(features)), np.float32)
    for column, feature in enumerate(features):
        values[:, column] = feature.of(target)
    return values


def scoring_frame(panel: Panel, horizons: int) -> Frame:
    """The rows to forecast at the end of `panel`, horizons 1 to `horizons`."""
    return frame_at(Origin(panel), range(1, horizons + 1))


def training_frame(panel: Panel, horizons: int, weeks: int, zeros_per_hit: float, seed: int) -> tuple[Frame, Codes]:
    """Rows of past origins with the demand that followed, each target week of the last `weeks` from up to two of them (`training_origins`).

    Parameters
    ----------
    panel
        History up to the training origin; targets do not pass its last week.
    zeros_per_hit
        Rows without demand that are kept for each row with demand, drawn at random and weighted for those left out.

    Returns
    -------
    (Frame, array)
        The rows, and the target week of each, counted back from the panel's last week (0 is the last). No rows where the history is too short for
        any origin, as in a region that joined lately.
    """
    rng = np.random.default_rng(seed)
    actual, learned = panel.demand(), estimated_demand(panel)
    frames, targets_back = [], []
    for weeks_back, ahead in horizons_by_origin(horizons, min(weeks, panel.weeks - 13)).items():
        origin = Origin(panel.until(panel.last + -weeks_back))
        last = origin.panel.weeks - 1
        keep, targets, actuals, weights = [], [], [], []
        for horizon in ahead:
            target, on_record = (demand[origin.alive, last + horizon] for demand in (learned, actual))
            rows, weight = _with_some_zeros(np.maximum(target, on_record), zeros_per_hit, rng)
            keep.append(rows)
            targets.append(target[rows])
            actuals.append(on_record[rows])
            weights.append(weight)
        frame = frame_at(origin, ahead, keep)
        frames.append(replace(frame, demand=np.concatenate(targets), on_record=np.concatenate(actuals), weight=np.concatenate(weights)))
        targets_back.append(weeks_back - frame.horizon)
    if not frames:
        none = np.zeros(0, np.float32)
        return replace(scoring_frame(panel, 1).take(np.zeros(0, np.intp)), demand=none, on_record=none), np.zeros(0, np.int32)
    return Frame.concat(frames), np.concatenate(targets_back)


def _with_some_zeros(demand: Floats32, zeros_per_hit: float, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Floats32]:
    """Rows with demand, and a sample of those without; with the weight of each."""
    hits, zeros = np.flatnonzero(demand > 0), np.flatnonzero(demand <= 0)
    kept = min(len(zeros), max(int(zeros_per_hit * len(hits)), min(len(zeros), 32)))
    chosen = np.sort(rng.choice(zeros, kept, replace=False)) if kept else zeros[:0]
    weight = np.concatenate([np.ones(len(hits)), np.full(kept, len(zeros) / max(kept, 1))])
    return np.concatenate([hits, chosen]), weight.astype(np.float32)
