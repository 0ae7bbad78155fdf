"""Gradient boosting member: histogram trees for the chance of demand and for the log of its size, kept as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.members.base import Distribution, Prepared
from models.members.encoding import Encoder
from models.members.settings import BoostingSettings, Settings
from models.members.spread import Spread
from models.support import Support
from transforms.arrays import Floats32, Floats64

# Rows that walk down the trees together: their positions fit into the processor's cache.
_ROWS = 2048
_MOST_SURE = 0.005


@dataclass(frozen=True)
class Trees:
    """Regression trees whose values are added to `start`; nodes of all trees stand one after the other, and a leaf is its own child.

    Attributes
    ----------
    roots
        Node at which each tree begins, in the order in which the trees were grown, shape (trees,).
    column, threshold, left, right, value
        Of each node: a row goes left where its column is at most the threshold, shape (nodes,).
    """

    start: float
    roots: npt.NDArray[np.int32]
    column: npt.NDArray[np.int16]
    threshold: Floats64
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: Floats64

    @classmethod
    def of(cls, fitted: Any) -> Self:
        """Take the trees out of a fitted scikit-learn estimator (private names of 1.9; a test holds the results against its own predictions)."""
        parts = [tree[0].nodes for tree in fitted._predictors]
        roots = np.cumsum([0, *(len(nodes) for nodes in parts)])
        nodes = np.concatenate(parts)
        offset, own = np.repeat(roots[:-1], np.diff(roots)), np.arange(len(nodes))
        leaf = nodes["is_leaf"].astype(bool)
        return cls(
            start=float(np.ravel(fitted._baseline_prediction)[0]),
            roots=roots[:-1].astype(np.int32),
            column=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int16),
            threshold=np.where(leaf, 0, nodes["num_threshold"]),
            left=np.where(leaf, own, nodes["left"] + offset).astype(np.int32),
            right=np.where(leaf, own, nodes["right"] + offset).astype(np.int32),
            value=nodes["value"].astype(np.float64),
        )

    @classmethod
    def constant(cls, value: float) -> Self:
        """One tree, a single leaf, that adds nothing to `value`."""
        at, nothing = np.zeros(1, np.int32), np.zeros(1)
        return cls(value, at, np.zeros(1, np.int16), nothing, at, at, nothing)

    def first(self, trees: int) -> "Trees":
        """Only the first `trees` trees."""
        end = self.roots[trees] if trees < len(self.roots) else len(self.value)
        arrays = {name: values[:end] for name, values in vars(self).items() if name not in {"start", "roots"}}
        return Trees(self.start, self.roots[:trees], **arrays)

    def staged(self, x: Floats32) -> Floats64:
        """Sum after each tree, shape (n, trees)."""
        return np.concatenate([np.zeros((0, len(self.roots))), *(self._walk(x[at : at + _ROWS]) for at in range(0, len(x), _ROWS))])

    def predict(self, x: Floats32) -> Floats32:
        """Sum of all trees, shape (n,)."""
        ends = [self._walk(x[at : at + _ROWS])[:, -1] for at in range(0, len(x), _ROWS)]
        return np.concatenate([np.zeros(0), *ends]).astype(np.float32)

    def _walk(self, x: Floats32) -> Floats64:
        at = np.repeat(self.roots[None, :], len(x), axis=0)
        rows = np.arange(len(x))[:, None]
        while True:
            below = x[rows, self.column[at]] <= self.threshold[at]
            following = np.where(below, self.left[at], self.right[at])
            if np.array_equal(following, at):
                return self.start + np.cumsum(self.value[at], axis=1)
            at = following

    def state(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        """Arrays by name."""
        return {f"{prefix}.{name}": np.atleast_1d(np.asarray(values)) for name, values in vars(self).items()}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], prefix: str) -> Self:
        """Rebuild from `state()`."""
        arrays = {name.removeprefix(f"{prefix}."): values for name, values in state.items() if name.startswith(f"{prefix}.")}
        return cls(float(arrays.pop("start")[0]), **arrays)


class BoostingMember:
    """Histogram gradient boosting (Friedman 2001; Ke et al. 2017) on standardised features and category indices.

    The size regression gives a mean of log size, which `Spread` turns into probabilities of the usual sizes. How many trees are kept is decided by
    the error on the held-back rows.
    """

    name = "boosting"

    def __init__(self, encoder: Encoder, support: Support, settings: Settings) -> None:  # noqa: ARG002 - one signature for all members
        self.support, self.settings = support, settings.boosting

    def fit(self, rows: Prepared, held_back: Prepared, encoder: Encoder, support: Support, seed: int) -> Self:  # noqa: ARG002 - protocol
        """Grow both forests, cut each where the held-back rows say, then learn the spread."""
        self.support = support
        hits, tests = rows.take(rows.target >= 0), held_back.take(held_back.target >= 0)
        grown = _grow("size", hits, hits.log_size, self.settings, self.settings.iterations, seed)
        staged = grown.staged(_columns(tests))
        self.size_ = grown.first(1 + int(np.argmin(np.abs(staged - tests.log_size[:, None]).mean(axis=0))))
        self.spread_ = Spread.fit(lambda rows: self.size_.predict(_columns(rows)), hits, tests, support)
        grown = _grow("chance", rows, (rows.target >= 0).astype(np.int8), self.settings, self.settings.iterations, seed)
        comes = np.where(held_back.target >= 0, 1, -1)[:, None]
        losses = np.average(np.logaddexp(0, -comes * grown.staged(_columns(held_back))), weights=held_back.weight, axis=0)
        self.chance_ = grown.first(1 + int(np.argmin(losses)))
        return self

    def refit(self, rows: Prepared, seed: int) -> Self:
        """Grow the same numbers of trees again, on all rows."""
        hits = rows.take(rows.target >= 0)
        self.size_ = _grow("size", hits, hits.log_size, self.settings, len(self.size_.roots), seed)
        self.chance_ = _grow("chance", rows, (rows.target >= 0).astype(np.int8), self.settings, len(self.chance_.roots), seed)
        return self

    def predict(self, rows: Prepared) -> Distribution:
        """Return the distribution of each row."""
        x = _columns(rows)
        chance = np.clip(1 / (1 + np.exp(-self.chance_.predict(x))), _MOST_SURE, 1 - _MOST_SURE)
        return Distribution(chance.astype(np.float32), self.spread_.pmf(self.size_.predict(x), rows, self.support))

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Both forests, and the spread."""
        return {**self.size_.state("size"), **self.chance_.state("chance"), **self.spread_.state()}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]], encoder: Encoder, support: Support, settings: Settings) -> Self:
        """Rebuild from `state()`."""
        member = cls(encoder, support, settings)
        member.size_, member.chance_ = Trees.restore(state, "size"), Trees.restore(state, "chance")
        member.spread_ = Spread.restore(state)
        return member


def _columns(rows: Prepared) -> Floats32:
    """Numbers and category indices side by side: a tree cuts out the indices that matter, however many there are."""
    return np.hstack([rows.numbers, rows.indices.astype(np.float32)])


def _grow(target: str, rows: Prepared, y: npt.NDArray[Any], settings: BoostingSettings, trees: int, seed: int) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: PLC0415 - heavy

    if target == "chance" and not np.ptp(y):
        # Where all rows came out the same there is nothing to grow; scikit-learn would take the only outcome for the first of two.
        return Trees.constant(float(np.log(1 / _MOST_SURE - 1)) * (1 if y[0] else -1))
    make = partial(HistGradientBoostingRegressor, loss=f"{settings.loss}_error") if target == "size" else HistGradientBoostingClassifier
    estimator = make(
        max_iter=trees,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.smallest_leaf,
        l2_regularization=settings.l2,
        max_features=settings.columns,
        early_stopping=False,
        random_state=seed,
    )
    # Equal weights are left out: with weights, the borders of the histograms are found by a sort for each.
    return Trees.of(estimator.fit(_columns(rows), y, sample_weight=rows.weight if np.ptp(rows.weight) else None))
