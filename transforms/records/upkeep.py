"""Upkeep of a lake: every table's files, and what processes that were killed left beside them. The run history's is `orchestration.runtime.run_logs`.

What has to stay readable: versions that the record names (`transforms.records.kept_versions`), and all that stood within `keep_days`, the window
from which a reader may still hold one, a backup may be copying one, and a person may ask for one (`--as-of`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.lake.lease import lease
from transforms.lake.maintenance import GRACE, TableUpkeep, maintain_table
from transforms.lake.remote.working_copy import Listed, remove
from transforms.lake.tables import Lake
from transforms.records.kept_versions import named_versions
from transforms.records.leftovers import drafts, orphan_artifacts


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done, or would be: for each table, and the files removed beside them."""

    tables: list[TableUpkeep]
    leftovers: list[Listed]

    @property
    def freed(self) -> int:
        """Bytes of all that was removed."""
        return sum(table.freed for table in self.tables) + sum(found.size for found in self.leftovers)

    @property
    def removed(self) -> int:
        """Number of files that were removed."""
        return sum(len(table.removed) for table in self.tables) + len(self.leftovers)


def maintain(lake: Lake, keep_days: int, merge_from: int, now: datetime, dry_run: bool, tell: Callable[[str], None]) -> Upkeep:
    """Merge small files, make checkpoints, and remove what no kept version is made of; with `dry_run` only find out.

    Parameters
    ----------
    keep_days
        Days for which every version stays readable.
    merge_from
        Small files of a table in a region from which they are merged.
    tell
        Told whom it waits for: one maintenance or backup of a lake at a time.

    Raises
    ------
    AuditFailed
        If the record cannot be read; nothing is removed then.
    """
    with lease(lake, "files", "shelfcast maintain", tell):
        named, since = named_versions(lake), now - timedelta(days=keep_days)
        tables = [maintain_table(lake, table, named.get(table, set()), since, now, merge_from, dry_run) for table in CONTRACTS if lake.exists(table)]
        leftovers = sorted(_leftovers(lake, now), key=lambda found: found.path)
        if not dry_run:
            remove(lake, [found.path for found in leftovers])
    return Upkeep(tables, leftovers)


def _leftovers(lake: Lake, now: datetime) -> Iterator[Listed]:
    """Drafts of files and artifacts of models that nothing names, once no process can be about to name them.

    Where the record of the models is gone every artifact would look so: `shelfcast audit verify` tells of that.
    """
    for found in [*drafts(lake), *(orphan_artifacts(lake) if lake.exists(MODEL_VERSIONS.name) else ())]:
        if found.is_older(GRACE, now.timestamp()):
            yield found
