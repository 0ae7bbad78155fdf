"""`make bench`: measure, print a table, append one JSON object a measurement to `benchmarks/results.jsonl`.

The real deliveries are read from SHELFCAST_BENCH_DATA (a folder with `iowa_statewide` and, for the
leaderboard, `orange_juice`).
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.ab_tests import ab_tests
from benchmarks.censored import censored
from benchmarks.conditioning import conditioning
from benchmarks.drift import drift
from benchmarks.endings import endings_called
from benchmarks.forecasting import forecasting
from benchmarks.leaderboard import leaderboard
from benchmarks.life_cycle import life_cycle
from benchmarks.limit import limit
from benchmarks.pages import pages
from benchmarks.plans import plans
from benchmarks.recording import record

DATA = Path(os.environ.get("SHELFCAST_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
BENCHMARKS: list[Callable[[Path, Path], list[dict[str, object]]]] = [
    conditioning,
    forecasting,
    endings_called,
    limit,
    leaderboard,
    plans,
    censored,
    drift,
    ab_tests,
    life_cycle,
    pages,
]


def main() -> None:
    source = DATA / "iowa_statewide"
    if not source.is_dir():
        sys.exit(f"{source} does not exist: set SHELFCAST_BENCH_DATA to the folder that holds iowa_statewide.")
    table = Table("measurement", "value", "unit", "peer", "peer's value", title="Benchmarks")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [row for benchmark in BENCHMARKS for row in benchmark(source, Path(scratch))]
    record(rows, "make bench")
    for row in rows:
        table.add_row(
            *(f"{row[key]:.3f}" if isinstance(row[key], float) else str(row[key]) for key in ("name", "value", "unit", "peer", "peer_value"))
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
