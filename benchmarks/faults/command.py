"""A command of Shelfcast under way, with all of its processes: starting it, waiting for moments of it, killing some or all of it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import psutil

from benchmarks.faults.place import Place

Kind = Literal["command", "dbt", "worker", "workbook reader", "group"]
_MARKS: dict[Kind, str] = {"dbt": "dbt_process", "worker": "multiprocessing.forkserver", "workbook reader": "transforms.workbooks.process"}
_STILL = 0.02
LONGEST = 1800
"""Seconds after which a command counts as wedged."""
WEDGED = -99
_SHELFCAST = [sys.executable, "-c", "from orchestration.cli.app import app; app()"]


class Command:
    """`shelfcast ARGUMENTS --root ROOT`, in a session of its own."""

    def __init__(self, place: Place, root: str, *arguments: str, environment: Mapping[str, str] | None = None):
        number = len(list(Path(root).parent.glob(f"{Path(root).name}.*.log")))
        self.log = Path(f"{root}.{number}.log")
        self._place, self._root, self._runs = place, root, place.runs(root)
        self.begun = time.monotonic()
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
        """The last thing that it said, and how many steps had begun."""
        lines = [line.strip("· ") for line in self.text.splitlines() if line.strip()]
        return f"{lines[-1] if lines else 'start'} (step {self.steps})"

    @property
    def steps(self) -> int:
        """Steps that have begun."""
        return self._place.steps(self._root, self._runs)

    def wait(self) -> int:
        """Wait to the end; return the exit code, `WEDGED` where it came to none."""
        try:
            return self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.kill("group", random.Random(0))
            return WEDGED

    def until(self, reached: Callable[[], bool]) -> bool:
        """Wait for something, or for the end; whether it was reached."""
        while not (there := reached()) and not self.ended:
            time.sleep(_STILL)
        return there

    def of_kind(self, kind: Kind) -> list[int]:
        """Processes of a kind that run now."""
        if kind == "command":
            return [] if self.ended else [self.process.pid]
        return [pid for pid, line in self._tree() if kind == "group" or _MARKS[kind] in line]

    def is_there(self, kind: Kind) -> bool:
        """Whether a process of a kind runs now."""
        return bool(self.of_kind(kind))

    def kill(self, kind: Kind, chance: random.Random) -> bool:
        """SIGKILL one process of a kind, or all; whether there was one."""
        if kind == "group":
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            self.process.wait()
            return True
        pids = self.of_kind(kind)
        if pids:
            os.kill(chance.choice(pids), signal.SIGKILL)
        return bool(pids)

    def end_rest(self) -> None:
        """Wait for processes that outlive their command: they see that it is gone and end."""
        deadline = time.monotonic() + 60
        while self._tree() and time.monotonic() < deadline:
            time.sleep(_STILL)

    def _tree(self) -> list[tuple[int, str]]:
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            try:
                if os.getsid(process.pid) == self.process.pid and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.append((process.pid, " ".join(process.info["cmdline"] or [])))
            except ProcessLookupError:
                continue
        return found
