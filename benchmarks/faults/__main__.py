"""Do all faults, show how they ended, record it. Exits with 1 where one did not recover."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.faults import clock, damage, disks, kills, together, uploads
from benchmarks.faults.command import Command
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Folder, Place
from benchmarks.faults.trial import Fault, Undisturbed, tried
from benchmarks.faults.world import prepare
from benchmarks.recording import record

OTHERS = [*disks.FAULTS, *together.FAULTS, *clock.FAULTS, *damage.FAULTS, *uploads.FAULTS]
SHORT = ("kill -9: group", "disk full", "data file corrupt", "landing file that grows")


def undisturbed(place: Place) -> Undisturbed:
    """Prepare the lake, back it up, and run its cycle once without a fault."""
    base, root = place.root("base"), place.root("undisturbed")
    week = prepare(place, base)
    backup = Path(place.root("backup"))
    if Command(place, base, "backup", "--to", str(backup)).wait() != 0:
        raise RuntimeError(f"The prepared lake cannot be backed up: see the logs beside {base}.")
    place.copy(base, root)
    cycle_of_week = Command(place, root, "run", "--week", week)
    code, seconds = cycle_of_week.wait(), time.monotonic() - cycle_of_week.begun
    if code != 0:
        raise RuntimeError(f"The undisturbed cycle failed: see {cycle_of_week.log}.")
    grown = _size(Path(root)) - _size(Path(base))
    return Undisturbed(base, week, seconds, cycle_of_week.steps, grown, Rows.of(Path(base)), Rows.of(Path(root)), backup)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _plan(number: int, each: int, only: Sequence[str]) -> Iterator[Fault]:
    """Kills of all kinds in turn until there are so many, and each other fault so many times."""
    of_kills = [fault for fault in kills.FAULTS if not only or fault.name in only]
    yield from islice(cycle(of_kills), -(-number // kills.CHAIN)) if of_kills else ()
    for fault in OTHERS:
        if not only or fault.name in only:
            yield from [fault] * each


def shown(endings: Sequence[Ending]) -> Table:
    """A row for each fault."""
    table = Table(
        *("fault", "times", "recovered", "lost rows", "doubled rows", "other rows", "unclear or mixed", "wedged", "swept by doctor", "skipped"),
        title="Faults, and what a plain run made of them",
    )
    for name in dict.fromkeys(ending.fault for ending in endings):
        of_kind = [ending for ending in endings if ending.fault == name]
        done = [ending for ending in of_kind if not ending.skipped]
        sums = (
            sum(max(1, len(ending.moments)) for ending in done),
            f"{sum(ending.recovered for ending in done)} of {len(done)} lakes",
            *(sum(getattr(ending, what) for ending in done) for what in ("lost", "doubled", "other")),
            *(sum(bool(getattr(ending, what)) for ending in done) for what in ("broken", "wedged")),
            sum(sum(ending.swept.values()) for ending in done),
        )
        table.add_row(name, *map(str, sums), next((ending.skipped for ending in of_kind if ending.skipped), ""))
    return table


def main() -> None:
    """Do, show, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200, help="processes to kill")
    parser.add_argument("--each", type=int, default=3, help="times that each other fault is done")
    parser.add_argument("--only", action="append", default=[], help="a fault by its name; repeatable")
    parser.add_argument("--short", action="store_true", help="a few kinds, once each")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scratch", type=Path, help="where the lakes are made; those that did not recover stay there")
    arguments = parser.parse_args()
    console, begun = Console(width=180), time.monotonic()
    place = Folder(arguments.scratch or Path(tempfile.mkdtemp(prefix="shelfcast-faults-")), {"SHELFCAST_WORKERS": "1"} if arguments.short else {})
    place.scratch.mkdir(parents=True, exist_ok=True)
    at = undisturbed(place)
    console.print(
        f"undisturbed: {at.seconds:.0f} s, {at.steps} steps, {len(at.after.rows)} tables, {at.grown / 1e6:.1f} MB added; {place.scratch}",
        highlight=False,
    )
    only = arguments.only or (SHORT if arguments.short else ())
    number, each = (kills.CHAIN, 1) if arguments.short else (arguments.kills, arguments.each)
    endings = []
    for count, fault in enumerate(_plan(number, each, only), 1):
        ending = tried(fault, place, f"{count}", at, random.Random(f"{arguments.seed} {count}"))
        state = f"skipped, {ending.skipped}" if ending.skipped else "recovered" if ending.recovered else f"NOT RECOVERED {ending}"
        console.print(f"{count} {fault.name}: {state}  ({'; '.join(ending.moments)})", highlight=False, markup=False, soft_wrap=True)
        endings.append(ending)
    console.print(shown(endings))
    done = [ending for ending in endings if not ending.skipped]
    recovered = sum(ending.recovered for ending in done)
    console.print(
        f"{recovered} of {len(done)} lakes recovered; {(time.monotonic() - begun) / 60:.0f} minutes, seed {arguments.seed}", highlight=False
    )
    row = {"name": "lakes recovered by a plain run after faults", "value": recovered, "unit": "lakes", "peer": "lakes", "peer_value": len(done)}
    if not arguments.short:
        record([row], f"python -m benchmarks.faults --kills {number} --each {each} --seed {arguments.seed}")
    sys.exit(recovered != len(done))


if __name__ == "__main__":
    main()
