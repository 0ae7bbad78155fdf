"""The demand that models learn from: what is on record, or an estimate where late returns and sold-out weeks count. What judges never reads it."""

import numpy as np

from transforms.censoring import sold_out
from transforms.late_returns import Arrivals
from transforms.panel import Floats, Panel


def estimated_demand(panel: Panel, rng: np.random.Generator | None = None) -> Floats:
    """Demand as `panel.counting` says, shape (series, weeks); that on record where no return is.

    Parameters
    ----------
    rng
        Draw the demand of weeks that may have sold out, as training targets need it; its mean where None, as features need it.
    """
    if panel.counting == "on_record" or not len(panel.returns.series):
        return panel.demand()
    arrivals, unit = Arrivals.of(panel), _units(panel)
    demand = panel.shipped - arrivals.in_the_end()
    if panel.counting == "late_returns":
        demand -= arrivals.expected(panel.shipped)
    else:
        found = sold_out(panel, arrivals, unit)
        demand.ravel()[found.at] = found.mean() if rng is None else found.drawn(rng)
    # In whole cases, as far from what was shipped as leftovers can be: deliveries are, and the usual sizes that models choose from.
    rounded = panel.shipped + unit[:, None] * np.round((demand - panel.shipped) / unit[:, None])
    return np.maximum(rounded, 0, out=rounded)


def _units(panel: Panel) -> Floats:
    """Units that deliveries of each series can differ by: a case, or one unit where returns are not of whole cases; shape (series,)."""
    pack = panel.product_number["case_pack"]
    product = panel.product[panel.returns.series]
    broken = np.bincount(product, panel.returns.units % pack[product] != 0, len(pack)) > 0
    return np.where(broken, 1, pack)[panel.product].astype(np.float32)
