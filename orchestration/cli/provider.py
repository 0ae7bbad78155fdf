"""`shelfcast provider`: provider files for new folders. Thin commands over `transforms.drafting`; they touch no lake."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from orchestration.views.tables import output_console

app = typer.Typer(name="provider", help="Provider files: draft one from a folder, and see what one makes of the files.", no_args_is_help=True)


@app.command()
def draft(
    folder: Annotated[Path, typer.Argument(help="Folder with the files of a provider that nobody has mapped yet.")],
    to: Annotated[Path | None, typer.Option("--to", help="Where to write: a YAML file (default: the provider's name with .yaml).")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the provider: a plain key like corner_shop (default: the folder's).")] = None,
) -> None:
    """Look at a folder's files and write a provider file with the reason beside each line and open questions marked."""
    from transforms.drafting import draft as make_draft  # noqa: PLC0415 - commands import what they need, so that --help is quick
    from transforms.drafting import provider_name  # noqa: PLC0415

    console = output_console()
    target = to or Path(f"{provider_name(name, folder)}.yaml")

    def tell(line: str) -> None:
        console.print(f"[dim]·[/] {escape(line)}", highlight=False)

    made = make_draft(folder, target, name, tell)
    console.print(
        f"[bold]{escape(str(target))}[/]: {', '.join(made.sources)}; {made.questions} open questions (search for QUESTION).", soft_wrap=True
    )
    if made.missing is not None:
        console.print(f"[bold red]It cannot be loaded yet:[/] {escape(made.missing)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    console.print(f"Then: shelfcast provider check {escape(str(target))} --landing {escape(str(folder))}", highlight=False, soft_wrap=True)


@app.command("check")
def check_provider(
    provider: Annotated[str, typer.Argument(help="A provider YAML, or the name of a built-in provider.")],
    landing: Annotated[Path, typer.Option("--landing", help="Folder with the provider's files; it is read alone.")],
) -> None:
    """Show what each file would give, without touching a lake; ends with an error where one would be refused."""
    from orchestration.views.provider import show_check  # noqa: PLC0415
    from transforms.adapters import load_provider  # noqa: PLC0415
    from transforms.drafting import check  # noqa: PLC0415

    console = output_console()
    spec = load_provider(provider, base=Path.cwd())
    with console.status("looking at the files") as shown:
        made = check(spec, landing, lambda line: shown.update(escape(line)))
    show_check(made, console)
    if not made.passes:
        raise typer.Exit(1)
