"""The gold table of drift: one row for each column that was watched."""

from dataclasses import replace

from transforms.contracts.base import Column, Contract
from transforms.contracts.bronze import REGION, WEEK

KINDS = ("input", "target", "residual")

DRIFT = Contract(
    "gold/drift",
    "One row per region, week and column watched.",
    (
        REGION,
        replace(WEEK, description="Monday of the week whose data are compared with their reference."),
        Column("column", "text", "Column of the week's data that is compared with the reference."),
        Column("method", "text", "Distance that is measured."),
        Column("score", "number", "The distance.", minimum=0),
        Column(
            "threshold", "number", "Distance from which the column drifts by itself, read from past weeks; less when others drift too.", minimum=0
        ),
        Column("drifted", "flag", "True when the column drifted, at the project's rate of false ones over the columns of the week."),
        Column("kind", "text", "What the column is of.", required=False, allowed=KINDS),
        Column(
            "p_value",
            "number",
            "Chance that a week like the past ones is as far from its reference.",
            required=False,
            minimum=0,
            maximum=1,
        ),
        Column(
            "reference",
            "text",
            "season: the same season of past years; trailing: the half year before, where past years are too few.",
            required=False,
            allowed=("season", "trailing"),
        ),
        Column("seasons", "text", "Years that the reference is from, separated by commas.", required=False),
        Column("n", "integer", "Rows of the week.", unit="rows", required=False, minimum=0),
        Column("n_reference", "integer", "Rows of the reference.", unit="rows", required=False, minimum=0),
        Column("n_null", "integer", "Past weeks that the p-value is read from.", unit="weeks", required=False, minimum=0),
        Column("effect_mape", "number", "Estimated change of MAPE that goes with the column's drift, as a fraction.", required=False),
        Column("effect_rmse", "number", "The same for the RMSE over all rows.", unit="units", required=False),
        Column("effect_money", "number", "The same for the cost of units left over and missed in the region's week.", unit="USD", required=False),
        Column(
            "errors_of",
            "text",
            "Whose errors the effects are of: forecasts of the week before, or the series' recent level where those are too few.",
            required=False,
            allowed=("forecast", "recent level"),
        ),
    ),
    key=("region", "week", "column"),
    version=2,
)
