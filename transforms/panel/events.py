"""Events that are known before their week: days of promotion of each series, days of holidays for all. As announced by the panel's last week."""

import numpy as np

from transforms.arrays import Codes, Floats32
from transforms.panel.panel import Events, Panel


def promotion_days(panel: Panel, store: Codes, product: Codes, first: int, weeks: int) -> Floats32:
    """Days of promotion of series in each of `weeks` weeks from week index `first`, shape (n, weeks).

    Parameters
    ----------
    store, product
        Store and product of each series, shape (n,).
    """
    events = _within(panel.events.take(panel.events.promotion), first, weeks)
    week, n_products = events.week - first, len(panel.products)
    of_store, of_product = (np.zeros((count + 1, weeks), np.float32) for count in (len(panel.stores), n_products))
    # The last row of each stands for "all"; an event of neither store nor product is counted with the stores.
    anywhere = (events.store < 0) & (events.product >= 0)
    np.add.at(of_product, (events.product[anywhere], week[anywhere]), events.days[anywhere])
    whole = events.product < 0
    np.add.at(of_store, (events.store[whole], week[whole]), events.days[whole])
    days = of_store[store] + of_store[-1] + of_product[product]
    single = (events.store >= 0) & (events.product >= 0)
    if single.any() and len(store):
        pairs, keys = store.astype(np.int64) * n_products + product, events.store[single].astype(np.int64) * n_products + events.product[single]
        order = np.argsort(pairs)
        at = order[np.minimum(np.searchsorted(pairs, keys, sorter=order), len(pairs) - 1)]
        met = pairs[at] == keys
        np.add.at(days, (at[met], week[single][met]), events.days[single][met])
    result: Floats32 = days
    return result


def holiday_days(panel: Panel, first: int, weeks: int) -> Floats32:
    """Days of events for all in each of `weeks` weeks from week index `first`, shape (weeks,)."""
    events = panel.events
    events = _within(events.take(~events.promotion & (events.store < 0) & (events.product < 0)), first, weeks)
    days: Floats32 = np.bincount(events.week - first, events.days, weeks).astype(np.float32)
    return days


def _within(events: Events, first: int, weeks: int) -> Events:
    return events.take((events.week >= first) & (events.week < first + weeks))
