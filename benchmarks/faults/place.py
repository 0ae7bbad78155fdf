"""Where the lake of a trial lies (a folder, a bucket of an object store), and its run history (SQLite files, PostgreSQL)."""

import re
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import obstore
from obstore.store import S3Store
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from orchestration.settings import settings_of
from transforms.lake.tables import Lake


class Begun(NamedTuple):
    """A step that has begun, and when."""

    step: str
    at: float


class Files(Protocol):
    """Where lakes lie."""

    @property
    def name(self) -> str:
        """As the table calls it."""

    def root(self, name: str) -> str:
        """Root of a trial."""

    def copy(self, base: str, root: str) -> None:
        """Make a trial's root from the prepared one."""

    def remove(self, root: str) -> None:
        """Remove a root."""


class History(Protocol):
    """Where run histories lie."""

    @property
    def name(self) -> str:
        """As the table calls it."""

    def runs(self, home: Path) -> set[str]:
        """Runs on record in the history of that home."""

    def begun(self, home: Path, before: set[str]) -> list[Begun]:
        """Steps that have begun in runs other than those."""


@dataclass(frozen=True)
class Place:
    """Lakes and run histories of trials, and the variables with which commands find them."""

    scratch: Path
    files: Files
    history: History
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Both, as the table calls them."""
        return f"{self.files.name}, {self.history.name}"

    @property
    def is_folder(self) -> bool:
        """Whether files below a root can be damaged, and disks mounted there."""
        return isinstance(self.files, Folder)

    @property
    def has_history_files(self) -> bool:
        """Whether files of a run history can be damaged."""
        return isinstance(self.history, Sqlite)

    def beside(self, root: str, suffix: str) -> Path:
        """A file of the harness about a root."""
        return self.scratch / f"{root.rpartition('/')[2]}{suffix}"

    def home(self, root: str) -> Path:
        """The folder of this machine with the root's run history."""
        return lake_of(root).path("dagster")


@dataclass(frozen=True)
class Folder:
    """Roots in a folder."""

    scratch: Path
    name: str = "folder"

    def root(self, name: str) -> str:
        """A folder of that name."""
        return str(self.scratch / name)

    def copy(self, base: str, root: str) -> None:
        """Copy the files; a disk may have been mounted at the root."""
        shutil.copytree(base, root, symlinks=True, dirs_exist_ok=True)

    def remove(self, root: str) -> None:
        """Delete the folder."""
        shutil.rmtree(root)


@dataclass(frozen=True)
class Bucket:
    """Roots in a bucket, each with a state folder of its own on this machine."""

    bucket: S3Store
    name: str = "s3"

    def root(self, name: str) -> str:
        """A prefix of that name."""
        return f"s3://{self.bucket.config['bucket']}/{name}"

    def copy(self, base: str, root: str) -> None:
        """Copy the objects within the store, and what lies on this machine."""
        source, target = _key(base), _key(root)
        for key in self._keys(base):
            obstore.copy(self.bucket, key, f"{target}{key.removeprefix(source)}")
        shutil.copytree(_state(base), _state(root), symlinks=True, dirs_exist_ok=True)

    def remove(self, root: str) -> None:
        """Delete the objects and the state folder."""
        if keys := self._keys(root):
            obstore.delete(self.bucket, keys)
        shutil.rmtree(_state(root), ignore_errors=True)

    def _keys(self, root: str) -> list[str]:
        return [one["path"] for page in obstore.list(self.bucket, prefix=f"{_key(root)}/") for one in page]


def _key(root: str) -> str:
    return root.removeprefix("s3://").partition("/")[2]


def _state(root: str) -> Path:
    return lake_of(root).path()


@dataclass(frozen=True)
class Sqlite:
    """Run histories in files of their own."""

    name: str = "sqlite"

    def runs(self, home: Path) -> set[str]:
        """Names of the runs' own files."""
        return {path.stem for path in (home / "history" / "runs").glob("*.db")} - {"index"}

    def begun(self, home: Path, before: set[str]) -> list[Begun]:
        """Read the files of the other runs."""
        found = [one for run in self.runs(home) - before for one in _begun_in(home / "history" / "runs" / f"{run}.db")]
        return sorted(found, key=lambda one: one.at)


def _begun_in(path: Path) -> list[Begun]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as connection:
            rows = connection.execute("select step_key, timestamp from event_logs where dagster_event_type = 'STEP_START'").fetchall()
    except sqlite3.DatabaseError:
        # Its tables are being made, a writer holds it, or it was damaged.
        return []
    return [Begun(step, datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) for step, at in rows]


@dataclass(frozen=True)
class Postgresql:
    """Run histories in schemas of one database."""

    address: str
    name: str = "postgresql"

    def runs(self, home: Path) -> set[str]:
        """Runs that have events."""
        return {run for (run,) in self._rows(home, "select distinct run_id from {schema}.event_logs")}

    def begun(self, home: Path, before: set[str]) -> list[Begun]:
        """Read the events of the other runs."""
        rows = self._rows(home, "select step_key, timestamp, run_id from {schema}.event_logs where dagster_event_type = 'STEP_START' order by id")
        return [Begun(step, at.replace(tzinfo=UTC).timestamp()) for step, at, run in rows if run not in before]

    def _rows(self, home: Path, sql: str) -> list[tuple[object, ...]] | list[tuple[str, datetime, str]]:
        schema_file = home / "postgresql_schema"
        schema = schema_file.read_text().strip() if schema_file.exists() else ""
        if not re.fullmatch(r"shelfcast_\w+", schema):
            return []
        engine = create_engine(self.address.replace("postgresql://", "postgresql+psycopg2://"), poolclass=NullPool)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(sql.format(schema=schema)))]
        except SQLAlchemyError:
            # The tables are being made.
            return []


def lake_of(root: str) -> Lake:
    """The lake at a root, wherever that is."""
    return Lake(root, settings_of(root).storage_options)
