"""What a run that has ended tells of its lineage: which assets its steps made, of what, and what was checked. How it is read is not known here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Columns = Mapping[str, Sequence[tuple[str, str]]]
"""For each column of an asset the columns that its values are made from, as asset and column."""
Ending = Literal["COMPLETE", "FAIL", "ABORT"]
"""How a run or a part of it ended, in OpenLineage's words."""


@dataclass(frozen=True, slots=True)
class Node:
    """An asset as the code location defines it; assets are named `layer/table`."""

    asset: str
    step: str | None
    """Step that makes it; None where it comes from elsewhere."""
    inputs: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """An asset that was made: its rows and Delta version, None where they are not known, and what its columns are made from."""

    rows: int | None = None
    version: int | None = None
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of an asset as it came out: of how many slices it was evaluated (1 where it is of all), and of how many it failed.

    Severity and description are those of the first failure, else of the first slice.
    """

    asset: str
    check: str
    severity: str
    description: str | None = None
    failed: int = 0
    evaluated: int = 1

    @property
    def passed(self) -> bool:
        """Whether it failed nowhere."""
        return not self.failed

    @property
    def told(self) -> str | None:
        """The description, with the number of slices where there are several."""
        if self.evaluated == 1:
            return self.description
        return f"{self.failed} of {self.evaluated} slices failed. {self.description or ''}".strip()


@dataclass(frozen=True)
class StepTold:
    """A step that was begun."""

    name: str
    began: datetime
    ended: datetime
    ending: Ending
    error: str | None
    made: Mapping[str, Made]
    checked: Sequence[Checked] = ()


@dataclass(frozen=True)
class RunTold:
    """A run that has ended, with the steps that it came to.

    Attributes
    ----------
    nodes
        The assets that it was to make.
    first_week, last_week
        Mondays of the weeks that it was for; None where a run is not for weeks.
    engine_version
        Version of what executes runs.
    """

    run_id: str
    job: str
    began: datetime
    ended: datetime
    ending: Ending
    error: str | None
    steps: Sequence[StepTold]
    nodes: Mapping[str, Node]
    regions: Sequence[str]
    first_week: date | None
    last_week: date | None
    engine_version: str
