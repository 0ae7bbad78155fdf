"""Train a region: four ensembles and two baselines from one panel, with metrics on weeks that were held back."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from models.baselines import HistoricalAverage
from models.distribution import interval_share
from models.ensemble import Ensemble
from models.metrics import score_points, score_quantiles
from models.segments import series_formats
from models.settings import Settings
from transforms.clusters import Clusters
from transforms.features import scoring_frame, training_frame
from transforms.frame import Frame
from transforms.panel import Panel

FORMATS = {"large": True, "small": False}
MOVERS = {"fast": True, "slow": False}


@dataclass(frozen=True)
class TrainingSpec:
    """What training is told.

    Attributes
    ----------
    horizons
        Weeks ahead.
    weeks
        Weeks of targets before the origin.
    held_back
        The last of those weeks, on which weights are learned and metrics taken; at least as many as horizons, so that each is among them.
    zeros_per_hit
        Rows without demand kept for each row with demand.
    fewest_rows
        Rows with demand below which a segment gets no ensemble: the baseline serves it.
    clusters
        How each format is split into segments of its own; None for not at all.
    members, settings
        The ensembles' algorithms and their hyperparameters.
    """

    horizons: int = 4
    weeks: int = 104
    held_back: int = 8
    zeros_per_hit: float = 0.5
    fewest_rows: int = 200
    members: tuple[str, ...] = ("lasso", "network")
    seed: int = 7
    clusters: Clusters | None = None
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "held_back", max(self.held_back, self.horizons))


@dataclass(frozen=True)
class Trained:
    """A model with its segment and its metrics on the held-back weeks; `mover` is 'all' for a baseline."""

    format: str
    mover: str
    model: Ensemble | HistoricalAverage
    metrics: dict[str, float | int | None]


def train_region(panel: Panel, spec: TrainingSpec) -> Iterator[Trained]:
    """Yield the models of a region as they are trained; the panel's last week is the origin.

    A segment with too little history is left out: its baseline serves it.
    """
    frame, back = training_frame(panel, spec.horizons, spec.weeks, spec.zeros_per_hit, spec.seed)
    now = scoring_frame(panel, 1)
    labels = series_formats(panel, spec.clusters)
    formats, formats_now = labels[frame.series], labels[now.series]
    for name in map(str, np.unique(labels)):
        if (formats_now == name).any():
            yield _baseline(name, now.take(formats_now == name), frame.take((formats == name) & (back < spec.held_back)))
        for mover, is_fast in MOVERS.items():
            here = (formats == name) & (frame.fast == is_fast)
            trained = _ensemble(name, mover, frame.take(here & (back >= spec.held_back)), frame.take(here & (back < spec.held_back)), spec)
            if trained is not None:
                yield trained


def _baseline(name: str, now: Frame, held_back: Frame) -> Trained:
    return Trained(name, "all", HistoricalAverage.fit(now), _baseline_metrics(held_back))


def _ensemble(name: str, mover: str, frame: Frame, held_back: Frame, spec: TrainingSpec) -> Trained | None:
    if min(_hits(frame), 5 * _hits(held_back)) < spec.fewest_rows:
        return None
    model, said = Ensemble.fit(frame, held_back, spec.members, spec.seed, spec.settings)
    assert held_back.demand is not None  # noqa: S101 - for the type checker
    made = model.points(said, held_back)
    pinball, coverage = score_quantiles(held_back.demand, made, held_back.weight)
    inside = interval_share(said.p_demand, said.pmf, model.support.sizes, held_back.demand)
    own: dict[str, float | int | None] = asdict(score_points(held_back.demand, made.size, made.expected, held_back.weight))
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
    assert held_back.demand is not None  # noqa: S101 - for the type checker
    score = asdict(score_points(held_back.demand, held_back.baseline_size, held_back.baseline, held_back.weight))
    return {f"baseline_{metric}": value for metric, value in score.items()}


def _hits(frame: Frame) -> int:
    return 0 if frame.demand is None else int(np.count_nonzero(frame.demand > 0))
