"""Fixtures of tests of pages: a lake that real runs made, its pages behind their front, and a browser that may ask nobody else."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.page_server import TOKEN, served
from orchestration.people import Person
from orchestration.web.access import TokenDoor
from tests.dashboard.browsing import CHROMIUM, DESK, Pages
from tests.orchestration.waiting import free_port


@pytest.fixture(scope="module")
def pages(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    root = shutil.copytree(small_lake, tmp_path_factory.mktemp("pages") / "lake")
    who, port = {"now": Person("ann", "operator")}, free_port()

    class Door(TokenDoor):
        def admit(self, scope: Any) -> Any:
            found = super().admit(scope)
            return who["now"] if isinstance(found, Person) else found

    with served(root, port, Door(port, TOKEN, "ann")) as server:
        yield Pages(root, server.origin, who)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> dict[str, BrowserContext]:
    """Browsers of readers by language: what one has loaded it does not load again."""
    return {}


@pytest.fixture
def visit(pages: Pages, browser: Browser, contexts: dict[str, BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Open a page of the lake and wait for its answer. Whatever goes wrong in the browser fails the test, but for errors with words that are allowed."""
    problems: list[str] = []
    opened_pages = []

    def opened(path: str, size: dict[str, int] = DESK, locale: str = "en-US", allowed: Sequence[str] = ()) -> Page:
        if locale not in contexts:
            contexts[locale] = browser.new_context(locale=locale)
            # No other host: neither asked for, nor reached if it were.
            contexts[locale].route(lambda url: not url.startswith(pages.origin), lambda route: route.abort())
        page = contexts[locale].new_page()
        opened_pages.append(page)
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.on("request", lambda request: None if request.url.startswith((pages.origin, "blob:", "data:")) else problems.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        # Streamlit looks for its root below a page's own address first.
        expected = ("404", *allowed)
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" and not any(map(said.text.count, expected)) else None)
        page.goto(f"{pages.origin}/healthz?token={TOKEN}")
        page.goto(f"{pages.origin}/pages/{path}")
        page.locator("p.lead").wait_for(timeout=60_000)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
        return page

    yield opened
    for page in opened_pages:
        page.close()
    pages.who["now"] = Person("ann", "operator")
    assert problems == []
