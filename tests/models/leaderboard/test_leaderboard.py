"""The public benchmark: what is published is reproduced, nothing later than the training weeks is seen, odd offers stay harmless."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from models.ensemble.ensemble import Ensemble, available_members, members_named
from models.leaderboard.features import PricedFeatures, PricedRows, pairs_until
from models.leaderboard.orange_juice import FIRST_WEEK, HORIZONS, PUBLISHED, ROUNDS, load_orange_juice, mean_forecast, naive_forecast
from models.leaderboard.plot import rounds_plot
from models.leaderboard.response import response
from models.leaderboard.run import ENSEMBLE, EVEN, HELD_BACK, MEMBERS, VALIDATION, Result, board, forecast_round, run_rounds
from models.leaderboard.sales import Offers, PricedSales
from models.members.lasso import LassoMember
from models.members.settings import BoostingSettings, NetworkSettings, Settings
from transforms.contracts import CONTRACTS
from transforms.errors import MissingData
from transforms.lake.tables import Lake

TRAIN_END = 90
QUICK = Settings(
    network=NetworkSettings(hidden=16, learning_rate=1.5e-3, dropout=0.3, epochs=1, count=2, smoothing=0.15),
    boosting=BoostingSettings(iterations=40, leaves=8, loss="absolute", columns=0.3),
)


@pytest.fixture(scope="module")
def orange_juice(real_data: Path) -> PricedSales:
    folder = real_data / "orange_juice"
    if not folder.is_dir():
        pytest.skip(f"the orange-juice data are not at {folder}: set SHELFCAST_TEST_DATA to the folder that holds them")
    return load_orange_juice(folder)


@pytest.fixture(scope="module")
def sales() -> PricedSales:
    """Six stores and five products whose sales answer to price cuts, and to ads as far as they stand out; prices known three weeks ahead."""
    rng, shape = np.random.default_rng(5), (6, 5, TRAIN_END + 4 - FIRST_WEEK)
    cut = np.where(rng.random(shape[1:]) < 0.3, rng.uniform(0.1, 0.5, shape[1:]), 0)
    ads = ((cut > 0.2) & (rng.random(shape[1:]) < 0.8)).astype(float)
    attention = ads / np.maximum(ads.sum(axis=0), 1)
    level = 7 + rng.normal(0, 0.5, (6, 1, 1)) + rng.normal(0, 0.5, (1, 5, 1))
    log_units = level + 2 * cut + attention + rng.normal(0, 0.2, shape)
    log_units[0, :, 3] = np.nan
    return PricedSales(
        stores=np.asarray([f"s{i}" for i in range(6)]),
        products=np.asarray([f"p{i}" for i in range(5)]),
        first=FIRST_WEEK,
        log_units=log_units,
        log_price=np.broadcast_to(np.log(3) - cut, shape),
        deal=np.broadcast_to((cut > 0) * 1.0, shape),
        ads=np.broadcast_to(ads, shape),
        demographics=rng.normal(size=(6, 2)),
    )


def test_a_regression_on_offers_tells_which_offers_sell(sales: PricedSales) -> None:
    last = TRAIN_END - FIRST_WEEK
    offers = Offers.until(sales, sales.attention, last + 3)
    lift = sales.log_units[:, :, : last + 1] - np.nanmedian(sales.log_units[:, :, : last + 1], axis=2)[:, :, None]
    expected = 2 * offers.cut[:, :, -1] + offers.attention[:, :, -1]
    assert np.corrcoef(response(lift, offers).ravel(), expected.ravel())[0, 1] > 0.9


def rows_of(sales: PricedSales) -> tuple[PricedRows, PricedRows, PricedRows]:
    features, pairs = PricedFeatures(sales), pairs_until(FIRST_WEEK + 12, TRAIN_END, HORIZONS)
    return features.rows(pairs[:-HELD_BACK]), features.rows(pairs[-HELD_BACK:]), features.rows([(TRAIN_END, horizon) for horizon in HORIZONS])


def forecast(sales: PricedSales) -> np.ndarray:
    return forecast_round(*rows_of(sales), seed=1, settings=QUICK)[ENSEMBLE]


def test_naive_and_mean_are_reproduced_to_two_decimals(orange_juice: PricedSales) -> None:
    for name, method in (("naive", naive_forecast), ("mean", mean_forecast)):
        errors = []
        for one in ROUNDS:
            end = one.train_end - FIRST_WEEK + 1
            actual = np.exp(orange_juice.log_units[:, :, end + 1 : end + 3])
            error = np.abs(actual - method(orange_juice.log_units[:, :, :end])[:, :, None]) / actual
            errors.append(error[~np.isnan(error)])
        assert len(np.concatenate(errors)) == 21_054
        assert round(100 * float(np.concatenate(errors).mean()), 2) == PUBLISHED[name]


def test_the_rounds_that_settings_are_chosen_on_end_before_the_first_test_week() -> None:
    assert max(one.train_end for one in VALIDATION) + max(HORIZONS) < min(one.train_end for one in ROUNDS) + min(HORIZONS)


def test_poisoning_sales_after_the_training_weeks_changes_no_forecast(sales: PricedSales) -> None:
    after = np.arange(sales.log_units.shape[2]) > TRAIN_END - FIRST_WEEK
    poisoned = replace(sales, log_units=np.where(after, 3 * sales.log_units, sales.log_units))
    np.testing.assert_array_equal(forecast(sales), forecast(poisoned))
    later, other = (PricedFeatures(one).rows([(TRAIN_END + 1, 2)]).frame.numeric for one in (sales, poisoned))
    assert not np.array_equal(later, other), "the poison would be felt by a later origin"


def test_where_everything_is_advertised_at_the_usual_price_forecasts_stay_near_those_without_ads(sales: PricedSales) -> None:
    weeks = np.arange(sales.log_units.shape[2]) > TRAIN_END - FIRST_WEEK + 1
    usual = np.where(weeks, np.log(3), sales.log_price)
    none = replace(sales, log_price=usual, deal=np.where(weeks, 0, sales.deal), ads=np.where(weeks, 0, sales.ads))
    every = replace(none, ads=np.where(weeks, 1, sales.ads))
    ratio = forecast(every) / forecast(none)
    assert 0.8 < np.median(ratio) < 1.25
    assert ratio.max() < 1.6
    lone = np.where(weeks & (np.arange(5) == 0)[:, None], 1, none.ads)
    alone = forecast(replace(none, ads=lone)).reshape(-1, 5)[:, 0] / forecast(none).reshape(-1, 5)[:, 0]
    assert np.median(alone) > np.median(ratio), "an ad that stands out has to count for more than one among many"


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_a_price_far_outside_what_was_seen_keeps_forecasts_within_the_multiples_seen(sales: PricedSales, factor: float) -> None:
    weeks = np.arange(sales.log_units.shape[2]) > TRAIN_END - FIRST_WEEK + 1
    early, late, targets = rows_of(replace(sales, log_price=sales.log_price + np.where(weeks, np.log(factor), 0)))
    multiples = forecast_round(early, late, targets, seed=1, settings=QUICK)[ENSEMBLE] / targets.usual
    assert early.frame.demand is not None
    assert early.frame.demand.min() <= multiples.min()
    assert multiples.max() <= early.frame.demand.max()


def test_the_board_takes_medians_over_seeds_and_stands_beside_the_published_rows(tmp_path: Path) -> None:
    first, second = ROUNDS[:2]
    errors = {1: 0.1, 2: 0.3, 3: 0.2}
    results = [Result(ENSEMBLE, one, seed, np.full(4, error, np.float32), 2.0) for one in (first, second) for seed, error in errors.items()]
    lines: list[str] = []
    rows = board(results, lines.append)
    assert lines[0] == "round 1, seed 1: MAPE 10.00 % in 2 s"
    own = [row for row in rows.to_pylist() if row["model"] == ENSEMBLE]
    assert [(row["round"], round(row["mape"], 4), row["rows"], row["seeds"]) for row in own] == [(0, 20.0, 8, 3), (1, 20.0, 4, 3), (2, 20.0, 4, 3)]
    assert (round(own[0]["mape_best"], 4), round(own[0]["mape_worst"], 4), own[0]["seconds"]) == (10.0, 30.0, 12.0)
    assert {row["model"]: row["mape"] for row in rows.to_pylist() if row["source"] == "published"} == PUBLISHED
    Lake(str(tmp_path)).overwrite("gold/leaderboard", rows)
    assert Lake(str(tmp_path)).read("gold/leaderboard").num_rows == rows.num_rows
    assert CONTRACTS["gold/leaderboard"].schema.equals(rows.schema)
    picture = rounds_plot(rows)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 50_000


def test_a_round_forecasts_every_row_with_every_model(sales: PricedSales) -> None:
    results = list(run_rounds(sales, [1], [replace(ROUNDS[0], train_end=TRAIN_END)], QUICK))
    assert {result.model for result in results} == {"naive (reproduced)", "mean (reproduced)", ENSEMBLE, *(f"{name} member" for name in MEMBERS)}
    assert {len(result.errors) for result in results} == {60}
    assert all(np.isfinite(result.errors).all() for result in results)


def test_members_count_alike_where_nothing_is_learned_of_their_weights(sales: PricedSales) -> None:
    early, late, _ = rows_of(sales)
    names = ("lasso", "boosting")
    weights = [Ensemble.fit(early.frame, late.frame, members_named(names), 1, QUICK, even)[0].size_weights for even in (0.0, 0.5, EVEN)]
    assert list(weights[2]) == [0.5, 0.5]
    np.testing.assert_allclose(weights[1], (weights[0] + 0.5) / 2)


def test_an_algorithm_that_is_tried_under_a_name_that_is_taken_is_seen_by_its_ensemble_alone(sales: PricedSales) -> None:
    seen = []

    class Own(LassoMember):
        def fit(self, *rows: Any, **told: Any) -> Self:
            seen.append(available_members()["lasso"])
            return super().fit(*rows, **told)

    early, late, _ = rows_of(sales)
    ensemble, _ = Ensemble.fit(early.frame, late.frame, [Own], 1, QUICK)
    assert [type(member) for member in [*ensemble.members, *ensemble.copy().members]] == [Own, Own]
    assert seen == [LassoMember]
    available_members().clear()
    assert members_named(["lasso"]) == [LassoMember]


def test_an_offer_that_goes_on_is_told_from_a_new_one(sales: PricedSales) -> None:
    weeks = np.arange(sales.log_units.shape[2])
    price = np.full(sales.log_price.shape, np.log(3))
    price[:, 0, weeks >= 40], price[:, 1, weeks >= 42] = np.log(2), np.log(2)
    frame = PricedFeatures(replace(sales, log_price=price)).rows([(FIRST_WEEK + 40, 2)]).frame
    told = {name: frame.numeric[:3, frame.names.index(name)] for name in ("below_regular", "price_change", "weeks_at_price", "weeks_since_offer")}
    np.testing.assert_allclose(told["below_regular"], [np.log(1.5), np.log(1.5), 0], atol=1e-6)
    np.testing.assert_allclose(told["price_change"], [0, -np.log(1.5), 0], atol=1e-6)
    assert list(told["weeks_at_price"]) == [2, 0, 26]
    assert list(told["weeks_since_offer"]) == [0, 26, 26]


def test_data_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as error:
        load_orange_juice(tmp_path)
    assert str(error.value) == (
        f"{tmp_path} holds no sales_weekly.parquet and no store_demographics.csv: the leaderboard reads the public orange-juice data from the folder "
        "that SHELFCAST_LEADERBOARD_DATA (or --data) names."
    )
