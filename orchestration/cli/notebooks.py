"""`shelfcast promote-notebook`: from tagged cells to a module, an asset and a parity test."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.settings import CHECKOUT
from orchestration.views.tables import PlainConsole


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
