"""The code location: everything that Dagster shows and runs."""

import warnings

import dagster as dg
from dagster_dbt import DbtCliResource

from orchestration.resources import LakeResource
from orchestration.settings import use_root

warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)
use_root(None)

from orchestration.defs import (  # noqa: E402 - after the warnings are set
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
        "dbt": DbtCliResource(project_dir=conditioning.PROJECT),
    },
    # One process for a run: imports are paid once, and regions are spread over processes inside the training step.
    executor=dg.in_process_executor,
)
