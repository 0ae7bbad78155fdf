"""One trial: a copy of the prepared lake, a fault, a plain second run, and how it ended."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError

from benchmarks.faults.command import Command
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Place
from orchestration.project import Project
from orchestration.reports.doctor import examine
from transforms.adapters import load_provider
from transforms.errors import ShelfcastError
from transforms.lake.tables import Lake

_OTHERS = "temporary history"
"""Found by the doctor outside of the root: not the trial's."""


class NotHere(Exception):
    """A fault cannot be done on this machine; says why."""


@dataclass(frozen=True)
class Undisturbed:
    """The prepared lake, and how its cycle goes where nobody disturbs it."""

    base: str
    week: str
    seconds: float
    steps: int
    grown: int
    """Bytes that the cycle adds."""
    before: Rows
    after: Rows
    backup: Path
    """Folder with a backup of the prepared lake."""


@dataclass
class Trial:
    """What a fault works on."""

    place: Place
    root: str
    at: Undisturbed
    chance: random.Random
    ending: Ending
    damaged: list[str] = field(default_factory=list)
    """Tables that the fault itself made unreadable."""

    @property
    def folder(self) -> Path:
        """The root as a folder."""
        return Path(self.root)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
        """Begin the weekly cycle, or another command."""
        return Command(self.place, self.root, *(arguments or ("run", "--week", self.at.week)), environment=environment)

    def wait_for_a_moment(self, command: Command) -> None:
        """A random moment of the cycle: half the times a time, half the times the beginning of a step."""
        if self.chance.random() < 0.5:
            begin = self.chance.randint(1, max(1, self.at.steps))
            command.until(lambda: command.steps >= begin)
        else:
            until = self.chance.uniform(0.02, 1) * self.at.seconds
            command.until(lambda: time.monotonic() - command.begun >= until)

    def readers(self) -> None:
        """Look at the tables as readers do."""
        self.ending.readers(self.folder, self.at.before, self.at.after, self.damaged)


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes
    ----------
    cause
        Does it; everything that it started has ended when it returns.
    prepare, clean
        Done before the lake is copied, and in the end.
    """

    name: str
    cause: Callable[[Trial], None]
    prepare: Callable[[Trial], None] | None = None
    clean: Callable[[Trial], None] | None = None
    in_folders_alone: bool = False


def tried(fault: Fault, place: Place, name: str, at: Undisturbed, chance: random.Random) -> Ending:
    """Do a fault once and say how it ended; the root of one that did not recover stays, with what was found beside it."""
    trial = Trial(place, place.root(name), at, chance, Ending(fault.name))
    ending = trial.ending
    if fault.in_folders_alone and not place.is_folder:
        ending.skipped = "the lake lies in no folder"
        return ending
    try:
        if fault.prepare is not None:
            fault.prepare(trial)
        place.copy(at.base, trial.root)
        fault.cause(trial)
        trial.readers()
        again = trial.run()
        code = again.wait()
        ending.told(again.text, code, [0])
        again.end_rest()
        ending.compare(trial.folder, at.after)
        _swept(trial)
    except NotHere as reason:
        ending.skipped = str(reason)
    except (ShelfcastError, DeltaError, duckdb.Error, OSError) as error:
        ending.broken.append(f"{type(error).__name__}: {error}")
    finally:
        if not ending.recovered:
            Path(f"{trial.root}.txt").write_text("\n".join([*ending.moments, *ending.broken, *ending.wedged, *ending.left]))
        if fault.clean is not None:
            fault.clean(trial)
        if ending.recovered and Path(trial.root).exists():
            place.remove(trial.root)
    return ending


def _swept(trial: Trial) -> None:
    """What is left over is found and cleared away as `shelfcast doctor --mend` does, and then the lake holds what it held."""
    lake = Lake(trial.root)
    provider = load_provider(Project.load(trial.folder).provider, base=trial.folder)
    # A second look finds what the first one's work has uncovered.
    for _ in range(2):
        for finding in examine(lake, provider, timedelta(0)):
            if finding.kind != _OTHERS and finding.mend is not None:
                trial.ending.swept[finding.kind] += 1
                finding.mend()
    trial.ending.left += [f"{found.kind}: {found.what}" for found in examine(lake, provider, timedelta(0)) if found.kind != _OTHERS]
    if trial.ending.recovered:
        trial.ending.compare(trial.folder, trial.at.after)
