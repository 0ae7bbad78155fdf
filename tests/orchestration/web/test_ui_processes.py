"""The processes of `shelfcast ui`: they end with it, however it ends, and there is one daemon for a lake."""

import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from orchestration.people import token_files
from orchestration.process_group import noted_signals, signal_group
from orchestration.project import Project
from tests.orchestration.waiting import free_port, wait_for
from transforms.lake.lease import holder
from transforms.lake.tables import Lake

# Starts a process that starts another one, and says so; the first ignores what asks it to end.
STARTER = """
import signal, sys, time
from orchestration.process_group import ProcessGroup
from transforms.lake.lease import taken
from transforms.lake.tables import Lake

CHILD = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
CHILD += "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); time.sleep(600)"
group = ProcessGroup()
with taken(Lake(sys.argv[1]), "ui", "shelfcast ui", group.number) as lock:
    group.start("child", [sys.executable, "-c", CHILD], {}, sys.stdout, lock)
    sys.stdin.read()
    group.end(0.5)
"""


@contextmanager
def starter(root: Path) -> Iterator[tuple["subprocess.Popen[str]", list[psutil.Process]]]:
    """A process with its guard, its child and its grandchild."""
    with subprocess.Popen([sys.executable, "-c", STARTER, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grandchild = psutil.Process(int(process.stdout.readline()))
        below = psutil.Process(process.pid).children(recursive=True)
        try:
            assert (len(below), grandchild in below) == (3, True)
            yield process, below
        finally:
            process.kill()
            for one in below:
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def ended(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_a_killed_process_had_started_ends_with_it_down_to_the_grandchildren(tmp_path: Path) -> None:
    with starter(tmp_path) as (process, below):
        process.kill()
        wait_for(lambda: ended(below), 10)
        assert holder(Lake(str(tmp_path)), "ui") is None


def test_a_child_that_does_not_listen_and_a_grandchild_are_ended_in_order(tmp_path: Path) -> None:
    with starter(tmp_path) as (process, below):
        process.communicate("", timeout=30)
        assert process.returncode == 0
        wait_for(lambda: ended(below), 1)


def test_a_lock_that_was_handed_on_tells_which_group_to_end_after_its_holder_and_the_guard_were_killed(tmp_path: Path) -> None:
    with starter(tmp_path) as (process, below):
        lake = Lake(str(tmp_path))
        first = holder(lake, "ui")
        assert first is not None
        assert (first.gone, first.group) == (False, os.getpgid(below[0].pid))
        process.send_signal(signal.SIGSTOP)
        os.kill(first.group, signal.SIGKILL)
        process.kill()
        process.wait()
        left = holder(lake, "ui")
        assert left is not None
        assert (left.gone, left.group) == (True, first.group)
        assert signal_group(first.group, signal.SIGKILL)
        wait_for(lambda: ended(below) and holder(lake, "ui") is None, 10)


def test_an_interrupt_waits_until_what_must_not_be_broken_off_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), noted_signals() as noted:  # noqa: PT012 - the interrupt comes at the end of the block
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        done.append(list(noted))
    assert done == [[signal.SIGINT, signal.SIGTERM]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_was_started_with_signals_ignored_ends_by_sigterm_and_by_no_other() -> None:
    """What a shell that ignored SIGTERM had started in the background went on for good, with its daemon."""
    script = """
import os, signal, sys
from orchestration.process_group import is_heeded, noted_signals
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with noted_signals() as noted:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(os.getpid(), number)
    print(noted == [signal.SIGTERM], is_heeded(signal.SIGTERM), is_heeded(signal.SIGINT), flush=True)
"""
    ignoring = ["/bin/sh", "-c", 'trap "" HUP INT TERM; exec "$@"', "sh", sys.executable, "-c", script]
    done = subprocess.run(ignoring, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "True True False\n"), done.stderr


def test_an_interrupt_while_a_command_is_still_being_loaded_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "orchestration.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "orchestration.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("orchestration", run_name="__main__")
    assert (left.value.code, capsys.readouterr().err) == (130, "Stopped.\n")


@pytest.mark.slow
def test_a_ui_ends_with_all_that_it_started_and_has_none_beside_it(tmp_path: Path) -> None:
    """Once by a Ctrl+C in its terminal and once by a kill: there, webserver and daemon went on, with the token that was shown before."""
    Project(provider="sample").save(tmp_path)
    ports = [free_port(), free_port()]
    command = [sys.executable, "-m", "orchestration", "ui", "--root", str(tmp_path), "--port"]
    for ending, port in zip((signal.SIGINT, signal.SIGKILL), ports, strict=True):
        with subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as ui:
            assert ui.stdout is not None
            assert ui.stderr is not None
            try:
                assert f"at port {port}" in ui.stdout.readline()
                if ending == signal.SIGKILL:
                    second = subprocess.run([*command, str(free_port())], capture_output=True, text=True, check=False)
                    assert second.returncode == 1
                    assert f"'shelfcast ui at http://127.0.0.1:{port}' (process {ui.pid} on" in second.stderr
                    assert "serves this lake, and a second one would start everything twice." in second.stderr
                wait_for(lambda port=port: answers(port), 60)
                below = psutil.Process(ui.pid).children(recursive=True)
                # As a terminal does it, to all that it shows.
                os.killpg(ui.pid, ending)
                ui.wait(timeout=60)
                wait_for(lambda below=below, port=port: ended(below) and not answers(port), 10)
            finally:
                ui.kill()
            assert ui.returncode == (130 if ending == signal.SIGINT else -signal.SIGKILL)
            assert "Traceback" not in (errors := ui.stderr.read())
            assert "Exception" not in errors
        # The kernel closes the files of what was killed a moment later.
        wait_for(lambda: holder(Lake(str(tmp_path)), "ui") is None, 10)
        assert [file.name for file in token_files(tmp_path)] == ([] if ending == signal.SIGINT else [f"ui-{port}.token"])


def drawing(ui: int) -> list[psutil.Process]:
    """The processes of a UI that draw pages."""
    found = []
    for one in psutil.Process(ui).children(recursive=True):
        with suppress(psutil.Error):
            if one.status() != psutil.STATUS_ZOMBIE and "dashboard" in one.cmdline():
                found.append(one)
    return found


@pytest.mark.slow
def test_pages_whose_process_was_killed_are_started_again_and_dagster_goes_on(tmp_path: Path) -> None:
    """Once for each kill; before, all of the UI ended with them."""
    Project(provider="sample").save(tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "orchestration", "ui", "--root", str(tmp_path), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ui:
        assert ui.stdout is not None
        try:
            assert f"at port {port}" in ui.stdout.readline()
            wait_for(lambda: answers(port), 60)
            for _ in range(2):
                # Just started, it has the command of its parent for a moment.
                wait_for(lambda: len(drawing(ui.pid)) == 1, 60)
                [killed] = drawing(ui.pid)
                socket_ = Path(killed.cmdline()[-1])
                wait_for(socket_.exists, 60)
                killed.kill()
                assert "The UI's pages ended with code -9 and are started again" in ui.stdout.readline()
            wait_for(lambda: len(drawing(ui.pid)) == 1, 60)
            assert answers(port)
            assert ui.poll() is None
        finally:
            ui.terminate()
            ui.wait(timeout=60)


@pytest.mark.slow
def test_a_ui_whose_lake_was_moved_away_ends_and_begins_no_other_one_there(tmp_path: Path) -> None:
    """Webserver and daemon went on, and had an empty history where the lake was."""
    root, port = tmp_path / "lake", free_port()
    Project(provider="sample").save(root)
    command = [sys.executable, "-m", "orchestration", "ui", "--root", str(root), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as ui:
        try:
            wait_for(lambda: answers(port), 60)
            root.rename(tmp_path / "moved")
            told = " ".join(ui.communicate(timeout=60)[1].split())
        finally:
            ui.kill()
    assert ui.returncode == 1
    assert told == f"Error: {root} was moved or removed while its UI ran: start it again with the --root of today."
    assert not root.exists()
