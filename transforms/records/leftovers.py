"""Files of a lake that no record names: what a process that was killed leaves behind; and tables that no reader can open.

Who removes what, and when that is safe, is not known here. Whether what stands is what was written is `transforms.records.audit`'s question.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import MODEL_VERSIONS
from transforms.errors import AuditFailed
from transforms.lake.database import literal
from transforms.lake.delta_log import Commit, data_files, read_log
from transforms.lake.remote.working_copy import Listed, listed, on_this_machine, pulled
from transforms.lake.tables import Lake

_DRAFT = re.compile(r"\.(part|tmp)$|\.part\.xlsx$|#\d+$")
"""Names under which a file is written before it gets its own; object stores of deltalake number theirs."""
_OF_LOG = re.compile(r"\d{20}\.(json|crc|checkpoint.*\.parquet|.*\.compacted\.json)|_last_checkpoint|_sidecars")


def drafts(lake: Lake) -> list[Listed]:
    """Files that were being written and never got their names, but for those that users drop: landing is theirs.

    Of a lake in a store both those in it and those in its working copy.
    """
    found = {}
    for file in [*on_this_machine(lake), *(() if lake.is_local else listed(lake))]:
        place = file.path.relative_to(lake.path()).parts
        theirs = place[0] == "landing" and len(place) > 2
        in_log = "_delta_log" in place[-2:-1]
        if not theirs and (_DRAFT.search(file.path.name) or (in_log and not _OF_LOG.fullmatch(file.path.name))):
            found[file.path] = file
    return [found[path] for path in sorted(found)]


def orphan_artifacts(lake: Lake) -> list[Listed]:
    """Model artifacts that no model on record names."""
    columns = "artifact_uri, held_back_uri"
    rows = lake.read(MODEL_VERSIONS.name, columns=columns).to_pylist() if lake.exists(MODEL_VERSIONS.name) else []
    named = {lake.path(uri) for row in rows for uri in row.values() if uri is not None}
    return _sorted(
        file
        for file in listed(lake, "models")
        if file.path.suffix == ".safetensors" and file.path not in named and file.path.parents[2] == lake.path()
    )


def unnamed_data(lake: Lake) -> list[Listed]:
    """Data files that no commit of their table names: written by a process that ended before it committed them.

    Only tables with their whole log can tell, since a version that only a checkpoint knows has files too.
    """
    found: list[Listed] = []
    for name in CONTRACTS:
        folder, commits = lake.path("lake", name), _commits(lake, name)
        if commits and [commit.version for commit in commits] == list(range(len(commits))):
            named = {folder / file for file in data_files(commits)}
            files = listed(lake, "lake", *name.split("/"))
            found += [file for file in files if file.path.suffix == ".parquet" and "_delta_log" not in file.path.parts and file.path not in named]
    return _sorted(found)


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
    return {name: wrong for name in CONTRACTS if (wrong := _wrong(lake, name))}


def _wrong(lake: Lake, name: str) -> str:
    try:
        commits = read_log(_with_log(lake, name))
        if not commits:
            files = [file.path for file in listed(lake, "lake", *name.split("/"))]
            in_log = ["_delta_log" in path.parts for path in files]
            return "its log is gone." if any(in_log) and any(path.suffix == ".parquet" for path in files) else ""
        _read_footers(lake, name)
    except AuditFailed as error:
        return str(error)
    except (FileNotFoundError, pa.ArrowInvalid, OSError, duckdb.Error) as error:
        return f"a data file cannot be read: {str(error).splitlines()[0]}"
    return ""


def _read_footers(lake: Lake, name: str) -> None:
    """Open every data file of a table's present version, and raise what its library says of the first that it cannot read."""
    files = lake.files(name)
    if lake.is_local:
        for file in files:
            pq.read_metadata(file)
    elif files:
        with lake.connect() as connection:
            connection.execute(f"select count(*) from parquet_file_metadata([{', '.join(map(literal, files))}])")


def _commits(lake: Lake, name: str) -> list[Commit]:
    try:
        return read_log(_with_log(lake, name))
    except AuditFailed:
        return []


def _with_log(lake: Lake, name: str) -> Path:
    """A table's folder, with its log as it is now."""
    pulled(lake, "lake", *name.split("/"), "_delta_log")
    return lake.path("lake", name)


def _is_parquet(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _sorted(files: Iterable[Listed]) -> list[Listed]:
    return sorted(files, key=lambda file: file.path)
