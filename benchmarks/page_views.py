"""The pages in a browser: how each is opened and changed, and how long that takes by the clock, until a person sees the answer."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.page_server import TOKEN, PageServer

_PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A page, the address at which it is opened, and how it is changed (none where there is nothing to choose)."""

    title: str
    path: str
    change: Callable[[Page], float] | None = None


def asked_for(region: str, store: str) -> list[Asked]:
    """Every page, opened for a region (and one of its stores)."""
    of_region = f"?region={region}"
    return [
        Asked("Overview", ""),
        Asked("Training", f"training{of_region}", _choosing("Region")),
        Asked("Monitoring", "monitoring"),
        Asked("Scoring", f"scoring{of_region}", _choosing("Store")),
        Asked("Orders of a region", f"orders{of_region}", _choosing("Region")),
        Asked("Orders of a store", f"orders{of_region}&store={store}", _editing),
        Asked("What if", f"what_if{of_region}", _choosing("Region")),
        Asked("Time machine", f"time_machine{of_region}", _choosing("Region")),
    ]


@contextmanager
def signed_in(browser: Browser, server: PageServer, *, dark: bool = False) -> Iterator[BrowserContext]:
    """A browser that has nothing of the pages yet."""
    context = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900}, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto(f"{server.origin}/healthz?token={TOKEN}")
    page.close()
    yield context
    context.close()


@contextmanager
def _opened(context: BrowserContext, server: PageServer, one: Asked) -> Iterator[tuple[Page, float]]:
    """The page, and the seconds from asking for it to seeing its answer."""
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(f"{server.origin}/pages/{one.path}", wait_until="commit")
    page.locator("p.lead").wait_for(timeout=_PATIENCE_MS)
    yield page, time.perf_counter() - begun
    page.close()


def first_paint(context: BrowserContext, server: PageServer, one: Asked) -> float:
    """Seconds from asking for a page to seeing its answer."""
    with _opened(context, server, one) as (_, seconds):
        return seconds


def changed(context: BrowserContext, server: PageServer, one: Asked, change: Callable[[Page], float]) -> float:
    """Seconds from a change of a page that was whole to seeing what it says then."""
    with _opened(context, server, one) as (page, _):
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=_PATIENCE_MS)
        return change(page)


def _choosing(picker: str) -> Callable[[Page], float]:
    """Choose the next option of a picker that nobody has chosen yet; until another answer stands there."""
    place = 0

    def change(page: Page) -> float:
        nonlocal place
        place += 1
        before = page.locator("p.lead").inner_text()
        page.get_by_role("combobox", name=picker).click()
        option = page.get_by_role("option").nth(place + 1)
        option.wait_for()
        begun = time.perf_counter()
        option.click()
        page.wait_for_function("before => document.querySelector('p.lead')?.innerText !== before", arg=before, timeout=_PATIENCE_MS)
        return time.perf_counter() - begun

    return change


def _editing(page: Page) -> float:
    """Enter two cases more for the first line; until it is told what that costs."""
    entry = page.locator("input.edit").first
    entry.wait_for()
    entry.fill(str(int(entry.input_value()) + 2 * int(str(entry.get_attribute("data-step")))))
    begun = time.perf_counter()
    entry.press("Enter")
    page.get_by_text("1 line changed, not saved").wait_for(timeout=_PATIENCE_MS)
    return time.perf_counter() - begun
