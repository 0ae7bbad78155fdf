"""What two lakes hold, table by table: the same rows in any order, but for times, runs, code, numbers of commits, and names of models.

    python -m benchmarks.contents BEFORE AFTER

Exits with 1 where a table differs. Whoever moves or renames code runs `make demo` before and after and compares the two roots.
"""

import argparse
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake

_TIMES = frozenset({"arrived_at", "registered_at", "recorded_at", "event_time", "trained_at", "logged_at"})
_RUNS = frozenset({"run_id", "actor", "code_version", "source_commit", "environment"})
# Numbers of commits: a table has more of them when a run is begun again, so artifacts and names of models differ. Reasons name both.
_COMMITS = frozenset({"delta_versions", "data_versions", "reason", "rung_reason"})
_MODELS = frozenset({"model_version", "model", "replaces", "reused", "sha256", "artifact_uri", "held_back_uri", "held_back_sha256"})
# What is told here of each look, commit or run is told once more when a run is begun again.
_LOGS = ("bronze/landing_files", "bronze/landing_slices", "gold/audit_heads", "gold/retraining")


def contents(root: Path) -> dict[str, str]:
    """Return, by table, the number of its rows and their hash, whatever their order."""
    lake, found = Lake(str(root)), {}
    for name, contract in CONTRACTS.items():
        if name in _LOGS or not lake.exists(name):
            continue
        columns = [column for column in contract.names if column not in _TIMES | _RUNS | _COMMITS | _MODELS]
        rows = lake.read(name)
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            # Sums of fractions differ in their last digit with the order in which threads add them: single precision leaves that out.
            numbers = {column.name for column in contract.columns if column.kind == "number"}
            present = [column for column in columns if column in rows.column_names]
            quoted = ", ".join(f'"{column}"::float' if column in numbers else f'"{column}"' for column in present)
            [(digest, count)] = connection.execute(f"select sum(hash({quoted})::hugeint), count(*) from rows").fetchall()
        found[name] = f"{count:,} rows, {digest}"
    return found


def main() -> None:
    """Compare, show, and fail where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
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
