"""What should have come and has not: forecasts of a week that landed, the next week's files, one region's files among all."""

from datetime import date, datetime, timedelta

from orchestration.alerts.alert import Alert, Item, ask
from orchestration.alerts.causes.waiting import regions_waiting
from orchestration.alerts.rules import Expected
from transforms.contracts.bronze import LANDING_SLICES
from transforms.lake.tables import Lake
from transforms.monitoring.serving import newest_origins
from transforms.rows import Row

_GONE_WEEKS = 4
"""Weeks without files after which a region counts as closed and no more as late."""


def missed(lake: Lake, expected: Expected, now: datetime) -> list[Alert]:
    """Everything that is late at a moment."""
    landed = newest_landed(lake)
    if not landed:
        return []
    week = max(row["week"] for row in landed)
    waited = now - (at := min(row["at"] for row in landed if row["week"] == week))
    found = _without_forecasts(lake, landed, expected, now)
    if waited > timedelta(days=expected.new_week_days):
        found += _no_new_week(week, at, expected)
    if waited > timedelta(hours=expected.forecast_hours):
        found += _late_regions(landed, week)
    return found


def newest_landed(lake: Lake) -> list[Row]:
    """The newest week of which each region's deliveries landed, and when it landed first: region, week, at."""
    return ask(
        lake,
        """
        with landed as (
            select region, week, min(registered_at) as at from bronze_landing_slices
            where source = 'shipments' and rows > 0 and registered_at is not null group by all
        )
        from landed qualify row_number() over (partition by region order by week desc) = 1 order by region
        """,
        LANDING_SLICES.name,
    )


def unforecast(lake: Lake, landed: list[Row]) -> list[Row]:
    """Those of the regions whose newest week has no forecasts; regions whose data wait for a person are not among them."""
    origins, waiting = newest_origins(lake), regions_waiting(lake)
    return [row for row in landed if row["region"] not in waiting and (origins.get(row["region"]) is None or origins[row["region"]] < row["week"])]


def _without_forecasts(lake: Lake, landed: list[Row], expected: Expected, now: datetime) -> list[Alert]:
    wait = timedelta(hours=expected.forecast_hours)
    items = [
        Item(row["region"], f"{row['region']}: the week of {row['week']} landed on {row['at']:%Y-%m-%d %H:%M} UTC", (row["region"],))
        for row in unforecast(lake, landed)
        if now - row["at"] > wait
    ]
    what = f"No forecasts {expected.forecast_hours:g} hours after a week landed"
    advice = "Look whether weekly_schedule is switched on and its last run ended well, or: shelfcast run"
    return [Alert("missed", "forecasts", what, tuple(items), advice)] if items else []


def _no_new_week(week: date, at: datetime, expected: Expected) -> list[Alert]:
    item = Item(str(week), f"The newest week with deliveries is that of {week}; it landed on {at:%Y-%m-%d %H:%M} UTC, and none since.")
    advice = "Ask who sends the files, and whether they lie in landing under another name: shelfcast status"
    return [Alert("missed", "new_week", f"No new week has landed for {expected.new_week_days:g} days", (item,), advice)]


def _late_regions(landed: list[Row], week: date) -> list[Alert]:
    """Regions whose files of the newest week are missing."""
    items = [
        Item(row["region"], f"{row['region']}: its newest week is that of {row['week']}, others have that of {week}", (row["region"],))
        for row in landed
        if timedelta(0) < week - row["week"] <= timedelta(weeks=_GONE_WEEKS)
    ]
    return (
        [Alert("missed", "regions", "Deliveries of a region have not landed", tuple(items), "Ask who sends its files: shelfcast status")]
        if items
        else []
    )
