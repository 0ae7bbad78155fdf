"""A command's session: open the root, its instance and code location, run the cycle under a progress display, show the result."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import Definitions
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as ProgressBar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestration.history.lineage import recorded_runs
from orchestration.project import FILE, Project
from orchestration.reports.report import plain
from orchestration.runtime.cycle import Progress, Workspace, fetch_sources, initialise, run_cycle, take_in, value_weather
from orchestration.runtime.instance import open_instance
from orchestration.runtime.provider_file import take_in_provider
from orchestration.runtime.runs import Runner
from orchestration.settings import Settings
from orchestration.views.board import show_accuracy, show_leaderboard, show_weather
from orchestration.views.models import show_retraining
from orchestration.views.weeks import origin_or_newest
from transforms.adapters import load_provider
from transforms.calendar import Week
from transforms.errors import ConfigurationError, DataNotApproved, MissingData, ShelfcastError
from transforms.fetching import has_fetched_sources
from transforms.lake.lease import lease
from transforms.lake.remote.working_copy import brought, probe
from transforms.lake.tables import Lake
from transforms.landing import FileNotice, unfound, unfound_told


def initialise_root(settings: Settings, provider: str, landing: Path | None, horizons: int | None, local: bool, console: Console) -> list[str]:
    """`shelfcast init`: return the messages of the files that were not copied or are refused."""
    lake = Lake(settings.root, settings.storage_options)
    spec = load_provider(provider, base=Path.cwd())
    with lease(lake, "cycle", "shelfcast init", plain(console)):
        probe(lake)
        existed = brought(lake, FILE).exists()
        dropped = initialise(lake, spec, provider, horizons, landing)
        if existed:
            console.print(f"{escape(lake.address(FILE))} stays as it is: the lake exists already.", highlight=False, soft_wrap=True)
        copied = f"{len(dropped.copied)} files copied to {lake.address('landing', spec.name)}"
        told = f"reads the landing files of {lake.landing.root}" if lake.borrows_landing else copied
        console.print(f"[bold]{escape(spec.name)}[/]: {escape(told)}")
        if landing is not None and (others := unfound(landing, spec)):
            console.print(f"[yellow]-[/] {escape(unfound_told(others, str(landing)))}", highlight=False, soft_wrap=True)
        return [*dropped.left_out, *condition(settings, local, console)]


def fetch_into_landing(settings: Settings, console: Console) -> list[str]:
    """`shelfcast fetch`: return the messages of what could not be fetched."""
    with session(settings, True, console, "shelfcast fetch") as (workspace, _, progress):
        if not has_fetched_sources(workspace.provider):
            raise ConfigurationError(
                f"Provider {workspace.provider.name!r} has no source that is a query or comes from a store: its files are dropped into "
                f"{workspace.lake.address('landing', workspace.provider.name)}."
            )
        found = fetch_sources(workspace.lake, workspace.provider, progress)
    console.print(f"{len(found.written)} files written, {len(found.unchanged)} as they were; 'shelfcast run' takes them in.", highlight=False)
    return found.left_out


def condition(settings: Settings, local: bool, console: Console) -> list[str]:
    """Take in whatever stands in landing."""
    with session(settings, local, console, "taking in what landed") as (workspace, runner, progress):
        refused = take_in(workspace, runner, progress)
    return [refusal.message for refusal in refused]


def run_weeks(
    settings: Settings,
    asked: tuple[str, str] | None,
    chosen: list[str],
    local: bool,
    console: Console,
    retrain: bool = False,
    resume: bool = False,
) -> list[str]:
    """`shelfcast run` and `backfill`: return what was left out: files that were refused, regions whose data wait for approval.

    Parameters
    ----------
    asked
        First and last origin; None for the newest week that has landed, once everything that stands in landing was taken in.
    """
    span = None if asked is None else (Week.parse(asked[0]), Week.parse(asked[1]))
    what = "shelfcast run of the newest week" if span is None else f"shelfcast run {span[0]}..{span[1]}"
    with session(settings, local, console, what) as (workspace, runner, progress):
        refused = take_in(workspace, runner, progress, chosen)
        try:
            first, last = span or (origin_or_newest(workspace.lake, None),) * 2
            result = run_cycle(workspace, runner, first, last, chosen, progress, retrain, resume)
        except (MissingData, ConfigurationError, DataNotApproved) as error:
            raise _with_refusals(error, refused) from error
    show_retraining(workspace.lake, result.forecast.regions, first, last, console)
    show_accuracy(workspace.lake, workspace.project, result.forecast, last, console)
    return [*(refusal.message for refusal in refused), *result.blocked]


def report_weather(settings: Settings, origin: str, chosen: list[str], local: bool, console: Console) -> None:
    """`shelfcast weather`: measure and show what accuracy owes to the weather."""
    week = Week.parse(origin)
    with session(settings, local, console, "shelfcast weather") as (workspace, runner, progress):
        value_weather(workspace, runner, week, chosen, progress)
    show_weather(workspace.lake, week, console)


def run_leaderboard(settings: Settings, data: Path | None, local: bool, console: Console) -> None:
    """`shelfcast leaderboard`: run the public benchmark and show it beside the published results."""
    if data is None or not data.is_dir():
        raise MissingData(
            f"The orange-juice data are not at {data or '(no folder given)'}: name their folder by --data or SHELFCAST_LEADERBOARD_DATA."
        )
    with session(settings, local, console, "shelfcast leaderboard") as (workspace, runner, progress):
        progress.busy("orange juice: 12 rounds with 5 seeds each")
        runner.execute_unpartitioned("public_leaderboard")
    show_leaderboard(workspace.lake, console)


@contextmanager
def session(settings: Settings, local: bool, console: Console, what: str) -> Iterator[tuple[Workspace, Runner, Progress]]:
    """Hold the lake and open workspace and runner; the third value reports progress.

    Parameters
    ----------
    what
        What the lake is held for, as other commands that want it are told while they wait.
    """
    lake = Lake(settings.root, settings.storage_options)
    # Refuses a folder that is no lake root before anything is written there.
    Project.of(lake)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("opening the lake", total=None)

        def say(line: str) -> None:
            bar.update(task, description=line)
            bar.console.print(f"[dim]·[/] {escape(line)}", highlight=False)

        def busy(line: str) -> None:
            bar.update(task, description=escape(line))

        def notify(step: str, state: str) -> None:
            bar.update(task, description=f"{step} {state}")

        def load() -> Definitions:
            if "orchestration.definitions" not in sys.modules:
                busy("loading the code location")
            from orchestration.definitions import defs  # noqa: PLC0415 - seconds of imports, under the progress display

            return defs

        with lease(lake, "cycle", what, say):
            # Read once the lake is ours: the command that was waited for may have changed it.
            project = take_in_provider(lake, say)
            workspace = Workspace(lake, project, load_provider(project.provider, base=lake.path()))
            with (
                open_instance(lake.path(), local, say, or_without=True) as instance,
                recorded_runs(lake, lambda: load().resolve_asset_graph(), say) as record,
            ):
                runner = Runner(load, instance, lake.path("steps.log"), notify, record)
                yield workspace, runner, Progress(say, busy)


def _with_refusals(error: ShelfcastError, refused: list[FileNotice]) -> ShelfcastError:
    """What stops a run is often that a file was refused: both are told."""
    if not refused:
        return error
    reasons = (f"- {refusal.message}" for refusal in refused)
    return type(error)("\n".join([str(error), f"Files that stand in landing and were refused ({len(refused)}):", *reasons]))
