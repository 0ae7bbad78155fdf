"""Levers, against a world whose promotions and weather are known."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest

from models.serving.levers import Levers, changed, known_part
from models.serving.score import Serving, score_region
from models.serving.what_if import Both, compare
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.errors import MissingData
from transforms.panel.events import promotion_days
from transforms.panel.panel import Panel, Returns

SPEC = TrainingSpec(weeks=40, fewest_rows=50, members=("lasso", "network"))


@pytest.fixture(scope="module")
def champions(panel: Panel) -> dict[tuple[str, str], Serving]:
    """Ensembles of the large format; the small one is served by averages."""
    trained = [t for t in islice(train_region(panel, SPEC), 3) if t.mover != "all"]
    return {(t.format, t.mover): Serving(t.model, f"{t.format}-{t.mover}", panel.last.monday) for t in trained}


@pytest.fixture(scope="module")
def forecasts(panel: Panel, champions: dict[tuple[str, str], Serving]) -> pa.Table:
    made = score_region(panel, 1, champions, {})[0]
    # In another order than frames have.
    return made.take(np.random.default_rng(3).permutation(made.num_rows))


@pytest.fixture(scope="module")
def plan(panel: Panel, champions: dict[tuple[str, str], Serving]) -> dict[tuple[str, str], int]:
    rows = score_region(panel, 1, champions, {})[1].to_pylist()
    return {(row["store_id"], row["product_id"]): row["order_quantity"] for row in rows}


def asked(panel: Panel, forecasts: pa.Table, champions: dict[tuple[str, str], Serving], levers: Levers) -> Both:
    return compare(panel, forecasts, {serving.version: serving.model for serving in champions.values()}, levers)


def test_forecasts_and_orders_made_again_are_those_on_record(panel: Panel, forecasts: pa.Table, champions: dict, plan: dict) -> None:
    both = asked(panel, forecasts, champions, Levers())
    np.testing.assert_allclose(both.before.points.expected, forecasts["expected"].to_numpy(), rtol=1e-5, atol=1e-5)
    assert both.before.orders.quantity.tolist() == [plan[row["store_id"], row["product_id"]] for row in forecasts.to_pylist()]
    np.testing.assert_array_equal(both.after.points.expected, both.before.points.expected)


def test_a_promotion_lifts_what_models_have_learned_of_and_no_average(panel: Panel, forecasts: pa.Table, champions: dict) -> None:
    both = asked(panel, forecasts, champions, Levers(promotion=True))
    learned = np.asarray(forecasts["rung"].to_pylist()) == "champion"
    assert 0 < learned.sum() < len(learned)
    # The world's promotions multiply demand by 1.6 to 2.9, and some products are on promotion anyway.
    assert 1.15 < both.after.points.expected[learned].sum() / both.before.points.expected[learned].sum() < 3
    np.testing.assert_array_equal(both.after.points.expected[~learned], both.before.points.expected[~learned])
    assert sorted(both.members) == ["lasso", "network"]
    assert all(moved[learned].sum() > 0 and not moved[~learned].any() for moved in both.members.values())


def test_a_week_on_promotion_has_seven_days_of_it(panel: Panel) -> None:
    series = np.arange(len(panel.store))
    promoted = changed(panel, 1, series[:5], Levers(promotion=True))
    days = promotion_days(promoted, panel.store, panel.product, panel.weeks, 2)
    assert (days[:5, 0] == 7).all()
    np.testing.assert_array_equal(days[5:], promotion_days(panel, panel.store, panel.product, panel.weeks, 2)[5:])
    np.testing.assert_array_equal(days[:5, 1], promotion_days(panel, panel.store, panel.product, panel.weeks, 2)[:5, 1])


def test_a_warmer_week_changes_that_week_alone(panel: Panel) -> None:
    warmer = changed(panel, 2, np.arange(3), Levers(degrees=4)).weather
    moved, known = warmer.tmax - panel.weather.tmax, ~np.isnan(panel.weather.tmax[:, -1, 1])
    assert known.any()
    assert (moved[known, -1, 1] == 4).all()
    assert (warmer.forecast_days[:, -1, 1] == np.where(known, 7, 0)).all()
    moved[:, -1, 1] = 0
    assert not np.nan_to_num(moved).any()


def test_what_models_were_never_told_of_is_said_and_not_shown_as_0(panel: Panel) -> None:
    levers = Levers(promotion=True, discount=0.2, degrees=3, no_returns=True)
    assert known_part(panel, 1, levers) == (
        levers,
        ["The models know on which days a promotion runs and not how deep it cuts: the discount counts in money and not in units."],
    )
    none = replace(
        panel,
        events=panel.events.take(~panel.events.promotion),
        weather=replace(panel.weather, tmax=np.full_like(panel.weather.tmax, np.nan)),
        returns=Returns(*(values[:0] for values in vars(panel.returns).values())),
    )
    left, said = known_part(none, 1, levers)
    assert left == Levers()
    assert said == [
        "The deliveries that the models learned from know of no promotion: what one does cannot be told.",
        "No weather of that week is known to the models: what another one does cannot be told.",
        "No return is on record, so that there is nothing to leave out.",
    ]
    assert "as if one did" in known_part(panel, 2, Levers(degrees=3))[1][0]


def test_what_has_ended_stays_so_whatever_is_done(panel: Panel, champions: dict) -> None:
    shipped = panel.shipped.copy()
    shipped[panel.store == 2, -24:] = 0
    silent = replace(panel, shipped=shipped)
    forecasts, _ = score_region(silent, 1, champions, {})
    both = asked(silent, forecasts, champions, Levers(promotion=True, service_level=0.99))
    ended = forecasts["ended"].is_valid().to_numpy()
    assert 0 < ended.sum() < len(ended)
    for side in (both.before, both.after):
        assert not side.points.expected[ended].any()
        assert not side.orders.quantity[ended].any()


def test_other_models_than_those_on_record_are_refused(panel: Panel, forecasts: pa.Table, champions: dict) -> None:
    place = forecasts.schema.get_field_index("expected")
    other = forecasts.set_column(place, "expected", pa.array(forecasts["expected"].to_numpy() + 5))
    with pytest.raises(MissingData, match=r"on record\. The plan cannot be asked about, since data or code are no longer those that made it"):
        asked(panel, other, champions, Levers())
