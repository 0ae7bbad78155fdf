"""Object stores that fail: slow, cut off, answering 500. A proxy stands between a cycle and the store; the plain second run asks the store itself."""

import http.client
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from benchmarks.faults.place import Place
from benchmarks.faults.trial import Fault, Trial

_SPOILT = b"<Error><Code>InternalError</Code></Error>"
_UNPROXIED = {"content-length", "transfer-encoding", "connection", "date", "server"}
_PAUSES = (0.0, 0.05, 0.5, 8.0)
_OFTEN = (70, 20, 9, 1)


@dataclass
class Proxy:
    """What becomes of each request: how long it waits, the status it is answered with in the store's place, whether its answer breaks off."""

    address: str
    pause: Callable[[], float] = lambda: 0.0
    answer: Callable[[], int | None] = lambda: None
    cut: Callable[[], bool] = lambda: False
    asked: int = 0


@contextmanager
def proxied(store: str) -> Iterator[Proxy]:
    """A proxy in front of a store, which spoils what it is told to."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

        def log_message(self, *_: Any) -> None:
            pass

        def pass_on(self) -> None:
            proxy.asked += 1
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(proxy.pause())
            if (status := proxy.answer()) is not None:
                return self.send(status, {}, _SPOILT, "")
            breaks = proxy.cut()
            # What breaks off may have reached the store or not.
            if breaks and len(body) % 2:
                return self.hang_up()
            connection = http.client.HTTPConnection(urlsplit(store).netloc)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            came = connection.getresponse()
            content = came.read()
            connection.close()
            if breaks:
                content = content[: len(content) // 2]
            self.send(
                came.status, dict(came.getheaders()), content, came.getheader("Content-Length", "0") if breaks or self.command == "HEAD" else ""
            )
            return self.hang_up() if breaks else None

        def send(self, status: int, headers: dict[str, str], content: bytes, length: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _UNPROXIED:
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content if self.command != "HEAD" else b"")

        def hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on  # noqa: N815 - the library's names

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that was killed hangs up in the midst of an answer."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _spoilt(name: str, spoil: Callable[[Proxy, random.Random], None], trial: Trial) -> None:
    """The store is well until a random moment, and spoilt from there to the end of the cycle."""
    with proxied(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        cycle = trial.run(environment={"AWS_ENDPOINT_URL": proxy.address})
        trial.wait_for_a_moment(cycle)
        trial.ending.moments.append(f"{name} from {cycle.at} on, after {proxy.asked} requests")
        spoil(proxy, trial.chance)
        trial.end(cycle, [0, 1])
        trial.ending.moments.append(f"ended in {cycle.at} after {proxy.asked} requests: {cycle.text.strip().splitlines()[-1]}")


def _slow(proxy: Proxy, chance: random.Random) -> None:
    proxy.pause = lambda: chance.choices(_PAUSES, _OFTEN)[0]


def _often(share: float, chance: random.Random) -> Callable[[], bool]:
    return lambda: chance.random() < share


def _breaks(proxy: Proxy, chance: random.Random) -> None:
    proxy.cut = _often(0.1, chance)


def _cut_off(proxy: Proxy, _: random.Random) -> None:
    proxy.cut = lambda: True


def _errors(share: float, proxy: Proxy, chance: random.Random) -> None:
    fails = _often(share, chance)
    proxy.answer = lambda: chance.choice([500, 503]) if fails() else None


def _in_stores(place: Place) -> bool:
    return not place.is_folder


_SPOILS: dict[str, Callable[[Proxy, random.Random], None]] = {
    "store slow": _slow,
    "store breaks off one answer in ten": _breaks,
    "store cut off": _cut_off,
    "store answers one in ten with 500": partial(_errors, 0.1),
    "store answers 500": partial(_errors, 1.0),
}
FAULTS = [Fault(name, partial(_spoilt, name, spoil), applies=_in_stores) for name, spoil in _SPOILS.items()]
