"""The harness of page loads has to measure pages that show something: a lake that is wide, versions that are new, and people who get their answers."""

from pathlib import Path

import pytest

from benchmarks.page_server import served
from benchmarks.people import Wish, chosen, visited
from benchmarks.wide_lake import Width, renewed, widened
from tests.orchestration.waiting import free_port
from transforms.lake.tables import Lake

WIDTH = Width(stores=2, products=3, origins=4)


@pytest.fixture(scope="module")
def wide(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return widened(small_lake, tmp_path_factory.mktemp("wide"), WIDTH)


def counted(lake: Lake, table: str, what: str) -> list[int]:
    return list(lake.read(table, columns=what).to_pylist()[0].values())


def test_every_store_product_and_origin_of_the_wide_lake_has_its_own_rows(small_lake: Path, wide: Lake) -> None:
    (before,) = counted(Lake(str(small_lake)), "gold/forecasts", "count(*)")
    keys = "count(*), count(distinct concat(store_id, '|', product_id, '|', origin_week, '|', target_week)), count(distinct origin_week)"
    for table in ("gold/forecasts", "gold/order_plan", "gold/order_plan_final"):
        assert counted(wide, table, keys) == [before * 2 * 3 * 4, before * 2 * 3 * 4, 4]
    named = {row["store_id"] for row in wide.read("silver/stores", columns="store_id").to_pylist()}
    assert {row["store_id"] for row in wide.read("gold/forecasts", columns="distinct store_id").to_pylist()} <= named


def test_a_renewed_lake_holds_the_same_rows_at_other_versions(wide: Lake) -> None:
    tables = ("gold/forecasts", "gold/order_plan_final", "gold/demand")
    before = [(wide.version(table), counted(wide, table, "count(*)")) for table in tables]
    renewed(wide)
    assert [(wide.version(table), counted(wide, table, "count(*)")) for table in tables] == [((was or 0) + 1, rows) for was, rows in before]


@pytest.mark.slow
def test_people_at_once_get_the_answers_of_their_own_stores(wide: Lake) -> None:
    region, *stores = wide.read("gold/order_plan", columns="min(region), min(store_id), max(store_id)").to_pylist()[0].values()
    wishes = [Wish("orders", {"region": region, "store": store}, "Store") for store in stores]
    with served(Path(wide.root), free_port()) as server:
        opened, changed = visited(server, wishes)
        assert server.megabytes() > 50
    for one in (opened, changed):
        assert 0 < one.answer <= one.median <= one.slowest < 60
        assert one.cpu > 0
    assert len({chosen(view.pickers["Store"]) for view in opened.views}) == 2
