"""`shelfcast ui`: the Dagster webserver and daemon of a lake, and the reports beside them, all on loopback."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import uvicorn
from rich.console import Console

from orchestration.instance import open_instance
from orchestration.reports_server import create_app
from orchestration.settings import CHECKOUT, Settings, child_environment
from transforms.errors import ConfigurationError
from transforms.lake import Lake

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 20.0


def serve(settings: Settings, port: int, console: Console) -> None:
    """Run until interrupted or told to end (SIGTERM); when one of the processes ends, the others are ended too."""
    # A service manager stops with SIGTERM, which by default ends this process alone and leaves webserver and daemon running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    lake = Lake(settings.root, settings.storage_options)
    with open_instance(lake.path(), local=False):
        pass
    reports_port = port + 1
    environment = child_environment(
        SHELFCAST_ROOT=settings.root,
        SHELFCAST_REPORTS_URL=f"http://127.0.0.1:{reports_port}",
        # Looking at a large landing folder for the first time takes longer than the default minute.
        DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS="900",
    )
    workspace = ["-w", str(CHECKOUT / "workspace.yaml")]
    commands = {
        # The webserver executes mutations for any page that can reach it, so it listens on loopback alone.
        "webserver": [sys.executable, "-m", "dagster_webserver", *workspace, "-h", "127.0.0.1", "-p", str(port)],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", *workspace],
    }
    server = uvicorn.Server(uvicorn.Config(create_app(lake.path("reports")), host="127.0.0.1", port=reports_port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with (lake.path() / "services.log").open("a") as log:
        processes = {name: subprocess.Popen(command, env=environment, stdout=log, stderr=log) for name, command in commands.items()}  # noqa: S603
        console.print(
            f"Dagster UI [bold]http://127.0.0.1:{port}[/], reports [bold]http://127.0.0.1:{reports_port}[/]. "
            f"Ctrl+C stops them; their log is {log.name}.",
            highlight=False,
            soft_wrap=True,
        )
        try:
            _watch(processes, thread, Path(log.name))
        finally:
            server.should_exit = True
            _end(list(processes.values()))


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


def _watch(processes: dict[str, "subprocess.Popen[bytes]"], thread: threading.Thread, log: Path) -> None:
    while thread.is_alive():
        for name, process in processes.items():
            if process.poll() is not None:
                raise ConfigurationError(f"The Dagster {name} ended with code {process.returncode}: see the end of {log}. Is the port in use?")
        time.sleep(_POLL_SECONDS)
    raise ConfigurationError("The reports server ended. Is its port (the one after the UI's) in use?")
