"""Which backups were made of a root: one line each in a file of it. The backups themselves are `transforms.lake.backup`'s."""

import json
from pathlib import Path
from typing import Any

from transforms.errors import AuditFailed
from transforms.lake.backup import Backup

FILE = "backups.jsonl"


def note_backup(root: Path, backup: Backup, target: Path) -> None:
    """Put on record that `backup` was made of `root` below `target`."""
    line = {"backup": backup.name, "made_at": backup.made_at.isoformat(), "target": str(target.resolve())}
    with (root / FILE).open("a") as log:
        log.write(f"{json.dumps(line)}\n")


def backups_made(root: Path) -> list[dict[str, Any]]:
    """Return the backups that were made of a root, oldest first.

    Raises
    ------
    AuditFailed
        Where a line tells of none: a full disk may have cut it off.
    """
    path, backups = root / FILE, list[dict[str, Any]]()
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        try:
            backups.append(json.loads(line))
        except ValueError as error:
            raise AuditFailed(f"{path}, line {number}: expected a line of JSON for each backup, came {line[:40]!r}. Remove the line.") from error
    return backups
