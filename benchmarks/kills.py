"""Kill weekly cycles at random moments and run them again: a plain second run has to end where a run that nobody disturbed ends.

A small company's history stands in the lake; then a new week lands, a week on record is delivered again with corrections, and a price list changes.
The cycle of that week is killed (SIGKILL, all of its processes) at a random moment, a third of the times while it conditions and a third while it
trains, forecasts and watches, and run again. What readers rely on has to hold the same rows as after an undisturbed run, each decision has to be on
record once, and no run may look as if it were going on.

    python -m benchmarks.kills --kills 60
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.table import Table

from benchmarks.contents import contents
from benchmarks.recording import record
from models.members.settings import BoostingSettings, Settings
from orchestration.project import Project
from orchestration.settings import dagster_home_at
from transforms.lake.tables import Lake
from transforms.world import WorldSpec, simulate, write_landing
from transforms.world.landing import write_week

SPEC = WorldSpec(regions=2, stores_per_region=8, products=10, weeks=84)
CORRECTED_WEEKS_AGO = 3
_STILL = 0.05
_TRAINING = "training, forecasting"


@dataclass(frozen=True)
class Kill:
    """How one killed cycle ended."""

    moment: str
    seconds: float
    exit_code: int
    differing: tuple[str, ...]
    doubled: int
    going_on: int

    @property
    def recovered(self) -> bool:
        """True when the second run made up for everything."""
        return not (self.exit_code or self.differing or self.doubled or self.going_on)


def prepare(root: Path) -> str:
    """Make a lake with one cycle behind it and the files of the next one dropped; return the week to run."""
    world = simulate(SPEC)
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    landing, week = root / "landing" / "sample", world.last
    write_landing(world, landing, week + -1)
    done = _run(root, str(week + -1))
    if done.wait() != 0:
        raise RuntimeError(f"The undisturbed first cycle failed: see {root / 'output.log'}.")
    write_week(world, landing, week)
    _correct(landing, str(week + -CORRECTED_WEEKS_AGO))
    return str(week)


def _correct(landing: Path, week: str) -> None:
    """Deliver a week again with a unit more in its first line, and a price list with its first price raised."""
    _edit(landing / "shipments" / f"shipments_{week}.csv", ",", 4, lambda units: str(int(units) + 1))
    _edit(landing / "products.csv", ";", 6, lambda price: f"9{price}")


def _edit(path: Path, delimiter: str, column: int, change: Callable[[str], str]) -> None:
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(delimiter)
    cells[column] = change(cells[column])
    draft = path.with_name(f".{path.name}.part")
    draft.write_text("\n".join([header, delimiter.join(cells), *rest, ""]))
    draft.replace(path)


def doubled_decisions(root: Path) -> int:
    """Decisions that are on record more than once."""
    lake, twice = Lake(str(root)), 0
    for table, key in (("gold/model_events", "model_version, event, effective_week"), ("gold/dataset_events", "region, dataset_version, event")):
        if lake.exists(table):
            with lake.connect(table) as connection:
                sql = f"select coalesce(sum(n - 1), 0) from (select count(*) as n from {table.replace('/', '_')} group by {key})"
                [(extra,)] = connection.execute(sql).fetchall()
            twice += int(extra)
    return twice


def runs_going_on(root: Path) -> int:
    """Runs that the run history shows as begun and not ended."""
    # Not `open_instance`, which ends them.
    with dagster_home_at(root / "dagster", for_good=False), dg.DagsterInstance.from_config(str(root / "dagster")) as instance:
        unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]
        return len(instance.get_runs(dg.RunsFilter(statuses=unfinished)))


def killed(base: Path, root: Path, week: str, truth: dict[str, str], delay: float, after: str) -> Kill:
    """Copy the prepared lake, kill its cycle `delay` seconds after the line `after` was printed, run it again and compare."""
    shutil.copytree(base, root, symlinks=True)
    process = _run(root, week)
    _wait_for(root, after, process)
    time.sleep(delay)
    moment = _last_line(root)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(_STILL)
    code = _run(root, week).wait()
    here = contents(root)
    differing = tuple(sorted(name for name in truth.keys() | here.keys() if truth.get(name) != here.get(name)))
    return Kill(moment, delay, code, differing, doubled_decisions(root), runs_going_on(root))


def _run(root: Path, week: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", "from orchestration.cli.app import app; app()", "run", "--week", week, "--root", str(root)]
    with (root / "output.log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})


def _wait_for(root: Path, line: str, process: "subprocess.Popen[bytes]") -> None:
    while line not in (root / "output.log").read_text() and process.poll() is None:
        time.sleep(_STILL)


def _last_line(root: Path) -> str:
    lines = [line.strip("· ") for line in (root / "output.log").read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "start"


def _durations(base: Path, root: Path, week: str) -> tuple[float, float, float]:
    """Run undisturbed; return the seconds of conditioning, of what follows it, and of the whole."""
    shutil.copytree(base, root, symlinks=True)
    process, begun = _run(root, week), time.monotonic()
    _wait_for(root, "conditioning", process)
    conditioning = time.monotonic()
    _wait_for(root, _TRAINING, process)
    trained = time.monotonic()
    if process.wait() != 0:
        raise RuntimeError(f"The undisturbed cycle failed: see {root / 'output.log'}.")
    ended = time.monotonic()
    return trained - conditioning, ended - trained, ended - begun


def kills(scratch: Path, number: int, seed: int, console: Console) -> list[Kill]:
    """Kill so many cycles, one after the other, and say how each ended."""
    base, moments = scratch / "base", random.Random(seed)
    base.mkdir(parents=True)
    week = prepare(base)
    conditioning, training, whole = _durations(base, scratch / "undisturbed", week)
    truth = contents(scratch / "undisturbed")
    console.print(f"undisturbed: {whole:.0f} s, of which conditioning {conditioning:.0f} s; {len(truth)} tables compared", highlight=False)
    found = []
    for count, (delay, after) in enumerate(_moments(moments, number, conditioning, training, whole), 1):
        kill = killed(base, scratch / f"kill-{count}", week, truth, delay, after)
        console.print(f"{count}: {'recovered' if kill.recovered else kill}  (killed at: {kill.moment})", highlight=False, soft_wrap=True)
        if kill.recovered:
            shutil.rmtree(scratch / f"kill-{count}")
        found.append(kill)
    return found


def _moments(moments: random.Random, number: int, conditioning: float, training: float, whole: float) -> Iterator[tuple[float, str]]:
    """Delays and the lines that they begin at: a busy machine makes phases longer, and what follows the first would never be hit."""
    for count in range(number):
        yield [(moments.uniform(0, conditioning), "conditioning"), (moments.uniform(0, training), _TRAINING), (moments.uniform(0, whole), "")][
            count % 3
        ]


def main() -> None:
    """Kill, show, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scratch", type=Path, help="where the lakes are made; those that did not recover stay there")
    arguments = parser.parse_args()
    console = Console(width=140)
    found = kills(arguments.scratch or Path(tempfile.mkdtemp()), arguments.kills, arguments.seed, console)
    table = Table("killed while", "times", "recovered", "other rows", "decisions doubled", "runs left going on", title="Cycles killed and run again")
    for kind in sorted({kill.moment.split(" ")[0] for kill in found}):
        of_kind = [kill for kill in found if kill.moment.split(" ")[0] == kind]
        sums = (sum(kill.recovered for kill in of_kind), sum(bool(kill.differing) for kill in of_kind))
        table.add_row(kind, *map(str, (len(of_kind), *sums, sum(k.doubled for k in of_kind), sum(k.going_on for k in of_kind))))
    console.print(table)
    recovered = sum(kill.recovered for kill in found)
    record(
        [
            {
                "name": "cycles killed: recovered by a plain run",
                "value": recovered,
                "unit": "cycles",
                "peer": "cycles killed",
                "peer_value": len(found),
            }
        ],
        f"python -m benchmarks.kills --kills {arguments.kills} --seed {arguments.seed}",
    )
    sys.exit(recovered != len(found))


if __name__ == "__main__":
    main()
