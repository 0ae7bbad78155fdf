"""Orders as files and on paper, in a real browser: the edited workbook comes back and is saved, others' edits stay, and each store has a sheet."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page

from benchmarks.page_faults import found_by_axe
from dashboard.queries.orders.plans import planned_weeks, standing_of
from dashboard.queries.reader import Reader
from orchestration.people import Person
from orchestration.service.orders import decide_on_plan, edit_plan
from tests.dashboard.browsing import BROWSED, DESK, PHONE, Pages, settled
from transforms.calendar import Region, Week
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES
from transforms.orders.record import Change

pytestmark = BROWSED
REGION, PATH = Region("north_texas"), "orders?region=north_texas"
PLANNER = Person("Zoë", "planner", ("north_texas",))


def target(pages: Pages) -> Week:
    return Week(pages.lake.read("gold/order_plan", columns="max(origin_week) as o")["o"][0].as_py()) + 1


def downloaded(page: Page, link: str, file: Path) -> Path:
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(file)
    return file


def upload(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text(file.name).wait_for()
    settled(page)


def choose(page: Page, reason: str) -> None:
    settled(page)
    why = page.get_by_role("combobox", name="Why")
    # An open list closes when the page scrolls, which a click may cause.
    why.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    why.click()
    page.get_by_role("option", name=reason).click()


def line(book: Any, sheet: int, row: int) -> tuple[str, str, int, int]:
    """Store, product, packs and units in a pack of a line."""
    cells = book.worksheets[sheet]
    return re.split(r"[ :]", cells["A1"].value)[1], str(cells[f"A{row}"].value), cells[f"D{row}"].value, cells[f"E{row}"].value


@pytest.fixture
def book(visit: Callable[..., Page], pages: Pages, tmp_path: Path) -> tuple[Page, Any, Path]:
    """The page of a planner, and the workbook that it gave."""
    pages.who["now"] = PLANNER
    page = visit(PATH)
    file = downloaded(page, "Download the workbook", tmp_path / "plan.xlsx")
    return page, openpyxl.load_workbook(file), file


def test_an_edited_workbook_shows_what_it_costs_and_is_saved_with_one_reason(book: tuple[Page, Any, Path], pages: Pages) -> None:
    page, workbook, file = book
    changes = []
    for sheet, row, packs in ((1, 6, 2), (1, 7, -1), (2, 6, 3)):
        store, product, before, size = line(workbook, sheet, row)
        workbook.worksheets[sheet][f"D{row}"] = before + packs
        changes.append((store, product, before * size, (before + packs) * size))
    workbook.save(file)
    upload(page, file)
    page.get_by_text("3 lines of the workbook differ, not saved").wait_for()
    assert re.search(r"expected returns .* lost sales .* (saves|costs) USD", page.locator("p", has_text="differ, not saved").inner_text())
    assert page.get_by_role("button", name="Save", exact=True).is_disabled()
    assert not pages.lake.exists(OVERRIDES.name)
    choose(page, "promotion")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(f"3 lines saved, {sum(to - before for *_, before, to in changes):+,} units").wait_for()
    kept = pages.lake.read(OVERRIDES.name).to_pylist()
    found = [(row["store_id"], row["product_id"], row["quantity_from"], row["quantity_to"]) for row in kept]
    assert sorted(found) == sorted(changes)
    assert {(row["person"], row["reason"], row["action"]) for row in kept} == {("Zoë", "promotion", "upload")}
    assert len({row["edit_id"] for row in kept}) == 1
    final = pages.lake.read(ORDER_PLAN_FINAL.name, "edited", "store_id, product_id, order_quantity").to_pylist()
    assert {(row["store_id"], row["product_id"], row["order_quantity"]) for row in final} >= {
        (store, product, to) for store, product, _, to in changes
    }
    # The uploader is empty again, and a workbook from before the edits is compared with what was edited since.
    assert page.get_by_text("differ, not saved").count() == 0


def test_what_somebody_else_edited_meanwhile_is_said_and_stays(book: tuple[Page, Any, Path], pages: Pages) -> None:
    page, workbook, file = book
    (store, product, before, size), (_, other, others, pack) = line(workbook, 3, 6), line(workbook, 3, 7)
    meanwhile = [Change(store, product, (before + 5) * size, before * size), Change(store, other, (others + 4) * pack, others * pack)]
    edit_plan(pages.lake, Person("Ann", "operator"), REGION, target(pages), meanwhile, "weather", "")
    workbook.worksheets[3]["D6"] = before + 1
    workbook.save(file)
    upload(page, file)
    page.get_by_text("1 line that others edited since the download, and you did not, stay as they are now").wait_for()
    page.get_by_text("1 line that you edited were edited by others too since the download").wait_for()
    page.get_by_text(f"{(before + 5) * size} set by Ann; {before * size} when downloaded").wait_for()
    page.get_by_text("0 lines of the workbook differ, not saved").wait_for()
    choose(page, "promotion")
    assert page.get_by_role("button", name="Save", exact=True).is_disabled()
    page.get_by_text("Load mine there instead").click()
    page.get_by_text("1 line of the workbook differ").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("1 line saved").wait_for()
    where = f"store_id = '{store}' and target_week = date '{target(pages)}' and edited"
    final = {row["product_id"]: row["order_quantity"] for row in pages.lake.read(ORDER_PLAN_FINAL.name, where).to_pylist()}
    assert (final[product], final[other]) == ((before + 1) * size, (others + 4) * pack)


def test_a_line_that_somebody_edits_before_save_is_pressed_is_shown_again_and_nothing_is_lost(book: tuple[Page, Any, Path], pages: Pages) -> None:
    page, workbook, file = book
    mine = []
    for row in (6, 7):
        store, product, before, size = line(workbook, 4, row)
        workbook.worksheets[4][f"D{row}"] = before + 2
        mine.append(Change(store, product, (before + 5) * size, before * size))
    workbook.save(file)
    upload(page, file)
    page.get_by_text("2 lines of the workbook differ, not saved").wait_for()
    choose(page, "promotion")
    settled(page)
    edits = pages.lake.read(OVERRIDES.name).num_rows if pages.lake.exists(OVERRIDES.name) else 0
    edit_plan(pages.lake, Person("Ann", "operator"), REGION, target(pages), mine[:1], "weather", "")
    # Versions are looked up once a second; what is saved over within that second is told afterwards.
    page.wait_for_timeout(1_500)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Nothing was done:").wait_for()
    page.get_by_text("1 line of the workbook differ").wait_for()
    assert pages.lake.read(OVERRIDES.name).num_rows == edits + 1


def test_a_workbook_with_a_fault_or_of_an_older_plan_changes_nothing(book: tuple[Page, Any, Path], tmp_path: Path) -> None:
    page, workbook, file = book
    workbook.worksheets[1]["D6"], workbook.worksheets[1]["D7"] = 2.5, 1
    workbook.save(file)
    upload(page, file)
    page.get_by_text("Nothing was taken from this workbook").wait_for()
    page.get_by_text("cell D6").wait_for()
    assert page.get_by_text("A pack is loaded whole: enter 2 or 3.").count() == 1
    record = workbook["As downloaded"]
    workbook.worksheets[1]["D6"], record["I2"] = 1, record["I2"].value + 1
    workbook.save(tmp_path / "older.xlsx")
    upload(page, tmp_path / "older.xlsx")
    page.get_by_text("The plan was made again since this workbook was downloaded (1 of its lines are others").wait_for()
    # A name is foreign too.
    odd = tmp_path / "![x](http:__evil.example) <b>.xlsx"
    odd.write_bytes(b"no workbook")
    upload(page, odd)
    page.get_by_text("is no workbook (XLSX): expected the one that this page gives").wait_for()
    assert page.get_by_role("button", name="Save", exact=True).count() == 0


def test_a_file_that_is_too_large_is_not_taken(book: tuple[Page, Any, Path], tmp_path: Path) -> None:
    page, *_ = book
    assert page.get_by_text("Upload the edited workbook (XLSX, at most 10 MB)").count() == 1
    large = tmp_path / "large.xlsx"
    large.write_bytes(b"PK" * (6 << 20))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "upload_file" in request.url else None)
    upload(page, large)
    page.get_by_text("large.xlsx").wait_for()
    assert asked == []


def test_a_viewer_and_a_planner_of_another_region_get_files_and_no_upload(visit: Callable[..., Page], pages: Pages, tmp_path: Path) -> None:
    for person in (Person("vic", "viewer"), Person("oda", "planner", ("ohio",))):
        pages.who["now"] = person
        page = visit(PATH)
        file = downloaded(page, "Download the plan of all stores (CSV)", tmp_path / "plan.csv")
        assert page.locator("input[type=file]").count() == 0
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert list(rows[0]) == list(ORDER_PLAN_FINAL.names)
    where = f"target_week = date '{target(pages)}'"
    final = pages.lake.read(ORDER_PLAN_FINAL.name, where, "sum(order_quantity)::bigint as units, count(*) as n").to_pylist()[0]
    assert (sum(int(row["order_quantity"]) for row in rows), len(rows)) == (final["units"], final["n"])


def test_a_file_that_is_asked_for_while_the_page_is_drawn_again_arrives(visit: Callable[..., Page], pages: Pages, tmp_path: Path) -> None:
    """Streamlit forgets the files of its own buttons at each drawing, so that a click in between ended in an error."""
    page = visit(PATH)
    address = str(page.get_by_role("link", name="Download the workbook").get_attribute("href"))
    page.goto(f"{pages.origin}/pages/scoring")
    settled(page)
    with page.expect_download(timeout=60_000) as download:
        page.evaluate("address => Object.assign(document.createElement('a'), {href: address}).click()", address)
    download.value.save_as(tmp_path / "plan.xlsx")
    assert len(openpyxl.load_workbook(tmp_path / "plan.xlsx").worksheets) > 2


def printed(page: Page) -> int:
    """Pages of a PDF of the page."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format="Letter")))


def test_orders_are_printed_one_store_a_sheet_in_black_on_white(visit: Callable[..., Page], pages: Pages) -> None:
    week = target(pages)
    [plan] = [plan for plan in planned_weeks(Reader(pages.lake), str(REGION)) if plan.target == week]
    decide_on_plan(pages.lake, Person("Ann <b>", "operator"), REGION, week, "approved", "", standing_of(Reader(pages.lake), plan))
    pages.who["now"] = Person("vic", "viewer")
    page = visit(PATH)
    address = str(page.get_by_role("link", name="Print by store").get_attribute("href"))
    page.emulate_media(color_scheme="dark")
    page.goto(f"{pages.origin}{address}")
    stores = pages.lake.read(ORDER_PLAN_FINAL.name, f"target_week = date '{week}' and order_quantity > 0", "distinct store_id").num_rows
    assert page.locator("section").count() == printed(page) == stores > 1
    first = page.locator("section").first
    units = [int(text.replace(",", "")) for text in first.locator("tbody td.number:not(.cases):not(.size)").all_inner_texts()]
    assert sum(units[:-1]) == units[-1] > 0
    assert first.locator("tbody tr td:first-child span").count() == len(units)
    assert re.fullmatch(r"Approved by Ann <b>, .* UTC\.", first.locator("footer > p").inner_text())
    assert page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]") == [
        "rgb(255, 255, 255)",
        "rgb(0, 0, 0)",
    ]
    assert found_by_axe(page) == []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.emulate_media(color_scheme="light")


def test_one_store_is_printed_alone_and_what_is_not_planned_is_said(visit: Callable[..., Page], pages: Pages) -> None:
    pages.who["now"] = Person("vic", "viewer")
    store = str(pages.lake.read(ORDER_PLAN_FINAL.name, columns="min(store_id) as s")["s"][0].as_py())
    page = visit(f"{PATH}&store={store}")
    page.goto(f"{pages.origin}{page.get_by_role('link', name='Print this store').get_attribute('href')}")
    assert (page.locator("section").count(), printed(page)) == (1, 1)
    for query in ("region=<script>alert(1)</script>", "region=north_texas&week=1999-01-04", "region=north_texas&week=x&store='", ""):
        for kind in ("print", "workbook", "table"):
            answer = page.goto(f"{pages.origin}/pages/orders/{kind}?{query}")
            assert answer is not None
            assert (answer.status, page.locator("script").count()) == (404, 0)
            assert "There is no plan of region" in page.locator("main").inner_text()
