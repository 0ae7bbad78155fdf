"""Entering quantities in a hurry, in a real browser: nothing that was entered goes elsewhere or is lost, however one leaves the page."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from starlette.responses import PlainTextResponse

from dashboard.parts.numbers import Numbers
from orchestration.people import Person
from orchestration.service.orders import edit_plan
from tests.dashboard.browsing import BROWSED, STORE, Pages, settled
from transforms.calendar import Region, Week
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES, PLAN_EVENTS
from transforms.orders.record import Change

pytestmark = BROWSED


def stores(pages: Pages) -> list[str]:
    return sorted(set(pages.lake.read("gold/order_plan", "region = 'north_texas'")["store_id"].to_pylist()))


def entered(page: Page, more: int = 2) -> tuple[str, int]:
    """Enter so many packs more into the first line; its product and the quantity."""
    field = page.locator("input.edit").first
    field.wait_for()
    product, quantity = str(field.get_attribute("data-row")), int(field.input_value()) + more * int(str(field.get_attribute("data-step")))
    field.fill(str(quantity))
    field.press("Enter")
    return product, quantity


def field_of(page: Page, product: str) -> Locator:
    return page.locator(f"input.edit[data-row='{product}']")


def choose_why(page: Page) -> None:
    """The first thing that is done on the page tells that somebody else has signed in."""
    settled(page)
    page.get_by_role("combobox", name="Why").click()
    page.get_by_role("option", name="weather").click()


@pytest.fixture(autouse=True)
def _nothing_unsaved(pages: Pages) -> Iterator[None]:
    yield
    for file in (pages.root / "unsaved").glob("*"):
        file.unlink()


def pages_process(pages: Pages) -> int:
    """The process that draws the pages."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "cmdline").exists():
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"dashboard" in words and f"SHELFCAST_ROOT={pages.root}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                return int(entry.name)
    raise AssertionError("no process draws the pages")


@contextmanager
def slow(pages: Pages, seconds: float) -> Iterator[None]:
    """The pages' process does nothing until the end and for a while longer."""
    process = pages_process(pages)
    os.kill(process, signal.SIGSTOP)
    try:
        yield
        time.sleep(seconds)
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("leave", ["a product's link", "the navigation", "the region's stores", "a reload"])
def test_what_was_entered_and_not_saved_is_there_when_one_comes_back(visit: Callable[..., Page], pages: Pages, leave: str) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}")
    product, quantity = entered(page)
    page.get_by_text("1 line changed, not saved").wait_for()
    settled(page)
    if leave == "a product's link":
        page.locator("tbody th a").first.click()
        page.wait_for_url(re.compile("/scoring"))
        page.go_back()
    elif leave == "the navigation":
        page.get_by_role("link", name="Monitoring", exact=True).click()
        page.wait_for_url(re.compile("/monitoring"))
        page.go_back()
    elif leave == "a reload":
        page.reload()
    else:
        page.goto(f"{pages.origin}/pages/orders?region=north_texas")
        page.locator("p", has_text="Entered by you and not saved yet").get_by_role("link").click()
    page.get_by_text("1 line changed, not saved").wait_for()
    expect(field_of(page, product)).to_have_value(str(quantity))


def test_what_is_entered_just_before_another_store_is_chosen_goes_to_the_store_it_was_entered_for(visit: Callable[..., Page], pages: Pages) -> None:
    one, other = stores(pages)[:2]
    page = visit(f"{STORE}{one}")
    with slow(pages, 1.0):
        product, quantity = entered(page)
        page.get_by_role("combobox", name="Store").click()
        page.get_by_role("option", name=f", {other}").click()
    page.get_by_text(f", store {other}").first.wait_for()
    settled(page)
    assert page.get_by_text("changed, not saved").count() == 0
    page.goto(f"{pages.origin}/pages/{STORE}{one}")
    page.get_by_text("1 line changed, not saved").wait_for()
    expect(field_of(page, product)).to_have_value(str(quantity))


def test_what_is_entered_into_both_tables_of_a_store_while_the_server_is_slow_is_kept(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}")
    tables = page.locator("table", has=page.locator("input.edit"))
    expect(tables).to_have_count(2)
    wanted: dict[str, int] = {}
    with slow(pages, 0.5):
        for place, table in ((1, 0), (0, 0), (1, 1)):
            field = tables.nth(place).locator("input.edit").nth(table)
            product, pack = str(field.get_attribute("data-row")), int(str(field.get_attribute("data-step")))
            wanted[product] = int(field.input_value()) + 3 * pack
            field.fill(str(wanted[product]))
            field.press("Enter")
    page.get_by_text("3 lines changed, not saved").wait_for()
    settled(page)
    for product, quantity in wanted.items():
        expect(field_of(page, product)).to_have_value(str(quantity))


@pytest.fixture(scope="module")
def started() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that draw the pages from now on, until the last test."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


@pytest.fixture
def restart(pages: Pages, started: list["subprocess.Popen[bytes]"]) -> Callable[[Page, Callable[[], None]], None]:
    """Kill the process that draws the pages, do something meanwhile, start it again as the UI does, and wait until the page is connected."""

    def restarted(page: Page, meanwhile: Callable[[], None]) -> None:
        process = Path("/proc", str(pages_process(pages)))
        command = (process / "cmdline").read_text().rstrip("\0").split("\0")
        environment = dict(pair.split("=", 1) for pair in (process / "environ").read_text().rstrip("\0").split("\0"))
        os.kill(int(process.name), signal.SIGKILL)
        page.locator("[data-testid=stApp]:not([data-test-connection-state=CONNECTED])").wait_for(timeout=60_000)
        meanwhile()
        started.append(subprocess.Popen(command, env=environment))
        page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for(timeout=90_000)

    return restarted


BROKEN = ["WebSocket", "503", "disconnected from server"]


def test_what_is_entered_while_the_pages_process_is_gone_is_kept_once_there_is_another(
    visit: Callable[..., Page], pages: Pages, restart: Callable[..., None]
) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}", allowed=BROKEN)
    found: list[tuple[str, int]] = []
    restart(page, lambda: found.append(entered(page)))
    page.get_by_text("1 line changed, not saved").wait_for(timeout=90_000)
    settled(page)
    [(product, quantity)] = found
    expect(field_of(page, product)).to_have_value(str(quantity))


def test_what_changed_while_the_connection_was_broken_is_not_approved_unseen(
    visit: Callable[..., Page], pages: Pages, restart: Callable[..., None]
) -> None:
    page = visit("orders?region=north_texas", allowed=BROKEN)
    approve = page.get_by_role("button", name="Approve the plan")
    approve.wait_for()
    settled(page)
    known = pages.lake.read_or_empty(PLAN_EVENTS.name).num_rows
    restart(page, lambda: edited_by_bob(pages, stores(pages)[0]))
    approve.click()
    page.get_by_text("the connection was broken meanwhile, and the page is drawn anew").wait_for()
    settled(page)
    assert pages.lake.read_or_empty(PLAN_EVENTS.name).num_rows == known
    approve.click()
    page.get_by_text("Approved by ann").wait_for()


def edited_by_bob(pages: Pages, store: str) -> None:
    """Bob loads two packs more of a product of a store."""
    line = pages.lake.read(ORDER_PLAN_FINAL.name, f"store_id = '{store}'").sort_by([("origin_week", "descending"), ("target_week", "ascending")])
    row = line.to_pylist()[-1]
    target = Week(line["origin_week"][0].as_py()) + 1
    [row] = [one for one in line.to_pylist() if (one["target_week"], one["product_id"]) == (target.monday, row["product_id"])]
    more = row["order_quantity"] + 2 * row["case_pack"]
    change = Change(store, row["product_id"], more, row["order_quantity"])
    edit_plan(pages.lake, Person("Bob", "operator"), Region("north_texas"), target, [change], "price", "")


def test_edits_that_were_made_since_the_page_was_drawn_are_not_taken_back_unseen(visit: Callable[..., Page], pages: Pages) -> None:
    store = stores(pages)[2]
    edited_by_bob(pages, store)
    page = visit(f"{STORE}{store}")
    button = page.get_by_role("button", name="Take all edits of this store back")
    button.wait_for()
    settled(page)
    known = pages.lake.read(OVERRIDES.name).num_rows
    edited_by_bob(pages, store)
    button.click()
    page.get_by_text("its edits changed after this page was drawn").wait_for()
    assert pages.lake.read(OVERRIDES.name).num_rows == known + 1
    settled(page)
    button.click()
    button.wait_for(state="detached")
    assert "taken back" in pages.lake.read(OVERRIDES.name)["action"].to_pylist()


def test_what_another_tab_entered_is_shown_before_it_is_saved(visit: Callable[..., Page], pages: Pages) -> None:
    store = stores(pages)[3]
    one, other = visit(f"{STORE}{store}"), visit(f"{STORE}{store}")
    entered(one)
    one.get_by_text("1 line changed, not saved").wait_for()
    choose_why(one)
    settled(one)
    field = other.locator("input.edit").nth(1)
    field.fill(str(int(field.input_value()) + 4 * int(str(field.get_attribute("data-step")))))
    field.press("Enter")
    other.get_by_text("2 lines changed, not saved").wait_for()
    known = pages.lake.read_or_empty(OVERRIDES.name).num_rows
    one.get_by_role("button", name="Save", exact=True).click()
    one.get_by_text("what you entered (in another tab, or just now) changed after this page was drawn").wait_for()
    settled(one)
    assert pages.lake.read_or_empty(OVERRIDES.name).num_rows == known
    one.get_by_role("button", name="Save", exact=True).click()
    one.get_by_text("2 lines saved").wait_for()
    assert pages.lake.read(OVERRIDES.name).num_rows == known + 2


def test_who_goes_on_by_keyboard_stays_in_the_table_when_it_is_drawn_anew(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}")
    field = page.locator("input.edit").first
    field.focus()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.get_by_text("1 line changed, not saved").wait_for()
    settled(page)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.get_by_text("2 lines changed, not saved").wait_for()


def test_a_share_is_of_what_is_entered_and_what_is_loaded_already_waits_no_more(visit: Callable[..., Page], pages: Pages) -> None:
    store = stores(pages)[4]
    page = visit(f"{STORE}{store}")
    product, quantity = entered(page, more=20)
    page.get_by_text("1 line changed, not saved").wait_for()
    page.get_by_text("Change many lines by per cent").click()
    pack = int(str(field_of(page, product).get_attribute("data-step")))
    page.get_by_role("button", name="Put in").click()
    page.locator(f"input.edit[data-row='{product}'][data-shown='{round(1.1 * quantity / pack) * pack}']").wait_for()
    settled(page)
    [file] = (pages.root / "unsaved").iterdir()
    kept = json.loads(file.read_text())
    for line in kept["lines"]:
        line["change"]["quantity"] = line["change"]["seen"]
    file.write_text(json.dumps(kept))
    page.reload()
    page.locator("input.edit").first.wait_for()
    settled(page)
    assert page.get_by_text("changed, not saved").count() == 0
    assert json.loads(file.read_text())["lines"] == []


def test_who_leaves_while_typing_is_asked_first(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.locator("input.edit").first.press_sequentially("7")
    page.evaluate("location.reload()")
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    page.locator("input.edit").first.press("Enter")
    page.get_by_text("changed, not saved").wait_for()
    settled(page)
    page.reload()
    page.get_by_text("changed, not saved").wait_for()
    assert asked == ["beforeunload"]


def test_what_is_no_quantity_that_a_truck_holds_is_refused_in_words(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}")
    before = page.locator("input.edit").first.input_value()
    for typed in ("1e300", "-12", "ten", "99999999999", "1.20"):
        field = page.locator("input.edit").first
        field.fill(typed)
        field.press("Enter")
        if typed != "1.20":
            page.get_by_text(f"'{typed}' is no number of units that can be loaded; expected 0 to 1,000,000. Nothing was changed.").wait_for()
            settled(page)
            assert page.locator("input.edit").first.input_value() == before
    page.get_by_text("1.2 units became 0").wait_for()


@pytest.mark.parametrize("locale", ["en-US", "de-DE", "fr-FR"])
def test_a_number_is_taken_as_the_page_writes_it(visit: Callable[..., Page], pages: Pages, locale: str) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}", locale=locale)
    field = page.locator("input.edit").first
    product, pack = str(field.get_attribute("data-row")), int(str(field.get_attribute("data-step")))
    wanted = 1000 // pack * pack + 10 * pack
    field.fill(Numbers(locale).whole(wanted))
    field.press("Enter")
    page.get_by_text("1 line changed, not saved").wait_for()
    settled(page)
    expect(field_of(page, product)).to_have_value(str(wanted))
    field_of(page, product).press("ArrowUp")
    field_of(page, product).press("Enter")
    page.get_by_text(re.compile("changed, not saved")).wait_for()
    settled(page)
    expect(field_of(page, product)).to_have_value(str(wanted + pack))


def test_what_cannot_be_read_or_is_gone_is_said_and_entries_are_kept(visit: Callable[..., Page], pages: Pages) -> None:
    path = f"{STORE}{stores(pages)[0]}"
    page = visit(path)
    entered(page)
    page.get_by_text("1 line changed, not saved").wait_for()
    choose_why(page)
    settled(page)
    table, aside = pages.root / "lake" / "gold" / "overrides", pages.root / "lake" / "gold" / "overrides.aside"
    if table.exists():
        table.rename(aside)
    table.write_text("no table")
    try:
        settled(page)
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("If it stays so: an operator finds what happened in services.log.").wait_for()
        assert page.get_by_text("defect").count() == 0
    finally:
        table.unlink()
        if aside.exists():
            aside.rename(table)
    page.reload()
    page.get_by_text("1 line changed, not saved").wait_for()
    settled(page)
    gone = pages.root.with_name("gone")
    pages.root.rename(gone)
    try:
        page.reload()
        page.get_by_text("the lake's folder was moved or removed, or the disk that holds it is not mounted").wait_for()
    finally:
        gone.rename(pages.root)


def test_a_week_that_was_chosen_on_one_page_is_not_that_of_another(visit: Callable[..., Page], pages: Pages) -> None:
    path = f"{STORE}{stores(pages)[0]}"
    page = visit(path)
    answer = page.locator("p.lead").inner_text()
    page.get_by_role("link", name="Scoring", exact=True).click()
    page.wait_for_url(re.compile("/scoring"))
    page.get_by_role("combobox", name="Target week").wait_for()
    settled(page)
    page.go_back()
    page.get_by_role("combobox", name="Week to load for").wait_for()
    settled(page)
    assert page.url == f"{pages.origin}/pages/{path}"
    assert page.locator("p.lead").inner_text() == answer


def test_a_tab_whose_sign_in_becomes_another_persons_is_drawn_for_them_and_saves_nothing_of_the_first(
    visit: Callable[..., Page], pages: Pages
) -> None:
    pages.who["now"] = Person("bea", "planner")
    page = visit(f"{STORE}{stores(pages)[0]}")
    entered(page)
    page.get_by_text("1 line changed, not saved").wait_for()
    known = pages.lake.read_or_empty(OVERRIDES.name).num_rows
    pages.who["now"] = Person("olga", "operator")
    choose_why(page)
    page.locator(".who", has_text="olga").wait_for(timeout=60_000)
    settled(page)
    assert page.get_by_text("changed, not saved").count() == 0
    assert pages.lake.read_or_empty(OVERRIDES.name).num_rows == known


def test_who_loses_the_role_of_a_planner_is_told_that_what_they_entered_cannot_be_saved(visit: Callable[..., Page], pages: Pages) -> None:
    pages.who["now"] = Person("bea", "planner")
    page = visit(f"{STORE}{stores(pages)[0]}")
    entered(page)
    page.get_by_text("1 line changed, not saved").wait_for()
    pages.who["now"] = Person("bea", "viewer")
    choose_why(page)
    page.get_by_text("You entered 1 line here and may not save them any more").wait_for(timeout=60_000)
    settled(page)
    assert page.locator("input.edit").count() == 0


def test_who_is_not_let_in_any_more_is_told_so_by_the_front(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit(f"{STORE}{stores(pages)[0]}", allowed=["403", "WebSocket"])
    pages.who["now"] = PlainTextResponse("bea has no role here.", status_code=403)
    page.locator("thead button").first.click()
    page.get_by_text("bea has no role here.").wait_for(timeout=60_000)
    assert page.get_by_text("Streamlit").count() == 0
