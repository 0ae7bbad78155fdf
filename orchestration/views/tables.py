"""Tables that can be read at 80 columns: what is long folds and keeps a width in which words stay whole; who decided and why share a column."""

import re
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_RUN_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def output_console() -> Console:
    """A console of the standard output as it is now: as wide as the terminal, and 200 characters where there is none, so that nothing is cut."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def narrow_table(title: str, columns: Mapping[str, int]) -> Table:
    """Make a table whose columns, given with their least widths in characters, fold.

    The widths of n columns have to come to 79 - 3 n at most.
    """
    table = Table(title=title)
    for name, width in columns.items():
        table.add_column(name, overflow="fold", min_width=width)
    return table


def by_whom(actor: str | None, reason: str | None, replaces: str | None = None) -> str:
    """Who decided and why, as markup; of run ids the eight digits that the UI shows."""
    said = ": ".join(_RUN_ID.sub(r"\1", text) for text in (actor, reason) if text)
    return escape(f"{said} (replaces {replaces})" if replaces else said)
