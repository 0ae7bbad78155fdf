"""`shelfcast demo`: the embedded world from an empty folder to a table of 14 regions."""

import time

from rich.console import Console

from orchestration.cli.session import condition, run_weeks
from orchestration.project import Project
from orchestration.reports.report import plain
from orchestration.runtime.cycle import initialise
from orchestration.settings import Settings
from transforms.adapters import load_provider
from transforms.lake.lease import lease
from transforms.lake.remote.working_copy import holds_anything, push
from transforms.lake.tables import Lake
from transforms.landing import refuse_borrowed
from transforms.world import WorldSpec, simulate, write_landing, write_truth

PROVIDER = "sample"
WORLD = WorldSpec()


def run_demo(settings: Settings, local: bool, console: Console, spec: WorldSpec = WORLD) -> None:
    """Simulate and take in; forecast weeks that have landed already, and show how that turned out; plan the week that comes next."""
    started, lake = time.monotonic(), Lake(settings.root, settings.storage_options)
    refuse_borrowed(lake)
    landing = lake.path("landing", PROVIDER)
    with lease(lake, "cycle", "shelfcast demo", plain(console)):
        initialise(lake, load_provider(PROVIDER), PROVIDER, None, None)
        world = simulate(spec)
        if not holds_anything(lake, "landing", PROVIDER):
            console.print(f"[bold]sample world[/]: {len(world.series_store):,} series in {world.spec.regions} regions, {world.first}..{world.last}")
            write_landing(world, landing)
            push(lake, landing, write_truth(world, lake.path("truth")))
        condition(settings, local, console)
        for origin in (world.last + -Project.of(lake).horizons, world.last):
            run_weeks(settings, (str(origin), str(origin)), [], local, console)
    console.print(
        f"\nDone in {time.monotonic() - started:.0f} s. Where to look:\n"
        f"  [bold]shelfcast ui[/]      the Dagster UI with the runs, assets and drift reports of this demo, under the address that it prints\n"
        f"  [bold]shelfcast status[/]  tables, champions and accuracy\n"
        f"  [bold]shelfcast plan --target {world.last + 1} --to plans[/]  what to put on the truck next week: a workbook a region\n"
        f"  {lake.address('lake', 'gold')}   forecasts, order plan, accuracy, drift as Delta tables\n"
        f"  {lake.address('reports', 'drift')}   drift reports",
        highlight=False,
        soft_wrap=True,
    )
