"""Parity of promoted notebooks: cells, module and asset on the same training rows. The tests beside this file are written by promote-notebook."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from models.ensemble.ensemble import available_members
from orchestration.defs.experiments import trial_asset
from orchestration.experiments.cells import member_of, promoted_source
from orchestration.notebook import Session
from orchestration.runtime.ranges import key_of, register_regions
from orchestration.runtime.resources import LakeResource
from transforms.calendar import Region, Slice, Week

CHECKOUT = Path(__file__).resolve().parents[2]
WHERE = Slice(Region("north_texas"), Week.parse("2023-07-10"))


@pytest.fixture
def parity(small_lake: Path, tmp_path: Path) -> Callable[[str, str], tuple[object, object, object]]:
    """Metrics of a notebook's tagged cells, of the promoted module, and of the asset's materialisation; predictions are compared here."""
    root = str(shutil.copytree(small_lake, tmp_path / "root"))

    def numbers(notebook: str, name: str) -> tuple[object, object, object]:
        cells = tmp_path / "cells.py"
        cells.write_text(promoted_source(CHECKOUT / notebook))
        session = Session.open(str(WHERE.region), str(WHERE.week), root=root)
        of_cells, of_module = (session.try_members(member) for member in (member_of(cells, "cells"), available_members()[name]))
        assert of_cells.predictions.equals(of_module.predictions)
        with dg.DagsterInstance.ephemeral() as instance:
            register_regions(instance, [WHERE.region])
            resources = {"lake": LakeResource(root=root)}
            assert dg.materialize([trial_asset(name)], instance=instance, resources=resources, partition_key=str(key_of(WHERE))).success
        (of_asset,) = session.experiments.tracking.runs(f"trials/{name}")
        return session.metrics(of_cells), session.metrics(of_module), of_asset.metrics

    return numbers
