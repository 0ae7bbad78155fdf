"""The last deliveries of each series: their sizes, their rhythm, and what both say of the next one. Other features: `transforms.features.build`."""

import numpy as np

from transforms.panel.panel import Floats

RECENT = 12
"""Deliveries of a series that are looked at one by one."""


def last_deliveries(demand: Floats) -> tuple[Floats, Floats]:
    """The last sizes, newest first, and how many weeks before the origin each was delivered; NaN where there were fewer."""
    backwards = demand[:, ::-1]
    rows, columns = np.nonzero(backwards)
    # Within a row nonzero runs from newest to oldest, so the position in its row is the rank by age.
    first = np.searchsorted(rows, np.arange(len(demand)))
    rank = np.arange(len(rows)) - first[rows]
    inside = rank < RECENT
    recent, ages = (np.full((len(demand), RECENT), np.nan, np.float32) for _ in range(2))
    recent[rows[inside], rank[inside]] = backwards[rows[inside], columns[inside]]
    ages[rows[inside], rank[inside]] = columns[inside]
    return recent, ages


def of_rhythm(ages: Floats) -> dict[str, Floats]:
    """Weeks between the last deliveries: each of the newest three gaps, mean and spread of all of them; the series' mean where there are fewer."""
    gaps = np.log(np.maximum(np.diff(ages, axis=1), 1))
    known = ~np.isnan(gaps)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, gaps, 0).sum(axis=1) / count
    spread = np.sqrt(np.where(known, (gaps - mean[:, None]) ** 2, 0).sum(axis=1) / count)
    result = {f"log_gap_{index + 1}": np.where(known[:, index], gaps[:, index], mean) for index in range(3)}
    return result | {"log_gap": mean, "gap_spread": spread}


def of_sizes(recent: Floats) -> dict[str, Floats]:
    """Statistics of the last sizes: each of the newest three, spread, and the point with the least percentage error."""
    known = ~np.isnan(recent)
    count = known.sum(axis=1)
    logs = np.where(known, np.log(np.where(known, recent, 1)), 0)
    mean = logs.sum(axis=1) / np.maximum(count, 1)
    spread = np.sqrt(np.where(known, (logs - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(count, 1))
    result = {f"log_last_{index + 1}": np.where(known[:, index], logs[:, index], mean) for index in range(3)}
    result |= {"log_recent": mean, "recent_spread": spread, "recent_count": count.astype(np.float32)}
    ordered = np.sort(np.where(known, recent, np.inf), axis=1)
    weights = np.where(np.isfinite(ordered), 1 / ordered, 0).cumsum(axis=1)
    best = (weights < weights[:, -1:] / 2).sum(axis=1).clip(0, RECENT - 1)
    result["log_recent_best"] = np.log(np.where(count > 0, ordered[np.arange(len(ordered)), best], 1))
    same = (recent[:, :, None] == recent[:, None, :]).sum(axis=2)
    mode = recent[np.arange(len(recent)), same.argmax(axis=1)]
    result["log_recent_mode"] = np.log(np.where(count > 0, mode, 1))
    result["mode_share"] = same.max(axis=1) / np.maximum(count, 1)
    return result
