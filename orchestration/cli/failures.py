"""What a command says when it fails: a sentence with what to do for everything that can be named, and where the traceback is for a defect."""

import errno
import os
import re
import resource
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestration.history.database import said_by_database
from orchestration.settings import DAGSTER_DATABASE, dagster_database
from transforms.errors import ShelfcastError

_LOG = "defects.log"
_ROOM = 1 << 20
# Libraries wrap what the system says in errors of their own, and some keep its words alone.
_FULL = re.compile(r"no space left on device|disk quota exceeded|disk is full|os error (28|122)\b", re.IGNORECASE)
_LIMITED = re.compile(r"file too large|os error 27\b", re.IGNORECASE)
# SQLite has no other words for a file that may not grow, be it by the disk, a quota or a limit: its callers see them alone.
_NO_GROWTH = re.compile(r"disk i/o error", re.IGNORECASE)
_READ_ONLY = re.compile(r"read-only file system|os error 30\b", re.IGNORECASE)
_FORBIDDEN = re.compile(r"permission denied|readonly database|os error 13\b", re.IGNORECASE)
# DuckDB, DataFusion and Arrow each have their own words, DataFusion in errors of no type of its own; a run's failure holds them as text.
_DAMAGED = re.compile(r"too small to be a parquet|no magic bytes|parquet error|corrupt footer", re.IGNORECASE)
# DuckDB reads a store's files itself; one that is gone there is damage.
_OVER_HTTP, _GONE = re.compile(r"\bHTTP\b|Connection error|Could not establish connection"), re.compile(r"\b404\b|Not Found")
# A file where a folder was to be, or the other way round: what was named on the command line is in the way.
_IN_THE_WAY = (FileExistsError, NotADirectoryError, IsADirectoryError)
_BROKEN = {errno.EIO: "the disk reports an error", errno.EMFILE: "too many files are open", errno.ENFILE: "too many files are open"}


def explained(error: BaseException, root: Path) -> str | None:
    """The sentence for an error that a user can act on; None for a defect."""
    return next((told for one in _chain(error) if (told := _sentence(one, root))), None)


def _sentence(one: BaseException, root: Path) -> str:
    """What one error of the chain says by itself; empty where that is nothing to act on."""
    text, first, told = str(one), _first_line(str(one)), ""
    of_history = isinstance(one, sqlite3.Error | SQLAlchemyError)
    if isinstance(one, DBAPIError) and not isinstance(one.orig, sqlite3.Error):
        told = (
            f"The run history's database, which {DAGSTER_DATABASE} names, was lost in the midst of the command, or refuses to write "
            f"({said_by_database(one, dagster_database())}). Run the command again: what was finished stays, and where the database cannot be "
            "reached it goes on without a history."
        )
    elif _FULL.search(text) or (of_history and _is_full(root)):
        told = (
            f"The disk is full ({first}). Free space on the disk of {root}, or give another one, and run the command again: what was finished stays."
        )
    elif _LIMITED.search(text) or (_NO_GROWTH.search(text) and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY):
        told = (
            f"A file may not become as large as it has to ({first}): raise this user's limit on the size of files ('ulimit -f') and run the command "
            "again: what was finished stays."
        )
    elif _NO_GROWTH.search(text):
        told = (
            f"The disk is full, or reports an error ({first}). Free space on the disk of {root}, or give another one, and run the command again: "
            "what was finished stays."
        )
    elif _READ_ONLY.search(text):
        told = (
            f"{first}: nothing can be written there. Mount it for writing, or work on a copy; 'shelfcast status' and 'shelfcast data log' only read."
        )
    elif _FORBIDDEN.search(text) or (of_history and root.is_dir() and not os.access(root, os.W_OK)):
        told = f"{first}: this user may not write there, or read it. Give {root} and all below it to the user who runs Shelfcast."
    elif isinstance(one, duckdb.Error) and _OVER_HTTP.search(text) and not _GONE.search(text):
        told = f"The object store does not answer ({first[:300]}). Run the command again once it does: what was finished stays."
    elif _DAMAGED.search(text) or (isinstance(one, duckdb.Error) and ".parquet" in text):
        told = (
            f"A data file of the lake cannot be read: {first} 'shelfcast audit verify' names what else is damaged, 'shelfcast restore' brings back a "
            "backup."
        )
    elif isinstance(one, ShelfcastError):
        told = text
    elif isinstance(one, OSError) and one.errno in _BROKEN:
        told = f"{_BROKEN[one.errno]} ({first}): run the command again once that is mended; what was finished stays."
    elif isinstance(one, _IN_THE_WAY):
        told = f"{first}: expected a file and came upon a folder there, or the other way round. Move it away, or name another place."
    elif of_history:
        told = (
            f"The run history in {root}/dagster cannot be read or written ({first}). Restore it from a backup, or move that folder away: a new one "
            "is then begun. Data, models and the record do not depend on it."
        )
    return told


def _is_full(root: Path) -> bool:
    """Whether the root's disk has no room left for what SQLite keeps beside its files: it tells of a disk that reports errors then."""
    return root.is_dir() and shutil.disk_usage(root).free < _ROOM


def log_defect(error: BaseException, root: Path) -> str:
    """Write a defect's traceback into a file, beside the lake's other logs where that can be, and return what to say."""
    lines = "".join(traceback.format_exception(error))
    text = f"{datetime.now(UTC).isoformat()}\n{lines}\n"
    for folder in (root, Path(tempfile.gettempdir())):
        log = folder / _LOG
        try:
            with log.open("a") as stream:
                stream.write(text)
        except OSError:
            continue
        return f"This is a defect of Shelfcast and not of your data: {type(error).__name__}: {_first_line(str(error))}. The traceback is in {log}."
    return f"This is a defect of Shelfcast, and its traceback can be written to no file:\n{text}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, as far as that was not hidden on purpose."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")
