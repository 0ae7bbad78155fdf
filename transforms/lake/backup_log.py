"""Which backups were made of a root: one line each in a file of it. The backups themselves are `transforms.lake.backup`'s."""

import json
from typing import Any

from transforms.errors import AuditFailed
from transforms.lake.backup import Backup
from transforms.lake.remote.working_copy import brought, push
from transforms.lake.tables import Lake
from transforms.lake.vaults import Vault

FILE = "backups.jsonl"


def note_backup(lake: Lake, backup: Backup, vault: Vault) -> None:
    """Put on record that `backup` was made of `lake` in `vault`."""
    line = {"backup": backup.name, "made_at": backup.made_at.isoformat(), "target": vault.place}
    path = brought(lake, FILE)
    with path.open("a") as log:
        log.write(f"{json.dumps(line)}\n")
    push(lake, path)


def backups_made(lake: Lake) -> list[dict[str, Any]]:
    """Return the backups that were made of a lake, oldest first.

    Raises
    ------
    AuditFailed
        Where a line tells of none: a full disk may have cut it off.
    """
    path, backups = brought(lake, FILE), list[dict[str, Any]]()
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        try:
            backups.append(json.loads(line))
        except ValueError as error:
            raise AuditFailed(f"{path}, line {number}: expected a line of JSON for each backup, came {line[:40]!r}. Remove the line.") from error
    return backups
