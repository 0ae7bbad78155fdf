"""Upkeep of a table's files: small ones merged, long logs summed up, and those removed that no version which is kept is made of.

Which versions are kept is not decided here: callers name them (see `transforms.records.kept_versions`). Which files a version is made of is read from
the log itself, which is never shortened: it is the record of who wrote what and when. Files are removed by difference of sets, without a commit of
their own, so that whatever is killed in between leaves every kept version whole and every hash chain as it was.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from deltalake import DeltaTable

from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed
from transforms.lake.delta_log import Commit, last_checkpoint, old_checkpoints, read_log
from transforms.lake.layout import pieces, plan, rearrange
from transforms.lake.tables import Lake

GRACE = timedelta(days=1)
"""Age from which a file that nothing names was left by a process that is gone, and not just written by one that has not committed yet."""
_CHECKPOINT_AFTER = 40
"""Commits after the last checkpoint from which a new one is made: a reader opens every commit since."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may go, and its bytes."""

    path: Path
    size: int


@dataclass
class TableUpkeep:
    """What was done for a table, or would be.

    Attributes
    ----------
    files, size
        Files of its folder before, and their bytes.
    merged
        Files in whose place others came: small ones merged, large ones cut where the weeks begin that are still written over.
    checkpoint
        Whether a checkpoint of the log was made.
    removed
        Files that no kept version is made of.
    left
        Why something was left as it is; empty where nothing was.
    """

    table: str
    files: int = 0
    size: int = 0
    merged: int = 0
    checkpoint: bool = False
    removed: list[Found] = field(default_factory=list)
    left: str = ""

    @property
    def freed(self) -> int:
        """Bytes of the files that were removed."""
        return sum(found.size for found in self.removed)


def maintain_table(lake: Lake, table: str, named: Collection[int], since: datetime, now: datetime, merge_from: int, dry_run: bool) -> TableUpkeep:
    """Merge, sum up and remove, in this order: each of them may be interrupted.

    Parameters
    ----------
    named
        Versions that have to stay readable, whatever their age.
    since
        Every version that stood at this time or later stays readable as well.
    now
        Time against which the age of files is measured that no commit names.
    merge_from
        Small files in a region from which they are merged.
    """
    if not lake.is_local:
        return TableUpkeep(table, left=f"{lake.root} is an object store: its files are not merged or removed yet.")
    folder = lake.path("lake", table)
    there = list(_files(folder))
    upkeep = TableUpkeep(table, len(there), sum(found.size for found in there))
    commits = _commits(folder, upkeep)
    if not commits:
        return upkeep
    if _merge(lake, table, merge_from, upkeep, dry_run):
        commits = _commits(folder, upkeep)
    if commits and commits[-1].version - last_checkpoint(folder) >= _CHECKPOINT_AFTER:
        upkeep.checkpoint = True
        if not dry_run:
            _open(lake, table).create_checkpoint()
    if commits:
        _remove(folder, commits, named, since, now, upkeep, dry_run)
    return upkeep


def versions_since(commits: Sequence[Commit], since: datetime) -> set[int]:
    """The present version, and those that stood at `since` or later, as far as their times tell: a clock that jumped ahead keeps more, never less."""
    kept, latest = {commits[-1].version}, commits[0].time
    for commit, successor in pairwise(commits):
        latest = max(latest, successor.time)
        if latest >= since:
            kept.add(commit.version)
    return kept


def files_of_versions(commits: Sequence[Commit], versions: Collection[int]) -> set[str]:
    """Data files that any of the versions is made of."""
    standing, found = set[str](), set[str]()
    for commit in commits:
        standing = (standing - set(commit.removed)) | set(commit.added)
        if commit.version in versions:
            found |= standing
    return found


def _commits(folder: Path, upkeep: TableUpkeep) -> list[Commit]:
    """The whole log; none where it cannot be read or has gaps: then nobody can say which files are needed, and nothing is touched."""
    try:
        commits = read_log(folder)
    except AuditFailed as error:
        upkeep.left = str(error)
        return []
    if gap := next((number for number, commit in enumerate(commits) if commit.version != number), None):
        upkeep.left = f"version {gap} is missing from its log: 'shelfcast audit verify' tells more, 'shelfcast restore' brings back a backup."
        return []
    if commits and commits[0].version:
        upkeep.left = f"its log begins with version {commits[0].version}: 'shelfcast restore' brings back a backup with all of it."
        return []
    return commits


def _merge(lake: Lake, table: str, merge_from: int, upkeep: TableUpkeep, dry_run: bool) -> bool:
    """Merge small files and cut large ones in one commit that changes no rows; return whether there was anything to do.

    Tables that only grow stay as they are: each commit's rows are checked against its link, file by file.
    """
    contract = CONTRACTS.get(table)
    if contract is None or not contract.sliced or contract.append_only:
        return False
    delta = _open(lake, table)
    wanted = plan(pieces(delta, contract), merge_from)
    if not wanted.files:
        return False
    upkeep.merged = wanted.files if dry_run else rearrange(delta, contract, wanted, lake.storage_options or None)
    if not upkeep.merged:
        upkeep.left = "another process replaced what was to be merged: the next maintenance merges it."
    return True


def _remove(
    folder: Path, commits: Sequence[Commit], named: Collection[int], since: datetime, now: datetime, upkeep: TableUpkeep, dry_run: bool
) -> None:
    kept = files_of_versions(commits, {*named, *versions_since(commits, since)})
    known = {name for commit in commits for name in commit.added}
    superseded = old_checkpoints(folder)
    for found in _files(folder):
        name = found.path.relative_to(folder).as_posix()
        if name in kept:
            continue
        in_log = name.startswith("_delta_log/")
        nameless = name not in known and (not in_log or _is_draft(found.path))
        stale = now.timestamp() - found.path.stat().st_mtime > GRACE.total_seconds()
        if (not in_log and name in known) or ((nameless or found.path in superseded) and stale):
            upkeep.removed.append(found)
    if not dry_run:
        for found in upkeep.removed:
            found.path.unlink(missing_ok=True)


def _is_draft(path: Path) -> bool:
    """What a writer of the log that was killed leaves."""
    return "#" in path.name or path.name.endswith(".tmp") or path.name.startswith("_commit_")


def _files(folder: Path) -> Iterator[Found]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield Found(path, path.stat().st_size)


def _open(lake: Lake, table: str) -> DeltaTable:
    return DeltaTable(lake.uri(table), storage_options=lake.storage_options or None)
