"""`shelfcast data`: thin commands over `orchestration.views.data`."""

from typing import Annotated

import typer

from orchestration.cli.options import AnyFirst, AnyLast, AsOf, By, Limit, Region, Regions, Root, Why, names
from orchestration.project import use_lake
from orchestration.views.tables import output_console

app = typer.Typer(name="data", help="Versions of the conditioned data: their history, what changed, who approved them.", no_args_is_help=True)


@app.command()
def log(
    region: Regions = None,
    limit: Limit = 20,
    root: Root = None,
) -> None:
    """List the latest versions of each region's data: when, what it holds, whether it was approved, by whom and why."""
    from orchestration.views.data import show_log  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_log(use_lake(root), names(region), limit, output_console())


@app.command()
def diff(
    region: Region,
    before: Annotated[str | None, typer.Option("--before", help="Version (default: the one approved before the other).")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Version (default: the latest).")] = None,
    forecasts: Annotated[bool, typer.Option(help="Also forecast with both, to see what would move.")] = True,
    root: Root = None,
) -> None:
    """Compare two versions: rows added, changed and removed, schema changes, and which forecasts would move by how much."""
    from orchestration.views.data import show_difference  # noqa: PLC0415

    show_difference(use_lake(root), region, before, after, forecasts, output_console())


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Table, like gold/demand.")],
    as_of: AsOf = None,
    region: Regions = None,
    first: AnyFirst = None,
    last: AnyLast = None,
    limit: Limit = 20,
    root: Root = None,
) -> None:
    """Show a table's rows as they were known at any past time."""
    from orchestration.views.data import show_table  # noqa: PLC0415

    show_table(use_lake(root), table, as_of, names(region), first, last, limit, output_console())


@app.command()
def approve(region: Region, by: By, why: Why, root: Root = None) -> None:
    """Release the latest version of a region's data for training and scoring."""
    from orchestration.views.data import decide_latest  # noqa: PLC0415

    decide_latest(use_lake(root), region, "approved", by, why, output_console())


@app.command()
def reject(region: Region, by: By, why: Why, root: Root = None) -> None:
    """Keep the latest version of a region's data out of training and scoring; the version approved before goes on being used."""
    from orchestration.views.data import decide_latest  # noqa: PLC0415

    decide_latest(use_lake(root), region, "rejected", by, why, output_console())
