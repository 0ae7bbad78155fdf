"""Sales of products whose prices, deals and ads are known ahead, as rows to learn from and to forecast.

Sales are counted in multiples of the series' usual level at the origin, so that a store's or product's size does not have to be learned, and so that
no forecast can leave the range of multiples that has been seen. Reading a data set into `PricedSales` belongs to a module of its own.
"""

from transforms.priced.features import PricedFeatures, PricedRows, pairs_until
from transforms.priced.sales import Cube, PricedSales

__all__ = ["Cube", "PricedFeatures", "PricedRows", "PricedSales", "pairs_until"]
