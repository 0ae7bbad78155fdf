"""The life of models on registries made by hand: latest versions, champions of a date, validation, rollback, causes of training, the mirror in MLflow."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count

import numpy as np
import pyarrow as pa
import pytest

from models.ensemble.artifacts import save
from models.ensemble.baselines import HistoricalAverage
from models.evaluation.gate import Gate
from models.support import Support
from models.training.code_version import code_version
from models.training.spec import TrainingSpec
from orchestration.experiments.mlflow_mirror import MlflowMirror, catch_up, mirror_registry
from orchestration.lifecycle.live_accuracy import failing_weeks
from orchestration.lifecycle.promotion import validate
from orchestration.lifecycle.retraining import Inputs, causes
from orchestration.lifecycle.rollback import after_failing, to_date, to_previous
from orchestration.project import Project
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import ACCURACY
from transforms.errors import MissingData
from transforms.lake.tables import Lake
from transforms.records.fingerprints import training_slices
from transforms.records.model_registry import (
    CHAMPION,
    END_OF_TIME,
    REJECTED,
    ROLLED_BACK,
    WAITING,
    ModelEvent,
    ModelVersion,
    champions,
    decide,
    events_of,
    latest_trained,
    register,
    states,
    trained_at,
    waiting,
)

FIRST = Week.parse("2022-05-02")
REGIONS = (Region("ohio"), Region("texas"))
_CLOCK = count()


def moment() -> datetime:
    """A time a minute after the one before."""
    return datetime(2022, 6, 1, tzinfo=UTC) + timedelta(minutes=next(_CLOCK))


def version(name: str, week: Week, region: str = "ohio", mover: str = "fast", **more: object) -> ModelVersion:
    fields = {
        "region": region, "format": "large", "mover": mover, "model_version": name, "kind": "baseline" if mover == "all" else "ensemble",
        "trained_week": week.monday, "trained_at": moment(), "run_id": "run", "code_version": "c1", "dataset_version": f"{region}-d1", "data_versions": "{}",
        "metrics": '{"mape": 0.3, "baseline_mape": 0.6}', "artifact_uri": f"models/{region}/{name}.safetensors", "sha256": "0" * 64,
    }  # fmt: skip
    return ModelVersion(**{**fields, **more})  # type: ignore[arg-type]


def train(lake: Lake, *versions: ModelVersion, again: bool = False) -> None:
    register(lake, versions, moment(), "run", {one.model_version: "new data" for one in versions}, again)


def say(one: ModelVersion, event: str, week: Week, by: str = "gate", replaces: str | None = None) -> ModelEvent:
    return ModelEvent(one.model_version, one.region, one.format, one.mover, moment(), week.monday, event, by, "because", replaces)


def promote(lake: Lake, *versions: ModelVersion) -> None:
    """Train versions and make each champion from its own week on."""
    for one in versions:
        train(lake, one)
        decide(lake, [say(one, CHAMPION, Week(one.trained_week))])


def turned_out(lake: Lake, *rows: tuple[str, Week, float], region: str = "ohio", average: Sequence[float] = ()) -> None:
    """Put (model, week, MAPE) into gold/accuracy, against a historical average of 0.6 where none is given."""
    made = [
        {"region": region, "format": "large", "mover": "fast", "model": model, "week": week.monday, "horizon": 1, "n": 20, "n_zero": 10, "mape": mape, "baseline_mape": plain}
        for (model, week, mape), plain in zip(rows, average or [0.6] * len(rows), strict=True)
    ]  # fmt: skip
    weeks = [week for _, week, _ in rows]
    table = pa.Table.from_pylist([{name: row.get(name) for name in ACCURACY.names} for row in made], schema=ACCURACY.schema)
    lake.replace(ACCURACY.name, SliceBlock((Region(region),), min(weeks), max(weeks)), table)


@pytest.fixture
def lake(tmp_path: object) -> Lake:
    return Lake(str(tmp_path))


def champion_of(lake: Lake, origin: Week, region: str = "ohio", **more: object) -> str | None:
    found = [row["model_version"] for row in champions(lake, [Region(region)], origin, **more) if row["mover"] == "fast"]  # type: ignore[arg-type]
    return found[0] if found else None


def state_of(lake: Lake, name: str) -> str | None:
    return next(row["state"] for row in states(lake) if row["model_version"] == name)


def test_training_the_same_week_a_then_b_then_a_leaves_a_the_latest(lake: Lake) -> None:
    a, b = version("a", FIRST), version("b", FIRST)
    promote(lake, a)
    promote(lake, b)
    assert [row["model_version"] for row in trained_at(lake, REGIONS[0], FIRST)] == ["b"]
    train(lake, a)
    assert [row["model_version"] for row in trained_at(lake, REGIONS[0], FIRST)] == ["a"]
    assert [row["model_version"] for row in waiting(lake, REGIONS[0], FIRST)] == ["a"]
    assert lake.read("gold/model_versions").num_rows == 2


def test_training_the_latest_again_changes_nothing_unless_it_is_asked_for(lake: Lake) -> None:
    a = version("a", FIRST)
    promote(lake, a)
    train(lake, a)
    assert [event["event"] for event in events_of(lake, "a")] == [WAITING, CHAMPION]
    train(lake, a, again=True)
    assert [row["model_version"] for row in waiting(lake, REGIONS[0], FIRST)] == ["a"]


def test_the_champion_of_an_origin_is_the_last_promotion_that_held_by_then(lake: Lake) -> None:
    promote(lake, version("w0", FIRST), version("w2", FIRST + 2))
    # A backfill comes later and decides for an earlier week.
    promote(lake, version("w1", FIRST + 1))
    assert [champion_of(lake, FIRST + week) for week in (-1, 0, 1, 2, 9)] == [None, "w0", "w1", "w2", "w2"]
    assert {row["model_version"]: row["state"] for row in states(lake)} == {"w0": "retired", "w1": "retired", "w2": "champion"}
    assert [row["model_version"] for row in latest_trained(lake, REGIONS[0], FIRST + 1)] == ["w1"]


def test_the_ledger_can_leave_out_what_was_decided_later(lake: Lake) -> None:
    promote(lake, version("w0", FIRST))
    then = moment()
    promote(lake, version("w1", FIRST + 1))
    assert champion_of(lake, FIRST + 1) == "w1"
    assert champion_of(lake, FIRST + 1, known_at=then) == "w0"


def test_the_fleet_goes_back_to_a_date_in_one_commit(lake: Lake) -> None:
    for step in range(3):
        promote(lake, *(version(f"{region}-w{step}", FIRST + step, str(region)) for region in REGIONS))
        promote(lake, version(f"average-w{step}", FIRST + step, mover="all"))
    before = lake.version("gold/model_events")
    # FIRST has ended by the Monday after it.
    decide(lake, to_date(lake, REGIONS, (FIRST + 1).monday, FIRST + 2, "ada", "bad batch"))
    assert lake.version("gold/model_events") == before + 1  # type: ignore[operator]
    for region in map(str, REGIONS):
        assert champion_of(lake, FIRST + 2, region) == f"{region}-w0"
        assert champion_of(lake, FIRST + 1, region) == f"{region}-w1", "what held before the rollback stays on record"
        assert [state_of(lake, f"{region}-w{step}") for step in range(3)] == [CHAMPION, ROLLED_BACK, ROLLED_BACK]
    assert next(row["model_version"] for row in champions(lake, REGIONS, FIRST + 2) if row["mover"] == "all") == "average-w2"
    last = events_of(lake, "ohio-w0")[-1]
    assert (last["event"], last["actor"], last["replaces"]) == (CHAMPION, "ada", "ohio-w2")
    assert last["reason"] == f"back to {(FIRST + 1).monday}: bad batch"
    assert to_date(lake, REGIONS, (FIRST + 1).monday, FIRST + 2, "ada", "again") == []


def test_a_date_before_the_first_champion_leaves_the_fleet_as_it_is(lake: Lake) -> None:
    """A year typed wrong rolled every champion back to none, with exit code 0."""
    promote(lake, version("w0", FIRST), version("w1", FIRST + 1))
    with pytest.raises(MissingData, match=rf"No model was champion on 2010-01-01 yet: choose {(FIRST + 1).monday} or a later date"):
        to_date(lake, REGIONS, date(2010, 1, 1), FIRST + 1, "ada", "typed wrong")
    decide(lake, to_date(lake, REGIONS, (FIRST + 1).monday, FIRST + 1, "ada", "the first date that can be meant"))
    assert champion_of(lake, FIRST + 1) == "w0"


def test_previous_goes_back_one_step_each_time_and_keeps_the_last(lake: Lake) -> None:
    promote(lake, *(version(f"w{step}", FIRST + step) for step in range(3)))
    for wanted in ("w1", "w0", "w0"):
        decide(lake, to_previous(lake, REGIONS, FIRST + 2, "ada", "test"))
        assert champion_of(lake, FIRST + 2) == wanted
    assert champions(lake, REGIONS, END_OF_TIME, depth=9)[0]["model_version"] == "w0"
    assert len(champions(lake, REGIONS, END_OF_TIME, depth=9)) == 1, "what was rolled back is no previous champion either"


def test_a_version_that_was_rolled_back_is_not_promoted_by_running_its_week_again(lake: Lake) -> None:
    w1 = version("w1", FIRST + 1)
    promote(lake, version("w0", FIRST), w1)
    decide(lake, to_previous(lake, REGIONS, FIRST + 1, "ada", "test"))
    train(lake, w1)
    assert waiting(lake, REGIONS[0], FIRST + 1) == []
    assert champion_of(lake, FIRST + 1) == "w0"


PROJECT = Project(provider="sample")


def test_a_champion_that_fails_when_it_is_validated_anew_gives_way_to_the_one_before(lake: Lake) -> None:
    w1 = version("w1", FIRST + 1)
    promote(lake, version("w0", FIRST), w1)
    train(lake, w1, again=True)
    decide(lake, [say(w1, REJECTED, FIRST + 1)])
    assert champion_of(lake, FIRST + 1) == "w0"
    assert state_of(lake, "w1") == REJECTED


def test_live_accuracy_that_falls_short_brings_back_the_last_good_champion(lake: Lake) -> None:
    promote(lake, version("good", FIRST), version("bad", FIRST + 3))
    turned_out(lake, ("good", FIRST + 2, 0.3), ("good", FIRST + 3, 0.3), ("bad", FIRST + 4, 0.5), ("bad", FIRST + 5, 0.7))
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 5, "run") == [], "two weeks are not three"
    turned_out(lake, ("bad", FIRST + 6, 0.6))
    decide(lake, after_failing(lake, PROJECT, REGIONS, FIRST + 6, "run"))
    assert champion_of(lake, FIRST + 6) == "good"
    assert champion_of(lake, FIRST + 5) == "bad"
    [told] = [event for event in events_of(lake, "bad") if event["event"] == ROLLED_BACK]
    weeks = f"{FIRST + 4} 0.500, {FIRST + 5} 0.700, {FIRST + 6} 0.600"
    assert told["reason"] == f"live MAPE fell short of validation for 3 weeks ({weeks})"
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 6, "run") == [], "once is enough"


def test_a_champion_promoted_after_the_bad_weeks_is_not_blamed_for_them(lake: Lake) -> None:
    promote(lake, version("good", FIRST), version("bad", FIRST + 3))
    turned_out(lake, *(("bad", FIRST + 4 + step, 0.7) for step in range(3)))
    promote(lake, version("new", FIRST + 6))
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 6, "run") == []


def test_a_champion_that_was_good_before_stays_until_it_is_trained_again(lake: Lake) -> None:
    promote(lake, version("steady", FIRST))
    turned_out(lake, ("steady", FIRST + 1, 0.3), *(("steady", FIRST + 2 + step, 0.7) for step in range(3)))
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 4, "run") == []


def test_a_champion_that_misses_a_target_in_harder_weeks_is_not_replaced_by_one_that_was_worse(lake: Lake) -> None:
    promote(lake, version("older", FIRST), version("newer", FIRST + 3))
    # Beside the historical average the newer one does better, and the target is missed since the weeks are harder.
    turned_out(lake, ("older", FIRST + 3, 0.44), *(("newer", FIRST + 4 + step, 0.5) for step in range(3)), average=[0.6, 0.9, 0.9, 0.9])
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 6, "run") == []


def test_a_model_that_was_promoted_above_the_target_does_not_fail_by_staying_there(lake: Lake) -> None:
    numbers = '{"mape": 0.55, "baseline_mape": 0.9}'
    promote(lake, version("good", FIRST), version("hard", FIRST + 3, metrics=numbers))
    turned_out(lake, ("good", FIRST + 3, 0.3), *(("hard", FIRST + 4 + step, 0.56) for step in range(3)))
    assert failing_weeks(lake, REGIONS[0], FIRST + 6, Gate())["large", "fast"] == 0
    assert after_failing(lake, PROJECT, REGIONS, FIRST + 6, "run") == []
    turned_out(lake, *(("hard", FIRST + 4 + step, 0.7) for step in range(3)))
    assert failing_weeks(lake, REGIONS[0], FIRST + 6, Gate())["large", "fast"] == 3, "worse than the historical average"


def test_without_a_good_champion_the_segment_is_left_to_the_lower_steps(lake: Lake) -> None:
    promote(lake, version("never", FIRST))
    turned_out(lake, *(("never", FIRST + 1 + step, 0.7) for step in range(3)))
    decide(lake, after_failing(lake, PROJECT, REGIONS, FIRST + 3, "run"))
    assert champion_of(lake, FIRST + 3) is None
    never = PROJECT.model_copy(update={"gate": PROJECT.gate.model_copy(update={"rollback_after_weeks": 0})})
    assert after_failing(lake, never, REGIONS, FIRST + 3, "run") == []


def pooled(lake: Lake, name: str, mape: float, broken: bool = False) -> ModelVersion:
    """A version over all regions with a real artifact."""
    one, none = np.ones(1, np.float32), np.zeros(1, np.int32)
    sizes, starts = Support(one, one), np.asarray([0, 1], np.int32)
    average = HistoricalAverage(np.asarray([f"s|{name}"]), sizes, one, starts, none, one, np.asarray(["c"]), np.ones((2, 1), np.float32), one)
    file, digest = save(average, {}, lake.path("models", "all"))
    if broken:
        lake.path("models", "all", file).write_bytes(b"gone")
    numbers = json.dumps({"mape": mape, "baseline_mape": 0.6})
    return version(name, FIRST, "all", metrics=numbers, artifact_uri=f"models/all/{file}", sha256=digest)


@pytest.mark.parametrize(
    ("mape", "broken", "decision", "reason"),
    [
        (0.3, False, CHAMPION, "MAPE 0.300, historical average 0.600: within 0.450 and 50% below the historical average"),
        (0.5, False, CHAMPION, "not significant (MAPE 0.500, historical average 0.600: above the limit of 0.450), and no worse than what serves"),
        (0.7, False, REJECTED, "historical average: MAPE 0.700, historical average 0.600"),
        (0.3, True, REJECTED, "is corrupt: expected SHA-256"),
    ],
)
def test_a_decision_is_stored_with_its_numbers_and_its_reason(lake: Lake, mape: float, broken: bool, decision: str, reason: str) -> None:
    train(lake, pooled(lake, "p", mape, broken))
    decide(lake, validate(lake, PROJECT, [], FIRST, "gate"))
    last = events_of(lake, "p")[-1]
    assert last["event"] == decision
    assert reason in last["reason"]
    found = {check["name"]: (check["passed"], check["decides"]) for check in json.loads(last["numbers"])}
    assert found == {"artifact": (not broken, True), "significant": (mape < 0.45, False), "historical average": (mape < 0.6, True)}
    assert validate(lake, PROJECT, [], FIRST, "gate") == [], "what has been decided is not decided again"


def test_where_promotion_is_manual_a_model_that_passed_waits_for_a_person(lake: Lake) -> None:
    train(lake, pooled(lake, "p", 0.3))
    manual = PROJECT.model_copy(update={"promotion": "manual"})
    decide(lake, validate(lake, manual, [], FIRST, "gate"))
    assert champion_of(lake, FIRST, "all") is None
    last = events_of(lake, "p")[-1]
    assert last["event"] == WAITING
    assert "waits for a person: shelfcast models approve p --by <name> --why <reason>" in last["reason"]
    assert validate(lake, manual, [], FIRST, "gate") == []


CODE = code_version(TrainingSpec())


def inputs(slices: str = "s", contract: str = "c", settings: str = "t") -> Inputs:
    return Inputs(slices, contract, settings)


def first_cause(
    age: int, project: Project = PROJECT, now: Inputs | None = None, failing: int = 0, drifted: tuple[Week, ...] = (), **row: object
) -> str:
    made = {"trained_week": FIRST.monday, "code_version": CODE, "inputs": inputs().dumps(), **row}
    return next(causes(made, FIRST + age, project, CODE, lambda _: now or inputs(), failing, drifted), ("none", ""))[0]


def monthly() -> Project:
    return PROJECT.model_copy(update={"retrain": PROJECT.retrain.model_copy(update={"every_weeks": 20})})


def test_training_has_a_cause_or_does_not_happen() -> None:
    assert first_cause(1) == "new data"
    assert first_cause(0) == "none"
    assert first_cause(1, monthly()) == "none"
    assert first_cause(20, monthly()) == "new data"
    assert first_cause(1, monthly(), code_version="older") == "code"
    assert first_cause(1, monthly(), now=inputs(slices="x")) == "changed data"
    assert first_cause(0, monthly(), now=inputs(slices="x")) == "changed data", "also at its own origin: the data were corrected"
    assert first_cause(1, monthly(), now=inputs(settings="x")) == "settings"
    assert first_cause(1, monthly(), now=inputs(contract="x")) == "settings"
    assert first_cause(1, monthly(), inputs=None) == "settings"
    assert first_cause(2, monthly(), failing=2) == "accuracy"
    assert first_cause(2, monthly(), failing=1) == "none"
    assert first_cause(2, monthly(), drifted=(FIRST + 1,)) == "drift"
    assert first_cause(2, monthly(), drifted=(FIRST,)) == "none", "the model has seen that week"
    assert first_cause(8, monthly()) == "none"
    assert first_cause(9, monthly()) == "age"


def shipped(lake: Lake, week: Week, units: int, returned: int = 0) -> None:
    block = SliceBlock((REGIONS[0],), week, week)
    row = {
        "region": "ohio",
        "store_id": "1",
        "product_id": "A",
        "week": week.monday,
        "units_shipped": units,
        "units_returned": returned,
        "demand": units,
    }
    lake.replace("gold/demand", block, pa.Table.from_pylist([row], schema=CONTRACTS["gold/demand"].schema))


def test_a_fingerprint_changes_with_what_was_trained_on_and_with_nothing_else(lake: Lake) -> None:
    shipped(lake, FIRST, 12)
    before = training_slices(lake, REGIONS[0], FIRST)
    shipped(lake, FIRST + 1, 6)
    assert training_slices(lake, REGIONS[0], FIRST) == before, "a later week"
    shipped(lake, FIRST, 12, returned=3)
    assert training_slices(lake, REGIONS[0], FIRST) == before, "a return that was not known then"
    shipped(lake, FIRST, 13)
    assert training_slices(lake, REGIONS[0], FIRST) != before
    assert training_slices(lake, REGIONS[0], FIRST + 1) != training_slices(lake, REGIONS[0], FIRST)


def test_the_mirror_shows_every_run_version_decision_and_alias(lake: Lake, mlflow_server: str) -> None:
    from mlflow import MlflowClient

    project = Project(provider="mirrored")
    promote(lake, version("w0", FIRST), version("w1", FIRST + 1))
    train(lake, version("w2", FIRST + 2))
    assert catch_up(lake, project, mlflow_server) == f"3 versions, 5 decisions and 2 aliases written to {mlflow_server}"
    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    model = client.get_registered_model("mirrored.ohio.large.fast")
    shown = {alias: client.get_model_version_by_alias(model.name, alias) for alias in ("champion", "challenger")}
    assert {alias: found.tags["shelfcast.version"] for alias, found in shown.items()} == {"champion": "w1", "challenger": "w2"}
    run = client.get_run(shown["champion"].run_id)
    assert (run.info.run_name, run.info.status) == ("w1", "FINISHED")
    assert run.data.metrics == {"mape": 0.3, "baseline_mape": 0.6}
    assert run.data.params["trained_week"] == str(FIRST + 1)
    assert "champion from 2022-05-09 by gate: because" in shown["champion"].tags["event.0001"]
    assert catch_up(lake, project, mlflow_server) == f"0 versions, 0 decisions and 0 aliases written to {mlflow_server}"

    decide(lake, to_previous(lake, REGIONS, FIRST + 2, "ada", "test"))
    assert catch_up(lake, project, mlflow_server) == f"0 versions, 2 decisions and 1 aliases written to {mlflow_server}"
    assert client.get_model_version_by_alias(model.name, "champion").tags["shelfcast.version"] == "w0"


def test_a_mirror_that_was_down_has_lost_nothing(lake: Lake, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    project = Project(provider="late")
    promote(lake, version("w0", FIRST))
    down = "http://127.0.0.1:9"
    said = mirror_registry(lake, project, down)
    assert said.startswith(f"behind: {down} does not take it")
    assert said.endswith("'shelfcast models mirror' catches up")
    mirror = MlflowMirror(mlflow_server, "late")
    # An attempt that broke after the first version: no decision, no alias.
    mirror.record([version("w0", FIRST)], [])
    promote(lake, version("w1", FIRST + 1))
    assert catch_up(lake, project, mlflow_server) == f"1 versions, 4 decisions and 1 aliases written to {mlflow_server}"
    assert MlflowMirror(mlflow_server, "late").has() == {"w0": 2, "w1": 2}
    assert mirror_registry(lake, project, "").startswith("no mirror")


def test_the_project_file_and_the_gate_have_the_same_limits() -> None:
    assert Gate(**PROJECT.gate.judged) == Gate()
