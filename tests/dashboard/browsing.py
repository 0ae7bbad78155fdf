"""The pages behind their front, as tests open them in a browser."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.responses import Response

from orchestration.people import Person
from transforms.lake.tables import Lake

CHROMIUM = shutil.which("chromium")
BROWSED = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]
"""Marks of a file of tests that open pages."""
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
STORE = "orders?region=north_texas&store="
# Streamlit says that it has drawn a page a moment before its tables stand in it.
expect.set_options(timeout=30_000)


@dataclass
class Pages:
    """The pages of a lake behind their front, asked by persons of any role or refused: `who["now"]`, who is ann, an operator, as each test starts."""

    root: Path
    origin: str
    who: dict[str, Person | Response]

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root))


def first_store(pages: Pages) -> str:
    """A store with a plan."""
    return str(pages.lake.read("gold/order_plan", columns="min(store_id) as s")["s"][0].as_py())


def settled(page: Page) -> None:
    """Wait until the page is drawn: what is being drawn anew is pale for a moment."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_timeout(500)
