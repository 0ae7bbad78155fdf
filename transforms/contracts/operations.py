"""The gold tables of how it is operated: the steps of each run as they ended, alerts and who was told, how mature that is, and what was released.

What steps made stands in their own tables.
"""

from transforms.contracts.base import Column, Contract

STEP_STATES = ("succeeded", "failed", "skipped")
SEVERITIES = ("info", "warning", "critical")
"""How urgent an alert is, the least first."""
ALERT_KINDS = {
    "run_failed": "critical",
    "file_refused": "critical",
    "missed": "critical",
    "cannot_look": "critical",
    "data_waiting": "warning",
    "rollback": "warning",
    "failover": "warning",
    "stale_model": "warning",
    "drift": "warning",
    "accuracy": "warning",
    "model_waiting": "info",
    "lower_rung": "info",
}
"""What alerts are about, and how urgent each kind is."""
WEEKLY_SUMMARY, TRIAL = "weekly_summary", "test"
"""Kinds of messages that are no alerts."""
ALERT_STATES = ("opened", "grew", "shrank", "reminded", "recovered", "sent")
ALERT_OUTCOMES = ("seen", "delivered", "failed")

PIPELINE_STEPS = Contract(
    "gold/pipeline_steps",
    "One row per run and step that ended, conditioning included; never changed afterwards.",
    (
        Column("run_id", "text", "Dagster run."),
        Column("step", "text", "Step of the run, by the name of the asset or group of assets that it makes."),
        Column("job", "text", "Job that the run executed."),
        Column("assets", "text", "Assets that the step made, separated by commas; none where it failed or was skipped.", required=False),
        Column("regions", "text", "Regions that the run was for, separated by commas; none where a run is not for regions.", required=False),
        Column("first_week", "date", "Monday of the first week that the run was for.", required=False, monday=True),
        Column("last_week", "date", "Monday of the last one.", required=False, monday=True),
        Column("started_at", "timestamp", "When the step began; none where it was skipped.", unit="UTC", required=False),
        Column("ended_at", "timestamp", "When it ended, or its run did.", unit="UTC"),
        Column("seconds", "number", "How long it took.", unit="s", required=False, minimum=0),
        Column(
            "rows",
            "integer",
            "Rows that the step's tables held in these regions and weeks as it was recorded; whole tables where they are not sliced.",
            unit="rows",
            required=False,
            minimum=0,
        ),
        Column("state", "text", "How it ended; skipped where something before it failed.", allowed=STEP_STATES),
        Column("error", "text", "First sentence of what went wrong.", required=False),
        Column("started_by", "text", "Person, schedule, sensor or command that started the run, and what for, where that was said."),
    ),
    key=("run_id", "step"),
    sliced=False,
    append_only=True,
)
MATURITY = Contract(
    "gold/maturity",
    "One row per assessment of how far operations are automated, and criterion of it; never changed afterwards.",
    (
        Column("assessed_at", "timestamp", "When it was assessed.", unit="UTC"),
        Column("criterion", "text", "What has to be so."),
        Column(
            "level",
            "integer",
            "Level that the criterion belongs to, which is reached where it, and all up to that level, are met.",
            minimum=1,
            maximum=4,
        ),
        Column("met", "flag", "Whether evidence for it was found."),
        Column("evidence", "text", "What was found, or the step that is missing."),
        Column("source", "text", "Where that was found.", required=False),
    ),
    key=("assessed_at", "criterion"),
    sliced=False,
    append_only=True,
    ordered_by="assessed_at",
)
ALERTS = Contract(
    "gold/alerts",
    "One row per cause of alert that was seen to open, change or end, and per message that a rule was to be told of it; never changed afterwards.",
    (
        Column("event_time", "timestamp", "When it was seen, or told.", unit="UTC"),
        Column("cause", "text", "Key of the cause, the same for as long as it lasts: what is told of one cause is one message."),
        Column("kind", "text", "What it is about.", allowed=(*ALERT_KINDS, WEEKLY_SUMMARY, TRIAL)),
        Column("severity", "text", "How urgent it is.", allowed=SEVERITIES),
        Column(
            "state",
            "text",
            "What was seen or told: it opened, grew or shrank by some of its items, is open still, ended; sent for messages without a cause.",
            allowed=ALERT_STATES,
        ),
        Column("title", "text", "The cause in a sentence."),
        Column("items", "text", "JSON array: what it is about (files, regions, segments, steps), each with key, regions and text."),
        Column("regions", "text", "Regions that it is about, separated by commas; none where it is not about regions.", required=False),
        Column("rule", "text", "Rule of the project file that was to be told; none where the lake was looked at and nobody told.", required=False),
        Column("address", "text", "Where the message went, without who signs in there.", required=False),
        Column("outcome", "text", "seen: looked at, nobody told; delivered: the server took it; failed: it did not.", allowed=ALERT_OUTCOMES),
        Column("failure", "text", "Why a message was not delivered.", required=False),
    ),
    key=("event_time", "cause"),
    sliced=False,
    append_only=True,
    ordered_by="event_time",
)
RELEASES = Contract(
    "gold/releases",
    "One row per release that this lake took from another profile's: code, settings and models, with what was checked; never changed afterwards.",
    (
        Column("release_id", "text", "The release; decisions on its models name it."),
        Column("released_at", "timestamp", "When it was released.", unit="UTC"),
        Column("source", "text", "Profile that it came from."),
        Column("source_root", "text", "Lake root of that profile."),
        Column("target", "text", "Profile that took it."),
        Column("actor", "text", "Who released it, with the machine's user."),
        Column("reason", "text", "Why."),
        Column(
            "source_commit",
            "text",
            "Git commit of the code that the target runs from then on; unknown where it was no checkout and no image that tells.",
        ),
        Column("code_version", "text", "Digits of the training code that the target runs from then on."),
        Column("settings", "text", "JSON object: setting of the project file, or file of the provider -> [before, after], where it changed."),
        Column("models", "text", "JSON array: model versions that arrived as candidates."),
        Column("checks", "text", "JSON array: each check before the release with value, limit, outcome and detail."),
    ),
    key=("release_id",),
    sliced=False,
    append_only=True,
    ordered_by="released_at",
)
OPERATIONS = (PIPELINE_STEPS, ALERTS, MATURITY, RELEASES)
