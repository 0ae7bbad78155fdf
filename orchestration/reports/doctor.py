"""What interruptions and accidents can leave behind in a lake, found and, where that is safe, mended: nothing that a record names is removed.

While somebody changes the lake, what looks left over may be work under way: only what is his own fault is looked for then. Conditioning what waits is
a run's work, and belongs to whoever calls `wedged`.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import rmtree
from sqlite3 import SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY, DatabaseError

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestration.people import token_files
from orchestration.process_group import signal_group
from orchestration.runtime.instance import FILE, dead_runs, executed_in_files, executed_runs, history_as_it_is, of_another_root, open_instance
from transforms.adapters import ProviderSpec
from transforms.calendar import Slice, blocks_of
from transforms.errors import ConfigurationError
from transforms.lake.lease import holder
from transforms.lake.remote.working_copy import Listed, look_again, push, remove, unpushed
from transforms.lake.tables import Lake
from transforms.landing import last_week, out_of_step, pending, pending_references, regions, reopen, under_way, unneeded_copies
from transforms.records.audit import verify_artifacts
from transforms.records.leftovers import bad_checkpoints, drafts, orphan_artifacts, unnamed_data, unreadable
from transforms.records.model_registry import champions

YOUNG = timedelta(minutes=10)
"""Age below which a file that nobody names may be one that a reader of landing or a notebook is about to name."""
_POLL_SECONDS = 0.1
_RUN_HISTORY = "shelfcast-runs-*"
_DAY = timedelta(days=1)
_NOT_OF_FILES = {SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, with what a person has to do about it, or what mends it.

    `mend` says what it did.
    """

    kind: str
    what: str
    to_do: str
    mend: Callable[[], str] | None = None


def busy(lake: Lake) -> str:
    """Who changes the lake at the moment; empty while nobody does."""
    if (held := holder(lake, "cycle") or holder(lake, "decisions")) is not None and not held.gone:
        return held.who
    if running := executed_runs(lake.path()):
        return f"run {running[0]}"
    return "a step that conditions" if under_way(lake) else ""


def examine(lake: Lake, provider: ProviderSpec, young: timedelta = YOUNG) -> list[Finding]:
    """Look for everything that can be left over; while somebody changes the lake, for what does not depend on what he is doing."""
    found = [*_locks(lake), *_services(lake), *_history(lake), *_tables(lake)]
    if busy(lake):
        return found
    now = datetime.now(UTC).timestamp()
    found += _files(lake, "draft", "files that were being written and never got their names", drafts(lake), timedelta(0), now)
    found += _not_in_store(lake)
    if hides_more(found):
        return found
    found += _models(lake)
    found += _files(lake, "orphan artifact", "model artifacts that no model on record names", orphan_artifacts(lake), young, now)
    found += _files(lake, "uncommitted data", "data files that no version of their table names", unnamed_data(lake), young, now)
    found += _files(lake, "staged copy", "copies of landing rows that no version which counts needs", unneeded_copies(lake, provider), young, now)
    found += _old_histories()
    if apart := out_of_step(lake):
        what = f"{len(apart)} slices of gold/demand hold other deliveries than silver, the first being {apart[0]}"
        found.append(Finding("out of step", what, "condition them again", partial(_reopen, lake, apart)))
    return found


def hides_more(found: Sequence[Finding]) -> bool:
    """Whether a table among the findings cannot be read: what it would tell can only be looked for once it is mended."""
    return any(finding.kind in {"unreadable table", "damaged checkpoint"} for finding in found)


def wedged(lake: Lake, provider: ProviderSpec) -> str:
    """What waits to be conditioned; empty where nothing does."""
    parts = [*pending_references(lake, provider)]
    if slices := sorted(map(str, pending(lake, provider))):
        parts.append(f"{len(slices)} slices, the first being {slices[0]}")
    return ", ".join(parts)


def _locks(lake: Lake) -> Iterator[Finding]:
    for kind in ("cycle", "decisions"):
        held = holder(lake, kind)
        if held is not None and held.gone:
            yield Finding(
                "stale lock",
                f"{held.who} is gone, and a process that it started still holds the lock",
                f"end the process that has {lake.path(f'.{kind}.lock')} open ('fuser' or 'lsof' names it)",
            )


def _services(lake: Lake) -> Iterator[Finding]:
    held = holder(lake, "ui")
    if held is not None and held.gone:
        yield Finding("left services", f"{held.who} is gone, and its daemon or webserver goes on", "end them", partial(_end_services, lake))
    if (held is None or held.gone) and (files := token_files(lake.path())):
        what = f"{', '.join(file.name for file in files)} of a UI that was killed"
        yield Finding("left token", what, "remove it", partial(_remove_all, lake, files))


def _end_services(lake: Lake) -> str:
    # As long as the lock is held there is a process of the group, and its number is nobody else's.
    try:
        while (held := holder(lake, "ui")) is not None and held.gone and held.group is not None and signal_group(held.group, signal.SIGKILL):
            time.sleep(_POLL_SECONDS)
    except PermissionError:
        raise ConfigurationError(
            "The daemon and webserver that are left belong to another user: run 'shelfcast doctor --mend' as that user."
        ) from None
    return "they are ended"


def _history(lake: Lake) -> Iterator[Finding]:
    home = lake.path("dagster")
    if elsewhere := of_another_root(home):
        yield Finding(
            "foreign run history",
            f"{home / FILE} names {elsewhere}: runs would be filed in another root's history",
            "remove that setting",
            partial(_opened, lake, f"{home / FILE} names its own folder", elsewhere),
        )
        return
    try:
        with history_as_it_is(lake.path()) as instance:
            phantoms = dead_runs(instance) if instance is not None else []
    except (SQLAlchemyError, DatabaseError) as error:
        if not _is_unreadable(error):
            raise
        yield Finding(
            "unreadable run history",
            f"{home} cannot be read: {str(error).splitlines()[0]}",
            "restore it from a backup, or let a new one begin: data, models and the record do not depend on it",
            partial(_set_aside, home),
        )
        return
    if phantoms:
        yield Finding(
            "phantom run",
            f"{len(phantoms)} runs look as if they were going on, and no process executes them: {', '.join(phantoms)}",
            "mark them as failed",
            partial(_opened, lake, f"{len(phantoms)} runs are marked as failed", ""),
        )


def _is_unreadable(error: Exception) -> bool:
    """Whether files of the history are to blame, which can be moved away: neither a database of many machines, nor a disk that is full."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, DatabaseError):
        return getattr(cause, "sqlite_errorcode", SQLITE_CORRUPT) & 0xFF not in _NOT_OF_FILES
    return not isinstance(error, DBAPIError)


def _opened(lake: Lake, did: str, elsewhere: str) -> str:
    with open_instance(lake.path(), local=False):
        pass
    if elsewhere and of_another_root(lake.path("dagster")):
        return f"{lake.path('dagster', FILE)} is a person's and stays: remove 'base_dir: {elsewhere}' there"
    return did


def _set_aside(home: Path) -> str:
    aside = home.with_name(f"{home.name}.unreadable-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    home.rename(aside)
    return f"the history was moved to {aside}, and the next command begins a new one"


def _tables(lake: Lake) -> Iterator[Finding]:
    checkpoints = bad_checkpoints(lake)
    for table, files in checkpoints.items():
        yield Finding(
            "damaged checkpoint",
            f"{files[0].name} of {table} is no Parquet file; the table's log holds all that it told",
            "remove it, so that readers take the log",
            partial(_remove_all, lake, files),
        )
    for table, wrong in unreadable(lake).items():
        if table not in checkpoints:
            to_do = "'shelfcast restore' brings back a backup ('shelfcast audit verify' names what else is damaged)"
            yield Finding("unreadable table", f"{table}: {wrong}", to_do)


def _models(lake: Lake) -> Iterator[Finding]:
    """Of the models that serve, those whose artifacts are damaged: others take their place in a forecast, and are worse."""
    if (week := last_week(lake)) is None:
        return
    serve = {row["model_version"] for row in champions(lake, regions(lake), week)}
    if wrong := verify_artifacts(lake, of=serve)[1]:
        what = f"{len(wrong)} artifacts of models that serve are not what was trained, the first being {wrong[0]}"
        yield Finding("damaged model", what, "'shelfcast restore' brings back a backup, or 'shelfcast run --retrain' puts new ones in their place")


def _files(lake: Lake, kind: str, what: str, files: Sequence[Listed], young: timedelta, now: float) -> Iterator[Finding]:
    old = [file for file in files if file.is_older(young, now)]
    if old:
        size = sum(file.size for file in old)
        named = old[0].path.relative_to(lake.path())
        yield Finding(kind, f"{len(old)} {what} ({size / 1e6:,.1f} MB), the first being {named}", "remove them", partial(_remove_old, lake, old, now))


def _not_in_store(lake: Lake) -> Iterator[Finding]:
    if files := [file.path for file in unpushed(lake)]:
        what = f"{len(files)} files lie on this machine alone and not in {lake.root}, the first being {files[0].relative_to(lake.path())}"
        yield Finding("not in the store", what, "put them there", partial(_push, lake, files))


def _old_histories() -> Iterator[Finding]:
    now = datetime.now(UTC).timestamp()
    folders = [
        path
        for path in Path(tempfile.gettempdir()).glob(_RUN_HISTORY)
        if now - path.stat().st_mtime >= _DAY.total_seconds() and not executed_in_files(path)
    ]
    if folders:
        what = f"{len(folders)} run histories of commands with --local that were killed, the first being {folders[0]}"
        yield Finding("temporary history", what, "remove them", partial(_remove_folders, folders))


def _remove_folders(folders: Sequence[Path]) -> str:
    for folder in folders:
        rmtree(folder)
    return f"{len(folders)} folders removed"


def _remove_all(lake: Lake, files: Sequence[Path]) -> str:
    remove(lake, files)
    return f"{', '.join(path.name for path in files)} removed"


def _remove_old(lake: Lake, files: Sequence[Listed], now: float) -> str:
    """Remove what has not been written again since it was looked at: a run that begins meanwhile may make the same file."""
    removed = [file.path for file in files if (found := look_again(lake, file.path)) is not None and found.written <= now]
    remove(lake, removed)
    return f"{len(removed)} files removed"


def _push(lake: Lake, files: Sequence[Path]) -> str:
    push(lake, *files)
    return f"{len(files)} files are in the store"


def _reopen(lake: Lake, slices: Sequence[Slice]) -> str:
    for block in blocks_of(slices):
        reopen(lake, block)
    return f"{len(slices)} slices are marked as unfinished"
