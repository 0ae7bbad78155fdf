"""How a trial ended: what readers saw right after the fault, and what the lake holds after a plain second run beside one that nobody disturbed."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import dagster as dg

from benchmarks.contents import row_hashes, slice_hashes
from benchmarks.faults.place import lake_of
from orchestration.project import Project
from orchestration.reports.audit import verification
from orchestration.settings import dagster_home_at
from transforms.adapters import load_provider
from transforms.errors import ShelfcastError
from transforms.landing import pending, pending_references

_DECISIONS = {
    "gold/model_events": "model_version, event, effective_week",
    "gold/dataset_events": "region, dataset_version, event",
    "gold/dataset_versions": "region, dataset_version",
    "gold/model_versions": "model_version",
}
_UNCLEAR = ("Traceback (most recent call last)", "This is a defect of Shelfcast")


@dataclass(frozen=True)
class Rows:
    """Everything that readers find: rows by table, and the slices of those that are replaced slice by slice."""

    rows: dict[str, "dict[int, int]"]
    slices: dict[str, dict[tuple[str, str], int]]

    @classmethod
    def of(cls, root: str) -> "Rows":
        """Read all."""
        return cls({name: dict(found) for name, found in row_hashes(root).items()}, slice_hashes(root))


@dataclass
class Ending:
    """How one trial ended.

    Attributes
    ----------
    place
        Where lake and run history lay.
    moments, kills
        What happened when; and kinds of killed processes, with the phases that they hit.
    broken
        What readers, or who was told something, found right after the fault: slices neither old nor new, tables that cannot be read, tracebacks.
    wedged
        Runs that look as if they were going on, slices that stay pending, commands that did not end, second runs that failed.
    swept, left
        What the doctor cleared away afterwards, by kind, and what it could not.
    """

    fault: str
    place: str = ""
    moments: list[str] = field(default_factory=list)
    kills: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    wedged: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    other: int = 0
    swept: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0

    @classmethod
    def read(cls, line: str) -> Self:
        """Read what `line` wrote."""
        found = json.loads(line)
        return cls(**{**found, "swept": Counter(found["swept"]), "kills": [tuple(kill) for kill in found["kills"]]})

    @property
    def line(self) -> str:
        """As one line of JSON, so that tables of several invocations add up."""
        return json.dumps(vars(self))

    @property
    def recovered(self) -> bool:
        """True when a plain run made up for everything, and nobody saw anything that was neither old nor new."""
        return not (self.broken or self.wedged or self.lost or self.doubled or self.other or self.left)

    def readers(self, root: str, before: Rows, after: Rows, except_for: Sequence[str] = ()) -> None:
        """Look as readers do right after the fault: every slice is the old or the new one."""
        try:
            seen = slice_hashes(root, except_for)
        except ShelfcastError as error:
            self.broken.append(f"unreadable: {error}")
            return
        for table in {*seen, *before.slices} - {*except_for}:
            old, new, now = (rows.get(table, {}) for rows in (before.slices, after.slices, seen))
            mixed = [item for item in {*old, *now} if now.get(item) not in {old.get(item), new.get(item)}]
            if mixed:
                self.broken.append(f"{table}: {len(mixed)} slices are neither old nor new, the first {mixed[0]}")

    def told(self, text: str, code: int, expected: Sequence[int]) -> None:
        """Judge what a command said and how it ended."""
        self.broken += [f"said '{unclear}'" for unclear in _UNCLEAR if unclear in text]
        if code not in expected:
            self.wedged.append(f"exit code {code}: {text.strip().splitlines()[-1:]}")

    def compare(self, root: str, after: Rows) -> None:
        """Compare what the second run left with what nobody disturbed."""
        here = row_hashes(root)
        for table in here.keys() | after.rows.keys():
            wanted, found = after.rows.get(table, {}), here.get(table, {})
            lost = sum(max(0, n - found.get(row, 0)) for row, n in wanted.items())
            doubled = sum(max(0, n - wanted[row]) for row, n in found.items() if row in wanted)
            other = sum(n for row, n in found.items() if row not in wanted)
            self.lost, self.doubled, self.other = self.lost + lost, self.doubled + doubled, self.other + other
            if lost or doubled or other:
                self.broken.append(f"{table}: {lost} rows lost, {doubled} doubled, {other} others")
        self.doubled += _decided_twice(root)
        lake = lake_of(root)
        provider = load_provider(Project.of(lake).provider, base=lake.path())
        if waiting := [*map(str, pending(lake, provider)), *pending_references(lake, provider)]:
            self.wedged.append(f"pending for ever: {waiting[0]}, {len(waiting)} in all")
        if going_on := _going_on(lake.path("dagster")):
            self.wedged.append(f"{going_on} runs look as if they were going on")
        self.broken += [f"audit: {finding}" for finding in verification(lake).findings]


def _decided_twice(root: str) -> int:
    """Decisions and versions that are on record more than once."""
    lake, twice = lake_of(root), 0
    for table, key in _DECISIONS.items():
        if lake.exists(table):
            with lake.connect(table) as connection:
                sql = f"select coalesce(sum(n - 1), 0) from (select count(*) as n from {table.replace('/', '_')} group by {key})"
                [(extra,)] = connection.execute(sql).fetchall()
            twice += int(extra)
    return twice


def _going_on(home: Path) -> int:
    """Runs that the run history shows as begun and not ended."""
    # Not `open_instance`, which ends them.
    with dagster_home_at(home, for_good=False), dg.DagsterInstance.from_config(str(home)) as instance:
        unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]
        return len(instance.get_runs(dg.RunsFilter(statuses=unfinished)))
