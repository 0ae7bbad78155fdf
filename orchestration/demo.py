"""`shelfcast demo`: the embedded world from an empty folder to a table of 14 regions."""

import time

from rich.console import Console

from orchestration.cycle import initialise
from orchestration.project import Project
from orchestration.report import plain
from orchestration.session import condition, run_weeks
from orchestration.settings import Settings
from transforms.adapters import load_provider
from transforms.lake import Lake
from transforms.lease import lease

PROVIDER = "sample"


def run_demo(settings: Settings, local: bool, console: Console) -> None:
    """Simulate, take in, train, forecast, and show how the forecasts for the last weeks turned out."""
    from transforms.world import WorldSpec, simulate, write_landing, write_truth  # noqa: PLC0415

    started, lake = time.monotonic(), Lake(settings.root, settings.storage_options)
    landing = lake.path("landing", PROVIDER)
    with lease(lake, "cycle", "shelfcast demo", plain(console)):
        initialise(lake, load_provider(PROVIDER), PROVIDER, None, None)
        world = simulate(WorldSpec())
        if not landing.exists():
            console.print(f"[bold]sample world[/]: {len(world.series_store):,} series in {world.spec.regions} regions, {world.first}..{world.last}")
            write_landing(world, landing)
            write_truth(world, lake.path("truth"))
        condition(settings, local, console)
        origin = str(world.last + -Project.load(lake.path()).horizons)
        run_weeks(settings, origin, origin, [], local, console)
    console.print(
        f"\nDone in {time.monotonic() - started:.0f} s. Where to look:\n"
        f"  [bold]shelfcast ui[/]      the Dagster UI with the runs, assets and drift reports of this demo (http://127.0.0.1:3000)\n"
        f"  [bold]shelfcast status[/]  tables, champions and accuracy\n"
        f"  {lake.path('lake', 'gold')}   forecasts, order plan, accuracy, drift as Delta tables\n"
        f"  {lake.path('reports', 'drift')}   drift reports",
        highlight=False,
        soft_wrap=True,
    )
