"""The hash chain over append-only tables: each commit is bound to its rows and to every commit before it.

A commit's link is the SHA-256 of the link before it and of its rows; Delta keeps it among the commit's metadata, with a digest of each row, so that
a check can name the row that was changed. Tables whose slices are replaced have no chain: what a slice held is sealed each time it is written. What
makes a digest is here and nowhere else; who writes is `transforms.lake.tables`, who checks is `transforms.records.audit`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self

import pyarrow as pa

from transforms.contracts import Contract
from transforms.lake.database import open_database

LINK, ROWS = "shelfcast.chain", "shelfcast.rows"
"""Names of a link and of its row digests among a commit's metadata."""
# Beyond this the digests would make a commit large: its link still tells that something was changed, though not in which row.
MOST_ROWS = 2000
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Link:
    """One commit's place in the chain."""

    value: str
    rows: tuple[str, ...]
    """Shortened digest of each row, sorted; empty for a commit of many rows."""

    @classmethod
    def after(cls, previous: str, rows: pa.Table) -> Self:
        """The link of a commit that adds `rows` after the link `previous`."""
        digests = row_digests(rows)
        value = hashlib.sha256("\n".join([previous, *sorted(digests)]).encode()).hexdigest()
        return cls(value, tuple(sorted(digest[:_DIGITS] for digest in digests)) if len(digests) <= MOST_ROWS else ())

    @classmethod
    def recorded(cls, metadata: Mapping[str, Any]) -> Self | None:
        """The link that stands in a commit's metadata; None in a commit that was made without one."""
        return cls(metadata[LINK], tuple(filter(None, metadata.get(ROWS, "").split(",")))) if LINK in metadata else None

    @property
    def metadata(self) -> dict[str, str]:
        """The link as a commit's metadata."""
        return {LINK: self.value, ROWS: ",".join(self.rows)}


def genesis(table: str) -> str:
    """Value that the first link of a table follows."""
    return hashlib.sha256(f"shelfcast {table}".encode()).hexdigest()


def row_digests(rows: pa.Table) -> list[str]:
    """SHA-256 of each row's values. Nulls are left out, so that a column that is added later changes no digest of the past."""
    return [hashlib.sha256(_canonical(row).encode()).hexdigest() for row in rows.to_pylist()]


def unexpected(rows: pa.Table, link: Link) -> tuple[list[dict[str, Any]], int]:
    """Rows that the link does not know, and how many rows it knows that are gone."""
    there = [digest[:_DIGITS] for digest in row_digests(rows)]
    strange = [row for row, digest in zip(rows.to_pylist(), there, strict=True) if digest not in link.rows]
    return strange, len(set(link.rows) - set(there))


def _canonical(row: Mapping[str, Any]) -> str:
    return json.dumps({name: _text(value) for name, value in row.items() if value is not None}, sort_keys=True, ensure_ascii=False)


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


def slice_seals(contract: Contract, rows: pa.Table) -> dict[tuple[str, date], str]:
    """Digest of the rows of each slice (region, Monday) of a sealed table, whatever their order: of all columns that hold something."""
    texts = ", ".join(f"'{name}=' || {name}::varchar" for name in sorted(contract.names))
    with open_database() as connection:
        connection.register("t", rows)
        found = connection.execute(
            f"""
            select region, {contract.week_column}, sum(md5_number_lower(list_filter([{texts}], lambda x: x is not null)::varchar)::hugeint)
            from t group by all
            """
        ).fetchall()
    return {(region, week): f"{_columns(contract)}:{int(digest):x}" for region, week, digest in found}


def seal_of_nothing(contract: Contract) -> str:
    """The seal of a slice without rows."""
    return f"{_columns(contract)}:0"


def seal_name(contract: Contract, region: str, week: date) -> str:
    """Name of a slice in gold/audit_heads."""
    return f"{contract.name}/{region}/{week}"


def _columns(contract: Contract) -> str:
    """Which columns a seal is over: with others, a slice cannot be compared with it."""
    return hashlib.sha256(" ".join(sorted(contract.names)).encode()).hexdigest()[:8]


def combined(heads: Mapping[str, tuple[int, str]]) -> str:
    """One SHA-256 over the heads of all tables: what is worth keeping outside of the lake."""
    lines: Sequence[str] = [f"{table}@{version}:{value}" for table, (version, value) in sorted(heads.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
