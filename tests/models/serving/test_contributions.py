"""Why a forecast is what it is, against a plain mean over all orders of the groups."""

from dataclasses import replace
from itertools import islice, permutations

import numpy as np
import pyarrow as pa
import pytest

from models.ensemble.baselines import HistoricalAverage
from models.ensemble.ensemble import Ensemble
from models.serving.contributions import _expected, _knowing, contributions, explain, without_returns
from models.serving.score import Serving, score_region
from models.training.spec import TrainingSpec
from models.training.train import train_region
from transforms.contracts.gold import CONTRIBUTIONS
from transforms.errors import MissingData
from transforms.features.build import scoring_frame
from transforms.features.feature import GROUPS
from transforms.panel.panel import Panel, Returns

SPEC = TrainingSpec(weeks=40, fewest_rows=50, members=("lasso", "network"))
DECIMALS = 1e6


@pytest.fixture(scope="module")
def champions(panel: Panel) -> dict[tuple[str, str], Serving]:
    """Ensembles of the large format; the small one is served by averages."""
    trained = [t for t in islice(train_region(panel, SPEC), 3) if t.mover != "all"]
    return {(t.format, t.mover): Serving(t.model, f"{t.format}-{t.mover}", panel.last.monday) for t in trained}


@pytest.fixture(scope="module")
def forecasts(panel: Panel, champions: dict[tuple[str, str], Serving]) -> pa.Table:
    return score_region(panel, 3, champions, {})[0]


def models(champions: dict[tuple[str, str], Serving]) -> dict[str, Ensemble | HistoricalAverage]:
    return {serving.version: serving.model for serving in champions.values()}


def test_contributions_add_up_to_every_forecast_exactly(panel: Panel, forecasts: pa.Table, champions: dict[tuple[str, str], Serving]) -> None:
    made = contributions(panel, forecasts, models(champions))
    assert made.schema == CONTRIBUTIONS.schema
    assert made.select(list(CONTRIBUTIONS.key)).equals(forecasts.select(list(CONTRIBUTIONS.key)))
    parts = sum(np.round(made[name].to_numpy() * DECIMALS).astype(np.int64) for name in ("reference", *GROUPS))
    np.testing.assert_array_equal(parts, np.round(forecasts["expected"].to_numpy() * DECIMALS).astype(np.int64))
    assert set(forecasts["rung"].to_pylist()) == {"champion", "baseline"}


def test_what_has_ended_is_explained_by_nothing_else(panel: Panel, champions: dict[tuple[str, str], Serving]) -> None:
    shipped = panel.shipped.copy()
    shipped[panel.store == 2, -24:] = 0
    silent = replace(panel, shipped=shipped)
    forecasts, _ = score_region(silent, 1, champions, {})
    made = contributions(silent, forecasts, models(champions))
    ended = forecasts["ended"].is_valid().to_numpy()
    assert 0 < ended.sum() < len(ended)
    assert all(not made[name].to_numpy()[ended].any() for name in ("expected", "reference", *GROUPS))
    assert made["reference"].to_numpy()[~ended].all()


def test_contributions_are_means_over_all_orders_of_the_groups(panel: Panel, champions: dict[tuple[str, str], Serving]) -> None:
    model = champions["large", "fast"].model
    frame = scoring_frame(panel, 2)
    rows = frame.take(np.flatnonzero(frame.large & frame.fast)[::7])
    gross = without_returns(panel, rows)
    found = explain(model, rows, gross, np.round(_expected(model, rows), 6))
    said: dict[frozenset[str], np.ndarray] = {}
    total = np.zeros((len(rows), len(GROUPS)))
    orders = list(permutations(GROUPS))
    for order in orders:
        for step, group in enumerate(order):
            for known in (frozenset(order[:step]), frozenset(order[: step + 1])):
                if known not in said:
                    said[known] = _expected(model, _knowing(model, rows, gross, tuple(known)))
            total[:, GROUPS.index(group)] += said[frozenset(order[: step + 1])] - said[frozenset(order[:step])]
    np.testing.assert_allclose(found.groups, total / len(orders), atol=1e-5)
    np.testing.assert_allclose(found.reference, said[frozenset()], atol=1e-5)
    assert (np.abs(found.groups).max(axis=0)[:2] > 0.1).all()


def test_what_is_not_known_leaves_no_trace_in_the_reference(panel: Panel, champions: dict[tuple[str, str], Serving]) -> None:
    model = champions["large", "fast"].model
    frame = scoring_frame(panel, 2)
    rows = frame.take(frame.large & frame.fast)
    nothing = _knowing(model, rows, rows, ())
    assert np.isfinite(nothing.numeric).all()
    for values in (nothing.numeric, nothing.rate, nothing.baseline, nothing.baseline_size, _expected(model, nothing)):
        np.testing.assert_array_equal(values, np.broadcast_to(values[:1], values.shape))
    assert np.isnan(nothing.recent).all()
    everything = _knowing(model, rows, rows, GROUPS)
    np.testing.assert_array_equal(everything.numeric, rows.numeric)
    np.testing.assert_array_equal(everything.baseline, rows.baseline)


def test_the_historical_average_is_all_level(panel: Panel, forecasts: pa.Table) -> None:
    averages = forecasts.filter(pa.compute.equal(forecasts["rung"], "baseline"))
    made = contributions(panel, averages, {})
    for group in GROUPS[1:]:
        assert np.abs(made[group].to_numpy()).max() <= 1e-6, group
    assert np.abs(made["level"].to_numpy()).max() > 1


def test_rows_without_returns_are_those_of_a_panel_to_which_none_was_known(panel: Panel) -> None:
    frame = scoring_frame(panel, 3)
    rows = frame.take(np.random.default_rng(1).permutation(len(frame))[:50])
    nothing = scoring_frame(replace(panel, returns=panel.returns.take(np.zeros(len(panel.returns.series), bool))), 3)
    at = {(series, horizon): row for row, (series, horizon) in enumerate(zip(nothing.series, nothing.horizon, strict=True))}
    expected = nothing.take(np.asarray([at[key] for key in zip(rows.series, rows.horizon, strict=True)]))
    made = without_returns(panel, rows)
    np.testing.assert_array_equal(made.numeric, expected.numeric)
    np.testing.assert_array_equal(made.series, rows.series)
    assert (made.numeric != rows.numeric).any()


def test_returns_that_halve_every_delivery_take_from_the_forecast(panel: Panel, champions: dict[tuple[str, str], Serving]) -> None:
    series, week = np.nonzero(panel.shipped)
    units = np.floor(panel.shipped[series, week] / 2).astype(np.float32)
    halved = replace(panel, returns=Returns(series.astype(np.int32), week.astype(np.int32), units, np.zeros(len(series), np.int64)))
    forecasts = score_region(halved, 1, champions, {})[0]
    made = contributions(halved, forecasts.filter(pa.compute.equal(forecasts["rung"], "champion")), models(champions))
    large = made.filter(pa.compute.greater(made["expected"], 10.0))
    assert large.num_rows > 10
    assert (large["returns"].to_numpy() < 0).mean() > 0.9


def test_a_forecast_that_the_model_does_not_make_any_more_is_not_explained(
    panel: Panel, forecasts: pa.Table, champions: dict[tuple[str, str], Serving]
) -> None:
    column = forecasts.schema.get_field_index("expected")
    other = forecasts.set_column(column, "expected", pa.compute.multiply(forecasts["expected"], 1.1))
    with pytest.raises(MissingData, match=r"The model now expects .* is on record\. The forecast cannot be explained, since data or code"):
        contributions(panel, other, models(champions))
    with pytest.raises(MissingData, match=r"is no series at"):
        contributions(panel, forecasts.set_column(2, "product_id", pa.array(["nothing"] * forecasts.num_rows)), models(champions))
