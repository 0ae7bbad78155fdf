"""The console of commands, and tables that can be read at 80 columns.

What is long folds and keeps a width in which words stay whole; who decided and why share a column.
"""

import re
from collections.abc import Iterator, Mapping

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from transforms.printing import MOVING

_RUN_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


class PlainConsole(Console):
    """A console on which texts move no cursor, turn no direction, colour nothing and write no title: a name of a foreign file may hold what does."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render, with a sign in place of each character of a text that moves what stands around it; ends of lines stay, and tabs."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(MOVING.sub(_sign, segment.text), segment.style)


def _sign(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else "\N{REPLACEMENT CHARACTER}"


def output_console() -> Console:
    """A console of the standard output as it is now: as wide as the terminal, and 200 characters where there is none, so that nothing is cut."""
    console = PlainConsole()
    return console if console.is_terminal else PlainConsole(width=200)


def size_text(count: int) -> str:
    """Bytes as megabytes, below a tenth of one as kilobytes."""
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 or not count else f"{count / 1e3:,.1f} kB"


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
