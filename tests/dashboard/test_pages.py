"""The pages in a real browser, over a lake that real runs made: each answers, asks nobody else, is read by everybody, and changes what it says it does."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from benchmarks.page_faults import faults_of
from orchestration.people import Person
from orchestration.service.orders import edit_plan
from tests.dashboard.browsing import BROWSED, STORE, Pages, first_store, settled
from transforms.calendar import Region, Week
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES, PLAN_EVENTS
from transforms.orders.record import Change

pytestmark = BROWSED


@pytest.mark.parametrize(
    "path", ["", "training", "monitoring", "scoring", "orders?region=north_texas", "what_if", "time_machine", "value_added", "bi"]
)
def test_a_page_answers_first_fits_its_screen_and_is_read_by_everybody(visit: Callable[..., Page], path: str) -> None:
    assert faults_of(visit(path)) == []


def test_a_planner_edits_a_line_sees_what_it_costs_and_saves_it_with_a_reason(visit: Callable[..., Page], pages: Pages) -> None:
    pages.who["now"] = Person("Zoë", "planner", ("north_texas",))
    store = first_store(pages)
    page = visit(f"{STORE}{store}")
    # Tables are drawn one after the other: which line comes first is asked once.
    product = str(page.locator("input.edit").first.get_attribute("data-row"))
    field = page.locator(f"input.edit[data-row='{product}']")
    before, pack = int(field.input_value()), int(str(field.get_attribute("data-step")))
    field.fill(str(before + 2 * pack))
    field.press("Enter")
    page.get_by_text("1 line changed, not saved").wait_for()
    assert f"+{2 * pack}" in page.locator(".st-key-basket").inner_text().split("units")[0]
    assert not pages.lake.exists(OVERRIDES.name)
    page.get_by_role("combobox", name="Why").click()
    page.get_by_role("option", name="promotion").click()
    page.get_by_label("In your own words").fill("![x](http://evil.example) <b>two</b>")
    page.get_by_label("In your own words").press("Tab")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("1 line saved").wait_for()
    kept = pages.lake.read(OVERRIDES.name).to_pylist()
    assert [(row["person"], row["product_id"], row["quantity_from"], row["quantity_to"], row["reason"]) for row in kept] == [
        ("Zoë", product, before, before + 2 * pack, "promotion")
    ]
    where = f"store_id = '{store}' and product_id = '{product}' and edited"
    assert [row["order_quantity"] for row in pages.lake.read(ORDER_PLAN_FINAL.name, where).to_pylist()][:1] == [before + 2 * pack]
    page.get_by_role("button", name="Approve the plan").click()
    page.get_by_text("Approved by Zoë").wait_for()
    assert [(row["event"], row["person"], row["edits"]) for row in pages.lake.read(PLAN_EVENTS.name).to_pylist()] == [("approved", "Zoë", 1)]


def test_a_whole_store_is_raised_by_per_cent_in_whole_cases_and_taken_back(visit: Callable[..., Page], pages: Pages) -> None:
    store = str(pages.lake.read("gold/order_plan", columns="max(store_id) as s")["s"][0].as_py())
    page = visit(f"{STORE}{store}")
    page.get_by_text("Change many lines by per cent").click()
    page.get_by_label("Per cent").fill("50")
    page.get_by_label("Per cent").press("Tab")
    page.get_by_role("button", name="Put in").click()
    page.get_by_text("changed, not saved").wait_for()
    page.get_by_role("combobox", name="Why").click()
    page.get_by_role("option", name="holiday or event").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(re.compile(r"\d+ lines? saved")).wait_for()
    kept = pages.lake.read(OVERRIDES.name, f"store_id = '{store}'").to_pylist()
    assert {(row["action"], row["reason"]) for row in kept} == {("per cent", "holiday or event")}
    packs = dict(zip(*pages.lake.read("silver/products").select(["product_id", "case_pack"]).to_pydict().values(), strict=True))
    for row in kept:
        assert row["quantity_to"] % packs[row["product_id"]] == 0
        assert abs(row["quantity_to"] - 1.5 * row["quantity_from"]) <= packs[row["product_id"]] / 2
    page.get_by_role("button", name="Take all edits of this store back").click()
    page.get_by_text(f"{len(kept)} line").first.wait_for()
    page.get_by_role("button", name="Take all edits of this store back").wait_for(state="detached")
    actions = [row["action"] for row in pages.lake.read(OVERRIDES.name, f"store_id = '{store}'").to_pylist()]
    assert sorted(actions) == ["per cent"] * len(kept) + ["taken back"] * len(kept)
    assert pages.lake.read(ORDER_PLAN_FINAL.name, f"store_id = '{store}' and edited").num_rows == 0


def test_who_saves_over_an_edit_that_came_since_the_page_was_drawn_is_told_so(visit: Callable[..., Page], pages: Pages) -> None:
    store = first_store(pages)
    page = visit(f"{STORE}{store}")
    product = str(page.locator("input.edit").nth(1).get_attribute("data-row"))
    field = page.locator(f"input.edit[data-row='{product}']")
    seen, pack = int(field.input_value()), int(str(field.get_attribute("data-step")))
    field.fill(str(seen + 3 * pack))
    field.press("Enter")
    page.get_by_text("1 line changed, not saved").wait_for()
    page.get_by_role("combobox", name="Why").click()
    page.get_by_role("option", name="weather").click()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    target = Week(pages.lake.read("gold/order_plan", columns="max(origin_week) as o")["o"][0].as_py()) + 1
    theirs = [Change(store, product, seen + 5 * pack, seen)]
    edit_plan(pages.lake, Person("Bob", "operator"), Region("north_texas"), target, theirs, "price", "")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("1 line saved").wait_for()
    assert "Bob" in page.get_by_text("1 line saved").inner_text()
    assert str(seen + 5 * pack) in page.get_by_text("1 line saved").inner_text()


def test_a_plan_that_somebody_edits_before_the_button_is_pressed_is_shown_again_and_not_approved(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit("orders?region=north_texas")
    button = page.get_by_role("button", name="Approve the plan")
    button.wait_for()
    settled(page)
    line = pages.lake.read(ORDER_PLAN_FINAL.name).sort_by([("origin_week", "descending"), ("target_week", "ascending")]).to_pylist()[0]
    known = pages.lake.read_or_empty(PLAN_EVENTS.name).num_rows
    theirs = Change(line["store_id"], line["product_id"], line["order_quantity"] + 4 * line["case_pack"], line["order_quantity"])
    edit_plan(pages.lake, Person("Bob", "operator"), Region("north_texas"), Week(line["target_week"]), [theirs], "price", "")
    button.click()
    page.get_by_text("the last by Bob: price").wait_for()
    assert pages.lake.read_or_empty(PLAN_EVENTS.name).num_rows == known
    settled(page)
    button.click()
    page.get_by_text("Approved by ann").wait_for()
    assert pages.lake.read(PLAN_EVENTS.name).num_rows == known + 1


def test_a_viewer_and_a_planner_of_another_region_are_offered_no_edit(visit: Callable[..., Page], pages: Pages) -> None:
    for person in (Person("vic", "viewer"), Person("oda", "planner", ("ohio",))):
        pages.who["now"] = person
        page = visit(f"{STORE}{first_store(pages)}")
        page.locator("table").first.wait_for()
        assert page.locator("input.edit").count() == 0
        assert page.get_by_role("button", name="Approve").count() == 0


def test_a_table_is_sorted_and_searched_and_the_address_keeps_both(visit: Callable[..., Page]) -> None:
    page = visit("orders?region=north_texas")
    page.get_by_role("button", name="Units").click()
    page.wait_for_url("**stores.sort=-units**")
    units = page.locator("tbody tr td:nth-child(3)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in units]
    assert numbers == sorted(numbers, reverse=True)
    page.reload()
    page.locator("tbody tr").first.wait_for()
    assert page.locator("tbody tr td:nth-child(3)").all_inner_texts() == units
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Units")


def test_numbers_are_written_as_the_reader_s_browser_has_them(visit: Callable[..., Page]) -> None:
    english, german = (visit("orders?region=north_texas", locale=locale).locator("p.lead b").first.inner_text() for locale in ("en-US", "de-DE"))
    assert english.replace(",", ".") == german
    assert "," in english


def test_the_workbook_of_a_plan_is_downloaded(visit: Callable[..., Page]) -> None:
    page = visit("orders?region=north_texas")
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("link", name="Download the workbook").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"
    assert download.value.suggested_filename.startswith("plan_north_texas_")


def opened(page: Page, picker: str) -> Locator:
    """The options of a picker; its list closes when what stands above it is drawn anew, and is opened again as a person would."""
    options = page.get_by_role("option")
    while not options.count():
        page.get_by_role("combobox", name=picker).click()
        page.wait_for_timeout(300)
    return options


def test_what_is_chosen_while_the_page_is_still_drawn_holds_and_the_way_back_leads_over_both(visit: Callable[..., Page]) -> None:
    """Of two choices in a row the second one was lost: the page of the first was still being drawn."""
    page = visit("orders?region=north_texas")
    chosen = []
    for place in (2, 4):
        option = opened(page, "Store").nth(place)
        chosen.append(option.inner_text().rpartition(", ")[2])
        option.click()
        page.get_by_text(f"store {chosen[-1]},").wait_for()
    page.wait_for_url(f"**store={chosen[1]}")
    for store in (chosen[0], None):
        page.go_back()
        page.get_by_text(f"store {store}," if store else "for 8 stores").first.wait_for()


def test_an_address_with_nonsense_opens_the_page_all_the_same(visit: Callable[..., Page]) -> None:
    for path in ("orders?region=<script>&week=2020-01-01&store='", "scoring?region=x&store=%00&product=y", "training?region=../..&version=%3Cb%3E"):
        assert visit(path).locator("p.lead").count() == 1


def test_an_address_that_names_what_is_not_there_says_so_and_what_is_shown_in_its_place(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit("orders?region=atlantis&store=S1")
    page.get_by_text("There is no region atlantis here: this is North Texas.").wait_for()
    page.get_by_text("There is no store S1 here: this is All stores.").wait_for()
    page.goto(f"{pages.origin}/pages/overview")
    page.locator("p.lead").wait_for()
    assert page.url == f"{pages.origin}/pages/"
    assert page.get_by_role("dialog").count() == 0
