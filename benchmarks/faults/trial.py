"""One trial: a copy of the prepared lake, a fault, a plain second run, and how it ended."""

import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from benchmarks.faults.command import Command, Phase
from benchmarks.faults.ending import Ending, Rows
from benchmarks.faults.place import Place, lake_of
from orchestration.project import Project
from orchestration.reports.doctor import examine
from transforms.adapters import load_provider

_OTHERS = "temporary history"
"""Found by the doctor outside of the root: not the trial's."""


class NotHere(Exception):
    """A fault cannot be done on this machine; says why."""


@dataclass(frozen=True)
class Undisturbed:
    """The prepared lake, and how its cycle goes where nobody disturbs it."""

    base: str
    week: str
    phases: list[Phase]
    grown: int
    """Bytes that the cycle adds to a folder."""
    before: Rows
    after: Rows


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
    commands: list[Command] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The root as a folder."""
        return Path(self.root)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
        """Begin the weekly cycle, or another command."""
        command = Command(self.place, self.root, *(arguments or ("run", "--week", self.at.week)), environment=environment)
        self.commands.append(command)
        return command

    def end(self, command: Command, expected: Sequence[int]) -> int:
        """Wait until a command and all that it started has ended, judge what it said, and return its exit code."""
        code = command.wait()
        command.end_rest()
        self.ending.told(command.text, code, expected)
        return code

    def wait_for_a_moment(self, command: Command) -> None:
        """A random moment of a random phase of the cycle."""
        number = self.chance.randrange(len(self.at.phases))
        if command.until_in(self.at.phases, number):
            command.stay_in(self.at.phases, number, self.chance.random())

    def readers(self) -> None:
        """Look at the tables as readers do."""
        self.ending.readers(self.root, self.at.before, self.at.after, self.damaged)


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes
    ----------
    cause
        Does it; everything that it started has ended when it returns.
    prepare, clean
        Done before the lake is copied, and in the end.
    applies
        Whether it can be done to lakes and run histories that lie there.
    """

    name: str
    cause: Callable[[Trial], None]
    prepare: Callable[[Trial], None] | None = None
    clean: Callable[[Trial], None] | None = None
    applies: Callable[[Place], bool] = lambda _: True


def in_folders(place: Place) -> bool:
    """Faults of files and disks: whether there are any."""
    return place.is_folder


def tried(fault: Fault, place: Place, name: str, at: Undisturbed, chance: random.Random) -> Ending:
    """Do a fault once and say how it ended; the root of one that did not recover stays, with the commands' logs and what was found beside it."""
    trial = Trial(place, place.files.root(name), at, chance, Ending(fault.name, place.name))
    ending, begun = trial.ending, time.monotonic()
    try:
        if fault.prepare is not None:
            fault.prepare(trial)
        place.files.copy(at.base, trial.root)
        fault.cause(trial)
        trial.readers()
        trial.end(trial.run(), [0])
        ending.compare(trial.root, at.after)
        _swept(trial)
    except NotHere as reason:
        ending.skipped = str(reason)
    except Exception as error:  # noqa: BLE001 - a measurement of hours goes on with its next trial; this one has not recovered
        ending.broken.append(f"{type(error).__name__}: {error}")
        place.beside(trial.root, ".traceback").write_text(traceback.format_exc())
    finally:
        for command in trial.commands:
            command.kill("group", chance)
        if not ending.recovered:
            found = [*ending.moments, *map(str, ending.kills), *ending.broken, *ending.wedged, *ending.left]
            place.beside(trial.root, ".txt").write_text("\n".join([*found, f"kept: {trial.root}", ""]))
        if fault.clean is not None:
            fault.clean(trial)
        if ending.recovered:
            for command in trial.commands:
                command.log.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                place.files.remove(trial.root)
    ending.seconds = time.monotonic() - begun
    return ending


def _swept(trial: Trial) -> None:
    """What is left over is found and cleared away as `shelfcast doctor --mend` does, and then the lake holds what it held."""
    lake = lake_of(trial.root)
    provider = load_provider(Project.of(lake).provider, base=lake.path())
    # A second look finds what the first one's work has uncovered.
    for _ in range(2):
        for finding in examine(lake, provider, timedelta(0)):
            if finding.kind != _OTHERS and finding.mend is not None:
                trial.ending.swept[finding.kind] += 1
                finding.mend()
    trial.ending.left += [f"{found.kind}: {found.what}" for found in examine(lake, provider, timedelta(0)) if found.kind != _OTHERS]
    if trial.ending.recovered and trial.ending.swept:
        trial.ending.compare(trial.root, trial.at.after)
