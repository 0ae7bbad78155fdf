"""What edits would change before they are saved: units, cases, returns, lost sales and money, line by line and together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.orders.effect import Known, effect_of
from transforms.rows import Row

_KNOWN = {
    "p_demand": "p_demand", "q10": "q10", "q50": "q50", "q90": "q90", "expected": "expected", "planned": "order_quantity",
    "service_level": "service_level", "expected_returns": "expected_returns", "expected_lost_sales": "expected_lost_sales",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """What edits change, over some lines: units and cases to load, units expected to come back and to be missed, USD expected to be saved by it."""

    lines: int = 0
    units: float = 0
    cases: float = 0
    returns: float = 0
    lost_sales: float = 0
    saved: float = 0


def difference(lines: Sequence[Row], wanted: Mapping[str, int]) -> Difference:
    """What it changes to load `wanted` units (by product) instead of what is to be loaded now.

    Parameters
    ----------
    lines
        Lines of one store, as `dashboard.queries.orders.lines.lines_of` has them.
    """
    edited = [row for row in lines if wanted.get(row["product_id"], row["order_quantity"]) != row["order_quantity"]]
    if not edited:
        return Difference()
    known = Known(**{name: _column(edited, column) for name, column in _KNOWN.items()})
    quantity = np.asarray([float(wanted[row["product_id"]]) for row in edited])
    effect = effect_of(known, quantity)
    returns, lost = effect.expected_returns - known.expected_returns, effect.expected_lost_sales - known.expected_lost_sales
    saved = -(lost * _column(edited, "margin") + returns * _column(edited, "return_cost"))
    units = quantity - known.planned
    cases = units / np.maximum(_column(edited, "case_pack"), 1)
    return Difference(len(edited), *(float(values.sum()) for values in (units, cases, returns, lost, saved)))


def _column(rows: Sequence[Row], name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray([float(row[name] or 0) for row in rows])
