"""Where the lake of a trial lies: a folder. Another place (an object store, another run history) is another class with these methods."""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """Roots of trials and what commands need to work on them."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of commands that work there."""
        ...

    @property
    def is_folder(self) -> bool:
        """Whether files below a root can be damaged, and disks mounted there."""
        ...

    def root(self, name: str) -> str:
        """Root of a trial."""
        ...

    def copy(self, base: str, root: str) -> None:
        """Make a trial's root from the prepared one."""
        ...

    def remove(self, root: str) -> None:
        """Remove a root."""
        ...

    def runs(self, root: str) -> set[str]:
        """Runs in the run history."""
        ...

    def steps(self, root: str, runs: set[str]) -> int:
        """How many steps have begun in runs other than these."""
        ...


@dataclass(frozen=True)
class Folder:
    """Roots in a folder, run history in SQLite below them."""

    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    is_folder: bool = True

    def root(self, name: str) -> str:
        """A folder of that name."""
        return str(self.scratch / name)

    def copy(self, base: str, root: str) -> None:
        """Copy the files; a disk may have been mounted at the root."""
        shutil.copytree(base, root, symlinks=True, dirs_exist_ok=True)

    def remove(self, root: str) -> None:
        """Delete the folder."""
        shutil.rmtree(root)

    def runs(self, root: str) -> set[str]:
        """Names of the runs' own files."""
        return {path.stem for path in Path(root, "dagster", "history", "runs").glob("*.db")} - {"index"}

    def steps(self, root: str, runs: set[str]) -> int:
        """Count the starts in the files of the other runs."""
        return sum(_begun(Path(root, "dagster", "history", "runs", f"{run}.db")) for run in self.runs(root) - runs)


def _begun(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as connection:
            [(count,)] = connection.execute("select count(*) from event_logs where dagster_event_type = 'STEP_START'").fetchall()
    except sqlite3.OperationalError:
        # Its tables are being made, or a writer holds it.
        return 0
    return int(count)
