"""A team's UI for real: Debian's Caddy signs people in in front of the webserver, as the files in deploy/ say."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
import yaml
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from obstore.store import S3Store
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from orchestration.people import Person, decider, login, named_on_command_line
from orchestration.project import Project
from orchestration.runtime.instance import open_instance
from orchestration.settings import CHECKOUT, settings_of, use_root
from orchestration.web.access import PERSON, SignedIn
from orchestration.web.team import ProxyDoor, Roles, proxy_door
from orchestration.web.webserver import Copies
from tests.orchestration.waiting import free_port
from tests.orchestration.web.test_web_front import FORGED, MUTATION, wait_for
from transforms.calendar import Week
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake

CADDY = shutil.which("caddy")
SECRET = "c4n4ry-of-the-proxy-0123456789abcdef"
ROLES = "users: {ann: operator, bea: planner}\ngroups: {readers: viewer, planning: planner}\n"
PASSWORD = "correct horse"
LAUNCH = """mutation($p: ExecutionParams!){launchRun(executionParams: $p){__typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}
... on UnauthorizedError{message} ... on RunConfigValidationInvalid{errors{message}}}}"""


@pytest.fixture
def door(tmp_path: Path) -> ProxyDoor:
    (tmp_path / "roles.yaml").write_text(ROLES)
    return ProxyDoor("https://forecasts.example.com", SECRET, tmp_path / "roles.yaml")


def asked(door: ProxyDoor, *headers: tuple[str, str]) -> tuple[int, str]:
    """Status and text of the answer to a request with these headers; who is admitted is told name and role."""

    def whoami(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.scope[PERSON].name} {request.scope[PERSON].role}")

    client = TestClient(SignedIn(Starlette(routes=[Route("/", whoami)]), door))
    answer = client.get("/", headers=[(name.encode(), value.encode()) for name, value in headers])
    return answer.status_code, answer.text.strip()


PROXY = ("x-shelfcast-proxy", SECRET)


def test_the_proxy_says_who_asks_and_the_file_what_they_may(door: ProxyDoor, caplog: pytest.LogCaptureFixture) -> None:
    assert SECRET not in repr(door)
    assert asked(door, PROXY, ("x-forwarded-user", "ann")) == (200, "ann operator")
    assert asked(door, PROXY, ("x-forwarded-user", "eve"), ("x-forwarded-groups", "staff, planning,readers")) == (200, "eve planner")
    assert asked(door, PROXY, ("x-forwarded-user", "eve")) == (403, "eve has no role here. Ask an operator for one in roles.yaml.")
    door.roles.write_text("users: {ann: king}")
    status, told = asked(door, PROXY, ("x-forwarded-user", "eve"))
    assert (status, told) == (503, "roles.yaml is not there, or not as expected: ask an operator, who finds the reason in services.log.")
    assert "users.ann" in caplog.text


@pytest.mark.parametrize("name", ["jürgen", "o'neil", "李雷", "Ann Example <ann@example.com>", "ann\\bea"])
def test_a_name_is_whatever_people_are_called(door: ProxyDoor, name: str) -> None:
    """Proxies send UTF-8, and umlauts were read as two letters each: nobody with such a name had a role."""
    door.roles.write_text(yaml.safe_dump({"users": {name: "planner"}, "groups": {"Verkäufer": "viewer"}}))
    assert asked(door, PROXY, ("x-forwarded-user", name)) == (200, f"{name} planner")
    assert asked(door, PROXY, ("x-forwarded-user", unicodedata.normalize("NFD", name))) == (200, f"{name} planner")
    assert asked(door, PROXY, ("x-forwarded-user", "eve"), ("x-forwarded-groups", "Verkäufer")) == (200, "eve viewer")


@pytest.mark.parametrize(
    "headers",
    [
        [("x-forwarded-user", "ann")],
        [("x-shelfcast-proxy", SECRET[:-1]), ("x-forwarded-user", "ann")],
        [PROXY, PROXY, ("x-forwarded-user", "ann")],
        [PROXY],
        [PROXY, ("x-forwarded-user", "")],
        [PROXY, ("x-forwarded-user", "eve"), ("x-forwarded-user", "ann")],
        [PROXY, ("x-forwarded-user", "ann\tbea")],
        [PROXY, ("x-forwarded-user", "\u202enna")],
        [PROXY, ("x-forwarded-user", "a" * 121)],
    ],
    ids=["no secret", "wrong secret", "two secrets", "nobody", "empty name", "two names", "tab", "turned name", "long name"],
)
def test_who_does_not_come_through_the_proxy_with_one_name_is_refused(door: ProxyDoor, headers: list[tuple[str, str]]) -> None:
    assert asked(door, *headers)[0] == 401


@pytest.mark.parametrize(
    ("address", "secret", "roles", "told"),
    [
        ("forecasts.example.com", SECRET, ROLES, "expected the address under which people open the UI"),
        ("https://forecasts.example.com/ui", SECRET, ROLES, "expected the address under which people open the UI"),
        ("https://forecasts.example.com", "short", ROLES, "SHELFCAST_PROXY_SECRET: expected a secret of 32 characters or more"),
        ("https://forecasts.example.com", SECRET, None, "roles.yaml is not there: it says who may do what"),
    ],
)
def test_a_team_s_ui_starts_with_nothing_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, secret: str, roles: str | None, told: str
) -> None:
    monkeypatch.setenv("SHELFCAST_ROOT", str(tmp_path))
    monkeypatch.setenv("SHELFCAST_TRUSTED_PROXY", address)
    monkeypatch.setenv("SHELFCAST_PROXY_SECRET", secret)
    if roles is not None:
        (tmp_path / "roles.yaml").write_text(roles)
    with pytest.raises(ConfigurationError, match=told):
        proxy_door(use_root(str(tmp_path)), Lake(str(tmp_path)))


def test_who_is_named_with_no_region_may_edit_none_and_who_is_not_named_all() -> None:
    roles = Roles(users={"ann": "planner", "bob": "planner", "cid": "planner"}, regions={"ann": (), "bob": ("ohio",), "sales": ("utah",)})
    found = {name: Person(name, "planner", roles.regions_of(name, ["sales"] if name == "bob" else [])) for name in ("ann", "bob", "cid")}
    assert {name: [region for region in ("ohio", "utah", "iowa") if person.may_plan(region)] for name, person in found.items()} == {
        "ann": [],
        "bob": ["ohio", "utah"],
        "cid": ["ohio", "utah", "iowa"],
    }


def test_roles_of_a_lake_in_a_store_are_read_there(s3_server: Any, bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were read in this machine's copy, where nobody looks for them and no other machine finds them."""
    for name, value in {**s3_server.environment, "SHELFCAST_STATE": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHELFCAST_TRUSTED_PROXY", "https://forecasts.example.com")
    monkeypatch.setenv("SHELFCAST_PROXY_SECRET", SECRET)
    settings = settings_of(f"s3://{bucket.config['bucket']}/lake")
    lake = Lake(settings.root, settings.storage_options)
    with pytest.raises(ConfigurationError, match=f"^{settings.root}/roles.yaml is not there: it says who may do what"):
        proxy_door(settings, lake)
    obstore.put(bucket, "lake/roles.yaml", ROLES.encode())
    door = proxy_door(settings, lake)
    assert door is not None
    assert asked(door, PROXY, ("x-forwarded-user", "ann"))[0] == 200
    copied = Copies(lake)
    obstore.put(bucket, "lake/roles.yaml", ROLES.replace("ann: operator, ", "").encode())
    copied.look(reports=False)
    assert asked(door, PROXY, ("x-forwarded-user", "ann"))[0] == 403


def test_nobody_is_admitted_by_roles_that_a_silent_store_may_have_taken_away(door: ProxyDoor) -> None:
    silent = replace(door, is_current=lambda: False)
    assert asked(silent, PROXY, ("x-forwarded-user", "ann")) == (
        503,
        "The store that holds roles.yaml does not answer, and roles may have been taken away. Try again later.",
    )


def test_decisions_carry_the_name_of_who_signed_in_and_are_an_operator_s() -> None:
    assert decider({"shelfcast/person": "ann", "shelfcast/role": "operator"}) == "ann (signed in)"
    assert decider({}) == f"login {login()}"
    assert named_on_command_line("ann") == f"ann (login {login()})"
    with pytest.raises(ConfigurationError, match="bea is a planner: decisions are an operator's"):
        decider({"shelfcast/person": "bea", "shelfcast/role": "planner"})


class Team:
    """A UI behind Caddy."""

    def __init__(self, root: Path, inner: int, outer: int, trusted: ssl.SSLContext) -> None:
        self.root, self.inner, self.address, self.trusted = root, inner, f"https://localhost:{outer}", trusted

    def ask(self, method: str, path: str, who: str | None, **more: Any) -> httpx.Response:
        signed_in = (who, PASSWORD) if who is not None else None
        return httpx.request(method, f"{self.address}{path}", auth=signed_in, verify=self.trusted, timeout=60, **more)

    def graphql(self, who: str, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/graphql", who, json={"query": query, "variables": variables}, headers={"origin": self.address})
        content = answer.json()
        assert "errors" not in content, content
        return content["data"]

    def launch(self, who: str, job: str, config: dict[str, Any], tags: dict[str, str]) -> dict[str, Any]:
        selector = {"repositoryLocationName": "shelfcast", "repositoryName": "__repository__", "jobName": job}
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        return self.graphql(who, LAUNCH, p={"selector": selector, "runConfigData": config, "executionMetadata": metadata})["launchRun"]


@contextmanager
def services(*commands: tuple[list[str], dict[str, str]]) -> Iterator[None]:
    processes = [subprocess.Popen(command, env={**os.environ, **environment}) for command, environment in commands]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=60)


def caddy(config: Path, place: Path, outer: int, inner: int, **more: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a Caddy that keeps what it writes below `place`."""
    assert CADDY is not None
    variables = {
        "SHELFCAST_ADDRESS": f"https://localhost:{outer}",
        "SHELFCAST_PORT": str(inner),
        "SHELFCAST_PROXY_SECRET": SECRET,
        "XDG_DATA_HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
    }
    return [CADDY, "run", "--adapter", "caddyfile", "--config", str(config)], {**variables, **more}


def trust(place: Path) -> ssl.SSLContext:
    authority = place / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    wait_for(authority.is_file, 60)
    time.sleep(1)
    return ssl.create_default_context(cafile=str(authority))


def answers(ask: Callable[[], httpx.Response], status: int) -> Callable[[], bool]:
    def there() -> bool:
        try:
            return ask().status_code == status
        except httpx.TransportError:
            return False

    return there


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    if CADDY is None:
        pytest.skip("caddy is not installed: deploy/caddy cannot be tried")
    place = tmp_path_factory.mktemp("team")
    root = place / "lake"
    Project(provider="sample").save(root)
    (root / "roles.yaml").write_text(ROLES.replace("users: {", "users: {vic: viewer, jürgen: viewer, "))
    hashed = subprocess.run([CADDY, "hash-password", "--plaintext", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    (place / "users").write_text("".join(f"{name} {hashed}\n" for name in ("ann", "bea", "vic", "jürgen", "eve")))
    inner, outer = free_port(), free_port()
    settings = {"SHELFCAST_ROOT": str(root), "SHELFCAST_TRUSTED_PROXY": f"https://localhost:{outer}", "SHELFCAST_PROXY_SECRET": SECRET}
    ui = [sys.executable, "-m", "orchestration", "ui", "--root", str(root), "--port", str(inner)]
    front = caddy(CHECKOUT / "deploy" / "caddy" / "Caddyfile", place, outer, inner, SHELFCAST_USERS=str(place / "users"))
    with services((ui, settings), front):
        found = Team(root, inner, outer, trust(place))
        wait_for(answers(lambda: found.ask("GET", "/server_info", "ann"), 200), 240)

        def loaded() -> bool:
            entries = found.graphql("ann", "{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{__typename}}}}}")
            states = [entry["locationOrLoadError"] for entry in entries["workspaceOrError"]["locationEntries"]]
            return states == [{"__typename": "RepositoryLocation"}]

        wait_for(loaded, 240)
        yield found


def forged(root: Path) -> int:
    with open_instance(root, local=False) as instance:
        return len(instance.fetch_materializations(FORGED, limit=100).records)


@pytest.mark.slow
def test_a_viewer_reads_and_changes_nothing(team: Team) -> None:
    assert team.ask("GET", "/runs", "vic").status_code == 200
    assert team.ask("GET", "/runs", "jürgen").status_code == 200
    assert team.ask("GET", "/reports/", "vic").status_code == 200
    assert team.graphql("vic", MUTATION)["reportRunlessAssetEvents"]["__typename"] == "UnauthorizedError"
    decided = team.launch("vic", "data_decision", {}, {})
    assert decided["__typename"] == "UnauthorizedError"
    assert "The role viewer has no permission" in json.dumps(team.graphql("vic", "{permissions{permission value disabledReason}}"))
    assert team.ask("POST", "/report_asset_materialization/audit/trail", "vic", json={}).status_code == 401
    assert forged(team.root) == 0


@pytest.mark.slow
def test_every_mutation_asks_for_a_permission_that_a_viewer_has_not(team: Team) -> None:
    """A mutation that a later Dagster adds without a check would be one that viewers have."""
    harmless = {"logTelemetry", "setNuxSeen"}
    fields = team.graphql("vic", "{__schema{mutationType{fields{name args{name type{kind name ofType{kind name}}}}}}}")
    names = {field["name"] for field in fields["__schema"]["mutationType"]["fields"]} - harmless
    permissions = {entry["permission"]: entry["value"] for entry in team.graphql("vic", "{permissions{permission value}}")["permissions"]}
    assert not any(permissions.values())
    assert names == CHECKED, "look at what the new ones do, and whether they ask for a permission"


CHECKED = {
    *("launchPipelineExecution", "launchRun", "launchMultipleRuns", "launchPipelineReexecution", "launchRunReexecution"),
    *("startSchedule", "stopRunningSchedule", "resetSchedule", "scheduleDryRun", "startSensor", "setSensorCursor", "stopSensor", "resetSensor"),
    *("sensorDryRun", "terminatePipelineExecution", "terminateRun", "terminateRuns", "deletePipelineRun", "deleteRun"),
    *("reloadRepositoryLocation", "reloadWorkspace", "shutdownRepositoryLocation", "wipeAssets", "reportRunlessAssetEvents"),
    *("reportAssetCheckEvaluations", "launchPartitionBackfill", "resumePartitionBackfill", "reexecutePartitionBackfill"),
    *("cancelPartitionBackfill", "addDynamicPartition", "deleteDynamicPartitions", "setAppManagedComponent", "deleteAppManagedComponent"),
    *("refreshComponentState", "setAutoMaterializePaused", "setConcurrencyLimit", "deleteConcurrencyLimit", "freeConcurrencySlotsForRun"),
    "freeConcurrencySlots",
}
"""Mutations of Dagster 1.13.27 that ask for a permission."""


def decision(reason: str) -> dict[str, Any]:
    return {"ops": {"decide_on_data": {"config": {"region": "ohio", "decision": "approved", "reason": reason}}}}


@pytest.mark.slow
def test_who_started_a_run_is_who_signed_in_whatever_the_form_says(team: Team) -> None:
    lie = {"shelfcast/person": "ann", "shelfcast/role": "operator"}
    started = {who: team.launch(who, "data_decision", decision("fine"), lie) for who in ("ann", "bea")}
    assert {who: answer["__typename"] for who, answer in started.items()} == {"ann": "LaunchRunSuccess", "bea": "LaunchRunSuccess"}
    runs = {who: answer["run"]["runId"] for who, answer in started.items()}
    with open_instance(team.root, local=False) as instance:
        tags = {who: instance.get_run_by_id(run).tags for who, run in runs.items()}  # type: ignore[union-attr]
        assert [(tags[who]["shelfcast/person"], tags[who]["shelfcast/role"]) for who in ("ann", "bea")] == [("ann", "operator"), ("bea", "planner")]

        def ended() -> bool:
            return all(instance.get_run_by_id(run).is_finished for run in runs.values())  # type: ignore[union-attr]

        wait_for(ended, 240)
        told = {
            who: json.dumps([str(event.dagster_event.event_specific_data) for event in instance.all_logs(run) if event.dagster_event])
            for who, run in runs.items()
        }
    assert "ohio has no data version yet" in told["ann"]
    assert "bea is a planner: decisions are an operator's" in told["bea"]


@pytest.mark.slow
def test_no_configuration_of_a_run_names_another_lake(team: Team, tmp_path: Path) -> None:
    """A planner's backfill wrote plans and heads of the record into any lake of the machine's user."""
    elsewhere = {"resources": {"lake": {"config": {"root": str(tmp_path / "elsewhere")}}}}
    answer = team.launch("bea", "data_decision", {**decision("fine"), **elsewhere}, {})
    assert answer["__typename"] == "RunConfigValidationInvalid"
    answer = team.launch("bea", "data_decision", {**decision("fine"), "resources": {"io_manager": {"config": {"base_dir": str(tmp_path)}}}}, {})
    with open_instance(team.root, local=False) as instance:
        wait_for(lambda: instance.get_run_by_id(answer["run"]["runId"]).is_finished, 240)  # type: ignore[union-attr]
    assert not any(tmp_path.iterdir())


RESTART = """mutation($b: String!){reexecutePartitionBackfill(reexecutionParams: {parentRunId: $b, strategy: ALL_STEPS}){
__typename ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}"""
BACKFILL = """mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams: $p){
__typename ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}"""


@pytest.mark.slow
def test_a_backfill_that_somebody_repeats_is_theirs_and_not_of_who_began_it(team: Team) -> None:
    """Dagster copies the tags of the first one, among them that an operator started it."""
    lie = [{"key": "shelfcast/person", "value": "vic"}, {"key": "shelfcast/role", "value": "viewer"}]
    params = {"assetSelection": [{"path": ["reports", "drift_report"]}], "partitionNames": [f"ohio|{Week.parse('2024-06-03')}"], "tags": lie}
    with open_instance(team.root, local=False) as instance:
        instance.add_dynamic_partitions("region", ["ohio"])

        def by(backfill: PartitionBackfill | None) -> tuple[str, str]:
            assert backfill is not None
            return backfill.tags["shelfcast/person"], backfill.tags["shelfcast/role"]

        began = team.graphql("ann", BACKFILL, p=params)["launchPartitionBackfill"]
        assert began["__typename"] == "LaunchBackfillSuccess", began
        first = instance.get_backfill(began["backfillId"])
        assert by(first) == ("ann", "operator")
        # As the daemon does once its runs have ended.
        instance.update_backfill(first.with_status(BulkActionStatus.CANCELED))  # type: ignore[union-attr]
        again = team.graphql("bea", RESTART, b=began["backfillId"])["reexecutePartitionBackfill"]
        assert again["__typename"] == "LaunchBackfillSuccess", again
        assert by(instance.get_backfill(again["backfillId"])) == ("bea", "planner")


@pytest.mark.slow
def test_nobody_gets_past_the_proxy(team: Team) -> None:
    assert team.ask("GET", "/", None).status_code == 401
    assert httpx.get(f"{team.address}/", auth=("ann", "wrong"), verify=team.trusted, timeout=60).status_code == 401
    assert team.ask("GET", "/", "eve").status_code == 403
    # A signed-in viewer who says to be somebody else, and who knows no secret.
    claims = {"x-forwarded-user": "ann", "x-forwarded-groups": "planning", "x-shelfcast-proxy": "guess"}
    answer = team.ask("POST", "/graphql", "vic", json={"query": MUTATION}, headers=claims)
    assert answer.json()["data"]["reportRunlessAssetEvents"]["__typename"] == "UnauthorizedError"
    # The webserver itself.
    inside = f"http://127.0.0.1:{team.inner}"
    for host in (f"127.0.0.1:{team.inner}", team.address.removeprefix("https://")):
        for headers in ({"host": host}, {"host": host, **claims}):
            assert httpx.post(f"{inside}/graphql", json={"query": MUTATION}, headers=headers, timeout=60).status_code in {401, 403}
            assert httpx.get(f"{inside}/reports/", headers=headers, timeout=60).status_code in {401, 403}
    assert not list(team.root.glob("*.token"))
    assert forged(team.root) == 0


@pytest.mark.slow
def test_the_proxy_refuses_what_other_pages_can_send_and_tells_browsers_so(team: Team) -> None:
    assert team.ask("GET", "/graphql?query={version}", "ann").status_code == 405
    own = {"query": MUTATION}
    assert team.ask("POST", "/graphql", "ann", json=own, headers={"origin": "https://evil.example"}).status_code == 403
    assert team.ask("POST", "/graphql", "ann", json=own, headers={"origin": team.address, "sec-fetch-site": "same-site"}).status_code == 403
    for path in ("/", "/reports/"):
        headers = team.ask("GET", path, "ann").headers
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["x-permitted-cross-domain-policies"] == "none"
        assert "camera=()" in headers["permissions-policy"]
        assert "content-security-policy" in headers
        assert not {"server", "x-powered-by"} & set(headers)
    assert team.address.replace("https", "wss") in team.ask("GET", "/runs", "ann").headers["content-security-policy"]


@pytest.mark.slow
def test_behind_oauth2_proxy_names_are_those_of_the_company_s_sign_in(tmp_path: Path) -> None:
    """The Caddyfile beside oauth2-proxy.cfg, with a stand-in for oauth2-proxy: /oauth2/auth says who a cookie belongs to."""
    if CADDY is None:
        pytest.skip("caddy is not installed: deploy/oauth2-proxy cannot be tried")
    seen: list[dict[str, str]] = []

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signed_in = "session=anns" in self.headers.get("cookie", "")
            if self.path == "/oauth2/auth":
                self.send_response(202 if signed_in else 401)
                if signed_in:
                    self.send_header("X-Auth-Request-Email", "ann@example.com")
            else:
                seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, outer = server.server_address[1], free_port()
    front = caddy(CHECKOUT / "deploy" / "oauth2-proxy" / "Caddyfile", tmp_path, outer, port, OAUTH2_PROXY_PORT=str(port))
    with services(front):
        trusted, address = trust(tmp_path), f"https://localhost:{outer}"
        lies = {"x-forwarded-user": "eve", "x-forwarded-groups": "planning", "x-shelfcast-proxy": "guess"}
        wait_for(answers(lambda: httpx.get(address, verify=trusted), 302), 60)
        assert httpx.get(f"{address}/runs", verify=trusted).headers["location"] == f"/oauth2/sign_in?rd={address}/runs"
        seen.clear()
        assert httpx.get(f"{address}/runs", headers={"cookie": "session=anns", **lies}, verify=trusted).status_code == 200
    server.shutdown()
    [told] = seen
    assert (told["x-forwarded-user"], told["x-shelfcast-proxy"]) == ("ann@example.com", SECRET)
    # Debian's Caddy leaves the placeholder of a header that oauth2-proxy did not send.
    assert told["x-forwarded-groups"] == "{http.reverse_proxy.header.X-Auth-Request-Groups}"
    assert not {"cookie", "authorization"} & set(told)
