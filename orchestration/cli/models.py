"""`shelfcast models`: thin commands over `orchestration.views.models`."""

from datetime import datetime
from typing import Annotated

import typer

from orchestration.cli.options import ORIGIN, AsOf, By, Limit, Regions, Root, Why, names
from orchestration.project import use_lake
from orchestration.views.tables import output_console

app = typer.Typer(name="models", help="The life of the models: states, decisions, who was champion when, approval, rollback.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="Model version, as 'shelfcast models list' names it.")]
_ON = typer.Option("--on", formats=["%Y-%m-%d"], help="Date whose champions are meant (YYYY-MM-DD).")


@app.command("list")
def list_models(
    region: Regions = None,
    state: Annotated[str | None, typer.Option("--state", help="State of a version, like 'champion' or 'rejected' (default: all).")] = None,
    limit: Limit = 60,
    root: Root = None,
) -> None:
    """List the latest versions with their states: when trained, how good, decided by whom and why."""
    from orchestration.views.models import show_versions  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_versions(use_lake(root), names(region), state, limit, output_console())


@app.command()
def show(version: Version, root: Root = None) -> None:
    """Show one version: its record, and every decision on it with the numbers behind it."""
    from orchestration.views.models import show_version  # noqa: PLC0415

    show_version(use_lake(root), version, output_console())


@app.command()
def ledger(
    on: Annotated[datetime, _ON],
    as_of: AsOf = None,
    region: Regions = None,
    root: Root = None,
) -> None:
    """Show which version was champion of each segment on a date, since when, by whose decision and why."""
    from orchestration.views.models import show_ledger  # noqa: PLC0415

    show_ledger(use_lake(root), on.date(), as_of, names(region), output_console())


@app.command()
def retraining(
    week: Annotated[str | None, typer.Option("--week", help=f"{ORIGIN}; default: the newest that was trained at).")] = None,
    region: Regions = None,
    root: Root = None,
) -> None:
    """Show what was trained at an origin, what was reused, and why."""
    from orchestration.views.models import show_retraining_of  # noqa: PLC0415

    show_retraining_of(use_lake(root), week, names(region), output_console())


@app.command()
def approve(version: Version, by: By, why: Why, root: Root = None) -> None:
    """Make a version champion of its segment, from the last week in the lake on."""
    from orchestration.views.models import approve_version  # noqa: PLC0415

    approve_version(use_lake(root), version, by, why, output_console())


@app.command()
def reject(version: Version, by: By, why: Why, root: Root = None) -> None:
    """Refuse a version that waits for validation."""
    from orchestration.views.models import reject_version  # noqa: PLC0415

    reject_version(use_lake(root), version, by, why, output_console())


@app.command()
def rollback(
    by: By,
    why: Why,
    on: Annotated[datetime | None, _ON] = None,
    previous: Annotated[bool, typer.Option("--previous", help="Bring back each segment's previous champion.")] = False,
    region: Regions = None,
    root: Root = None,
) -> None:
    """Bring back the champions of a date or the previous ones, of the whole fleet or of some regions, from the last week in the lake on."""
    from orchestration.views.models import roll_back  # noqa: PLC0415

    roll_back(use_lake(root), on.date() if on else None, previous, names(region), by, why, output_console())


@app.command()
def mirror(root: Root = None) -> None:
    """Bring the mirror in MLflow (SHELFCAST_TRACKING_URI) up to date with the lake."""
    from orchestration.views.models import mirror_now  # noqa: PLC0415

    mirror_now(use_lake(root), output_console())
