"""Upkeep of a lake: every table's files, artifacts of models, reports, logs, and what processes that were killed left beside them.

What has to stay readable: what something needs (`transforms.records.kept_versions`), and all versions that stood within the window from which a
reader may still hold one, a backup may be copying one, and a person may ask for one (`--as-of`). The run history is the matter of
`orchestration.runtime.run_logs`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.lake.lease import lease
from transforms.lake.maintenance import GRACE, TableUpkeep, maintain_table
from transforms.lake.remote.working_copy import Listed, listed, remove
from transforms.lake.tables import Lake
from transforms.records.kept_versions import Kept, kept
from transforms.records.leftovers import drafts, orphan_artifacts

LOG_BYTES = 4 << 20
"""Bytes of the log of what steps printed that are kept, the newest: it is read where a step has failed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what stays.

    Attributes
    ----------
    keep
        Age up to which every version of a table stays readable.
    keep_past
        Age up to which models with their artifacts and versions of the data stay that nothing needs.
    keep_reports
        Age up to which reports stay that are not the newest of their kind.
    merge_from
        Small files of a table in a region from which they are merged.
    grace
        Age from which a file that nothing names was left by a process that is gone.
    """

    keep: timedelta
    keep_past: timedelta
    keep_reports: timedelta
    merge_from: int
    grace: timedelta = GRACE


@dataclass
class Kind:
    """Files of one kind beside the tables: how many there were, of how many bytes, which of them go, and bytes cut off those that stay."""

    name: str
    files: int = 0
    size: int = 0
    removed: list[Listed] = field(default_factory=list)
    cut: int = 0

    @property
    def freed(self) -> int:
        """Bytes of what goes."""
        return sum(found.size for found in self.removed) + self.cut


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done, or would be: for each table, and for each kind of files beside them."""

    tables: list[TableUpkeep]
    kinds: list[Kind]

    @property
    def freed(self) -> int:
        """Bytes of all that was removed."""
        return sum(table.freed for table in self.tables) + sum(kind.freed for kind in self.kinds)

    @property
    def removed(self) -> int:
        """Number of files that were removed."""
        return sum(len(table.removed) for table in self.tables) + sum(len(kind.removed) for kind in self.kinds)


def maintain(lake: Lake, rules: Rules, now: datetime, dry_run: bool, tell: Callable[[str], None]) -> Upkeep:
    """Merge small files, make checkpoints, and remove what nothing needs any more; with `dry_run` only find out.

    Parameters
    ----------
    tell
        Told whom it waits for: one maintenance or backup of a lake at a time.

    Raises
    ------
    AuditFailed
        If the record cannot be read; nothing is removed then.
    """
    with lease(lake, "files", "shelfcast maintain", tell):
        stays, since = kept(lake, now - rules.keep_past), now - rules.keep
        tables = [
            maintain_table(lake, table, stays.versions.get(table, set()), since, now, rules.merge_from, dry_run, rules.grace)
            for table in CONTRACTS
            if lake.exists(table)
        ]
        # Asked anew: meanwhile somebody may have made a model champion that nothing needed before.
        kinds = [_artifacts(lake, kept(lake, now - rules.keep_past), rules, now), _reports(lake, rules, now), _drafts(lake, rules, now)]
        if not dry_run:
            remove(lake, [found.path for kind in kinds for found in kind.removed])
        kinds += _logs(lake, dry_run)
    return Upkeep(tables, kinds)


def _artifacts(lake: Lake, stays: Kept, rules: Rules, now: datetime) -> Kind:
    """Artifacts of models that nothing needs, and of those that are not on record, once no process can be about to put them there.

    Where the record of the models is gone every artifact would look so: `shelfcast audit verify` tells of that.
    """
    there = [found for found in listed(lake, "models") if found.path.suffix == ".safetensors"]
    kind = Kind("model artifacts", len(there), sum(found.size for found in there))
    if lake.exists(MODEL_VERSIONS.name):
        unrecorded = {found.path for found in orphan_artifacts(lake) if found.is_older(rules.grace, now.timestamp())}
        gone = {lake.path(uri) for uri in stays.let_go} | unrecorded
        kind.removed = sorted((found for found in there if found.path in gone), key=lambda found: found.path)
    return kind


def _reports(lake: Lake, rules: Rules, now: datetime) -> Kind:
    """Pages that were written long ago, but for the newest of each folder; what several pages share stays."""
    shared = lake.path("reports", "assets")
    there = [found for found in listed(lake, "reports") if shared not in found.path.parents]
    kind = Kind("reports", len(there), sum(found.size for found in there))
    newest: dict[Path, tuple[float, Path]] = {}
    for found in there:
        written = (found.written, found.path)
        newest[found.path.parent] = max(written, newest.get(found.path.parent, written))
    stay = {path for _, path in newest.values()}
    kind.removed = [found for found in there if found.path not in stay and found.is_older(rules.keep_reports, now.timestamp())]
    return kind


def _drafts(lake: Lake, rules: Rules, now: datetime) -> Kind:
    there = drafts(lake)
    gone = [found for found in there if found.is_older(rules.grace, now.timestamp())]
    return Kind("left by killed processes", len(there), sum(found.size for found in there), gone)


def _logs(lake: Lake, dry_run: bool) -> list[Kind]:
    """What steps printed, where it has grown long: the newest of it stays, in the same file, which a running command may have open."""
    path = lake.path("steps.log")
    size = path.stat().st_size if path.is_file() else 0
    if size <= LOG_BYTES:
        return []
    if not dry_run:
        with path.open("r+b") as log:
            log.seek(-LOG_BYTES, 2)
            newest = log.read()
            log.seek(0)
            log.write(newest)
            log.truncate()
    return [Kind("steps.log", 1, size, cut=size - LOG_BYTES)]
