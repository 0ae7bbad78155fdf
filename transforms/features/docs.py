"""What each column of a training frame means, and its unit: for people who look at one. How columns are made is in `transforms.features.build`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from transforms.errors import ConfigurationError


class Meaning(NamedTuple):
    """A column with its unit and meaning."""

    column: str
    unit: str
    meaning: str


_LIFE = "over the life of the series"
_DOCS: tuple[tuple[str, str, str], ...] = (
    (r"store_id|product_id", "id", "The series: a store and a product."),
    (r"format|mover", "name", "The segment: format of the store (with its cluster), velocity of the product as of the origin."),
    (r"segment", "name", "Both, joined by a hyphen."),
    (r"origin_week", "Monday", "Last week that the row's features know of."),
    (r"target_week", "Monday", "Week whose demand is to be told."),
    (r"horizon", "weeks", "Target week minus origin week."),
    (
        r"demand",
        "units",
        "What came in the target week: shipped minus returned, as known at the session's week. The target; sold-out weeks as the project says.",
    ),
    (r"weight", "rows", "Rows that the row stands for: rows without demand are a sample."),
    (r"baseline", "units a week", "Historical average " + _LIFE + ", weeks without demand included."),
    (r"baseline_size", "units", "Historical average of the weeks with demand."),
    (r"last_size_(\d+)", "units", r"Size of the delivery \1 back, 1 the newest; NaN where there were fewer."),
    (r"log_age", "log(1 + weeks)", "Weeks since the first delivery."),
    (r"rate_life", "share", "Share of weeks with demand " + _LIFE + "."),
    (r"rate_(\d+)", "share", r"Share of the last \1 weeks with demand."),
    (r"rate_last_year", "share", "Share of the three weeks around the target's week last year with demand; NaN before there was one."),
    (r"log_mean_life", "log(1 + units)", "Mean demand " + _LIFE + "."),
    (r"log_mean_(\d+)", "log(1 + units)", r"Mean demand of the last \1 weeks."),
    (r"log_size_life", "log(units)", "Mean size of the weeks with demand " + _LIFE + "."),
    (r"log_size_(\d+)", "log(units)", r"Mean size of the weeks with demand in the last \1 weeks; that of the life where there was none."),
    (r"log_size_last_year", "log(units)", "Mean size in the three weeks around the target's week last year; NaN where there was none."),
    (r"log_last_(\d)", "log(units)", r"Size of the delivery \1 back; the mean of the last twelve where there were fewer."),
    (r"log_recent", "log(units)", "Mean of the logs of the last twelve sizes."),
    (r"log_recent_best", "log(units)", "The one of the last twelve sizes that is nearest to them in percent."),
    (r"log_recent_mode", "log(units)", "The most frequent one of the last twelve sizes."),
    (r"recent_spread", "log(units)", "Standard deviation of the logs of the last twelve sizes."),
    (r"recent_count", "deliveries", "Deliveries among the last twelve that there were."),
    (r"mode_share", "share", "Share of the most frequent size among the last twelve."),
    (r"log_gap_(\d)", "log(weeks)", r"Weeks between deliveries, gap \1 back; the mean gap where there were fewer."),
    (r"log_gap", "log(weeks)", "Mean of the logs of the gaps between the last twelve deliveries."),
    (r"gap_spread", "log(weeks)", "Standard deviation of the logs of those gaps."),
    (r"log_waiting", "log(1 + weeks)", "Weeks from the last delivery to the target week."),
    (r"phase", "ratio", "Weeks from the last delivery to the target week, over the series' mean gap."),
    (r"(product|store)_log_size_(\d+)", "log(units)", r"Mean size of all deliveries of the \1 in the region's last \2 weeks."),
    (r"(product|store)_rate_(\d+)", "share", r"Share of the \1's series and of the last \2 weeks with demand."),
    (r"(product|store)_series", "log(series)", r"Series of the \1 that are alive."),
    (
        r"level_log_size",
        "log(units)",
        "Size that the structural model expects by the levels of series and store, in whole cases (`transforms.features.structural_model`).",
    ),
    (r"level_slope", "log(units) a year", "Slope of the series' level, as the structural model sees it."),
    (r"level_weeks", "log(1 + weeks)", "Weeks with a delivery that the level was learned from."),
    (r"store_shift", "log(units)", "How far the store's level has moved from its mean of the last eight weeks."),
    (r"effect_season", "log(ratio)", "What the week of the year does to the category, as the structural model sees it."),
    (r"effect_weather", "log(ratio)", "What weather unlike the season's, as forecast by the origin, does to the category."),
    (r"effect_events", "log(ratio)", "What holidays and promotions of the target week do to the category."),
    (r"log_price", "log(1 + currency)", "Price of a unit, as of the origin; NaN for unknown."),
    (r"log_size_ml", "log(1 + ml)", "Content of a unit; NaN for unknown."),
    (r"log_case_pack", "log(1 + units)", "Units in a case."),
    (r"log_population", "log(1 + people)", "People in the store's postal code, as published by the origin; NaN for unknown."),
    (r"log_(income|median_rent)", "log(1 + currency)", r"\1 in the store's postal code, as published by the origin; NaN for unknown."),
    (r"log_median_age", "log(1 + years)", "Median age in the store's postal code, as published by the origin; NaN for unknown."),
    (r"(sin|cos)_(year|half)", "-1 to 1", r"\1 of the target week's position in the \2 year."),
    (r"category_season", "log(ratio)", "Demand of the category around the target's week last year over that year's mean; NaN before there was one."),
    (r"holiday_days", "days", "Holidays in the target week."),
    (r"next_holiday_days", "days", "Holidays in the week after it."),
    (r"promotion_days", "days", "Promotion of the series in the target week, as announced by the origin."),
    (r"promotion_recent", "days a week", "Promotion of the series in the last four weeks."),
    (r"tmin|tmax", "degrees C", "Temperature of the target week, as forecast by the origin, else climatology; NaN for unknown."),
    (r"log_precip", "log(1 + mm)", "Precipitation of the target week, as forecast by the origin, else climatology; NaN for unknown."),
    (r"forecast_days", "days", "Days of the target week for which there was a forecast by the origin."),
    (r"weather_unknown", "0 or 1", "Whether the weather of the target week is unknown."),
    (r"category|vendor", "name", "Attribute of the product, as of the origin."),
    (r"week_of_year", "ISO week", "Of the target week."),
    (r"event", "name", "Longest event of the target week that is for all; ~none for none."),
    (r"next_event", "name", "The same for the week after it."),
)


def meanings(columns: Iterable[str]) -> list[Meaning]:
    """Unit and meaning of each column, in their order.

    Raises
    ------
    ConfigurationError
        If a column has no description, or several.
    """
    found = {column: [Meaning(column, unit, match.expand(text)) for match, unit, text in _matches(column)] for column in columns}
    if unclear := [column for column, given in found.items() if len(given) != 1]:
        raise ConfigurationError(
            f"Columns must have exactly one description in transforms.features.docs; these do not: {unclear}. Add or change one."
        )
    return [given[0] for given in found.values()]


def _matches(column: str) -> Iterable[tuple[re.Match[str], str, str]]:
    return ((match, unit, text) for pattern, unit, text in _DOCS if (match := re.fullmatch(pattern, column)))
