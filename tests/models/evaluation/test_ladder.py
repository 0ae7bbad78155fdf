"""The order of the failover ladder: the best in validation serves, and a tie changes nothing."""

import numpy as np
import pytest

from models.evaluation.comparison import CostedForecasts
from models.evaluation.ladder import HeldBackRows, Step, in_order

RNG = np.random.default_rng(5)
SERIES, WEEKS = 60, 8
ROWS = HeldBackRows(
    RNG.choice([0, 6, 12, 24], SERIES * WEEKS).astype(np.float32), np.repeat(np.arange(SERIES), WEEKS), np.tile(np.arange(WEEKS), SERIES)
)
MARGINS = {"previous": 0.05}


def off_by(share: float, seed: int = 1) -> CostedForecasts:
    """A model whose sizes are off by about a share of what came."""
    error = np.random.default_rng(seed).choice([-1, 1], len(ROWS.demand)) * share
    size = np.maximum(ROWS.demand * (1 + error), 1).astype(np.float32)
    return CostedForecasts(size, size, np.abs(size - ROWS.demand))


def ordered(**mape: float | None) -> list[str]:
    """Rungs from the one that serves down, of models with these errors."""
    steps = [Step(rung, f"{rung}-1", None if error is None else off_by(error, seed), "gone") for seed, (rung, error) in enumerate(mape.items())]
    return [place.rung for place in in_order(steps, ROWS, 0.99, MARGINS, 7)]


@pytest.mark.parametrize(
    ("mape", "order"),
    [
        ({"champion": 0.2, "previous": 0.3, "pooled": 0.4, "baseline": 0.6}, "champion previous pooled baseline"),
        ({"champion": 0.6, "previous": 0.6, "pooled": 0.6, "baseline": 0.6}, "champion previous pooled baseline"),
        ({"champion": 0.7, "previous": 0.3, "pooled": 0.6, "baseline": 0.5}, "previous baseline pooled champion"),
        ({"champion": 0.7, "previous": 0.8, "pooled": 0.8, "baseline": 0.5}, "baseline champion previous pooled"),
        ({"champion": 0.30, "previous": 0.29, "pooled": 0.5, "baseline": 0.6}, "champion previous pooled baseline"),
        ({"champion": None, "previous": 0.3, "pooled": 0.2, "baseline": 0.6}, "champion pooled previous baseline"),
        ({"pooled": 0.8, "baseline": 0.5}, "baseline pooled"),
    ],
    ids=["as it was", "all alike", "the best first", "the average is best", "by less than chance", "not scored", "no champion"],
)
def test_the_best_by_validation_serves_and_a_tie_changes_nothing(mape: dict[str, float | None], order: str) -> None:
    assert " ".join(ordered(**mape)) == order


def test_the_reason_holds_both_numbers() -> None:
    steps = [Step("champion", "v1", off_by(0.7)), Step("baseline", "avg", off_by(0.5, 2))]
    first, second = in_order(steps, ROWS, 0.99, MARGINS, 7)
    assert (first.rung, first.rank, first.mape) == ("baseline", 1, pytest.approx(0.5, abs=0.01))
    assert first.reason.startswith("better beyond noise than champion v1 on the held-back weeks: MAPE 0.5 against 0.7 (-28.6%, between ")
    assert second.reason == "MAPE 0.700 on the held-back weeks, the historical average's 0.500"
    assert in_order([Step("champion", "v1", None, "gone")], ROWS, 0.99, MARGINS, 7)[0].reason == "not scored on the held-back weeks: gone"


def test_without_any_demand_the_order_stays_as_it_was() -> None:
    nothing = HeldBackRows(np.zeros(4, np.float32), np.arange(4), np.zeros(4, np.int64))
    said = CostedForecasts(*(np.ones(4, np.float32) for _ in range(3)))
    places = in_order([Step("champion", "v1", said), Step("baseline", "avg", said)], nothing, 0.99, MARGINS, 7)
    assert [(place.rung, place.mape) for place in places] == [("champion", None), ("baseline", None)]
