"""The settings of a training. Light to import: commands that only read a project load no algorithm. Training itself is `models.training.train`."""

from dataclasses import dataclass, field

from models.members.settings import Settings
from transforms.calendar import FURTHEST
from transforms.clusters import Clusters
from transforms.errors import ConfigurationError
from transforms.panel.panel import SoldOutWeeks


@dataclass(frozen=True)
class TrainingSpec:
    """Settings of a training, and their defaults: those of a project, too.

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
        Rows with demand, two for most deliveries, below which a segment gets no ensemble: the baseline serves it.
    clusters
        How each format is split into segments of its own; None for not at all.
    members, settings
        The ensembles' algorithms and their hyperparameters.
    sold_out
        What features and targets take for the demand of weeks that sold out; see `transforms.panel.unconstrained_demand`. Metrics are always taken on
        what is on record.
    """

    horizons: int = 4
    weeks: int = 104
    held_back: int = 8
    zeros_per_hit: float = 0.5
    fewest_rows: int = 400
    members: tuple[str, ...] = ("lasso", "network")
    seed: int = 7
    clusters: Clusters | None = None
    settings: Settings = field(default_factory=Settings)
    sold_out: SoldOutWeeks = "as_shipped"

    def __post_init__(self) -> None:
        if not 1 <= self.horizons <= FURTHEST:
            raise ConfigurationError(
                f"horizons: expected 1 to {FURTHEST} weeks, which is how far weather and events are looked up; got {self.horizons}."
            )
        object.__setattr__(self, "held_back", max(self.held_back, self.horizons))
