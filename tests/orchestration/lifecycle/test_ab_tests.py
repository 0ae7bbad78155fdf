"""A/B tests on a small lake: started by command, served by the weekly cycle, shown, stopped; nothing is promoted by them."""

import json
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from models.evaluation.ab_test import treated_stores
from orchestration.cli.app import app
from orchestration.lifecycle.live_accuracy import live_weeks
from orchestration.people import login
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake
from transforms.records.ab_tests import recorded

REGION, FIRST = Region("north_texas"), Week.parse("2023-07-17")


def shelfcast(root: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "--root", str(root)], env={"COLUMNS": "220"})
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def root(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small lake two cycles later: one test in two arms, one in the shadow; the second cycle's challenger of the shadow is gone."""
    target = tmp_path_factory.mktemp("ab") / "lake"
    shutil.copytree(small_lake, target)
    lake = Lake(str(target))
    split, shadow = (version(lake, mover) for mover in ("fast", "slow"))
    shelfcast(target, "ab", "start", split, "--mode", "split", "--metric", "cost", "--by", "ann", "--why", "is it worth it")
    shelfcast(target, "ab", "start", shadow, "--mode", "shadow", "--by", "ann", "--why", "look first")
    shelfcast(target, "run", "--week", str(FIRST), "--local")
    [row] = lake.read("gold/model_versions", where=f"model_version = '{shadow}'").to_pylist()
    (target / row["artifact_uri"]).unlink()
    shelfcast(target, "run", "--week", str(FIRST + 1), "--local")
    return target


def version(lake: Lake, mover: str) -> str:
    rows = lake.read("gold/model_versions", where=f"format = 'large' and mover = '{mover}' and region = '{REGION}'").sort_by("trained_at")
    return str(rows["model_version"][0].as_py())


def test_treated_stores_get_the_challenger_in_their_segment_alone(root: Path) -> None:
    lake = Lake(str(root))
    test = next(found for found in recorded(lake) if found.mode == "split")
    treated = treated_stores(test.pairs, "split", 0, test.seed)
    rows = lake.read("gold/forecasts", where=f"origin_week = date '{FIRST}'").to_pylist()
    served = {row["store_id"] for row in rows if row["rung"] == "challenger"}
    inside = [row for row in rows if (row["format"], row["mover"]) == test.segment]
    assert served == treated & {row["store_id"] for row in inside}
    assert served
    for row in rows:
        challenged = (row["format"], row["mover"]) == test.segment and row["store_id"] in treated
        assert (row["rung"] == "challenger") == challenged
        assert (row["model_version"] == test.challenger) == challenged
        if challenged:
            assert test.test_id in row["rung_reason"]
    keys = [(row["store_id"], row["product_id"], row["target_week"]) for row in rows]
    plan = lake.read("gold/order_plan", where=f"origin_week = date '{FIRST}'").to_pylist()
    assert len(set(keys)) == len(keys) == len(plan)
    assert set(keys) == {(row["store_id"], row["product_id"], row["target_week"]) for row in plan}
    orders = {(row["store_id"], row["product_id"], row["target_week"]): row["order_quantity"] for row in plan}
    for row in lake.read("gold/ab_forecasts", where=f"test_id = '{test.test_id}' and origin_week = date '{FIRST}'").to_pylist():
        assert orders[row["store_id"], row["product_id"], row["target_week"]] == row[f"{row['served']}_order"]
        assert (row["served"] == "challenger") == (row["store_id"] in treated)


def test_the_shadow_serves_nothing_and_a_challenger_that_is_gone_holds_up_nothing(root: Path) -> None:
    lake = Lake(str(root))
    test = next(found for found in recorded(lake) if found.mode == "shadow")
    rows = lake.read("gold/ab_forecasts", where=f"test_id = '{test.test_id}'")
    assert set(rows["served"].to_pylist()) == {"champion"}
    assert {Week(week) for week in rows["origin_week"].to_pylist()} == {FIRST}
    assert pc.sum(pc.abs(pc.subtract(rows["champion_size"], rows["challenger_size"]))).as_py() > 0
    slow = lake.read("gold/forecasts", where=f"origin_week >= date '{FIRST}' and format = 'large' and mover = 'slow'")
    assert set(slow["rung"].to_pylist()) == {"champion"}


def test_each_week_has_a_look(root: Path) -> None:
    lake = Lake(str(root))
    rows = lake.read("gold/ab_lift").sort_by([("test_id", "ascending"), ("week", "ascending")]).to_pylist()
    split, shadow = ([row for row in rows if row["test_id"].endswith(mode)] for mode in ("split", "shadow"))
    assert [(Week(row["week"]), row["look"]) for row in split] == [(FIRST + 1, 1), (FIRST + 2, 2)]
    assert {row["verdict"] for row in rows} == {"undecided"}
    assert all(row["challenger"] is not None and row["champion"] is not None for row in (split[0], shadow[0]))
    # The shadow's mean difference, by hand.
    said = lake.read("gold/ab_forecasts", where=f"test_id = '{shadow[0]['test_id']}' and target_week = date '{FIRST + 1}'").to_pylist()
    demand = {(row["store_id"], row["product_id"]): row["demand"] for row in lake.read("gold/demand", where=f"week = date '{FIRST + 1}'").to_pylist()}
    by_store: dict[str, list[float]] = {}
    for row in said:
        if came := demand.get((row["store_id"], row["product_id"]), 0):
            gain = (abs(row["champion_size"] - came) - abs(row["challenger_size"] - came)) / came
            by_store.setdefault(row["store_id"], []).append(gain)
    means = [sum(gains) / len(gains) for gains in by_store.values()]
    assert shadow[0]["difference"] == pytest.approx(sum(means) / len(means), abs=1e-9)


def test_a_served_challenger_is_no_evidence_against_the_champion(root: Path) -> None:
    lake = Lake(str(root))
    tested = lake.read("gold/accuracy", where=f"model = '{version(lake, 'fast')}' and week > date '{FIRST}'")
    assert tested.num_rows
    champion = lake.read("gold/accuracy", where=f"model <> '{version(lake, 'fast')}' and format = 'large' and mover = 'fast' and horizon = 1")
    [newest] = [row for row in live_weeks(lake, REGION, FIRST + 1)["large", "fast"] if Week(row["week"]) == FIRST + 1]
    own = [row for row in champion.to_pylist() if Week(row["week"]) == FIRST + 1]
    assert len(own) == 1
    # The first origin's champion is the challenger of the second: its forecasts of before the test still count.
    before = lake.read("gold/accuracy", where=f"model = '{version(lake, 'fast')}' and week = date '{FIRST + 1}' and horizon = 2").to_pylist()
    hits = [row["n"] - row["n_zero"] for row in (*own, *before)]
    assert newest["mape"] == pytest.approx(sum(n * row["mape"] for n, row in zip(hits, (*own, *before), strict=True)) / sum(hits))


def test_commands_show_and_stop_and_promote_nothing(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lake"
    shutil.copytree(root, copy)
    lake = Lake(str(copy))
    name = next(test.test_id for test in recorded(lake) if test.mode == "split")
    assert name in shelfcast(copy, "ab", "list")
    assert "pairs of stores" in shelfcast(copy, "ab", "show", name)
    events = lake.read("gold/model_events").num_rows
    assert "no longer runs from origin" in shelfcast(copy, "ab", "stop", name, "--by", "ann", "--why", "enough")
    assert lake.read("gold/model_events").num_rows == events
    [test] = [found for found in recorded(lake) if found.test_id == name]
    assert test.stopped == (FIRST + 2).monday
    assert [test.runs_at(FIRST + step) for step in range(3)] == [True, True, False]
    assert "stopped already" in shelfcast(copy, "ab", "stop", name, "--by", "ann", "--why", "again", code=1)
    late = shelfcast(copy, "ab", "start", test.challenger, "--mode", "split", "--by", "ann", "--why", "once more")
    assert f"starts with origin {FIRST + 2}" in late
    again = recorded(lake)[-1].test_id
    shelfcast(copy, "ab", "stop", again, "--by", "ann", "--why", "no")
    assert "on record already" in shelfcast(copy, "ab", "start", test.challenger, "--mode", "split", "--by", "ann", "--why", "yes", code=1)
    rows = lake.read("gold/ab_tests", where=f"test_id = '{name}'").to_pylist()
    who = f"ann (login {login()})"
    assert {(row["event"], row["actor"], row["reason"]) for row in rows} == {("started", who, "is it worth it"), ("stopped", who, "enough")}
    assert json.loads(rows[0]["pairs"]) == [list(pair) for pair in test.pairs]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "not on record"),
        (["{fast}", "--mode", "split", "--share", "0.8"], "at most 0.5"),
        (["{fast}", "--mode", "both"], "expected one of shadow, split, interleave"),
        (["{fast}", "--from", "2023-07-17"], "forecasts were made at that origin already"),
        (["{fast}"], "one test at a time"),
    ],
)
def test_what_cannot_be_is_refused(root: Path, arguments: list[str], said: str) -> None:
    lake = Lake(str(root))
    chosen = [argument.replace("{fast}", version(lake, "fast")) for argument in arguments]
    count = lake.read("gold/ab_tests").num_rows
    done = CliRunner().invoke(app, ["ab", "start", *chosen, "--by", "ann", "--why", "x", "--root", str(root)], env={"COLUMNS": "220"})
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert lake.read("gold/ab_tests").num_rows == count
