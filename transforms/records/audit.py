"""Is the record as it was written? Recomputes the hash chains of the append-only tables, and what they say of model artifacts and of data.

Found are rows that were edited, added or removed past Shelfcast, commits that are missing or were replaced, tables that were cut short, artifacts and
data that are not those on record. Not found is a history that was rewritten as a whole, tables and gold/audit_heads alike, unless a head that was
kept elsewhere (printed by the check, held in each backup) is given.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.contracts import CONTRACTS, Contract
from transforms.contracts.life_cycle import AUDIT_HEADS, MODEL_VERSIONS
from transforms.errors import AuditFailed, MissingData
from transforms.lake.delta_log import Commit, read_log
from transforms.lake.hash_chain import Link, genesis, seal_name, seal_of_nothing, slice_seals, unexpected
from transforms.lake.remote.working_copy import brought, pulled
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import Dataset, contents_of, latest_versions, log

CHAINED = tuple(name for name, contract in CONTRACTS.items() if contract.append_only and name != AUDIT_HEADS.name)
"""Tables whose commits are linked."""

_ARTIFACTS = (("artifact_uri", "sha256"), ("held_back_uri", "held_back_sha256"))

Heads = Mapping[str, tuple[int, str]]
"""Table -> version and link at which it stood."""


@dataclass
class TableAudit:
    """What the check of one append-only table found.

    Attributes
    ----------
    links
        Link of each version, as the rows give it.
    unlinked
        Rows of before there were links; the first link seals them.
    unheaded
        Latest commits that gold/audit_heads does not know yet: a process ended between the two writes.
    """

    table: str
    commits: int = 0
    rows: int = 0
    unlinked: int = 0
    unheaded: int = 0
    links: dict[int, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def head(self) -> tuple[int, str] | None:
        """Last version and its link."""
        return max(self.links.items()) if self.links else None


def verify_tables(lake: Lake, kept: Heads | None = None) -> list[TableAudit]:
    """Check every append-only table.

    Parameters
    ----------
    kept
        Heads that were kept elsewhere: each has to lie on the chain.
    """
    heads, own = _heads(lake)
    if not own.commits and not own.findings and (left := _left_by_a_record(lake)):
        own.findings.append(f"the record is gone: {left} is there, and no table in the lake tells of it. Restore the lake from a backup.")
    audits = [own] if own.commits or own.findings else []
    for name in CHAINED:
        known = heads.get(name, set()) | ({kept[name]} if kept and name in kept else set())
        folder = pulled(lake, "lake", name)
        if known or (folder / "_delta_log").is_dir():
            audits.append(_verify(lake, CONTRACTS[name], folder, known))
    return audits


def heads_of(lake: Lake) -> dict[str, tuple[int, str]]:
    """Where each chain stands, as the last commits tell (`verify_tables` tells whether that is so)."""
    found = {}
    for name in CHAINED:
        commits = read_log(pulled(lake, "lake", name, "_delta_log").parent)
        link = Link.recorded(commits[-1].metadata) if commits else None
        if link is not None:
            found[name] = (commits[-1].version, link.value)
    return found


def verify_artifacts(lake: Lake, let_go: Collection[str] = (), of: Collection[str] | None = None) -> tuple[int, list[str]]:
    """Number of artifacts that there have to be, and those of them that are missing or not the bytes that were trained.

    Parameters
    ----------
    let_go
        Where artifacts lie that nothing needs: maintenance may have removed them. While they stand they are looked at like all others.
    of
        Models whose artifacts are looked at; None for all on record.
    """
    if not lake.exists(MODEL_VERSIONS.name):
        return 0, []
    try:
        rows = lake.read(MODEL_VERSIONS.name, columns="distinct model_version, artifact_uri, sha256, held_back_uri, held_back_sha256").to_pylist()
    except AuditFailed as error:
        return 0, [f"no artifact can be checked: {error}"]
    chosen = [row for row in rows if of is None or row["model_version"] in of]
    artifacts = [(row["model_version"], row[uri], row[sha]) for row in chosen for uri, sha in _ARTIFACTS if row[uri] is not None]
    findings, gone = [], 0
    for version, uri, recorded in artifacts:
        path = brought(lake, uri)
        if not path.is_file() and uri in let_go:
            gone += 1
        elif not path.is_file():
            findings.append(f"artifact {uri} of {version} is gone: restore it from a backup.")
        elif (found := _sha256(path)) != recorded:
            findings.append(f"artifact {uri} of {version}: recorded SHA-256 {recorded[:12]}..., came {found[:12]}...")
    return len(artifacts) - gone, findings


def verify_seals(lake: Lake) -> tuple[int, list[str]]:
    """Number of sealed slices, and those whose rows are none of what was ever written there by Shelfcast."""
    sealed = {name: {chain for _, chain in heads} for name, heads in _heads(lake)[0].items()}
    slices, findings = 0, []
    for contract in (contract for contract in CONTRACTS.values() if contract.sealed):
        known = {name: seals for name, seals in sealed.items() if name.startswith(f"{contract.name}/")}
        slices += len(known)
        if known and not lake.exists(contract.name):
            findings.append(f"{contract.name} is gone: {len(known)} of its slices are on record. Restore it from a backup.")
            continue
        try:
            found = {seal_name(contract, *item): seal for item, seal in slice_seals(contract, _all_rows(lake, contract)).items()} if known else {}
        except (duckdb.Error, AuditFailed) as error:
            findings.append(f"{contract.name} cannot be read: {error}")
            continue
        nothing = seal_of_nothing(contract)
        for name, seals in sorted(known.items()):
            # Of columns that the contract had then and has no more, or had not yet, nothing can be said.
            same = {seal for seal in seals if seal.split(":")[0] == nothing.split(":")[0]}
            if same == seals and found.get(name, nothing) not in seals:
                findings.append(f"{name}: its rows are not those that were written, or some of them are gone.")
    return slices, findings


def verify_data(lake: Lake, every: bool, needed: Collection[str] | None = None) -> tuple[int, list[str]]:
    """Hash the data of dataset versions again, as their Delta versions hold them: the latest of each region, or every one on record.

    Parameters
    ----------
    needed
        Versions that have to be there; others are left out, since maintenance may have removed files of theirs. None for all.
    """
    try:
        datasets = [dataset for dataset in (log(lake) if every else latest_versions(lake)) if needed is None or dataset.version in needed]
    except (duckdb.Error, AuditFailed) as error:
        return 0, [f"no data version can be checked: {error}"]
    together: dict[str, list[Dataset]] = {}
    for dataset in datasets:
        together.setdefault(json.dumps(dataset.delta_versions, sort_keys=True), []).append(dataset)
    findings = []
    for pins, group in together.items():
        try:
            found = contents_of(lake.at(json.loads(pins)), sorted({dataset.region for dataset in group}))
        except (duckdb.Error, AuditFailed, MissingData) as error:
            findings.append(f"data of {', '.join(sorted({dataset.version for dataset in group}))} cannot be read any more: {error}")
            continue
        for dataset in group:
            now = f"{dataset.region}-{found[dataset.region][1]}" if dataset.region in found else "no rows"
            if now != dataset.version:
                findings.append(f"data of {dataset.version} are not those on record: they hash to {now}.")
    return len({dataset.version for dataset in datasets}), findings


def _verify(lake: Lake, contract: Contract, folder: Path, known: set[tuple[int, str]]) -> TableAudit:
    audit = TableAudit(contract.name)
    try:
        commits = read_log(folder)
    except AuditFailed as error:
        audit.findings.append(str(error))
        return audit
    audit.commits = len(commits)
    audit.findings += [f"version {version} is missing from the log." for version in _gaps(commits)]
    before: list[pa.Table] = []
    previous: str | None = None
    for commit in commits:
        rows = _rows(folder, commit, audit)
        audit.rows += rows.num_rows
        link = Link.recorded(commit.metadata)
        if commit.removed:
            audit.findings.append(
                f"version {commit.version} ({commit.operation}, {commit.time:%Y-%m-%d %H:%M}) took rows out of an append-only table."
            )
        if link is None and previous is None:
            before.append(rows)
        elif link is None:
            audit.findings.append(f"version {commit.version} ({commit.operation}) was written past Shelfcast: {_first(contract, rows.to_pylist())}")
        else:
            previous = _start(contract.name, before) if previous is None else previous
            _check_link(audit, contract, commit, rows, link, previous)
            previous = link.value
    audit.unlinked = sum(rows.num_rows for rows in before)
    _check_heads(audit, known)
    _check_reader(lake, audit, commits)
    return audit


def _start(table: str, before: list[pa.Table]) -> str:
    """What the first link follows: nothing, or the rows of before there were links."""
    return Link.after(genesis(table), pa.concat_tables(before, promote_options="default")).value if before else genesis(table)


def _check_link(audit: TableAudit, contract: Contract, commit: Commit, rows: pa.Table, link: Link, previous: str) -> None:
    expected = Link.after(previous, rows)
    audit.links[commit.version] = expected.value
    if expected.value == link.value:
        return
    # Later commits are judged by what they were written on, so that the first fault is told and not its consequences.
    audit.links[commit.version] = link.value
    strange, gone = unexpected(rows, link) if link.rows else ([], 0)
    if strange:
        what = f"{_first(contract, strange)} is not as it was written"
    elif gone:
        what = f"{gone} of its rows are gone"
    elif not link.rows:
        what = "its rows, or a commit before it, are not as they were written"
    else:
        what = "its rows are as written, and what it follows is not: a commit before it was removed or replaced"
    audit.findings.append(f"version {commit.version} of {commit.time:%Y-%m-%d %H:%M}: {what}.")


def _check_heads(audit: TableAudit, known: set[tuple[int, str]]) -> None:
    last = audit.commits - 1
    for version, chain in sorted(known):
        if version > last:
            audit.findings.append(f"cut short: version {version} had been written (head {chain[:12]}...), and the log ends at version {last}.")
            return
        if audit.links.get(version) != chain:
            now = audit.links.get(version, "no link")
            audit.findings.append(f"history was rewritten: version {version} had head {chain[:12]}..., now {now[:12]}...")
            return
    audit.unheaded = sum(version > max((version for version, _ in known), default=-1) for version in audit.links)


def _check_reader(lake: Lake, audit: TableAudit, commits: list[Commit]) -> None:
    """Readers start from a checkpoint, which may tell something else than the log."""
    if audit.findings or not commits:
        return
    seen = {Path(name).name for name in lake.files(audit.table)}
    if seen != {Path(name).name for commit in commits for name in commit.added}:
        audit.findings.append("a checkpoint of the log tells of other files than its commits: readers see other rows than those that were written.")


def _rows(folder: Path, commit: Commit, audit: TableAudit) -> pa.Table:
    tables = []
    for name in commit.added:
        try:
            tables.append(pq.ParquetFile(folder / name).read())
        except (FileNotFoundError, pa.ArrowInvalid, OSError) as error:
            reason = "is gone" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            audit.findings.append(f"version {commit.version}: data file {name} {reason}.")
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})


def _first(contract: Contract, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "a commit without rows"
    key = ", ".join(f"{name} {rows[0].get(name)}" for name in contract.key)
    return f"the row with {key}{f' (and {len(rows) - 1} more)' if len(rows) > 1 else ''}"


def _gaps(commits: list[Commit]) -> list[int]:
    there = {commit.version for commit in commits}
    return [version for version in range(max(there, default=-1) + 1) if version not in there]


def _heads(lake: Lake) -> tuple[dict[str, set[tuple[int, str]]], TableAudit]:
    """Heads (version, link) of each table, and what is wrong with their own table; its rows are judged by the tables that they tell of."""
    found: dict[str, set[tuple[int, str]]] = {}
    folder, audit = pulled(lake, "lake", AUDIT_HEADS.name), TableAudit(AUDIT_HEADS.name)
    try:
        commits = read_log(folder)
    except AuditFailed as error:
        audit.findings.append(str(error))
        return found, audit
    audit.commits = len(commits)
    audit.findings += [f"version {version} is missing from the log." for version in _gaps(commits)]
    for commit in commits:
        rows = _rows(folder, commit, audit)
        audit.rows += rows.num_rows
        if commit.removed:
            audit.findings.append(f"version {commit.version} ({commit.operation}) took rows out of an append-only table.")
        for row in rows.to_pylist():
            found.setdefault(row["table_name"], set()).add((row["delta_version"], row["chain"]))
    return found, audit


def _left_by_a_record(lake: Lake) -> str:
    """A file that is there only where something was put on record; empty where there is none."""
    for folder in ("models", "staged"):
        if found := next((path for path in sorted(pulled(lake, folder).rglob("*")) if path.is_file() and not path.name.startswith(".")), None):
            return found.relative_to(lake.path()).as_posix()
    return ""


def _all_rows(lake: Lake, contract: Contract) -> pa.Table:
    with lake.connect(contract.name) as connection:
        return connection.execute(f"from {contract.name.replace('/', '_')}").to_arrow_table()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
