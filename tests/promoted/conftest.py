"""Parity of promoted notebooks: cells, module and asset on the same training rows. The tests beside this file are written by promote-notebook."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from models.ensemble import MEMBERS
from orchestration.defs.trials import trial_asset
from orchestration.notebook import Session
from orchestration.notebook_cells import member_of, promoted_source
from orchestration.partitions import key_of, register_regions
from orchestration.resources import LakeResource
from transforms.calendar import Slice

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parity(small_lake: tuple[Path, Slice], tmp_path: Path) -> Callable[[str, str], tuple[Any, Any, Any]]:
    """Numbers of a notebook's tagged cells, of the promoted module, and of the asset's materialisation."""
    root, where = small_lake

    def numbers(notebook: str, name: str) -> tuple[Any, Any, Any]:
        source = tmp_path / f"{name}_cells.py"
        source.write_text(promoted_source(CHECKOUT / notebook))
        session = Session.open(str(where.region), str(where.week), root=str(root))
        trials = [session.try_members(member) for member in (member_of(source, f"{name}_cells"), MEMBERS[name])]
        assert trials[0].predictions.equals(trials[1].predictions)
        with dg.DagsterInstance.ephemeral() as instance:
            register_regions(instance, [where.region])
            assert dg.materialize(
                [trial_asset(name)], partition_key=str(key_of(where)), instance=instance, resources={"lake": LakeResource(root=str(root))},
                selection=[["trials", name]],
            ).success  # fmt: skip
        logged = session.runs(f"trials/{name}").iloc[-1]
        cells, module = (session.metrics(trial) for trial in trials)
        return cells, module, {metric: logged[metric] for metric in cells}

    return numbers
