"""Every page of a lake in a real browser that can reach no other host, on a desk and on a phone: pictures of each, and what is wrong with it.

`python -m benchmarks.look --root ROOT --to FOLDER [--dark] [--tallest PIXELS]` ends with a table, and fails if anything was found.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from rich.console import Console
from rich.table import Table

from benchmarks.page_faults import SCREENS, faults_of, turned_to
from benchmarks.page_server import PageServer, served
from benchmarks.page_views import signed_in
from benchmarks.servers import free_ports
from transforms.contracts.life_cycle import MODEL_EVENTS
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.lake.tables import Lake

_PATIENCE_MS = 60_000


@dataclass
class Looked:
    """A page that was looked at: seconds until its answer was there, and what is wrong with it."""

    name: str
    path: str
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def paths(lake: Lake) -> dict[str, str]:
    """Every page by the name of its picture: as it opens, and with something of this lake chosen."""
    [line] = lake.query(
        """
        select region, store_id, product_id from t where edited or order_quantity > 0
        order by edited desc, target_week desc, order_quantity desc limit 1
        """,
        t=ORDER_PLAN_FINAL.name,
    ).to_pylist()
    here, of_store = f"?region={line['region']}", f"&store={line['store_id']}"
    weeks = lake.query(f"select distinct origin_week as w from t where region = '{line['region']}' order by w", t="gold/forecasts")["w"].to_pylist()
    [model] = lake.query(
        """
        select region, model_version from t where event in ('rejected', 'rolled back', 'champion')
        order by event = 'champion', event_time desc limit 1
        """,
        t=MODEL_EVENTS.name,
    ).to_pylist()
    return {
        "overview": "",
        "training": "training",
        "training-version": f"training?region={model['region']}&version={model['model_version']}",
        "monitoring": "monitoring",
        "scoring": "scoring",
        "scoring-series": f"scoring{here}{of_store}&product={line['product_id']}",
        "orders": f"orders{here}",
        "orders-store": f"orders{here}{of_store}",
        "what-if": f"what_if{here}",
        "time-machine": f"time_machine{here}&week={weeks[len(weeks) // 2]}",
        "value-added": "value_added",
        "data-for-other-tools": f"bi{here}",
    }


def look(context: BrowserContext, server: PageServer, one: Looked, to: Path, tallest: int) -> None:
    """Open a page, put down what is wrong with it, and take a picture of it on each screen."""
    page = context.new_page()
    with _listened(page, server, one.faults):
        begun = time.perf_counter()
        page.goto(f"{server.origin}/pages/{one.path}", wait_until="commit")
        page.locator("p.lead").wait_for(timeout=_PATIENCE_MS)
        one.seconds = time.perf_counter() - begun
        _whole(page)
        one.faults += faults_of(page)
        for screen in SCREENS:
            _picture(page, screen, to / f"{one.name}-{screen}.jpg", tallest)
    page.close()


@contextmanager
def _listened(page: Page, server: PageServer, faults: list[str]) -> Iterator[None]:
    def asked(url: str) -> None:
        if not url.startswith((server.origin, server.origin.replace("http", "ws", 1), "blob:", "data:")):
            faults.append(f"asks {url}")

    page.on("request", lambda request: asked(request.url))
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    # Streamlit looks for its root below a page's own address first, which answers 404.
    page.on("console", lambda said: faults.append(f"console: {said.text}") if said.type == "error" and "404" not in said.text else None)
    try:
        yield
        if page.locator("[data-testid=stException]").count():
            faults.append("shows an exception")
    except PlaywrightError as error:
        faults.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")


def _whole(page: Page) -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=_PATIENCE_MS)
    # Charts are drawn after the script has ended.
    page.wait_for_timeout(1_000)


def _picture(page: Page, screen: str, file: Path, tallest: int) -> None:
    turned_to(page, screen)
    height = page.evaluate("Math.max(...[...document.querySelectorAll('[data-testid=stMain], section')].map((one) => one.scrollHeight))")
    page.set_viewport_size({"width": SCREENS[screen][0], "height": min(int(height), tallest)})
    _whole(page)
    page.screenshot(path=file, type="jpeg", quality=70)


def looked_at(root: Path, to: Path, *, dark: bool, tallest: int) -> list[Looked]:
    """Look at every page of a lake."""
    to.mkdir(parents=True, exist_ok=True)
    found = [Looked(name, path) for name, path in paths(Lake(str(root))).items()]
    with served(root, free_ports(1)[0]) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        with signed_in(browser, server, dark=dark) as context:
            context.route(lambda url: not url.startswith(server.origin), lambda route: route.abort())
            for one in found:
                look(context, server, one, to, tallest)
        browser.close()
    return found


def main() -> None:
    """Look, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="lake root")
    parser.add_argument("--to", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--dark", action="store_true", help="as a browser in dark mode has them")
    parser.add_argument("--tallest", type=int, default=5_000, help="pixels up to which a picture reaches down")
    given = parser.parse_args()
    table = Table("page", "answer after, s", "what is wrong", title="Pages")
    found = looked_at(given.root.resolve(), given.to, dark=given.dark, tallest=given.tallest)
    for one in found:
        table.add_row(one.name, f"{one.seconds:.1f}", "\n".join(one.faults) or "nothing found")
    Console(width=160).print(table)
    sys.exit(any(one.faults for one in found))


if __name__ == "__main__":
    main()
