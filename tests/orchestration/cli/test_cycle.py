"""The command line on a small world, in one process: the whole cycle, what it refuses, and that the future cannot be seen."""

import hashlib
import io
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from models.members.settings import Settings
from models.training.spec import TrainingSpec
from orchestration.cli.app import app
from orchestration.defs.audit import audit_trail, maturity
from orchestration.project import Project
from orchestration.reports.maturity import EvidenceSources, assess, level_of, record
from orchestration.reports.reproduce import differences
from orchestration.settings import use_root
from orchestration.views.board import show_accuracy
from orchestration.views.plans import show_money
from orchestration.views.why import show_why
from tests.orchestration.lakes import LakeAt
from transforms.adapters import load_provider
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import CONTRIBUTIONS
from transforms.features.feature import GROUPS
from transforms.lake.backup import read_backup
from transforms.lake.tables import Lake
from transforms.lake.vaults import FolderVault
from transforms.landing import folder
from transforms.monitoring.savings import savings
from transforms.records.model_registry import ModelEvent, decide, events_of, states
from transforms.world import WorldSpec, simulate, write_landing

SPEC = WorldSpec(regions=2, stores_per_region=8, products=12, weeks=84)
WORLD = simulate(SPEC)
ORIGIN = WORLD.last + -4
# Reports, tuning and the leaderboard are asked for; tests of their own make them.
ON_REQUEST = {"gold/weather_value", "gold/experiments", "gold/leaderboard", "gold/ab_tests", "gold/ab_forecasts", "gold/ab_lift"}
ON_REQUEST |= {"gold/overrides", "gold/plan_events", "gold/value_added", "gold/maturity", "gold/alerts", "gold/releases"}


def shelfcast(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments])
    return result.exit_code, " ".join((result.output + (result.stderr or "")).split())


def keys_of(row: Mapping[str, object]) -> list[str]:
    """The options by which commands name one forecast."""
    names = {"--region": "region", "--store": "store_id", "--product": "product_id", "--week": "origin_week", "--target": "target_week"}
    return [text for option, column in names.items() for text in (option, str(row[column]))]


def shown(show: Callable[[Console], None]) -> str:
    """What a command's view prints, blanks squeezed."""
    text = io.StringIO()
    show(Console(file=text, width=160))
    return " ".join(text.getvalue().split())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cycle")
    Project(provider="sample", train_weeks=56, settings=Settings(network={"epochs": 5})).save(root)
    write_landing(WORLD, folder(Lake(str(root)), load_provider("sample")))
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    assert code == 0, output
    return root


def forecasts(root: Path) -> pa.Table:
    return (
        Lake(str(root))
        .read("gold/forecasts", where=f"origin_week = date '{ORIGIN}'")
        .sort_by([(name, "ascending") for name in CONTRACTS["gold/forecasts"].key])
    )


def test_every_gold_table_is_as_its_contract_says(root: Path) -> None:
    lake = Lake(str(root))
    for name in (name for name in CONTRACTS if name.startswith("gold/") and name not in ON_REQUEST):
        table = lake.read(name)
        assert table.num_rows > 0, name
        assert set(table.column_names) == set(CONTRACTS[name].names)
        for column in CONTRACTS[name].columns:
            if column.required:
                assert table[column.name].null_count == 0, f"{name}.{column.name}"


def test_a_local_run_leaves_no_run_history(root: Path) -> None:
    assert not (root / "dagster").exists()


def test_models_are_registered_judged_and_promoted(root: Path) -> None:
    lake = Lake(str(root))
    versions = lake.read("gold/model_versions").to_pylist()
    assert {(row["region"], row["format"], row["mover"]) for row in versions} == {
        (region, format_, mover) for region in ("north_texas", "south_texas") for format_ in ("large", "small") for mover in ("fast", "slow", "all")
    } | {("all", format_, mover) for format_ in ("large", "small") for mover in ("fast", "slow")}
    for row in versions:
        decisions = [event["event"] for event in events_of(lake, row["model_version"])]
        assert decisions[0] == "awaiting validation"
        assert decisions[1] in {"champion", "rejected"}
        assert (root / row["artifact_uri"]).exists()


def test_forecasts_beat_the_historical_average(root: Path) -> None:
    rows = Lake(str(root)).read("gold/accuracy").to_pylist()
    assert {Week(row["week"]) for row in rows} == {ORIGIN + h for h in range(1, 5)}
    hits = [(row["n"] - row["n_zero"], row["mape"], row["baseline_mape"]) for row in rows if row["mape"] is not None]
    mape, baseline = (sum(n * values[i] for n, *values in hits) / sum(n for n, *_ in hits) for i in (0, 1))
    assert mape < 0.45
    assert mape < 0.75 * baseline


def test_the_board_that_a_cycle_leaves_tells_each_regions_plan_of_next_week(root: Path) -> None:
    page = (root / "reports" / "board" / "index.html").read_text()
    plan = Lake(str(root)).read("gold/order_plan", where=f"target_week = date '{ORIGIN + 1}' and origin_week = date '{ORIGIN}'").to_pylist()
    for region, title in (("north_texas", "North Texas"), ("south_texas", "South Texas")):
        units = sum(row["order_quantity"] for row in plan if row["region"] == region)
        assert f"<h2>{title}</h2>" in page
        assert f"{units:,} units</a> next week" in page
    # Four more weeks had landed by then: the origin is behind them.
    assert page.count(f"last at {ORIGIN}") == 2
    assert "<script" not in page


def test_a_past_partition_is_reproduced_to_the_last_bit(root: Path) -> None:
    code, output = shelfcast("reproduce", "--region", "north_texas", "--week", str(ORIGIN), "--root", str(root))
    assert code == 0, output
    assert "6 of 6 models come out identical in parameters and forecasts" in output
    assert "different" not in output


def test_a_reproduction_says_what_is_not_as_it_was_at_training(root: Path) -> None:
    row = Lake(str(root)).read("gold/model_versions").to_pylist()[0]
    spec = TrainingSpec(**Project.load(root).training)
    assert differences(row, spec) == []
    libraries = {**json.loads(row["environment"]), "numpy": "1.0.0"}
    assert differences({**row, "environment": json.dumps(libraries)}, spec) == [f"numpy 1.0.0 -> {version('numpy')}"]
    assert differences({**row, "code_version": "before"}, spec)[0].startswith("training code before -> ")
    assert differences({**row, "environment": None}, spec) == ["library versions were not recorded with this model"]


def test_a_forecast_leads_back_to_raw_files_and_a_raw_file_on_to_forecasts(root: Path) -> None:
    row = forecasts(root).to_pylist()[0]
    code, output = shelfcast("trace", "forecast", *keys_of(row), "--page", "--root", str(root))
    assert code == 0, output
    lake = Lake(str(root))
    model = next(one for one in lake.read("gold/model_versions").to_pylist() if one["model_version"] == row["model_version"])
    page = next((root / "reports" / "trace").glob("*.html")).read_text()
    files = sorted((root / "landing" / "sample" / "shipments").glob("*.csv"))
    used = next(path for path in files if path.name in page)
    for known in (row["model_version"], row["dataset_version"], row["run_id"], model["source_commit"], model["sha256"], "approved", "champion"):
        assert known in page
    assert hashlib.sha256(used.read_bytes()).hexdigest() in page
    # What lies after the origin was not used.
    assert f"shipments_{ORIGIN + 1}.csv" not in page
    code, output = shelfcast("trace", "file", f"shipments/{used.name}", "--root", str(root))
    assert code == 0, output
    assert row["dataset_version"] in output
    assert row["model_version"] in output


def test_a_forecast_that_does_not_exist_is_explained(root: Path) -> None:
    code, output = shelfcast(
        "trace", "forecast", "--region", "north_texas", "--store", "S0", "--product", "P0", "--week", str(ORIGIN), "--root", str(root)
    )
    assert code == 1
    assert "There is no forecast for store 'S0', product 'P0' of north_texas" in output


def test_the_maturity_level_follows_the_evidence(root: Path, tmp_path: Path) -> None:
    nothing = assess(EvidenceSources(Lake(str(tmp_path / "empty")), checkout=tmp_path))
    assert level_of(nothing) == 0
    # Nothing may be met by a root and a checkout that hold nothing.
    assert not any(evidence.met for _, _, evidence in nothing)
    found = {words: evidence for _, words, evidence in assess(EvidenceSources(Lake(str(root))))}
    assert found["Each forecast names a model on record and the version of its data"].met
    assert found["Nothing on record was changed past Shelfcast"].met
    # A local run leaves no run history, and nobody has made a backup.
    assert not found["Models come out of runs of the orchestrator"].met
    assert not found["There is a backup of after the newest training"].met
    code, output = shelfcast("maturity", "--root", str(root))
    assert code == 0, output
    assert "Level 0 of 4" in output or "Level 1 of 4" in output
    written = Lake(str(tmp_path / "record"))
    record(written, nothing, datetime.now(UTC))
    assert [(row["level"], row["criterion"], row["met"]) for row in written.read("gold/maturity").to_pylist()] == [
        (level, words, False) for level, words, _ in nothing
    ]


def test_pooled_models_count_as_trained_on_the_data_of_their_samples(root: Path) -> None:
    found = {words: evidence for _, words, evidence in assess(EvidenceSources(Lake(str(root))))}
    complete = found["Each model is on record with metrics, data versions, code version, environment and an artifact that is there"]
    assert complete.met, complete.what
    released = found["Every model learned from data that had been approved"]
    assert released.met, released.what


def test_what_a_model_lacks_is_named_in_the_next_step(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "root"))
    row = Lake(str(copy)).read("gold/model_versions").to_pylist()[0]
    (copy / row["artifact_uri"]).unlink()
    found = {words: evidence for _, words, evidence in assess(EvidenceSources(Lake(str(copy))))}
    complete = found["Each model is on record with metrics, data versions, code version, environment and an artifact that is there"]
    assert complete.what == f"1 of 16 models have lost their artifacts, first {row['model_version']}: bring them back by 'shelfcast restore'."


def test_weeks_that_landed_without_forecasts_are_not_called_missing(root: Path) -> None:
    lake, project = Lake(str(root)), Project.load(root)
    before = SliceBlock((Region("north_texas"), Region("south_texas")), ORIGIN + -3, ORIGIN)
    said = shown(lambda console: show_accuracy(lake, project, before, ORIGIN + -4, console))
    assert said == f"{before.first}..{before.last} have landed, and no forecast had been made for them."
    after = SliceBlock(before.regions, WORLD.last + 1, WORLD.last + 4)
    said = shown(lambda console: show_accuracy(lake, project, after, WORLD.last, console))
    assert said == f"Forecasts made at {WORLD.last} for {after.first}..{after.last} wait for these weeks to land."
    half = SliceBlock(before.regions, WORLD.last + -1, WORLD.last + 2)
    said = shown(lambda console: show_accuracy(lake, project, half, WORLD.last + -2, console))
    assert f"Forecasts for {WORLD.last + -1} to {WORLD.last}, as they turned out" in said
    assert f"for {WORLD.last + 1}..{WORLD.last + 2} wait for these weeks to land." in said


def test_a_store_that_is_not_there_is_not_told_to_wait_for_a_run(root: Path, tmp_path: Path) -> None:
    options = ("--to", str(tmp_path), "--root", str(root))
    code, output = shelfcast("plan", "--target", str(ORIGIN + 1), "--store", "NOPE", *options)
    assert code == 1
    assert "Store NOPE is in no plan of any week: expected the id of a store of north_texas, south_texas" in output
    store = forecasts(root)["store_id"][0].as_py()
    code, output = shelfcast("plan", "--target", str(ORIGIN + 9), "--store", store, *options)
    assert code == 1
    assert f"There is no plan for store {store} for the week {ORIGIN + 9}. There are plans for: north_texas {ORIGIN + 1} to {ORIGIN + 4}." in output


def test_the_audit_asset_checks_the_record_and_writes_its_page(root: Path) -> None:
    result = dg.materialize([audit_trail, maturity], resources={"lake": LakeAt(root=str(root))}, instance=dg.DagsterInstance.ephemeral())
    assert result.success
    assert [evaluation.passed for evaluation in result.get_asset_check_evaluations()] == [True]
    page = (root / "reports" / "audit" / "index.html").read_text()
    for row in Lake(str(root)).read("gold/model_versions").to_pylist():
        assert row["model_version"] in page
    assert "src=" not in page
    assert "href=" not in page


def test_a_lake_that_was_destroyed_is_restored_from_its_backup(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The drill: what is lost is what was committed after the backup, and nothing else."""
    at_work, vault, kept = tmp_path / "root", tmp_path / "vault", Lake(str(root))
    shutil.copytree(root, at_work)
    code, output = shelfcast("backup", "--to", str(vault), "--root", str(at_work))
    assert code == 0, output
    held = read_backup(FolderVault(vault))
    lake = Lake(str(at_work))
    decide(lake, [ModelEvent("late", "north_texas", "large", "fast", datetime.now(UTC), ORIGIN.monday, "retired", "drill", "after the backup")])
    lost = lake.history("gold/model_events", 1)[0]["timestamp"] / 1000
    shutil.rmtree(at_work)
    started = time.monotonic()
    code, output = shelfcast("restore", str(vault), "--root", str(at_work))
    recovery_time = time.monotonic() - started
    assert code == 0, output
    assert "its record is as it was written" in output
    for entry in held.entries:
        assert hashlib.sha256((at_work / entry.path).read_bytes()).hexdigest() == entry.sha256, entry.path
    assert forecasts(at_work).equals(forecasts(root))
    assert lake.versions(CONTRACTS) == kept.versions(CONTRACTS)
    assert events_of(lake, "late") == []
    code, output = shelfcast("audit", "verify", "--root", str(at_work))
    assert code == 0, output
    with capsys.disabled():
        print(  # noqa: T201 - the measurement is the point of the drill
            f"\nDrill: {len(held.entries)} files restored and verified. Recovery point: backup of {held.made_at:%H:%M:%S}, "
            f"last commit lost {lost - held.made_at.timestamp():.1f} s after it. Recovery time: {recovery_time:.1f} s."
        )


def test_a_promotion_that_was_edited_is_found_by_the_audit(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "root")
    path = max((tmp_path / "root" / "lake" / "gold" / "model_events").glob("*.parquet"), key=lambda found: found.stat().st_mtime)
    rows = pq.read_table(path)
    first, *others = rows.to_pylist()
    pq.write_table(pa.Table.from_pylist([{**first, "actor": "somebody else"}, *others], schema=rows.schema), path)
    code, output = shelfcast("audit", "verify", "--root", str(tmp_path / "root"))
    assert code == 1
    assert f"the row with model_version {first['model_version']}" in output


def test_plans_cost_less_than_shipping_the_historical_average(root: Path) -> None:
    output = shown(lambda console: show_money(use_root(str(root)), str(ORIGIN + 1), str(WORLD.last), console))
    found = savings(Lake(str(root)), ORIGIN + 1, WORLD.last)
    assert [row.region for row in found] == ["north_texas", "south_texas", "all"]
    for row in found:
        assert f"{row.region} │ {row.stores} │ {row.demand:,} │ {row.cost['order_plan']:,.0f} │ {row.saved['historical_average']} │" in output
    assert all(row.saved["historical_average"].low > 0 for row in found)


def test_a_plan_is_written_for_planners_by_store_and_by_region(root: Path, tmp_path: Path) -> None:
    code, output = shelfcast("plan", "--target", str(ORIGIN + 1), "--to", str(tmp_path), "--root", str(root))
    assert code == 0, output
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"plan_{region}_{ORIGIN + 1}.xlsx" for region in ("north_texas", "south_texas")]
    code, output = shelfcast("plan", "--target", str(ORIGIN + 1), "--store", "S1001", "--format", "csv", "--to", str(tmp_path), "--root", str(root))
    assert code == 0, output
    header, *lines = (tmp_path / f"north_texas_{ORIGIN + 1}" / "S1001.csv").read_text().splitlines()
    plan = Lake(str(root)).read("gold/order_plan", where=f"store_id = 'S1001' and target_week = date '{ORIGIN + 1}'")
    at = header.replace('"', "").split(",").index("units")
    assert sum(int(line.split(",")[at]) for line in lines) == sum(plan["order_quantity"].to_pylist())
    code, output = shelfcast("plan", "--target", str(ORIGIN + 9), "--to", str(tmp_path), "--root", str(root))
    assert code == 1
    assert f"There is no plan for the week {ORIGIN + 9}. There are plans for: north_texas {ORIGIN + 1} to {ORIGIN + 4};" in output
    assert f"'shelfcast run --week' with an origin from {ORIGIN + 5} to {ORIGIN + 8} makes one." in output


def test_a_forecast_is_explained_by_parts_that_add_up_to_it(root: Path) -> None:
    lake = Lake(str(root))
    kept, made = lake.read("gold/contributions").to_pylist(), lake.read("gold/forecasts")
    assert len(kept) == sum(round(0.1 * made.filter(pc.equal(made["region"], region)).num_rows) for region in ("north_texas", "south_texas"))
    assert min(row["expected"] for row in kept) > np.median(made["expected"].to_numpy())
    least = made.sort_by("expected").to_pylist()[0]
    for row in (kept[0], least):
        arguments = [str(row[name]) for name in CONTRIBUTIONS.key]
        output = shown(lambda console, arguments=arguments: show_why(use_root(str(root)), *arguments, console))
        assert f"expected demand │ {row['expected']:.6f} │" in output
        parts = [float(value) for value in re.findall(r"│ (?:[a-z ]+) │ ([+-]?[\d.]+) │", output)[:-1]]
        assert len(parts) == 1 + len(GROUPS)
        assert sum(parts) == pytest.approx(row["expected"], abs=1e-9)
        # Of the rows that are kept, the parts are those kept, to what single precision gives in another batch.
        if "level" in row:
            assert parts == pytest.approx([row[name] for name in ("reference", *GROUPS)], abs=1e-2)
        assert shelfcast("why", *keys_of(row), "--root", str(root))[0] == 0
    code, output = shelfcast("why", "--region", "north_texas", "--store", "S1001", "--product", "P999", "--week", str(ORIGIN), "--root", str(root))
    assert code == 1
    assert f"There is no forecast for S1001 P999 made at {ORIGIN} for {ORIGIN + 1}, but" in output


def test_running_again_replaces_and_does_not_add(root: Path) -> None:
    before = forecasts(root)
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    assert code == 0, output
    assert "0 retrained, 12 reused" in shelfcast("models", "retraining", "--root", str(root))[1]
    assert forecasts(root).drop_columns(["run_id"]).equals(before.drop_columns(["run_id"]))


def test_where_artifacts_are_gone_the_pooled_models_forecast_and_say_why(root: Path) -> None:
    lake = Lake(str(root))
    before = forecasts(root)
    segment = {"region": "north_texas", "format": "large", "mover": "fast"}
    row = next(row for row in lake.read("gold/model_versions").to_pylist() if segment.items() <= row.items())
    content = (root / row["artifact_uri"]).read_bytes()
    (root / row["artifact_uri"]).unlink()
    assert shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    changed = [made for made in forecasts(root).to_pylist() if made["rung"] != "champion"]
    code, told = shelfcast("doctor", "--root", str(root))
    assert code == 1
    assert f"damaged model: 1 artifacts of models that serve are not what was trained, the first being artifact {row['artifact_uri']} of" in told
    (root / row["artifact_uri"]).write_bytes(content)
    assert "damaged model" not in shelfcast("doctor", "--root", str(root))[1]
    assert changed
    for made in changed:
        assert segment.items() <= made.items()
        assert (made["rung"], made["model_version"].split("-")[0]) == ("pooled", "all")
        assert f"champion {row['model_version']}: Model artifact {Path(row['artifact_uri']).name} is missing" in made["rung_reason"]
    assert shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")[0] == 0
    assert forecasts(root).drop_columns(["run_id"]).equals(before.drop_columns(["run_id"]))


def test_the_models_command_shows_decides_and_refuses(root: Path) -> None:
    place = ("--root", str(root))
    code, output = shelfcast("models", "ledger", "--on", str((ORIGIN + 1).monday), *place)
    assert code == 0, output
    assert "8 ensembles, 4 historical averages, 4 pooled models." in output
    assert "0 ensembles, 0 historical averages, 0 pooled models." in shelfcast("models", "ledger", "--on", str(ORIGIN), *place)[1], (
        "the week had not ended"
    )
    row = next(row for row in states(Lake(str(root))) if (row["state"], row["kind"], row["region"]) == ("champion", "ensemble", "north_texas"))
    champion = row["model_version"]
    code, output = shelfcast("models", "show", champion, *place)
    assert code == 0, output
    assert "against champion" in output or "no other champion to compare with" in output
    decided = ("--by", "ada", "--why", "test", *place)
    for arguments, message in (
        (("approve", champion, *decided), f"{champion} is champion already: there is nothing to approve."),
        (("reject", champion, *decided), f"{champion} is champion: only a version that is awaiting validation can be rejected."),
        (("approve", "nobody", *decided), "nobody is not on record: 'shelfcast models list' names the versions."),
        (("rollback", *decided), "rollback needs one of --on DATE and --previous: say what shall come back."),
        (("mirror", *place), "There is no mirror: set SHELFCAST_TRACKING_URI to the address of an MLflow tracking server."),
    ):
        code, output = shelfcast("models", *arguments)
        assert code == 1, output
        assert message in output
    code, output = shelfcast("models", "rollback", "--previous", *decided)
    assert code == 0
    assert "Nothing to roll back" in output


def test_changing_the_future_changes_no_forecast(root: Path) -> None:
    before = forecasts(root).drop_columns(["model_version", "run_id"])
    top = folder(Lake(str(root)), load_provider("sample"))
    for week in (ORIGIN + 1, ORIGIN + 3):
        path = top / "shipments" / f"shipments_{week}.csv"
        head, *lines = path.read_text(encoding="latin-1").splitlines()
        path.write_text("\n".join([head, *(f"{line.rsplit(',', 1)[0]},7" for line in lines[::-2])]) + "\n", encoding="latin-1")
        weather = top / "weather" / f"observed_{week}.csv"
        weather.write_text(weather.read_text().replace(",0.0\n", ",9.9\n"))
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local", "--retrain")
    assert code == 0, output
    assert forecasts(root).drop_columns(["model_version", "run_id"]).equals(before)


def test_a_bad_file_is_refused_by_name_and_the_rest_goes_on(root: Path) -> None:
    lake = Lake(str(root))
    before = forecasts(root)
    bad = folder(lake, load_provider("sample")) / "shipments" / "shipments_extra.csv"
    bad.write_text(f"store,sku,week_of,cases,units\nS9999,P101,{(WORLD.last + 1).monday:%d.%m.%Y},1,6\n")
    code, output = shelfcast("run", "--week", str(ORIGIN), "--root", str(root), "--local")
    bad.unlink()
    assert code == 1
    assert "1 left out" in output
    assert "shipments/shipments_extra.csv, row 1, column store_id: expected a store of the stores source, came S9999." in output
    assert forecasts(root).num_rows == before.num_rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--week", "2023-05-30"], "Week 2023-05-30 is a Tuesday: a week is named by its Monday. Did you mean 2023-05-29?"),
        (["run", "--week", "soon"], "Week 'soon' is not a week key: expected the Monday of the week as YYYY-MM-DD"),
        (["run", "--week", "2030-01-07"], "Week 2030-01-07 has no shipments yet: the last week in the lake is"),
        (["run", "--week", "2010-01-04"], f"Week 2010-01-04 lies before the first shipments in the lake, which are of {WORLD.first}"),
        (["run", "--week", str(ORIGIN), "--region", "atlantis"], "Regions ['atlantis'] have no stores in the lake: expected some of north_texas, south_texas."),
    ],
)  # fmt: skip
def test_wrong_arguments_are_explained(root: Path, arguments: list[str], message: str) -> None:
    code, output = shelfcast(*arguments, "--root", str(root), "--local")
    assert code == 1
    assert message in output


def test_members_that_do_not_exist_are_named_before_anything_is_trained(root: Path) -> None:
    code, output = shelfcast("compare", "--week", str(ORIGIN), "--members", "lasso,foo", "--root", str(root))
    assert code == 1
    assert "members lasso,foo: expected one or more of " in output
    assert "each once, came lasso, foo." in output


def test_a_folder_that_is_no_lake_says_how_to_make_one(tmp_path: Path) -> None:
    code, output = shelfcast("status", "--root", str(tmp_path))
    assert code == 1
    assert "is not a lake root yet. Run 'shelfcast init --provider sample' (or 'make demo') first." in output


def test_the_weather_report_compares_issued_realised_and_no_weather_over_the_same_rows(root: Path) -> None:
    code, output = shelfcast("weather", "--week", str(ORIGIN), "--region", "north_texas", "--root", str(root), "--local")
    assert code == 0, output
    rows = Lake(str(root)).read("gold/weather_value").to_pylist()
    counts = {kind: sum(row["n"] for row in rows if row["weather"] == kind) for kind in ("issued", "realised", "none")}
    assert len(set(counts.values())) == 1
    assert counts["issued"] > 0
    mape = {kind: [row["mape"] for row in rows if row["weather"] == kind] for kind in counts}
    assert mape["issued"] != mape["none"]
    assert mape["realised"] != mape["none"]
