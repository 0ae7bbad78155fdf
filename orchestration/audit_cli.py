"""`shelfcast reproduce`, `trace`, `audit`, `backup`, `restore`, `maturity`: thin commands over `orchestration.audit_view`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestration.settings import use_root
from transforms.calendar import Region, Week

Root = Annotated[str | None, typer.Option("--root", help="Lake root (default: SHELFCAST_ROOT, else .shelfcast in the checkout).")]


def register_commands(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    app.command()(reproduce)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


def reproduce(
    region: Annotated[str, typer.Argument(help="Sales region.")],
    week: Annotated[str, typer.Argument(help="Origin that the models were trained at (Monday, YYYY-MM-DD).")],
    segment: Annotated[str | None, typer.Argument(help="One of the region's segments, like large-fast or small-all (default: all).")] = None,
    root: Root = None,
) -> None:
    """Train past models again from the recorded data versions, settings and seeds, and compare parameters and forecasts by SHA-256."""
    from orchestration.audit_view import show_reproduction  # noqa: PLC0415 - commands import what they need, so that --help is quick

    if not show_reproduction(use_root(root), Region(region), Week.parse(week), segment, _console()):
        raise typer.Exit(1)
