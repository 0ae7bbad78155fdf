"""Leases on a lake: who changes it at the moment, so that two who do so at once follow each other.

A lease is a lock on a file of the root, which the kernel frees however its holder ends. Who holds it and since when stands in the file, for those who
wait. `cycle` is held for as long as a command that runs steps or changes the project file takes; `decisions` for as long as something is read, judged
and put on record, by commands and by runs that the UI launched alike. Who holds both took `cycle` first. `files` is held by whoever removes files of
past versions or copies them. For a lake in an object store the lock is one of this machine, and an object of the store keeps other machines away: see
`transforms.lake.remote.leases`. `ui` is held by the UI and nobody waits for it: who finds it held is told so, on this machine alone.
"""

import fcntl
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from transforms.lake.remote import leases
from transforms.lake.tables import Lake

Kind = Literal["cycle", "decisions", "files", "ui"]
_POLL_SECONDS = 0.2
_held: dict[Path, int] = {}
"""Leases of this process, with how many blocks hold each: a command and the steps that it runs share one."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock on a file for as long as a short piece of work takes: another process waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """True where nobody holds the lock on a file; nobody else does within the block then. It waits for nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def lease(lake: Lake, kind: Kind, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a lease; where another process holds it, wait for as long as it does, and say for whom.

    Parameters
    ----------
    what
        What the lease is held for, as those who wait are told.
    tell
        Told once for each holder that is waited for.
    """
    path = _lock_of(lake, kind)
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        _wait(lock.fileno(), path, tell)
        _note(lock, leases.description(what))
        with _elsewhere(lake, kind, what, tell):
            _held[path] = 1
            try:
                yield
            finally:
                del _held[path]


def taken(lake: Lake, kind: Kind, what: str, group: int) -> TextIOWrapper | None:
    """Take this machine's lock of a kind, an open file; None where another process has it.

    It is held as long as some process has the file open: one that is started by the holder may be given it (`pass_fds`).

    Parameters
    ----------
    group
        Process group of all that may be given it.
    """
    path = _lock_of(lake, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    _note(lock, {**leases.description(what), "group": group})
    return lock


@contextmanager
def turn(lake: Lake, name: str) -> Iterator[None]:
    """Hold a lock of the lake for as long as a short piece of work takes: another process, on another machine too, waits."""
    with alone(turn_lock(lake, name)), _elsewhere(lake, name, name, lambda _: None):
        yield


def turn_is_taken(lake: Lake, name: str) -> bool:
    """True while some process holds that lock."""
    path = turn_lock(lake, name)
    if path.exists():
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return not lake.is_local and leases.is_held(lake, name)


def turn_lock(lake: Lake, name: str) -> Path:
    """The file that `turn` locks on this machine."""
    return lake.path("staged", f".{name}.lock")


def _elsewhere(lake: Lake, name: str, what: str, tell: Callable[[str], None]) -> AbstractContextManager[None]:
    """Keep processes on other machines away; those on this one wait for the lock of a file."""
    return nullcontext() if lake.is_local else leases.held(lake, name, what, tell)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease: what is said of it, whether it is a process of this machine that is gone, and the process group that may have it still."""

    who: str
    gone: bool
    group: int | None = None


def holder(lake: Lake, kind: Kind) -> Holder | None:
    """Who holds a lease at the moment, this process left aside; None while nobody does."""
    path = _lock_of(lake, kind)
    if path in _held:
        return None
    if path.exists():
        with path.open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(path.read_text())
    if not lake.is_local and (text := leases.description_of_holder(lake, kind)) and not leases.is_of_this_machine(lake, text):
        return Holder(leases.named(text), gone=False)
    return None


def _lock_of(lake: Lake, kind: Kind) -> Path:
    return lake.path(f".{kind}.lock").resolve()


def _note(lock: TextIOWrapper, description: dict[str, object]) -> None:
    lock.truncate(0)
    lock.write(json.dumps(description))
    lock.flush()


def _holder(text: str) -> Holder:
    """The holder of a lock of this machine: a lock outlives its holder where a process that the holder started has it still."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return Holder(leases.named(text), gone=False)
    gone = found["host"] == socket.gethostname() and not Path("/proc", str(found["process"])).exists() and Path("/proc").is_dir()
    return Holder(leases.named(text), gone, found.get("group"))


def _wait(lock: int, path: Path, tell: Callable[[str], None]) -> None:
    announced = ""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = leases.announced(path.read_text())
            if holder != announced:
                tell(holder)
                announced = holder
            time.sleep(_POLL_SECONDS)
        else:
            return
