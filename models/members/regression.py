"""What a member needs that is one way of regression: a subclass says how to learn and how to apply what was learned, and nothing else.

The shortest way from a notebook to an ensemble. Members that choose more on the held-back rows follow the protocol themselves.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Distribution, Prepared
from models.members.encoding import Encoder
from models.members.settings import Settings
from models.members.spread import Spread
from models.support import Support
from transforms.arrays import Floats32

Arrays = Mapping[str, npt.NDArray[Any]]
_MOST_SURE = 0.005


class RegressionMember(ABC):
    """Regresses the chance of demand (0 or 1), and what to add to the anchor for the log of its size, which `Spread` turns into probabilities."""

    name: ClassVar[str]
    """Word by which the project's `members` name it."""

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None:  # noqa: ARG002 - one signature for all members
        self.support = support

    @abstractmethod
    def learn(self, rows: Prepared, target: Floats32, seed: int) -> Arrays:
        """Learn to tell `target`, shape (n,), from rows of which each counts `rows.weight` times; return arrays by name, without dots."""

    @abstractmethod
    def apply(self, learned: Arrays, rows: Prepared) -> Floats32:
        """Return what the target of each row is expected to be, shape (n,), by the arrays that `learn` returned."""

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Learn both regressions, then learn the spread."""
        self.support = support
        self._learn(rows, seed)
        hits, tests = rows.take(rows.target >= 0), held_back.take(held_back.target >= 0)
        self.spread_ = Spread.fit(self._mean, hits, tests, support)
        return self

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Learn both regressions again, on all rows."""
        self._learn(rows, seed)
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return clipped probabilities of demand, and the spread sizes."""
        chance = np.clip(self.apply(self.chance_, rows), _MOST_SURE, 1 - _MOST_SURE).astype(np.float32)
        return Distribution(chance, self.spread_.pmf(self._mean(rows), rows, self.support))

    def state(self) -> Arrays:
        """Both regressions, and the spread."""
        learned = {"size": self.size_, "chance": self.chance_}
        arrays = {f"{which}.{name}": np.asarray(array) for which, state in learned.items() for name, array in state.items()}
        return {**arrays, **self.spread_.state()}

    @classmethod
    def restore(cls, state: Arrays, encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        member = cls(encoder, support, settings)
        member.size_, member.chance_ = (
            {name.removeprefix(f"{which}."): array for name, array in state.items() if name.startswith(f"{which}.")} for which in ("size", "chance")
        )
        member.spread_ = Spread.restore(state)
        return member

    def _mean(self, rows: Prepared) -> Floats32:
        mean: Floats32 = (rows.anchor + self.apply(self.size_, rows)).astype(np.float32)
        return mean

    def _learn(self, rows: Prepared, seed: int) -> None:
        hits = rows.take(rows.target >= 0)
        self.size_: Arrays = self.learn(hits, hits.log_size - hits.anchor, seed)
        self.chance_: Arrays = self.learn(rows, (rows.target >= 0).astype(np.float32), seed)
