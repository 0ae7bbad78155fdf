"""Weeks that a command was not given: the newest that has landed, and the one after it."""

from transforms.calendar import Week
from transforms.errors import MissingData
from transforms.lake.tables import Lake
from transforms.landing import last_week


def origin_or_newest(lake: Lake, week: str | None) -> Week:
    """The origin that was asked for, else the newest week that has landed; raise `MissingData` where none has."""
    if week is not None:
        return Week.parse(week)
    landed = last_week(lake)
    if landed is None:
        raise MissingData("No deliveries have landed yet, so there is no newest week: drop files into landing and run 'shelfcast run'.")
    return landed


def origin_and_target(lake: Lake, week: str | None, target: str | None) -> tuple[Week, Week]:
    """Origin and target week of a forecast, by default the newest week that has landed and the week after the origin."""
    origin = origin_or_newest(lake, week)
    return origin, origin + 1 if target is None else Week.parse(target)
