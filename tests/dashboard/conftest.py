"""Fixtures of tests of pages: a lake that real runs made, its pages behind their front, and a browser that may ask nobody else."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette

from orchestration.people import Person
from orchestration.web.access import TokenDoor
from orchestration.web.relay import Relay
from orchestration.web.webserver import behind_front
from tests.dashboard.browsing import CHROMIUM, DESK, TOKEN, Pages
from tests.orchestration.waiting import free_port, wait_for


@pytest.fixture(scope="module")
def pages(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    root = shutil.copytree(small_lake, tmp_path_factory.mktemp("pages") / "lake")
    who, port = {"now": Person("ann", "operator")}, free_port()

    class Door(TokenDoor):
        def admit(self, scope: Any) -> Any:
            found = super().admit(scope)
            return who["now"] if isinstance(found, Person) else found

    with TemporaryDirectory(prefix="pages-") as folder:
        socket, door = f"{folder}/s", Door(port, TOKEN, "ann")
        process = subprocess.Popen([sys.executable, "-m", "dashboard", socket], env={**os.environ, "SHELFCAST_ROOT": str(root)})
        server = uvicorn.Server(uvicorn.Config(behind_front(Starlette(), Relay(socket, door), door), host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            origin = f"http://127.0.0.1:{port}"
            wait_for(lambda: _is_up(origin), 120)
            yield Pages(root, origin, who)
        finally:
            server.should_exit = True
            thread.join()
            process.terminate()
            process.wait(timeout=30)


def _is_up(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/healthz", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    except httpx.TransportError:
        return False


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
    """Open a page of the lake and wait for its answer. Whatever goes wrong in the browser fails the test."""
    problems: list[str] = []
    opened_pages = []

    def opened(path: str, size: dict[str, int] = DESK, locale: str = "en-US") -> Page:
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
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" and "404" not in said.text else None)
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
