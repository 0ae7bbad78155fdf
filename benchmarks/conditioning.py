"""Landing to gold for all weeks and regions, and for one more week, against bare DuckDB that does the same joins and writes Parquet."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from benchmarks.bare import compiled_models, condition_bare
from transforms.adapters import load_provider
from transforms.calendar import SliceBlock, Week
from transforms.lake.tables import Lake
from transforms.landing import regions

PROVIDER = "iowa_statewide"
PEER = "bare DuckDB, same joins, to Parquet"


def conditioning(source: Path, scratch: Path) -> list[dict[str, object]]:
    """Seconds (by the clock and of CPU) and peak memory of the command as a whole, and its time over the bare query's."""
    drops, root = scratch / "drops", scratch / "lake"
    last = _hold_back_last_week(source, drops, scratch / "week.parquet")
    history, history_cpu, memory = _init(root, "--landing", str(drops))
    models_all = _models_seconds(root)
    shutil.copy(scratch / "week.parquet", root / "landing" / load_provider(PROVIDER).name / "shipments" / "one_more_week.parquet")
    more, more_cpu, _ = _init(root)
    models_week = _models_seconds(root) - models_all
    lake = Lake(str(root))
    whole = SliceBlock(tuple(regions(lake)), Week.parse("2017-01-02"), last)
    demand = lake.read("gold/demand", columns="sum(units_shipped) as units, max(week) as week").to_pylist()[0]
    if demand["week"] != last.monday:
        raise RuntimeError(f"the week {last} did not arrive in gold: {demand}")
    bare_all, units = _bare(source, whole, scratch)
    if units != demand["units"]:
        raise RuntimeError(f"gold holds {demand['units']} units, the bare query {units}")
    bare_week, _ = _bare(source, SliceBlock(whole.regions, last, last), scratch)
    return [
        _row("conditioning: landing to gold, 282 weeks x 14 regions", history, "s", bare_all),
        _row("conditioning: the same over bare", history / bare_all, "ratio", bare_all),
        _row("conditioning: CPU of all its processes", history_cpu, "s", None),
        _row("conditioning: the dbt models alone over bare", models_all / bare_all, "ratio", bare_all),
        _row("conditioning: peak memory of any process", memory, "GiB", None),
        _row("conditioning: one more week, 14 regions", more, "s", bare_week),
        _row("conditioning: the same over bare", more / bare_week, "ratio", bare_week),
        _row("conditioning: one more week, CPU of all its processes", more_cpu, "s", None),
        _row("conditioning: one more week, the dbt models alone over bare", models_week / bare_week, "ratio", bare_week),
    ]


def _row(name: str, value: float, unit: str, peer_value: float | None) -> dict[str, object]:
    return {"name": name, "value": value, "unit": unit, "peer": PEER if peer_value else "", "peer_value": peer_value or ""}


def _hold_back_last_week(source: Path, drops: Path, week_file: Path) -> Week:
    """Copy the raw files to `drops` without the last week of shipments, which goes into a file of its own."""
    shutil.copytree(source, drops)
    with duckdb.connect() as connection:
        every = f"read_parquet('{source}/shipments/*.parquet')"
        [(last,)] = connection.execute(f"select max(week_start) from {every}").fetchall()
        connection.execute(f"copy (from {every} where week_start = date '{last}') to '{week_file}' (format parquet)")
        for path in (drops / "shipments").glob("*.parquet"):
            path.chmod(0o644)
            connection.execute(f"copy (from read_parquet('{source}/shipments/{path.name}') where week_start < date '{last}') to '{path}'")
    return Week(last)


def _models_seconds(root: Path) -> float:
    """Seconds that all dbt models took so far, writing to Delta included: what the bare query does, without its checks and its record."""
    return sum(map(float, re.findall(r"OK created sql \w+ model .*\[OK in ([\d.]+)s\]", (root / "steps.log").read_text())))


def _init(root: Path, *more: str) -> tuple[float, float, float]:
    """Run `shelfcast init` as a user would; return seconds by the clock, those of CPU, and the peak memory in GiB of its largest process.

    CPU counts what the command waited for (dbt), not workers that outlive it: conditioning starts none.
    """
    command = [sys.executable, "-m", "orchestration", "init", "--provider", PROVIDER, "--root", str(root), "--local", *more]
    started = time.perf_counter()
    with (root.parent / "init.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        # wait4 counts the children that the command waited for, dbt among them.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError((root.parent / "init.log").read_text())
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def _bare(source: Path, block: SliceBlock, scratch: Path) -> tuple[float, int]:
    """Seconds of the bare query, and the units that it found."""
    models, out = compiled_models(block, scratch), scratch / f"bare-{block.first}"
    out.mkdir()
    started = time.perf_counter()
    condition_bare(source, models, block, out)
    seconds = time.perf_counter() - started
    with duckdb.connect() as connection:
        [(units,)] = connection.execute(f"select sum(units_shipped)::bigint from read_parquet('{out}/demand.parquet')").fetchall()
    return seconds, units
