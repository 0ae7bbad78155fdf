"""What a member is. Adding an algorithm is one class that follows this protocol, and one name in `models.ensemble.ensemble` or a module in
`models.promoted`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from models.members.encoding import Encoder
from models.members.settings import Settings
from models.support import Support
from transforms.arrays import Floats32, Ints64
from transforms.features.frame import Frame


@dataclass(frozen=True)
class Prepared:
    """Rows as members see them, encoded once for all of them.

    Attributes
    ----------
    numbers, indices
        From the encoder, shapes (n, p) and (n, columns).
    recent
        Support index of the last sizes, shape (n, RECENT), -1 where there were fewer.
    target
        Support index of the demand, shape (n,), -1 where there was none; empty while scoring.
    log_size
        Log of the demand, 0 where there was none.
    anchor
        What the structural model says of the log of the demand, 0 for data without one. LASSO, network and regressions begin with it; boosted trees
        do without, since they are worth most where they err otherwise.
    case_pack
        Units in a case.
    """

    numbers: Floats32
    indices: Ints64
    recent: Ints64
    weight: Floats32
    target: Ints64
    log_size: Floats32
    anchor: Floats32
    case_pack: Floats32

    @classmethod
    def of(cls, frame: Frame, encoder: Encoder, support: Support) -> Self:
        """Encode a frame."""
        demand = frame.demand if frame.demand is not None else np.zeros(0, np.float32)
        target = np.where(demand > 0, support.index(np.maximum(demand, 1e-3)), -1)
        log_size = np.log(np.maximum(demand, 1e-3)) * (demand > 0)
        recent, logs = support.index(frame.recent), log_size.astype(np.float32)
        return cls(encoder.numbers(frame), encoder.indices(frame), recent, frame.weight, target, logs, encoder.anchor(frame), frame.case_pack)

    def take(self, rows: npt.NDArray[Any]) -> "Prepared":
        """The rows at `rows`."""
        return Prepared(*(values[rows] if len(values) else values for values in vars(self).values()))

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True)
class Distribution:
    """Probability of demand, shape (n,), and probabilities of the usual sizes given demand, shape (n, k)."""

    p_demand: Floats32
    pmf: Floats32


class Member(Protocol):
    """A member of an ensemble, learned state in arrays that can be stored as they are."""

    name: str

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None: ...

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:
        """Learn from `rows`; choose what has to be chosen on `held_back`, which comes after them in time."""
        ...

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Learn from all rows, the held-back ones among them, with what was chosen."""
        ...

    def predict(self, rows: Prepared) -> Distribution:
        """Return the distribution of each row."""
        ...

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Learned arrays by name."""
        ...

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        ...
