"""What two lakes hold, table by table: the same rows in any order, but for times, runs, code, numbers of commits, and names of models.

    python -m benchmarks.contents BEFORE AFTER

Exits with 1 where a table differs. Whoever moves or renames code runs `make demo` before and after and compares the two roots.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from orchestration.settings import settings_of
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

_TIMES = frozenset({"arrived_at", "registered_at", "recorded_at", "event_time", "trained_at", "logged_at"})
_RUNS = frozenset({"run_id", "actor", "code_version", "source_commit", "environment"})
# Numbers of commits: a table has more of them when a run is begun again, so artifacts and names of models differ. Reasons name both.
_COMMITS = frozenset({"delta_versions", "data_versions", "reason", "rung_reason"})
_MODELS = frozenset({"model_version", "model", "replaces", "reused", "sha256", "artifact_uri", "held_back_uri", "held_back_sha256"})
# What is told here of each look, commit or run is told once more when a run is begun again.
_MARKS = ("bronze/conditioned_slices", "bronze/ingested_slices")
"""How far slices have come is told in steps: neither what was nor what will be."""
_LOGS = (
    "bronze/landing_files",
    "bronze/landing_slices",
    "gold/alerts",
    "gold/audit_heads",
    "gold/pipeline_steps",
    "gold/releases",
    "gold/retraining",
)


def contents(root: Path | str) -> dict[str, str]:
    """Return, by table, the number of its rows and their hash, whatever their order."""
    found = {}
    for name, rows in _tables(root):
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            [(digest, count)] = connection.execute(f"select sum({_hash(name, rows)}::hugeint), count(*) from rows").fetchall()
        found[name] = f"{count:,} rows, {digest}"
    return found


def row_hashes(root: Path | str) -> dict[str, Counter[int]]:
    """Return, by table, the hashes of its rows and how often each of them stands there."""
    found = {}
    for name, rows in _tables(root):
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            found[name] = Counter(dict(connection.execute(f"select {_hash(name, rows)} as h, count(*) from rows group by h").fetchall()))
    return found


def slice_hashes(root: Path | str, without: Sequence[str] = ()) -> dict[str, dict[tuple[str, str], int]]:
    """Return, by table whose slices are replaced, the hash of each slice (region, week); all tables are read but those `without` which it is done."""
    found = {}
    for name, rows in _tables(root, without):
        contract = CONTRACTS[name]
        if contract.sliced and not contract.append_only and name not in _MARKS:
            with duckdb.connect() as connection:
                connection.register("rows", rows)
                week = contract.week_column
                hashed = connection.execute(f"select region, {week}::varchar, sum({_hash(name, rows)}::hugeint) from rows group by all").fetchall()
            found[name] = {(region, week): int(digest) for region, week, digest in hashed}
    return found


def _tables(root: Path | str, without: Sequence[str] = ()) -> Iterator[tuple[str, pa.Table]]:
    lake = Lake(str(root), settings_of(str(root)).storage_options)
    for name in CONTRACTS:
        if name not in {*_LOGS, *without} and lake.exists(name):
            yield name, lake.read(name)


def _hash(name: str, rows: pa.Table) -> str:
    """SQL of the hash of a table's row."""
    # Sums of fractions differ in their last digit with the order in which threads add them: single precision leaves that out.
    numbers = {column.name for column in CONTRACTS[name].columns if column.kind == "number"}
    columns = [column for column in CONTRACTS[name].names if column in rows.column_names and column not in _TIMES | _RUNS | _COMMITS | _MODELS]
    quoted = ", ".join(f'"{column}"::float' if column in numbers else f'"{column}"' for column in columns)
    return f"hash({quoted})"


def main() -> None:
    """Compare, show, and fail where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("before")
    parser.add_argument("after")
    arguments = parser.parse_args()
    before, after = contents(arguments.before), contents(arguments.after)
    table = Table("table", "before", "after", "same")
    for name in sorted(before | after):
        same = before.get(name) == after.get(name)
        table.add_row(name, before.get(name, "-"), after.get(name, "-"), "yes" if same else "NO")
    Console(width=160).print(table)
    raise SystemExit(int(before != after))


if __name__ == "__main__":
    main()
