"""Train a region: ensembles and baselines from one panel, with metrics on weeks that were held back."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble, members_named
from models.ensemble.segments import segment_rows, series_formats
from models.evaluation.metrics import score_points, score_quantiles
from models.members.base import Member
from models.members.distribution import interval_share
from models.training.spec import TrainingSpec
from transforms.arrays import Codes
from transforms.contracts.gold import MOVERS
from transforms.features.build import scoring_frame, training_frame
from transforms.features.frame import Frame
from transforms.features.training_origins import horizons_by_origin
from transforms.panel.panel import Panel
from transforms.rows import Segment


@dataclass(frozen=True)
class Trained:
    """A model with its segment and its metrics on the held-back weeks; `mover` is 'all' for a baseline."""

    format: str
    mover: str
    model: Ensemble | HistoricalAverage
    metrics: dict[str, float | int | None]


def train_region(panel: Panel, spec: TrainingSpec, only: Collection[Segment] | None = None) -> Iterator[Trained]:
    """Yield the models of a region as they are trained; the panel's last week is the origin.

    A segment with too little history is left out: its baseline serves it. With `only`, just these (format, mover) are trained.
    """
    panel = replace(panel, sold_out=spec.sold_out)
    frame, weeks_back = training_frame(panel, spec.horizons, spec.weeks, spec.zeros_per_hit, spec.seed)
    now = scoring_frame(panel, 1)
    labels = series_formats(panel, spec.clusters)
    formats, formats_now = labels[frame.series], labels[now.series]
    late = weeks_back < spec.held_back
    for name in map(str, np.unique(labels)):
        if (formats_now == name).any() and (only is None or (name, "all") in only):
            yield _baseline(name, panel, now.take(formats_now == name), frame.take((formats == name) & late))
        for mover in MOVERS:
            if only is not None and (name, mover) not in only:
                continue
            in_segment = segment_rows(frame, labels, name, mover)
            trained = train_ensemble(name, mover, frame.take(in_segment & ~late), frame.take(in_segment & late), spec)
            if trained is not None:
                yield trained


def held_back_frame(panel: Panel, spec: TrainingSpec) -> tuple[Frame, Codes]:
    """The rows of the held-back weeks with every row without demand among them, and the target week of each, counted back from the origin.

    They are there to judge by: demand is what is on record, whatever models learn from.
    """
    frame, weeks_back = training_frame(replace(panel, sold_out=spec.sold_out), spec.horizons, _held_back_reach(spec), 1e9, spec.seed)
    return replace(frame, demand=frame.judged).take(weeks_back < spec.held_back), weeks_back[weeks_back < spec.held_back]


def first_held_back_origin(spec: TrainingSpec) -> int:
    """Weeks between the training origin and the first origin from which held-back rows are forecast."""
    origins = horizons_by_origin(spec.horizons, _held_back_reach(spec))
    return max(weeks_back for weeks_back, ahead in origins.items() if min(weeks_back - horizon for horizon in ahead) < spec.held_back)


def _held_back_reach(spec: TrainingSpec) -> int:
    return spec.held_back + spec.horizons - 1


def _baseline(name: str, panel: Panel, now: Frame, held_back: Frame) -> Trained:
    return Trained(name, "all", HistoricalAverage.fit(panel, now), _baseline_metrics(held_back))


def train_ensemble(
    name: str, mover: str, frame: Frame, held_back: Frame, spec: TrainingSpec, algorithms: Sequence[type[Member]] | None = None
) -> Trained | None:
    """One segment's ensemble with its metrics on the held-back rows; None where there are too few rows.

    Parameters
    ----------
    algorithms
        Taken instead of those that the spec names: a notebook's, which need not be, or not in this form, among the available ones.
    """
    if min(_hits(frame), 5 * _hits(held_back)) < spec.fewest_rows:
        return None
    model, predicted = Ensemble.fit(frame, held_back, members_named(spec.members) if algorithms is None else algorithms, spec.seed, spec.settings)
    actual = held_back.judged
    assert actual is not None  # noqa: S101 - for the type checker
    points = model.points(predicted, held_back)
    pinball, coverage = score_quantiles(actual, points, held_back.weight)
    inside = interval_share(points, actual)
    own: dict[str, float | int | None] = asdict(score_points(actual, points.size, points.expected, held_back.weight))
    shares = {f"size_weight_{member.name}": float(weight) for member, weight in zip(model.members, model.size_weights, strict=True)}
    metrics: dict[str, float | int | None] = {
        **own,
        "pinball": pinball,
        "coverage_80": coverage,
        "interval_share_80": float(np.average(inside, weights=held_back.weight)),
        **_baseline_metrics(held_back),
        **shares,
        "rows": len(frame) + len(held_back),
    }
    return Trained(name, mover, model, metrics)


def _baseline_metrics(held_back: Frame) -> dict[str, float | int | None]:
    actual = held_back.judged
    assert actual is not None  # noqa: S101 - for the type checker
    score = asdict(score_points(actual, held_back.baseline_size, held_back.baseline, held_back.weight))
    return {f"baseline_{metric}": value for metric, value in score.items()}


def _hits(frame: Frame) -> int:
    return 0 if frame.demand is None else int(np.count_nonzero(frame.demand > 0))
