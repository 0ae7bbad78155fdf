"""A lease as an object of the store: who changes a lake there. Its holder renews it; one that was killed loses it once nobody did so for a while.

How long is measured by who waits, on its own clock from what it sees, so that clocks need not agree.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from transforms.errors import ConfigurationError
from transforms.lake.remote.opening import told
from transforms.lake.remote.working_copy import store_of
from transforms.lake.tables import Lake
from transforms.stores.objects import NotWritten, ObjectNotTaken, ObjectStore, StoredObject, StoreUnreachable

SECONDS = 60.0
"""After so long without a renewal a lease is nobody's."""
_RENEW_SECONDS = 10.0
_POLL_SECONDS = 0.5
_FOLDER = ".leases"


def object_of(name: str) -> str:
    """Key of a lease."""
    return f"{_FOLDER}/{name}.json"


@contextmanager
def held(lake: Lake, name: str, what: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold a lease of a lake in a store. Who calls holds this machine's lock of that name already.

    Raises
    ------
    ConfigurationError
        At the end, if another process took the lease over meanwhile.
    """
    with told(lake.root):
        mine = _Lease(store_of(lake), object_of(name), _description(lake, what))
        mine.take(tell)
    mine.start()
    try:
        yield
    finally:
        mine.end()
    if mine.lost:
        raise ConfigurationError(
            f"{lake.root}: the lease '{name}' could not be renewed for {SECONDS:.0f} seconds, and another process may have changed the lake "
            "meanwhile. What was committed stands; run the command again."
        )


def is_held(lake: Lake, name: str) -> bool:
    """Whether somebody holds a lease, as far as its last renewal tells."""
    return bool(description_of_holder(lake, name))


def description_of_holder(lake: Lake, name: str) -> str:
    """What the holder of a lease wrote down; empty where nobody holds it, as far as its last renewal tells."""
    with told(lake.root):
        store = store_of(lake)
        found = store.find(object_of(name))
    if found is None or (datetime.now(UTC) - found.modified).total_seconds() >= 2 * SECONDS:
        return ""
    return _text_of(store, found) or "{}"


def is_of_this_machine(lake: Lake, text: str) -> bool:
    """Whether the holder of a lease ran here: one who holds no lock here any more is dead."""
    return _field(text, "machine") == _machine(lake)


def announced(text: str) -> str:
    """What those who wait for a lease are told, from what its holder wrote down."""
    return f"waiting for {named(text)}; Ctrl+C gives up"


def named(text: str) -> str:
    """The holder of a lease, from what it wrote down."""
    try:
        found = json.loads(text)
        since = datetime.fromisoformat(found["since"])
    except (ValueError, KeyError):
        return "another process, which changes this lake"
    return f"'{found['what']}' (process {found['process']} on {found['host']}, since {since:%Y-%m-%d %H:%M:%S} UTC)"


def description(what: str) -> dict[str, object]:
    """What the holder of a lease writes down."""
    return {"what": what, "process": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}


def _description(lake: Lake, what: str) -> dict[str, object]:
    return {**description(what), "machine": _machine(lake), "token": uuid4().hex, "renewed": 0}


def _machine(lake: Lake) -> str:
    """Name of this machine's folder of the lake: who finds it in a lease, and holds the lock there, knows that the holder is dead."""
    path = lake.path(".machine")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(uuid4().hex)
    except FileExistsError:
        pass
    return path.read_text()


class _Lease(threading.Thread):
    """One that is held, and the thread that renews it."""

    def __init__(self, store: ObjectStore, key: str, holder: dict[str, object]) -> None:
        super().__init__(name=f"renews {key}", daemon=True)
        self._store, self._key, self._holder, self._done = store, key, holder, threading.Event()
        self._one: StoredObject | None = None
        self.lost = False

    def take(self, tell: Callable[[str], None]) -> None:
        """Wait until it is free, or left alone for so long that its holder must be dead."""
        seen, since, said = "", time.monotonic(), ""
        while True:
            found = self._store.find(self._key)
            if found is not None and (found.etag or "") != seen:
                seen, since = found.etag or "", time.monotonic()
                text = _text_of(self._store, found)
                if _field(text, "machine") != self._holder["machine"] and (now := announced(text)) != said:
                    tell(now)
                    said = now
                elif _field(text, "machine") == self._holder["machine"]:
                    since -= SECONDS
            try:
                if found is None:
                    self._one = self._store.write(self._key, self._text(), "absent")
                    return
                if time.monotonic() - since >= SECONDS:
                    self._one = self._store.write(self._key, self._text(), found)
                    return
            except NotWritten:
                continue
            time.sleep(_POLL_SECONDS)

    def run(self) -> None:
        """Renew it until it is given back."""
        renewed = time.monotonic()
        while not self._done.wait(_RENEW_SECONDS):
            assert self._one is not None  # noqa: S101 - taken before the thread is started
            self._holder["renewed"] = int(str(self._holder["renewed"])) + 1
            try:
                self._one = self._store.write(self._key, self._text(), self._one)
                renewed = time.monotonic()
            except NotWritten:
                # A renewal whose answer was lost stands there as well.
                found = self._found()
                if found is None or _field(_text_of(self._store, found), "token") != self._holder["token"]:
                    self.lost = True
                    return
                self._one = found
            except StoreUnreachable:
                self.lost = time.monotonic() - renewed > SECONDS

    def end(self) -> None:
        """Give it back, unless it is another's by now."""
        self._done.set()
        self.join()
        found = None if self.lost else self._found()
        if found is not None and _field(_text_of(self._store, found), "token") == self._holder["token"]:
            try:
                self._store.delete(self._key)
            except StoreUnreachable:
                # It runs out by itself.
                return

    def _found(self) -> StoredObject | None:
        try:
            return self._store.find(self._key)
        except StoreUnreachable:
            return None

    def _text(self) -> bytes:
        return json.dumps(self._holder).encode()


def _text_of(store: ObjectStore, one: StoredObject) -> str:
    try:
        return b"".join(store.read(one, int(SECONDS))).decode(errors="replace")
    except (ObjectNotTaken, StoreUnreachable):
        return ""


def _field(text: str, name: str) -> object:
    try:
        return json.loads(text).get(name)
    except (ValueError, AttributeError):
        return None
