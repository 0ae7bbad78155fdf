"""What was sold in past weeks whose offers were like the target week's: means of what has been seen stay within it, whatever the offer."""

import math
from dataclasses import dataclass

import numpy as np

from models.leaderboard.averages import mean
from models.leaderboard.sales import Offers
from transforms.arrays import Floats64


@dataclass(frozen=True)
class Analogy:
    """How alike two weeks' offers have to be: a width for each trait of them, and the weeks after which a week counts half.

    `trace` is what the most different week still weighs, so that an offer without any like it falls back to the mean.
    """

    widths: dict[str, float]
    half_life: float
    trace: float = 1e-4

    def weights(self, before: dict[str, Floats64], ahead: dict[str, Floats64], age: Floats64) -> Floats64:
        """Weight of each earlier week, falling exponentially with the distance of its offer and with age."""
        distance = sum(np.abs(before[trait] - ahead[trait]) / width for trait, width in self.widths.items())
        return np.asarray((np.exp(-distance) + self.trace) * 0.5 ** (age / self.half_life))


OWN = {
    "own_wide": Analogy({"price": 0.08, "attention": 0.25, "deal": 1.5}, 26),
    "own_narrow": Analogy({"price": 0.04, "attention": 0.15, "deal": 0.7}, 52),
}
CHAIN = Analogy({"cut": 0.06, "attention": 0.2, "deal": 1.0}, 52)
POOL = Analogy({"cut": 0.05, "attention": 0.15, "deal": 0.7}, math.inf, 1e-5)
MOVES = {
    "moves": Analogy({"price": 0.05, "attention": 0.15, "change": 0.08, "attention_before": 0.25}, 52),
    "wide_moves": Analogy({"price": 0.1, "attention": 0.25, "change": 0.15, "spread": 0.05}, 26),
    "price_moves": Analogy({"price": 0.03, "attention": 0.15}, 80),
}
POOLED_MOVES = Analogy({"below_regular": 0.05, "attention": 0.15, "change": 0.08, "attention_before": 0.25}, math.inf, 1e-5)


def analogies(lift: Floats64, offers: Offers) -> dict[str, Floats64]:
    """Mean lifts of past weeks, weighted by how alike their offers were: of the series, of the product in all stores, of all products.

    The later ones compare the chain's offers as moves from the week before: the first week of an offer sells more than those that follow. Where a
    store usually stands in such weeks, above or below the chain, is a feature of its own.
    """
    weeks = lift.shape[2]
    age = np.arange(weeks - 1, -1, -1.0)
    traits = {"price": offers.price, "attention": offers.attention, "deal": offers.deal}
    result = {}
    before, ahead = _split(traits, weeks)
    for name, analogy in OWN.items():
        weight = analogy.weights(before, ahead, age)
        result[name], result[f"{name}_weight"] = mean(lift, weight, 2)
    traits = {"cut": offers.cut, "attention": offers.attention, "deal": offers.deal}
    before = {name: values[:, :, :weeks].mean(axis=0, keepdims=True) for name, values in traits.items()}
    ahead = _split(traits, weeks)[1]
    lifts = np.broadcast_to(mean(lift, None, 0)[0], lift.shape)
    result["chain"], result["chain_weight"] = mean(lifts, CHAIN.weights(before, ahead, age), 2)
    result["pool"] = _pooled(POOL, lifts[0], before, ahead, age)
    return {**result, **_moves(lift, lifts[0], offers, age)}


def _moves(lift: Floats64, lifts: Floats64, offers: Offers, age: Floats64) -> dict[str, Floats64]:
    weeks, shape = lift.shape[2], lift.shape[:2]
    chain = {name: getattr(offers, name).mean(axis=0, keepdims=True) for name in ("price", "attention", "below_regular")}
    moved = {
        **chain,
        "change": np.diff(chain["price"], axis=2, prepend=chain["price"][:, :, :1]),
        "attention_before": np.concatenate([chain["attention"][:, :, :1], chain["attention"][:, :, :-1]], axis=2),
        "spread": offers.price.std(axis=0, keepdims=True),
    }
    before, ahead = _split(moved, weeks)
    result = {}
    for name, analogy in MOVES.items():
        weight = analogy.weights(before, ahead, age)
        of_chain, behind = mean(lifts[None], weight, 2)
        result[name], result[f"{name}_weight"] = np.broadcast_to(of_chain, shape), np.broadcast_to(behind, shape)
        result[f"{name}_of_store"] = mean(lift - lifts[None], np.broadcast_to(weight, lift.shape), 2)[0]
    result["pooled_moves"] = np.broadcast_to(_pooled(POOLED_MOVES, lifts, before, ahead, age), shape)
    return result


def _split(traits: dict[str, Floats64], weeks: int) -> tuple[dict[str, Floats64], dict[str, Floats64]]:
    """The traits of the first weeks, and of the last one."""
    before, ahead = ({name: values[:, :, part] for name, values in traits.items()} for part in (slice(weeks), slice(-1, None)))
    return before, ahead


def _pooled(analogy: Analogy, lifts: Floats64, before: dict[str, Floats64], ahead: dict[str, Floats64], age: Floats64) -> Floats64:
    """Mean over the weeks of all products, whose lifts are of shape (products, weeks)."""
    everything = {name: values.reshape(1, 1, -1) for name, values in before.items()}
    weight = analogy.weights(everything, ahead, np.tile(age, len(lifts)))
    return mean(np.broadcast_to(lifts.reshape(-1), weight.shape), weight, 2)[0]
