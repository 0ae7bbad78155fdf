"""Incidents around profiles: which settings hold, whose lake is written to, and what a person is told before it goes wrong."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.profiles import COLOURS, read_profiles
from orchestration.project import Project
from orchestration.runtime.provider_file import take_in_provider
from orchestration.settings import dagster_database, settings, use_profile, use_root
from orchestration.web.access import TokenDoor
from orchestration.web.environment import Environment
from orchestration.web.webserver import behind_front
from transforms.adapters import load_provider
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import register
from transforms.world import WorldSpec, simulate, write_landing

FILE = """
profiles:
  dev:
    root: lakes/dev
    colour: blue
    landing: prod
    workers: 3
    project: {settings: {network: {epochs: 3}}, retrain: {every_weeks: 4}}
  prod:
    root: lakes/prod
    colour: red
    run_storage: sqlite
    project: {promotion: manual}
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a profiles file and both lakes' project files, and an environment that says nothing."""
    for name in [name for name in os.environ if name.startswith("SHELFCAST_")]:
        monkeypatch.delenv(name)
    for name in ("SHELFCAST_ROOT", "SHELFCAST_PROFILE", "SHELFCAST_PROFILES"):
        # Set and taken away, so that what commands set is taken back after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "shelfcast.profiles.yaml").write_text(FILE)
    for name in ("dev", "prod"):
        Project(provider="sample", profile=name).save(tmp_path / "lakes" / name)
    (tmp_path / "lakes" / "prod" / "landing" / "sample").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewritten(workspace: Path, *changes: tuple[str, str]) -> None:
    text = (workspace / "shelfcast.profiles.yaml").read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (workspace / "shelfcast.profiles.yaml").write_text(text)


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words], env={"COLUMNS": "250"})
    return done.exit_code, " ".join(done.output.split())


def test_a_profile_is_above_the_project_file_and_below_the_environment(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_profile("dev")
    lake = Lake(settings().root, settings().storage_options)
    assert (settings().root, settings().workers, lake.landing.root) == (str(workspace / "lakes/dev"), 3, str(workspace / "lakes/prod"))
    assert (Project.of(lake).settings.network.epochs, Project.of(lake).retrain.every_weeks, Project.of(lake).retrain.max_age_days) == (3, 4, 60)
    assert Project.written(lake).settings.network.epochs == 2
    monkeypatch.setenv("SHELFCAST_WORKERS", "5")
    assert settings().workers == 5


def test_a_file_that_is_written_again_does_not_take_in_what_is_the_profiles(workspace: Path) -> None:
    """'tune' wrote the epochs of dev into the project file, and the next release took them to prod."""
    use_profile("dev")
    lake = Lake(settings().root)
    (workspace / "mine.yaml").write_text("name: mine\n")
    Project.written(lake).model_copy(update={"provider": str(workspace / "mine.yaml")}).keep(lake)
    assert take_in_provider(lake, lambda _: None).settings.network.epochs == 3
    assert "epochs" not in (workspace / "lakes/dev/shelfcast.yaml").read_text()


def test_the_nearest_file_upwards_is_read_and_roots_are_where_it_lies(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(workspace / "deep" / "er")
    assert use_profile("prod").root == str(workspace / "lakes/prod")


def test_a_lake_of_a_profile_is_opened_as_that_one_alone(workspace: Path) -> None:
    """'run --root lakes/prod' went past prod's promotion policy."""
    with pytest.raises(ConfigurationError, match=r"belongs to profile 'prod'; it is opened without a profile.*--profile prod"):
        Project.of(Lake(str(workspace / "lakes/prod")))
    use_profile("dev")
    assert Project.of(Lake(str(workspace / "lakes/prod"))).promotion == "manual"


def test_neither_option_nor_variable_takes_a_profile_to_another_lake(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFCAST_ROOT", str(workspace / "lakes/dev"))
    with pytest.raises(ConfigurationError, match=r"SHELFCAST_ROOT is .*lakes/dev, and profile prod has .*lakes/prod: a profile is its lake"):
        use_profile("prod")
    monkeypatch.delenv("SHELFCAST_ROOT")
    use_profile("prod")
    with pytest.raises(ConfigurationError, match="give one of them"):
        use_root(str(workspace / "lakes/dev"))
    monkeypatch.setenv("SHELFCAST_LANDING_ROOT", "/elsewhere")
    with pytest.raises(ConfigurationError, match="its own landing"):
        settings()


def test_two_profiles_may_follow_each_other_in_one_process(workspace: Path) -> None:
    use_profile("dev")
    assert use_profile("prod").root == settings().root == str(workspace / "lakes/prod")


def test_the_run_history_is_the_profiles_own(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFCAST_DAGSTER_DATABASE", "postgresql://u:pa55word@h/d")
    use_profile("prod")
    with pytest.raises(ConfigurationError, match="names another run history than profile prod, which says sqlite") as told:
        dagster_database()
    assert "pa55word" not in str(told.value)
    rewritten(workspace, ("run_storage: sqlite", "run_storage: PROD_DATABASE"))
    with pytest.raises(ConfigurationError, match="PROD_DATABASE, which is not set"):
        dagster_database()
    monkeypatch.delenv("SHELFCAST_DAGSTER_DATABASE")
    monkeypatch.setenv("PROD_DATABASE", "postgresql://u:p@h/prod")
    assert dagster_database() == "postgresql://u:p@h/prod"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("colour: blue", "color: blue", "line 5, key profiles.dev.color: there is no such setting: did you mean colour?"),
        ("landing: prod", "landing: prid", "there is no profile 'prid': did you mean prod?"),
        ("landing: prod", "landing: dev", "a profile reads its own landing anyway"),
        ("  dev:\n", "  ../dev:\n", "expected a plain name like dev or prod"),
        ("  dev:\n", "  '<script>':\n", "expected a plain name like dev or prod"),
        ("run_storage: sqlite", "run_storage: 'postgresql://u:pa55word@h/d'", "a password does not belong here"),
        ("workers: 3", "tracking_uri: 'https://u:pa55word@h'", "does not belong into a file"),
        ("{promotion: manual}", "{provider: other}", "provider is the lake's own"),
        ("{promotion: manual}", "{promotion: [", "is not YAML"),
    ],
)
def test_a_profiles_file_that_is_wrong_is_told_with_line_and_key(workspace: Path, before: str, after: str, told: str) -> None:
    rewritten(workspace, (before, after))
    code, output = command("config", "check")
    assert (code, told in output) == (1, True), output
    assert "pa55word" not in output


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("root: lakes/dev", "root: lakes/prod", "a run of one would write into the other"),
        ("root: lakes/dev", "root: lakes/prod/landing/sample/dev", "one root lies in the other"),
        ("root: lakes/dev", "root: lakes/none", "is no lake yet. What to do: make it: 'shelfcast init --provider PROVIDER --profile dev'"),
        ("run_storage: sqlite", "run_storage: PROD_DATABASE", "PROD_DATABASE, which is not set"),
        ("{promotion: manual}", "{promotion: automatic, gate: {max_regression: {mape: 9}}}", "its gate lets everything pass"),
        ("{promotion: manual}", "{promotoin: manual}", "Profile prod, key project.promotoin: there is no such setting: did you mean promotion?"),
        ("root: lakes/prod", "root: s3://bucket/prod", "needs a key, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
    ],
)
def test_environments_that_do_not_stand_apart_end_the_check_with_what_to_do(workspace: Path, before: str, after: str, told: str) -> None:
    rewritten(workspace, (before, after))
    code, output = command("config", "check")
    assert (code, told in output) == (1, True), output


def test_environments_that_stand_apart_pass(workspace: Path) -> None:
    assert command("config", "check") == (0, f"2 profiles of {workspace}/shelfcast.profiles.yaml (dev, prod): nothing is wrong.")


def test_what_a_lake_lacks_or_has_too_much_is_found(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = workspace / "lakes/prod/shelfcast.yaml"
    project.write_text(project.read_text().replace("profile: prod", "profile: ''"))
    (workspace / "lakes/dev/shelfcast.yaml").write_text("provider: sample\nprofile: dev\nhorizon: 4\n")
    (workspace / "lakes/prod/landing/sample").chmod(0o777)
    monkeypatch.setenv("SHELFCAST_WORKER", "2")
    code, output = command("config", "check")
    assert code == 1
    assert "What to do: write 'profile: prod' there" in output
    assert "key horizon: there is no such setting: did you mean horizons?" in output
    assert "SHELFCAST_WORKER is set, and nothing reads it: did you mean SHELFCAST_WORKERS?" in output


def test_each_setting_is_shown_with_where_it_is_from_and_no_secret(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELFCAST_SALT", "s4lt-and-p3pper")
    monkeypatch.setenv("SHELFCAST_TRACKING_URI", "https://ann:pa55word@mlflow.example")
    output = CliRunner().invoke(app, ["config", "show", "--profile", "dev"], env={"COLUMNS": "250"}).output
    rows = [[part.strip() for part in line.split("│")[1:-1]] for line in output.splitlines() if line.startswith("│")]
    found = {name: tuple(rest) for name, *rest in rows}
    assert found["workers"] == ("3", "profile", "dev.workers")
    assert found["settings.network.epochs"] == ("3", "profile", "dev.project.settings.network.epochs")
    assert found["train_weeks"] == ("104", "project file", "shelfcast.yaml")
    assert found["settings.network.dropout"][1] == "default"
    assert found["tracking_uri"][1:] == ("environment", "SHELFCAST_TRACKING_URI")
    assert "s4lt" not in output
    assert "pa55word" not in output


def test_nothing_is_dropped_or_fetched_into_anothers_landing(workspace: Path) -> None:
    (workspace / "mine").mkdir()
    (workspace / "mine" / "stores.csv").write_text("store_id\n1\n")
    code, output = command("init", "--profile", "dev", "--provider", "sample", "--landing", str(workspace / "mine"), "--local")
    assert (code, "reads the landing files of" in output and "writes nothing there" in output) == (1, True), output
    assert [*(workspace / "lakes/prod/landing").rglob("*")] == [workspace / "lakes/prod/landing/sample"]


def test_each_colour_can_be_read_with_white_letters_on_it() -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert {name: round(1.05 / (luminance(colour) + 0.05), 1) for name, colour in COLOURS.items() if 1.05 / (luminance(colour) + 0.05) < 4.5} == {}


def test_each_page_tells_its_environment_and_data_stay_as_they_are(workspace: Path) -> None:
    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<html><body class='x'><p>hello</p></body></html>", headers={"ETag": '"1"'})

    async def frame(_: object) -> HTMLResponse:
        return HTMLResponse("<html><body>frame</body></html>")

    async def data(_: object) -> PlainTextResponse:
        return PlainTextResponse("<body>", media_type="application/json")

    inner = Starlette(routes=[Route("/", page), Route("/frame", frame), Route("/data", data)])
    environment = Environment("prod", read_profiles(workspace / "shelfcast.profiles.yaml"))
    client = TestClient(behind_front(inner, inner, TokenDoor(3000, "t0k3n", "ann"), environment), base_url="http://127.0.0.1:3000")
    signed_in = {"Authorization": "Bearer t0k3n"}
    answer = client.get("/pages/", headers=signed_in)
    assert "<body class='x'><style>" in answer.text
    assert f'style="background:{COLOURS["red"]}"><span aria-current="true">prod</span><a href="/environment/dev">dev</a></nav><p>hello' in answer.text
    assert "etag" not in answer.headers
    assert "environment" not in client.get("/pages/frame", headers={**signed_in, "Sec-Fetch-Dest": "iframe"}).text
    assert client.get("/pages/data", headers=signed_in).text == "<body>"
    assert client.get("/environment/dev").status_code == 401
    told = client.get("/environment/dev", headers=signed_in)
    assert (told.status_code, "Start it: shelfcast ui --profile dev" in told.text) == (404, True)
    assert "<script>" not in client.get("/environment/<script>", headers=signed_in).text


def test_the_bar_leads_to_the_other_ui_with_its_token_and_never_holds_it(workspace: Path) -> None:
    environment = Environment("prod", read_profiles(workspace / "shelfcast.profiles.yaml"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        (workspace / "lakes/dev" / f"ui-{port}.token").write_text("s3cret-of-dev")
        client = TestClient(behind_front(Starlette(), Starlette(), TokenDoor(3000, "t0k3n", "ann"), environment), base_url="http://127.0.0.1:3000")
        answer = client.get("/environment/dev", headers={"Authorization": "Bearer t0k3n"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"http://127.0.0.1:{port}/?token=s3cret-of-dev")
    assert answer.headers["cache-control"] == "no-store"
    assert b"s3cret" not in environment.bar


def test_sensors_and_schedules_start_as_the_profile_says(workspace: Path) -> None:
    from orchestration.definitions import all_definitions, switched

    rewritten(workspace, ("    colour: red", "    automation: {starts: [landing_sensor], cron: {weekly_schedule: '0 7 * * 1'}}\n    colour: red"))
    use_profile("prod")
    found = switched(all_definitions())
    assert [one.name for one in [*(found.sensors or ()), *(found.schedules or ())] if one.default_status.value == "RUNNING"] == ["landing_sensor"]
    assert {one.name: one.cron_schedule for one in found.schedules or ()}["weekly_schedule"] == "0 7 * * 1"
    unchanged = {one.name: one.cron_schedule for one in all_definitions().schedules or ()}
    assert unchanged["weekly_schedule"] == "0 6 * * 3"
    rewritten(workspace, ("[landing_sensor]", "[landing_sensr]"), ("'0 7 * * 1'", "'soon'"))
    with pytest.raises(ConfigurationError, match=r"'landing_sensr': did you mean landing_sensor\?; cron.weekly_schedule: expected five fields"):
        switched(all_definitions())


def test_the_landing_of_a_lake_in_a_store_is_read_and_nothing_is_put_there(
    workspace: Path, s3_server: Any, bucket: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    root = f"s3://{bucket.config['bucket']}/prod"
    rewritten(workspace, ("root: lakes/prod", f"root: {root}"))
    provider = load_provider("sample")
    simulated = workspace / "drops"
    write_landing(simulate(WorldSpec(regions=1, stores_per_region=2, products=3, weeks=4)), simulated)
    for file in (file for file in simulated.rglob("*") if file.is_file()):
        obstore.put(bucket, f"prod/landing/sample/{file.relative_to(simulated)}", file)

    def held() -> list[tuple[str, Any]]:
        return sorted((one["path"], one["e_tag"]) for page in obstore.list(bucket, "prod") for one in page)

    before = held()
    use_profile("dev")
    dev = Lake(settings().root, settings().storage_options)
    found = register(dev, provider, datetime.now(UTC))
    assert len(found.accepted) == len(before)
    assert found.refused == []
    assert held() == before
    assert not (workspace / "lakes/dev/landing").exists()
