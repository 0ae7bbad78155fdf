"""Sample worlds to measure on: simulated, landed and conditioned as a company's data are, with the truth beside them."""

import io
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from orchestration.cli.session import condition
from orchestration.project import Project
from orchestration.settings import Settings, use_root
from transforms.lake.database import open_database
from transforms.lake.tables import Lake
from transforms.world import WorldSpec, simulate, write_landing, write_truth

QUIET = Console(file=io.StringIO())


def conditioned(root: Path, spec: WorldSpec, project: Project | None = None) -> tuple[Settings, Lake, Path]:
    """Make a world below `root` and condition it; return the root's settings, its lake, and the file with the truth."""
    settings, world = use_root(str(root)), simulate(spec)
    lake = Lake(settings.root)
    write_landing(world, lake.path("landing", "sample"))
    truth = write_truth(world, lake.path("truth"))
    (project or Project(provider="sample")).save(lake.path())
    condition(settings, True, QUIET)
    return settings, lake, truth


def read_truth(truth: Path) -> pa.Table:
    """The true demand of every week, dates as tables have them."""
    with open_database() as connection:
        return connection.execute(f"select * replace (week::date as week) from '{truth}'").to_arrow_table()
