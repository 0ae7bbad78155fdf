"""What `shelfcast plan` writes and `shelfcast money` shows."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.project import Project
from orchestration.settings import Settings
from orchestration.views.weeks import origin_or_newest
from transforms.calendar import Region, Week
from transforms.contracts.gold import ORDER_PLAN
from transforms.errors import ConfigurationError, MissingData
from transforms.exports.store_plans import StorePlan, origins_that_plan, store_plans
from transforms.exports.workbook import write_csv, write_workbook
from transforms.lake.tables import Lake, day
from transforms.monitoring.savings import RIVALS, savings

FORMATS = ("csv", "xlsx")


def write_plans(settings: Settings, target: str | None, store: str | None, regions: Sequence[str], kind: str, folder: Path, console: Console) -> None:
    """Write the plan of a week for planners: CSV files by store, or workbooks by region."""
    if kind not in FORMATS:
        raise ConfigurationError(f"--format {kind}: expected {' or '.join(FORMATS)}.")
    lake = Lake(settings.root, settings.storage_options)
    monday = origin_or_newest(lake, None) + 1 if target is None else Week.parse(target)
    horizons = Project.of(lake).horizons
    for region in _regions(lake, monday, horizons, store, regions):
        plans = list(store_plans(lake, region, monday, horizons, store))
        if not plans:
            console.print(f"{region}: nothing is planned for {monday}, since every series of the region has ended.", highlight=False, soft_wrap=True)
            continue
        written = _write(plans, region, monday, kind, folder)
        units = sum(row["units"] for plan in plans for row in plan.to_load)
        console.print(
            f"{region}: {len(plans)} stores, {units:,} units, made at {plans[0].origin} -> {escape(str(written))}", highlight=False, soft_wrap=True
        )


def show_money(settings: Settings, first: str, last: str, console: Console) -> None:
    """Show what the plans for a range of weeks cost, beside their rivals, one row a region."""
    lake, start, end = Lake(settings.root, settings.storage_options), Week.parse(first), Week.parse(last)
    found = savings(lake, start, end)
    if not found:
        raise MissingData(
            f"No plan for {start} to {end} has met its demand yet: choose weeks that have landed, and origins that were run before them."
        )
    table = Table(title=f"What the plans for {start} to {end} cost", caption=_CAPTION)
    table.add_column("region", no_wrap=True)
    headings = ("stores", "demand, units", "plan, USD", *(f"saved against {rival.replace('_', ' ')}" for rival in RIVALS))
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in found:
        saved = (str(row.saved[rival]) for rival in RIVALS)
        numbers = (f"{row.stores:,}", f"{row.demand:,}", f"{row.cost['order_plan']:,.0f}", *saved)
        table.add_row(row.region, *numbers, style="bold" if row.region == "all" else None)
    console.print(table)


_CAPTION = (
    "Margin of the demand not met and cost of the units left over. The rivals ship the series' mean and the expected demand, in whole cases. "
    "In brackets 95 % intervals over resampled stores."
)


def _write(plans: Sequence[StorePlan], region: Region, week: Week, kind: str, folder: Path) -> Path:
    if kind == "csv":
        files = write_csv(plans, folder / f"{region}_{week}")
        return files[0] if len(files) == 1 else files[0].parent
    one = f"_{plans[0].store_id}" if len(plans) == 1 else ""
    target = folder / f"plan_{region}{one}_{week}.xlsx"
    write_workbook(plans, target)
    return target


def _regions(lake: Lake, week: Week, horizons: int, store: str | None, chosen: Sequence[str]) -> list[Region]:
    """The regions asked for; else the store's, else all that have a plan for the week."""
    if chosen:
        return [Region(name) for name in chosen]
    lake.require(ORDER_PLAN.name)
    with lake.connect(ORDER_PLAN.name) as connection:
        found = connection.execute(
            f"""
            select region, max(target_week = {day(week)}) as now, min(target_week), max(target_week) from gold_order_plan
            where store_id = coalesce($store, store_id) group by region order by region
            """,
            {"store": store},
        ).fetchall()
    if planned := [Region(region) for region, now, _, _ in found if now]:
        return planned
    if store is not None and not found:
        names = ", ".join(lake.read(ORDER_PLAN.name, columns="distinct region").sort_by("region")["region"].to_pylist())
        raise MissingData(
            f"Store {store} is in no plan of any week: expected the id of a store of {names}, as 'shelfcast plan' without --store writes."
        )
    whose = f" for store {store}" if store is not None else ""
    known = "; ".join(f"{region} {first} to {last}" for region, _, first, last in found) or "none yet"
    raise MissingData(f"There is no plan{whose} for the week {week}. There are plans for: {known}. {origins_that_plan(week, horizons)} makes one.")
