"""The code location: everything that Dagster shows and runs.

Importing it only looks: no variable is set and no file of a lake written; the dbt manifest alone is parsed again where the dbt project's files have
changed. A process gets its quiet environment from the command that it works for (`shelfcast ui` hands it on to webserver, daemon and code server),
and, where Dagster was started in another way, from the lake resource as soon as a step asks for it.
"""

import warnings

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration.runtime.resources import LakeResource
from orchestration.settings import command_beside_interpreter

# Accepted in DECISIONS.md: partition mappings, column lineage and other features that may still change.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    warnings.simplefilter("ignore", category=dg.BetaWarning)
    from orchestration.defs import (
        ab_tests,
        audit,
        automation,
        conditioning,
        datasets,
        explaining,
        landing,
        leaderboard,
        monitoring,
        plans,
        scoring,
        training,
        trials,
        weather,
    )

defs = dg.Definitions(
    assets=[
        *landing.LANDING,
        landing.bronze_reference,
        landing.bronze_facts,
        conditioning.reference_models,
        conditioning.conditioned_models,
        conditioning.conditioned_slices,
        datasets.quarantine,
        datasets.dataset,
        training.ensembles,
        training.champions,
        scoring.scoring,
        monitoring.accuracy,
        plans.plan_value,
        ab_tests.ab_lift,
        explaining.contributions,
        monitoring.drift_report,
        weather.weather_value,
        audit.audit_trail,
        audit.maturity,
        leaderboard.leaderboard,
        *trials.TRIALS,
    ],
    asset_checks=[landing.no_file_refused, datasets.share_in_quarantine],
    jobs=[*automation.JOBS, audit.audit_job],
    sensors=[automation.landing_sensor],
    schedules=[automation.weekly_schedule, audit.audit_schedule],
    resources={
        "lake": LakeResource(),
        "dbt": DbtCliResource(project_dir=conditioning.PROJECT, dbt_executable=command_beside_interpreter("dbt")),
    },
    # One process for a run: imports are paid once, and regions are spread over processes inside the training step.
    executor=dg.in_process_executor,
)
