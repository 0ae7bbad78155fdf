"""The demand that models learn from: what is on record, or an estimate of what stores could have sold. What judges never reads it."""

import numpy as np

from transforms.arrays import Floats32
from transforms.panel.censoring import sold_out
from transforms.panel.late_returns import Arrivals
from transforms.panel.panel import Panel


def estimated_demand(panel: Panel) -> Floats32:
    """Demand as `panel.sold_out` says, shape (series, weeks); what is on record where too few leftovers come back to tell more."""
    if panel.sold_out == "as_shipped" or not len(panel.returns.series):
        return panel.demand()
    arrivals = Arrivals.of(panel)
    at = arrivals.silent(panel.shipped)
    if not len(at):
        return panel.demand()
    unit = _units(panel)
    found = sold_out(panel, arrivals, at, unit)
    demand = panel.shipped - arrivals.in_the_end()
    np.put(demand, at, found.mean())
    # In whole cases, as far from what was shipped as leftovers can be: deliveries are, and the usual sizes that models choose from.
    rounded: Floats32 = panel.shipped + unit[:, None] * np.round((demand - panel.shipped) / unit[:, None])
    return np.maximum(rounded, 0, out=rounded)


def _units(panel: Panel) -> Floats32:
    """Units that deliveries of each series can differ by: a case, or one unit where returns are not of whole cases; shape (series,)."""
    pack = panel.product_number["case_pack"]
    product = panel.product[panel.returns.series]
    broken = np.bincount(product, panel.returns.units % pack[product] != 0, len(pack)) > 0
    return np.where(broken, 1, pack)[panel.product].astype(np.float32)
