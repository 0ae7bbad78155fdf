"""The silver tables: conditioned by dbt, read by features."""

from dataclasses import replace

from transforms.calendar import FURTHEST
from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import (
    DEMOGRAPHICS,
    EVENTS,
    KNOWN_AT,
    PLACE,
    PRECIP,
    PRODUCT,
    PRODUCTS,
    REGION,
    RETURNS,
    SHIPMENTS,
    STORE,
    STORES,
    TMAX,
    TMIN,
    WEEK,
)

_MEAN_TMIN = replace(TMIN, description="Mean of the daily minima.")
_MEAN_TMAX = replace(TMAX, description="Mean of the daily maxima.")
_SUM_PRECIP = replace(PRECIP, description="Precipitation of the week (daily mean of the known days times seven).", maximum=7000)

SILVER_SHIPMENTS = Contract(
    "silver/shipments",
    "One row per store, product and week with a delivery, duplicates and re-sent files removed.",
    (REGION, STORE, PRODUCT, WEEK, SHIPMENTS["units_shipped"], KNOWN_AT),
    key=("region", "store_id", "product_id", "week"),
)
SILVER_RETURNS = Contract(
    "silver/returns",
    "One row per store, product, week of shipment and time at which the return became known.",
    (REGION, STORE, PRODUCT, WEEK, RETURNS["units_returned"], KNOWN_AT),
    key=("region", "store_id", "product_id", "week", "known_at"),
)
SILVER_WEATHER = Contract(
    "silver/weather",
    "One row per region, place and week: the weather as it was measured.",
    (
        REGION,
        PLACE,
        WEEK,
        _MEAN_TMIN,
        _MEAN_TMAX,
        _SUM_PRECIP,
        Column("days", "integer", "Days with a measurement.", unit="days", minimum=1, maximum=7),
    ),
    key=("region", "place", "week"),
)
SILVER_WEATHER_KNOWN = Contract(
    "silver/weather_known",
    "One row per region, place, origin week and target week: the target's weather as it was known at the end of the origin.",
    (
        REGION,
        PLACE,
        replace(WEEK, description="Monday of the origin: the last week whose forecasts and observations may be used."),
        Column("target_week", "date", "Monday of the week that the weather is for.", monday=True),
        Column("horizon", "integer", "Weeks from the origin to the target.", unit="weeks", minimum=1, maximum=FURTHEST),
        _MEAN_TMIN,
        _MEAN_TMAX,
        _SUM_PRECIP,
        Column(
            "forecast_days",
            "integer",
            "Days of the target week that a forecast issued by the origin's end covers; climatology beyond.",
            unit="days",
            minimum=0,
            maximum=7,
        ),
        Column("last_issued_at", "timestamp", "When the newest of those forecasts was issued.", unit="UTC", required=False),
        Column(
            "basis",
            "text",
            "What the figures rest on: a forecast, the climatology of past years, both (mixed), or nothing (unknown).",
            required=False,
            allowed=("forecast", "mixed", "climatology", "unknown"),
        ),
    ),
    key=("region", "place", "week", "horizon"),
    version=2,
)
VALID_FROM = Column("valid_from", "date", "Day from which the row holds; empty for ever.", required=False)
VALID_TO = Column("valid_to", "date", "Day before which the row holds; empty for the one that holds now.", required=False)
SILVER_STORES = Contract(
    "silver/stores",
    "One row per store and span of time in which the demographics of its postal code hold.",
    (
        *STORES.columns,
        *(replace(DEMOGRAPHICS[name], required=False) for name in ("population", "income", "median_rent", "median_age")),
        VALID_FROM,
        VALID_TO,
    ),
    key=("store_id", "valid_from"),
    sliced=False,
    version=2,
)
SILVER_PRODUCTS = Contract(
    "silver/products",
    "One row per product and span of time in which its attributes hold.",
    (*PRODUCTS.columns, VALID_TO),
    key=("product_id", "valid_from"),
    sliced=False,
    version=2,
)
SILVER_EVENT_WEEKS = Contract(
    "silver/event_weeks",
    "One row per week that an event touches, event, and the region, store or product that it is limited to (empty for all).",
    (
        WEEK,
        EVENTS["event"],
        EVENTS["kind"],
        EVENTS["region"],
        EVENTS["store_id"],
        EVENTS["product_id"],
        Column("days", "integer", "Days of the week that the event covers.", unit="days", minimum=1, maximum=7),
        EVENTS["known_at"],
    ),
    key=("week", "event", "region", "store_id", "product_id"),
    sliced=False,
)

SILVER: tuple[Contract, ...] = (
    SILVER_SHIPMENTS,
    SILVER_RETURNS,
    SILVER_WEATHER,
    SILVER_WEATHER_KNOWN,
    SILVER_STORES,
    SILVER_PRODUCTS,
    SILVER_EVENT_WEEKS,
)
