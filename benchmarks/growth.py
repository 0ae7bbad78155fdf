"""A year of weekly cycles of a very small company in one process, maintained every week: what grows on disk, in files, in threads and in memory.

The clock of maintenance goes a week ahead with each cycle, so that windows pass as they do in a year. Printed for each cycle are files and bytes of
each part of the root, the bytes of the rows that stand (live), and, after the process has been idle for longer than the pools of its libraries keep
threads, threads and memory. `--without` leaves maintenance out, for comparison.

    python -m benchmarks.growth --cycles 52
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from models.members.settings import BoostingSettings, Settings
from orchestration.cli.session import run_weeks
from orchestration.project import Project, use_lake
from orchestration.runtime.instance import open_instance
from orchestration.runtime.run_logs import remove_old_logs
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.records.upkeep import maintain
from transforms.world import World, WorldSpec, simulate, write_landing
from transforms.world.landing import write_week

HISTORY = 80
"""Weeks that have landed before the first cycle."""
_PARTS = ("lake", "models", "staged", "reports", "dagster", "landing")
_IDLE = 12
"""Seconds: tokio keeps threads of its blocking pool for ten."""
_EARLY = 16
"""Cycle from which growth is measured: by then every window, of 90 days at most, has passed once."""


@dataclass(frozen=True)
class Measured:
    """The root and the process after a cycle; `files` and `size` by part, with `log` for the commits of tables."""

    week: str
    seconds: float
    files: dict[str, int]
    size: dict[str, int]
    live: int
    threads: Counter[str]
    rss: int


def prepare(root: Path, cycles: int) -> World:
    """Make the root and drop all weeks before the first cycle's."""
    world = simulate(WorldSpec(regions=1, stores_per_region=8, products=10, weeks=HISTORY + cycles))
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    write_landing(world, root / "landing" / "sample", world.last + -cycles)
    return world


def growth(root: Path, cycles: int, maintained: bool, console: Console) -> list[Measured]:
    """Run the cycles and show each as it ends."""
    world, lake, found = prepare(root, cycles), Lake(str(root)), list[Measured]()
    settings, quiet = use_lake(str(root)), Console(quiet=True)
    for number in range(cycles):
        week = world.last + (number + 1 - cycles)
        write_week(world, root / "landing" / "sample", week)
        begun = time.monotonic()
        if left_out := run_weeks(settings, (str(week), str(week)), [], False, quiet):
            raise RuntimeError(f"The cycle of {week} left something out: {left_out}")
        if maintained:
            now, rules = datetime.now(UTC) + timedelta(weeks=number), Project.load(root).maintenance
            maintain(lake, rules.keep_days, rules.merge_from, now, False, console.print)
            with open_instance(root, False) as instance:
                remove_old_logs(instance, now - timedelta(days=rules.run_log_days), False)
        seconds = time.monotonic() - begun
        time.sleep(_IDLE)
        found.append(_measured(lake, str(week), seconds))
        _tell(found[-1], console)
    return found


def _measured(lake: Lake, week: str, seconds: float) -> Measured:
    files, size = Counter[str](), Counter[str]()
    for part in _PARTS:
        for path in lake.path(part).rglob("*"):
            if path.is_file():
                name = "log" if "_delta_log" in path.parts else part
                files[name] += 1
                size[name] += path.stat().st_size
    live = sum(Path(name).stat().st_size for table in CONTRACTS if lake.exists(table) for name in lake.files(table))
    names = Counter((task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir())
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Measured(week, seconds, dict(files), dict(size), live, names, pages * os.sysconf("SC_PAGE_SIZE"))


def _tell(one: Measured, console: Console) -> None:
    parts = ", ".join(f"{name} {one.size.get(name, 0) / 1e3:,.0f} kB ({one.files.get(name, 0)})" for name in ("log", *_PARTS))
    threads = ", ".join(f"{name} {count}" for name, count in sorted(one.threads.items()))
    console.print(
        f"{one.week}: {one.seconds:.0f} s; {parts}; live {one.live / 1e3:,.0f} kB; "
        f"threads {one.threads.total()} ({threads}); {one.rss / 1e6:,.0f} MB",
        highlight=False,
        soft_wrap=True,
    )


def show(found: list[Measured], console: Console) -> None:
    """Growth a cycle by part, once all windows have passed."""
    first, last = found[min(_EARLY, len(found)) - 1], found[-1]
    cycles = max(1, len(found) - min(_EARLY, len(found)))
    table = Table("part", "bytes after", "files after", "bytes a cycle", "files a cycle", title=f"Growth from {first.week} to {last.week}")
    for part in ("log", *_PARTS):
        rise = [(after.get(part, 0) - before.get(part, 0)) / cycles for before, after in ((first.size, last.size), (first.files, last.files))]
        table.add_row(part, f"{last.size.get(part, 0):,}", f"{last.files.get(part, 0):,}", f"{rise[0]:,.0f}", f"{rise[1]:.1f}")
    table.add_row("live rows", f"{last.live:,}", "", f"{(last.live - first.live) / cycles:,.0f}", "")
    table.add_row("threads", f"{last.threads.total()}", "", f"{(last.threads.total() - first.threads.total()) / cycles:.2f}", "")
    table.add_row("memory", f"{last.rss:,}", "", f"{(last.rss - first.rss) / cycles:,.0f}", "")
    console.print(table)


def main() -> None:
    """Run, show, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cycles", type=int, default=52)
    parser.add_argument("--without", action="store_true", help="without maintenance")
    parser.add_argument("--scratch", type=Path, help="where the lake is made; it stays there")
    arguments = parser.parse_args()
    console = Console(width=160)
    root = arguments.scratch or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=True)
    found = growth(root, arguments.cycles, not arguments.without, console)
    show(found, console)
    first, last = found[min(_EARLY, len(found)) - 1], found[-1]
    cycles = max(1, len(found) - min(_EARLY, len(found)))
    rise = (sum(last.size.values()) - sum(first.size.values())) / cycles
    name = f"growth on disk a weekly cycle of one small region, {'without' if arguments.without else 'with'} maintenance"
    row = {"name": name, "value": rise / 1e3, "unit": "kB", "peer": "live rows", "peer_value": (last.live - first.live) / cycles / 1e3}
    record([row], f"python -m benchmarks.growth --cycles {arguments.cycles}{' --without' if arguments.without else ''}")


if __name__ == "__main__":
    main()
