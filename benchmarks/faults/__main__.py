"""Do all faults, show how they ended, record it. Exits with 1 where one did not recover."""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path

from rich.console import Console

from benchmarks.faults import clock, damage, disks, kills, stores, together, uploads
from benchmarks.faults.command import Command, Phase
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Bucket, Folder, Place, Postgresql, Sqlite
from benchmarks.faults.table import keep, kept, tables
from benchmarks.faults.trial import Fault, Undisturbed, tried
from benchmarks.faults.world import prepare
from benchmarks.recording import record
from benchmarks.servers import postgresql, s3

OTHERS = [*disks.FAULTS, *together.FAULTS, *clock.FAULTS, *damage.FAULTS, *uploads.FAULTS, *stores.FAULTS]
SHORT = [kills.SHORT, *(fault for fault in OTHERS if fault.name == "disk full")]


def undisturbed(place: Place) -> Undisturbed:
    """Prepare the lake, and run the cycle of a copy without a fault; folders that an earlier invocation left there are taken as they are."""
    base, root, noted = place.files.root("base"), place.files.root("undisturbed"), place.scratch / "undisturbed.json"
    if not (place.is_folder and noted.exists()):
        week = prepare(place, base)
        place.files.copy(base, root)
        cycle = Command(place, root, "run", "--week", week)
        if cycle.wait() != 0:
            raise RuntimeError(f"The undisturbed cycle failed: see {cycle.log}.")
        grown = _size(Path(root)) - _size(Path(base)) if place.is_folder else 0
        noted.write_text(json.dumps({"week": week, "grown": grown, "phases": [asdict(phase) for phase in cycle.phases()]}))
    note = json.loads(noted.read_text())
    phases = [Phase(**phase) for phase in note["phases"]]
    return Undisturbed(base, note["week"], phases, note["grown"], Rows.of(base), Rows.of(root))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _faults(place: Place, known: Sequence[Fault], only: Sequence[str]) -> list[Fault]:
    if unknown := set(only) - {fault.name for fault in known}:
        raise SystemExit(f"There is no fault {sorted(unknown)[0]!r}; there are: {', '.join(fault.name for fault in known)}.")
    return [fault for fault in known if fault.applies(place) and (not only or fault.name in only)]


def _plan(wanted: Sequence[Fault], each: int, number: int, endings: Sequence[Ending]) -> Iterator[Fault]:
    """Each fault so many times, and kills until there are so many in `endings`, which grows meanwhile."""
    for fault in wanted:
        if fault.name == kills.NAME:
            while sum(len(ending.kills) for ending in endings) < number:
                yield fault
        else:
            yield from [fault] * each


def _place(stack: ExitStack, arguments: argparse.Namespace) -> Place:
    """The servers that were asked for are started, and stopped with the harness."""
    scratch = arguments.scratch or Path(tempfile.mkdtemp(prefix="shelfcast-faults-"))
    scratch.mkdir(parents=True, exist_ok=True)
    environment = {"SHELFCAST_STATE": str(scratch / "state"), "SHELFCAST_DAGSTER_DATABASE": "sqlite"}
    files: Folder | Bucket = Folder(scratch)
    history: Sqlite | Postgresql = Sqlite()
    if arguments.root == "s3":
        server = stack.enter_context(s3(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shelfcast-s3-")))))
        files = Bucket(server.bucket(f"faults-{os.getpid()}"))
        environment |= server.environment
    if arguments.history == "postgresql":
        history = Postgresql(stack.enter_context(postgresql()).address)
        environment["SHELFCAST_DAGSTER_DATABASE"] = history.address
    os.environ.update(environment)
    return Place(scratch, files, history)


def main() -> None:
    """Do, show, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200, help="processes to kill")
    parser.add_argument("--each", type=int, default=3, help="times that each other fault is done")
    parser.add_argument("--only", action="append", default=[], help="a fault by its name; repeatable")
    parser.add_argument("--short", action="store_true", help="a few kinds, once each")
    parser.add_argument("--root", choices=["folder", "s3"], default="folder", help="where the lakes lie; SeaweedFS is started for s3")
    parser.add_argument("--history", choices=["sqlite", "postgresql"], default="sqlite", help="where the run history lies; PostgreSQL is started")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scratch", type=Path, help="where lakes are made, those that did not recover stay, and portions find the prepared one")
    parser.add_argument("--table", type=Path, help="file to which each trial is appended as it ends: the table shows all that it holds")
    arguments = parser.parse_args()
    # However it is stopped, it shows what it has.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console, begun = Console(width=200), time.monotonic()
    number, each = (1, 1) if arguments.short else (arguments.kills, arguments.each)
    endings: list[Ending] = []
    try:
        with ExitStack() as stack:
            place = _place(stack, arguments)
            wanted = _faults(place, SHORT if arguments.short else [*kills.FAULTS, *OTHERS], arguments.only)
            at = undisturbed(place)
            seconds = sum(phase.seconds for phase in at.phases)
            console.print(
                f"undisturbed: {seconds:.0f} s, {len(at.phases)} phases, {len(at.after.rows)} tables, {at.grown / 1e6:.1f} MB added; {place.scratch}",
                highlight=False,
                soft_wrap=True,
            )
            for name, fault in zip(count(1), _plan(wanted, each, number, endings), strict=False):
                ending = tried(fault, place, f"{arguments.seed}-{name}", at, random.Random(f"{arguments.seed} {name}"))
                endings.append(ending)
                keep(ending, arguments.table)
                console.print(_line(name, ending), highlight=False, markup=False, soft_wrap=True)
    finally:
        for table in tables(kept(arguments.table) if arguments.table is not None else endings):
            console.print(table)
        done = [ending for ending in endings if not ending.skipped]
        recovered = sum(ending.recovered for ending in done)
        console.print(
            f"{recovered} of {len(done)} lakes recovered; {(time.monotonic() - begun) / 60:.0f} minutes, seed {arguments.seed}", highlight=False
        )
    row = {"name": "lakes recovered by a plain run after faults", "value": recovered, "unit": "lakes", "peer": "lakes", "peer_value": len(done)}
    if not arguments.short:
        record([row], f"python -m benchmarks.faults {' '.join(sys.argv[1:])}")
    sys.exit(recovered != len(done))


def _line(name: int, ending: Ending) -> str:
    state = f"skipped, {ending.skipped}" if ending.skipped else "recovered" if ending.recovered else f"NOT RECOVERED {ending}"
    happened = [*ending.moments, *(f"{kind} in {phase}" for kind, phase in ending.kills)]
    return f"{name} {ending.fault}: {state}, {ending.seconds:.0f} s  ({'; '.join(happened)})"


if __name__ == "__main__":
    main()
