"""The record of A/B tests: who started and stopped which, from which origin on, and which store has which role."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import pyarrow as pa

from transforms.calendar import Region, Week
from transforms.contracts.ab_tests import AB_TESTS
from transforms.lake.tables import Lake
from transforms.rows import Segment

Mode = Literal["shadow", "split", "interleave"]
Metric = Literal["ape", "cost"]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class AbTest:
    """A test as it was started; `stopped` is the first origin at which it no longer runs, None while nobody stopped it."""

    test_id: str
    region: str
    from_week: date
    actor: str
    reason: str
    format: str
    mover: str
    challenger: str
    mode: Mode
    weeks: int
    metric: Metric
    alpha: float
    seed: int
    pairs: tuple[Pair, ...]
    stopped: date | None = None

    @property
    def segment(self) -> Segment:
        """Format and mover."""
        return self.format, self.mover

    @property
    def first(self) -> Week:
        """First origin."""
        return Week(self.from_week)

    @property
    def end(self) -> Week:
        """First origin after the test."""
        planned = self.first + self.weeks
        return planned if self.stopped is None else min(planned, Week(self.stopped))

    def runs_at(self, origin: Week) -> bool:
        """Whether forecasts made at an origin belong to the test."""
        return self.first <= origin < self.end


def recorded(lake: Lake, region: Region | None = None) -> list[AbTest]:
    """Every test on record, oldest first."""
    if not lake.exists(AB_TESTS.name):
        return []
    rows = sorted(lake.read(AB_TESTS.name).to_pylist(), key=lambda row: row["event_time"])
    stopped = {row["test_id"]: row["from_week"] for row in rows if row["event"] == "stopped"}
    return [_test(row, stopped.get(row["test_id"])) for row in rows if row["event"] == "started" and (region is None or row["region"] == str(region))]


def start(lake: Lake, test: AbTest, now: datetime) -> None:
    """Put the start of a test on record."""
    _append(lake, test, "started", now, {})


def stop(lake: Lake, test: AbTest, origin: Week, actor: str, reason: str, now: datetime) -> None:
    """Put on record that a test no longer runs from `origin` on."""
    _append(lake, test, "stopped", now, {"from_week": origin.monday, "actor": actor, "reason": reason})


def _append(lake: Lake, test: AbTest, event: str, now: datetime, changed: dict[str, Any]) -> None:
    values = {**asdict(test), "pairs": json.dumps(test.pairs), "event": event, "event_time": now, **changed}
    row = {name: values[name] for name in AB_TESTS.names}
    lake.append(AB_TESTS.name, pa.Table.from_pylist([row], schema=AB_TESTS.schema), note=f"{test.test_id} {event}")


def _test(row: dict[str, Any], stopped: date | None) -> AbTest:
    known = {name: row[name] for name in AbTest.__dataclass_fields__ if name not in {"pairs", "stopped"}}
    pairs: Sequence[Sequence[str]] = json.loads(row["pairs"])
    return AbTest(**known, pairs=tuple((first, second) for first, second in pairs), stopped=stopped)
