"""The pages of a lake served as `shelfcast ui` serves them, without Dagster beside them, and what their process uses of the machine."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import uvicorn
from starlette.applications import Starlette

from orchestration.web.access import TokenDoor
from orchestration.web.relay import Relay
from orchestration.web.webserver import behind_front

TOKEN = "measuring"
_STARTS_SECONDS = 120
_TICKS, _PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class PageServer:
    """Pages that are served: where, and by which process."""

    origin: str
    pid: int

    @property
    def sign_in(self) -> dict[str, str]:
        """Headers of a program that is let in."""
        return {"Authorization": f"Bearer {TOKEN}"}

    def cpu_seconds(self) -> float:
        """What the process that draws pages has used; the front's share is not in it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / _TICKS

    def megabytes(self) -> float:
        """Memory of that process."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.origin}/healthz", headers=self.sign_in).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def served(root: Path | str, port: int, door: TokenDoor | None = None) -> Iterator[PageServer]:
    """Pages in a fresh process that has drawn none yet, until the end. A door of the caller's own lets in who has `TOKEN`."""
    with TemporaryDirectory(prefix="pages-") as folder:
        socket, door = f"{folder}/s", door or TokenDoor(port, TOKEN, "ann")
        process = subprocess.Popen([sys.executable, "-m", "dashboard", socket], env={**os.environ, "SHELFCAST_ROOT": str(root)})
        front = uvicorn.Server(uvicorn.Config(behind_front(Starlette(), Relay(socket, door), door), host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=front.run)
        thread.start()
        try:
            server, deadline = PageServer(f"http://127.0.0.1:{port}", process.pid), time.monotonic() + _STARTS_SECONDS
            while not server._is_up():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The pages of {root} did not start.")
                time.sleep(0.05)
            yield server
        finally:
            front.should_exit = True
            thread.join()
            process.terminate()
            process.wait(timeout=30)
