"""How long people wait for the pages, with five million forecast rows behind them: first paint, a change, and twenty people at once.

By itself, on the root that `shelfcast demo` made: `python -m benchmarks.pages --root ROOT`. Seconds are by the clock, browser, front and pages on the
same cores; CPU seconds are those of the process that draws the pages, and say what more cores would bring.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.page_server import PageServer, served
from benchmarks.page_views import Asked, asked_for, changed, first_paint, signed_in
from benchmarks.people import Round, Wish, visited
from benchmarks.recording import record
from benchmarks.servers import free_ports
from benchmarks.wide_lake import Width, renewed, widened
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.lake.tables import Lake

WIDTH = Width(stores=4, products=5, origins=26)
"""Of the demo's lake: 5.2 million forecasts of 14 regions with 40 stores each."""
PEOPLE = 20
FIRST_PAINT, CHANGE = 2.0, 1.0
"""Goals in seconds."""
_TIMES = 3
"""How often what can be repeated is measured; the median counts."""
_BESIDE_SECONDS = 3.0
"""So much longer at least takes Dagster, which starts beside the pages, before `shelfcast ui` says their address."""
_Row = dict[str, object]


def pages(source: Path, scratch: Path) -> list[_Row]:  # noqa: ARG001 - one signature for all; takes the demo that `limit` made
    """Make the lake wide, and measure its pages."""
    base = scratch / "demo"
    if not base.exists():
        subprocess.run([sys.executable, "-m", "orchestration", "demo", "--local", "--root", str(base)], check=True, stdout=subprocess.DEVNULL)
    (scratch / "wide").mkdir()
    return measured(widened(base, scratch / "wide", WIDTH), Console(width=140))


def measured(lake: Lake, console: Console, people: int = PEOPLE) -> list[_Row]:
    """Show what was measured, and return it as rows to record."""
    stores = _stores(lake)
    rows = _browsed(lake, asked_for(*stores[0]), console) + _crowded(lake, stores, people)
    table = Table("measurement", "value", "unit", "goal", title="Pages")
    for row in rows:
        table.add_row(str(row["name"]), f"{row['value']:.2f}", str(row["unit"]), str(row["peer_value"]))
    console.print(table)
    return rows


def _stores(lake: Lake) -> list[tuple[str, str]]:
    """Stores with a plan, of another region each as far as there are regions; those beside them are for changes."""
    with lake.connect(ORDER_PLAN_FINAL.name) as connection:
        found = connection.execute(
            """
            with stores as (
                select region, store_id, row_number() over (partition by region order by store_id) as place
                from (select distinct region, store_id from gold_order_plan_final)
            )
            select region, store_id from stores where place % 2 = 1 order by place, region
            """
        ).fetchall()
    return [(region, store) for region, store in found]


def _browsed(lake: Lake, asked: list[Asked], console: Console) -> list[_Row]:
    """First paint and changes in a browser, in a fresh process for each page and then in one that serves all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        console.print("Chromium is not installed (apt-get install chromium): first paint and changes are not measured.")
        return []
    rows: list[_Row] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for one in asked:
            with _server(lake) as server, signed_in(browser, server) as context:
                time.sleep(_BESIDE_SECONDS)
                rows.append(_row(f"{one.title}: first paint, fresh process and browser", first_paint(context, server, one), "s", FIRST_PAINT))
        with tempfile.TemporaryDirectory() as nothing, _server(Lake(nothing)) as server, signed_in(browser, server) as context:
            first_paint(context, server, asked[0])
            alone = _median(lambda: first_paint(context, server, asked[0]))
            rows.append(_row("an empty lake: first paint, asked before (what the browser itself takes)", alone, "s", FIRST_PAINT))
        with _server(lake) as server, signed_in(browser, server) as context:
            for one in asked:
                first_paint(context, server, one)
                rows += _page_rows(lake, context, server, one)
        browser.close()
    return rows


def _page_rows(lake: Lake, context: BrowserContext, server: PageServer, one: Asked) -> Iterator[_Row]:
    def after_a_run() -> float:
        renewed(lake)
        time.sleep(1.1)  # versions that were looked up hold for a second
        return first_paint(context, server, one)

    yield _row(f"{one.title}: first paint, every table just written to", _median(after_a_run), "s", FIRST_PAINT)
    yield _row(f"{one.title}: first paint, asked before", _median(lambda: first_paint(context, server, one)), "s", FIRST_PAINT)
    if change := one.change:
        yield _row(f"{one.title}: a change", _median(lambda: changed(context, server, one, change)), "s", CHANGE)


def _crowded(lake: Lake, stores: list[tuple[str, str]], people: int) -> list[_Row]:
    """Many people at once, right after every table was written to: planners at their stores, then people at all pages."""
    chosen = [stores[place % len(stores)] for place in range(people)]
    planners = [Wish("orders", {"region": region, "store": store}, "Store") for region, store in chosen]
    kinds = ("orders", "scoring", "training", "what_if", "time_machine")
    mixed = [
        Wish(kinds[place % len(kinds)], {"region": region}, "Store" if kinds[place % len(kinds)] == "scoring" else "Region")
        for place, (region, _) in enumerate(chosen)
    ]
    rows: list[_Row] = []
    with _server(lake) as server:
        for who, wishes in (("planners, a store each", planners), ("people, five pages", mixed)):
            renewed(lake)
            time.sleep(1.1)
            opened, moved = visited(server, wishes)
            rows += [*_round_rows(f"{people} {who}: open", opened, FIRST_PAINT), *_round_rows(f"{people} {who}: change", moved, CHANGE)]
        rows.append(_row(f"memory of the pages' process after {2 * people} people", server.megabytes(), "MB", None))
    return rows


def _round_rows(name: str, seen: Round, goal: float) -> list[_Row]:
    return [
        _row(f"{name}, answer, median", seen.answer, "s", goal),
        _row(f"{name}, whole page, median", seen.median, "s", None),
        _row(f"{name}, whole page, slowest", seen.slowest, "s", None),
        _row(f"{name}, CPU of the pages' process a view", seen.cpu, "CPU s", None),
    ]


def _row(name: str, value: float, unit: str, goal: float | None) -> _Row:
    return {"name": f"pages: {name}", "value": value, "unit": unit, "peer": "goal" if goal else "-", "peer_value": goal if goal else "-"}


@contextmanager
def _server(lake: Lake) -> Iterator[PageServer]:
    with served(Path(lake.root), free_ports(1)[0]) as server:
        yield server


def _median(measure: Callable[[], float]) -> float:
    return sorted(measure() for _ in range(_TIMES))[_TIMES // 2]


def main() -> None:
    """Measure by itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="root that `shelfcast demo` made")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        record(measured(widened(given.root, Path(scratch), WIDTH), Console(width=140)), f"python -m benchmarks.pages --root {given.root.name}")


if __name__ == "__main__":
    main()
