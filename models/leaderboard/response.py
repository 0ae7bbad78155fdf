"""How sales answer to offers: a regression of each product's lifts on its own offer and on the other products' prices, one for each origin.

Products are drawn towards what all of them have in common (a ridge on the difference), and each series has what is left of it lately. Within the
offers that have been seen, models that look for weeks alike know more; this one adds up what each part of an offer does, so it has an answer for any.
"""

import numpy as np

from models.leaderboard.sales import Offers
from transforms.arrays import Floats64

HALF_LIFE, SERIES_HALF_LIFE = 52.0, 13.0
"""Weeks after which a week counts half: for the answers of products, and for what a series has beyond them."""
COMMON_ROWS, PRODUCT_ROWS, SERIES_WEEKS = 20_000.0, 5_000.0, 2.0
"""Rows that say that a part of an offer does nothing, that a product answers to it as all do, and weeks that say that a series has nothing beyond."""


def response(lift: Floats64, offers: Offers) -> Floats64:
    """Lift that the last week of `offers` is expected to have, shape (stores, products).

    Parameters
    ----------
    lift
        Log of sales over the usual level up to the origin, NaN where nothing is on record, shape (stores, products, weeks).
    """
    weeks = lift.shape[2]
    parts = _parts(offers)
    seen, ahead = parts[:, :, :weeks], parts[:, :, -1]
    scale = np.sqrt((seen**2).mean(axis=(0, 1, 2))) + 1e-3
    seen, ahead = seen / scale, ahead / scale
    known, age = ~np.isnan(lift), np.arange(weeks - 1, -1, -1.0)
    weight, known_lift = 0.5 ** (age / HALF_LIFE) * known, np.where(known, lift, 0)
    weighted = weight[:, :, :, None] * seen
    products = range(lift.shape[1])
    squares = np.stack([np.tensordot(weighted[:, product], seen[:, product], axes=([0, 1], [0, 1])) for product in products])
    answers = np.stack([np.tensordot(weighted[:, product], known_lift[:, product], axes=([0, 1], [0, 1])) for product in products])
    identity = np.eye(parts.shape[3])
    common = np.linalg.solve(squares.sum(axis=0) + COMMON_ROWS * identity, answers.sum(axis=0))
    own = np.linalg.solve(squares + PRODUCT_ROWS * identity, (answers - squares @ common)[:, :, None])[:, :, 0]
    answer = common + own
    left = np.where(known, known_lift - (seen @ answer[None, :, :, None])[:, :, :, 0], 0)
    recent = 0.5 ** (age / SERIES_HALF_LIFE) * known
    of_series = (recent * left).sum(axis=2) / (recent.sum(axis=2) + SERIES_WEEKS)
    return np.asarray((ahead * answer).sum(axis=2) + of_series)


def _parts(offers: Offers) -> Floats64:
    """Parts of each week's offer that a product answers to, shape (stores, products, weeks, parts)."""
    below, share, deal, ads, price = offers.below_regular, offers.attention, offers.deal, offers.ads, offers.price
    depth = np.maximum(below, 0)
    noticed = share * depth
    columns = [
        offers.cut, depth, np.minimum(below, 0), depth**2, share, ads, deal, noticed, depth * deal, depth * ads,
        price - _before(price), share * (1 - _before(ads)), _before(depth), _before(share), _before(deal), _before(_before(depth)),
        noticed.sum(axis=1, keepdims=True) - noticed, _deepest_other(depth), depth.mean(axis=1, keepdims=True),
        price - price.mean(axis=1, keepdims=True), price - price.mean(axis=0, keepdims=True), np.ones_like(price),
    ]  # fmt: skip
    others = np.where(np.eye(price.shape[1], dtype=bool)[None, :, None, :], 0, offers.cut.transpose(0, 2, 1)[:, None])
    return np.concatenate([np.stack([np.broadcast_to(column, price.shape) for column in columns], axis=3), others], axis=3)


def _before(values: Floats64) -> Floats64:
    """The week before; the first week is its own."""
    return np.concatenate([values[:, :, :1], values[:, :, :-1]], axis=2)


def _deepest_other(depth: Floats64) -> Floats64:
    """The deepest offer among the other products, 0 where there is no other."""
    if depth.shape[1] == 1:
        return np.zeros_like(depth)
    ordered = np.sort(depth, axis=1)
    return np.where(depth >= ordered[:, -1:], ordered[:, -2:-1], ordered[:, -1:])
