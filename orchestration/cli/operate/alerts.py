"""`shelfcast alerts`: thin commands over `orchestration.views.alerts`."""

from typing import Annotated

import typer

from orchestration.cli.options import Limit, Root
from orchestration.project import use_lake
from orchestration.views.tables import output_console

app = typer.Typer(name="alerts", help="What needs a person, and who was told, as the project file says.", no_args_is_help=True)


@app.command("list")
def list_alerts(limit: Limit = 20, root: Root = None) -> None:
    """List the alerts that are open now, who is told of each, and the latest messages with what became of them. Nothing is sent."""
    from orchestration.views.alerts import show_alerts  # noqa: PLC0415 - commands import what they need, so that --help is quick

    show_alerts(use_lake(root), limit, output_console())


@app.command()
def send(root: Root = None) -> None:
    """Look once and tell each rule what it does not know yet: for a timer, where no daemon of the UI runs."""
    from orchestration.views.alerts import send_now  # noqa: PLC0415

    if not send_now(use_lake(root), output_console()):
        raise typer.Exit(1)


@app.command("test")
def try_out(rule: Annotated[str | None, typer.Argument(help="Rule of the project file (default: all).")] = None, root: Root = None) -> None:
    """Send a test message by a rule, and say whether its server took it."""
    from orchestration.views.alerts import send_test  # noqa: PLC0415

    if not send_test(use_lake(root), rule, output_console()):
        raise typer.Exit(1)
