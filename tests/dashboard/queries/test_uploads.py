"""An uploaded workbook against what is to be loaded, counted by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard.queries.orders.basket import Difference, difference
from dashboard.queries.orders.downloads import plan_csv
from dashboard.queries.orders.paper import plan_to_print
from dashboard.queries.orders.plans import PlanOf, bring_in_step, decisions_on
from dashboard.queries.orders.uploads import compared, cost
from dashboard.queries.reader import Reader
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.contracts.orders import ORDER_PLAN_FINAL, PLAN_EVENTS
from transforms.errors import MissingData
from transforms.exports.upload import UploadRefused, Wanted
from transforms.lake.tables import Lake

ORIGIN, TARGET = date(2024, 6, 24), date(2024, 7, 1)
NOON = datetime(2024, 6, 28, 12, tzinfo=UTC)
PLAN = PlanOf(Region("ohio"), Week(TARGET), Week(ORIGIN))
KEYS = {"region": "ohio", "origin_week": ORIGIN, "target_week": TARGET}


def loaded(store: str, product: str, now: int, planned: int, **more: object) -> dict[str, object]:
    return {**KEYS, "store_id": store, "product_id": product, "order_quantity": now, "planned_quantity": planned, "case_pack": 6, **more}


@pytest.fixture
def reader(fill: Callable[..., None], tmp_path: Path) -> Reader:
    lake = Lake(str(tmp_path))
    rows = [
        loaded("S1", "P1", 12, 12),
        loaded("S1", "P2", 24, 12, edited=True, person="Ann", note="=1+1"),
        loaded("S2", "P1", 6, 6, expected_lost_sales=3.0, margin=2.0, return_cost=0.5),
    ]
    fill(lake, ORDER_PLAN_FINAL.name, *rows)
    points = {"p_demand": 1.0, "q10": 2.0, "q50": 8.0, "q90": 16.0, "expected": 9.0}
    fill(lake, FORECASTS.name, *({**KEYS, "store_id": row["store_id"], "product_id": row["product_id"], **points} for row in rows))
    fill(lake, ORDER_PLAN.name, *({**KEYS, "store_id": row["store_id"], "product_id": row["product_id"], "order_quantity": 12} for row in rows))
    return Reader(lake)


def test_lines_are_told_apart_by_who_changed_them_since_the_download(reader: Reader) -> None:
    wanted = [Wanted("S1", "P1", 18, 12, 12), Wanted("S1", "P2", 6, 12, 12), Wanted("S2", "P1", 6, 6, 6)]
    found = compared(reader, PLAN, wanted)
    assert [[line.wanted.product_id for line in lines] for lines in (found.edited, found.contested, found.kept)] == [["P1"], ["P2"], []]
    assert found.contested[0].row["person"] == "Ann"
    untouched = compared(reader, PLAN, [Wanted("S1", "P2", 12, 12, 12)])
    assert ([line.row["order_quantity"] for line in untouched.kept], untouched.edited, untouched.contested) == ([24], [], [])
    # Both had the same thought.
    assert compared(reader, PLAN, [Wanted("S1", "P2", 24, 12, 12)]).contested == []


@pytest.mark.parametrize(
    ("line", "says"),
    [(Wanted("S1", "P1", 12, 12, 18), "says 12 units now"), (Wanted("S9", "P1", 12, 12, 18), "does not have that line now")],
)
def test_a_plan_that_was_made_again_refuses_the_workbook(reader: Reader, line: Wanted, says: str) -> None:
    with pytest.raises(
        UploadRefused, match=rf"made again since .* \(1 of its lines are others; first: store S\d, product P1, expected 18 .* {says}\)"
    ):
        compared(reader, PLAN, [line])


def test_what_a_workbook_costs_is_the_sum_over_its_stores(reader: Reader) -> None:
    lines = compared(reader, PLAN, [Wanted("S1", "P1", 18, 12, 12), Wanted("S2", "P1", 12, 6, 6)]).edited
    alone = [difference([line.row], {"P1": line.wanted.units}) for line in lines]
    total = cost(lines)
    assert (total.lines, total.units, total.cases) == (2, 12, 2)
    assert total.saved == pytest.approx(alone[0].saved + alone[1].saved)
    assert cost([]) == Difference()


def test_the_table_of_a_plan_holds_no_formula(reader: Reader) -> None:
    rows = plan_csv(reader.lake, PLAN).decode().splitlines()
    assert rows[0].split(",") == list(ORDER_PLAN_FINAL.names)
    assert len(rows) == 4
    assert ",'=1+1," in rows[2]


def test_the_week_to_load_next_is_printed_unless_another_is_named(reader: Reader, tmp_path: Path) -> None:
    assert plan_to_print(reader, "ohio", "") == plan_to_print(reader, "ohio", "2024-07-01") == PLAN
    with pytest.raises(MissingData, match=r"'ohio' for the week '2024-07-08': expected weeks from 2024-07-01 to 2024-07-01\. Open it from Orders\."):
        plan_to_print(reader, "ohio", "2024-07-08")
    with pytest.raises(MissingData, match=r"no plan of region 'utah' .* expected one of the regions ohio\."):
        plan_to_print(reader, "utah", "")
    with pytest.raises(MissingData, match=r"expected one of the regions \(none\)\."):
        plan_to_print(Reader(Lake(str(tmp_path / "empty"))), "utah", "")


def test_the_table_of_one_store_holds_that_store_alone_and_an_unknown_one_is_told(reader: Reader) -> None:
    assert [line.split(",")[1] for line in plan_csv(reader.lake, PLAN, "S2").decode().splitlines()[1:]] == ["S2"]
    with pytest.raises(MissingData, match=r"ohio: store \"it's\" is not in the plan for 2024-07-01: expected one of the region's store ids"):
        plan_csv(reader.lake, PLAN, "it's")


def approved(fill: Callable[..., None], reader: Reader, units: int, origin: date = ORIGIN) -> dict[str, object]:
    """The newest decision after somebody approved a plan of so many units."""
    row = {"region": "ohio", "target_week": TARGET, "origin_week": origin, "event": "approved", "person": "Ann", "units": units, "event_time": NOON}
    fill(reader.lake, PLAN_EVENTS.name, row)
    reader.forget_versions()
    return decisions_on(reader, PLAN)[0]


@pytest.mark.parametrize(("units", "origin", "again"), [(42, ORIGIN, False), (48, ORIGIN, True), (42, date(2024, 6, 17), True)])
def test_an_approval_of_a_plan_that_was_made_again_is_known_as_such(
    reader: Reader, fill: Callable[..., None], units: int, origin: date, again: bool
) -> None:
    found = approved(fill, reader, units, origin)
    assert (found["made_again"], found["units_now"]) == (again, 42)


def test_what_a_killed_process_left_of_a_plan_is_written_anew(reader: Reader, fill: Callable[..., None]) -> None:
    """A line that the plan has no longer, and one whose case changed, stood in what is to be loaded all the same."""
    lake = Lake(reader.lake.root)
    line = {**KEYS, "store_id": "S1", "product_id": "P1", "order_quantity": 12, "case_pack": 4}
    lake.replace(ORDER_PLAN.name, SliceBlock((Region("ohio"),), Week(ORIGIN), Week(ORIGIN)), plan_rows(line))
    bring_in_step(reader, PLAN)
    final = lake.read(ORDER_PLAN_FINAL.name).to_pylist()
    assert [(row["store_id"], row["product_id"], row["case_pack"]) for row in final] == [("S1", "P1", 4)]
    version = lake.version(ORDER_PLAN_FINAL.name)
    bring_in_step(reader, PLAN)
    assert lake.version(ORDER_PLAN_FINAL.name) == version


def plan_rows(*rows: dict[str, object]) -> pa.Table:
    known = {"service_level": 0.7, "expected_returns": 1.0, "expected_lost_sales": 1.0, "margin": 0.3, "return_cost": 0.1}
    return pa.Table.from_pylist([{**known, **row} for row in rows], schema=ORDER_PLAN.schema)
