"""However often, where and in what order one landing is conditioned: its data have one version."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.settings import settings_of
from transforms.calendar import SliceBlock, Week
from transforms.lake.tables import Lake
from transforms.landing import first_weeks, last_week, regions, reopen
from transforms.landing.conditioned import references_unfinished
from transforms.world import WorldSpec, simulate, write_landing

WORLD = WorldSpec(regions=1, stores_per_region=3, products=4, weeks=40)


def dropped(folder: Path, world: Path, names: Sequence[Path], first_second: int, step: int) -> Path:
    """Copy the world's files one after the other, each so many seconds older or younger than the one before."""
    for number, name in enumerate(names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(world / name, target)
        os.utime(target, (first_second + number * step,) * 2)
    return folder


def conditioned(root: str, landing: Path) -> Lake:
    done = CliRunner().invoke(app, ["init", "--provider", "sample", "--landing", str(landing), "--root", root, "--local"])
    assert done.exit_code == 0, done.output
    return Lake(root, settings_of(root).storage_options)


def forced(lake: Lake) -> None:
    """Have everything conditioned by the next run, as if nothing of it had been finished."""
    last, found = last_week(lake), tuple(regions(lake))
    assert last is not None
    reopen(lake, SliceBlock(found, min(first_weeks(lake).values()), Week(last.monday)))
    references_unfinished(lake)


def versions_of(lake: Lake) -> list[str]:
    """All that are on record; a conditioning that made other data would have added one."""
    return sorted(lake.read("gold/dataset_versions")["dataset_version"].to_pylist())


def test_one_landing_has_one_dataset_version(tmp_path: Path) -> None:
    world = tmp_path / "world"
    write_landing(simulate(WORLD), world)
    names = sorted(path.relative_to(world) for path in world.rglob("*") if path.is_file())
    first = conditioned(str(tmp_path / "first"), dropped(tmp_path / "a", world, names, 1_700_000_000, 60))
    found, marks = versions_of(first), first.version("bronze/conditioned_slices") or 0
    assert len(found) == WORLD.regions
    forced(first)
    conditioned(first.root, tmp_path / "a")
    assert (first.version("bronze/conditioned_slices") or 0) > marks + 1
    assert versions_of(first) == found
    backwards = dropped(tmp_path / "b", world, names[::-1], 1_600_000_000, -3600)
    assert versions_of(conditioned(str(tmp_path / "other" / "place of another name"), backwards)) == found
