"""The small company of the trials: one cycle behind it; landed are a new week, a correction of the one before, new prices, a workbook saved again."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from benchmarks.faults.command import Command
from benchmarks.faults.place import Place, lake_of
from models.members.settings import BoostingSettings, Settings
from orchestration.project import Project
from transforms.adapters import load_provider
from transforms.lake.remote.working_copy import push
from transforms.landing import folder
from transforms.world import WorldSpec, simulate, write_landing
from transforms.world.landing import write_week

SPEC = WorldSpec(regions=2, stores_per_region=3, products=4, weeks=70)
CORRECTED_WEEKS_AGO = 1
"""Beside the new week, so that both are conditioned in one run: the trials are many."""


def prepare(place: Place, root: str) -> str:
    """Make a lake with one cycle behind it and the files of the next one dropped; return the week to run."""
    world, lake = simulate(SPEC), lake_of(root)
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).keep(lake)
    landing, week = folder(lake, load_provider("sample")), world.last
    write_landing(world, landing, week + -1)
    push(lake, landing)
    first = Command(place, root, "run", "--week", str(week + -1))
    if first.wait() != 0:
        raise RuntimeError(f"The undisturbed first cycle failed: see {first.log}.")
    write_week(world, landing, week)
    _edit(landing / "shipments" / f"shipments_{week + -CORRECTED_WEEKS_AGO}.csv", ",", 4, lambda units: str(int(units) + 1))
    _edit(landing / "products.csv", ";", 6, lambda price: f"9{price}")
    _save_again(landing / "stores.xlsx")
    push(lake, landing)
    return str(week)


def _edit(path: Path, delimiter: str, column: int, change: Callable[[str], str]) -> None:
    """Deliver a file again with other values in its first and its last line, which are of two regions."""
    header, *lines = path.read_text().splitlines()
    for number in (0, -1):
        cells = lines[number].split(delimiter)
        cells[column] = change(cells[column])
        lines[number] = delimiter.join(cells)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text("\n".join([header, *lines, ""]))
    draft.replace(path)


def _save_again(workbook: Path) -> None:
    """Deliver the same workbook in other bytes, as a spreadsheet program does."""
    with ZipFile(workbook) as before:
        parts = {name: before.read(name) for name in before.namelist()}
    draft = workbook.with_name(f".{workbook.name}.part")
    with ZipFile(draft, "w", ZIP_STORED) as after:
        for name, content in parts.items():
            after.writestr(name, content)
    draft.replace(workbook)
