"""Several at once: two backfills of one week, and eight writers of one table."""

import subprocess
import sys

from benchmarks.faults.place import lake_of
from benchmarks.faults.trial import Fault, Trial

_WRITERS, _TIMES = 8, 5
_WRITER = """
import sys
from datetime import UTC, date, datetime
import pyarrow as pa
from benchmarks.faults.place import lake_of
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.records.model_registry import ModelEvent, decide
lake, writer = lake_of(sys.argv[1]), int(sys.argv[2])
for time in range(int(sys.argv[3])):
    now, day = datetime.now(UTC), date(2024, 5, 6)
    decide(lake, [ModelEvent(f"m{writer}-{time}", f"r{writer}", "large", "fast", now, day, "rejected", "gate", "a test")])
    week = Week.parse("2024-05-06")
    row = {"region": f"r{writer}", "store_id": "1", "product_id": "A", "week": week.monday}
    row |= {"units_shipped": time, "units_returned": 0, "demand": time}
    rows = pa.Table.from_pylist([row], schema=CONTRACTS["gold/demand"].schema)
    lake.replace("gold/demand", SliceBlock((Region(f"r{writer}"),), week, week), rows)
"""


def _two_backfills(trial: Trial) -> None:
    week = trial.at.week
    both = [trial.run("backfill", "--from", week, "--until", week) for _ in range(2)]
    for command in both:
        trial.end(command, [0])
    trial.ending.moments.append("both at once")


def _eight_writers(trial: Trial) -> None:
    """In a lake of their own, beside a cycle that goes on."""
    cycle, other = trial.run(), trial.place.files.root(f"{trial.root.rpartition('/')[2]}-written")
    command = [sys.executable, "-c", _WRITER, other]
    writers = [subprocess.Popen([*command, str(writer), str(_TIMES)], stderr=subprocess.PIPE, text=True) for writer in range(_WRITERS)]
    for writer in writers:
        _, told = writer.communicate()
        trial.ending.wedged += [told.strip().splitlines()[-1]] if writer.returncode else []
    trial.end(cycle, [0])
    lake = lake_of(other)
    events = lake.read("gold/model_events")["model_version"].to_pylist()
    rows = lake.read("gold/demand").to_pylist()
    trial.ending.lost += _WRITERS * _TIMES - len(set(events)) + _WRITERS - len({row["region"] for row in rows if row["demand"] == _TIMES - 1})
    trial.ending.doubled += len(events) - len(set(events)) + len(rows) - len({row["region"] for row in rows})
    trial.ending.moments.append(f"{_WRITERS} writers, {_TIMES} commits to each of two tables")
    trial.place.files.remove(other)


FAULTS = [Fault("two backfills of one week", _two_backfills), Fault("eight writers", _eight_writers)]
