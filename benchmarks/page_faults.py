"""What is wrong with a page as a person has it before them: an answer out of sight, a screen too narrow, what a screen reader cannot read."""

from contextlib import suppress

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as TookTooLong

SCREENS = {"desk": (1440, 900), "phone": (390, 844)}
"""Width and height in pixels."""
_ANSWER_ABOVE, _REDRAWN_MS = 400, 10_000


def faults_of(page: Page) -> list[str]:
    """Look at a page on each screen; one sentence for each fault, none where there is nothing to say."""
    return [f"{screen}: {fault}" for screen in SCREENS for fault in _faults_on(page, screen)]


def turned_to(page: Page, screen: str) -> None:
    """Give a page the size of a screen, and wait until it is drawn for it."""
    width, height = SCREENS[screen]
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _faults_on(page: Page, screen: str) -> list[str]:
    turned_to(page, screen)
    lead, width = page.locator("p.lead"), SCREENS[screen][0]
    box = lead.bounding_box()
    below = None if box is None else box["y"] + box["height"]
    needed = _width_needed(page, width)
    return [
        *(
            []
            if below is not None and below < _ANSWER_ABOVE
            else [f"the answer ends {below} pixels from the top, expected less than {_ANSWER_ABOVE}"]
        ),
        *([] if any(letter.isdigit() for letter in lead.inner_text()) else [f"the answer has no number: {lead.inner_text()!r}"]),
        *([] if needed <= width else [f"{needed} pixels wide, expected {width}"]),
        *(f"axe, {fault}" for fault in found_by_axe(page)),
    ]


def _width_needed(page: Page, width: int) -> int:
    """Pixels that the page takes once its charts, which are drawn anew some time after the screen has changed, have had time for it."""
    with suppress(TookTooLong):
        page.wait_for_function("width => document.querySelector('[data-testid=stMain]').scrollWidth <= width", arg=width, timeout=_REDRAWN_MS)
    return int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth"))


def found_by_axe(page: Page) -> list[str]:
    """What hinders readers of a page seriously or altogether, with the elements that do."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'][:200] for node in one['nodes']][:3]}" for one in found if one["impact"] in {"serious", "critical"}]
