"""The time machine in a real browser: a moment is chosen from the list or by hand, stands in the address, and shows what stood then."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page

from orchestration.people import Person
from orchestration.service.orders import edit_plan
from tests.dashboard.browsing import BROWSED, Pages
from transforms.calendar import Region, Week
from transforms.orders.record import Change

pytestmark = BROWSED
REGION = Region("north_texas")


def units(page: Page) -> int:
    found = re.search(r"([\d,]+) units", page.locator("p.lead").inner_text())
    assert found is not None
    return int(found[1].replace(",", ""))


def test_a_moment_before_an_edit_shows_the_plan_without_it_and_can_be_sent_as_an_address(visit: Callable[..., Page], pages: Pages) -> None:
    target = Week(pages.lake.read("gold/order_plan", columns="max(origin_week) as o")["o"][0].as_py()) + 1
    [line] = pages.lake.query(
        f"select store_id, product_id, order_quantity as units from t where target_week = date '{target}' order by store_id, product_id limit 1",
        t="gold/order_plan",
    ).to_pylist()
    edit_plan(
        pages.lake, Person("Ann", "operator"), REGION, target, [Change(line["store_id"], line["product_id"], 600, line["units"])], "weather", ""
    )
    page = visit(f"time_machine?region={REGION}&week={target}")
    page.get_by_role("combobox", name="As seen on").click()
    edited = page.get_by_role("option", name=re.compile("edit.* by Ann"))
    edited.wait_for()
    edited.click()
    page.get_by_text("1 line edited").wait_for()
    with_edit, address = units(page), page.url
    page.get_by_role("combobox", name="As seen on").click()
    page.get_by_role("option", name=re.compile("made")).click()
    page.get_by_text("no line edited").wait_for()
    assert with_edit - units(page) == 600 - line["units"]
    page.get_by_text("The plan was edited 1 time.").wait_for()
    assert page.url != address
    page.goto(address)
    page.get_by_text("1 line edited").wait_for()
    assert units(page) == with_edit


def test_a_day_before_there_was_a_plan_says_so(visit: Callable[..., Page]) -> None:
    page = visit(f"time_machine?region={REGION}")
    page.get_by_text("Another moment").click()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    page.get_by_role("spinbutton", name="year, Day").click()
    page.keyboard.type(f"{yesterday:%Y%m%d}")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Look").click()
    page.get_by_text("North Texas had no plan for the week of").wait_for()
    assert f"at={yesterday}" in page.url
