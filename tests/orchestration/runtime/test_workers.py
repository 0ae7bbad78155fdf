"""Workers that regions are spread over: they end with the process that they work for, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest

from orchestration.workers import map_regions
from transforms.calendar import Region
from transforms.errors import ProcessKilled

_COMMAND = """
import sys, time
from pathlib import Path
from orchestration.workers import map_regions
from tests.orchestration.runtime.test_workers import Waiting
from transforms.calendar import Region

if __name__ == "__main__":
    list(map_regions(Waiting(sys.argv[1]), [Region("ohio"), Region("north_texas")], 2))
"""


class Waiting:
    """A task that notes its process and the one that started it, and then takes for ever."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, region: object) -> None:
        """Note and wait."""
        Path(self.folder, f"{region}.started").write_text(f"{os.getpid()} {os.getppid()}")
        time.sleep(600)


def until(what: object, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_workers_of_a_run_that_was_killed_end_too(tmp_path: Path) -> None:
    """Each kill left a fork server and its workers for good, half a gigabyte each."""
    script = tmp_path / "run.py"
    script.write_text(_COMMAND)
    run = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})
    try:
        notes = [tmp_path / f"{region}.started" for region in ("ohio", "north_texas")]
        assert until(lambda: all(note.exists() and note.read_text() for note in notes), 240)
    finally:
        run.kill()
        run.wait()
    left = {int(process) for note in notes for process in note.read_text().split()}
    assert len(left) == 3
    assert until(lambda: not any(map(is_alive, left)), 30), "two workers and their fork server"


class Killed:
    """A task whose process is killed, as the system does it where memory runs out."""

    def __call__(self, region: object) -> None:
        """End."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(f"{region} goes on")


def test_a_worker_that_is_killed_is_told_with_what_to_do() -> None:
    """'A process in the process pool was terminated abruptly' told nobody what to do."""
    with pytest.raises(ProcessKilled) as caught:
        list(map_regions(Killed(), [Region("ohio"), Region("north_texas")], 2))
    assert str(caught.value) == (
        "The process that trained or forecast a region was killed, most often because memory ran out. Run the command again: what was finished stays. "
        "Where memory is short, SHELFCAST_WORKERS=1 takes the least."
    )


def fork_servers() -> list[psutil.Process]:
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in living if "multiprocessing.forkserver" in " ".join(child.cmdline())]


def gone(server: psutil.Process) -> int:
    """Kill a fork server; its number, once no thread of it is left that would be asked for a worker."""
    server.kill()
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    return server.pid


class Named:
    """A task that ends at once."""

    def __call__(self, region: Region) -> str:
        """Its name."""
        return str(region)


def test_a_fork_server_that_is_killed_is_told_with_what_to_do_and_the_next_run_starts_another() -> None:
    """The command ended with 'EOFError: unexpected EOF', told as a defect of Shelfcast."""

    def kill() -> None:
        # It is asked for a worker while it imports, and answers once it has.
        until(fork_servers, 60)
        killed.extend(map(gone, fork_servers()))

    killed: list[int] = []
    list(map(gone, fork_servers()))
    killer = Thread(target=kill)
    killer.start()
    regions = [Region("ohio"), Region("north_texas")]
    with pytest.raises(ProcessKilled, match="Run the command again: what was finished stays"):
        list(map_regions(Named(), regions, 2))
    killer.join()
    assert len(killed) == 1
    assert dict(map_regions(Named(), regions, 2)) == {region: str(region) for region in regions}
