"""`shelfcast tune`, `compare` and `promote-notebook`: which settings and algorithms do best on past weeks, and how one that was tried gets in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.cli.options import Origins, Regions, Root, Week, names, no_blank
from orchestration.reports.report import plain
from orchestration.settings import CHECKOUT, use_root
from orchestration.views.tables import PlainConsole

if TYPE_CHECKING:
    from orchestration.experiments.tuning import Bench


def tune(
    week: Week,
    trials: Annotated[int, typer.Option("--trials", min=1, help="Sets of values to try besides the present ones.")] = 20,
    origins: Origins = 2,
    region: Regions = None,
    apply: Annotated[bool, typer.Option(help="Write what is chosen into shelfcast.yaml.")] = True,
    root: Root = None,
) -> None:
    """Search for better settings of the members on rolling origins; every try is logged in gold/experiments.

    Nothing after --week is looked at: keep the weeks that are to be tested on after it.
    """
    from orchestration.experiments import tuning  # noqa: PLC0415 - commands import what they need, so that --help is quick
    from orchestration.project import Project  # noqa: PLC0415
    from transforms.lake.lease import lease  # noqa: PLC0415

    console = _console()
    with _bench(root, week, origins, names(region), console) as bench:
        outcome = tuning.tune(bench, trials)
    before, best = outcome.present.metrics["mape"], outcome.best.metrics["mape"]
    console.print(f"MAPE {before:.4f} with the present settings, {best:.4f} with the best of {trials} others (experiment '{outcome.experiment}').")
    if not outcome.better:
        console.print(f"Not {tuning.SMALLEST_GAIN:.1%} better: settings {outcome.settings.version} stay.")
    elif apply:
        # The file as it is by now: somebody may have changed something else in it during the search.
        with lease(bench.lake, "cycle", "shelfcast tune", plain(console)):
            path = Project.written(bench.lake).model_copy(update={"settings": outcome.settings}).keep(bench.lake)
        console.print(f"Settings {outcome.settings.version} written to {path}: {outcome.settings.changed()}. The next training uses them.")
    else:
        console.print(f"Settings {outcome.settings.version} would be: {outcome.settings.changed()}.")


def compare(
    week: Week,
    members: Annotated[
        list[str], typer.Option("--members", help="Members of one ensemble, separated by commas; repeat for each alternative.", callback=no_blank)
    ],
    origins: Origins = 2,
    region: Regions = None,
    root: Root = None,
) -> None:
    """Compare ensembles of different algorithms on the same rolling origins; every run is logged in gold/experiments.

    Nothing after --week is looked at: keep the weeks that are to be tested on after it.
    """
    from orchestration.experiments.tuning import compare as compare_members  # noqa: PLC0415

    console = _console()
    with _bench(root, week, origins, names(region), console) as bench:
        runs = compare_members(bench, [tuple(names([entry])) for entry in members])
    table = Table("members", title=f"Ensembles on {origins} rolling origins until {week}")
    for name in ("MAPE", "hist. avg", "RMSE 0", "RMSE all", "share 80 %", "rows", "seconds"):
        table.add_column(name, justify="right")
    for run in runs:
        numbers = [f"{run.metrics[name]:.4f}" for name in ("mape", "baseline_mape", "rmse_0", "rmse_all", "interval_share_80")]
        table.add_row(", ".join(run.params["members"]), *numbers, f"{run.metrics['n']:,}", f"{run.metrics['seconds']:.0f}")
    console.print(table)


@contextmanager
def _bench(root: str | None, week: str, origins: int, regions: list[str], console: Console) -> "Iterator[Bench]":
    """What tries are measured on; a line under those that stay tells what is being trained, and since when."""
    from orchestration.experiments.tracking import Tracking  # noqa: PLC0415
    from orchestration.experiments.tuning import Bench  # noqa: PLC0415
    from orchestration.lifecycle.data_approval import review  # noqa: PLC0415
    from orchestration.project import Project  # noqa: PLC0415
    from orchestration.runtime.cycle import known_regions  # noqa: PLC0415
    from transforms.calendar import Week as OriginWeek  # noqa: PLC0415
    from transforms.lake.tables import Lake  # noqa: PLC0415

    settings = use_root(root)
    lake = Lake(settings.root, settings.storage_options)
    project, chosen = Project.of(lake), known_regions(lake, regions)
    review(lake, project, chosen, "shelfcast", plain(console))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading the data", total=None)

        def say(line: str) -> None:
            progress.console.print(escape(line), highlight=False)

        def busy(line: str) -> None:
            progress.reset(task, description=escape(line))

        yield Bench(lake, project, Tracking.of(lake, settings), chosen, OriginWeek.parse(week), origins, say, busy)


def promote_notebook(
    notebook: Annotated[Path, typer.Argument(help="Notebook (.ipynb) of the checkout; its cells tagged `promote` define one member.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a module that was edited by hand or came from another notebook.")] = False,
    checkout: Annotated[Path, typer.Option("--checkout", help="Checkout to write to.")] = CHECKOUT,
) -> None:
    """Turn a notebook's tagged cells into a module that ensembles can use, an asset, and a test that both give the notebook's numbers."""
    from orchestration.experiments.promotion import promote  # noqa: PLC0415 - commands import what they need, so that --help is quick

    made = promote(notebook, checkout, force)
    console = PlainConsole(file=sys.stdout, soft_wrap=True, markup=False, highlight=False)
    module, test = (path.relative_to(checkout) for path in (made.module, made.test))
    if not made.changed:
        console.print(f"{module} and {test} are as the notebook has it: nothing to do.")
        return
    console.print(f"{module}: the member '{made.name}'\n{test}: the numbers of notebook, module and asset are the same")
    console.print(f"Asset trials/{made.name}: its numbers, region by region and week by week, beside the champions'; it serves nothing.")
    console.print(f"Next: python -m pytest {test}; then 'members: [lasso, network, {made.name}]' in shelfcast.yaml, and the gate decides.")


def _console() -> Console:
    return PlainConsole(file=sys.stdout, width=None if sys.stdout.isatty() else 120)
