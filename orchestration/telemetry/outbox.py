"""The outbox: events of runs that ended, each run's in a file below the lake's folder of this machine, until a receiver has them.

A run's file is put there whole before the run counts as recorded, and goes once its last event was taken: a receiver that is down loses nothing, and
what a kill in between lets be sent again has the same ids. What a receiver will never take is laid aside, so that it stops nothing behind it.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from transforms.lake.backup import OUTBOX
from transforms.lake.lease import claimed
from transforms.lake.tables import Lake
from transforms.whole_files import write_whole

Emit = Callable[[dict[str, Any]], None]
"""Sends an event; raises `Unreachable` or `Refused` where it was not taken."""
_REFUSED = "refused"


class Unreachable(Exception):
    """The receiver does not take events now; it may do so later."""


class Refused(Exception):
    """The receiver will not take this event, however often it comes."""


@dataclass(frozen=True)
class Sent:
    """What a look at the outbox came to: events that were taken, runs that wait still, runs laid aside, and why it ended before all were sent."""

    events: int = 0
    waiting: int = 0
    refused: int = 0
    trouble: str = ""


class Outbox:
    """The outbox of a lake on this machine."""

    def __init__(self, lake: Lake) -> None:
        self._folder = lake.path(OUTBOX)

    def put(self, ended: datetime, events: Sequence[dict[str, Any]]) -> None:
        """Lay the events of a run, the first of which is the run's own, down: whole or not at all. Runs that ended first are sent first."""
        _write(self._folder / f"{ended:%Y%m%dT%H%M%S}-{UUID(events[0]['run']['runId'])}.jsonl", events)

    def waiting(self) -> list[Path]:
        """Files of runs that wait, those that ended first before the others."""
        return sorted(self._folder.glob("*.jsonl"))

    def laid_aside(self) -> list[Path]:
        """Files with events that the receiver refused."""
        return sorted((self._folder / _REFUSED).glob("*.jsonl"))

    def send(self, emit: Emit, tell: Callable[[str], None], seconds: float) -> Sent | None:
        """Send what waits, in order, until nothing does, the time is up or the receiver is not reachable; None where another process is at it.

        Parameters
        ----------
        tell
            Told of each event that was laid aside.
        seconds
            Time after which no further event is sent.
        """
        if not self.waiting():
            return Sent()
        with claimed(self._folder / ".lock") as free:
            return self._send(emit, tell, time.monotonic() + seconds) if free else None

    def _send(self, emit: Emit, tell: Callable[[str], None], until: float) -> Sent:
        events = refused = 0
        # Looked at again after each file: what came meanwhile found the lock taken.
        while files := self.waiting():
            file, bad = files[0], list[dict[str, Any]]()
            try:
                left = _read(file)
            except ValueError:
                tell(f"{file} does not hold events as they were put there; it is kept in {self._aside(file.name)}.")
                file.replace(self._aside(file.name))
                refused += 1
                continue
            while left:
                try:
                    if time.monotonic() > until:
                        raise Unreachable("The time for this look at the outbox is up.")
                    emit(left[0])
                except Unreachable as trouble:
                    _write(file, left)
                    self._lay_aside(file.name, bad)
                    return Sent(events, len(self.waiting()), refused, str(trouble))
                except Refused as refusal:
                    tell(f"{refusal} Its run is {left[0]['run']['runId']}; it is kept in {self._aside(file.name)}.")
                    bad.append(left[0])
                    refused += 1
                else:
                    events += 1
                del left[0]
            self._lay_aside(file.name, bad)
            file.unlink()
        return Sent(events, 0, refused)

    def _lay_aside(self, name: str, events: Sequence[dict[str, Any]]) -> None:
        if events:
            aside = self._aside(name)
            _write(aside, [*(_read(aside) if aside.exists() else []), *events])

    def _aside(self, name: str) -> Path:
        folder = self._folder / _REFUSED
        folder.mkdir(exist_ok=True)
        return folder / name


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _write(file: Path, events: Sequence[dict[str, Any]]) -> None:
    write_whole(file, "".join(f"{json.dumps(event)}\n" for event in events), durable=True)
