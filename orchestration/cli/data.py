"""`shelfcast data`: thin commands over `orchestration.views.data`."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from orchestration.cli.options import Reason, Who
from orchestration.project import use_lake
from transforms.calendar import Region

app = typer.Typer(name="data", help="Versions of the conditioned data: their history, what changed, who approved them.", no_args_is_help=True)

Root = Annotated[str | None, typer.Option("--root", help="Lake root (default: SHELFCAST_ROOT, else .shelfcast in the checkout).")]
RegionOption = Annotated[str, typer.Option("--region", help="Sales region.")]


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


@app.command()
def log(
    region: Annotated[str | None, typer.Option("--region", help="Only this region.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Latest versions to show.")] = 20,
    root: Root = None,
) -> None:
    """List the versions of each region's data: when, what it holds, whether it was approved, by whom and why."""
    from orchestration.views.data import show_log  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_log(use_lake(root), region, limit, _console())


@app.command()
def diff(
    region: RegionOption,
    before: Annotated[str | None, typer.Option("--before", help="Version (default: the one approved before the other).")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Version (default: the latest).")] = None,
    forecasts: Annotated[bool, typer.Option(help="Also forecast with both, to see what would move.")] = True,
    root: Root = None,
) -> None:
    """Compare two versions: rows added, changed and removed, schema changes, and which forecasts would move by how much."""
    from orchestration.views.data import show_difference  # noqa: PLC0415

    show_difference(use_lake(root), Region(region), before, after, forecasts, _console())


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Table, like gold/demand.")],
    as_of: Annotated[datetime | None, typer.Option("--as-of", help="Show it as it was known then (UTC; default: now).")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Only this region.")] = None,
    week: Annotated[str | None, typer.Option("--week", help="Only this week (Monday).")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to show.")] = 20,
    root: Root = None,
) -> None:
    """Show a table's rows as they were known at any past time."""
    from orchestration.views.data import show_table  # noqa: PLC0415

    show_table(use_lake(root), table, as_of, region, week, limit, _console())


@app.command()
def approve(region: RegionOption, reason: Reason, who: Who = None, root: Root = None) -> None:
    """Release the latest version of a region's data for training and scoring."""
    from orchestration.views.data import decide_latest  # noqa: PLC0415

    decide_latest(use_lake(root), Region(region), "approved", who, reason, _console())


@app.command()
def reject(region: RegionOption, reason: Reason, who: Who = None, root: Root = None) -> None:
    """Keep the latest version of a region's data out of training and scoring; the version approved before goes on being used."""
    from orchestration.views.data import decide_latest  # noqa: PLC0415

    decide_latest(use_lake(root), Region(region), "rejected", who, reason, _console())
