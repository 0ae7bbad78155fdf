"""What is to be loaded, as the files that planners take along."""

from pathlib import Path
from tempfile import TemporaryDirectory

from dashboard.queries.orders.plans import PlanOf
from transforms.calendar import Region, Week
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.errors import MissingData
from transforms.exports.store_plans import store_plans
from transforms.exports.tables import export
from transforms.exports.workbook import write_workbook
from transforms.lake.database import literal
from transforms.lake.tables import Lake, day


def plan_workbook(lake: Lake, region: Region, target: Week, horizons: int, store: str | None) -> bytes:
    """The workbook of a region's plan (or of one store's) as `shelfcast plan` writes it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "plan.xlsx"
        write_workbook(list(store_plans(lake, region, target, horizons, store)), file)
        return file.read_bytes()


def plan_csv(lake: Lake, plan: PlanOf, store: str | None = None) -> bytes:
    """The rows of gold/order_plan_final of a region's plan (or of one store's); no text in it is a formula to a spreadsheet program.

    Raises
    ------
    MissingData
        If the store is not in it.
    """
    where = f"region = '{plan.region}' and origin_week = {day(plan.origin)} and target_week = {day(plan.target)}"
    if store is not None:
        where = f"{where} and store_id = {literal(store)}"
        if not lake.read(ORDER_PLAN_FINAL.name, where, "count(*) as n")["n"][0].as_py():
            raise MissingData(f"{plan.region}: store {store[:60]!r} is not in the plan for {plan.target}: expected one of the region's store ids.")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "plan.csv"
        export(lake, ORDER_PLAN_FINAL.name, where, file)
        return file.read_bytes()
