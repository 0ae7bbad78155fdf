"""Faults injected into each step of the failover ladder: a forecast always comes, from the right step, and says why."""

import hashlib
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

from models.ensemble.artifacts import load, save
from models.ensemble.ensemble import Ensemble
from models.members.base import Distribution, Prepared
from models.members.lasso import LassoMember
from models.serving.failover import Serving
from models.serving.score import score_region
from models.training.pooled import sample_region, train_pooled
from models.training.spec import TrainingSpec
from models.training.train import Trained, train_region
from transforms.panel.panel import Panel

SPEC = TrainingSpec(weeks=56, fewest_rows=50, members=("lasso",))
SEGMENT = ("large", "fast")


@pytest.fixture(scope="module")
def trained(panel: Panel) -> list[Trained]:
    return list(train_region(panel, SPEC, [SEGMENT, ("large", "all")]))


@pytest.fixture(scope="module")
def champion(trained: list[Trained]) -> Ensemble:
    return next(t.model for t in trained if isinstance(t.model, Ensemble))


def scored(panel: Panel, serving: Serving, trained: list[Trained], seconds: float = 60) -> tuple[set[str], set[str], set[str]]:
    """Rungs, versions and reasons of the segment's rows."""
    average = next(t.model for t in trained if t.mover == "all")
    averages = {"large": Serving(average, "average", panel.last.monday, reason="historical average")}
    forecasts, plan = score_region(panel, 2, {SEGMENT: serving}, averages, seconds=seconds)
    assert plan.num_rows == forecasts.num_rows > 0
    rows = [row for row in forecasts.to_pylist() if (row["format"], row["mover"]) == SEGMENT]
    assert rows
    assert all(np.isfinite(row[name]) for row in rows for name in ("p_demand", "size", "expected", "q10", "q50", "q90"))
    return {row["rung"] for row in rows}, {row["model_version"] for row in rows}, {row["rung_reason"] for row in rows}


def ladder(panel: Panel, champion: Ensemble, *models: object) -> Serving:
    """Champion, previous and pooled step with these models, good ones where none is given."""
    steps: Serving | None = None
    for rung, model in reversed(list(zip(("champion", "previous", "pooled"), [*models, *[champion] * 3], strict=False))):
        steps = Serving(model, f"{rung}-1", panel.last.monday, rung, f"{rung} since {panel.last}", below=steps)  # type: ignore[arg-type]
    assert steps is not None
    return steps


def fails(fault: str, champion: Ensemble, folder: Path) -> object:
    if fault == "missing":
        return partial(load, folder / "gone.safetensors", "0" * 64)
    if fault == "corrupt":
        name, digest = save(champion, {}, folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:-4] + b"\x00\x01\x02\x03")
        return partial(load, folder / name, digest)
    if fault == "other features":
        return replace(champion, encoder=replace(champion.encoder, names=("log_moon", *champion.encoder.names[1:])))
    if fault == "NaN":
        return replace(champion, chance_weights=np.full(len(champion.members), np.nan, np.float32))
    return partial(_slow, champion)


def _slow(champion: Ensemble) -> Ensemble:
    time.sleep(3)
    return champion


FAULTS = {
    "missing": "artifact gone.safetensors is missing",
    "corrupt": "is corrupt: expected SHA-256",
    "other features": "made for other features: missing now ['log_moon'], new since ['log_age']; train it again with this version",
    "NaN": "that are no numbers",
    "time-out": "no forecast within 0.5 s",
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_the_previous_champion_serves_where_the_champion_fails(
    fault: str, panel: Panel, trained: list[Trained], champion: Ensemble, tmp_path: Path
) -> None:
    steps = ladder(panel, champion, fails(fault, champion, tmp_path))
    rungs, versions, [reason] = scored(panel, steps, trained, seconds=0.5 if fault == "time-out" else 60)
    assert (rungs, versions) == ({"previous"}, {"previous-1"})
    assert reason.startswith("champion champion-1: ")
    assert FAULTS[fault] in reason
    assert reason.endswith(f"; previous since {panel.last}")


def test_each_step_serves_where_those_above_it_fail(panel: Panel, trained: list[Trained], champion: Ensemble, tmp_path: Path) -> None:
    faults = [fails(fault, champion, tmp_path) for fault in ("missing", "NaN", "other features")]
    for broken, rung in enumerate(("champion", "previous", "pooled", "baseline")):
        rungs, _, [reason] = scored(panel, ladder(panel, champion, *faults[:broken]), trained)
        assert rungs == {rung}
        assert reason.count("; ") >= broken
        assert reason.endswith("historical average" if rung == "baseline" else f"{rung} since {panel.last}")


def test_without_any_model_on_record_the_average_is_made_from_the_data(panel: Panel, champion: Ensemble, tmp_path: Path) -> None:
    gone = fails("missing", champion, tmp_path)
    averages = {"large": Serving(gone, "average", panel.last.monday)}  # type: ignore[arg-type]
    rows = score_region(panel, 1, {}, averages)[0].to_pylist()
    assert {(row["rung"], row["model_version"]) for row in rows} == {("baseline", "none")}
    assert {row["rung_reason"] for row in rows if row["format"] == "small"} == {"no champion; historical average made from the region's data"}


@pytest.mark.parametrize("error", [AssertionError, AttributeError, TypeError, KeyError, IndexError, ValueError, ZeroDivisionError, RuntimeError])
def test_a_defect_of_our_own_ends_the_run_and_serves_no_average(
    error: type[Exception], panel: Panel, trained: list[Trained], champion: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise error("a defect")

    monkeypatch.setattr(LassoMember, "predict", defect)
    with pytest.raises(error, match="a defect"):
        scored(panel, ladder(panel, champion), trained)


def damaged(champion: Ensemble, folder: Path, lost: str = "", manifest: dict[str, object] | None = None) -> object:
    """A loader of a file with the SHA-256 on record that lacks an array, or whose manifest holds something else."""
    name, _ = save(champion, {}, folder)
    with safe_open(folder / name, "numpy") as file:
        arrays = {key: file.get_tensor(key) for key in file.keys() if key != lost}  # noqa: SIM118 - no mapping
        told = {**json.loads(file.metadata()["manifest"]), **(manifest or {})}
    content = to_bytes(arrays, metadata={"manifest": json.dumps(told)})
    (folder / "foreign.safetensors").write_bytes(content)
    return partial(load, folder / "foreign.safetensors", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("lost", "manifest", "message"),
    [
        ("size_weights", {}, "is none of this version: KeyError: 'size_weights'. Train the week again with this version."),
        ("lasso/size", {}, "is none of this version: "),
        ("", {"kind": "oracle"}, "is none of this version: KeyError: 'oracle'"),
        ("", {"format": 4}, "has layout 4, expected 5: train the week again with this version."),
        ("", {"members": ["crystal_ball"]}, "members that this version does not have: crystal_ball"),
        ("", {"settings": {"network": {"hidden": -1}}}, "is none of this version: ValidationError"),
    ],
)
def test_an_artifact_that_does_not_decode_is_a_failure_of_its_step(
    lost: str, manifest: dict[str, object], message: str, panel: Panel, trained: list[Trained], champion: Ensemble, tmp_path: Path
) -> None:
    rungs, _, [reason] = scored(panel, ladder(panel, champion, damaged(champion, tmp_path, lost, manifest)), trained)
    assert rungs == {"previous"}
    assert message in reason


def test_a_member_of_a_user_may_raise_anything_and_is_named(panel: Panel, trained: list[Trained], champion: Ensemble) -> None:
    class Theirs(LassoMember):
        name = "theirs"

        def predict(self, rows: Prepared) -> Distribution:
            raise TypeError(f"no idea of {len(rows) > 0}")

    theirs = Theirs(champion.encoder, champion.support, champion.settings)
    rungs, _, [reason] = scored(panel, ladder(panel, champion, replace(champion, members=[theirs])), trained)
    assert rungs == {"previous"}
    assert reason.startswith("champion champion-1: member theirs failed: TypeError: no idea of True; ")


def test_a_region_that_gave_no_sample_is_served_by_the_pooled_models(panel: Panel) -> None:
    sample = sample_region(panel, SPEC, 400)
    assert all(len(early) + len(late) <= 400 for early, late in sample.values())
    # A second region: the same rows under other names.
    other = {
        segment: tuple(
            replace(part, categorical={name: replace(c, levels=np.char.add("x", c.levels)) for name, c in part.categorical.items()}) for part in parts
        )
        for segment, parts in sample.items()
    }
    pooled = {(t.format, t.mover): t.model for t in train_pooled([sample, other], SPEC)}  # type: ignore[list-item]
    assert set(pooled) == set(sample)
    champions = {segment: Serving(model, "pooled-1", panel.last.monday, "pooled", "pooled since then") for segment, model in pooled.items()}
    rows = score_region(panel, 2, champions, {})[0].to_pylist()
    assert {(row["rung"], row["rung_reason"]) for row in rows} == {("pooled", "no champion; pooled since then")}
