"""The best that is possible on the sample world: what a forecaster would say that knows the distribution from which demand is drawn."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.members.distribution import Points, points
from transforms.arrays import Floats64
from transforms.world.simulation import CASES, case_probabilities


def oracle(p_demand: Floats64, mean_log: Floats64, sigma: float, case_pack: npt.NDArray[np.integer]) -> Points:
    """Points of rows from the parameters of the simulation; the demand that was drawn is not among them.

    Parameters
    ----------
    p_demand, mean_log, case_pack
        Chance of demand, mean of the log of the cases, units in a case, shape (n,); see `transforms.world.simulation`.
    sigma
        Spread of the log of the cases.
    """
    pmf = case_probabilities(mean_log, sigma).astype(np.float32)
    chance, cases = p_demand.astype(np.float32), CASES.astype(np.float32)
    in_cases = points(chance, pmf, cases, chance * (pmf @ cases))
    units = {
        name: (values * case_pack).astype(np.float32) for name, values in vars(in_cases).items() if name in {"size", "expected", "q10", "q50", "q90"}
    }
    return replace(in_cases, **units)
