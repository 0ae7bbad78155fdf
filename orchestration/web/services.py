"""`shelfcast ui`: the Dagster webserver and daemon of a lake, on loopback. What is served, and to whom, is orchestration.web.webserver's."""

import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from orchestration.reports.report import plain
from orchestration.runtime.instance import open_instance
from orchestration.runtime.provider_file import take_in_provider
from orchestration.settings import CHECKOUT, Settings, child_environment
from orchestration.web.access import address, addresses, new_token
from orchestration.web.team import proxy_door
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.tables import Lake

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 20.0


def serve(settings: Settings, port: int, console: Console) -> None:
    """Run until interrupted or told to end (SIGTERM); when one of the processes ends, the others are ended too."""
    # A service manager stops with SIGTERM, which by default ends this process alone and leaves webserver and daemon running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    lake = Lake(settings.root, settings.storage_options)
    take_in_provider(lake, plain(console))
    with open_instance(lake.path(), False, plain(console)):
        pass
    environment = child_environment(
        SHELFCAST_ROOT=settings.root,
        # Looking at a large landing folder for the first time takes longer than the default minute.
        DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS="900",
    )
    commands = {
        "webserver": [sys.executable, "-m", "orchestration.web.webserver", str(port)],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-w", str(CHECKOUT / "workspace.yaml")],
    }
    door = proxy_door(settings, lake)
    shown = nullcontext("") if door is not None else new_token(lake.path(), port)
    with shown as token, (lake.path() / "services.log").open("a") as log:
        processes = {name: subprocess.Popen(command, env=environment, stdout=log, stderr=log) for name, command in commands.items()}  # noqa: S603
        opened = f"[bold]{door.address}[/] through its proxy, which finds it" if door is not None else _opened(port, token, console.is_terminal)
        console.print(
            f"Dagster UI {opened} at port {port}, reports below its /reports/. Ctrl+C stops it; its log is {escape(log.name)}.",
            highlight=False,
            soft_wrap=True,
        )
        try:
            _watch(processes, Path(log.name))
        finally:
            _end(list(processes.values()))


def show_addresses(settings: Settings, console: Console) -> None:
    """`shelfcast ui --address`: print the address of each UI of the lake that runs."""
    found = addresses(Lake(settings.root, settings.storage_options).path())
    if not found:
        raise MissingData("No UI of this lake runs on this machine as the present user. Start one: shelfcast ui")
    for one in found:
        console.print(one, markup=False, highlight=False, soft_wrap=True)


def _opened(port: int, token: str, is_terminal: bool) -> str:
    """The address. What is no terminal may be a log, which holds no token."""
    return f"[bold]{address(port, token)}[/]" if is_terminal else "under the address that 'shelfcast ui --address' prints,"


def _end(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.terminate()
    until = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            # One that is still starting may not listen to signals yet. Code servers end by themselves once nobody calls.
            process.kill()
            process.wait()


def _watch(processes: dict[str, "subprocess.Popen[bytes]"], log: Path) -> None:
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ConfigurationError(f"The Dagster {name} ended with code {process.returncode}: see the end of {log}. Is the port in use?")
        time.sleep(_POLL_SECONDS)
