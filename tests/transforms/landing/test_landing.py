import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import Region, Slice, SliceBlock, Week, blocks_of
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import (
    Registration,
    conditioning,
    conditioning_references,
    drop,
    finish,
    folder,
    ingest,
    ingest_reference,
    pending,
    pending_references,
    refused_files,
    regions,
    register,
    scan,
)
from transforms.world import WorldSpec, simulate, write_landing

NOW = datetime(2022, 5, 18, tzinfo=UTC)
WEEK = Week.parse("2022-05-02")
TEXAS, OHIO = Region("north_texas"), Region("ohio")


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    return load_provider(str(shop / "corner_shop.yaml"))


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    drop(lake, provider, shop)
    return lake


def take_in(lake: Lake, provider: ProviderSpec, now: datetime = NOW) -> Registration:
    """Take in what is pending, and put on record that it was conditioned; tests of the dbt project condition."""
    found = register(lake, provider, now)
    if pending_references(lake, provider):
        ingest_reference(lake, provider)
        with conditioning_references(lake):
            pass
    blocks = blocks_of(pending(lake, provider))
    ingest(lake, provider, blocks)
    for block in blocks:
        with conditioning(lake, block):
            pass
        finish(lake, block)
    return found


def shipments(lake: Lake) -> list[tuple[str, str, str, str, int]]:
    rows = lake.read("bronze/shipments").sort_by([("week", "ascending"), ("store_id", "ascending")]).to_pylist()
    return [(r["region"], r["store_id"], r["product_id"], str(r["week"]), r["units_shipped"]) for r in rows]


def rewrite(lake: Lake, provider: ProviderSpec, name: str, text: str) -> None:
    (folder(lake, provider) / name).write_text(text)


def test_a_first_drop_fills_bronze_and_leaves_nothing_pending(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    assert shipments(lake) == [
        ("north_texas", "1", "A", "2022-05-02", 12),
        ("north_texas", "2", "B", "2022-05-02", 24),
        ("ohio", "3", "A", "2022-05-02", 6),
        ("north_texas", "1", "A", "2022-05-09", 18),
        ("ohio", "3", "B", "2022-05-09", 12),
    ]
    assert pending(lake, provider) == {}
    assert regions(lake) == [TEXAS, OHIO]


def test_units_are_converted_and_times_completed(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    weather = lake.read("bronze/weather_observed", where="place = 'Dallas' and date = date '2022-05-02'").to_pylist()[0]
    assert (weather["tmin_c"], weather["tmax_c"], weather["precip_mm"]) == (10.0, 20.0, None)
    assert weather["known_at"] == datetime(2022, 5, 3, tzinfo=UTC)
    returned = lake.read("bronze/returns").to_pylist()[0]
    assert (returned["week"], returned["known_at"]) == (WEEK.monday, datetime(2022, 5, 12, 10, tzinfo=UTC))


def test_stores_without_a_place_get_the_nearest_station_with_its_distance(lake: Lake, shop: Path) -> None:
    settings = (shop / "corner_shop.yaml").read_text()
    settings = settings.replace("sources:", "stations: {Dallas: [32.7767, -96.7970], Columbus: [39.9612, -82.9988]}\nsources:", 1)
    (shop / "near.yaml").write_text(settings.replace("place: town}", "latitude: lat, longitude: lon}", 1))
    near = load_provider(str(shop / "near.yaml"))
    # Houston is 362 km from Dallas, Cleveland 203 km from Columbus; the third store's position is unknown.
    where = ["1,North Texas,LARGE,29.7604,-95.3698", "2,North Texas,SMALL,,", "3,Ohio,LARGE,41.4993,-81.6944"]
    (shop / "stores.csv").write_text("\n".join(["id,area,kind,lat,lon", *where]) + "\n")
    drop(lake, near, shop)
    take_in(lake, near)
    stores = {row["store_id"]: (row["place"], row["place_km"]) for row in lake.read("bronze/stores").to_pylist()}
    assert stores["1"] == ("Dallas", pytest.approx(362, abs=1))
    assert stores["2"] == (None, None)
    assert stores["3"] == ("Columbus", pytest.approx(203, abs=1))
    assert set(lake.read("bronze/weather_observed")["place"].to_pylist()) == {"Dallas", "Columbus"}


def test_looking_again_changes_nothing(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    versions = lake.versions(["bronze/shipments", "bronze/landing_files", "bronze/landing_slices"])
    found = register(lake, provider, NOW)
    assert found == Registration()
    assert lake.versions(versions) == versions


def test_a_corrected_file_touches_only_the_slice_that_changed(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    rewrite(lake, provider, "shipments/2022-05-02.csv", "id,sku,week,units\n1,A,2022-05-02,12\n2,B,2022-05-02,24\n3,A,2022-05-02,60\n")
    register(lake, provider, NOW)
    assert set(pending(lake, provider)) == {Slice(OHIO, WEEK)}
    take_in(lake, provider)
    assert ("ohio", "3", "A", "2022-05-02", 60) in shipments(lake)
    assert len(shipments(lake)) == 5


def test_the_same_file_sent_under_another_name_counts_once(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    before = shipments(lake)
    top = folder(lake, provider)
    (top / "shipments/resent.csv").write_bytes((top / "shipments/2022-05-09.csv").read_bytes())
    take_in(lake, provider)
    assert shipments(lake) == before


def test_a_new_week_touches_its_slices_and_no_others(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units\n1,A,2022-05-16,6\n")
    register(lake, provider, NOW)
    assert set(pending(lake, provider)) == {Slice(TEXAS, WEEK + 2)}


def test_a_late_return_reopens_the_week_in_which_it_was_shipped(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    rewrite(lake, provider, "returns/2022-05-16.csv", "id,sku,week,units,reported\n3,A,2022-05-02,1,2022-05-17 08:00:00\n")
    register(lake, provider, NOW)
    assert set(pending(lake, provider)) == {Slice(OHIO, WEEK)}


def test_a_refused_correction_leaves_its_good_slices_unharmed(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    before = shipments(lake)
    rewrite(lake, provider, "shipments/2022-05-02.csv", "id,sku,week,units\n1,A,2022-05-02,-12\n")
    found = take_in(lake, provider)
    assert [refused.source_file for refused in found.refused] == ["shipments/2022-05-02.csv"]
    assert pending(lake, provider) == {}
    ingest(lake, provider, [SliceBlock((TEXAS, OHIO), WEEK, WEEK + 1)])
    assert shipments(lake) == before
    assert [refused.source_file for refused in refused_files(lake, provider)] == ["shipments/2022-05-02.csv"]


def test_one_refused_file_does_not_hold_up_the_others(lake: Lake, provider: ProviderSpec) -> None:
    rewrite(lake, provider, "shipments/2022-05-09.csv", "id,sku,week,units\n9,A,2022-05-09,18\n")
    take_in(lake, provider)
    assert [row[3] for row in shipments(lake)] == ["2022-05-02"] * 3


def test_a_file_refused_for_an_unknown_store_is_taken_in_once_the_store_is_known(lake: Lake, provider: ProviderSpec) -> None:
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units\n9,A,2022-05-16,6\n")
    assert len(take_in(lake, provider).refused) == 1
    stores = folder(lake, provider) / "stores.csv"
    stores.write_text(stores.read_text() + "9,Ohio,SMALL,Columbus\n")
    later = register(lake, provider, datetime(2022, 5, 19, tzinfo=UTC))
    assert [file.name for file in later.accepted] == ["stores.csv", "shipments/2022-05-16.csv"]
    take_in(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    assert ("ohio", "9", "A", "2022-05-16", 6) in shipments(lake)
    assert refused_files(lake, provider) == []


def test_facts_wait_while_the_stores_cannot_be_read(lake: Lake, provider: ProviderSpec) -> None:
    stores = folder(lake, provider) / "stores.csv"
    good = stores.read_text()
    stores.write_text(good.replace("LARGE", "HUGE"))
    found = register(lake, provider, NOW)
    assert [refused.source_file for refused in found.refused] == ["stores.csv"]
    assert "column format: expected one of 'large', 'small', came HUGE." in found.refused[0].message
    assert "(2 of 3 rows break the contract, so the file is refused whole)" in found.refused[0].message
    stores.write_text(good)
    take_in(lake, provider)
    assert len(shipments(lake)) == 5


BAD = {
    "a missing column": (
        "shipments/bad.csv",
        "id,sku,week\n1,A,2022-05-16\n",
        "shipments/bad.csv, row 1 (header): columns ['units'] are missing for source 'shipments'; came with ['id', 'sku', 'week'], of which none are not mapped. "
        "Add them to the file, or correct the provider YAML if they are named differently.",
    ),
    "a negative quantity": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,A,2022-05-16,6\n2,B,2022-05-16,-6\n3,A,2022-05-16,-1\n",
        "shipments/bad.csv, row 2, column units_shipped: expected a quantity of 0 or more, came -6. "
        "Returns belong in the returns source: see README, 'Bring your own data'. (2 of 3 rows break the contract, so the file is refused whole)",
    ),
    "an unknown store": (
        "shipments/bad.csv",
        "id,sku,week,units\n99,A,2022-05-16,6\n",
        "shipments/bad.csv, row 1, column store_id: expected a store of the stores source, came 99. "
        "Add the store to the stores file, or correct its number.",
    ),
    "an unknown product": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,Z,2022-05-16,6\n",
        "shipments/bad.csv, row 1, column product_id: expected a product of the products source, came Z. "
        "Add the product to the products file, or set 'unknown_products: accept' in the provider YAML.",
    ),
    "a week that is not a Monday": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,A,2022-05-17,6\n",
        "shipments/bad.csv, row 1, column week: expected a Monday, came 2022-05-17. "
        "A week is named by its Monday; say in the provider YAML 'clean: week' for daily dates, and for weeks of other days 'week_starts: sunday' or "
        "'week_ends: saturday', whichever day the date names.",
    ),
    "a quantity that is no number": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,A,2022-05-16,a dozen\n",
        "shipments/bad.csv, row 1, column units_shipped: expected a whole number, came a dozen. "
        "Correct the value, or say in the provider YAML how it is written (date_format, decimal, grouping, unit).",
    ),
    "an empty quantity": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,A,2022-05-16,\n",
        "shipments/bad.csv, row 1, column units_shipped: expected a value, came (empty). "
        "Fill it, or give a 'default' for the column in the provider YAML.",
    ),
    "a duplicate row": (
        "shipments/bad.csv",
        "id,sku,week,units\n1,A,2022-05-16,6\n1,A,2022-05-16,7\n",
        "shipments/bad.csv, row 1, column week: expected one row for each region, store_id, product_id, week, came the key of row 1. "
        "Remove the duplicate, or set 'duplicates: sum' in the provider YAML. (2 of 2 rows break the contract, so the file is refused whole)",
    ),
    "an empty file": (
        "shipments/bad.csv",
        "",
        "shipments/bad.csv: expected a csv file with rows, came an empty file. Drop the file again.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_file_row_and_column(case: str, lake: Lake, provider: ProviderSpec) -> None:
    name, text, message = BAD[case]
    rewrite(lake, provider, name, text)
    found = take_in(lake, provider)
    assert [refused.message for refused in found.refused] == [message]
    assert len(shipments(lake)) == 5


def quarantine(lake: Lake) -> list[tuple[str, int, str]]:
    return [(row["source_file"], row["row"], row["rule"]) for row in lake.read("bronze/quarantine").sort_by("row").to_pylist()]


def test_rows_that_break_the_contract_wait_in_quarantine_until_the_file_is_corrected(lake: Lake, provider: ProviderSpec) -> None:
    lines = ["id,sku,week,units", "1,A,2022-05-16,6", "2,B,2022-05-16,-6", "3,A,2022-05-16,4"]
    rewrite(lake, provider, "shipments/2022-05-16.csv", "\n".join(lines) + "\n")
    take_in(lake, provider)
    assert quarantine(lake) == [("shipments/2022-05-16.csv", 2, "units_shipped: a quantity of 0 or more")]
    row = lake.read("bronze/quarantine").to_pylist()[0]
    assert (row["region"], row["week"], json.loads(row["record"])) == (
        "north_texas", (WEEK + 2).monday, {"id": "2", "sku": "B", "week": "2022-05-16", "units": "-6"},
    )  # fmt: skip
    assert row["message"].startswith("shipments/2022-05-16.csv, row 2, column units_shipped: expected a quantity of 0 or more, came -6.")
    assert len(shipments(lake)) == 7
    rewrite(lake, provider, "shipments/2022-05-16.csv", "\n".join(lines).replace("-6", "6") + "\n")
    take_in(lake, provider)
    assert quarantine(lake) == []
    assert len(shipments(lake)) == 8


def test_rows_leave_quarantine_once_their_store_is_known(lake: Lake, provider: ProviderSpec) -> None:
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units\n1,A,2022-05-16,6\n9,A,2022-05-16,6\n")
    take_in(lake, provider)
    assert [row[1] for row in quarantine(lake)] == [2]
    stores = folder(lake, provider) / "stores.csv"
    stores.write_text(stores.read_text() + "9,Ohio,SMALL,Columbus\n")
    take_in(lake, provider, datetime(2022, 5, 19, tzinfo=UTC))
    assert quarantine(lake) == []
    assert ("ohio", "9", "A", "2022-05-16", 6) in shipments(lake)


def test_identical_rows_count_once_and_contradicting_ones_wait(lake: Lake, provider: ProviderSpec) -> None:
    lines = ["1,A,2022-05-16,6", "1,A,2022-05-16,6", "2,B,2022-05-16,6", "2,B,2022-05-16,7", "3,A,2022-05-16,4", "3,B,2022-05-16,4"]
    rewrite(lake, provider, "shipments/2022-05-16.csv", "\n".join(["id,sku,week,units", *lines]) + "\n")
    take_in(lake, provider)
    assert [row[1] for row in quarantine(lake)] == [3, 4]
    row = lake.read("bronze/landing_files", where="source_file = 'shipments/2022-05-16.csv'").to_pylist()[0]
    assert {name: row[name] for name in ("rows_read", "rows_repeated", "rows_quarantined", "rows_taken")} == {
        "rows_read": 6, "rows_repeated": 1, "rows_quarantined": 2, "rows_taken": 3,
    }  # fmt: skip


def test_a_file_that_was_cleared_away_goes_on_speaking(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    before = shipments(lake)
    (folder(lake, provider) / "shipments/2022-05-02.csv").unlink()
    take_in(lake, provider)
    ingest(lake, provider, [SliceBlock((TEXAS, OHIO), WEEK, WEEK + 1)])
    assert shipments(lake) == before


def test_a_corrected_file_that_drops_a_week_withdraws_it(lake: Lake, provider: ProviderSpec) -> None:
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units\n1,A,2022-05-16,6\n3,A,2022-05-23,6\n")
    later = datetime(2022, 6, 1, tzinfo=UTC)
    take_in(lake, provider, later)
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units\n1,A,2022-05-16,6\n")
    register(lake, provider, later)
    assert pending(lake, provider) == {Slice(OHIO, WEEK + 3): ""}
    take_in(lake, provider, later)
    assert [row[3] for row in shipments(lake)][-1] == "2022-05-16"
    assert pending(lake, provider) == {}


def test_a_store_that_moves_to_another_region_takes_its_weeks_along(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    stores = folder(lake, provider) / "stores.csv"
    stores.write_text(stores.read_text().replace("2,North Texas", "2,Ohio"))
    take_in(lake, provider, datetime(2022, 5, 19, tzinfo=UTC))
    assert ("ohio", "2", "B", "2022-05-02", 24) in shipments(lake)
    assert len(shipments(lake)) == 5


def test_what_does_not_follow_a_store_to_its_new_region_is_told(lake: Lake, provider: ProviderSpec) -> None:
    """Files that were cleared away are not read again: half of a store's history stayed in its old region without a word."""
    take_in(lake, provider)
    landing, before = folder(lake, provider), (folder(lake, provider) / "shipments/2022-05-02.csv").read_text()
    (landing / "shipments/2022-05-02.csv").unlink()
    (landing / "stores.csv").write_text((landing / "stores.csv").read_text().replace("1,North Texas", "1,Ohio"))
    found = register(lake, provider, NOW + timedelta(days=1))
    assert [told.message for told in found.noticed if told.source == "stores"] == [
        "Store 1 moves from north_texas to ohio, and its history with it. What is on record about it from 1 files that no longer stand in landing "
        "(like shipments/2022-05-02.csv) stays in the old region until they are dropped again."
    ]
    (landing / "shipments/2022-05-02.csv").write_text(before)
    take_in(lake, provider, NOW + timedelta(days=2))
    assert {row[0] for row in shipments(lake) if row[1] == "1"} == {"ohio"}
    assert len(shipments(lake)) == 5


def test_a_file_that_was_cleared_away_waits_no_longer_for_a_product_when_it_is_dropped_again(lake: Lake, provider: ProviderSpec) -> None:
    """The product came while the file was away; its rows stayed in quarantine although it was dropped again."""
    path = folder(lake, provider) / "shipments/2022-05-02.csv"
    text = path.read_text() + "3,C,2022-05-02,6\n"
    path.write_text(text)
    take_in(lake, provider)
    path.unlink()
    rewrite(lake, provider, "products.csv", (path.parents[1] / "products.csv").read_text() + "C,6,2.00\n")
    take_in(lake, provider, NOW + timedelta(days=1))
    path.write_text(text)
    take_in(lake, provider, NOW + timedelta(days=2))
    assert ("ohio", "3", "C", "2022-05-02", 6) in shipments(lake)
    assert len(shipments(lake)) == 6


def test_a_copy_into_landing_that_is_killed_leaves_nothing_that_a_pattern_finds(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, lake = shop / "corner_shop.yaml", Lake(str(tmp_path / "killed"))
    path.write_text(path.read_text().replace("shipments/*.csv", "shipments/*"))
    provider = load_provider(str(path))
    whole = Path.replace

    def killed(draft: Path, target: Path) -> Path:
        if target.parent.name == "shipments":
            raise KeyboardInterrupt
        return whole(draft, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            drop(lake, provider, shop)
    assert [file.name for file in scan(lake, provider) if file.source == "shipments"] == []
    drop(lake, provider, shop)
    assert [file.name for file in scan(lake, provider) if file.source == "shipments"] == ["shipments/2022-05-02.csv", "shipments/2022-05-09.csv"]


def test_a_version_that_comes_back_is_read_with_what_holds_now(lake: Lake, provider: ProviderSpec) -> None:
    """A, then B, then A again, for a file of facts and for the stores that facts are placed by."""
    take_in(lake, provider)
    clean = shipments(lake)
    stores, drop_ = folder(lake, provider) / "stores.csv", folder(lake, provider) / "shipments/2022-05-02.csv"
    for path, old, new in ((stores, "2,North Texas", "2,Ohio"), (drop_, "2,B,2022-05-02,24", "2,B,2022-05-02,99")):
        good = path.read_text()
        for days, text in enumerate((good.replace(old, new), good), start=1):
            path.write_text(text)
            take_in(lake, provider, NOW + timedelta(days=days if path == stores else days + 5))
            assert (shipments(lake) == clean) == (text == good)


def test_stores_that_leave_a_known_region_empty_are_refused(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    before = shipments(lake)
    stores = folder(lake, provider) / "stores.csv"
    stores.write_text(stores.read_text().replace("Ohio", "Ohio Valley"))
    found = take_in(lake, provider)
    assert [refused.source_file for refused in found.refused] == ["stores.csv"]
    assert "['ohio'] have none any more; new are ['ohio_valley']" in found.refused[0].message
    assert shipments(lake) == before


def test_a_new_column_is_noted_and_an_optional_one_may_be_absent(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    rewrite(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units,driver\n1,A,2022-05-16,6,Joe\n")
    take_in(lake, provider)
    row = lake.read("bronze/landing_files", where="source_file = 'shipments/2022-05-16.csv'").to_pylist()[0]
    assert row["message"].startswith("New columns ['driver'] are not mapped and were left aside")
    assert row["rows_taken"] == 1


def test_a_truncated_parquet_file_is_refused(tmp_path: Path, lake: Lake, provider: ProviderSpec, shop: Path) -> None:
    text = (shop / "corner_shop.yaml").read_text().replace('"shipments/*.csv"\n      format: csv', '"shipments/*.parquet"\n      format: parquet')
    (shop / "parquet.yaml").write_text(text)
    provider = load_provider(str(shop / "parquet.yaml"))
    target = folder(lake, provider) / "shipments" / "week.parquet"
    pq.write_table(pa.table({"id": ["1"], "sku": ["A"], "week": [WEEK.monday], "units": [6]}), target)
    target.write_bytes(target.read_bytes()[:-20])
    found = take_in(lake, provider)
    assert len(found.refused) == 1
    assert found.refused[0].message.startswith("shipments/week.parquet: expected a readable parquet file, but reading failed:")
    assert "Drop the file again" in found.refused[0].message
    assert not lake.exists("bronze/shipments") or lake.read("bronze/shipments").num_rows == 0


def test_a_folder_without_shipments_is_refused_before_anything_is_copied(tmp_path: Path, shop: Path, provider: ProviderSpec) -> None:
    for path in (shop / "shipments").iterdir():
        path.unlink()
    lake = Lake(str(tmp_path / "other"))
    with pytest.raises(ConfigurationError, match=r"holds no file for source 'shipments' of provider 'corner_shop': expected shipments/\*\.csv\."):
        drop(lake, provider, shop)
    assert not folder(lake, provider).exists()


def test_invoice_lines_become_shipments_and_returns_without_loss(tmp_path: Path, real_data: Path) -> None:
    provider, lake = load_provider("iowa_dsd"), Lake(str(tmp_path / "iowa"))
    drop(lake, provider, real_data / "iowa_dsd")
    take_in(lake, provider, datetime(2022, 11, 1, tzinfo=UTC))
    weekly = pq.read_table(real_data / "iowa_dsd" / "shipments_weekly.parquet")
    shipped = lake.query("select sum(units_shipped) as units, count(*) as n from t", t="bronze/shipments").to_pylist()[0]
    assert shipped["units"] == sum(weekly["bottles_shipped"].to_pylist())
    assert shipped["n"] == weekly.num_rows
    returned = lake.query("select sum(units_returned) as units from t", t="bronze/returns")["units"][0].as_py()
    lines = (real_data / "iowa_dsd" / "returns_weekly.csv").read_text().splitlines()[1:]
    assert returned == sum(int(line.rsplit(",", 1)[1]) for line in lines)


def test_a_region_called_all_is_refused_since_the_word_stands_for_all_regions(lake: Lake, provider: ProviderSpec) -> None:
    rewrite(lake, provider, "stores.csv", "id,area,kind,town\n1,All,LARGE,Dallas\n2,All,SMALL,Dallas\n3,All,LARGE,Columbus\n")
    [refused] = register(lake, provider, NOW).refused
    assert "stores.csv, row 1, column region: expected a key other than 'all', which stands for all regions together, came All." in refused.message
    assert "Give the region another key in the provider YAML, under 'regions'" in refused.message


def test_two_files_of_one_drop_that_contradict_each_other_are_told_with_the_one_that_counts(lake: Lake, provider: ProviderSpec) -> None:
    shipments = folder(lake, provider) / "shipments"
    (shipments / "w23.csv").write_text("id,sku,week,units\n1,A,2022-05-16,10\n1,B,2022-05-16,4\n")
    (shipments / "w23 (2).csv").write_text("id,sku,week,units\n1,A,2022-05-16,99\n1,B,2022-05-16,4\n")
    told = [notice.message for notice in take_in(lake, provider).noticed if "w23" in notice.source_file]
    assert len(told) == 1
    assert (
        "1 of its rows say otherwise than shipments/w23.csv, the first being store_id 1, product_id A, week 2022-05-16: 99 here, 10 there" in told[0]
    )
    assert "shipments/w23.csv counts, whose name is the later one" in told[0]
    # A correction that comes later is none: it holds.
    (shipments / "w24.csv").write_text("id,sku,week,units\n1,A,2022-05-16,12\n")
    assert not [notice for notice in take_in(lake, provider, NOW + timedelta(hours=1)).noticed if "w24" in notice.source_file]


def test_columns_that_another_file_of_the_source_lacks_and_that_are_mapped_are_not_told_as_new(tmp_path: Path) -> None:
    provider, lake = load_provider("sample"), Lake(str(tmp_path / "sample"))
    write_landing(simulate(WorldSpec(regions=1, stores_per_region=2, products=3, weeks=30)), folder(lake, provider))
    assert [notice.message for notice in take_in(lake, provider, datetime(2026, 1, 1, tzinfo=UTC)).noticed if notice.source == "events"] == []
