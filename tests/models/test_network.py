from pathlib import Path

import numpy as np
import pytest

from models.artifacts import load, save
from models.ensemble import Ensemble
from models.members.base import Prepared
from models.network import NetworkMember
from models.settings import Settings
from models.training import TrainingSpec, train_region
from transforms.features import scoring_frame
from transforms.panel import Panel

SETTINGS = Settings(network={"copies": 2, "steps": 60, "hidden": 16})


@pytest.fixture(scope="module")
def model(panel: Panel) -> Ensemble:
    spec = TrainingSpec(weeks=56, fewest_rows=50, members=("network",), settings=SETTINGS)
    [trained] = train_region(panel, spec, [("large", "fast")])
    assert isinstance(trained.model, Ensemble)
    return trained.model


def test_copies_speak_with_one_voice_and_differ_by_their_seed(model: Ensemble, panel: Panel) -> None:
    [member] = model.members
    assert isinstance(member, NetworkMember)
    rows = Prepared.of(scoring_frame(panel, 2), model.encoder, model.support)
    together = member.predict(rows)
    alone = []
    for module in member.modules_:
        one = NetworkMember(model.encoder, model.support, SETTINGS)
        one.modules_ = [module]
        alone.append(one.predict(rows))
    assert np.abs(alone[0].pmf - alone[1].pmf).max() > 0.01
    np.testing.assert_allclose(together.pmf, (alone[0].pmf + alone[1].pmf) / 2, atol=1e-6)
    np.testing.assert_allclose(together.p_demand, (alone[0].p_demand + alone[1].p_demand) / 2, atol=1e-6)


def test_copies_are_stored_and_restored(model: Ensemble, panel: Panel, tmp_path: Path) -> None:
    name, digest = save(model, {}, tmp_path)
    restored, frame = load(tmp_path / name, digest), scoring_frame(panel, 2)
    assert isinstance(restored, Ensemble)
    np.testing.assert_array_equal(restored.predict(frame).pmf, model.predict(frame).pmf)
