"""The gold tables about models, data versions and experiments: what was trained, tried and decided, and why. What models make stands in `gold`."""

from dataclasses import replace

from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import REGION, WEEK
from transforms.contracts.gold import FORMAT, MODEL_VERSION, MOVER, MOVERS
from transforms.contracts.rungs import RUNGS

DECISIONS = ("awaiting validation", "champion", "rejected", "retired", "rolled back")
EXPERIMENT_KINDS = ("trial", "chosen", "comparison", "notebook", "asset")
CAUSES = ("first", "new data", "changed data", "code", "settings", "accuracy", "drift", "age", "on demand", "none")
DATA_DECISIONS = ("awaiting approval", "approved", "rejected")

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

LIFE_CYCLE: tuple[Contract, ...] = (
    *(MODEL_VERSIONS, MODEL_EVENTS, LADDER, RETRAINING),
    *(DATASET_VERSIONS, DATASET_EVENTS, EXPERIMENTS, AUDIT_HEADS),
)
"""Tables of gold about models, data, and what was decided on them."""
