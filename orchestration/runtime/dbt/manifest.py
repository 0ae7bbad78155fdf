"""dbt on Dagster: the manifest that definitions are made from, parsed again when a file of the dbt project has changed, and how dbt is started."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Any

from dagster_dbt import DagsterDbtProjectPreparer, DbtCliInvocation, DbtCliResource, DbtProject
from dbt.version import __version__
from packaging.version import Version

from orchestration.runtime.dbt.files import place_of_parsed
from orchestration.settings import DBT_PROJECT, child_environment, commands_beside_interpreter

_PARSE = ["parse", "--quiet", "--partial-parse"]


_COMMAND = Path(__file__).with_name("command.py")


class _Server:
    """The server of this process (see `orchestration.runtime.dbt.server`), from the first time that it is asked for until this process ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()

    def address(self) -> Path:
        """Where it listens; one that was killed, or is that of the process which this one was forked from, is replaced."""
        with self._lock:
            if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
                self._start()
            return self._folder / "socket"

    def _start(self) -> None:
        self._remove()
        # Only its owner may enter the folder.
        self._folder, self._owner = Path(mkdtemp(prefix="shelfcast-dbt-")), os.getpid()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._folder / "socket"))
            listener.listen()
            # Requests wait in the socket while it loads.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "orchestration.runtime.dbt.server", str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(listener.fileno(),),
                env=child_environment(),
            )

    def end(self) -> None:
        """Let it end, where it is of this process."""
        with self._lock:
            if self._process is not None and self._owner == os.getpid():
                self._process.communicate()
                self._process = None
            self._remove()

    def _remove(self) -> None:
        if self._owner == os.getpid():
            shutil.rmtree(self._folder, ignore_errors=True)


_SERVER = _Server()
atexit.register(_SERVER.end)


class DbtResource(DbtCliResource):
    """dbt in a process of its own, forked by a server that has loaded it; the rest of what a run would pay for before dbt begins is left out.

    That is a process that asks for dbt's version, which is that of the package beside this interpreter, and a second adapter in this process, which
    reads the metadata of columns and row counts from a database: ours are in the contracts and the lake.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(__version__)

    def cli(self, args: Sequence[str], **more: Any) -> DbtCliInvocation:
        """Start dbt; the arguments are those of Dagster's own."""
        started_by = self.model_copy(update={"global_config_flags": ["-IS", str(_COMMAND), str(_SERVER.address())]})
        return super(DbtResource, started_by).cli(args, **more)

    def _initialize_dbt_core_adapter(self, args: object) -> None:  # type: ignore[override]
        """No adapter."""


@lru_cache(maxsize=1)
def dbt_project() -> DbtProject:
    """Return the dbt project with a manifest that matches its files."""
    project = DbtProject(project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT)
    kept = place_of_parsed(DBT_PROJECT)
    if not project.manifest_path.exists() or not kept.exists():
        with commands_beside_interpreter():
            DagsterDbtProjectPreparer(_PARSE).prepare(project)
        for of_other_files in kept.parent.glob("parsed-*"):
            of_other_files.unlink(missing_ok=True)
        draft = kept.with_suffix(".tmp")
        shutil.copyfile(kept.with_name("partial_parse.msgpack"), draft)
        draft.replace(kept)
    return project


def dbt_resource() -> DbtResource:
    """Return what runs dbt beside this interpreter."""
    return DbtResource(
        project_dir=str(DBT_PROJECT),
        profiles_dir=str(DBT_PROJECT),
        dbt_executable=sys.executable,
    )
