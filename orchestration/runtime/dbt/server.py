"""`python -m orchestration.runtime.dbt.server FD`: dbt, loaded once, forks a process for each invocation that `command` asks it for.

dbt takes two seconds of CPU to load and one to look at a project, and parses it anew whenever `--vars` differ from those of the time before, as ours
do with each run's slices. What is loaded is the same with all of them, and so is what is parsed (a test parses both ways), so both are done once,
before the first fork; `dbtRunner` is made for being invoked again. Nothing of an invocation is left behind in the next: each has its own process.

It ends, and with it what it forked, when its standard input ends: that is held by the process that started it.
"""

import json
import os
import selectors
import signal
import socket
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from orchestration.runtime.dbt.files import place_of_parsed
from orchestration.settings import DBT_PROJECT, take_environment

_HEADER = 8


def parsed(project: Path) -> Manifest | None:
    """The manifest of the project's present files; None where it is not kept, and dbt then parses them itself."""
    place = place_of_parsed(project)
    if not place.exists():
        return None
    manifest = Manifest.from_msgpack(place.read_bytes())
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def invoke(manifest: Manifest | None, arguments: list[str]) -> int:
    """Run dbt and return what its own command would exit with."""
    result = dbtRunner(manifest).invoke(arguments)
    if result.exception is not None:
        sys.stderr.write(f"{result.exception}\n")
        return 2
    return 0 if result.success else 1


class Server:
    """Takes requests from a listening socket, one process for each."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener, self._selector = listener, selectors.DefaultSelector()
        self._place, self._manifest = place_of_parsed(DBT_PROJECT), parsed(DBT_PROJECT)
        self._processes: dict[int, socket.socket | None] = {}
        self._woken, wake = socket.socketpair()
        for end in (self._woken, wake):
            end.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A terminal's interrupt reaches all of its processes: those that dbt runs in heed it, and whoever started the server ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def load(self) -> None:
        """Let dbt load what it loads at its first invocation, without anything being built."""
        with TemporaryDirectory() as target, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            import transforms.lake.tables  # noqa: F401, PLC0415 - what the plugin of the project loads

            folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", target, "--log-path", target]
            dbtRunner(self._manifest).invoke(["list", "--quiet", "--select", "fqn:none", *folders])

    def serve(self) -> NoReturn:
        """Serve until standard input ends."""
        for source in (sys.stdin.fileno(), self._listener, self._woken):
            self._selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._begin(self._listener.accept()[0])
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                    self._tell_ended()
                elif isinstance(key.data, int):
                    self._asked_no_more(key.data)
                else:
                    for process in self._processes:
                        os.kill(process, signal.SIGKILL)
                    # Nothing is left to put in order, and taking a loaded dbt apart would take a while.
                    os._exit(0)

    def _begin(self, connection: socket.socket) -> None:
        try:
            header, outputs, _, _ = socket.recv_fds(connection, _HEADER, 2)
            request = json.loads(_received(connection, int.from_bytes(header, "big")))
        except (OSError, ValueError):
            connection.close()
            return
        process = os.fork()
        if process == 0:
            self._run(request, outputs, connection)
        for output in outputs:
            os.close(output)
        self._processes[process] = connection
        self._selector.register(connection, selectors.EVENT_READ, process)
        self._tell(connection, process)

    def _run(self, request: dict[str, Any], outputs: list[int], connection: socket.socket) -> NoReturn:
        """Be the process of an invocation."""
        code = 2
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for other in (connection, self._listener, self._woken, self._wake, *filter(None, self._processes.values())):
                other.close()
            self._selector.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, output in zip((1, 2), outputs, strict=True):
                os.dup2(output, number)
                os.close(output)
            take_environment(request["environment"])
            os.chdir(request["folder"])
            # A project that was changed since is parsed as it is now.
            manifest = self._manifest if self._place == place_of_parsed(DBT_PROJECT) else parsed(DBT_PROJECT)
            code = invoke(manifest, request["arguments"])
        except KeyboardInterrupt:
            code = 130
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _asked_no_more(self, process: int) -> None:
        """Whoever asked for a process is gone: nobody would hear how it ended."""
        if process in self._processes:
            self._release(process)
            self._processes[process] = None
            os.kill(process, signal.SIGKILL)

    def _tell_ended(self) -> None:
        while self._processes:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            # What else ends is a helper of Python's that dbt had started.
            if process in self._processes:
                self._release(process, os.waitstatus_to_exitcode(status))
                del self._processes[process]

    def _release(self, process: int, code: int | None = None) -> None:
        connection = self._processes[process]
        if connection is not None:
            self._selector.unregister(connection)
            if code is not None:
                self._tell(connection, code)
            connection.close()

    def _tell(self, connection: socket.socket, number: int) -> None:
        try:
            connection.sendall(f"{number}\n".encode())
        except OSError:
            # Whoever asked is gone.
            return


def _received(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size > 0 and (part := connection.recv(min(size, 1 << 16))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def main(listener: int) -> NoReturn:
    """Serve the socket that was handed on."""
    with socket.socket(fileno=listener) as socket_of_requests:
        server = Server(socket_of_requests)
        server.load()
        server.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
