"""What a notebook sees, scores and logs, on a small lake with champions."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from models.ensemble.ensemble import members_named
from models.members.lasso import LassoMember
from models.training.trial import TrialRows
from orchestration.defs.experiments import trial_asset
from orchestration.experiments.frames import as_pandas, meanings
from orchestration.notebook import ExperimentLog, Session, TooLittleHistory
from orchestration.runtime.ranges import key_of, register_regions
from tests.orchestration.lakes import LakeAt
from transforms.calendar import Slice, Week
from transforms.errors import ConfigurationError
from transforms.panel.panel import Panel
from transforms.records.model_registry import champions


@pytest.fixture(scope="module")
def session(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    root = shutil.copytree(small_lake, tmp_path_factory.mktemp("session") / "root")
    return Session.open("north_texas", "2023-07-10", root=str(root))


def test_a_session_holds_no_week_after_its_own_and_every_column_is_described(session: Session) -> None:
    week = pd.Timestamp(session.week.monday)
    assert session.held_back["target_week"].max() == week
    assert session.train["target_week"].max() == week - pd.Timedelta(weeks=session.rows.spec.held_back)
    for rows in (session.train, session.held_back):
        assert (rows["target_week"] - rows["origin_week"] == pd.to_timedelta(7 * rows["horizon"], unit="D")).all()
    assert list(session.columns.index) == list(session.train.columns)
    assert (session.columns != "").all(axis=None)
    with pytest.raises(ConfigurationError, match=r"these are as many: \{'nobody_knows': 0\}"):
        meanings(["demand", "nobody_knows"])


def test_changing_what_comes_after_the_week_moves_nothing_in_a_session(session: Session) -> None:
    pinned = session.lake.at(session.dataset.delta_versions)
    later = Panel.load(pinned, session.region, session.week + 4)
    shipped = later.shipped.copy()
    shipped[:, session.week - later.first + 1 :] = 9999
    poisoned = type(later)(**{**vars(later), "shipped": shipped})
    rows = TrialRows.of(poisoned.until(session.week), session.rows.spec)
    seen = as_pandas(rows, session.segments)
    assert seen.loc[session.train.index].equals(session.train)
    assert seen.loc[session.held_back.index].equals(session.held_back)


def test_a_trial_has_the_numbers_that_the_registry_holds_of_the_same_training(session: Session) -> None:
    alone = replace(session, segments=(("small", "fast"),))
    trial = alone.try_members(*members_named(session.project.members))
    (row,) = (row for row in champions(session.lake, [session.region], session.week) if (row["format"], row["mover"]) == ("small", "fast"))
    registered = json.loads(row["metrics"])
    assert trial.metrics == {"small-fast": registered}
    scores = alone.score(trial, "again")
    assert scores.loc["again"].equals(scores.loc["champion"])
    assert scores.loc["again"]["mape"] == registered["mape"]
    assert scores.loc["historical average"]["mape"] == registered["baseline_mape"]


def test_one_segment_has_the_rows_that_it_has_in_the_region(session: Session) -> None:
    alone = Session.open(str(session.region), str(session.week), "small-fast", session.lake.root)
    assert alone.held_back.equals(session.held_back[session.held_back["segment"] == "small-fast"])
    with pytest.raises(ConfigurationError, match="has no segment 'small': expected one of large-fast, large-slow, small-fast, small-slow, or None"):
        Session.open(str(session.region), str(session.week), "small", session.lake.root)


def test_one_call_logs_scores_versions_and_commit(session: Session) -> None:
    guess = session.held_back["baseline_size"]
    run = session.log("guesses", {"rule": "average"}, guess, notes="by hand")
    assert run.metrics["mape"] == run.metrics["baseline_mape"] > run.metrics["champion_mape"]
    assert run.dataset_version == session.dataset.version
    assert run.source_commit
    row = session.runs("guesses").loc[run.run_id]
    assert (row["params.rule"], row["params.week"], row["kind"], row["notes"]) == ("average", str(session.week), "notebook", "by hand")
    assert row["mape"] == run.metrics["mape"]
    assert session.plot(guess, "average").png.startswith(b"\x89PNG")


def test_the_units_of_a_week_are_those_that_came_however_many_origins_it_is_forecast_from(session: Session) -> None:
    panel = Panel.load(session.lake.at(session.dataset.delta_versions), session.region, session.week)
    came = panel.demand()[:, -session.rows.spec.held_back :].sum(axis=0)
    units = session.units_by_week(session.held_back["baseline_size"])
    assert list(units.index) == [pd.Timestamp((session.week + -back).monday) for back in range(len(came))][::-1]
    assert units["actual"].to_numpy() == pytest.approx(came, rel=0.02)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda good: good.set_axis(good.index + 1_000_000), "matched by index with session.held_back"),
        (lambda good: pd.concat([good, good]), "each once; came"),
        (lambda good: good.drop(columns="expected"), "need the columns size and expected; expected missing"),
        (lambda good: good.assign(size=np.nan), "must be finite numbers in every row"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(session: Session, change: object, said: str) -> None:
    good = pd.DataFrame({"size": 1.0, "expected": 1.0}, index=session.held_back.index)
    with pytest.raises(ConfigurationError, match=said):
        session.score(change(good))  # type: ignore[operator]


def test_tracking_needs_a_folder_and_nothing_else(tmp_path: Path) -> None:
    log = ExperimentLog.open(str(tmp_path / "anywhere"))
    assert log.runs("first").empty
    run = log.log("first", {"depth": 3, "loss": "absolute"}, {"mape": 0.31, "unknown": None})
    found = ExperimentLog.open(str(tmp_path / "anywhere")).runs("first").loc[run.run_id]
    assert (found["params.depth"], found["params.loss"], found["mape"], found["code_version"]) == (3, "absolute", 0.31, "none")
    assert "unknown" not in found


def test_a_region_with_too_little_history_is_told_in_a_notebook_and_left_out_by_the_asset(session: Session) -> None:
    early = Slice(session.region, Week.parse("2022-05-02"))
    with pytest.raises(TooLittleHistory, match="north_texas at 2022-05-02: no segment has the 400 rows with demand that an ensemble needs"):
        Session.open(str(early.region), str(early.week), root=session.lake.root).try_members(LassoMember)
    with dg.DagsterInstance.ephemeral() as instance:
        register_regions(instance, [early.region])
        resources = {"lake": LakeAt(root=session.lake.root)}
        done = dg.materialize([trial_asset("lasso")], instance=instance, resources=resources, partition_key=str(key_of(early)))
    (made,) = done.asset_materializations_for_node("trial_lasso")
    assert made.metadata["slices"].value == 0
    assert session.runs("trials/lasso").empty
