"""The jobs over assets of several stages, which sensors, the schedule and the command line run."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.defs.ab_tests import ab_lift
from orchestration.defs.conditioning import conditioned_models, conditioned_slices, reference_models
from orchestration.defs.datasets import dataset
from orchestration.defs.experiments import leaderboard
from orchestration.defs.landing import bronze_facts, bronze_reference
from orchestration.defs.monitoring import accuracy, board, drift_report, weather_value
from orchestration.defs.plans import contributions, plan_value
from orchestration.defs.scoring import scoring
from orchestration.defs.training import champions, ensembles
from transforms.landing import REFERENCES
from transforms.records.pipeline_steps import WEEKLY_CYCLE

reference_job = dg.define_asset_job(
    "reference_data",
    selection=dg.AssetSelection.assets(bronze_reference, reference_models),
    description=f"Reference data ({', '.join(REFERENCES)}): taken in and conditioned whole.",
)
conditioning_job = dg.define_asset_job(
    "conditioning",
    selection=dg.AssetSelection.assets(bronze_facts, conditioned_models, dataset, accuracy, plan_value, ab_lift, conditioned_slices, board),
    description="Landing to gold for the slices, and how the forecasts that had been issued for them turned out.",
)
weekly_cycle_job = dg.define_asset_job(
    WEEKLY_CYCLE,
    selection=dg.AssetSelection.assets(ensembles, champions, scoring, contributions, accuracy, plan_value, ab_lift, drift_report, board),
    description="Train, validate, promote, forecast, plan, explain and watch, for the regions and weeks of the run.",
)
accuracy_job = dg.define_asset_job(
    "accuracy_board",
    selection=dg.AssetSelection.assets(accuracy, plan_value, ab_lift),
    description="How the forecasts and plans that had been issued for the slices turned out.",
)
weather_job = dg.define_asset_job(
    "weather_report",
    selection=dg.AssetSelection.assets(weather_value),
    description="What accuracy owes to the weather: each model trained and scored with issued, realised and no weather.",
)
leaderboard_job = dg.define_asset_job(
    "public_leaderboard",
    selection=dg.AssetSelection.assets(leaderboard),
    description="The public orange-juice benchmark with the ensemble of production, beside the published results.",
)
training_job = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.assets(ensembles, champions),
    description="Train what needs it, validate and promote, for the regions and weeks of the run; forecasts are made by the next cycle.",
)
JOBS: list[UnresolvedAssetJobDefinition] = [
    reference_job,
    conditioning_job,
    weekly_cycle_job,
    training_job,
    accuracy_job,
    weather_job,
    leaderboard_job,
]
