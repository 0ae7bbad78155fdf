"""The target week's offer: among those of other products, beside the product's own of the weeks before, and beside the chain's."""

import numpy as np

from models.leaderboard.sales import USUAL_WEEKS, Offers
from transforms.arrays import Bools, Floats64

EARLIER_OFFERS = 3
MONTH, TWO_MONTHS = 4, 8
OFFER = 0.1
"""Log of the regular price over the price from which a week counts as one with an offer."""
SAME_PRICE = 0.02


def offer_features(offers: Offers) -> dict[str, Floats64]:
    """Features of the last week of `offers`, each of shape (stores, products)."""
    result = {**_among_others(offers), **_since(offers)}
    for weeks_back in range(1, EARLIER_OFFERS + 1):
        result[f"cut_{weeks_back}_before"], result[f"attention_{weeks_back}_before"] = (
            offers.cut[:, :, -1 - weeks_back],
            offers.attention[:, :, -1 - weeks_back],
        )
    return result


def _among_others(offers: Offers) -> dict[str, Floats64]:
    price, deal, ads, share, now = (values[:, :, -1] for values in (offers.price, offers.deal, offers.ads, offers.attention, offers.cut))
    depth = np.maximum(now, 0)
    others = np.eye(now.shape[1], dtype=bool)[None]
    noticed = share * depth
    return {
        "price": price,
        "cut": now,
        "depth": depth,
        "price_to_mean": price - price.mean(axis=1, keepdims=True),
        "price_to_cheapest": price - np.where(others, np.inf, price[:, None, :]).min(axis=2),
        "price_rank": (price[:, :, None] > price[:, None, :]).sum(axis=2),
        "mean_cut": np.broadcast_to(now.mean(axis=1, keepdims=True), now.shape),
        "deepest_other_cut": np.where(others, -np.inf, now[:, None, :]).max(axis=2),
        "attention": share,
        "ads_to_mean": ads - ads.mean(axis=1, keepdims=True),
        "deal": deal,
        "deal_share": deal / np.maximum(deal.sum(axis=1, keepdims=True), 1),
        "advertised_cut": ads * depth,
        "noticed_cut": noticed,
        "deal_cut": deal * depth,
        "others_noticed_cut": noticed.sum(axis=1, keepdims=True) - noticed,
    }


def _since(offers: Offers) -> dict[str, Floats64]:
    """The offer as a move: an offer that goes on sells less than a new one, and a product that is always on offer less than one that seldom is."""
    price, below, earlier = offers.price, offers.below_regular, offers.price[:, :, :-1]
    now, on_offer = price[:, :, -1], below[:, :, :-1] > OFFER
    return {
        "below_regular": below[:, :, -1],
        "below_regular_1_before": below[:, :, -2],
        "price_change": now - price[:, :, -2],
        "price_to_lowest_8": now - earlier[:, :, -TWO_MONTHS:].min(axis=2),
        "price_to_lowest_26": now - earlier[:, :, -USUAL_WEEKS:].min(axis=2),
        # A price that stores otherwise set each for itself is the same everywhere where the chain makes the offer, whatever the flags say.
        "price_spread": np.broadcast_to(now.std(axis=0), now.shape),
        "price_to_chain": now - now.mean(axis=0),
        "deal_1_before": offers.deal[:, :, -2],
        "deal_2_before": offers.deal[:, :, -3],
        "new_attention": offers.attention[:, :, -1] * (1 - offers.ads[:, :, -2]),
        "weeks_since_offer": _weeks_since(on_offer),
        "weeks_at_price": _weeks_since(np.abs(earlier - now[:, :, None]) > SAME_PRICE),
        "offers_in_4": on_offer[:, :, -MONTH:].mean(axis=2),
        "offers_in_26": on_offer[:, :, -USUAL_WEEKS:].mean(axis=2),
    }


def _weeks_since(happened: Bools) -> Floats64:
    """Full weeks since the last one in which it happened, at most the usual weeks."""
    newest = happened[:, :, ::-1]
    return np.minimum(np.where(newest.any(axis=2), newest.argmax(axis=2), USUAL_WEEKS), USUAL_WEEKS).astype(np.float64)
