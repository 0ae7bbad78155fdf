"""Incidents around /metrics: a number that is not the lake's, a scrape that reads everything, and somebody who reads it without the scrapers' token."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
import uvicorn
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from orchestration.project import Project
from orchestration.telemetry.exposition import MOST_SERIES, LakeMeasurements
from orchestration.web.access import SCRAPERS, TokenDoor, scrapers_token
from orchestration.web.metrics import Measured
from orchestration.web.team import ProxyDoor
from orchestration.web.webserver import behind_front
from tests.orchestration.waiting import free_port, wait_for
from transforms.adapters import load_provider
from transforms.contracts.gold import ACCURACY, FORECASTS
from transforms.contracts.life_cycle import DATASET_VERSIONS
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import folder, register
from transforms.records.pipeline_steps import PipelineStep, record

CHECKOUT = Path(__file__).resolve().parents[3]
TOKEN, UI_TOKEN, SECRET = "scrapers-" + "t" * 32, "u" * 43, "s" * 40
REGION = {"region": "north_texas"}


@pytest.fixture(scope="module")
def lake(small_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """For reading; a test that changes it takes a copy."""
    root = tmp_path_factory.mktemp("metrics") / "lake"
    shutil.copytree(small_lake, root)
    return Lake(str(root))


@pytest.fixture
def own_lake(lake: Lake, tmp_path: Path) -> Lake:
    shutil.copytree(lake.root, tmp_path / "lake")
    return Lake(str(tmp_path / "lake"))


def exposed(lake: Lake) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LakeMeasurements(lake))
    return registry


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(registry: CollectorRegistry) -> Samples:
    return parsed(generate_latest(registry).decode())


def parsed(text: str) -> Samples:
    families = list(text_string_to_metric_families(text))
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def one(lake: Lake, sql: str, *tables: str) -> list[tuple]:
    with lake.connect(*tables) as connection:
        return connection.execute(sql).fetchall()


def monday(week: date) -> float:
    return datetime(week.year, week.month, week.day, tzinfo=UTC).timestamp()


def test_accuracy_is_that_of_the_forecasts_and_deliveries_themselves(lake: Lake) -> None:
    """From rows of forecasts and demand, not from the table of scores that the measurement is read from."""
    found = samples(exposed(lake))
    rows = one(
        lake,
        """
        select f.format, f.mover, avg(abs(coalesce(d.demand, 0) - size) / d.demand) filter (where d.demand > 0),
            avg(abs(coalesce(d.demand, 0) - baseline_size) / d.demand) filter (where d.demand > 0),
            sqrt(avg((coalesce(d.demand, 0) - expected) ** 2)), count(*)
        from gold_forecasts as f left join gold_demand as d
            on f.region = d.region and f.store_id = d.store_id and f.product_id = d.product_id and f.target_week = d.week
        group by all
        """,
        FORECASTS.name,
        "gold/demand",
    )
    assert len(rows) == 4
    for format_, mover, mape, baseline, rmse, n in rows:
        segment = {**REGION, "format": format_, "mover": mover}
        assert value(found, "shelfcast_segment_mape_ratio", **segment) == pytest.approx(mape)
        assert value(found, "shelfcast_segment_baseline_mape_ratio", **segment) == pytest.approx(baseline)
        assert value(found, "shelfcast_segment_rmse_units", **segment) == pytest.approx(rmse)
        assert value(found, "shelfcast_segment_scored_rows", **segment) == n
    [(last,)] = one(lake, "select max(week) from gold_accuracy", ACCURACY.name)
    assert value(found, "shelfcast_scored_week_timestamp_seconds", **REGION) == monday(last)
    assert value(found, "shelfcast_mape_target_ratio") == Project.of(lake).gate.max_mape


def test_weeks_models_and_runs_are_those_on_record(lake: Lake) -> None:
    found = samples(exposed(lake))
    assert value(found, "shelfcast_landed_week_timestamp_seconds", **REGION) == monday(date(2023, 8, 7))
    assert value(found, "shelfcast_forecast_origin_timestamp_seconds", **REGION) == monday(date(2023, 7, 10))
    assert value(found, "shelfcast_forecast_rows", **REGION, rung="champion") == lake.read(FORECASTS.name, columns="count(*) as n")["n"][0].as_py()
    trained = {labels: at for (name, labels), at in found.items() if name == "shelfcast_champion_trained_week_timestamp_seconds"}
    assert set(trained.values()) == {monday(date(2023, 7, 10))}
    assert len(trained) == 6
    assert value(found, "shelfcast_stale_champions", **REGION) == 0
    assert value(found, "shelfcast_watched_columns", **REGION) == len(one(lake, "from gold_drift", "gold/drift"))
    for job, ended, seconds, steps in one(
        lake,
        "select job, epoch(max(ended_at)), epoch(max(ended_at)) - epoch(min(started_at)), count(*) from gold_pipeline_steps group by job",
        "gold/pipeline_steps",
    ):
        assert value(found, "shelfcast_job_last_run_timestamp_seconds", dagster_job=job) == ended
        assert value(found, "shelfcast_job_last_run_duration_seconds", dagster_job=job) == pytest.approx(seconds)
        assert value(found, "shelfcast_job_last_run_success", dagster_job=job) == 1
        told = [n for (name, labels), n in found.items() if name == "shelfcast_steps_total" and dict(labels)["dagster_job"] == job]
        assert sum(told) == steps
    assert {n for (name, _), n in found.items() if name == "shelfcast_collector_success"} == {1}
    assert (value(found, "shelfcast_pending_slices", **REGION), value(found, "shelfcast_refused_files")) == (0, 0)


def test_what_waits_is_refused_or_failed_is_counted_from_the_next_scrape_on(own_lake: Lake) -> None:
    before = samples(exposed(own_lake))
    provider = load_provider("sample")
    landing = folder(own_lake, provider)
    shipments = sorted(landing.rglob("*shipments*"))
    (shipments[-1].with_name(shipments[-1].name.replace("2023", "2024"))).write_text("not,the,columns\n1,2,3\n")
    text = shipments[-1].read_text()
    shipments[-1].write_text("".join(f"{line}\n" for line in text.splitlines()[:-3]))
    register(own_lake, provider, datetime.now(UTC))
    newest = own_lake.read(DATASET_VERSIONS.name).to_pylist()[-1]
    waiting = {**newest, "dataset_version": "north_texas-new", "recorded_at": newest["recorded_at"] + timedelta(days=1)}
    own_lake.append(DATASET_VERSIONS.name, pa.Table.from_pylist([waiting], schema=DATASET_VERSIONS.schema))
    record(own_lake, [step("weekly_cycle", "scoring", "failed")])
    found = samples(exposed(own_lake))
    assert value(found, "shelfcast_refused_files") == 1
    assert value(found, "shelfcast_pending_slices", **REGION) == 1
    assert (value(before, "shelfcast_data_awaiting_approval", **REGION), value(found, "shelfcast_data_awaiting_approval", **REGION)) == (0, 1)
    failed = {"dagster_job": "weekly_cycle", "step": "scoring"}
    assert value(found, "shelfcast_failed_steps_total", **failed) == value(before, "shelfcast_failed_steps_total", **failed) + 1
    assert value(found, "shelfcast_job_last_run_success", dagster_job="weekly_cycle") == 0
    good = ("shelfcast_job_last_success_timestamp_seconds", (("dagster_job", "weekly_cycle"),))
    assert found[good] == before[good]


def step(job: str, name: str, state: str = "succeeded", run: str = "run") -> PipelineStep:
    at = datetime(2026, 1, 7, 6, 0, tzinfo=UTC) + timedelta(days=365)
    return PipelineStep(run, name, job, None, None, None, None, at, at, 1.0, None, state, None, "ann")  # type: ignore[arg-type]


def test_a_scrape_of_a_lake_that_has_not_changed_reads_no_data_and_one_that_cannot_be_read_shows_no_old_number(
    own_lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    registry = exposed(own_lake)
    before = samples(registry)
    for file in [*own_lake.path("lake/gold/forecasts").rglob("*.parquet"), *own_lake.path("lake/gold/accuracy").rglob("*.parquet")]:
        file.unlink()
    assert samples(registry) == before
    # A fresh server has nothing kept.
    found = samples(exposed(own_lake))
    assert {labels[0][1]: n for (name, labels), n in found.items() if name == "shelfcast_collector_success"} == {
        **dict.fromkeys(("drift", "models", "data", "landing", "runs", "lineage"), 1),
        **dict.fromkeys(("forecasts", "accuracy"), 0),
    }
    assert not any(name.startswith(("shelfcast_forecast_rows", "shelfcast_segment")) for name, _ in found)
    assert "Measurements of forecasts cannot be read" in caplog.text
    assert value(found, "shelfcast_job_last_run_success", dagster_job="weekly_cycle") == 1


HOSTILE = ['a"} 1\nup 0', "back\\slash", "line\nbreak", "{x=}", "ü€\u202e"]


def test_a_hostile_name_stays_a_label_and_many_of_them_are_bounded(own_lake: Lake) -> None:
    record(own_lake, [step(name, name) for name in HOSTILE])
    found = samples(exposed(own_lake))
    for name in HOSTILE:
        assert value(found, "shelfcast_steps_total", dagster_job=name, step=name) == 1
    assert ("up", ()) not in found
    record(own_lake, [step("z", f"z{number}", run="many") for number in range(MOST_SERIES)])
    found = samples(exposed(own_lake))
    assert sum(name == "shelfcast_steps_total" for name, _ in found) == MOST_SERIES
    assert value(found, "shelfcast_series_left_out", family="shelfcast_steps_total") > 20


def test_an_empty_lake_is_measured_too(tmp_path: Path) -> None:
    Project(provider="sample").save(tmp_path)
    found = samples(exposed(Lake(str(tmp_path))))
    assert {n for (name, _), n in found.items() if name == "shelfcast_collector_success"} == {1}


def test_each_name_in_the_example_rules_is_exposed_and_promtool_accepts_both(lake: Lake, tmp_path: Path) -> None:
    text = generate_latest(exposed(lake)).decode()
    names = {family.name for family in text_string_to_metric_families(text)}
    rules = CHECKOUT / "deploy" / "prometheus" / "shelfcast.rules.yml"
    used = {
        name
        for group in yaml.safe_load(rules.read_text())["groups"]
        for rule in group["rules"]
        for name in re.findall(r"shelfcast_\w+", rule["expr"])
    }
    assert used <= names
    assert len(used) > 10
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("Debian's prometheus is not installed: promtool cannot check")
    assert subprocess.run([promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False).stderr == ""
    subprocess.run([promtool, "check", "rules", str(rules)], check=True, capture_output=True)
    subprocess.run([promtool, "check", "config", "--syntax-only", str(rules.with_name("prometheus.yml"))], check=True, capture_output=True)


@contextmanager
def served(lake: Lake, door: TokenDoor | ProxyDoor | None, port: int, token: str = TOKEN) -> Iterator[str]:
    """The front as the webserver process serves it, with something simple behind it."""

    async def whatever(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"dagster at {request.url.path}", status_code=404 if "missing" in request.url.path else 200)

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()
        await websocket.close()

    inner = Starlette(routes=[WebSocketRoute("/graphql", talk), Route("/{path:path}", whatever, methods=["GET", "POST"])])
    front = behind_front(inner, inner, door or TokenDoor(port, UI_TOKEN, "ann"))
    server = uvicorn.Server(uvicorn.Config(Measured(front, lake, token), host="127.0.0.1", port=port, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def front(lake: Lake) -> Iterator[str]:
    with served(lake, None, free_port()) as address:
        yield address


SHOWN = {"authorization": f"Bearer {TOKEN}"}


def test_nobody_but_a_scraper_with_its_token_reads_it(front: str) -> None:
    with httpx.Client(base_url=front) as person:
        person.get("/", params={"token": UI_TOKEN})
        assert person.cookies
        assert person.get("/graphql").status_code == 200
        answers = {
            "an operator's session": person.get("/metrics"),
            "a session and a wrong token": person.get("/metrics", headers={"authorization": f"Bearer {TOKEN[:-1]}"}),
        }
    answers |= {
        "nobody": httpx.get(f"{front}/metrics"),
        "the UI's own token": httpx.get(f"{front}/metrics", headers={"authorization": f"Bearer {UI_TOKEN}"}),
        "an empty token": httpx.get(f"{front}/metrics", headers={"authorization": "Bearer"}),
        "no scheme": httpx.get(f"{front}/metrics", headers={"authorization": TOKEN}),
        "a parameter": httpx.get(f"{front}/metrics", params={"token": TOKEN}),
        "other letters": httpx.get(f"{front}/metrics", headers={"authorization": "Bearer t\u00fcr".encode()}),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert not any("shelfcast_" in answer.text for answer in answers.values())
    assert httpx.post(f"{front}/metrics", headers=SHOWN).status_code == 405
    assert httpx.get(f"{front}/metrics/", headers=SHOWN).status_code == 401
    # A page of another site would have to ask first.
    asked = {"origin": "https://evil.example", "access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    assert "access-control-allow-origin" not in httpx.options(f"{front}/metrics", headers=asked).headers
    # What scrapers show opens nothing else.
    assert httpx.get(f"{front}/graphql", headers=SHOWN).status_code == 401


def test_requests_and_websockets_of_the_front_are_counted_by_few_labels(front: str) -> None:
    session = {"authorization": f"Bearer {UI_TOKEN}"}

    def scraped() -> Samples:
        return parsed(httpx.get(f"{front}/metrics", headers=SHOWN).text)

    before = scraped()
    for path in ("/pages/orders", "/pages/missing", "/assets/1", "/assets/2"):
        httpx.get(f"{front}{path}", headers=session)
    httpx.request("PATCH", f"{front}/assets/3", headers=session)
    after = scraped()

    def grown(part: str, method: str, code: str) -> float:
        labels = {"part": part, "method": method, "code": code}
        key = ("shelfcast_http_requests_total", tuple(sorted(labels.items())))
        return after[key] - before.get(key, 0)

    assert (grown("pages", "GET", "200"), grown("pages", "GET", "404"), grown("dagster", "GET", "200"), grown("dagster", "other", "405")) == (
        1,
        1,
        2,
        1,
    )
    assert value(after, "shelfcast_http_request_duration_seconds_count", part="pages") >= 2
    assert value(after, "process_resident_memory_bytes") > 1e6
    socket = f"{front.replace('http', 'ws')}/graphql"
    with connect(socket, additional_headers=session) as talking:
        assert value(scraped(), "shelfcast_websockets_open", part="dagster") == 1
        talking.send("bye")
    until = time.monotonic() + 10
    while value(scraped(), "shelfcast_websockets_open", part="dagster"):
        assert time.monotonic() < until


def test_both_formats_are_answered_as_they_are_asked_for(front: str) -> None:
    plain = httpx.get(f"{front}/metrics", headers=SHOWN)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    asked = {**SHOWN, "accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    answer = httpx.get(f"{front}/metrics", headers=asked)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["cache-control"] == "no-store"
    assert {family.name for family in openmetrics(answer.text)} >= {"shelfcast_region_mape_ratio", "shelfcast_steps"}


def test_behind_a_proxy_a_scraper_on_the_machine_needs_its_token_and_a_viewer_has_none(lake: Lake, tmp_path: Path) -> None:
    roles = tmp_path / "roles.yaml"
    roles.write_text("everyone: viewer")
    with served(lake, ProxyDoor("https://forecasts.example.com", SECRET, roles), free_port()) as address:
        viewer = {"x-shelfcast-proxy": SECRET, "x-forwarded-user": "vera", "host": "forecasts.example.com"}
        assert httpx.get(f"{address}/graphql", headers=viewer).status_code == 200
        assert httpx.get(f"{address}/metrics", headers=viewer).status_code == 401
        scraped = httpx.get(f"{address}/metrics", headers=SHOWN)
    assert scraped.status_code == 200
    assert "shelfcast_region_mape_ratio" in scraped.text


def test_a_token_that_could_be_guessed_is_refused_and_none_is_no_door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SCRAPERS, "on")
    with pytest.raises(ConfigurationError, match=r"SHELFCAST_METRICS: expected a token of 32 characters or more, .* came 2"):
        scrapers_token()
    monkeypatch.delenv(SCRAPERS)
    assert scrapers_token() == ""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv(f"{SCRAPERS}_FILE", str(tmp_path / "token"))
    assert scrapers_token() == TOKEN
