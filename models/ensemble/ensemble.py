"""The ensemble of a segment: members' distributions pooled by weights that were learned on held-back weeks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from models.ensemble.calibration import Calibration
from models.members.base import Distribution, Member, Prepared
from models.members.boosting import BoostingMember
from models.members.distribution import Points, points
from models.members.encoding import Encoder
from models.members.lasso import LassoMember
from models.members.network import NetworkMember
from models.members.settings import Settings
from models.promoted import promoted
from models.support import Support
from transforms.arrays import Floats32
from transforms.errors import ArtifactError
from transforms.features.frame import Frame

_OWN: tuple[type[Member], ...] = (LassoMember, NetworkMember, BoostingMember)
_GRID = np.linspace(0, 1, 21)


def available_members() -> dict[str, type[Member]]:
    """The algorithms that an ensemble can be made of, by name: our own and those in `models.promoted` now. A project decides which ones are used."""
    return {**{member.name: member for member in _OWN}, **promoted()}


def members_named(names: Sequence[str]) -> list[type[Member]]:
    """The algorithms of these names."""
    available = available_members()
    return [available[name] for name in names]


@dataclass
class Ensemble:
    """Members of one segment and their weights.

    Attributes
    ----------
    encoder, support
        What the members share.
    members
        In the order of the weights.
    size_weights, chance_weights
        Shares of the members in the pooled distribution of sizes and in the probability of demand; each sums to 1.
    calibration
        What is corrected of the pooled distribution.
    settings
        Hyperparameters that the members were made with.
    held_back
        The ensemble as it was before it had learned from the held-back weeks, to be compared on them; None where it was not just trained.
    """

    encoder: Encoder
    support: Support
    members: list[Member]
    size_weights: Floats32 = field(default_factory=lambda: np.ones(1, np.float32))
    chance_weights: Floats32 = field(default_factory=lambda: np.ones(1, np.float32))
    calibration: Calibration = field(default_factory=Calibration.none)
    settings: Settings = field(default_factory=Settings)
    held_back: "Ensemble | None" = None

    @classmethod
    def fit(
        cls, frame: Frame, held_back: Frame, algorithms: Sequence[type[Member]], seed: int, settings: Settings, even: float = 0.0
    ) -> tuple[Self, Distribution]:
        """Train on `frame`, learn the weights on `held_back`, then let the members learn from both.

        Parameters
        ----------
        algorithms
            What the ensemble is made of, in the order of the weights: some of `available_members`, or a notebook's own.
        even
            Share of the size weights that all members have alike: where few weeks are held back, what they say of members is mostly chance.

        Returns
        -------
        (Ensemble, Distribution)
            The ensemble, and what it said of the held-back rows before it had learned from them.
        """
        assert frame.demand is not None  # noqa: S101 - for the type checker
        support = Support.of(frame.demand[frame.demand > 0])
        encoder = Encoder.fit(frame)
        early, late = Prepared.of(frame, encoder, support), Prepared.of(held_back, encoder, support)
        members = [algorithm(encoder, support, settings).fit(early, late, encoder, support, seed) for algorithm in algorithms]
        ensemble = cls(encoder, support, members, settings=settings)
        predicted = [member.predict(late) for member in members]
        ensemble.size_weights = (1 - even) * _size_weights(predicted, late) + np.float32(even / len(members))
        ensemble.chance_weights = _chance_weights(predicted, late)
        pooled = ensemble._pool(predicted)
        ensemble.calibration = Calibration.fit(pooled.p_demand, pooled.pmf, held_back, support)
        pooled = Distribution(ensemble.calibration.probability(pooled.p_demand), pooled.pmf)
        ensemble.held_back = ensemble.copy()
        everything = Prepared.of(Frame.concat([frame, held_back]), encoder, support)
        for member in members:
            member.refit(everything, seed)
        return ensemble, pooled

    def copy(self) -> "Ensemble":
        """The same ensemble, untouched by what the members learn from now on."""
        members = [
            type(member).restore({key: np.array(array) for key, array in member.state().items()}, self.encoder, self.support, self.settings)
            for member in self.members
        ]
        return Ensemble(self.encoder, self.support, members, self.size_weights, self.chance_weights, self.calibration, self.settings)

    def predict(self, frame: Frame) -> Distribution:
        """Return the pooled distribution of each row, its probability of demand corrected."""
        rows = Prepared.of(frame, self.encoder, self.support)
        pooled = self._pool([_said_by(member, rows) for member in self.members])
        return Distribution(self.calibration.probability(pooled.p_demand), pooled.pmf)

    def points(self, predicted: Distribution, frame: Frame) -> Points:
        """Return the points of rows from what `predict` said of them."""
        expected = self.calibration.expected(predicted.p_demand, predicted.pmf, frame, self.support)
        return points(predicted.p_demand, predicted.pmf, self.support.sizes, expected)

    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """Learned arrays of each member by its name."""
        return {member.name: member.state() for member in self.members}

    def _pool(self, predicted: Sequence[Distribution]) -> Distribution:
        """Linear opinion pool (Stone 1961)."""
        chance = sum(weight * one.p_demand for weight, one in zip(self.chance_weights, predicted, strict=True))
        pmf = sum(weight * one.pmf for weight, one in zip(self.size_weights, predicted, strict=True))
        pmf = np.asarray(pmf, np.float32)
        return Distribution(np.asarray(chance, np.float32), pmf / pmf.sum(axis=1, keepdims=True))


def restored(member: type[Member], state: Mapping[str, Any], encoder: Encoder, support: Support, settings: Settings) -> Member:
    """A member from its stored state; what a member of a user raises is an `ArtifactError` with its name."""
    with _answering_for(member):
        return member.restore(state, encoder, support, settings)


def _said_by(member: Member, rows: Prepared) -> Distribution:
    with _answering_for(type(member)):
        return member.predict(rows)


@contextmanager
def _answering_for(member: type[Member]) -> Iterator[None]:
    """Let our own members raise what they raise: that is a defect. Code of users may raise anything, and the step below serves then."""
    try:
        yield
    except Exception as error:
        if member in _OWN or isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"member {member.name} failed: {type(error).__name__}: {error}") from error


def _size_weights(predicted: Sequence[Distribution], rows: Prepared) -> Floats32:
    """Weights with the least log loss of the size where there was demand: it tells members apart with fewer rows than the error of a point does."""
    hit = np.flatnonzero(rows.target >= 0)
    if not len(hit):
        return np.full(len(predicted), 1 / len(predicted), np.float32)
    return _greedy([one.pmf[hit, rows.target[hit]] for one in predicted], lambda likelihood: float(-np.mean(np.log(np.maximum(likelihood, 1e-6)))))


def _chance_weights(predicted: Sequence[Distribution], rows: Prepared) -> Floats32:
    """Weights with the least log loss of the probability of demand."""
    actual = rows.target >= 0

    def error(chance: Floats32) -> float:
        p = np.clip(np.where(actual, chance, 1 - chance), 1e-6, 1)
        return float(-np.average(np.log(p), weights=rows.weight))

    return _greedy([one.p_demand for one in predicted], error)


def _greedy(parts: Sequence[Floats32], error: Any) -> Floats32:
    pooled, weights = parts[0], np.asarray([1.0])
    for part in parts[1:]:
        losses = [error((1 - share) * pooled + share * part) for share in _GRID]
        share = float(_GRID[int(np.argmin(losses))])
        pooled = (1 - share) * pooled + share * part
        weights = np.append(weights * (1 - share), share)
    return weights.astype(np.float32)
