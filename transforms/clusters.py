"""Store clusters: a configured split of each format by one attribute of its stores, so that each part has ensembles of its own.

The rule and its names are here, since the contracts list them; which stores are looked at is decided by those who hold a panel.
"""

from dataclasses import field
from typing import Literal

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from transforms.arrays import Bools, Floats32, Texts

Attribute = Literal["population", "income", "median_rent", "median_age"]
ATTRIBUTES: tuple[Attribute, ...] = ("population", "income", "median_rent", "median_age")
BIN_NAMES: dict[int, tuple[str, ...]] = {
    2: ("low", "high"),
    3: ("low", "middle", "high"),
    4: ("lowest", "low", "high", "highest"),
    5: ("lowest", "low", "middle", "high", "highest"),
}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Clusters:
    """Split each format's stores at the quantiles of an attribute.

    Attributes
    ----------
    by
        Attribute of the store's place, as it was known at the origin.
    bins
        Clusters of about the same number of stores.
    """

    by: Attribute
    bins: Literal[2, 3, 4, 5] = field(default=2)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in ascending order of the attribute, like `low_income`."""
        return tuple(f"{name}_{self.by}" for name in BIN_NAMES[self.bins])

    def of(self, values: Floats32, counted: Bools) -> Texts:
        """The cluster of each store of one format.

        Parameters
        ----------
        values
            The attribute, shape (stores,), NaN where it is not known: such a store goes with the median one.
        counted
            Stores that decide where the borders lie (those in business), shape (stores,).

        Returns
        -------
        array of text
            Shape (stores,); empty texts where no counted store's attribute is known, since there is nothing to split by.
        """
        known = values[counted & ~np.isnan(values)]
        if not len(known):
            return np.full(len(values), "")
        borders = np.quantile(known, np.arange(1, self.bins) / self.bins)
        filled = np.where(np.isnan(values), np.median(known), values)
        return np.asarray(self.names)[np.searchsorted(borders, filled, side="right")]


def with_cluster(format_: str, cluster: str) -> str:
    """Name of a format's part: `large-high_income`; the format alone where it is not split."""
    return f"{format_}-{cluster}" if cluster else format_


CLUSTER_NAMES = tuple(dict.fromkeys(name for by in ATTRIBUTES for bins in BIN_NAMES for name in Clusters(by, bins).names))  # type: ignore[arg-type]
"""Every name that a cluster can have."""
