"""The command line `shelfcast`: thin commands over `orchestration.runtime.cycle`, with progress and errors that say what to do."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup
from typer.exceptions import TyperException

from orchestration.cli.ab import app as ab_app
from orchestration.cli.audit import register_commands
from orchestration.cli.data import app as data_app
from orchestration.cli.failures import explained, log_defect
from orchestration.cli.models import app as models_app
from orchestration.cli.operate.alerts import app as alerts_app
from orchestration.cli.operate.environments import config_app, promote_release
from orchestration.cli.options import (
    AfterOrigin,
    AnyFirst,
    AnyLast,
    AnyStore,
    First,
    Last,
    Local,
    NewestWeek,
    NextTarget,
    Product,
    Region,
    Regions,
    Root,
    Store,
    ToFile,
    ToFolder,
    Week,
    names,
    profile_option,
)
from orchestration.cli.provider import app as provider_app
from orchestration.cli.tune import compare, promote_notebook, tune
from orchestration.project import Project, use_lake
from orchestration.settings import place_of_logs, profile_in_use, use_leaderboard_data, use_root
from orchestration.views.tables import PlainConsole
from transforms.calendar import FURTHEST


class ClearErrors(TyperGroup):
    """Ends a command with a sentence, whatever went wrong: a traceback is for a file. Commands on a lake take `--profile` beside `--root`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        waiting = [*self.commands.values()]
        while waiting:
            command = waiting.pop()
            waiting += getattr(command, "commands", {}).values()
            names = [parameter.name for parameter in command.params]
            if "root" in names:
                command.params.insert(names.index("root") + 1, profile_option())

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt:
            errors.print("Stopped. Slices that were finished stay; run the command again to do the rest.")
            sys.exit(130)
        except Exception as error:  # noqa: BLE001 - the outermost boundary: what cannot be named is a defect, and its traceback is kept in a file
            told = explained(error, place_of_logs()) or log_defect(error, place_of_logs())
            errors.print(f"[bold red]Error:[/] {escape(told)}", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="shelfcast",
    cls=ClearErrors,
    help="Weekly demand forecasts for direct store delivery: one set of models for each sales region, and their whole life cycle.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(provider_app)
app.add_typer(data_app)
app.command()(tune)
app.command()(compare)
app.command("promote-notebook")(promote_notebook)
app.command("promote-release")(promote_release)
app.add_typer(config_app)
register_commands(app)
app.add_typer(models_app)
app.add_typer(ab_app)
app.add_typer(alerts_app)
# Bound to the real stdout: what steps print is redirected while they run.
console = PlainConsole(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
errors = PlainConsole(stderr=True)

_PORT = 3000
_HORIZONS = Project.model_fields["horizons"].default

Retrain = Annotated[bool, typer.Option("--retrain", help="Train every model, also where nothing speaks for it.")]


@app.command()
def demo(root: Root = None, local: Local = False) -> None:
    """Simulate a company with 14 regions, forecast it, and show how the forecasts turned out."""
    from orchestration.cli.demo import run_demo  # noqa: PLC0415 - commands import what they need, so that --help is quick

    run_demo(use_root(root), local, console)


@app.command()
def init(
    provider: Annotated[str, typer.Option("--provider", help="A built-in provider (sample, iowa_dsd, iowa_statewide) or a provider YAML.")],
    landing: Annotated[Path | None, typer.Option("--landing", help="Folder with the provider's files; copied into landing.")] = None,
    horizons: Annotated[int | None, typer.Option("--horizons", min=1, max=FURTHEST, help=f"Weeks ahead to forecast (default: {_HORIZONS}).")] = None,
    root: Root = None,
    local: Local = False,
) -> None:
    """Start a lake: copy the files into landing, check them, and condition them into tables. One that exists keeps its settings."""
    from orchestration.cli.session import initialise_root  # noqa: PLC0415

    _report_refused(initialise_root(use_root(root), provider, landing, horizons, local, console))


@app.command()
def fetch(root: Root = None) -> None:
    """Fetch queries on databases and objects of stores into landing; 'init' and 'run' do it by themselves."""
    from orchestration.cli.session import fetch_into_landing  # noqa: PLC0415

    _report_refused(fetch_into_landing(use_lake(root), console))


@app.command()
def run(
    week: NewestWeek = None,
    region: Regions = None,
    retrain: Retrain = False,
    root: Root = None,
    local: Local = False,
) -> None:
    """Run the weekly cycle for one origin: take in what landed, train, validate, forecast, plan, watch."""
    _cycle((week, week) if week is not None else None, region, root, local, retrain)


@app.command()
def backfill(
    first: First,
    last: Last,
    region: Regions = None,
    retrain: Retrain = False,
    resume: Annotated[bool, typer.Option("--resume", help="Leave out weeks that a cycle went through already, with the data as they are.")] = False,
    root: Root = None,
    local: Local = False,
) -> None:
    """Run the weekly cycle for a range of past origins: a rolling-origin backtest. Ctrl+C ends it; --resume goes on where it was."""
    _cycle((first, last), region, root, local, retrain, resume)


@app.command()
def status(root: Root = None) -> None:
    """Show what the lake holds: landing, tables, champions, accuracy, drift."""
    from orchestration.views.board import show_status  # noqa: PLC0415

    show_status(use_lake(root), console)


@app.command()
def maintain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be merged and removed.")] = False,
    root: Root = None,
) -> None:
    """Merge small files, shorten what readers open, and remove what nothing needs: old versions of tables, models, reports, drafts, logs of runs.

    Models that serve or that a person decided on stay with their data, all others for some weeks, and so does all that stood in the last days
    (maintenance in the project file).
    """
    from orchestration.views.maintenance import show_maintenance  # noqa: PLC0415

    show_maintenance(use_lake(root), dry_run, console)


@app.command()
def weather(
    week: Week,
    region: Regions = None,
    root: Root = None,
    local: Local = False,
) -> None:
    """Show what accuracy owes to the weather: models with forecasts as issued, with the weather as it came to be, and with none.

    The weeks after the origin must have landed.
    """
    from orchestration.cli.session import report_weather  # noqa: PLC0415

    report_weather(use_lake(root), week, names(region), local, console)


@app.command()
def leaderboard(
    data: Annotated[str | None, typer.Option("--data", help="Folder with the orange-juice data (default: SHELFCAST_LEADERBOARD_DATA).")] = None,
    root: Root = None,
    local: Local = False,
) -> None:
    """Run the public orange-juice benchmark with the ensemble of production, beside the published results."""
    from orchestration.cli.session import run_leaderboard  # noqa: PLC0415

    run_leaderboard(use_lake(root), use_leaderboard_data(data), local, console)


@app.command()
def plan(
    to: ToFolder,
    target: NextTarget = None,
    store: AnyStore = None,
    region: Regions = None,
    kind: Annotated[str, typer.Option("--format", help="xlsx: a workbook a region, a sheet a store; csv: a file a store.")] = "xlsx",
    root: Root = None,
) -> None:
    """Write what to put on the truck in a week, store by store, for planners; of several plans for it the newest."""
    from orchestration.views.plans import write_plans  # noqa: PLC0415

    write_plans(use_lake(root), target, store, names(region), kind, to, console)


@app.command()
def money(
    first: First,
    last: Last,
    root: Root = None,
) -> None:
    """Show what the order plans for a range of weeks cost, beside shipping the historical average and the point forecast."""
    from orchestration.views.plans import show_money  # noqa: PLC0415

    show_money(use_lake(root), first, last, console)


@app.command()
def why(
    region: Region,
    store: Store,
    product: Product,
    week: NewestWeek = None,
    target: AfterOrigin = None,
    root: Root = None,
) -> None:
    """Show why a forecast is what it is: contributions that add up to the expected demand."""
    from orchestration.views.why import show_why  # noqa: PLC0415

    show_why(use_lake(root), region, store, product, week, target, console)


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="Table, like gold/forecasts or silver/weather_known.")],
    to: ToFile,
    region: Regions = None,
    first: AnyFirst = None,
    last: AnyLast = None,
    root: Root = None,
) -> None:
    """Write a slice of any table of the lake as CSV or Parquet."""
    from orchestration.views.data import export_table  # noqa: PLC0415

    export_table(use_lake(root), table, to, names(region), first, last, console)


@app.command()
def obfuscate(
    to: ToFolder,
    salt_file: Annotated[Path | None, typer.Option("--salt-file", help="File with the secret salt (default: the variable SHELFCAST_SALT).")] = None,
    regions: Annotated[int, typer.Option("--regions", min=1, help="Busiest regions to keep.")] = 2,
    stores: Annotated[int, typer.Option("--stores", min=2, help="Busiest stores to keep in each region, half of each format.")] = 8,
    products: Annotated[int, typer.Option("--products", min=1, help="Busiest products to keep.")] = 12,
    weeks: Annotated[int, typer.Option("--weeks", min=1, help="Number of weeks: the last ones to keep.")] = 80,
    root: Root = None,
) -> None:
    """Make a small sample that can be given away: ids hashed, quantities changed, places moved, structure and relations kept.

    The sample and its provider file go into a new folder.
    """
    from orchestration.views.data import obfuscate_lake  # noqa: PLC0415
    from transforms.exports.obfuscation import SampleSize  # noqa: PLC0415

    obfuscate_lake(use_lake(root), to, salt_file, SampleSize(regions, stores, products, weeks), console)


@app.command()
def ui(
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65535, help="Port of the Dagster UI; the reports are below its /reports/ (default: the profile's, else 3000)."
        ),
    ] = None,
    address: Annotated[
        bool, typer.Option("--address", help="Print the address of the UI that runs already, with its token, and start none.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Open one for every profile, with a bar that leads from one to the other.")] = False,
    root: Root = None,
) -> None:
    """Open the Dagster UI with its daemon, and serve the reports below it (this machine and its present user only, and no other web page)."""
    from orchestration.web.services import serve, serve_all, show_addresses  # noqa: PLC0415

    if every:
        serve_all(port or _PORT, console)
    elif address:
        show_addresses(use_lake(root), console)
    else:
        chosen, profile = use_lake(root), profile_in_use()
        serve(chosen, port or (profile[1].port if profile else None) or _PORT, console)


def _cycle(asked: tuple[str, str] | None, regions: list[str] | None, root: str | None, local: bool, retrain: bool, resume: bool = False) -> None:
    from orchestration.cli.session import run_weeks  # noqa: PLC0415

    _report_refused(run_weeks(use_lake(root), asked, names(regions), local, console, retrain, resume))


def _report_refused(messages: list[str]) -> None:
    """What was left out ends a command with an error, after everything else has been done."""
    if not messages:
        return
    errors.print(f"[bold red]{len(messages)} left out[/] (files that were refused, regions whose data wait); everything else was done:")
    for message in messages:
        errors.print(f"  [red]-[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
