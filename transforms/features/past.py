"""Features of the past: what each series alive, its product and its store were like up to the origin, in the order of a frame's columns."""

import numpy as np

from transforms.features.feature import Group, LastSize, OriginFeature, Values
from transforms.features.origin import Kind, Origin
from transforms.features.recency import RECENT

WINDOWS = (4, 8, 13, 26, 52)
"""Weeks that levels are means over: quick ones and steady ones."""
_KIN_WINDOWS = (4, 26)
_KINDS: tuple[Kind, ...] = ("product", "store")
_NEWEST = (1, 2, 3)
_LIFE = "over the life of the series"

RATE_LIFE = OriginFeature("rate_life", "share", "level", f"Share of weeks with demand {_LIFE}.", lambda at: at.rate)
LOG_MEAN_LIFE = OriginFeature("log_mean_life", "log(1 + units)", "level", f"Mean demand {_LIFE}.", lambda at: np.log1p(at.baseline))
LOG_SIZE_LIFE = OriginFeature("log_size_life", "log(units)", "level", f"Mean size of the weeks with demand {_LIFE}.", lambda at: at.log_size)


def rate_of(weeks: int) -> OriginFeature:
    """Share of the last weeks with demand."""
    return OriginFeature(f"rate_{weeks}", "share", "level", f"Share of the last {weeks} weeks with demand.", lambda at: _rate(at, weeks))


def log_mean_of(weeks: int) -> OriginFeature:
    """Mean demand of the last weeks."""
    return OriginFeature(f"log_mean_{weeks}", "log(1 + units)", "level", f"Mean demand of the last {weeks} weeks.", lambda at: _log_mean(at, weeks))


def log_size_of(weeks: int) -> OriginFeature:
    """Mean size in the last weeks."""
    meaning = f"Mean size of the weeks with demand in the last {weeks} weeks; that of the life where there was none."
    return OriginFeature(f"log_size_{weeks}", "log(units)", "level", meaning, lambda at: _log_size(at, weeks))


def _rate(at: Origin, weeks: int) -> Values:
    window = at.window(weeks)
    rate: Values = window.hits / window.lived
    return rate


def _log_mean(at: Origin, weeks: int) -> Values:
    window = at.window(weeks)
    mean: Values = np.log1p(window.units / window.lived)
    return mean


def _log_size(at: Origin, weeks: int) -> Values:
    units, hits, _ = at.window(weeks)
    size: Values = np.where(hits > 0, np.log(np.maximum(units, 1e-3) / np.maximum(hits, 1)), at.log_size)
    return size


def _levels_of(weeks: int) -> tuple[OriginFeature, ...]:
    return rate_of(weeks), log_mean_of(weeks), log_size_of(weeks)


def _log_last(number: int) -> OriginFeature:
    meaning = f"Size of the delivery {number} back; the mean of the last twelve where there were fewer."
    return OriginFeature(f"log_last_{number}", "log(units)", "level", meaning, lambda at: at.sizes.log_size(number))


def _log_gap(number: int) -> OriginFeature:
    meaning = f"Weeks between deliveries, gap {number} back; the mean gap where there were fewer."
    return OriginFeature(f"log_gap_{number}", "log(weeks)", "level", meaning, lambda at: at.rhythm.gap(number))


def _kin(kind: Kind, weeks: int) -> tuple[OriginFeature, ...]:
    size = f"Mean size of all deliveries of the {kind} in the region's last {weeks} weeks."
    rate = f"Share of the {kind}'s series and of the last {weeks} weeks with demand."
    return (
        OriginFeature(f"{kind}_log_size_{weeks}", "log(units)", "level", size, lambda at: at.kin(kind, weeks).log_size),
        OriginFeature(f"{kind}_rate_{weeks}", "share", "level", rate, lambda at: at.kin(kind, weeks).rate),
    )


def _count(kind: Kind) -> OriginFeature:
    return OriginFeature(f"{kind}_series", "log(series)", "level", f"Series of the {kind} that are alive.", lambda at: at.log_kin(kind))


def _of_product(attribute: str, unit: str, group: Group, meaning: str) -> OriginFeature:
    def log(at: Origin) -> Values:
        values: Values = np.log1p(at.panel.product_number[attribute])[at.product]
        return values

    return OriginFeature(f"log_{attribute}", f"log(1 + {unit})", group, meaning, log)


def _of_store(attribute: str, unit: str, meaning: str) -> OriginFeature:
    def log(at: Origin) -> Values:
        values: Values = np.log1p(at.panel.store_number[attribute])[at.store]
        return values

    meaning = f"{meaning} in the store's postal code, as published by the origin; NaN for unknown."
    return OriginFeature(f"log_{attribute}", f"log(1 + {unit})", "demographics", meaning, log)


PAST: tuple[OriginFeature, ...] = (
    OriginFeature("log_age", "log(1 + weeks)", "level", "Weeks since the first delivery.", lambda at: np.log1p(at.age)),
    RATE_LIFE,
    LOG_MEAN_LIFE,
    LOG_SIZE_LIFE,
    *(feature for weeks in WINDOWS for feature in _levels_of(weeks)),
    *(_log_last(number) for number in _NEWEST),
    OriginFeature("log_recent", "log(units)", "level", "Mean of the logs of the last twelve sizes.", lambda at: at.sizes.mean),
    OriginFeature("recent_spread", "log(units)", "level", "Standard deviation of the logs of the last twelve sizes.", lambda at: at.sizes.spread),
    OriginFeature("recent_count", "deliveries", "level", "Deliveries among the last twelve that there were.", lambda at: at.sizes.count),
    OriginFeature(
        "log_recent_best",
        "log(units)",
        "level",
        "The one of the last twelve sizes that is nearest to them in percent.",
        lambda at: at.sizes.log_best(),
    ),
    OriginFeature("log_recent_mode", "log(units)", "level", "The most frequent one of the last twelve sizes.", lambda at: at.sizes.log_mode()),
    OriginFeature("mode_share", "share", "level", "Share of the most frequent size among the last twelve.", lambda at: at.sizes.mode_share()),
    *(_log_gap(number) for number in _NEWEST),
    OriginFeature("log_gap", "log(weeks)", "level", "Mean of the logs of the gaps between the last twelve deliveries.", lambda at: at.rhythm.mean),
    OriginFeature("gap_spread", "log(weeks)", "level", "Standard deviation of the logs of those gaps.", lambda at: at.rhythm.spread),
    *(feature for kind in _KINDS for feature in (*(each for weeks in _KIN_WINDOWS for each in _kin(kind, weeks)), _count(kind))),
    OriginFeature(
        "level_slope", "log(units) a year", "level", "Slope of the series' level, as the structural model sees it.", lambda at: at.levels.slope
    ),
    OriginFeature(
        "level_weeks",
        "log(1 + weeks)",
        "level",
        "Weeks with a delivery that the level was learned from.",
        lambda at: np.log1p(at.levels.weeks),
    ),
    OriginFeature(
        "store_shift",
        "log(units)",
        "level",
        "How far the store's level has moved from its mean of the last eight weeks.",
        lambda at: at.levels.shift,
    ),
    _of_product("price", "currency", "price_and_events", "Price of a unit, as of the origin; NaN for unknown."),
    _of_product("size_ml", "ml", "level", "Content of a unit; NaN for unknown."),
    _of_product("case_pack", "units", "level", "Units in a case."),
    _of_store("population", "people", "People"),
    _of_store("income", "currency", "Income"),
    _of_store("median_rent", "currency", "Median rent"),
    _of_store("median_age", "years", "Median age"),
)


def _last_size(number: int) -> LastSize:
    meaning = f"Size of the delivery {number} back, 1 the newest; NaN where there were fewer."
    return LastSize(f"last_size_{number}", "units", "level", meaning, lambda at: at.recent[:, number - 1])


LAST_SIZES: tuple[LastSize, ...] = tuple(_last_size(number) for number in range(1, RECENT + 1))
