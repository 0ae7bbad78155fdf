"""The gold tables of A/B tests: what is tested, what both arms said, and how the difference stands."""

from dataclasses import replace

from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import PRODUCT, REGION, STORE, WEEK
from transforms.contracts.rungs import CHALLENGER, CHAMPION

MODES = ("shadow", "split", "interleave")
ARMS = (CHAMPION, CHALLENGER)
METRICS = ("ape", "cost")
VERDICTS = ("better", "worse", "undecided")
TEST = Column("test_id", "text", "A/B test, unique over all tests.")

AB_TESTS = Contract(
    "gold/ab_tests",
    "One row per A/B test and event, started or stopped; never changed afterwards.",
    (
        TEST,
        REGION,
        Column("event", "text", "What happened to the test.", allowed=("started", "stopped")),
        Column("event_time", "timestamp", "When that was decided.", unit="UTC"),
        Column("from_week", "date", "Origin from which the event holds.", monday=True),
        Column("actor", "text", "Who decided."),
        Column("reason", "text", "Why."),
        Column("format", "text", "Store format (and cluster) of the segment that is tested."),
        Column("mover", "text", "Product velocity of the segment.", allowed=("fast", "slow")),
        Column("challenger", "text", "Model version that is tested against whatever serves the segment."),
        Column(
            "mode", "text", "shadow: nothing is served; split: one store of each pair; interleave: the roles are drawn anew each week.", allowed=MODES
        ),
        Column("weeks", "integer", "Looks for which the chance of a false alarm is spent; the test ends after them.", unit="weeks", minimum=2),
        Column("metric", "text", "ape: absolute percentage error of size; cost: USD of the order that was planned.", allowed=METRICS),
        Column("alpha", "number", "Chance of calling a difference where there is none, over all looks.", minimum=0, maximum=1),
        Column("seed", "integer", "What the roles were drawn with."),
        Column("pairs", "text", "JSON array of store pairs that are alike, the store that starts with the challenger first; empty for shadow."),
    ),
    key=("test_id", "event"),
    sliced=False,
    append_only=True,
    ordered_by="event_time",
)
AB_FORECASTS = Contract(
    "gold/ab_forecasts",
    "One row per A/B test, store, product, origin week and target week: what both arms said, and whose forecast was served.",
    (
        TEST,
        REGION,
        STORE,
        PRODUCT,
        Column("origin_week", "date", "Monday of the last week whose data the forecasts may use.", monday=True),
        Column("target_week", "date", "Monday of the week that the forecasts are for.", monday=True),
        Column("served", "text", "Arm whose forecast and order were served.", allowed=ARMS),
        Column("champion_size", "number", "Size as the champion says.", unit="units", minimum=0),
        Column("challenger_size", "number", "Size as the challenger says.", unit="units", minimum=0),
        Column("champion_order", "integer", "Order planned from the champion's distribution.", unit="units", minimum=0),
        Column("challenger_order", "integer", "Order planned from the challenger's distribution.", unit="units", minimum=0),
        Column("margin", "number", "Cost of a unit of demand not met.", unit="USD", required=False, minimum=0),
        Column("return_cost", "number", "Cost of a unit left over.", unit="USD", required=False, minimum=0),
    ),
    key=("region", "test_id", "store_id", "product_id", "origin_week", "target_week"),
    week_column="origin_week",
)
AB_LIFT = Contract(
    "gold/ab_lift",
    "One row per A/B test and week: how the arms differ over all weeks of the test up to it, with an interval that holds at every look.",
    (
        TEST,
        REGION,
        replace(WEEK, description="Monday of the last target week that is counted."),
        Column("look", "integer", "Weeks counted.", unit="weeks", minimum=1),
        Column("units", "integer", "Independent units: pairs (split), pairs and weeks (interleave), weeks (shadow).", minimum=0),
        Column("champion", "number", "Mean of the metric where the champion serves.", required=False),
        Column("challenger", "number", "Mean of the metric where the challenger serves.", required=False),
        Column("difference", "number", "Champion's less challenger's: above 0 the challenger is better.", required=False),
        Column("low", "number", "Lower end of the interval; empty while there is too little to say.", required=False),
        Column("high", "number", "Upper end.", required=False),
        Column("verdict", "text", "What may be said of the challenger at this look.", allowed=VERDICTS),
    ),
    key=("region", "week", "test_id"),
)
AB_TABLES = (AB_TESTS, AB_FORECASTS, AB_LIFT)
