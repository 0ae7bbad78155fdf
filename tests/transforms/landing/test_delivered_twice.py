"""Files that add up, one of which says again nearly what another one says: held for a person; days and trucks that are no repetition count."""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
import yaml

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import blocks_of
from transforms.lake.tables import Lake
from transforms.landing import Registration, drop, folder, ingest, ingest_reference, pending, refused_files, register
from transforms.landing.files import copies_last
from transforms.world import WorldSpec, simulate, write_landing

HOURS = (datetime(2024, 7, 1, tzinfo=UTC) + timedelta(hours=n) for n in count())
Line = tuple[str, str, str, int]


def shop_of(shop: Path, week: object = "week", **rest: object) -> ProviderSpec:
    """The corner shop's provider with deliveries that add up."""
    spec = yaml.safe_load((shop / "corner_shop.yaml").read_text())
    columns = {"store_id": "id", "product_id": "sku", "week": week, "units_shipped": "units"}
    spec["sources"]["shipments"] = [{"files": "shipments/*.csv", "format": "csv", "duplicates": "sum", "columns": columns, **rest}]
    (shop / "sums.yaml").write_text(yaml.safe_dump(spec))
    return load_provider(str(shop / "sums.yaml"))


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    for path in (shop / "shipments").iterdir():
        path.unlink()
    return shop_of(shop)


@pytest.fixture
def daily(shop: Path, provider: ProviderSpec) -> ProviderSpec:
    return shop_of(shop, week={"column": "week", "clean": "week"})


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    write(shop / "shipments/2024-06-03.csv", WEEK)
    drop(lake, provider, shop)
    return lake


def take_in(lake: Lake, provider: ProviderSpec) -> Registration:
    found = register(lake, provider, next(HOURS))
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))
    return found


def write(path: Path, lines: Iterable[Line]) -> None:
    path.write_text("id,sku,week,units\n" + "".join(",".join(map(str, line)) + "\n" for line in lines))


def total(lake: Lake) -> int:
    return int(sum(lake.read("bronze/shipments")["units_shipped"].to_pylist()))


MONDAY = "2024-06-03"
WEEK: list[Line] = [(store, sku, MONDAY, 6 * (1 + (int(store) + ord(sku)) % 5)) for store in "123" for sku in "AB"]


def changed(lines: Iterable[Line], units: int = 6) -> list[Line]:
    """The first line with other units."""
    first, *rest = lines
    return [(*first[:3], first[3] + units), *rest]


def test_a_corrected_week_under_another_name_is_held_and_told(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    before = total(lake)
    write(folder(lake, provider) / "shipments/2024-06-03 corrected.csv", changed(WEEK))
    found = take_in(lake, provider)
    assert total(lake) == before
    [held] = found.refused
    assert held.message == (
        "shipments/2024-06-03 corrected.csv: held, since its files add up and it says again what is on record for 2024-06-03: of its 6 rows of "
        "shipments 6 stand in "
        "shipments/2024-06-03.csv, 5 of them with the same units; the first with others is store_id 1, product_id A, week 2024-06-03: 18 units here, 12 there. "
        "Give it the name of the file that it replaces, or name it under 'counted' in the provider YAML if it was delivered beside."
    )
    assert refused_files(lake, provider) == [held]
    assert take_in(lake, provider) == Registration()


def test_of_two_such_files_in_a_first_drop_the_corrected_one_is_held(lake: Lake, provider: ProviderSpec) -> None:
    write(folder(lake, provider) / "shipments/2024-06-03 corrected.csv", changed(WEEK))
    [held] = take_in(lake, provider).refused
    assert held.source_file == "shipments/2024-06-03 corrected.csv"
    assert total(lake) == sum(line[3] for line in WEEK)


@pytest.mark.parametrize(
    "name",
    [*("s (1).csv", "s - Copy.csv", "s - Copy (2).csv", "Copy of s.csv", "Kopie von s.csv", "s-v2.csv", "s_v2.csv", "s_corrected.csv"),
     *("s (corrected).csv", "S.csv", "s-1.csv", "S - Kopie.csv")],
)  # fmt: skip
@pytest.mark.parametrize("first", ["s.csv", None])
def test_of_a_file_and_its_copy_in_one_drop_the_plain_name_counts(lake: Lake, provider: ProviderSpec, name: str, first: str | None) -> None:
    """Which of them counted was decided by the order of their names: `s (1).csv` stands before `s.csv`."""
    top = folder(lake, provider) / "shipments"
    (top / "2024-06-03.csv").unlink()
    write(top / "s.csv", WEEK)
    write(top / name, changed(WEEK) if first else WEEK)
    os.utime(top / name, ns=(later := (top / "s.csv").stat().st_mtime_ns + 10**9, later))
    found = take_in(lake, provider)
    assert [notice.source_file for notice in (found.refused if first else found.noticed)] == [f"shipments/{name}"]
    assert total(lake) == sum(line[3] for line in WEEK)


def test_names_with_dates_and_parts_keep_their_order() -> None:
    names = ["2024-06-03.csv", "2024-06-10.csv", "part-1.csv.gz", "part-2.csv.gz", "v2.csv"]
    assert [path.name for path in copies_last(map(Path, reversed(names)))] == names


def test_a_held_file_that_gets_the_old_name_replaces_it(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    top = folder(lake, provider) / "shipments"
    write(top / "new.csv", changed(WEEK))
    take_in(lake, provider)
    (top / "new.csv").rename(top / "2024-06-03.csv")
    take_in(lake, provider)
    assert refused_files(lake, provider) == []
    assert total(lake) == sum(line[3] for line in changed(WEEK))


def test_a_held_file_counts_when_the_yaml_says_so(lake: Lake, shop: Path, provider: ProviderSpec) -> None:
    write(folder(lake, provider) / "shipments/second truck.csv", changed(WEEK))
    take_in(lake, provider)
    both = shop_of(shop, counted=["shipments/second truck.csv"])
    take_in(lake, both)
    assert refused_files(lake, both) == []
    assert total(lake) == sum(line[3] for line in [*WEEK, *changed(WEEK)])
    take_in(lake, provider)
    assert total(lake) == sum(line[3] for line in [*WEEK, *changed(WEEK)])


def test_a_held_file_is_taken_in_once_the_other_says_something_else(lake: Lake, provider: ProviderSpec) -> None:
    take_in(lake, provider)
    top = folder(lake, provider) / "shipments"
    write(top / "b.csv", changed(WEEK))
    take_in(lake, provider)
    other = [(store, sku, "2024-05-27", number) for store, sku, _, number in WEEK]
    write(top / "2024-06-03.csv", other)
    take_in(lake, provider)
    assert refused_files(lake, provider) == []
    assert total(lake) == sum(line[3] for line in [*other, *changed(WEEK)])


def test_the_content_of_before_under_another_name_is_held(lake: Lake, provider: ProviderSpec) -> None:
    """A copy that was left aside is no copy any more once the file itself is corrected: it is an old version of it."""
    take_in(lake, provider)
    top = folder(lake, provider) / "shipments"
    shutil.copy(top / "2024-06-03.csv", top / "copy.csv")
    take_in(lake, provider)
    write(top / "2024-06-03.csv", changed(WEEK))
    take_in(lake, provider)
    assert [held.source_file for held in refused_files(lake, provider)] == ["shipments/copy.csv"]
    assert total(lake) == sum(line[3] for line in changed(WEEK))


DAYS = [f"2024-06-{day:02d}" for day in range(3, 8)]


def test_days_of_a_week_that_are_all_alike_add_up(lake: Lake, daily: ProviderSpec) -> None:
    top = folder(lake, daily) / "shipments"
    for day in DAYS:
        write(top / f"{day}.csv", [(store, sku, day, units) for store, sku, _, units in WEEK])
    assert take_in(lake, daily).refused == []
    assert total(lake) == 5 * sum(line[3] for line in WEEK)


def test_a_corrected_day_is_held(lake: Lake, daily: ProviderSpec) -> None:
    top = folder(lake, daily) / "shipments"
    for day in DAYS:
        write(top / f"{day}.csv", [(store, sku, day, units) for store, sku, _, units in WEEK])
    take_in(lake, daily)
    write(top / "again.csv", changed((store, sku, DAYS[2], units) for store, sku, _, units in WEEK))
    assert [held.source_file for held in take_in(lake, daily).refused] == ["shipments/again.csv"]
    assert total(lake) == 5 * sum(line[3] for line in WEEK)


def test_a_whole_week_after_its_days_is_held(lake: Lake, daily: ProviderSpec) -> None:
    top = folder(lake, daily) / "shipments"
    days = [[(store, sku, day, units + 6 * number) for store, sku, _, units in WEEK] for number, day in enumerate(DAYS)]
    for day, lines in zip(DAYS, days, strict=True):
        write(top / f"{day}.csv", lines)
    take_in(lake, daily)
    write(top / "week.csv", [line for lines in days for line in lines])
    [held] = take_in(lake, daily).refused
    assert (
        "of its 6 rows of shipments 6 stand in shipments/2024-06-03.csv, shipments/2024-06-04.csv, shipments/2024-06-05.csv and 2 more"
        in held.message
    )


def test_an_export_of_the_last_weeks_is_held_for_the_weeks_that_are_there(lake: Lake, provider: ProviderSpec) -> None:
    top = folder(lake, provider) / "shipments"
    weeks = [[(store, sku, week, units) for store, sku, _, units in WEEK] for week in (MONDAY, "2024-06-10", "2024-06-17", "2024-06-24")]
    write(top / "2024-06-10.csv", weeks[1])
    take_in(lake, provider)
    write(top / "last four weeks.csv", [line for lines in weeks for line in lines])
    found = take_in(lake, provider)
    assert [held.source_file for held in found.refused] == ["shipments/last four weeks.csv"]


def test_two_trucks_with_other_quantities_add_up(lake: Lake, provider: ProviderSpec) -> None:
    second = [(store, sku, week, 6 * (1 + (3 * int(store) + ord(sku) * 2) % 7)) for store, sku, week, _ in WEEK]
    write(folder(lake, provider) / "shipments/truck 2.csv", second)
    assert take_in(lake, provider).refused == []
    assert total(lake) == sum(line[3] for line in [*WEEK, *second])


def test_lines_that_were_sent_late_add_up(lake: Lake, provider: ProviderSpec) -> None:
    """A file of which a few lines out of many are there already is a delivery of its own."""
    late = [("1", "A", MONDAY, 12), *((store, sku, "2024-06-10", 6) for store in "123" for sku in "AB")]
    write(folder(lake, provider) / "shipments/2024-06-10.csv", late)
    assert take_in(lake, provider).refused == []


def test_a_file_that_was_accepted_stays_accepted_when_it_is_read_again(lake: Lake, shop: Path, provider: ProviderSpec) -> None:
    write(folder(lake, provider) / "shipments/truck.csv", changed(WEEK))
    both = shop_of(shop, counted=["shipments/*"])
    take_in(lake, both)
    before = total(lake)
    assert take_in(lake, shop_of(shop, encoding="latin-1")).refused == []
    assert total(lake) == before


def held(lake: Lake, provider: ProviderSpec, **files: Iterable[Line] | str) -> list[str]:
    """Names (without their end) of the files that are held when these are dropped one after the other."""
    top = folder(lake, provider) / "shipments"
    for name, lines in files.items():
        if isinstance(lines, str):
            (top / f"{name}.csv").write_text(lines)
        else:
            write(top / f"{name}.csv", lines)
        register(lake, provider, next(HOURS))
    return [Path(notice.source_file).stem for notice in refused_files(lake, provider)]


def others(lines: Iterable[Line]) -> list[Line]:
    """The same keys, each with units far from the ones before."""
    return [(*line[:3], 3 * line[3] + 6) for line in lines]


def on(day: str, lines: Iterable[Line] = tuple(WEEK)) -> list[Line]:
    return [(store, sku, day, units) for store, sku, _, units in lines]


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_a_week_of_a_few_rows_is_held_though_every_quantity_was_corrected(lake: Lake, provider: ProviderSpec, size: int) -> None:
    """Half of the rows had to be the same: two of two corrected ones were added to what they corrected."""
    second = on("2024-06-10")[:size]
    assert held(lake, provider, week24=second, week24_v2=others(second)) == ["week24_v2"]


def test_a_corrected_week_with_a_row_more_and_one_less_is_held(lake: Lake, provider: ProviderSpec) -> None:
    assert held(lake, provider, a=on("2024-06-10")[:5], b=others(on("2024-06-10"))[1:]) == ["b"]


def test_an_export_that_says_the_same_with_other_columns_is_held(lake: Lake, provider: ProviderSpec) -> None:
    lines = [f"{6 * int(units) // 6},2024-06-12 08:00,{store},{week}, {sku} \n" for store, sku, week, units in WEEK]
    text = "units,exported_at,id,week,sku\n" + "".join(reversed(lines))
    assert held(lake, provider, again=text) == ["again"]


def test_weeks_of_which_one_small_one_is_there_already_are_held(lake: Lake, provider: ProviderSpec) -> None:
    """Fewer than ten rows with the same units among many new ones were no sign: the week was doubled."""
    weeks = [line for week in (MONDAY, "2024-06-10", "2024-06-17", "2024-06-24") for line in on(week)]
    assert held(lake, provider, june=weeks) == ["june"]


def test_a_day_that_comes_again_with_the_next_one_is_held(lake: Lake, daily: ProviderSpec) -> None:
    assert held(lake, daily, wed=on(DAYS[2]), both=[*on(DAYS[2]), *on(DAYS[3])]) == ["both"]


def test_the_corrected_rows_of_a_day_alone_are_held_and_told_apart_from_a_whole_file(lake: Lake, daily: ProviderSpec) -> None:
    """Such a file must not get the name of the one that it corrects: it would take the other rows back."""
    assert held(lake, daily, wed=on(DAYS[2]), fix=others(on(DAYS[2])[:2])) == ["fix"]
    [message] = [notice.message for notice in refused_files(lake, daily)]
    assert "2 stand in shipments/wed.csv, 0 of them with the same units" in message
    assert "It lacks 4 rows that shipments/wed.csv holds: add them and give it that name, since a file replaces all that its name held" in message


def test_corrected_rows_of_a_week_alone_are_held_where_their_units_are_near(lake: Lake, provider: ProviderSpec) -> None:
    large = [(*line[:3], 10 * line[3]) for line in on("2024-06-10")]
    assert held(lake, provider, week=large, fix=[(*line[:3], line[3] + 6) for line in large[:3]]) == ["fix"]


def test_rows_that_take_a_delivery_back_are_held(lake: Lake, provider: ProviderSpec) -> None:
    """Nothing added to twelve is twelve: the file had no effect and none was told."""
    assert held(lake, provider, none=[(*line[:3], 0) for line in WEEK]) == ["none"]


def test_an_order_that_comes_again_is_held(lake: Lake, provider: ProviderSpec) -> None:
    line = on("2024-06-10")[:1]
    assert held(lake, provider, order_4711=line, order_4711_corrected=others(line)) == ["order_4711_corrected"]


def test_orders_trucks_and_parts_that_their_names_tell_apart_add_up(lake: Lake, provider: ProviderSpec) -> None:
    """The same store gets the same product by each of them, and two lines say nothing else."""
    line, more = on("2024-06-10")[:1], on("2024-06-17")
    files = {"order_4711": line, "order_4712": others(line), "truck-1": more, "truck-2": others(more)}
    assert held(lake, provider, **files) == []


def test_trucks_that_say_nearly_the_same_are_held_whatever_they_are_called(lake: Lake, provider: ProviderSpec) -> None:
    assert held(lake, provider, truck_1=on("2024-06-10"), truck_2=changed(on("2024-06-10"))) == ["truck_2"]


def test_days_that_are_told_by_the_names_of_files_alone_add_up(lake: Lake, provider: ProviderSpec) -> None:
    """Each day's file says the week that it is of, with the same stores and products."""
    days = {f"2024-06-{day}": [(*line[:3], 6 * (day + 7 * number) % 91 + 1) for number, line in enumerate(on("2024-06-10"))] for day in range(10, 15)}
    assert held(lake, provider, **days) == []


def test_two_warehouses_with_other_products_for_the_same_stores_add_up(lake: Lake, provider: ProviderSpec) -> None:
    lines = on("2024-06-10")
    north = [line for line in lines if line[1] == "A"] + [lines[1]]
    south = [line for line in lines if line[1] == "B"]
    assert held(lake, provider, north=north, south=others(south)) == []


def test_a_few_more_of_a_week_with_other_quantities_add_up(lake: Lake, provider: ProviderSpec) -> None:
    """A source of weeks does not tell whether they came on the day of the others."""
    assert held(lake, provider, week=on("2024-06-10"), top_up=[(*line[:3], 10 * line[3]) for line in on("2024-06-10")[:2]]) == []


@pytest.mark.parametrize("size", [1, 2, 6])
def test_another_day_with_the_same_few_rows_adds_up(lake: Lake, daily: ProviderSpec, size: int) -> None:
    assert held(lake, daily, tue=on(DAYS[1])[:size], wed=on(DAYS[2])[:size], thu=others(on(DAYS[3])[:size])) == []


def test_no_week_of_the_sample_world_is_held_where_files_add_up(tmp_path: Path) -> None:
    text = yaml.safe_load(Path("transforms/providers/sample.yaml").read_text())
    for source in ("shipments", "returns"):
        text["sources"][source][0]["duplicates"] = "sum"
    (tmp_path / "sums.yaml").write_text(yaml.safe_dump(text))
    provider, lake = load_provider(str(tmp_path / "sums.yaml")), Lake(str(tmp_path / "lake"))
    write_landing(simulate(WorldSpec(regions=1, stores_per_region=6, products=6, weeks=60)), folder(lake, provider))
    assert register(lake, provider, datetime(2025, 1, 1, tzinfo=UTC)).refused == []


def test_days_of_a_bakery_add_up(tmp_path: Path, real_data: Path) -> None:
    """Thirty-five stores, three products, a file a day for three weeks; then a day again with a fault mended."""
    drops = tmp_path / "drops"
    (drops / "days").mkdir(parents=True)
    rows = duckdb.sql(
        f"""
        select date::date, store, product, demand::bigint from '{real_data}/bakery/daily.parquet'
        where date between date '2018-03-05' and date '2018-03-25' order by all
        """
    ).fetchall()
    by_day: dict[date, list[str]] = {}
    for day, store, product, demand in rows:
        by_day.setdefault(day, []).append(f"{store},{product},{day},{demand}")
    for day, lines in by_day.items():
        (drops / f"days/{day}.csv").write_text("\n".join(["store,product,date,units", *lines]) + "\n")
    stores, products = (sorted({row[column] for row in rows}) for column in (1, 2))
    (drops / "stores.csv").write_text("id,area,kind\n" + "".join(f"{store},west,large\n" for store in stores))
    (drops / "products.csv").write_text("sku,pack\n" + "".join(f"{product},1\n" for product in products))
    columns = {"store_id": "store", "product_id": "product", "week": {"column": "date", "clean": "week"}, "units_shipped": "units"}
    spec = {
        "name": "bakery",
        "description": "A bakery's days.",
        "sources": {
            "stores": [{"files": "stores.csv", "format": "csv", "columns": {"store_id": "id", "region": "area", "format": "kind"}}],
            "products": [{"files": "products.csv", "format": "csv", "columns": {"product_id": "sku", "case_pack": "pack"}}],
            "shipments": [{"files": "days/*.csv", "format": "csv", "duplicates": "sum", "columns": columns}],
        },
    }
    (tmp_path / "bakery.yaml").write_text(yaml.safe_dump(spec))
    provider, lake = load_provider(str(tmp_path / "bakery.yaml")), Lake(str(tmp_path / "lake"))
    drop(lake, provider, drops)
    assert take_in(lake, provider).refused == []
    assert total(lake) == sum(row[3] for row in rows)
    again = by_day[date(2018, 3, 14)]
    (folder(lake, provider) / "days/14 again.csv").write_text("\n".join(["store,product,date,units", *again[:-1], again[-1] + "0"]) + "\n")
    assert [held.source_file for held in take_in(lake, provider).refused] == ["days/14 again.csv"]
