"""`shelfcast config` and `shelfcast promote-release`: thin commands over `orchestration.environments`."""

from typing import Annotated

import typer

from orchestration.cli.options import By, Regions, Root, Why, names
from orchestration.settings import use_profile, use_root
from orchestration.views.tables import output_console

config_app = typer.Typer(
    name="config", help="Settings and profiles: what holds and where from, and whether environments stand apart.", no_args_is_help=True
)


@config_app.command("show")
def show_config(root: Root = None) -> None:
    """Show each setting with its value and where that is from: default, project file, profile, environment; secrets are left out."""
    from orchestration.environments.shown import show_settings  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_settings(use_root(root), output_console())


@config_app.command("check")
def check_config(root: Root = None) -> None:
    """Check every profile, or the present settings where there is none; each problem is told with what to do, and any ends with exit code 1."""
    from orchestration.environments.shown import show_problems  # noqa: PLC0415

    if not show_problems(root, output_console()):
        raise typer.Exit(1)


def promote_release(
    source: Annotated[str, typer.Option("--from", help="Profile that is released.")],
    target: Annotated[str, typer.Option("--to", help="Profile that takes the release.")],
    by: By,
    why: Why,
    models: Annotated[bool, typer.Option("--models", help="Also take the champions along, as candidates for the target's promotion policy.")] = False,
    region: Regions = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be released, and what speaks against it.")] = False,
) -> None:
    """Release from one profile to another, with checks and a record: code version, project settings and, where asked, models.

    It is put in whole or not at all. Roots, promotion policy, gate, data checks, causes of training and maintenance stay the target's own.
    """
    from orchestration.environments.release import Wanted  # noqa: PLC0415
    from orchestration.environments.shown import show_release  # noqa: PLC0415

    use_profile(target)
    wanted = Wanted(source, target, models, tuple(names(region)), by, why, dry_run)
    if not show_release(wanted, output_console()):
        raise typer.Exit(1)
