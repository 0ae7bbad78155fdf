"""The gold tables that dashboards, BI tools and planners rely on. What is recorded about models and data stands in `life_cycle`."""

from dataclasses import replace

from transforms.calendar import FURTHEST
from transforms.clusters import CLUSTER_NAMES, with_cluster
from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import FORMATS, PRODUCT, REGION, STORE, WEEK
from transforms.contracts.rungs import SERVED_BY

MOVERS = ("fast", "slow")
STALE_DAYS = 60
"""Age in days from which on a model counts as stale, which stands on each of its forecasts."""

FORMAT = Column(
    "format",
    "text",
    "Store format, large or small; where the project splits it by clusters, the cluster stands behind it (large-high_income).",
    allowed=(*FORMATS, *(with_cluster(format_, cluster) for format_ in FORMATS for cluster in CLUSTER_NAMES)),
)
MOVER = Column("mover", "text", "Product velocity in its region and format over the 52 weeks before the origin.", allowed=MOVERS)
TARGET_WEEK = Column("target_week", "date", "Monday of the week that the forecast is for.", monday=True)
HORIZON = Column("horizon", "integer", "Weeks from the origin to the target.", unit="weeks", minimum=1, maximum=FURTHEST)
MODEL_VERSION = Column("model_version", "text", "Version of the model, unique over all models.")

DEMAND = Contract(
    "gold/demand",
    "One row per store, product and week with a delivery or a return; a week without a row in a series' life counts as 0.",
    (
        REGION,
        STORE,
        PRODUCT,
        WEEK,
        Column("units_shipped", "integer", "Units delivered.", unit="units", minimum=0),
        Column("units_returned", "integer", "Units of that delivery that came back, as known now.", unit="units", minimum=0),
        Column("demand", "integer", "Shipped minus returned, not below 0.", unit="units", minimum=0),
    ),
    key=("region", "store_id", "product_id", "week"),
)
FORECASTS = Contract(
    "gold/forecasts",
    "One row per store, product, origin week and target week.",
    (
        REGION,
        STORE,
        PRODUCT,
        Column("origin_week", "date", "Monday of the last week whose data the forecast may use.", monday=True),
        TARGET_WEEK,
        HORIZON,
        FORMAT,
        MOVER,
        Column("p_demand", "number", "Probability that demand is above 0.", minimum=0, maximum=1),
        Column("size", "number", "Units if there is demand: the point with the least expected percentage error.", unit="units", minimum=0),
        Column("expected", "number", "Mean demand.", unit="units", minimum=0),
        Column("q10", "number", "10 % quantile of demand.", unit="units", minimum=0),
        Column("q50", "number", "Median of demand.", unit="units", minimum=0),
        Column("q90", "number", "90 % quantile of demand.", unit="units", minimum=0),
        Column(
            "q10_inside",
            "number",
            "Share of the probability of exactly q10 that lies above the 10 % level (and below 90 %): what interval_share_80 counts where q10 comes.",
            required=False,
            minimum=0,
            maximum=1,
        ),
        Column("q90_inside", "number", "The same of q90, below the 90 % level.", required=False, minimum=0, maximum=1),
        Column("baseline", "number", "Historical average with zero weeks.", unit="units", minimum=0),
        Column("baseline_size", "number", "Historical average of the weeks with demand.", unit="units", minimum=0),
        MODEL_VERSION,
        Column("trained_week", "date", "Origin at which the model was trained.", monday=True),
        Column("is_stale", "flag", f"True when the model was trained more than {STALE_DAYS} days before the origin."),
        Column("rung", "text", "Step of the failover ladder that made the forecast; challenger where an A/B test serves it.", allowed=SERVED_BY),
        Column("dataset_version", "text", "Version of the region's data that the forecast was made from.", required=False),
        Column("run_id", "text", "Dagster run that made the forecast.", required=False),
        Column(
            "rung_reason",
            "text",
            "Why this step of the ladder made the forecast: what was wrong with those above, or by how much it was better in validation.",
            required=False,
        ),
        Column(
            "ended",
            "text",
            "Why no demand is expected whatever the model says: store closed, product delisted, or silent beyond its rhythm; empty where it goes on.",
            required=False,
        ),
        Column(
            "is_significant",
            "flag",
            "True when the model's MAPE on the held-back weeks was within the project's target and its margin below the historical average's.",
            required=False,
        ),
    ),
    key=("region", "store_id", "product_id", "origin_week", "target_week"),
    week_column="origin_week",
    sealed=True,
    version=6,
)
METRICS = (
    Column("mape", "number", "Mean absolute percentage error of size over rows with demand, as a fraction.", required=False, minimum=0),
    Column("mape_expected", "number", "The same for expected demand.", required=False, minimum=0),
    Column("wape", "number", "Sum of absolute errors of expected over the sum of demand.", required=False, minimum=0),
    Column("rmse_0", "number", "Root mean square error of expected over rows without demand.", unit="units", required=False, minimum=0),
    Column("rmse_all", "number", "Root mean square error of expected over all rows.", unit="units", required=False, minimum=0),
    Column("bias", "number", "Mean of expected minus demand over all rows.", unit="units", required=False),
)
QUANTILE_METRICS = (
    Column("pinball", "number", "Mean pinball loss over the 10, 50 and 90 % quantiles.", unit="units", required=False, minimum=0),
    Column(
        "interval_share_80",
        "number",
        "Share of what came that lies in the 80 % interval, cut through the probability of q10 and q90 themselves: 0.80 if they are right.",
        required=False,
        minimum=0,
        maximum=1,
    ),
    Column(
        "coverage_80",
        "number",
        "Share of rows from q10 to q90, both included. Above 0.80 for forecasts that are right, since demand is discrete and often 0: not to be held "
        "against 0.80, which interval_share_80 is.",
        required=False,
        minimum=0,
        maximum=1,
    ),
)
BASELINE_METRICS = tuple(
    replace(column, name=f"baseline_{column.name}", description=f"{column.description[:-1]}, for the historical average.") for column in METRICS
)
ACCURACY = Contract(
    "gold/accuracy",
    "One row per region, format, mover, model version, target week and horizon.",
    (
        REGION,
        FORMAT,
        MOVER,
        Column("model", "text", "Model version that made the forecasts."),
        WEEK,
        HORIZON,
        Column("n", "integer", "Forecast rows scored.", unit="rows", minimum=1),
        Column("n_zero", "integer", "Rows without demand, left out of MAPE.", unit="rows", minimum=0),
        *METRICS,
        *QUANTILE_METRICS,
        *BASELINE_METRICS,
    ),
    key=("region", "format", "mover", "model", "week", "horizon"),
    version=2,
)
ORDER_PLAN = Contract(
    "gold/order_plan",
    "One row per store, product, origin week and target week.",
    (
        REGION,
        STORE,
        PRODUCT,
        Column("origin_week", "date", "Monday of the last week whose data the plan may use.", monday=True),
        TARGET_WEEK,
        Column("order_quantity", "integer", "Units to ship, a multiple of the case pack.", unit="units", minimum=0),
        Column("service_level", "number", "Probability that the quantity meets demand.", minimum=0, maximum=1),
        Column("expected_returns", "number", "Mean of the units left over.", unit="units", minimum=0),
        Column("expected_lost_sales", "number", "Mean of the demand not met.", unit="units", minimum=0),
        Column("case_pack", "integer", "Units in a case, as known at the origin.", unit="units", required=False, minimum=1),
        Column("margin", "number", "Cost of a unit of demand not met that the plan reckoned with.", unit="USD", required=False, minimum=0),
        Column("return_cost", "number", "Cost of a unit left over that the plan reckoned with.", unit="USD", required=False, minimum=0),
    ),
    key=("region", "store_id", "product_id", "origin_week", "target_week"),
    week_column="origin_week",
    sealed=True,
    version=2,
)
POLICIES = ("order_plan", "point_forecast", "historical_average")
PLAN_VALUE = Contract(
    "gold/plan_value",
    "One row per region, store, week, horizon and policy: what it would have cost to ship what the policy says, given the demand that came.",
    (
        REGION,
        STORE,
        replace(WEEK, description="Monday of the week shipped for."),
        HORIZON,
        Column(
            "policy",
            "text",
            "order_plan; point_forecast: expected demand in whole cases; historical_average: the series' mean in whole cases.",
            allowed=POLICIES,
        ),
        Column("n", "integer", "Products planned.", unit="rows", minimum=1),
        Column("demand", "integer", "Demand that came.", unit="units", minimum=0),
        Column("units_shipped", "integer", "Units that the policy ships.", unit="units", minimum=0),
        Column("units_left", "integer", "Units left over.", unit="units", minimum=0),
        Column("units_missed", "integer", "Demand not met.", unit="units", minimum=0),
        Column("cost_left", "number", "Cost of the units left over.", unit="USD", minimum=0),
        Column("cost_missed", "number", "Margin of the demand not met.", unit="USD", minimum=0),
    ),
    key=("region", "store_id", "week", "horizon", "policy"),
)
CONTRIBUTIONS = Contract(
    "gold/contributions",
    "One row per store, product, origin week and target week that is explained: parts that add up to the expected demand.",
    (
        REGION,
        STORE,
        PRODUCT,
        Column("origin_week", "date", "Monday of the last week whose data the forecast may use.", monday=True),
        TARGET_WEEK,
        FORECASTS["expected"],
        Column("reference", "number", "What the model expects of a series that it knows nothing about.", unit="units", minimum=0),
        Column("level", "number", "What recent deliveries, the product and the store add.", unit="units"),
        Column("season", "number", "What the time of the year adds.", unit="units"),
        Column("weather", "number", "What the weather forecast adds.", unit="units"),
        Column("price_and_events", "number", "What price, promotions and holidays add.", unit="units"),
        Column("demographics", "number", "What the store's surroundings add.", unit="units"),
        Column("returns", "number", "What counting deliveries net of returns adds (mostly below 0).", unit="units"),
    ),
    key=("region", "store_id", "product_id", "origin_week", "target_week"),
    week_column="origin_week",
)
WEATHER_VALUE = Contract(
    "gold/weather_value",
    "One row per region, origin week, kind of weather, format and mover: what accuracy owes to the weather that models are given.",
    (
        REGION,
        replace(WEEK, description="Monday of the origin."),
        Column(
            "weather", "text", "issued: as forecast by the origin's end; realised: as it came to be; none.", allowed=("issued", "realised", "none")
        ),
        FORMAT,
        MOVER,
        Column("n", "integer", "Forecast rows scored.", unit="rows", minimum=1),
        Column("n_zero", "integer", "Rows without demand, left out of MAPE.", unit="rows", minimum=0),
        *(column for column in METRICS if column.name in {"mape", "rmse_0", "rmse_all"}),
    ),
    key=("region", "week", "weather", "format", "mover"),
)
LEADERBOARD = Contract(
    "gold/leaderboard",
    "One row per public benchmark, model and round: published results beside those of this code.",
    (
        Column("benchmark", "text", "Name under which the benchmark is published."),
        Column("model", "text", "Model; reproduced rows show that rounds and metric are the published ones."),
        Column("source", "text", "published: as the board states it; measured: by this code.", allowed=("published", "measured")),
        Column("round", "integer", "Round of the benchmark, 0 for all its rows.", minimum=0),
        Column("mape", "number", "Mean absolute percentage error, median over seeds.", unit="%", minimum=0),
        Column("rows", "integer", "Rows forecast.", unit="rows", required=False, minimum=1),
        Column("seeds", "integer", "Seeds that the median is of.", required=False, minimum=1),
        Column("mape_best", "number", "The least of the seeds' errors.", unit="%", required=False, minimum=0),
        Column("mape_worst", "number", "The largest of the seeds' errors.", unit="%", required=False, minimum=0),
        Column("seconds", "number", "Time for features, training and forecasts of all seeds.", unit="s", required=False, minimum=0),
    ),
    key=("benchmark", "model", "source", "round"),
    sliced=False,
)

GOLD: tuple[Contract, ...] = (DEMAND, FORECASTS, ACCURACY, ORDER_PLAN, PLAN_VALUE, CONTRIBUTIONS, WEATHER_VALUE, LEADERBOARD)
"""Tables of gold that are about demand and forecasts; those about models, data and what was decided are `life_cycle`'s."""
