from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.members.distribution import best_size
from transforms.adapters import load_provider
from transforms.calendar import blocks_of
from transforms.lake.tables import Lake
from transforms.landing import folder, ingest, ingest_reference, pending, refused_files, regions, register
from transforms.world import WorldSpec, simulate, write_landing, write_truth
from transforms.world.simulation import CASES, case_probabilities

SMALL = WorldSpec(regions=2, stores_per_region=3, products=6, weeks=30)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_landing(simulate(SMALL), tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_the_landing_zone_is_taken_in_without_loss(tmp_path: Path) -> None:
    world, lake, provider = simulate(SMALL), Lake(str(tmp_path)), load_provider("sample")
    write_landing(world, folder(lake, provider))
    register(lake, provider, datetime.now(UTC))
    assert refused_files(lake, provider) == []
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    assert [str(region) for region in regions(lake)] == ["north_texas", "south_texas"]
    shipped = lake.query("select sum(units_shipped) as units from t", t="bronze/shipments")["units"][0].as_py()
    assert shipped == world.shipped.sum()
    # Returns reported after the last week have not been dropped yet.
    reported = np.arange(world.spec.weeks)[None, :] + world.return_delay < world.spec.weeks
    returned = lake.query("select sum(units_returned) as units from t", t="bronze/returns")["units"][0].as_py()
    assert returned == world.returned[reported].sum()


def test_the_truth_is_kept_aside_and_is_the_demand_before_stores_sold_out(tmp_path: Path) -> None:
    world = simulate(SMALL)
    truth = pq.read_table(write_truth(world, tmp_path))
    assert truth.num_rows == world.demand.size
    assert sum(truth["demand"].to_pylist()) == world.demand.sum()
    assert (world.demand >= world.shipped - world.returned).mean() > 0.98


def test_an_oracle_stays_far_below_the_historical_average_in_every_segment() -> None:
    world = simulate(WorldSpec())
    net, last = world.shipped - world.returned, slice(-8, None)
    large, slow = world.store_large[world.series_store], world.product_slow[world.series_product]
    for is_large in (True, False):
        for is_slow in (True, False):
            here = (large == is_large) & (slow == is_slow)
            pack = world.case_pack[world.series_product][here, None]
            known = case_probabilities(world.mean_log[here][:, last], world.spec.sigma).astype(np.float32)
            oracle = best_size(known.reshape(-1, len(CASES)), CASES.astype(np.float32)).reshape(here.sum(), -1) * pack
            actual, past = net[here][:, last], net[here][:, :-8]
            hit = actual > 0
            average = np.broadcast_to((past.sum(axis=1) / np.maximum((past > 0).sum(axis=1), 1))[:, None], actual.shape)
            errors = [np.mean(np.abs(said - actual)[hit] / actual[hit]) for said in (oracle, average)]
            assert 0.1 < errors[0] < 0.3
            assert errors[1] > 1.9 * errors[0]


def test_case_probabilities_sum_to_one() -> None:
    assert case_probabilities(np.linspace(-2, 5, 20), 0.25).sum(axis=-1) == pytest.approx(1)


def test_deliveries_planned_before_demand_sell_out_or_come_back_and_change_nothing_else() -> None:
    usual, planned = simulate(SMALL), simulate(replace(SMALL, shipping="before_demand"))
    for name in ("demand", "return_delay", "promoted", "p_demand", "mean_log", "temperature", "precipitation", "case_pack", "price"):
        np.testing.assert_array_equal(getattr(usual, name), getattr(planned, name))
    np.testing.assert_array_equal(planned.shipped - planned.returned, np.minimum(planned.demand, planned.shipped))
    assert (planned.shipped % planned.case_pack[planned.series_product][:, None] == 0).all()
    assert (planned.shipped > 0).all()
    assert 0.1 < (planned.demand > planned.shipped).mean() < 0.35
