"""The gold tables of what people make of the order plan: their edits, what is loaded in the end, and who approved it. The plan itself is `gold`'s."""

from dataclasses import replace

from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import PRODUCT, REGION, STORE, WEEK
from transforms.contracts.gold import ORDER_PLAN, TARGET_WEEK

REASONS = (
    "promotion",
    "holiday or event",
    "weather",
    "stock in the store",
    "new or ending product",
    "price",
    "shelf space",
    "the forecast looks wrong",
    "other",
)
"""Why a planner changes a quantity: whether edits helped is told by these."""
ACTIONS = ("quantity", "per cent", "upload", "taken back")
LARGEST_QUANTITY = 1_000_000
"""Units of one product for one store and week from which on a quantity is a slip of the keyboard."""
APPROVED = "approved"
PLAN_DECISIONS = (APPROVED, "approval withdrawn")

_ORIGIN = replace(ORDER_PLAN["origin_week"], description="Monday of the origin of the plan that was edited.")
OVERRIDES = Contract(
    "gold/overrides",
    "One row per store, product, target week and edit of its planned quantity; never changed afterwards.",
    (
        REGION,
        STORE,
        PRODUCT,
        TARGET_WEEK,
        Column("edited_at", "timestamp", "When the edit was made.", unit="UTC"),
        _ORIGIN,
        Column("planned_quantity", "integer", "What that plan said.", unit="units", minimum=0),
        Column("quantity_from", "integer", "What was to be loaded before the edit.", unit="units", minimum=0),
        Column(
            "quantity_to",
            "integer",
            "What is to be loaded from then on; none where earlier edits are taken back, so that the plan holds again.",
            unit="units",
            required=False,
            minimum=0,
        ),
        Column("person", "text", "Who edited."),
        Column("reason", "text", "Why.", allowed=REASONS),
        Column("note", "text", "Why, in the planner's own words.", required=False),
        Column("action", "text", "How: one quantity, a share of many, a workbook that was uploaded, or earlier edits taken back.", allowed=ACTIONS),
        Column("edit_id", "text", "Edits that were made in one step have one id."),
    ),
    key=("region", "store_id", "product_id", "target_week", "edited_at"),
    sliced=False,
    append_only=True,
    ordered_by="edited_at",
)
ORDER_PLAN_FINAL = Contract(
    "gold/order_plan_final",
    "One row per store, product, origin week and target week: what is to be loaded, which is the plan with the edits that people made to it.",
    (
        *ORDER_PLAN.columns[:5],
        replace(ORDER_PLAN["order_quantity"], description="Units to load: as planned, or as edited last."),
        Column("planned_quantity", "integer", "Units that the plan says.", unit="units", minimum=0),
        Column("edited", "flag", "True when somebody's edit is in force."),
        Column("edited_at", "timestamp", "When that edit was made.", unit="UTC", required=False),
        Column("person", "text", "Who made it.", required=False),
        Column("reason", "text", "Why.", required=False, allowed=REASONS),
        Column("note", "text", "Why, in the planner's own words.", required=False),
        Column(
            "plan_at_edit",
            "integer",
            "What the plan said when the edit was made: other than planned_quantity where the plan was made again since.",
            unit="units",
            required=False,
            minimum=0,
        ),
        replace(ORDER_PLAN["service_level"], description="Probability that the quantity to load meets demand; between known quantiles about right."),
        ORDER_PLAN["expected_returns"],
        ORDER_PLAN["expected_lost_sales"],
        *ORDER_PLAN.columns[9:],
    ),
    key=ORDER_PLAN.key,
    week_column="origin_week",
)
PLAN_EVENTS = Contract(
    "gold/plan_events",
    "One row per decision on a region's plan of a week; never changed afterwards.",
    (
        REGION,
        TARGET_WEEK,
        Column("event_time", "timestamp", "When that was decided.", unit="UTC"),
        _ORIGIN,
        Column("event", "text", "What was decided.", allowed=PLAN_DECISIONS),
        Column("person", "text", "Who decided."),
        Column("note", "text", "Why.", required=False),
        Column("units", "integer", "Units to load as they stood then.", unit="units", minimum=0),
        Column("edits", "integer", "Lines that were edited then.", unit="rows", minimum=0),
    ),
    key=("region", "target_week", "event_time"),
    sliced=False,
    append_only=True,
    ordered_by="event_time",
)
VALUE_ADDED = Contract(
    "gold/value_added",
    "One row per store, product and week whose quantity was edited before the week began: what the edit was worth, given the demand that came.",
    (
        REGION,
        STORE,
        PRODUCT,
        replace(WEEK, description="Monday of the week shipped for."),
        OVERRIDES["person"],
        OVERRIDES["reason"],
        OVERRIDES["planned_quantity"],
        Column("order_quantity", "integer", "What the edit made of it.", unit="units", minimum=0),
        Column("demand", "integer", "Demand that came.", unit="units", minimum=0),
        Column(
            "sold_out",
            "flag",
            "True where less than planned was loaded and all of it sold: what more would have sold is expected from the forecast, not known.",
        ),
        Column(
            "units_saved",
            "number",
            "Units left over and missed by the plan, less those by the edit: above 0 where the edit was nearer.",
            unit="units",
        ),
        Column("usd_saved", "number", "The same in money, by the costs that the plan reckoned with.", unit="USD"),
    ),
    key=("region", "store_id", "product_id", "week"),
)

ORDERS: tuple[Contract, ...] = (OVERRIDES, ORDER_PLAN_FINAL, PLAN_EVENTS, VALUE_ADDED)
"""Tables of gold about what people make of the plan."""
