import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.serving.reports import create_app
from orchestration.history.batches import BatchingEventLog
from orchestration.runtime.instance import open_instance
from orchestration.runtime.partitions import REGION_WEEK, slice_of
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions
from orchestration.web.access import TokenDoor
from orchestration.web.webserver import behind_front
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.errors import InvalidKey

CHECKOUT = Path(__file__).resolve().parents[3]
WEEK = Week.parse("2022-05-02")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    from orchestration.definitions import defs

    return defs


def test_the_code_location_loads_whole(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    repository.load_all_definitions()
    assert {"conditioning", "weekly_cycle", "reference_data", "accuracy_board"} <= set(repository.job_names)
    assert [sensor.name for sensor in repository.sensor_defs] == ["alerts", "cycle_sensor", "finished_runs", "landing_sensor", "lineage_sender"]
    assert {schedule.name for schedule in repository.schedule_defs} == {"weekly_schedule", "audit_schedule", "fetch_schedule", "maintenance_schedule"}


def test_every_asset_is_described_owned_and_grouped(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.group_name in {
            "landing",
            "bronze",
            "staging",
            "silver",
            "gold",
            "datasets",
            "training",
            "scoring",
            "monitoring",
            "audit",
            "maintenance",
            "trials",
        }, spec.key


def test_assets_that_people_look_at_lead_to_a_page_that_there_is(definitions: dg.Definitions) -> None:
    from dashboard.shell import BESIDE, PAGES

    places = {f"/pages/{path}" for _, path, _ in (*PAGES, *BESIDE)}
    led = {spec.key.to_user_string(): spec.metadata["page"].value for spec in definitions.resolve_all_asset_specs() if "page" in spec.metadata}
    assert {"gold/order_plan", "gold/forecasts", "gold/accuracy", "gold/value_added"} <= led.keys()
    assert set(led.values()) <= places
    for spec in definitions.resolve_all_asset_specs():
        # What dbt makes has its SQL as its description.
        if (page := led.get(spec.key.to_user_string())) is not None and "dbt" not in spec.kinds:
            assert spec.description is not None
            assert spec.description.endswith(f"({page})")


def test_tables_show_the_columns_of_their_contracts(definitions: dg.Definitions) -> None:
    shown = {"/".join(spec.key.path): spec.metadata.get("dagster/column_schema") for spec in definitions.resolve_all_asset_specs()}
    for name in ("gold/demand", "gold/forecasts", "silver/weather_known", "bronze/shipments"):
        assert [column.name for column in shown[name].columns] == list(CONTRACTS[name].names)


def test_dbt_tests_are_asset_checks(definitions: dg.Definitions) -> None:
    checks = {(key.asset_key.to_user_string(), key.name) for key in definitions.resolve_asset_graph().asset_check_keys}
    assert ("gold/demand", "demand_key_is_unique") in checks
    assert ("silver/weather_known", "weather_known_uses_no_later_forecast") in checks
    assert {("bronze/shipments", "no_file_refused"), ("bronze/shipments", "every_file_found")} <= set(checks)


def test_workspace_and_pyproject_name_the_same_code_location() -> None:
    workspace = yaml.safe_load((CHECKOUT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["module_name"] == project["code_location_target_module"]
    assert workspace["location_name"] == project["code_location_name"]


def test_a_partition_key_that_could_break_a_predicate_is_refused() -> None:
    with pytest.raises(InvalidKey):
        slice_of("x' or '1'='1|2022-05-02")


def test_blocks_are_split_where_dagster_lists_regions_in_another_order() -> None:
    regions = tuple(Region(name) for name in ("a", "b", "c"))
    split = contiguous_blocks([SliceBlock(regions, WEEK, WEEK)], ["b", "x", "a", "c"])
    assert [[str(region) for region in block.regions] for block in split] == [["b"], ["a", "c"]]


@pytest.mark.parametrize(("many", "planned"), [(500, 120), (100, 1)])
def test_events_of_a_range_are_stored_in_batches_and_read_back_by_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: str, many: int, planned: int
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")
    monkeypatch.setattr("orchestration.runtime.runs.MANY_SLICES", many)

    @dg.asset(partitions_def=REGION_WEEK, backfill_policy=dg.BackfillPolicy.single_run())
    def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"slices": len(context.partition_keys)})

    from orchestration.runtime.runs import Runner

    job = dg.define_asset_job("job", selection=[table])
    definitions = dg.Definitions(assets=[table], jobs=[job], executor=dg.in_process_executor)
    block = SliceBlock((Region("a"), Region("b")), WEEK, WEEK + 59)
    assert range_tags(block)["dagster/asset_partition_range_end"] == f"b|{WEEK + 59}"
    with open_instance(tmp_path, local=False) as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLog)
        register_regions(instance, block.regions)
        run = Runner(lambda: definitions, instance, tmp_path / "log", lambda *_: None).execute("job", [block])[0]
        assert instance.get_run_by_id(run).is_success
        done = instance.get_materialized_partitions(dg.AssetKey("table"))
        assert done == {f"{item.region}|{item.week}" for item in block.slices()}
        latest = instance.get_latest_materialization_event(dg.AssetKey("table"))
        assert latest.asset_materialization.metadata["slices"].value == 120
        kinds = [entry.dagster_event.event_type for entry in instance.all_logs(run)]
        assert kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED) == planned
        tags = instance.event_log_storage.get_event_tags_for_asset(dg.AssetKey("table"), filter_tags={"dagster/partition/region": "b"})
        assert sorted(found["dagster/partition/week"] for found in tags) == [str(WEEK + step) for step in range(60)]


def test_reports_are_served_to_this_machine_only(tmp_path: Path) -> None:
    page = tmp_path / "drift" / "ohio" / "2022-05-02.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>ohio</h1>")
    (tmp_path.parent / "secret.html").write_text("secret")
    client = TestClient(
        behind_front(Starlette(), create_app(tmp_path), TokenDoor(3001, "t0k3n", "ann")),
        base_url="http://127.0.0.1:3001",
        headers={"authorization": "Bearer t0k3n"},
    )
    assert client.get("/reports/drift/ohio/2022-05-02.html").text == "<h1>ohio</h1>"
    assert "drift/ohio/2022-05-02.html" in client.get("/reports/").text
    assert client.get("/reports/../secret.html").status_code == 404
    assert client.get("/reports/", headers={"host": "evil.example"}).status_code == 403
