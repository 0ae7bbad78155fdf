"""A sample that can be given away: nothing of the original can be read from it, and it hangs together like the original."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from transforms.adapters import load_provider
from transforms.calendar import blocks_of
from transforms.errors import ConfigurationError
from transforms.exports.obfuscation import SampleSize, obfuscate
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, ingest, ingest_reference, pending, register
from transforms.world import WorldSpec, simulate, write_landing

SALT = "a secret of some length"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SIZE = SampleSize(regions=2, stores=6, products=6, weeks=30)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake, provider = Lake(str(tmp_path_factory.mktemp("original"))), load_provider("sample")
    write_landing(simulate(WorldSpec(regions=3, stores_per_region=8, products=10, weeks=40)), folder(lake, provider))
    register(lake, provider, NOW)
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    return lake


@pytest.fixture(scope="module")
def sample(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("sample") / "new"
    obfuscate(lake, target, SALT, SIZE)
    return target


def values(path: Path, column: str) -> set[object]:
    return {row[0] for row in duckdb.sql(f"select distinct {column} from '{path}'").fetchall()}


def test_no_id_name_or_place_of_the_original_is_left(lake: Lake, sample: Path) -> None:
    for source in ("stores", "products", "demographics", "shipments", "returns", "weather_observed", "weather_forecast"):
        original = lake.read(f"bronze/{source}")
        for column in ("region", "store_id", "product_id", "zip", "place", "vendor", "category", "name", "latitude", "longitude", "price", "income"):
            if column in original.column_names:
                came = set(original[column].to_pylist()) - {None}
                assert came, (source, column)
                assert not came & values(sample / f"{source}.parquet", column), (source, column)
    assert SALT not in (sample / "provider.yaml").read_text()


def test_relations_and_structure_are_kept(lake: Lake, sample: Path) -> None:
    query = f"""
        select
            (select count(*) from '{sample}/shipments.parquet' anti join '{sample}/stores.parquet' using (region, store_id)),
            (select count(*) from '{sample}/shipments.parquet' anti join '{sample}/products.parquet' using (product_id)),
            (select count(*) from '{sample}/stores.parquet' anti join '{sample}/demographics.parquet' using (zip)),
            (select count(*) from '{sample}/shipments.parquet' join '{sample}/products.parquet' using (product_id) where units_shipped % case_pack <> 0),
            (select count(*) from '{sample}/products.parquet' where margin >= price)
    """
    assert duckdb.sql(query).fetchall() == [(0, 0, 0, 0, 0)]
    assert len(values(sample / "stores.parquet", "region")) == 2
    assert values(sample / "stores.parquet", "format") == {"large", "small"}
    assert len(values(sample / "shipments.parquet", "week")) == 30
    more = duckdb.sql(
        f"""
        select sum(r.units) > sum(s.units) from (select store_id, product_id, week, sum(units_returned) as units from '{sample}/returns.parquet' group by all) as r
        join (select store_id, product_id, week, units_shipped as units from '{sample}/shipments.parquet') as s using (store_id, product_id, week)
        """
    ).fetchall()
    assert more == [(False,)]


def test_the_sample_can_be_taken_in_whole(sample: Path, tmp_path: Path) -> None:
    lake, provider = Lake(str(tmp_path)), load_provider(str(sample / "provider.yaml"))
    drop(lake, provider, sample)
    assert register(lake, provider, NOW).refused == []
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    assert lake.read("bronze/quarantine").num_rows == 0
    assert lake.read("bronze/shipments").num_rows == duckdb.sql(f"select count(*) from '{sample}/shipments.parquet'").fetchall()[0][0]


def test_the_same_salt_gives_the_same_sample_and_another_gives_another(lake: Lake, sample: Path, tmp_path: Path) -> None:
    obfuscate(lake, tmp_path / "again", SALT, SIZE)
    obfuscate(lake, tmp_path / "other", SALT + " else", SIZE)
    for source in ("stores", "shipments"):
        assert (tmp_path / "again" / f"{source}.parquet").read_bytes() == (sample / f"{source}.parquet").read_bytes()
    assert not values(tmp_path / "other" / "stores.parquet", "store_id") & values(sample / "stores.parquet", "store_id")


def test_a_weak_salt_and_a_full_folder_are_refused(lake: Lake, sample: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a secret of 16 or more"):
        obfuscate(lake, tmp_path / "weak", "short", SIZE)
    with pytest.raises(ConfigurationError, match="is not empty"):
        obfuscate(lake, sample, SALT, SIZE)
