"""Hyperparameters of the members, in one place; the defaults are production's."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NetworkSettings:
    """The embedding network; a segment is trained for at least `steps` batches, within bounds of epochs.

    `retrain` makes the network learn anew from all rows once the held-back weeks have been used, rather than learn from them for one short epoch:
    twice the time, worth it where few weeks are on record.
    """

    hidden: int = 96
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    steps: int = 900
    retrain: bool = False


@dataclass(frozen=True)
class Settings:
    """Hyperparameters by member."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
