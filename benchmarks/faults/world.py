"""The small company of the trials: one cycle behind it, a new week landed, a week delivered again with corrections, a price list changed."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.command import Command
from benchmarks.faults.place import Place
from models.members.settings import BoostingSettings, Settings
from orchestration.project import Project
from transforms.world import WorldSpec, simulate, write_landing
from transforms.world.landing import write_week

SPEC = WorldSpec(regions=2, stores_per_region=3, products=4, weeks=70)
CORRECTED_WEEKS_AGO = 3


def prepare(place: Place, root: str) -> str:
    """Make a lake with one cycle behind it and the files of the next one dropped; return the week to run."""
    world = simulate(SPEC)
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(Path(root))
    landing, week = Path(root, "landing", "sample"), world.last
    write_landing(world, landing, week + -1)
    first = Command(place, root, "run", "--week", str(week + -1))
    if first.wait() != 0:
        raise RuntimeError(f"The undisturbed first cycle failed: see {first.log}.")
    write_week(world, landing, week)
    _edit(landing / "shipments" / f"shipments_{week + -CORRECTED_WEEKS_AGO}.csv", ",", 4, lambda units: str(int(units) + 1))
    _edit(landing / "products.csv", ";", 6, lambda price: f"9{price}")
    return str(week)


def _edit(path: Path, delimiter: str, column: int, change: Callable[[str], str]) -> None:
    """Deliver a file again with another value in its first line."""
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(delimiter)
    cells[column] = change(cells[column])
    draft = path.with_name(f".{path.name}.part")
    draft.write_text("\n".join([header, delimiter.join(cells), *rest, ""]))
    draft.replace(path)
