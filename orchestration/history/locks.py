"""Locks that tell which runs are executed: a process that executes a run holds the run's lock, and the kernel frees it however the process ends.

A process number would not do: numbers are given anew after a restart, and a run that the UI launched tells nobody its own. These are files of one
machine; orchestration.history.postgresql holds those of a database, which several machines share.
"""

import fcntl
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Protocol

from transforms.lake.lease import claimed

_held: dict[str, TextIOWrapper] = {}


class RunLocks(Protocol):
    """The locks of one run history."""

    def hold(self, run_id: str) -> None:
        """Hold a run's lock from now on; locks of runs that this process executed before are freed, since it executes one after the other."""

    def is_held(self, run_id: str) -> bool:
        """Whether a process executes the run."""

    def claim(self, run_id: str) -> AbstractContextManager[bool]:
        """True where no process executes the run, nor will any be told so until the end of the block: two that clean up do not meet."""

    def known(self) -> set[str]:
        """Runs that have a lock, held or not."""

    def forget(self, run_id: str) -> None:
        """Remove the lock of a run that has ended."""


@dataclass(frozen=True)
class FileRunLocks:
    """Locks that are files of one machine, one for each run; the kernel frees them."""

    folder: Path

    def hold(self, run_id: str) -> None:
        """Hold a run's lock from now on."""
        if run_id in _held:
            return
        for lock in _held.values():
            lock.close()
        _held.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        _held[run_id] = _locked(self.folder / run_id)

    def is_held(self, run_id: str) -> bool:
        """Whether a process executes the run."""
        with self.claim(run_id) as free:
            return not free

    def claim(self, run_id: str) -> AbstractContextManager[bool]:
        """True where the lock is free; it is not for others within the block."""
        return claimed(self.folder / run_id)

    def known(self) -> set[str]:
        """Runs that have a lock, held or not."""
        return {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()

    def forget(self, run_id: str) -> None:
        """Remove the lock of a run that has ended."""
        (self.folder / run_id).unlink(missing_ok=True)


def _locked(path: Path) -> TextIOWrapper:
    """Open and lock a file that still has its name: a clean-up removes those of runs that are not on record yet, and they keep nobody out."""
    while True:
        lock = path.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
            return lock
        lock.close()
