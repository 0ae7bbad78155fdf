"""The gold tables that dashboards, BI tools and planners rely on."""

from dataclasses import replace

from transforms.calendar import FURTHEST
from transforms.clusters import CLUSTER_NAMES, with_cluster
from transforms.contracts.ab_tests import AB_TABLES
from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import FORMATS, PRODUCT, REGION, STORE, WEEK
from transforms.contracts.drift import DRIFT
from transforms.contracts.rungs import RUNGS, SERVED_BY

MOVERS = ("fast", "slow")
DECISIONS = ("awaiting validation", "champion", "rejected", "retired", "rolled back")
EXPERIMENT_KINDS = ("trial", "chosen", "comparison", "notebook", "asset")
CAUSES = ("first", "new data", "changed data", "code", "settings", "accuracy", "drift", "age", "on demand", "none")
DATA_DECISIONS = ("awaiting approval", "approved", "rejected")
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
MODEL_VERSIONS = Contract(
    "gold/model_versions",
    "One row per model that was trained; never changed afterwards.",
    (
        REGION,
        FORMAT,
        Column("mover", "text", "fast or slow; all for the historical average of a format.", allowed=(*MOVERS, "all")),
        MODEL_VERSION,
        Column("kind", "text", "ensemble or baseline.", allowed=("ensemble", "baseline")),
        Column("trained_week", "date", "Origin at which the model was trained.", monday=True),
        Column("trained_at", "timestamp", "When the training ended.", unit="UTC"),
        Column("run_id", "text", "Dagster run that trained it."),
        Column(
            "code_version",
            "text",
            "Version of the training path: digits of the code, and of what it was told (members, settings, clusters, horizons).",
        ),
        Column("dataset_version", "text", "Version of the region's data that it was trained on.", required=False),
        Column("data_versions", "text", "JSON object: table -> Delta version that was read."),
        Column("metrics", "text", "JSON object: metrics on the held-back weeks, the baseline's beside them."),
        Column("artifact_uri", "text", "Artifact, relative to the lake root."),
        Column("sha256", "text", "SHA-256 of the artifact."),
        Column("source_commit", "text", "Git commit of the code; unknown where it was no checkout and no image that tells.", required=False),
        Column("environment", "text", "JSON object: versions of Python and the libraries that learned, kind of machine.", required=False),
        Column("held_back_uri", "text", "The model as it was before it had learned from the held-back weeks: what is compared.", required=False),
        Column("held_back_sha256", "text", "SHA-256 of that artifact.", required=False),
        Column("inputs", "text", "JSON object: fingerprints of the training slices, their contract and the settings, and why.", required=False),
    ),
    key=("model_version",),
    sliced=False,
    append_only=True,
    ordered_by="trained_at",
    version=2,
)
MODEL_EVENTS = Contract(
    "gold/model_events",
    "One row per decision on a model version; never changed afterwards.",
    (
        MODEL_VERSION,
        REGION,
        FORMAT,
        MODEL_VERSIONS["mover"],
        Column("event_time", "timestamp", "When the decision was made.", unit="UTC"),
        Column("effective_week", "date", "Origin from which the decision holds: a backfill decides as of its own week.", monday=True),
        Column("event", "text", "What was decided.", allowed=DECISIONS),
        Column("actor", "text", "Who decided: a person, or the run of an automatic gate."),
        Column("reason", "text", "Why, with the numbers."),
        Column("replaces", "text", "Model version that steps down.", required=False),
        Column("numbers", "text", "JSON array: each check behind the decision with value, limit, outcome and detail.", required=False),
    ),
    key=("model_version", "event_time", "event"),
    sliced=False,
    append_only=True,
    ordered_by="event_time",
    version=2,
)
LADDER = Contract(
    "gold/ladder",
    "One row per region, origin, format, mover and step of the failover ladder: how it did on the same held-back weeks, and which place it has.",
    (
        REGION,
        replace(WEEK, description="Monday of the origin from which the order holds."),
        FORMAT,
        MOVER,
        Column("rung", "text", "Step of the ladder.", allowed=tuple(RUNGS)),
        Column("rank", "integer", "Place in the order: 1 serves, the next one where that fails.", minimum=1, maximum=len(RUNGS)),
        Column("model_version", "text", "Version on that step; none for a historical average made from the region's data."),
        Column("n", "integer", "Held-back rows with demand that all steps are compared on.", unit="rows", minimum=0),
        Column("mape", "number", "MAPE of size over those rows, by the model as it was before it had learned from them.", required=False, minimum=0),
        Column("is_significant", "flag", "Within the project's target MAPE, with its margin below the plain historical average's.", required=False),
        Column("reason", "text", "Why the step has this place, with the numbers."),
    ),
    key=("region", "week", "format", "mover", "rung"),
)
RETRAINING = Contract(
    "gold/retraining",
    "One row per region, origin week, format and mover: whether its model was trained there or an earlier one reused, and why.",
    (
        REGION,
        replace(WEEK, description="Monday of the origin."),
        FORMAT,
        MODEL_VERSIONS["mover"],
        Column("retrained", "flag", "True when a model was trained, false when the latest one was kept."),
        Column("cause", "text", "What decided; none where nothing spoke for training.", allowed=CAUSES),
        Column("reason", "text", "Why, in words."),
        Column("reused", "text", "The model version that was kept.", required=False),
    ),
    key=("region", "week", "format", "mover"),
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
DATASET_VERSIONS = Contract(
    "gold/dataset_versions",
    "One row per version of a region's conditioned data, each time it became the present one; never changed afterwards.",
    (
        REGION,
        Column("dataset_version", "text", "Region and content hash: the same data have the same version."),
        Column("last_week", "date", "Last week of which any region has deliveries.", monday=True),
        Column("rows", "integer", "Rows of the region's demand.", unit="rows", minimum=0),
        Column("delta_versions", "text", "JSON object: table -> Delta version that holds these data."),
        Column("checks", "text", "JSON array: each data check with value, limit, outcome and detail."),
        Column("run_id", "text", "Run that recorded it."),
        Column("recorded_at", "timestamp", "When it was recorded.", unit="UTC"),
    ),
    key=("region", "dataset_version", "recorded_at"),
    sliced=False,
    append_only=True,
    ordered_by="recorded_at",
)
DATASET_EVENTS = Contract(
    "gold/dataset_events",
    "One row per decision on a version of a region's data; never changed afterwards.",
    (
        REGION,
        DATASET_VERSIONS["dataset_version"],
        Column("event_time", "timestamp", "When the decision was made.", unit="UTC"),
        Column("event", "text", "What was decided.", allowed=DATA_DECISIONS),
        Column("actor", "text", "Who decided: a person, or the run of the automatic checks."),
        Column("reason", "text", "Why, with the numbers."),
    ),
    key=("region", "dataset_version", "event_time"),
    sliced=False,
    append_only=True,
    ordered_by="event_time",
)
EXPERIMENTS = Contract(
    "gold/experiments",
    "One row per run of an experiment: what was tried, on which data, and how it did; never changed afterwards.",
    (
        Column("experiment", "text", "Runs that belong together, like one search for better settings."),
        Column("run_id", "text", "The run, unique within its experiment."),
        Column("logged_at", "timestamp", "When the run ended.", unit="UTC"),
        Column(
            "kind",
            "text",
            "trial: one set of values; chosen: what a search decided; comparison: one of several alternatives; notebook: tried by hand; asset: a "
            "promoted notebook.",
            allowed=EXPERIMENT_KINDS,
        ),
        Column("params", "text", "JSON object: what was tried."),
        Column("metrics", "text", "JSON object: how it did on weeks that followed the origins tried."),
        Column("code_version", "text", "Version of the training path; 'none' where it was not used."),
        Column("dataset_version", "text", "Versions of the regions' data, separated by commas; 'none' where they were not used."),
        Column("notes", "text", "What a reader should know: regions, origins, decision.", required=False),
        Column("source_commit", "text", "Git commit of what logged the run, with -dirty where files differed from it.", required=False),
    ),
    key=("experiment", "run_id"),
    sliced=False,
    append_only=True,
    ordered_by="logged_at",
)
AUDIT_HEADS = Contract(
    "gold/audit_heads",
    "One row per commit of an append-only table: where its hash chain stood then. Written apart from the tables, so that one cut short is noticed.",
    (
        Column("table_name", "text", "The append-only table."),
        Column("delta_version", "integer", "Its version.", minimum=0),
        Column("chain", "text", "Hash of all its rows up to that version."),
    ),
    key=("table_name", "delta_version"),
    sliced=False,
    append_only=True,
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

GOLD: tuple[Contract, ...] = (
    DEMAND,
    FORECASTS,
    ACCURACY,
    ORDER_PLAN,
    PLAN_VALUE,
    CONTRIBUTIONS,
    DRIFT,
    *AB_TABLES,
    MODEL_VERSIONS,
    MODEL_EVENTS,
    LADDER,
    RETRAINING,
    WEATHER_VALUE,
    DATASET_VERSIONS,
    DATASET_EVENTS,
    EXPERIMENTS,
    AUDIT_HEADS,
    LEADERBOARD,
)
