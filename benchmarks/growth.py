"""A year of weekly cycles of a very small company in one process, maintained every week: what grows on disk, in files, in threads and in memory.

A week of the rules that say how long what stays lasts as long as a cycle does here: what they let go after 26 weeks goes after 26 cycles. Printed for
each cycle are files and bytes of each part of the root and the bytes of the rows that stand (live); for some of them, and once the process has been
idle for longer than the pools of its libraries keep threads, also threads, open files and memory. `--without` leaves maintenance out, for comparison;
`--threads` measures threads and open files alone, over as many cheap cycles of reading and replacing.

    python -m benchmarks.growth --cycles 52
    python -m benchmarks.growth --threads --cycles 30
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks.recording import record
from models.members.settings import BoostingSettings, Settings
from orchestration.cli.session import run_weeks
from orchestration.project import Project, use_lake
from orchestration.runtime.instance import open_instance
from orchestration.runtime.run_logs import remove_old_logs
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import DEMAND
from transforms.lake.maintenance import maintain_table
from transforms.lake.tables import Lake
from transforms.records.upkeep import Rules, maintain
from transforms.world import World, WorldSpec, simulate, write_landing
from transforms.world.landing import write_week

HISTORY = 80
"""Weeks that have landed before the first cycle."""
_PARTS = ("lake", "models", "staged", "reports", "dagster", "landing")
_IDLE = 12
"""Seconds: tokio keeps threads of its blocking pool for ten."""
_SHOWN = (1, 13, 26, 39, 52)
"""Cycles that are shown side by side."""
_EARLY = 27
"""Cycle from which growth is measured: by then every window, of 26 weeks at most, has passed once."""


@dataclass(frozen=True)
class Process:
    """Threads of this process by name, open files, and bytes of memory."""

    threads: Counter[str]
    files: int
    rss: int

    @classmethod
    def now(cls) -> "Process":
        """As it is."""
        names = Counter((task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir())
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(names, len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE"))

    def __str__(self) -> str:
        names = ", ".join(f"{name} {count}" for name, count in sorted(self.threads.items()))
        return f"threads {self.threads.total()} ({names}); {self.files} open files; {self.rss / 1e6:,.0f} MB"


@dataclass(frozen=True)
class Measured:
    """The root after a cycle, and the process where it was looked at; `files` and `size` by part, with `log` for the commits of tables."""

    number: int
    week: str
    seconds: float
    files: dict[str, int]
    size: dict[str, int]
    live: int
    process: Process | None


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
    settings, quiet, starts = use_lake(str(root)), Console(quiet=True), list[datetime]()
    for number in range(1, cycles + 1):
        week = world.last + (number - cycles)
        write_week(world, root / "landing" / "sample", week)
        begun = time.monotonic()
        starts.append(datetime.now(UTC))
        if left_out := run_weeks(settings, (str(week), str(week)), [], False, quiet):
            raise RuntimeError(f"The cycle of {week} left something out: {left_out}")
        if maintained:
            _maintain(lake, root, starts, console)
        seconds, process = time.monotonic() - begun, None
        if number in _SHOWN or number == cycles:
            time.sleep(_IDLE)
            process = Process.now()
        found.append(_measured(lake, number, str(week), seconds, process))
        _tell(found[-1], console)
    return found


def _maintain(lake: Lake, root: Path, starts: list[datetime], console: Console) -> None:
    """Maintain as of now, where a week ago is a cycle ago."""
    now, project = datetime.now(UTC), Project.load(root).maintenance
    ages = [now - start for start in reversed(starts)]

    def age(weeks: int) -> timedelta:
        """Of the cycle so many before this one; more than any where there were not so many."""
        return ages[weeks] if weeks < len(ages) else 2 * ages[-1]

    rules = Rules(age(project.keep_days // 7), project.rules.keep_past, age(project.report_weeks), project.merge_from, age(0))
    maintain(lake, rules, now, False, console.print)
    with open_instance(root, False) as instance:
        remove_old_logs(instance, now - age(project.run_log_days // 7 + 1), False)


def _measured(lake: Lake, number: int, week: str, seconds: float, process: Process | None) -> Measured:
    files, size = Counter[str](), Counter[str]()
    for part in _PARTS:
        for path in lake.path(part).rglob("*"):
            if path.is_file():
                name = "log" if "_delta_log" in path.parts else part
                files[name] += 1
                size[name] += path.stat().st_size
    live = sum(Path(name).stat().st_size for table in CONTRACTS if lake.exists(table) for name in lake.files(table))
    return Measured(number, week, seconds, dict(files), dict(size), live, process)


def _tell(one: Measured, console: Console) -> None:
    parts = ", ".join(f"{name} {one.size.get(name, 0) / 1e3:,.0f} kB ({one.files.get(name, 0)})" for name in ("log", *_PARTS))
    line = f"{one.number}. {one.week}: {one.seconds:.0f} s; {parts}; live {one.live / 1e3:,.0f} kB"
    console.print(f"{line}; {one.process}" if one.process else line, highlight=False, soft_wrap=True)


def show(found: list[Measured], console: Console) -> None:
    """Bytes by part after some cycles, and growth a cycle once all windows have passed."""
    first, last = found[min(_EARLY, len(found)) - 1], found[-1]
    cycles = max(1, last.number - first.number)
    shown = [one for one in found if one.number in _SHOWN]
    table = Table(
        "kB", *(f"cycle {one.number}" for one in shown), "a cycle", "files a cycle", title=f"Growth; a cycle: from {first.week} to {last.week}"
    )
    for part in ("log", *_PARTS):
        rise = [(after.get(part, 0) - before.get(part, 0)) / cycles for before, after in ((first.size, last.size), (first.files, last.files))]
        table.add_row(part, *(f"{one.size.get(part, 0) / 1e3:,.0f}" for one in shown), f"{rise[0] / 1e3:,.1f}", f"{rise[1]:.1f}")
    total = (sum(last.size.values()) - sum(first.size.values())) / cycles
    table.add_row("all", *(f"{sum(one.size.values()) / 1e3:,.0f}" for one in shown), f"{total / 1e3:,.1f}", "", style="bold")
    table.add_row("rows that stand", *(f"{one.live / 1e3:,.0f}" for one in shown), f"{(last.live - first.live) / cycles / 1e3:,.1f}", "")
    table.add_row("threads", *(str(one.process.threads.total()) if one.process else "" for one in shown), "", "")
    table.add_row("open files", *(str(one.process.files) if one.process else "" for one in shown), "", "")
    table.add_row("memory, MB", *(f"{one.process.rss / 1e6:,.0f}" if one.process else "" for one in shown), "", "")
    console.print(table)


def threads(root: Path, cycles: int, console: Console) -> list[Process]:
    """Cheap cycles in a process that has the code location loaded: open the lake, read, replace, merge; look once the pools are idle."""
    from orchestration.definitions import defs  # noqa: PLC0415 - as a daemon has it; seconds of imports that the other measurement does without

    lake, start, found = Lake(str(root)), Week.parse("2022-01-03"), list[Process]()
    row = {"region": "ohio", "product_id": "A", "units_shipped": 5, "units_returned": 0}
    console.print(f"{len(defs.resolve_all_asset_specs())} assets loaded: {Process.now()}", highlight=False, soft_wrap=True)
    for number in range(1, cycles + 1):
        opened, week = Lake(lake.root), start + number
        rows = [{**row, "store_id": str(store), "week": week.monday, "demand": store + number} for store in range(50)]
        opened.replace(DEMAND.name, SliceBlock((Region("ohio"),), week, week), pa.Table.from_pylist(rows, schema=DEMAND.schema))
        opened.read(DEMAND.name, columns="count(*) as n")
        with opened.connect(DEMAND.name) as connection:
            connection.execute("select sum(demand) from gold_demand").fetchall()
        opened.query("select max(week) as week from demand", demand=DEMAND.name)
        now = datetime.now(UTC)
        maintain_table(opened, DEMAND.name, set(), now, now, 4, False)
        busy = Process.now()
        time.sleep(_IDLE)
        found.append(Process.now())
        console.print(f"{number}: busy {busy.threads.total()}; idle {found[-1]}", highlight=False, soft_wrap=True)
    return found


def main() -> None:
    """Run, show, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cycles", type=int, default=52)
    parser.add_argument("--without", action="store_true", help="without maintenance")
    parser.add_argument("--threads", action="store_true", help="threads and open files alone, over cheap cycles")
    parser.add_argument("--scratch", type=Path, help="where the lake is made; it stays there")
    arguments = parser.parse_args()
    console = Console(width=160)
    root = arguments.scratch or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=True)
    command = f"python -m benchmarks.growth --cycles {arguments.cycles}"
    if arguments.threads:
        idle = threads(root, arguments.cycles, console)
        rows = [
            {
                "name": f"{what} of a process after {len(idle)} cheap cycles",
                "value": last,
                "unit": what,
                "peer": "after the first",
                "peer_value": first,
            }
            for what, first, last in (
                ("threads", idle[0].threads.total(), idle[-1].threads.total()),
                ("open files", idle[0].files, idle[-1].files),
            )
        ]
        record(rows, f"{command} --threads")
        return
    found = growth(root, arguments.cycles, not arguments.without, console)
    show(found, console)
    first, last = found[min(_EARLY, len(found)) - 1], found[-1]
    cycles = max(1, last.number - first.number)
    rise = (sum(last.size.values()) - sum(first.size.values())) / cycles
    name = f"growth on disk a weekly cycle of one small region, {'without' if arguments.without else 'with'} maintenance"
    row = {"name": name, "value": rise / 1e3, "unit": "kB", "peer": "live rows", "peer_value": (last.live - first.live) / cycles / 1e3}
    record([row], f"{command}{' --without' if arguments.without else ''}")


if __name__ == "__main__":
    main()
