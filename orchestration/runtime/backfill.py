"""The weekly cycle over a range of origins, one after the other: how far it has come, how long it will take, and which weeks are through already."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from orchestration.project import Project
from orchestration.runtime.due import outdated
from orchestration.runtime.runs import RunFailed, Runner
from transforms.calendar import Region, SliceBlock, Week, weeks_between
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import WEEKLY_CYCLE


@dataclass
class Pace:
    """Tells how long the rest of a number of weeks will take, by those that are through.

    Attributes
    ----------
    weeks
        Number of weeks to go through.
    """

    weeks: int

    def __post_init__(self) -> None:
        self._seconds: list[float] = []
        self._begun = time.monotonic()

    def told(self) -> str:
        """`3 of 12, about 14 min left`; nothing where there is but one week."""
        if self.weeks == 1:
            return ""
        done = len(self._seconds)
        left = f", about {_duration((self.weeks - done) * median(self._seconds))} left" if done else ""
        return f" ({done + 1} of {self.weeks}{left})"

    def through(self) -> None:
        """A week is through."""
        now = time.monotonic()
        self._seconds.append(now - self._begun)
        self._begun = now


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "1 min"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def go_through(
    runner: Runner, origins: Sequence[SliceBlock], through: Collection[Week], last: Week, tags: dict[str, str], say: Callable[[str], None]
) -> None:
    """Run the cycle for one origin after the other, each followed by the scores of what was forecast for the weeks up to the next.

    Parameters
    ----------
    origins
        Regions and week of each, the weeks in order.
    through
        Weeks to leave out.
    last
        Last week that forecasts of the last origin are scored for.
    """
    if through:
        say(f"{len(through)} of {len(origins)} weeks are through already, with the data as they are")
    pace = Pace(len(origins) - len(through))
    for block, following in zip_longest(origins, origins[1:]):
        week = block.first
        if week in through and (following is None or following.first in through):
            continue
        if week not in through:
            say(f"training, forecasting and watching {block}{pace.told()}")
            _execute(runner, block, tags, origins)
            pace.through()
        until = last if following is None else week + 1
        if until > week:
            say(f"scoring the forecasts for {week + 1}..{until}, which have landed already")
            runner.execute("accuracy_board", [SliceBlock(block.regions, week + 1, until)])


def _execute(runner: Runner, block: SliceBlock, tags: dict[str, str], origins: Sequence[SliceBlock]) -> None:
    try:
        runner.execute(WEEKLY_CYCLE, [block], tags)
    except RunFailed as error:
        if len(origins) == 1:
            raise
        raise RunFailed(f"{error}\nThe weeks before {block.first} are through: the same command with --resume goes on from there.") from error


def through_already(lake: Lake, project: Project, blocks: Sequence[SliceBlock]) -> set[Week]:
    """Weeks of the blocks, each of one week, through which a cycle went to its end in all of the block's regions, with the data as they are."""
    went = _went_through(lake)
    return {
        block.first
        for block in blocks
        if set(block.regions) <= went.get(block.first, set()) and not set(block.regions) & set(outdated(lake, project, block.first))
    }


def _went_through(lake: Lake) -> dict[Week, set[Region]]:
    with lake.connect(PIPELINE_STEPS.name) as connection:
        rows = connection.execute(
            f"""
            select any_value(regions), any_value(first_week), any_value(last_week) from gold_pipeline_steps
            where job = '{WEEKLY_CYCLE}' group by run_id having bool_and(state = 'succeeded') and count(regions) > 0
            """
        ).fetchall()
    found: dict[Week, set[Region]] = defaultdict(set)
    for names, first, last in rows:
        for week in weeks_between(Week(first), Week(last)):
            found[week] |= {Region(name) for name in names.split(",")}
    return found
