"""What other web pages, and requests that are no browser's, can do to a lake through the UI: nothing."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from orchestration.people import login
from orchestration.project import Project
from orchestration.reports.drift import SliceDrift
from orchestration.reports.report import report_url
from orchestration.runtime.instance import open_instance
from orchestration.settings import settings
from orchestration.web.access import address, token_at
from tests.orchestration import waiting
from tests.orchestration.waiting import free_port
from transforms.calendar import Region, Slice, Week
from transforms.contracts.drift import DRIFT

CHROMIUM = shutil.which("chromium")
wait_for = partial(waiting.wait_for, pause=0.5)
REBOUND = "evil.example"
# Left to itself Chromium lets no page of a foreign name ask this machine; here the UI has to refuse it.
FLAGS = [
    "--disable-features=LocalNetworkAccessChecks",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]
FORGED = dg.AssetKey(["audit", "trail"])
MUTATION = """mutation{reportRunlessAssetEvents(eventParams: {eventType: ASSET_MATERIALIZATION, assetKey: {path: ["audit", "trail"]},
description: "forged by a web page"}){__typename}}"""
QUERY = "{version}"
REPORT = "<!doctype html><title>report</title><h1>drift</h1><script>document.title = 'script ran'</script>"


class Ui:
    """The services of a lake without data."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port
        self.origin = f"http://127.0.0.1:{port}"

    @property
    def token(self) -> str:
        return token_at(self.root, self.port)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Ask as a program that has the token, unless a header says otherwise."""
        shown = {"authorization": f"Bearer {self.token}"} | (headers or {})
        return httpx.request(method, f"{self.origin}{path}", timeout=60, headers=shown, **more)

    def graphql(self, query: str, **headers: str) -> httpx.Response:
        return self.ask("POST", "/graphql", json={"query": query}, headers=headers)

    def forged(self) -> int:
        """How many events the attacks have written."""
        with open_instance(self.root, local=False) as instance:
            return len(instance.fetch_materializations(FORGED, limit=100).records)

    def runs(self) -> list[str]:
        with open_instance(self.root, local=False) as instance:
            return [run.run_id for run in instance.get_runs()]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    root = tmp_path_factory.mktemp("front") / "lake"
    Project(provider="sample").save(root)
    page = root / "reports" / "drift" / "ohio" / "2022-05-02.html"
    page.parent.mkdir(parents=True)
    page.write_text(REPORT)
    port = free_port()
    environment = {**os.environ, "SHELFCAST_ROOT": str(root)}
    process = subprocess.Popen([sys.executable, "-m", "orchestration", "ui", "--root", str(root), "--port", str(port)], env=environment)
    services = Ui(root, port)

    def loaded() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the UI ended with code {process.returncode}")
        try:
            answer = services.graphql("{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{__typename}}}}}")
        except (httpx.TransportError, FileNotFoundError):
            return False
        entries = answer.json()["data"]["workspaceOrError"]["locationEntries"]
        return [entry["locationOrLoadError"] for entry in entries] == [{"__typename": "RepositoryLocation"}]

    try:
        wait_for(loaded, 240)
        yield services
    finally:
        process.terminate()
        process.wait(timeout=60)


def command_lines() -> Iterator[bytes]:
    """Of all processes of the machine, as any of its users can read them."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield (process / "cmdline").read_bytes()


def refused(answer: httpx.Response, sentence: str) -> bool:
    return answer.status_code in {401, 403, 405, 415} and sentence in answer.text


@pytest.mark.slow
def test_no_request_of_a_foreign_page_writes_into_the_run_history(ui: Ui) -> None:
    own = f"127.0.0.1:{ui.port}"
    body = json.dumps({"query": MUTATION})
    attacks = {
        "mutation by GET": ui.ask("GET", f"/graphql?query={quote(MUTATION)}"),
        "mutation by GET from a page": ui.ask("GET", f"/graphql?query={quote(MUTATION)}", headers={"origin": "http://evil.example"}),
        "query by HEAD": ui.ask("HEAD", f"/graphql?query={quote(MUTATION)}"),
        "foreign origin": ui.graphql(MUTATION, origin="http://evil.example"),
        "another port of this machine": ui.graphql(MUTATION, origin=f"http://127.0.0.1:{ui.port + 1}"),
        "another scheme": ui.graphql(MUTATION, origin=f"https://{own}"),
        "a sandboxed page": ui.graphql(MUTATION, origin="null"),
        "a name that was pointed here": ui.graphql(MUTATION, host=f"evil.example:{ui.port}"),
        "another port in host": ui.graphql(MUTATION, host="127.0.0.1:1"),
        "both names foreign": ui.graphql(MUTATION, host=f"evil.example:{ui.port}", origin=f"http://evil.example:{ui.port}"),
        "a form's text": ui.ask("POST", "/graphql", content=body, headers={"content-type": "text/plain"}),
        "text that says JSON": ui.ask("POST", "/graphql", content=body, headers={"content-type": "text/plain; application/json"}),
        "a form": ui.ask("POST", f"/graphql?query={quote(MUTATION)}", data={"a": "b"}),
        "no type": ui.ask("POST", f"/graphql?query={quote(MUTATION)}"),
        "report endpoint by form": ui.ask("POST", "/report_asset_materialization/audit/trail?description=forged", data={"a": "b"}),
        "report endpoint, foreign origin": ui.ask(
            "POST", "/report_asset_materialization/audit/trail", json={}, headers={"origin": "http://evil.example"}
        ),
        "preflight": ui.ask("OPTIONS", "/graphql", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}),
    }
    passed = {name: answer.status_code for name, answer in attacks.items() if answer.status_code not in {403, 405, 415}}
    assert (passed, ui.forged()) == ({}, 0)
    assert all("access-control-allow-origin" not in answer.headers for answer in attacks.values())
    assert refused(attacks["foreign origin"], f"This page's origin is http://evil.example; expected http://127.0.0.1:{ui.port}")
    assert refused(attacks["a name that was pointed here"], f"The host is evil.example:{ui.port}; expected 127.0.0.1:{ui.port}")
    assert refused(attacks["mutation by GET"], "GraphQL is asked by POST")
    assert refused(attacks["a form's text"], "The content type is text/plain; expected application/json")
    # The same from the UI itself, and from a program on this machine.
    assert ui.graphql(MUTATION, origin=ui.origin).json()["data"]["reportRunlessAssetEvents"]["__typename"] == "ReportRunlessAssetEventsSuccess"
    assert ui.graphql(QUERY).status_code == 200
    assert ui.graphql(QUERY, host=f"localhost:{ui.port}", origin=f"http://localhost:{ui.port}").status_code == 200
    assert ui.forged() == 1


@pytest.mark.slow
def test_a_websocket_opens_for_the_ui_and_for_no_other_page(ui: Ui) -> None:
    place, shown = f"ws://127.0.0.1:{ui.port}/graphql", {"authorization": f"Bearer {ui.token}"}
    for origin in ("http://evil.example", f"http://127.0.0.1:{ui.port + 1}", "null"):
        with pytest.raises(InvalidStatus) as refusal, connect(place, origin=origin, subprotocols=["graphql-ws"], additional_headers=shown):  # type: ignore[arg-type]
            pass
        assert refusal.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refusal, connect(place, origin=ui.origin, subprotocols=["graphql-ws"]):  # type: ignore[arg-type]
        pass
    assert refusal.value.response.status_code == 401
    with connect(place, origin=ui.origin, subprotocols=["graphql-ws"], additional_headers=shown) as socket_:  # type: ignore[arg-type]
        socket_.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket_.recv(timeout=30)) == {"type": "connection_ack"}


@pytest.mark.slow
def test_every_answer_of_the_ui_says_what_a_browser_may_do_with_it(ui: Ui) -> None:
    for path in ("/", "/assets", "/graphql", "/server_info", "/reports/", "/reports/drift/ohio/2022-05-02.html", "/reports/none.html"):
        headers = ui.ask("GET", path, headers={"accept": "text/html"}).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["cross-origin-resource-policy"] == "same-origin", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
    report = ui.ask("GET", "/reports/drift/ohio/2022-05-02.html").headers["content-security-policy"]
    assert "sandbox allow-scripts" in report
    assert "default-src 'none'" in report
    assert "allow-scripts" not in ui.ask("GET", "/reports/").headers["content-security-policy"]


@pytest.mark.slow
def test_no_notebook_of_the_machine_becomes_a_page_of_the_ui(ui: Ui) -> None:
    """Where nbconvert is installed Dagster shows any notebook, one among landing files too, with its scripts in the UI's origin."""
    for path in ("/notebook?path=landing/x.ipynb&repoLocName=shelfcast", "/dagit/notebook?path=/etc/x.ipynb&repoLocName=shelfcast", "/Notebook/"):
        answer = ui.ask("GET", path)
        assert (answer.status_code, answer.text[:28]) == (404, "Notebooks are not shown here"), path


@pytest.mark.slow
def test_nobody_without_a_session_sees_or_changes_anything(ui: Ui) -> None:
    """Every program and every other user of the machine could."""
    told = "Open the address that 'shelfcast ui' printed, or 'shelfcast ui --address' prints"
    for headers in ({}, {"authorization": f"Bearer {ui.token[:-1]}"}, {"authorization": "Bearer x"}, {"cookie": f"shelfcast-{ui.port}={ui.token}"}):
        for method, path in (("GET", "/"), ("GET", "/runs"), ("GET", "/server_info"), ("GET", "/reports/"), ("HEAD", "/"), ("POST", "/graphql")):
            body = {"json": {"query": MUTATION}} if method == "POST" else {}
            answer = httpx.request(method, f"{ui.origin}{path}", headers=headers, **body)
            assert answer.status_code == 401, (headers, method, path)
            assert method == "HEAD" or told in answer.text
    assert httpx.get(f"{ui.origin}/?token=nonsense").status_code == 401


@pytest.mark.slow
def test_the_printed_address_becomes_a_session_and_the_token_leaves_the_address(ui: Ui) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "orchestration", "ui", "--address", "--root", str(ui.root)], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert shown == f"{ui.origin}/?token={ui.token}"
    assert stat.S_IMODE((ui.root / f"ui-{ui.port}.token").stat().st_mode) == 0o600
    with httpx.Client() as client:
        answer = client.get(shown.replace("/?", "/runs?view=all&"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs?view=all")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"shelfcast-{ui.port}=")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert ui.token not in cookie
        assert client.get(f"{ui.origin}/server_info").status_code == 200
    for place in ("//evil.example/x", "/\\evil.example/x"):
        assert httpx.get(f"{ui.origin}{place}?token={ui.token}").headers["location"].startswith("/evil.example")


@pytest.mark.slow
def test_the_token_stands_in_no_log_and_in_no_process_list(ui: Ui) -> None:
    httpx.get(f"{ui.origin}/runs?token={ui.token}")
    httpx.get(f"{ui.origin}/runs?token={ui.token}wrong")
    assert ui.token not in (ui.root / "services.log").read_text()
    assert ui.token.encode() not in b"".join(command_lines())


HOSTILE = """<!doctype html><title>hostile</title><iframe name=sink></iframe><script>
const target = "TARGET", mutation = MUTATION, body = JSON.stringify({query: mutation});
async function attempt(made) { try { await made(); } catch (error) {} }
async function attack() {
  const byGet = target + "/graphql?query=" + encodeURIComponent(mutation);
  for (const mode of ["no-cors", "cors"]) for (const credentials of ["include", "omit"]) {
    await attempt(() => fetch(byGet, {mode, credentials}));
    for (const type of ["text/plain", "text/plain; application/json", "application/json", "application/x-www-form-urlencoded"])
      await attempt(() => fetch(target + "/graphql", {method: "POST", mode, credentials, body, headers: {"content-type": type}}));
    await attempt(() => fetch(byGet, {method: "POST", mode, credentials}));
    await attempt(() => fetch(target + "/report_asset_materialization/audit/trail?description=forged", {method: "POST", mode, credentials}));
  }
  navigator.sendBeacon(target + "/graphql", new Blob([body], {type: "text/plain"}));
  for (const kind of ["img", "script", "iframe"])
    await new Promise(done => { const made = document.createElement(kind); made.onload = made.onerror = done; made.src = byGet; document.body.append(made); });
  const form = Object.assign(document.createElement("form"), {method: "post", action: byGet, target: "sink", enctype: "text/plain"});
  form.append(Object.assign(document.createElement("input"), {name: body.slice(0, -1) + ', "x": "', value: '"}'}));
  document.body.append(form);
  form.submit();
  window.open(byGet);
  window.open(target + "/runs");
  return await new Promise(done => {
    const socket = new WebSocket(target.replace("http", "ws") + "/graphql", "graphql-ws");
    socket.onopen = () => { socket.send(JSON.stringify({type: "connection_init"})); };
    socket.onmessage = message => done("answered " + message.data);
    socket.onerror = socket.onclose = () => done("refused");
  });
}
</script>"""


@pytest.fixture
def hostile(ui: Ui) -> Iterator[str]:
    """Address of a page on another port of this machine that means ill."""
    content = HOSTILE.replace("TARGET", ui.origin).replace("MUTATION", json.dumps(MUTATION)).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()


@pytest.fixture
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: pages cannot be looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def signed_in(ui: Ui, browser: Any) -> Any:
    """A browser in which somebody opened the address that the UI printed."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.goto(address(ui.port, ui.token))
    assert page.url.startswith(ui.origin)
    assert ui.token not in page.url
    page.close()
    return context


SENT = """async query => {
    const body = JSON.stringify({query}), headers = {"content-type": "application/json"};
    try { return (await fetch("/graphql", {method: "POST", headers, body})).status; } catch (error) { return "refused by the browser"; }
}"""


@pytest.mark.slow
@pytest.mark.browser
def test_a_hostile_page_in_the_browser_of_who_is_signed_in_changes_nothing(ui: Ui, hostile: str, signed_in: Any) -> None:
    before, runs = ui.forged(), ui.runs()
    page = signed_in.new_page()
    page.goto(hostile)
    assert page.evaluate("attack()") == "refused"
    page.wait_for_timeout(2000)
    # Typed or linked, as a page of its own.
    page.goto(f"{ui.origin}/graphql?query={quote(MUTATION)}")
    page.wait_for_timeout(1000)
    assert (ui.forged(), ui.runs()) == (before, runs)
    # The session is one with which it could be done.
    page.goto(f"{ui.origin}/runs")
    assert page.evaluate(SENT, MUTATION) == 200
    assert ui.forged() == before + 1


@pytest.mark.slow
@pytest.mark.browser
def test_a_name_that_was_pointed_to_this_machine_reaches_nothing(ui: Ui, signed_in: Any) -> None:
    """DNS rebinding: to the browser page and UI are one origin then, and no question is asked beforehand."""
    before = ui.forged()
    page = signed_in.new_page()
    place = f"http://{REBOUND}:{ui.port}"
    assert page.goto(place).status == 403
    # The page as it was before its name was pointed elsewhere.
    page.route(f"{place}/start", lambda route: route.fulfill(content_type="text/html", body="<!doctype html><title>hostile</title>"))
    page.goto(f"{place}/start")
    assert page.evaluate(SENT, MUTATION) in {403, "refused by the browser"}
    assert page.evaluate(SENT, "{version}") in {403, "refused by the browser"}
    assert ui.forged() == before


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_on_another_port_reads_and_frames_nothing_of_the_ui(ui: Ui, hostile: str, signed_in: Any) -> None:
    page = signed_in.new_page()
    page.goto(hostile)
    seen = page.evaluate(
        """async target => {
            const read = async () => (await fetch(target + "/server_info", {credentials: "include"})).text();
            const loaded = kind => new Promise(done => {
                const made = document.createElement(kind);
                made.onload = () => done("loaded"); made.onerror = () => done("refused"); made.src = target + "/favicon.png"; document.body.append(made);
            });
            const frame = document.createElement("iframe");
            const framed = new Promise(done => { frame.onload = () => done(frame.contentDocument === null ? "foreign or empty" : "own"); });
            frame.src = target + "/runs"; document.body.append(frame);
            return [await read().catch(() => "refused"), await loaded("img"), await framed, document.cookie];
        }""",
        ui.origin,
    )
    assert seen[:2] == ["refused", "refused"]
    assert seen[3] == ""
    assert all(frame.url in {"", "about:blank", "chrome-error://chromewebdata/"} or frame == page.main_frame for frame in page.frames)


@pytest.mark.slow
@pytest.mark.browser
def test_the_ui_works_behind_its_front(ui: Ui, signed_in: Any) -> None:
    blocked: list[str] = []
    page = signed_in.new_page()
    page.on("console", lambda message: blocked.append(message.text) if "Content Security Policy" in message.text else None)
    page.on("pageerror", lambda error: blocked.append(str(error)))
    for path, seen in (("/", "Overview"), ("/runs", "Runs"), ("/assets", "Catalog"), ("/graphql", "Prettify")):
        page.goto(f"{ui.origin}{path}")
        (page.get_by_label(seen) if path == "/graphql" else page.get_by_text(seen)).first.wait_for(timeout=60_000)
    before = set(ui.runs())
    page.goto(f"{ui.origin}/assets/audit/maturity")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Confirm").click()
    wait_for(lambda: bool(set(ui.runs()) - before), 60)
    started = (set(ui.runs()) - before).pop()
    page.goto(f"{ui.origin}/runs/{started}")
    page.get_by_text("maturity").first.wait_for(timeout=60_000)
    assert blocked == []
    with open_instance(ui.root, local=False) as instance:
        assert instance.get_run_by_id(started).tags["shelfcast/person"] == login()  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.browser
def test_a_link_from_an_asset_page_opens_the_report_at_whatever_port_the_ui_is_served(ui: Ui, signed_in: Any) -> None:
    item = Slice(Region("ohio"), Week.parse("2022-05-02"))
    shown = SliceDrift(item, "drifted", DRIFT.schema.empty_table(), [], [], report_url(settings().reports_url, "drift/ohio/2022-05-02.html"))
    told = shown.metadata
    with open_instance(ui.root, local=False) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(["audit", "maturity"], metadata=told))
    page = signed_in.new_page()
    page.goto(f"{ui.origin}/assets/audit/maturity?view=events")
    # The table above has a link to it too, which opens in place.
    link = page.locator("a[target='_blank'][href$='/reports/drift/ohio/2022-05-02.html']").first
    link.wait_for(timeout=60_000)
    with page.expect_popup() as opened:
        link.click()
    opened.value.wait_for_load_state()
    assert opened.value.title() == "script ran"
    table = page.get_by_role("link", name="open", exact=True).first
    assert table.evaluate("link => link.href") == f"{ui.origin}/reports/drift/ohio/2022-05-02.html"


@pytest.mark.slow
@pytest.mark.browser
def test_a_script_in_a_report_reaches_nothing(ui: Ui, signed_in: Any) -> None:
    before = ui.forged()
    page = signed_in.new_page()
    page.goto(f"{ui.origin}/reports/")
    page.get_by_role("link", name="2022-05-02").click()
    page.wait_for_function("document.title == 'script ran'")
    outcome = page.evaluate(
        """async ([target, body]) => {
            const tried = async made => { try { await made(); return "passed"; } catch (error) { return "refused"; } };
            const told = [await tried(() => fetch(target + "/graphql", {method: "POST", body, headers: {"content-type": "application/json"}})),
                await tried(() => fetch(target + "/graphql", {method: "POST", body, mode: "no-cors"})),
                await tried(() => window.localStorage.length)];
            return told;
        }""",
        [ui.origin, json.dumps({"query": MUTATION})],
    )
    assert outcome == ["refused", "refused", "refused"]
    assert ui.forged() == before
