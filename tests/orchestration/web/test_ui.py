"""The UI for real: webserver, daemon and reports of a small lake, driven over GraphQL and in a browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from models.members.settings import BoostingSettings, Settings
from orchestration.project import Project
from orchestration.web.access import address, token_at
from tests.orchestration import waiting
from tests.orchestration.waiting import free_port
from transforms.adapters import load_provider
from transforms.calendar import Week
from transforms.lake.tables import Lake
from transforms.landing import folder
from transforms.world import World, WorldSpec, simulate, write_landing, write_week

SPEC = WorldSpec(regions=2, stores_per_region=5, products=8, weeks=78)
CHROMIUM = shutil.which("chromium")
wait_for = partial(waiting.wait_for, pause=1)
ASSETS = [
    *(["bronze", name] for name in ("shipments", "returns", "weather_observed", "weather_forecast")),
    *(["staging", f"stg_{name}"] for name in ("shipments", "returns", "weather_observed", "weather_forecast")),
    *(["silver", name] for name in ("shipments", "returns", "weather", "weather_known")),
    *(["gold", name] for name in ("demand", "dataset_versions", "forecasts", "order_plan", "order_plan_final", "accuracy", "retraining", "ladder")),
    *(["models", name] for name in ("ensembles", "champions")),
    ["reports", "drift_report"],
]


class Ui:
    """The services of one lake."""

    def __init__(self, root: Path, world: World, port: int) -> None:
        self.root, self.world, self.port = root, world, port
        self.lake = Lake(str(root))

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": text, "variables": variables}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {token_at(self.root, self.port)}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = json.load(answer)
        assert "errors" not in content, content["errors"]
        return content["data"]

    def runs(self) -> list[dict[str, Any]]:
        return self.query("{runsOrError{... on Runs{results{runId status jobName tags{key value} startTime}}}}")["runsOrError"]["results"]

    def backfill(self, assets: list[list[str]], keys: list[str]) -> str:
        data = self.query(
            """mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams:$p){__typename
            ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message} ... on InvalidSubsetError{message}}}""",
            p={"assetSelection": [{"path": path} for path in assets], "partitionNames": keys, "title": "test"},
        )["launchPartitionBackfill"]
        assert data["__typename"] == "LaunchBackfillSuccess", data
        return data["backfillId"]

    def of_backfill(self, backfill: str) -> list[dict[str, Any]]:
        return [run for run in self.runs() if {"key": "dagster/backfill", "value": backfill} in run["tags"]]

    def why_failed(self, run: str) -> list[str]:
        found = self.query(
            """query($id: ID!){logsForRun(runId:$id, limit:1000){... on EventConnection{events{
            ... on ExecutionStepFailureEvent{stepKey error{message causes{message}}} ... on RunFailureEvent{message error{message causes{message}}}}}}}""",
            id=run,
        )["logsForRun"]
        return [json.dumps(event) for event in found["events"] if event.get("error")]

    def await_backfill(self, backfill: str) -> None:
        def done() -> bool:
            found = self.query("query($id: String!){partitionBackfillOrError(backfillId:$id){... on PartitionBackfill{status}}}", id=backfill)
            status = found["partitionBackfillOrError"]["status"]
            why = {run["runId"]: self.why_failed(run["runId"]) for run in self.of_backfill(backfill) if run["status"] == "FAILURE"}
            assert not why, why
            assert status not in {"FAILED", "COMPLETED_FAILED", "CANCELED"}, status
            return status == "COMPLETED_SUCCESS"

        wait_for(done, 400)
        # A backfill may call itself successful although its only run failed.
        mine = self.of_backfill(backfill)
        assert mine
        assert {run["status"] for run in mine} == {"SUCCESS"}


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    root = tmp_path_factory.mktemp("ui") / "lake"
    world, provider = simulate(SPEC), load_provider("sample")
    write_landing(world, folder(Lake(str(root)), provider), last=world.last + -1)
    settings = Settings(boosting=BoostingSettings(iterations=8, learning_rate=0.05, leaves=8))
    Project(provider="sample", train_weeks=56, members=("lasso", "boosting"), settings=settings).save(root)
    shelfcast = [sys.executable, "-m", "orchestration", "--help"]
    assert subprocess.run(shelfcast, capture_output=True, check=True).stdout
    subprocess.run([sys.executable, "-m", "orchestration", "status", "--root", str(root)], check=True, capture_output=True)
    port = free_port()
    environment = {**os.environ, "SHELFCAST_ROOT": str(root)}
    process = subprocess.Popen([sys.executable, "-m", "orchestration", "ui", "--root", str(root), "--port", str(port)], env=environment)
    services = Ui(root, world, port)
    try:
        wait_for(lambda: loaded(services), 180)
        yield services
    finally:
        process.terminate()
        process.wait(timeout=60)
        assert nobody_listens(port), "the webserver outlived the command that started it"


def nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def loaded(services: Ui) -> bool:
    try:
        entries = services.query("{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{__typename ... on PythonError{message}}}}}}")
    except OSError:
        return False
    kinds = [entry["locationOrLoadError"] for entry in entries["workspaceOrError"]["locationEntries"]]
    assert all(kind is None or kind["__typename"] != "PythonError" for kind in kinds), kinds
    return bool(kinds) and all(kind is not None for kind in kinds)


def start_sensor(services: Ui) -> None:
    selector = {"repositoryLocationName": "shelfcast", "repositoryName": "__repository__", "sensorName": "landing_sensor"}
    started = services.query("mutation($s: SensorSelector!){startSensor(sensorSelector:$s){__typename ... on PythonError{message}}}", s=selector)[
        "startSensor"
    ]
    assert started["__typename"] == "Sensor", started


@pytest.mark.slow
def test_the_sensor_takes_in_history_then_exactly_what_a_new_week_touches(ui: Ui) -> None:
    start_sensor(ui)
    wait_for(lambda: ui.lake.exists("gold/demand") and all(run["status"] == "SUCCESS" for run in ui.runs()) and len(ui.runs()) >= 2, 400)
    before = {run["runId"] for run in ui.runs()}
    demand = ui.lake.version("gold/demand")
    # One region alone reports its new week.
    only = simulate(SPEC)
    only.shipped[only.store_region[only.series_store] == 1, -1] = 0
    week = ui.world.last
    top = folder(ui.lake, load_provider("sample"))
    staged = ui.root / "staged"
    write_week(only, staged, week)
    (top / "shipments" / f"shipments_{week}.csv").write_bytes((staged / "shipments" / f"shipments_{week}.csv").read_bytes())

    def rebuilt() -> bool:
        new = [run for run in ui.runs() if run["runId"] not in before]
        return bool(new) and all(run["status"] == "SUCCESS" for run in new)

    wait_for(rebuilt, 240)
    new = [run for run in ui.runs() if run["runId"] not in before]
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in new]
    assert [(tag["dagster/asset_partition_range_start"], tag["dagster/asset_partition_range_end"]) for tag in tags] == [
        (f"north_texas|{week}", f"north_texas|{week}")
    ]
    assert ui.lake.version("gold/demand") == (demand or 0) + 1
    rows = ui.lake.read("gold/demand", where=f"week = date '{week}'", columns="distinct region")["region"].to_pylist()
    assert rows == ["north_texas"]


@pytest.mark.slow
def test_a_backfill_of_all_assets_over_weeks_and_regions_succeeds(ui: Ui) -> None:
    first = ui.world.last + -5
    keys = [f"{region}|{first + step}" for region in ("north_texas", "south_texas") for step in range(2)]
    ui.await_backfill(ui.backfill(ASSETS, keys))
    forecasts = ui.lake.read("gold/forecasts", columns="distinct region, origin_week").to_pylist()
    assert {f"{row['region']}|{row['origin_week']}" for row in forecasts} == set(keys)
    scored = ui.lake.read("gold/accuracy", columns="distinct week")["week"].to_pylist()
    # The weeks of the backfill and those that its forecasts reach, as far as they have landed.
    assert {Week(week) for week in scored} == {first + step for step in range(1, 6)}
    lineage = ui.query(
        """{assetNodeOrError(assetKey: {path: ["gold", "demand"]}){... on AssetNode{assetMaterializations(limit: 1){
        metadataEntries{label ... on MarkdownMetadataEntry{mdStr}}}}}}"""
    )["assetNodeOrError"]["assetMaterializations"][0]["metadataEntries"]
    [shown] = [entry["mdStr"] for entry in lineage if entry["label"] == "column lineage"]
    assert "| demand | silver/returns.units_returned, silver/shipments.units_shipped |" in shown
    champions = ui.lake.read("gold/model_events", where="event = 'champion'")
    assert champions.num_rows > 0


@pytest.mark.slow
def test_one_slice_materializes_and_its_drift_report_opens_from_the_asset_page(ui: Ui) -> None:
    week = ui.world.last + -1
    ui.await_backfill(ui.backfill([["reports", "drift_report"]], [f"south_texas|{week}"]))
    assert (ui.root / "reports" / "drift" / "south_texas" / f"{week}.html").stat().st_size < 1_000_000
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the page itself cannot be looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1500, "height": 1000})
        page = context.new_page()
        page.goto(address(ui.port, token_at(ui.root, ui.port)))
        page.goto(f"http://127.0.0.1:{ui.port}/assets/reports/drift_report?partition=south_texas%7C{week}&view=partitions")
        link = page.locator(f"a[href$='drift/south_texas/{week}.html']").first
        link.wait_for(timeout=60_000)
        errors: list[str] = []
        report = context.new_page()
        report.on("pageerror", lambda error: errors.append(str(error)))
        report.goto(link.evaluate("link => link.href"))
        assert not report.get_by_text("Drift in column 'demand'").first.is_visible()
        report.get_by_text("How each column is distributed").click()
        report.get_by_text("Drift in column 'demand'").wait_for(timeout=30_000)
        assert "drift" in report.locator("h1").first.inner_text().lower()
        assert errors == []
        page.goto(f"http://127.0.0.1:{ui.port}/assets/reports/drift_report?view=checks&checkDetail=no_drift")
        # The check's own tab: that of the asset, a link, is there before it.
        page.locator("button[role=tab]", has_text="Partitions").click(timeout=60_000)
        found = ui.lake.read("gold/drift", where=f"region = 'south_texas' and week = date '{week}'")["drifted"].to_pylist()
        # The backfill before this has judged slices too.
        state = "Skipped" if not found else "Failed" if any(found) else "Passed"
        page.get_by_text(re.compile(rf"^{state} \([1-9]\d*\)$")).first.wait_for(timeout=30_000)
        browser.close()
