"""Tables of how trials ended, over those of earlier invocations too where a file keeps them; and what the kills hit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.faults.ending import Ending

_ROWS = ("lost", "doubled", "other")
_STATES = ("broken", "wedged")


def kept(path: Path | None) -> list[Ending]:
    """Endings that a file keeps."""
    return [Ending.read(line) for line in path.read_text().splitlines()] if path is not None and path.exists() else []


def keep(ending: Ending, path: Path | None) -> None:
    """Append an ending to a file."""
    if path is not None:
        with path.open("a") as stream:
            stream.write(f"{ending.line}\n")


def tables(endings: Sequence[Ending]) -> Iterator[Table]:
    """A row for each fault; of killed processes one for each kind and for each phase."""
    table = Table(
        *("fault", "where", "times", "recovered", "lost rows", "doubled rows", "other rows", "unclear or mixed", "wedged", "leftovers", "skipped"),
        title="Faults, and what a plain run made of them",
    )
    for name, place in dict.fromkeys((ending.fault, ending.place) for ending in endings):
        of_kind = [ending for ending in endings if (ending.fault, ending.place) == (name, place)]
        done = [ending for ending in of_kind if not ending.skipped]
        kills = sum(len(ending.kills) for ending in done)
        cells = (
            f"{kills} kills on {len(done)} lakes" if kills else len(done),
            sum(ending.recovered for ending in done),
            *(sum(getattr(ending, what) for ending in done) for what in _ROWS),
            *(sum(bool(getattr(ending, what)) for ending in done) for what in _STATES),
            sum(sum(ending.swept.values()) + len(ending.left) for ending in done),
        )
        table.add_row(name, place, *map(str, cells), next((ending.skipped for ending in of_kind if ending.skipped), ""))
    yield table
    kills = [kill for ending in endings for kill in ending.kills]
    if kills:
        yield _counted("killed", [kind for kind, _ in kills])
        yield _counted("in phase", [phase for _, phase in kills])


def _counted(name: str, values: Sequence[str]) -> Table:
    table = Table(name, "kills", title=f"{len(values)} kills")
    for value, count in Counter(values).most_common():
        table.add_row(value, str(count))
    return table
