"""Upkeep of a table's files: small ones merged, long logs summed up, and those removed that no version which is kept is made of.

Which versions are kept is not decided here: callers name them (see `transforms.records.kept_versions`). Which files a version is made of is read from
the log itself, which is never shortened: it is the record of who wrote what and when. Files are removed by difference of sets, without a commit of
their own, so that whatever is killed in between leaves every kept version whole and every hash chain as it was.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from deltalake import DeltaTable

from transforms.contracts import CONTRACTS
from transforms.errors import AuditFailed
from transforms.lake.delta_log import Commit, last_checkpoint, old_checkpoints, read_log
from transforms.lake.layout import pieces, plan, rearrange
from transforms.lake.remote.working_copy import Listed, listed, pulled, remove
from transforms.lake.tables import Lake

GRACE = timedelta(days=1)
"""Age from which a file that nothing names was left by a process that is gone, and not just written by one that has not committed yet."""
_CHECKPOINT_AFTER = 40
"""Commits after the last checkpoint from which a new one is made: a reader opens every commit since."""


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
    removed: list[Listed] = field(default_factory=list)
    left: str = ""

    @property
    def freed(self) -> int:
        """Bytes of the files that were removed."""
        return sum(found.size for found in self.removed)


def maintain_table(
    lake: Lake, table: str, named: Collection[int], since: datetime, now: datetime, merge_from: int, dry_run: bool, grace: timedelta = GRACE
) -> TableUpkeep:
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
    grace
        Age from which a file that nothing names may go.
    """
    there = list(listed(lake, "lake", *table.split("/")))
    upkeep = TableUpkeep(table, len(there), sum(found.size for found in there))
    commits = _commits(lake, table, upkeep)
    if not commits:
        return upkeep
    folder = lake.path("lake", table)
    if _merge(lake, table, merge_from, upkeep, dry_run):
        commits = _commits(lake, table, upkeep)
    if commits and commits[-1].version - last_checkpoint(folder) >= _CHECKPOINT_AFTER:
        upkeep.checkpoint = True
        if not dry_run:
            with lake.asking():
                _open(lake, table).create_checkpoint()
    if commits:
        _remove(lake, table, commits, {*named, *versions_since(commits, since)}, now - grace, upkeep, dry_run)
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


def _commits(lake: Lake, table: str, upkeep: TableUpkeep) -> list[Commit]:
    """The whole log; none where it cannot be read or has gaps: then nobody can say which files are needed, and nothing is touched."""
    pulled(lake, "lake", *table.split("/"), "_delta_log")
    try:
        commits = read_log(lake.path("lake", table))
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
    with lake.asking():
        wanted = plan(pieces(delta, contract), merge_from)
        if not wanted.files:
            return False
        upkeep.merged = wanted.files if dry_run else rearrange(delta, contract, wanted, lake.delta_options)
    if not upkeep.merged:
        upkeep.left = "another process replaced what was to be merged: the next maintenance merges it."
    return True


def _remove(
    lake: Lake, table: str, commits: Sequence[Commit], versions: Collection[int], stale_before: datetime, upkeep: TableUpkeep, dry_run: bool
) -> None:
    folder = lake.path("lake", table)
    kept = files_of_versions(commits, versions)
    known = {name for commit in commits for name in commit.added}
    superseded = old_checkpoints(folder)
    for found in listed(lake, "lake", *table.split("/")):
        name = found.path.relative_to(folder).as_posix()
        if name in kept:
            continue
        in_log = name.startswith("_delta_log/")
        nameless = name not in known and (not in_log or _is_draft(found.path))
        stale = found.written < stale_before.timestamp()
        if (not in_log and name in known) or ((nameless or found.path in superseded) and stale):
            upkeep.removed.append(found)
    if not dry_run:
        remove(lake, [found.path for found in upkeep.removed])


def _is_draft(path: Path) -> bool:
    """What a writer of the log that was killed leaves."""
    return "#" in path.name or path.name.endswith(".tmp") or path.name.startswith("_commit_")


def _open(lake: Lake, table: str) -> DeltaTable:
    with lake.asking():
        return DeltaTable(lake.uri(table), storage_options=lake.delta_options)
