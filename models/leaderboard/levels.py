"""Where a series, its product over all stores, and its store stood lately: as sold, and with the effect of offers taken out."""

import numpy as np

from models.leaderboard.averages import mean, median, quantile
from models.leaderboard.sales import USUAL_WEEKS, Offers
from transforms.arrays import Floats64

UNPROMOTED, UNNOTICED = 0.05, 0.5
"""Cut below the regular price, and share of attention, under which a week counts as one without an offer."""
HIGH, LOW = 0.9, 0.1


def usual_levels(log_units: Floats64) -> tuple[Floats64, Floats64]:
    """Median log of sales over the usual weeks, or over all where those have none, and that over all weeks; shape (stores, products)."""
    whole = median(log_units)
    level = median(log_units[:, :, -USUAL_WEEKS:])
    return np.where(np.isnan(level), whole, level), whole


def level_features(lift: Floats64, level: Floats64, whole: Floats64, offers: Offers) -> dict[str, Floats64]:
    """Features from lifts above `level`, whose weeks are the first ones of `offers`."""
    weeks = slice(lift.shape[2])
    plain = lift - _rough_effect(lift, offers.cut[:, :, weeks], offers.attention[:, :, weeks])
    result = {"level": level, "whole_level": whole - level}
    result |= {f"lift_{weeks_back}_back": lift[:, :, -1 - weeks_back] for weeks_back in range(4)}
    result |= {f"lift_{weeks}": mean(lift[:, :, -weeks:], None, 2)[0] for weeks in (4, 8, 13)}
    result |= {f"plain_{weeks}": mean(plain[:, :, -weeks:], None, 2)[0] for weeks in (2, 4, 8, USUAL_WEEKS)}
    result["all_plain_2"] = np.full(level.shape, mean(plain[:, :, -2:], None, (0, 1, 2))[0])
    for weeks_back in (2, 4):
        result[f"product_plain_{weeks_back}"] = np.broadcast_to(mean(plain[:, :, -weeks_back:], None, (0, 2))[0], level.shape)
        result[f"store_plain_{weeks_back}"] = np.broadcast_to(mean(plain[:, :, -weeks_back:], None, (1, 2))[0][:, None], level.shape)
    return {**result, **_range(lift, offers)}


def _range(lift: Floats64, offers: Offers) -> dict[str, Floats64]:
    """Between which lifts the series and its product move, and where they stand in weeks without an offer."""
    weeks = slice(lift.shape[2])
    quiet = (offers.below_regular[:, :, weeks] < UNPROMOTED) & (offers.attention[:, :, weeks] < UNNOTICED)
    unpromoted = np.where(quiet, lift, np.nan)
    result = {
        "unpromoted_level": median(unpromoted[:, :, -USUAL_WEEKS:]),
        "high_level": quantile(lift[:, :, -USUAL_WEEKS:], HIGH),
        "low_level": quantile(lift[:, :, -USUAL_WEEKS:], LOW),
        "median_8": median(lift[:, :, -8:]),
        "unpromoted_8": mean(unpromoted[:, :, -8:], None, 2)[0],
    }
    for name in ("high_level", "median_8", "unpromoted_8"):
        result[f"product_{name}"] = np.broadcast_to(mean(result[name], None, 0)[0], lift.shape[:2])
    return result


def _rough_effect(lift: Floats64, cut: Floats64, attention: Floats64) -> Floats64:
    """Least-squares effect of price cut and attention on all lifts so far: enough to tell a busy week from an advertised one."""
    offers, known = np.stack([cut, attention], axis=-1), ~np.isnan(lift)
    x = np.column_stack([np.ones(known.sum()), offers[known]])
    effects = np.linalg.lstsq(x, lift[known], rcond=None)[0]
    return np.asarray(offers @ effects[1:])
