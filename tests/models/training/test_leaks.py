"""Nothing may see beyond its origin: the future is changed, and nothing that was made before it may move."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from models.ensemble.artifacts import save
from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.features.build import scoring_frame, training_frame
from transforms.features.catalogue import FEATURES, last_sizes
from transforms.features.feature import Category, Feature, LastSize
from transforms.features.frame import Frame
from transforms.panel.panel import Events, Panel, Returns, Weather
from transforms.panel.unconstrained_demand import estimated_demand

BACK = 10
SPEC = TrainingSpec(weeks=40, fewest_rows=50)


def poisoned(panel: Panel, rng: np.random.Generator) -> Panel:
    """The same panel with everything after the origin replaced by nonsense; every store closes and every product is delisted, as is known then."""
    n = panel.weeks - BACK
    shipped = panel.shipped.copy()
    shipped[:, n:] = rng.integers(0, 10_000, shipped[:, n:].shape)
    origin_end = origin_seconds(panel)
    known = panel.returns.known_at
    later = Returns(
        np.repeat(panel.returns.series, 2),
        np.repeat(panel.returns.week, 2),
        np.concatenate([panel.returns.units, np.full(len(known), 999)]).reshape(2, -1).T.ravel().astype(np.float32),
        np.concatenate([known, np.full(len(known), origin_end + 1)]).reshape(2, -1).T.ravel(),
    )
    events = panel.events
    again = events.take(np.ones(len(events.week), bool))
    new = Events(
        np.concatenate([again.week, np.arange(n - 4, n + 4, dtype=np.int32)]),
        np.concatenate([again.days, np.full(8, 7, np.float32)]),
        np.concatenate([again.promotion, np.ones(8, bool)]),
        replace(again.name, codes=np.concatenate([again.name.codes, np.zeros(8, np.int32)])),
        np.concatenate([again.store, np.full(8, -1, np.int32)]),
        np.concatenate([again.product, np.full(8, -1, np.int32)]),
        np.concatenate([again.known_at, np.full(8, origin_end + 1)]),
    )
    weather = Weather(*(np.concatenate([v[:, :n], np.full_like(v[:, n:], 99)], axis=1) for v in vars(panel.weather).values()))
    day = ((panel.last + (1 - BACK)).monday - date(1970, 1, 1)).days
    ends = {
        name: replace(known, day=np.full_like(known.day, day), known_at=np.full_like(known.known_at, origin_end + 1))
        for name, known in (("closings", panel.closings), ("delistings", panel.delistings))
    }
    return replace(panel, shipped=shipped, returns=later, events=new, weather=weather, **ends)


def origin_seconds(panel: Panel) -> int:
    from datetime import UTC

    return int((panel.last + -BACK).end.replace(tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def pair(panel: Panel) -> tuple[Panel, Panel]:
    origin = panel.last + -BACK
    return panel.until(origin), poisoned(panel, np.random.default_rng(1)).until(origin)


@pytest.fixture(scope="module")
def frames(pair: tuple[Panel, Panel]) -> list[Frame]:
    return [scoring_frame(panel, 4) for panel in pair]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_poisoning_the_future_moves_no_feature(feature: Feature, frames: list[Frame]) -> None:
    clean, other = (values_of(feature, frame) for frame in frames)
    assert len(clean)
    np.testing.assert_array_equal(clean, other)


def values_of(feature: Feature, frame: Frame) -> np.ndarray:
    """The feature's column, wherever it stands in a frame."""
    match feature:
        case Category(name=name):
            return frame.categorical[name].levels[frame.categorical[name].codes]
        case LastSize():
            return frame.recent[:, last_sizes().index(feature)]
        case _:
            return frame.numeric[:, frame.names.index(feature.name)]


def test_poisoning_the_future_moves_no_training_row(pair: tuple[Panel, Panel]) -> None:
    (clean, back), (other, other_back) = (training_frame(panel, 4, 40, 0.5, 7) for panel in pair)
    np.testing.assert_array_equal(clean.numeric, other.numeric)
    np.testing.assert_array_equal(clean.demand, other.demand)
    np.testing.assert_array_equal(back, other_back)
    assert back.min() == 0


def test_the_poison_would_be_felt_by_a_later_origin(panel: Panel) -> None:
    later = panel.last + (2 - BACK)
    clean, other = (scoring_frame(p.until(later), 4) for p in (panel, poisoned(panel, np.random.default_rng(1))))
    assert len(clean) != len(other) or not np.array_equal(clean.numeric, other.numeric, equal_nan=True)


def test_poisoning_the_future_changes_no_byte_of_models_and_forecasts(pair: tuple[Panel, Panel], tmp_path) -> None:
    results = []
    for panel in pair:
        trained = list(train_region(panel, SPEC))
        assert {(t.format, t.mover) for t in trained} >= {("large", "fast"), ("small", "fast"), ("large", "all"), ("small", "all")}
        hashes = [save(t.model, {}, tmp_path)[1] for t in trained]
        served = {(t.format, t.mover): Serving(t.model, "v", panel.last.monday) for t in trained if t.mover != "all"}
        forecasts, plan = score_region(panel, 4, served, {})
        results.append((hashes, forecasts, plan))
    assert results[0][0] == results[1][0]
    assert results[0][1].equals(results[1][1])
    assert results[0][2].equals(results[1][2])


def test_a_closing_announced_after_the_origin_would_be_felt_by_a_later_one(panel: Panel) -> None:
    other = poisoned(panel, np.random.default_rng(1))
    other = replace(other, shipped=np.where(np.arange(panel.weeks) < panel.weeks - BACK, other.shipped, 0))
    forecasts, plan = score_region(other.until(panel.last + (1 - BACK)), 4, {}, {})
    assert set(forecasts["ended"].to_pylist()) <= {f"{what} on {panel.last + (1 - BACK)}" for what in ("store closed", "product delisted")}
    assert set(plan["order_quantity"].to_pylist()) == {0}


def test_a_return_counts_from_the_origin_at_which_it_was_known(panel: Panel) -> None:
    returns = panel.returns
    late = int(np.argmax(returns.known_at))
    week = panel.first + int(returns.week[late])
    known = panel.demand()[returns.series[late], returns.week[late]]
    before = panel.until(week).demand()[returns.series[late], returns.week[late]]
    assert before > known


def test_poisoning_the_future_moves_no_estimate_of_sold_out_weeks(planned: Panel) -> None:
    origin = planned.last + -BACK
    clean, other = planned.until(origin), poisoned(planned, np.random.default_rng(1)).until(origin)
    assert not np.array_equal(estimated_demand(clean), clean.demand())
    np.testing.assert_array_equal(estimated_demand(clean), estimated_demand(other))
    np.testing.assert_array_equal(scoring_frame(clean, 4).numeric, scoring_frame(other, 4).numeric)
    (rows, _), (same, _) = (training_frame(panel, 4, 40, 0.5, 7) for panel in (clean, other))
    np.testing.assert_array_equal(rows.numeric, same.numeric)
    np.testing.assert_array_equal(rows.demand, same.demand)


def test_an_estimate_takes_returns_from_the_origin_at_which_they_were_known(planned: Panel) -> None:
    before, after = planned.until(planned.last + -1), planned
    week = before.weeks - 1
    later = (after.returns.week == week) & ~np.isin(after.returns.series, before.returns.series[before.returns.week == week])
    series = after.returns.series[later]
    assert len(series) > 10
    moved = estimated_demand(before)[series, week] != estimated_demand(after)[series, week]
    assert moved.mean() > 0.5
    np.testing.assert_array_equal(estimated_demand(after)[series, week], after.demand()[series, week])
