"""Upkeep of a lake: every table's files, and what processes that were killed left beside them. The run history's is `orchestration.runtime.run_logs`.

What has to stay readable: versions that the record names (`transforms.records.kept_versions`), and all that stood within `keep_days`, the window
from which a reader may still hold one, a backup may be copying one, and a person may ask for one (`--as-of`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.errors import ConfigurationError
from transforms.lake.lease import lease
from transforms.lake.maintenance import GRACE, Found, TableUpkeep, maintain_table
from transforms.lake.tables import Lake
from transforms.records.kept_versions import named_versions
from transforms.records.leftovers import drafts, is_older, orphan_artifacts


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done, or would be: for each table, and the files removed beside them."""

    tables: list[TableUpkeep]
    leftovers: list[Found]

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
    ConfigurationError
        If the lake lies in an object store.
    AuditFailed
        If the record cannot be read; nothing is removed then.
    """
    if not lake.is_local:
        raise ConfigurationError(f"{lake.root} is an object store: maintenance works on a lake in a folder. Nothing was changed.")
    with lease(lake, "files", "shelfcast maintain", tell):
        named, since = named_versions(lake), now - timedelta(days=keep_days)
        tables = [maintain_table(lake, table, named.get(table, set()), since, now, merge_from, dry_run) for table in CONTRACTS if lake.exists(table)]
        leftovers = sorted(_leftovers(lake, now), key=lambda found: found.path)
        if not dry_run:
            for found in leftovers:
                found.path.unlink(missing_ok=True)
    return Upkeep(tables, leftovers)


def _leftovers(lake: Lake, now: datetime) -> Iterator[Found]:
    """Drafts of files and artifacts of models that nothing names, once no process can be about to name them.

    Where the record of the models is gone every artifact would look so: `shelfcast audit verify` tells of that.
    """
    for path in [*drafts(lake), *(orphan_artifacts(lake) if lake.exists(MODEL_VERSIONS.name) else ())]:
        if is_older(path, GRACE, now.timestamp()):
            yield Found(path, path.lstat().st_size)
