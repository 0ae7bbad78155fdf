"""Operators decide on models and data in a real browser: a reason is asked for, what happens is said before and after, and nothing happens twice."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from benchmarks.page_faults import found_by_axe
from orchestration.people import Person
from tests.dashboard.browsing import BROWSED, DESK, PHONE, Pages, settled
from tests.orchestration.service.undecided import waiting_data, waiting_model
from transforms.records.model_registry import events_of

pytestmark = BROWSED
VIC = Person("vic", "viewer")
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def decided(pages: Pages, name: str) -> list[tuple[Any, ...]]:
    """Decisions on a model since it waits."""
    return [(row["event"], row["actor"], row["reason"]) for row in events_of(pages.lake, name)[1:]]


def data_decided(pages: Pages, name: str) -> list[tuple[Any, ...]]:
    """Decisions on a version of the data since it waits."""
    rows = [row for row in pages.lake.read("gold/dataset_events").to_pylist() if row["dataset_version"] == name]
    return [(row["event"], row["actor"], row["reason"]) for row in sorted(rows, key=lambda row: row["event_time"])[1:]]


def give_reason(page: Page, why: str) -> None:
    page.get_by_role("textbox", name="Reason").fill(why)


def serious(page: Page) -> list[str]:
    settled(page)
    return found_by_axe(page)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_an_operator_approves_a_model_that_waits_once_however_often_the_button_is_pressed(
    visit: Callable[..., Page], pages: Pages, size: dict[str, int]
) -> None:
    name = waiting_model(pages.lake, f"a{size['width']}")
    page = visit("training?metric=WAPE", size)
    page.locator("p.lead a").click()
    page.get_by_text("waits for approval since").wait_for()
    page.get_by_text("champion of North Texas, large, fast from the origin of").wait_for()
    assert "metric=WAPE" in page.url
    assert f"version={name}" in page.url
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= size["width"]
    assert serious(page) == []
    page.get_by_role("button", name="Approve this model").click()
    page.get_by_text("A decision needs its reason, which is kept for good. Nothing was changed.").wait_for()
    assert decided(pages, name) == []
    why = "better on returns ![x](http://evil.example) <b>two</b>"
    give_reason(page, why)
    page.get_by_role("button", name="Approve this model").dblclick()
    page.get_by_text(f"Approved: {name} is champion from the origin of").wait_for()
    page.get_by_text("Promoted by ann (signed in)").wait_for()
    assert page.locator("main a[href*=evil], main img[src*=evil]").count() == 0
    assert decided(pages, name) == [("champion", "ann (signed in)", why)]


def test_an_operator_rejects_a_model_and_goes_on_to_the_next(visit: Callable[..., Page], pages: Pages) -> None:
    first, second = waiting_model(pages.lake, "r1"), waiting_model(pages.lake, "r2", mover="slow")
    page = visit(f"training?region=north_texas&version={first}")
    give_reason(page, "worse on returns")
    page.get_by_role("button", name="Reject this model").click()
    page.get_by_text(f"Rejected: {first} does not serve.").wait_for()
    assert decided(pages, first) == [("rejected", "ann (signed in)", "worse on returns")]
    page.get_by_text("1 more model waits for approval").get_by_role("link").click()
    page.wait_for_url(f"**version={second}**")
    give_reason(page, "no longer needed")
    page.get_by_role("button", name="Reject this model").click()
    page.get_by_text(f"Rejected: {second} does not serve.").wait_for()


def test_what_somebody_else_decided_meanwhile_is_told_and_stands(visit: Callable[..., Page], pages: Pages) -> None:
    name = waiting_model(pages.lake, "m")
    one, other = (visit(f"training?version={name}") for _ in range(2))
    give_reason(one, "first")
    give_reason(other, "second")
    one.get_by_role("button", name="Reject this model").click()
    one.get_by_text(f"Rejected: {name}").wait_for()
    other.get_by_role("button", name="Approve this model").click()
    other.get_by_text(f"{name} is rejected by now: ann (signed in) decided meanwhile (first). Nothing was changed.").wait_for()
    assert decided(pages, name) == [("rejected", "ann (signed in)", "first")]
    assert other.get_by_role("button", name="Approve this model").count() == 0


def test_a_viewer_sees_what_waits_and_is_offered_no_decision(visit: Callable[..., Page], pages: Pages) -> None:
    name, data = waiting_model(pages.lake, "v"), waiting_data(pages.lake)
    pages.who["now"] = VIC
    page = visit(f"training?version={name}")
    page.get_by_text("waits for approval since").wait_for()
    page.get_by_text("An operator decides on it.").wait_for()
    assert page.get_by_role("button", name="Approve").count() == 0
    page = visit("monitoring")
    page.get_by_text(f"Version {data}").wait_for()
    assert page.get_by_role("button", name="Approve").count() == 0
    assert decided(pages, name) == []
    assert data_decided(pages, data) == []


def test_somebody_who_is_no_operator_any_more_decides_nothing_on_a_page_that_is_still_open(visit: Callable[..., Page], pages: Pages) -> None:
    name = waiting_model(pages.lake, "g")
    page = visit(f"training?version={name}")
    give_reason(page, "checked")
    pages.who["now"] = Person("ann", "viewer")
    page.get_by_role("button", name="Approve this model").click()
    page.wait_for_timeout(1_000)
    page.reload()
    page.get_by_text("An operator decides on it.").wait_for()
    assert decided(pages, name) == []


@pytest.mark.parametrize(("button", "event"), [("Approve", "approved"), ("Reject", "rejected")])
def test_an_operator_decides_on_data_that_wait_with_the_evidence_beside(visit: Callable[..., Page], pages: Pages, button: str, event: str) -> None:
    name = waiting_data(pages.lake)
    page = visit("monitoring", PHONE)
    assert "1 region waits for approval" in page.locator("p.lead").inner_text()
    panel = page.get_by_test_id("stExpander").filter(has_text=f"Version {name}")
    assert "Why it stopped: share in quarantine" in panel.inner_text()
    panel.get_by_role("table").get_by_text("failed").wait_for()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= PHONE["width"]
    assert serious(page) == []
    assert page.locator("a[href*=launchpad]").count() == 0
    give_reason(page, "carrier confirmed")
    panel.get_by_role("button", name=f"{button} the data of North Texas").dblclick()
    page.get_by_text(f"{event.capitalize()}: {name}, the data of North Texas").wait_for()
    page.locator(IDLE).wait_for()
    assert "waits for approval" not in page.locator("p.lead").inner_text()
    assert data_decided(pages, name) == [(event, "ann (signed in)", "carrier confirmed")]


def test_a_version_opened_from_a_table_keeps_how_that_table_is_sorted_and_searched(visit: Callable[..., Page], pages: Pages) -> None:
    page = visit("training?region=north_texas")
    page.get_by_text("RMSE_all", exact=True).first.click()
    page.wait_for_url("**metric=RMSE_all**")
    table = page.get_by_role("table", name="Decisions on models")
    table.get_by_role("button", name="MAPE").click()
    page.wait_for_url("**decisions.sort=-mape**")
    page.locator(IDLE).wait_for()
    table.get_by_role("link").first.click()
    page.get_by_text("Decisions on this version").first.wait_for(state="attached")
    for kept in ("region=north_texas", "metric=RMSE_all", "decisions.sort=-mape", "version="):
        assert kept in page.url
    page.get_by_role("link", name="Close").click()
    page.wait_for_url(lambda url: "version=" not in url and "metric=RMSE_all" in url)
