"""A command of Shelfcast under way, with all of its processes: starting it, waiting for moments of it, killing some or all of it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import psutil

from benchmarks.faults.place import Place

Kind = Literal["group", "command", "dbt", "worker", "fork server", "workbook reader", "helper"]
_MARKS: dict[str, Kind] = {
    "runtime.dbt.server": "dbt",
    "dbt/command.py": "dbt",
    "multiprocessing.forkserver": "worker",
    "transforms.workbooks.process": "workbook reader",
}
_WEIGHTS: dict[Kind, int] = {"group": 3, "command": 3, "dbt": 3, "worker": 3, "fork server": 3, "workbook reader": 3, "helper": 1}
"""How often a kind is chosen among those that run; helpers are what Dagster and Python start for logs and semaphores."""
START = "start"
_STILL = 0.1
LONGEST = 1800
"""Seconds after which a command counts as wedged."""
WEDGED = -99
_SHELFCAST = [sys.executable, "-c", "from orchestration.cli.app import app; app()"]


@dataclass(frozen=True)
class Phase:
    """A stretch of a cycle: what comes before its first step, or a step with what comes after it."""

    name: str
    seconds: float


class Command:
    """`shelfcast ARGUMENTS --root ROOT`, in a session of its own."""

    def __init__(self, place: Place, root: str, *arguments: str, environment: Mapping[str, str] | None = None):
        number = len(list(place.scratch.glob(place.beside(root, ".*.log").name)))
        self.log = place.beside(root, f".{number}.log")
        self._place, self._home = place, place.home(root)
        self._runs = place.history.runs(self._home)
        self.begun_at = time.time()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*_SHELFCAST, *arguments, "--root", root],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **place.environment, **(environment or {})},
            )

    @property
    def ended(self) -> bool:
        """Whether the command's own process has ended."""
        return self.process.poll() is not None

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    @property
    def at(self) -> str:
        """The step that began last."""
        steps = [step for step, _ in self._begun()]
        return steps[-1] if steps else START

    def phases(self) -> list[Phase]:
        """The stretches of a command that has just ended."""
        begun = [(START, self.begun_at), *self._begun()]
        ends = [at for _, at in begun[1:]] + [time.time()]
        return [Phase(name, max(0.0, end - at)) for (name, at), end in zip(begun, ends, strict=True)]

    def wait(self) -> int:
        """Wait to the end; return the exit code, `WEDGED` where it came to none."""
        try:
            return self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.kill("group", random.Random(0))
            return WEDGED

    def until(self, reached: Callable[[], bool], seconds: float = LONGEST) -> bool:
        """Wait for something, for so many seconds at most, or for the end; whether it was reached."""
        deadline = time.monotonic() + seconds
        while not (there := reached()) and not self.ended and time.monotonic() < deadline:
            time.sleep(_STILL)
        return there

    def until_in(self, phases: list[Phase], number: int) -> bool:
        """Wait until a phase, or one behind it, has begun; whether that came."""
        return number == 0 or self.until(partial(self._has_begun, phases, number))

    def stay_in(self, phases: list[Phase], number: int, share: float) -> None:
        """Let it go on for a share of the time that a phase took where nobody disturbed it, or to the beginning of the next one."""
        self.until(partial(self._has_begun, phases, number + 1), share * phases[number].seconds)

    def pause(self, seconds: float) -> None:
        """Let it go on for so long, or to its end."""
        self.until(lambda: False, seconds)

    def of_kind(self, kind: Kind) -> list[int]:
        """Processes of a kind that run now."""
        return [pid for pid, found in self._tree() if kind in {"group", found}]

    def is_there(self, kind: Kind) -> bool:
        """Whether a process of a kind runs now."""
        return bool(self.of_kind(kind))

    def kill(self, kind: Kind | Literal["any"], chance: random.Random) -> Kind | None:
        """SIGKILL all, or one process of a kind, which with `any` is chosen too; return the kind, None where there was no process."""
        found = self._tree()
        if not found:
            return None
        if kind == "any":
            kinds: list[Kind] = sorted({"group", *(kind for _, kind in found)})
            [kind] = chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])
        pids = [pid for pid, other in found if kind in {"group", other}]
        try:
            if kind == "group":
                os.killpg(self.process.pid, signal.SIGKILL)
            elif pids:
                os.kill(chance.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return kind if pids else None

    def end_rest(self) -> None:
        """Wait for processes that outlive their command: they see that it is gone and end."""
        deadline = time.monotonic() + 60
        while self._tree() and time.monotonic() < deadline:
            time.sleep(_STILL)

    def _has_begun(self, phases: list[Phase], number: int) -> bool:
        names = {phase.name for phase in phases[number:]}
        return any(step in names for step, _ in self._begun())

    def _begun(self) -> list[tuple[str, float]]:
        return [(one.step, one.at) for one in self._place.history.begun(self._home, self._runs)]

    def _tree(self) -> list[tuple[int, Kind]]:
        """Processes of the session that live, with their kinds."""
        found: list[tuple[int, Kind]] = []
        for process in psutil.process_iter():
            try:
                # Cheap first: most processes of the machine are others'.
                if os.getsid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append((process.pid, self._kind(process)))
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def _kind(self, process: psutil.Process) -> Kind:
        if process.pid == self.process.pid:
            return "command"
        line = " ".join(process.cmdline())
        kind = next((kind for mark, kind in _MARKS.items() if mark in line), "helper")
        return "fork server" if kind == "worker" and process.ppid() == self.process.pid else kind
