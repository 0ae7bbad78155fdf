"""From priced sales to rows of a frame: one block of all series for each origin and horizon."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.leaderboard.analogies import analogies
from models.leaderboard.levels import level_features, usual_levels
from models.leaderboard.offers import offer_features
from models.leaderboard.response import response
from models.leaderboard.sales import Offers, PricedSales
from transforms.arrays import Floats32, Floats64
from transforms.features.ahead import EFFECT_OFFER
from transforms.features.frame import Frame
from transforms.features.recency import RECENT
from transforms.panel.panel import Coded

YEAR = 52.18


@dataclass(frozen=True)
class PricedRows:
    """Rows of a frame whose demand counts in multiples of `usual`, shape (n,); `units` is what was sold."""

    frame: Frame
    usual: Floats32
    units: Floats32


@dataclass(frozen=True)
class Block:
    """All series at one origin and horizon: features (series, p), log of the usual level (series,), last multiples (series, RECENT)."""

    names: tuple[str, ...]
    numeric: Floats32
    log_usual: Floats64
    recent: Floats64


class PricedFeatures:
    """Features by origin and horizon, each made once; those of an origin read no sale after it."""

    def __init__(self, sales: PricedSales) -> None:
        self.sales, self.attention = sales, sales.attention
        self._blocks: dict[tuple[int, int], Block] = {}

    def rows(self, pairs: Sequence[tuple[int, int]]) -> PricedRows:
        """The rows with sales on record of each (origin, horizon); origins are numbers of weeks."""
        blocks, sales = [self._block(*pair) for pair in pairs], self.sales
        stores, products = len(sales.stores), len(sales.products)
        series = np.tile(np.arange(stores * products, dtype=np.int32), len(pairs))
        log_units = np.concatenate([sales.log_units[:, :, origin + horizon - sales.first].ravel() for origin, horizon in pairs])
        log_usual = np.concatenate([block.log_usual for block in blocks])
        known = ~np.isnan(log_units) & ~np.isnan(log_usual)
        ones = np.ones(len(series), np.float32)
        frame = Frame(
            numeric=np.vstack([block.numeric for block in blocks]),
            names=blocks[0].names,
            categorical={"store": Coded(series // products, sales.stores), "product": Coded(series % products, sales.products)},
            series=series,
            horizon=np.repeat(np.asarray([horizon for _, horizon in pairs], np.int32), stores * products),
            recent=np.vstack([block.recent for block in blocks]).astype(np.float32),
            rate=ones,
            baseline=ones,
            baseline_size=ones,
            case_pack=ones,
            fast=ones > 0,
            large=ones > 0,
            weight=ones,
            demand=np.exp(log_units - log_usual).astype(np.float32),
        )
        return PricedRows(frame.take(known), np.exp(log_usual[known]).astype(np.float32), np.exp(log_units[known]).astype(np.float32))

    def _block(self, origin: int, horizon: int) -> Block:
        if (origin, horizon) not in self._blocks:
            self._blocks[origin, horizon] = self._make(origin - self.sales.first, horizon)
        return self._blocks[origin, horizon]

    def _make(self, last: int, horizon: int) -> Block:
        target, log_units = last + horizon, self.sales.log_units[:, :, : last + 1]
        offers = Offers.until(self.sales, self.attention, target)
        level, whole = usual_levels(log_units)
        lift = log_units - level[:, :, None]
        turn = 2 * np.pi * (self.sales.first + target) / YEAR
        columns = {
            **analogies(lift, offers),
            **level_features(lift, level, whole, offers),
            **offer_features(offers),
            EFFECT_OFFER: response(lift, offers),
            **{f"demographic_{i}": np.broadcast_to(values[:, None], level.shape) for i, values in enumerate(self.sales.demographics.T)},
            "horizon": np.full(level.shape, horizon),
            "sin_year": np.full(level.shape, np.sin(turn)),
            "cos_year": np.full(level.shape, np.cos(turn)),
        }
        numeric = np.stack([values.reshape(-1) for values in columns.values()], axis=1).astype(np.float32)
        recent = np.full((*level.shape, RECENT), np.nan)
        newest = np.exp(lift[:, :, ::-1][:, :, :RECENT])
        recent[:, :, : newest.shape[2]] = newest
        return Block(tuple(columns), numeric, level.ravel(), recent.reshape(-1, RECENT))


def pairs_until(first: int, last: int, horizons: Sequence[int]) -> list[tuple[int, int]]:
    """(origin, horizon) of every target week from `first` to `last` once, horizons in turn."""
    return [(target - horizons[target % len(horizons)], horizons[target % len(horizons)]) for target in range(first, last + 1)]
