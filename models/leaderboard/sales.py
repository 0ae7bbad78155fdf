"""Stores x products x weeks of sales and of the offers that they answer to."""

from dataclasses import dataclass, replace

import numpy as np

from transforms.arrays import Floats64, Texts

USUAL_WEEKS = 26
"""Weeks over which a usual level and a usual price are taken."""
REGULAR = 0.85
"""Quantile of the usual weeks' prices that counts as the regular one: the median of a product that is often on offer is the price of its offers."""


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
    log_units: Floats64
    log_price: Floats64
    deal: Floats64
    ads: Floats64
    demographics: Floats64

    def until(self, week: int) -> "PricedSales":
        """The same with no sales after `week`."""
        units = self.log_units.copy()
        units[:, :, week - self.first + 1 :] = np.nan
        return replace(self, log_units=units)

    @property
    def attention(self) -> Floats64:
        """Share of a store's ads in a week that a product has: an ad takes attention from others, so where all are advertised none stands out."""
        share: Floats64 = self.ads / np.maximum(self.ads.sum(axis=1, keepdims=True), 1)
        return share


@dataclass(frozen=True)
class Offers:
    """Prices, deals and attention up to a target week, the last one, each of shape (stores, products, weeks).

    Attributes
    ----------
    cut, below_regular
        Log of the usual price, and of the regular price, over the price.
    """

    price: Floats64
    deal: Floats64
    ads: Floats64
    attention: Floats64
    cut: Floats64
    below_regular: Floats64

    @classmethod
    def until(cls, sales: PricedSales, attention: Floats64, target: int) -> "Offers":
        """The offers up to the week at position `target`; `attention` is that of `sales`, made once."""
        price, deal, ads, share = (values[:, :, : target + 1] for values in (sales.log_price, sales.deal, sales.ads, attention))
        usual = price[:, :, -USUAL_WEEKS - 1 :]
        cut = np.median(usual, axis=2, keepdims=True) - price
        return cls(price, deal, ads, share, cut, np.quantile(usual, REGULAR, axis=2, keepdims=True) - price)
