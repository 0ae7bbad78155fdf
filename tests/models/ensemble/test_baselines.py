"""The historical average as a model: the last step of the ladder gives a distribution, from few weeks as from many, and an order that follows from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.ensemble.artifacts import fingerprint, load, save
from models.ensemble.baselines import HistoricalAverage, series_keys
from models.ensemble.segments import series_formats
from models.members.distribution import interval_share
from models.serving.score import score_region
from transforms.features.build import scoring_frame
from transforms.features.frame import Frame
from transforms.panel.panel import Panel


@pytest.fixture(scope="module")
def large(panel: Panel) -> Frame:
    frame = scoring_frame(panel, 1)
    return frame.take(series_formats(panel, None)[frame.series] == "large")


@pytest.fixture(scope="module")
def average(panel: Panel, large: Frame) -> HistoricalAverage:
    return HistoricalAverage.fit(panel, large)


def test_the_average_as_a_rung_is_a_distribution_and_its_orders_follow_from_it(panel: Panel) -> None:
    forecasts, plan = (table.to_pylist() for table in score_region(panel, 2, {}, {}))
    assert {row["rung"] for row in forecasts} == {"baseline"}
    often = [row for row in forecasts if row["p_demand"] > 0.5]
    assert np.mean([row["q10"] < row["q90"] for row in often]) > 0.9
    assert len({row["service_level"] for row in plan}) > len(plan) / 4
    assert np.mean([row["expected_lost_sales"] > 0 for row in plan]) > 0.5


def test_its_80_percent_interval_holds_what_comes(panel: Panel) -> None:
    known = panel.until(panel.last + -4)
    rows = scoring_frame(known, 4)
    average = HistoricalAverage.fit(known, rows)
    said = average.predict(rows)
    came = panel.demand()[rows.series, known.weeks - 1 + rows.horizon]
    assert interval_share(average.points(said, rows), came).mean() == pytest.approx(0.8, abs=0.08)


def test_what_a_series_has_sold_for_long_outweighs_its_category(average: HistoricalAverage, panel: Panel, large: Frame) -> None:
    said = average.predict(large)
    demand = panel.demand()[large.series]
    rate = (demand > 0).sum(axis=1) / (panel.weeks - (demand > 0).argmax(axis=1))
    assert said.p_demand == pytest.approx(rate, abs=0.05)
    category = np.searchsorted(average.categories, large.categorical["category"].levels[large.categorical["category"].codes])
    usual = average.rate[category] * (average.usual[category] @ average.support.means)
    moved = np.abs(average.points(said, large).expected - large.baseline)
    assert (moved <= 0.2 * np.abs(usual - large.baseline) + 1).all()


def test_a_series_of_two_weeks_is_mostly_its_category(panel: Panel) -> None:
    shipped = panel.shipped.copy()
    shipped[0, :-2], shipped[0, -2:] = 0, 500
    young = replace(panel, shipped=shipped)
    rows = scoring_frame(young, 1)
    here = np.flatnonzero(rows.series == 0)
    average = HistoricalAverage.fit(young, rows)
    said, made = average.predict(rows), average.points(average.predict(rows), rows)
    others = average.rate[np.searchsorted(average.categories, rows.categorical["category"].levels[rows.categorical["category"].codes[here[0]]])]
    assert said.p_demand[here] == pytest.approx((2 + 4 * others) / 6, abs=0.02)
    assert made.q10[here] < made.q90[here]
    assert rows.baseline_size[here] == pytest.approx(500, abs=20), "what metrics are compared with is the plain average"
    assert made.expected[here] < 400


def test_a_series_that_came_later_is_its_category_and_one_of_an_unknown_category_all_of_them(average: HistoricalAverage, large: Frame) -> None:
    def renamed(*names: str) -> Frame:
        changed = {name: replace(large.categorical[name], levels=np.char.add("new ", large.categorical[name].levels)) for name in names}
        return replace(large, categorical={**large.categorical, **changed})

    category = np.searchsorted(average.categories, large.categorical["category"].levels[large.categorical["category"].codes])
    later, unknown = average.predict(renamed("product")), average.predict(renamed("product", "category"))
    np.testing.assert_allclose(later.pmf, average.usual[category], rtol=1e-5)
    np.testing.assert_allclose(later.p_demand, average.rate[category], rtol=1e-5)
    np.testing.assert_allclose(unknown.pmf, np.broadcast_to(average.usual[-1], unknown.pmf.shape), rtol=1e-5)
    assert unknown.pmf.sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_a_stored_average_says_the_same(average: HistoricalAverage, large: Frame, tmp_path: Path) -> None:
    name, digest = save(average, {}, tmp_path)
    again = load(tmp_path / name, digest)
    assert isinstance(again, HistoricalAverage)
    assert fingerprint(again) == fingerprint(average)
    np.testing.assert_array_equal(again.predict(large).pmf, average.predict(large).pmf)
    assert (average.keys == np.unique(series_keys(large))).all()
