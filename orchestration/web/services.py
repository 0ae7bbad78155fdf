"""`shelfcast ui`: Dagster's webserver and daemon of a lake, and its pages, on loopback. What is served, and to whom, is the webserver's."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape

from orchestration.people import token_files
from orchestration.process_group import ProcessGroup, is_heeded, noted_signals
from orchestration.reports.report import plain
from orchestration.runtime.instance import open_instance
from orchestration.runtime.provider_file import take_in_provider
from orchestration.settings import CHECKOUT, Settings, child_environment, known_profiles, location_name
from orchestration.web.access import address, addresses, new_token, origin_at, scrapers_token
from orchestration.web.team import proxy_door
from transforms.errors import ConfigurationError, MissingData
from transforms.lake.lease import holder, taken
from transforms.lake.tables import Lake

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 20.0
_PAGES = "pages"
_PLAIN_LOCATION = "shelfcast"
_LEFT_SECONDS = 5.0
"""So long it may take until what a UI that was killed had started has ended."""


def serve(settings: Settings, port: int, console: Console) -> None:
    """Run until interrupted or told to end (SIGTERM, or the terminal is closed); when one of the processes ends, the others are ended too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if is_heeded(number):
            signal.signal(number, lambda *_: sys.exit(0))
    lake = Lake(settings.root, settings.storage_options)
    take_in_provider(lake, plain(console))
    door = proxy_door(settings, lake)
    scrapers_token()
    with noted_signals() as told_to_end, _group() as group, _claimed(lake, origin_at(port) if door is None else door.address, group.number) as claim:
        with open_instance(lake.path(), False, plain(console)):
            pass
        for left in token_files(lake.path()):
            left.unlink()
        shown = nullcontext("") if door is not None else new_token(lake.path(), port)
        # Not below the root: the address of a socket has room for a hundred characters.
        with shown as token, (lake.path() / "services.log").open("a") as log, TemporaryDirectory(prefix="shelfcast-pages-") as private:
            pages, workspace = Path(private) / "pages.socket", _workspace(Path(private) / "workspace.yaml")
            commands = _commands(port, pages, workspace)

            def start(name: str) -> None:
                group.start(name, commands[name], _environment(settings), log, claim)

            def start_again(name: str, code: int) -> bool:
                """Only pages, of which nothing of Dagster depends, and only where they were up before: those that cannot start would go on so."""
                if name != _PAGES or not pages.exists():
                    return False
                pages.unlink()
                ended = f"The UI's {name} ended with code {code} and are started again: see the end of {escape(log.name)}."
                console.print(ended, highlight=False, soft_wrap=True)
                start(name)
                return True

            for name in commands:
                start(name)
            opened = f"[bold]{door.address}[/] through its proxy, which finds it" if door is not None else _opened(port, token, console.is_terminal)
            console.print(
                f"Pages and Dagster UI {opened} at port {port}, reports below /reports/. Ctrl+C stops it; its log is {escape(log.name)}.",
                highlight=False,
                soft_wrap=True,
            )
            _watch(group, Path(log.name), told_to_end, claim, start_again)


def serve_all(port: int, console: Console) -> None:
    """`shelfcast ui --all`: a UI for each profile, from `port` upwards unless the profile names its own; all end together, with this process."""
    known = known_profiles()
    if not known:
        raise ConfigurationError("There are no profiles: write shelfcast.profiles.yaml (docs/operate.md, 'Dev and prod'), or leave --all out.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if is_heeded(number):
            signal.signal(number, lambda *_: sys.exit(0))
    with noted_signals() as told_to_end, _group() as group:
        for place, (name, profile) in enumerate(known.items()):
            command = [sys.executable, "-m", "orchestration", "ui", "--profile", name, "--port", str(profile.port or port + place)]
            group.start(name, command, child_environment(), sys.stdout, sys.stdout)
        while not told_to_end:
            if (ended := group.ended()) is not None:
                raise ConfigurationError(
                    f"The UI of {ended[0]} ended with code {ended[1]}, and those of the other profiles with it: it says above why."
                )
            time.sleep(_POLL_SECONDS)
    console.print("Stopped.")


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


def _workspace(own: Path) -> Path:
    """The file that names the code location: the checkout's, or one that calls it as the profile is called."""
    plain = CHECKOUT / "workspace.yaml"
    if location_name() == _PLAIN_LOCATION:
        return plain
    own.write_text(plain.read_text().replace(f"location_name: {_PLAIN_LOCATION}", f"location_name: {location_name()}"))
    return own


def _commands(port: int, socket: Path, workspace: Path) -> dict[str, list[str]]:
    return {
        _PAGES: [sys.executable, "-m", "dashboard", str(socket)],
        "webserver": [sys.executable, "-m", "orchestration.web.webserver", str(port), str(socket), str(workspace)],
        "daemon": [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)],
    }


def _environment(settings: Settings) -> dict[str, str]:
    # Looking at a large landing folder for the first time takes longer than the default minute.
    return child_environment(SHELFCAST_ROOT=settings.root, DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS="900")


@contextmanager
def _group() -> Iterator[ProcessGroup]:
    group = ProcessGroup()
    try:
        yield group
    finally:
        group.end(_GRACE_SECONDS)


def _claimed(lake: Lake, at: str, group: int) -> TextIOWrapper:
    """The lock of the UI, which webserver and daemon have too: a second daemon would start everything that the first one starts."""
    until = time.monotonic() + _LEFT_SECONDS
    while (lock := taken(lake, "ui", f"shelfcast ui at {at}", group)) is None:
        held = holder(lake, "ui")
        if held is not None and not held.gone:
            raise ConfigurationError(
                f"{held.who} serves this lake, and a second one would start everything twice. Open that one ('shelfcast ui --address' prints where), "
                "or end it first."
            )
        if held is not None and time.monotonic() > until:
            raise ConfigurationError(
                f"{held.who} is gone, and its daemon or webserver goes on: 'shelfcast doctor --mend' ends them, and a UI can be started then."
            )
        time.sleep(_POLL_SECONDS)
    return lock


def _watch(group: ProcessGroup, log: Path, told_to_end: Sequence[int], claim: TextIOWrapper, start_again: Callable[[str, int], bool]) -> None:
    lock = os.fstat(claim.fileno())
    while not told_to_end:
        if not _is_at(Path(claim.name), lock):
            # Daemon and webserver would begin an empty history where the lake was.
            raise ConfigurationError(f"{Path(claim.name).parent} was moved or removed while its UI ran: start it again with the --root of today.")
        if (ended := group.ended()) is not None and not start_again(*ended):
            name, code = ended
            raise ConfigurationError(f"The UI's {name} ended with code {code}: see the end of {log}. Is the port in use?")
        time.sleep(_POLL_SECONDS)


def _is_at(path: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), file)
    except FileNotFoundError:
        return False
