"""The dbt project on a real lake, through dbt's own runner."""

import json
import os
import re
import shutil
from contextlib import chdir
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.dbt_yaml import render
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import contents_of

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
WEEK = Week.parse("2022-05-02")
OHIO, TEXAS = Region("ohio"), Region("north_texas")
HISTORY = SliceBlock((TEXAS, OHIO), WEEK + -60, WEEK + 2)
LINEAGE = {"source_file": "file.csv", "source_hash": "0" * 64}


def table(name: str, *rows: dict[str, object]) -> pa.Table:
    contract = CONTRACTS[name]
    return pa.Table.from_pylist([{column: row.get(column) for column in contract.names} for row in rows], schema=contract.schema)


def at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def shipment(region: Region, week: Week, units: int, **more: object) -> dict[str, object]:
    row = {"region": str(region), "store_id": "1", "product_id": "A", "week": week.monday, "units_shipped": units}
    return {**row, "known_at": week.end.replace(tzinfo=UTC), **LINEAGE, **more}


def observation(day: date, tmax: float) -> dict[str, object]:
    monday = Week.containing(day).monday
    return {
        "region": "ohio",
        "place": "X",
        "date": day,
        "week": monday,
        "tmin_c": 0.0,
        "tmax_c": tmax,
        "precip_mm": 1.0,
        "known_at": at(day),
        **LINEAGE,
    }


def forecast(issued: datetime, target: date, tmax: float) -> dict[str, object]:
    week = Week.containing(issued.date()).monday
    row = {"region": "ohio", "place": "X", "week": week, "issued_at": issued, "target_date": target, "tmax_c": tmax, "known_at": issued}
    return {**row, **LINEAGE}


def build(lake: Lake, block: SliceBlock | None, select: str = "tag:sliced", **wrong: object) -> dbtRunnerResult:
    slices = {} if block is None else {"regions": list(map(str, block.regions)), "week_first": str(block.first), "week_last": str(block.last)}
    variables = json.dumps({"lake_root": lake.root, **slices, **wrong})
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    return dbtRunner().invoke(["--quiet", "build", *where, "--select", select, "--vars", variables])


def compiled(lake: Lake, macro: str, **variables: object) -> dbtRunnerResult:
    """What a macro becomes, with these vars."""
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", lake.root]
    told = json.dumps({"lake_root": "", **variables})
    return dbtRunner().invoke(["--quiet", "compile", *where, "--inline", f"{{{{ {macro} }}}}", "--vars", told])


@pytest.fixture(autouse=True)
def _in_project(monkeypatch: pytest.MonkeyPatch) -> None:
    # The profile names its plugin folder relative to the project.
    monkeypatch.chdir(PROJECT)


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose slices have been conditioned: built once, each test has a copy."""
    root = tmp_path_factory.mktemp("conditioned")
    lake = Lake(str(root))
    stores = [
        {"store_id": "1", "region": "ohio", "format": "large", "place": "X"},
        {"store_id": "1t", "region": "north_texas", "format": "small"},
    ]
    lake.overwrite("bronze/stores", table("bronze/stores", *({**row, **LINEAGE} for row in stores)))
    lake.overwrite("bronze/products", table("bronze/products", {"product_id": "A", "case_pack": 6, **LINEAGE}))
    lake.overwrite("bronze/demographics", table("bronze/demographics"))
    lake.overwrite(
        "bronze/events",
        table("bronze/events", {"event": "Fair", "kind": "local", "start_date": date(2022, 5, 7), "end_date": date(2022, 5, 10), **LINEAGE}),
    )
    lake.replace(
        "bronze/shipments",
        HISTORY,
        table("bronze/shipments", shipment(OHIO, WEEK, 12), shipment(OHIO, WEEK + 1, 6), shipment(TEXAS, WEEK, 24)),
    )
    returned = {
        "region": "ohio",
        "store_id": "1",
        "product_id": "A",
        "week": WEEK.monday,
        "units_returned": 2,
        "known_at": at(date(2022, 5, 20)),
        **LINEAGE,
    }
    lake.replace("bronze/returns", HISTORY, table("bronze/returns", returned))
    last_year = [observation((WEEK + -51).monday + timedelta(days=day), 20.0) for day in range(7)]
    lake.replace("bronze/weather_observed", HISTORY, table("bronze/weather_observed", *last_year))
    issued = at((WEEK + 1).monday - timedelta(days=1), hour=6)
    lake.replace("bronze/weather_forecast", HISTORY, table("bronze/weather_forecast", forecast(issued, (WEEK + 1).monday, 27.0)))
    with chdir(PROJECT):
        assert build(lake, None, "tag:reference").success
        assert build(lake, HISTORY).success
    return root


@pytest.fixture
def lake(conditioned: Path, tmp_path: Path) -> Lake:
    return Lake(str(shutil.copytree(conditioned, tmp_path / "lake")))


def known(lake: Lake) -> list[dict[str, object]]:
    where = f"region = 'ohio' and week = date '{WEEK}'"
    return lake.read("silver/weather_known", where=where).sort_by("horizon").to_pylist()


def demand(lake: Lake) -> set[tuple[str, str, int, int, int]]:
    rows = lake.read("gold/demand").to_pylist()
    return {(row["region"], str(row["week"]), row["units_shipped"], row["units_returned"], row["demand"]) for row in rows}


def test_conditioning_nets_returns_and_knows_only_the_weather_of_its_time(lake: Lake) -> None:
    assert demand(lake) == {("ohio", "2022-05-02", 12, 2, 10), ("ohio", "2022-05-09", 6, 0, 6), ("north_texas", "2022-05-02", 24, 0, 24)}
    # One day of the next week was forecast (27), six are last year's climate (20); beyond there is climate alone.
    assert [(row["horizon"], row["forecast_days"]) for row in known(lake)][:3] == [(1, 1), (2, 0), (3, 0)]
    assert known(lake)[0]["tmax_c"] == pytest.approx((27 + 6 * 20) / 7)
    assert len(known(lake)) == 13


def test_an_event_is_spread_over_the_weeks_that_it_touches(lake: Lake) -> None:
    rows = lake.read("silver/event_weeks").sort_by("week").to_pylist()
    assert [(str(row["week"]), row["days"]) for row in rows] == [("2022-05-02", 2), ("2022-05-09", 2)]


def test_poisoning_the_future_changes_no_known_weather(lake: Lake) -> None:
    before = known(lake)
    after_origin = at((WEEK + 1).monday)
    later = SliceBlock((OHIO,), WEEK + 1, WEEK + 2)
    lake.replace("bronze/weather_forecast", later, table("bronze/weather_forecast", forecast(after_origin, (WEEK + 1).monday, 99.0)))
    poison = [observation((WEEK + 1).monday + timedelta(days=day), -40.0) for day in range(14)]
    lake.replace("bronze/weather_observed", later, table("bronze/weather_observed", *poison))
    assert build(lake, HISTORY).success
    assert known(lake) == before


def test_building_a_slice_again_changes_nothing_and_leaves_others_untouched(lake: Lake) -> None:
    before = demand(lake)
    lake.replace("bronze/shipments", SliceBlock((TEXAS,), WEEK, WEEK), table("bronze/shipments", shipment(TEXAS, WEEK, 999)))
    assert build(lake, SliceBlock((OHIO,), WEEK, WEEK + 1)).success
    assert demand(lake) == before


def test_dbt_writes_nothing_more_once_the_run_that_started_it_was_killed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before, parents = demand(lake), iter([os.getppid()])
    lake.replace("bronze/shipments", SliceBlock((OHIO,), WEEK, WEEK), table("bronze/shipments", shipment(OHIO, WEEK, 999)))
    monkeypatch.setattr("os.getppid", lambda: next(parents, 1))
    assert not build(lake, SliceBlock((OHIO,), WEEK, WEEK)).success
    assert demand(lake) == before


def test_an_emptied_slice_holds_no_rows(lake: Lake) -> None:
    only = SliceBlock((OHIO,), WEEK + 1, WEEK + 1)
    lake.replace("bronze/shipments", only, table("bronze/shipments"))
    assert build(lake, only).success
    assert {row[:2] for row in demand(lake)} == {("ohio", "2022-05-02"), ("north_texas", "2022-05-02")}


def test_the_report_that_arrived_last_holds(lake: Lake) -> None:
    only = SliceBlock((OHIO,), WEEK, WEEK)
    correction = shipment(OHIO, WEEK, 18, known_at=at(date(2022, 5, 25)), source_file="correction.csv")
    lake.replace("bronze/shipments", only, table("bronze/shipments", shipment(OHIO, WEEK, 12), correction))
    assert build(lake, only).success
    assert ("ohio", "2022-05-02", 18, 2, 16) in demand(lake)


def test_a_key_that_could_break_a_predicate_stops_the_build(lake: Lake) -> None:
    before = demand(lake)
    result = build(lake, HISTORY, regions=["ohio') or (1=1"])
    assert not result.success
    assert demand(lake) == before


@pytest.mark.parametrize(
    ("macro", "name", "value", "expected"),
    [
        ("in_slices()", "regions", ["ohio", "x') or (1=1"], "a list of region keys (lower-case letters, digits, underscores), came x') or (1=1"),
        ("in_slices()", "regions", "ohio", "a list of region keys (lower-case letters, digits, underscores), came ohio"),
        ("in_slices()", "week_last", "2022-05-02' or '1", "a week key (the Monday as YYYY-MM-DD), came 2022-05-02' or '1"),
        ("in_regions()", "regions", ["x') or ('1'='1"], "a list of region keys (lower-case letters, digits, underscores), came x') or ('1'='1"),
        ("block_weeks()", "week_first", "1970-01-05')) --", "a week key (the Monday as YYYY-MM-DD), came 1970-01-05')) --"),
        ("block_weeks()", "week_last", 20220502, "a week key (the Monday as YYYY-MM-DD), came 20220502"),
        ("adds_up('shipments')", "additive", ["shipments", "x'"], "a list of names of sources (lower-case letters, underscores), came x'"),
        ("if_backdated('price')", "snapshots", "back-dated", "as_published or backdated, came back-dated"),
    ],
)
def test_a_var_that_is_no_plain_key_is_refused_by_each_macro(tmp_path: Path, macro: str, name: str, value: object, expected: str) -> None:
    told = f"Var {name}: expected {expected}. Run dbt through shelfcast or Dagster, which set the vars, or correct it in --vars."
    result = compiled(Lake(str(tmp_path)), macro, **{name: value})
    assert not result.success
    assert told in " ".join(str(result.exception or result.result.results[0].message).split())


def test_vars_that_are_plain_keys_become_sql_as_they_are(tmp_path: Path) -> None:
    def sql(macro: str, **variables: object) -> str:
        result = compiled(Lake(str(tmp_path)), macro, **variables)
        return " ".join(result.result.results[0].node.compiled_code.split())

    weeks = {"week_first": "2022-05-02", "week_last": "2022-05-09"}
    assert sql("in_slices('w')", regions=["ohio", "texas"], **weeks) == (
        "region in ('ohio', 'texas') and w between date '2022-05-02' and date '2022-05-09'"
    )
    assert sql("in_slices()") == "true"
    assert sql("in_regions()") == "region in ('')"
    assert sql("if_backdated('price')", snapshots="backdated") == "price"
    assert sql("adds_up('returns') or 'replaces'", additive=["shipments", "returns"]) == "true"
    assert sql("adds_up('ship') or 'replaces'", additive=["shipments"]) == "replaces"


def test_vars_are_read_in_one_place_of_the_dbt_project() -> None:
    readers = {
        path.name: len(re.findall(r"\bvar\(", path.read_text()))
        for folder in ("macros", "models", "tests")
        for path in PROJECT.glob(f"{folder}/**/*.sql")
    }
    # The other one hands them to the plugin as JSON.
    assert {name for name, count in readers.items() if count} == {"slices.sql", "lake.sql"}
    assert len(re.findall(r"\bvar\(", (PROJECT / "macros/slices.sql").read_text())) == 1


def test_a_broken_contract_fails_the_build(lake: Lake) -> None:
    only = SliceBlock((OHIO,), WEEK, WEEK)
    lake.replace("bronze/shipments", only, table("bronze/shipments", shipment(OHIO, WEEK, -5)))
    result = build(lake, only)
    failed = {node.node.name for node in result.result.results if node.status == "fail"}
    assert "shipments_follows_contract" in failed


def test_the_yaml_that_is_checked_in_follows_the_contracts() -> None:
    for path, text in render().items():
        assert (PROJECT / path).read_text() == text, f"{path} differs: run python -m transforms.contracts.dbt_yaml"


def dbt(*arguments: str, lake: Lake) -> dbtRunnerResult:
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--vars", json.dumps({"lake_root": lake.root})]
    return dbtRunner().invoke(["--quiet", *arguments, *where])


def test_every_unit_test_of_the_models_runs_and_passes(lake: Lake) -> None:
    found = [result for part in ("tag:reference", "tag:sliced") for result in run_results(build(lake, HISTORY, part))]
    outcomes = {name.split(".")[-1]: status for name, status in found if name.startswith("unit_test.")}
    written = [test["name"] for path in PROJECT.glob("models/*/_unit_tests.yml") for test in yaml.safe_load(path.read_text())["unit_tests"]]
    assert len(written) >= 8
    assert outcomes == dict.fromkeys(written, "pass")


def test_dates_of_closing_and_delisting_reach_silver(lake: Lake) -> None:
    told = at(date(2022, 4, 1))
    store = {"store_id": "1", "region": "ohio", "format": "large", "closed_on": date(2022, 5, 9), "closing_known_at": told}
    product = {"product_id": "A", "case_pack": 6, "delisted_on": date(2022, 6, 6), "delisting_known_at": told}
    lake.overwrite("bronze/stores", table("bronze/stores", {**store, **LINEAGE}))
    lake.overwrite("bronze/products", table("bronze/products", {**product, **LINEAGE}))
    assert build(lake, None, "tag:reference").success
    for name, row in (("silver/stores", store), ("silver/products", product)):
        [found] = lake.read(name).to_pylist()
        assert {column: found[column] for column in row} == row


def run_results(result: dbtRunnerResult) -> list[tuple[str, str]]:
    return [(found.node.unique_id, str(found.status)) for found in result.result.results]


def test_sources_are_fresh_until_their_contract_says_that_they_are_late(lake: Lake, tmp_path: Path) -> None:
    def arrived(days: int) -> dict[str, str]:
        moment = datetime.now(UTC) - timedelta(days=days)
        rows = table("bronze/shipments", {**shipment(OHIO, WEEK, 12), "arrived_at": moment})
        lake.replace("bronze/shipments", HISTORY, rows)
        dbt("source", "freshness", "--select", "source:bronze.shipments", "--output", str(tmp_path / "sources.json"), lake=lake)
        return {found["unique_id"]: found["status"] for found in json.loads((tmp_path / "sources.json").read_text())["results"]}

    source = "source.shelfcast.bronze.shipments"
    assert [arrived(days)[source] for days in (1, 12, 30)] == ["pass", "warn", "error"]


def test_docs_describe_every_model_and_column(lake: Lake, tmp_path: Path) -> None:
    assert dbt("docs", "generate", "--target-path", str(tmp_path), lake=lake).success
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert {node["name"] for node in models} == {path.stem for path in PROJECT.glob("models/*/*.sql")}
    for node in [*models, *manifest["sources"].values()]:
        assert node["description"], node["name"]
        assert node["columns"], node["name"]
        assert all(column["description"] for column in node["columns"].values()), node["name"]
    catalog = json.loads((tmp_path / "catalog.json").read_text())
    for unique_id, node in {**catalog["nodes"], **catalog["sources"]}.items():
        described = (manifest["nodes"] | manifest["sources"])[unique_id]["columns"]
        assert set(node["columns"]) == set(described), unique_id


def test_a_forecast_issued_after_the_origin_fails_the_build(lake: Lake) -> None:
    rows = lake.read("silver/weather_known").to_pylist()
    used = next(row for row in rows if row["forecast_days"])
    assert used["last_issued_at"] < datetime.combine(used["week"] + timedelta(days=7), datetime.min.time(), UTC)
    assert used["basis"] in {"forecast", "mixed"}
    assert {row["basis"] for row in rows if not row["forecast_days"]} <= {"climatology", "unknown"}
    only = SliceBlock((OHIO,), Week(used["week"]), Week(used["week"]))
    leaked = {**used, "last_issued_at": datetime.combine(used["week"] + timedelta(days=8), datetime.min.time(), UTC)}
    lake.replace("silver/weather_known", only, table("silver/weather_known", leaked))
    variables = json.dumps({"lake_root": lake.root, "regions": ["ohio"], "week_first": str(only.first), "week_last": str(only.last)})
    where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--vars", variables]
    found = dbtRunner().invoke(["--quiet", "test", *where, "--select", "weather_known_uses_no_later_forecast", "weather_known"])
    failed = {result.node.name for result in found.result.results if str(result.status) == "fail"}
    assert failed == {"weather_known_uses_no_later_forecast"}


def test_no_sliced_model_has_a_union() -> None:
    sliced = [name for name, contract in CONTRACTS.items() if contract.sliced and (name.startswith("silver/") or name == "gold/demand")]
    texts = [path.read_text() for name in sliced for path in PROJECT.glob(f"models/*/{CONTRACTS[name].table}.sql")]
    assert len(texts) == len(sliced) >= 5
    # DuckDB waits for ever on a streamed union of millions of rows; see dbt_project/DECISIONS.md.
    assert not [text for text in texts if re.search(r"\bunion\b", text)]


def test_one_landing_conditioned_again_and_again_gives_one_dataset_version(lake: Lake) -> None:
    """Six conditionings of one landing had given six versions: means of weather depended on the order in which threads added floats."""
    rng, years = np.random.default_rng(3), SliceBlock((OHIO,), WEEK + -330, WEEK)
    days = [(WEEK + -330).monday + timedelta(days=day) for day in range(7 * 330)]
    places = [f"P{number}" for number in range(60)]
    noise = iter(rng.normal(20, 9, len(days) * len(places)))
    rows = [{**observation(day, next(noise)), "place": place} for place in places for day in days]
    lake.replace("bronze/weather_observed", years, table("bronze/weather_observed", *rows))
    stores = [{"store_id": place, "region": "ohio", "format": "large", "place": place, **LINEAGE} for place in places]
    lake.overwrite("bronze/stores", table("bronze/stores", *({**row, "store_id": "1"} if row["place"] == "P0" else row for row in stores)))
    assert build(lake, None, "stores").success
    versions = set()
    for _ in range(4):
        assert build(lake, years, "weather weather_known").success
        versions.add(contents_of(lake, [OHIO])[OHIO])
    assert len(versions) == 1


def test_what_is_parsed_is_the_same_with_any_vars(lake: Lake) -> None:
    """A run reuses what was parsed before with other vars (`orchestration.runtime.dbt.server`): no ref and no setting of a model may depend on them."""

    def nodes(**variables: object) -> dict[str, object]:
        where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", lake.root, "--no-partial-parse"]
        done = dbtRunner().invoke(["--quiet", "parse", *where, "--vars", json.dumps(variables)])
        assert done.success
        assert isinstance(done.result, Manifest)
        found = {**done.result.nodes, **done.result.unit_tests}
        return {name: {key: value for key, value in node.to_dict().items() if key != "created_at"} for name, node in found.items()}

    slices = {"lake_root": lake.root, "regions": ["ohio"], "week_first": "2022-05-02", "week_last": "2022-05-09"}
    assert nodes() == nodes(**slices, additive=["shipments", "returns"], snapshots="backdated")
