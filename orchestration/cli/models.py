"""`shelfcast models`: thin commands over `orchestration.views.models`."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from orchestration.cli.options import By, Why
from orchestration.project import use_lake

app = typer.Typer(name="models", help="The life of the models: states, decisions, who was champion when, approval, rollback.", no_args_is_help=True)

Root = Annotated[str | None, typer.Option("--root", help="Lake root (default: SHELFCAST_ROOT, else .shelfcast in the checkout).")]
Version = Annotated[str, typer.Argument(help="Model version, as 'shelfcast models list' names it.")]
RegionOption = Annotated[str | None, typer.Option("--region", help="Only this region.")]
Day = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="Date (YYYY-MM-DD).")]


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


@app.command("list")
def list_models(
    region: RegionOption = None,
    state: Annotated[str | None, typer.Option("--state", help="Only versions in this state, like 'champion' or 'rejected'.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Latest versions to show.")] = 60,
    root: Root = None,
) -> None:
    """List the latest versions with their states: when trained, how good, decided by whom and why."""
    from orchestration.views.models import show_versions  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_versions(use_lake(root), region, state, limit, _console())


@app.command()
def show(version: Version, root: Root = None) -> None:
    """Show one version: its record, and every decision on it with the numbers behind it."""
    from orchestration.views.models import show_version  # noqa: PLC0415

    show_version(use_lake(root), version, _console())


@app.command()
def ledger(
    on: Day,
    known_at: Annotated[datetime | None, typer.Option("--known-at", help="Leave out what was decided later than this (UTC).")] = None,
    region: RegionOption = None,
    root: Root = None,
) -> None:
    """Show which version was champion of each segment on a date, since when, by whose decision and why."""
    from orchestration.views.models import show_ledger  # noqa: PLC0415

    show_ledger(use_lake(root), on.date(), known_at, region, _console())


@app.command()
def retraining(
    week: Annotated[str | None, typer.Option("--week", help="Origin (Monday; default: the latest).")] = None,
    region: RegionOption = None,
    root: Root = None,
) -> None:
    """Show what was trained at an origin, what was reused, and why."""
    from orchestration.views.models import show_retraining_of  # noqa: PLC0415

    show_retraining_of(use_lake(root), week, region, _console())


@app.command()
def approve(version: Version, by: By, why: Why, root: Root = None) -> None:
    """Make a version champion of its segment, from the last week in the lake on."""
    from orchestration.views.models import approve_version  # noqa: PLC0415

    approve_version(use_lake(root), version, by, why, _console())


@app.command()
def reject(version: Version, by: By, why: Why, root: Root = None) -> None:
    """Refuse a version that waits for validation."""
    from orchestration.views.models import reject_version  # noqa: PLC0415

    reject_version(use_lake(root), version, by, why, _console())


@app.command()
def rollback(
    by: By,
    why: Why,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Bring back the champions of this date.")] = None,
    previous: Annotated[bool, typer.Option("--previous", help="Bring back each segment's previous champion.")] = False,
    region: RegionOption = None,
    root: Root = None,
) -> None:
    """Bring back earlier champions, of the whole fleet or of one region, from the last week in the lake on."""
    from orchestration.views.models import roll_back  # noqa: PLC0415

    roll_back(use_lake(root), to.date() if to else None, previous, region, by, why, _console())


@app.command()
def mirror(root: Root = None) -> None:
    """Bring the mirror in MLflow (SHELFCAST_TRACKING_URI) up to date with the lake."""
    from orchestration.views.models import mirror_now  # noqa: PLC0415

    mirror_now(use_lake(root), _console())
