"""A table's Delta log as it lies on disk: which commits there are and which files each of them added and removed.

Reads the open JSON format of the log itself, so that an audit sees gaps that a Delta reader would stumble over, and a backup can copy a log up to
a version. Everything else reads tables through `transforms.lake.tables`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from transforms.errors import AuditFailed

_COMMIT = re.compile(r"(\d{20})\.json")
_NUMBERED = re.compile(r"(\d{20})\..*")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")
_LATEST_CHECKPOINTS = 2
"""A reader may be on its way to the one before the last."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One entry of the log: `added` and `removed` are data files relative to the table's folder."""

    version: int
    time: datetime
    operation: str
    metadata: dict[str, Any]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def read_log(table: Path) -> list[Commit]:
    """Every commit of the table in `table`, oldest first; empty where there is no log.

    Raises
    ------
    AuditFailed
        If an entry is not JSON.
    """
    found = [(int(match[1]), path) for path in (table / "_delta_log").glob("*.json") if (match := _COMMIT.fullmatch(path.name))]
    return [_commit(version, path) for version, path in sorted(found)]


def last_version(table: Path) -> int | None:
    """Version of the last commit, None where there is no log: names are looked at alone, which costs a thirtieth of opening the table."""
    log = table / "_delta_log"
    found = (_COMMIT.fullmatch(path.name) for path in (log.iterdir() if log.is_dir() else ()))
    return max((int(match[1]) for match in found if match), default=None)


def log_files(table: Path, version: int) -> list[Path]:
    """Files of the log that tell of versions up to `version`, checkpoints included."""
    files = sorted((table / "_delta_log").iterdir())
    return [path for path in files if (match := _NUMBERED.fullmatch(path.name)) and int(match[1]) <= version]


def last_checkpoint(table: Path) -> int:
    """Version of the last checkpoint of a table's log, 0 where there is none: commits up to there need not be opened by a reader."""
    return max(_checkpoints(table).values(), default=0)


def old_checkpoints(table: Path) -> set[Path]:
    """Checkpoints that two later ones have taken the place of; a reader that opens an older version goes through the commits."""
    found = _checkpoints(table)
    latest = sorted(set(found.values()))[-_LATEST_CHECKPOINTS:]
    return {path for path, version in found.items() if version not in latest}


def data_files(commits: Iterable[Commit]) -> set[str]:
    """Files that any of the commits added: what its version and all before it are made of."""
    return {name for commit in commits for name in commit.added}


def _checkpoints(table: Path) -> dict[Path, int]:
    return {path: int(match[1]) for path in (table / "_delta_log").glob("*.parquet") if (match := _CHECKPOINT.fullmatch(path.name))}


def _commit(version: int, path: Path) -> Commit:
    try:
        actions = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AuditFailed(f"{path}: expected a line of JSON for each action of the commit, came {error}. Restore the file from a backup.") from error
    if strange := [action for action in actions if not isinstance(action, dict)]:
        raise AuditFailed(
            f"{path}: expected a JSON object for each action of the commit, came {str(strange[0])[:40]!r}. Restore the file from a backup."
        )
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    return Commit(
        version,
        datetime.fromtimestamp(info.get("timestamp", 0) / 1000, UTC),
        str(info.get("operation", "")),
        info,
        _paths(actions, "add"),
        _paths(actions, "remove"),
    )


def _paths(actions: list[dict[str, Any]], kind: str) -> tuple[str, ...]:
    return tuple(unquote(action[kind]["path"]) for action in actions if kind in action)
