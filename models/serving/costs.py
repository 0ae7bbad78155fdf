"""What a unit too many and a unit too few cost, row by row, as the product list says it at the origin."""

from typing import NamedTuple

import numpy as np

from transforms.arrays import Floats32
from transforms.features.frame import Frame
from transforms.panel.panel import Panel

DEFAULT_MARGIN, DEFAULT_RETURN_COST = 0.30, 0.10
"""USD, for products whose list has neither: a unit missed then costs three times what one left over does."""


class Costs(NamedTuple):
    """Units in a case, cost of a unit of demand not met (its margin), cost of a unit left over; shape (rows,)."""

    case_pack: Floats32
    margin: Floats32
    return_cost: Floats32


def costs_of(panel: Panel, rows: Frame) -> Costs:
    """The costs of the products of `rows`."""
    product, numbers = panel.product[rows.series], panel.product_number
    return Costs(
        numbers["case_pack"][product],
        np.nan_to_num(numbers["margin"][product], nan=DEFAULT_MARGIN),
        np.nan_to_num(numbers["return_cost"][product], nan=DEFAULT_RETURN_COST),
    )
