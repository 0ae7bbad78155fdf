"""What is to be loaded, as the files that planners take along."""

from pathlib import Path
from tempfile import TemporaryDirectory

from transforms.calendar import Region, Week
from transforms.exports.store_plans import store_plans
from transforms.exports.workbook import write_workbook
from transforms.lake.tables import Lake


def plan_workbook(lake: Lake, region: Region, target: Week, horizons: int, store: str | None) -> bytes:
    """The workbook of a region's plan (or of one store's) as `shelfcast plan` writes it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "plan.xlsx"
        write_workbook(list(store_plans(lake, region, target, horizons, store)), file)
        return file.read_bytes()
