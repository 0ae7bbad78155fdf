"""Processes that end together, with all that they start in turn, and with the process that started them, however that one ends.

They are a process group of their own: a Ctrl+C of the terminal reaches the process that started them alone, which then ends them in order.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

# The kernel closes the pipe of a process that ends, be it killed: what was not told before that the end is in order then kills its group, itself too.
_GUARD = 'trap "" HUP INT TERM; read -r in_order || kill -9 0'
_POLL_SECONDS = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessGroup:
    """A group of processes, the first of which does nothing but kill the others once the process that started them is gone."""

    def __init__(self) -> None:
        command = ["/bin/sh", "-c", _GUARD, "shelfcast: ends these processes with the one that started them"]
        self._guard = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0)  # noqa: S603 - a constant
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def number(self) -> int:
        """The group's number."""
        return self._guard.pid

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: IO[str], keep: IO[str]) -> None:
        """Start a process that writes into `log`, and has the file `keep` open for as long as it lives."""
        self._started[name] = subprocess.Popen(  # noqa: S603 - our own interpreter
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(keep.fileno(),), process_group=self.number
        )

    def ended(self) -> tuple[str, int] | None:
        """Name and exit code of a process that has ended; None while all live."""
        together = {**self._started, "guard of its processes": self._guard}
        return next(((name, code) for name, process in together.items() if (code := process.poll()) is not None), None)

    def end(self, seconds: float) -> None:
        """Ask the processes to end, then what they left running, and kill what has not ended in time: one that is still starting may not listen."""
        processes = list(self._started.values())
        for process in processes:
            process.terminate()
        _wait_until(lambda: all(process.poll() is not None for process in processes), seconds)
        self._guard.communicate(b"in order\n")
        if signal_group(self.number, signal.SIGTERM):
            _wait_until(lambda: not signal_group(self.number, 0), seconds)
            signal_group(self.number, signal.SIGKILL)
        for process in processes:
            process.wait()


def signal_group(number: int, wanted: int) -> bool:
    """Send a signal to a group of processes, and return whether there is one."""
    try:
        os.killpg(number, wanted)
    except ProcessLookupError:
        return False
    return True


def is_heeded(number: int) -> bool:
    """Whether a signal ends this process: one that was started with others ignored ('nohup', a shell's '&') goes on ignoring them, but for SIGTERM.

    That is how service managers end a process, and nobody has it ignored on purpose: a shell that ignores it hands that on unasked.
    """
    return number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """While this is open, signals that ask this process to end are noted; the first takes effect at the end of the block.

    A signal that raises wherever the process happens to be leaves behind half of what a library was doing, and what that has to say of it.
    """
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS if is_heeded(number)}
    for number in before:
        signal.signal(number, lambda number, _: noted.append(number))
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        signal.raise_signal(noted[0])


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
