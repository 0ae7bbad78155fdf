from dataclasses import asdict

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation.metrics import SQL, score_points, score_quantiles
from models.members.distribution import Points, interval_share


@settings(deadline=None)  # the first query of a process may take long on a busy machine
@given(st.integers(0, 100_000), st.integers(1, 60))
def test_sql_and_numpy_agree_on_every_metric(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    demand = np.where(rng.random(n) < 0.5, 0, rng.integers(1, 50, n)).astype(np.float32)
    size, expected = rng.random(n).astype(np.float32) * 40 + 1, rng.random(n).astype(np.float32) * 30
    q10, q50, q90 = np.sort(rng.integers(0, 40, (3, n)).astype(np.float32), axis=0)
    inside = rng.random((2, n)).astype(np.float32)
    made = Points(expected, size, expected, q10, q50, q90, np.where(q10 == q90, inside[1], inside[0]), inside[1])
    rows = pa.table({**vars(made), "demand": demand, "baseline": expected, "baseline_size": size})
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        said = connection.execute(f"select {', '.join(f'{sql} as {name}' for name, sql in SQL.items())} from rows").to_arrow_table().to_pylist()[0]
    for name, value in asdict(score_points(demand, size, expected)).items():
        # Where nothing can be scored both say so.
        wanted = None if value is None else pytest.approx(value, rel=1e-4, abs=1e-5)
        assert said[name] == wanted, name
        if name not in {"n", "n_zero"}:
            assert said[f"baseline_{name}"] == wanted, name
    pinball, coverage = score_quantiles(demand, made)
    assert said["pinball"] == pytest.approx(pinball, rel=1e-4, abs=1e-5)
    assert said["coverage_80"] == pytest.approx(coverage)
    assert said["interval_share_80"] == pytest.approx(interval_share(made, demand).mean(), rel=1e-4, abs=1e-5)


def test_rows_without_demand_are_left_out_of_mape_and_counted() -> None:
    score = score_points(np.array([0, 10, 20], np.float32), np.array([5, 5, 30], np.float32), np.array([3, 10, 20], np.float32))
    assert (score.n, score.n_zero) == (3, 1)
    assert score.mape == pytest.approx((0.5 + 0.5) / 2)
    assert score.rmse_0 == pytest.approx(3.0)
    assert score.rmse_all == pytest.approx(np.sqrt(9 / 3))


def test_a_set_without_demand_has_no_mape_rather_than_a_zero() -> None:
    score = score_points(np.zeros(4, np.float32), np.ones(4, np.float32), np.ones(4, np.float32))
    assert score.mape is None
    assert score.wape is None
    assert score.rmse_0 == 1.0
