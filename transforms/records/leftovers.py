"""Files of a lake that no record names: what a process that was killed leaves behind; and tables that no reader can open.

Who removes what, and when that is safe, is not known here. Whether what stands is what was written is `transforms.records.audit`'s question.
"""

import os
import re
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.errors import AuditFailed
from transforms.lake.delta_log import Commit, data_files, read_log
from transforms.lake.tables import Lake

_DRAFT = re.compile(r"\.(part|tmp)$|\.part\.xlsx$|#\d+$")
"""Names under which a file is written before it gets its own; object stores of deltalake number theirs."""
_OF_LOG = re.compile(r"\d{20}\.(json|crc|checkpoint.*\.parquet|.*\.compacted\.json)|_last_checkpoint|_sidecars")


def drafts(lake: Lake) -> list[Path]:
    """Files that were being written and never got their names, but for those that users drop: landing is theirs."""
    found = []
    for place, folders, names in os.walk(lake.path()):
        folder = Path(place)
        if folder.parent == lake.path("landing"):
            folders.clear()
            continue
        in_log = folder.name == "_delta_log"
        found += [folder / name for name in names if _DRAFT.search(name) or (in_log and not _OF_LOG.fullmatch(name))]
    return sorted(found)


def orphan_artifacts(lake: Lake) -> list[Path]:
    """Model artifacts that no model on record names."""
    columns = "artifact_uri, held_back_uri"
    rows = lake.read(MODEL_VERSIONS.name, columns=columns).to_pylist() if lake.exists(MODEL_VERSIONS.name) else []
    named = {lake.path(uri) for row in rows for uri in row.values() if uri is not None}
    return sorted(path for path in lake.path("models").glob("*/*.safetensors") if path not in named)


def unnamed_data(lake: Lake) -> list[Path]:
    """Data files that no commit of their table names: written by a process that ended before it committed them.

    Only tables with their whole log can tell, since a version that only a checkpoint knows has files too.
    """
    found = []
    for name in CONTRACTS:
        folder, commits = lake.path("lake", name), _commits(lake, name)
        if commits and [commit.version for commit in commits] == list(range(len(commits))):
            named = {folder / file for file in data_files(commits)}
            found += [path for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts and path not in named]
    return sorted(found)


def bad_checkpoints(lake: Lake) -> dict[str, list[Path]]:
    """By table that cannot be opened for its checkpoints alone, the files to remove: the log holds all that they tell."""
    found = {}
    for name in CONTRACTS:
        commits = _commits(lake, name)
        if commits and [commit.version for commit in commits] == list(range(len(commits))):
            log = lake.path("lake", name, "_delta_log")
            garbled = [path for path in sorted(log.glob("*.checkpoint*.parquet")) if not _is_parquet(path)]
            if garbled:
                found[name] = [*garbled, *log.glob("_last_checkpoint")]
    return found


def unreadable(lake: Lake) -> dict[str, str]:
    """By table what is wrong with its log, or with a data file of its present version."""
    return {name: wrong for name in CONTRACTS if lake.path("lake", name).is_dir() and (wrong := _wrong(lake, name))}


def is_older(path: Path, age: timedelta, now: float) -> bool:
    """Whether a file was last written so long ago; False where it is gone."""
    try:
        return now - path.stat().st_mtime >= age.total_seconds()
    except FileNotFoundError:
        return False


def _wrong(lake: Lake, name: str) -> str:
    folder = lake.path("lake", name)
    try:
        commits = read_log(folder)
        if not commits:
            return "its log is gone." if any(folder.rglob("*.parquet")) and any((folder / "_delta_log").glob("*")) else ""
        for file in lake.files(name):
            pq.read_metadata(file)
    except AuditFailed as error:
        return str(error)
    except (FileNotFoundError, pa.ArrowInvalid, OSError) as error:
        return f"a data file cannot be read: {str(error).splitlines()[0]}"
    return ""


def _commits(lake: Lake, name: str) -> list[Commit]:
    try:
        return read_log(lake.path("lake", name))
    except AuditFailed:
        return []


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True
