"""Features that look ahead: what is known at the origin of each target week, in the order of a frame's columns."""

import numpy as np

from transforms.features.feature import Category, TargetFeature

_SIZE_LAST_YEAR = "Mean size in the three weeks around the target's week last year; NaN where there was none."
_RATE_LAST_YEAR = "Share of the three weeks around the target's week last year with demand; NaN before there was one."
_CATEGORY_SEASON = "Demand of the category around the target's week last year over that year's mean; NaN before there was one."
_SIZE_BY_LEVELS = "Size that the structural model expects by the levels of series and store, in whole cases (`transforms.features.structural_model`)."
_FORECAST = "of the target week, as forecast by the origin, else climatology; NaN for unknown."

EFFECTS: tuple[TargetFeature, ...] = (
    TargetFeature("level_log_size", "log(units)", "level", _SIZE_BY_LEVELS, lambda to: to.effects.level),
    TargetFeature(
        "effect_season",
        "log(ratio)",
        "season",
        "What the week of the year does to the category, as the structural model sees it.",
        lambda to: to.effects.season,
    ),
    TargetFeature(
        "effect_weather",
        "log(ratio)",
        "weather",
        "What weather unlike the season's, as forecast by the origin, does to the category.",
        lambda to: to.effects.weather,
    ),
    TargetFeature(
        "effect_events",
        "log(ratio)",
        "price_and_events",
        "What holidays and promotions of the target week do to the category.",
        lambda to: to.effects.events,
    ),
)
"""The parts of what the structural model expects of the log of the size."""
EFFECT_OFFER = "effect_offer"
"""The same where sales have prices: the feature of `models.leaderboard.response`."""
ANCHOR = (*(feature.name for feature in EFFECTS), EFFECT_OFFER)
"""Features whose sum is what is expected of the log of the size."""

AHEAD: tuple[TargetFeature, ...] = (
    TargetFeature("log_waiting", "log(1 + weeks)", "level", "Weeks from the last delivery to the target week.", lambda to: np.log1p(to.waiting)),
    TargetFeature("phase", "ratio", "level", "Weeks from the last delivery to the target week, over the series' mean gap.", lambda to: to.phase),
    TargetFeature("horizon", "weeks", "level", "Target week minus origin week.", lambda to: to.horizon),
    TargetFeature("sin_year", "-1 to 1", "season", "Sine of the target week's position in the year.", lambda to: np.sin(to.angle)),
    TargetFeature("cos_year", "-1 to 1", "season", "Cosine of the target week's position in the year.", lambda to: np.cos(to.angle)),
    TargetFeature("sin_half", "-1 to 1", "season", "Sine of the target week's position in the half year.", lambda to: np.sin(2 * to.angle)),
    TargetFeature("cos_half", "-1 to 1", "season", "Cosine of the target week's position in the half year.", lambda to: np.cos(2 * to.angle)),
    TargetFeature("log_size_last_year", "log(units)", "season", _SIZE_LAST_YEAR, lambda to: to.last_year[0]),
    TargetFeature("rate_last_year", "share", "season", _RATE_LAST_YEAR, lambda to: to.last_year[1]),
    TargetFeature("category_season", "log(ratio)", "season", _CATEGORY_SEASON, lambda to: to.category_season),
    TargetFeature("holiday_days", "days", "price_and_events", "Holidays in the target week.", lambda to: to.holidays[0]),
    TargetFeature("next_holiday_days", "days", "price_and_events", "Holidays in the week after it.", lambda to: to.holidays[1]),
    TargetFeature(
        "promotion_days",
        "days",
        "price_and_events",
        "Promotion of the series in the target week, as announced by the origin.",
        lambda to: to.promoted,
    ),
    TargetFeature(
        "promotion_recent",
        "days a week",
        "price_and_events",
        "Promotion of the series in the last four weeks.",
        lambda to: to.origin.promoted_lately[to.rows],
    ),
    TargetFeature("tmin", "degrees C", "weather", f"Lowest temperature {_FORECAST}", lambda to: to.weather.tmin),
    TargetFeature("tmax", "degrees C", "weather", f"Highest temperature {_FORECAST}", lambda to: to.weather.tmax),
    TargetFeature("log_precip", "log(1 + mm)", "weather", f"Precipitation {_FORECAST}", lambda to: np.log1p(to.weather.precip)),
    TargetFeature(
        "forecast_days",
        "days",
        "weather",
        "Days of the target week for which there was a forecast by the origin.",
        lambda to: to.weather.forecast_days,
    ),
    TargetFeature("weather_unknown", "0 or 1", "weather", "Whether the weather of the target week is unknown.", lambda to: np.isnan(to.weather.tmax)),
    *EFFECTS,
)

CATEGORIES: tuple[Category, ...] = (
    Category("store", "id", "level", "The store.", lambda to: to.of_store("store")),
    Category("product", "id", "level", "The product.", lambda to: to.of_product("product")),
    Category("category", "name", "level", "Attribute of the product, as of the origin.", lambda to: to.of_product("category")),
    Category("vendor", "name", "level", "Attribute of the product, as of the origin.", lambda to: to.of_product("vendor")),
    Category("week_of_year", "ISO week", "season", "Of the target week.", lambda to: to.iso_week),
    Category("event", "name", "price_and_events", "Longest event of the target week that is for all; ~none for none.", lambda to: to.event(0)),
    Category("next_event", "name", "price_and_events", "The same for the week after it.", lambda to: to.event(1)),
)
