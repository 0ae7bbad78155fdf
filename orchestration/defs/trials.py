"""Promoted notebooks as assets: each member of `models.promoted` alone, tried on each region and week, beside the champions. Nothing of it serves."""

import pkgutil

import dagster as dg

import models.promoted as promoted_package
from models.ensemble.ensemble import members_named
from orchestration.defs.datasets import VERSIONS
from orchestration.runtime.metadata import markdown_table, picture, rounded
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource


def _promoted_names() -> list[str]:
    """The modules of `models.promoted`, by name alone: algorithms are imported where they are used."""
    return [found.name for found in pkgutil.iter_modules(promoted_package.__path__)]


def trial_asset(name: str) -> dg.AssetsDefinition:
    """The asset `trials/<name>`."""

    @dg.multi_asset(
        name=f"trial_{name}",
        specs=[
            dg.AssetSpec(
                key=dg.AssetKey(["trials", name]),
                description=f"The member '{name}' alone, trained at this week and scored on the weeks held back; on record in gold/experiments.",
                group_name="trials",
                deps=[VERSIONS],
                kinds={"python", "deltalake"},
                owners=["team:data-science"],
            )
        ],
        partitions_def=REGION_WEEK,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="training",
    )
    def trial(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Try the member on each slice as a notebook does, and log it."""
        from orchestration.notebook import Session, TooLittleHistory  # noqa: PLC0415

        rows, mapes, pictures = [], [], {}
        opened = lake.open()
        for item in slices_of(context):
            session = Session.open(str(item.region), str(item.week), root=opened.root)
            try:
                made = session.try_members(*members_named([name]))
            except TooLittleHistory as error:
                # A region that has just joined is no reason to leave the others out.
                context.log.warning(str(error))
                continue
            run = session.log(f"trials/{name}", {}, made, notes=f"run {context.run_id}", kind="asset")
            told = (run.metrics.get(metric) for metric in ("mape", "champion_mape", "baseline_mape", "rmse_all", "baseline_rmse_all"))
            mapes.append(run.metrics["mape"])
            rows.append((str(item.region), str(item.week), *told))
            pictures = {"last": picture(f"{item.region} {item.week}", session.plot(made, name).png)}
        columns = ["region", "origin", "MAPE", "champion", "historical average", "RMSE all", "of the average"]
        mean = rounded({"mean_mape": sum(mapes) / len(mapes) if mapes else None})
        return dg.MaterializeResult(metadata={"slices": len(rows), **mean, "trials": markdown_table(columns, rows), **pictures})

    return trial


TRIALS = [trial_asset(name) for name in _promoted_names()]
