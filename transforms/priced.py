"""Sales of products whose prices, deals and ads are known ahead, as rows to learn from and to forecast.

Sales are counted in multiples of the series' usual level at the origin, so that a store's or product's size does not have to be learned, and so that
no forecast can leave the range of multiples that has been seen. Reading a data set into `PricedSales` belongs to a module of its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from transforms.frame import Frame
from transforms.panel import Coded, Floats, Texts
from transforms.recency import RECENT

USUAL_WEEKS = 26
"""Weeks over which a usual level and a usual price are taken."""
EARLIER_OFFERS, YEAR = 3, 52.18
Cube = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Analogy:
    """How alike two weeks' offers have to be: widths in log price (or cut), share of ads and deal, and the weeks after which a week counts half.

    `trace` is what the most different week still weighs, so that an offer without any like it falls back to the mean.
    """

    price: float
    ads: float
    deal: float
    half_life: float
    trace: float


OWN = {"wide": Analogy(0.08, 0.25, 1.5, 26, 1e-4), "narrow": Analogy(0.04, 0.15, 0.7, 52, 1e-4)}
CHAIN, POOL = Analogy(0.06, 0.2, 1.0, 52, 1e-4), Analogy(0.05, 0.15, 0.7, math.inf, 1e-5)


@dataclass(frozen=True)
class PricedSales:
    """Stores x products x weeks.

    Attributes
    ----------
    first
        Number of the first week.
    log_units
        NaN where nothing is on record, shape (stores, products, weeks).
    log_price, deal, ads
        Log of the price, share of the week on deal and in an ad, of the same shape and without gaps; known ahead, so they reach to the last target.
    demographics
        Shape (stores, any).
    """

    stores: Texts
    products: Texts
    first: int
    log_units: Cube
    log_price: Cube
    deal: Cube
    ads: Cube
    demographics: Cube

    def until(self, week: int) -> "PricedSales":
        """The same with no sales after `week`."""
        units = self.log_units.copy()
        units[:, :, week - self.first + 1 :] = np.nan
        return replace(self, log_units=units)

    @property
    def attention(self) -> Cube:
        """Share of a store's ads in a week that a product has: an ad takes attention from others, so where all are advertised none stands out."""
        share: Cube = self.ads / np.maximum(self.ads.sum(axis=1, keepdims=True), 1)
        return share


@dataclass(frozen=True)
class PricedRows:
    """Rows of a frame whose demand counts in multiples of `usual`, shape (n,); `units` is what was sold."""

    frame: Frame
    usual: Floats
    units: Floats


@dataclass(frozen=True)
class Block:
    """All series at one origin and horizon: features (series, p), log of the usual level (series,), last multiples (series, RECENT)."""

    names: tuple[str, ...]
    numeric: Floats
    log_usual: Cube
    recent: Cube


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
        past, target = slice(0, last + 1), last + horizon
        price, log_units = self.sales.log_price, self.sales.log_units[:, :, past]
        usual_price = np.median(price[:, :, max(0, target - USUAL_WEEKS) : target + 1], axis=2, keepdims=True)
        cut = (usual_price - price)[:, :, : target + 1]
        whole = _median(log_units)
        level = _median(log_units[:, :, -USUAL_WEEKS:])
        level = np.where(np.isnan(level), whole, level)
        lift = log_units - level[:, :, None]
        plain = lift - _rough_effect(lift, cut[:, :, past], self.attention[:, :, past])
        columns = {
            **self._analogies(lift, cut, last, target),
            **_levels(lift, plain, level, whole),
            **self._offers(cut, target),
            **{f"demographic_{i}": np.broadcast_to(values[:, None], level.shape) for i, values in enumerate(self.sales.demographics.T)},
            "horizon": np.full(level.shape, horizon),
            "sin_year": np.full(level.shape, np.sin(2 * np.pi * (self.sales.first + target) / YEAR)),
            "cos_year": np.full(level.shape, np.cos(2 * np.pi * (self.sales.first + target) / YEAR)),
        }
        numeric = np.stack([values.reshape(-1) for values in columns.values()], axis=1).astype(np.float32)
        recent = np.full((*level.shape, RECENT), np.nan)
        newest = np.exp(lift[:, :, ::-1][:, :, :RECENT])
        recent[:, :, : newest.shape[2]] = newest
        return Block(tuple(columns), numeric, level.ravel(), recent.reshape(-1, RECENT))

    def _analogies(self, lift: Cube, cut: Cube, last: int, target: int) -> dict[str, Cube]:
        """Mean lifts of past weeks, weighted by how alike their offers were: of the series, of the product in all stores, of all products.

        Means of what has been seen stay within it, whatever the offer.
        """
        price, deal, ads = self.sales.log_price, self.sales.deal, self.attention
        age = np.arange(last, -1, -1)
        ahead = [values[:, :, target, None] for values in (price, ads, deal)]
        before = [values[:, :, : last + 1] for values in (price, ads, deal)]
        result = {}
        for name, analogy in OWN.items():
            weight = _alike(analogy, before, ahead, age)
            result[f"own_{name}"], result[f"own_{name}_weight"] = _mean(lift, weight, 2)
        chain = [values[:, :, : last + 1].mean(axis=0, keepdims=True) for values in (cut, ads, deal)]
        ahead[0] = cut[:, :, target, None]
        chain_lift = np.broadcast_to(_mean(lift, np.ones_like(lift), 0)[0], lift.shape)
        result["chain"], result["chain_weight"] = _mean(chain_lift, _alike(CHAIN, chain, ahead, age), 2)
        everything = [values.reshape(1, 1, -1) for values in chain]
        weight = _alike(POOL, everything, ahead, np.tile(age, lift.shape[1]))
        result["pool"] = _mean(np.broadcast_to(chain_lift[0].reshape(-1), weight.shape), weight, 2)[0]
        return result

    def _offers(self, cut: Cube, target: int) -> dict[str, Cube]:
        """The target week's offer among those of the other products, and the offers of the weeks before it."""
        price, deal, ads, share = (values[:, :, target] for values in (self.sales.log_price, self.sales.deal, self.sales.ads, self.attention))
        now = cut[:, :, target]
        depth = np.maximum(now, 0)
        others = np.eye(now.shape[1], dtype=bool)[None]
        noticed = share * depth
        result = {
            "price": price,
            "cut": now,
            "depth": depth,
            "price_to_mean": price - price.mean(axis=1, keepdims=True),
            "price_to_cheapest": price - np.where(others, np.inf, price[:, None, :]).min(axis=2),
            "price_rank": (price[:, :, None] > price[:, None, :]).sum(axis=2),
            "mean_cut": np.broadcast_to(now.mean(axis=1, keepdims=True), now.shape),
            "deepest_other_cut": np.where(others, -np.inf, now[:, None, :]).max(axis=2),
            "attention": share,
            "ads_to_mean": ads - ads.mean(axis=1, keepdims=True),
            "deal": deal,
            "deal_share": deal / np.maximum(deal.sum(axis=1, keepdims=True), 1),
            "advertised_cut": ads * depth,
            "noticed_cut": noticed,
            "deal_cut": deal * depth,
            "others_noticed_cut": noticed.sum(axis=1, keepdims=True) - noticed,
        }
        for back in range(1, EARLIER_OFFERS + 1):
            result[f"cut_{back}_before"], result[f"attention_{back}_before"] = cut[:, :, target - back], self.attention[:, :, target - back]
        return result


def _levels(lift: Cube, plain: Cube, level: Cube, whole: Cube) -> dict[str, Cube]:
    """Where the series, its product over all stores, and its store stood lately, as sold and with the rough effect of offers taken out."""
    result = {"level": level, "whole_level": whole - level}
    result |= {f"lift_{back}_back": lift[:, :, -1 - back] for back in range(4)}
    result |= {f"lift_{weeks}": _mean(lift[:, :, -weeks:], None, 2)[0] for weeks in (4, 8, 13)}
    result |= {f"plain_{weeks}": _mean(plain[:, :, -weeks:], None, 2)[0] for weeks in (2, 4, 8, USUAL_WEEKS)}
    result["all_plain_2"] = np.full(level.shape, _mean(plain[:, :, -2:], None, (0, 1, 2))[0])
    for weeks in (2, 4):
        result[f"product_plain_{weeks}"] = np.broadcast_to(_mean(plain[:, :, -weeks:], None, (0, 2))[0], level.shape)
        result[f"store_plain_{weeks}"] = np.broadcast_to(_mean(plain[:, :, -weeks:], None, (1, 2))[0][:, None], level.shape)
    return result


def _rough_effect(lift: Cube, cut: Cube, attention: Cube) -> Cube:
    """Least-squares effect of price cut and attention on all lifts so far: enough to tell a busy week from an advertised one."""
    offers, known = np.stack([cut, attention], axis=-1), ~np.isnan(lift)
    x = np.column_stack([np.ones(known.sum()), offers[known]])
    effects = np.linalg.lstsq(x, lift[known], rcond=None)[0]
    return np.asarray(offers @ effects[1:])


def _alike(analogy: Analogy, before: Sequence[Cube], ahead: Sequence[Cube], age: npt.NDArray[np.integer]) -> Cube:
    """Weight of each earlier week, falling exponentially with the distance of its offer and with age."""
    widths = (analogy.price, analogy.ads, analogy.deal)
    distance = sum(np.abs(then - now) / width for then, now, width in zip(before, ahead, widths, strict=True))
    return np.asarray((np.exp(-distance) + analogy.trace) * 0.5 ** (age / analogy.half_life))


def _mean(values: Cube, weight: Cube | None, axis: int | tuple[int, ...]) -> tuple[Cube, Cube]:
    """Weighted mean over what is known (0 where nothing is), and the log of the weight behind it."""
    known = ~np.isnan(values)
    used = known if weight is None else np.where(known, weight, 0)
    total = used.sum(axis=axis)
    return (np.where(known, values, 0) * used).sum(axis=axis) / np.maximum(total, 1e-9), np.log(total + 1e-3)


def _median(values: Cube) -> Cube:
    """Median over the weeks on record, NaN where there is none."""
    # Sorting puts the unknown last, so the two in the middle of those known are found by their count.
    ordered, count = np.sort(values, axis=2), (~np.isnan(values)).sum(axis=2, keepdims=True)
    middle = [np.take_along_axis(ordered, at, axis=2)[:, :, 0] for at in (np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[2] - 1))]
    return np.asarray(middle[0] + middle[1]) / 2


def pairs_until(first: int, last: int, horizons: Sequence[int]) -> list[tuple[int, int]]:
    """(origin, horizon) of every target week from `first` to `last` once, horizons in turn."""
    return [(target - horizons[target % len(horizons)], horizons[target % len(horizons)]) for target in range(first, last + 1)]
