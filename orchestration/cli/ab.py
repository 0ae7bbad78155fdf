"""`shelfcast ab`: thin commands over `orchestration.views.ab`."""

from typing import Annotated

import typer

from orchestration.cli.options import AnyFirst, By, Root, Why
from orchestration.project import use_lake
from orchestration.views.tables import PlainConsole

app = typer.Typer(
    name="ab",
    help="A/B tests: a challenger in the shadow, or on a matched share of the stores, with intervals that hold every week.",
    no_args_is_help=True,
)

Test = Annotated[str, typer.Argument(help="A/B test, as 'shelfcast ab list' names it.")]


@app.command()
def start(
    challenger: Annotated[str, typer.Argument(help="Model version to test, as 'shelfcast models list' names it.")],
    by: By,
    why: Why,
    mode: Annotated[str, typer.Option("--mode", help="shadow, split or interleave.")] = "shadow",
    first: AnyFirst = None,
    weeks: Annotated[int, typer.Option("--weeks", min=2, max=104, help="Number of weeks that the test may take.")] = 26,
    share: Annotated[float, typer.Option("--share", help="Share of the region's stores that gets the challenger: above 0, at most 0.5.")] = 0.5,
    metric: Annotated[str, typer.Option("--metric", help="ape (percentage error of size) or cost (USD of the order).")] = "ape",
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of a false alarm over all weeks.")] = 0.05,
    seed: Annotated[int, typer.Option("--seed", help="What the roles are drawn with.")] = 7,
    root: Root = None,
) -> None:
    """Start a test of a model version against whatever serves its segment, from the next origin to be forecast on or a later one."""
    from orchestration.views.ab import Plan, start_test  # noqa: PLC0415

    start_test(use_lake(root), Plan(challenger, mode, first, weeks, share, metric, alpha, seed), by, why, PlainConsole())


@app.command(name="list")
def list_(root: Root = None) -> None:
    """List the tests with how they stand."""
    from orchestration.views.ab import show_tests  # noqa: PLC0415

    show_tests(use_lake(root), PlainConsole())


@app.command()
def show(test: Test, root: Root = None) -> None:
    """Show a test: its stores, and how the difference stood at each weekly look."""
    from orchestration.views.ab import show_test  # noqa: PLC0415

    show_test(use_lake(root), test, PlainConsole())


@app.command()
def stop(test: Test, by: By, why: Why, root: Root = None) -> None:
    """Stop a test: from the week after the last that has landed, the segment's champion serves all stores. Nothing is promoted."""
    from orchestration.views.ab import stop_test  # noqa: PLC0415

    stop_test(use_lake(root), test, by, why, PlainConsole())
