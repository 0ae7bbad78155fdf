"""Faults injected into each step of the failover ladder: a forecast always comes, from the right step, and says why."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from models.artifacts import load, save
from models.ensemble import Ensemble
from models.failover import Serving
from models.pooled import sample_region, train_pooled
from models.scoring import score_region
from models.training import Trained, TrainingSpec, train_region
from transforms.panel import Panel

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


def test_an_error_in_our_own_code_is_no_reason_to_fall_back(panel: Panel, trained: list[Trained]) -> None:
    def defect() -> Ensemble:
        raise AssertionError("a defect")

    with pytest.raises(AssertionError, match="a defect"):
        scored(panel, Serving(defect, "v", panel.last.monday), trained)


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
