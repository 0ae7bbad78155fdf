"""Back to an earlier champion: the whole fleet to a date or to the previous one, by a person; a segment by itself where live accuracy fell short.

A rollback is events like any other: 'rolled back' on every version that was promoted since, and 'champion' on the one that comes back, all in one
commit. It holds from an origin on, so forecasts that were issued stay as they are.
"""

from collections.abc import Sequence
from datetime import date

from models.evaluation.gate import Gate
from orchestration.lifecycle.live_accuracy import bad_streaks, live_weeks
from orchestration.lifecycle.promotion import event
from orchestration.project import Project
from transforms.calendar import Region, Week
from transforms.errors import MissingData
from transforms.lake.tables import Lake
from transforms.records.model_registry import CHAMPION, ROLLED_BACK, ModelEvent, champions
from transforms.rows import RegionSegment, Row

_ALL = 1_000_000


def origin_on(day: date) -> Week:
    """The origin whose decisions are in force on a date: the last week that had ended by then."""
    return Week.containing(day) + -1


def to_date(lake: Lake, regions: Sequence[Region], on: date, week: Week, actor: str, why: str) -> list[ModelEvent]:
    """Events that bring back the champions of a date, from `week` on.

    Raises
    ------
    MissingData
        If none of the segments had a champion by then: a date typed wrong would leave the fleet without any.
    """
    then = {_segment(row): row for row in _ensembles(lake, regions, origin_on(on))}
    standing = _standing(lake, regions, week)
    if standing and not then:
        first = min(Week(row["since"]) for rows in standing.values() for row in rows)
        raise MissingData(f"No model was champion on {on} yet: choose {(first + 1).monday} or a later date, from which the first ones have served.")
    return _events(lake, regions, {segment: then.get(segment) for segment in standing}, week, actor, f"back to {on}: {why}")


def to_previous(lake: Lake, regions: Sequence[Region], week: Week, actor: str, why: str) -> list[ModelEvent]:
    """Events that bring back each segment's previous champion, from `week` on; a segment without one keeps its champion."""
    standing = _standing(lake, regions, week)
    targets: dict[RegionSegment, Row | None] = {segment: rows[1] for segment, rows in standing.items() if len(rows) > 1}
    return _events(lake, regions, targets, week, actor, f"back to the previous champion: {why}")


def after_failing(lake: Lake, project: Project, regions: Sequence[Region], week: Week, actor: str) -> list[ModelEvent]:
    """Events for the segments whose live accuracy fell short in each of the last weeks.

    Back comes the champion from before those weeks, if forecasts had done better by then, each against the historical average of the same rows. Where
    that is the present one, the world has changed and not the model: it stays until it is trained again. Where there was none, the segment is left to
    the lower steps of the failover ladder if the historical average did better.
    """
    needed, events = project.gate.rollback_after_weeks, []
    if not needed:
        return []
    standing = _standing(lake, regions, week)
    for region in regions:
        scored = live_weeks(lake, region, week)
        for (format_, mover), streak in bad_streaks(scored, Gate(**project.gate.judged)).items():
            segment = (str(region), format_, mover)
            if len(streak) < needed or segment not in standing:
                continue
            champion, newest, oldest = standing[segment][0], Week(streak[0]["week"]), Week(streak[-1]["week"])
            if Week(champion["since"]) >= newest:
                continue
            good = next((row for row in _ensembles(lake, [region], oldest + -2) if _segment(row) == segment), None)
            before = scored[format_, mover][len(streak) :]
            if not (_did_better(before, streak) if good is not None else _average_did_better(streak)):
                continue
            numbers = ", ".join(f"{row['week']} {row['mape']:.3f}" for row in reversed(streak[:8]))
            why = f"live MAPE fell short of validation for {len(streak)} weeks ({numbers})"
            events += _events(lake, [region], {segment: good}, week, actor, why)
    return events


def _events(lake: Lake, regions: Sequence[Region], targets: dict[RegionSegment, Row | None], week: Week, actor: str, why: str) -> list[ModelEvent]:
    """Events for each segment whose champion is not its target."""
    standing, events = _standing(lake, regions, week), []
    for segment, target in targets.items():
        rows = standing[segment]
        wanted = target["model_version"] if target else None
        if rows[0]["model_version"] == wanted:
            continue
        names = [row["model_version"] for row in rows]
        above = rows[: names.index(wanted)] if wanted in names else rows[:1] if target else rows
        events += [event(row, ROLLED_BACK, week, actor, why) for row in above]
        if target is not None:
            events.append(event(target, CHAMPION, week, actor, why, replaces=names[0]))
    return events


def _standing(lake: Lake, regions: Sequence[Region], week: Week) -> dict[RegionSegment, list[Row]]:
    """Each segment's champion at `week` with all champions before it that were not rolled back, newest first."""
    found: dict[RegionSegment, list[Row]] = {}
    for row in _ensembles(lake, regions, week, depth=_ALL):
        found.setdefault(_segment(row), []).append(row)
    return found


def _ensembles(lake: Lake, regions: Sequence[Region], week: Week, depth: int = 1) -> list[Row]:
    # The historical averages are what everything is compared with: they do not go back.
    return [row for row in champions(lake, regions, week, depth=depth) if row["kind"] == "ensemble"]


def _segment(row: Row) -> RegionSegment:
    return row["region"], row["format"], row["mover"]


def _did_better(before: Sequence[Row], streak: Sequence[Row]) -> bool:
    """Whether forecasts did better before a streak than in it, as shares of the historical average's MAPE: weeks differ in how hard they are."""
    return bool(before) and _share(before) < _share(streak)


def _share(rows: Sequence[Row]) -> float:
    return float(sum(row["mape"] for row in rows) / sum(row["baseline_mape"] for row in rows))


def _average_did_better(streak: Sequence[Row]) -> bool:
    return bool(sum(row["baseline_mape"] for row in streak) < sum(row["mape"] for row in streak))
